"""Stage-wise inference: against the exact trivariate normal, rpact, simulation, and its own laws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import kstest, multivariate_normal, norm

import abkit as ab
from abkit.sequential._stagewise import Path, after_stopping
from tests.golden.read import cases
from tests.sequential.rpact import design_of

EXACT = [case for case in cases("stopping_mvtnorm") if case["kind"] == "stopped"]
RPACT = [case for case in cases("stopping_rpact") if case["kind"] == "stopped"]


@pytest.mark.parametrize("case", EXACT)
def test_as_the_exact_trivariate_normal(case):
    seen, sides = case["look"] - 1, case["sides"]
    upper = case["critical_values"][:seen]
    futility = [-math.inf if bound is None else bound for bound in case["futility"][:seen]]
    lower = futility if sides == 1 else [-bound for bound in upper]
    inner = [0.0] * seen if sides == 1 else futility
    information = tuple(case["information"][: seen + 1])
    result = after_stopping(Path(information, tuple(upper), tuple(lower), tuple(inner), case["z"]), sides, 0.95, None)
    low, high = result.interval(0.95)
    assert result.pvalue == pytest.approx(case["pvalue"], abs=1e-13)
    assert (low, result.estimate, high) == pytest.approx((case["low"], case["estimate"], case["high"]), abs=1e-12)


@pytest.mark.parametrize("case", RPACT)
def test_as_rpact(case):
    design = design_of(case, case["shares"])
    result = design.stopped(case["z"], case["information"])
    low, high = result.interval()
    assert design.critical_values == pytest.approx(case["critical_values"], abs=1e-6)
    assert result.pvalue == pytest.approx(case["pvalue"], abs=1e-6)
    assert (low, result.estimate, high) == pytest.approx((case["low"], case["estimate"], case["high"]), abs=5e-6)


def test_two_looks_by_the_bivariate_normal():
    design = ab.group_sequential_design(alpha=0.05, sides=1, information=[0.4, 1], boundary="pocock")
    c, root = design.critical_values[0], math.sqrt(0.4)
    both = multivariate_normal([0, 0], [[1, root], [root, 1]]).cdf([c, 1.4])
    result = design.stopped([0.7, 1.4])
    assert result.pvalue == pytest.approx(norm.sf(c) + norm.cdf(c) - both, abs=1e-7)
    assert result.crossed is None


def test_one_look_is_the_plain_test_to_1e_300():
    design = ab.group_sequential_design(alpha=0.05, sides=2, looks=3)
    for z in (0.3, 5.0, -37.0, 45.0):
        result = design.stopped([z], information=[25.0])
        assert result.log_pvalue == pytest.approx(math.log(2) + norm.logsf(abs(z)), rel=1e-13)
        assert result.estimate == pytest.approx(z / 5, rel=1e-12)
        assert list(result.interval(0.9)) == pytest.approx([(z - norm.isf(0.05)) / 5, (z + norm.isf(0.05)) / 5])


def test_later_looks_keep_their_digits_far_out():
    design = ab.group_sequential_design(alpha=1e-200, sides=1, looks=2)
    result = design.stopped([5.0, 32.0])
    # nearly all of those who come that far stayed below the first bound, 43
    assert result.log_pvalue == pytest.approx(norm.logsf(32.0), rel=1e-12)
    assert result.estimate == pytest.approx(32.0, rel=1e-9)


@settings(max_examples=25, deadline=None)
@given(
    first=st.floats(-2.2, 2.2),
    z=st.floats(-5, 5),
    boundary=st.sampled_from(["pocock", "ld-obrien-fleming", "obrien-fleming"]),
    sides=st.sampled_from([1, 2]),
    binding=st.booleans(),
)
def test_interval_leaves_out_zero_exactly_when_p_is_below_alpha(first, z, boundary, sides, binding):
    design = ab.group_sequential_design(
        alpha=0.05, sides=sides, information=[100, 180, 250], boundary=boundary, futility="ld-pocock", binding=binding
    )
    assume(abs(first) < design.critical_values[0])
    assume(not binding or (first if sides == 1 else abs(first)) > design.futility[0])
    result = design.stopped([first, z])
    low, high = result.interval()
    assert low < result.estimate < high
    assert (low > 0 or (sides == 2 and high < 0)) == (result.pvalue < 0.05)
    if result.crossed == "efficacy":
        assert result.pvalue <= 0.05 + 1e-12


@settings(max_examples=20, deadline=None)
@given(first=st.floats(-2, 2), z=st.floats(-6, 6))
def test_two_sides_mirror_each_other(first, z):
    design = ab.group_sequential_design(alpha=0.05, sides=2, looks=3, boundary="pocock")
    one, other = design.stopped([first, z]), design.stopped([-first, -z])
    assert one.log_pvalue == pytest.approx(other.log_pvalue, abs=1e-12)
    assert one.estimate == pytest.approx(-other.estimate, abs=1e-9)
    assert list(one.interval()) == pytest.approx([-end for end in reversed(list(other.interval()))], abs=1e-9)


@pytest.mark.parametrize("effect", [0.0, 2.0])
def test_pvalues_are_uniform_and_the_estimate_is_median_unbiased(effect):
    rng = np.random.default_rng(5)
    design = ab.group_sequential_design(alpha=0.2, sides=1, looks=3, boundary="pocock")
    steps = rng.normal(effect / 3, math.sqrt(1 / 3), (400, 3))
    z = np.cumsum(steps, axis=1) / np.sqrt(np.arange(1, 4) / 3)
    results = []
    for path in z:
        crossed = np.flatnonzero(path >= design.critical_values)
        results.append(design.stopped(path[: crossed[0] + 1 if crossed.size else 3]))
    above = np.mean([result.estimate > effect for result in results])
    assert abs(above - 0.5) < 3.5 * 0.5 / 20
    if effect == 0:
        assert kstest([result.pvalue for result in results], "uniform").pvalue > 1e-3
    else:
        held = np.mean([result.interval(0.8).contains(effect) for result in results])
        assert abs(held - 0.8) < 3.5 * 0.4 / 20


def test_futility_counts_in_the_ordering_where_it_binds_only():
    choice = {"alpha": 0.025, "sides": 1, "looks": 2, "futility": [0.5, None]}
    plain = ab.group_sequential_design(alpha=0.025, sides=1, looks=2)
    free = ab.group_sequential_design(**choice, binding=False)
    bound = ab.group_sequential_design(**choice, binding=True)
    assert free.stopped([1.0, 1.5]).pvalue == plain.stopped([1.0, 1.5]).pvalue
    assert bound.stopped([1.0, 1.5]).pvalue < free.stopped([1.0, 1.5]).pvalue
    assert free.stopped([0.2, 1.5]).look == 2  # going on is allowed
    with pytest.raises(ValueError, match="crossed the futility bound"):
        bound.stopped([0.2, 1.5])


def test_a_harm_bound_is_part_of_the_ordering():
    design = ab.group_sequential_design(alpha=0.025, sides=1, looks=3, harm="ld-pocock", harm_alpha=0.05)
    result = design.stopped([-0.3, -2.6])
    assert result.crossed == "harm"
    assert result.interval().high < 0
    assert result.pvalue > 0.97


@pytest.mark.parametrize(
    ("statistics", "information", "message"),
    [
        ([], None, "1 to 3 values"),
        ([1, 1, 1, 1], None, "1 to 3 values"),
        ([math.nan], None, "finite"),
        ([math.inf], None, "finite"),
        ([1.0, 2.0], [4.0], "must rise"),
        ([1.0, 2.0], [4.0, 4.0], "must rise"),
        ([1.0], [0.0], "must rise"),
        ([9.0, 1.0], None, "must end where the test stopped"),
    ],
)
def test_what_is_refused(statistics, information, message):
    with pytest.raises(ValueError, match=message):
        ab.group_sequential_design(looks=3).stopped(statistics, information)


def test_to_dict_holds_plain_numbers():
    result = ab.group_sequential_design(looks=3).stopped([1.0, 3.0], [10.0, 20.0])
    assert all(value is None or isinstance(value, (int, float, str)) for value in result.to_dict().values())
