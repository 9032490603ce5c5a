"""Monitors: what a look may say, and that p-values, intervals and verdicts say the same."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import abkit as ab
from abkit._sets import Interval, Level, WholeLine, tail_of
from abkit.errors import PlanError
from abkit.evidence import Sample
from abkit.inference import linear_effect, mean_arm
from abkit.sequential import KINDS
from abkit.sequential._anytime_valid import MixtureBound
from abkit.sequential._monitored import MonitoredEffect
from abkit.suffstats import CoMoments

MONITORS = [
    ab.FixedHorizon(0.05),
    ab.AnytimeValid(0.05, tune_at=1000),
    ab.Bayesian(0.975),
    ab.AnytimeValid(0.025, tune_at=1000, sides=1),
    ab.GroupSequential(0.05, looks=3),
    ab.GroupSequential(0.05, looks=3, boundary="pocock"),
    ab.GroupSequential(0.025, looks=3, boundary="obrien-fleming", sides=1),
    ab.GroupSequential(0.05, information=(0.3, 0.7, 1.0), boundary=(0.01, 0.02, 0.05)),
]
SEQUENTIAL = MONITORS[1:]


def moments(n: int, mean: float, sd: float) -> CoMoments:
    return CoMoments(n, np.array([mean]), np.array([[sd * sd * (n - 1)]]), ("x",))


def effect_of(n_c: int, n_t: int, change: float, sd: float = 1.0) -> Any:
    return linear_effect(mean_arm(moments(n_c, 10.0, sd)), mean_arm(moments(n_t, 10.0 + change, sd)))


def monitored(monitor: Any, n_c: int, n_t: int, change: float, number: int = 2) -> Any:
    sample = Sample(n_c + n_t, min(n_c, n_t), None, 0.0)
    return monitor.monitored("welch", effect_of(n_c, n_t, change), sample, ab.Look(number))[1]


def log_of(n: int, effect: float, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    variant = rng.choice(["control", "new"], n)
    treated = variant == "new"
    return pd.DataFrame(
        {
            "user": np.arange(n),
            "variant": variant,
            "revenue": rng.normal(10, 3, n) + effect * treated,
            "bought": rng.random(n) < 0.10 + 0.01 * treated,
        }
    )


def plan_of(monitor: Any, **metrics: Any) -> ab.Experiment:
    return ab.Experiment(
        unit="user",
        variant="variant",
        control="control",
        allocation={"control": 1, "new": 1},
        metrics=metrics or {"revenue": ab.Mean("revenue")},
        monitor=monitor,
    )


def test_every_kind_of_monitor_is_tried_here() -> None:
    assert {type(monitor) for monitor in MONITORS} == set(KINDS.values())


@pytest.mark.parametrize("monitor", MONITORS, ids=repr)
@given(
    change=st.floats(-0.6, 0.6),
    null=st.floats(-0.5, 0.5),
    level=st.floats(0.5, 0.999),
    alternative=st.sampled_from(["two-sided", "greater", "less"]),
)
@settings(max_examples=25, deadline=None)
def test_the_interval_leaves_out_a_null_exactly_when_p_is_below_its_error(
    monitor: Any, change: float, null: float, level: float, alternative: Any
) -> None:
    effect = monitored(monitor, 400, 600, change)
    p = effect.pvalue(null, alternative)
    assert 0 <= p <= 1
    if abs(p - (1 - level)) > 1e-9:
        assert effect.interval(level, alternative).contains(null) == (p >= 1 - level)
    rho = ab.relative(null / 10.0)
    p = effect.pvalue(rho, alternative)
    if abs(p - (1 - level)) > 1e-9:
        assert effect.relative(level, alternative, None).contains(rho.value) == (p >= 1 - level)


@pytest.mark.parametrize("monitor", MONITORS, ids=repr)
def test_p_falls_as_the_effect_grows_and_is_mirrored(monitor: Any) -> None:
    changes = np.linspace(0.0, 2.0, 9)
    up = [monitored(monitor, 300, 300, change).pvalue(0.0, "two-sided") for change in changes]
    down = [monitored(monitor, 300, 300, -change).pvalue(0.0, "two-sided") for change in changes]
    assert up == pytest.approx(down, rel=1e-9)
    assert all(late <= early for early, late in pairwise(up))


@pytest.mark.parametrize("monitor", SEQUENTIAL, ids=repr)
def test_no_look_of_a_monitor_is_cheaper_than_the_only_one(monitor: Any) -> None:
    effect = effect_of(500, 500, 0.15)
    fixed = effect.normal().pvalue(0.0, "two-sided")
    assert monitored(monitor, 500, 500, 0.15).pvalue(0.0, "two-sided") >= fixed


def test_the_anytime_interval_is_the_estimate_plus_or_minus_multiplier_times_stderr() -> None:
    monitor = ab.AnytimeValid(0.05, tune_at=1000)
    effect = monitored(monitor, 400, 600, 0.2)
    # Waudby-Smith et al. 2024, eq. 9 in units of the standard error, with N = 1000 and rho tuned at 1000 units
    x = 8.211968062068253
    m = math.sqrt((1 + 1 / x) * math.log((1 + x) / 0.05**2))
    low, high = effect.interval(0.95, "two-sided")
    assert (low, high) == pytest.approx((0.2 - m * effect.stderr, 0.2 + m * effect.stderr), rel=1e-12)
    z = 0.2 / effect.stderr
    log_p = 0.5 * math.log1p(x) - z * z * x / (2 * (1 + x))
    assert effect.pvalue(0.0, "two-sided") == pytest.approx(min(1.0, math.exp(log_p)), rel=1e-12)


def test_the_repeated_interval_is_the_estimate_plus_or_minus_critical_value_times_stderr() -> None:
    monitor = ab.GroupSequential(0.05, looks=3, boundary="obrien-fleming")
    effect = monitored(monitor, 400, 600, 0.2)
    c = 2.4538  # Jennison and Turnbull 2000, table 2.3: 2.004 sqrt(3 / 2)
    assert list(effect.interval(0.95, "two-sided")) == pytest.approx(
        [0.2 - c * effect.stderr, 0.2 + c * effect.stderr], abs=1e-4
    )


def test_far_bounds_keep_their_digits() -> None:
    effect = MonitoredEffect(effect_of(500, 500, 0.0).normal(), MixtureBound(1.0, 2))
    low, high = effect.interval(Level(1e-100), "two-sided")
    m = math.sqrt(2 * (math.log(2) + 2 * 100 * math.log(10)))
    assert (high - low) / 2 / effect.stderr == pytest.approx(m, rel=1e-12)
    assert tail_of(Level(1e-100), "two-sided") == 5e-101
    assert effect.interval(Level(0.0), "two-sided") == WholeLine(1.0)


@pytest.mark.parametrize(
    ("sample", "lacks"),
    [
        (Sample(60, 30, None, 0.0), "the smaller variant has 30 of 60 units"),
        (Sample(2000, 1000, 3, 0.0), "3 units with an event"),
        (Sample(2000, 1000, 900, 3.0), "skewed"),
    ],
)
def test_before_the_burn_in_is_over_nothing_is_excluded(sample: Sample, lacks: str) -> None:
    _, effect = ab.AnytimeValid().monitored("welch", effect_of(1000, 1000, 5.0), sample, ab.Look())
    assert effect.pvalue(0.0, "two-sided") == 1.0
    assert effect.interval(0.95, "two-sided") == WholeLine(0.95)
    assert effect.relative(0.95, "two-sided", None) == WholeLine(0.95)
    assert effect.validity == "burn-in"
    assert lacks in str(effect.caution)


def test_a_report_says_what_holds_of_each_result() -> None:
    plan = plan_of(ab.AnytimeValid(), revenue=ab.Mean("revenue"), bought=ab.Proportion("bought"))
    report = plan.analyze(log_of(4000, 0.5))
    assert report.result("revenue").validity == "asymptotic"
    assert report.result("bought").validity == "exact"
    assert "`revenue` asymptotic, `bought` exact" in str(report)
    decision = ab.decide(plan, report)
    assert decision.risk.guarantee == "anytime"
    assert decision.verdict == "promote"


def test_few_units_wait_and_do_not_promote() -> None:
    plan = plan_of(ab.AnytimeValid())
    decision = ab.decide(plan, log_of(60, 50.0))
    assert decision.verdict == "continue"
    assert any("needs at least" in note for note in decision.notes)


def test_one_side_has_alpha_for_each_direction() -> None:
    report = plan_of(ab.AnytimeValid(0.025, sides=1)).analyze(log_of(4000, 0.2))
    assert report.level == 0.95
    assert ab.decide(report.experiment, report).risk.false_promote_max == 0.025


def test_a_second_look_at_a_fixed_horizon_is_refused() -> None:
    with pytest.raises(PlanError, match=r"`look` must be 1 for a fixed horizon; got 2\."):
        plan_of(ab.FixedHorizon()).analyze(log_of(100, 0.0), look=2)


def test_a_schedule_must_know_which_look_it_is() -> None:
    plan, log = plan_of(ab.GroupSequential(looks=3)), log_of(600, 0.0)
    with pytest.raises(PlanError, match="which of the 3 planned looks"):
        plan.analyze(log)
    with pytest.raises(PlanError, match=r"`look` must be from 1 to 3.*got 4"):
        plan.analyze(log, look=4)
    assert plan.analyze(log, look=2).look.number == 2


def test_units_say_which_look_it_is_and_where() -> None:
    monitor = ab.GroupSequential(looks=4, units=1000)
    plan = plan_of(monitor)
    report = plan.analyze(log_of(600, 0.0))
    assert report.look.number == 2
    assert "2 of 4, at 60.0% of the planned information" in str(report)
    assert plan.analyze(log_of(499, 0.0)).look.number == 2
    # looks at 0.3 and 0.6, in place of 0.25 and 0.5, as group_sequential_design has them
    design = ab.group_sequential_design(
        alpha=0.05, sides=2, information=[0.3, 0.6, 0.75, 1.0], boundary="ld-obrien-fleming"
    )
    test = report.result("revenue")
    half = (test.interval(0.95).high - test.interval(0.95).low) / 2  # type: ignore[union-attr]
    assert half / test.stderr == pytest.approx(design.critical_values[1], abs=1e-9)


@pytest.mark.parametrize("boundary", ["ld-obrien-fleming", "pocock"])
def test_alpha_spent_stays_spent_when_looks_are_late_and_the_plan_is_overrun(boundary: str) -> None:
    monitor = ab.GroupSequential(looks=3, boundary=boundary, units=900)
    seen = (320, 650, 1010)
    bounds = [
        monitor.monitored("welch", effect_of(500, 500, 0.0), None, ab.Look(k + 1, seen[: k + 1]))[1].bound
        for k in range(3)
    ]
    critical = [bound.critical(0.025) for bound in bounds]
    design = ab.Design.from_bounds(list(seen), critical)
    assert design.alpha == pytest.approx(0.05, abs=1e-9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "`looks` or `information` must be given"),
        ({"looks": 2, "information": [0.5, 1]}, "`looks` or `information` must be given"),
        ({"looks": 0}, "`looks` must be"),
        ({"information": [0.5, 0.4, 1]}, "`information` must rise"),
        ({"information": [0.5, 0.9]}, "`information` must end with 1"),
        ({"looks": 2, "sides": 3}, "`sides`"),
        ({"looks": 2, "boundary": "obf"}, "`boundary`"),
        ({"looks": 2, "alpha": 0.6, "sides": 1}, "`alpha`"),
        ({"looks": 2, "units": 1}, "`units`"),
        ({"looks": 2, "futility": "none at all"}, "`futility`"),
    ],
)
def test_a_schedule_outside_its_domain_is_refused_by_name(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ab.GroupSequential(**arguments)


@pytest.mark.parametrize("arguments", [{"alpha": 0.5, "sides": 1}, {"tune_at": 0}, {"sides": 0}, {"alpha": math.nan}])
def test_an_anytime_monitor_outside_its_domain_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError), match="`"):
        ab.AnytimeValid(**arguments)


@pytest.mark.parametrize("monitor", MONITORS, ids=repr)
def test_a_plan_with_a_monitor_survives_its_file_form(monitor: Any) -> None:
    plan = plan_of(monitor)
    assert ab.Experiment.from_dict(plan.to_dict()) == plan
    assert ab.Experiment.from_dict(plan.to_dict()).sha256 == plan.sha256


def test_futility_is_said_where_success_is_no_longer_likely() -> None:
    plan = plan_of(ab.GroupSequential(looks=2, futility="ld-pocock", sides=1, alpha=0.025))
    assert "futility: `revenue` of new is not likely to be shown any more" in str(
        plan.analyze(log_of(4000, -0.3), look=1)
    )
    assert "futility" not in str(plan.analyze(log_of(4000, 0.3), look=1))


@pytest.mark.parametrize("monitor", SEQUENTIAL, ids=repr)
def test_a_p_value_far_out_keeps_its_digits(monitor: Any) -> None:
    p = monitored(monitor, 5000, 5000, 0.55).pvalue(0.0, "two-sided")
    assert 1e-200 < p < 1e-100


def test_an_interval_is_what_its_name_says() -> None:
    assert isinstance(monitored(MONITORS[1], 400, 400, 0.1).interval(0.9, "greater"), Interval)
    assert monitored(MONITORS[1], 400, 400, 0.1).interval(0.9, "greater").high == math.inf


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("shape", [3.0, 2.3])
def test_haybittle_peto_has_no_bound_at_an_alpha_that_its_fixed_values_exceed(shape: float, sides: int) -> None:
    monitor = ab.GroupSequential(alpha=0.025 * sides, looks=3, boundary="haybittle-peto", shape=shape, sides=sides)
    design = monitor.design()
    for k, change in [(1, 0.24), (2, 0.4), (3, 0.24), (3, 0.6)]:
        effect = monitored(monitor, 400, 600, change, k)
        z, critical = change / effect.stderr, design.critical_values[k - 1] * effect.stderr
        p = effect.pvalue(0.0, "two-sided" if sides == 2 else "greater")
        assert p == pytest.approx(design.repeated([0.0] * (k - 1) + [z]).pvalues[-1], rel=1e-8)
        assert isinstance(effect.interval(1 - 1e-6, "two-sided"), WholeLine)
        low, high = effect.interval(1 - monitor.total, "two-sided")
        assert (low, high) == pytest.approx((change - critical, change + critical))
