# Rscript prop_test.R > prop_test.json
source("json.R")

tables <- list(c(100, 1000, 130, 1000), c(48, 80, 56, 70), c(15, 5000, 4, 200), c(3, 29, 11, 56))
cases <- list()
for (x in tables) for (alternative in c("two.sided", "greater", "less")) {
  r <- prop.test(c(x[3], x[1]), c(x[4], x[2]), alternative = alternative, correct = FALSE)
  both <- prop.test(c(x[3], x[1]), c(x[4], x[2]), correct = FALSE)
  cases[[length(cases) + 1]] <- list(
    control = I(x[1:2]), treatment = I(x[3:4]), alternative = sub(".", "-", alternative, fixed = TRUE),
    chi_square = unname(r$statistic), pvalue = r$p.value,
    wald_low = both$conf.int[1], wald_high = both$conf.int[2])
}
print_cases("prop.test(c(treatment, control), correct = FALSE): successes, units; its interval is Wald's", cases)
