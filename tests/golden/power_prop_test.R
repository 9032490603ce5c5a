# Rscript power_prop_test.R > power_prop_test.json
source("json.R")

cases <- list()
add <- function(...) cases[[length(cases) + 1]] <<- list(...)
for (q in list(c(.1, .11), c(.5, .75), c(.9, .85), c(.001, .002), c(1e-6, 3e-6), c(.999, .9995), c(.5, .5001))) {
  for (alpha in c(.05, .001, .2)) for (power in c(.8, .99)) {
    two <- power.prop.test(p1 = q[1], p2 = q[2], sig.level = alpha, power = power, strict = TRUE, tol = 1e-13)$n
    one <- power.prop.test(p1 = q[1], p2 = q[2], sig.level = alpha, power = power, alternative = "one", tol = 1e-13)$n
    add(p1 = q[1], p2 = q[2], alpha = alpha, power = power, two_sided = two, one_sided = one,
        power_two_sided = power.prop.test(n = 37, p1 = q[1], p2 = q[2], sig.level = alpha, strict = TRUE)$power,
        power_one_sided = power.prop.test(n = 37, p1 = q[1], p2 = q[2], sig.level = alpha, alternative = "one")$power)
  }
}
print_cases("power.prop.test(n or power, p1, p2, sig.level, alternative, strict = TRUE, tol = 1e-13)", cases)
