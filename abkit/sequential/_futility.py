"""Futility bounds by beta spending, and a harm bound: what is solved look by look beside the critical values.

Beta spending: at the effect for which the design has its power, the chance of a futility stop at look k is
beta(t_k) - beta(t_(k-1)) (Pampallona, Tsiatis and Kim 2001, Drug Information Journal 35(4)). That effect, as a drift
effect sqrt(I_K), is the one at which the last futility bound meets the last critical value. The recursion serves no
effect and that effect at once, so one pass over the looks gives both bounds for a drift.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from abkit._roots import secant
from abkit.sequential._boundaries import Bounds
from abkit.sequential._canonical import NEAR, Looks, log_crossings, point_above, point_below, start, walk

_FAR = 5.0


@dataclass(frozen=True, slots=True)
class Spent:
    """Critical values and futility bounds that belong together.

    Parameters
    ----------
    critical_values, futility : tuple of float
        One a look, the last two equal. With two sides futility is |z| below the bound.
    drift : float
        effect * sqrt(information at the last look) at which the design has its power.
    """

    critical_values: Bounds
    futility: Bounds
    drift: float


def spend_beta(
    information: Sequence[float],
    critical_values: Sequence[float],
    beta_spent: Sequence[float],
    sides: int,
    alpha_spent: Sequence[float] | None = None,
    guess: float | None = None,
    held: Sequence[float] = (),
) -> Spent:
    """Futility bounds that spend beta, and the drift at which they do.

    Parameters
    ----------
    information, critical_values : sequence of float
        Of every look; the critical values as they are without futility.
    beta_spent : sequence of float
        Type II error spent up to each look, rising, the last one 1 - power.
    sides : {1, 2}
        With 2, futility is |z| below its bound.
    alpha_spent : sequence of float, optional
        What each side spends up to each look. Given, futility is binding: the critical values are solved anew with its
        bounds in place.
    guess : float, optional
        Where the drift may be.
    held : sequence of float
        Futility bounds of looks that were held. They stay, and looks to come spend what they leave of beta.
    """
    last = math.sqrt(information[-1])
    alpha = None if alpha_spent is None else _log_steps(alpha_spent)
    if math.isinf(critical_values[-1]):
        raise ValueError("`futility` must have alpha left at the last look, whose critical value it meets.")

    def attempt(drift: float) -> tuple[float, list[float], list[float]]:
        return _attempt(information, critical_values, (beta_spent, held), sides, alpha, drift / last)

    guess = 1.02 * max(critical_values[-1] - float(ndtri(beta_spent[-1])), 0.1) if guess is None else guess
    drift = secant(lambda value: attempt(value)[0], guess, 1.5, 0.0)
    _, upper, lower = attempt(drift)
    if len(lower) + 1 < len(upper):
        raise ValueError("`futility` must leave beta to every look; it spends faster than looks this close allow.")
    return Spent(tuple(upper), (*lower, upper[-1]), drift)


def spend_beta_of_shape(
    information: Sequence[float],
    shape: Callable[[float], Bounds],
    beta_spent: Sequence[float],
    sides: int,
    alpha: float,
) -> Spent:
    """Binding futility where the critical values are a shape: its constant is solved with the futility bounds in place.

    Parameters
    ----------
    information, beta_spent, sides
        As in `spend_beta`.
    shape : function of a constant
        Critical values at every look; they rise with the constant.
    alpha : float
        Of one side.
    """
    near: list[tuple[float, float]] = []

    def attempt(constant: float) -> Spent:
        guess = None
        if len(near) > 1:  # the drift is nearly a straight line of the constant
            (before, early), (now, late) = near[-2:]
            guess = late + (late - early) * (constant - now) / (now - before)
        return spend_beta(information, shape(constant), beta_spent, sides, guess=guess)

    def lack(constant: float) -> float:
        spent = attempt(constant)
        near.append((constant, spent.drift))
        return math.log(alpha) - log_type_one_error(information, spent.critical_values, spent.futility, sides)

    return attempt(secant(lack, -float(ndtri(alpha)) + 0.1, 2.5, 0.0 if sides == 2 else -math.inf))


def critical_values_with(
    information: Sequence[float], futility: Sequence[float], sides: int, alpha_spent: Sequence[float]
) -> Bounds:
    """Critical values that spend alpha on each side with binding futility bounds in place."""
    steps = _log_steps(alpha_spent)
    here, result = start(information, (0.0, 0.0), (NEAR, 4 * NEAR)), []
    for k, bound in enumerate(futility):
        result.append(point_above(here, steps[k]))
        if not result[-1] > bound and k + 1 < len(futility):
            raise ValueError(f"`futility` must leave alpha to spend; at look {k + 1} it stops nearly every path.")
        here = go_on(here, bound, result[-1], sides) if k + 1 < len(futility) else here
    return tuple(result)


def shape_with(
    information: Sequence[float], shape: Callable[[float], Bounds], futility: Sequence[float], sides: int, alpha: float
) -> Bounds:
    """Critical values of a shape whose sides each have alpha with binding futility bounds in place."""

    def lack(constant: float) -> float:
        return math.log(alpha) - log_type_one_error(information, shape(constant), futility, sides)

    return shape(secant(lack, -float(ndtri(alpha / 2)), 2.0, 0.0 if sides == 2 else -math.inf))


def harm_bounds(information: Sequence[float], critical_values: Sequence[float], harm_spent: Sequence[float]) -> Bounds:
    """Lower bounds that are crossed with probability `harm_spent` up to each look when there is no effect.

    Futility stops are left out, so that they can only make a false conclusion of harm rarer.
    """
    steps = _log_steps(harm_spent)
    here, result = start(information, (0.0, 0.0), (4 * NEAR, NEAR)), []
    for k, upper in enumerate(critical_values):
        result.append(point_below(here, steps[k]))
        here = here.advance(result[-1], upper) if k + 1 < len(critical_values) else here
    return tuple(result)


def go_on(here: Looks, lower: float, upper: float, sides: int) -> Looks:
    """After the next look: between the bounds; with two sides, on either side of zero between them."""
    if sides == 1:
        return here.advance(lower, upper)
    return here.advance(-upper, upper, (-lower, lower) if lower > 0 else None)


def log_type_one_error(
    information: Sequence[float], critical_values: Sequence[float], futility: Sequence[float], sides: int
) -> float:
    """Log P(cross the upper critical values) without an effect, where futility stops are obeyed."""
    lower, gaps = futility, None
    if sides == 2:
        lower = [-bound for bound in critical_values]
        gaps = [(-bound, bound) if bound > 0 else None for bound in futility]
    looks = walk(information, lower, critical_values, (0.0, 0.0), gaps)
    return float(np.logaddexp.reduce(log_crossings(looks, lower, critical_values, 0.0)[0]))


def _attempt(
    information: Sequence[float],
    critical_values: Sequence[float],
    beta: tuple[Sequence[float], Sequence[float]],
    sides: int,
    alpha: Sequence[float] | None,
    effect: float,
) -> tuple[float, list[float], list[float]]:
    """Bounds at one effect, and how much the last look's share of beta exceeds what is left for it (log scale)."""
    (beta_spent, held), gone = beta, 0.0
    reach = NEAR, math.hypot(NEAR, max(value for value in critical_values if math.isfinite(value)))
    here = start(information, (effect if alpha is None else 0.0, effect), reach)
    upper = list(critical_values)
    lower: list[float] = []
    for k in range(len(upper)):
        if alpha is not None:
            upper[k] = point_above(here, alpha[k])
        if k < len(held):
            lower.append(held[k])
            gone += math.exp(_log_within(here, held[k], sides, effect))
            here = go_on(here, held[k], upper[k], sides)
            continue
        step = beta_spent[k] - gone
        gone = max(gone, beta_spent[k])
        log_step = math.log(step) if step > 0 else -math.inf
        lack = log_step - _log_within(here, upper[k], sides, effect)
        if k + 1 == len(upper):
            return min(max(lack, -_FAR), _FAR), upper, lower
        if lack > 0:  # beta cannot be spent as early as this: the effect is far too large
            return _FAR, upper, lower
        lower.append(_futile(here, upper[k], log_step, sides, effect))
        here = go_on(here, lower[k], upper[k], sides)
    raise AssertionError("a design has a look")


def _futile(here: Looks, upper: float, log_mass: float, sides: int, effect: float) -> float:
    if sides == 1:
        return point_below(here, log_mass, effect)
    if log_mass == -math.inf:
        return 0.0
    wide = min(upper, effect * math.sqrt(here.information[here.passed]) + NEAR)
    return secant(lambda z: _log_within(here, z, 2, effect) - log_mass, wide / 2, 2.0 / wide, 0.0, wide)


def _log_within(here: Looks, bound: float, sides: int, effect: float) -> float:
    """Log P(go on so far, then Z, or |Z|, below a bound)."""
    below = float(here.log_below(bound, effect))
    if sides == 1:
        return below
    beneath = float(here.log_below(-bound, effect)) if bound > 0 else below
    return below + math.log(-math.expm1(beneath - below)) if beneath < below else -math.inf


def _log_steps(spent: Sequence[float]) -> Bounds:
    with np.errstate(divide="ignore"):
        return tuple(np.log(np.diff(np.asarray(spent, dtype=np.float64), prepend=0.0)).tolist())
