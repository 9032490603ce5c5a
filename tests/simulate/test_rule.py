"""The rule on arrays, beside `decide` on reports of the same numbers."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.special import ndtri

import abkit as ab
from abkit.decision import decide_report
from abkit.logs import Audit, Group, LogStatistics
from abkit.report import make_report
from abkit.sequential import Look
from abkit.simulate import Scenario
from abkit.simulate._canonical import _ratio_broken, _World, _world
from abkit.simulate._course import course_of
from abkit.simulate._drift import Drift
from abkit.simulate._rule import CONTINUE, PROMOTE, ROLLBACK, Rule

LOOKS = (4_000_000, 9_000_000, 20_000_000)
WORDS = {"promote": PROMOTE, "continue": CONTINUE, "rollback": ROLLBACK}
MONITORS = {
    "fixed": [ab.FixedHorizon(0.05), ab.FixedHorizon(0.4), ab.Bayesian(0.9)],
    "anytime": [
        ab.AnytimeValid(0.1, tune_at=10_000_000),
        ab.AnytimeValid(0.2, tune_at=1000, sides=1),
        ab.AnytimeValid(0.9),
    ],
    "planned": [
        ab.GroupSequential(0.05, looks=3),
        ab.GroupSequential(0.3, looks=3, boundary="pocock", units=LOOKS[-1]),
        ab.GroupSequential(0.1, information=(0.5, 1.0), units=LOOKS[-1], boundary="ld-pocock", sides=1),
        ab.GroupSequential(0.01, looks=3, boundary="haybittle-peto"),
    ],
}
deviates = st.floats(-6, 6) | st.none()
#: The last look is held after the deadline.
START, END = "2026-01-01T00:00:00Z", "2026-01-03T00:00:00Z"
TIMINGS = [ab.Timing(), ab.Timing(), ab.Timing(min_units=2_500_000)]
TIMINGS += [ab.Timing(start=START, deadline="1d", at_deadline=choice) for choice in ("hold", "rollback", "noninferior")]


@st.composite
def worlds(draw: Any, monitors: list[Any]) -> tuple[Any, ...]:
    """A plan, the shares that variants got, a look, and every deviate from no difference."""
    roles = draw(st.lists(st.sampled_from(["success", "success", "guardrail", "deterioration", "quality"]), min_size=1,
                          max_size=5))  # fmt: skip
    metrics = {f"m{i}": draw(_metric(role)) for i, role in enumerate(roles)}
    treatments = draw(st.integers(1, 3))
    weights = {"control": draw(st.sampled_from([1.0, 9.0])), "b": 1.0, "a": 2.0, "c": 0.5}
    allocation = dict(list(weights.items())[: treatments + 1])
    plan = ab.Experiment(
        "user", "variant", "control", metrics, draw(st.sampled_from(monitors)), allocation,
        adjust=draw(st.sampled_from(["holm", "none"])), quality=ab.Quality(alpha=draw(st.sampled_from([0.001, 0.2]))),
    )  # fmt: skip
    rule, timing = draw(_rules(metrics)), draw(st.sampled_from(TIMINGS))
    plan = replace(plan, rule=rule, timing=timing)
    real = {**allocation, "b": allocation["b"] * draw(st.sampled_from([1.0, 1.0, 1.0005, 0.9]))}
    z = draw(st.lists(deviates, min_size=len(metrics) * treatments, max_size=len(metrics) * treatments))
    return plan, real, draw(st.integers(0, 2)), np.array(z, dtype=float).reshape(len(metrics), treatments)


@st.composite
def _rules(draw: Any, metrics: dict[str, ab.Metric]) -> ab.Rule:
    """Any tree over what can be shown, with harms of their own alpha or without."""
    names = [name for name, metric in metrics.items() if metric.role in ("success", "guardrail")]
    nodes = st.recursive(
        st.sampled_from(names or ["none"]),
        lambda node: st.builds(
            lambda kind, nodes: kind(*nodes),
            st.sampled_from([ab.AllOf, ab.AnyOf]),
            st.lists(node, min_size=1, max_size=3),
        ),
        max_leaves=4,
    )
    return ab.Rule(
        promote=draw(st.none() | nodes) if names else None,
        alpha_rollback=draw(st.sampled_from([None, None, 0.02, 0.3])),
        tainted=draw(st.sampled_from(["rollback", "rollback", "hold"])),
    )


@st.composite
def _metric(draw: Any, role: str) -> ab.Mean:
    margin = None if role == "quality" else draw(st.floats(0, 3).map(lambda m: m / 1000))
    if role in ("success", "deterioration") and draw(st.booleans()):
        margin = None
    return ab.Mean("x", role=role, margin=margin, direction=draw(st.sampled_from(["increase", "decrease"])))


def world_of(plan: ab.Experiment, real: dict[str, float]) -> _World:
    """The bounds and margins of the plan: values have variance 1, so that a margin of m is m sqrt(information)."""
    course = course_of(plan, Scenario("given", allocation=real), LOOKS)
    root = math.sqrt(course.planned_information)
    drifts = {name: Drift(root, root * (metric.margin or 0.0)) for name, metric in plan.metrics.items()}
    return _world(plan, Scenario("given", allocation=real), course, drifts)


def statistics_of(plan: ab.Experiment, world: _World, look: int, z: np.ndarray) -> tuple[LogStatistics, np.ndarray]:
    """A log's statistics that have these deviates, and its units; + is upwards here."""
    units = np.rint(world.course.n[look]).astype(int)
    units[0] += LOOKS[look] - units.sum()
    blocks: dict[str, dict[str, ab.CoMoments]] = {variant: {} for variant in world.course.variants}
    for i, name in enumerate(plan.metrics):
        for v, variant in enumerate(world.course.variants):
            n = int(units[v])
            moved = 0.0 if v == 0 else float(z[i, v - 1]) * math.sqrt(1 / n + 1 / int(units[0]))
            if not math.isnan(moved):
                blocks[variant][name] = ab.CoMoments(n, np.array([100 + moved]), np.array([[n - 1.0]]), ("x",))
    groups = [Group(v, (), int(n), blocks[v]) for v, n in zip(world.course.variants, units, strict=True)]
    return LogStatistics(tuple(groups), Audit(rows=LOOKS[look], units=LOOKS[look])), units


def both(plan: ab.Experiment, real: dict[str, float], look: int, z: np.ndarray) -> tuple[Any, Any]:
    """What the arrays and what the report say."""
    world = world_of(plan, real)
    signs = np.array([metric.sign for metric in plan.metrics.values()])[:, None]
    statistics, units = statistics_of(plan, world, look, z)
    better = signs * z
    null = better + world.to_null[look]
    for bounds in (world.up[look], world.down[look]):  # nothing may hang on the last digits
        assume(all(np.nanmin(np.abs(np.abs(x) - bounds), initial=1.0) > 1e-5 for x in (better, null)))
        assume(np.nanmin(np.abs(null), initial=1.0) > 1e-5)
    arrays = world.rule.verdicts(
        better[None], null[None], world.up[look], world.down[look], _ratio_broken(world, units[None].astype(float)),
        units.min(), expired=look == len(LOOKS) - 1,
    )  # fmt: skip
    planned = len(getattr(plan.monitor, "planned", ()))
    last = look == len(LOOKS) - 1 if planned and planned < len(LOOKS) else None
    report = make_report(plan, statistics, Look(look + 1, LOOKS[: look + 1], last))
    now = dt.datetime.fromisoformat(END if look == len(LOOKS) - 1 else START)
    return arrays, decide_report(report, now=now if plan.timing.deadline else None)


def check(plan: ab.Experiment, real: dict[str, float], look: int, z: np.ndarray) -> None:
    arrays, decision = both(plan, real, look, z)
    assert arrays.verdict[0] == WORDS[decision.verdict], decision
    assert arrays.blocked[0] == any(check.status != "pass" for check in decision.checks), decision
    treatments = [variant for variant in plan.allocation or {} if variant != "control"]
    assert (treatments[arrays.variant[0]] if arrays.variant[0] >= 0 else None) == decision.variant


@given(world=worlds(MONITORS["fixed"]))
@settings(max_examples=150, deadline=None)
def test_the_verdict_of_a_fixed_horizon_is_that_of_decide(world: tuple[Any, ...]) -> None:
    check(*world)


@given(world=worlds(MONITORS["anytime"]))
@settings(max_examples=150, deadline=None)
def test_the_verdict_at_any_time_is_that_of_decide(world: tuple[Any, ...]) -> None:
    check(*world)


@given(world=worlds(MONITORS["planned"]))
@settings(max_examples=25, deadline=None)
def test_the_verdict_at_planned_looks_is_that_of_decide(world: tuple[Any, ...]) -> None:
    check(*world)


@pytest.mark.parametrize("timing", TIMINGS[2:], ids=["min_units", "hold", "rollback", "noninferior"])
@given(seed=st.integers(0, 10_000), look=st.sampled_from([0, 2]))
@settings(max_examples=50, deadline=None)
def test_what_waits_and_what_runs_out_is_that_of_decide(timing: ab.Timing, seed: int, look: int) -> None:
    metrics = {"s": ab.Mean("x"), "g": ab.Mean("x", role="guardrail", margin=0.001)}
    rule, allocation = ab.Rule(promote=ab.AllOf("s")), {"control": 1.0, "b": 1.0}
    plan = ab.Experiment("u", "v", "control", metrics, allocation=allocation, rule=rule, timing=timing)
    check(plan, allocation, look, np.random.default_rng(seed).normal([[1.5], [0.0]], [[3.0], [1.0]]))


@pytest.mark.parametrize("m", [1, 2, 3, 6])
def test_holms_procedure_needs_no_pvalues(m: int) -> None:
    rng = np.random.default_rng(m)
    pvalues = np.where(rng.random((2000, m)) < 0.2, rng.random((2000, m)), rng.random((2000, m)) * 0.1)
    rule = Rule(tuple(range(m)), (), (), (), holm=True, treatments=("t",))
    levels = 0.1 / np.arange(1, rule.shares + 1)
    critical = np.broadcast_to(-ndtri(levels / 2)[:, None, None], (m, m, 1))
    found = rule._shown(-ndtri(pvalues / 2)[:, :, None], critical)[:, :, 0]
    assert np.array_equal(found, np.array([ab.adjust(row, "holm", alpha=0.1).rejected for row in pvalues]))


@pytest.mark.parametrize("monitor", [ab.FixedHorizon(), ab.AnytimeValid()])
def test_the_sample_ratio_is_checked_as_the_report_checks_it(monitor: Any) -> None:
    rng = np.random.default_rng(3)
    allocation = {"control": 1.0, "a": 0.2, "b": 0.8}
    plan = ab.Experiment("user", "variant", "control", {"m": ab.Mean("x")}, monitor, allocation)
    world = world_of(plan, allocation)
    counts = rng.multinomial(5000, np.array([[0.5 - d, 0.1, 0.4 + d] for d in np.linspace(-0.06, 0.06, 400)]))
    weights = dict(zip("abc", world.course.planned.tolist(), strict=True))
    if isinstance(monitor, ab.FixedHorizon):
        pvalues = [ab.srm_test(dict(zip("abc", row.tolist(), strict=True)), weights).pvalue for row in counts]
    else:
        pvalues = [ab.srm_sequence(dict(zip("abc", row.tolist(), strict=True)), weights).pvalue() for row in counts]
    assert np.array_equal(_ratio_broken(world, counts.astype(float)), np.array(pvalues) < 0.001)
    assert 0.1 < np.mean(np.array(pvalues) < 0.001) < 0.9


def test_no_units_are_an_unknown_ratio() -> None:
    for monitor in (ab.FixedHorizon(), ab.AnytimeValid()):
        plan = ab.Experiment("user", "variant", "control", {"m": ab.Mean("x")}, monitor)
        world = world_of(plan, {"control": 1.0, "treatment": 1.0})
        assert _ratio_broken(world, np.zeros((2, 2))).all()


def random_rule(rng: np.random.Generator, treatments: int) -> tuple[Rule, list[np.ndarray]]:
    """Any plan's rule with deviates and bounds of 400 runs."""
    roles = rng.integers(0, 4, rng.integers(1, 6))
    names = tuple("abc"[:treatments])
    rule = Rule(*(tuple(np.flatnonzero(roles == k).tolist()) for k in range(4)), bool(rng.integers(2)), names)
    z = rng.normal(1.5, 2.0, (400, len(roles), treatments))
    null = z + rng.normal(1.0, 1.0, (len(roles), treatments))
    bounds = [np.sort(rng.uniform(0, 4, (rule.shares, *null.shape[1:])), axis=0) for _ in range(2)]
    return rule, [z, null, *bounds]


@pytest.mark.parametrize("seed", range(30))
def test_what_is_missing_or_fails_never_moves_a_verdict_towards_promotion(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rule, (z, null, up, down) = random_rule(rng, 1 + seed % 3)
    fine, broken = np.zeros(400, dtype=bool), rng.random(400) < 0.5
    before = rule.verdicts(z, null, up, down, fine)
    failed = rule.verdicts(z, null, up, down, broken)
    assert np.all(failed.verdict <= before.verdict)
    assert not np.any(failed.verdict[broken] == PROMOTE)
    assert np.array_equal(failed.verdict == ROLLBACK, before.verdict == ROLLBACK)
    lost = rng.random(z.shape) < 0.2
    gone = rule.verdicts(*(np.where(lost, np.nan, values) for values in (z, null)), up, down, fine)
    assert not np.any((gone.verdict == PROMOTE) & (before.verdict != PROMOTE))
    nothing = rule.verdicts(np.full_like(z, np.nan), np.full_like(z, np.nan), up, down, fine)
    assert not nothing.verdict.any()
    assert np.all(nothing.blocked == bool(rule.quality))


@pytest.mark.parametrize("seed", range(10))
def test_each_run_is_judged_for_itself(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rule, (z, null, up, down) = random_rule(rng, 1 + seed % 3)
    broken = rng.random(400) < 0.2
    together = rule.verdicts(z, null, up, down, broken)
    for i in range(0, 400, 7):
        alone = rule.verdicts(z[i : i + 1], null[i : i + 1], up, down, broken[i : i + 1])
        assert (alone.verdict[0], alone.variant[0], alone.blocked[0]) == (
            together.verdict[i], together.variant[i], together.blocked[i],
        )  # fmt: skip
