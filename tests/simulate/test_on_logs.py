"""Runs on sums and counts of logs: the plan's own report and rule say the same on the same numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest

import abkit as ab
from abkit.decision import decide_report
from abkit.logs import Audit, Group, LogStatistics
from abkit.report import make_report
from abkit.simulate import Scenario
from abkit.simulate._canonical import simulate_canonical
from abkit.simulate._course import course_of
from abkit.simulate._critical import critical_deviates
from abkit.simulate._on_counts import _block, _most_evidence, _world, simulate_counts
from abkit.simulate._on_logs import Sums, simulate_sums
from abkit.simulate._rule import Rule
from abkit.simulate._setting import make_setting

MONITORS = [
    ab.FixedHorizon(0.2),
    ab.Bayesian(0.9),
    ab.GroupSequential(alpha=0.2, looks=3),
    ab.AnytimeValid(alpha=0.2, tune_at=3_000),
]
VERDICTS = {"promote": 1, "continue": 0, "rollback": -1}
METRICS = {
    "gain": ab.Mean("gain"),
    "other": ab.Mean("other"),
    "guard": ab.Mean("guard", role="guardrail", margin=0.1),
    "watch": ab.Mean("watch", role="deterioration"),
    "check": ab.Mean("check", role="quality"),
}


def plan(monitor, metrics=None, **fields):
    given = {"allocation": {"old": 2, "a": 1, "b": 1}, "quality": ab.Quality(alpha=0.05)}
    return ab.Experiment("user", "variant", "old", metrics or METRICS, monitor, **given | fields)


def setting(monitor, units=3_000, looks=None, **fields):
    planned = isinstance(monitor, ab.GroupSequential)
    return make_setting(plan(monitor, **fields), units, None if planned else looks or 3, 0.8)


def rng(seed=1):
    return np.random.default_rng(seed)


def decided(experiment, variants, units, moments, twice, look):
    """The verdict and the block of the real report, on the same numbers."""
    groups = [
        Group(variant, (), int(n), {name: moments(v, name) for name in experiment.metrics})
        for v, (variant, n) in enumerate(zip(variants, units, strict=True))
        if n
    ]
    total = int(units.sum()) + int(twice)
    statistics = LogStatistics(tuple(groups), Audit(total, units=total, units_in_several_variants=int(twice)))
    return decide_report(make_report(experiment, statistics, ab.Look(look)))


SCENARIOS = [
    Scenario("nothing"),
    Scenario("gain", {"gain": 1.2, "other": 0.5}),
    Scenario("harm", {"gain": 1.0, "guard": -1.3, "watch": -0.3}),
    Scenario("late and twice", {"gain": 1.0}, late=0.3, duplicates=0.2, contaminated=0.01),
    Scenario("ramp", {"gain": 1.0}, ramp=(0.3, 0.5, 0.7), drift=2.0),
    Scenario("mismatch", {"gain": 1.0}, allocation={"old": 2.0, "a": 1.2, "b": 0.9}),
    Scenario("gone", {"gain": 1.0}, missing="a"),
]


@pytest.mark.parametrize("monitor", MONITORS, ids=lambda monitor: monitor.kind)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_sums_are_judged_as_the_report_judges_them(monitor, scenario):
    given = setting(monitor, looks=1 if isinstance(monitor, ab.FixedHorizon) else 3)
    experiment, course = given.plan, course_of(given.plan, scenario, given.units)
    rule = Rule.of(experiment, course.variants[1:])
    nothing = np.zeros((len(given.units), len(METRICS), 2))
    up, down = critical_deviates(experiment, rule, course, dict(given.drifts), nothing, nothing)
    runs = 3 if isinstance(monitor, ab.GroupSequential) else 12  # whose reports take a third of a second each
    sums, names = Sums(given, scenario, course, runs, rng()), list(METRICS)
    margin = given.drifts["guard"].margin / math.sqrt(course.planned_information)
    tested = plan(monitor, METRICS | {"guard": ab.Mean("guard", role="guardrail", margin=margin)})
    for k, units in enumerate(given.units):
        sums.up_to(units)
        found = rule.verdicts(*sums.deviates(), up[k], down[k], sums.broken())
        for run in range(runs):

            def moments(v, name, run=run):
                n, i = int(sums.units[run, v]), names.index(name)
                total, squares = sums.seen.sums[run, v, i], sums.seen.squares[run, v, i]
                return ab.CoMoments(n, np.array([total / n]), np.array([[squares - total * total / n]]), (name,))

            real = decided(tested, course.variants, sums.units[run], moments, sums.twice[run], k + 1)
            assert VERDICTS[real.verdict] == found.verdict[run], (run, k)
            assert real.blocked == found.blocked[run], (run, k)
            promoted = int(found.variant[run])
            assert real.variant == (course.variants[1:][promoted] if promoted >= 0 else None)


@pytest.mark.parametrize("monitor", MONITORS, ids=lambda monitor: monitor.kind)
def test_counts_are_judged_as_the_report_judges_them(monitor):
    metrics = {
        "gain": ab.Proportion("gain"),
        "guard": ab.Proportion("guard", role="guardrail", direction="decrease", margin=0.1),
        "watch": ab.Proportion("watch", role="deterioration", direction="decrease"),
    }
    given = setting(monitor, units=2_000, looks=1, metrics=metrics, allocation={"old": 1, "new": 1})
    world = _world(given, Scenario("rare", {"gain": 1.5, "guard": 0.5}, events=30))
    tested = plan(
        given.plan.monitor,
        metrics
        | {"guard": ab.Proportion("guard", role="guardrail", direction="decrease", margin=float(world.nulls[1]))},
        allocation={"old": 1, "new": 1},
    )
    runs, seed = 8 if isinstance(monitor, ab.GroupSequential) else 25, 4
    record, draws = _block(world, runs, rng(seed)), rng(seed)
    counts, seen, ended = np.zeros((runs, *world.rates.shape), dtype=int), 0, np.zeros(runs, dtype=bool)
    for k, units in enumerate(world.units):
        counts, seen = counts + draws.binomial((units - seen)[:, None], world.rates, size=counts.shape), units
        for run in np.flatnonzero(~ended):

            def moments(v, name, run=run, units=units, counts=counts):
                x, n = int(counts[run, v, list(metrics).index(name)]), int(units[v])
                return ab.CoMoments(n, np.array([x / n]), np.array([[x * (n - x) / n]]), (name,))

            real = decided(tested, ("old", "new"), units, moments, 0, k + 1)
            ended[run] = real.verdict != "continue"
            if ended[run] or k == len(world.units) - 1:
                assert (VERDICTS[real.verdict], k + 1) == (record.verdict[run], record.look[run])


@pytest.mark.parametrize("null", [0.0, 0.01, -0.004, 0.3])
def test_no_evidence_exceeds_its_bound(null):
    from abkit.sequential._two_proportions import two_proportions_effect

    pairs = np.array([[0, 0], [3, 9], [40, 12], [1, 60], [200, 210]])
    bound = _most_evidence(pairs, (400, 300), null)
    for (c, t), most in zip(pairs.tolist(), bound, strict=True):
        for sides in (1, 2):
            effect = two_proportions_effect(c, 400, t, 300, 3 / 7, 1_000, sides)
            for alternative in ("two-sided", "greater", "less"):
                assert effect.log_evalue(null, alternative) <= most


@pytest.mark.parametrize("monitor", MONITORS, ids=lambda monitor: monitor.kind)
@pytest.mark.parametrize("scenario", [*SCENARIOS[:3], SCENARIOS[4], SCENARIOS[5]], ids=lambda scenario: scenario.name)
def test_sums_agree_with_the_joint_distribution(monitor, scenario):
    given = setting(monitor)
    found = [
        simulate_sums(given, scenario, 4_000, rng(2)),
        simulate_canonical(given.plan, scenario, looks=given.units, drifts=dict(given.drifts), runs=4_000, rng=rng(3)),
    ]
    for what in (lambda r: r.verdict == 1, lambda r: r.verdict == -1, lambda r: r.blocked, lambda r: r.look == 1):
        first, second = (float(np.mean(what(runs))) for runs in found)
        error = math.sqrt((first * (1 - first) + second * (1 - second)) / 4_000)
        assert abs(first - second) <= 4.5 * error + 1e-9


def test_autocorrelation_inflates_the_variance_as_it_should():
    metrics = {"gain": ab.Mean("gain")}
    given = setting(ab.FixedHorizon(), units=20_000, looks=1, metrics=metrics, allocation={"old": 1, "new": 1})
    rho, batches = 0.5, 20
    inflation = 1 + 2 * sum((1 - lag / batches) * rho**lag for lag in range(1, batches))
    scenario = Scenario("x", autocorrelation=rho)
    sums = Sums(given, scenario, course_of(given.plan, scenario, given.units), 4_000, rng())
    sums.up_to(given.units[-1])
    assert float(np.var(sums.deviates()[0])) == pytest.approx(inflation, rel=0.1)


@pytest.mark.parametrize("gone", ["old", "new"])
def test_a_log_without_the_control_or_any_treatment_has_no_verdict(gone):
    given = setting(ab.AnytimeValid(tune_at=3_000), allocation={"old": 1, "new": 1})
    found = simulate_sums(given, Scenario("x", {"gain": 3.0}, missing=gone), 50, rng())
    assert not found.verdict.any()
    assert found.blocked.all()


def test_what_is_logged_twice_does_not_count_twice_where_the_plan_has_a_key():
    scenario = Scenario("x", {"gain": 1.0}, duplicates=0.5)
    shares = [
        float(np.mean(simulate_sums(setting(ab.FixedHorizon(), looks=1, key=key), scenario, 4_000, rng()).verdict == 1))
        for key in ((), ("row",))
    ]
    clean = simulate_sums(setting(ab.FixedHorizon(), looks=1), Scenario("x", {"gain": 1.0}), 4_000, rng(7))
    assert shares[0] < shares[1] == pytest.approx(float(np.mean(clean.verdict == 1)), abs=0.03)


def test_rare_events_keep_the_level_of_the_exact_monitor():
    metrics = {"gain": ab.Proportion("gain")}
    given = setting(ab.AnytimeValid(alpha=0.1, tune_at=3_000), metrics=metrics, allocation={"old": 9, "new": 1})
    found = simulate_counts(given, Scenario("x", events=15), 400, rng())
    assert float(np.mean(found.verdict != 0)) <= 0.1
