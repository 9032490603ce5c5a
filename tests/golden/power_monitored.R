# Rscript power_monitored.R > power_monitored.json
# rpact 3.3.4: sizes are right to about 1e-6, and do not count rejections the wrong way where the test is two-sided.
suppressMessages(library(rpact))
source("json.R")
setLogLevel("DISABLED")
cases <- list()
add <- function(...) cases[[length(cases) + 1]] <<- list(...)
names <- c(asOF = "ld-obrien-fleming", asP = "ld-pocock", asKD = "kim-demets", asHSD = "hwang-shih-decani", OF = "obrien-fleming", P = "pocock", WT = "wang-tsiatis")

plans <- list(
  list(type = "OF", g = NA_real_, info = 1:5 / 5), list(type = "P", g = NA_real_, info = 1:3 / 3), list(type = "WT", g = 0.25, info = 1:4 / 4),
  list(type = "asOF", g = NA_real_, info = 1:5 / 5), list(type = "asP", g = NA_real_, info = c(0.2, 0.5, 1)),
  list(type = "asKD", g = 2, info = c(0.3, 0.6, 0.8, 1)), list(type = "asHSD", g = -4, info = 1:2 / 2))
for (p in plans) for (sides in 1:2) {
  arguments <- list(alpha = 0.025 * sides, beta = 0.2, sided = sides, informationRates = p$info, typeOfDesign = p$type, tolerance = 1e-10)
  if (p$type == "WT") arguments$deltaWT <- p$g else if (!is.na(p$g)) arguments$gammaA <- p$g
  d <- suppressWarnings(do.call(getDesignGroupSequential, arguments))
  common <- list(boundary = names[[p$type]], shape = if (is.na(p$g)) 0 else p$g, information = I(p$info), sides = sides, alpha = 0.025 * sides)
  s <- getSampleSizeMeans(d, alternative = 0.3, stDev = 1.2, normalApproximation = TRUE, allocationRatioPlanned = 2)
  w <- getPowerMeans(d, alternative = 0.3, stDev = 1.2, normalApproximation = TRUE, allocationRatioPlanned = 2, maxNumberOfSubjects = 900)
  do.call(add, c(common, list(kind = "means", mde = 0.3, sd = 1.2, ratio = 2, power = 0.8, n_total = s$maxNumberOfSubjects[1], expected = s$expectedNumberOfSubjectsH1[1],
      expected_null = s$expectedNumberOfSubjectsH0[1], given_total = 900, power_there = w$overallReject[1], expected_there = w$expectedNumberOfSubjects[1])))
}
for (p in list(list(info = 1:5 / 5, bs = "bsOF"), list(info = c(0.4, 0.7, 1), bs = "bsP"))) {
  d <- suppressWarnings(getDesignGroupSequential(alpha = 0.025, beta = 0.2, sided = 1, informationRates = p$info, typeOfDesign = "asOF", typeBetaSpending = p$bs,
    bindingFutility = FALSE, tolerance = 1e-10))
  s <- getSampleSizeMeans(d, alternative = 0.3, stDev = 1.2, normalApproximation = TRUE)
  add(kind = "futility", boundary = "ld-obrien-fleming", shape = 0, information = I(p$info), sides = 1, alpha = 0.025,
      futility = names[[sub("b", "a", p$bs)]], mde = 0.3, sd = 1.2, ratio = 1, power = 0.8,
      n_total = s$maxNumberOfSubjects[1], expected = s$expectedNumberOfSubjectsH1[1], expected_null = s$expectedNumberOfSubjectsH0[1])
}
cat(json(list(program = paste(R.version.string, "rpact", packageVersion("rpact")), command = "getSampleSizeMeans, getPowerMeans", cases = cases)), "\n", sep = "")
