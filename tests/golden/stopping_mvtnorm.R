# Rscript stopping_mvtnorm.R > stopping_mvtnorm.json
# Three looks at most, by the exact trivariate normal of Genz (TVPACK), which shares nothing with a recursion.
suppressMessages(library(mvtnorm))
source("json.R")

lower_orthant <- function(upper, info, theta) {
  keep <- is.finite(upper)
  if (any(upper == -Inf)) return(0)
  if (!any(keep)) return(1)
  u <- upper[keep] - theta * sqrt(info[keep]); i <- info[keep]
  if (length(u) == 1) return(pnorm(u))
  corr <- outer(i, i, function(a, b) sqrt(pmin(a, b) / pmax(a, b)))
  as.numeric(pmvnorm(upper = u, corr = corr, algorithm = TVPACK(abseps = 1e-16)))
}
box <- function(low, high, info, theta) {
  n <- length(low); total <- 0
  for (mask in 0:(2^n - 1)) {
    pick <- bitwAnd(mask, 2^(0:(n - 1))) > 0
    total <- total + (-1)^sum(pick) * lower_orthant(ifelse(pick, low, high), info, theta)
  }
  total
}
# `stay` is a list with the matrix of intervals (rows low, high) to go on in, one a look; `last` the set of the look after
path <- function(stay, last, info, theta) {
  if (length(stay) == 0) return(box(last[1], last[2], info[1], theta))
  choices <- expand.grid(lapply(stay, nrow) |> lapply(seq_len))
  sum(apply(choices, 1, function(rows) {
    picked <- sapply(seq_along(rows), function(j) stay[[j]][rows[j], ])
    box(c(picked[1, ], last[1]), c(picked[2, ], last[2]), info[seq_len(length(stay) + 1)], theta)
  }))
}
spend <- list(
  "ld-obrien-fleming" = function(t, a, g) 2 * pnorm(-qnorm(1 - a / 2) / sqrt(t)),
  "ld-pocock" = function(t, a, g) a * log(1 + (exp(1) - 1) * t),
  "kim-demets" = function(t, a, g) a * t^g,
  "hwang-shih-decani" = function(t, a, g) a * (1 - exp(-g * t)) / (1 - exp(-g)))
root <- function(f, low, high) uniroot(f, c(low, high), tol = 1e-15, maxiter = 10000)$root
region <- function(low, high, sides) {
  if (sides == 1) matrix(c(low, high), 1) else if (low <= 0) matrix(c(-high, high), 1)
  else matrix(c(low, high, -high, -low), 2, byrow = TRUE)
}
efficacy <- function(info, alpha, sides, family, shape, low) {
  side <- alpha / sides; steps <- diff(c(0, spend[[family]](info / max(info), side, shape))); stay <- list(); u <- numeric()
  for (k in seq_along(info)) {
    u[k] <- root(function(x) path(stay, c(x, Inf), info, 0) - steps[k], -5, 12)
    stay[[k]] <- region(if (is.null(low)) if (sides == 1) -Inf else 0 else low[k], u[k], sides)
  }
  u
}
# futility bounds at one drift, spending beta look by look, and the efficacy bounds that go with them; a negative gap says
# that the drift is too large
walk <- function(theta, info, alpha, sides, beta, binding, e, f) {
  plain <- efficacy(info, alpha, sides, e$family, e$shape, NULL)
  t <- info / max(info); K <- length(info); l <- numeric(); u <- plain; stay <- null_stay <- list()
  a <- diff(c(0, spend[[e$family]](t, alpha / sides, e$shape))); b <- diff(c(0, spend[[f$family]](t, beta, f$shape)))
  for (k in 1:K) {
    if (binding && path(null_stay, c(-5, Inf), info, 0) <= a[k]) return(list(gap = -1))
    if (binding) u[k] <- root(function(x) path(null_stay, c(x, Inf), info, 0) - a[k], -5, 12)
    inside <- function(x) if (sides == 1) path(stay, c(-Inf, x), info, theta) else path(stay, c(-x, x), info, theta)
    gap <- inside(u[k]) - b[k]
    if (k == K || gap <= 0) return(list(u = u, l = c(l, u[K]), gap = if (k == K) gap else -1))
    l[k] <- root(function(x) inside(x) - b[k], if (sides == 1) -12 else 0, u[k])
    stay[[k]] <- region(l[k], u[k], sides); null_stay[[k]] <- stay[[k]]
  }
}
futility <- function(info, alpha, sides, beta, binding, e, f) {
  fixed <- qnorm(1 - alpha / sides) + qnorm(1 - beta)
  theta <- root(function(x) walk(x, info, alpha, sides, beta, binding, e, f)$gap, fixed, 1.6 * fixed)
  c(walk(theta, info, alpha, sides, beta, binding, e, f), theta = theta)
}
cases <- list()
add <- function(...) cases[[length(cases) + 1]] <<- list(...)

ld <- list(family = "ld-obrien-fleming", shape = 0); po <- list(family = "ld-pocock", shape = 0)
kd <- list(family = "kim-demets", shape = 2); hs <- list(family = "hwang-shih-decani", shape = -4)
plans <- list(
  list(info = c(0.5, 1), alpha = 0.025, sides = 1, beta = 0.2, e = ld, f = ld),
  list(info = c(0.3, 0.7, 1), alpha = 0.025, sides = 1, beta = 0.1, e = ld, f = po),
  list(info = c(1, 2, 3) / 3, alpha = 0.05, sides = 1, beta = 0.2, e = kd, f = hs),
  list(info = c(0.6, 0.61, 1), alpha = 0.01, sides = 1, beta = 0.15, e = hs, f = kd),
  list(info = c(0.5, 1), alpha = 0.05, sides = 2, beta = 0.2, e = ld, f = ld),
  list(info = c(0.4, 0.75, 1), alpha = 0.05, sides = 2, beta = 0.1, e = hs, f = kd))
for (p in plans) for (binding in c(TRUE, FALSE)) {
  d <- futility(p$info, p$alpha, p$sides, p$beta, binding, p$e, p$f)
  add(kind = "futility", information = I(p$info), alpha = p$alpha, sides = p$sides, beta = p$beta, binding = as.numeric(binding),
      boundary = p$e$family, shape = p$e$shape, spending = p$f$family, spending_shape = p$f$shape,
      critical_values = I(d$u), futility = I(d$l), drift = d$theta)
}

# after stopping: information, bounds, the statistic at the look of stopping; the lower bounds only where they bind
stops <- list(
  list(info = c(0.5, 1), u = c(2.963, 1.969), l = c(-Inf, -Inf), sides = 1, look = 2, z = 2.2),
  list(info = c(20, 35, 60), u = c(3.5, 2.6, 1.99), l = c(-Inf, -Inf, -Inf), sides = 1, look = 2, z = 2.9),
  list(info = c(20, 35, 60), u = c(3.5, 2.6, 1.99), l = c(-Inf, -Inf, -Inf), sides = 1, look = 3, z = 1.2),
  list(info = c(20, 35, 60), u = c(3.5, 2.6, 1.95), l = c(0.1, 0.9, 1.95), sides = 1, look = 3, z = 2.4),
  list(info = c(20, 35, 60), u = c(3.5, 2.6, 1.95), l = c(0.1, 0.9, 1.95), sides = 1, look = 2, z = 0.3),
  list(info = c(1, 2, 3) / 3, u = c(3.71, 2.51, 1.993), l = c(0, 0, 0), sides = 2, look = 2, z = 2.75),
  list(info = c(1, 2, 3) / 3, u = c(3.71, 2.51, 1.993), l = c(0, 0, 0), sides = 2, look = 3, z = -2.1),
  list(info = c(1, 2, 3) / 3, u = c(2.289, 2.289, 2.289), l = c(0, 0, 0), sides = 2, look = 3, z = 0.4),
  list(info = c(4, 7, 10), u = c(2.8, 2.4, 2.0), l = c(0.2, 0.7, 2.0), sides = 2, look = 3, z = 2.3))
for (s in stops) {
  upper <- function(theta, z = abs(s$z)) {
    stay <- lapply(seq_len(s$look - 1), function(j) region(s$l[j], s$u[j], s$sides)); total <- 0
    for (j in seq_len(s$look - 1)) total <- total + path(stay[seq_len(j - 1)], c(s$u[j], Inf), s$info, theta)
    total + path(stay, c(z, Inf), s$info, theta)
  }
  at <- function(p) root(function(theta) upper(theta) - p, -6 / sqrt(s$info[1]), 8 / sqrt(s$info[1]))
  ends <- c(at(0.025), at(0.5), at(0.975))
  if (s$z < 0) ends <- -rev(ends)
  p <- if (s$sides == 1) upper(0) else 2 * min(upper(0), 1 - upper(0))
  add(kind = "stopped", information = I(s$info), critical_values = I(s$u), futility = I(s$l), sides = s$sides,
      look = s$look, z = s$z, pvalue = p, low = ends[1], estimate = ends[2], high = ends[3])
}

# conditional power with two and three looks to come; the bound of a two-sided design is on both sides
for (c in list(list(info = c(20, 35, 60), u = c(3.5, 2.6, 1.99), sides = 1, look = 1, z = 1.1, effect = 0.25),
               list(info = c(20, 35, 60), u = c(3.5, 2.6, 1.99), sides = 2, look = 1, z = -0.4, effect = 0.3),
               list(info = c(10, 20, 30, 40), u = c(4.3, 3, 2.4, 2), sides = 1, look = 1, z = 0.8, effect = 0.5),
               list(info = c(20, 35, 60), u = c(3.5, 2.6, 1.99), sides = 1, look = 2, z = 1.7, effect = 0.28))) {
  ahead <- (c$look + 1):length(c$info); seen <- c$info[c$look]; left <- c$info[ahead] - seen
  up <- (c$u[ahead] * sqrt(c$info[ahead]) - c$z * sqrt(seen)) / sqrt(left)
  down <- (-c$u[ahead] * sqrt(c$info[ahead]) - c$z * sqrt(seen)) / sqrt(left)
  if (c$sides == 1) down[] <- -Inf
  reject <- function(theta) 1 - box(down, up, left, theta)
  upward <- function(theta) {
    stay <- lapply(seq_along(left), function(j) matrix(c(down[j], up[j]), 1))
    sum(sapply(seq_along(left), function(j) path(stay[seq_len(j - 1)], c(up[j], Inf), left, theta)))
  }
  # the posterior of the effect under a flat prior is normal about the current estimate
  predictive <- function(mean, sd) integrate(function(x) sapply(x, reject) * dnorm(x, mean, sd), mean - 9 * sd, mean + 9 * sd,
    rel.tol = 1e-11, abs.tol = 0, subdivisions = 2000)$value
  shrunk <- 1 / (seen + 1 / 0.2^2)
  add(kind = "conditional", information = I(c$info), critical_values = I(c$u), sides = c$sides, look = c$look, z = c$z,
      effect = c$effect, power = reject(c$effect), upward = upward(c$effect), at_estimate = reject(c$z / sqrt(seen)),
      predictive_flat = predictive(c$z / sqrt(seen), 1 / sqrt(seen)),
      prior_mean = 0.1, prior_sd = 0.2,
      predictive_normal = predictive((c$z * sqrt(seen) + 0.1 / 0.2^2) * shrunk, sqrt(shrunk)))
}

# repeated p-values of spending families: the alpha at which this look's bound is the statistic
for (r in list(list(info = c(0.3, 0.7, 1), sides = 1, f = ld, z = c(1.5, 2.2, 2.4)),
               list(info = c(0.3, 0.7, 1), sides = 2, f = po, z = c(1.4, -1.9, -2.6)),
               list(info = c(0.5, 1), sides = 1, f = kd, z = c(1.8, 1.7)))) {
  repeated <- sapply(seq_along(r$z), function(k) {
    gap <- function(x) efficacy(r$info, pnorm(x), r$sides, r$f$family, r$f$shape, NULL)[k] - abs(r$z[k])
    pnorm(root(gap, qnorm(1e-3), qnorm(0.6)))
  })
  add(kind = "repeated", information = I(r$info), sides = r$sides, boundary = r$f$family, shape = r$f$shape, z = I(r$z), pvalues = I(repeated))
}

# delayed outcomes: reversals of the two interim stops are equally probable without an effect
for (d in list(list(info = c(0.5, 1), after = c(0.7), u = c(2.963, 1.969), l = c(0.2, 1.969)),
               list(info = c(0.3, 0.7, 1), after = c(0.46, 0.9), u = c(3.7, 2.5, 1.96), l = c(-0.3, 1.1, 1.96)))) {
  decision <- sapply(seq_along(d$after), function(k) {
    stay <- lapply(seq_len(k - 1), function(j) matrix(c(d$l[j], d$u[j]), 1))
    ends <- function(low, high, z) {   # stops between low and high at look k, decides above z
      info <- c(d$info[seq_len(k)], d$after[k]); here <- matrix(c(low, high), 1)
      path(c(stay, list(here)), c(z, Inf), info, 0)
    }
    total <- function(z) path(stay, c(d$u[k], Inf), d$info, 0) - ends(d$u[k], Inf, z) - ends(-Inf, d$l[k], z)
    root(total, -3, 6)
  })
  add(kind = "delayed", information = I(d$info), critical_values = I(d$u), futility = I(d$l), pipeline = I(d$after), decision = I(decision))
}
cat(json(list(program = paste(R.version.string, "mvtnorm", packageVersion("mvtnorm")),
              command = "pmvnorm(algorithm = TVPACK(abseps = 1e-16)) and uniroot(tol = 1e-15)", cases = cases)), "\n", sep = "")
