# Rscript rates.R > rates.json
source("json.R")
pairs <- list( # events and exposure of the control, and of the treatment
  c(11, 800, 23, 803), c(0, 25.5, 4, 20), c(6, 17, 2, 3.25), c(1000, 1e6, 1100, 1.01e6), c(137, 24.19893, 11, 2.5)
)
cases <- list()
for (p in pairs) for (alternative in c("two.sided", "greater", "less")) for (ratio in c(1, 1.25)) {
  r <- poisson.test(c(p[3], p[1]), c(p[4], p[2]), r = ratio, alternative = alternative)
  cases[[length(cases) + 1]] <- list(
    control = p[1:2], treatment = p[3:4], alternative = sub(".", "-", alternative, fixed = TRUE), ratio = ratio,
    estimate = unname(r$estimate), pvalue = r$p.value, low = r$conf.int[1], high = r$conf.int[2])
}
print_cases("poisson.test(c(treatment, control), c(exposures), r, alternative)", cases)
