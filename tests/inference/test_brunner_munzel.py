"""The Brunner-Munzel test against SciPy and statsmodels."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from abkit import AccuracyWarning, brunner_munzel_test, relative
from tests.golden.read import cases

quiet = pytest.mark.filterwarnings("ignore::abkit.errors.AccuracyWarning")
CASES = [case for case in cases("superiority") if "studentised" in case]


@quiet
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_test_is_that_of_scipy_and_the_interval_that_of_statsmodels(case):
    expected = case["studentised"]
    result = brunner_munzel_test(case["control"], case["treatment"])
    assert result.treatment == pytest.approx(float(case["superiority"]), rel=1e-14)
    assert abs(result.statistic) == pytest.approx(abs(expected["statistic"]), rel=1e-12)
    assert result.df == pytest.approx(expected["df"], rel=1e-12)
    assert result.with_null(0.1).pvalue == pytest.approx(expected["at_0.6"], rel=1e-10)
    ends = [min(end, 1.0) - 0.5 for end in (expected["low"], expected["high"])]
    assert list(result.interval(0.95)) == pytest.approx(ends, rel=1e-11)
    for alternative, pvalue in expected["pvalues"].items():
        assert result.with_null(0.0, alternative).pvalue == pytest.approx(pvalue, rel=1e-10)


@quiet
def test_the_published_example():
    case = CASES[0]  # the example of the R package lawstat: p-value = 0.005786, interval 0.5952169 0.9827052
    result = brunner_munzel_test(case["control"], case["treatment"])
    assert result.pvalue == pytest.approx(0.005786, abs=5e-7)
    assert [0.5 + end for end in result.interval(0.95)] == pytest.approx([0.5952169, 0.9827052], abs=5e-8)


@quiet
@pytest.mark.parametrize(
    ("control", "treatment"), [([1, 2, 3], [4, 5, 6]), ([1, 1], [1, 1, 1]), ([5, 5, 5], [1, 2, 5 - 1])]
)
def test_where_the_variants_do_not_overlap_the_variance_is_unknown(control, treatment):
    result = brunner_munzel_test(control, treatment)
    assert result.reason.startswith("the variance is zero: no value of one variant lies between values of the other")
    assert result.interval(0.95).shape == "whole-line"
    assert result.to_dict()["statistic"] is None


@quiet
def test_the_interval_stays_within_what_a_probability_can_be():
    result = brunner_munzel_test([1, 2, 3, 4, 6], [5, 7, 8, 9])
    assert result.interval(0.99).high == 0.5
    assert result.with_null(0.4999).pvalue > 0.01


def test_few_units_are_cautioned_and_many_are_not():
    rng = np.random.default_rng(3)
    with pytest.warns(AccuracyWarning, match="use mann_whitney_test"):
        brunner_munzel_test(rng.normal(size=8), rng.normal(size=200))
    with pytest.warns(AccuracyWarning, match="use mann_whitney_test"):
        brunner_munzel_test(np.r_[np.zeros(990), np.ones(10)], np.r_[np.zeros(100), 1.0])
    brunner_munzel_test(rng.normal(size=80), 9 * rng.normal(size=200))


REFUSED = [
    (([1.0], [1.0, 2.0]), {}, ValueError, "`control` must have at least 2 units; got 1."),
    (([1.0, 2.0], [math.inf, 2.0]), {}, ValueError, "`treatment` must be finite; got 1 of 2 values"),
    (([1, 2], [2, 3]), {"null": -0.5}, ValueError, "`null` must be between -0.5 and 0.5; got -0.5."),
    (([1, 2], [2, 3]), {"null": relative(0.1)}, ValueError, "`null` must be a number; a probability of superiority"),
]


@pytest.mark.parametrize(("arms", "options", "error", "message"), REFUSED)
def test_what_cannot_be_tested_is_refused(arms, options, error, message):
    with pytest.raises(error, match=re.escape(message)):
        brunner_munzel_test(*arms, **options)
