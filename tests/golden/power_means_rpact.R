# Rscript power_means_rpact.R > power_means_rpact.json
source("json.R")
suppressMessages(library(rpact))

cases <- list()
for (normal in c(TRUE, FALSE)) for (sided in 1:2) for (ratio in c(1, 0.25, 3))
  for (q in list(list(0, 0.4, 1.5), list(-0.3, 0, 1), list(0.05, 0.2, 0.8))) {
    if (sided == 2 && q[[1]] != 0) next
    design <- getDesignGroupSequential(kMax = 1, alpha = 0.025, beta = 0.15, sided = sided)
    r <- getSampleSizeMeans(design, thetaH0 = q[[1]], alternative = q[[2]], stDev = q[[3]], normalApproximation = normal,
                            allocationRatioPlanned = ratio)
    cases[[length(cases) + 1]] <- list(normal = as.numeric(normal), sided = sided, ratio = ratio, null = q[[1]],
      relative = 0, mde = q[[2]], sd = q[[3]], n_treatment = r$numberOfSubjects1[1], n_control = r$numberOfSubjects2[1])
  }
# the ratio of means; stDev is a share of the control's mean
for (ratio in c(1, 0.25, 3)) for (q in list(list(0.8, 1, 0.7), list(1.1, 1.3, 0.5), list(0.95, 1.02, 1.2))) {
  design <- getDesignGroupSequential(kMax = 1, alpha = 0.025, beta = 0.15, sided = 1)
  r <- getSampleSizeMeans(design, meanRatio = TRUE, thetaH0 = q[[1]], alternative = q[[2]], stDev = q[[3]],
                          normalApproximation = TRUE, allocationRatioPlanned = ratio)
  cases[[length(cases) + 1]] <- list(normal = 1, sided = 1, ratio = ratio, null = q[[1]] - 1, relative = 1,
    mde = q[[2]] - 1, sd = q[[3]], n_treatment = r$numberOfSubjects1[1], n_control = r$numberOfSubjects2[1])
}
print_cases(paste("rpact", packageVersion("rpact"), "getSampleSizeMeans, alpha 0.025, beta 0.15"), cases)
