"""When an asymptotic sequence may start: until then its normal approximation is not to be trusted.

An interval that is right "for a late enough start" says nothing of which start that is. With a small or skewed variant
the share of sequences that ever leave out the truth reached 56% in simulations (docs/calibration-sequential.md); the
limits below are those from which it stayed under alpha.
"""

from __future__ import annotations

#: Units of the smaller variant.
FEWEST_UNITS = 100
#: Units of the smaller variant whose outcome is not the commonest one: conversions, buyers, errors.
FEWEST_EVENTS = 30
#: Skewness of the estimate itself, its third cumulant over the cube of its standard error.
LARGEST_SKEWNESS = 0.2

COUNTS = "the exact sequence of two proportions or of event counts"
BOUNDED = "an exact sequence for bounded values (empirical-bernstein, betting), or a cap"


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
        Skewness of the estimate; None where it is not measured.
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
            f"wait, or use {BOUNDED}"
        )
    return None
