"""Exact tests of two proportions: the probabilities of all tables that they reject, added up."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import bdtrc, gammaln

from abkit._check import Float64Array
from abkit.inference._score_effect import ScoreEffect
from abkit.inference._unconditional import TIE, largest_probability
from abkit.inference._unconditional_effect import UnconditionalEffect
from abkit.power._question import Question
from abkit.power._result import NoSolution, PowerResult

IntArray = npt.NDArray[np.intp]
#: Units of both variants whose tables are enumerated.
MOST = {"fisher": 20_000, "boschloo": 2_000, "barnard": 1_000}
#: Standard deviations around the mean, beyond which a hypergeometric number is not looked at.
_REACH, _CELLS = 10.0, 2_000_000
_ALL = 1_000
#: From this level on a Barnard p-value may be that of a null below zero.
_LOWER_NULLS = 0.1


class _Case(NamedTuple):
    """One question, as numbers."""

    n: float
    mde: float
    power: float
    share: float
    unit: float
    tail: float
    ratio: float


def enumerated(asked: Question, test: str, share: Float64Array, found: Any) -> PowerResult | NoSolution:
    """The exact answer to what has been `found` for the score test."""
    if asked.monitor is not None or asked.ratio is None or asked.hypothesis != "superiority" or np.any(asked.margin):
        raise ValueError(
            f"`test` must be 'score', 'miettinen-nurminen' or 'wald' with a margin, a monitor or the best ratio; "
            f"got {test!r}, which is planned for superiority at one look, at a given ratio."
        )
    none = math.nan
    given = [none if value is None else value for value in (found.n_control, found.mde, found.power)]
    unit = share if asked.relative else 1.0
    every = np.broadcast_arrays(*given, share, unit, asked.tail, asked.ratio)
    shape = every[0].shape
    reasons = [found.reason] if isinstance(found, NoSolution) else _listed(found.reasons, every[0].size)
    cases = [_Case(*values) for values in zip(*(value.ravel().tolist() for value in every), strict=True)]
    solved = [_solve(asked, test, found.solved, *each) for each in zip(cases, reasons, strict=True)]
    assumed = (*found.assumptions[:-1], _ASSUMED[test])
    if shape == ():
        case, reason = solved[0]
        if reason:
            return _none(found, assumed, reason)
        sizes = float(case.n), float(_others(case.n, case.ratio))
        return _as_result(found, (*sizes, case.mde, case.power), assumed, None, relative=asked.relative)
    n, mde, power = (np.array([case[i] for case, _ in solved]).reshape(shape) for i in range(3))
    n_t = np.reshape(
        [case.n if math.isnan(case.n) else float(_others(case.n, case.ratio)) for case, _ in solved], shape
    )
    why = np.array([reason for _, reason in solved], dtype=object).reshape(shape)
    return _as_result(found, (n, n_t, mde, power), assumed, why if why.any() else None, relative=asked.relative)


def _listed(reasons: Any, size: int) -> list[str]:
    return [""] * size if reasons is None else list(np.ravel(reasons))


def _as_result(
    found: Any, values: tuple[Any, ...], assumed: tuple[str, ...], reasons: Any, *, relative: bool
) -> PowerResult:
    n_c, n_t, mde, power = values
    return PowerResult(
        found.question,
        found.solved,
        n_control=n_c,
        n_treatment=n_t,
        mde=mde,
        power=power,
        alpha=found.alpha,
        assumptions=assumed,
        relative=relative,
        reasons=reasons,
    )


def _none(found: Any, assumed: tuple[str, ...], reason: str) -> NoSolution:
    if isinstance(found, NoSolution):
        return replace(found, assumptions=assumed, reason=reason)
    sizes = found.n_control, found.n_treatment
    return NoSolution(found.question, found.solved, *sizes, None, found.power, found.alpha, assumed, reason)


def _solve(asked: Question, test: str, solved: str, case: _Case, reason: str) -> tuple[_Case, str]:
    if solved == "n":
        if reason:
            return case, reason
        n = _fewest(asked, test, case)
        return case._replace(n=float(n), power=_power(asked, test, n, _others(n, case.ratio), case)), ""
    n_c = _whole(case.n)
    n_t = _others(n_c, case.ratio)
    _refuse_many(test, n_c + n_t, "")
    if solved == "power":
        return case._replace(power=_power(asked, test, n_c, n_t, case)), ""
    return _smallest_effect(asked, test, n_c, n_t, case)


def _whole(n: float) -> int:
    if n != math.floor(n) or n < 1:
        raise ValueError(f"`n` must be a whole number of at least 1 for an exact test; got {n:g}.")
    return int(n)


def _others(n: float, ratio: float) -> int:
    return max(1, round(n * ratio))


def _refuse_many(test: str, units: float, needed: str) -> None:
    if units > MOST[test]:
        raise ValueError(
            f"`test` {test!r} is planned for at most {MOST[test]:,} units of both variants; "
            f"got {units:,.9g}{needed}. Use test='score', which for so many is nearly the same."
        )


def _fewest(asked: Question, test: str, case: _Case) -> int:
    """The smallest number from which on the power is enough: 20 and three times its root more units are tried."""
    guess = case.n
    if test == "fisher":  # Casagrande, Pike and Smith 1978, Biometrics 34(3), eq. 5, for a ratio of 1
        gap = abs(case.mde) * case.unit
        guess = guess / 4 * (1 + math.sqrt(1 + 2 * (1 + case.ratio) / (case.ratio * guess * gap))) ** 2
    powers: dict[int, float] = {}

    def enough(n_c: int) -> bool:
        if n_c not in powers:
            n_t = _others(n_c, case.ratio)
            _refuse_many(test, n_c + n_t, " needed or tried")
            # Boschloo's test rejects whatever Fisher's does, and takes longer
            easily = _power(asked, "fisher", n_c, n_t, case) if test == "boschloo" else 0.0
            powers[n_c] = easily if easily >= case.power else _power(asked, test, n_c, n_t, case)
        return powers[n_c] >= case.power

    beyond = last = max(1, math.ceil(guess))
    _refuse_many(test, last + _others(last, case.ratio), " needed or tried")
    while beyond <= last + 3 * math.isqrt(last) + 20:
        last = last if enough(beyond) else beyond + 1
        beyond += 1
    while last > 1 and enough(last - 1):
        last -= 1
    return last


def _smallest_effect(asked: Question, test: str, n_c: int, n_t: int, case: _Case) -> tuple[_Case, str]:
    from scipy.optimize import brentq

    most = (case.share if asked.alternative == "less" else 1 - case.share) / case.unit * (1 - 1e-12)

    def lack(size: float) -> float:
        return _power(asked, test, n_c, n_t, case._replace(mde=asked.way * size)) - case.power

    if lack(most) < 0:
        best = lack(most) + case.power
        reason = f"the largest effect that there can be is found with a power of {best:.6g}, below {case.power:g}"
        return case._replace(mde=math.nan), reason
    if lack(0.0) >= 0:
        return case._replace(mde=math.nan), f"a power of {case.power:g} needs no effect"
    return case._replace(mde=asked.way * float(brentq(lack, 0.0, most, xtol=1e-300, rtol=1e-15))), ""


def _power(asked: Question, test: str, n_c: int, n_t: int, case: _Case) -> float:
    moved = case.mde * case.unit
    control, treatment = (n_c, case.share), (n_t, case.share + moved)
    result = 0.0
    if asked.alternative != "less":
        result += _rejected(control, treatment, test, case.tail)
    if asked.alternative != "greater":
        result += _rejected(treatment, control, test, case.tail)
    return min(result, 1.0)


def _rejected(low: tuple[int, float], high: tuple[int, float], test: str, tail: float) -> float:
    """The chance of a table that shows the second variant to be the higher one."""
    (n, p), (m, r) = low, high
    totals = (0, n + m)
    if n + m > _ALL and test == "fisher":  # only those that occur
        mean, around = n * p + m * r, _REACH * math.sqrt(n * p * (1 - p) + m * r * (1 - r)) + 20
        totals = max(0, int(mean - around)), min(n + m, math.ceil(mean + around))
    fewest = _frontier(test, n, m, tail, totals)
    beyond = np.where(fewest > 0, bdtrc(np.maximum(fewest - 1.0, 0.0), m, r), 1.0)
    return float(_binomial(n, p) @ beyond)


def _binomial(n: int, p: float) -> Float64Array:
    x = np.arange(n + 1.0)
    parts = gammaln(x + 1)
    return np.asarray(np.exp(parts[-1] - parts - parts[::-1] + x * math.log(p) + (n - x) * math.log1p(-p)))


@lru_cache(maxsize=2048)
def _frontier(test: str, n_control: int, n_treatment: int, tail: float, totals: tuple[int, int]) -> IntArray:
    """For each number of the control's successes, the fewest of the treatment with which the test rejects upwards."""
    if test == "fisher":
        return _fisher_frontier(n_control, n_treatment, tail, *totals)
    order = _fisher_order(n_control, n_treatment) if test == "boschloo" else _score_order(n_control, n_treatment)

    def region(limit: float) -> IntArray:
        return np.asarray((order > limit + TIE * abs(limit)).sum(axis=1))

    def size(limit: float) -> float:
        frontier = region(limit)[None, :]
        return float(largest_probability(n_control, n_treatment, np.zeros(1), frontier, floor=tail)[0])

    limits = np.unique(order)
    # of two regions the larger is the more probable
    allowed = bisect_right(range(limits.size), tail * (1 + TIE), key=lambda i: size(float(limits[i])))
    if not allowed:
        return np.full(n_control + 1, n_treatment + 1)
    frontier = region(float(limits[allowed - 1]))
    return _confirmed(frontier, n_control, n_treatment, tail) if test == "barnard" and tail > _LOWER_NULLS else frontier


def _confirmed(frontier: IntArray, n_control: int, n_treatment: int, tail: float) -> IntArray:
    """Without tables whose p-value, which is that of lower nulls too, is larger than at a null of zero."""
    result = frontier.copy()
    for c, first in enumerate(frontier.tolist()):
        for t in range(first, n_treatment + 1):
            counts = ScoreEffect(c, n_control, t, n_treatment)
            if UnconditionalEffect(counts, "barnard").pvalue(0.0, "greater") <= tail * (1 + TIE):
                break
            result[c] = t + 1
    return result


def _score_order(n_control: int, n_treatment: int) -> Float64Array:
    """Minus the pooled score statistic of every table, shape (n_control + 1, n_treatment + 1)."""
    c, t = np.arange(n_control + 1.0)[:, None], np.arange(n_treatment + 1.0)
    n = n_control + n_treatment
    variance = np.maximum((c + t) * (n - c - t), 1.0) / (n * n_control * n_treatment)
    return np.asarray((c / n_control - t / n_treatment) / np.sqrt(variance))


def _fisher_order(n_control: int, n_treatment: int) -> Float64Array:
    """Fisher's one-sided p-value of every table, shape (n_control + 1, n_treatment + 1)."""
    first, tails = _hypergeometric(np.arange(n_control + n_treatment + 1), n_control, n_treatment, math.inf)
    c, t = np.arange(n_control + 1)[:, None], np.arange(n_treatment + 1)
    return np.asarray(tails[c + t, t - first[c + t]])


def _fisher_frontier(n_control: int, n_treatment: int, limit: float, lowest: int, highest: int) -> IntArray:
    """For each number of the control's successes, the fewest of the treatment whose p-value is at most the limit.

    Tables with fewer successes than the lowest, or more than the highest, are left out.
    """
    totals = np.arange(lowest, highest + 1)
    wide = 2 * _REACH * _spread((n_control + n_treatment) / 2, n_control, n_treatment) + 20
    fewest = []
    for part in np.array_split(totals, 1 + int(totals.size * wide) // _CELLS):
        first, tails = _hypergeometric(part, n_control, n_treatment, _REACH)
        fewest.append(first + (tails > limit * (1 + TIE)).sum(axis=1))
    most = np.maximum.accumulate(totals - np.concatenate(fewest))
    successes = np.arange(n_control + 1)
    frontier = np.searchsorted(most, successes) + lowest - successes
    frontier[successes > most[-1]] = n_treatment + 1
    return np.asarray(np.clip(frontier, 0, n_treatment + 1))


def _hypergeometric(totals: IntArray, n_control: int, n_treatment: int, reach: float) -> tuple[IntArray, Float64Array]:
    """For each number of successes of both: the treatment's first number that matters, and P(X >= x) from it on."""
    log_c, log_t = (-gammaln(np.arange(n + 1) + 1.0) for n in (n_control, n_treatment))
    log_c, log_t = log_c + log_c[::-1], log_t + log_t[::-1]
    mean = totals * (n_treatment / (n_control + n_treatment))
    around = reach * np.maximum(_spread(totals, n_control, n_treatment), 1.0)
    first = np.maximum(np.maximum(0, totals - n_control), np.floor(mean - around)).astype(np.intp)
    last = np.minimum(np.minimum(n_treatment, totals), np.ceil(mean + around)).astype(np.intp)
    x = first[:, None] + np.arange(int((last - first).max()) + 1)
    inside, x = x <= last[:, None], np.minimum(x, last[:, None])
    logs = np.where(inside, log_t[x] + log_c[totals[:, None] - x], -np.inf)
    weights = np.exp(logs - logs.max(axis=1, keepdims=True))
    tails = np.cumsum(weights[:, ::-1], axis=1)[:, ::-1]
    return first, tails / tails[:, :1]


def _spread(totals: Any, n_control: int, n_treatment: int) -> Any:
    """Standard deviation of the hypergeometric number."""
    n = n_control + n_treatment
    return np.sqrt(totals * (n - totals) / n * (n_control / n) * (n_treatment / max(n - 1, 1)))


_ASSUMED = {
    "fisher": "Fisher's exact test of independent units; the power is exact",
    "boschloo": "Boschloo's exact test of independent units; the power is exact",
    "barnard": "Barnard's exact test of independent units, in the order of the score statistic; the power is exact",
}
