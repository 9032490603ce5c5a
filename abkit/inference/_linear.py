"""Effects that are linear in means to first order: ratios, and adjustment for pre-period covariates."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from abkit._check import Float64Array
from abkit.inference._caution import Shape, shape_caution, shape_of_sum
from abkit.inference._mean_effect import MeanEffect, satterthwaite
from abkit.logs import ThirdMoments
from abkit.suffstats import CoMoments

ROUNDING = 1e-12
#: The gradient of a mean in itself.
ONE = np.ones(1)


@dataclass(frozen=True, slots=True)
class Arm:
    """One variant: a value, its gradient in the outcome means, and the co-moments.

    The outcome variables come first in the co-moments, the covariates after them.
    """

    value: float
    gradient: Float64Array
    moments: CoMoments

    @property
    def n(self) -> int:
        """Number of units."""
        return int(self.moments.n)

    def shape(self) -> Shape:
        """How the linearised outcome is spread before adjustment; its skewness where the third moments are known."""
        k, moments, n = len(self.gradient), self.moments, self.n
        if k == 1:
            return self._shape_of_one()
        sizes = np.sqrt(np.diagonal(moments.m2)[:k])
        weights = self.gradient * sizes
        scale = float(np.abs(weights).max())
        if not 0 < scale < np.inf:
            return Shape(n, scale, 0.0 if scale == 0 else None)
        weights, units = weights / scale, np.where(sizes > 0, sizes, 1.0)
        correlation = moments.m2[:k, :k] / np.outer(units, units)
        squares = float(weights @ correlation @ weights)
        if squares <= ROUNDING * float(np.abs(weights) @ np.abs(correlation) @ np.abs(weights)):
            return Shape(n, 0.0, 0.0)
        cubes = None
        if isinstance(moments, ThirdMoments) and moments.m3 is not None:
            m3 = moments.m3 / units / units[:, None] / units[:, None, None]
            cubes = float(np.einsum("ijk,i,j,k", m3, weights, weights, weights))
        found = shape_of_sum(n, squares, cubes)
        return replace(found, stderr=found.stderr * scale)

    def _shape_of_one(self) -> Shape:
        """The same of one outcome."""
        n, moments, m2 = self.n, self.moments, float(self.moments.m2[0, 0])
        size, sign = math.sqrt(m2), math.copysign(1.0, float(self.gradient[0]))
        scale = abs(float(self.gradient[0])) * size
        if not 0 < scale < math.inf:
            return Shape(n, scale, 0.0 if scale == 0 else None)
        cubes = None
        if isinstance(moments, ThirdMoments) and moments.m3 is not None:
            cubes = float(moments.m3[0, 0, 0]) / size / size / size * sign
        found = shape_of_sum(n, m2 / (size * size), cubes)
        return Shape(n, found.stderr * scale, found.skewness)

    def regression(self) -> Regression:
        """Least squares of the linearised outcome on the covariates, within this variant."""
        outcomes, s = len(self.gradient), self.moments.m2
        if outcomes == len(s):
            return NO_SLOPES
        scale = np.sqrt(np.diagonal(s)[outcomes:])
        scale = np.where(scale > 0, scale, 1.0)
        correlation = s[outcomes:, outcomes:] / np.outer(scale, scale)
        # the pseudo-inverse: constant covariates explain nothing, and collinear ones share what they explain
        inverse = np.linalg.pinv(correlation, rcond=1e-10, hermitian=True)
        rank = round(float(np.trace(inverse @ correlation)))
        inverse = inverse / np.outer(scale, scale)
        slopes = inverse @ (s[outcomes:, :outcomes] @ self.gradient)
        weights = np.concatenate([self.gradient, -slopes])
        residual = float(weights @ s @ weights)
        residual = residual if residual > ROUNDING * float(np.abs(weights) @ np.abs(s) @ np.abs(weights)) else 0.0
        return Regression(slopes, residual / max(self.n - 1 - rank, 1) * inverse, rank)


@dataclass(frozen=True, slots=True)
class Regression:
    """Slopes, their covariance matrix, and how many of them are free."""

    slopes: Float64Array
    covariance: Float64Array
    rank: int


NO_SLOPES = Regression(np.zeros(0), np.zeros((0, 0)), 0)


def mean_arm(moments: CoMoments) -> Arm:
    """The mean of the first variable."""
    return Arm(float(moments.mean[0]), ONE, moments)


def ratio_arm(moments: CoMoments) -> Arm:
    """The mean of the first variable over the mean of the second, by the delta method."""
    numerator, denominator = float(moments.mean[0]), float(moments.mean[1])
    value = numerator / denominator
    gradient = np.array([1.0 / denominator, -value / denominator])
    if not np.all(np.isfinite(gradient)):
        raise ValueError(f"the denominator's mean, {denominator:g}, is too close to zero to divide by")
    return Arm(value, gradient, moments)


def linear_effect(control: Arm, treatment: Arm) -> MeanEffect:
    """Difference of two linearised values, adjusted for the covariates.

    Lin (2013, Annals of Applied Statistics 7(1), sec. 4): slopes are fitted within each variant and the
    covariates are centred at their pooled mean, which for the difference is the same as one slope
    theta = (n_c b_t + n_t b_c) / n. CUPED (Deng et al. 2013, WSDM, eq. 4) is the case of one covariate and
    equal slopes. The two values themselves are adjusted with theta too, so that their covariance is known.
    The variances take the pooled mean as random. Each variant's are scaled by (n_a - 1) / (n_a - 1 - k) for its k
    slopes, and the error of those slopes is added: it reaches the estimate through the distance of the
    covariates' means (variance of a predicted mean, Draper and Smith 1998, Applied Regression Analysis, sec. 3.1).
    """
    if len(control.moments.names) == len(control.gradient) == 1:
        return _difference_of_means(control, treatment)
    outcomes, n = len(control.gradient), control.n + treatment.n
    share_c, share_t = control.n / n, treatment.n / n
    fit_c, fit_t = control.regression(), treatment.regression()
    theta = share_c * fit_t.slopes + share_t * fit_c.slopes
    distance = (treatment.moments.mean - control.moments.mean)[outcomes:]
    shift = float(theta @ distance)

    # weights of each variant's means in the adjusted control value and in the adjusted treatment value
    in_control = np.array([[*control.gradient, *(-share_t * theta)], [*(0 * control.gradient), *(share_c * theta)]])
    in_treatment = np.array(
        [[*(0 * treatment.gradient), *(share_t * theta)], [*treatment.gradient, *(-share_c * theta)]]
    )
    moved = np.outer((share_t, -share_c), (share_t, -share_c))  # how the two values move with theta' distance
    from_control = _covariance(in_control, control, fit_c.rank)
    from_control += share_t**2 * float(distance @ fit_c.covariance @ distance) * moved
    from_treatment = _covariance(in_treatment, treatment, fit_t.rank)
    from_treatment += share_c**2 * float(distance @ fit_t.covariance @ distance) * moved
    total = from_control + from_treatment
    sizes = max(control.n - fit_c.rank, 2), max(treatment.n - fit_t.rank, 2)
    return MeanEffect(
        control.value + share_t * shift,
        treatment.value - share_c * shift,
        float(total[0, 0]),
        float(total[1, 1]),
        float(total[0, 1]),
        satterthwaite(_of_difference(from_control), sizes[0], _of_difference(from_treatment), sizes[1]),
    )


def _difference_of_means(control: Arm, treatment: Arm) -> MeanEffect:
    """The same of one outcome and no covariates."""
    c, t = (
        float(arm.moments.m2[0, 0]) / (arm.n - 1) * float(arm.gradient[0]) ** 2 / arm.n if arm.n > 1 else math.nan
        for arm in (control, treatment)
    )
    df = satterthwaite(c, max(control.n, 2), t, max(treatment.n, 2))
    return MeanEffect(control.value, treatment.value, c, t, 0.0, df)


def linear_caution(control: Arm, treatment: Arm, instead: str) -> str | None:
    """A caution where units are too few or too skewed for a normal difference."""
    return shape_caution(control.shape(), treatment.shape(), instead)


def variance_kept(control: Arm, treatment: Arm) -> float:
    """Share of the unadjusted variance of the estimate that is left after adjustment."""
    outcomes = len(control.gradient)
    plain = sum(
        float(arm.gradient @ arm.moments.covariance[:outcomes, :outcomes] @ arm.gradient) / arm.n
        for arm in (control, treatment)
    )
    return linear_effect(control, treatment).variance / plain if plain > 0 else 1.0


def _covariance(weights: Float64Array, arm: Arm, slopes: int) -> Float64Array:
    products = weights @ arm.moments.covariance @ weights.T / arm.n
    terms = np.abs(weights) @ np.abs(arm.moments.covariance) @ np.abs(weights).T / arm.n
    # where the terms cancel to their last digits, what is left is rounding, and not a variance
    if _of_difference(products) <= ROUNDING * float(terms.sum()):
        return np.zeros((2, 2))
    return np.asarray(products * ((arm.n - 1) / max(arm.n - 1 - slopes, 1)), dtype=np.float64)


def _of_difference(covariance: Float64Array) -> float:
    return max(float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]), 0.0)
