"""Sample-ratio mismatch against R's chisq.test, and where the chi-square has no answer."""

from __future__ import annotations

import json
import math
import re

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abkit import srm_test
from tests.golden.read import cases

COUNTS = st.lists(st.tuples(st.integers(0, 10**7), st.integers(1, 20)), min_size=2, max_size=5).filter(
    lambda pairs: any(count for count, _ in pairs)
)


@pytest.mark.parametrize("case", cases("chisq_test"))
def test_the_statistic_and_pvalue_are_those_of_r(case):
    result = srm_test(case["counts"], case["weights"])
    assert result.expected == pytest.approx(case["expected"], rel=1e-14)
    assert result.df == case["df"]
    assert result.statistic == pytest.approx(case["statistic"], rel=1e-12)
    assert result.pvalue == pytest.approx(case["pvalue"], rel=1e-12)
    assert result.reason is None


def test_the_published_mismatch():
    # Fabijan et al. 2019, KDD: 821,588 against 815,482 users under a 50/50 split
    assert srm_test([821_588, 815_482]).pvalue == pytest.approx(1.8e-6, abs=0.05e-6)


@pytest.mark.parametrize("shift", [1_000, 10_000, 18_500])
def test_an_extreme_mismatch_keeps_its_digits(shift):
    result = srm_test([500_000 - shift, 500_000 + shift])
    expected = mp.erfc(mp.sqrt(mp.mpf(4 * shift * shift) / 1_000_000 / 2))  # one degree of freedom
    assert result.pvalue == pytest.approx(float(expected), rel=1e-11)
    assert result.pvalue > 0


@given(COUNTS, st.sampled_from([1e-6, 0.01, 1 / 3, 1000.0]))
def test_the_unit_of_the_weights_is_irrelevant(pairs, unit):
    counts, weights = zip(*pairs, strict=True)
    a, b = srm_test(counts, weights), srm_test(counts, [unit * weight for weight in weights])
    assert b.pvalue == pytest.approx(a.pvalue, rel=1e-6, abs=1e-300)
    assert b.statistic == pytest.approx(a.statistic, rel=1e-9, abs=1e-9)


@given(COUNTS)
def test_the_order_of_the_variants_is_irrelevant(pairs):
    counts, weights = zip(*pairs, strict=True)
    a, b = srm_test(counts, weights), srm_test(counts[::-1], weights[::-1])
    assert b.statistic == pytest.approx(a.statistic, rel=1e-12)
    assert b.expected == a.expected[::-1]


@given(COUNTS)
def test_a_mapping_answers_as_the_sequence_does(pairs):
    counts, weights = zip(*pairs, strict=True)
    by_name = srm_test(dict(enumerate(counts)), dict(enumerate(weights)))
    assert by_name == srm_test(counts, weights)


@given(COUNTS)
def test_expected_numbers_add_up_to_the_observed(pairs):
    result = srm_test(*zip(*pairs, strict=True))
    assert math.fsum(result.expected) == pytest.approx(sum(result.observed), rel=1e-14)


def test_a_mapping_follows_the_order_of_the_allocation():
    result = srm_test({"b": 30, "a": 70}, {"a": 3, "b": 1})
    assert result.observed == (70, 30)
    assert result.expected == (75.0, 25.0)


def test_the_allocation_is_equal_where_none_is_given():
    assert srm_test({"a": 48, "b": 52}) == srm_test([48, 52], [1, 1])


def test_a_perfect_split_has_a_pvalue_of_one():
    result = srm_test([500, 500])
    assert (result.statistic, result.pvalue) == (0.0, 1.0)


def test_a_variant_of_weight_zero_takes_no_degree_of_freedom():
    assert srm_test([60, 40, 0], [1, 1, 0]).pvalue == srm_test([60, 40], [1, 1]).pvalue
    assert srm_test([60, 40, 0], [1, 1, 0]).df == 1


def test_a_unit_in_a_variant_of_weight_zero_is_impossible():
    result = srm_test([500, 500, 1], [1, 1, 0])
    assert (result.pvalue, result.statistic) == (0.0, math.inf)
    assert result.reason == "units in a variant whose weight is zero"


def test_a_variant_that_is_absent_from_the_log_counts_as_zero():
    absent = srm_test({"control": 500, "new": 480}, {"control": 1, "new": 1, "lost": 1})
    assert absent == srm_test([500, 480, 0])
    assert absent.pvalue < 1e-100


def test_no_units_are_no_evidence():
    result = srm_test([0, 0])
    assert math.isnan(result.pvalue)
    assert result.reason == "no units"


def test_one_variant_cannot_be_mismatched():
    assert srm_test([5]).reason == srm_test([5, 0], [1, 0]).reason == "one variant only"


def test_json_has_no_nan_and_no_infinity():
    for result in (srm_test([0, 0]), srm_test([1, 1], [1, 0]), srm_test([60, 40])):
        assert json.loads(json.dumps(result.to_dict(), allow_nan=False)) == result.to_dict()
    assert srm_test([0, 0]).to_dict()["pvalue"] is None


def test_results_are_plain_numbers():
    result = srm_test(np.array([60, 40]), np.array([0.5, 0.5]))
    assert [type(value) for value in (*result.observed, *result.expected)] == [int, int, float, float]
    assert type(result.pvalue) is type(result.statistic) is float


REFUSED = [
    (([], []), ValueError, "`counts` and `allocation` must be equally long; got 0 and 0."),
    (([1, 2], [1]), ValueError, "`counts` and `allocation` must be equally long; got 2 and 1."),
    (([1.0, 2],), TypeError, "`counts` must be a whole number; got 1."),
    (([True, 2],), TypeError, "`counts` must be a whole number; got True."),
    (([-1, 2],), ValueError, "`counts` must be at least 0; got -1."),
    (([1, 2], [0, 0]), ValueError, "`allocation` must have a weight above 0."),
    (([1, 2], [-1, 2]), ValueError, "`allocation` must be at least 0; got -1."),
    (([1, 2], [math.nan, 2]), ValueError, "`allocation` must be at least 0; got nan."),
    (([1, 2], {"a": 1}), ValueError, "`counts` and `allocation` must both be mappings or both be sequences."),
    (
        ({"a": 1, "c": 1}, {"a": 1, "b": 1}),
        ValueError,
        "`allocation` must have a weight for every variant; got none for 'c'",
    ),
]


@pytest.mark.parametrize(("arguments", "error", "message"), REFUSED)
def test_what_cannot_be_compared_is_refused(arguments, error, message):
    with pytest.raises(error, match=re.escape(message)):
        srm_test(*arguments)


def test_weights_of_any_size_are_compared():
    assert srm_test([10, 20], [1e308, 1e308]).pvalue == srm_test([10, 20]).pvalue
