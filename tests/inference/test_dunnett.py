"""Dunnett's comparison against published tables, R's mvtnorm and multcomp, and what it must reduce to."""

from __future__ import annotations

import itertools
import math
import re
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abkit import Counts, Moments, _tails, adjust, proportion_test, relative, student_test, welch_test, z_test
from abkit.inference._dunnett import ManyToOne
from tests.golden.read import cases

# Dunnett 1964, Biometrics 20(3), table II: two-sided 5 %; Dunnett 1955, JASA 50(272), table 1a: one-sided
TABLES = {
    ("two-sided", 5): [2.57, 3.03, 3.29, 3.48, 3.62, 3.73, 3.82, 3.90, 3.97],
    ("two-sided", 10): [2.23, 2.57, 2.76, 2.89, 2.99, 3.07, 3.14, 3.19, 3.24],
    ("two-sided", 20): [2.09, 2.38, 2.54, 2.65, 2.73, 2.80, 2.86, 2.90, 2.95],
    ("two-sided", math.inf): [1.96, 2.21, 2.35, 2.44, 2.51, 2.57, 2.61, 2.65, 2.69],
    ("greater", 5): [2.02, 2.44, 2.68, 2.85, 2.98, 3.08, 3.16, 3.24, 3.30],
    ("greater", 20): [1.72, 2.03, 2.19, 2.30, 2.39, 2.46, 2.51, 2.56, 2.60],
    ("greater", math.inf): [1.64, 1.92, 2.06, 2.16, 2.23, 2.29, 2.34, 2.38, 2.42],
}
SIDES = ["two-sided", "greater"]
DFS = [1.0, 2.0, 5.0, 30.0, 1e3, 1e6, math.inf]


EQUAL = math.sqrt(0.5)  # as many units in each treatment as in the control


def family(k, df, alternative="two-sided", loading=EQUAL):
    return ManyToOne((loading,) * k, df, alternative)


def groups(case):
    value, group = np.array(case["value"]), np.array(case["group"])
    return value[group == case["control"]], [value[group == name] for name in case["treatments"]]


@pytest.mark.parametrize("key", TABLES, ids=str)
def test_critical_values_are_those_of_dunnetts_tables(key):
    alternative, df = key
    found = [family(k, df, alternative).critical(0.05) for k in range(1, 10)]
    assert found == pytest.approx(TABLES[key], abs=0.0051)


@pytest.mark.parametrize("case", cases("dunnett", "tails"), ids=lambda case: f"{case['n']} {case['df']} {case['x']}")
def test_tails_are_those_of_mvtnorm(case):
    control, *treatments = case["n"]
    loadings = tuple(math.sqrt(n / (n + control)) for n in treatments)
    df = math.inf if case["df"] is None else case["df"]
    assert ManyToOne(loadings, df, "greater").tail(case["x"]) == pytest.approx(case["one_sided"], abs=1e-12)
    assert ManyToOne(loadings, df, "two-sided").tail(case["x"]) == pytest.approx(case["two_sided"], abs=1e-12)


@pytest.mark.parametrize("case", cases("dunnett"), ids=lambda case: f"{case['name']}, {case['alternative']}")
def test_pvalues_and_intervals_are_those_of_multcomp(case):
    control, treatments = groups(case)
    adjusted = adjust([student_test(control, t, alternative=case["alternative"]) for t in treatments], "dunnett")
    assert [result.df for result in adjusted.results] == [case["df"]] * len(treatments)
    assert [result.statistic for result in adjusted.results] == pytest.approx(case["statistic"], rel=1e-9)
    assert adjusted.pvalues == pytest.approx(case["pvalues"], abs=1e-4)  # Monte Carlo, there
    for region, low, high in zip(adjusted.intervals, case["low"], case["high"], strict=True):
        expected = (-math.inf if low is None else low, math.inf if high is None else high)
        assert list(region) == pytest.approx(expected, rel=1e-3, abs=0.05)


@pytest.mark.parametrize("alternative", SIDES)
@pytest.mark.parametrize("df", DFS)
@pytest.mark.parametrize("loading", [0.0, 0.1, 0.7, 0.99])
def test_one_treatment_has_its_own_tail(alternative, df, loading):
    for x in (0.0, 0.5, 2.0, 10.0, 30.0, 1e5):
        own = _tails.pvalue(x, df, alternative)
        assert family(1, df, alternative, loading).tail(x) == pytest.approx(own, rel=1e-9, abs=1e-300)


@pytest.mark.parametrize("df", DFS)
def test_independent_treatments_are_sidaks(df):
    if math.isinf(df):
        for x in (0.1, 2.0, 8.0, 37.0):
            expected = -math.expm1(7 * math.log1p(-_tails.pvalue(x, df, "two-sided")))
            assert family(7, df, loading=0.0).tail(x) == pytest.approx(expected, rel=1e-12)
    assert family(7, df, loading=0.0).critical(0.05) >= family(7, df).critical(0.05)


@pytest.mark.parametrize("alternative", SIDES)
@pytest.mark.parametrize("df", [3.0, 20.0, math.inf])
@settings(max_examples=25)
@given(st.lists(st.floats(0, 0.95), min_size=1, max_size=4), st.floats(0, 12))
def test_the_tail_lies_between_that_of_one_and_bonferroni_and_falls(alternative, df, loadings, x):
    many = ManyToOne(tuple(loadings), df, alternative)
    own, tail = _tails.pvalue(x, df, alternative), many.tail(x)
    assert own * (1 - 1e-9) <= tail <= min(1.0, len(loadings) * own) * (1 + 1e-9)
    assert many.tail(x + 0.01) <= tail * (1 + 1e-12)


def test_far_tails_keep_their_digits():
    # so far out the comparisons exclude one another
    assert family(3, math.inf).tail(30.0) == pytest.approx(6 * _tails.survival(30.0, math.inf), rel=1e-9)
    assert family(2, math.inf).tail(math.inf) == 0


def test_a_hundred_treatments_with_nearly_the_same_correlation_are_no_slower_than_the_eye():
    start = time.perf_counter()
    critical = family(100, 1000.0).critical(0.05)
    assert time.perf_counter() - start < 5
    assert 3.2 < critical < _tails.critical(0.05 / 200, 1000.0)


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_intervals_agree_with_decisions_and_a_pvalue_is_the_alpha_that_touches(alternative):
    rng = np.random.default_rng(3)
    control = rng.normal(0, 1, 15)
    results = [student_test(control, rng.normal(d, 1, n), alternative=alternative) for d, n in ((0.8, 9), (0, 30))]
    adjusted = adjust(results, "dunnett")
    for i, p in enumerate(adjusted.pvalues):
        if p < 0.999:
            region = adjust(results, "dunnett", alpha=float(p)).intervals[i]
            assert min(abs(end) for end in region) == pytest.approx(0, abs=1e-7)
        assert adjusted.intervals[i].contains(0) != adjusted.rejected[i]


def test_one_student_test_is_itself():
    alone = student_test([1, 2, 3.5, 4], [2, 4, 5, 6.5, 7])
    adjusted = adjust([alone], "dunnett")
    assert adjusted.pvalues[0] == pytest.approx(alone.pvalue, rel=1e-11)
    assert list(adjusted.intervals[0]) == pytest.approx(list(alone.interval()), rel=1e-9)


def test_the_order_of_the_treatments_is_irrelevant():
    control = Moments(40, 10.0, 160.0)
    results = [student_test(control, Moments(n, 10 + d, 4.0 * n)) for n, d in ((20, 0.5), (60, 1.0), (10, 1.5))]
    pvalues = adjust(results, "dunnett").pvalues
    for order in itertools.permutations(range(3)):
        found = adjust([results[i] for i in order], "dunnett").pvalues
        assert found == pytest.approx(pvalues[list(order)], rel=1e-13)


def test_large_samples_of_every_test_of_means_agree():
    control = Moments(10**6, 10.0, 4e6)
    treatments = [Moments(n, 10 + d, 4.0 * n) for n, d in ((10**6, 0.006), (5 * 10**5, 0.002))]
    exact, welch, z = (
        adjust([test(control, t) for t in treatments], "dunnett") for test in (student_test, welch_test, z_test)
    )
    assert welch.pvalues == pytest.approx(exact.pvalues, rel=1e-4)
    assert z.pvalues == pytest.approx(exact.pvalues, rel=1e-4)


def test_proportions_enter_by_their_own_pvalues():
    control = Counts(2000, 200)
    results = [proportion_test(control, Counts(2000, s)) for s in (215, 250)]
    adjusted = adjust(results, "dunnett")
    assert np.all(adjusted.pvalues > [result.pvalue for result in results])
    assert np.all(adjusted.pvalues < adjust(results, "sidak").pvalues)
    assert adjusted.rejected.tolist() == [False, True]
    assert [region.contains(0) for region in adjusted.intervals] == [True, False]


def test_without_variance_in_any_group_nothing_is_shown():
    adjusted = adjust([student_test([1, 1], [1, 1]), student_test([1, 1], [2, 2])], "dunnett")
    assert adjusted.pvalues.tolist() == [1, 1]
    assert [region.shape for region in adjusted.intervals] == ["whole-line"] * 2


def test_a_constant_treatment_is_judged_by_the_variance_of_all_groups():
    adjusted = adjust([student_test([1, 1], [1, 1]), student_test([1, 1], [2, 3, 4])], "dunnett")
    assert adjusted.results[0].statistic == 0
    assert adjusted.pvalues[0] == 1


def test_families_have_their_own_controls():
    first = [student_test([1, 2, 3], [2, 3, 5]), student_test([1, 2, 3], [4, 5, 7])]
    second = [student_test([10, 20, 31], [20, 30, 50])]
    adjusted = adjust([first[0], second[0], first[1]], "dunnett", families="aba")
    assert adjusted.pvalues[[0, 2]].tolist() == adjust(first, "dunnett").pvalues.tolist()
    assert adjusted.pvalues[1] == pytest.approx(second[0].pvalue, rel=1e-11)


@pytest.mark.parametrize("alternative", ["two-sided", "greater"])
def test_the_family_wise_error_is_exact_with_few_units(alternative):
    rng, rejected, rounds = np.random.default_rng(11), 0, 1500
    critical = ManyToOne(tuple(math.sqrt(n / (n + 4)) for n in (3, 8)), 12.0, alternative).critical(0.2)
    for _ in range(rounds):
        control, *treatments = (rng.standard_normal(n) for n in (4, 3, 8))
        pooled = sum(((x - x.mean()) ** 2).sum() for x in (control, *treatments)) / 12
        t = [(x.mean() - control.mean()) / math.sqrt(pooled * (1 / 4 + 1 / x.size)) for x in treatments]
        rejected += max(map(abs, t) if alternative == "two-sided" else t) > critical
    assert rejected / rounds == pytest.approx(0.2, abs=4 * math.sqrt(0.2 * 0.8 / rounds))


REFUSED = [
    (
        lambda: [student_test([1, 2, 3], [2, 3, 5]), student_test([1, 2, 4], [2, 3, 5])],
        "`results_or_pvalues` must share one control for 'dunnett'; got controls with means 2 and 2.3333",
    ),
    (
        lambda: [student_test([1, 2, 3], [2, 3, 5]), student_test([0, 2, 4], [2, 3, 5])],
        "`results_or_pvalues` must share one control for 'dunnett'",
    ),
    (
        lambda: [student_test([1, 2, 3], [2, 3, 5], alternative=a) for a in ("less", "greater")],
        "`results_or_pvalues` must have one alternative for 'dunnett'; got ['greater', 'less'].",
    ),
    (
        lambda: [student_test([1, 2, 3], [2, 3, 5], null=relative(0.1))],
        "`results_or_pvalues` must have nulls that are numbers for 'dunnett'",
    ),
]


@pytest.mark.parametrize(("make", "message"), REFUSED)
def test_what_cannot_be_compared_is_refused(make, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        adjust(make(), "dunnett")


def test_a_test_whose_correlation_is_unknown_is_refused_by_name():
    from abkit import mann_whitney_test

    with pytest.raises(ValueError, match=r"must hold tests of two independent means .* got '.*'\. Use 'holm'"):
        adjust([mann_whitney_test([1, 2, 3], [2, 3, 4])], "dunnett")
