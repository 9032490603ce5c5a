"""The inverse-normal combination: against rpact, its own arithmetic, and simulation with a size chosen on the way."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

import abkit as ab
from tests.golden.read import cases
from tests.sequential.rpact import design_of

RPACT = [case for case in cases("stopping_rpact") if case["kind"] == "combined"]


@pytest.mark.parametrize("case", RPACT)
def test_as_rpact(case):
    design = design_of(case, 150 * np.array(case["shares"]))
    seen = np.array(case["information"])
    steps = np.sqrt(np.diff(seen, prepend=0))
    stages = np.diff(np.array(case["z"]) * np.sqrt(seen), prepend=0) / steps
    result = ab.combination_test(design, stages, seen)
    assert result.statistics[-1] == pytest.approx(case["statistic"], abs=1e-9)
    assert result.pvalue == pytest.approx(case["pvalue"], abs=1e-6)
    assert result.repeated_pvalue == pytest.approx(case["repeated_pvalues"][-1], abs=2e-6)
    assert result.low == pytest.approx(case["repeated_low"][-1], abs=1e-6)
    assert result.high == pytest.approx(case["repeated_high"][-1], abs=1e-6)


@settings(max_examples=20, deadline=None)
@given(z=st.lists(st.floats(-1.5, 1.5), min_size=3, max_size=3), sides=st.sampled_from([1, 2]))
def test_sizes_as_planned_give_the_ordinary_statistic(z, sides):
    design = ab.group_sequential_design(alpha=0.05, sides=sides, information=[100, 150, 300])
    result = ab.combination_test(design, z)
    weights = np.sqrt([100, 50, 150])
    ordinary = np.cumsum(weights * z) / np.sqrt([100, 150, 300])
    repeated = design.repeated(ordinary)
    assert result.statistics == pytest.approx(ordinary, abs=1e-13)
    assert result.estimate == pytest.approx(repeated.estimate[-1], abs=1e-13)
    assert list(result.interval()) == pytest.approx([repeated.low[-1], repeated.high[-1]], abs=1e-12)


def test_the_interval_holds_what_the_combination_does_not_reject():
    design = ab.group_sequential_design(alpha=0.05, sides=2, information=[100, 200])
    stages, seen = np.array([1.2, 1.9]), np.array([100.0, 350.0])
    result = ab.combination_test(design, stages, seen)
    for end, bound in ((result.low, design.critical_values[1]), (result.high, design.lower_critical_values[1])):
        moved = ab.combination_test(design, stages - end * np.sqrt(np.diff(seen, prepend=0)), seen)
        assert moved.statistics[-1] == pytest.approx(bound, abs=1e-12)
    assert ab.combination_test(design, stages - result.estimate * np.sqrt([100, 250]), seen).statistics[-1] == (
        pytest.approx(0, abs=1e-12)
    )


def test_level_holds_when_the_size_follows_the_data():
    rng = np.random.default_rng(8)
    runs, design = 20000, ab.group_sequential_design(alpha=0.1, sides=1, information=[1, 2], boundary="pocock")
    first, second = rng.normal(size=(2, runs))
    # the second stage is made as large as an ordinary pooled test would be hurt by
    size = np.where(first < 0.5, 10.0, 0.3)
    c1, c2 = design.critical_values
    combined = (first + second) / math.sqrt(2)
    pooled = (first + second * np.sqrt(size)) / np.sqrt(1 + size)
    rejected = np.mean((first >= c1) | (combined >= c2))
    assert abs(rejected - 0.1) < 4 * 0.3 / math.sqrt(runs)
    assert np.mean((first >= c1) | (pooled >= c2)) > 0.1 + 0.005
    one = ab.combination_test(design, [float(first[0]) % 1, float(second[0])], [1, 1 + float(size[0])])
    assert one.statistics[1] == pytest.approx((float(first[0]) % 1 + float(second[0])) / math.sqrt(2))


@settings(max_examples=30, deadline=None)
@given(z=st.floats(-2, 2.5), effect=st.floats(0.02, 0.5), power=st.floats(0.5, 0.99), sign=st.sampled_from([1, -1]))
def test_the_next_stage_has_the_wanted_power(z, effect, power, sign):
    design = ab.group_sequential_design(alpha=0.05, sides=2, information=[100, 220, 300])
    plan = ab.reestimate(design, [sign * z], effect=sign * effect, power=power)
    c, weights = design.critical_values[1], np.sqrt([100, 120])
    bound = (c * math.sqrt(220) - weights[0] * z) / weights[1]
    assert plan.conditional_power == pytest.approx(max(power, norm.cdf(-bound)), abs=1e-12)
    assert plan.planned_power == pytest.approx(norm.cdf(effect * math.sqrt(120) - bound), abs=1e-12)
    zone = "unfavourable" if plan.planned_power < 0.5 else "promising" if plan.planned_power < power else "favourable"
    assert plan.zone == zone


def test_with_one_look_to_come_planned_power_is_conditional_power():
    design = ab.group_sequential_design(alpha=0.025, sides=1, information=[200, 400])
    plan = ab.reestimate(design, [1.5], power=0.9)
    assert plan.planned_power == pytest.approx(design.conditional_power(1, 1.5), abs=1e-13)
    capped = ab.reestimate(design, [1.5], power=0.9, largest=250)
    assert capped.information == 250
    assert capped.planned_power < capped.conditional_power < 0.9


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda d: ab.combination_test(d, []), "1 to 2 values"),
        (lambda d: ab.combination_test(d, [1, 2, 3]), "1 to 2 values"),
        (lambda d: ab.combination_test(d, [1, math.nan]), "finite"),
        (lambda d: ab.combination_test(d, [1, 1], [3, 2]), "must rise"),
        (lambda d: ab.reestimate(d, [1, 1]), "leave a look to come"),
        (lambda d: ab.reestimate(d, [0.0]), "must not be zero"),
        (lambda d: ab.reestimate(d, [-1.0]), "must be positive with one side"),
        (lambda d: ab.reestimate(d, [1.0], power=1.0), "`power` must be between"),
        (lambda d: ab.reestimate(d, [1.0], largest=0.0), "`largest` must be"),
    ],
)
def test_what_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(ab.group_sequential_design(alpha=0.025, sides=1, looks=2))


def test_a_negative_effect_is_to_cross_the_lower_bound():
    design = ab.group_sequential_design(information=[200, 400], boundary="ld-pocock", alpha_lower=0.01)
    plan = ab.reestimate(design, [-1.0], effect=-0.12, power=0.9)
    # by hand: Phi(0.12 sqrt(200) - b), b = (-lower sqrt(400) - sqrt(200)) / sqrt(200)
    bound = (-design.lower_critical_values[1] * 20 - math.sqrt(200)) / math.sqrt(200)
    assert plan.planned_power == pytest.approx(norm.cdf(0.12 * math.sqrt(200) - bound), rel=1e-12)
    assert plan.planned_power == pytest.approx(0.176, abs=1e-3)


def test_a_stage_that_rejects_nothing_has_no_size():
    design = ab.group_sequential_design(looks=3, skip=[2])
    with pytest.raises(ValueError, match="look 2 is skipped"):
        ab.reestimate(design, [1.0])
