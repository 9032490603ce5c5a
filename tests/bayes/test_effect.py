"""Posterior effects are held to the laws of tests: one posterior answers every null, level and side."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from abkit import Counts, Events, Moments, NoInterval, evidence, relative
from abkit._sets import Level
from abkit.bayes import BetaPrior, NormalPrior, StudentPrior, compare

MIRRORED = {"two-sided": "two-sided", "greater": "less", "less": "greater"}


@st.composite
def counts(draw):
    n = draw(st.sampled_from([0, 1, 2, 5, 40, 3000, 10**6]))
    return Counts(n, round(n * draw(st.sampled_from([0.0, 0.01, 0.1, 0.5, 1.0]))))


@st.composite
def moments(draw):
    n = draw(st.sampled_from([2, 3, 10, 500, 10**6]))
    return Moments(n, draw(st.integers(-800, 800)) / 100, draw(st.sampled_from([0.01, 1.0, 25.0])) * n)


@st.composite
def events(draw):
    return Events(draw(st.sampled_from([0, 1, 4, 60, 10**5])), draw(st.sampled_from([1e-3, 0.7, 50.0])))


@st.composite
def pairs(draw):
    """Two variants, and what else `compare` is told."""
    kind = draw(st.sampled_from([counts(), moments(), events()]))
    control, treatment = draw(kind), draw(kind)
    scales = {
        "Counts": ["difference", "log odds ratio", "relative"],
        "Moments": ["difference"],
        "Events": ["log ratio", "difference"],
    }
    keywords = {"scale": draw(st.sampled_from(scales[type(control).__name__]))}
    if isinstance(control, Counts) and draw(st.booleans()):
        keywords["prior"] = BetaPrior(0.5, 3.0)
    if isinstance(control, Moments):
        keywords["prior"] = draw(st.sampled_from([None, NormalPrior(sd=0.5), StudentPrior(df=3, scale=0.5)]))
    return control, treatment, keywords


def result_of(drawn, alternative="two-sided"):
    control, treatment, keywords = drawn
    return compare(control, treatment, alternative=alternative, **keywords).test()


def same(a, b, digits=1e-7):
    return a == b or abs(a - b) <= digits * max(abs(a), abs(b))


QUICK = settings(max_examples=15, deadline=None)
ALTERNATIVES = st.sampled_from(["two-sided", "greater", "less"])


@QUICK
@given(drawn=pairs(), steps=st.integers(-12, 12), alternative=ALTERNATIVES)
def test_the_interval_touches_the_null_at_level_one_minus_p(drawn, steps, alternative):
    result = result_of(drawn)
    effect, null = result.effect, result.estimate + steps / 4 * result.stderr
    assume(math.isfinite(null))
    p = effect.pvalue(null, alternative)
    assume(1e-9 < p < 1 - 1e-6)
    region = effect.interval(Level(p), alternative)
    assert min(abs(region.low - null), abs(region.high - null)) <= 1e-6 * result.stderr
    assert effect.interval(Level(p * (1 - 1e-4)), alternative).contains(null)
    assert not effect.interval(Level(p * (1 + 1e-4)), alternative).contains(null)


@QUICK
@given(drawn=pairs(), share=st.sampled_from([-0.5, -0.1, 0.0, 0.02, 0.4, 1.5]), alternative=ALTERNATIVES)
def test_the_relative_interval_touches_the_share_at_level_one_minus_p(drawn, share, alternative):
    effect = result_of(drawn).effect
    assume(effect.share is not None)
    p = effect.pvalue(relative(share), alternative)
    assume(1e-9 < p < 1 - 1e-6)
    assert effect.relative(Level(p * (1 - 1e-4)), alternative, None).contains(share)
    assert not effect.relative(Level(p * (1 + 1e-4)), alternative, None).contains(share)


@QUICK
@given(drawn=pairs(), null=st.sampled_from([0.0, 0.01, -0.3]), alternative=ALTERNATIVES)
def test_swapped_variants_mirror_the_effect(drawn, null, alternative):
    control, treatment, keywords = drawn
    assume(keywords["scale"] != "relative")
    one, other = result_of(drawn), compare(treatment, control, **keywords).test()
    assert same(other.estimate, -one.estimate) or abs(one.estimate) < 1e-12
    assert same(other.stderr, one.stderr)
    assert same(other.effect.pvalue(-null, MIRRORED[alternative]), one.effect.pvalue(null, alternative))
    low, high = one.effect.interval(0.9, alternative)
    mirrored = other.effect.interval(0.9, MIRRORED[alternative])
    for end, mirror in ((low, mirrored.high), (high, mirrored.low)):
        assert end == -mirror or abs(end + mirror) <= 1e-7 * one.stderr


@QUICK
@given(drawn=pairs(), null=st.sampled_from([0.0, 0.01, -0.3]))
def test_two_sides_add_up_and_the_statistic_is_their_deviate(drawn, null):
    result = result_of(drawn).with_null(null)
    two, greater, less = (result.with_null(null, side).pvalue for side in ("two-sided", "greater", "less"))
    assert greater + less == pytest.approx(1)
    assert two == min(1, 2 * min(greater, less))
    if min(greater, less) > 1e-280:
        assert stats.norm.sf(abs(result.statistic)) == pytest.approx(min(greater, less), rel=1e-9)
    assert greater == less or (result.statistic > 0) == (greater < less)


@QUICK
@given(drawn=pairs(), alternative=ALTERNATIVES)
def test_absolute_and_relative_answers_agree_at_zero_and_intervals_are_nested(drawn, alternative):
    effect = result_of(drawn).effect
    narrow, wide = (effect.interval(level, alternative) for level in (0.8, 0.95))
    assert wide.low <= narrow.low
    assert narrow.high <= wide.high
    assume(effect.share is not None)
    assert same(effect.pvalue(relative(0.0), alternative), effect.pvalue(0.0, alternative))


def test_levels_as_near_one_as_they_come():
    effect = compare(Counts(1000, 100), Counts(1000, 130)).effect
    for error in (1e-20, 1e-100, 1e-290):
        low, high = effect.interval(Level(error), "two-sided")
        assert -1 < low < high < 1
        assert effect.pvalue(low, "greater") == pytest.approx(error / 2, rel=1e-6)
        assert effect.pvalue(high, "less") == pytest.approx(error / 2, rel=1e-6)


def test_an_undefined_effect_has_a_reason_and_no_interval():
    effect = compare(Moments(1, 3.0, 0.0), Moments(9, 3.0, 4.0)).effect
    result = evidence.tested("Student", effect, "two-sided", 0.0, None)
    assert "fewer than 2 units" in result.reason
    assert math.isnan(result.estimate)
    assert isinstance(effect.interval(0.9, "two-sided"), NoInterval)
    assert isinstance(effect.relative(0.9, "two-sided", None), NoInterval)


def test_what_an_effect_has_not_is_said():
    effect = compare(Counts(1000, 100), Counts(1000, 130)).effect
    assert effect.validity == "posterior"
    assert "by the method 'fieller'" in effect.relative(0.9, "two-sided", "fieller").reason
    assert "no odds ratio" in effect.odds_ratio(0.9, "two-sided").reason
    odds = compare(Counts(1000, 100), Counts(1000, 130), scale="log odds ratio", prior=NormalPrior(sd=1.0)).effect
    with pytest.raises(ValueError, match="`null` must be a number"):
        odds.pvalue(relative(0.1), "greater")
    low, high = odds.odds_ratio(0.9, "two-sided")
    assert 1 < low < high < 2
