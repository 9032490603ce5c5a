"""The ratio test against clustered regression, and against Welch's test where the denominator is constant."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from abkit import CoMoments, ratio_test, relative, welch_test
from tests.golden.read import cases

UNITS = st.lists(st.tuples(st.integers(-20, 40), st.integers(1, 12)), min_size=2, max_size=9)


def units(rows_of_units):
    """Per unit the sum of its rows, and their number."""
    return [[sum(rows), len(rows)] for rows in rows_of_units]


@pytest.mark.parametrize("case", cases("regression", "clusters"))
def test_rows_as_the_denominator_give_the_clustered_regression(case):
    result = ratio_test(units(case["control"]), units(case["treatment"]))
    (mean_c, error_c), (mean_t, error_t) = case["control_fit"], case["treatment_fit"]
    n_c, n_t = len(case["control"]), len(case["treatment"])
    assert result.control == pytest.approx(mean_c, rel=1e-13)
    assert result.treatment == pytest.approx(mean_t, rel=1e-13)
    variance = error_c**2 * n_c / (n_c - 1) + error_t**2 * n_t / (n_t - 1)
    assert result.stderr**2 == pytest.approx(variance, rel=1e-12)


def test_the_delta_method_worked_by_hand():
    # control: (1, 1), (3, 1): ratio 2, residuals -1 and 1, variance 2 / (2 * 1^2) = 1
    # treatment: (2, 2), (8, 2), (5, 2): ratio 5/2, residuals -3, 3, 0, variance 9 / (3 * 2^2) = 3/4
    result = ratio_test([[1, 1], [3, 1]], [[2, 2], [8, 2], [5, 2]])
    assert (result.control, result.treatment, result.estimate) == (2.0, 2.5, 0.5)
    assert result.stderr == pytest.approx(math.sqrt(1.75), rel=1e-15)
    assert result.statistic == pytest.approx(0.5 / math.sqrt(1.75), rel=1e-15)
    assert result.df == pytest.approx(1.75**2 / (1 / 1 + 0.75**2 / 2), rel=1e-14)


@given(UNITS, UNITS)
def test_the_variance_is_that_of_the_linearised_units(control, treatment):
    def parts(pairs):
        y, d = np.array(pairs, dtype=float).T
        ratio = y.sum() / d.sum()
        return ratio, np.var(y - ratio * d, ddof=1) / (len(y) * d.mean() ** 2)

    (ratio_c, var_c), (ratio_t, var_t) = parts(control), parts(treatment)
    result = ratio_test(control, treatment)
    assert result.estimate == pytest.approx(ratio_t - ratio_c, rel=1e-12, abs=1e-12)
    assert result.stderr**2 == pytest.approx(var_c + var_t, rel=1e-9, abs=1e-15)


@given(UNITS, UNITS, st.sampled_from([1, 3, 0.5]))
def test_a_constant_denominator_gives_welchs_test(control, treatment, denominator):
    y_c, y_t = [y for y, _ in control], [y for y, _ in treatment]
    assume(len(set(y_c)) > 1)
    a = ratio_test([[y, denominator] for y in y_c], [[y, denominator] for y in y_t], null=0.5)
    b = welch_test([y / denominator for y in y_c], [y / denominator for y in y_t], null=0.5)
    assert a.estimate == pytest.approx(b.estimate, rel=1e-12, abs=1e-12)
    assert a.stderr == pytest.approx(b.stderr, rel=1e-9)
    assert a.df == pytest.approx(b.df, rel=1e-9)
    assert a.pvalue == pytest.approx(b.pvalue, rel=1e-9, abs=1e-15)


@given(UNITS, UNITS, st.sampled_from([0.25, 8.0]), st.sampled_from([0.5, 4.0]))
def test_the_units_of_measurement_are_irrelevant(control, treatment, numerator, denominator):
    a = ratio_test(control, treatment)
    assume(a.reason is None and a.stderr > 1e-6)
    scale = np.array([numerator, denominator])
    b = ratio_test(np.array(control) * scale, np.array(treatment) * scale)
    assert b.pvalue == pytest.approx(a.pvalue, rel=1e-9)
    assert b.estimate == pytest.approx(a.estimate * numerator / denominator, rel=1e-12, abs=1e-12)
    assert b.relative_estimate == pytest.approx(a.relative_estimate, rel=1e-9, abs=1e-12, nan_ok=True)


def test_a_negative_denominator_is_a_ratio_like_any_other():
    a = ratio_test([[1, 2], [3, 4], [5, 5]], [[2, 2], [3, 5], [9, 4]])
    b = ratio_test([[-1, -2], [-3, -4], [-5, -5]], [[-2, -2], [-3, -5], [-9, -4]])
    assert b.pvalue == pytest.approx(a.pvalue, rel=1e-14)


def test_a_ratio_that_is_the_same_for_every_unit_has_no_variance():
    result = ratio_test([[1, 2], [2, 4], [3, 6]], [[1, 2], [4, 8]])
    assert math.isnan(result.pvalue)
    assert result.reason is not None


def test_statistics_at_an_offset_of_1e9_keep_their_variance():
    a = np.array([[1.0, 3.0], [2.0, 1.0], [4.0, 2.0], [3.0, 5.0]])
    b = a + np.array([0.5, 0.0])
    result = ratio_test(a + 1e9, b + 1e9)
    assert result.control == pytest.approx((1e9 + 2.5) / (1e9 + 2.75), rel=1e-15)
    expected = np.var(a[:, 0] - a[:, 1] * result.control, ddof=1) / 4 / 1e18 * 2
    assert result.stderr**2 == pytest.approx(expected, rel=1e-6)


def test_a_margin_may_be_a_share_of_the_controls_ratio():
    control, treatment = [[1, 4], [0, 2], [2, 5], [1, 3]], [[2, 4], [1, 2], [2, 4], [2, 5]]
    share = ratio_test(control, treatment, alternative="greater", null=relative(-0.1))
    assert share.pvalue < ratio_test(control, treatment, alternative="greater").pvalue
    assert share.relative(1 - share.pvalue).low == pytest.approx(-0.1, abs=1e-9)


MANY = CoMoments([5, 5], np.ones((2, 2)), np.tile(np.eye(2), (2, 1, 1)), ("a", "b"))
PAIR = [[1.0, 2.0], [3.0, 4.0]]
REFUSED = [
    (([[1.0, 2.0]], PAIR), ValueError, "`control` must have at least 2 units; got 1."),
    (
        (PAIR, [[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]]),
        ValueError,
        "`treatment` must have two columns, numerator and denomin",
    ),
    (([1.0, 2.0], PAIR), ValueError, "`control` must have 2 dimension(s); got 1."),
    (([[1.0, -1.0], [2.0, 1.0]], PAIR), ValueError, "`control` must have a denominator whose mean is not zero."),
    (([[1.0, math.nan], [2.0, 1.0]], PAIR), ValueError, "`control` must be finite; got 1 of 4"),
    ((np.ones((2, 2), dtype=np.float32), PAIR), TypeError, "`control` must be 64-bit floating point; got float32"),
    (
        (CoMoments.from_sample([[1, 2, 3], [2, 3, 5]], "abc"), PAIR),
        ValueError,
        "one group's co-moments of two variables",
    ),
    ((MANY, PAIR), ValueError, "`control` must"),
]


@pytest.mark.parametrize(("arms", "error", "message"), REFUSED)
def test_what_cannot_be_tested_is_refused(arms, error, message):
    with pytest.raises(error, match=re.escape(message)):
        ratio_test(*arms)
