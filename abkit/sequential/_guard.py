"""When an asymptotic sequence may start: until then its normal approximation is not to be trusted.

An interval that is right "for a late enough start" says nothing of which start that is. With a small or skewed variant
the share of sequences that ever leave out the truth reached 56% in simulations; the limits below are those from which
it stayed under alpha at every allocation and for every kind of data tried (docs/calibration-sequential.md).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from abkit._check import Float64Array

#: Units of the smaller variant.
FEWEST_UNITS = 100
#: Units of the smaller variant whose outcome is not the commonest one: conversions, buyers, errors.
FEWEST_EVENTS = 30
#: Skewness of the estimate, as `skewness` takes it.
LARGEST_SKEWNESS = 0.2

COUNTS = "an exact sequence: of two proportions, of event counts or of bounded values"
CAPPED = "a cap, or an exact sequence of bounded values"


def burn_in(units: float, smaller: float, events: float | None, skewness: float | None) -> str | None:
    """Why the burn-in is not over, in a sentence; None when it is.

    Parameters
    ----------
    units : float
        Units of both variants.
    smaller : float
        Units of the smaller variant.
    events : float, optional
        Units of the smaller variant with another outcome than the commonest one; None where it is not measured.
    skewness : float, optional
        That of the estimate, from the function of this name; None where it is not measured.
    """
    if not smaller >= FEWEST_UNITS:
        return (
            f"the smaller variant has {smaller:,.0f} of {units:,.0f} units, where the asymptotic sequence needs at "
            f"least {FEWEST_UNITS}: wait, or use {COUNTS}"
        )
    if events is not None and not events >= FEWEST_EVENTS:
        return (
            f"the smaller variant has {events:,.0f} units with an event, where the asymptotic sequence needs at least "
            f"{FEWEST_EVENTS}: wait, or use {COUNTS}"
        )
    if skewness is not None and not abs(skewness) <= LARGEST_SKEWNESS:
        return (
            f"the estimate is skewed ({skewness:.2f}, where at most {LARGEST_SKEWNESS} is near enough to normal): "
            f"wait, or use {CAPPED}"
        )
    return None


class Shape(NamedTuple):
    """What a variant's units show of their distribution, at one look or at several."""

    n: npt.ArrayLike
    variance: npt.ArrayLike
    third: npt.ArrayLike  # third central moment

    def skewness(self) -> Float64Array:
        """Skewness of one unit; 0 where all are alike."""
        deviation = np.sqrt(np.asarray(self.variance, dtype=np.float64))
        deviation = np.where(deviation > 0, deviation, np.inf)
        return np.asarray(np.asarray(self.third) / deviation / deviation / deviation)


def skewness(control: Shape, treatment: Shape) -> Float64Array:
    """Skewness of the difference of two means, at each look; nan where it has no variance.

    A small sample hides the skewness of a heavy tail, and hides it best when its mean and its standard error are too
    small, which is when the false alarm comes. So the larger in size of two answers counts: what the variants show of
    themselves, and what it would be if the smaller had the shape of the larger, which has seen more of the tail.
    Of variants of one size and shape the difference is symmetric: they cancel.
    """
    n_c, n_t = (np.asarray(side.n, dtype=np.float64) for side in (control, treatment))
    skew_c, skew_t = control.skewness(), treatment.skewness()
    of_c, of_t = np.asarray(control.variance) / n_c, np.asarray(treatment.variance) / n_t
    with np.errstate(invalid="ignore"):
        own = _weighed(n_c, n_t, of_c / (of_c + of_t), skew_c, skew_t)
    larger = np.where(n_c > n_t, skew_c, skew_t)
    lent = _weighed(n_c, n_t, n_t / (n_c + n_t), larger, larger)
    return np.where(np.abs(lent) > np.abs(own), lent, own)


def _weighed(
    n_c: Float64Array, n_t: Float64Array, share: Float64Array, skew_c: Float64Array, skew_t: Float64Array
) -> Float64Array:
    """Skewness of a difference to whose variance the control adds `share`."""
    return np.asarray(skew_t * (1 - share) ** 1.5 / np.sqrt(n_t) - skew_c * share**1.5 / np.sqrt(n_c))
