"""Runs of a plan whose metrics are proportions of rare events, by the plan's own test of every pair of counts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
from scipy.special import xlogy

from abkit._check import Float64Array
from abkit.evidence import Sample
from abkit.inference._score_effect import ScoreEffect
from abkit.sequential import AnytimeValid
from abkit.sequential._many_proportions import log_evidence
from abkit.simulate._canonical import Runs, joined, no_runs, record
from abkit.simulate._course import Course, course_of
from abkit.simulate._rule import Rule
from abkit.simulate._scenario import Scenario
from abkit.simulate._setting import Setting

BLOCK = 5_000
#: Proportions of the control, as shares of what a null leaves, at which evidence is bounded from above.
_PLACES = np.concatenate([np.logspace(-9, -1, 60), np.linspace(0.11, 0.89, 30)])
_Ints = npt.NDArray[np.int64]


def simulate_counts(setting: Setting, scenario: Scenario, runs: int, rng: np.random.Generator) -> Runs:
    """Run the plan on counts of rare events: as many units of each variant as planned, binomial numbers of events."""
    world = _world(setting, scenario)
    return joined([_block(world, min(BLOCK, runs - start), rng) for start in range(0, runs, BLOCK)])


@dataclass(frozen=True, eq=False, slots=True)
class _World:
    """What all runs share: units, shape (looks, variants), rates, shape (variants, metrics), and nulls, a metric each.

    `read` says from what a metric is judged upwards and downwards.
    """

    setting: Setting
    course: Course
    rule: Rule
    units: _Ints
    rates: Float64Array
    nulls: Float64Array
    signs: Float64Array


def _world(setting: Setting, scenario: Scenario) -> _World:
    plan, course = setting.plan, course_of(setting.plan, scenario, setting.units)
    units = np.rint(np.array(setting.units)[:, None] * course.planned).astype(np.int64)
    base = min((scenario.events or 0.0) / float(units[-1, 0]), 0.5)
    size = math.sqrt(base * (1 - base) / course.planned_information)
    metrics = plan.metrics.items()
    signs = np.array([metric.sign for _, metric in metrics])
    unit, margin = (np.array([getattr(setting.drifts[n], of) for n, _ in metrics]) * size for of in ("unit", "margin"))
    gains = np.array([1.0 if metric.role == "success" else -1.0 for _, metric in metrics])
    moved = base + signs * unit * np.array([scenario.effects.get(name, 0.0) for name, _ in metrics])
    treated = np.tile(np.clip(moved, 0.0, 1.0), (units.shape[1] - 1, 1))
    rates = np.concatenate([np.full((1, len(signs)), base), treated])
    nulls = np.clip(signs * gains * margin, -0.999, 0.999)
    return _World(setting, course, Rule.of(plan, course.variants[1:]), units, rates, nulls, signs)


def _block(world: _World, runs: int, rng: np.random.Generator) -> Runs:
    result, open_runs = no_runs(runs), np.arange(runs)
    counts = np.zeros((runs, *world.rates.shape), dtype=np.int64)
    seen = np.zeros(world.units.shape[1], dtype=np.int64)
    for k, units in enumerate(world.units):
        counts = counts + rng.binomial((units - seen)[:, None], world.rates, size=counts.shape)
        seen = units
        deviates, last = _deviates(world, k, counts[open_runs]), k == len(world.units) - 1
        sound = np.zeros(len(open_runs), dtype=np.bool_)
        found = world.rule.verdicts(*deviates, *_bounds(world, k), sound, units.min(), expired=last)
        exposed = np.broadcast_to(units, (len(open_runs), len(units)))
        open_runs = open_runs[record(result, open_runs, found, exposed, k + 1, last=last)]
        if not len(open_runs):
            break
    return result


def _deviates(world: _World, look: int, counts: _Ints) -> tuple[Float64Array, Float64Array]:
    """From zero and from each null, shape (runs, metrics, treatments)."""
    runs, variants, metrics = counts.shape
    zero, null = np.full((2, runs, metrics, variants - 1), np.nan)
    roles = [metric.role for metric in world.setting.plan.metrics.values()]
    for t in range(variants - 1):
        for m, role in enumerate(roles):
            level = max(world.rule.gains[m][0], world.rule.harms[m][0])
            pairs = counts[:, [0, t + 1], m]
            of = {0.0} if role == "quality" else {float(world.nulls[m])} | ({0.0} if role == "success" else set())
            found = {value: world.signs[m] * _against(world, look, t, pairs, value, level) for value in of}
            zero[:, m, t] = found.get(0.0, np.nan)
            null[:, m, t] = found.get(float(world.nulls[m]), np.nan)
    return zero, null


def _bounds(world: _World, look: int) -> tuple[Float64Array, Float64Array]:
    """Upwards and downwards at this look, as `Rule.verdicts` reads them."""
    shape = (world.rule.shares, len(world.signs), len(world.rule.treatments))
    up, down = np.full(shape, np.inf), np.full(shape, np.inf)
    for bounds, levels_of in ((up, world.rule.gains), (down, world.rule.harms)):
        for m, levels in enumerate(levels_of):
            bounds[: len(levels), m] = np.array(_criticals(world, look, levels))[:, None]
    return up, down


def _criticals(world: _World, look: int, levels: tuple[float, ...]) -> list[float]:
    """What a deviate must exceed: of exact comparisons -log p, else the deviate of the monitor's bound."""
    monitor = world.setting.plan.monitor
    if isinstance(monitor, AnytimeValid):
        return [-math.log(level) for level in levels]
    samples = [Sample(0, 0)] * len(world.units)
    where = world.course.look(len(getattr(monitor, "planned", ())))
    return [max(monitor.critical_values(level / 2, where, samples)[look], 0.0) for level in levels]


def _against(world: _World, look: int, treatment: int, pairs: _Ints, null: float, level: float) -> Float64Array:
    """The deviates of pairs of counts from a null; each different pair is tested once."""
    different, which = np.unique(pairs, axis=0, return_inverse=True)
    n_c, n_t = (int(world.units[look, v]) for v in (0, treatment + 1))
    monitor = world.setting.plan.monitor
    if not n_c or not n_t:
        return np.full(len(pairs), np.nan)
    if not isinstance(monitor, AnytimeValid):
        scores = [ScoreEffect(c, n_c, t, n_t) for c, t in different.tolist()]
        tested = [math.nan if math.isnan(score.statistic(0.0)) else score.statistic(null) for score in scores]
        return np.array(tested)[which.ravel()]
    share = float(world.course.planned[treatment + 1] / (world.course.planned[0] + world.course.planned[treatment + 1]))
    deviates, near = np.zeros(len(different)), _most_evidence(different, (n_c, n_t), null) >= -math.log(level)
    deviates[near] = _exact(different[near], np.array([n_c, n_t]), share, monitor, null)
    return deviates[which.ravel()]


def _exact(counts: _Ints, n: _Ints, share: float, monitor: AnytimeValid, null: float) -> Float64Array:
    """-log p of the exact comparison, signed by the side of the null."""
    above = counts[:, 1] * n[0] - counts[:, 0] * n[1] - null * n[0] * n[1] > 0
    found = partial(log_evidence, counts, n, null, share=share, tune_at=monitor.tune_at, sides=monitor.sides)
    # with one side, each direction has its own error
    size = found("two-sided") if monitor.sides == 2 else np.maximum(found("greater"), found("less")) - math.log(2)
    return np.where(above, 1.0, -1.0) * np.maximum(size, 0.0)


def _most_evidence(counts: _Ints, n: tuple[int, int], null: float) -> Float64Array:
    """No e-value exceeds this: the log likelihood ratio of the observed proportions and of a pair of the null."""
    units = np.array(n, dtype=np.float64)
    best = np.sum(xlogy(counts, counts / units) + xlogy(units - counts, 1 - counts / units), axis=1)
    lower = max(-null, 0.0) + _PLACES * (1 - abs(null))
    pooled = np.clip(counts.sum(axis=1, keepdims=True) / units.sum() - null / 2, max(-null, 0.0) + 1e-12, None)
    control = np.concatenate(
        [np.broadcast_to(lower, (len(counts), len(lower))), np.minimum(pooled, 1 - max(null, 0.0))], axis=1
    )
    likelihood = np.zeros_like(control)
    for v, rates in enumerate((control, control + null)):
        rate, x = np.clip(rates, 0.0, 1.0), counts[:, v : v + 1].astype(np.float64)
        with np.errstate(divide="ignore"):
            likelihood += xlogy(x, rate) + xlogy(units[v] - x, 1 - rate)
    return np.asarray(best - likelihood.max(axis=1) + 1e-9)
