"""Two Bernoulli variants in several strata, exactly, however often one looks: one e-process for all of them.

The alternatives to a null are those of `_two_proportions`, the same tilt of the odds in every stratum:

    E(p) = 0.9 sum_j w_j(p) prod_s L_s(tilt j of p_s) / L_s(p_s) + 0.1 prod_s (Jeffreys' marginal of s) / L_s(p_s)

with the strata's own proportions p_s = (p_c, p_t), which have the null's difference (or ratio) in each. A stratum that
begins later begins with factors of 1, so that E stays a martingale. What one stratum says for the treatment
and another against it cancels, as it does not in a product of the strata's own e-values. Log E is convex in all
proportions, so that along a null its least value is one minimum, which Newton steps find.

Where strata contradict each other E may exceed 1 under every common effect. It is then divided by what it is at the
estimate, which makes it smaller and so leaves it valid, and keeps the estimate in its own set.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from abkit._check import Float64Array
from abkit._roots import secant
from abkit._sets import ConfidenceSet, NoInterval, sided, tail_of
from abkit.evidence import BaseEffect
from abkit.sequential._dirichlet import jeffreys_at_best
from abkit.sequential._two_proportions import BOUNDING, NOWHERE, _tilts
from abkit.types import Alternative, Null, Relative, RelativeMethod

#: Proportions of control and treatment along a null: from, how fast, and how far.
_Line = tuple[Float64Array, Float64Array, float]
_STEPS = 200
_FEW = 1e-6  # stands for no successes where a ratio must have a logarithm
_MIRRORED: dict[Alternative, Alternative] = {"two-sided": "two-sided", "greater": "less", "less": "greater"}


@dataclass(frozen=True, slots=True)
class StageCounts:
    """Successes and units of the control and of the treatment in one stratum, and the treatment's planned share."""

    successes_control: int
    n_control: int
    successes_treatment: int
    n_treatment: int
    share: float

    @property
    def swapped(self) -> StageCounts:
        """The treatment as the control."""
        return StageCounts(
            self.successes_treatment, self.n_treatment, self.successes_control, self.n_control, 1 - self.share
        )


class _Joint:
    """Log E of the counts of all strata along a null, with its slopes and curvatures in the strata's places."""

    def __init__(self, strata: tuple[StageCounts, ...], tune_at: float, sides: int, alternative: Alternative) -> None:
        tilts = _tilts(strata[0].share, tune_at, sides, alternative)
        log_ratio = tilts.log_odds[1] - tilts.log_odds[0]
        half = len(log_ratio) // 2
        log_odds = []
        for stratum in strata:
            rare_events = -np.log1p(stratum.share * np.expm1(log_ratio[:half]))
            rare_failures = np.log1p(stratum.share * np.expm1(-log_ratio[half:]))
            control = np.concatenate([rare_events, rare_failures])
            log_odds.append([control, control + log_ratio])
        odds = np.array(log_odds)
        self.x = np.array([[s.successes_control, s.successes_treatment] for s in strata], dtype=np.float64)
        self.n = np.array([[s.n_control, s.n_treatment] for s in strata], dtype=np.float64)
        self.factors = np.expm1(odds)
        self.flat = self.factors.reshape(-1, len(log_ratio))
        self.lean = tilts.lean / 2
        self.start = tilts.log_weight + np.einsum("sa,saj->j", self.x, odds)
        cells = np.stack([self.x, self.n - self.x], axis=-1).reshape(-1, 2)
        self.bounding = math.log(BOUNDING) + float(jeffreys_at_best(cells).sum())

    def value(self, line: _Line, places: Float64Array) -> float:
        """Log E; infinite where a proportion of 0 or 1 is impossible."""
        p = line[0] + places[:, None] * line[1]
        if np.any((self.x > 0) & (p <= NOWHERE)) or np.any((self.x < self.n) & (p >= 1)):
            return math.inf
        values = self._values(p)
        top = float(values.max())
        return top + math.log(float(np.exp(values - top).sum()))

    def _values(self, p: Float64Array) -> Float64Array:
        """Log of each term, the bounding one last."""
        moved = np.log1p(p.reshape(-1, 1) * self.flat)
        tilted = self.start + self.lean * p[0].sum() - self.n.ravel() @ moved
        gap = self.x / self.n - p
        failures = self.n - self.x
        with np.errstate(divide="ignore", invalid="ignore"):
            lost = np.where(self.x > 0, self.x * np.log1p(gap / p), 0.0)
            lost += np.where(failures > 0, failures * np.log1p(-gap / (1 - p)), 0.0)
        return np.append(tilted, self.bounding + lost.sum())

    def derivatives(self, line: _Line, places: Float64Array) -> tuple[Float64Array, Float64Array]:
        """Gradient and Hessian of log E."""
        base, speed, _ = line
        p = base + places[:, None] * speed
        values = self._values(p)
        weights = np.exp(values - values.max())
        weights /= weights.sum()
        pull = self.factors / (1 + p[..., None] * self.factors)
        pace = self.n * speed
        slopes = -np.einsum("sa,saj->sj", pace, pull)
        slopes[0] += self.lean * speed.sum()
        curves = np.einsum("sa,saj->sj", pace * speed, pull * pull)
        failures = self.n - self.x
        with np.errstate(divide="ignore", invalid="ignore"):
            up, down = np.where(self.x > 0, self.x / p, 0.0), np.where(failures > 0, failures / (1 - p), 0.0)
            bend = np.where(self.x > 0, up / p, 0.0) + np.where(failures > 0, down / (1 - p), 0.0)
        slopes = np.column_stack([slopes, ((down - up) * speed).sum(axis=1)])
        curves = np.column_stack([curves, (bend * speed * speed).sum(axis=1)])
        gradient = slopes @ weights
        apart = slopes - gradient[:, None]
        return gradient, np.diag(curves @ weights) + (apart * weights) @ apart.T

    def least(self, line: _Line, guess: Float64Array) -> tuple[float, Float64Array]:
        """The least log E along a null, and where: Newton steps that stay within the proportions' range."""
        end = line[2]
        here = np.clip(guess, min(1e-9, end / 4), end - min(1e-9, end / 4))
        value = self.value(line, here)
        for _ in range(_STEPS if math.isfinite(value) else 0):
            gradient, hessian = self.derivatives(line, here)
            free = ~(((here <= 0) & (gradient >= 0)) | ((here >= end) & (gradient <= 0)))
            if not free.any():
                break
            step = np.zeros_like(here)
            step[free] = -_solve(hessian[np.ix_(free, free)], gradient[free])
            if not -float(gradient @ step) > 1e-13 * max(1.0, abs(value)):
                break
            following, at = self._shortened(line, here, step, value, gradient)
            if not at < value:
                break
            here, value = following, at
        return value, here

    def _shortened(
        self, line: _Line, here: Float64Array, step: Float64Array, value: float, gradient: Float64Array
    ) -> tuple[Float64Array, float]:
        """The first of the whole step, half of it, ... that goes down enough."""
        scale = 1.0
        while True:
            following = np.clip(here + scale * step, 0.0, line[2])
            at = self.value(line, following)
            if math.isinf(at):  # near an impossible end, as far as nine tenths of the way
                following = np.clip(here + scale * step, 0.1 * here, line[2] - 0.1 * (line[2] - here))
                at = self.value(line, following)
            if at <= value + 1e-4 * float(gradient @ (following - here)) or scale < 1e-12:
                return following, at
            scale /= 2


def _solve(hessian: Float64Array, gradient: Float64Array) -> Float64Array:
    """Newton's step, in units in which the curvatures are 1."""
    size = np.sqrt(np.maximum(np.diagonal(hessian), 1e-300))
    scaled = hessian / np.outer(size, size) + 1e-12 * np.eye(len(size))
    return np.asarray(np.linalg.solve(scaled, gradient / size) / size)


def _of_difference(null: float) -> _Line:
    return np.array([max(-null, 0.0), max(null, 0.0)]), np.array([1.0, 1.0]), 1 - abs(null)


def _of_log_ratio(null: float) -> _Line:
    return np.zeros(2), np.array([math.exp(min(-null, 0.0)), math.exp(min(null, 0.0))]), 1.0


_NO_TREATMENT: _Line = (np.zeros(2), np.array([1.0, 0.0]), 1.0)


@dataclass(frozen=True, slots=True)
class StageProportionsEffect(BaseEffect):
    """One effect of two Bernoulli variants over all strata: right at whatever moment one stops.

    `weights` add up to 1 and are those of the estimate; the evidence has its own, from the likelihood.
    """

    strata: tuple[StageCounts, ...]
    weights: tuple[float, ...]
    tune_at: float
    sides: int = 2

    validity = "exact"
    df = math.inf

    @property
    def control(self) -> float:
        """The strata's proportions of the control, weighted."""
        return math.fsum(w * s.successes_control / s.n_control for w, s in self._parts)

    @property
    def treatment(self) -> float:
        """The strata's proportions of the treatment, weighted."""
        return math.fsum(w * s.successes_treatment / s.n_treatment for w, s in self._parts)

    @property
    def estimate(self) -> float:
        """Treatment minus control."""
        return self.treatment - self.control

    @property
    def stderr(self) -> float:
        """Standard error at the observed proportions: for display."""
        parts = []
        for w, s in self._parts:
            c, t = s.successes_control / s.n_control, s.successes_treatment / s.n_treatment
            parts.append(w * math.sqrt(c * (1 - c) / s.n_control + t * (1 - t) / s.n_treatment))
        return math.hypot(*parts)

    @property
    def swapped(self) -> StageProportionsEffect:
        """The treatment as the control."""
        return StageProportionsEffect(tuple(s.swapped for s in self.strata), self.weights, self.tune_at, self.sides)

    @property
    def _parts(self) -> tuple[tuple[float, StageCounts], ...]:
        return tuple(zip(self.weights, self.strata, strict=True))

    def statistic(self, null: Null) -> float:
        """sqrt(2 log E), signed by the side of the null on which the estimate lies; 0 where E is below 1."""
        size = math.sqrt(2 * max(self.log_evalue(null, "two-sided"), 0.0))
        return math.copysign(size, self._above(null)) if size else 0.0

    def pvalue(self, null: Null, alternative: Alternative) -> float:
        """1 / E, at most 1, at the proportions of the null with the least E."""
        if alternative == "two-sided" and self.sides == 1:  # so that no direction takes the other's share
            return min(1.0, 2 * min(self.pvalue(null, "greater"), self.pvalue(null, "less")))
        return math.exp(-max(self.log_evalue(null, alternative), 0.0))

    def log_evalue(self, null: Null, alternative: Alternative) -> float:
        """Log of the evidence against all proportions of a null; 0 for an estimate that is not beyond a side's null."""
        above = self._above(null)
        if (alternative == "greater" and above <= 0) or (alternative == "less" and above >= 0):
            return 0.0
        if not isinstance(null, Relative):
            if not -1 < null < 1:
                raise ValueError(f"`null` must be between -1 and 1; got {null:g}.")
            return _log_evalue(self, alternative)(_of_difference(null))
        if null.value <= -1:  # below 0 a ratio is impossible, and 0 is where the treatment has no successes
            impossible = null.value < -1 or self.treatment > 0
            return math.inf if impossible else _log_evalue(self, alternative)(_NO_TREATMENT)
        return _log_evalue(self, alternative)(_of_log_ratio(math.log1p(null.value)))

    def interval(self, level: float, alternative: Alternative) -> ConfidenceSet:
        """Common differences whose E is below 1 / (1 - level)."""
        low, high = self._ends(level, alternative, StageProportionsEffect._upper)
        return sided(low, high, level, alternative)

    def relative(self, level: float, alternative: Alternative, method: RelativeMethod | None) -> ConfidenceSet:
        """Common ratios likewise, less one."""
        if method is not None:
            return NoInterval(level, f"an anytime-valid set is not by the method {method!r}; leave it out")
        low, high = self._ends(level, alternative, StageProportionsEffect._upper_log_ratio)
        return sided(math.expm1(low), math.expm1(high) if high < 709 else math.inf, level, alternative)

    def _ends(self, level: float, alternative: Alternative, upper: _Upper) -> tuple[float, float]:
        error = tail_of(level, "greater")
        if alternative == "two-sided" and self.sides == 1:
            return -upper(self.swapped, error / 2, "less"), upper(self, error / 2, "less")
        low = -upper(self.swapped, error, _MIRRORED[alternative]) if alternative != "less" else -math.inf
        return low, upper(self, error, alternative) if alternative != "greater" else math.inf

    def _upper(self, error: float, alternative: Alternative) -> float:
        log_e = _log_evalue(self, alternative)
        reach = 3 * max(self.stderr, math.hypot(*(w / s.n_control + w / s.n_treatment for w, s in self._parts)))
        edge, goal = 1 - 2.0**-53, -math.log(error)

        def lack(null: float) -> float:
            return log_e(_of_difference(null)) - goal

        near = self.estimate + 100 * reach > edge
        if near and (not self.estimate < edge or not lack(edge) > 0):
            return 1.0
        guess = min(self.estimate + reach, (self.estimate + 1) / 2)
        return secant(lack, guess, 9 / reach, self.estimate, edge)

    def _upper_log_ratio(self, error: float, alternative: Alternative) -> float:
        if self.control == 0:
            return math.inf
        log_e, goal = _log_evalue(self, alternative), -math.log(error)
        few = _FEW / sum(s.n_treatment for s in self.strata)
        low = math.log(max(self.treatment, few)) - math.log(self.control)
        events = [sum(s.successes_control for s in self.strata), sum(s.successes_treatment for s in self.strata)]
        reach = 3 * math.sqrt(1 / (events[1] + 0.5) + 1 / events[0])
        start = max(low, math.log(0.5 / sum(s.n_treatment for s in self.strata) / self.control))
        return secant(lambda null: log_e(_of_log_ratio(null)) - goal, start + reach, 9 / reach, low)

    def _above(self, null: Null) -> float:
        """How far the estimate lies above a null."""
        if isinstance(null, Relative):
            return self.treatment - (1 + null.value) * self.control
        return self.estimate - null


_Upper = Callable[[StageProportionsEffect, float, Alternative], float]


@lru_cache(maxsize=32)
def _log_evalue(effect: StageProportionsEffect, alternative: Alternative) -> Callable[[_Line], float]:
    """Log E along a null, less what it is at the estimate where strata contradict each other."""
    joint = _Joint(effect.strata, effect.tune_at, effect.sides, alternative)
    units = joint.n.sum(axis=1)
    shares = (joint.x.sum(axis=1) + 0.5) / (units + 1)

    places = np.array(0.0)

    def least(line: _Line) -> float:
        """The search starts where the last one ended."""
        nonlocal places
        base, speed, end = line
        guess = places if places.ndim else (shares - base.mean()) / (float(speed.mean()) or 1.0)
        value, places = joint.least(line, np.clip(guess, 0.0, end))
        return value

    at_estimate = least(_of_difference(effect.estimate)) if abs(effect.estimate) < 1 else 0.0
    if effect.control > 0 and effect.treatment > 0:
        at_estimate = max(at_estimate, least(_of_log_ratio(math.log(effect.treatment / effect.control))))
    excess = max(at_estimate, 0.0)
    return lambda line: least(line) - excess
