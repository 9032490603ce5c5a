# Rscript cluster_regression.R > cluster_regression.json
# The adjusted means are the coefficients of both variants where covariates and strata are less their means over all
# rows; `matrix` is their covariance. CR1S is Stata's CR1. HC2's degrees of freedom: CR2 with every row a cluster.
suppressMessages({library(clubSandwich); library(sandwich); library(estimatr)})
source("json.R")

set.seed(20)
n <- 60
made <- data.frame(cluster = sample(11, n, TRUE), stratum = sample(3, n, TRUE), treated = rep(0:1, c(35, 25)),
                   x1 = round(rnorm(n, 5, 2), 2), x2 = round(rexp(n, 1), 2))
made$y <- round(2 + made$x1 * (1 + 0.5 * made$treated) - made$x2 + rnorm(11)[made$cluster] +
                rnorm(n, 0, 1 + made$treated), 2)
plants <- with(CO2, data.frame(cluster = as.integer(Plant), stratum = as.integer(Type),
                               treated = as.integer(Treatment == "chilled"), x1 = conc, y = uptake))
plants <- plants[-c(3, 10, 11, 30, 31, 32, 33, 60, 77), ]  # so that clusters and strata are of unequal sizes
logs <- list(list(name = "made up, clusters across variants and strata", data = made, covariates = c("x1", "x2")),
             list(name = "CO2, plants within variants and types", data = plants, covariates = "x1"),
             list(name = "CO2, no covariates", data = plants, covariates = character(0)))

cases <- list()
for (l in logs) for (interactions in c(TRUE, FALSE)) for (strata in c(TRUE, FALSE)) {
  if (interactions && length(l$covariates) == 0) next
  d <- l$data[order(l$data$treated), ]
  x <- scale(as.matrix(d[l$covariates]), scale = FALSE)
  if (interactions) x <- cbind(x, x * d$treated)
  if (strata) {
    dummies <- outer(d$stratum, sort(unique(d$stratum))[-1], "==") * 1
    x <- cbind(x, scale(dummies, scale = FALSE))
  }
  design <- cbind(control = 1 - d$treated, treatment = d$treated, x)
  colnames(design) <- make.names(seq_len(ncol(design)))
  fit <- lm(d$y ~ 0 + design)
  contrast <- matrix(c(-1, 1, rep(0, ncol(design) - 2)), 1)
  one <- function(covariance, matrix, df) list(covariance = covariance, means = I(unname(coef(fit)[1:2])),
    matrix = I(as.vector(unname(matrix[1:2, 1:2]))), df = df)
  satterthwaite <- function(v) linear_contrast(fit, v, contrasts = contrast, test = "Satterthwaite")$df
  own <- seq_len(nrow(d))
  fits <- list(one("classical", vcov(fit), fit$df.residual))
  for (kind in c("HC0", "HC1", "HC2", "HC3")) {
    v <- vcovHC(fit, kind)
    df <- if (kind == "HC2") satterthwaite(vcovCR(fit, own, "CR2")) else fit$df.residual
    fits[[length(fits) + 1]] <- one(kind, v, df)
  }
  for (kind in c("CR0", "CR1S", "CR2")) {
    v <- vcovCR(fit, d$cluster, kind)
    df <- if (kind == "CR2") satterthwaite(v) else length(unique(d$cluster)) - 1
    fits[[length(fits) + 1]] <- one(sub("S", "", kind), as.matrix(v), df)
  }
  cases[[length(cases) + 1]] <- list(name = l$name, interactions = as.character(interactions),
    strata = as.character(strata), rows = lapply(seq_len(nrow(d)), function(i) I(unlist(d[i, c("y", l$covariates)], use.names = FALSE))),
    n_control = sum(d$treated == 0), clusters = I(d$cluster), stratum = I(d$stratum), fits = fits)
}

# Lin's estimator as another package has it
lin <- list()
for (kind in c("HC2", "CR2")) {
  r <- if (kind == "HC2") lm_lin(y ~ treated, ~ x1 + x2, made, se_type = "HC2")
       else lm_lin(y ~ treated, ~ x1 + x2, made, clusters = cluster, se_type = "CR2")
  lin[[length(lin) + 1]] <- list(covariance = kind, estimate = unname(r$coefficients["treated"]),
    stderr = unname(r$std.error["treated"]), df = unname(r$df["treated"]), pvalue = unname(r$p.value["treated"]))
}
version <- function(p) paste(p, packageVersion(p))
cat(json(list(program = paste(c(R.version.string, sapply(c("clubSandwich", "sandwich", "estimatr"), version)), collapse = ", "),
  command = "Rscript cluster_regression.R", lin = lin, cases = cases)), "\n", sep = "")
