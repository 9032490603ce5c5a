"""Defects found in other packages for experiments, each as a law that abkit keeps."""

from __future__ import annotations

import itertools
import math
from decimal import Decimal

import mpmath as mp
import numpy as np
import pytest

import abkit as ab
from abkit.inference import adjust, linear_effect, mean_arm, variance_kept


def moments(n, mean, variance):
    return ab.Moments(n, mean, variance * (n - 1))


# Numbers of narrower types were cut to whole numbers: 5.53 and 5.60 became 5 and 5, with a p-value of 1.


@pytest.mark.parametrize("narrow", [np.float32, np.float16, Decimal])
def test_a_mean_of_a_narrower_type_is_refused_and_never_cut(narrow):
    with pytest.raises(TypeError, match="`mean` must be"):
        ab.Moments(100, narrow("5.53"), 99.0)
    with pytest.raises(TypeError, match="`values` must"):
        ab.Moments.from_sample([narrow("5.53"), narrow("5.60")])


def test_means_that_differ_after_the_point_differ():
    result = ab.welch_test(moments(10_000, 5.53, 1.0), moments(10_000, 5.60, 1.0))
    assert result.estimate == pytest.approx(0.07, rel=1e-12)
    assert result.pvalue < 1e-5


# The relative interval came out with its ends reversed where the means differ in sign.


@pytest.mark.parametrize("method", [None, "fieller", "delta"])
@pytest.mark.parametrize("means", [(1.0, -0.5), (-1.0, 0.5), (-1.0, -1.5), (2.0, 1.0), (-2.0, -1.0)])
def test_relative_ends_stand_in_order_around_the_estimate(method, means):
    result = ab.welch_test(moments(400, means[0], 1.0), moments(400, means[1], 1.0))
    low, high = result.relative(0.95, method)
    assert low < result.relative_estimate < high


# A change from -1 to -1.5 was shown as +50%.


@pytest.mark.parametrize(
    ("control", "treatment", "change"), [(-1.0, -1.5, -0.5), (-1.0, -0.5, 0.5), (-1.0, 1.0, 2.0), (1.0, -0.5, -1.5)]
)
def test_a_relative_change_has_the_sign_of_the_change(control, treatment, change):
    result = ab.welch_test(moments(10_000, control, 1.0), moments(10_000, treatment, 1.0))
    assert result.relative_estimate == pytest.approx(change, rel=1e-14)
    assert result.relative(0.95).contains(change)
    assert not result.relative(0.95).contains(-change)
    assert math.copysign(1, result.relative_estimate) == math.copysign(1, result.estimate)


# Sums of squares lost the variance at an offset: 1e9 + {0, 1, 2, 3} had none.


def test_an_offset_of_1e9_changes_no_answer():
    control, treatment = np.array([0.0, 1.0, 2.0, 3.0]), np.array([2.0, 2.0, 4.0, 5.0])
    near, far = ab.welch_test(control, treatment), ab.welch_test(1e9 + control, 1e9 + treatment)
    assert (far.estimate, far.stderr, far.pvalue) == pytest.approx((near.estimate, near.stderr, near.pvalue), rel=1e-14)
    assert ab.Moments.from_sample(1e9 + control).variance == pytest.approx(5 / 3, rel=1e-15)


# p-values were one minus the distribution function: zero below 1e-16.


@pytest.mark.parametrize("z", [8.9, 20.0, 37.0])
def test_small_pvalues_keep_their_digits(z):
    result = ab.z_test(moments(100, 0.0, 50.0), moments(100, z, 50.0))
    assert result.statistic == pytest.approx(z, rel=1e-14)
    assert result.pvalue == pytest.approx(float(mp.erfc(mp.mpf(z) / mp.sqrt(2))), rel=1e-11)
    assert 0 < ab.srm_test([500_000, 518_000]).pvalue < 1e-60


# p = 0.0499 beside a relative interval of [-0.06, 2.61], and 0.020 beside a relative p-value of 0.062.


def test_the_relative_interval_excludes_zero_whenever_the_test_rejects_it():
    result = ab.welch_test(moments(100, 1.0, 9.0), moments(100, 1.837, 9.0))
    assert result.pvalue == pytest.approx(0.0499, abs=0.00005)
    assert not result.interval(0.95).contains(0)
    assert not result.relative(0.95).contains(0)
    assert result.with_null(ab.relative(0.0)).pvalue == result.pvalue


@pytest.mark.parametrize("mean", [1.8, 1.83, 1.836, 1.8363, 1.837, 1.84, 1.9, 3.0])
def test_absolute_and_relative_verdicts_turn_together(mean):
    result = ab.welch_test(moments(100, 1.0, 9.0), moments(100, mean, 9.0))
    verdicts = {result.pvalue < 0.05, not result.interval(0.95).contains(0), not result.relative(0.95).contains(0)}
    assert len(verdicts) == 1


# The absolute interval divided by the observed control mean covers 76% instead of 95% where the lift is +100%.


def test_the_relative_interval_covers_a_lift_of_100_percent():
    rng = np.random.default_rng(20260101)
    covered = 0
    for _ in range(1000):
        result = ab.welch_test(rng.normal(1, 2, 400), rng.normal(2, 2, 400))
        covered += result.relative(0.95).contains(1.0)
    assert 930 <= covered <= 968  # 950 -+ 2.6 standard errors of the simulation


# One mean size for both variances: 44% false positives at 200 against 5,000 units.


def test_unequal_sizes_keep_the_error_rate():
    rng = np.random.default_rng(20260102)
    rejected = {"absolute": 0, "relative": 0}
    for _ in range(1000):
        result = ab.welch_test(rng.normal(10, 3, 200), rng.normal(10, 3, 5000))
        rejected["absolute"] += result.pvalue < 0.05
        rejected["relative"] += not result.relative(0.95).contains(0)
    assert rejected["relative"] == rejected["absolute"]
    assert 30 <= rejected["absolute"] <= 70


def test_each_variance_is_divided_by_its_own_size():
    result = ab.welch_test(moments(200, 10.0, 9.0), moments(5000, 10.1, 4.0))
    assert result.stderr == pytest.approx(math.sqrt(9 / 200 + 4 / 5000), rel=1e-14)


# Degrees of freedom were cut to a whole number.


def test_degrees_of_freedom_are_not_rounded():
    assert ab.welch_test(moments(5, 1.0, 1.0), moments(9, 2.0, 3.0)).df == pytest.approx(512 / 43, rel=1e-14)


# The variance was divided by n where all values happened to be 0 and 1, and by n - 1 elsewhere.


def test_zeros_and_ones_are_numbers_like_any_other():
    control, treatment = [0, 1, 0, 0, 1, 0], [1, 1, 0, 1, 1]
    doubled = ab.welch_test([2 * x for x in control], [2 * x for x in treatment])
    assert ab.welch_test(control, treatment).pvalue == pytest.approx(doubled.pvalue, rel=1e-14)


# The sample-ratio check kept the degree of freedom of a variant without weight: 0.183 instead of 0.065.


def test_a_variant_without_weight_does_not_dilute_the_sample_ratio_check():
    assert ab.srm_test([471, 529, 0], [1, 1, 0]).pvalue == pytest.approx(0.0666, abs=0.0001)


# It skipped variants that had no units, though they had weight.


def test_a_variant_that_never_arrived_is_a_mismatch():
    assert ab.srm_test({"control": 500, "a": 500}, {"control": 1, "a": 1, "b": 1}).pvalue < 1e-100


# It ignored the configured shares and alarmed on every 95/5 split.


def test_a_split_as_configured_is_no_mismatch():
    assert ab.srm_test([9_510, 490], [95, 5]).pvalue > 0.5
    assert ab.srm_test([9_510, 490]).pvalue < 1e-100


# Hochberg's steps with Sidak's constants: a family-wise error of 0.0506 at 0.05 for two independent nulls.


def test_holm_keeps_the_family_wise_error_of_two_independent_nulls():
    grid = (np.arange(80) + 0.5) / 80
    rejected = sum(min(adjust(pair).pvalues) < 0.05 for pair in itertools.product(grid, repeat=2))
    assert rejected / len(grid) ** 2 == pytest.approx(1 - 0.975**2, abs=1e-12)  # 0.049375: both steps start at 0.025


def test_two_pvalues_just_below_alpha_are_both_kept():
    assert min(adjust([0.045, 0.049]).pvalues) > 0.05


# The slope of the covariate was its correlation: nothing was gained unless both had the same spread.


@pytest.mark.parametrize("unit", [1e-3, 1.0, 1e3])
def test_adjustment_gains_the_same_in_any_unit_of_the_covariate(unit):
    rng = np.random.default_rng(20260103)
    x = rng.normal(0, 1, (2, 4000))
    y = 10 * x + rng.normal(0, 5, (2, 4000))  # correlation^2 = 0.8
    control, treatment = (
        mean_arm(ab.CoMoments.from_sample(np.column_stack([y[i], unit * x[i]]), ["y", "x"])) for i in (0, 1)
    )
    assert variance_kept(control, treatment) == pytest.approx(0.2, abs=0.01)
    assert abs(linear_effect(control, treatment).estimate) < 4 * 5 * math.sqrt(2 / 4000)


# Missing uncertainty without a word.


def test_an_answer_that_is_missing_says_why():
    for result in (ab.welch_test([1.0, 1.0], [1.0, 1.0]), ab.ratio_test([[1, 2], [2, 4]], [[1, 2], [3, 6]])):
        assert math.isnan(result.pvalue)
        assert result.reason
        assert result.interval() == ab.WholeLine(0.95)
    assert ab.srm_test([0, 0]).reason


# nan passed as an error rate, because the check was the opposite of what is wrong.


@pytest.mark.parametrize("alpha", [math.nan, 0, 1, -0.05, math.inf])
def test_nan_is_no_error_rate_and_no_level(alpha):
    with pytest.raises(ValueError, match="`alpha` must be between 0 and 1"):
        ab.FixedHorizon(alpha=alpha)
    with pytest.raises(ValueError, match="`level` must be between 0 and 1"):
        ab.z_test([1.0, 2.0], [2.0, 4.0]).interval(alpha)
