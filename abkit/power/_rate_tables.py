"""The exact test of two Poisson rates: the chance that it rejects, added up over the number of all events."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from scipy.special import betainc, gammaln, ndtri

from abkit._check import Float64Array
from abkit.power._question import Question
from abkit.power._result import NoSolution, PowerResult
from abkit.power._task import Model

#: Two p-values that differ by rounding only are the same.
_TIE = 1e-9
_REACH, _POINTS, _MANY = 9.0, 600, 1e5
_STEPS = 200
#: Events from which on the effects of the exact test are those of the score test to 1e-8, and where numbers are whole.
_SAME = 1e15


class _Case(NamedTuple):
    """One question, as numbers."""

    n: float
    mde: float
    power: float
    rate: float
    unit: float
    exposure: float
    tail: float
    margin: float
    ratio: float


def added_up(asked: Question, model: Model, found: Any) -> PowerResult | NoSolution:
    """The exact answer to what has been `found` for the score test."""
    given = [math.nan if value is None else value for value in (found.n_control, found.mde, found.power)]
    ratio = math.nan if asked.ratio is None else asked.ratio
    every = np.broadcast_arrays(*given, *model.parameters[:3], asked.tail, asked.margin, ratio)
    shape = every[0].shape
    if isinstance(found, NoSolution):
        reasons = [found.reason]
    else:
        reasons = [""] * every[0].size if found.reasons is None else list(np.ravel(found.reasons))
    cases = [_Case(*values) for values in zip(*(value.ravel().tolist() for value in every), strict=True)]
    answers = [_solve(asked, model, found.solved, *each) for each in zip(cases, reasons, strict=True)]
    assumed = (*found.assumptions[:-1], _ASSUMED)
    if isinstance(found, NoSolution):
        return replace(found, assumptions=assumed, reason=answers[0][1])
    values = np.array([value for value, _ in answers]).reshape(shape)
    why = np.array([reason for _, reason in answers], dtype=object).reshape(shape)
    name = "n_control" if found.solved == "n" else found.solved
    solved = {name: values if shape else float(values)}
    if found.solved == "n" or asked.ratio is None:
        n, mde = (solved.get(field, getattr(found, field)) for field in ("n_control", "mde"))
        treated = np.vectorize(lambda n, mde, *rest: _treated(asked, model, _Case(n, mde, math.nan, *rest)))
        others = treated(n, mde, *every[3:])
        solved["n_treatment"] = others if shape else float(others)
    if shape == () and why.item():
        sizes = found.n_control, found.n_treatment
        return NoSolution(found.question, found.solved, *sizes, None, found.power, found.alpha, assumed, why.item())
    result: PowerResult = replace(found, **solved, assumptions=assumed, reasons=why if why.any() else None)
    return result


def _treated(asked: Question, model: Model, case: _Case) -> float:
    if asked.ratio is not None:
        return case.n * case.ratio
    edge = -1.0 if asked.hypothesis != "superiority" else 1.0
    parts = (case.n, case.mde, case.margin * edge * asked.way, case.rate, case.unit, case.exposure, 0.0, case.tail)
    return case.n * float(model.best_ratio(*(np.array([part]) for part in parts))[0])


def _solve(asked: Question, model: Model, solved: str, case: _Case, reason: str) -> tuple[float, str]:
    def chance(**changed: float) -> float:
        return _power(asked, model, case._replace(**changed))

    events = case.n * case.exposure * max(case.rate, case.rate + case.mde * case.unit)
    if reason or events > _SAME:
        return getattr(case, solved), reason
    if solved == "power":
        return chance(), ""
    if solved == "n":
        root = _root(lambda log_n: chance(n=math.exp(log_n)) - case.power, math.log(case.n), 0.02, math.inf)
        return math.exp(root), ""
    inside = asked.between
    edge = 0.0 if inside else case.margin * (-1 if asked.hypothesis == "non-inferiority" else 1) * asked.way
    way = 1.0 if inside else asked.way
    most = case.margin if inside else math.inf if way > 0 else edge + case.rate / case.unit

    def lack(log_size: float) -> float:
        gap = chance(mde=edge + way * math.exp(log_size)) - case.power
        return -gap if inside else gap

    if inside and chance(mde=0.0) < case.power:
        return math.nan, f"where there is no difference at all the power is {chance(mde=0.0):.6g}, below {case.power:g}"
    limit = math.log(most) - 1e-12 if math.isfinite(most) else math.inf
    if not inside and math.isfinite(limit) and lack(limit) < 0:
        best = lack(limit) + case.power
        return (
            math.nan,
            f"the largest effect that there can be is found with a power of {best:.6g}, below {case.power:g}",
        )
    root = _root(lack, math.log(abs(case.mde - edge)), 0.02, limit)
    return edge + way * math.exp(root), ""


def _root(rising: Callable[[float], float], guess: float, step: float, limit: float) -> float:
    from scipy.optimize import brentq

    low = high = min(guess, limit)
    value = rising(guess)
    for _ in range(_STEPS):
        if value == 0:
            return guess
        if value < 0:
            low, high = high, min(high + step, limit)
            following = rising(high)
        else:
            low, high = low - step, low
            following = rising(low)
        if following == 0 or (following < 0) != (value < 0):
            break
        step *= 1.6
    return float(brentq(rising, low, high, xtol=1e-15, rtol=1e-15))


def _power(asked: Question, model: Model, case: _Case) -> float:
    n_t = _treated(asked, model, case)
    control = case.n * case.exposure * case.rate
    treatment = n_t * case.exposure * (case.rate + case.mde * case.unit)
    share = case.margin * case.unit / case.rate
    odds = n_t / case.n
    totals, weights = _totals(control + treatment)

    def above(null: float) -> Float64Array:
        return _rejected(totals, odds * (1 + null), treatment / control, case.tail)

    def below(null: float) -> Float64Array:
        return _rejected(totals, 1 / (odds * (1 + null)), control / treatment, case.tail)

    if asked.between:
        return float(weights @ np.maximum(above(-share) + below(share) - 1, 0.0))
    null = share * (-1 if asked.hypothesis == "non-inferiority" else 1) * asked.way
    up = above(null) if asked.alternative != "less" else np.zeros(1)
    down = below(null) if asked.alternative != "greater" else np.zeros(1)
    return min(float((weights * (up + down)).sum()), 1.0)


def _totals(mean: float) -> tuple[Float64Array, Float64Array]:
    """Numbers of all events, and their probabilities; of very many a sample, spread evenly."""
    deviation = math.sqrt(mean)
    every = 1 if mean < _MANY else 2 * int(deviation / _POINTS) + 1
    reach = _REACH * deviation + 30
    first, last = max(0, math.floor((mean - reach) / every)), math.ceil((mean + reach) / every)
    totals = every * np.arange(first, last + 1.0)
    if mean < _MANY:
        logs = totals * math.log(mean) - mean - gammaln(totals + 1)
    else:
        away = (totals - mean) / mean
        # Stirling's series, without the large terms that cancel
        logs = -mean * ((1 + away) * np.log1p(away) - away) - 0.5 * np.log(totals) - 1 / (12 * totals)
    weights = np.exp(logs - logs.max())
    return totals, weights / weights.sum()


def _rejected(totals: Float64Array, null_odds: float, odds: float, tail: float) -> Float64Array:
    """For each number of all events, the chance of a number of the treatment's that is too large under the null."""
    rest = _fewest_of_control(totals, null_odds, tail)
    return _lower_tail(rest, totals, odds)


def _fewest_of_control(totals: Float64Array, odds: float, tail: float) -> Float64Array:
    """The largest number of the control's events whose lower tail is at most `tail`; -1 where there is none."""
    limit, share = tail * (1 + _TIE), 1 / (1 + odds)
    z = float(ndtri(tail))
    near = totals * share + z * np.sqrt(totals * share * (1 - share)) + (1 - 2 * share) * (z * z - 1) / 6 - 0.5
    number = np.floor(np.clip(near, -1, totals))
    while np.any(over := _lower_tail(number, totals, odds) > limit):
        number = number - over
    while np.any(more := (number < totals) & (_lower_tail(number + 1, totals, odds) <= limit)):
        number = number + more
    return np.asarray(number)


def _lower_tail(number: Float64Array, totals: Float64Array, odds: float) -> Float64Array:
    """The chance of so many events of the control, or fewer; `odds` are those of an event of the treatment."""
    others = np.maximum(totals - number, 1.0)
    inside = betainc(others, np.maximum(number, 0.0) + 1, odds / (1 + odds))
    return np.where(number < 0, 0.0, np.where(number >= totals, 1.0, inside))


_ASSUMED = "the exact test of Poisson events at one rate a variant; the power is exact"
