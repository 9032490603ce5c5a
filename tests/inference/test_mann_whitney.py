"""The Mann-Whitney test against R, and its score interval against 40-digit arithmetic over all pairs."""

from __future__ import annotations

import itertools
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abkit import AccuracyWarning, Moments, mann_whitney_test, relative
from tests.golden.read import cases

quiet = pytest.mark.filterwarnings("ignore::abkit.errors.AccuracyWarning")
ALTERNATIVES = ["two-sided", "greater", "less"]


@quiet
@pytest.mark.parametrize("case", cases("mann_whitney"))
def test_at_a_null_of_zero_the_test_is_that_of_r(case):
    result = mann_whitney_test(case["control"], case["treatment"], alternative=case["alternative"])
    assert result.pvalue == pytest.approx(case["pvalue"], rel=1e-10)
    pairs = len(case["control"]) * len(case["treatment"])
    assert result.treatment * pairs == pytest.approx(case["u"], rel=1e-12)
    assert result.control == 0.5


@quiet
@pytest.mark.parametrize("case", [case for case in cases("superiority") if case["name"] != "fractions"])
def test_without_the_exact_distribution_every_null_is_that_of_the_definition(case):
    result = mann_whitney_test(case["control"], case["treatment"])
    assert result.treatment == pytest.approx(float(case["superiority"]), rel=1e-12)
    for null, expected in case["score"].items():
        assert result.with_null(float(null)).statistic == pytest.approx(float(expected), rel=1e-11, abs=1e-12)
    ends = [float(case["score_low"]), float(case["score_high"])]
    assert list(result.interval(0.95)) == pytest.approx(ends, rel=1e-10)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=9), st.integers(2, 8))
def test_the_exact_pvalue_is_that_of_all_ways_to_choose_the_treated(gaps, treated):
    values = np.cumsum([*gaps, *[1] * treated]).tolist()  # no two are equal
    rank = {value: i for i, value in enumerate(values)}
    sums = [sum(chosen) for chosen in itertools.combinations(range(len(values)), treated)]
    treatment = values[1 : treated + 1]
    control = [value for value in values if value not in treatment]
    observed = sum(rank[value] for value in treatment)
    greater = sum(s >= observed for s in sums) / len(sums)
    less = sum(s <= observed for s in sums) / len(sums)
    for alternative, expected in zip(ALTERNATIVES, [min(1, 2 * min(greater, less)), greater, less], strict=True):
        result = mann_whitney_test(control, treatment, alternative=alternative)
        assert result.pvalue == pytest.approx(expected, rel=1e-11)


@quiet
@given(
    st.integers(1, 30),
    st.integers(1, 30),
    st.integers(0, 10**6),
    st.sampled_from([1.0, 0.3, 8.0]),
    st.sampled_from([0.0, 1.0, 4.0]),
    st.booleans(),
)
def test_the_statistic_falls_in_the_null_over_its_whole_range(n_control, n_treatment, seed, spread, shift, tied):
    rng = np.random.default_rng(seed)
    control, treatment = rng.normal(size=n_control), rng.normal(shift, spread, size=n_treatment)
    if tied:
        control, treatment = np.round(control), np.round(treatment)
    result = mann_whitney_test(control, treatment)
    if result.reason:
        return
    nulls = np.linspace(-0.4999, 0.4999, 61).tolist()
    for alternative, sign in (("greater", 1), ("less", -1)):
        pvalues = [sign * result.with_null(null, alternative).pvalue for null in nulls]
        assert all(a <= b + 1e-12 for a, b in itertools.pairwise(pvalues))


@quiet
@pytest.mark.parametrize("n", [1, 5, 49, 50, 3000])
def test_complete_separation_reaches_the_edge_and_no_further(n):
    result = mann_whitney_test(np.arange(n), np.arange(n) + n)
    assert result.treatment == 1
    low, high = result.interval(0.95)
    assert high == 0.5
    assert -0.5 <= low < 0.5
    assert (low > 0) == (result.pvalue < 0.05)


def test_two_million_equal_values_and_one_other_keep_their_digits():
    control, treatment = np.zeros(1_000_000), np.zeros(1_000_000)
    treatment[0] = 1.0
    result = mann_whitney_test(control, treatment)
    assert result.statistic == pytest.approx(1.0, rel=1e-6)
    assert result.estimate == 5e-7


def test_equal_values_are_no_evidence():
    result = mann_whitney_test([3, 3, 3], [3, 3])
    assert result.reason == "the variance is zero: every unit of both variants has the same value"
    assert math.isnan(result.pvalue)
    assert result.interval(0.95).shape == "whole-line"
    assert result.to_dict()["pvalue"] is None


def test_only_the_order_matters():
    control, treatment = [1.0, 3.0, 2.0, 5.0], [4.0, 6.0, 2.5]
    a = mann_whitney_test(control, treatment)
    b = mann_whitney_test(np.exp(np.multiply(control, 100)), np.exp(np.multiply(treatment, 100)))
    assert a == b


def test_extreme_values_are_ordered_and_not_added():
    result = mann_whitney_test([-1.7e308, 0.0, 5e-324], [1.7e308, -0.0, 1e-320])
    assert result.treatment == pytest.approx((3 + 1.5 + 3) / 9)


def test_it_has_no_relative_form_and_no_odds():
    result = mann_whitney_test([1, 2, 3], [2, 3, 4])
    assert result.relative(0.95).reason == "a probability of superiority less 1/2 has no relative form"
    assert result.odds_ratio(0.95).shape == "none"
    assert math.isnan(result.relative_estimate)


def test_a_difference_of_spread_is_cautioned():
    rng = np.random.default_rng(1)
    with pytest.warns(AccuracyWarning, match="use brunner_munzel_test"):
        mann_whitney_test(rng.normal(size=900), 5 * rng.normal(size=60))


def test_few_overlapping_units_of_a_small_variant_are_cautioned():
    with pytest.warns(AccuracyWarning, match="use permutation_test"):
        mann_whitney_test(np.arange(200), np.arange(198, 204))


def test_a_shift_of_many_units_is_not_cautioned():
    rng = np.random.default_rng(2)
    mann_whitney_test(rng.lognormal(0, 2, 300), rng.lognormal(0.7, 2, 400))


REFUSED = [
    (([], [1.0]), {}, ValueError, "`control` must have at least 1 unit; got 0."),
    (([1.0], []), {}, ValueError, "`treatment` must have at least 1 unit; got 0."),
    (([1.0, math.nan], [1.0]), {}, ValueError, "`control` must be finite; got 1 of 2 values"),
    (([1.0], [[1.0]]), {}, ValueError, "`treatment` must have 1 dimension(s); got 2."),
    ((Moments(2, 0.0, 1.0), [1.0]), {}, TypeError, "`control` must hold numbers"),
    (([1, 2], [3, 4]), {"null": 0.5}, ValueError, "`null` must be between -0.5 and 0.5; got 0.5."),
    (([1, 2], [3, 4]), {"null": relative(0.1)}, ValueError, "`null` must be a number; a probability of superiority"),
    (([1, 2], [3, 4]), {"alternative": "more"}, ValueError, "`alternative` must be one of"),
]


@pytest.mark.parametrize(("arms", "options", "error", "message"), REFUSED)
def test_what_cannot_be_tested_is_refused(arms, options, error, message):
    with pytest.raises(error, match=re.escape(message)):
        mann_whitney_test(*arms, **options)
