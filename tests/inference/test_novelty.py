"""The trend of the effect by days since exposure."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from abkit import CoMoments, novelty_test


def rows(seed, n, trend):
    rng = np.random.default_rng(seed)
    level = rng.normal(20, 5, (n, 1))  # a unit's days are correlated
    return level + trend * np.arange(7) + rng.normal(0, 1, (n, 7))


def test_it_is_scipys_welch_test_of_numpys_slopes():
    control, treatment = rows(1, 60, 0.0), rows(2, 45, -0.2)
    slopes = [np.polyfit(np.arange(7), data.T, 1)[0] for data in (control, treatment)]
    expected = stats.ttest_ind(slopes[1], slopes[0], equal_var=False)
    result = novelty_test(control, treatment)
    assert result.estimate == pytest.approx(slopes[1].mean() - slopes[0].mean(), rel=1e-9)
    assert result.statistic == pytest.approx(expected.statistic, rel=1e-9)
    assert result.pvalue == pytest.approx(expected.pvalue, rel=1e-9)


def test_a_weekday_pattern_that_both_share_and_a_constant_effect_are_no_trend():
    weekday = np.array([0, 0, 0, 0, 0, 30.0, 30.0])
    control, treatment = rows(3, 200, 0.0), rows(4, 200, 0.0)
    plain = novelty_test(control, treatment)
    moved = novelty_test(control + weekday, treatment + weekday + 5)
    assert moved.estimate == pytest.approx(plain.estimate, abs=1e-10)
    assert moved.pvalue == pytest.approx(plain.pvalue, rel=1e-8)


def test_statistics_merge():
    days = [f"day {i}" for i in range(7)]
    control, treatment = rows(5, 40, 0.0), rows(6, 40, 0.1)
    halves = CoMoments.from_sample(control[:13], days) + CoMoments.from_sample(control[13:], days)
    assert novelty_test(halves, treatment).pvalue == pytest.approx(novelty_test(control, treatment).pvalue, rel=1e-10)


def test_days_must_agree():
    with pytest.raises(ValueError, match="`treatment` must have 7 days as the control; got 5"):
        novelty_test(rows(1, 9, 0), rows(1, 9, 0)[:, :5])
    with pytest.raises(ValueError, match="at least 2 days"):
        novelty_test(rows(1, 9, 0)[:, :1], rows(1, 9, 0)[:, :1])
