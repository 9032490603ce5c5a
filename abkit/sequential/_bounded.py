"""Means of bounded values in arrival order: the predictable bets, the score of two variants, empirical Bernstein."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.sequential._cumulative import numbers_of_looks, pairs_of_looks
from abkit.sequential._sequence import ConfidenceSequence
from abkit.suffstats._base import IntArray, Statistics
from abkit.types import ALTERNATIVES, Alternative

LARGEST_BET = 0.5  # c of the paper: no bet risks more than half of the capital


class Capital(Protocol):
    """Evidence that the mean of values in [0, 1] exceeds m: a supermartingale where it does not."""

    def estimate(self, looks: IntArray) -> Float64Array:
        """The estimate of the mean after each look's values."""

    def ends(self, looks: IntArray) -> Float64Array:
        """The smallest m, at each look, against which the log capital is below its goal."""

    def log_capital(self, null: Float64Array, looks: IntArray) -> Float64Array:
        """The log capital at each look against the null of that look."""


MakeCapital = Callable[[Float64Array, float], Capital]


def empirical_bernstein_sequence(  # noqa: PLR0913 - the face of both bounded methods
    data: object,
    treatment: object = None,
    *,
    bounds: tuple[float, float] = (0.0, 1.0),
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
    looks: object = None,
    assigned: object = None,
    share: float | None = None,
) -> ConfidenceSequence:
    """Mean of bounded values, or a difference of two, at any time, in closed form.

    Answers: where is the mean, however often one looks, when values are known to be bounded and nothing else is?

    Parameters
    ----------
    data : array_like, shape (n,)
        Values in the order of arrival, within `bounds`; with `treatment`, those of the control.
    treatment : array_like, shape (m,), optional
        The treatment's values in their order of arrival, where the order between variants is not known.
    bounds : (float, float)
        What no value can lie below and above, known beforehand; an observed minimum or maximum is not a bound.
    alpha : float
        Probability that the mean is ever left out, between 0 and 1.
    alternative : {"two-sided", "greater", "less"}
        "greater": only the lower end, at the whole of alpha.
    looks : array_like of int, optional
        After how many values to answer; by default after each. Of two samples, pairs (control, treatment), and by
        default the end only.
    assigned : array_like of 0 and 1, shape (n,), optional
        Which of the values are the treatment's: the answer is then the treatment's mean minus the control's.
    share : float
        The probability with which each unit was assigned to the treatment; needed with `assigned`.

    Returns
    -------
    ConfidenceSequence
        Of the mean, or of the treatment's mean minus the control's. `estimate` is the centre: a mean weighted by bets.

    Raises
    ------
    ValueError
        A value outside `bounds`, statistics in place of values, no values, or looks out of order.

    Notes
    -----
    With values on [0, 1], mean_t = (1/2 + sum X) / (t + 1), var_t = (1/4 + sum (X_i - mean_i)^2) / (t + 1),
    bet_t = min(1/2, sqrt(2 L / (var_{t-1} t log(1 + t)))) and L = log(2 / alpha), or log(1 / alpha) on one side:
    (sum bet X +- (L + sum (X_i - mean_{i-1})^2 (-log(1 - bet_i) - bet_i))) / sum bet [1]_, within the bounds. Every bet
    is made before its value comes, so the order of rows matters and statistics cannot give the answer.

    It holds at any sample size as long as each value's mean, given those before, is the same, and is as quick as a sum.
    With few values or little variance `betting_sequence` is about half as wide. A bound far above most values costs its
    width times a logarithm over t; where no bound is known, or only moments are, use "asymptotic".

    With `assigned`, the values are (X - centre)(A / share - (1 - A) / (1 - share)), with the mean of all values before
    as the centre [2]_, which are bounded by the width over the smaller share. Two samples share alpha.

    References
    ----------
    .. [1] Waudby-Smith and Ramdas 2024, JRSS B 86(1), thm 2 and eq. 15.
    .. [2] Horvitz and Thompson 1952, JASA 47(260); Howard et al. 2021, Annals of Statistics 49(2), cor. 2.

    Examples
    --------
    >>> import numpy as np
    >>> import abkit as ab
    >>> values = np.random.default_rng(1).beta(2, 6, 5_000)
    >>> result = ab.confidence_sequence(values, method="empirical-bernstein", looks=[500, 5_000])
    >>> result.low.round(3).tolist(), result.high.round(3).tolist()
    ([0.22, 0.242], [0.265, 0.256])
    """
    request = Request("empirical-bernstein", bounds, alpha, alternative, looks)
    return bounded_sequence(Bernstein, request, data, treatment, assigned, share)


@dataclass(frozen=True, eq=False, slots=True)
class Bernstein:
    """The empirical Bernstein supermartingale of Waudby-Smith and Ramdas (2024), thm 2."""

    bet: Float64Array
    won: Float64Array
    cost: Float64Array
    goal: float

    def __init__(self, x: Float64Array, goal: float) -> None:
        bet = np.minimum(bets(x, goal), LARGEST_BET)
        cost = (x - _means_before(x)) ** 2 * (-np.log1p(-bet) - bet)
        values = {"bet": np.cumsum(bet), "won": np.cumsum(bet * x), "cost": np.cumsum(cost), "goal": goal}
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def estimate(self, looks: IntArray) -> Float64Array:
        """The mean weighted by bets."""
        return np.asarray(self.won[looks - 1] / self.bet[looks - 1])

    def ends(self, looks: IntArray) -> Float64Array:
        """Where the log capital, which is linear in m, is at its goal."""
        return np.maximum(0.0, self.estimate(looks) - (self.goal + self.cost[looks - 1]) / self.bet[looks - 1])

    def log_capital(self, null: Float64Array, looks: IntArray) -> Float64Array:
        """The sum of bet (X - m) less its cost."""
        return np.asarray(self.won[looks - 1] - null * self.bet[looks - 1] - self.cost[looks - 1])


def bets(x: Float64Array, goal: float) -> Float64Array:
    """What each value is bet at, before it comes (Waudby-Smith and Ramdas 2024, eq. 26)."""
    t = np.arange(1, x.size + 1)
    squares = np.cumsum((x - (0.5 + np.cumsum(x)) / (t + 1)) ** 2)
    variance = np.concatenate([[0.25], (0.25 + squares[:-1]) / (t[:-1] + 1)])
    return np.asarray(np.sqrt(2 * goal / (variance * t * np.log1p(t))))


def _means_before(x: Float64Array) -> Float64Array:
    total = np.concatenate([[0.0], np.cumsum(x[:-1])])
    return np.asarray((0.5 + total) / np.arange(1, x.size + 1))


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of a sequence, checked."""

    method: str
    bounds: tuple[float, float]
    alpha: float
    alternative: Alternative
    looks: object

    def __post_init__(self) -> None:
        object.__setattr__(self, "bounds", _bounds(self.bounds))
        object.__setattr__(self, "alpha", _check.within("alpha", self.alpha, 0, 1))
        _check.choice("alternative", self.alternative, ALTERNATIVES)

    @property
    def sides(self) -> int:
        """How many ends share alpha."""
        return 2 if self.alternative == "two-sided" else 1


def bounded_sequence(
    capital: MakeCapital, request: Request, data: object, treatment: object, assigned: object, share: float | None
) -> ConfidenceSequence:
    """The sequence of one mean, of two variants in one order of arrival, or of two samples."""
    if (assigned is None) != (share is None):
        raise ValueError("`assigned` and `share` must be given together: who is treated, and with what probability.")
    if treatment is not None and assigned is not None:
        raise ValueError("`assigned` must not come with `treatment`: the values are either in one order, or in two.")
    x = unit_values("data", data, request)
    if treatment is not None:
        return _two_samples(capital, request, x, unit_values("treatment", treatment, request))
    low, high = request.bounds
    if assigned is None or share is None:
        return _one_sample(capital, request, x, (low, high), (low, high))
    scores, reach = _scores(x, assigned, _check.within("share", share, 0, 1))
    width = high - low
    return _one_sample(capital, request, scores, (-reach * width, reach * width), (-width, width))


def _one_sample(
    capital: MakeCapital,
    request: Request,
    x: Float64Array,
    scale: tuple[float, float],
    possible: tuple[float, float],
) -> ConfidenceSequence:
    """Values on [0, 1], which stand for those of `scale`, whose mean is one of the `possible`."""
    looks, goal = numbers_of_looks(request.looks, x.size), math.log(request.sides / request.alpha)
    up, down = capital(x, goal), capital(1 - x, goal)
    start, width = scale[0], scale[1] - scale[0]

    def log_evalue(null: float) -> Float64Array:
        refuse_impossible(null, possible)
        m = np.full(looks.size, min(max((null - start) / width, 0.0), 1.0))
        return _joined(request, lambda: up.log_capital(m, looks), lambda: down.log_capital(1 - m, looks))

    low = None if request.alternative == "less" else np.maximum(start + width * up.ends(looks), possible[0])
    high = None if request.alternative == "greater" else np.minimum(scale[1] - width * down.ends(looks), possible[1])
    return _answer(request, looks, start + width * up.estimate(looks), (low, high), log_evalue)


def _two_samples(
    capital: MakeCapital, request: Request, control: Float64Array, treatment: Float64Array
) -> ConfidenceSequence:
    """Each variant's mean at half of alpha."""
    looks_c, looks_t = pairs(request.looks, control.size, treatment.size)
    goal = math.log(2 * request.sides / request.alpha)
    up_c, down_c, up_t, down_t = (capital(x, goal) for x in (control, 1 - control, treatment, 1 - treatment))
    width = request.bounds[1] - request.bounds[0]

    def log_evalue(null: float) -> Float64Array:
        refuse_impossible(null, (-width, width))
        d = null / width
        return _joined(
            request,
            lambda: _least(down_c, looks_c, up_t, looks_t, d) - math.log(2),
            lambda: _least(down_t, looks_t, up_c, looks_c, -d) - math.log(2),
        )

    low = high = None
    if request.alternative != "less":
        low = width * (up_t.ends(looks_t) - (1 - down_c.ends(looks_c)))
    if request.alternative != "greater":
        high = width * ((1 - down_t.ends(looks_t)) - up_c.ends(looks_c))
    estimate = width * (up_t.estimate(looks_t) - up_c.estimate(looks_c))
    return _answer(request, looks_c + looks_t, estimate, (low, high), log_evalue)


def _least(below: Capital, looks_b: IntArray, above: Capital, looks_a: IntArray, difference: float) -> Float64Array:
    """The least evidence against any two means that differ by so much: that one is lower, or the other one higher.

    The first rises and the second falls in the mean, so that the larger of them is least where they meet.
    """
    low = np.full(looks_b.size, max(0.0, -difference))
    high = np.full(looks_b.size, min(1.0, 1.0 - difference))

    def both(m: Float64Array) -> tuple[Float64Array, Float64Array]:
        moved = np.clip(m + difference, 0.0, 1.0)
        return below.log_capital(1 - m, looks_b), above.log_capital(moved, looks_a)

    for _ in range(60):
        middle = low + (high - low) / 2
        lower, higher = both(middle)
        low, high = np.where(lower < higher, middle, low), np.where(lower < higher, high, middle)
    return np.minimum(np.maximum(*both(low)), np.maximum(*both(high)))


def _joined(request: Request, up: Callable[[], Float64Array], down: Callable[[], Float64Array]) -> Float64Array:
    if request.alternative == "two-sided":
        return np.maximum(up(), down()) - math.log(2)
    return up() if request.alternative == "greater" else down()


def _answer(
    request: Request,
    looks: IntArray,
    estimate: Float64Array,
    ends: tuple[Float64Array | None, Float64Array | None],
    log_evalue: Callable[[float], Float64Array],
) -> ConfidenceSequence:
    low, high = ends
    return ConfidenceSequence(
        method=request.method,
        validity="exact",
        alpha=request.alpha,
        alternative=request.alternative,
        n=looks,
        estimate=estimate,
        low=np.full(looks.size, -math.inf) if low is None else low,
        high=np.full(looks.size, math.inf) if high is None else high,
        log_evalue=log_evalue,
        order_matters=True,
    )


def _scores(x: Float64Array, assigned: object, share: float) -> tuple[Float64Array, float]:
    """What each value says of the difference, on [0, 1], and how far it can lie from none, in widths of the bounds."""
    arms = _check.sample("assigned", assigned)
    if arms.shape != x.shape:
        raise ValueError(f"`assigned` must have one entry a value, {x.size}; got {arms.size}.")
    if not np.all((arms == 0) | (arms == 1)):
        raise ValueError("`assigned` must hold 0 (control) and 1 (treatment) only.")
    reach = 1 / min(share, 1 - share)
    score = (x - _means_before(x)) * np.where(arms == 1, 1 / share, -1 / (1 - share))
    return np.clip((score / reach + 1) / 2, 0.0, 1.0), reach


def unit_values(name: str, values: object, request: Request) -> Float64Array:
    """Values in arrival order, scaled from their bounds to [0, 1]."""
    if isinstance(values, Statistics):
        raise ValueError(
            f"`{name}` must be the values in their order of arrival; got {type(values).__name__}. The order matters to "
            f"{request.method}, and statistics do not hold it."
        )
    sample = _check.observations(name, values)
    if sample.size == 0:
        raise ValueError(f"`{name}` must hold at least 1 value; got none.")
    low, high = request.bounds
    outside = sample[(sample < low) | (sample > high)]
    if outside.size:
        raise ValueError(
            f"`{name}` must lie within `bounds`, {low:g} to {high:g}; got {outside.size} value(s) outside, the first "
            f"{outside[0]:g}."
        )
    return np.clip((sample - low) / (high - low), 0.0, 1.0)


def pairs(looks: object, n_control: int, n_treatment: int) -> tuple[IntArray, IntArray]:
    """How many values of each sample had come at each look; never none."""
    counts = pairs_of_looks(looks, n_control, n_treatment)
    if np.any(counts < 1):
        raise ValueError(f"`looks` must be at least 1 of each variant; got {_check.show(looks)}.")
    return counts[:, 0], counts[:, 1]


def refuse_impossible(null: float, possible: tuple[float, float]) -> None:
    """A null that no data could have is a mistake, not a rejection."""
    if not possible[0] <= null <= possible[1]:
        raise ValueError(f"`null` must be from {possible[0]:g} to {possible[1]:g}; got {null:g}.")


def _bounds(bounds: object) -> tuple[float, float]:
    if not isinstance(bounds, (tuple, list)) or len(bounds) != 2:
        raise TypeError(f"`bounds` must be a pair of numbers; got {_check.show(bounds)}.")
    low, high = _check.number("bounds", bounds[0]), _check.number("bounds", bounds[1])
    if not low < high < _check.LARGEST or not low > -_check.LARGEST:
        raise ValueError(f"`bounds` must be a lower and a higher number; got {low:g} and {high:g}.")
    return low, high
