"""Critical values: one look after the other for spending functions, one constant for shapes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri, ndtri_exp

from abkit import _check
from abkit.sequential import _spending
from abkit.sequential._canonical import NEAR, log_crossings, point_above, start, walk
from abkit.sequential._spending import log_spent, log_steps

SPENDING = _spending.SPENDING
#: Boundaries that are one constant away from a fixed form.
SHAPES = ("obrien-fleming", "pocock", "wang-tsiatis", "haybittle-peto")
Bounds = tuple[float, ...]
_STEPS = 60
_ENOUGH = 1e-9  # a step this small leaves an error of nearly its square
_STILL = 1e-13


@dataclass(frozen=True, slots=True)
class Side:
    """What one side may spend, and how.

    Parameters
    ----------
    boundary : str, sequence of float, or callable
        One of `SHAPES` or of `SPENDING`, points of alpha spent, or a function of the time.
    shape : float or None
        The family's parameter.
    alpha, total : float
        Of this side, and of both.
    information, time : tuple of float
        At each look; the time is the share of alpha's clock.
    skip : frozenset of int
        Looks, from 0, without a bound.
    """

    boundary: object
    shape: float | None
    alpha: float
    total: float
    information: Bounds
    time: Bounds
    skip: frozenset[int] = frozenset()

    @property
    def spends(self) -> bool:
        """Whether alpha is spent by a function of the time, and not by the form of the bounds."""
        return not (isinstance(self.boundary, str) and self.boundary in SHAPES)

    def log_spent(self) -> _check.Float64Array:
        """Log of what is spent up to each look; a skipped look leaves its own to the next."""
        spent = log_spent("boundary", self.boundary, self.shape, (self.alpha, self.total), np.array(self.time))
        for k in sorted(self.skip):
            spent[k] = spent[k - 1] if k else -math.inf
        return spent

    def form(self) -> Callable[[float], Bounds]:
        """Upper bounds, given their constant."""
        if self.boundary == "haybittle-peto":
            early = self._early()
            return lambda constant: (*early, constant)
        multiples = np.array(self.information) / self.information[-1]
        multiples **= self._exponent()
        skipped = [k in self.skip for k in range(len(multiples))]
        return lambda constant: tuple(np.where(skipped, math.inf, constant * multiples).tolist())

    def upper(self, lower: Sequence[float] | None) -> Bounds:
        """Upper bounds beside given lower ones; None: their mirror image."""
        if self.spends:
            return _spending_bounds(self.information, log_steps(self.log_spent()).tolist(), lower)
        if self.boundary == "haybittle-peto":
            return _last_bound(self.information, self._early(), self.alpha, lower)
        return _form_bounds(self.information, self.form(), self.alpha, lower)

    def _exponent(self) -> float:
        if self.boundary == "wang-tsiatis":
            return _check.within("shape", _spending.given("shape", self.boundary, self.shape), -5, 1) - 0.5
        if self.shape is not None:
            raise ValueError(f"`shape` must be left out: {self.boundary!r} has none; got {_check.show(self.shape)}.")
        return -0.5 if self.boundary == "obrien-fleming" else 0.0

    def _early(self) -> Bounds:
        value = _check.within("shape", 3.0 if self.shape is None else self.shape, 0, math.inf)
        return tuple(math.inf if k in self.skip else value for k in range(len(self.information) - 1))


class NothingLeftError(ValueError):
    """The given bounds of a form spend all of alpha before the last look."""


def both_sides(above: Side, below: Side) -> tuple[Bounds, Bounds]:
    """Upper and lower bounds: each side in turn, beside what the other is so far, until neither moves."""
    if above == below:
        mirrored = above.upper(None)
        return mirrored, _negative(mirrored)
    upper: Bounds = (math.inf,) * len(above.information)
    lower = _negative(upper)
    for _ in range(_STEPS):
        before = upper, lower
        upper = above.upper(lower)
        lower = _negative(below.upper(_negative(upper)))
        if all(np.allclose(new, old, rtol=0, atol=_STILL) for new, old in zip((upper, lower), before, strict=True)):
            break
    return upper, lower


def secant(rising: Callable[[float], float], guess: float, slope: float) -> float:
    """Where an almost straight line passes zero; no bracket, since each value is a recursion."""
    here, value = guess, rising(guess)
    step = -value / slope
    for _ in range(_STEPS):
        if abs(step) <= _ENOUGH * max(1.0, abs(here)):
            break
        here, before = here + step, value
        value = rising(here)
        step *= value / (before - value)
    return here + step


def _negative(bounds: Bounds) -> Bounds:
    return tuple(-bound for bound in bounds)


def _spending_bounds(information: Bounds, steps: Sequence[float], lower: Sequence[float] | None) -> Bounds:
    far = max([0.0, *(-float(ndtri_exp(step)) for step in steps if step > -math.inf)])
    reach = math.hypot(far, NEAR)
    here = start(information, reach=(reach if lower is None else NEAR, reach))
    bounds: list[float] = []
    for k, step in enumerate(steps):
        bounds.append(point_above(here, step))
        if k + 1 < len(steps):
            here = here.advance(-bounds[k] if lower is None else lower[k], bounds[k])
    return tuple(bounds)


def _form_bounds(
    information: Bounds, form: Callable[[float], Bounds], alpha: float, lower: Sequence[float] | None
) -> Bounds:
    """The constant with which the form is crossed with probability alpha in all: secant steps on the normal scale.

    There the probability is almost a straight line of slope 1.
    """
    goal = -float(ndtri(alpha))

    def excess(constant: float) -> float:
        return goal + float(ndtri(crossed(information, form(constant), lower).sum()))

    guess = goal if len(information) == 1 else -float(ndtri(alpha / math.sqrt(len(information))))
    return form(secant(lambda constant: -excess(constant), guess, 1.0))


def _last_bound(information: Bounds, early: Bounds, alpha: float, lower: Sequence[float] | None) -> Bounds:
    """Given bounds at all looks but the last, and there what is left of alpha."""
    upper = (*early, math.inf)
    left = alpha - float(crossed(information, upper, lower).sum())
    if not left > 0:
        raise NothingLeftError(
            f"`shape` must leave some of alpha to the last look; {early[0]:g} spends all of it before."
        )
    below = _negative(upper) if lower is None else lower
    return (*early, point_above(walk(information, below, upper, (0.0, 0.0))[-1], math.log(left)))


def crossed(information: Bounds, upper: Bounds, lower: Sequence[float] | None) -> _check.Float64Array:
    """P(first crossing above at each look) where there is no effect; `lower` None: the mirror image."""
    below = _negative(upper) if lower is None else lower
    above, _ = log_crossings(walk(information, below, upper, (0.0, 0.0)), below, upper, 0.0)
    return np.exp(above)
