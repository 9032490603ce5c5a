"""When the mean of a sample is not near enough to normal: what a test of means then warns of."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from abkit._check import Float64Array
from abkit.suffstats._base import Statistics

#: Skewness of the estimate beyond which Welch's test was found to miss 5% by more than a point (docs/calibration.md).
LARGEST_SKEWNESS = 0.12
FEWEST_UNITS = 5


@dataclass(frozen=True, slots=True)
class Shape:
    """How the value of one variant is spread over repeated samples; a skewness of None is unknown."""

    n: int
    stderr: float
    skewness: float | None


def mean_caution(control: object, treatment: object, instead: str) -> str | None:
    """A caution where samples are too few or too skewed for a normal mean; None for statistics, which do not show it.

    The first error of a normal p-value is proportional to the skewness of the difference of the means (Hall 1992,
    The Bootstrap and Edgeworth Expansion, sec. 2.6), in which equal variants' own skewness cancels.
    """
    if isinstance(control, Statistics) or isinstance(treatment, Statistics):
        return None
    samples = [np.asarray(sample, dtype=np.float64) for sample in (control, treatment)]
    deviations = [sample - sample.mean() if len(sample) else sample for sample in samples]
    largest = max(float(np.abs(deviation).max(initial=0.0)) for deviation in deviations)
    c, t = (_of_mean(deviation / (largest or 1.0)) for deviation in deviations)
    return shape_caution(c, t, instead)


def shape_caution(control: Shape, treatment: Shape, instead: str) -> str | None:
    """The caution of `mean_caution`, from what is known of the two values."""
    smallest = min(control.n, treatment.n)
    if smallest < FEWEST_UNITS:
        return (
            f"a variant has {smallest} units only, too few for the error rate to be near its nominal level; {instead}"
        )
    if control.stderr == treatment.stderr == 0:
        return None
    if control.stderr == 0 or treatment.stderr == 0:
        return f"all units of one variant have the same value; {instead}"
    skewness = abs(skewness_of_difference(control, treatment) or 0.0)
    if skewness > LARGEST_SKEWNESS:
        return (
            f"the estimate is skewed ({skewness:.2f}, where at most {LARGEST_SKEWNESS} is near enough to normal), so "
            f"the error rate may miss its nominal level; {instead}"
        )
    return None


def skewness_of_difference(control: Shape, treatment: Shape) -> float | None:
    """Third cumulant of treatment minus control over the cube of its standard error; None where that is unknown."""
    total = math.hypot(control.stderr, treatment.stderr)
    if control.skewness is None or treatment.skewness is None or not total:
        return None
    return treatment.skewness * (treatment.stderr / total) ** 3 - control.skewness * (control.stderr / total) ** 3


def shape_of_sum(n: int, squares: float, cubes: float | None) -> Shape:
    """The shape of a mean, from sums of squares and of cubes of the units' deviations from it."""
    if n < 2 or not squares > 0:
        return Shape(n, 0.0, 0.0)
    # third cumulant cubes / n^3 over variance squares / (n (n - 1)), in an order that overflows least
    skewness = None if cubes is None else cubes / squares / math.sqrt(squares) * ((n - 1) / n) ** 1.5
    return Shape(n, math.sqrt(squares / n / (n - 1)), skewness)


def _of_mean(deviations: Float64Array) -> Shape:
    squares = deviations * deviations
    return shape_of_sum(len(deviations), float(squares.sum()), float((squares * deviations).sum()))
