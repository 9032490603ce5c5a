"""Whether rules err as often as they state: trees, alpha_rollback, and the plans of concurrent strategies.

Writes a part of docs/calibration-strategies.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import betaincinv

import abkit as ab
from abkit.simulate import Scenario, operating_characteristics
from tests.calibration.strategies_page import write_section

EXAMPLES = Path(__file__).parents[2] / "examples" / "strategies"
MORE = 0.002
#: Where an error rate is exactly the one stated, 20,000 runs cannot show that it is within 0.002.
MONITORS: dict[str, tuple[Any, int]] = {
    "one look": (ab.FixedHorizon(), 200_000),
    "5 looks": (ab.GroupSequential(looks=5), 200_000),
    "any time": (ab.AnytimeValid(), 20_000),
}
SURE = 10.0
A, B, C, G, H = "abcgh"
METRICS: dict[str, ab.Metric] = {name: ab.Mean(name) for name in (A, B, C)}
METRICS |= {name: ab.Mean(name, role="guardrail", margin=0.1) for name in (G, H)}
OWN = 0.03
TREES: dict[str, tuple[Any, float | None]] = {
    "by default: g, h and any of a, b, c": (None, None),
    "all of a, b, g": (ab.AllOf(A, B, G), OWN),
    "any of a, b, c": (ab.AnyOf(A, B, C), OWN),
    "any of a and all of b, g": (ab.AnyOf(A, ab.AllOf(B, G)), None),
    "all of g and any of a, b": (ab.AllOf(G, ab.AnyOf(A, B)), OWN),
    "any of g, h": (ab.AnyOf(G, H), None),
    "any of a, b and any of g, h": (ab.AllOf(ab.AnyOf(A, B), ab.AnyOf(G, H)), OWN),
}


def worlds(plan: ab.Experiment) -> Iterator[Scenario]:
    """All at the edge of what is false, which is harmless; and whatever else is true just not enough of a promotion."""
    edge = {name: -1.0 if metric.role == "guardrail" else 0.0 for name, metric in plan.metrics.items()}
    yield Scenario("all at their edges", edge)
    named = set(_roles(plan) if plan.rule.promote is None else plan.rule.promote.metrics())  # type: ignore[union-attr]
    for size in range(len(named)):
        for true in combinations(sorted(named), size):
            if not _enough(plan, true) and all(_enough(plan, (*true, name)) for name in named - set(true)):
                beside = dict.fromkeys(set(plan.metrics) - named, SURE)
                yield Scenario(f"true: {', '.join(true)}", {**edge, **beside, **dict.fromkeys(true, SURE)})


def _roles(plan: ab.Experiment) -> dict[str, str]:
    roles = {name: metric.role for name, metric in plan.metrics.items()}
    return {name: role for name, role in roles.items() if role in ("success", "guardrail")}


def _enough(plan: ab.Experiment, true: tuple[str, ...]) -> bool:
    """Whether this, with all guardrails that a tree does not name, is what a promotion takes."""
    shown = {name: name in true for name in plan.metrics}
    if plan.rule.promote is not None:
        return bool(plan.rule.promote.holds(shown))  # type: ignore[union-attr]
    gains = [shown[name] for name, role in _roles(plan).items() if role == "success"]
    return all(shown[name] for name, role in _roles(plan).items() if role == "guardrail") and (not gains or any(gains))


def upper(count: int, runs: int) -> float:
    """Clopper and Pearson's one-sided 99% bound."""
    return float(betaincinv(count + 1, runs - count, 0.99))


def errors(plan: ab.Experiment, runs: int) -> dict[str, tuple[float, float, float]]:
    """What is stated of each error, how often it was made in the worst world, and its upper bound."""
    found = operating_characteristics(plan, list(worlds(plan)), runs, np.random.default_rng(27))
    stated = {"wrong_promote": found.risk.false_promote_max, "wrong_rollback": found.risk.false_rollback_max}
    result = {}
    for what, limit in stated.items():
        worst = max((rate for row in found if (rate := getattr(row, what)) is not None), key=lambda rate: rate.count)
        result[what] = (limit, float(worst), upper(worst.count, worst.runs))
    return result


def plans() -> Iterator[tuple[str, str, ab.Experiment, int]]:
    def plan(rule: ab.Rule, monitor: Any, *treatments: str) -> ab.Experiment:
        allocation = dict.fromkeys(("c", *treatments), 1.0)
        return ab.Experiment("u", "v", "c", METRICS, monitor, allocation, rule=rule)

    for name, (tree, own) in TREES.items():
        for when, (monitor, runs) in MONITORS.items():
            text = name if own is None else f"{name}; `alpha_rollback` {own:g}"
            yield text, when, plan(ab.Rule(promote=tree, alpha_rollback=own), monitor, "t"), runs
    three = plan(ab.Rule(promote=ab.AllOf(G, ab.AnyOf(A, B))), ab.FixedHorizon(), "t", "s", "r")
    yield "all of g and any of a, b; three treatments", "one look", three, 200_000
    yield "A/B test, its plan", "one look", ab.Experiment.from_file(EXAMPLES / "ab_test.yaml"), 200_000
    canary = ab.Experiment.from_file(EXAMPLES / "canary.yaml")
    one_stage = replace(canary, strategy=ab.Canary(stages=(ab.Stage(50, min_units=1000),)))
    yield "canary, its plan with one stage at 50%", "any time", one_stage, 20_000


@pytest.mark.calibration
def test_rules_err_as_often_as_they_state() -> None:
    found = [(name, when, runs, errors(plan, runs)) for name, when, plan, runs in plans()]
    write_section("rule", "\n".join([HEAD, *(line(*row) for row in found)]))
    for name, when, _, rates in found:
        for what, (stated, _, most) in rates.items():
            assert most <= stated + MORE, (name, when, what, stated, most)


def line(name: str, when: str, runs: int, rates: dict[str, tuple[float, float, float]]) -> str:
    cells = [f"{stated:.2%} | {rate:.2%} (to {most:.2%})" for stated, rate, most in rates.values()]
    return f"| {name} | {when} | {runs:,} | " + " | ".join(cells) + " |"


HEAD = """## What rules state of their errors

Releases at the edge: guardrails exactly at their margins, success metrics without any effect; and worlds in which all
is true that can be while what a promotion takes is still not so, which are the least favourable ones. Each plan in its
worst world: what `decision.risk` states, how often it was so, and in brackets the upper end of the one-sided 99%
interval. `a`, `b` and `c` are success metrics, `g` and `h` guardrails; z-statistics from their joint distribution, at
one look, 5 scheduled looks, or 20 looks at any time. Where a rate is exactly the one stated, 20,000 runs cannot show
that it is within 0.002 of it, so that there are more. A feature flag, a bandit and a shadow, whose logs are of other
kinds, have calibrations of their own.

| rule | looks | runs | stated | false promote | stated | false rollback |
|---|---|---|---|---|---|---|"""
