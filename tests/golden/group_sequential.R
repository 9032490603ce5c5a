# Rscript group_sequential.R > group_sequential.json: designs by rpact, crossing probabilities by mvtnorm
# rpact: error up to 1e-6 in z at ten looks, more at 20 or where looks are close; mvtnorm: 1e-11 and better.
source("json.R")
suppressMessages({library(rpact); library(mvtnorm)})

design <- function(type, looks, alpha, sided, information = seq_len(looks) / looks, beta = 0.2, ...) {
  suppressWarnings(getDesignGroupSequential(typeOfDesign = type, kMax = looks, alpha = alpha, sided = sided,
    informationRates = information, beta = beta, tolerance = 1e-10, ...))
}
theta <- c(0, 1, 2.5, 4)
case <- function(name, boundary, shape, d) {
  p <- getPowerAndAverageSampleNumber(d, theta = theta, nMax = 1)
  list(name = name, boundary = boundary, shape = I(shape), alpha = d$alpha, sides = d$sided,
       information = I(d$informationRates), critical_values = I(d$criticalValues), alpha_spent = I(d$alphaSpent),
       inflation = suppressWarnings(getDesignCharacteristics(d))$inflationFactor, power = 1 - d$beta,
       effects = I(theta), reject = I(p$overallReject), expected_information = I(p$averageSampleNumber))
}
none <- numeric(0)
cases <- list()
add <- function(...) cases[[length(cases) + 1]] <<- case(...)
for (sided in 1:2) for (looks in c(2, 3, 5, 10)) for (alpha in c(0.001, 0.05, 0.2)) {
  of <- function(name) paste(name, looks, "looks,", sided, "sides, alpha", alpha)
  add(of("pocock"), "pocock", none, design("P", looks, alpha, sided))
  add(of("obrien-fleming"), "obrien-fleming", none, design("OF", looks, alpha, sided))
  add(of("ld-obrien-fleming"), "ld-obrien-fleming", none, design("asOF", looks, alpha, sided))
  add(of("ld-pocock"), "ld-pocock", none, design("asP", looks, alpha, sided))
}
unequal <- c(0.15, 0.45, 0.8, 1)
for (sided in 1:2) {
  add(paste("wang-tsiatis", sided), "wang-tsiatis", 0.25, design("WT", 5, 0.05, sided, deltaWT = 0.25))
  add(paste("wang-tsiatis, unequal", sided), "wang-tsiatis", 0.1, design("WT", 4, 0.025, sided, unequal, deltaWT = 0.1))
  for (gamma in c(0.4, 3)) add(paste("kim-demets", gamma, sided), "kim-demets", gamma,
                               design("asKD", 4, 0.025, sided, unequal, gammaA = gamma))
  for (gamma in c(-4, 0, 2)) add(paste("hwang-shih-decani", gamma, sided), "hwang-shih-decani", gamma,
                                 design("asHSD", 4, 0.025, sided, unequal, gammaA = gamma))
  add(paste("haybittle-peto", sided), "haybittle-peto", 3, design("HP", 4, 0.05, sided, unequal, constantBoundsHP = 3))
  add(paste("points", sided), I(c(0.004, 0.009, 0.03, 0.05)), none,
      design("asUser", 4, 0.05, sided, unequal, userAlphaSpending = c(0.004, 0.009, 0.03, 0.05)))
}

# P(not crossed up to each look) without an effect, to the last digits: TVPACK to three looks, Miwa for four
stays <- function(lower, upper, information) {
  vapply(seq_along(information), function(k) {
    if (k == 1) return(pnorm(upper[1]) - pnorm(lower[1]))
    t <- information[1:k]
    corr <- sqrt(outer(t, t, pmin) / outer(t, t, pmax))
    how <- if (k <= 3) TVPACK(abseps = 1e-14) else Miwa(steps = 4096)
    p <- function(b) as.numeric(pmvnorm(lower = rep(-Inf, k), upper = b, corr = corr, algorithm = how))
    if (all(is.infinite(lower))) return(p(upper[1:k]))
    # inclusion and exclusion, since TVPACK has one-sided limits only
    signs <- as.matrix(expand.grid(rep(list(0:1), k)))
    sum(apply(signs, 1, function(s) (-1)^sum(s) * p(ifelse(s == 1, lower[1:k], upper[1:k]))))
  }, 0)
}
bounds <- list(
  list(information = c(0.5, 1), upper = c(2.8, 1.98)), list(information = c(0.999, 1), upper = c(2, 2)),
  list(information = c(0.3, 0.31, 1), upper = c(3.93, 3.92, 1.9603)), list(information = c(0.01, 0.02, 1), upper = c(3, 1, 2)),
  list(information = c(0.2, 0.7, 1), upper = c(0.3, 0.1, 0.25)), list(information = c(0.25, 0.5, 0.75, 1), upper = c(2.36, 2.36, 2.36, 2.36)))
exact <- list()
for (b in bounds) for (sided in 1:2) {
  lower <- if (sided == 1) rep(-Inf, length(b$upper)) else -b$upper
  exact[[length(exact) + 1]] <- list(information = I(b$information), critical_values = I(b$upper), sides = sided,
                                     stays = I(stays(lower, b$upper, b$information)))
}
cat(json(list(program = paste0(R.version.string, ", rpact ", packageVersion("rpact"), ", mvtnorm ", packageVersion("mvtnorm")),
              command = "getDesignGroupSequential; getDesignCharacteristics; getPowerAndAverageSampleNumber; pmvnorm",
              cases = cases, exact = exact)), "\n", sep = "")
