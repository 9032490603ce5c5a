"""Whole experiments from the joint distribution of their statistics: vectors over the runs, a loop over the looks.

Given the units, the z of a metric at successive looks is that of a sum of independent increments of each variant
(Jennison and Turnbull 2000, ch. 3), so that an increment per variant, metric and look is all that is drawn. Treatments
share the control's. A margin is a shift of z.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from scipy.special import chdtrc, chdtri

from abkit import _check
from abkit._check import Float64Array
from abkit.experiment import Experiment
from abkit.sequential import FixedHorizon
from abkit.sequential._srm_sequence import log_evidence
from abkit.simulate._course import Course, course_of
from abkit.simulate._critical import critical_deviates
from abkit.simulate._drift import Drift
from abkit.simulate._rule import CONTINUE, Rule, Verdicts
from abkit.simulate._scenario import Scenario

#: Runs that are held at once.
_BLOCK = 20_000
_T = TypeVar("_T", bound=np.generic)
_Counts = Float64Array | npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False, slots=True)
class Runs:
    """What a plan decided in each run.

    Parameters
    ----------
    verdict : int8 array, shape (runs,)
        1 promote, -1 roll back, 0 continue, which is how things stand at the last look.
    look : int array, shape (runs,)
        The look at which it came, from 1.
    variant : int array, shape (runs,)
        Which treatment was promoted, from 0; -1 where none was.
    blocked : bool array, shape (runs,)
        A check of the data failed at some look up to then.
    units, treated : float array, shape (runs,)
        Units seen up to then, of all variants and of the treatments.
    """

    verdict: npt.NDArray[np.int8]
    look: npt.NDArray[np.intp]
    variant: npt.NDArray[np.intp]
    blocked: npt.NDArray[np.bool_]
    units: Float64Array
    treated: Float64Array


def simulate_canonical(
    plan: Experiment,
    scenario: Scenario,
    *,
    looks: npt.ArrayLike,
    drifts: Mapping[str, Drift],
    runs: int,
    rng: np.random.Generator,
) -> Runs:
    """Run a plan many times in a scenario, deciding at every look until it promotes or rolls back.

    Parameters
    ----------
    plan : Experiment
    scenario : Scenario
        Its effects, correlation, autocorrelation, ramp, drift and allocation are used.
    looks : array_like, shape (looks,)
        Units of all variants up to each look.
    drifts : mapping of metric to Drift
        For each metric of the plan.
    runs : int
        How many, at least 1.
    rng : numpy.random.Generator

    Returns
    -------
    Runs
    """
    return simulate_alike(plan, [scenario], looks=looks, drifts=drifts, runs=runs, rng=rng)[0]


def simulate_alike(
    plan: Experiment,
    scenarios: Sequence[Scenario],
    *,
    looks: npt.ArrayLike,
    drifts: Mapping[str, Drift],
    runs: int,
    rng: np.random.Generator,
) -> list[Runs]:
    """The same in several scenarios with the same noise, `noise_of`, which is drawn once for all of them.

    Each has the runs that it would have alone.
    """
    runs = _check.count("runs", runs, 1)
    worlds = [_world(plan, scenario, course_of(plan, scenario, looks), dict(drifts)) for scenario in scenarios]
    blocks = [_block(worlds, min(_BLOCK, runs - start), rng) for start in range(0, runs, _BLOCK)]
    return [joined(parts) for parts in zip(*blocks, strict=True)]


def noise_of(scenario: Scenario) -> tuple[object, ...]:
    """All of a scenario that the noise of its runs depends on."""
    shares = None if scenario.allocation is None else tuple(sorted(scenario.allocation.items()))
    return scenario.correlation, scenario.autocorrelation, scenario.ramp, shares


def joined(blocks: Sequence[Runs]) -> Runs:
    """Blocks of runs as one."""
    return Runs(*(np.concatenate([getattr(block, field.name) for block in blocks]) for field in fields(Runs)))


@dataclass(frozen=True, eq=False, slots=True)
class _World:
    """All that the runs of a scenario share.

    `mean` and `to_null`, shape (looks, metrics, treatments), are the expected z and its distance from that against the
    metric's own null. `root`, shape (columns, columns), makes independent noise that of the metrics and, in the columns
    behind them, of their covariates, which come in sets of so many as `covariates` says; `autocorrelation` is each
    column's. `spread`, shape (looks, parts), is the variance up to each look of the sums that z is made of: one a
    variant, or that of the only difference.
    """

    plan: Experiment
    rule: Rule
    course: Course
    mean: Float64Array
    to_null: Float64Array
    up: Float64Array
    down: Float64Array
    root: Float64Array
    spread: Float64Array
    autocorrelation: Float64Array
    covariates: tuple[int, ...]


def _world(plan: Experiment, scenario: Scenario, course: Course, drifts: dict[str, Drift]) -> _World:
    for name in plan.metrics:
        if name not in drifts:
            raise ValueError(f"`drifts` must have a drift for every metric; got none for {name!r}.")
    rule = Rule.of(plan, course.variants[1:])
    scale = np.sqrt(course.information / course.planned_information)[:, None, :]
    moved = scenario.drift * (course.level[:, 1:] - course.level[:, :1])[:, None, :]
    unit, margin, effect = (
        np.array(values)[None, :, None]
        for values in (
            [drifts[name].unit for name in plan.metrics],
            [drifts[name].margin * _way(metric.role) for name, metric in plan.metrics.items()],
            [scenario.effects.get(name, 0.0) for name in plan.metrics],
        )
    )
    mean, to_null = (effect + moved) * unit * scale, margin * scale
    up, down = critical_deviates(plan, rule, course, drifts, mean, -to_null)
    covariates = _covariates(plan)
    metrics = len(plan.metrics)
    root = np.eye(metrics + sum(covariates))
    root[:metrics, :metrics] = _root(metrics, scenario.correlation)
    repeated = np.repeat([scenario.autocorrelation, 0.0], [metrics, sum(covariates)])
    # batches of constant shares add noise to a difference as they do to its variants
    alone = len(rule.treatments) == 1 and not (scenario.ramp and scenario.autocorrelation)
    spread = course.information if alone else course.n
    return _World(plan, rule, course, mean, to_null, up, down, root, spread, repeated, covariates)


def _way(role: str) -> float:
    """A gain that is asked for lowers z against the null, a harm that is tolerated raises it."""
    return -1.0 if role == "success" else 1.0


def _covariates(plan: Experiment) -> tuple[int, ...]:
    """How many covariates are in each set that is checked for balance; pairs are balanced by themselves.

    Sets are taken for independent of each other, which blocks no less often than sets that share covariates do.
    """
    unpaired = {name: metric for name, metric in plan.metrics.items() if not metric.pairs}
    blocks = [metric.block(name, plan.missing).variables[len(metric.outcomes()) :] for name, metric in unpaired.items()]
    return tuple(len(covariates) for covariates in dict.fromkeys(blocks) if covariates)


def _root(metrics: int, correlation: float) -> Float64Array:
    """The symmetric root of a matrix with ones on its diagonal and the correlation everywhere else."""
    other = math.sqrt(max(1 - correlation, 0.0))
    along = (math.sqrt(max(1 + (metrics - 1) * correlation, 0.0)) - other) / metrics
    return other * np.eye(metrics) + along


def _block(worlds: list[_World], runs: int, rng: np.random.Generator) -> list[Runs]:
    """Runs of worlds that have their noise in common; runs are the last axis, along which vectors are long."""
    alike = worlds[0]
    variants, metrics = len(alike.course.variants), alike.mean.shape[1]
    results, open_runs = [no_runs(runs) for _ in worlds], [np.arange(runs)] * len(worlds)
    noise = np.zeros((alike.spread.shape[1], len(alike.root), runs))
    sums, counts = np.zeros_like(noise), np.zeros((variants, runs))
    steps = np.sqrt(np.diff(alike.spread, axis=0, prepend=0.0))
    for k, step in enumerate(steps):
        noise = _next(alike, k, noise, rng)
        sums += noise * step[:, None, None]
        counts += _arrivals(alike.course, k, runs, rng).T
        deviates = _deviates(alike, k, sums)
        broken = _ratio_broken(alike, counts.T) | _unbalanced(alike, deviates[metrics:])
        for i, world in enumerate(worlds):
            here = open_runs[i]
            if len(here):
                seen, last = _of(counts, here), k + 1 == len(steps)
                found = _found(world, k, _of(deviates[:metrics], here), _of(broken, here), seen.min(axis=0), last=last)
                going = record(results[i], here, found, seen.T, k + 1, last=last)
                open_runs[i] = here[going] if len(going) < len(here) else here
        if not any(map(len, open_runs)):
            break
    return results


def _of(values: npt.NDArray[_T], chosen: npt.NDArray[np.intp]) -> npt.NDArray[_T]:
    """Those of the chosen runs, which rise."""
    return values if len(chosen) == values.shape[-1] else values.take(chosen, axis=-1)


def _found(
    world: _World,
    look: int,
    noise: Float64Array,
    broken: npt.NDArray[np.bool_],
    smallest: Float64Array,
    *,
    last: bool,
) -> Verdicts:
    """What the rule says at a look, the last of which is the deadline."""
    z = world.mean[look][..., None] + noise
    zero, null = (np.moveaxis(values, 2, 0) for values in (z, z + world.to_null[look][..., None]))
    return world.rule.verdicts(zero, null, world.up[look], world.down[look], broken, smallest, expired=last)


def no_runs(runs: int) -> Runs:
    """So many without any verdict yet."""
    whole, zeros = np.zeros(runs, dtype=np.intp), np.zeros(runs)
    return Runs(np.zeros(runs, dtype=np.int8), whole, whole - 1, zeros > 0, zeros, zeros.copy())


def record(
    result: Runs, open_runs: npt.NDArray[np.intp], found: Verdicts, counts: _Counts, look: int, *, last: bool
) -> npt.NDArray[np.intp]:
    """Write down the runs that end at a look; the places of those that go on."""
    result.blocked[open_runs] |= found.blocked
    stopped = (found.verdict != CONTINUE) | last
    ended, units = open_runs[stopped], counts[stopped]
    result.verdict[ended], result.variant[ended] = found.verdict[stopped], found.variant[stopped]
    result.look[ended] = look
    result.units[ended], result.treated[ended] = units.sum(axis=1), units[:, 1:].sum(axis=1)
    return np.flatnonzero(~stopped)


def _next(world: _World, look: int, before: Float64Array, rng: np.random.Generator) -> Float64Array:
    """The noise that a look adds, of variance 1."""
    fresh = world.root @ rng.standard_normal(before.shape)
    rho = world.autocorrelation[:, None]
    return fresh if not look or not rho.any() else rho * before + np.sqrt(1 - rho * rho) * fresh


def _arrivals(course: Course, look: int, runs: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """The units that a look adds to each variant, shape (runs, variants)."""
    added = course.n[look] - (course.n[look - 1] if look else 0.0)
    new = round(float(course.total[look] - (course.total[look - 1] if look else 0.0)))
    shares = np.maximum(added, 0.0)
    return rng.multinomial(new, shares / shares.sum(), runs)


def _deviates(world: _World, look: int, sums: Float64Array) -> Float64Array:
    """Noise of z, shape (columns, treatments, runs); nan where there are no units."""
    root = np.sqrt(world.course.information[look])
    if len(sums) == 1:
        return np.asarray(np.moveaxis(sums, 0, 1) / root[:, None])
    n = world.course.n[look]
    means = sums / np.where(n > 0, n, np.nan)[:, None, None]
    return np.asarray(np.moveaxis(means[1:] - means[:1], 0, 1) * root[:, None], order="C")


def _ratio_broken(world: _World, counts: Float64Array) -> npt.NDArray[np.bool_]:
    """Whether the sample ratio is off, or nothing can be said of it."""
    if any(metric.pairs for metric in world.plan.metrics.values()):
        return np.asarray(counts.sum(axis=1) == 0)
    return ratio_broken(world.plan, counts, world.course.planned)


def ratio_broken(plan: Experiment, counts: _Counts, shares: Float64Array) -> npt.NDArray[np.bool_]:
    """Whether the plan's own check of the sample ratio fails, or has no units; `counts`: (runs, variants)."""
    alpha, total = plan.quality.alpha, counts.sum(axis=1)
    broken, expected = np.asarray(total == 0), total[:, None] * shares
    statistic = np.sum((counts - expected) ** 2 / np.where(expected > 0, expected, 1.0), axis=1)
    if isinstance(plan.monitor, FixedHorizon):
        df = len(shares) - 1
        near = np.flatnonzero(statistic > 0.999 * chdtri(df, alpha))  # elsewhere its digits do not matter
        broken[near] |= chdtrc(df, statistic[near]) < alpha
        return broken
    # no log evidence exceeds the largest log likelihood ratio, nor that the chi-square statistic
    near = np.flatnonzero(statistic > -math.log(alpha))
    broken[near] |= log_evidence(counts[near], shares) > -math.log(alpha)
    return broken


def _unbalanced(world: _World, covariates: Float64Array) -> npt.NDArray[np.bool_]:
    """Whether a set of covariates, given as deviates that no release moves, is seen to differ."""
    found, first = np.zeros(covariates.shape[-1], dtype=np.bool_), 0
    for size in world.covariates:
        distance = np.sum(covariates[first : first + size] ** 2, axis=0)
        found |= np.any(distance > chdtri(size, world.plan.quality.alpha), axis=0)
        first += size
    return found
