"""Permutation tests against R's exact p-values, SciPy's enumeration, and the definition."""

from __future__ import annotations

import math
import re
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from abkit import permutation_test, relative
from abkit.inference import _assignments
from abkit.inference._assignments import Design
from tests.golden.read import cases

MICE = [52, 104, 146, 10, 51, 30, 40, 27, 46], [94, 197, 16, 38, 99, 141, 23]  # Efron and Tibshirani 1993, table 2.1
SMALL = st.lists(st.integers(-3, 6), min_size=1, max_size=5)


def seeded(seed=1):
    return np.random.default_rng(seed)


def medians(control, treatment, axis):
    return np.median(treatment, axis) - np.median(control, axis)


@pytest.mark.parametrize("case", cases("permutation"), ids=lambda case: case["name"])
def test_exact_pvalues_are_those_of_r(case):
    strata = (case["strata_control"], case["strata_treatment"])
    for alternative in ("greater", "less"):
        result = permutation_test(
            case["control"],
            case["treatment"],
            alternative=alternative,
            null=case["null"],
            strata=strata,
            resamples=200_000,
            rng=seeded(),
        )
        assert result.pvalue == pytest.approx(case[alternative], rel=1e-12)


def test_the_published_permutation_test_of_the_mice():
    # Efron and Tibshirani 1993, sec. 15.2: 132 of 1,000 permutations; the standard deviation of such a share is 0.011
    exact = permutation_test(*MICE, alternative="greater", resamples=20_000, rng=seeded()).pvalue
    assert abs(exact - 0.132) < 2 * math.sqrt(exact * (1 - exact) / 1000)


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_any_statistic_is_enumerated_as_scipy_does(alternative):
    control, treatment = [1.5, 2.25, 9.0, 4.0, 4.0], [3.0, 8.0, 7.5, 4.0]
    expected = stats.permutation_test(
        (control, treatment), medians, vectorized=True, alternative=alternative, n_resamples=10_000
    )
    result = permutation_test(control, treatment, statistic=medians, alternative=alternative, rng=seeded())
    assert result.pvalue == pytest.approx(expected.pvalue, rel=1e-12)
    assert (result.estimate, result.scale) == (expected.statistic, "statistic")
    assert result.interval().shape == result.relative().shape == "none"


def by_definition(control, treatment, shift):
    """One-sided p-values, from the groups of every assignment, with whole numbers."""
    values = [*control, *(8 * y - 8 * shift for y in treatment)]
    values[: len(control)] = [8 * y for y in control]
    n, k, total = len(values), len(treatment), sum(values)
    seen = sum(values[len(control) :])
    sums = [sum(values[i] for i in chosen) for chosen in combinations(range(n), k)]
    assert total == sum(values)
    return sum(s >= seen for s in sums) / len(sums), sum(s <= seen for s in sums) / len(sums)


@given(SMALL, SMALL, st.integers(-40, 40).map(lambda i: i / 8))
def test_the_pvalue_of_any_shift_is_that_of_the_shifted_values(control, treatment, shift):
    greater, less = by_definition(control, treatment, shift)
    whole = permutation_test(control, treatment, rng=seeded())
    if whole.reason is None:
        assert whole.with_null(shift, "greater").pvalue == pytest.approx(greater, rel=1e-12)
        assert whole.with_null(shift, "less").pvalue == pytest.approx(less, rel=1e-12)


def test_clusters_are_moved_whole():
    control, treatment = [1, 2, 4, 7, 3], [5, 6, 2, 9, 9, 4]
    of_control, of_treatment = list("aabbc"), list("ddeeef")
    sums = {"a": (3, 2), "b": (11, 2), "c": (3, 1), "d": (11, 2), "e": (20, 3), "f": (4, 1)}

    def difference(chosen):
        t, c = ([sums[k] for k in sums if (k in chosen) == side] for side in (True, False))
        return sum(y for y, _ in t) / sum(n for _, n in t) - sum(y for y, _ in c) / sum(n for _, n in c)

    all_of_them = [difference(chosen) for chosen in combinations(sums, 3)]
    share = sum(d >= difference("def") - 1e-9 for d in all_of_them) / 20
    for statistic in ("mean", lambda c, t, axis: t.mean(axis) - c.mean(axis)):
        clusters = of_control, of_treatment
        result = permutation_test(
            control, treatment, alternative="greater", clusters=clusters, statistic=statistic, rng=seeded()
        )
        assert result.pvalue == share


def test_clusters_of_one_row_and_one_stratum_change_nothing():
    plain = permutation_test(*MICE, rng=seeded())
    labelled = permutation_test(*MICE, clusters=(range(9), range(9, 16)), strata=(["x"] * 9, ["x"] * 7), rng=seeded())
    assert (labelled.pvalue, labelled.interval()) == (plain.pvalue, plain.interval())


def test_random_assignments_come_near_to_all_of_them():
    exact = permutation_test(*MICE, resamples=20_000, rng=seeded())
    drawn = permutation_test(*MICE, resamples=9_999, rng=seeded())
    assert 0 < abs(drawn.pvalue - exact.pvalue) < 4 * 2 * math.sqrt(0.14 * 0.86 / 10_000)
    assert list(drawn.interval(0.8)) == pytest.approx(list(exact.interval(0.8)), abs=3)


def test_a_seed_has_one_answer():
    a, b, c = (permutation_test(*MICE, rng=seeded(seed)) for seed in (7, 7, 8))
    assert (a.pvalue, a.interval()) == (b.pvalue, b.interval())
    assert a.pvalue != c.pvalue


@pytest.mark.parametrize(("n", "k"), [(6, 2), (600, 250), (5_000, 333)])
def test_random_assignments_are_uniform(n, k):
    # every unit is treated as often as any other, and every pair of units together
    design = Design(np.zeros(n, dtype=np.int64), np.arange(n) < k)
    masks = design.random(seeded(), 4_000)
    assert (masks.sum(axis=1) == k).all()
    shares = masks.mean(axis=0)
    p = k / n
    assert ((shares - p) ** 2).sum() / (p * (1 - p) / 4_000) == pytest.approx(n - 1, abs=5 * math.sqrt(2 * n))
    together = (masks[:, ::2] & masks[:, 1::2]).mean()
    assert together == pytest.approx(p * (k - 1) / (n - 1), rel=5 / math.sqrt(4_000 * n / 2 * p * p))


@pytest.mark.parametrize("sizes", [(40, 30), (900, 600)])
def test_strata_keep_their_numbers(sizes):
    stratum = np.repeat([0, 1], sizes)
    treated = np.concatenate([np.arange(n) < k for n, k in zip(sizes, (10, 17), strict=True)])
    masks = Design(stratum, treated).random(seeded(), 50)
    assert (masks[:, stratum == 0].sum(axis=1) == 10).all()
    assert (masks[:, stratum == 1].sum(axis=1) == 17).all()
    assert len(np.unique(masks, axis=0)) == 50


def test_counts_of_equal_values_have_the_moments_of_assignments(monkeypatch):
    rng = seeded()
    y, treated = rng.integers(0, 3, 900).astype(float), np.arange(900) < 300
    design, columns = Design(np.zeros(900, dtype=np.int64), treated), np.stack([y, treated * 1.0], axis=1)
    counted = design.sums(columns, 4_000, seeded())
    monkeypatch.setattr(_assignments, "COUNT", 10**9)
    masked = design.sums(columns, 4_000, seeded())
    # the sum of a simple random sample of 300 from 900
    error = math.sqrt(300 * 600 / 899 * y.var())
    for sums in (counted, masked):
        assert sums[:, 0].mean() == pytest.approx(300 * y.mean(), abs=4 * error / math.sqrt(4_000))
        assert sums[:, 0].std() == pytest.approx(error, rel=4 / math.sqrt(8_000))
        assert sums[:, 1].mean() == pytest.approx(100, abs=4 * math.sqrt(300 * 600 / 899 * 2 / 9 / 4_000))


def test_a_large_sample_agrees_with_welch():
    rng = seeded()
    control, treatment = rng.exponential(size=6_000), rng.exponential(1.03, size=5_000)
    result = permutation_test(control, treatment, resamples=2_000, rng=rng)
    expected = stats.ttest_ind(treatment, control, equal_var=False)
    assert result.pvalue == pytest.approx(expected.pvalue, abs=0.06)
    assert list(result.interval()) == pytest.approx(list(expected.confidence_interval()), abs=0.006)


@pytest.mark.parametrize("value", [0, 3])
def test_equal_values_are_no_evidence(value):
    result = permutation_test([value] * 4, [value] * 5, rng=seeded())
    assert math.isnan(result.pvalue)
    assert result.reason == "every assignment gives the same statistic"


def test_constant_variants_that_differ_are_evidence():
    result = permutation_test([1] * 5, [2] * 5, rng=seeded())
    assert result.pvalue == 2 / 252
    assert list(result.interval(0.95)) == pytest.approx([1, 1])
    assert result.with_null(1.0).pvalue == 1


def test_few_assignments_bound_nothing():
    result = permutation_test([1, 2], [30, 40], rng=seeded())
    assert result.pvalue == 2 / 6
    assert list(result.interval(0.95)) == [-math.inf, math.inf]


def test_an_offset_keeps_ties():
    plain = permutation_test([0.1, 0.2, 0.2, 0.7], [0.2, 0.3, 0.7, 0.9], rng=seeded())
    moved = permutation_test(
        [x + 1e6 for x in (0.1, 0.2, 0.2, 0.7)], [x + 1e6 for x in (0.2, 0.3, 0.7, 0.9)], rng=seeded()
    )
    assert moved.pvalue == plain.pvalue


REFUSED = [
    (([], [1.0]), {}, ValueError, "`control` must have at least 1 unit; got 0."),
    (([1.0], [math.nan]), {}, ValueError, "`values` must be finite|`treatment` must be finite"),
    (([1.0], [-1e200]), {}, ValueError, "`treatment` must be at most 1e.150 in size"),
    (([1.0], [2.0]), {"strata": [1, 2, 3]}, TypeError, "`strata` must be a pair"),
    (([1.0], [2.0]), {"resamples": 10}, ValueError, "`resamples` must be at least 100; got 10."),
    (([1.0], [2.0]), {"rng": 1}, TypeError, re.escape("`rng` must be a numpy.random.Generator; got 1.")),
    (([1.0], [2.0]), {"statistic": "median"}, ValueError, "`statistic` must be one of 'mean'; got 'median'."),
    (([1.0, 2.0], [2.0, 4.0]), {"null": relative(0.1)}, ValueError, "`null` must be a number"),
    (([1.0], [2.0]), {"statistic": medians, "null": 0.5}, ValueError, "`null` must be 0 for a callable; got 0.5."),
    (([1.0], [2.0]), {"clusters": ([1], [1])}, ValueError, "`clusters` must each be in one variant"),
    (([1.0], [2.0]), {"strata": ([1, 2], [1])}, ValueError, "`strata` must hold one label a row"),
    (
        ([1.0, 2.0], [2.0]),
        {"clusters": ([1, 1], [2]), "strata": ([1, 2], [1])},
        ValueError,
        "`clusters` must each be in one stratum",
    ),
    (
        ([1.0, 2.0], [2.0]),
        {"statistic": lambda c, t, axis: 1.0},
        ValueError,
        "`statistic` must give one number for each pair of samples",
    ),
    (
        ([1.0, 2.0], [2.0]),
        {"statistic": lambda c, t, axis: c.mean(axis) * math.nan},
        ValueError,
        "`statistic` must be finite for every assignment",
    ),
]


@pytest.mark.parametrize(("arms", "options", "error", "message"), REFUSED)
def test_what_cannot_be_tested_is_refused(arms, options, error, message):
    with pytest.raises(error, match=message):
        permutation_test(*arms, **{"rng": seeded(), **options})
