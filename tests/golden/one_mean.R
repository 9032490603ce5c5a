# Rscript one_mean.R > one_mean.json
source("json.R")

pairs <- list(
  # Student 1908: extra hours of sleep of ten people under two drugs, shipped with R as `sleep`
  list(name = "sleep", control = sleep$extra[sleep$group == 1], treatment = sleep$extra[sleep$group == 2]),
  list(name = "nearly equal columns at 1e6", control = 1e6 + c(1, 5, 2, 8, 3), treatment = 1e6 + c(1.5, 5.25, 3, 8.5, 3.125)),
  list(name = "below zero", control = c(-4, -6.5, -5.25, -3.75), treatment = c(-7, -8.5, -6.25, -9.75))
)
questions <- list(
  list(alternative = "two.sided", mu = 0, level = 0.95),
  list(alternative = "greater", mu = -0.5, level = 0.9),
  list(alternative = "less", mu = 0.25, level = 0.99)
)
answer <- function(r) list(
  stderr = r$stderr, df = unname(r$parameter), statistic = unname(r$statistic), pvalue = r$p.value,
  low = r$conf.int[1], high = r$conf.int[2])
paired <- list()
single <- list()
shares <- list()
for (p in pairs) {
  for (q in questions) {
    asked <- list(name = p$name, alternative = sub(".", "-", q$alternative, fixed = TRUE), null = q$mu, level = q$level)
    r <- t.test(p$treatment, p$control, paired = TRUE, alternative = q$alternative, mu = q$mu, conf.level = q$level)
    paired[[length(paired) + 1]] <- c(asked, list(control = I(p$control), treatment = I(p$treatment),
                                                  estimate = unname(r$estimate)), answer(r))
    r <- t.test(p$treatment, alternative = q$alternative, mu = q$mu, conf.level = q$level)
    single[[length(single) + 1]] <- c(asked, list(treatment = I(p$treatment), estimate = unname(r$estimate)), answer(r))
  }
  # a share rho of the control's mean, as the one-sample test of T - C - rho |C|
  for (rho in c(-0.1, 0, 0.5)) {
    r <- t.test(p$treatment - p$control - rho * sign(mean(p$control)) * p$control)
    shares[[length(shares) + 1]] <- list(name = p$name, control = I(p$control), treatment = I(p$treatment), share = rho,
                                         statistic = unname(r$statistic), pvalue = r$p.value)
  }
}
cat(json(list(program = R.version.string, command = "t.test(treatment, control, paired = TRUE); t.test(treatment)",
              paired = paired, single = single, shares = shares)), "\n", sep = "")
