"""quantile_test: exact probabilities, histograms, clusters, ties and the far tails."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.special import ndtri

import abkit as ab
from abkit import Histogram, quantile_test
from abkit.errors import AccuracyWarning
from abkit.inference import quantile_effect
from tests.golden.read import cases

pytestmark = pytest.mark.filterwarnings("ignore::abkit.errors.AccuracyWarning")


def fraction(text):
    top, _, bottom = text.partition("/")
    return float(top) / float(bottom or 1)


def known(value, n=4000):
    """A variant whose quantile is known: so many equal values that nothing of it lies elsewhere."""
    return [value] * n


@pytest.mark.parametrize("case", cases("quantile", "pairs"))
def test_probabilities_of_a_difference_are_those_of_rational_arithmetic(case):
    result = quantile_test(case["control"], case["treatment"], q=fraction(case["q"]))
    for null, expected in case["nulls"].items():
        got = [result.with_null(fraction(null), side).pvalue for side in ("greater", "less")]
        assert got == pytest.approx([float(p) for p in expected], rel=1e-11)
    for share, expected in case["shares"].items():
        got = [result.with_null(ab.relative(fraction(share)), side).pvalue for side in ("greater", "less")]
        assert got == pytest.approx([float(p) for p in expected], rel=1e-11)


@pytest.mark.parametrize("case", cases("quantile", "tails"))
def test_against_a_known_control_the_pvalue_is_a_binomial_tail(case):
    n, q = case["n"], fraction(case["q"])
    result = quantile_test(known(0.0), np.arange(1.0, n + 1), q=q)
    for rank, at_most, at_least in zip(case["ranks"], case["at_most"], case["at_least"], strict=True):
        assert result.with_null(rank, "greater").pvalue == pytest.approx(float(at_most), rel=1e-9)
        assert result.with_null(rank, "less").pvalue == pytest.approx(float(at_least), rel=1e-9)


@pytest.mark.parametrize("case", cases("quantile", "ends"))
def test_at_the_level_that_it_attains_scipys_interval_is_the_same(case):
    result = quantile_test(known(0.0), np.arange(1.0, case["n"] + 1), q=case["q"])
    for end, side in ((case["low"], "greater"), (case["high"], "less")):
        p = result.with_null(end, side).pvalue
        assert p <= 0.025
        attained = result.with_null(0.0, side).interval(1 - p)
        assert (attained.low if side == "greater" else attained.high) == pytest.approx(end, abs=1e-6)
    # ours is between the order statistics, so it is inside, by less than one of them
    low, high = result.interval(0.95)
    assert case["low"] <= low < case["low"] + 1
    assert case["high"] - 1 < high <= case["high"]


@pytest.mark.parametrize("case", cases("quantile", "estimates"))
def test_the_estimate_is_the_median_unbiased_quantile(case):
    result = quantile_test(known(0.0), case["values"], q=case["q"])
    assert result.estimate == pytest.approx(case["quantile"], rel=1e-14, abs=1e-14)
    assert Histogram.from_sample(case["values"], 1e-8).quantile(case["q"]) == pytest.approx(
        case["quantile"], rel=2e-8, abs=1e-6
    )


@pytest.mark.parametrize("case", cases("quantreg"), ids=lambda case: f"q={case['q']:g}")
def test_quantile_regression_is_not_far(case):
    # its standard errors come from densities, and its estimates are order statistics: near, and no nearer
    control, treatment = (
        np.exp(ndtri((np.arange(400) + 0.5) / 400)),
        1.25 * np.exp(ndtri((np.arange(300) + 0.63) / 300)),
    )
    result = quantile_test(control, treatment, q=case["q"])
    assert result.estimate == pytest.approx(case["estimate"], abs=0.1 * case["stderr"])
    assert result.stderr == pytest.approx(case["stderr"], rel=0.1)
    assert result.pvalue == pytest.approx(case["pvalue"], rel=0.5)


SAMPLES = st.integers(0, 10**6).map(lambda seed: np.random.default_rng(seed).lognormal(2, 2, 30 + seed % 50).tolist())


@given(SAMPLES, SAMPLES, st.sampled_from([0.5, 0.8]), st.sampled_from([1e-4, 0.001, 0.02]))
def test_a_histogram_answers_as_the_sample_within_its_accuracy(control, treatment, q, accuracy):
    of_sample = quantile_test(control, treatment, q=q)
    of_histogram = quantile_test(*(Histogram.from_sample(x, accuracy) for x in (control, treatment)), q=q)
    a, largest = accuracy * (1 + 1e-6), max(*control, *treatment)
    assert abs(of_histogram.estimate - of_sample.estimate) <= a * (of_sample.control + of_sample.treatment)
    assert np.abs(np.array(list(of_histogram.interval())) - list(of_sample.interval())) == pytest.approx(
        0, abs=2 * a * largest
    )
    low, high = of_histogram.relative(0.9)
    low_, high_ = of_sample.relative(0.9)
    assert (1 + low_) * (1 - a) / (1 + a) - 1e-9 <= 1 + low <= (1 + low_) * (1 + a) / (1 - a) + 1e-9
    assert (1 + high_) * (1 - a) / (1 + a) - 1e-9 <= 1 + high <= (1 + high_) * (1 + a) / (1 - a) + 1e-9


def test_a_histogram_of_many_values_in_parts_is_one_answer():
    rng = np.random.default_rng(3)
    control, treatment = rng.lognormal(4, 1, 50_000), rng.lognormal(4.05, 1, 50_000)
    parts = [Histogram.from_sample(control[:7000]), Histogram.from_sample(control[7000:])]
    a = quantile_test(parts[0] + parts[1], Histogram.from_sample(treatment), q=0.99)
    b = quantile_test(control, treatment, q=0.99)
    assert a.pvalue == pytest.approx(b.pvalue, rel=0.1)
    effect = quantile_effect(Histogram.from_sample(control), Histogram.from_sample(treatment), 0.99)
    assert (effect.estimate, effect.pvalue(0.0, "two-sided")) == (a.estimate, a.pvalue)


def test_design_effects_stand_for_as_many_fewer_values():
    rng = np.random.default_rng(4)
    control, treatment = rng.normal(10, 1, 4000), rng.normal(10.05, 1, 4000)
    plain = quantile_test(control, treatment)
    clustered = quantile_test(control, treatment, design_effects=(4.0, 4.0))
    assert clustered.estimate == plain.estimate
    assert clustered.stderr == pytest.approx(2 * plain.stderr, rel=0.1)
    effect = quantile_effect(*(Histogram.from_sample(x, 1e-7) for x in (control, treatment)), 0.5, 4.0, 4.0)
    assert effect.pvalue(0.0, "less") == pytest.approx(clustered.with_null(0.0, "less").pvalue, rel=1e-3)


def test_rows_repeated_within_units_are_worth_the_units():
    rng = np.random.default_rng(5)
    control, treatment = rng.normal(size=500), rng.normal(0.1, 1, 500)
    repeated = [np.repeat(x, 10) for x in (control, treatment)]
    units = np.repeat(np.arange(500), 10)
    a, b = quantile_test(control, treatment), quantile_test(*repeated, clusters=(units, units.astype(str)))
    assert b.stderr == pytest.approx(a.stderr, rel=0.05)
    assert b.pvalue == pytest.approx(a.pvalue, rel=0.1)
    assert b.pvalue > 10 * quantile_test(*repeated).pvalue


def test_units_of_one_row_are_independent_rows():
    rng = np.random.default_rng(6)
    control, treatment = rng.normal(size=300), rng.normal(size=200)
    plain = quantile_test(control, treatment, q=0.9)
    units = quantile_test(control, treatment, q=0.9, clusters=(np.arange(300), np.arange(200)))
    assert units.pvalue == pytest.approx(plain.pvalue, rel=1e-9)


def test_the_design_effect_of_rows_is_that_of_a_ratio_of_sums():
    # 3 units with 2, 1 and 3 rows, of which 2, 0 and 1 are at most the lower median, 2
    values, units = [1.0, 2.0, 5.0, 2.0, 6.0, 7.0], ["a", "a", "b", "c", "c", "c"]
    share, n, residuals = 3 / 6, 6, [2 - 1, 0 - 0.5, 1 - 1.5]
    most = 3 / 2 * sum(r * r for r in residuals) / n**2 / (share * (1 - share) / (n - 1))
    share, residuals = 1 / 6, [1 - 2 / 6, 0 - 1 / 6, 0 - 3 / 6]  # below it
    below = 3 / 2 * sum(r * r for r in residuals) / n**2 / (share * (1 - share) / (n - 1))
    deff = max(most, below)
    expected = quantile_test(values, values, design_effects=(deff, deff), null=-0.5)
    got = quantile_test(values, values, clusters=(units, units), null=-0.5)
    assert got.pvalue == pytest.approx(expected.pvalue, rel=1e-12)


def test_equal_values_in_both_variants_are_no_evidence():
    result = quantile_test(known(5.0, 50), known(5.0, 60))
    assert (result.pvalue, result.estimate, list(result.interval())) == (1.0, 0.0, [0.0, 0.0])
    assert list(result.relative()) == [0.0, 0.0]


def test_different_constants_are_as_much_evidence_as_their_numbers():
    result = quantile_test(known(5.0, 20), known(6.0, 20))
    # the treatment's median is at most the control's only beyond the data, above one or below the other
    assert result.with_null(0.0, "greater").pvalue == pytest.approx(1 - (1 - 2.0**-20) ** 2, rel=1e-9)
    assert list(result.interval()) == [1.0, 1.0]


def test_a_quantile_among_zeros_is_not_told_from_another():
    rng = np.random.default_rng(7)
    control, treatment = (np.where(rng.random(2000) < 0.7, 0.0, rng.lognormal(0, 2, 2000)) for _ in "ab")
    assert quantile_test(control, treatment).pvalue == 1.0
    assert quantile_test(control, treatment).relative().shape == "whole-line"


def test_a_control_of_zero_is_infinitely_exceeded():
    result = quantile_test(known(0.0), known(3.0))
    assert result.relative().shape == "half-lines"  # no share of zero is three
    assert not result.relative().contains(1e9)
    assert math.isnan(result.relative_estimate)


def test_margins_in_decimals_fall_on_the_values_themselves():
    prices = np.round(np.random.default_rng(8).normal(100, 3, 1000)) / 10
    assert quantile_test(prices, prices + 1, null=1.0).pvalue == 1.0
    assert quantile_test(prices, np.round(prices * 1.1, 10), null=ab.relative(0.1)).pvalue > 0.9


def test_too_few_values_beyond_the_quantile_leave_an_end_open():
    rng = np.random.default_rng(9)
    with pytest.warns(AccuracyWarning, match=re.escape("`q` = 0.99 leaves only 2.0 independent values")):
        result = quantile_test(rng.normal(size=200), rng.normal(size=200), q=0.99)
    assert result.interval().high == math.inf
    assert result.to_dict()["interval"]["high"] is None
    assert result.caution


def test_few_independent_values_of_clusters_are_warned_of():
    rng = np.random.default_rng(12)
    values, units = np.repeat(rng.normal(size=(2, 80)), 5, axis=1), np.repeat(np.arange(80), 5)
    with pytest.warns(AccuracyWarning, match="fewer than 10: the test may reject too often"):
        quantile_test(*values, q=0.9, clusters=(units, units))


@pytest.mark.filterwarnings("error::abkit.errors.AccuracyWarning")
def test_enough_values_are_not_warned_of():
    quantile_test(np.arange(600.0), np.arange(600.0), q=0.99)


def test_far_tails_keep_their_digits():
    shifted = quantile_test(np.arange(3000.0), np.arange(3000.0) + 500)
    wider = quantile_test(np.arange(30_000.0), np.arange(30_000.0) + 4000)
    assert 0 < shifted.pvalue < 1e-30
    assert 0 < wider.pvalue < 1e-200
    nothing = quantile_test(np.arange(1e5), np.arange(1e5) + 1e5)
    assert (nothing.pvalue, math.isfinite(nothing.statistic)) == (0.0, True)


def test_a_large_histogram_takes_its_count_not_its_rows():
    rng = np.random.default_rng(10)
    parts = [Histogram.from_sample(rng.lognormal(3, 1, 20_000)) for _ in "ab"]
    control, treatment = (Histogram(h.accuracy, h.keys, h.counts * 5000) for h in parts)
    result = quantile_test(control, treatment, q=0.99)
    assert (control.n, result.with_null(result.interval().low).pvalue >= 0.05 - 1e-9) == (10**8, True)


def test_an_offset_does_not_hurt():
    rng = np.random.default_rng(11)
    control, treatment = np.round(rng.normal(size=(2, 400)), 3)
    near, far = quantile_test(control, treatment), quantile_test(control + 2.0**30, treatment + 2.0**30)
    assert far.pvalue == pytest.approx(near.pvalue, rel=1e-3)


@given(SAMPLES, st.floats(0.2, 0.8), st.floats(0.01, 3.0))
def test_a_rising_transformation_keeps_the_pvalue_at_order_statistics(values, q, power):
    assume(len(set(values)) == len(values))
    transformed = [x**power for x in values]
    assume(len(set(transformed)) == len(values))
    x, y = (quantile_test(known(0.0), sample, q=q) for sample in (values, transformed))
    for i in (0, len(values) // 2, -1):
        rank = sorted(values)[i], sorted(transformed)[i]
        assert y.with_null(rank[1], "less").pvalue == pytest.approx(x.with_null(rank[0], "less").pvalue, rel=1e-9)


H = Histogram.from_sample([1.0, 2.0, 3.0])
REFUSED = [
    (([1.0], [1.0, 2.0]), {}, ValueError, "`control` must have at least 2 values; got 1."),
    ((H, Histogram.from_sample([1.0])), {}, ValueError, "`treatment` must have at least 2 values; got 1."),
    (([1.0, math.inf], [1.0, 2.0]), {}, ValueError, "`control` must be finite"),
    (([1.0, 1e301], [1.0, 2.0]), {}, ValueError, "`control` must be at most 1e+300 in size; got 1e+301."),
    ((H, H), {"q": 1.0}, ValueError, "`q` must be between 0 and 1; got 1."),
    ((H, H), {"q": math.nan}, ValueError, "`q` must be between 0 and 1; got nan."),
    (
        (H, H),
        {"clusters": ([1], [1])},
        ValueError,
        "`clusters` must be given with events, and `control` is a histogram",
    ),
    ((H, H), {"design_effects": 2.0}, TypeError, "`design_effects` must be a pair, of control and of treatment"),
    ((H, H), {"design_effects": (2.0, 0.0)}, ValueError, "`design_effects` must be greater than 0; got 0."),
    (
        ([1, 2], [1, 2]),
        {"clusters": ([1], [1, 2])},
        ValueError,
        "`clusters` must hold one label a row, 2; got shape (1,)",
    ),
    (([1, 2], [1, 2]), {"clusters": ([1, 1], [1, 2])}, ValueError, "`clusters` must be at least 2 units in `control`"),
    (
        ([1, 2], [1, 2]),
        {"clusters": ([1, 2], [1, 2]), "design_effects": (1, 1)},
        ValueError,
        "`clusters` must not be given together with `design_effects`.",
    ),
    ((H, ab.Moments(3, 1.0, 1.0)), {}, TypeError, "`treatment` must hold numbers"),
]


@pytest.mark.parametrize(("variants", "keywords", "error", "message"), REFUSED)
def test_what_cannot_be_done_is_refused_by_name(variants, keywords, error, message):
    with pytest.raises(error, match=re.escape(message)):
        quantile_test(*variants, **keywords)


@pytest.mark.parametrize("unit", [2.0**530, 2.0**-1040])
def test_values_at_the_ends_of_the_range_have_the_answers_of_their_multiples(unit):
    control, treatment = np.arange(9.0), 1 + 2 * np.arange(9.0)
    near, far = quantile_test(control, treatment), quantile_test(control * unit, treatment * unit)
    assert far.pvalue == near.pvalue
    assert [end / unit for end in far.interval(0.9)] == pytest.approx(list(near.interval(0.9)), abs=1e-9)


def test_a_share_at_which_the_pvalue_steps_is_in_the_set_that_ends_there():
    control, treatment = [0, 0, 0, 1, 1, 2, 2, 2], [1, 1, 2, 2, 3, 3, 3, 3]
    result = quantile_test(control, treatment, alternative="greater", null=ab.relative(-0.5))
    assert result.pvalue > 0.01
    assert result.relative(0.99).contains(-0.5)
