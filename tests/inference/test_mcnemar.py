"""Tests of paired proportions against R, brute force in 32 digits, published intervals and laws."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from abkit import AccuracyWarning, Counts, PairedCounts, mcnemar_test, proportion_test, relative
from tests.golden.read import cases

METHODS = ["score", "exact", "mid-p"]
ALTERNATIVES = st.sampled_from(["two-sided", "greater", "less"])
LEVELS = st.sampled_from([0.2, 0.5, 0.8, 0.95, 0.999])


def pairs_of(case):
    return PairedCounts(*map(int, case["pairs"]))


@st.composite
def paired_counts(draw, most=10**6):
    share = st.sampled_from([0, 1, 2, 5, 0.001, 0.1, 0.3, 1.0]).map(
        lambda x: x if isinstance(x, int) else int(x * most)
    )
    cells = [draw(share) for _ in range(4)]
    assume(sum(cells))
    return PairedCounts(*cells)


@pytest.mark.parametrize("case", cases("mcnemar"))
def test_at_a_null_of_zero_the_score_test_is_mcnemars(case):
    result = mcnemar_test(pairs_of(case))
    assert result.statistic**2 == pytest.approx(case["chi_square"], rel=1e-12)
    assert result.pvalue == pytest.approx(case["pvalue"], rel=1e-10)


@pytest.mark.parametrize("case", cases("mcnemar"))
def test_the_interval_is_tangos_by_the_closed_form_of_yang_sun_and_hardin(case):
    result = mcnemar_test(pairs_of(case))
    assert list(result.interval(0.95)) == pytest.approx(case["tango_95"], rel=1e-9)
    assert list(result.interval(0.8)) == pytest.approx(case["tango_80"], rel=1e-9)


@pytest.mark.parametrize("case", cases("mcnemar"))
def test_the_exact_test_is_rs_binomial_test_of_the_discordant_pairs(case):
    result = mcnemar_test(pairs_of(case), method="exact")
    assert result.pvalue == pytest.approx(case["exact"], rel=1e-10)
    assert result.with_null(0.0, "greater").pvalue == pytest.approx(case["exact_greater"], rel=1e-10)
    assert result.with_null(0.0, "less").pvalue == pytest.approx(case["exact_less"], rel=1e-10)
    assert result.with_null(0.7, "greater").pvalue == pytest.approx(case["exact_greater_07"], rel=1e-10)
    high = math.inf if case["high"] is None else case["high"]
    assert list(result.odds_ratio(0.95)) == pytest.approx([case["low"], high], rel=1e-9)


@pytest.mark.parametrize("case", cases("mcnemar"))
def test_mid_p_counts_half_of_what_was_observed(case):
    result = mcnemar_test(pairs_of(case), method="mid-p", alternative="greater")
    assert result.pvalue == pytest.approx(case["mid_greater"], rel=1e-10)


@pytest.mark.parametrize("case", cases("paired_score"))
def test_score_statistics_are_those_at_the_maximum_of_the_likelihood(case):
    result = mcnemar_test(pairs_of(case))
    for null, z in case["difference"].items():
        assert result.with_null(float(null)).statistic == pytest.approx(float(z), rel=1e-11, abs=1e-20)
    for share, z in case.get("ratio", {}).items():
        assert result.with_null(relative(float(share))).statistic == pytest.approx(float(z), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("case", [case for case in cases("paired_score") if "mid_low" in case])
def test_mid_p_limits_are_those_of_the_sum_of_probabilities(case):
    result = mcnemar_test(pairs_of(case), method="mid-p")
    ends = [float(case["mid_low"]), float(case["mid_high"])]
    assert list(result.interval(0.95)) == pytest.approx(ends, rel=1e-11)


# Fagerland, Lydersen and Laake 2014, Statistics in Medicine 33(16), as R's packages ratesci (rdpairci, orpairci) and
# contingencytables print them: both, control only, treatment only, neither
@pytest.mark.parametrize(
    ("cells", "difference", "ratio"),
    [
        ((1, 7, 1, 12), (-0.5172, -0.0260), (0.0653, 0.9069)),
        ((59, 16, 6, 80), (-0.1240, -0.0054), (0.7476, 0.9876)),
    ],
)
def test_the_published_intervals_of_tango_and_of_tang(cells, difference, ratio):
    result = mcnemar_test(PairedCounts(*cells))
    assert list(result.interval(0.95)) == pytest.approx(difference, abs=0.00005)
    assert [1 + end for end in result.relative(0.95)] == pytest.approx(ratio, abs=0.00005)


def test_the_published_mid_p():
    result = mcnemar_test(PairedCounts(1, 7, 1, 12), method="mid-p")
    assert list(result.odds_ratio(0.95)) == pytest.approx([0.00629101, 0.9241027], rel=1e-6)
    assert mcnemar_test(PairedCounts(59, 16, 6, 80), method="mid-p").pvalue == pytest.approx(0.034690, abs=5e-7)


@given(paired_counts(), ALTERNATIVES, LEVELS, st.integers(-12, 12), st.sampled_from(METHODS))
def test_pairs_of_any_number_agree_with_their_interval(pairs, alternative, level, quarters, method):
    whole = mcnemar_test(pairs, method=method)
    assume(whole.reason is None and math.isfinite(whole.estimate))
    null = whole.estimate + quarters / 4 * (whole.stderr if 0 < whole.stderr < math.inf else 0.01)
    assume(method != "score" or -1 < null < 1)
    result = whole.with_null(null, alternative)
    assume(abs(result.pvalue - (1 - level)) > 1e-9)
    assert result.interval(level).contains(null) == (result.pvalue >= 1 - level)
    json.dumps(result.to_dict(), allow_nan=False)


@given(paired_counts(), ALTERNATIVES, LEVELS, st.sampled_from([-1.5, -1.0, -0.9, -0.01, 0.0, 1e-6, 0.3, 40.0]))
def test_pairs_of_any_number_agree_with_their_relative_interval(pairs, alternative, level, share):
    result = mcnemar_test(pairs, alternative=alternative, null=relative(share))
    assume(abs(result.pvalue - (1 - level)) > 1e-9)
    assert result.relative(level).contains(share) == (result.pvalue >= 1 - level)


@given(paired_counts(), st.sampled_from(METHODS), ALTERNATIVES)
def test_swapping_the_sides_mirrors_the_answer(pairs, method, alternative):
    turned = PairedCounts(pairs.both, pairs.treatment_only, pairs.control_only, pairs.neither)
    mirrored = {"two-sided": "two-sided", "greater": "less", "less": "greater"}[alternative]
    a = mcnemar_test(pairs, method=method, alternative=alternative)
    b = mcnemar_test(turned, method=method, alternative=mirrored)
    assume(a.reason is None)
    assert (b.estimate, b.stderr, b.statistic, b.pvalue) == (-a.estimate, a.stderr, -a.statistic, a.pvalue)
    assert list(b.interval(0.9)) == [-end for end in reversed(list(a.interval(0.9)))]


@given(st.lists(st.tuples(st.sampled_from([0, 1]), st.sampled_from([0, 1])), min_size=1, max_size=30))
def test_samples_and_their_pairs_agree(rows):
    control, treatment = (list(side) for side in zip(*rows, strict=True))
    of_rows, of_pairs = mcnemar_test(control, treatment), mcnemar_test(PairedCounts.from_sample(control, treatment))
    assert of_rows == of_pairs
    assert of_rows.control == pytest.approx(sum(control) / len(rows), rel=1e-15)


def test_named_relative_methods_take_the_covariance_of_the_pairs():
    result = mcnemar_test(PairedCounts(9_000_000, 200_000, 230_000, 5_000_000))
    for method in ("fieller", "delta", "log"):
        assert list(result.relative(0.95, method)) == pytest.approx(list(result.relative(0.95)), rel=1e-3)


def test_pairs_that_agree_are_worth_more_than_two_variants():
    paired = mcnemar_test(PairedCounts(400, 20, 40, 540))
    apart = proportion_test(Counts(1000, 420), Counts(1000, 440))
    assert paired.estimate == apart.estimate
    assert paired.pvalue < 0.01
    assert apart.pvalue > 0.3


def test_no_discordant_pair_is_no_evidence_for_the_score_and_undefined_for_the_odds():
    score = mcnemar_test(PairedCounts(5, 0, 0, 5))
    assert (score.estimate, score.pvalue) == (0, 1)
    z2 = 1.959963984540054**2
    assert list(score.interval(0.95)) == pytest.approx([-z2 / (10 + z2), z2 / (10 + z2)], rel=1e-12)
    for method in ("exact", "mid-p"):
        result = mcnemar_test(PairedCounts(5, 0, 0, 5), method=method)
        assert result.reason == "no pair is discordant, and only those tell the variants apart"
        assert result.interval(0.9).shape == "whole-line"
        assert result.to_dict()["pvalue"] is None


def test_discordant_pairs_all_on_one_side_have_an_infinite_estimate_and_one_finite_limit():
    result = mcnemar_test(PairedCounts(10, 0, 6, 4), method="exact")
    assert (result.estimate, result.stderr) == (math.inf, math.inf)
    low, high = result.odds_ratio(0.95)
    assert high == math.inf
    assert (low / (1 + low)) ** 6 == pytest.approx(0.025, rel=1e-12)
    assert result.to_dict()["estimate"] is None


@pytest.mark.parametrize("level", [0.1, 0.3, 0.5, 0.7])
@pytest.mark.parametrize("cells", [(3, 0, 6, 1), (3, 6, 0, 1), (3, 2, 3, 1)])
@pytest.mark.parametrize("alternative", ["greater", "less"])
def test_mid_p_limits_of_low_levels_touch_their_null(cells, level, alternative):
    result = mcnemar_test(PairedCounts(*cells), method="mid-p", alternative=alternative)
    low, high = result.interval(level)
    end = low if alternative == "greater" else high
    if math.isfinite(end):
        assert result.with_null(end).pvalue == pytest.approx(1 - level, rel=1e-9)
    else:
        assert result.with_null(0.0).pvalue != pytest.approx(1 - level)


def test_far_tails_keep_their_digits():
    result = mcnemar_test(PairedCounts(0, 0, 900, 0), method="exact", alternative="greater")
    assert result.pvalue == pytest.approx(2.0**-900, rel=1e-12)
    assert mcnemar_test(PairedCounts(0, 0, 900, 0), alternative="greater").pvalue == pytest.approx(
        math.erfc(30 / math.sqrt(2)) / 2, rel=1e-10
    )


@pytest.mark.parametrize("method", ["exact", "mid-p"])
def test_limits_of_very_unequal_pairs_touch_their_null(method):
    # scipy.special.betaincinv(1000, 50516916503, 0.8) is off by a factor of 70 (SciPy 1.17)
    result = mcnemar_test(PairedCounts(2, 50516916502, 1000, 2), method=method, alternative="greater")
    assert result.with_null(result.interval(0.2).low).pvalue == pytest.approx(0.8, rel=1e-9)


def test_billions_of_pairs_are_as_quick_as_ten():
    result = mcnemar_test(PairedCounts(10**12, 10**9, 10**9 + 10**5, 10**12), method="mid-p")
    assert list(result.interval(0.95)) == pytest.approx(
        [result.estimate - 1.959963985 * result.stderr, result.estimate + 1.959963985 * result.stderr], rel=1e-4
    )


@pytest.mark.parametrize(("method", "fewest"), [("score", 4), ("mid-p", 10)])
def test_few_discordant_pairs_are_warned_of_and_the_exact_test_is_named(method, fewest):
    with pytest.warns(AccuracyWarning, match="Use method 'exact'"):
        result = mcnemar_test(PairedCounts(50, 2, fewest - 3, 50), method=method)
    assert f"only {fewest - 1} pair(s) are discordant" in result.caution
    assert mcnemar_test(PairedCounts(50, 2, fewest - 2, 50), method=method).caution is None
    assert mcnemar_test(PairedCounts(50, 1, 1, 50), method="exact").caution is None


PAIRS = PairedCounts(5, 3, 4, 2)
REFUSED = [
    ((PAIRS, [0, 1]), {}, TypeError, "`treatment` must be left out where `control` is PairedCounts"),
    (([0, 1],), {}, TypeError, "and given where it is not; got None."),
    ((Counts(5, 1), Counts(5, 2)), {}, TypeError, "`control` must hold numbers"),
    (([0, 1, 1], [0, 1]), {}, ValueError, "`treatment` must be as long as `control`; got 2 and 3."),
    (([0, 2], [0, 1]), {}, ValueError, "`control` must be 0 or 1; got 2."),
    (([0, 1], [0, 0.5]), {}, ValueError, "`treatment` must be 0 or 1; got 0.5."),
    (([0, 1], [0, math.nan]), {}, ValueError, "`treatment` must be finite"),
    (([], []), {}, ValueError, "`control` must have at least 1 pair; got 0."),
    ((PairedCounts([1], [1], [1], [1]),), {}, ValueError, "`control` must describe one group; got statistics of many."),
    ((PAIRS,), {"method": "wald"}, ValueError, "`method` must be one of 'score', 'exact', 'mid-p'; got 'wald'."),
    ((PAIRS,), {"null": 1.0}, ValueError, "`null` must be between -1 and 1; got 1."),
    ((PAIRS,), {"null": math.inf}, ValueError, "`null` must be finite"),
    ((PAIRS,), {"alternative": "two.sided"}, ValueError, "`alternative` must be one of"),
    ((PAIRS,), {"null": relative(0.1), "method": "exact"}, ValueError, "`null` must be a number; a log odds ratio"),
]


@pytest.mark.parametrize(("arms", "options", "error", "message"), REFUSED)
def test_what_cannot_be_tested_is_refused(arms, options, error, message):
    with pytest.raises(error, match=re.escape(message)):
        mcnemar_test(*arms, **options)


def test_scales_without_an_answer_say_so():
    assert mcnemar_test(PAIRS).odds_ratio(0.95).shape == "none"
    assert mcnemar_test(PAIRS, method="exact").relative(0.95).shape == "none"


def test_booleans_of_numpy_are_outcomes():
    control, treatment = np.array([True, False, True, False]), np.array([True, True, True, True])
    assert mcnemar_test(control, treatment) == mcnemar_test(PairedCounts(2, 0, 2, 0))
