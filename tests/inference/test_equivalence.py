"""Equivalence against statsmodels, and what ties its p-value to its intervals."""

from __future__ import annotations

import json
import math
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import abkit as ab
from abkit import Counts, Moments, equivalence_test, proportion_test, relative, student_test, welch_test
from tests.golden.read import cases

TESTS = {"welch": welch_test, "student": student_test}
SAMPLES = st.lists(st.integers(-40, 40).map(lambda i: i / 8), min_size=2, max_size=12)
EIGHTHS = st.integers(1, 40).map(lambda i: i / 8)
LEVELS = st.sampled_from([0.01, 0.05, 0.2, 0.4])

pytestmark = pytest.mark.filterwarnings("ignore::abkit.errors.AccuracyWarning")


@pytest.mark.parametrize("case", cases("equivalence"))
def test_means_are_those_of_statsmodels(case):
    margin = (case["low"], case["high"])
    result = equivalence_test(case["control"], case["treatment"], margin=margin, test=TESTS[case["test"]])
    assert result.pvalue == pytest.approx(case["pvalue"], rel=1e-9)
    assert [result.lower.statistic, result.lower.pvalue] == pytest.approx(case["lower"], rel=1e-9, abs=1e-12)
    assert [result.upper.statistic, result.upper.pvalue] == pytest.approx(case["upper"], rel=1e-9, abs=1e-12)
    assert result.df == pytest.approx(case["df"], rel=1e-12)


@pytest.mark.parametrize("case", cases("equivalence", "counts"))
def test_proportions_are_those_of_statsmodels(case):
    margin = (case["low"], case["high"])
    counts = Counts(*case["control"]), Counts(*case["treatment"])
    result = equivalence_test(*counts, margin=margin, test=proportion_test, method="wald")
    assert result.lower.pvalue == pytest.approx(case["lower"], rel=1e-9, abs=1e-15)
    assert result.upper.pvalue == pytest.approx(case["upper"], rel=1e-9, abs=1e-15)
    assert result.pvalue == max(result.lower.pvalue, result.upper.pvalue)


@given(SAMPLES, SAMPLES, EIGHTHS, EIGHTHS, LEVELS)
def test_equivalence_is_shown_exactly_when_the_interval_lies_within_the_margins(control, treatment, low, high, alpha):
    result = equivalence_test(control, treatment, margin=(-low, high))
    assume(result.reason is None and abs(result.pvalue - alpha) > 1e-9)
    region = result.interval(1 - 2 * alpha)
    assert (result.pvalue < alpha) == (-low < region.low and region.high < high) == result.within(alpha)


@given(SAMPLES, SAMPLES, EIGHTHS, LEVELS)
def test_relative_margins_agree_with_the_relative_set(control, treatment, share, alpha):
    result = equivalence_test(control, treatment, margin=relative(share))
    assume(result.reason is None and abs(result.pvalue - alpha) > 1e-9)
    assert (result.pvalue < alpha) == result.within(alpha)


@given(SAMPLES, SAMPLES, EIGHTHS)
def test_swapping_the_variants_mirrors_the_margins(control, treatment, high):
    a = equivalence_test(control, treatment, margin=(-1.0, high))
    b = equivalence_test(treatment, control, margin=(-high, 1.0))
    assume(a.reason is None)
    assert b.pvalue == pytest.approx(a.pvalue, rel=1e-12)
    assert list(b.interval()) == pytest.approx([-end for end in a.interval()][::-1])


@given(SAMPLES, SAMPLES, EIGHTHS, EIGHTHS)
def test_wider_margins_never_make_equivalence_harder_to_show(control, treatment, margin, more):
    narrow, wide = (equivalence_test(control, treatment, margin=m) for m in (margin, margin + more))
    assume(narrow.reason is None)
    assert wide.pvalue <= narrow.pvalue


def test_the_sets_have_two_sides_and_the_rest_is_of_the_worse_side():
    control, treatment = Moments(400, 10.0, 399.0), Moments(400, 10.1, 399.0)
    result = equivalence_test(control, treatment, margin=0.2)
    plain = welch_test(control, treatment)
    assert list(result.interval(0.9)) == list(plain.interval(0.9))
    assert list(result.relative(0.9)) == list(plain.relative(0.9))
    assert (result.alternative, result.null, result.method) == ("less", 0.2, "equivalence, welch")
    assert result.with_null(0.0, "two-sided") == ab.evidence.run_test(
        "equivalence, welch", result.effect, "two-sided", 0.0
    )


def test_any_test_with_a_null_serves():
    control, treatment = Moments(400, 10.0, 399.0), Moments(400, 10.1, 399.0)
    assert equivalence_test(control, treatment, margin=0.5, test=ab.z_test).within(0.05)
    wald = equivalence_test(Counts(900, 90), Counts(900, 93), margin=0.05, test=proportion_test, method="wald")
    assert wald.method == "equivalence, wald"


def test_constant_data_show_nothing():
    result = equivalence_test([1, 1, 1], [1, 1, 1], margin=0.5)
    assert math.isnan(result.pvalue)
    assert result.reason
    assert result.interval().shape == result.relative().shape == "whole-line"
    assert not result.within(0.05)


@pytest.mark.parametrize("margin", [0.5, relative(0.1)])
@pytest.mark.parametrize("control", [[1.0, 2.0, 4.0], [1.0, 1.0]])
def test_the_result_leaves_the_process_as_strict_json(control, margin):
    made = json.loads(json.dumps(equivalence_test(control, control, margin=margin).to_dict(), allow_nan=False))
    assert set(made["lower"]) == {"null", "statistic", "pvalue"}
    assert made["interval"]["shape"] in ("bounded", "whole-line")


REFUSED = [
    ({"margin": 0}, ValueError, "`margin` must have no effect, 0, inside it; got 0 to 0."),
    ({"margin": -0.1}, ValueError, "`margin` must have no effect, 0, inside it; got 0.1 to -0.1."),
    ({"margin": (0.1, 0.2)}, ValueError, "`margin` must have no effect, 0, inside it; got 0.1 to 0.2."),
    ({"margin": (-0.1, relative(0.2))}, ValueError, "`margin` must have both ends absolute or both relative"),
    ({"margin": (-1, 0.5, 1)}, ValueError, "`margin` must be one value or a pair; got 3 values."),
    ({"margin": math.inf}, ValueError, "`margin` must be finite; got inf."),
    ({"margin": "0.1"}, TypeError, "`margin` must be a number; got '0.1'."),
    ({"margin": 1, "alternative": "less"}, ValueError, "`alternative` must be left out: the margin sets it"),
    ({"margin": 1, "null": 0.5}, ValueError, "`null` must be left out: the margin sets it; got 0.5."),
    ({"margin": 1, "test": "welch"}, TypeError, "`test` must be a test of this package, such as welch_test; got"),
    ({"margin": 1, "test": lambda c, t: 0.5}, TypeError, "`test` must return a TestResult; got 0.5."),
]


@pytest.mark.parametrize(("keywords", "error", "message"), REFUSED)
def test_what_cannot_be_tested_is_refused(keywords, error, message):
    with pytest.raises(error, match=re.escape(message)):
        equivalence_test([1.0, 2.0, 3.0], [1.0, 2.0, 4.0], **keywords)


def test_a_margin_outside_what_the_test_allows_is_refused_by_the_test():
    with pytest.raises(ValueError, match="`null` must be between -1 and 1"):
        equivalence_test(Counts(10, 5), Counts(10, 5), margin=1.5, test=proportion_test)


@pytest.mark.parametrize("level", [0.5, 0.0, 1.0])
def test_an_alpha_without_an_interval_is_refused(level):
    with pytest.raises(ValueError, match=re.escape("`alpha` must be between 0 and 0.5")):
        equivalence_test([1.0, 2.0, 3.0], [1.0, 2.0, 4.0], margin=1).within(level)
