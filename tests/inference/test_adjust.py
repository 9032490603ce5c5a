"""Adjusted p-values against R, against their definitions as closed tests, and with their intervals."""

from __future__ import annotations

import itertools
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import abkit as ab
from abkit import Moments, NoInterval, adjust, relative, welch_test
from abkit.inference import _stepwise
from tests.golden.read import cases

PVALUES = st.lists(st.floats(0, 1) | st.sampled_from([0.0, 0.01, 0.0125, 0.025, 0.05, 1.0]), min_size=1, max_size=5)
ALPHA = st.sampled_from([0.001, 0.05, 0.2])
STEPWISE = ["bonferroni", "holm", "hochberg", "hommel", "sidak", "bh", "by"]
each_method = pytest.mark.parametrize("method", STEPWISE)


def results_of(statistics, **keywords):
    return [welch_test(Moments(50, 0.0, 49.0), Moments(50, z * math.sqrt(0.04), 49.0), **keywords) for z in statistics]


def simes(pvalues):
    m = len(pvalues)
    return min(m * p / (i + 1) for i, p in enumerate(sorted(pvalues)))


def closure(pvalues, intersection):
    """Adjusted p-values by the definition of a closed test: the largest over all families a hypothesis is in."""
    everyone = range(len(pvalues))
    families = [f for size in range(1, len(pvalues) + 1) for f in itertools.combinations(everyone, size)]
    return [max(min(1.0, intersection([pvalues[j] for j in f])) for f in families if i in f) for i in everyone]


@pytest.mark.parametrize("case", cases("adjust"), ids=lambda case: case["method"])
def test_adjusted_pvalues_are_those_of_r(case):
    adjusted = adjust(case["pvalues"], case["method"])
    assert adjusted.pvalues == pytest.approx(case["adjusted"], rel=1e-14)


@pytest.mark.parametrize("case", cases("sidak"))
def test_sidak_keeps_its_digits(case):
    adjusted = adjust(case["pvalues"], "sidak")
    assert adjusted.pvalues == pytest.approx(case["adjusted"], rel=1e-13)
    assert adjusted.levels == pytest.approx(case["level"], rel=1e-14)


@given(PVALUES)
def test_holm_is_the_closure_of_bonferroni(pvalues):
    expected = closure(pvalues, lambda family: len(family) * min(family))
    assert adjust(pvalues).pvalues == pytest.approx(expected, rel=1e-15)


@given(PVALUES)
def test_hommel_is_the_closure_of_simes(pvalues):
    assert adjust(pvalues, "hommel").pvalues == pytest.approx(closure(pvalues, simes), rel=1e-14)


@each_method
@given(PVALUES, ALPHA)
def test_a_hypothesis_is_rejected_by_its_level_exactly_when_its_adjusted_pvalue_is_below_alpha(method, pvalues, alpha):
    adjusted = adjust(pvalues, method, alpha=alpha)
    for p, corrected, level in zip(pvalues, adjusted.pvalues, adjusted.levels, strict=True):
        if abs(corrected - alpha) > 1e-14:
            assert (p < level) == (corrected < alpha)
    assert adjusted.rejected.tolist() == (adjusted.pvalues < alpha).tolist()


@each_method
@given(PVALUES, ALPHA)
def test_adjustment_costs_and_levels_are_shares_of_alpha(method, pvalues, alpha):
    adjusted = adjust(pvalues, method, alpha=alpha)
    harmonic = sum(1 / i for i in range(1, len(pvalues) + 1)) if method == "by" else 1
    assert np.all(adjusted.pvalues >= np.array(pvalues) * (1 - 1e-15))
    assert np.all(adjusted.pvalues <= 1)
    assert np.all(adjusted.levels <= alpha * (1 + 1e-15))
    assert np.all(adjusted.levels >= alpha / len(pvalues) / harmonic * (1 - 1e-15))


@given(PVALUES)
def test_methods_are_ordered_as_their_power_is(pvalues):
    by_method = {method: adjust(pvalues, method).pvalues * (1 - 1e-14) for method in STEPWISE}
    for weaker, stronger in itertools.pairwise(["bonferroni", "holm", "hochberg", "hommel", "bh"]):
        assert np.all(by_method[stronger] * (1 - 1e-14) <= by_method[weaker] + 1e-300)
    assert np.all(by_method["sidak"] * (1 - 1e-14) <= by_method["bonferroni"] + 1e-300)


@each_method
@given(PVALUES, ALPHA, st.randoms(use_true_random=False))
def test_the_order_of_the_family_is_irrelevant(method, pvalues, alpha, random):
    order = list(range(len(pvalues)))
    random.shuffle(order)
    whole = adjust(pvalues, method, alpha=alpha)
    shuffled = adjust([pvalues[i] for i in order], method, alpha=alpha)
    assert shuffled.pvalues.tolist() == whole.pvalues[order].tolist()
    assert shuffled.rejected.tolist() == whole.rejected[order].tolist()


@each_method
@given(PVALUES, ALPHA)
def test_an_undefined_test_keeps_its_place_and_is_never_rejected(method, pvalues, alpha):
    with_nan, with_one = (adjust([*pvalues, last], method, alpha=alpha) for last in (math.nan, 1.0))
    assert with_nan.pvalues.tolist() == with_one.pvalues.tolist()
    assert with_nan.levels.tolist() == with_one.levels.tolist()
    assert with_nan.pvalues[-1] == 1
    assert not with_nan.rejected[-1]


def test_a_family_worked_by_hand():
    # 0.005 < 0.05/4, 0.01 < 0.05/3, 0.03 is not below 0.05/2: the rest is kept
    adjusted = adjust([0.01, 0.04, 0.03, 0.005])
    assert adjusted.pvalues == pytest.approx((0.03, 0.06, 0.06, 0.02), rel=1e-15)
    assert adjusted.levels == pytest.approx((0.05 / 3, 0.05 / 2, 0.05 / 2, 0.05 / 4), rel=1e-15)


def test_equal_pvalues_are_ranked_in_the_order_given():
    levels = adjust([0.3, 0.001, 0.001, 0.001, 0.2]).levels
    assert levels == pytest.approx([0.025, 0.01, 0.0125, 0.05 / 3, 0.025], rel=1e-15)


def test_a_pvalue_equal_to_its_level_is_kept():
    adjusted = adjust([0.025, 0.025])
    assert adjusted.pvalues.tolist() == [0.05, 0.05]
    assert adjusted.levels.tolist() == [0.025, 0.025]
    assert not adjusted.rejected.any()


@each_method
def test_one_hypothesis_is_judged_at_alpha_and_none_is_an_empty_family(method):
    one = adjust([0.04], method)
    assert one.pvalues == pytest.approx([0.04], rel=1e-15)
    assert one.levels == pytest.approx([0.05], rel=1e-15)
    nobody = adjust([], method)
    assert nobody.pvalues.size == nobody.levels.size == len(nobody.intervals) == 0


@pytest.mark.parametrize(
    "make",
    [
        lambda r: r.random(20_000),
        lambda r: np.round(r.random(20_000), 2),
        lambda r: np.sort(r.random(20_000)) ** 2,
        lambda r: (np.arange(20_000) / 20_000) ** 2 + 1e-9 * r.random(20_000),  # a hull that only a scan can find
        lambda r: np.concatenate([r.random(5_000) * 1e-6, r.random(15_000)]),
        lambda r: np.zeros(20_000),
        lambda r: np.ones(20_000),
    ],
)
def test_the_hull_finds_simes_pvalue_of_every_tail(make):
    ranked = np.sort(make(np.random.default_rng(3)))
    found = _stepwise._simes_of_largest(ranked)
    for j in [1, 2, 3, 17, 1000, 19_999, 20_000]:
        direct = np.min(j * ranked[-j:] / np.arange(1, j + 1))
        assert found[j - 1] == pytest.approx(direct, rel=1e-13)


@pytest.mark.parametrize("spread", [1.0, 1e-3, 1e-12, 1e-15])
@pytest.mark.parametrize("decimals", [2, 17])
def test_the_fast_order_is_the_stable_order(spread, decimals):
    pvalues = np.round(0.25 + spread * (np.random.default_rng(4).random(5000) - 0.25), decimals)
    pvalues[[7, 4000, 2000]] = [-0.0, 0.0, 1.0]
    order, ranked = _stepwise._ranked(pvalues)
    assert order.tolist() == np.argsort(pvalues, kind="stable").tolist()
    assert ranked.tolist() == np.sort(pvalues).tolist()


def test_arrays_are_read_only():
    adjusted = adjust([0.01, 0.2])
    with pytest.raises(ValueError, match="read-only"):
        adjusted.pvalues[0] = 0


# families and gates


def test_each_family_is_adjusted_on_its_own():
    pvalues, families = [0.01, 0.02, 0.03, 0.04, 0.05], ["a", "b", "a", "b", "a"]
    adjusted = adjust(pvalues, "hommel", families=families)
    for family in "ab":
        mine = [i for i, label in enumerate(families) if label == family]
        assert adjusted.pvalues[mine].tolist() == adjust([pvalues[i] for i in mine], "hommel").pvalues.tolist()


def test_a_gate_opens_when_all_before_it_are_rejected():
    labels, order = ["secondary", "primary", "primary"], ["primary", "secondary"]
    opened = adjust([0.02, 0.01, 0.012], families=labels, order=order)
    assert opened.pvalues == pytest.approx([0.02, 0.02, 0.02])
    assert opened.rejected.all()
    closed = adjust([0.001, 0.01, 0.06], families=labels, order=order)
    assert closed.pvalues == pytest.approx([0.06, 0.02, 0.06])
    assert closed.rejected.tolist() == [False, True, False]
    assert closed.levels.tolist() == [0.0, 0.025, 0.05]


def test_behind_a_closed_gate_there_is_no_interval():
    results = results_of([1.0, 5.0])
    adjusted = adjust(results, families=["first", "second"], order=["first", "second"])
    assert adjusted.intervals[0] == results[0].interval(0.95)
    assert isinstance(adjusted.intervals[1], NoInterval)
    assert "earlier family" in adjusted.intervals[1].reason
    assert "not simultaneous" in adjusted.coverage


@given(PVALUES, PVALUES)
def test_serial_gates_keep_the_largest_of_the_families_before(first, second):
    labels = [1] * len(first) + [2] * len(second)
    adjusted = adjust(first + second, families=labels, order=[1, 2])
    expected = np.maximum(adjust(second).pvalues, adjust(first).pvalues.max())
    assert adjusted.pvalues[len(first) :].tolist() == expected.tolist()


# intervals


@pytest.mark.parametrize("method", ["bonferroni", "holm", "sidak", "bh", "by", "dunnett"])
@given(st.lists(st.integers(-20, 20).map(lambda i: i / 4), min_size=1, max_size=5), ALPHA)
def test_an_interval_leaves_out_the_null_exactly_when_the_hypothesis_is_rejected(method, statistics, alpha):
    adjusted = adjust(results_of(statistics), method, alpha=alpha)
    for region, rejected, p in zip(adjusted.intervals, adjusted.rejected, adjusted.pvalues, strict=True):
        if not isinstance(region, NoInterval) and abs(p - alpha) > 1e-9:
            assert region.contains(0) != rejected


@pytest.mark.parametrize("method", ["bh", "by"])
def test_false_coverage_rate_intervals_are_for_the_selected(method):
    results = results_of([4.0, 3.5, 0.5, 0.1])
    adjusted = adjust(results, method)
    harmonic = 1 + 1 / 2 + 1 / 3 + 1 / 4 if method == "by" else 1
    assert adjusted.rejected.tolist() == [True, True, False, False]
    # Benjamini and Yekutieli 2005, definition 1: two of four selected
    assert list(adjusted.intervals[0]) == pytest.approx(list(results[0].interval(1 - 2 * 0.05 / 4 / harmonic)))
    assert "not selected" in adjusted.intervals[2].reason


@pytest.mark.parametrize("method", ["hochberg", "hommel"])
def test_step_up_methods_have_no_intervals(method):
    adjusted = adjust(results_of([4.0, 1.0]), method)
    assert adjusted.coverage == "none"
    assert all(method in region.reason for region in adjusted.intervals)


def test_pvalues_alone_have_no_intervals():
    assert "a p-value alone" in adjust([0.01]).intervals[0].reason


def test_bonferroni_and_sidak_intervals_have_the_levels_of_their_share():
    results = results_of([1.0, 2.0, 3.0])
    assert adjust(results, "bonferroni").intervals[1].level == pytest.approx(1 - 0.05 / 3)
    assert adjust(results, "sidak").intervals[1].level == pytest.approx(0.95 ** (1 / 3))


def test_a_test_without_variance_has_the_whole_line():
    constant = welch_test([1, 1], [1, 1])
    adjusted = adjust([constant, *results_of([3.0])])
    assert adjusted.pvalues[0] == 1
    assert adjusted.intervals[0].shape == "whole-line"


def test_equivalence_results_have_the_intervals_of_their_two_sides():
    equal = ab.equivalence_test(Moments(500, 0.0, 499.0), Moments(500, 0.01, 499.0), margin=0.2)
    unequal = ab.equivalence_test(Moments(500, 0.0, 499.0), Moments(500, 0.15, 499.0), margin=0.2)
    adjusted = adjust([equal, unequal])
    for region, rejected in zip(adjusted.intervals, adjusted.rejected, strict=True):
        assert (region.low > -0.2 and region.high < 0.2) == rejected
    assert adjusted.rejected.tolist() == [True, False]


# error rates


@pytest.mark.parametrize("method", STEPWISE)
def test_independent_nulls_keep_the_family_wise_error(method):
    pvalues = np.random.default_rng(5).random((4000, 4))
    rejected = sum(adjust(row, method).rejected.any() for row in pvalues) / len(pvalues)
    assert rejected < 0.05 + 4 * math.sqrt(0.05 * 0.95 / len(pvalues))


def test_selected_intervals_keep_the_false_coverage_rate():
    rng, missed = np.random.default_rng(7), []
    truth = np.array([0.0] * 16 + [3.0] * 4)
    unit = math.sqrt(2.0)  # a million units of variance 1e6 in each variant
    for _ in range(300):
        drawn = unit * (truth + rng.standard_normal(20))
        tests = [welch_test(Moments(10**6, 0.0, 1e12), Moments(10**6, d, 1e12)) for d in drawn]
        adjusted = adjust(tests, "bh", alpha=0.1)
        wrong = [not i.contains(unit * t) for i, t in zip(adjusted.intervals, truth, strict=True) if i.shape != "none"]
        missed.append(sum(wrong) / max(len(wrong), 1))
    assert np.mean(missed) < 0.1 + 4 * np.std(missed) / math.sqrt(len(missed))


REFUSED = [
    (([0.1, 1.5],), {}, ValueError, "`results_or_pvalues` must be between 0 and 1; got 1.5 at position 1 (1 of 2"),
    (([-0.1, 0.5],), {}, ValueError, "`results_or_pvalues` must be between 0 and 1; got -0.1 at position 0"),
    (([0.1, math.inf],), {}, ValueError, "`results_or_pvalues` must be finite"),
    ((["0.1"],), {}, TypeError, "`results_or_pvalues` must hold numbers"),
    (([None, 0.1],), {}, TypeError, "`results_or_pvalues` must hold numbers"),
    ((np.array([0.1], dtype=np.float32),), {}, TypeError, "`results_or_pvalues` must be 64-bit floating point"),
    ((np.ma.masked_array([0.1, 0.2], [True, False]),), {}, TypeError, "got a masked array"),
    ((0.1,), {}, ValueError, "`results_or_pvalues` must have 1 dimension(s); got 0."),
    (([[0.1]],), {}, ValueError, "`results_or_pvalues` must have 1 dimension(s); got 2."),
    (([0.1], "fdr"), {}, ValueError, "`method` must be one of 'bonferroni', 'holm'"),
    (([0.1],), {"alpha": 1.0}, ValueError, "`alpha` must be between 0 and 1; got 1."),
    (([0.1],), {"families": ["a", "b"]}, ValueError, "`families` must have one label for each of 1 hypotheses; got 2."),
    (([0.1],), {"families": 1}, TypeError, "`families` must be a list of labels; got 1."),
    (([0.1],), {"families": "a", "order": [["a"]]}, TypeError, "`order` must be a list of labels; got [['a']]"),
    (([0.1],), {"families": [math.nan]}, ValueError, "`families` must hold labels; got nan."),
    (([0.1],), {"order": ["a"]}, ValueError, "`families` must be given where `order` is"),
    (([0.1],), {"families": "a", "order": ["b"]}, ValueError, "`order` must have each family once"),
    (([0.1, 0.2],), {"families": "ab", "order": "aba"}, ValueError, "`order` must have each family once"),
    (([0.1], "bh"), {"families": "a", "order": "a"}, ValueError, "`order` must be left out for 'bh'"),
    (([0.1], "dunnett"), {}, ValueError, "`results_or_pvalues` must hold results of tests for 'dunnett'"),
]


@pytest.mark.parametrize(("given", "options", "error", "message"), REFUSED)
def test_what_cannot_be_adjusted_is_refused(given, options, error, message):
    with pytest.raises(error, match=re.escape(message)):
        adjust(*given, **options)


def test_results_and_pvalues_are_not_mixed():
    with pytest.raises(TypeError, match="not both; got 1 results among 2"):
        adjust([*results_of([1.0]), 0.05])


def test_results_may_come_from_a_dictionary_or_a_generator():
    results = dict(zip("ab", results_of([1.0, 3.0]), strict=True))
    assert adjust(results.values()).pvalues.tolist() == adjust(r for r in results.values()).pvalues.tolist()


def test_a_relative_null_is_judged_by_its_own_pvalue():
    tested = [welch_test(Moments(50, 10.0, 49.0), Moments(50, 11.0, 49.0), null=relative(0.02))] * 2
    assert adjust(tested).pvalues[0] == pytest.approx(2 * tested[0].pvalue)
