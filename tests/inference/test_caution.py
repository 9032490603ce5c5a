"""When tests of means warn, and that they do not where there is nothing to warn of."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtri

from abkit import AccuracyWarning, Moments, student_test, welch_test, z_test

RNG = np.random.default_rng(8)
SKEWED, LONG = (np.exp(2 * ndtri((np.arange(n) + 0.5) / n)) for n in (60, 1200))
NORMAL, WIDE = RNG.normal(5, 2, 100), RNG.normal(5, 2, 1900)


@pytest.mark.parametrize("test", [welch_test, student_test, z_test])
@pytest.mark.filterwarnings("error::abkit.errors.AccuracyWarning")
def test_a_small_skewed_variant_beside_a_large_one_is_warned_of_and_normal_data_are_not(test):
    with pytest.warns(AccuracyWarning, match="the estimate is skewed"):
        result = test(SKEWED, LONG)
    if test is not z_test:
        assert "permutation_test" in result.caution
    assert result.to_dict()["caution"] == result.with_null(1.0).caution == result.caution
    assert test(NORMAL, WIDE).caution is None


def test_few_units_and_a_constant_variant_are_warned_of():
    with pytest.warns(AccuracyWarning, match="a variant has 3 units only"):
        welch_test([1, 2, 3], [2, 3, 4, 5, 6])
    with pytest.warns(AccuracyWarning, match="all units of one variant have the same value"):
        welch_test([1, 1, 1, 1, 1, 1], [2, 3, 4, 5, 6, 7])
    with pytest.warns(AccuracyWarning, match="use welch_test"):
        z_test(NORMAL[:20], WIDE)


@pytest.mark.filterwarnings("error::abkit.errors.AccuracyWarning")
def test_statistics_do_not_show_skewness_and_equal_variants_cancel_it():
    assert welch_test(Moments.from_sample(SKEWED), Moments.from_sample(LONG)).caution is None
    assert welch_test(LONG, LONG + 0.1).caution is None


@pytest.mark.parametrize("scale", [1e-140, 1e140])
def test_extreme_scales_neither_overflow_nor_warn(scale):
    assert (welch_test(NORMAL * scale, WIDE * scale).caution is None) == (welch_test(NORMAL, WIDE).caution is None)
