"""Whole experiments from the joint distribution of their statistics: vectors over the runs, a loop over the looks.

Given the units, the z of a metric at successive looks is that of a sum of independent increments of each variant
(Jennison and Turnbull 2000, ch. 3), so that an increment per variant, metric and look is all that is drawn. Treatments
share the control's. A margin is a shift of z.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
from scipy.special import chdtrc

from abkit import _check
from abkit._check import Float64Array
from abkit.experiment import Experiment
from abkit.sequential import FixedHorizon
from abkit.sequential._srm_sequence import log_evidence
from abkit.simulate._course import Course, course_of
from abkit.simulate._critical import critical_deviates
from abkit.simulate._drift import Drift
from abkit.simulate._rule import Rule
from abkit.simulate._scenario import Scenario

#: Runs that are held at once.
_BLOCK = 20_000


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
        Units of all variants up to each look; or, up to 1, shares of all information, where the sample ratio is not
        checked and units are counted as such shares.
    drifts : mapping of metric to Drift
        For each metric of the plan.
    runs : int
        How many, at least 1.
    rng : numpy.random.Generator

    Returns
    -------
    Runs
    """
    runs = _check.count("runs", runs, 1)
    world = _world(plan, scenario, course_of(plan, scenario, looks), dict(drifts))
    blocks = [_block(world, min(_BLOCK, runs - start), rng) for start in range(0, runs, _BLOCK)]
    return Runs(*(np.concatenate([getattr(block, field.name) for block in blocks]) for field in fields(Runs)))


@dataclass(frozen=True, eq=False, slots=True)
class _World:
    """All that the runs of a scenario share.

    `mean` and `to_null`, shape (looks, metrics, treatments), are the expected z and its distance from that against the
    metric's own null; `root`, shape (metrics, metrics), makes independent noise that of the metrics.
    """

    plan: Experiment
    rule: Rule
    course: Course
    mean: Float64Array
    to_null: Float64Array
    up: Float64Array
    down: Float64Array
    root: Float64Array
    autocorrelation: float


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
    root = _root(len(plan.metrics), scenario.correlation)
    return _World(plan, rule, course, mean, to_null, up, down, root, scenario.autocorrelation)


def _way(role: str) -> float:
    """A gain that is asked for lowers z against the null, a harm that is tolerated raises it."""
    return -1.0 if role == "success" else 1.0


def _root(metrics: int, correlation: float) -> Float64Array:
    """The symmetric root of a matrix with ones on its diagonal and the correlation everywhere else."""
    other = math.sqrt(max(1 - correlation, 0.0))
    along = (math.sqrt(max(1 + (metrics - 1) * correlation, 0.0)) - other) / metrics
    return other * np.eye(metrics) + along


def _block(world: _World, runs: int, rng: np.random.Generator) -> Runs:
    course, last = world.course, len(world.course.total) - 1
    variants = len(course.variants)
    result = Runs(
        np.zeros(runs, dtype=np.int8),
        np.full(runs, last + 1),
        np.full(runs, -1),
        np.zeros(runs, dtype=np.bool_),
        np.zeros(runs),
        np.zeros(runs),
    )
    open_runs, noise = np.arange(runs), np.zeros((runs, variants, len(world.root)))
    sums, counts = np.zeros_like(noise), np.zeros((runs, variants))
    for k in range(last + 1):
        noise = _next(world, k, noise, rng)
        added = course.n[k] - (course.n[k - 1] if k else 0.0)
        sums = sums + noise * np.sqrt(added)[:, None]
        counts = counts + _arrivals(course, k, added, len(counts), rng)
        against_zero = world.mean[k] + _deviates(course, k, sums)
        broken = _ratio_broken(world, counts)
        found = world.rule.verdicts(against_zero, against_zero + world.to_null[k], world.up[k], world.down[k], broken)
        result.blocked[open_runs] |= found.blocked
        stopped = found.verdict != 0 if k < last else np.ones(len(open_runs), dtype=np.bool_)
        ended = open_runs[stopped]
        result.verdict[ended], result.variant[ended] = found.verdict[stopped], found.variant[stopped]
        result.look[ended] = k + 1
        result.units[ended], result.treated[ended] = counts[stopped].sum(axis=1), counts[stopped, 1:].sum(axis=1)
        open_runs, noise, sums, counts = (values[~stopped] for values in (open_runs, noise, sums, counts))
        if not len(open_runs):
            break
    return result


def _next(world: _World, look: int, before: Float64Array, rng: np.random.Generator) -> Float64Array:
    """The noise that a look adds, of variance 1."""
    fresh = rng.standard_normal(before.shape) @ world.root
    rho = world.autocorrelation
    return fresh if not look or not rho else rho * before + math.sqrt(1 - rho * rho) * fresh


def _arrivals(
    course: Course, look: int, added: Float64Array, runs: int, rng: np.random.Generator
) -> Float64Array | npt.NDArray[np.int64]:
    if not course.counted:
        return np.broadcast_to(added, (runs, len(added)))
    new = round(float(course.total[look] - (course.total[look - 1] if look else 0.0)))
    shares = np.maximum(added, 0.0)
    return rng.multinomial(new, shares / shares.sum(), runs)


def _deviates(course: Course, look: int, sums: Float64Array) -> Float64Array:
    """Noise of z, shape (runs, metrics, treatments); nan where there are no units."""
    n, information = course.n[look], course.information[look]
    means = sums / np.where(n > 0, n, np.nan)[:, None]
    return np.moveaxis((means[:, 1:] - means[:, :1]) * np.sqrt(information)[:, None], 1, 2)


def _ratio_broken(world: _World, counts: Float64Array) -> npt.NDArray[np.bool_]:
    """Whether the sample ratio is off, or nothing can be said of it."""
    course, alpha = world.course, world.plan.quality.alpha
    if not course.counted:
        return np.zeros(len(counts), dtype=np.bool_)
    total = counts.sum(axis=1)
    if not isinstance(world.plan.monitor, FixedHorizon):
        return np.asarray((log_evidence(counts, course.planned) > -math.log(alpha)) | (total == 0))
    expected = total[:, None] * course.planned
    statistic = np.sum((counts - expected) ** 2 / np.where(expected > 0, expected, 1.0), axis=1)
    return np.asarray((chdtrc(len(course.planned) - 1, statistic) < alpha) | (total == 0))
