# Rscript holm.R > holm.json
source("json.R")

families <- list(
  c(0.01, 0.04, 0.03, 0.005), c(0.05), c(0.02, 0.02, 0.02), c(0.6, 0.7, 0.4), c(1e-300, 0.5, 1e-12, 1),
  c(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.324, 0.4262, 0.5719, 0.6528, 0.759, 1)
)
cases <- lapply(families, function(p) list(pvalues = I(p), adjusted = I(p.adjust(p, method = "holm"))))
print_cases("p.adjust(pvalues, method = 'holm'); the last family is Benjamini and Hochberg's of 1995", cases)
