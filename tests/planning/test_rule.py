"""The plan's power is the rule's power: of any correlation, and of the report and the decision themselves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

import abkit as ab
from abkit.decision import decide_report
from abkit.logs import Audit, Group, LogStatistics
from abkit.planning import Planning
from abkit.report import make_report
from abkit.types import Relative

SUMMARY = {
    "gain": {"mean": 10.0, "sd": 5.0},
    "other": {"mean": 3.0, "sd": 1.0},
    "slow": {"mean": 100.0, "sd": 40.0},
    "error": {"mean": 1.0, "sd": 2.0},
    "watched": {"mean": 5.0, "sd": 5.0},
    "rate": {"rate": 0.1},
}
GAIN = ab.Mean("gain", mde=ab.relative(0.02))
OTHER = ab.Mean("other", mde=0.03)
SLOW = ab.Mean("slow", role="guardrail", direction="decrease", margin=ab.relative(0.01))
ERROR = ab.Mean("error", role="guardrail", direction="decrease", margin=0.1)
WATCHED = ab.Mean("watched", role="deterioration", margin=0.01)
RATE = ab.Proportion("rate", mde=0.01)
PLANS: dict[str, tuple[dict[str, ab.Metric], dict[str, Any]]] = {
    "one metric": ({"gain": GAIN}, {}),
    "one rate, 9 to 1": ({"rate": RATE}, {"allocation": {"c": 9, "t": 1}}),
    "guardrails": ({"gain": GAIN, "slow": SLOW, "error": ERROR}, {}),
    "guardrails only": ({"slow": SLOW, "error": ERROR}, {}),
    "all roles": ({"gain": GAIN, "other": OTHER, "slow": SLOW, "watched": WATCHED}, {}),
    "five looks": ({"gain": GAIN}, {"monitor": ab.GroupSequential(looks=5)}),
    "five looks, guardrails": (
        {"gain": GAIN, "slow": SLOW},
        {"monitor": ab.GroupSequential(looks=5, boundary="pocock")},
    ),
    "any time": ({"gain": GAIN}, {"monitor": ab.AnytimeValid(tune_at=10_000)}),
    "all of a tree, own harms": (
        {"gain": GAIN, "other": OTHER, "slow": SLOW, "watched": WATCHED},
        {"rule": ab.Rule(promote=ab.AllOf("gain", "other"), alpha_rollback=0.02)},
    ),
    "any of a tree": (
        {"gain": GAIN, "other": OTHER, "slow": SLOW, "error": ERROR},
        {"rule": ab.Rule(promote=ab.AnyOf("gain", ab.AllOf("other", "slow")))},
    ),
    "two treatments": ({"gain": GAIN, "slow": SLOW}, {"allocation": {"c": 2, "t": 1, "u": 1}}),
}


def planned(name: str, power: float = 0.8, **more: Any) -> Planning:
    metrics, fields = PLANS[name]
    experiment = ab.Experiment(unit="u", variant="v", control="c", metrics=metrics, **fields)
    return experiment.plan({name: SUMMARY[name] for name in metrics}, power=power, **more)


def verdicts(planning: Planning, effects: Mapping[str, float], runs: int, rng: np.random.Generator) -> list[str]:
    """What is decided on the treatment, in runs of the report on simulated sums; effects in the metrics' own units."""
    return [_run(planning, effects, rng) for _ in range(runs)]


def _run(planning: Planning, effects: Mapping[str, float], rng: np.random.Generator) -> str:
    plan, shares = planning.experiment, planning.sizer.looks.shares
    held: dict[str, dict[str, ab.CoMoments]] = {}
    units: dict[str, int] = dict.fromkeys(planning.rule.allocation, 0)
    for k, share in enumerate(shares):
        for variant, total in planning.rule.allocation.items():
            n = round(total * share) - units[variant]
            units[variant] += n
            for name in plan.metrics:
                new = _drawn(name, n, effects.get(name, 0.0) if variant == "t" else 0.0, rng)
                before = held.setdefault(variant, {}).get(name)
                held[variant][name] = new if before is None else before + new
        groups = tuple(Group(variant, (), units[variant], held[variant]) for variant in units)
        statistics = LogStatistics(groups, Audit(rows=sum(units.values()), units=sum(units.values())))
        look = ab.Look(k + 1, (sum(units.values()),), k + 1 == len(shares))
        verdict = _decided(planning, make_report(plan, statistics, look))
        if verdict != "continue":
            return verdict
    return "continue"


def _decided(planning: Planning, report: ab.Report) -> str:
    """The verdict on the treatment; under a monitor by the intervals, since p-values cost a search for designs each."""
    if isinstance(planning.experiment.monitor, ab.FixedHorizon):
        return decide_report(report).variants["t"]
    shown = {row.metric: _shown(planning, row) for row in report.results if row.variant == "t"}
    roles = {name: metric.role for name, metric in planning.experiment.metrics.items()}
    if any(harmed for _, harmed in shown.values()):
        return "rollback"
    guarded = all(better for name, (better, _) in shown.items() if roles[name] == "guardrail")
    gained = any(better for name, (better, _) in shown.items() if roles[name] == "success")
    checked = all(check.status == "pass" for check in report.checks)
    return "promote" if guarded and gained and checked else "continue"


def _shown(planning: Planning, row: Any) -> tuple[bool, bool]:
    """Whether a metric is shown beyond its null, and short of it."""
    demand = planning.sizer.demands[row.metric]
    null, level = demand.metric.null(), 1 - 2 * demand.tail
    relative = isinstance(null, Relative)
    found = row.test.relative(level) if relative else row.test.interval(level)
    value = null.value if isinstance(null, Relative) else null
    sides = found.low > value, found.high < value
    return sides if demand.metric.sign > 0 else sides[::-1]


def _drawn(name: str, n: int, effect: float, rng: np.random.Generator) -> ab.CoMoments:
    about = SUMMARY[name]
    if "rate" in about:
        rate = rng.binomial(n, about["rate"] + effect) / n
        return ab.CoMoments(n, np.array([rate]), np.array([[n * rate * (1 - rate)]]), (name,))
    mean = about["mean"] + effect + about["sd"] / math.sqrt(n) * rng.normal()
    squares = about["sd"] ** 2 * rng.chisquare(n - 1)
    return ab.CoMoments(n, np.array([mean]), np.array([[squares]]), (name,))


def renamed(planning: Planning) -> Planning:
    """The plan as its allocation names it: without one, the treatment is called `t` here."""
    from dataclasses import replace

    allocation = {("t" if name == "treatment" else name): n for name, n in planning.rule.allocation.items()}
    return replace(planning, rule=replace(planning.rule, allocation=allocation))


@pytest.mark.parametrize("name", PLANS)
def test_the_planned_units_promote_as_often_as_planned(name: str) -> None:
    found = renamed(planned(name, looks=6 if name == "any time" else None))
    effects = {"gain": 0.2, "rate": 0.01} | ({"other": 0.03} if name == "all of a tree, own harms" else {})
    runs = 300
    share = verdicts(found, effects, runs, np.random.default_rng(7)).count("promote") / runs
    assert found.rule.power >= 0.8
    assert share > found.rule.power - 4 * math.sqrt(0.8 * 0.2 / runs)
    if found.sizer.rule.tests == 1:  # there is no slack in one test
        assert share < found.rule.power + 0.01 + 4 * math.sqrt(0.8 * 0.2 / runs)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("name", ["guardrails", "guardrails only", "all roles"])
def test_no_correlation_takes_the_power_below_what_was_asked(name: str, seed: int) -> None:
    """Deviates of any correlation, also the worst: all errors of two tests on the same side, or on opposite ones."""
    rng = np.random.default_rng(seed)
    power = rng.uniform(0.55, 0.95)
    found = planned(name, power)
    for best in [name for name, demand in found.sizer.demands.items() if demand.role == "success"] or [None]:
        share = _promoted(found, best, rng)
        assert share > power - 4 * math.sqrt(power * (1 - power) / 40_000)


def _promoted(planning: Planning, best: str | None, rng: np.random.Generator) -> float:
    """The share of promotions where one success metric has its effect, and no other metric has any."""
    sizer, units = planning.sizer, planning.rule.allocation
    names = list(sizer.demands)
    factors = rng.normal(size=(len(names), rng.integers(1, len(names) + 1)))  # the fewer, the more they depend
    noise = rng.normal(size=(40_000, factors.shape[1])) @ factors.T / np.linalg.norm(factors, axis=1)
    half = sizer.rule.alpha_other
    success, passed, harmed = np.zeros(40_000, bool), np.ones(40_000, bool), np.zeros(40_000, bool)
    for name, z in zip(names, noise.T, strict=True):
        demand = sizer.demands[name]
        size = demand.size if name == best or demand.role == "guardrail" else 0.0
        place = sizer.place(demand, units, size or 0.0)
        deviate = z + float(place.statistic.drift)
        bound = _bound(demand.tail)
        if demand.role == "success":
            success |= deviate > bound
            # under Holm's procedure a lone false harm may have all of alpha
            harmed |= deviate < -_bound(half / max(1, _successes(sizer)))
        elif demand.role == "guardrail":
            passed &= deviate > bound
        else:
            harmed |= deviate > _bound(half)  # its way is that of harm
    needs_success = any(demand.role == "success" for demand in sizer.demands.values())
    return float(np.mean((success | (not needs_success)) & passed & ~harmed))


def _successes(sizer: Any) -> int:
    return sum(demand.role == "success" for demand in sizer.demands.values())


def _bound(tail: float) -> float:
    from scipy.special import ndtri

    return -float(ndtri(tail))


def test_the_shares_of_the_rule() -> None:
    rule = planned("all roles").sizer.rule
    assert rule.tests == 2
    assert rule.alpha_success == pytest.approx(0.05 / 2 / 2)
    assert rule.alpha_other == 0.025
    assert rule.false_harms == pytest.approx(0.025 + 0.025)  # what is watched; the other success metric
    assert rule.each(0.8) == pytest.approx(1 - (0.2 - rule.false) / 2)
    own = planned("all of a tree, own harms").sizer.rule
    assert (own.tests, own.alpha_success, own.alpha_harm) == pytest.approx((3, 0.025, 0.02 / 4))
    assert own.false_harms == pytest.approx(0.02 / 4)  # what is watched
    assert own.each(0.8) == pytest.approx(1 - (0.2 - own.false) / 3)
    tree = planned("any of a tree").sizer.rule
    assert [tree.tail(name, role) for name, role in {"gain": "success", "slow": "guardrail"}.items()] == [0.0125] * 2
    assert tree.tail("error", "guardrail") == 0.025
    assert tree.tests == 3  # the guardrail beside the tree, and the longer of its two ways
    assert tree.false_harms == pytest.approx(0.025 + 0.025)  # the guardrail within the tree; the other success metric
    two = planned("two treatments").sizer.rule
    assert two.alpha_success == pytest.approx(0.05 / 2 / 2)
    assert planned("guardrails only").sizer.rule.each(0.8) == pytest.approx(1 - (0.2 - 0.001) / 2)


def tree_plan(tree: Any, effects: Mapping[str, float | None], **more: Any) -> Planning:
    metrics: dict[str, ab.Metric] = {name: ab.Mean(name, mde=size) for name, size in effects.items()}
    metrics["slow"] = ab.Mean("slow", role="guardrail", direction="decrease", margin=1.0)
    plan = ab.Experiment(unit="u", variant="v", control="c", metrics=metrics, rule=ab.Rule(promote=tree), **more)
    return plan.plan({name: SUMMARY[name] for name in metrics})


def test_a_tree_of_all_and_any_of_the_default_is_the_default() -> None:
    both = {"gain": 0.2, "other": 0.03}
    default, tree = tree_plan(None, both), tree_plan(ab.AllOf("slow", ab.AnyOf("gain", "other")), both)
    assert (tree.rule.units, tree.rule.power) == (default.rule.units, default.rule.power)
    assert (tree.sizer.rule.tests, tree.sizer.rule.false_harms) == (2, default.sizer.rule.false_harms)
    assert "where the treatment is better in `gain` by 0.2 (2%) or `other` by 0.03 (1%)" in " ".join(str(tree).split())


def test_what_a_tree_needs_is_told_in_words() -> None:
    both = {"gain": 0.2, "other": 0.03}
    text = " ".join(str(tree_plan(ab.AllOf("gain", "other"), both)).split())
    assert "better in `gain` by 0.2 (2%) and `other` by 0.03 (1%)" in text
    assert "a promotion needs `slow` and `gain` and `other`" in text
    text = " ".join(str(tree_plan(ab.AnyOf("gain", ab.AllOf("other", "slow")), both)).split())
    assert "a promotion needs `gain` or (`other` and `slow`)" in text
    assert "of alpha the rule's tree gives gain 50%, other 50%, slow 50%" in text


def test_a_tree_that_cannot_be_sized_says_why() -> None:
    assert "`other`: no effect is named" in str(tree_plan(ab.AllOf("gain", "other"), {"gain": 0.2, "other": None}))
    assert tree_plan(ab.AnyOf("gain", "other"), {"gain": 0.2, "other": None}).rule.units
    plan = tree_plan(ab.AllOf("gain", "other"), {"gain": 0.2, "other": 0.03}).experiment
    wrong = plan.plan({name: SUMMARY[name] for name in plan.metrics}, mde={"other": -1.0})
    assert (wrong.rule.reason or "").startswith("`other`: an effect of -1 is on the wrong side")


def test_a_promotion_waits_for_the_fewest_units() -> None:
    found = tree_plan(None, {"gain": 5.0}, timing=ab.Timing(min_units=50_000))
    assert found.rule.allocation == {"c": 50_000, "treatment": 50_000}
    assert "waits until each variant has 50,000 units" in " ".join(str(found).split())
