"""Heterogeneity and shrinkage against metafor and published tables; Simpson's reversals against published ones."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abkit import (
    Counts,
    Moments,
    heterogeneity_test,
    mann_whitney_test,
    proportion_test,
    shrink,
    simpson_reversals,
    welch_test,
)
from abkit.evidence import run_test
from abkit.inference._mean_effect import MeanEffect
from tests.golden.read import cases

EFFECTS = st.lists(st.tuples(st.integers(-40, 40), st.integers(1, 80)), min_size=1, max_size=8)
CONSTANT = welch_test([1, 1], [1, 1])
METHODS = ["reml", "dl", "pm"]


def given_effect(estimate, stderr):
    return run_test("given", MeanEffect(0.0, estimate, 0.0, stderr * stderr, 0.0, math.inf), "two-sided", 0.0)


def given_effects(estimates, stderrs):
    return [given_effect(float(y), float(s)) for y, s in zip(estimates, stderrs, strict=True)]


@pytest.mark.parametrize("case", cases("heterogeneity"), ids=lambda case: f"{case['name']}, {case['method']}")
def test_heterogeneity_is_that_of_metafor(case):
    result = heterogeneity_test(given_effects(case["y"], np.sqrt(case["v"])), method=case["method"])
    assert result.statistic == pytest.approx(case["q"], rel=1e-12, abs=1e-12)
    assert result.pvalue == pytest.approx(case["pvalue"], rel=1e-11)
    assert result.tau_squared == pytest.approx(case["tau2"], rel=1e-11, abs=1e-12)
    assert result.i_squared == pytest.approx(case["i2"], rel=1e-11)
    assert [result.estimate, result.stderr] == pytest.approx([case["fixed"], case["stderr"]], rel=1e-12)


def test_the_trials_of_the_bcg_vaccine():
    case = next(case for case in cases("heterogeneity") if case["name"] == "BCG")
    results = given_effects(case["y"], np.sqrt(case["v"]))
    found = {method: heterogeneity_test(results, method=method) for method in METHODS}
    # Viechtbauer 2010, J. Statistical Software 36(3), sec. 3.1: Q(df = 12) = 152.23, I^2 = 92.1 %
    assert (round(found["reml"].statistic, 3), found["reml"].df) == (152.233, 12)
    assert round(found["reml"].i_squared, 3) == 0.921
    assert round(found["dl"].tau_squared, 4) == 0.3088
    assert round(found["reml"].tau_squared, 4) == 0.3132


def test_two_segments_are_the_test_of_interaction():
    first, second = welch_test([1, 2, 3, 5], [2, 4, 5, 9]), welch_test([7, 8, 9, 7], [8, 6, 9, 8])
    result = heterogeneity_test([first, second])
    z = (first.estimate - second.estimate) / math.hypot(first.stderr, second.stderr)
    assert result.statistic == pytest.approx(z * z, rel=1e-12)
    assert result.pvalue == pytest.approx(math.erfc(abs(z) / math.sqrt(2)), rel=1e-12)


@pytest.mark.parametrize("method", METHODS)
@given(EFFECTS, st.integers(-20, 20), st.randoms(use_true_random=False))
def test_nothing_depends_on_order_unit_or_sign(method, effects, exponent, random):
    y, s = np.array(effects, dtype=float).T
    plain = heterogeneity_test(given_effects(y, s), method=method)
    order = list(range(len(y)))
    random.shuffle(order)
    scale = -(2.0**exponent)
    other = heterogeneity_test(given_effects(scale * y[order], -scale * s[order]), method=method)
    if len(y) > 1:
        assert other.statistic == pytest.approx(plain.statistic, rel=1e-9, abs=1e-9)
        assert other.tau_squared == pytest.approx(plain.tau_squared * scale**2, rel=1e-6, abs=1e-6 * scale**2)
        assert other.pvalue == pytest.approx(plain.pvalue, rel=1e-9)
        assert 0 <= plain.i_squared <= 1
        assert plain.tau_squared >= 0
    assert other.estimate == pytest.approx(scale * plain.estimate, rel=1e-9, abs=1e-9 * abs(scale))


def test_one_effect_everywhere_is_no_heterogeneity():
    result = heterogeneity_test(given_effects([2, 2, 2], [1, 2, 3]))
    assert (result.statistic, result.pvalue, result.i_squared, result.tau_squared) == (0, 1, 0, 0)


def test_undefined_segments_are_skipped_and_listed():
    results = [CONSTANT, *given_effects([1, 3], [1, 1]), CONSTANT]
    result = heterogeneity_test(results)
    assert result.skipped == (0, 3)
    assert result.statistic == pytest.approx(2)
    alone = heterogeneity_test([CONSTANT, given_effect(1, 1)])
    assert math.isnan(alone.pvalue)
    assert alone.reason == "fewer than two segments have an estimate with a standard error"
    assert (alone.estimate, alone.stderr) == (1, 1)


@pytest.mark.parametrize("ask", [heterogeneity_test, shrink])
def test_what_cannot_be_compared_is_refused(ask):
    with pytest.raises(ValueError, match=re.escape("`results` must have an estimate with a standard error; got none")):
        ask([CONSTANT])
    with pytest.raises(ValueError, match="got none among 0"):
        ask([])
    with pytest.raises(ValueError, match=r"`results` must be on one scale; got .*difference"):
        ask([given_effect(1, 1), mann_whitney_test([1, 2, 3], [2, 3, 4])])
    with pytest.raises(TypeError, match=re.escape("`results` must hold results of tests; got 0.3.")):
        ask([0.3])


def test_an_unknown_method_is_refused():
    with pytest.raises(ValueError, match="`method` must be one of 'reml', 'dl', 'pm'"):
        heterogeneity_test(given_effects([1, 2], [1, 1]), method="ml")


@pytest.mark.parametrize("method", METHODS)
def test_the_size_is_nominal_with_known_errors(method):
    rng, rounds = np.random.default_rng(2), 1000
    s = np.array([0.5, 1.0, 2.0, 1.0])
    tests = [heterogeneity_test(given_effects(3 + s * rng.standard_normal(4), s), method=method) for _ in range(rounds)]
    rejected = sum(test.pvalue < 0.1 for test in tests) / rounds
    assert rejected == pytest.approx(0.1, abs=4 * math.sqrt(0.09 / rounds))


# shrinkage


def test_batting_averages_are_those_of_efron_and_morris():
    # Efron and Morris 1975, JASA 70(350), table 1: first 45 at bats of 1970, and the estimates of James and Stein
    hits = np.array([18, 17, 16, 15, 14, 14, 13, 12, 11, 11, 10, 10, 10, 10, 10, 9, 8, 7])
    published = [0.290, 0.286, 0.281, 0.277, 0.273, 0.273, 0.268, 0.264, 0.259, 0.259]
    published += [0.254] * 5 + [0.249, 0.244, 0.239]
    root = math.sqrt(45)
    shrunk = shrink(given_effects(root * np.arcsin(2 * hits / 45 - 1), np.ones(18)))
    averages = [(math.sin(effect.estimate / root) + 1) / 2 for effect in shrunk]
    assert averages == pytest.approx(published, abs=6e-4)
    assert round(shrunk[0].shrinkage, 3) == 0.791  # 1 - 0.209, their equation


@pytest.mark.parametrize("case", [c for c in cases("heterogeneity") if c["method"] == "pm" and len(c["y"]) > 3])
def test_shrinkage_is_metafors_but_for_the_factor_of_morris(case):
    y, v, k = np.array(case["y"]), np.array(case["v"]), len(case["y"])
    shrunk = shrink(given_effects(y, np.sqrt(v)))
    # metafor's best linear unbiased prediction takes the variance between as known: its share of the way is larger
    moved = (np.array(case["blup"]) - y) * (k - 3) / (k - 1)
    assert [effect.estimate for effect in shrunk] == pytest.approx(y + moved, rel=1e-9, abs=1e-12)


@given(EFFECTS)
def test_shrunken_effects_lie_between_their_own_and_that_of_all(effects):
    y, s = np.array(effects, dtype=float).T
    results = given_effects(y, s)
    shrunk = shrink([*results, CONSTANT])
    for own, effect in zip(results, shrunk, strict=False):
        assert 0 <= effect.shrinkage < 1
        assert min(y) - 1e-9 <= effect.estimate <= max(y) + 1e-9
        assert 0 < effect.stderr < math.inf
        low, high = effect.interval(0.9)
        assert low < effect.estimate < high
        if len(y) < 4:
            assert (effect.estimate, effect.shrinkage) == (pytest.approx(own.estimate, abs=1e-9), 0)
            assert list(effect.interval(0.9)) == pytest.approx(list(own.interval(0.9)))
    assert math.isfinite(shrunk[-1].estimate)
    assert shrunk[-1].reason
    assert shrunk[-1].interval(0.9).shape == ("bounded" if len(y) > 3 else "whole-line")


@pytest.mark.parametrize("between", [0.0, 0.5, 3.0])
@pytest.mark.parametrize("k", [4, 12])
def test_intervals_cover_on_average(between, k):
    rng, rounds = np.random.default_rng(8), 300
    covered = []
    for _ in range(rounds):
        s, truth = rng.uniform(0.5, 2, k), 1 + between * rng.standard_normal(k)
        shrunk = shrink(given_effects(truth + s * rng.standard_normal(k), s))
        covered += [effect.interval(0.9).contains(t) for effect, t in zip(shrunk, truth, strict=True)]
    assert np.mean(covered) > 0.9 - 4 * math.sqrt(0.09 / len(covered)) - 0.005


# Simpson's reversals

STONES = {"small": ((87, 81), (270, 234)), "large": ((263, 192), (80, 55))}  # Charig et al. 1986, BMJ 292, 879-882


def of_counts(pair):
    return proportion_test(Counts(*pair[0]), Counts(*pair[1]))


def test_kidney_stones_are_a_reversal():
    finding = simpson_reversals(
        of_counts(((350, 273), (350, 289))), {name: of_counts(pair) for name, pair in STONES.items()}
    )
    assert (finding.kind, finding.opposite, finding.share) == ("every", ("small", "large"), 1)
    assert finding.overall > 0 > finding.within
    assert "every segment has the opposite sign" in finding.message


def test_a_majority_of_the_weight_is_a_reversal_where_the_effect_within_is_too():
    overall = given_effect(1, 0.1)
    segments = dict(zip("abc", given_effects([-1, -1, 0.5], [0.1, 0.1, 0.3]), strict=True))
    finding = simpson_reversals(overall, segments)
    assert (finding.kind, finding.opposite) == ("majority", ("a", "b"))
    assert "segments with 95% of the weight" in finding.message
    outweighed = dict(zip("ab", given_effects([-0.1, 5], [1, 1.1]), strict=True))
    assert simpson_reversals(overall, outweighed).kind == "none"  # most of the weight, but not the effect within


@pytest.mark.parametrize("overall", [0.0, 1.0])
def test_agreeing_segments_are_no_reversal(overall):
    finding = simpson_reversals(given_effect(overall, 1), {"a": given_effect(1, 1), "b": given_effect(2, 1)})
    assert finding.kind == "none"
    assert finding.message == "the segments do not contradict the overall effect"


def test_one_segment_with_an_answer_is_no_reversal():
    finding = simpson_reversals(given_effect(1, 1), {"a": given_effect(-1, 1), "b": CONSTANT})
    assert (finding.kind, finding.skipped) == ("none", ("b",))


def test_mirrored_segments_are_mirrored_findings():
    segments = {name: of_counts(pair[::-1]) for name, pair in STONES.items()}
    assert simpson_reversals(of_counts(((350, 289), (350, 273))), segments).kind == "every"


def test_segments_of_moments_at_any_offset():
    segments = {
        name: welch_test(Moments(10, 1e9 + c, 9.0), Moments(10, 1e9 + t, 9.0))
        for name, c, t in [("a", 0, 1), ("b", 5, 6)]
    }
    assert (
        simpson_reversals(welch_test(Moments(20, 1e9 + 4, 99.0), Moments(20, 1e9 + 2, 99.0)), segments).kind == "every"
    )
