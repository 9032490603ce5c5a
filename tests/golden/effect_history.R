# Rscript effect_history.R > effect_history.json: priors fitted to past estimates, and estimates that were selected.
#
# normal: package metafor, whose estimate by maximum likelihood on these trials is published as tau^2 = 0.2800
# (Viechtbauer 2010, J. Statistical Software 36(3); trials of Colditz et al. 1994, JAMA 271(9)); the ends of the profile
# interval of tau by uniroot on its log likelihoods. student: integrate() over effects, optim(). mixture: dnorm, optim().
# selected: pnorm and uniroot on the truncated normal's two tails.
suppressMessages(library(metafor))
source("json.R")
tpos <- c(4, 6, 3, 62, 33, 180, 8, 505, 29, 17, 186, 5, 27)
tneg <- c(119, 300, 228, 13536, 5036, 1361, 2537, 87886, 7470, 1699, 50448, 2493, 16886)
cpos <- c(11, 29, 11, 248, 47, 372, 10, 499, 45, 65, 141, 3, 29)
cneg <- c(128, 274, 209, 12619, 5761, 1079, 619, 87892, 7232, 1600, 27197, 2338, 17825)
bcg <- escalc("RR", ai = tpos, bi = tneg, ci = cpos, di = cneg)
y <- as.numeric(bcg$yi); v <- as.numeric(bcg$vi)
control <- list(threshold = 1e-14, maxiter = 10000)
fit <- rma(y, v, method = "ML", control = control)
at <- function(tau) as.numeric(logLik(rma(y, v, method = "ML", tau2 = tau^2)))
drop <- as.numeric(logLik(fit)) - qchisq(0.95, 1) / 2
ends <- c(uniroot(function(t) at(t) - drop, c(0.1, sqrt(fit$tau2)), tol = 1e-13)$root,
          uniroot(function(t) at(t) - drop, c(sqrt(fit$tau2), 3), tol = 1e-13)$root)
normal <- list(kind = "normal", estimates = I(y), stderrs = I(sqrt(v)), mean = as.numeric(fit$beta), sd = sqrt(fit$tau2),
               loglik = as.numeric(logLik(fit)), aic = AIC(fit), bic = BIC(fit), ends = I(ends))

lifts <- c(0.021, -0.004, 0.003, 0.094, 0.008, -0.012, 0.015, 0.001, 0.027, 0.006, -0.061, 0.002, 0.011, -0.003, 0.005, 0.038)
errors <- c(8, 6, 9, 10, 7, 8, 12, 5, 9, 6, 11, 4, 8, 7, 6, 10) / 1000
density <- function(y, s, m, scale, df) {
  of <- function(e) dt((e - m) / scale, df) / scale * dnorm(y, e, s)
  cuts <- sort(c(-Inf, m + scale * c(-30, -5, 0, 5, 30), y + s * c(-8, -3, 0, 3, 8), Inf))
  sum(mapply(function(a, b) integrate(of, a, b, rel.tol = 1e-12, abs.tol = 0)$value, head(cuts, -1), cuts[-1]))
}
student <- function(p) sum(log(mapply(density, lifts, errors, MoreArgs = list(m = p[1], scale = exp(p[2]), df = exp(p[3])))))
best <- optim(c(0.006, log(0.01), log(2)), function(p) -student(p), control = list(reltol = 1e-13, maxit = 5000))
t_case <- list(kind = "student", estimates = I(lifts), stderrs = I(errors), mean = best$par[1], scale = exp(best$par[2]),
               df = exp(best$par[3]), loglik = -best$value, at = student(c(0.01, log(0.02), log(3))))
two <- function(p) {
  share <- plogis(p[3])
  sum(log((1 - share) * dnorm(lifts, 0, errors) + share * dnorm(lifts, p[1], sqrt(errors^2 + exp(2 * p[2])))))
}
best <- optim(c(0.01, log(0.03), 0), function(p) -two(p), control = list(reltol = 1e-15, maxit = 5000))
best <- optim(best$par, function(p) -two(p), method = "BFGS", control = list(reltol = 1e-16, maxit = 5000, ndeps = rep(1e-5, 3)))
mix <- list(kind = "mixture", estimates = I(lifts), stderrs = I(errors), mean = best$par[1], sd = exp(best$par[2]),
            share = plogis(best$par[3]), loglik = -best$value, at = two(c(0.01, log(0.02), 0.5)))

upper <- function(theta, from, cut, two) {
  all <- pnorm(cut, theta, lower.tail = FALSE) + two * pnorm(-cut, theta)
  reached <- if (from > 0) pnorm(from, theta, lower.tail = FALSE) else
    pnorm(cut, theta, lower.tail = FALSE) + pnorm(-cut, theta) - pnorm(from, theta)
  reached / all
}
chosen <- function(z, alpha, two) {
  cut <- qnorm(alpha / (1 + two), lower.tail = FALSE)
  where <- function(p) uniroot(function(theta) upper(theta, z, cut, two) - p, c(-30, 30), tol = 1e-14)$root
  mean_at <- function(theta) theta + (dnorm(cut - theta) - two * dnorm(-cut - theta)) /
    (pnorm(cut, theta, lower.tail = FALSE) + two * pnorm(-cut, theta))
  list(kind = "selected", z = z, alpha = alpha, two = as.numeric(two), estimate = where(0.5), low = where(0.025),
       high = where(0.975), mle = uniroot(function(theta) mean_at(theta) - z, c(-30, 30), tol = 1e-14)$root)
}
cases <- list(normal, t_case, mix, chosen(3.5, 0.05, TRUE), chosen(2.1, 0.05, TRUE), chosen(-2.5, 0.05, TRUE),
              chosen(2.5, 0.05, FALSE), chosen(6, 0.001, FALSE))
print_cases(paste("Rscript effect_history.R; metafor", packageVersion("metafor")), cases)
