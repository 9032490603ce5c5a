# Rscript predictive.R > predictive.json
# How probable success is at the planned end, by the definition: the sum or integral, over all that may come, of whether
# P(treatment better | all) is above the threshold.
source("json.R")

# P(T > C) of two betas or two gammas (of rates), the treatment's first parameter whole: finite sums, Miller (2015)
beta_better <- function(a, b, c, d) {
  i <- 0:(c - 1)
  sum(exp(lbeta(a + i, b + d) - log(d + i) - lbeta(1 + i, d) - lbeta(a, b)))
}
counts <- list()
for (q in list(c(20, 3, 25, 7, 60, 60, 0.975), c(5, 0, 5, 1, 40, 30, 0.8), c(12, 6, 9, 2, 30, 9, 0.95),
               c(30, 4, 30, 11, 31, 34, 0.99))) {
  m <- q[5:6] - q[c(1, 3)]
  after <- function(n, y, m) {
    k <- 0:m
    exp(lchoose(m, k) + lbeta(1 + y + k, 1 + n - y + m - k) - lbeta(1 + y, 1 + n - y))
  }
  first <- after(q[1], q[2], m[1]); second <- after(q[3], q[4], m[2])
  up <- 0; down <- 0
  for (k in 0:m[1]) for (j in 0:m[2]) {
    p <- beta_better(1 + q[2] + k, 1 + q[5] - q[2] - k, 1 + q[4] + j, 1 + q[6] - q[4] - j)
    weight <- first[k + 1] * second[j + 1]
    up <- up + weight * (p > q[7]); down <- down + weight * (1 - p > q[7])
  }
  counts[[length(counts) + 1]] <- list(control = I(q[1:2]), treatment = I(q[3:4]), n = I(q[5:6]), threshold = q[7],
                                       increase = up, decrease = down)
}

# Rates under gamma(2, 10): the share C / (C + T) of the rates, times their exposures, is beta
events <- list()
for (q in list(c(17, 100.5, 30, 90, 200, 150, 0.975), c(0, 3, 2, 5, 40, 40, 0.9))) {
  shape <- 2 + q[c(1, 3)]; rate <- 10 + q[c(2, 4)]; m <- q[5:6] - q[c(2, 4)]
  k <- 0:2000
  first <- dnbinom(k, shape[1], rate[1] / (rate[1] + m[1])); second <- dnbinom(k, shape[2], rate[2] / (rate[2] + m[2]))
  end <- rate + m
  up <- sum(sapply(which(first > 1e-25), function(i) {
    better <- pbeta(end[1] / (end[1] + end[2]), shape[1] + k[i], shape[2] + k)
    first[i] * sum(second[better > q[7]])
  }))
  events[[length(events) + 1]] <- list(control = I(q[1:2]), treatment = I(q[3:4]), n = I(q[5:6]), threshold = q[7], increase = up)
}

# Means with unknown variances: only the control goes on. Its future mean is Student's, its future sum of squares given
# that a multiple of F; the smaller that is the surer, so there is one bound of it.
better <- function(gap, df, scale) {
  inner <- function(u) dt(u, df[1]) * pt((gap - scale[1] * u) / scale[2], df[2])
  integrate(inner, -Inf, Inf, rel.tol = 1e-10, subdivisions = 500)$value
}
means <- list()
for (q in list(c(12, 10, 40, 15, 12, 35, 30, 0.95), c(30, 1, 29, 20, 1.5, 19, 90, 0.9), c(6, 0, 8, 9, 2, 12, 7, 0.8))) {
  n <- q[1]; more <- q[7] - n
  spread <- sqrt(q[3] / (n - 1) * (1 / n + 1 / more))
  treatment <- c(q[4] - 1, sqrt(q[6] / (q[4] - 1) / q[4]))
  reached <- function(y) {
    mean <- (n * q[2] + more * y) / (n + more)
    gap <- q[5] - mean
    kept <- q[3] + n * more / (n + more) * (y - q[2])^2
    sure <- function(ss) better(gap, c(n + more - 1, treatment[1]), c(sqrt((kept + ss) / (n + more - 1) / (n + more)), treatment[2])) - q[8]
    if (gap <= 0 || sure(0) <= 0) return(0)
    if (more == 1) return(1)
    top <- kept * (more - 1) / n * qf(1e-14, more - 1, n, lower.tail = FALSE)
    if (sure(top) > 0) return(1)
    pf(uniroot(sure, c(0, top), tol = 1e-11)$root / kept * n / (more - 1), more - 1, n)
  }
  density <- function(y) dt((y - q[2]) / spread, n - 1) / spread * sapply(y, reached)
  edge <- q[2] + spread * c(-60, -8, -4, -2, -1, 0, 1, 2, 4, 8)
  # from the first future mean that is enough down to minus infinity
  first <- q[2] - 60 * spread
  low <- first; high <- (q[5] * (n + more) - n * q[2]) / more
  for (i in 1:60) { middle <- (low + high) / 2; if (reached(middle) > 0) low <- middle else high <- middle }
  cuts <- sort(c(edge[edge < low], low))
  total <- pt((first - q[2]) / spread, n - 1)
  for (i in seq_along(cuts)[-1]) total <- total + integrate(density, cuts[i - 1], cuts[i], rel.tol = 1e-7)$value
  means[[length(means) + 1]] <- list(control = I(q[1:3]), treatment = I(q[4:6]), n = I(c(q[7], q[4])), threshold = q[8], increase = total)
}

# A prior of the effect: the estimate at the end, given the effect and the estimate now
effects <- list()
priors <- list(
  list(name = "normal", d = function(e) dnorm(e, 0.01, 0.02)),
  list(name = "student", d = function(e) dt(e / 0.01, 4) / 0.01),
  list(name = "mixture", d = function(e) 0.7 * dnorm(e, 0, 0.003) + 0.3 * dnorm(e, 0.01, 0.04))
)
for (prior in priors) {
  n <- 1000; y <- c(0.1, 0.125); end <- 4000; threshold <- 0.95
  estimate <- y[2] - y[1]; s <- sqrt(sum(y * (1 - y)) / n); last <- s * sqrt(n / end); share <- n / end
  whole <- function(f) sum(sapply(list(c(-1, -0.05), c(-0.05, 0), c(0, 0.02), c(0.02, 0.1), c(0.1, 1)), function(cut)
    integrate(f, cut[1], cut[2], rel.tol = 1e-11, abs.tol = 0, subdivisions = 2000)$value))
  sure <- function(at) {
    f <- function(e) prior$d(e) * dnorm(at, e, last)
    parts <- sapply(list(c(-0.2, 0), c(0, 0.2)), function(cut) sum(sapply(1:8, function(i) integrate(f, cut[1] + (i - 1) * 0.025, cut[1] + i * 0.025, rel.tol = 1e-12, abs.tol = 0)$value)))
    parts[2] / sum(parts) - threshold
  }
  smallest <- uniroot(sure, c(-0.05, 0.05), tol = 1e-14)$root
  # what is new has the variance of the units to come
  new <- sqrt(sum(y * (1 - y)) / (end - n))
  reach <- function(e) pnorm((smallest - share * estimate) / (1 - share), e, new, lower.tail = FALSE)
  likely <- function(e) prior$d(e) * dnorm(estimate, e, s)
  effects[[length(effects) + 1]] <- list(prior = prior$name, increase = whole(function(e) likely(e) * reach(e)) / whole(likely))
}
cat(json(list(program = R.version.string, command = "Rscript predictive.R", counts = counts, events = events,
              means = means, effects = effects)), "\n", sep = "")
