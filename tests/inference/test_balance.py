"""Covariate balance, against Welch's test for one covariate and statsmodels for several."""

from __future__ import annotations

import math

import numpy as np
import pytest
from statsmodels.stats.multivariate import test_mvmean_2indep as hotelling

from abkit import CoMoments, balance_test, welch_test


def drawn(seed, n, k=3):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, k)) @ rng.normal(size=(k, k)) + rng.normal(size=k)


def names(rows):
    return [f"x{i}" for i in range(rows.shape[1])]


def balance(control, treatment):
    return balance_test(*(CoMoments.from_sample(rows, names(rows)) for rows in (control, treatment)))


def test_one_covariate_is_welchs_test():
    control, treatment = drawn(1, 30, 1), drawn(2, 80, 1) * 3
    result, welch = balance(control, treatment), welch_test(control[:, 0], treatment[:, 0])
    assert result.statistic == pytest.approx(welch.statistic**2, rel=1e-12)
    assert result.df == pytest.approx((1, welch.df), rel=1e-12)
    assert result.pvalue == pytest.approx(welch.pvalue, rel=1e-9)


def test_in_equal_groups_the_statistic_is_hotellings():
    control, treatment = drawn(3, 60), drawn(3, 120)[60:]
    ours, theirs = balance(control, treatment), hotelling(control, treatment)
    assert ours.statistic == pytest.approx(float(theirs.t2), rel=1e-10)
    assert ours.df[1] <= theirs.df[1]
    assert ours.pvalue == pytest.approx(float(theirs.pvalue), abs=0.01)


def test_units_and_repeated_covariates_do_not_matter():
    control, treatment = drawn(4, 50), drawn(5, 70)
    plain = balance(control, treatment)
    scaled = balance(control * [1e6, 1e-6, 1] + [1e9, 0, 0], treatment * [1e6, 1e-6, 1] + [1e9, 0, 0])
    repeated = balance(np.column_stack([control, control[:, 0]]), np.column_stack([treatment, treatment[:, 0]]))
    assert scaled.pvalue == pytest.approx(plain.pvalue, rel=1e-5)
    assert repeated.pvalue == pytest.approx(plain.pvalue, rel=1e-9)
    assert repeated.df == pytest.approx(plain.df, rel=1e-9)


def test_the_level_holds_in_small_unequal_groups():
    rng = np.random.default_rng(11)
    draw = lambda n, scale: rng.normal(size=(n, 3)) * scale  # noqa: E731
    rejected = np.mean([balance(draw(12, 1), draw(40, 3)).pvalue < 0.05 for _ in range(2000)])
    assert abs(rejected - 0.05) < 4 * math.sqrt(0.05 * 0.95 / 2000)


def test_constant_covariates_are_left_out_and_named_undefined():
    control, treatment = drawn(6, 20), drawn(7, 20)
    control[:, 1] = treatment[:, 1] = 4.0
    result = balance(control, treatment)
    assert math.isnan(result.differences[1])
    assert result.df[0] == 2
    assert result.to_dict()["differences"]["x1"] is None
    assert balance(np.ones((5, 2)), np.ones((5, 2))).reason == "no covariate varies"


@pytest.mark.parametrize(
    ("control", "treatment", "error", "message"),
    [
        ([1, 2], CoMoments.from_sample([[1.0], [2.0]], ["a"]), TypeError, "`control` must be one group's CoMoments"),
        (
            CoMoments.from_sample([[1.0], [2.0]], ["a"]),
            CoMoments.from_sample([[1.0], [2.0]], ["b"]),
            ValueError,
            "`treatment` must hold the covariates",
        ),
        (
            CoMoments.from_sample([[1.0, 2.0], [2.0, 1.0]], ["a", "b"]),
            CoMoments.from_sample([[1.0, 2.0], [2.0, 1.0]], ["a", "b"]),
            ValueError,
            "more units than covariates; got 2 and 2",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(control, treatment, error, message):
    with pytest.raises(error, match=message):
        balance_test(control, treatment)
