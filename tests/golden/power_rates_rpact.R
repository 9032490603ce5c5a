# Rscript power_rates_rpact.R > power_rates_rpact.json
suppressMessages(library(rpact))
source("json.R")

cases <- list()
for (p in list(c(.1, .1), c(.12, .1), c(.5, .6), c(.95, .93), c(.99, .995), c(.02, .01)))
  for (ratio in c(1, 2, 1 / 9, 0)) for (null in c(0, -.05, -.01, .04))
    for (risk in c(FALSE, TRUE)) {
      at <- if (risk) 1 + null else null
      gap <- if (risk) p[1] - at * p[2] else p[1] - p[2] - at
      if (abs(gap) < 1e-12) next
      lower <- gap < 0
      r <- suppressWarnings(getSampleSizeRates(pi1 = p[1], pi2 = p[2], riskRatio = risk, thetaH0 = at, sided = 1,
        alpha = .025, beta = .2, allocationRatioPlanned = ratio))
      cases[[length(cases) + 1]] <- list(treatment = p[1], control = p[2], relative = if (risk) 1 else 0, null = null,
        alternative = if (lower) "less" else "greater", ratio = ratio, best = r$allocationRatioPlanned,
        n_treatment = r$nFixed1, n_control = r$nFixed2)
    }
cat(json(list(program = paste("rpact", packageVersion("rpact")),
  command = "getSampleSizeRates(pi1, pi2, riskRatio, thetaH0, sided = 1, alpha = .025, beta = .2, allocationRatioPlanned)",
  cases = cases)), "\n", sep = "")
