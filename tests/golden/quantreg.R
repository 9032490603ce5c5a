# Rscript quantreg.R > quantreg.json
# Differences of quantiles by quantile regression on the variant; standard errors from local density estimates ("nid").
source("json.R")
suppressMessages(library(quantreg))

control <- qlnorm(((1:400) - 0.5) / 400)
treatment <- 1.25 * qlnorm(((1:300) - 0.37) / 300)
y <- c(control, treatment)
x <- rep(0:1, c(400, 300))
cases <- list()
for (tau in c(0.25, 0.5, 0.75)) {
  fit <- suppressWarnings(summary(rq(y ~ x, tau = tau), se = "nid"))$coefficients["x", ]
  cases[[length(cases) + 1]] <- list(q = tau, estimate = unname(fit[1]), stderr = unname(fit[2]), pvalue = unname(fit[4]))
}
print_cases(paste0("quantreg ", packageVersion("quantreg"), ": summary(rq(y ~ x, tau), se = 'nid')"), cases)
