"""Holm's procedure against R and against its definition as a closed test."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abkit.inference import holm
from tests.golden.read import cases

PVALUES = st.lists(st.floats(0, 1) | st.sampled_from([0.0, 0.01, 0.0125, 0.025, 0.05, 1.0]), min_size=1, max_size=5)
ALPHA = st.sampled_from([0.001, 0.05, 0.2])


@pytest.mark.parametrize("case", cases("holm"))
def test_adjusted_pvalues_are_those_of_r(case):
    assert holm(case["pvalues"], 0.05).pvalues == pytest.approx(case["adjusted"], rel=1e-14)


@given(PVALUES)
def test_adjusted_pvalues_are_the_closure_of_bonferroni(pvalues):
    everyone = range(len(pvalues))
    families = [f for size in range(1, len(pvalues) + 1) for f in itertools.combinations(everyone, size)]
    expected = [max(min(1.0, len(f) * min(pvalues[j] for j in f)) for f in families if i in f) for i in everyone]
    assert holm(pvalues, 0.05).pvalues == pytest.approx(expected, rel=1e-15)


@given(PVALUES, ALPHA)
def test_a_hypothesis_is_rejected_by_its_level_exactly_when_its_adjusted_pvalue_is_below_alpha(pvalues, alpha):
    result = holm(pvalues, alpha)
    for p, adjusted, level in zip(pvalues, result.pvalues, result.levels, strict=True):
        if abs(adjusted - alpha) > 1e-15:
            assert (p < level) == (adjusted < alpha)


@given(PVALUES, ALPHA)
def test_levels_lie_between_bonferroni_and_alpha(pvalues, alpha):
    result = holm(pvalues, alpha)
    assert all(alpha / len(pvalues) <= level <= alpha for level in result.levels)


@given(PVALUES, ALPHA, st.randoms(use_true_random=False))
def test_the_order_of_the_family_is_irrelevant(pvalues, alpha, random):
    order = list(range(len(pvalues)))
    random.shuffle(order)
    result, shuffled = holm(pvalues, alpha), holm([pvalues[i] for i in order], alpha)
    assert shuffled.pvalues == tuple(result.pvalues[i] for i in order)
    rejected = [p < level for p, level in zip(pvalues, result.levels, strict=True)]
    assert [pvalues[i] < level for i, level in zip(order, shuffled.levels, strict=True)] == [rejected[i] for i in order]


@given(PVALUES, ALPHA)
def test_an_undefined_test_keeps_its_place_and_is_never_rejected(pvalues, alpha):
    with_nan, with_one = holm([*pvalues, math.nan], alpha), holm([*pvalues, 1.0], alpha)
    assert with_nan == with_one
    assert with_nan.pvalues[-1] == 1


def test_a_family_worked_by_hand():
    # 0.005 < 0.05/4, 0.01 < 0.05/3, 0.03 is not below 0.05/2: the rest is kept
    result = holm([0.01, 0.04, 0.03, 0.005], 0.05)
    assert result.pvalues == pytest.approx((0.03, 0.06, 0.06, 0.02), rel=1e-15)
    assert result.levels == pytest.approx((0.05 / 3, 0.05 / 2, 0.05 / 2, 0.05 / 4), rel=1e-15)


def test_a_pvalue_equal_to_its_level_is_kept():
    assert holm([0.025, 0.025], 0.05).pvalues == (0.05, 0.05)
    assert holm([0.025, 0.025], 0.05).levels == (0.025, 0.025)


def test_one_hypothesis_is_judged_at_alpha():
    assert holm([0.04], 0.05).pvalues == (0.04,)
    assert holm([0.04], 0.05).levels == (0.05,)


def test_no_hypotheses_are_an_empty_family():
    assert holm([], 0.05).pvalues == holm([], 0.05).levels == ()
