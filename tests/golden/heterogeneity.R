# Rscript heterogeneity.R > heterogeneity.json; needs metafor
source("json.R")
suppressMessages(library(metafor))

bcg <- escalc(measure = "RR", ai = tpos, bi = tneg, ci = cpos, di = cneg, data = dat.bcg)
set.seed(1)
sets <- list(
  # Colditz et al. 1994, JAMA 271(9): trials of the BCG vaccine, log risk ratios
  list(name = "BCG", y = as.numeric(bcg$yi), v = as.numeric(bcg$vi)),
  # Rubin 1981, J. Educational Statistics 6(4): eight schools
  list(name = "eight schools", y = c(28, 8, -3, 7, -1, 1, 18, 12), v = c(15, 10, 16, 11, 9, 11, 10, 18)^2),
  list(name = "two segments", y = c(0.6, 0.1), v = c(0.008, 0.002)),
  list(name = "one effect", y = c(1, 1, 1, 1), v = c(1, 2, 3, 4)),
  list(name = "wide", y = 100 * rnorm(20), v = 10^runif(20, -3, 3)),
  list(name = "narrow", y = 5 + 0.01 * rnorm(6), v = 1e-4 * 1:6)
)
cases <- list()
for (s in sets) for (method in c("DL", "REML", "PM")) {
  r <- rma(yi = s$y, vi = s$v, method = method, control = list(threshold = 1e-14, tol = 1e-14, maxiter = 10000, tau2.max = 1e6))
  fixed <- rma(yi = s$y, vi = s$v, method = "FE")
  cases[[length(cases) + 1]] <- list(
    name = s$name, y = I(s$y), v = I(s$v), method = tolower(method), q = r$QE, pvalue = r$QEp, tau2 = r$tau2,
    mean = as.numeric(r$beta), i2 = fixed$I2 / 100, fixed = as.numeric(fixed$beta), stderr = fixed$se,
    blup = I(as.numeric(blup(r)$pred)))
}
cat(json(list(program = paste0(R.version.string, ", metafor ", packageVersion("metafor")),
  command = "rma(y, v, method); blup", cases = cases)), "\n", sep = "")
