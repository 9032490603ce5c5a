# Rscript chisq_test.R > chisq_test.json
source("json.R")

samples <- list(
  list(counts = c(821588, 815482), weights = c(1, 1)),  # Fabijan et al. 2019, KDD, sec. 1
  list(counts = c(9050, 450, 500), weights = c(90, 5, 5)),
  list(counts = c(100, 120, 80, 111), weights = c(1, 1, 1, 1)),
  list(counts = c(60000, 40000), weights = c(0.5, 0.5)),
  list(counts = c(0, 40), weights = c(1, 3))
)
cases <- list()
for (s in samples) {
  r <- chisq.test(s$counts, p = s$weights, rescale.p = TRUE)
  cases[[length(cases) + 1]] <- list(
    counts = I(s$counts), weights = I(s$weights), expected = I(r$expected),
    statistic = unname(r$statistic), df = unname(r$parameter), pvalue = r$p.value)
}
print_cases("chisq.test(counts, p = weights, rescale.p = TRUE)", cases)
