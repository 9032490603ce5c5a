"""Plans, statistics of their metrics, and what may go wrong with statistics on their way.

The plans are such that damage can be seen: their allocations are unequal, so that swapped arms are out of ratio. Left
out, because nothing in the statistics tells them from good ones: all arms twice (no keys), a mean of another sign or
size (a mean may be any number), a clock that runs ahead (no times; logs of rows have them).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any

import numpy as np

import abkit as ab

Statistics = dict[str, Any]
START = "2026-11-02T00:00Z"
ON_TIME, EARLY = "2026-11-09T00:00Z", "2026-11-01T00:00Z"
ALLOCATIONS = [{"old": 3, "new": 1}, {"old": 1, "new": 4}, {"old": 6, "new": 3, "other": 1}]
MEAN, LATENCY = ab.Mean("m"), ab.Mean("l", role="guardrail", direction="decrease", margin=ab.relative(0.1))
ERRORS = ab.Proportion("e", role="guardrail", direction="decrease", margin=0.02)
METRICS: list[dict[str, ab.Metric]] = [
    {"m": MEAN},
    {"p": ab.Proportion("p"), "l": LATENCY},
    {"m": MEAN, "r": ab.Ratio("a", "b"), "e": ERRORS},
    {"e": ERRORS, "l": LATENCY, "c": ab.Mean("c", role="deterioration", direction="decrease")},
    {"m": MEAN, "p": ab.Proportion("p"), "r": ab.Ratio("a", "b", role="guardrail", margin=0.1)},
]
LIFTS = ab.bayes.StudentPrior(df=3, scale=0.01)
MONITORS = [
    ab.FixedHorizon(alpha=0.05),
    ab.AnytimeValid(alpha=0.05),
    ab.Bayesian(),
    ab.Bayesian(loss=ab.relative(0.002), prior=LIFTS, prior_scale="relative"),
]


@dataclass(frozen=True)
class Case:
    """A plan with statistics and the time of the look."""

    plan: ab.Experiment
    log: Any
    now: str = ON_TIME


@cache
def plans() -> list[ab.Experiment]:
    timing = ab.Timing(start=START, min_time="2d", min_units=20)
    return [
        ab.Experiment(
            unit="u", variant="v", control="old", metrics=metrics, monitor=monitor, allocation=allocation, timing=timing
        )
        for metrics, monitor, allocation in product(METRICS, MONITORS, ALLOCATIONS)
        if "success" in {metric.role for metric in metrics.values()} or not getattr(monitor, "loss", None)
    ]


def generated(rng: np.random.Generator) -> Case:
    """A plan, and statistics from clearly worse to clearly better, most of them near where the verdict turns."""
    plan = plans()[rng.integers(len(plans()))]
    total = int(10 ** rng.uniform(3, 5))
    weights = plan.allocation or {}
    whole = sum(weights.values())
    units = {v: int(rng.binomial(total, w / whole)) for v, w in weights.items()}
    leaning = rng.choice([-3.0, 0.0, 2.0, 4.0, 8.0])
    return Case(plan, {v: _variant(plan, n, units["old"], v != "old", leaning, rng) for v, n in units.items()})


def _variant(plan: ab.Experiment, n: int, other: int, treated: bool, z: float, rng: np.random.Generator) -> Statistics:
    """Statistics of a variant, some standard errors better than the control."""
    scale = math.sqrt(1 / n + 1 / other)
    found: Statistics = {}
    for name, metric in plan.metrics.items():
        lift = treated * metric.sign * (z + rng.normal()) * scale
        if isinstance(metric, ab.Proportion):
            share = min(max(0.05 + lift * 0.22, 0.0), 1.0)
            found[name] = {"kind": "counts", "n": n, "successes": round(n * share)}
        elif isinstance(metric, ab.Ratio):
            m2 = np.array([[1.0, 0.3], [0.3, 1.0]]) * n
            found[name] = {"kind": "comoments", "n": n, "mean": [2 + lift, 4.0], "m2": m2.tolist(), "names": ["a", "b"]}
        else:
            found[name] = {"kind": "moments", "n": n, "mean": 10 + 2 * lift, "m2": 4.0 * n}
    return found


def _place(case: Case, rng: np.random.Generator) -> tuple[Any, Statistics, str]:
    """A copy of the statistics, those of one metric of one variant in it, and their metric's name."""
    log = copy.deepcopy(case.log)
    variant = str(rng.choice(list(log)))
    name = str(rng.choice(list(log[variant])))
    return log, log[variant][name], name


def put(value: Any, *fields: str) -> Callable[[Case, np.random.Generator], Case]:
    """A value in the place of a field of one metric of one variant; in that of one number where it is of several."""

    def damage(case: Case, rng: np.random.Generator) -> Case:
        log, held, _ = _place(case, rng)
        asked = [field for field in held if field in (fields or held) and field != "kind"] or ["n"]
        field = str(rng.choice(asked))
        inside = held[field]
        while isinstance(inside, list) and isinstance(inside[0], list):
            inside = inside[0]
        if isinstance(inside, list) and rng.random() < 0.7:
            inside[int(rng.integers(len(inside)))] = value
        else:
            held[field] = value
        return Case(case.plan, log, case.now)

    return damage


def negative(case: Case, rng: np.random.Generator) -> Case:
    log, held, _ = _place(case, rng)
    field = str(rng.choice([f for f in held if f in ("n", "m2", "successes")]))
    value = np.array(held[field])
    held[field] = (-value - 1).tolist()
    return Case(case.plan, log, case.now)


def without_field(case: Case, rng: np.random.Generator) -> Case:
    log, held, _ = _place(case, rng)
    del held[str(rng.choice(list(held)))]
    return Case(case.plan, log, case.now)


def without_metric_of_a_variant(case: Case, rng: np.random.Generator) -> Case:
    log = copy.deepcopy(case.log)
    del log[str(rng.choice(list(log)))][str(rng.choice(list(case.plan.metrics)))]
    return Case(case.plan, log, case.now)


def absent_metric(case: Case, rng: np.random.Generator) -> Case:
    name = str(rng.choice(list(case.plan.metrics)))
    log = {variant: {k: v for k, v in found.items() if k != name} for variant, found in case.log.items()}
    return Case(case.plan, log, case.now)


def absent_variant(case: Case, rng: np.random.Generator) -> Case:
    gone = str(rng.choice(list(case.log)))
    return Case(case.plan, {v: found for v, found in case.log.items() if v != gone}, case.now)


def empty_variant(case: Case, rng: np.random.Generator) -> Case:
    log = copy.deepcopy(case.log)
    for held in log[str(rng.choice(list(log)))].values():
        for field in [f for f in held if f not in ("kind", "names")]:
            held[field] = (np.array(held[field]) * 0).tolist()
    return Case(case.plan, log, case.now)


def constant(case: Case, rng: np.random.Generator) -> Case:
    """Zero variance of a metric in one arm, or in all of them."""
    log, name = copy.deepcopy(case.log), str(rng.choice(list(case.plan.metrics)))
    chosen = list(log) if rng.random() < 0.3 else [str(rng.choice(list(log)))]
    for variant in chosen:
        held = log[variant][name]
        if held["kind"] == "counts":  # of zeros and ones the variance cannot be another than that of their share
            share = held["successes"] / held["n"]
            log[variant][name] = {"kind": "moments", "n": held["n"], "mean": share, "m2": 0.0}
        else:
            held["m2"] = (np.array(held["m2"]) * 0).tolist()
    return Case(case.plan, log, case.now)


def half_constant(case: Case, rng: np.random.Generator) -> Case:
    """Zero variance of one of two variables that a ratio has, in one arm."""
    log, held, _ = _place(case, rng)
    if held["kind"] == "comoments":
        i = int(rng.integers(2))
        m2 = np.array(held["m2"])
        m2[i, :] = m2[:, i] = 0.0
        held["m2"] = m2.tolist()
    elif held["kind"] == "moments":
        held["m2"] = 0.0
    return Case(case.plan, log, case.now)


def swapped_arms(case: Case, rng: np.random.Generator) -> Case:
    one, two = (str(v) for v in rng.choice(list(case.log), 2, replace=False))
    return Case(case.plan, {**case.log, one: case.log[two], two: case.log[one]}, case.now)


def swapped_metric(case: Case, rng: np.random.Generator) -> Case:
    """The arms of one metric."""
    log, name = copy.deepcopy(case.log), str(rng.choice(list(case.plan.metrics)))
    one, two = (str(v) for v in rng.choice(list(log), 2, replace=False))
    log[one][name], log[two][name] = log[two][name], log[one][name]
    return Case(case.plan, log, case.now)


def doubled_arm(case: Case, rng: np.random.Generator) -> Case:
    """A batch twice, in one arm."""
    log = copy.deepcopy(case.log)
    for held in log[str(rng.choice(list(log)))].values():
        for field in ("n", "successes", "m2"):
            if field in held:
                held[field] = (np.array(held[field]) * 2).tolist()
    return Case(case.plan, log, case.now)


def early_clock(case: Case, rng: np.random.Generator) -> Case:
    """The clock of who asks runs behind: before the release began."""
    return Case(case.plan, case.log, EARLY)


def shuffled(case: Case, rng: np.random.Generator) -> Case:
    def mixed(found: Statistics) -> Statistics:
        return {str(name): found[str(name)] for name in rng.permutation(list(found))}

    return Case(case.plan, {v: mixed(found) for v, found in mixed(case.log).items()}, case.now)


def of_another_plan(case: Case, rng: np.random.Generator) -> Case:
    log, _, name = _place(case, rng)
    variant = str(rng.choice(list(log)))
    log[variant][f"{name}2"] = log[variant].pop(str(rng.choice(list(case.plan.metrics))))
    return Case(case.plan, log, case.now)


def renamed_variant(case: Case, rng: np.random.Generator) -> Case:
    gone = str(rng.choice(list(case.log)))
    return Case(case.plan, {(f"{v} " if v == gone else v): found for v, found in case.log.items()}, case.now)


Damage = Callable[[Case, np.random.Generator], Case]
DAMAGES: dict[str, Damage] = {
    "dropped field": without_field,
    "NaN": put(math.nan),
    "infinity": put(math.inf),
    "minus infinity": put(-math.inf),
    "null": put(None),
    "text": put("12"),
    "text NaN": put("NaN"),
    "truth value": put(True, "n", "successes"),
    "half a unit": put(0.5, "n", "successes"),
    "no number": put({}),
    "negative": negative,
    "zero variance": constant,
    "zero variance of one variable": half_constant,
    "swapped arms": swapped_arms,
    "swapped arms of one metric": swapped_metric,
    "shuffled": shuffled,
    "clock behind": early_clock,
    "duplicated batch": doubled_arm,
    "absent metric": absent_metric,
    "metric absent in one arm": without_metric_of_a_variant,
    "absent variant": absent_variant,
    "empty variant": empty_variant,
    "misspelt metric": of_another_plan,
    "misspelt variant": renamed_variant,
}
#: What cannot be told from good data, but must not make a reply that is no JSON.
ODD: dict[str, Damage] = {
    "huge": put(1e300, "mean", "m2"),
    "tiny": put(5e-324, "mean", "m2"),
    "large count": put(2**53, "n"),
    "zero mean": put(0.0, "mean"),
}
