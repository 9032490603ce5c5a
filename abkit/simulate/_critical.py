"""The critical deviates of a plan at each look, as its monitor gives them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from abkit._check import Float64Array
from abkit.experiment import Experiment
from abkit.metrics import Metric, Proportion
from abkit.sequential import AnytimeValid, Bayesian
from abkit.simulate._counts import ExpectedCounts
from abkit.simulate._course import Course
from abkit.simulate._drift import Drift
from abkit.simulate._rule import Rule


def critical_deviates(
    plan: Experiment, rule: Rule, course: Course, drifts: Mapping[str, Drift], means: Float64Array, nulls: Float64Array
) -> tuple[Float64Array, Float64Array]:
    """Upwards and downwards, shape (looks, shares, metrics, treatments), as `Rule.verdicts` reads them.

    `means` and `nulls`, shape (looks, metrics, treatments), are the expected z, and that of the metric's own null.
    """
    shape = (len(course.total), rule.shares, len(plan.metrics), len(rule.treatments))
    up, down = np.full(shape, np.inf), np.full(shape, np.inf)
    for i, (name, metric) in enumerate(plan.metrics.items()):
        gains, harms = np.array(rule.gains[i]) / 2, np.array(rule.harms[i]) / 2
        for t in range(len(rule.treatments)):
            to_up, to_down = (slice(None), slice(len(gains)), i, t), (slice(None), slice(len(harms)), i, t)
            rate = drifts[name].rate
            if isinstance(plan.monitor, AnytimeValid) and _counted(metric) and rate is not None:
                counts = _expected_counts(plan.monitor, course, t, rate, metric.sign * means[:, i, t])
                up[to_up] = _of_counts(counts, metric, gains, nulls[:, i, t], harm=False)
                down[to_down] = _of_counts(counts, metric, harms, nulls[:, i, t], harm=True)
            else:
                up[to_up] = _of_monitor(plan, course, t, drifts[name], gains)
                same = np.array_equal(gains, harms)
                down[to_down] = up[to_up] if same else _of_monitor(plan, course, t, drifts[name], harms)
    return np.maximum(up, 0.0), np.maximum(down, 0.0)


def notes_on_bounds(plan: Experiment, drifts: Mapping[str, Drift]) -> tuple[str, ...]:
    """What stands for the exact comparison of counts, for each metric that has it."""
    if isinstance(plan.monitor, Bayesian):
        counts = ", ".join(f"`{name}`" for name, metric in plan.metrics.items() if _counted(metric))
        return (f"{counts}: the score test stands for the exact posterior of counts",) if counts else ()
    if not isinstance(plan.monitor, AnytimeValid):
        return ()
    exact = {name: drifts[name].rate for name, metric in plan.metrics.items() if _counted(metric)}
    known, unknown = ([f"`{n}`" for n, rate in exact.items() if (rate is None) == none] for none in (False, True))
    notes = []
    if known:
        notes.append(f"{', '.join(known)}: the bounds are those of the exact comparison at the expected counts")
    if unknown:
        notes.append(
            f"{', '.join(unknown)}: the normal mixture stands for the exact comparison of counts, "
            "whose bounds need the control's rate"
        )
    return tuple(notes)


def _counted(metric: Metric) -> bool:
    """Whether counts are the whole evidence."""
    return isinstance(metric, Proportion) and not metric.covariates


def _of_monitor(plan: Experiment, course: Course, treatment: int, drift: Drift, tails: Float64Array) -> Float64Array:
    look = course.look(len(getattr(plan.monitor, "planned", ())))
    samples = course.samples(treatment, drift.events, drift.skewness)
    return np.array([plan.monitor.critical_values(tail, look, samples) for tail in tails.tolist()]).T


def _expected_counts(
    monitor: AnytimeValid, course: Course, treatment: int, rate: float, means: Float64Array
) -> list[ExpectedCounts]:
    """At each look; `means` are the true deviates of treatment minus control."""
    planned = float(course.planned[treatment + 1])
    share = planned / (float(course.planned[0]) + planned)
    units = zip(course.n[:, 0].tolist(), course.n[:, treatment + 1].tolist(), means.tolist(), strict=True)
    return [ExpectedCounts(c, t, rate, mean, share, monitor.tune_at, monitor.sides) for c, t, mean in units]


def _of_counts(
    counts: list[ExpectedCounts], metric: Metric, tails: Float64Array, nulls: Float64Array, *, harm: bool
) -> Float64Array:
    """Upwards from the metric's null, or downwards from what is harm, at the expected counts of each look."""
    found = np.empty((len(counts), len(tails)))
    sign = -metric.sign if harm else metric.sign
    from_zero = harm and metric.role == "success"
    null = 0.0 if from_zero else metric.null()
    for k, (at_look, at_null) in enumerate(zip(counts, nulls.tolist(), strict=True)):
        place = 0.0 if from_zero else metric.sign * at_null
        found[k] = [at_look.critical(tail, null, place, sign) for tail in tails.tolist()]
    return found
