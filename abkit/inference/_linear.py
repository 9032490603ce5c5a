"""Effects that are linear in means to first order: ratios, and adjustment for pre-period covariates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from abkit._check import Float64Array
from abkit.inference._mean_effect import MeanEffect, satterthwaite
from abkit.suffstats import CoMoments

ROUNDING = 1e-12


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

    def slopes(self, outcomes: int) -> Float64Array:
        """Least-squares slopes of the linearised outcome on the covariates, within this variant."""
        s = self.moments.m2
        scale = np.sqrt(np.diagonal(s)[outcomes:])
        usable = scale > 0
        scale = np.where(usable, scale, 1.0)
        correlation = s[outcomes:, outcomes:] / np.outer(scale, scale)
        target = (s[outcomes:, :outcomes] @ self.gradient) / scale
        return np.asarray(np.linalg.lstsq(correlation, target, rcond=1e-10)[0] / scale * usable, dtype=np.float64)


def mean_arm(moments: CoMoments) -> Arm:
    """The mean of the first variable."""
    return Arm(float(moments.mean[0]), np.array([1.0]), moments)


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
    covariates are centred at their pooled mean, which is the same as one slope
    theta = (n_c b_t + n_t b_c) / n. CUPED (Deng et al. 2013, WSDM, eq. 4) is the case of one covariate and
    equal slopes. The variances take theta as given and the pooled mean as random, and are scaled by
    (n - 2) / (n - 2 - k) for the k slopes.
    """
    outcomes = len(control.gradient)
    k = len(control.moments.names) - outcomes
    n = control.n + treatment.n
    share_c, share_t = control.n / n, treatment.n / n
    theta = share_c * treatment.slopes(outcomes) + share_t * control.slopes(outcomes) if k else np.zeros(0)
    shift = float(theta @ (treatment.moments.mean - control.moments.mean)[outcomes:])

    # weights of each variant's means in the adjusted control value and in the adjusted treatment value
    in_control = np.array([[*control.gradient, *(-share_t * theta)], [*(0 * control.gradient), *(share_c * theta)]])
    in_treatment = np.array(
        [[*(0 * treatment.gradient), *(share_t * theta)], [*treatment.gradient, *(-share_c * theta)]]
    )
    scale = (n - 2) / (n - 2 - k)
    from_control = _covariance(in_control, control) * scale
    from_treatment = _covariance(in_treatment, treatment) * scale
    total = from_control + from_treatment
    parts = _of_difference(from_control), _of_difference(from_treatment)
    return MeanEffect(
        control.value + share_t * shift,
        treatment.value - share_c * shift,
        float(total[0, 0]),
        float(total[1, 1]),
        float(total[0, 1]),
        max(satterthwaite(parts[0], control.n, parts[1], treatment.n) - k, 1.0),
    )


def variance_kept(control: Arm, treatment: Arm) -> float:
    """Share of the unadjusted variance of the estimate that is left after adjustment."""
    outcomes = len(control.gradient)
    plain = sum(
        float(arm.gradient @ arm.moments.covariance[:outcomes, :outcomes] @ arm.gradient) / arm.n
        for arm in (control, treatment)
    )
    return linear_effect(control, treatment).variance / plain if plain > 0 else 1.0


def _covariance(weights: Float64Array, arm: Arm) -> Float64Array:
    products = weights @ arm.moments.covariance @ weights.T / arm.n
    terms = np.abs(weights) @ np.abs(arm.moments.covariance) @ np.abs(weights).T / arm.n
    # where the terms cancel to their last digits, what is left is rounding, and not a variance
    lost = _of_difference(products) <= ROUNDING * float(terms.sum())
    return np.zeros((2, 2)) if lost else np.asarray(products, dtype=np.float64)


def _of_difference(covariance: Float64Array) -> float:
    return max(float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]), 0.0)
