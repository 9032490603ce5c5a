"""The signed-rank test against R, the R package coin, and every assignment of signs."""

from __future__ import annotations

import itertools
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abkit import AccuracyWarning, relative, signed_rank_test
from abkit.inference import _walsh
from abkit.inference._walsh import kth_sum, sums_of_pairs
from tests.golden.read import cases

quiet = pytest.mark.filterwarnings("ignore::abkit.errors.AccuracyWarning")
EIGHTHS = st.integers(-16, 16).map(lambda i: i / 8)


@pytest.mark.parametrize("case", cases("signed_rank"))
def test_without_ties_the_test_is_that_of_r(case):
    result = signed_rank_test(case["control"], case["treatment"], alternative=case["alternative"])
    assert result.pvalue == pytest.approx(case["pvalue"], rel=1e-10)
    assert result.estimate == pytest.approx(case["estimate"], rel=1e-12)
    if len(case["control"]) < 50:
        low = -math.inf if case["low"] is None else case["low"]
        high = math.inf if case["high"] is None else case["high"]
        assert list(result.interval(case["level"])) == pytest.approx([low, high], rel=1e-12)


@quiet
@pytest.mark.parametrize("case", cases("signed_rank", "pratt"))
def test_with_zeros_and_ties_the_test_is_that_of_coin(case):
    result = signed_rank_test(case["control"], case["treatment"], alternative=case["alternative"])
    assert result.statistic == pytest.approx(case["statistic"], rel=1e-12)
    assert result.pvalue == pytest.approx(case["pvalue"], rel=1e-9)


@quiet
@given(st.lists(EIGHTHS, min_size=2, max_size=9), st.integers(-8, 8).map(lambda i: i / 16))
def test_the_exact_pvalue_is_that_of_all_signs(differences, null):
    shifted = [d - null for d in differences]
    sizes = sorted(abs(x) for x in shifted)
    ranks = [sizes.index(abs(x)) + (sizes.count(abs(x)) + 1) / 2 for x in shifted]
    moving = [rank for rank, x in zip(ranks, shifted, strict=True) if x]
    sums = [sum(itertools.compress(moving, signs)) for signs in itertools.product([0, 1], repeat=len(moving))]
    observed = sum(rank for rank, x in zip(ranks, shifted, strict=True) if x > 0)
    greater = sum(s >= observed for s in sums) / len(sums)
    less = sum(s <= observed for s in sums) / len(sums)
    result = signed_rank_test(np.zeros(len(differences)), differences, null=null)
    if result.reason is None:
        assert result.pvalue == pytest.approx(min(1, 2 * min(greater, less)), rel=1e-12)
        assert result.with_null(null, "greater").pvalue == pytest.approx(greater, rel=1e-12)


@quiet
@pytest.mark.parametrize("values", [3, 8, 1000])
@pytest.mark.parametrize("n", [20, 49, 50, 90])
def test_the_set_is_what_is_not_rejected_between_and_at_every_step(n, values):
    rng = np.random.default_rng([n, values])
    differences = rng.integers(-values // 3, values, n) / 4
    result = signed_rank_test(np.zeros(n), differences)
    steps = np.unique(sums_of_pairs(np.sort(differences))) / 2
    nulls = np.sort(np.concatenate([steps, steps[:-1] + np.diff(steps) / 2, [steps[0] - 1, steps[-1] + 1]]))
    nulls = nulls[:: max(1, nulls.size // 150)]
    for alternative in ("two-sided", "greater", "less"):
        pvalues = [result.with_null(null, alternative).pvalue for null in nulls]
        for level in (0.5, 0.9, 0.99):
            region = signed_rank_test(np.zeros(n), differences, alternative=alternative).interval(level)
            for null, pvalue in zip(nulls, pvalues, strict=True):
                if abs(pvalue - (1 - level)) > 1e-12:
                    assert region.contains(null) == (pvalue >= 1 - level)
    greater = [result.with_null(null, "greater").pvalue for null in nulls]
    assert all(a <= b * (1 + 1e-12) for a, b in itertools.pairwise(greater))


@pytest.mark.parametrize("seed", range(40))
def test_an_order_statistic_of_the_sums_is_found_without_making_them(seed, monkeypatch):
    monkeypatch.setattr(_walsh, "FEW", 500)
    monkeypatch.setattr(_walsh, "SAMPLED", 100)
    rng = np.random.default_rng(seed)
    n = int(rng.integers(40, 300))
    values = np.sort(
        [
            rng.normal(size=n),
            rng.integers(0, 3, n) / 1.0,
            np.round(rng.normal(size=n), 1),
            np.concatenate([np.zeros(n - 3), [0.1, 0.2, 0.3]]),
            1e9 + rng.random(n),
        ][seed % 5]
    )
    sums = np.sort(sums_of_pairs(values))
    for k in (1, sums.size // 3, sums.size // 2, sums.size, int(rng.integers(1, sums.size))):
        assert kth_sum(values, k) == sums[k - 1]


def test_a_hundred_thousand_pairs_take_no_table_of_averages():
    rng = np.random.default_rng(4)
    control = rng.normal(size=100_000)
    result = signed_rank_test(control, control + 0.01 + rng.normal(size=100_000))
    assert result.estimate == pytest.approx(0.01, abs=0.01)
    assert result.stderr == pytest.approx(math.sqrt(math.pi / 3 / 100_000), rel=0.02)
    low, high = result.interval(0.95)
    assert high - low == pytest.approx(2 * 1.96 * result.stderr, rel=0.01)


def test_equal_differences_are_no_evidence():
    result = signed_rank_test([1, 2, 3], [3, 4, 5])
    assert result.reason == "every pair has the same difference"
    assert math.isnan(result.pvalue)
    assert result.interval(0.95).shape == "whole-line"


def test_too_few_pairs_for_a_level_bound_nothing():
    result = signed_rank_test([1, 2, 3, 4], [2, 4, 3.5, 8])
    assert result.pvalue == 0.125
    assert list(result.interval(0.95)) == [-math.inf, math.inf]
    assert result.to_dict()["interval"] == {"shape": "bounded", "low": None, "high": None, "level": 0.95}


def test_it_has_no_relative_form():
    result = signed_rank_test([1, 2, 3], [2, 4, 4])
    assert result.scale == "pseudo-median"
    assert result.relative(0.95).reason == "a pseudo-median has no relative form"
    assert (result.control, result.treatment) == (2, 4)


def test_few_pairs_that_differ_among_many_are_cautioned():
    with pytest.warns(AccuracyWarning, match="only 4 differences are not the same number"):
        signed_rank_test(np.zeros(200), np.concatenate([np.zeros(196), np.ones(4)]))


REFUSED = [
    (([1, 2, 3], [1, 2]), {}, ValueError, "`treatment` must have as many values as `control`, 3; got 2."),
    (([1], [2]), {}, ValueError, "`control` must have at least 2 pairs; got 1."),
    (([-1.7e308, 0], [1.7e308, 0]), {}, ValueError, "`treatment` must be within 1.07151e+301 of `control`"),
    (([1, 2], [2, math.nan]), {}, ValueError, "`treatment` must be finite; got 1 of 2 values"),
    (([1, 2], [2, 4]), {"null": relative(0.1)}, ValueError, "`null` must be a number; a pseudo-median"),
]


@pytest.mark.parametrize(("arms", "options", "error", "message"), REFUSED)
def test_what_cannot_be_tested_is_refused(arms, options, error, message):
    with pytest.raises(error, match=re.escape(message)):
        signed_rank_test(*arms, **options)
