"""The normal mixture: one function under the names of four papers, closed forms, and the guard."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import abkit as ab
from abkit.sequential import _mixture
from tests.golden.read import cases

NORMAL = cases("mixture_sequences", "normal")
ALTERNATIVES = ["two-sided", "greater", "less"]
ALPHAS = st.sampled_from([1e-6, 0.01, 0.05, 0.5])


def pairs(case):
    """Statistics of n pairs whose difference has this variance."""
    n, m2 = case["pairs"], (case["pairs"] - 1) * case["variance"] / 2
    return ab.Moments(n, 0.0, m2), ab.Moments(n, case["difference"], m2)


@pytest.mark.parametrize("case", NORMAL)
def test_msprt_gavi_the_mixture_and_the_asymptotic_sequence_are_one_thing(case):
    n, v, tau, alpha = (case[key] for key in ("pairs", "variance", "tau", "alpha"))
    stderr, x = math.sqrt(v / n), n * tau**2 / v
    assert float(_mixture.log_evalue(case["difference"] / stderr, x)) == pytest.approx(
        float(case["log_evalue"]), rel=1e-13
    )
    assert stderr * float(_mixture.multiplier(x, alpha)) == pytest.approx(float(case["radius"]), rel=1e-13)
    msprt = ab.msprt_test(*pairs(case), tau=tau, alpha=alpha)
    known = ab.msprt_test(*pairs(case), tau=tau, alpha=alpha, variance=v / 2)
    # the number for which rho = v / tau^2 is the tuning constant, of both variants together
    at = 2 * v / tau**2 / (_mixture.tuning(1.0, alpha, 2))
    asymptotic = ab.confidence_sequence(*pairs(case), method="asymptotic", alpha=alpha, tune_at=at)
    mixture = ab.confidence_sequence(*pairs(case), alpha=alpha, tune_at=at, variance=v / 2)
    triple = ab.asymptotic_sequence(case["difference"], stderr, 2 * n, alpha=alpha, tune_at=at)
    for sequence in (msprt, known, asymptotic, mixture, triple):
        assert sequence.log_evalue(0.0)[0] == pytest.approx(float(case["log_evalue"]), rel=1e-13, abs=1e-13)
        assert (sequence.high - sequence.low)[0] / 2 == pytest.approx(float(case["radius"]), rel=1e-13)


@pytest.mark.parametrize("case", NORMAL)
def test_one_sided_forms_are_the_half_normal_mixture(case):
    greater = ab.msprt_test(*pairs(case), tau=case["tau"], alpha=case["alpha"], alternative="greater")
    assert greater.log_evalue(0.0)[0] == pytest.approx(float(case["log_evalue_greater"]), rel=1e-12, abs=1e-12)
    assert greater.low[0] == pytest.approx(float(case["low_greater"]), rel=1e-11)
    assert greater.high[0] == math.inf
    twice = ab.msprt_test(*pairs(case), tau=case["tau"], alpha=min(2 * case["alpha"], 0.999))
    assert greater.low[0] < twice.low[0]


@pytest.mark.parametrize("case", cases("mixture_sequences", "multipliers"))
def test_the_tuning_is_exact(case):
    rho = _mixture.tuning(1000.0, case["alpha"], 2)
    assert rho == pytest.approx(float(case["rho"]), rel=1e-13)
    multiplier = float(_mixture.multiplier(1000 * case["times"] / rho, case["alpha"]))
    assert multiplier == pytest.approx(float(case["multiplier"]), rel=1e-13)


def test_published_multipliers():
    widths = {0.1: 3.82, 0.25: 3.25, 1: 3.035, 4: 3.13, 10: 3.25, 200: 3.66}
    for times, width in widths.items():
        sequence = ab.asymptotic_sequence(0.0, 1.0, round(1000 * times), tune_at=1000)
        assert sequence.high[0] == pytest.approx(width, abs=0.006)
    assert 1 / _mixture.tuning(1.0, 0.05, 2) == pytest.approx(8.212, abs=5e-4)


@given(
    st.lists(st.floats(-50, 50), min_size=2, max_size=40),
    st.sampled_from(ALTERNATIVES),
    ALPHAS,
    st.floats(-60, 60),
    st.booleans(),
)
def test_the_interval_leaves_out_a_null_exactly_when_its_p_value_is_below_alpha(x, alternative, alpha, null, known):
    options = {"variance": 9.0} if known else {"method": "asymptotic"}
    sequence = ab.confidence_sequence(x, alpha=alpha, alternative=alternative, tune_at=20, **options)
    log_p = sequence.log_pvalue(null, running=False)
    out = (null < sequence.low) | (null > sequence.high)
    near = np.abs(log_p - math.log(alpha)) < 1e-9
    assert np.all((out == (log_p < math.log(alpha))) | near)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60), st.sampled_from(ALTERNATIVES))
def test_rows_and_cumulative_statistics_say_the_same(x, alternative):
    looks = sorted({1, len(x), (len(x) + 1) // 2})
    rows = ab.confidence_sequence(x, method="asymptotic", alternative=alternative, looks=looks)
    each = [ab.Moments.from_sample(x[:k]) for k in looks]
    both = ab.Moments([m.n for m in each], [m.mean for m in each], [m.m2 for m in each])
    batches = ab.confidence_sequence(both, method="asymptotic", alternative=alternative)
    scale = max(map(abs, x)) or 1.0
    for ours, theirs in ((rows.low, batches.low), (rows.high, batches.high), (rows.estimate, batches.estimate)):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9 * scale)


@given(st.lists(st.tuples(st.floats(-9, 9), st.integers(0, 1)), min_size=3, max_size=50), st.sampled_from(ALTERNATIVES))
def test_swapping_the_variants_mirrors(rows, alternative):
    x, assigned = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    mirror = {"two-sided": "two-sided", "greater": "less", "less": "greater"}[alternative]
    one = ab.confidence_sequence(x, method="asymptotic", assigned=assigned, alternative=alternative)
    other = ab.confidence_sequence(x, method="asymptotic", assigned=1 - assigned, alternative=mirror)
    np.testing.assert_allclose(one.low, -other.high, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(one.log_evalue(0.5), other.log_evalue(-0.5), rtol=1e-12, atol=1e-12)
    low, high = one.running
    assert np.all(low[1:] >= low[:-1])
    assert np.all(high[1:] <= high[:-1])


def test_what_comes_later_changes_nothing_that_was_said():
    x = np.random.default_rng(3).exponential(size=300)
    early, late = (ab.confidence_sequence(x[:k], method="asymptotic") for k in (200, 300))
    np.testing.assert_array_equal(early.low, late.low[:200])


def test_no_spread_is_no_evidence():
    zeros = ab.confidence_sequence([0.1] * 500, method="asymptotic")
    assert np.all(np.isinf(zeros.low) & np.isinf(zeros.high))
    assert zeros.pvalue(5.0) == 1.0
    # a treatment without an event yet
    few = ab.confidence_sequence(ab.Counts([950, 9500], [9, 95]), ab.Counts([50, 500], [0, 0]), method="asymptotic")
    assert np.all(np.isinf(few.low))
    assert few.pvalue(0.0) == 1.0


@pytest.mark.parametrize("alternative", ALTERNATIVES)
@pytest.mark.parametrize("alpha", [1e-300, 1e-6, 0.05, 0.5, 0.999])
def test_extremes(alternative, alpha):
    sequence = ab.confidence_sequence(
        ab.Moments(1000, 1.0, 1e-3), method="asymptotic", alpha=alpha, alternative=alternative
    )
    far = sequence.log_pvalue(-1e9 if alternative != "less" else 1e9)[-1]
    assert far < -1e6
    assert np.isfinite(far)
    empty = ab.confidence_sequence(ab.Moments(0, 0.0, 0.0), variance=1.0, alpha=alpha, alternative=alternative)
    assert (empty.low[0], empty.high[0]) == (-math.inf, math.inf)
    assert empty.to_dict()["estimate"] == [None]
    ab.msprt_test(
        ab.Moments(10, 0.0, 1e-200), ab.Moments(10, 1e-100, 1e-200), tau=1e150, alpha=alpha, alternative=alternative
    )


def test_p_values_below_the_smallest_number_keep_their_logarithm():
    sequence = ab.asymptotic_sequence(1.0, 0.01, 10_000)
    assert sequence.log_pvalue(0.0)[0] == pytest.approx(-4450, rel=0.01)
    assert sequence.pvalue(0.0) == 0.0


def test_a_known_variance_is_exact_and_its_clock_is_the_information():
    control, treatment = ab.Moments([90, 900], [0.0, 0.0], [0.0, 0.0]), ab.Moments([10, 100], [1.0, 1.0], [0.0, 0.0])
    sequence = ab.confidence_sequence(control, treatment, variance=(2.0, 3.0), tune_at=1000)
    stderr = np.sqrt(2 / np.array([90, 900]) + 3 / np.array([10, 100]))
    tuned = 2 * (2 + 3) / 1000  # of the difference of 500 and 500
    x = tuned / stderr**2 * 1000 / _mixture.tuning(1000, 0.05, 2)
    np.testing.assert_allclose(sequence.high, 1 + stderr * _mixture.multiplier(x, 0.05), rtol=1e-14)
    assert sequence.validity == "exact"
    assert ab.confidence_sequence(ab.Moments(500, 0.1, 400.0)).validity == "asymptotic"


def test_the_guard_names_what_is_small_and_where_it_is_over():
    canary = ab.Counts([1900, 95_000], [19, 950]), ab.Counts([100, 5000], [1, 50])
    with pytest.warns(ab.AccuracyWarning, match="1 units with an event"):
        sequence = ab.confidence_sequence(*canary, method="asymptotic")
    assert "100,000" in sequence.caution
    skewed = np.exp(2 * np.random.default_rng(1).normal(size=2000))
    with pytest.warns(ab.AccuracyWarning, match="skewed"):
        assert ab.confidence_sequence(skewed, skewed[:300], method="asymptotic").caution
    with pytest.warns(ab.AccuracyWarning, match="units"):
        assert ab.confidence_sequence(np.arange(50.0), method="asymptotic").caution
    # zeros and ones show themselves in their moments
    with pytest.warns(ab.AccuracyWarning, match="event"):
        assert ab.confidence_sequence(ab.Counts(1000, 3).moments(), method="asymptotic").caution
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fine = ab.Counts([10_000, 20_000], [1000, 2000])
        assert ab.confidence_sequence(fine, fine, method="asymptotic").caution is None
        assert ab.confidence_sequence(np.arange(50.0), variance=1.0).caution is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0], [0.0], [5]), "`stderr` must be greater than 0"),
        (([1.0, 2.0], [1.0, 1.0], [5, 4]), "`n` must be cumulative"),
        (([1.0, 2.0], [1.0], [5]), "`n` must be at least 1, one number for each"),
        (([1.0], [1.0], [0]), "`n` must be at least 1"),
        (([math.nan], [1.0], [5]), "`estimate` must be finite"),
    ],
)
def test_a_triple_that_cannot_be_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        ab.asymptotic_sequence(*arguments)


@pytest.mark.parametrize("tau", [0.0, -1.0, math.inf, math.nan])
def test_msprt_refuses_a_tau(tau):
    with pytest.raises(ValueError, match="`tau` must be"):
        ab.msprt_test([1, 2], [3, 4], tau=tau)


def test_other_data_are_refused():
    with pytest.raises(TypeError, match="must be Moments or Counts"):
        ab.confidence_sequence(ab.Events(3, 2.0), method="asymptotic")
    with pytest.raises(TypeError, match="`n` must be whole"):
        ab.asymptotic_sequence(1.0, 1.0, 5.5)
    with pytest.raises(ValueError, match="`variance` must be above 0"):
        ab.confidence_sequence([1.0, 2.0], variance=0.0)
    with pytest.raises(ValueError, match="as many looks"):
        ab.confidence_sequence(ab.Counts([1, 2], [1, 1]), ab.Counts(1, 1), method="asymptotic")
