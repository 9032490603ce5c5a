# Rscript bayes_factor.R > bayes_factor.json
# The package's own quadrature stops at a relative error that it reports: `error`.
source("json.R")
suppressMessages(library(BayesFactor))

means <- list()
for (q in list(c(2, 20, 20), c(-0.5, 5, 7), c(0, 10, 10), c(4.25, 100, 150), c(2.2, 5000, 3000), c(7.5, 40, 12))) {
  for (scale in c(sqrt(2) / 2, 1)) {
    ask <- function(...) ttest.tstat(t = q[1], n1 = q[2], n2 = q[3], rscale = scale, ...)
    two <- ask(); up <- ask(nullInterval = c(0, Inf))
    means[[length(means) + 1]] <- list(t = q[1], n_control = q[2], n_treatment = q[3], scale = scale,
                                       log_factor = two$bf, error = two$properror,
                                       log_greater = up$bf, error_greater = up$properror)
  }
}
# Both shares have a uniform prior, and so has the common one
counts <- list()
for (q in list(c(10, 30, 30, 70), c(0, 12, 5, 9), c(450, 10000, 520, 10000), c(3, 100, 3, 1000), c(1, 2, 2, 2),
               c(50000, 1000000, 50700, 1000000))) {
  table <- matrix(c(q[1], q[3], q[2] - q[1], q[4] - q[3]), 2)
  found <- contingencyTableBF(table, sampleType = "indepMulti", fixedMargin = "rows", priorConcentration = 1)
  counts[[length(counts) + 1]] <- list(control = I(q[1:2]), treatment = I(q[3:4]), log_factor = found@bayesFactor$bf)
}
cat(json(list(program = paste(R.version.string, "BayesFactor", packageVersion("BayesFactor")),
              command = "ttest.tstat(t, n1, n2, rscale); contingencyTableBF(sampleType = 'indepMulti')",
              means = means, counts = counts)), "\n", sep = "")
