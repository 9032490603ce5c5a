"""Runs of a plan on the sums of simulated logs: what the joint distribution of its statistics alone cannot show.

Units arrive in batches, are drawn into variants, and lose or double what the scenario says. What is left is added up
per variant as a log's statistics are, and meets the plan's checks and its rule.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.special import chdtri, ndtri, stdtr

from abkit._check import Float64Array
from abkit.sequential import Bayesian, FixedHorizon
from abkit.simulate._canonical import Runs, _covariates, joined, no_runs, ratio_broken, record
from abkit.simulate._course import Course, course_of
from abkit.simulate._critical import critical_deviates
from abkit.simulate._rule import Rule
from abkit.simulate._scenario import BATCHES, Scenario
from abkit.simulate._setting import Setting

#: Runs that are held at once.
BLOCK = 5_000
#: Degrees of freedom from which a series stands for the distribution of t.
_MANY = 50
_Ints = npt.NDArray[np.int64]
_Bools = npt.NDArray[np.bool_]


def simulate_sums(setting: Setting, scenario: Scenario, runs: int, rng: np.random.Generator) -> Runs:
    """Run the plan on sums of normal values, drawn batch by batch, with the faults of the scenario.

    Where the log lacks the control or every treatment there is no verdict: those runs are blocked to the end.
    """
    plan, course = setting.plan, course_of(setting.plan, scenario, setting.units)
    rule = Rule.of(plan, course.variants[1:])
    drifts = {name: replace(drift, rate=None) for name, drift in setting.drifts.items()}  # what is drawn are no counts
    nothing = np.zeros((len(setting.units), len(plan.metrics), len(rule.treatments)))
    up, down = critical_deviates(plan, rule, course, drifts, nothing, nothing)
    blocks = []
    for start in range(0, runs, BLOCK):
        size = min(BLOCK, runs - start)
        sums, block, open_runs = Sums(setting, scenario, course, size, rng), no_runs(size), np.arange(size)
        for k, units in enumerate(setting.units):
            sums.up_to(units)
            last, smallest = units == setting.last, sums.units.min(axis=1)
            found = rule.verdicts(*sums.deviates(), up[k], down[k], sums.broken(), smallest, expired=last)
            going = record(block, open_runs, found, sums.units, k + 1, last=last)
            if not len(going):
                break
            if len(going) < len(open_runs):
                open_runs = open_runs[going]
                sums.keep(going)
        blocks.append(block)
    return joined(blocks)


@dataclass(frozen=True, eq=False, slots=True)
class _Totals:
    """Sums and sums of squares of values, shape (runs, variants, metrics)."""

    sums: Float64Array
    squares: Float64Array

    def of(self, chosen: npt.NDArray[np.intp]) -> _Totals:
        return _Totals(self.sums[chosen], self.squares[chosen])

    def add(self, other: _Totals, factor: float = 1.0) -> None:
        np.add(self.sums, factor * other.sums, out=self.sums)
        np.add(self.squares, factor * factor * other.squares, out=self.squares)


class Sums:
    """What the log of each run holds so far, of values with variance 1 that are better the larger they are."""

    def __init__(
        self, setting: Setting, scenario: Scenario, course: Course, runs: int, rng: np.random.Generator
    ) -> None:
        self.setting, self.scenario, self.course, self.rng = setting, scenario, course, rng
        names, self.covariates = list(setting.plan.metrics), _covariates(setting.plan)
        self.metrics, behind = len(names), sum(self.covariates)
        shape = (runs, len(course.variants), len(names) + behind)
        self.units: _Ints = np.zeros(shape[:2], dtype=np.int64)
        self.twice: _Ints = np.zeros(runs, dtype=np.int64)
        self.seen, self.late = (_Totals(np.zeros(shape), np.zeros(shape)) for _ in range(2))
        self.arrived, self.noise = 0, np.zeros(shape)
        scale = math.sqrt(course.planned_information)
        nothing = np.zeros(behind)  # no release moves what was before it
        self.size = np.concatenate([[setting.drifts[name].unit for name in names], nothing]) / scale
        self.effect = np.concatenate([[scenario.effects.get(name, 0.0) for name in names], nothing]) * self.size
        margin = np.array([setting.drifts[name].margin for name in names]) / scale
        gains = np.array([metric.role == "success" for metric in setting.plan.metrics.values()])
        self.null = np.concatenate([np.where(gains, margin, -margin), nothing])
        self.mixing = np.eye(shape[-1])
        self.mixing[: self.metrics, : self.metrics] = _mixing(scenario.correlation, self.metrics)
        self.rho = np.repeat([scenario.autocorrelation, 0.0], [self.metrics, behind])

    def up_to(self, units: int) -> None:
        """Let units arrive until there are so many; what was late at the look before has arrived."""
        self.seen.add(self.late)
        self.late.sums[:], self.late.squares[:] = 0.0, 0.0
        for end in _ends(self.arrived, units, self.setting.last, self.scenario):
            self._arrive(end - self.arrived, (self.arrived + end) / 2 / self.setting.last)
            self.arrived = end

    def keep(self, chosen: npt.NDArray[np.intp]) -> None:
        """Go on with these runs only."""
        self.units, self.twice, self.noise = self.units[chosen], self.twice[chosen], self.noise[chosen]
        self.seen, self.late = self.seen.of(chosen), self.late.of(chosen)

    def deviates(self) -> tuple[Float64Array, Float64Array]:
        """From zero and from each metric's null, shape (runs, metrics, treatments); nan where there are no data."""
        found, df = self._statistics()
        if isinstance(self.setting.plan.monitor, (FixedHorizon, Bayesian)):
            found = [_normal(t, df) for t in found]
        zero, null = (values[..., : self.metrics].transpose(0, 2, 1) for values in found)
        return zero, null

    def _statistics(self) -> tuple[list[Float64Array], Float64Array]:
        """Welch's t of all columns, from zero and from the nulls, and its degrees of freedom."""
        n = self.units[:, :, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = self.seen.sums / n
            variance = (self.seen.squares / n - mean * mean) / (n - 1)
            gap, each = mean[:, 1:] - mean[:, :1], (variance[:, :1], variance[:, 1:])
            stderr = np.sqrt(each[0] + each[1])
            df = (each[0] + each[1]) ** 2 / (each[0] ** 2 / (n[:, :1] - 1) + each[1] ** 2 / (n[:, 1:] - 1))
            return [gap / stderr, (gap - self.null) / stderr], df

    def broken(self) -> _Bools:
        """Whether a check of the units fails, or cannot be made: their ratio, their covariates, several variants."""
        plan, seen = self.setting.plan, self.units.sum(axis=1)
        broken = self.twice > plan.quality.contaminated * (seen + self.twice)
        if not any(metric.pairs for metric in plan.metrics.values()):
            broken = broken | ratio_broken(plan, self.units, self.course.planned)
        return np.asarray(broken | self._unbalanced() if self.covariates else broken)

    def _unbalanced(self) -> _Bools:
        squares, first = self._statistics()[0][0][..., self.metrics :] ** 2, 0
        found = np.zeros(len(squares), dtype=np.bool_)
        for size in self.covariates:
            distance = squares[..., first : first + size].sum(axis=-1)
            found |= np.any(distance > chdtri(size, self.setting.plan.quality.alpha), axis=1)
            first += size
        return found

    def _arrive(self, units: int, time: float) -> None:
        """One batch of units, at a time from 0 to 1."""
        counts = self.rng.multinomial(units, self._shares(time), size=len(self.units)).astype(np.int64)
        if self.scenario.missing is not None:
            counts[:, self.course.variants.index(self.scenario.missing)] = 0
        if self.scenario.contaminated:
            lost = self.rng.binomial(counts, self.scenario.contaminated)
            counts, self.twice = counts - lost, self.twice + lost.sum(axis=1)
        self.units += counts
        if self.scenario.autocorrelation:
            self._next_noise()
        for part, target, times in self._parts(counts):
            target.add(self._drawn(part, time), times)

    def _next_noise(self) -> None:
        """What a batch has in common beside the scatter of its units: part of the noise of the batch before."""
        fresh = self.rng.standard_normal(self.noise.shape) @ self.mixing
        self.noise = self.rho * self.noise + np.sqrt(1 - self.rho**2) * fresh if self.arrived else fresh

    def _parts(self, counts: _Ints) -> Iterator[tuple[_Ints, _Totals, float]]:
        """Units by when their rows arrive and how many times they count."""
        times = 1.0 if self.setting.plan.key else 2.0  # with a key, further rows are left out
        late = self._split(counts, self.scenario.late)
        for part, target in ((counts - late, self.seen), (late, self.late)):
            twice = self._split(part, self.scenario.duplicates)
            yield part - twice, target, 1.0
            if twice.any():
                yield twice, target, times

    def _split(self, counts: _Ints, share: float) -> _Ints:
        return self.rng.binomial(counts, share) if share else np.zeros_like(counts)

    def _drawn(self, counts: _Ints, time: float) -> _Totals:
        """Sums and sums of squares of so many values."""
        n = counts[:, :, None].astype(np.float64)
        noise = (
            self.noise if self.scenario.autocorrelation else self.rng.standard_normal(self.noise.shape) @ self.mixing
        )
        centre = np.tile(self.scenario.drift * time * self.size, (counts.shape[1], 1))
        centre[1:] += self.effect
        sums = n * centre + np.sqrt(n) * noise
        within = self.rng.chisquare(np.maximum(n - 1, 1e-9), size=noise.shape) * (n > 1)
        return _Totals(sums, within + sums * sums / np.maximum(n, 1))

    def _shares(self, time: float) -> Float64Array:
        """The shares that variants really get at a time from 0 to 1."""
        given = self.scenario.allocation
        shares = np.array([given[variant] for variant in self.course.variants]) if given else self.course.planned
        shares = np.asarray(shares / shares.sum())
        if self.scenario.ramp is None:
            return shares
        stages = self.scenario.ramp
        treated = stages[min(int(time * len(stages)), len(stages) - 1)]
        return np.concatenate([[1 - treated], treated * shares[1:] / shares[1:].sum()])


def _normal(t: Float64Array, df: Float64Array) -> Float64Array:
    """The normal deviates with the tails of t; from 50 degrees of freedom by Hill's series.

    Hill 1970, CACM 13(10), algorithm 395: no further off than 2e-9 where |t| is below 8.
    """
    df = np.broadcast_to(df, t.shape)
    a = df - 0.5
    b, square = 48 * a * a, a * np.log1p(t * t / df)
    tail = (((-0.4 * square - 3.3) * square - 24) * square - 85.5) / (0.8 * square * square + 100 + b)
    size = ((tail + square + 3) / b + 1) * np.sqrt(square)
    few = df < _MANY
    size[few] = -ndtri(stdtr(df[few], -np.abs(t[few])))
    return np.asarray(np.copysign(size, t))


def _ends(start: int, end: int, last: int, scenario: Scenario) -> list[int]:
    """Where batches end: at the look; before it at each stage of a ramp, and with autocorrelation at each batch."""
    parts = [len(scenario.ramp or ())] + [BATCHES] * bool(scenario.autocorrelation)
    edges = {round(last * i / count) for count in parts for i in range(1, count)}
    return [*sorted(edge for edge in edges if start < edge < end), end]


def _mixing(correlation: float, metrics: int) -> Float64Array:
    """Independent noise times this has equal correlations."""
    values, vectors = np.linalg.eigh(np.full((metrics, metrics), correlation) + (1 - correlation) * np.eye(metrics))
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T)
