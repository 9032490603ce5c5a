# Rscript t_test.R > t_test.json
source("json.R")

samples <- list(
  # Student 1908: extra hours of sleep, shipped with R as `sleep`
  list(name = "sleep", control = sleep$extra[sleep$group == 1], treatment = sleep$extra[sleep$group == 2]),
  list(name = "unequal sizes and spreads", control = c(3.1, 4.7, 2.2, 5.9, 3.3, 4.1, 2.8, 3.9),
       treatment = c(9.5, -2.25, 14.0)),
  list(name = "offset of 1e9", control = 1e9 + c(0, 1, 2, 3), treatment = 1e9 + c(2, 3, 3, 4, 5)),
  list(name = "below zero", control = c(-4, -6.5, -5.25, -3.75), treatment = c(-7, -8.5, -6.25, -9.75, -8))
)
questions <- list(
  list(alternative = "two.sided", mu = 0, level = 0.95),
  list(alternative = "greater", mu = -0.5, level = 0.9),
  list(alternative = "less", mu = 0.25, level = 0.99)
)
cases <- list()
for (s in samples) for (q in questions) for (equal in c(FALSE, TRUE)) {
  r <- t.test(s$treatment, s$control, alternative = q$alternative, mu = q$mu, conf.level = q$level, var.equal = equal)
  cases[[length(cases) + 1]] <- list(
    name = s$name, test = if (equal) "student" else "welch",
    control = I(s$control), treatment = I(s$treatment),
    alternative = sub(".", "-", q$alternative, fixed = TRUE), null = q$mu, level = q$level,
    stderr = r$stderr, df = unname(r$parameter), statistic = unname(r$statistic), pvalue = r$p.value,
    low = r$conf.int[1], high = r$conf.int[2])
}
print_cases("t.test(treatment, control, alternative, mu, conf.level, var.equal)", cases)
