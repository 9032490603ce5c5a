# Rscript mcnemar.R > mcnemar.json
source("json.R")

# both, control only, treatment only, neither
pairs <- list(
  # Bentur et al. 2009, and Cavo et al. 2012, as in Fagerland, Lydersen and Laake 2014, Statistics in Medicine 33(16)
  c(1, 7, 1, 12), c(59, 16, 6, 80),
  # approval of the Prime Minister, ?mcnemar.test
  c(794, 150, 86, 570),
  c(43, 0, 1, 0), c(5, 0, 9, 3), c(20, 12, 12, 6), c(400000, 3000, 3300, 500000)
)

# Tango's interval: the real roots of the quartic of Yang, Sun and Hardin 2013, Statistics in Medicine 32(8), that lie
# within the range, refined by Newton's steps
tango <- function(b, c, n, level) {
  g <- qnorm((1 + level) / 2)^2
  d <- b - c
  s <- b + c
  m <- c(d^2 * (d^2 / g - s) / g,
         n * d * (2 * s / g + 1) - d^3 * (4 * n / g + 1) / g,
         2 * n * d^2 * (3 * n / g + 2) / g - n^2 * (s / g + 1),
         -n * d * (n / g + 1) * (4 * n / g + 1),
         n^2 * (n / g + 1)^2)
  z <- polyroot(m)
  x <- Re(z)[abs(Im(z)) < 1e-6]
  for (i in 1:20) {
    f <- m[1] + x * (m[2] + x * (m[3] + x * (m[4] + x * m[5])))
    slope <- m[2] + x * (2 * m[3] + x * (3 * m[4] + x * 4 * m[5]))
    x <- ifelse(slope == 0, x, x - f / slope)
  }
  c(min(x), max(x))
}

cases <- list()
for (p in pairs) {
  b <- p[3]; c <- p[2]; m <- b + c
  table <- matrix(c(p[1], c, b, p[4]), nrow = 2)
  chi <- mcnemar.test(table, correct = FALSE)
  exact <- lapply(c("two.sided", "greater", "less"), function(a) binom.test(b, m, alternative = a))
  at2 <- binom.test(b, m, p = plogis(0.7), alternative = "greater")
  odds <- function(q) q / (1 - q)
  cases[[length(cases) + 1]] <- list(
    pairs = I(p), chi_square = unname(chi$statistic), pvalue = chi$p.value,
    exact = exact[[1]]$p.value, exact_greater = exact[[2]]$p.value, exact_less = exact[[3]]$p.value,
    exact_greater_07 = at2$p.value,
    low = odds(exact[[1]]$conf.int[1]), high = odds(exact[[1]]$conf.int[2]),
    mid_greater = pbinom(b, m, 0.5, lower.tail = FALSE) + dbinom(b, m, 0.5) / 2,
    tango_95 = I(tango(b, c, sum(p), 0.95)), tango_80 = I(tango(b, c, sum(p), 0.8)))
}
print_cases("mcnemar.test(correct = FALSE), binom.test(treatment_only, discordant), Yang, Sun and Hardin's quartic", cases)
