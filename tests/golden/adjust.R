# Rscript adjust.R > adjust.json
source("json.R")

set.seed(1)
families <- list(
  c(0.01, 0.04, 0.03, 0.005), c(0.05), c(0.02, 0.02, 0.02), c(0.6, 0.7, 0.4), c(1e-300, 0.5, 1e-12, 1), c(0, 0, 0.5, 1, 1),
  # Benjamini and Hochberg 1995, sec. 4
  c(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.324, 0.4262, 0.5719, 0.6528, 0.759, 1),
  runif(40), runif(60)^3, round(runif(50), 1), sort(runif(30)^8), (1:40 / 41)^2, sqrt(1:40 / 41), c(runif(20) / 1000, runif(20))
)
cases <- list()
for (p in families) for (method in c("bonferroni", "holm", "hochberg", "hommel", "BH", "BY"))
  cases[[length(cases) + 1]] <- list(method = tolower(method), pvalues = I(p), adjusted = I(p.adjust(p, method = method)))
print_cases("p.adjust(pvalues, method)", cases)
