"""Repeated p-values and intervals: against the exact trivariate normal, rpact, and the designs at the p-value."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import abkit as ab
from tests.golden.read import cases
from tests.sequential.rpact import design_of

EXACT = [case for case in cases("stopping_mvtnorm") if case["kind"] == "repeated"]
RPACT = [case for case in cases("stopping_rpact") if case["kind"] == "stopped"]
BOUNDARIES = {
    "ld-obrien-fleming": None,
    "ld-pocock": None,
    "kim-demets": 1.5,
    "hwang-shih-decani": -3.0,
    "pocock": None,
    "obrien-fleming": None,
    "wang-tsiatis": 0.3,
}


@pytest.mark.parametrize("case", EXACT)
def test_as_the_exact_trivariate_normal(case):
    design = ab.group_sequential_design(
        sides=case["sides"], information=case["information"], boundary=case["boundary"], shape=case["shape"] or None
    )
    result = design.repeated(case["z"])
    assert result.pvalues == pytest.approx(case["pvalues"], abs=1e-12)
    assert result.sequential_pvalue == min(result.pvalues)


@pytest.mark.parametrize("case", RPACT)
def test_as_rpact(case):
    design = design_of(case, case["shares"])
    result = design.repeated(case["z"], case["information"])
    for mine, theirs in zip(result.pvalues, case["repeated_pvalues"], strict=True):
        assert mine == pytest.approx(theirs, abs=2e-6) or theirs > 0.499  # where rpact stops to search
    assert result.low == pytest.approx(case["repeated_low"], abs=1e-6)
    assert result.high == pytest.approx(case["repeated_high"], abs=1e-6)


@settings(max_examples=30, deadline=None)
@given(
    boundary=st.sampled_from(sorted(BOUNDARIES)),
    sides=st.sampled_from([1, 2]),
    futility=st.sampled_from([None, [0.2, None, None]]),
    z=st.lists(st.floats(0.9, 6), min_size=3, max_size=3),
)
def test_the_design_at_the_pvalue_has_its_bound_at_the_statistic(boundary, sides, futility, z):
    choice = {"sides": sides, "information": [0.4, 0.7, 1], "boundary": boundary, "shape": BOUNDARIES[boundary]}
    choice |= {} if futility is None else {"futility": futility, "binding": True}
    for k, p in enumerate(ab.group_sequential_design(alpha=0.05, **choice).repeated(z).pvalues):
        if p < 0.3:
            there = ab.group_sequential_design(alpha=p, **choice)
            assert there.critical_values[k] == pytest.approx(z[k], abs=1e-8)


@settings(max_examples=20, deadline=None)
@given(
    boundary=st.sampled_from(sorted(BOUNDARIES)),
    sides=st.sampled_from([1, 2]),
    z=st.lists(st.floats(-4, 4), min_size=3, max_size=3),
)
def test_p_is_below_alpha_exactly_when_the_bound_is_crossed_and_zero_left_out(boundary, sides, z):
    design = ab.group_sequential_design(alpha=0.05, sides=sides, looks=3, boundary=boundary, shape=BOUNDARIES[boundary])
    result = design.repeated(z)
    for k in range(3):
        crossed = (abs(z[k]) if sides == 2 else z[k]) > design.critical_values[k]
        assert crossed == (result.pvalues[k] < 0.05)
        assert crossed == (result.low[k] > 0 or (sides == 2 and result.high[k] < 0))


def test_two_sides_that_differ():
    design = ab.group_sequential_design(alpha=0.05, sides=2, alpha_lower=0.04, looks=3)
    up, down = design.critical_values[1], design.lower_critical_values[1]
    assert design.repeated([0, up]).pvalues[1] == pytest.approx(0.05, abs=1e-9)
    assert design.repeated([0, down]).pvalues[1] == pytest.approx(0.05, abs=1e-9)
    assert design.repeated([0, down]).high[1] == pytest.approx(0.0, abs=1e-12)


def test_far_out_and_near_nothing():
    design = ab.group_sequential_design(alpha=0.05, sides=2, looks=3)
    far = design.repeated([30.0, 35.0, 36.0]).pvalues
    assert all(0 < p < 1e-20 for p in far)
    assert far[-1] == pytest.approx(2 * math.exp(-652.5032), rel=1e-3)  # the last look spends nearly all alpha
    assert design.repeated([0.0, 0.0, 0.0]).pvalues == pytest.approx((1.0, 1.0, 1.0))
    assert ab.group_sequential_design(sides=1, looks=2).repeated([-3.0, -9.0]).pvalues == (1.0, 1.0)


@pytest.mark.parametrize("boundary", [lambda t: t**2, [0.01, 0.02, 0.05]], ids=["callable", "points"])
def test_a_spending_function_of_ones_own(boundary):
    design = ab.group_sequential_design(alpha=0.05, looks=3, boundary=boundary)
    assert design.repeated(design.critical_values).pvalues == pytest.approx([0.05] * 3, abs=1e-9)


def test_a_skipped_look_has_no_answer_but_the_estimate():
    design = ab.group_sequential_design(alpha=0.05, looks=3, skip=[1])
    result = design.repeated([5.0, 2.0])
    assert (result.low[0], result.high[0], result.pvalues[0]) == (-math.inf, math.inf, 1.0)
    assert result.to_dict()["low"][0] is None


def test_haybittle_peto_has_one_bound_at_every_alpha_but_the_last():
    design = ab.group_sequential_design(alpha=0.05, looks=3, boundary="haybittle-peto")
    early, late, last = design.repeated([2.9, 3.1, design.critical_values[2]]).pvalues
    assert early == 1.0
    assert 0.0027 < late < 0.005
    assert last == pytest.approx(0.05, abs=1e-10)


def test_bounds_without_a_plan_are_refused():
    with pytest.raises(ValueError, match="given bounds"):
        ab.Design.from_bounds([0.5, 1], [2.2, 2.2]).repeated([1.0])


def test_coverage_at_all_looks_together():
    rng = np.random.default_rng(3)
    design = ab.group_sequential_design(alpha=0.2, sides=2, looks=4, boundary="pocock")
    z = np.cumsum(rng.normal(0, 0.5, (4000, 4)), axis=1) / np.sqrt(np.arange(1, 5) / 4)
    missed = np.mean((np.abs(z) > design.critical_values).any(axis=1))
    assert abs(missed - 0.2) < 4 * 0.4 / math.sqrt(4000)


def test_a_skipped_look_is_no_bound_for_a_statistic_of_zero():
    design = ab.group_sequential_design(looks=3, boundary="pocock", skip=[1])
    assert design.repeated([0.0, 0.0, 0.0]).pvalues == pytest.approx((1.0, 1.0, 1.0))
