"""Paired and one-sample t-tests against R."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abkit import AccuracyWarning, CoMoments, Moments, one_sample_test, paired_test, relative
from tests.golden.read import cases

quiet = pytest.mark.filterwarnings("ignore::abkit.errors.AccuracyWarning")
EIGHTHS = st.integers(-400, 400).map(lambda i: i / 8)
PAIRS = st.lists(st.tuples(EIGHTHS, EIGHTHS), min_size=2, max_size=12)


def assert_answers(result, case, rel=1e-10):
    for name in ("estimate", "stderr", "df", "statistic", "pvalue"):
        assert getattr(result, name) == pytest.approx(case[name], rel=rel)
    low = -math.inf if case["low"] is None else case["low"]
    high = math.inf if case["high"] is None else case["high"]
    assert list(result.interval(case["level"])) == pytest.approx([low, high], rel=rel)


@quiet
@pytest.mark.parametrize("case", cases("one_mean", "paired"))
def test_pairs_are_those_of_r(case):
    question = {"alternative": case["alternative"], "null": case["null"]}
    assert_answers(paired_test(case["control"], case["treatment"], **question), case)
    moments = CoMoments.from_sample(np.column_stack([case["control"], case["treatment"]]), ["before", "after"])
    assert_answers(paired_test(moments, **question), case, rel=1e-9 if abs(case["control"][0]) < 100 else 1e-7)


@quiet
@pytest.mark.parametrize("case", cases("one_mean", "single"))
def test_one_sample_is_that_of_r(case):
    question = {"alternative": case["alternative"], "null": case["null"]}
    assert_answers(one_sample_test(case["treatment"], **question), case)
    assert_answers(one_sample_test(Moments.from_sample(case["treatment"]), **question), case)


@quiet
@pytest.mark.parametrize("case", cases("one_mean", "shares"))
def test_a_share_is_tested_by_the_contrast_of_the_pairs(case):
    result = paired_test(case["control"], case["treatment"], null=relative(case["share"]))
    assert result.statistic == pytest.approx(case["statistic"], rel=1e-9)
    assert result.pvalue == pytest.approx(case["pvalue"], rel=1e-9)


@quiet
@given(PAIRS)
def test_co_moments_answer_as_the_pairs_do(pairs):
    control, treatment = zip(*pairs, strict=True)
    of_pairs = paired_test(control, treatment)
    half = len(pairs) // 2
    names = ["control", "treatment"]
    first = CoMoments.from_sample(pairs[:half], names) if half else None
    rest = CoMoments.from_sample(pairs[half:], names)
    of_moments = paired_test(first + rest if first else rest)
    assert (of_moments.reason is None) == (of_pairs.reason is None)
    if of_pairs.reason is None:
        assert of_moments.pvalue == pytest.approx(of_pairs.pvalue, rel=1e-6)
        relative_sets = [result.relative(0.9) for result in (of_pairs, of_moments)]
        assert relative_sets[0].shape == relative_sets[1].shape


def test_the_difference_of_nearly_equal_columns_keeps_its_digits():
    rng = np.random.default_rng(5)
    control = 1e9 * (1 + rng.random(1000))
    step = rng.integers(-40, 60, 1000) / 64
    result = paired_test(control, control + step)
    assert result.estimate == pytest.approx(float(np.mean((control + step) - control)), rel=1e-12)
    plain = one_sample_test((control + step) - control)
    assert (result.statistic, result.pvalue) == pytest.approx((plain.statistic, plain.pvalue), rel=1e-12)
    assert result.with_null(relative(0.0)).statistic == pytest.approx(plain.statistic, rel=1e-12)


@pytest.mark.parametrize("data", [([1, 2, 3], [3, 4, 5]), ([0.1, 0.2, 0.3], [0.1, 0.2, 0.3])])
def test_equal_differences_are_no_evidence(data):
    for result in (paired_test(*data), paired_test(CoMoments.from_sample(np.column_stack(data), ["a", "b"]))):
        assert result.reason.startswith("the variance is zero: every pair has the same difference")
        assert math.isnan(result.pvalue)
        assert result.relative(0.95).shape == "whole-line"


def test_one_mean_is_measured_from_zero_and_is_a_share_of_nothing():
    result = one_sample_test([1, 2, 3, 2, 2], null=1)
    assert (result.scale, result.control, result.treatment, result.estimate) == ("mean", 0, 2, 2)
    assert result.relative(0.95).reason == "a mean has no relative form"
    assert math.isnan(result.relative_estimate)
    assert result.interval(1 - result.pvalue).low == pytest.approx(1)


def test_one_constant_is_no_evidence():
    result = one_sample_test([7, 7, 7])
    assert result.reason.startswith("the variance is zero: every unit has the same value")
    assert result.to_dict()["pvalue"] is None


def test_a_skewed_mean_is_cautioned():
    rng = np.random.default_rng(6)
    skewed = rng.lognormal(0, 2, 100)
    with pytest.warns(AccuracyWarning, match="the mean is skewed"):
        one_sample_test(skewed)
    with pytest.warns(AccuracyWarning, match="signed_rank_test"):
        paired_test(np.zeros(100), skewed)
    one_sample_test(rng.normal(size=200))


REFUSED = [
    (paired_test, ([1, 2, 3], [1, 2]), {}, ValueError, "`treatment` must have as many values as `control`, 3; got 2."),
    (paired_test, ([1], [2]), {}, ValueError, "`control` must have at least 2 pairs; got 1."),
    (paired_test, ([1, 2],), {}, ValueError, "`treatment` must be given unless `control` is CoMoments."),
    (paired_test, (CoMoments.from_sample([[1, 2]], ["a", "b"]),), {}, ValueError, "at least 2 pairs; got 1."),
    (paired_test, (CoMoments.from_sample([[1], [2]], ["a"]),), {}, ValueError, "of two variables; got ('a',)."),
    (
        paired_test,
        (CoMoments.from_sample([[1, 2], [2, 2]], ["a", "b"]), [1, 2]),
        {},
        ValueError,
        "`treatment` must be left out where `control` is CoMoments",
    ),
    (one_sample_test, ([1],), {}, ValueError, "`treatment` must have at least 2 units; got 1."),
    (one_sample_test, (Moments([2], [0.0], [1.0]),), {}, ValueError, "`treatment` must describe one group"),
    (one_sample_test, ([1, 2],), {"null": relative(0.1)}, ValueError, "`null` must be a number; a mean is not"),
    (one_sample_test, ([1, math.inf],), {}, ValueError, "must be finite"),
    (one_sample_test, ([1, 2],), {"assignment": "adaptive"}, ValueError, "use ab.bandits.arm_value"),
]


@pytest.mark.parametrize(("function", "data", "options", "error", "message"), REFUSED)
def test_what_cannot_be_tested_is_refused(function, data, options, error, message):
    with pytest.raises(error, match=re.escape(message)):
        function(*data, **options)
