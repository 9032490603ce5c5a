# Rscript mann_whitney.R > mann_whitney.json
source("json.R")

set.seed(20060213)
samples <- list(
  # Hollander and Wolfe 1973, p. 69 f.: permeability of the human chorioamnion, as in R's ?wilcox.test
  list(name = "permeability", control = c(1.15, 0.88, 0.90, 0.74, 1.21),
       treatment = c(0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46)),
  list(name = "complete separation", control = c(1, 2, 3, 4, 5, 6), treatment = c(7, 8, 9, 10)),
  list(name = "one control unit", control = 2.5, treatment = c(1, 3, 4, 5, 6, 7, 8)),
  list(name = "49 and 49", control = round(rnorm(49), 6), treatment = round(rnorm(49, 0.6), 6)),
  list(name = "50 and 12", control = round(rnorm(50), 6), treatment = round(rnorm(12, -0.5, 2), 6)),
  list(name = "ties", control = c(1, 2, 2, 3, 0, 0, 1), treatment = c(2, 3, 3, 1, 4, 5, 2, 2, 6)),
  list(name = "mostly zeros", control = c(rep(0, 90), 1:10), treatment = c(rep(0, 60), 5:24)),
  list(name = "far apart", control = 1:120, treatment = 1:150 + 90.5)
)
cases <- list()
for (s in samples) for (alternative in c("two.sided", "greater", "less")) {
  tied <- length(unique(c(s$control, s$treatment))) < length(c(s$control, s$treatment))
  exact <- !tied && length(s$control) < 50 && length(s$treatment) < 50
  r <- wilcox.test(s$treatment, s$control, alternative = alternative, exact = exact, correct = FALSE)
  cases[[length(cases) + 1]] <- list(
    name = s$name, control = I(s$control), treatment = I(s$treatment), exact = as.numeric(exact),
    alternative = sub(".", "-", alternative, fixed = TRUE), u = unname(r$statistic), pvalue = r$p.value)
}
print_cases("wilcox.test(treatment, control, alternative, exact, correct = FALSE)", cases)
