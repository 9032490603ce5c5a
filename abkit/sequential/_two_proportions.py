"""Two Bernoulli variants, exactly, however often one looks: an e-process against every pair of proportions.

Against the pair (p_c, p_t), with x events among n units of each variant,

    E(p_c, p_t) = 0.9 sum_j w_j(p) L(odds of p_c times e^b_j, odds of p_t times e^a_j) / L(p_c, p_t)
                + 0.1 (integral of L dBeta(1/2, 1/2) dBeta(1/2, 1/2)) / L(p_c, p_t)

where L is the likelihood. Each term is a likelihood ratio and so a martingale under the pair, whatever decides which
variant the next unit gets; the weights do not depend on the data and add up to at most 1. The tilts (a_j, b_j) go
along the direction in which the proportions part while the planned share keeps their mean, so that next to nothing is
paid for the proportion that both have in common; the last term bounds that one.

Every term has a logarithm that is convex in (p_c, p_t), so E below any bound is a convex region, its differences and
its ratios are intervals, and along a null the least E is one convex minimum.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit._roots import secant
from abkit._sets import ConfidenceSet, Interval, NoInterval, sided, tail_of
from abkit.evidence import BaseEffect
from abkit.sequential._dirichlet import jeffreys_at_best
from abkit.sequential._mixture import tuning
from abkit.types import Alternative, Null, Relative, RelativeMethod

#: Weight of the term that bounds both proportions.
BOUNDING = 0.1
#: The share of units with an event that turns `tune_at` units into events.
USUAL_RATE = 0.02
#: Log odds ratios of the tilts: from this share of the tuned one up to the largest, each so many times the last.
SMALLEST, LARGEST, STEP = 1e-4, 8.0, 1.3
#: How the weight moves from tilts for rare events to tilts for rare failures: exp(-LEAN p) at the proportion p.
LEAN = 1.4
#: A proportion this small is no place for events.
NOWHERE = 1e-120
#: A step that lowers log E by no more is the last: it ends where the least is, but for the power 1.5 of this.
NEARLY = 1e-10
#: The rounding of log E, as a share of it.
NOISE = 1e-14
#: The log of a weight that is none; one that underflows takes many times as long.
NOTHING = -700.0
_Point = tuple[float, float]
#: Proportions at a place of a path, with their first and second derivatives.
_Path = Callable[[float], tuple[_Point, _Point, _Point]]


@dataclass(frozen=True, slots=True)
class _Tilts:
    """Log odds ratios of the alternatives to a null, control's and treatment's, with the logs of their weights.

    The weights are those at a mean proportion of 0; they grow with it at the rate `lean`.
    """

    log_odds: Float64Array
    log_weight: Float64Array
    lean: Float64Array


@lru_cache(maxsize=64)
def _tilts(share: float, tune_at: float, sides: int, alternative: Alternative) -> _Tilts:
    spread = min(tuning(share * (1 - share) * USUAL_RATE * tune_at, 0.05, sides) ** -0.5, LARGEST / 2)
    steps = math.ceil(math.log(LARGEST / (SMALLEST * spread)) / math.log(STEP))
    size = LARGEST * STEP ** -np.arange(steps, dtype=np.float64)
    weight = 1 / (size / spread + spread / size)  # Cauchy's density, times the distance between neighbours
    signs = {"two-sided": (1, -1), "greater": (1,), "less": (-1,)}[alternative]
    log_ratio = np.concatenate([sign * size for sign in signs])
    log_weight = np.log(np.tile(weight / weight.sum() / len(signs), 2 * len(signs)))
    rare_events, rare_failures = np.log1p(share * np.expm1(log_ratio)), np.log1p(share * np.expm1(-log_ratio))
    of_control = np.concatenate([-rare_events, rare_failures])
    lean = np.repeat([-LEAN, LEAN], len(log_ratio))
    at_zero = math.log1p(-BOUNDING) - math.log1p(math.exp(-LEAN)) + np.minimum(-lean, 0.0)
    return _Tilts(np.stack([of_control, of_control + np.tile(log_ratio, 2)]), log_weight + at_zero, lean)


class _Evidence:
    """Log E of some counts: its value, and its slope and curvature along a path through the proportions."""

    def __init__(self, successes: tuple[float, float], n: tuple[float, float], tilts: _Tilts) -> None:
        self.successes, self.n = successes, n
        self.known: dict[Null, float] = {}
        self.at_ends = any(x in (0, m) for x, m in zip(successes, n, strict=True))
        self.units = np.array(n, dtype=np.float64)
        self.factors = np.expm1(tilts.log_odds)
        self.lean = tilts.lean / 2
        self.start = tilts.log_weight + np.array(successes, dtype=np.float64) @ tilts.log_odds
        cells = np.array([[x, m - x] for x, m in zip(successes, n, strict=True)], dtype=np.float64)
        self.bounding = math.log(BOUNDING) + float(jeffreys_at_best(cells).sum())

    def along(self, path: _Path, place: float) -> tuple[float, float, float]:
        """Log E with its first and second derivatives."""
        points, speeds, bends = path(place)
        value, slope, curve = self.bounding, 0.0, 0.0
        for x, n, p, v, a in zip(self.successes, self.n, points, speeds, bends, strict=True):
            if (x and p <= NOWHERE) or (x < n and p >= 1):
                return math.inf, math.copysign(math.inf, v * (p - 0.5)), math.nan
            up, down = (x / p if x else 0.0), ((n - x) / (1 - p) if x < n else 0.0)
            value += _lost(x, n, p)
            slope += (down - up) * v
            curve += ((up / p if x else 0.0) + (down / (1 - p) if x < n else 0.0)) * v * v + (down - up) * a
        moved = np.array(points)[:, None] * self.factors
        pull = self.factors / (1 + moved)
        speed = np.array(speeds)
        values = self.start + self.lean * sum(points) - self.units.dot(np.log1p(moved))
        slopes = self.lean * sum(speeds) - (self.units * speed).dot(pull)
        curves = (self.units * speed * speed).dot(pull * pull)
        if any(bends):
            curves += self.lean * sum(bends) - (self.units * np.array(bends)).dot(pull)
        top = max(float(values.max()), value)
        weight, rest = np.exp(np.maximum(values - top, NOTHING)), math.exp(value - top)
        whole = float(weight.sum()) + rest
        mean = (float(weight.dot(slopes)) + rest * slope) / whole
        spread = float(weight.dot(curves + np.square(slopes - mean))) + rest * (curve + (slope - mean) ** 2)
        return top + math.log(whole), mean, spread / whole

    def least(self, path: _Path, low: float, high: float, guess: float) -> tuple[float, float]:
        """The least log E along a path on which it falls, then rises, and where.

        The last of Newton's steps is not looked at: it lowers log E by half the slope times the step.
        """
        if self.at_ends:
            for end, sign in ((low, 1), (high, -1)):
                value, slope, _ = self.along(path, end)
                if math.isfinite(value) and sign * slope >= 0:
                    return value, end
        here = guess if low < guess < high else low + (high - low) / 2
        while True:
            value, slope, curve = self.along(path, here)
            low, high = (here, high) if slope < 0 else (low, here)
            following = here - slope / curve if curve > 0 else math.nan
            lower = slope * (here - following) / 2
            if lower <= max(NEARLY, NOISE * min(abs(value), 1e9)) and low <= following <= high:
                return value - lower, following
            if not low < following < high:
                following = low + (high - low) / 2
            if not low < following < high:
                return value, here
            here = following


def _lost(x: float, n: float, p: float) -> float:
    """Log likelihood at the observed share less that at p."""
    gap = x / n - p
    return (x * math.log1p(gap / p) if x else 0.0) + ((n - x) * math.log1p(-gap / (1 - p)) if x < n else 0.0)


def _of_difference(null: float) -> tuple[_Path, float, float]:
    """The pairs with this difference, along the smaller proportion."""
    down, up = max(-null, 0.0), max(null, 0.0)
    return lambda q: ((q + down, q + up), (1.0, 1.0), (0.0, 0.0)), 0.0, 1 - abs(null)


def _of_log_ratio(null: float) -> tuple[_Path, float, float]:
    """The pairs with this log ratio, along the larger proportion."""
    c, t = math.exp(min(-null, 0.0)), math.exp(min(null, 0.0))
    return lambda q: ((c * q, t * q), (c, t), (0.0, 0.0)), 0.0, 1.0


def _of_log_odds_ratio(null: float) -> tuple[_Path, float, float]:
    """The pairs with this log odds ratio, along the mean of their log odds."""

    def path(place: float) -> tuple[_Point, _Point, _Point]:
        c, t = expit(place - null / 2), expit(place + null / 2)
        c_rest, t_rest = expit(null / 2 - place), expit(-place - null / 2)
        return (c, t), (c * c_rest, t * t_rest), (c * c_rest * (c_rest - c), t * t_rest * (t_rest - t))

    return path, -100.0, 100.0


def expit(x: float) -> float:
    """1 / (1 + exp(-x))."""
    small = math.exp(-abs(x))
    return 1 / (1 + small) if x > 0 else small / (1 + small)


@dataclass(frozen=True, slots=True)
class TwoProportionsEffect(BaseEffect):
    """Two Bernoulli variants: every p-value and set is right at whatever moment one stops.

    Counts are whole numbers, but where they stand for expected ones.
    """

    successes_control: float
    n_control: float
    successes_treatment: float
    n_treatment: float
    share: float
    tune_at: float
    sides: int = 2
    _evidences: dict[Alternative, _Evidence] = field(default_factory=dict, init=False, repr=False, compare=False)

    validity = "exact"

    @property
    def control(self) -> float:
        """The control's proportion."""
        return self.successes_control / self.n_control

    @property
    def treatment(self) -> float:
        """The treatment's proportion."""
        return self.successes_treatment / self.n_treatment

    @property
    def estimate(self) -> float:
        """Treatment minus control."""
        return self._gap(1.0)

    @property
    def stderr(self) -> float:
        """Standard error at the observed proportions: for display."""
        c, t = self.control, self.treatment
        return math.sqrt(c * (1 - c) / self.n_control + t * (1 - t) / self.n_treatment)

    @property
    def df(self) -> float:
        """Infinite: there is no variance to estimate."""
        return math.inf

    @property
    def swapped(self) -> TwoProportionsEffect:
        """The treatment as the control."""
        control, treatment = (self.successes_treatment, self.n_treatment), (self.successes_control, self.n_control)
        return TwoProportionsEffect(*control, *treatment, 1 - self.share, self.tune_at, self.sides)

    def statistic(self, null: Null) -> float:
        """sqrt(2 log E), signed by the side of the null on which the estimate lies; 0 where E is below 1."""
        size = math.sqrt(2 * max(self.log_evalue(null, "two-sided"), 0.0))
        return math.copysign(size, self._above(null)) if size else 0.0

    def pvalue(self, null: Null, alternative: Alternative) -> float:
        """1 / E, at most 1, at the pair of proportions of the null with the least E."""
        if alternative == "two-sided" and self.sides == 1:  # so that no direction takes the other's share
            return min(1.0, 2 * min(self.pvalue(null, "greater"), self.pvalue(null, "less")))
        return math.exp(-max(self.log_evalue(null, alternative), 0.0))

    def log_evalue(self, null: Null, alternative: Alternative) -> float:
        """Log of the evidence against all pairs of a null; with one side, 0 for an estimate that is not beyond it."""
        above = self._above(null)
        if (alternative == "greater" and above <= 0) or (alternative == "less" and above >= 0):
            return 0.0
        evidence = self._evidence(alternative)
        if null not in evidence.known:
            evidence.known[null] = self._least(evidence, null)
        return evidence.known[null]

    def _least(self, evidence: _Evidence, null: Null) -> float:
        if not isinstance(null, Relative):
            return evidence.least(*_of_difference(_difference(null)), self._level)[0]
        if null.value <= -1:  # below 0 a ratio is impossible, and 0 is where the treatment has no successes
            impossible = null.value < -1 or self.successes_treatment > 0
            return math.inf if impossible else evidence.least(*_NO_TREATMENT, self.control)[0]
        return evidence.least(*_of_log_ratio(math.log1p(null.value)), max(self.control, self.treatment))[0]

    def interval(self, level: float, alternative: Alternative) -> ConfidenceSet:
        """Differences of the pairs whose E is below 1 / (1 - level)."""
        low, high = self._ends(level, alternative, TwoProportionsEffect._upper)
        return sided(low, high, level, alternative)

    def relative(self, level: float, alternative: Alternative, method: RelativeMethod | None) -> ConfidenceSet:
        """Ratios of the same pairs, less one."""
        if method is not None:
            return NoInterval(level, f"an anytime-valid set is not by the method {method!r}; leave it out")
        low, high = self._ends(level, alternative, TwoProportionsEffect._upper_log_ratio)
        return sided(math.expm1(low), math.expm1(high) if high < 709 else math.inf, level, alternative)

    def odds_ratio(self, level: float, alternative: Alternative) -> ConfidenceSet:
        """Odds ratios of the same pairs."""
        low, high = self._ends(level, alternative, TwoProportionsEffect._upper_log_odds_ratio)
        return Interval(math.exp(low), math.exp(high) if high < 709 else math.inf, level)

    def _ends(self, level: float, alternative: Alternative, upper: _Upper) -> tuple[float, float]:
        error = tail_of(level, "greater")
        if alternative == "two-sided" and self.sides == 1:
            return -upper(self.swapped, error / 2, "less"), upper(self, error / 2, "less")
        low = -upper(self.swapped, error, _MIRRORED[alternative]) if alternative != "less" else -math.inf
        return low, upper(self, error, alternative) if alternative != "greater" else math.inf

    def _upper(self, error: float, alternative: Alternative) -> float:
        reach = 3 * max(self.stderr, 1 / self.n_control + 1 / self.n_treatment)
        lack = self._lack(_of_difference, error, alternative, self._level)
        if self.estimate == 1 or not lack(1.0) > 0:
            return 1.0
        guess = min(self.estimate + reach, (self.estimate + 1) / 2)
        return secant(lack, guess, 9 / reach, self.estimate, 1.0)

    def _upper_log_ratio(self, error: float, alternative: Alternative) -> float:
        if self.successes_control == 0:
            return math.inf
        x = max(self.successes_treatment, _FEW)
        low = math.log(x / self.n_treatment) - math.log(self.control)
        reach = 3 * math.sqrt(1 / (x + 0.5) + 1 / self.successes_control)
        lack = self._lack(_of_log_ratio, error, alternative, max(self.control, self.treatment))
        guess = max(low, math.log(0.5 / self.n_treatment / self.control)) + reach
        return secant(lack, guess, 9 / reach, low)

    def _upper_log_odds_ratio(self, error: float, alternative: Alternative) -> float:
        failures = self.n_control - self.successes_control, self.n_treatment - self.successes_treatment
        if self.successes_control == 0 or failures[1] == 0:
            return math.inf
        cells = self.successes_control, max(failures[0], _FEW), max(self.successes_treatment, _FEW), failures[1]
        odds = math.log(cells[0] / cells[1]), math.log(cells[2] / cells[3])
        start = [math.log((x + 0.5) / (f + 0.5)) for x, f in (cells[:2], cells[2:])]
        reach = 3 * math.sqrt(sum(1 / (cell + 0.5) for cell in cells))
        lack = self._lack(_of_log_odds_ratio, error, alternative, sum(start) / 2)
        low = odds[1] - odds[0]
        return secant(lack, max(low, start[1] - start[0]) + reach, 9 / reach, low)

    def _lack(self, nulls: _Nulls, error: float, alternative: Alternative, guess: float) -> Callable[[float], float]:
        """How far the least log E of a null exceeds what an error asks for; searches start where the last ended."""
        evidence, goal = self._evidence(alternative), -math.log(error)
        place = guess

        def lack(null: float) -> float:
            nonlocal place
            value, found = evidence.least(*nulls(null), place)
            place = found if math.isfinite(value) else place
            return value - goal

        return lack

    def _evidence(self, alternative: Alternative) -> _Evidence:
        if alternative not in self._evidences:
            tilts = _tilts(self.share, self.tune_at, self.sides, alternative)
            successes, n = (self.successes_control, self.successes_treatment), (self.n_control, self.n_treatment)
            self._evidences[alternative] = _Evidence(successes, n, tilts)
        return self._evidences[alternative]

    @property
    def _level(self) -> float:
        """The proportion of both variants together."""
        units = self.n_control + self.n_treatment
        return (self.successes_control + self.successes_treatment + 0.5) / (units + 1)

    def _above(self, null: Null) -> float:
        """How far the estimate lies above a null."""
        return self._gap(1 + null.value) if isinstance(null, Relative) else self.estimate - null

    def _gap(self, ratio: float) -> float:
        of_control = self.successes_control * self.n_treatment
        if ratio != 1:
            return self.treatment - ratio * self.control
        return (self.successes_treatment * self.n_control - of_control) / (self.n_control * self.n_treatment)


_FEW = 1e-6  # stands for no successes where a ratio must have a logarithm
_MIRRORED: dict[Alternative, Alternative] = {"two-sided": "two-sided", "greater": "less", "less": "greater"}
_NO_TREATMENT: tuple[_Path, float, float] = (lambda q: ((q, 0.0), (1.0, 0.0), (0.0, 0.0)), 0.0, 1.0)
_Nulls = Callable[[float], tuple[_Path, float, float]]
_Upper = Callable[[TwoProportionsEffect, float, Alternative], float]


def _difference(null: float) -> float:
    if not -1 < null < 1:
        raise ValueError(f"`null` must be between -1 and 1; got {null:g}.")
    return null


def two_proportions_effect(
    successes_c: int, n_c: int, successes_t: int, n_t: int, share: float, tune_at: float, sides: int = 2
) -> TwoProportionsEffect:
    """The exact anytime-valid effect of two Bernoulli variants.

    Parameters
    ----------
    successes_c, n_c, successes_t, n_t : int
        Cumulative counts at this look; each variant needs a unit.
    share : float
        The planned share of the treatment among the units of both variants. It steers power only: the error is
        held whatever the allocation.
    tune_at : float
        Number of units of both variants at which the evidence is to be strongest, at an event rate of two per cent;
        thirty times more or fewer events cost about a third of the sample.
    sides : {1, 2}
        With one, a two-sided p-value is twice the smaller one-sided one, so that each direction has its own error.

    Raises
    ------
    ValueError
        No units, more successes than units, or a share or a tuning number out of range.
    """
    cells = {}
    for name, successes, n in (("control", successes_c, n_c), ("treatment", successes_t, n_t)):
        units = _check.count(f"n of {name}", n, 1)
        cells[name] = _check.count(f"successes of {name}", successes), units
        if cells[name][0] > units:
            raise ValueError(f"`successes of {name}` must be at most {units}; got {successes}.")
    share, tune_at = _check.within("share", share, 0, 1), _check.at_least("tune_at", tune_at, 1)
    return TwoProportionsEffect(
        *cells["control"], *cells["treatment"], share, tune_at, _check.choice("sides", sides, (1, 2))
    )
