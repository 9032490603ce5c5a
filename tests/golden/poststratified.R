# Rscript poststratified.R > poststratified.json
# estimatr's blocked difference in means for estimate and standard error; the means, and Satterthwaite's degrees of freedom
# from the variances of the means that base R computes stratum by stratum.
suppressMessages(library(estimatr))
source("json.R")

# warpbreaks: breaks in yarn, two wools, three tensions, some rows left out; sleep: one stratum; made: means far from zero
wool <- with(warpbreaks[-c(2, 5, 9, 30, 41, 42), ], data.frame(y = breaks, treated = as.integer(wool == "B"), s = as.integer(tension)))
set.seed(7)
made <- data.frame(treated = rbinom(90, 1, 0.4), s = sample(5, 90, TRUE))
made$y <- round(1e6 + 10 * made$s + made$treated * made$s + rnorm(90, 0, made$s), 1)
one <- with(sleep, data.frame(y = extra, treated = as.integer(group) - 1, s = 1))

cases <- list()
for (l in list(list(name = "warpbreaks", data = wool), list(name = "made up", data = made), list(name = "sleep", data = one))) {
  d <- l$data[order(l$data$treated), ]
  share <- table(d$s) / nrow(d)
  cells <- lapply(0:1, function(t) {
    own <- d[d$treated == t, ]
    n <- tapply(own$y, own$s, length)
    list(mean = sum(share * tapply(own$y, own$s, mean)), v = share^2 * tapply(own$y, own$s, var) / n, n = n)
  })
  v <- c(cells[[1]]$v, cells[[2]]$v)
  n <- c(cells[[1]]$n, cells[[2]]$n)
  fit <- if (length(share) > 1) difference_in_means(y ~ treated, blocks = s, data = d) else difference_in_means(y ~ treated, data = d)
  cases[[length(cases) + 1]] <- list(name = l$name, n_control = sum(d$treated == 0), y = I(d$y), stratum = I(d$s),
    control = cells[[1]]$mean, treatment = cells[[2]]$mean, var_control = sum(cells[[1]]$v), var_treatment = sum(cells[[2]]$v),
    estimate = unname(fit$coefficients), stderr = unname(fit$std.error), df = sum(v)^2 / sum(v^2 / (n - 1)))
}
cat(json(list(program = paste0(R.version.string, ", estimatr ", packageVersion("estimatr")),
  command = "Rscript poststratified.R", cases = cases)), "\n", sep = "")
