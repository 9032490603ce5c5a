"""Regression answers that co-moments give exactly: no unit's own residual is needed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from abkit._check import Float64Array
from abkit.inference._least_squares import COLLINEAR, NOT_TOLD_APART
from abkit.inference._linear import ROUNDING, linear_effect, mean_arm
from abkit.inference._mean_effect import MeanEffect, satterthwaite
from abkit.suffstats import CoMoments


def effect_of_comoments(control: CoMoments, treatment: CoMoments, covariance: str, *, interactions: bool) -> MeanEffect:
    """The effect where the first variable is the outcome; HC0 to HC3 where it is the only one."""
    if covariance == "linearised":
        return linear_effect(mean_arm(control), mean_arm(treatment))
    if covariance == "classical":
        return _classical(control, treatment, interactions=interactions)
    return _two_means(control, treatment, covariance)


def _two_means(control: CoMoments, treatment: CoMoments, covariance: str) -> MeanEffect:
    """Without covariates a unit's leverage is one over its variant's size, and sums of squares are enough."""
    sizes = int(control.n), int(treatment.n)
    n = sum(sizes)
    factors = {
        "HC0": [1 / size for size in sizes],
        "HC1": [n / (n - 2) / size for size in sizes],
        "HC2": [1 / (size - 1) for size in sizes],
        "HC3": [size / (size - 1) ** 2 for size in sizes],
    }[covariance]
    variances = [
        float(arm.m2[0, 0]) / size * factor
        for arm, size, factor in zip((control, treatment), sizes, factors, strict=True)
    ]
    df = satterthwaite(1 / sizes[0], sizes[0], 1 / sizes[1], sizes[1]) if covariance == "HC2" else float(n - 2)
    return MeanEffect(float(control.mean[0]), float(treatment.mean[0]), variances[0], variances[1], 0.0, df)


def _classical(control: CoMoments, treatment: CoMoments, *, interactions: bool) -> MeanEffect:
    """Least squares with one residual variance for all units (Draper and Smith 1998, sec. 3.1)."""
    arms, n = (control, treatment), int(control.n) + int(treatment.n)
    fits = [_slopes(arm.m2) for arm in arms] if interactions else [_slopes(control.m2 + treatment.m2)]
    df = n - 2 - sum(fit.rank for fit in fits)
    if df < 1:
        raise ValueError(
            f"`control` and `treatment` must have more units than the regression has coefficients; got {n}."
        )
    variance = sum(fit.residual for fit in fits) / df
    centre = control.mean + int(treatment.n) / n * (treatment.mean - control.mean)
    distances = [(centre - arm.mean)[1:] for arm in arms]
    both = fits if interactions else fits * 2
    if any(fit.blind_to(distance) for fit, distance in zip(both, distances, strict=True)):
        raise ValueError(f"{NOT_TOLD_APART}.")
    means = [float(arm.mean[0] + fit.slopes @ d) for arm, fit, d in zip(arms, both, distances, strict=True)]
    variances = [
        variance * (1 / int(arm.n) + float(d @ fit.inverse @ d))
        for arm, fit, d in zip(arms, both, distances, strict=True)
    ]
    shared = 0.0 if interactions else variance * float(distances[0] @ fits[0].inverse @ distances[1])
    return MeanEffect(means[0], means[1], variances[0], variances[1], shared, float(df))


@dataclass(frozen=True, slots=True)
class _Slopes:
    slopes: Float64Array
    inverse: Float64Array
    unseen: Float64Array
    rank: int
    residual: float

    def blind_to(self, distance: Float64Array) -> bool:
        """Whether the slope along a distance of the covariates is unknown."""
        along = float(distance @ self.inverse @ distance)
        return float(((self.unseen @ distance) ** 2).sum()) > COLLINEAR * along + ROUNDING


def _slopes(products: Float64Array) -> _Slopes:
    """Slopes of the first variable on the others from their products of deviations."""
    scale = np.sqrt(np.diagonal(products)[1:])
    scale = np.where(scale > 0, scale, 1.0)
    values, vectors = np.linalg.eigh(products[1:, 1:] / np.outer(scale, scale))
    free = values > COLLINEAR
    half = vectors[:, free] / np.sqrt(values[free]) / scale[:, None]
    slopes = half @ (half.T @ products[1:, 0])
    weights = np.concatenate([[1.0], -slopes])
    residual = float(weights @ products @ weights)
    rounding = ROUNDING * float(np.abs(weights) @ np.abs(products) @ np.abs(weights))
    unseen = vectors[:, ~free].T / scale
    return _Slopes(slopes, half @ half.T, unseen, int(free.sum()), residual if residual > rounding else 0.0)
