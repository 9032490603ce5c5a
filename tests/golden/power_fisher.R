# Rscript power_fisher.R > power_fisher.json
source("json.R")

# the p-values of fisher.test itself, for every table
pvalues <- function(n_c, n_t, alternative) outer(0:n_t, 0:n_c, Vectorize(function(t, c)
  fisher.test(matrix(c(t, n_t - t, c, n_c - c), 2), alternative = alternative, conf.int = FALSE)$p.value))
cases <- list()
for (n in list(c(8, 8), c(20, 12), c(25, 25), c(5, 40), c(30, 30))) {
  up <- pvalues(n[1], n[2], "greater"); down <- pvalues(n[1], n[2], "less")
  for (p in list(c(.1, .4), c(.5, .9), c(.6, .2), c(.02, .3), c(.5, .55))) for (alpha in c(.05, .01, .2)) {
    tables <- outer(dbinom(0:n[2], n[2], p[2]), dbinom(0:n[1], n[1], p[1]))
    cases[[length(cases) + 1]] <- list(n_control = n[1], n_treatment = n[2], control = p[1], treatment = p[2],
      alpha = alpha, greater = sum(tables[up <= alpha * (1 + 1e-7)]), less = sum(tables[down <= alpha * (1 + 1e-7)]),
      two_sided = sum(tables[pmin(up, down) <= alpha / 2 * (1 + 1e-7)]))
  }
}
print_cases("sum(dbinom x dbinom) over the tables with fisher.test(alternative)$p.value <= alpha, or alpha / 2", cases)
