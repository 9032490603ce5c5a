# Rscript boot.R > boot.json
# Intervals of one and the same draws: boot.ci of the difference of two means, resampled within each variant. With 399
# resamples the ranks at 95% and 90% are whole, so that no rule of interpolation is compared.
source("json.R")
library(boot)

difference <- function(d, i) {
  c <- d$y[i][d$v[i] == 0]
  t <- d$y[i][d$v[i] == 1]
  c(mean(t) - mean(c), var(t) / length(t) + var(c) / length(c))
}
samples <- list(
  list(name = "normal", control = round(10 + 3 * qnorm(ppoints(14)), 3),
       treatment = round(11 + 4 * qnorm(ppoints(9)) ^ 2, 3)),
  list(name = "skewed", control = round(qlnorm(ppoints(25)), 3), treatment = round(1.4 * qlnorm(ppoints(12)) + 0.1, 3))
)
cases <- list()
for (s in samples) {
  d <- data.frame(y = c(s$control, s$treatment), v = rep(0:1, c(length(s$control), length(s$treatment))))
  set.seed(1)
  b <- boot(d, difference, R = 399, strata = d$v)
  # influence values of the difference (Davison and Hinkley 1997, p. 210): of each unit over its variant's size
  l <- c(-(s$control - mean(s$control)) / length(s$control), (s$treatment - mean(s$treatment)) / length(s$treatment))
  for (level in c(0.95, 0.9)) {
    r <- boot.ci(b, conf = level, type = c("basic", "stud", "perc", "bca"), L = l)
    cases[[length(cases) + 1]] <- list(
      name = s$name, control = I(s$control), treatment = I(s$treatment), level = level,
      draws = I(b$t[, 1]), variances = I(b$t[, 2]), variance = b$t0[2],
      basic = I(r$basic[4:5]), studentised = I(r$student[4:5]), percentile = I(r$percent[4:5]),
      bca_ranks = I(r$bca[2:3]), bca = I(r$bca[4:5]))
  }
}
print_cases(paste("boot", packageVersion("boot"), "boot.ci(type = c('basic', 'stud', 'perc', 'bca'), L = influence)"), cases)
