# Rscript fisher_test.R > fisher_test.json
source("json.R")
tables <- list( # successes and units of the control, and of the treatment
  c(7, 15, 12, 15), c(3, 4, 1, 4), c(0, 10, 5, 10), c(10, 10, 4, 9), c(2, 30, 9, 20), c(100, 1000, 130, 1000),
  c(1, 5000, 12, 4000), c(40, 45, 180, 260)
)
cases <- list()
for (counts in tables) for (alternative in c("two.sided", "greater", "less")) for (or in c(1, 1.5)) {
  m <- matrix(c(counts[3], counts[4] - counts[3], counts[1], counts[2] - counts[1]), 2)
  r <- fisher.test(m, alternative = alternative, or = or, conf.level = 0.95)
  cases[[length(cases) + 1]] <- list(
    control = counts[1:2], treatment = counts[3:4], alternative = sub(".", "-", alternative, fixed = TRUE),
    odds_ratio = or, pvalue = r$p.value, estimate = unname(r$estimate), low = r$conf.int[1], high = r$conf.int[2])
}
print_cases("fisher.test(table, alternative, or, conf.level = 0.95)", cases)
