# Rscript power_t_test.R > power_t_test.json
source("json.R")
suppressMessages(library(pwr))

cases <- list()
add <- function(...) cases[[length(cases) + 1]] <<- list(...)
side <- function(a) if (a == "two.sided") "two-sided" else a

for (type in c("two.sample", "paired")) for (alternative in c("two.sided", "one.sided"))
  for (q in list(c(0.5, 1, 0.05, 0.8), c(0.02, 3, 0.01, 0.95), c(2.5, 1, 0.05, 0.7), c(0.3, 1, 1e-6, 0.999))) {
    arguments <- list(sd = q[2], sig.level = q[3], type = type, alternative = alternative, strict = TRUE, tol = 1e-13)
    r <- tryCatch(do.call(power.t.test, c(arguments, delta = q[1], power = q[4])), error = function(e) NULL)
    if (!is.null(r))
      add(call = "power.t.test", type = type, alternative = if (alternative == "one.sided") "greater" else "two-sided",
          mde = q[1], sd = q[2], alpha = q[3], n = r$n, ratio = 1, power = q[4])
    r <- do.call(power.t.test, c(arguments, delta = q[1], n = 40))
    add(call = "power.t.test", type = type, alternative = if (alternative == "one.sided") "greater" else "two-sided",
        mde = q[1], sd = q[2], alpha = q[3], n = 40, ratio = 1, power = r$power)
  }
for (alternative in c("two.sided", "greater", "less")) for (d in c(0.4, -0.7)) for (n in list(c(10, 10), c(5, 200), c(300, 4))) {
  r <- pwr.t2n.test(n1 = n[1], n2 = n[2], d = d, sig.level = 0.02, alternative = alternative)
  add(call = "pwr.t2n.test", type = "two.sample", alternative = side(alternative), mde = d, sd = 1, alpha = 0.02,
      n = n[1], ratio = n[2] / n[1], power = r$power)
  r <- pwr.t.test(n = n[2], d = d, sig.level = 0.02, type = "paired", alternative = alternative)
  add(call = "pwr.t.test", type = "paired", alternative = side(alternative), mde = d, sd = 1, alpha = 0.02,
      n = n[2], ratio = 1, power = r$power)
}
print_cases(paste("power.t.test(strict = TRUE, tol = 1e-13), pwr", packageVersion("pwr")), cases)
