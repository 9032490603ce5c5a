"""Covariate adjustment against Lin's regression, and its variance against the rows."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from abkit import CoMoments, ratio_test, relative, welch_test
from abkit.evidence import run_test
from abkit.inference import linear_effect, mean_arm, ratio_arm, variance_kept
from tests.golden.read import cases

SEEDS = st.integers(0, 10**6)
FIELDS = ("control", "treatment", "var_control", "var_treatment", "covariance", "df")


def arm(rows):
    rows = np.asarray(rows, dtype=float)
    return mean_arm(CoMoments.from_sample(rows, [f"v{i}" for i in range(rows.shape[1])]))


def arm_of_ratio(rows):
    rows = np.asarray(rows, dtype=float)
    return ratio_arm(CoMoments.from_sample(rows, [f"v{i}" for i in range(rows.shape[1])]))


def data(seed, n_control=12, n_treatment=25, k=2):
    """An outcome that leans on k covariates, with other slopes in the treatment."""
    rng = np.random.default_rng(seed)
    x = rng.integers(-200, 400, (n_control + n_treatment, k)) / 64  # exact also at an offset of 1e9
    slopes = np.where(np.arange(n_control + n_treatment)[:, None] < n_control, 1.0, -0.5) * (1 + np.arange(k))
    y = 10 + (x * slopes).sum(axis=1) + rng.normal(0, 1, len(x))
    rows = np.column_stack([y, x])
    return rows[:n_control], rows[n_control:]


def numbers(effect):
    return [getattr(effect, field) for field in FIELDS]


def slopes_of_rows(rows):
    """Least squares on the rows themselves."""
    y, x = rows[:, 0], np.column_stack([np.ones(len(rows)), rows[:, 1:]])
    return np.linalg.lstsq(x, y, rcond=None)[0][1:]


def variance_of_a_prediction(rows, distance):
    """Variance of distance' slopes, by least squares on the rows themselves."""
    y, x = rows[:, 0] - rows[:, 0].mean(), rows[:, 1:] - rows[:, 1:].mean(axis=0)
    residuals = y - x @ slopes_of_rows(rows)
    mean_square = residuals @ residuals / (len(rows) - 1 - x.shape[1])
    return mean_square * distance @ np.linalg.inv(x.T @ x) @ distance


@pytest.mark.parametrize("case", cases("regression", "adjusted"))
def test_the_estimate_is_that_of_lins_regression(case):
    control, treatment = arm(case["control"]), arm(case["treatment"])
    assert control.regression().slopes == pytest.approx(case["slopes_control"], rel=1e-10)
    assert treatment.regression().slopes == pytest.approx(case["slopes_treatment"], rel=1e-10)
    assert linear_effect(control, treatment).estimate == pytest.approx(case["estimate"], rel=1e-11)


@given(SEEDS)
def test_the_variances_are_those_of_the_rows(seed):
    control, treatment = data(seed)
    n_c, n_t = len(control), len(treatment)
    share_c, share_t = n_c / (n_c + n_t), n_t / (n_c + n_t)
    theta = share_c * slopes_of_rows(treatment) + share_t * slopes_of_rows(control)
    scale_c, scale_t = (n_c - 1) / (n_c - 3), (n_t - 1) / (n_t - 3)
    distance = treatment[:, 1:].mean(axis=0) - control[:, 1:].mean(axis=0)
    moved = np.outer((share_t, -share_c), (share_t, -share_c))
    slopes_c = share_t**2 * variance_of_a_prediction(control, distance) * moved
    slopes_t = share_c**2 * variance_of_a_prediction(treatment, distance) * moved
    # control: mean_c(y - share_t theta x) + mean_t(share_t theta x); treatment likewise
    y_c, x_c, y_t, x_t = control[:, 0], control[:, 1:] @ theta, treatment[:, 0], treatment[:, 1:] @ theta
    from_c = np.cov(y_c - share_t * x_c, share_c * x_c) * scale_c / n_c + slopes_c
    from_t = np.cov(share_t * x_t, y_t - share_c * x_t) * scale_t / n_t + slopes_t
    expected = from_c + from_t
    effect = linear_effect(arm(control), arm(treatment))
    assert effect.var_control == pytest.approx(expected[0, 0], rel=1e-9)
    assert effect.var_treatment == pytest.approx(expected[1, 1], rel=1e-9)
    assert effect.covariance == pytest.approx(expected[0, 1], rel=1e-9, abs=1e-12)
    residuals = np.var(y_c - x_c, ddof=1) / n_c * scale_c + np.var(y_t - x_t, ddof=1) / n_t * scale_t
    slopes = slopes_c[0, 0] / share_t**2 + slopes_t[1, 1] / share_c**2
    assert effect.variance == pytest.approx(residuals + slopes, rel=1e-9)
    assert effect.control == pytest.approx(y_c.mean() + share_t * (x_t.mean() - x_c.mean()), rel=1e-12)


@given(SEEDS)
def test_without_covariates_the_effect_is_welchs(seed):
    control, treatment = data(seed, k=0)
    effect, welch = linear_effect(arm(control), arm(treatment)), welch_test(control[:, 0], treatment[:, 0])
    assert numbers(effect) == pytest.approx(numbers(welch.effect), rel=1e-13)


@given(SEEDS)
def test_without_covariates_the_effect_on_a_ratio_is_the_ratio_tests(seed):
    control, treatment = data(seed, k=1)
    effect = linear_effect(arm_of_ratio(control), arm_of_ratio(treatment))
    assert numbers(effect) == pytest.approx(numbers(ratio_test(control, treatment).effect), rel=1e-13)


@given(SEEDS)
def test_a_ratio_is_adjusted_through_its_linearised_units(seed):
    control, treatment = data(seed, k=2)  # numerator, denominator, one covariate
    control[:, 1], treatment[:, 1] = 5 + abs(control[:, 1]), 5 + abs(treatment[:, 1])
    linearised = []
    for rows in (control, treatment):
        ratio = rows[:, 0].sum() / rows[:, 1].sum()
        y = ratio + (rows[:, 0] - ratio * rows[:, 1]) / rows[:, 1].mean()
        linearised.append(np.column_stack([y, rows[:, 2]]))
    a = linear_effect(arm_of_ratio(control), arm_of_ratio(treatment))
    b = linear_effect(arm(linearised[0]), arm(linearised[1]))
    assert numbers(a) == pytest.approx(numbers(b), rel=1e-8, abs=1e-12)


@given(SEEDS)
def test_the_order_of_the_covariates_is_irrelevant(seed):
    control, treatment = data(seed)
    a = linear_effect(arm(control), arm(treatment))
    b = linear_effect(arm(control[:, [0, 2, 1]]), arm(treatment[:, [0, 2, 1]]))
    assert numbers(b) == pytest.approx(numbers(a), rel=1e-9, abs=1e-12)


@given(SEEDS, st.sampled_from([2.0**-20, 1.0, 2.0**20]), st.sampled_from([0.0, -50.0, 1e9]))
def test_the_unit_and_the_offset_of_a_covariate_are_irrelevant(seed, unit, offset):
    control, treatment = data(seed)
    a = linear_effect(arm(control), arm(treatment))
    moved = [np.column_stack([rows[:, :2], unit * (offset + rows[:, 2])]) for rows in (control, treatment)]
    b = linear_effect(arm(moved[0]), arm(moved[1]))
    assert numbers(b)[2:] == pytest.approx(numbers(a)[2:], rel=1e-7, abs=1e-9)
    # a covariate's mean near 1e9 has seven decimals, and so has the adjustment
    assert numbers(b)[:2] == pytest.approx(numbers(a)[:2], rel=1e-9, abs=1e-6 if offset == 1e9 else 0)


@given(SEEDS, st.sampled_from([1e-3, 1e3]))
def test_the_unit_of_the_outcome_is_irrelevant(seed, unit):
    control, treatment = data(seed)
    a = run_test("linear", linear_effect(arm(control), arm(treatment)), "two-sided", 0.0)
    scale = np.array([unit, 1.0, 1.0])
    b = run_test("linear", linear_effect(arm(control * scale), arm(treatment * scale)), "two-sided", 0.0)
    assert b.pvalue == pytest.approx(a.pvalue, rel=1e-9)
    assert b.estimate == pytest.approx(unit * a.estimate, rel=1e-9)
    assert list(b.relative()) == pytest.approx(list(a.relative()), rel=1e-9)


@given(SEEDS)
def test_swapping_the_variants_mirrors_the_effect(seed):
    control, treatment = data(seed)
    a = linear_effect(arm(control), arm(treatment))
    b = linear_effect(arm(treatment), arm(control))
    assert b.estimate == pytest.approx(-a.estimate, rel=1e-9, abs=1e-9)
    assert (b.control, b.treatment) == pytest.approx((a.treatment, a.control), rel=1e-12)
    assert (b.variance, b.df) == pytest.approx((a.variance, a.df), rel=1e-9)


@given(SEEDS)
def test_a_covariate_given_twice_changes_neither_estimate_nor_residuals(seed):
    control, treatment = data(seed, k=1)
    twice = [np.column_stack([rows, 3 - 2 * rows[:, 1]]) for rows in (control, treatment)]
    a, b = linear_effect(arm(control), arm(treatment)), linear_effect(arm(twice[0]), arm(twice[1]))
    assert b.estimate == pytest.approx(a.estimate, rel=1e-7)
    assert (b.variance, b.df) == pytest.approx((a.variance, a.df), rel=1e-7)


@given(SEEDS)
def test_a_constant_covariate_explains_nothing(seed):
    control, treatment = data(seed, k=0)
    constant = [np.column_stack([rows, np.full(len(rows), 7.0)]) for rows in (control, treatment)]
    plain, adjusted = linear_effect(arm(control), arm(treatment)), linear_effect(arm(constant[0]), arm(constant[1]))
    assert adjusted.estimate == pytest.approx(plain.estimate, rel=1e-12)


def test_one_covariate_with_equal_slopes_is_cuped_by_hand():
    # both variants have slope 2 and residuals 1, -2, 1: theta = 2, whatever the sizes
    control, treatment = [[1, 0], [0, 1], [5, 2]], [[14, 1], [13, 2], [18, 3]]
    effect = linear_effect(arm(control), arm(treatment))
    assert effect.estimate == pytest.approx((15 - 2) - 2 * (2 - 1), rel=1e-14)
    # residual sum of squares 6 in each variant, for 1 degree of freedom: 6/3 + 6/3; each slope has the variance 6/2,
    # and counts with a quarter of the squared distance 1: 3/4 + 3/4
    assert effect.variance == pytest.approx(4 + 1.5, rel=1e-13)
    assert effect.df == pytest.approx(2, rel=1e-12)


def test_a_covariate_that_explains_all_leaves_no_variance():
    x = np.arange(10.0)
    control, treatment = np.column_stack([2 * x + 1, x]), np.column_stack([2 * x + 4, x])
    effect = linear_effect(arm(control), arm(treatment))
    assert effect.estimate == pytest.approx(3, rel=1e-12)
    assert effect.stderr == pytest.approx(0, abs=1e-6)
    assert variance_kept(arm(control), arm(treatment)) == pytest.approx(0, abs=1e-12)


def test_the_share_of_variance_kept_is_that_of_the_rows():
    control, treatment = data(11, 200, 300)
    plain, adjusted = welch_test(control[:, 0], treatment[:, 0]).effect, linear_effect(arm(control), arm(treatment))
    assert variance_kept(arm(control), arm(treatment)) == pytest.approx(adjusted.variance / plain.variance, rel=1e-12)


def test_a_covariate_of_no_use_costs_almost_nothing():
    rng = np.random.default_rng(5)
    control, treatment = rng.normal(size=(2, 5000, 2))
    assert variance_kept(arm(control), arm(treatment)) == pytest.approx(1, abs=2e-3)


def test_an_outcome_without_variance_keeps_all_of_it():
    control, treatment = [[1, 2], [1, 3], [1, 5]], [[1, 2], [1, 4], [1, 9]]
    assert variance_kept(arm(control), arm(treatment)) == 1


@given(SEEDS, st.sampled_from([-0.2, 0.0, 0.1]))
def test_the_adjusted_relative_set_agrees_with_its_test(seed, rho):
    control, treatment = data(seed)
    result = run_test("linear", linear_effect(arm(control), arm(treatment)), "two-sided", relative(rho))
    assume(abs(result.pvalue - 0.1) > 1e-9)
    assert result.relative(0.9).contains(rho) == (result.pvalue >= 0.1)


@given(SEEDS)
def test_the_variance_of_an_adjusted_effect_is_never_negative_and_df_never_below_one(seed):
    control, treatment = data(seed, 4, 5)
    effect = linear_effect(arm(control), arm(treatment))
    assert effect.variance >= 0
    assert effect.df >= 1
    assert math.isfinite(effect.stderr)
