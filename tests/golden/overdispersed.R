# Rscript overdispersed.R > overdispersed.json
source("json.R")
suppressMessages(library(MASS))
samples <- list(
  list(name = "quine: days absent from school, by sex", control = quine$Days[quine$Sex == "F"],
       treatment = quine$Days[quine$Sex == "M"]),
  list(name = "exposures", control = c(0, 3, 9, 1, 0, 14, 2, 5), treatment = c(4, 0, 21, 8, 3, 11, 0, 17, 6),
       control_exposure = c(1, 2, 2.5, 1, 0.5, 3, 1, 2), treatment_exposure = c(1, 0.5, 3, 2, 1, 1.5, 1, 2, 2.5))
)
cases <- list()
for (s in samples) {
  y <- c(s$control, s$treatment)
  if (is.null(s$control_exposure)) {
    s$control_exposure <- rep(1, length(s$control)); s$treatment_exposure <- rep(1, length(s$treatment))
  }
  e <- c(s$control_exposure, s$treatment_exposure)
  g <- rep(0:1, c(length(s$control), length(s$treatment)))
  # glm.nb takes turns between the slopes and theta, and stops early: let it run on
  fit <- glm.nb(y ~ g + offset(log(e)), control = glm.control(epsilon = 1e-15, maxit = 200))
  quasi <- glm(y ~ g + offset(log(e)), family = quasipoisson, control = glm.control(epsilon = 1e-15))
  co <- summary(fit)$coefficients
  cases[[length(cases) + 1]] <- list(
    name = s$name, control = I(s$control), treatment = I(s$treatment), control_exposure = I(s$control_exposure),
    treatment_exposure = I(s$treatment_exposure), estimate = co[2, 1], stderr = co[2, 2], statistic = co[2, 3],
    pvalue = co[2, 4], dispersion = 1 / fit$theta, quasi_estimate = unname(coef(quasi)[2]),
    control_rate = unname(exp(coef(quasi)[1])))
}
print_cases(paste("MASS", packageVersion("MASS"), "glm.nb and glm(quasipoisson), y ~ group + offset(log(exposure))"), cases)
