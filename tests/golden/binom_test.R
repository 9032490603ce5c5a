# Rscript binom_test.R > binom_test.json
source("json.R")
cases <- list()
tables <- list(c(0, 400, 0.01), c(3, 1000, 0.01), c(25, 1000, 0.01), c(1, 1, 0.5), c(40, 40, 0.9), c(9, 250000, 0.0001))
for (case in tables) {
  less <- binom.test(case[1], case[2], case[3], alternative = "less")
  greater <- binom.test(case[1], case[2], case[3], alternative = "greater")
  both <- binom.test(case[1], case[2], case[3])
  cases[[length(cases) + 1]] <- list(
    successes = case[1], n = case[2], null = case[3], less = less$p.value, greater = greater$p.value,
    low = both$conf.int[1], high = both$conf.int[2])
}
print_cases("binom.test(successes, n, null, alternative)", cases)
