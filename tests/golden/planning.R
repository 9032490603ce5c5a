# Rscript planning.R > planning.json
suppressPackageStartupMessages(library(rpact))
source("json.R")

cases <- list()
add <- function(...) cases[[length(cases) + 1]] <<- list(...)

# Two means, equal shares: power.t.test with one direction counted, as its default has it
for (q in list(c(5, 0.5, 0.05, 0.8), c(1, 1.2, 0.05, 0.8), c(60, 1.5, 0.01, 0.9), c(2, 0.001, 0.05, 0.95), c(1, 3, 0.2, 0.5))) {
  found <- power.t.test(sd = q[1], delta = q[2], sig.level = q[3], power = q[4], tol = 1e-13)
  n <- ceiling(found$n)
  add(kind = "mean", sd = q[1], mde = q[2], alpha = q[3], power = q[4], n = found$n, n_whole = n,
      power_whole = power.t.test(n = n, sd = q[1], delta = q[2], sig.level = q[3])$power)
}

# Welch's test with shares of 9 to 1: the noncentral t with Satterthwaite's degrees of freedom at the true variances
for (n_t in c(20, 150, 4000)) {
  n_c <- 9 * n_t; sd <- 5; mde <- 0.4
  v <- sd^2 / n_c + sd^2 / n_t
  df <- v^2 / ((sd^2 / n_c)^2 / (n_c - 1) + (sd^2 / n_t)^2 / (n_t - 1))
  add(kind = "unequal", sd = sd, mde = mde, alpha = 0.05, n_control = n_c, n_treatment = n_t,
      power_whole = pt(qt(0.975, df), df, ncp = mde / sqrt(v), lower.tail = FALSE))
}

# A relative margin, tested by the contrast T - (1 - margin) C; no true effect
for (q in list(c(0.02, 20000), c(0.05, 3000), c(0.2, 60))) {
  mean <- 10; sd <- 8; n <- q[2]
  v <- sd^2 / n + (1 - q[1])^2 * sd^2 / n
  df <- 2 * (n - 1)
  add(kind = "relative margin", mean = mean, sd = sd, margin = q[1], alpha = 0.05, n = n,
      power_whole = pt(qt(0.975, df), df, ncp = q[1] * mean / sqrt(v), lower.tail = FALSE))
}

# Two proportions: the pooled variance under the null, the true one under the effect
for (q in list(c(0.1, 0.01, 0.05, 0.8), c(0.5, 0.02, 0.05, 0.9), c(0.001, 0.0005, 0.01, 0.8), c(0.97, 0.01, 0.05, 0.8))) {
  found <- power.prop.test(p1 = q[1], p2 = q[1] + q[2], sig.level = q[3], power = q[4], tol = 1e-13)
  n <- ceiling(found$n)
  add(kind = "proportion", rate = q[1], mde = q[2], alpha = q[3], power = q[4], n = found$n, n_whole = n,
      power_whole = power.prop.test(p1 = q[1], p2 = q[1] + q[2], n = n, sig.level = q[3])$power)
}

# Looks on a schedule
for (type in c("asOF", "asP", "OF", "P")) for (looks in c(2, 5)) {
  design <- getDesignGroupSequential(kMax = looks, alpha = 0.025, beta = 0.2, sided = 1, typeOfDesign = type,
                                     tolerance = 1e-10)
  found <- getSampleSizeMeans(design, alternative = 0.05, stDev = 1, normalApproximation = TRUE)
  add(kind = "looks", boundary = c(asOF = "ld-obrien-fleming", asP = "ld-pocock", OF = "obrien-fleming",
      P = "pocock")[[type]], looks = looks, mde = 0.05, sd = 1, alpha = 0.05, power = 0.8,
      units = max(found$maxNumberOfSubjects), expected = found$expectedNumberOfSubjectsH1[1])
}
print_cases(paste0("power.t.test, pt, power.prop.test; rpact ", packageVersion("rpact"),
                   ": getSampleSizeMeans(getDesignGroupSequential)"), cases)
