"""Exact sequences of proportions and rates: the golden integrals, and the properties of any sequence."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import abkit as ab
from tests.golden.read import cases

ALTERNATIVES = ["two-sided", "greater", "less"]
ALPHAS = st.sampled_from([1e-6, 0.01, 0.05, 0.5])


def proportion(data, **options):
    return ab.confidence_sequence(data, method="beta-binomial", **options)


def rate(data, **options):
    return ab.confidence_sequence(data, method="gamma-poisson", **options)


@pytest.mark.parametrize("case", cases("mixture_sequences", "beta"))
def test_golden_proportions(case):
    n, ones, options = case["n"], case["ones"], {"alpha": case["alpha"], "tune_at": case["tune_at"]}
    sequence, mirror = proportion(ab.Counts(n, ones), **options), proportion(ab.Counts(n, n - ones), **options)
    assert sequence.log_evalue(0.3)[0] == pytest.approx(float(case["log_evalue"]), rel=1e-12)
    assert sequence.low[0] == pytest.approx(float(case["low"]), rel=1e-12)
    assert sequence.high[0] == pytest.approx(float(case["high"]), rel=1e-12)
    assert (1 - mirror.low[0]) == pytest.approx(sequence.high[0], rel=1e-12)
    given_prior = proportion(ab.Counts(n, ones), alpha=case["alpha"], prior=(0.5, 1.5))
    assert given_prior.low[0] == pytest.approx(float(case["low_prior"]), rel=1e-12)
    assert given_prior.high[0] == pytest.approx(float(case["high_prior"]), rel=1e-12)
    if "low_greater" in case:
        greater = proportion(ab.Counts(n, ones), alternative="greater", **options)
        less = proportion(ab.Counts(n, n - ones), alternative="less", **options)
        assert greater.low[0] == pytest.approx(float(case["low_greater"]), rel=1e-10)
        assert less.high[0] == pytest.approx(1 - float(case["low_greater"]), rel=1e-10)


@pytest.mark.parametrize("case", cases("mixture_sequences", "gamma"))
def test_golden_rates(case):
    y, options = case["events"], {"alpha": case["alpha"], "tune_at": case["tune_at"]}
    sequence = rate(ab.Events(y, 2.0), **options)
    assert sequence.log_evalue(5.0)[0] == pytest.approx(float(case["log_evalue"]), rel=1e-12)
    assert 2 * sequence.high[0] == pytest.approx(float(case["high"]), rel=1e-12)
    if "low" in case:
        assert 2 * sequence.low[0] == pytest.approx(float(case["low"]), rel=1e-12)
        for alternative, end in (("greater", "low"), ("less", "high")):
            one_sided = rate(ab.Events(y, 2.0), alternative=alternative, **options)
            expected = 2 * getattr(one_sided, end)[0]
            assert expected == pytest.approx(float(case[f"{end}_{alternative}"]), rel=1e-10)


@given(
    st.lists(st.integers(0, 1), min_size=1, max_size=60), st.sampled_from(ALTERNATIVES), ALPHAS, st.floats(0.001, 0.999)
)
def test_a_proportion_is_left_out_exactly_when_its_p_value_is_below_alpha(x, alternative, alpha, null):
    sequence = proportion(x, alpha=alpha, alternative=alternative, tune_at=30)
    _agrees(sequence, null, alpha)
    low, high = sequence.running
    assert np.all(low[1:] >= low[:-1])
    assert np.all(high[1:] <= high[:-1])
    flipped = {"two-sided": "two-sided", "greater": "less", "less": "greater"}[alternative]
    mirror = proportion([1 - value for value in x], alpha=alpha, alternative=flipped, tune_at=30)
    np.testing.assert_allclose(1 - mirror.high, sequence.low, rtol=1e-9, atol=1e-12)
    ones = np.cumsum(x)
    batches = proportion(ab.Counts(np.arange(1, len(x) + 1), ones), alpha=alpha, alternative=alternative, tune_at=30)
    np.testing.assert_array_equal(batches.low, sequence.low)


@given(
    st.lists(st.integers(0, 40), min_size=1, max_size=30), st.sampled_from(ALTERNATIVES), ALPHAS, st.floats(0.01, 60)
)
def test_a_rate_is_left_out_exactly_when_its_p_value_is_below_alpha(x, alternative, alpha, null):
    sequence = rate(x, alpha=alpha, alternative=alternative)
    _agrees(sequence, null, alpha)
    exposure = np.arange(1.0, len(x) + 1)
    hours = rate(ab.Events(np.cumsum(x), 24 * exposure), alpha=alpha, alternative=alternative)
    np.testing.assert_allclose(24 * hours.low, sequence.low, rtol=1e-12)
    np.testing.assert_allclose(24 * hours.high, sequence.high, rtol=1e-12)


def _agrees(sequence, null, alpha):
    log_p = sequence.log_pvalue(null, running=False)
    out = (null < sequence.low) | (null > sequence.high)
    assert np.all((out == (log_p < math.log(alpha))) | (np.abs(log_p - math.log(alpha)) < 1e-9))


def test_an_e_value_is_one_on_average_under_the_null():
    """The sum over all outcomes of n observations, to the last digits."""
    from scipy.stats import binom, poisson

    ones, events, p = np.arange(26), np.arange(400), 0.3
    for alternative in ALTERNATIVES:
        evalues = [proportion(ab.Counts(25, int(k)), tune_at=9, alternative=alternative).log_evalue(p)[0] for k in ones]
        assert np.exp(binom.logpmf(ones, 25, p) + evalues).sum() == pytest.approx(1, abs=1e-12)
        evalues = rate(ab.Events(events, np.full(400, 4.0)), alternative=alternative).log_evalue(5.0)
        assert np.exp(poisson.logpmf(events, 20.0) + evalues).sum() == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("alternative", ALTERNATIVES)
@pytest.mark.parametrize("alpha", [1e-300, 1e-6, 0.5, 0.999])
def test_extremes(alternative, alpha):
    for n, ones in ((0, 0), (1, 0), (1, 1), (10**6, 0), (10**6, 10**6), (2**53, 2**52), (10**9, 3)):
        sequence = proportion(ab.Counts(n, ones), alpha=alpha, alternative=alternative)
        _sane(sequence, ones / n if n else None)
    for y, exposure in ((0, 0.0), (0, 1e-300), (1, 1e300), (10**9, 1.0), (2**53, 1e-5)):
        _sane(rate(ab.Events(y, exposure), alpha=alpha, alternative=alternative), y / exposure if exposure else None)


def _sane(sequence, estimate):
    low, high = sequence.low[0], sequence.high[0]
    assert low <= high
    if estimate is not None:
        assert low <= estimate <= high
    sequence.to_dict()
    assert not np.isnan(sequence.log_pvalue(0.5)[0])


def test_small_counts():
    none = proportion(ab.Counts(1000, 0), tune_at=100)
    assert none.low[0] == 0.0
    assert 0.003 < none.high[0] < 0.02
    assert rate(ab.Events(0, 1.0)).high[0] < 8
    assert rate(ab.Events(0, 1.0)).low[0] == 0.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: proportion([0, 2]), "`data` must be 0 or 1"),
        (lambda: proportion([]), "at least one observation"),
        (lambda: proportion(ab.Counts([2, 1], [0, 0])), "must be cumulative"),
        (lambda: proportion(ab.Counts([5, 6], [4, 3])), "must be cumulative"),
        (lambda: proportion(ab.Counts(5, 4), looks=[5]), "`looks` must be left out"),
        (lambda: proportion([0, 1], prior=(1, 0)), "`prior` must be"),
        (lambda: proportion([0, 1], prior=(1, 1), tune_at=9), "`prior` must be left out"),
        (lambda: proportion([0, 1], prior=(1, 1), alternative="less"), "`prior` must be left out"),
        (lambda: proportion([0, 1]).pvalue(1.5), "`null` must be a proportion"),
        (lambda: rate([1.5]), "whole numbers of events"),
        (lambda: rate([1, 2]).pvalue(-1.0), "`null` must be at least 0"),
        (lambda: rate(ab.Events([3, 4], [2.0, 1.0])), "exposures that fall"),
        (lambda: proportion([0, 1], tune_at=0), "`tune_at` must be"),
    ],
)
def test_what_cannot_be_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_other_statistics_are_refused():
    with pytest.raises(TypeError, match="must be Counts"):
        proportion(ab.Moments(3, 0.5, 0.2))
    with pytest.raises(TypeError, match="must be Events"):
        rate(ab.Counts(3, 1))
