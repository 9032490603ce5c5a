"""The critical deviates of a plan at each look, as its monitor gives them."""

from __future__ import annotations

import numpy as np

from abkit._check import Float64Array
from abkit.experiment import Experiment
from abkit.simulate._course import Course
from abkit.simulate._drift import Drift
from abkit.simulate._rule import Rule


def critical_deviates(
    plan: Experiment, rule: Rule, course: Course, drifts: dict[str, Drift]
) -> tuple[Float64Array, Float64Array]:
    """Upwards and downwards, shape (looks, shares, metrics, treatments), as `Rule.verdicts` reads them."""
    shape = (len(course.total), rule.shares, len(plan.metrics), len(rule.treatments))
    up = np.full(shape, np.inf)
    look = course.look(len(getattr(plan.monitor, "planned", ())))
    for i, (name, metric) in enumerate(plan.metrics.items()):
        drift = drifts[name]
        for t in range(len(rule.treatments)):
            samples = course.samples(t, drift.events, drift.skewness)
            for j, level in enumerate(_levels(plan, rule, metric.role)):
                up[:, j, i, t] = plan.monitor.critical_values(level / 2, look, samples)
    up = np.maximum(up, 0.0)
    return up, up


def _levels(plan: Experiment, rule: Rule, role: str) -> list[float]:
    """Two-sided, for the parts of alpha; only success metrics share it."""
    if role == "quality":
        return [plan.quality.alpha]
    parts = rule.shares if role == "success" else 1
    return [plan.monitor.total / (j + 1) for j in range(parts)]
