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
    """How the mean of one variant is spread, at one look or at several: its units, standard error and skewness."""

    n: npt.ArrayLike
    stderr: npt.ArrayLike
    skewness: npt.ArrayLike

    @classmethod
    def of(cls, n: npt.ArrayLike, variance: npt.ArrayLike, third: npt.ArrayLike) -> Shape:
        """From the variance and the third central moment of a unit."""
        deviation = np.sqrt(variance)
        scale = np.where(deviation > 0, deviation, np.inf)
        return cls(n, deviation / np.sqrt(n), third / scale / scale / scale / np.sqrt(n))


def skewness(control: Shape, treatment: Shape) -> Float64Array:
    """Skewness of the difference of two means, at each look; nan where it has no variance.

    A small sample hides the skewness of a heavy tail, and hides it best when its mean and its standard error are too
    small, which is when the false alarm comes. So the larger in size of two answers counts: what the variants show of
    themselves, and what it would be if the smaller had the shape of the larger, which has seen more of the tail.
    Of variants of one size and shape the difference is symmetric: they cancel.
    """
    (n_c, stderr_c, skew_c), (n_t, stderr_t, skew_t) = (map(np.asarray, side) for side in (control, treatment))
    with np.errstate(invalid="ignore"):
        own = _joined(skew_c, skew_t, stderr_c / np.hypot(stderr_c, stderr_t))
    unit = np.where(n_c > n_t, skew_c * np.sqrt(n_c), skew_t * np.sqrt(n_t))
    lent = _joined(unit / np.sqrt(n_c), unit / np.sqrt(n_t), np.sqrt(n_t / (n_c + n_t)))
    return np.where(np.abs(lent) > np.abs(own), lent, own)


def _joined(skew_c: Float64Array, skew_t: Float64Array, share: Float64Array) -> Float64Array:
    """Skewness of a difference, of whose standard error the control's is a share."""
    return np.asarray(skew_t * (1 - share * share) ** 1.5 - skew_c * share**3)
