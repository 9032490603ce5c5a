"""How a series moves by itself: an autoregression fitted to its past."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from abkit._check import Float64Array

LARGEST_ORDER = 6
BUCKETS_PER_COEFFICIENT = 30
#: A partial autocorrelation of 1 is a series that never returns to its level.
LARGEST_PARTIAL = 0.995
#: Squares of autocorrelations beyond these lags count for nothing.
MOST_LAGS = 200
_EPSILON = 2.0**-52


@dataclass(frozen=True, slots=True, eq=False)
class Autoregression:
    """A stationary autoregression: its covariances by lag, its long-run variance, and degrees of freedom.

    `long_run` is n times the variance of a mean of many values. `df` is what the variance of n correlated values has:
    n / (1 + 2 sum of squared autocorrelations) (Priestley 1981, sec. 5.3.2).
    """

    coefficients: Float64Array
    covariances: Float64Array
    long_run: float
    df: float

    def varies(self, series: Float64Array) -> bool:
        """Whether there is more spread than rounding makes."""
        largest = float(np.nanmax(np.abs(series)))
        return bool(self.covariances[0] > (8 * _EPSILON * largest) ** 2)


def fit_autoregression(residual: Float64Array, lags: int, *, centred: bool) -> Autoregression:
    """Yule-Walker, from the pairs of values that there are, with covariances up to `lags`.

    Where the residuals are `centred` at their own mean, covariances are too small by the variance of that mean, which
    is added back.
    """
    present = np.isfinite(residual)
    n = int(np.count_nonzero(present))
    order = max(1, min(LARGEST_ORDER, n // BUCKETS_PER_COEFFICIENT))
    found = _covariances(np.where(present, residual, 0.0), present, order)
    fitted = _fitted(found, n, lags)
    for _ in range(2 if centred else 0):
        fitted = _fitted(found + min(fitted.long_run / n, found[0]), n, lags)
    return fitted


def _covariances(filled: Float64Array, present: Float64Array, order: int) -> Float64Array:
    size, counts = filled.size, present.astype(np.float64)
    lags = range(order + 1)
    pairs = [float(counts[h:] @ counts[: size - h]) for h in lags]
    return np.array([float(filled[h:] @ filled[: size - h]) / max(pairs[h], 1.0) for h in lags])


def _fitted(found: Float64Array, n: int, lags: int) -> Autoregression:
    """Levinson's recursion; partial autocorrelations are kept inside the unit circle, and covariances follow them."""
    far = max(min(n // 4, MOST_LAGS), len(found))
    covariances = np.zeros(max(lags + 1, far))
    covariances[0] = error = float(found[0])
    phi = np.zeros(0)
    for m in range(1, len(found)):
        carried = float(phi @ covariances[m - 1 : 0 : -1]) if m > 1 else 0.0
        partial = (float(found[m]) - carried) / error if error > 0 else 0.0
        partial = min(max(partial, -LARGEST_PARTIAL), LARGEST_PARTIAL)
        covariances[m] = carried + partial * error
        phi = np.append(phi - partial * phi[::-1], partial)
        error *= 1 - partial * partial
    backwards = phi[::-1].copy()
    for h in range(len(found), covariances.size):
        covariances[h] = backwards @ covariances[h - phi.size : h]
    left = 1 - float(phi.sum())
    used = covariances[1:far]
    rho = used / covariances[0] if covariances[0] > 0 else np.zeros(1)
    df = n / (1 + 2 * float(rho @ rho))
    return Autoregression(phi, covariances[: lags + 1], error / (left * left), df)
