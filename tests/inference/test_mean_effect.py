"""The effect on a mean: its interval, and the shapes of its relative set."""

from __future__ import annotations

import math

import mpmath as mp
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from abkit import HalfLines, Interval, WholeLine, relative
from abkit._sets import set_to_dict, tail_of
from abkit._tails import critical, pvalue
from abkit.evidence import run_test
from abkit.inference._mean_effect import MeanEffect, satterthwaite

mp.mp.dps = 50
TWO = 2 * 0.9772498680518208 - 1  # the level whose critical value is 2: 0.9544997361036416
MEANS = st.integers(-40, 40).map(lambda i: i / 8)
VARIANCES = st.sampled_from([0.0, 0.01, 0.25, 1.0, 4.0])
ALTERNATIVES = st.sampled_from(["two-sided", "greater", "less"])
LEVELS = st.sampled_from([0.05, 0.3, 0.5, 0.8, 0.9, 0.95, 0.99, 0.9999])
RHO = st.integers(-48, 48).map(lambda i: i / 16)


@st.composite
def effects(draw):
    var_c, var_t = draw(VARIANCES), draw(VARIANCES)
    covariance = draw(st.sampled_from([0.0, -0.9, 0.5])) * math.sqrt(var_c * var_t)
    effect = MeanEffect(draw(MEANS), draw(MEANS), var_c, var_t, covariance, draw(st.sampled_from([1.0, 7.5, math.inf])))
    assume(effect.stderr > 0)
    return effect


def exact_statistic(effect, rho):
    """(T - C - rho |C|) / its standard error, to 50 digits."""
    c, t, var_c, var_t, covariance = map(
        mp.mpf, (effect.control, effect.treatment, effect.var_control, effect.var_treatment, effect.covariance)
    )
    weight = 1 + mp.mpf(rho) * (-1 if c < 0 else 1)
    return (t - weight * c) / mp.sqrt(var_t + weight**2 * var_c - 2 * weight * covariance)


def exact_fieller(effect, level):
    """The two roots of (D - rho |C|)^2 = z^2 Var(D - rho |C|), to 50 digits, for a normal reference."""
    z = mp.mpf(critical((1 - level) / 2, math.inf))
    c, t, var_c, var_t = map(mp.mpf, (effect.control, effect.treatment, effect.var_control, effect.var_treatment))
    a, b, d = c * c - z * z * var_c, (t - c) * c + z * z * var_c, (t - c) ** 2 - z * z * (var_c + var_t)
    root = mp.sqrt(b * b - a * d)
    return float((b - root) / a), float((b + root) / a)


# Fieller by hand. The critical value is 2, so R = 1 + rho solves (C^2 - 4 var_C) R^2 - 2 C T R + T^2 - 4 var_T = 0.


def test_a_baseline_away_from_zero_has_a_bounded_set():
    # 21 R^2 - 100 R + 84 = 0
    region = MeanEffect(5.0, 10.0, 1.0, 4.0, 0.0, math.inf).relative(TWO, "two-sided", None)
    root = math.sqrt(2944)
    assert isinstance(region, Interval)
    assert list(region) == pytest.approx([(100 - root) / 42 - 1, (100 + root) / 42 - 1], rel=1e-14)


def test_a_baseline_near_zero_with_a_clear_difference_has_two_half_lines():
    # -3 R^2 - 20 R + 84 = 0
    region = MeanEffect(1.0, 10.0, 1.0, 4.0, 0.0, math.inf).relative(TWO, "two-sided", None)
    root = math.sqrt(1408)
    assert isinstance(region, HalfLines)
    assert (region.below, region.above) == pytest.approx(((-20 - root) / 6 - 1, (-20 + root) / 6 - 1), rel=1e-14)
    assert region.contains(region.below)
    assert region.contains(region.above)
    assert region.contains(1e9)
    assert region.contains(-1e9)
    assert not region.contains(0)


def test_a_baseline_near_zero_without_a_difference_has_the_whole_line():
    # -3 R^2 - 2 R - 15 = 0 has no root
    region = MeanEffect(1.0, 1.0, 1.0, 4.0, 0.0, math.inf).relative(TWO, "two-sided", None)
    assert region == WholeLine(TWO)
    assert region.contains(-1e9)
    assert list(region) == [-math.inf, math.inf]


def test_a_baseline_below_zero_turns_the_share_around():
    # -5 to -10 is a change of -100%, down: the set of the case above, mirrored
    up = MeanEffect(5.0, 10.0, 1.0, 4.0, 0.0, math.inf).relative(TWO, "two-sided", None)
    down = MeanEffect(-5.0, -10.0, 1.0, 4.0, 0.0, math.inf).relative(TWO, "two-sided", None)
    assert list(down) == pytest.approx([-up.high, -up.low], rel=1e-15)
    assert down.contains(-1.0)


def test_covariance_narrows_the_set_when_both_means_move_together():
    apart = MeanEffect(5.0, 6.0, 0.1, 0.1, 0.0, math.inf).relative(0.95, "two-sided", None)
    together = MeanEffect(5.0, 6.0, 0.1, 0.1, 0.09, math.inf).relative(0.95, "two-sided", None)
    assert apart.low < together.low < 0.2 < together.high < apart.high


@given(effects(), LEVELS, ALTERNATIVES, RHO)
def test_the_relative_set_holds_exactly_the_shares_that_are_not_rejected(effect, level, alternative, rho):
    weight = 1 + rho * (-1 if effect.control < 0 else 1)
    assume(effect.var_treatment + weight**2 * effect.var_control - 2 * weight * effect.covariance > 0)
    p = pvalue(float(exact_statistic(effect, rho)), effect.df, alternative)
    assume(abs(p - (1 - level)) > 1e-9)
    assert effect.relative(level, alternative, None).contains(rho) == (p >= 1 - level)


@given(effects(), RHO)
def test_the_relative_statistic_is_that_of_the_contrast(effect, rho):
    weight = 1 + rho * (-1 if effect.control < 0 else 1)
    variance = effect.var_treatment + weight**2 * effect.var_control - 2 * weight * effect.covariance
    assume(variance > 1e-9)
    assert effect.statistic(relative(rho)) == pytest.approx(float(exact_statistic(effect, rho)), rel=1e-9, abs=1e-9)


@given(effects())
def test_absolute_and_relative_agree_at_zero(effect):
    assert effect.statistic(relative(0.0)) == pytest.approx(effect.statistic(0.0), rel=1e-12)


@given(effects(), LEVELS, st.sampled_from(["greater", "less"]))
def test_a_one_sided_set_has_the_end_of_the_two_sided_set_at_twice_the_error(effect, level, alternative):
    assume(level > 0.5)
    one = effect.relative(level, alternative, None)
    two = effect.relative(1 - 2 * tail_of(level, alternative), "two-sided", None)
    if isinstance(two, Interval):
        expected = (two.low, math.inf) if alternative == "greater" else (-math.inf, two.high)
        assert tuple(one) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@given(effects(), LEVELS)
def test_the_absolute_interval_is_estimate_and_margin(effect, level):
    margin = critical((1 - level) / 2, effect.df) * effect.stderr
    assert list(effect.interval(level, "two-sided")) == [effect.estimate - margin, effect.estimate + margin]


@pytest.mark.parametrize("control", [0.0, -0.0])
@pytest.mark.parametrize("alternative", ["two-sided", "greater"])
def test_a_control_that_is_zero_without_variance_rejects_every_share_of_it(control, alternative):
    # All units of the control are 0 and the treatment's are not: no share of zero explains the difference.
    result = run_test("welch", MeanEffect(control, 2.5, 0.0, 0.4, 0.0, 30.0), alternative, relative(0.5))
    assert result.pvalue < 0.001
    assert not result.relative(0.95).contains(0.5)


def test_a_control_that_is_zero_without_variance_does_not_reject_where_there_is_no_difference():
    result = run_test("welch", MeanEffect(0.0, 0.3, 0.0, 0.4, 0.0, 30.0), "two-sided", relative(0.5))
    assert result.pvalue > 0.5
    assert result.relative(0.95) == WholeLine(0.95)


@pytest.mark.parametrize(
    ("effect", "level"),
    [
        (MeanEffect(1.0, 2.0, 1e-14, 1e-14, 0.0, math.inf), 0.95),  # a difference of 1e7 standard errors
        (MeanEffect(3.0, 2.0, 4e-12, 1e-12, 0.0, math.inf), 0.9),
        (MeanEffect(1e9, 1e9 + 1, 1e-6, 2e-6, 0.0, math.inf), 0.95),  # at an offset
        (MeanEffect(1e-3, 5.0, 1e-14, 1.0, 0.0, math.inf), 0.99),
    ],
)
def test_a_precise_effect_has_an_exact_relative_interval(effect, level):
    low, high = exact_fieller(effect, level)
    region = effect.relative(level, "two-sided", None)
    assert region.high - region.low == pytest.approx(high - low, rel=1e-6)
    assert [region.low, region.high] == pytest.approx([low, high], rel=1e-13)


def test_delta_worked_by_hand():
    # C = 2, T = 3, variances 0.04 and 0.09: Var(T/C) = (0.09 + 2.25 * 0.04) / 4 = 0.045; the critical value is 2
    effect = MeanEffect(2.0, 3.0, 0.04, 0.09, 0.0, math.inf)
    margin = 2 * math.sqrt(0.045)
    assert list(effect.relative(TWO, "two-sided", "delta")) == pytest.approx([0.5 - margin, 0.5 + margin], rel=1e-14)


def test_log_worked_by_hand():
    # Var(log T/C) = 0.09/9 + 0.04/4 = 0.02
    effect = MeanEffect(2.0, 3.0, 0.04, 0.09, 0.0, math.inf)
    factor = math.exp(2 * math.sqrt(0.02))
    assert list(effect.relative(TWO, "two-sided", "log")) == pytest.approx(
        [1.5 / factor - 1, 1.5 * factor - 1], rel=1e-13
    )


@pytest.mark.parametrize("method", ["delta", "log"])
def test_delta_and_log_turn_around_below_zero(method):
    up = MeanEffect(2.0, 3.0, 0.04, 0.09, 0.0, math.inf).relative(0.95, "two-sided", method)
    down = MeanEffect(-2.0, -3.0, 0.04, 0.09, 0.0, math.inf).relative(0.95, "two-sided", method)
    assert list(down) == pytest.approx([-up.high, -up.low], rel=1e-14)


@pytest.mark.parametrize("method", ["fieller", "delta", "log"])
def test_the_three_methods_meet_where_the_baseline_is_precise(method):
    effect = MeanEffect(100.0, 101.0, 1e-4, 1e-4, 0.0, math.inf)
    fieller = effect.relative(0.95, "two-sided", None)
    assert list(effect.relative(0.95, "two-sided", method)) == pytest.approx(list(fieller), rel=1e-3)


@pytest.mark.parametrize("method", ["fieller", "delta", "log"])
@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("alternative", ["greater", "less"])
def test_a_one_sided_bound_moves_away_as_the_level_grows(method, sign, alternative):
    effect = MeanEffect(sign * 2.0, sign * 3.0, 0.01, 0.01, 0.0, 20.0)
    regions = [effect.relative(level, alternative, method) for level in (0.1, 0.4, 0.6, 0.9, 0.99)]
    bounds = [region.low if alternative == "greater" else -region.high for region in regions]
    assert bounds == sorted(bounds, reverse=True)
    assert len(set(bounds)) == len(bounds)


@pytest.mark.parametrize(("control", "treatment"), [(1.0, -0.5), (-1.0, 2.0), (0.0, 1.0), (1.0, 0.0)])
def test_log_refuses_means_of_different_signs(control, treatment):
    with pytest.raises(ValueError, match="`method` 'log' needs two means of the same sign"):
        MeanEffect(control, treatment, 0.1, 0.1, 0.0, 10.0).relative(0.95, "two-sided", "log")


def test_log_of_a_mean_that_is_almost_zero_is_an_interval_without_an_upper_end():
    region = MeanEffect(2.5, 1e-6, 0.4, 0.17, 0.0, 5.0).relative(0.95, "two-sided", "log")
    assert list(region) == pytest.approx([-1.0, math.inf])


def test_delta_of_a_control_of_zero_is_the_whole_line():
    assert MeanEffect(0.0, 1.0, 0.1, 0.1, 0.0, 10.0).relative(0.95, "two-sided", "delta") == WholeLine(0.95)


def test_sets_as_json():
    assert set_to_dict(Interval(-math.inf, 0.5, 0.9)) == {"shape": "bounded", "low": None, "high": 0.5, "level": 0.9}
    assert set_to_dict(HalfLines(-1.0, 0.5, 0.9)) == {"shape": "half-lines", "below": -1.0, "above": 0.5, "level": 0.9}
    assert set_to_dict(WholeLine(0.9)) == {"shape": "whole-line", "low": None, "high": None, "level": 0.9}


def test_satterthwaite_by_hand():
    # (1 + 1)^2 / (1/4 + 1/9) = 144/13; the unit of the variances is irrelevant, down to the smallest floats
    assert satterthwaite(1.0, 5, 1.0, 10) == pytest.approx(144 / 13, rel=1e-15)
    assert satterthwaite(1e-300, 5, 1e-300, 10) == pytest.approx(144 / 13, rel=1e-15)
    assert satterthwaite(1e300, 5, 1e300, 10) == pytest.approx(144 / 13, rel=1e-15)
    assert satterthwaite(0.0, 5, 3.0, 10) == 9
    assert satterthwaite(0.0, 5, 0.0, 10) == math.inf


@pytest.mark.parametrize("unit", [2.0**-495, 2.0**495])
@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
@pytest.mark.parametrize("means", [(4.0, 5.0), (-4.0, 1.0), (0.5, 5.0), (0.5, 0.75), (0.0, 3.0)])
def test_the_relative_set_has_no_unit_at_the_ends_of_the_range(unit, alternative, means):
    # products of two variances left the range: whole lines beside p = 0.002, and ends that were nan
    near = MeanEffect(*means, 0.75, 0.5, 0.25, 9.0)
    far = MeanEffect(means[0] * unit, means[1] * unit, 0.75 * unit**2, 0.5 * unit**2, 0.25 * unit**2, 9.0)
    for level in (0.2, 0.9, 0.99):
        assert far.relative(level, alternative, None) == near.relative(level, alternative, None)


def test_log_of_a_mean_near_zero_at_a_one_sided_level_below_one_half():
    effect = MeanEffect(1e-4, 1.0, 1.0, 1.0, 0.0, math.inf)
    assert effect.relative(0.1, "less", "log") == Interval(-math.inf, -1.0, 0.1)
