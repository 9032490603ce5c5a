# Staggered updates by brute force: every order of update, its statistic built anew from differences in differences of
# single cells, for each null.   Rscript tests/golden/update_order.R > tests/golden/update_order.json
source(file.path(dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE))), "json.R"))

did <- function(y, u, settle) {
  buckets <- ncol(y); top <- 0; bottom <- 0
  for (g in sort(unique(u[u <= buckets]))) {
    if (g == 1) next
    for (b in seq_len(buckets)) {
      waiting <- which(u > b); treated <- which(u == g)
      if (b < g + settle || length(waiting) == 0) next
      change <- function(i) y[i, b] - mean(y[i, 1:(g - 1)])
      weight <- 1 / (1 / length(treated) + 1 / length(waiting))
      top <- top + weight * (mean(sapply(treated, change)) - mean(sapply(waiting, change)))
      bottom <- bottom + weight
    }
  }
  top / bottom
}

orders <- function(u) {
  if (length(u) == 1) return(matrix(u, 1))
  do.call(rbind, lapply(sort(unique(u)), function(first) cbind(first, orders(u[-match(first, u)]))))
}

case <- function(seed, times, buckets, settle, effect, nulls) {
  set.seed(seed)
  n <- length(times)
  y <- matrix(round(rnorm(n * buckets), 3), n) + 2 * seq_len(n) + matrix(round(sin(seq_len(buckets)), 3), n, buckets, byrow = TRUE)
  z <- t(sapply(times, function(u) as.numeric(seq_len(buckets) >= u)))
  mixed <- cbind(seq_len(n), times)[times <= buckets, , drop = FALSE]
  z[mixed] <- 0.5
  y <- round(y + effect * z, 6)
  every <- orders(times)
  tails <- lapply(nulls, function(d) {
    free <- y - d * z
    seen <- did(free, times, settle)
    drawn <- apply(every, 1, function(u) did(free, u, settle))
    list(null = d, greater = mean(drawn >= seen - 1e-9), less = mean(drawn <= seen + 1e-9))
  })
  list(values = lapply(seq_len(n), function(i) I(y[i, ])), exposed = lapply(seq_len(n), function(i) I(z[i, ])),
       updated = I(times - 1), settle = settle, estimate = did(y, times, settle), orders = nrow(every), tails = tails)
}

print_cases("Rscript tests/golden/update_order.R", list(
  case(1, c(4, 4, 6, 6, 9, 9, 9), 8, 1, 0.8, c(-1, -0.2, 0, 0.5, 0.8, 1.3, 3)),
  case(2, c(6, 3, 9, 7, 4, 10), 10, 2, 0, c(-2, -0.5, 0, 0.3, 1, 4)),
  case(3, c(5, 5, 5, 11, 11, 11, 11), 9, 1, -1.5, c(-4, -2, -1.5, -1, 0, 1)),
  case(4, c(2, 3, 4, 5, 6), 6, 1, 2, c(-1, 0, 1, 2, 3))
))
