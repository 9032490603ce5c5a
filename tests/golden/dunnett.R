# Rscript dunnett.R > dunnett.json; needs multcomp and mvtnorm
source("json.R")
suppressMessages(library(multcomp))
set.seed(1)

# orthants of up to three dimensions are integrated to all digits by TVPACK (Genz), and add up to a two-sided box;
# everything else is Monte Carlo
below <- function(x, df, correlation)
  as.numeric(if (is.infinite(df)) pmvnorm(upper = x, sigma = correlation, algorithm = TVPACK(1e-15))
             else pmvt(upper = x, df = df, corr = correlation, algorithm = TVPACK(1e-15)))
tails <- list()
for (n in list(c(20, 15, 30), c(10, 10, 10, 10), c(5, 50, 7, 3), c(1000, 20, 30))) for (x in c(0.5, 2, 4)) for (df in c(Inf, 5, sum(n) - length(n))) {
  b <- sqrt(n[-1] / (n[-1] + n[1]))
  correlation <- outer(b, b); diag(correlation) <- 1
  signs <- as.matrix(expand.grid(rep(list(c(-1, 1)), length(b))))
  box <- sum(apply(signs, 1, function(s) prod(s) * below(s * x, df, correlation)))
  tails[[length(tails) + 1]] <- list(n = I(n), x = x, df = df, one_sided = 1 - below(rep(x, length(b)), df, correlation), two_sided = 1 - box)
}

samples <- list(
  list(name = "PlantGrowth", value = PlantGrowth$weight, group = as.character(PlantGrowth$group), control = "ctrl"),
  list(name = "warpbreaks, unequal", value = warpbreaks$breaks[-(1:7)], group = as.character(warpbreaks$tension)[-(1:7)], control = "L"),
  list(name = "chickwts", value = chickwts$weight, group = as.character(chickwts$feed), control = "casein")
)
cases <- list()
for (s in samples) for (alternative in c("two.sided", "less", "greater")) {
  g <- relevel(factor(s$group), ref = s$control)
  fit <- glht(aov(value ~ g, data = data.frame(value = s$value, g = g)), linfct = mcp(g = "Dunnett"), alternative = alternative)
  precise <- summary(fit, test = adjusted("single-step", abseps = 1e-6, maxpts = 1e6))
  interval <- confint(fit, level = 0.95)$confint
  cases[[length(cases) + 1]] <- list(
    name = s$name, value = I(s$value), group = I(s$group), control = s$control, alternative = sub(".", "-", alternative, fixed = TRUE),
    treatments = I(levels(g)[-1]), df = fit$df, statistic = I(as.numeric(precise$test$tstat)), pvalues = I(as.numeric(precise$test$pvalues)),
    low = I(as.numeric(interval[, "lwr"])), high = I(as.numeric(interval[, "upr"])))
}
cat(json(list(program = paste0(R.version.string, ", multcomp ", packageVersion("multcomp"), ", mvtnorm ", packageVersion("mvtnorm")),
  command = "summary(glht(aov, mcp(g = 'Dunnett'))), confint; pmvt and pmvnorm with TVPACK", tails = tails, cases = cases)), "\n", sep = "")
