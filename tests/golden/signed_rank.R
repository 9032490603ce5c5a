# Rscript signed_rank.R > signed_rank.json
source("json.R")
suppressPackageStartupMessages(library(coin))

set.seed(19591001)
samples <- list(
  # Hollander and Wolfe 1973, p. 29 f.: depression before and after a tranquilliser, as in R's ?wilcox.test
  list(name = "depression", control = c(1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30),
       treatment = c(0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29)),
  list(name = "49 pairs", control = round(rnorm(49), 6), treatment = round(rnorm(49, 0.3), 6)),
  list(name = "50 pairs", control = round(rnorm(50), 6), treatment = round(rnorm(50, 0.4, 2), 6)),
  list(name = "400 pairs", control = round(rnorm(400), 6), treatment = round(rnorm(400, 0.1), 6))
)
cases <- list()
for (s in samples) for (alternative in c("two.sided", "greater", "less")) for (level in c(0.8, 0.95)) {
  exact <- length(s$control) < 50
  d <- s$treatment - s$control
  r <- wilcox.test(s$treatment, s$control, paired = TRUE, alternative = alternative, exact = exact, correct = FALSE,
                   conf.int = exact, conf.level = level)
  averages <- outer(d, d, "+") / 2
  # wilcox.test finds the ends of large samples by uniroot, to 4 digits: they are left out
  ends <- if (exact) r$conf.int else c(NA, NA)
  cases[[length(cases) + 1]] <- list(
    name = s$name, control = I(s$control), treatment = I(s$treatment),
    alternative = sub(".", "-", alternative, fixed = TRUE), level = level, pvalue = r$p.value,
    estimate = median(averages[upper.tri(averages, diag = TRUE)]), low = ends[1], high = ends[2])
}

tied <- list(
  list(name = "zeros and ties", control = c(125, 115, 130, 140, 140, 115, 140, 125, 140, 135),
       treatment = c(110, 122, 125, 120, 140, 124, 123, 137, 135, 145)),
  list(name = "many zeros", control = rep(c(0, 1, 2), 6), treatment = rep(c(0, 1, 4, 0, 3, 2), 3)),
  list(name = "60 pairs of counts", control = rpois(60, 2), treatment = rpois(60, 3))
)
pratt <- list()
for (s in tied) for (alternative in c("two.sided", "greater", "less")) {
  exact <- length(s$control) < 50
  r <- wilcoxsign_test(s$treatment ~ s$control, zero.method = "Pratt", alternative = alternative,
                       distribution = if (exact) "exact" else "asymptotic")
  pratt[[length(pratt) + 1]] <- list(
    name = s$name, control = I(s$control), treatment = I(s$treatment),
    alternative = sub(".", "-", alternative, fixed = TRUE), exact = as.numeric(exact),
    statistic = as.numeric(statistic(r)), pvalue = as.numeric(pvalue(r)))
}
cat(json(list(program = R.version.string, command = "wilcox.test(treatment, control, paired = TRUE, correct = FALSE)",
              cases = cases,
              pratt_program = paste("R package coin", packageVersion("coin")),
              pratt_command = "wilcoxsign_test(treatment ~ control, zero.method = 'Pratt')", pratt = pratt)), "\n", sep = "")
