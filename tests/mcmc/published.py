"""Published examples, and the posterior of normal effects by quadrature: an independent source for what is sampled."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr

#: Rubin 1981: coaching effects in eight schools, with standard errors (BDA3, table 5.2).
SCHOOLS = (
    list("ABCDEFGH"),
    np.array([28.0, 8, -3, 7, -1, 1, 18, 12]),
    np.array([15.0, 10, 16, 11, 9, 11, 10, 18]),
)
#: BDA3, table 5.3: 25%, 50% and 75% points of each school's effect, from 200 draws.
SCHOOLS_QUARTILES = np.array(
    [[7, 10, 16], [3, 8, 12], [2, 7, 11], [4, 8, 11], [1, 5, 10], [2, 6, 10], [7, 10, 15], [3, 8, 13]]
)
#: Deaths and patients of 22 trials of beta-blockers: control, then treatment (BDA3, table 5.4; Yusuf et al. 1985).
BLOCKERS = np.array(
    [
        [3, 39, 3, 38],
        [14, 116, 7, 114],
        [11, 93, 5, 69],
        [127, 1520, 102, 1533],
        [27, 365, 28, 355],
        [6, 52, 4, 59],
        [152, 939, 98, 945],
        [48, 471, 60, 632],
        [37, 282, 25, 278],
        [188, 1921, 138, 1916],
        [52, 583, 64, 873],
        [47, 266, 45, 263],
        [16, 293, 9, 291],
        [45, 883, 57, 858],
        [31, 147, 25, 154],
        [38, 213, 33, 207],
        [12, 122, 28, 251],
        [6, 154, 8, 151],
        [3, 134, 6, 174],
        [40, 218, 32, 209],
        [43, 364, 27, 391],
        [39, 674, 22, 680],
    ]
)
POINTS = (0.025, 0.25, 0.5, 0.75, 0.975)
#: BDA3, table 5.5: the mean of all log odds ratios, their standard deviation, and the effect of a new trial.
BLOCKERS_MEAN = (-0.37, -0.29, -0.25, -0.20, -0.11)
BLOCKERS_SD = (0.02, 0.08, 0.13, 0.18, 0.31)
BLOCKERS_NEW = (-0.58, -0.34, -0.25, -0.17, 0.11)


def blockers_log_odds() -> tuple[np.ndarray, np.ndarray]:
    """Log odds ratios and standard errors, without any correction, as in table 5.4."""
    k_c, n_c, k_t, n_t = BLOCKERS.T.astype(float)
    value = np.log(k_t / (n_t - k_t)) - np.log(k_c / (n_c - k_c))
    return value, np.sqrt(1 / k_t + 1 / (n_t - k_t) + 1 / k_c + 1 / (n_c - k_c))


class Quadrature:
    """The exact posterior of normal effects under a normal mean and a half-normal standard deviation."""

    def __init__(self, y: np.ndarray, s: np.ndarray, sd: float, spread: float, highest: float) -> None:
        # the midpoint rule in the root of tau: dense where the posterior has its mass, and never at 0
        root = (np.arange(20_000) + 0.5) / 20_000 * np.sqrt(highest)
        self.tau = root**2
        total = self.tau[:, None] ** 2 + s**2
        precision = (1 / total).sum(axis=1) + sd**-2
        self.mean = (y / total).sum(axis=1) / precision
        self.var = 1 / precision
        log = -np.log(total).sum(axis=1) / 2 - np.log(precision) / 2
        log += -((y**2 / total).sum(axis=1) - self.mean**2 * precision) / 2 - (self.tau / spread) ** 2 / 2
        weights = np.exp(log - log.max()) * root
        self.weights = weights / weights.sum()
        kept = self.tau[:, None] ** 2 / total
        self.centres = self.mean[:, None] * (1 - kept) + y * kept
        self.variances = kept * s**2 + (1 - kept) ** 2 * self.var[:, None]

    @property
    def effects(self) -> np.ndarray:
        return self.weights @ self.centres

    @property
    def sds(self) -> np.ndarray:
        return np.sqrt(self.weights @ (self.variances + (self.centres - self.effects) ** 2))

    @property
    def positive(self) -> np.ndarray:
        return self.weights @ ndtr(self.centres / np.sqrt(self.variances))

    @property
    def overall(self) -> tuple[float, float]:
        mean = float(self.weights @ self.mean)
        return mean, float(np.sqrt(self.weights @ (self.var + (self.mean - mean) ** 2)))

    def tau_points(self, points: tuple[float, ...]) -> np.ndarray:
        return np.interp(points, np.cumsum(self.weights), self.tau)


def exact_posterior(y: np.ndarray, errors: np.ndarray, sd: float, spread: float) -> tuple[np.ndarray, np.ndarray]:
    """Means and sds of the mean of all and of each effect, for errors with any covariance, by matrices and a sum."""
    k = len(y)
    tau = (np.arange(4000) + 0.5) / 4000 * 6 * spread
    one = np.zeros((k + 1, k + 1))
    one[1:, 1:] = np.eye(k)
    before = sd**2 + tau[:, None, None] ** 2 * one  # of the mean and the effects
    of_y = before[:, 1:, 1:] + errors
    gain = before[:, :, 1:] @ np.linalg.inv(of_y)
    log = -np.linalg.slogdet(of_y)[1] / 2 - np.einsum("i,tij,j->t", y, np.linalg.inv(of_y), y) / 2
    log -= (tau / spread) ** 2 / 2
    weights = np.exp(log - log.max())
    weights /= weights.sum()
    means = gain @ y
    variances = np.diagonal(before - gain @ before[:, 1:, :], axis1=1, axis2=2)
    mean = weights @ means
    return mean, np.sqrt(weights @ (variances + (means - mean) ** 2))
