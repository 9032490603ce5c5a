# Rscript power_poisson.R > power_poisson.json
source("json.R")

# the p-values of poisson.test itself, for every pair of counts that occurs
pvalue <- function(t, c, ratio, null, way)
  if (t + c == 0) 1 else poisson.test(c(t, c), c(ratio, 1), r = null, alternative = way)$p.value
cases <- list()
for (q in list(c(8, 15, 1, 1), c(20, 12, 1, 1), c(10, 5, .5, 1), c(6, 40, 4, 1), c(12, 13, 1, .6))) {
  # events of the control and the treatment in all, the treatment's units for one of the control, the null
  cs <- 0:(q[1] + 60); ts <- 0:(q[2] + 80)
  tables <- outer(dpois(ts, q[2]), dpois(cs, q[1]))
  up <- outer(ts, cs, Vectorize(function(t, c) pvalue(t, c, q[3], q[4], "greater")))
  down <- outer(ts, cs, Vectorize(function(t, c) pvalue(t, c, q[3], q[4], "less")))
  for (alpha in c(.05, .01)) cases[[length(cases) + 1]] <- list(control = q[1], treatment = q[2], ratio = q[3],
    null = q[4], alpha = alpha, greater = sum(tables[up <= alpha]), less = sum(tables[down <= alpha]),
    two_sided = sum(tables[pmin(up, down) <= alpha / 2]))
}
print_cases("sum(dpois x dpois) over the counts with poisson.test(r, alternative)$p.value <= alpha, or alpha / 2", cases)
