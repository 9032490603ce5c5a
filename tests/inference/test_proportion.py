"""The score test of two proportions against R, 40-digit arithmetic and published intervals."""

from __future__ import annotations

import math
import re

import mpmath as mp
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from abkit import Counts, proportion_test, relative
from tests.golden.read import cases
from tests.golden.score import difference_statistic

ALTERNATIVES = ["two-sided", "greater", "less"]


def counts(pair):
    successes, n = pair
    return Counts(n, successes)


@pytest.mark.parametrize("case", cases("prop_test"))
def test_at_a_null_of_zero_the_test_is_that_of_r_without_continuity_correction(case):
    result = proportion_test(counts(case["control"]), counts(case["treatment"]), alternative=case["alternative"])
    assert result.statistic**2 == pytest.approx(case["chi_square"], rel=1e-12)
    assert result.pvalue == pytest.approx(case["pvalue"], rel=1e-12)
    z = 1.959963984540054
    wald = [result.estimate - z * result.stderr, result.estimate + z * result.stderr]
    assert wald == pytest.approx([case["wald_low"], case["wald_high"]], rel=1e-12)


@pytest.mark.parametrize("case", cases("score"))
def test_the_difference_is_that_of_farrington_and_mannings_closed_form(case):
    result = proportion_test(counts(case["control"]), counts(case["treatment"]))
    for null, expected in case["difference"].items():
        assert result.with_null(float(null)).statistic == pytest.approx(float(expected), rel=1e-12, abs=1e-12)
    ends = [float(case["difference_low"]), float(case["difference_high"])]
    assert list(result.interval(0.95)) == pytest.approx(ends, rel=1e-12)


@pytest.mark.parametrize("case", cases("score"))
def test_the_ratio_is_that_of_koopmans_likelihood(case):
    result = proportion_test(counts(case["control"]), counts(case["treatment"]))
    for ratio, expected in case["ratio"].items():
        statistic = result.with_null(relative(float(ratio) - 1)).statistic
        assert statistic == pytest.approx(float(expected), rel=1e-12, abs=1e-12)
    ends = [float(case["ratio_low"]) - 1, float(case["ratio_high"]) - 1]
    assert list(result.relative(0.95)) == pytest.approx(ends, rel=1e-12)


THOUSANDTHS = st.integers(-300, 300).map(lambda i: i / 1000)


@given(st.integers(1, 3000), st.integers(1, 3000), st.floats(0, 1), st.floats(0, 1), THOUSANDTHS)
def test_any_null_gives_the_statistic_of_the_closed_form(n_control, n_treatment, share_control, share_treatment, null):
    c, t = round(share_control * n_control), round(share_treatment * n_treatment)
    assume(0 < c < n_control and 0 < t < n_treatment)
    expected = float(difference_statistic(c, n_control, t, n_treatment, mp.mpf(null)))
    statistic = proportion_test(Counts(n_control, c), Counts(n_treatment, t), null=null).statistic
    assert statistic == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(st.integers(1, 10**7), st.integers(1, 10**7), st.integers(0, 99), st.integers(0, 99), THOUSANDTHS)
def test_counting_failures_instead_mirrors_the_answer_at_any_rate(n_control, n_treatment, c, t, null):
    c, t = min(c, n_control), min(t, n_treatment)  # rates close to 0, and so close to 1 on the other side
    rare = proportion_test(Counts(n_control, c), Counts(n_treatment, t), null=null)
    common = proportion_test(Counts(n_control, n_control - c), Counts(n_treatment, n_treatment - t), null=-null)
    assert common.statistic == pytest.approx(-rare.statistic, rel=1e-9, abs=1e-9)


# Newcombe 1998, Statistics in Medicine 17, table II, method 5 (Mee)
@pytest.mark.parametrize(
    ("treatment", "control", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0533, 0.3377),
        ((9, 10), (3, 10), 0.1821, 0.8370),
        ((6, 7), (2, 7), 0.0544, 0.8478),
        ((5, 56), (0, 29), -0.0313, 0.1926),
    ],
)
def test_the_published_intervals_of_the_difference(treatment, control, low, high):
    result = proportion_test(counts(control), counts(treatment))
    assert list(result.interval(0.95)) == pytest.approx([low, high], abs=0.00005)


def test_the_published_interval_of_the_ratio():
    # R package PropCIs: riskscoreci(7, 34, 1, 34, 0.95) gives 1.220853 42.575718
    result = proportion_test(Counts(34, 1), Counts(34, 7))
    assert [1 + end for end in result.relative(0.95)] == pytest.approx([1.220853, 42.575718], abs=5e-7)


def test_samples_of_booleans_are_counted():
    result = proportion_test([True, False, False, False], np.array([1, 1, 0, 1]))
    assert result == proportion_test(Counts(4, 1), Counts(4, 3))


def test_results_are_plain_floats():
    result = proportion_test(Counts(10, 3), Counts(12, 5))
    numbers = [result.estimate, result.stderr, result.df, result.statistic, result.pvalue, *result.interval()]
    assert {type(value) for value in [*numbers, *result.relative()]} == {float}


@pytest.mark.parametrize("successes", [0, 20])
def test_the_same_certain_outcome_in_both_variants_is_no_evidence(successes):
    result = proportion_test(Counts(20, successes), Counts(20, successes))
    assert result.pvalue == 1
    assert result.stderr == 0
    low, high = result.interval(0.95)
    assert low < 0 < high
    assert low == pytest.approx(-high, rel=1e-12)


def test_no_successes_bound_the_difference_by_wilsons_interval_of_one_proportion():
    # without successes in either variant the restricted control is 0 where the null is positive:
    # null^2 = z^2 null (1 - null) / n_t, so that high = z^2 / (n_t + z^2)
    z2 = 1.959963984540054**2
    result = proportion_test(Counts(30, 0), Counts(50, 0))
    assert list(result.interval(0.95)) == pytest.approx([-z2 / (30 + z2), z2 / (50 + z2)], rel=1e-12)


def test_opposite_certain_outcomes_reach_the_edge():
    result = proportion_test(Counts(10, 0), Counts(10, 10))
    assert result.estimate == 1
    assert result.interval(0.95).high == 1
    assert result.interval(0.95).low == pytest.approx(0.6777, abs=0.00005)  # Newcombe 1998, as above, row (h)
    assert result.relative(0.95).high == math.inf


def test_a_control_without_successes_has_no_upper_bound_on_the_ratio():
    region = proportion_test(Counts(100, 0), Counts(100, 5)).relative(0.95)
    assert region.high == math.inf
    assert region.low > -1


def test_a_treatment_without_successes_has_a_ratio_of_at_least_zero():
    region = proportion_test(Counts(100, 5), Counts(100, 0)).relative(0.95)
    assert region.low == -1
    assert -1 < region.high < 0.2


def test_neither_variant_with_successes_says_nothing_about_the_ratio():
    region = proportion_test(Counts(100, 0), Counts(100, 0)).relative(0.95)
    assert list(region) == [-1, math.inf]


@pytest.mark.parametrize("successes", [0, 4])
@pytest.mark.parametrize("rho", [-1.0, -1.25, -3.0])
@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_a_margin_of_minus_one_and_below_agrees_with_the_set(successes, rho, alternative):
    result = proportion_test(Counts(20, 8), Counts(20, successes), alternative=alternative, null=relative(rho))
    assert result.relative(0.9).contains(rho) == (result.pvalue >= 0.1)


@given(st.integers(1, 10**9), st.integers(1, 10**9), st.floats(0, 1), st.floats(0, 1))
def test_large_counts_have_ordered_and_finite_answers(n_control, n_treatment, share_control, share_treatment):
    control = Counts(n_control, round(share_control * n_control))
    treatment = Counts(n_treatment, round(share_treatment * n_treatment))
    result = proportion_test(control, treatment)
    low, high = result.interval(0.95)
    assert -1 <= low <= result.estimate <= high <= 1
    assert 0 <= result.pvalue <= 1


@pytest.mark.parametrize("method", ["fieller", "delta", "log"])
def test_named_relative_methods_meet_the_score_set_in_large_samples(method):
    result = proportion_test(Counts(10**8, 10**7), Counts(10**8, 10_100_000))
    assert list(result.relative(0.95, method)) == pytest.approx(list(result.relative(0.95)), rel=1e-4)


REFUSED = [
    (([], [0, 1]), {}, ValueError, "`control` must have at least 1 unit; got 0."),
    ((Counts(5, 1), Counts(0, 0)), {}, ValueError, "`treatment` must have at least 1 unit; got 0."),
    (([0, 2], [0, 1]), {}, ValueError, "must be 0 or 1; got 2."),
    ((Counts([5], [1]), [0, 1]), {}, ValueError, "`control` must describe one group; got statistics of many."),
    (([0, 1], [0, 1]), {"null": 1.0}, ValueError, "`null` must be between -1 and 1; got 1."),
    (([0, 1], [0, 1]), {"null": -1}, ValueError, "`null` must be between -1 and 1; got -1."),
    (([0, 1], [0, 1]), {"null": math.nan}, ValueError, "`null` must be finite; got nan."),
    (([0, 1], [0, 1]), {"null": np.int64(5)}, ValueError, "`null` must be between -1 and 1; got 5."),
    (([0, 1], [0, 1]), {"null": "0"}, TypeError, "`null` must be a number; got '0'."),
    (([0, 1], [0, 1]), {"method": "exact"}, ValueError, "`method` must be one of 'score', 'miettinen-nurminen', 'newcombe', 'agresti-caffo', 'wald', 'logit'; got 'exact'."),
    (
        ([0, 1], [0, 1]),
        {"alternative": "larger"},
        ValueError,
        "`alternative` must be one of 'two-sided', 'greater', 'less'",
    ),
]


@pytest.mark.parametrize(("arms", "options", "error", "message"), REFUSED)
def test_what_cannot_be_tested_is_refused(arms, options, error, message):
    with pytest.raises(error, match=re.escape(message)):
        proportion_test(*arms, **options)


def test_another_null_is_checked_as_the_first_was():
    with pytest.raises(ValueError, match=re.escape("`null` must be between -1 and 1; got 3.")):
        proportion_test([0, 1, 1], [0, 1, 0]).with_null(3.0)
