# Rscript permutation.R > permutation.json
# Exact one-sided p-values of permutation tests of means: exactRankTests (whole numbers), and coin (within blocks).
source("json.R")
suppressMessages({
  library(exactRankTests)
  library(coin)
})

samples <- list(
  # Efron and Tibshirani 1993, An Introduction to the Bootstrap, table 2.1: days of survival of mice
  list(name = "mice", control = c(52, 104, 146, 10, 51, 30, 40, 27, 46), treatment = c(94, 197, 16, 38, 99, 141, 23)),
  # Student 1908, in tenths of an hour, shipped with R as `sleep`
  list(name = "sleep", control = round(10 * sleep$extra[sleep$group == 1]),
       treatment = round(10 * sleep$extra[sleep$group == 2])),
  list(name = "ties", control = c(0, 0, 0, 0, 1, 1, 2, 5), treatment = c(0, 1, 1, 1, 2, 2, 9)),
  list(name = "one treated", control = c(3, 8, 1, 4, 4, 7), treatment = c(8)),
  list(name = "a large value", control = c(1, 2, 3, 4, 5, 6, 7, 8, 9), treatment = c(2, 2, 3, 1000, 12))
)
cases <- list()
for (s in samples) for (null in c(0, 2)) {
  p <- sapply(c("greater", "less"), function(alternative)
    perm.test(as.integer(s$treatment - null), as.integer(s$control), alternative = alternative, exact = TRUE)$p.value)
  cases[[length(cases) + 1]] <- list(
    name = s$name, control = I(s$control), treatment = I(s$treatment), null = null, strata_control = I(0 * s$control),
    strata_treatment = I(0 * s$treatment), greater = unname(p["greater"]), less = unname(p["less"]))
}
blocked <- list(
  list(y = c(3, 5, 1, 9, 8, 4, 4, 2, 6, 11), t = c(0, 1, 0, 1, 1, 0, 0, 1, 0, 1), b = c(1, 1, 1, 1, 2, 2, 2, 2, 2, 2)),
  list(y = c(0, 2, 1, 1, 5, 3, 9, 12, 7, 7, 10, 9), t = c(0, 1, 1, 0, 0, 1, 0, 1, 1, 1, 0, 0),
       b = c(1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4))
)
for (d in blocked) {
  group <- factor(ifelse(d$t == 1, "treatment", "control"), levels = c("treatment", "control"))
  # the sum of the treated, without the blocks' weights: as many are treated in each block of every assignment
  p <- sapply(c("greater", "less"), function(alternative) pvalue(independence_test(
    d$y ~ group | factor(d$b), alternative = alternative, distribution = exact(algorithm = "shift"))))
  cases[[length(cases) + 1]] <- list(
    name = "blocks", control = I(d$y[d$t == 0]), treatment = I(d$y[d$t == 1]), null = 0,
    strata_control = I(d$b[d$t == 0]), strata_treatment = I(d$b[d$t == 1]),
    greater = unname(p["greater"]), less = unname(p["less"]))
}
print_cases(paste("exactRankTests", packageVersion("exactRankTests"), "perm.test(exact = TRUE); coin",
                  packageVersion("coin"), "independence_test(y ~ group | block, distribution = exact())"), cases)
