# Rscript stopping_rpact.R > stopping_rpact.json
# rpact 3.3.4: right to about 1e-6 with up to ten looks; where it is known to be wrong, its mirror image is asked for.
suppressMessages(library(rpact))
source("json.R")
setLogLevel("DISABLED")
cases <- list()
add <- function(...) cases[[length(cases) + 1]] <<- list(...)
names <- c(asOF = "ld-obrien-fleming", asP = "ld-pocock", asKD = "kim-demets", asHSD = "hwang-shih-decani", OF = "obrien-fleming", P = "pocock")

plans <- list(
  list(info = 1:5 / 5, alpha = 0.025, beta = 0.2, type = "asOF", g = NA_real_, bs = "bsOF", gb = NA_real_),
  list(info = c(0.2, 0.5, 0.7, 1), alpha = 0.025, beta = 0.1, type = "asHSD", g = -4, bs = "bsHSD", gb = -2),
  list(info = 1:3 / 3, alpha = 0.05, beta = 0.2, type = "asP", g = NA_real_, bs = "bsP", gb = NA_real_),
  list(info = 1:4 / 4, alpha = 0.01, beta = 0.15, type = "asKD", g = 3, bs = "bsKD", gb = 1.5))
for (p in plans) for (binding in c(TRUE, FALSE)) {
  d <- suppressWarnings(getDesignGroupSequential(alpha = p$alpha, beta = p$beta, sided = 1, informationRates = p$info, typeOfDesign = p$type,
    gammaA = p$g, typeBetaSpending = p$bs, gammaB = p$gb, bindingFutility = binding, tolerance = 1e-10))
  add(kind = "futility", information = I(p$info), alpha = p$alpha, sides = 1, beta = p$beta, binding = as.numeric(binding),
      boundary = names[[p$type]], shape = if (is.na(p$g)) 0 else p$g, spending = names[[sub("b", "a", p$bs)]],
      spending_shape = if (is.na(p$gb)) 0 else p$gb, critical_values = I(d$criticalValues),
      futility = I(c(d$futilityBounds, d$criticalValues[length(p$info)])), drift = sqrt(getDesignCharacteristics(d)$shift))
}

# log-rank statistics are given as they are, so that no variance is estimated; information is events / 4, the effect a log
# hazard ratio; in a combination the last stage is larger than planned
runs <- list(
  list(type = "asOF", g = NA_real_, alpha = 0.025, sides = 1, info = 1:3 / 3, z = c(0.55, 2.75), fut = NULL),
  list(type = "asP", g = NA_real_, alpha = 0.025, sides = 1, info = c(0.25, 0.5, 0.75, 1), z = c(0.5, 1.5, 1.7, 2.4), fut = NULL),
  list(type = "asHSD", g = -2, alpha = 0.025, sides = 1, info = c(0.3, 0.7, 1), z = c(1.1, 1.9, 2.3), fut = c(0, 0.5)),
  list(type = "asKD", g = 2, alpha = 0.05, sides = 2, info = 1:3 / 3, z = c(1.1, 2.7), fut = NULL),
  list(type = "P", g = NA_real_, alpha = 0.05, sides = 2, info = 1:4 / 4, z = c(1.2, 1.1, 1.8, 2.1), fut = NULL),
  list(type = "OF", g = NA_real_, alpha = 0.05, sides = 2, info = 1:3 / 3, z = c(1.1, 1.9, 2.2), fut = NULL))
for (r in runs) for (combination in c(FALSE, TRUE)) {
  make <- if (combination) getDesignInverseNormal else getDesignGroupSequential
  arguments <- list(alpha = r$alpha, beta = 0.2, sided = r$sides, informationRates = r$info, typeOfDesign = r$type, gammaA = r$g, tolerance = 1e-10)
  if (!is.null(r$fut)) arguments <- c(arguments, list(futilityBounds = r$fut, bindingFutility = TRUE))
  d <- suppressWarnings(do.call(make, arguments))
  k <- length(r$z)
  events <- round(600 * r$info[seq_len(k)])
  if (combination) events[k] <- events[k] + 60
  data <- getDataset(cumEvents = events, cumLogRanks = r$z, cumAllocationRatios = rep(1, k))
  stage <- getStageResults(d, data, stage = k)
  intervals <- getRepeatedConfidenceIntervals(d, data, stage = k)
  final <- suppressWarnings(suppressMessages(getFinalConfidenceInterval(d, data, stage = k)))
  add(kind = if (combination) "combined" else "stopped", boundary = names[[r$type]], shape = if (is.na(r$g)) 0 else r$g, alpha = r$alpha,
      sides = r$sides, shares = I(r$info), user_futility = I(if (is.null(r$fut)) NA_real_ else r$fut), information = I(events / 4), z = I(r$z),
      critical_values = I(d$criticalValues), statistic = if (combination) stage$combInverseNormal[k] else stage$overallTestStatistics[k],
      repeated_pvalues = I(getRepeatedPValues(stage, tolerance = 1e-12)[seq_len(k)]),
      repeated_low = I(log(intervals[1, seq_len(k)])), repeated_high = I(log(intervals[2, seq_len(k)])),
      pvalue = tail(getFinalPValue(stage)$pFinal, 1), low = log(final$finalConfidenceInterval[1]), high = log(final$finalConfidenceInterval[2]),
      estimate = log(final$medianUnbiased))
}

# conditional power of a one-sided design with two looks to come: effect 0.25 in units of the standard deviation
d <- getDesignGroupSequential(alpha = 0.025, sided = 1, informationRates = 1:3 / 3, typeOfDesign = "asOF", tolerance = 1e-10)
data <- getDataset(n = 30, means = 0.2, stDevs = 1)
stage <- getStageResults(d, data, normalApproximation = TRUE, stage = 1)
cp <- getConditionalPower(stage, nPlanned = c(30, 30), thetaH1 = 0.25, assumedStDev = 1)
add(kind = "conditional", critical_values = I(d$criticalValues), information = I(c(30, 60, 90)), z = 0.2 * sqrt(30), effect = 0.25,
    power = cp$conditionalPower[3])

for (p in list(list(info = c(0.3, 0.7, 1), delay = c(0.16, 0.2), f = c(-0.3, 1.1)), list(info = c(0.5, 1), delay = 0.2, f = 0.2))) {
  d <- suppressWarnings(getDesignGroupSequential(alpha = 0.025, sided = 1, informationRates = p$info, typeOfDesign = "asOF",
    futilityBounds = p$f, bindingFutility = TRUE, delayedInformation = p$delay, tolerance = 1e-10))
  add(kind = "delayed", information = I(p$info), delay = I(p$delay), user_futility = I(p$f), critical_values = I(d$criticalValues),
      decision = I(d$decisionCriticalValues), reversal = I(d$reversalProbabilities))
}
cat(json(list(program = paste(R.version.string, "rpact", packageVersion("rpact")),
              command = "getDesignGroupSequential, getStageResults, getRepeatedPValues, getRepeatedConfidenceIntervals, getFinalPValue, getFinalConfidenceInterval, getConditionalPower",
              cases = cases)), "\n", sep = "")
