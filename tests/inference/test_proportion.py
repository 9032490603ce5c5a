"""Tests of two proportions against R, statsmodels, SciPy, 60-digit arithmetic and published intervals."""

from __future__ import annotations

import json
import math
import re
import warnings

import mpmath as mp
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import binom

from abkit import AccuracyWarning, CoMoments, Counts, Proportion, proportion_test, relative
from abkit.inference._proportion import _FEWEST
from tests.golden.read import cases
from tests.golden.score import difference_statistic

ALTERNATIVES = ["two-sided", "greater", "less"]


def counts(pair):
    successes, n = pair
    return Counts(n, successes)


@pytest.mark.parametrize("case", cases("prop_test"))
def test_at_a_null_of_zero_the_test_is_that_of_r_without_continuity_correction(case):
    result = proportion_test(counts(case["control"]), counts(case["treatment"]), alternative=case["alternative"])
    assert result.statistic**2 == pytest.approx(case["chi_square"], rel=1e-12)
    assert result.pvalue == pytest.approx(case["pvalue"], rel=1e-12)
    z = 1.959963984540054
    wald = [result.estimate - z * result.stderr, result.estimate + z * result.stderr]
    assert wald == pytest.approx([case["wald_low"], case["wald_high"]], rel=1e-12)


@pytest.mark.parametrize("case", cases("score"))
def test_the_difference_is_that_of_farrington_and_mannings_closed_form(case):
    result = proportion_test(counts(case["control"]), counts(case["treatment"]))
    for null, expected in case["difference"].items():
        assert result.with_null(float(null)).statistic == pytest.approx(float(expected), rel=1e-12, abs=1e-12)
    ends = [float(case["difference_low"]), float(case["difference_high"])]
    assert list(result.interval(0.95)) == pytest.approx(ends, rel=1e-12)


@pytest.mark.parametrize("case", cases("score"))
def test_the_ratio_is_that_of_koopmans_likelihood(case):
    result = proportion_test(counts(case["control"]), counts(case["treatment"]))
    for ratio, expected in case["ratio"].items():
        statistic = result.with_null(relative(float(ratio) - 1)).statistic
        assert statistic == pytest.approx(float(expected), rel=1e-12, abs=1e-12)
    ends = [float(case["ratio_low"]) - 1, float(case["ratio_high"]) - 1]
    assert list(result.relative(0.95)) == pytest.approx(ends, rel=1e-12)


THOUSANDTHS = st.integers(-300, 300).map(lambda i: i / 1000)


@given(st.integers(1, 3000), st.integers(1, 3000), st.floats(0, 1), st.floats(0, 1), THOUSANDTHS)
def test_any_null_gives_the_statistic_of_the_closed_form(n_control, n_treatment, share_control, share_treatment, null):
    c, t = round(share_control * n_control), round(share_treatment * n_treatment)
    assume(0 < c < n_control and 0 < t < n_treatment)
    expected = float(difference_statistic(c, n_control, t, n_treatment, mp.mpf(null)))
    statistic = proportion_test(Counts(n_control, c), Counts(n_treatment, t), null=null).statistic
    assert statistic == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(st.integers(1, 10**7), st.integers(1, 10**7), st.integers(0, 99), st.integers(0, 99), THOUSANDTHS)
def test_counting_failures_instead_mirrors_the_answer_at_any_rate(n_control, n_treatment, c, t, null):
    c, t = min(c, n_control), min(t, n_treatment)  # rates close to 0, and so close to 1 on the other side
    rare = proportion_test(Counts(n_control, c), Counts(n_treatment, t), null=null)
    common = proportion_test(Counts(n_control, n_control - c), Counts(n_treatment, n_treatment - t), null=-null)
    assert common.statistic == pytest.approx(-rare.statistic, rel=1e-9, abs=1e-9)


# Newcombe 1998, Statistics in Medicine 17, table II, method 5 (Mee)
@pytest.mark.parametrize(
    ("treatment", "control", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0533, 0.3377),
        ((9, 10), (3, 10), 0.1821, 0.8370),
        ((6, 7), (2, 7), 0.0544, 0.8478),
        ((5, 56), (0, 29), -0.0313, 0.1926),
    ],
)
def test_the_published_intervals_of_the_difference(treatment, control, low, high):
    result = proportion_test(counts(control), counts(treatment))
    assert list(result.interval(0.95)) == pytest.approx([low, high], abs=0.00005)


def test_the_published_interval_of_the_ratio():
    # R package PropCIs: riskscoreci(7, 34, 1, 34, 0.95) gives 1.220853 42.575718
    result = proportion_test(Counts(34, 1), Counts(34, 7))
    assert [1 + end for end in result.relative(0.95)] == pytest.approx([1.220853, 42.575718], abs=5e-7)


def test_samples_of_booleans_are_counted():
    result = proportion_test([True, False, False, False], np.array([1, 1, 0, 1]))
    assert result == proportion_test(Counts(4, 1), Counts(4, 3))


def test_results_are_plain_floats():
    result = proportion_test(Counts(10, 3), Counts(12, 5))
    numbers = [result.estimate, result.stderr, result.df, result.statistic, result.pvalue, *result.interval()]
    assert {type(value) for value in [*numbers, *result.relative()]} == {float}


@pytest.mark.parametrize("successes", [0, 20])
def test_the_same_certain_outcome_in_both_variants_is_no_evidence(successes):
    result = proportion_test(Counts(20, successes), Counts(20, successes))
    assert result.pvalue == 1
    assert result.stderr == 0
    low, high = result.interval(0.95)
    assert low < 0 < high
    assert low == pytest.approx(-high, rel=1e-12)


def test_no_successes_bound_the_difference_by_wilsons_interval_of_one_proportion():
    # without successes in either variant the restricted control is 0 where the null is positive:
    # null^2 = z^2 null (1 - null) / n_t, so that high = z^2 / (n_t + z^2)
    z2 = 1.959963984540054**2
    result = proportion_test(Counts(30, 0), Counts(50, 0))
    assert list(result.interval(0.95)) == pytest.approx([-z2 / (30 + z2), z2 / (50 + z2)], rel=1e-12)


def test_opposite_certain_outcomes_reach_the_edge():
    result = proportion_test(Counts(10, 0), Counts(10, 10))
    assert result.estimate == 1
    assert result.interval(0.95).high == 1
    assert result.interval(0.95).low == pytest.approx(0.6777, abs=0.00005)  # Newcombe 1998, as above, row (h)
    assert result.relative(0.95).high == math.inf


def test_a_control_without_successes_has_no_upper_bound_on_the_ratio():
    region = proportion_test(Counts(100, 0), Counts(100, 5)).relative(0.95)
    assert region.high == math.inf
    assert region.low > -1


@pytest.mark.parametrize("method", ["score", "miettinen-nurminen", "newcombe"])
def test_a_level_of_almost_nothing_leaves_the_ratio_of_a_control_without_successes_unbounded(method):
    result = proportion_test(Counts(2, 0), Counts(1000, 998), method=method)
    assert result.relative(1e-9).high == math.inf
    assert result.with_null(relative(1e300)).pvalue >= 0


def test_a_treatment_without_successes_has_a_ratio_of_at_least_zero():
    region = proportion_test(Counts(100, 5), Counts(100, 0)).relative(0.95)
    assert region.low == -1
    assert -1 < region.high < 0.2


def test_neither_variant_with_successes_says_nothing_about_the_ratio():
    region = proportion_test(Counts(100, 0), Counts(100, 0)).relative(0.95)
    assert list(region) == [-1, math.inf]


@pytest.mark.parametrize("successes", [0, 4])
@pytest.mark.parametrize("rho", [-1.0, -1.25, -3.0])
@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_a_margin_of_minus_one_and_below_agrees_with_the_set(successes, rho, alternative):
    result = proportion_test(Counts(20, 8), Counts(20, successes), alternative=alternative, null=relative(rho))
    assert result.relative(0.9).contains(rho) == (result.pvalue >= 0.1)


@given(st.integers(1, 10**9), st.integers(1, 10**9), st.floats(0, 1), st.floats(0, 1))
def test_large_counts_have_ordered_and_finite_answers(n_control, n_treatment, share_control, share_treatment):
    control = Counts(n_control, round(share_control * n_control))
    treatment = Counts(n_treatment, round(share_treatment * n_treatment))
    result = proportion_test(control, treatment)
    low, high = result.interval(0.95)
    assert -1 <= low <= result.estimate <= high <= 1
    assert 0 <= result.pvalue <= 1


@pytest.mark.parametrize("method", ["fieller", "delta", "log"])
def test_named_relative_methods_meet_the_score_set_in_large_samples(method):
    result = proportion_test(Counts(10**8, 10**7), Counts(10**8, 10_100_000))
    assert list(result.relative(0.95, method)) == pytest.approx(list(result.relative(0.95)), rel=1e-4)


MORE = cases("two_proportions")
METHODS = ["score", "miettinen-nurminen", "newcombe", "agresti-caffo", "wald", "logit"]


def of_case(case, method):
    return proportion_test(counts(case["control"]), counts(case["treatment"]), method=method)


@pytest.mark.parametrize("method", ["score", "miettinen-nurminen"])
@pytest.mark.parametrize("case", MORE)
def test_score_tests_of_the_three_scales_are_those_of_statsmodels(case, method):
    result, expected = of_case(case, method), case[method]
    for null, z in expected["difference"].items():
        assert result.with_null(float(null)).statistic == pytest.approx(z, rel=1e-9, abs=1e-9)
    for ratio, z in expected["ratio"].items():
        assert result.with_null(relative(float(ratio) - 1)).statistic == pytest.approx(z, rel=1e-9, abs=1e-9)
    for ratio, z in expected["odds_ratio"].items():
        assert result.effect.odds_end(-z) == pytest.approx(float(ratio), rel=1e-9)


@pytest.mark.parametrize("method", ["newcombe", "agresti-caffo", "wald"])
@pytest.mark.parametrize("case", MORE)
def test_intervals_of_the_difference_are_those_of_statsmodels(case, method):
    result = of_case(case, method)
    assert list(result.interval(0.95)) == pytest.approx(case["intervals"][method], rel=1e-9)
    for null, z in case.get(method, {}).items():
        assert result.with_null(float(null)).statistic == pytest.approx(z, rel=1e-9)


@pytest.mark.parametrize("case", MORE)
def test_the_logit_is_woolfs(case):
    result = of_case(case, "logit")
    assert result.scale == "log odds ratio"
    assert result.statistic == pytest.approx(case["logit"], rel=1e-9)
    assert list(result.odds_ratio(0.95)) == pytest.approx(case["odds_ratio"], rel=1e-9)
    assert list(result.odds_ratio(0.95)) == pytest.approx(case["woolf"], rel=1e-9)


@pytest.mark.parametrize("case", cases("proportion_extremes"))
def test_digits_hold_at_the_limits_of_double_precision(case):
    score, newcombe = of_case(case, "score"), of_case(case, "newcombe")
    for null, z in case["difference"].items():
        assert score.with_null(float(null)).statistic == pytest.approx(float(z), rel=1e-11)
    for null, z in case["newcombe"].items():
        assert newcombe.with_null(float(null)).statistic == pytest.approx(float(z), rel=1e-11)
    for share, z in case.get("ratio", {}).items():
        assert score.with_null(relative(float(share))).statistic == pytest.approx(float(z), rel=1e-11)
    for share, z in case.get("newcombe_ratio", {}).items():
        assert newcombe.with_null(relative(float(share))).statistic == pytest.approx(float(z), rel=1e-9)
    for log_odds, z in case.get("log_odds", {}).items():
        if abs(float(z)) < 8:
            assert math.log(score.effect.odds_end(-float(z))) == pytest.approx(float(log_odds), rel=1e-9)


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.floats(0, 1), st.floats(0, 1), THOUSANDTHS)
def test_miettinen_and_nurminens_variance_is_that_of_the_score_times_a_factor(n_c, n_t, c, t, null):
    control, treatment = Counts(n_c, round(c * n_c)), Counts(n_t, round(t * n_t))
    plain = proportion_test(control, treatment, null=null)
    wider = proportion_test(control, treatment, null=null, method="miettinen-nurminen")
    n = n_c + n_t
    assert wider.statistic == pytest.approx(plain.statistic * math.sqrt((n - 1) / n), rel=1e-12)


# Newcombe 1998, Statistics in Medicine 17, table II, method 10
@pytest.mark.parametrize(
    ("treatment", "control", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((10, 10), (0, 20), 0.6791, 1.0),
    ],
)
def test_the_published_intervals_of_the_hybrid(treatment, control, low, high):
    result = proportion_test(counts(control), counts(treatment), method="newcombe")
    assert list(result.interval(0.95)) == pytest.approx([low, high], abs=0.00005)


# the same, method 9: Miettinen and Nurminen 1985
@pytest.mark.parametrize(
    ("treatment", "control", "low", "high"),
    [((56, 70), (48, 80), 0.0528, 0.3382), ((9, 10), (3, 10), 0.1700, 0.8406), ((5, 56), (0, 29), -0.0326, 0.1933)],
)
def test_the_published_intervals_of_miettinen_and_nurminen(treatment, control, low, high):
    result = proportion_test(counts(control), counts(treatment), method="miettinen-nurminen")
    assert list(result.interval(0.95)) == pytest.approx([low, high], abs=0.00005)


@given(
    st.integers(1, 10**6),
    st.integers(1, 10**6),
    st.floats(0, 1),
    st.floats(0, 1),
    st.sampled_from(["score", "miettinen-nurminen", "logit"]),
    st.sampled_from(ALTERNATIVES),
    st.sampled_from([0.5, 0.9, 0.99]),
)
def test_the_odds_ratio_leaves_out_one_exactly_when_the_test_rejects(n_c, n_t, c, t, method, alternative, level):
    control, treatment = Counts(n_c, round(c * n_c)), Counts(n_t, round(t * n_t))
    result = proportion_test(control, treatment, method=method, alternative=alternative)
    assume(abs(result.pvalue - (1 - level)) > 1e-9)
    region = result.odds_ratio(level)
    assert region.contains(1) == (result.pvalue >= 1 - level)
    mirrored = {"two-sided": "two-sided", "greater": "less", "less": "greater"}[alternative]
    turned = proportion_test(treatment, control, method=method, alternative=mirrored).odds_ratio(level)
    for end, other in ((region.low, turned.high), (region.high, turned.low)):
        assert end * other == pytest.approx(1, rel=1e-9) or {end, other} == {0, math.inf}


@pytest.mark.parametrize("method", ["newcombe", "agresti-caffo", "wald"])
def test_a_method_of_differences_has_no_odds_ratio(method):
    assert proportion_test(Counts(50, 20), Counts(50, 25), method=method).odds_ratio(0.95).shape == "none"


def test_an_odds_ratio_without_failures_or_successes_is_unbounded():
    assert proportion_test(Counts(9, 0), Counts(9, 4)).odds_ratio(0.9).high == math.inf
    assert proportion_test(Counts(9, 4), Counts(9, 0)).odds_ratio(0.9).low == 0
    assert list(proportion_test(Counts(9, 0), Counts(9, 0)).odds_ratio(0.9)) == [0, math.inf]


def test_the_logit_adds_half_a_unit_only_where_a_count_is_zero():
    whole = proportion_test(Counts(10, 2), Counts(10, 5), method="logit")
    assert whole.estimate == pytest.approx(math.log(5 / 5) - math.log(2 / 8), rel=1e-15)
    halves = proportion_test(Counts(10, 0), Counts(10, 5), method="logit")
    assert halves.estimate == pytest.approx(math.log(5.5 / 5.5) - math.log(0.5 / 10.5), rel=1e-15)
    assert halves.stderr == pytest.approx(math.sqrt(1 / 5.5 + 1 / 5.5 + 1 / 0.5 + 1 / 10.5), rel=1e-15)


def test_the_logit_refuses_a_relative_null():
    with pytest.raises(ValueError, match="`null` must be a number; a log odds ratio is not a share"):
        proportion_test(Counts(10, 2), Counts(10, 5), method="logit", null=relative(0.1))


def test_wald_of_certain_outcomes_is_undefined_and_agresti_caffo_is_not():
    assert proportion_test(Counts(10, 0), Counts(10, 10), method="wald").reason
    assert 0 < proportion_test(Counts(10, 0), Counts(10, 10), method="agresti-caffo").pvalue < 1e-6


@pytest.mark.parametrize("method", METHODS[:-1])
def test_a_null_beyond_one_is_refused_by_every_method_of_differences(method):
    with pytest.raises(ValueError, match=r"`null` must be between -1 and 1; got 5\."):
        proportion_test(Counts(10, 2), Counts(10, 5), method=method, null=5)


@given(st.integers(1, 10**9), st.integers(1, 10**9), st.floats(0, 1), st.floats(0, 1), st.sampled_from(METHODS))
def test_every_method_answers_at_any_size_with_finite_numbers(n_control, n_treatment, c, t, method):
    control, treatment = Counts(n_control, round(c * n_control)), Counts(n_treatment, round(t * n_treatment))
    result = proportion_test(control, treatment, method=method)
    assume(result.reason is None)
    low, high = result.interval(0.95)
    assert low <= result.estimate <= high
    assert not math.isnan(sum(result.relative(0.95)) if result.relative(0.95).shape == "bounded" else 0)
    assert 0 <= result.pvalue <= 1
    json.dumps(result.to_dict(), allow_nan=False)


def rejections(n_control, n_treatment, method):
    """Whether the test of no effect rejects at 5%, for every outcome."""
    return np.array(
        [
            [
                proportion_test(Counts(n_control, c), Counts(n_treatment, t), method=method).pvalue < 0.05
                for t in range(n_treatment + 1)
            ]
            for c in range(n_control + 1)
        ]
    )


def error_rate(rejected, rate):
    n_control, n_treatment = (size - 1 for size in rejected.shape)
    c, t = (binom.pmf(range(n + 1), n, rate) for n in (n_control, n_treatment))
    return float(c @ rejected @ t)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("sizes", [(40, 40), (50, 80)])
def test_the_error_rate_is_within_a_point_wherever_there_is_no_caution(method, sizes):
    rejected = rejections(*sizes, method)
    fewest = _FEWEST[method]
    for rate in np.linspace(fewest / min(sizes), 0.5, 7):
        assert abs(error_rate(rejected, rate) - 0.05) <= 0.01


@pytest.mark.parametrize("method", METHODS)
def test_few_expected_successes_are_warned_of_once_and_kept_with_the_result(method):
    with pytest.warns(AccuracyWarning, match="Use exact_test") as caught:
        result = proportion_test(Counts(40, 1), Counts(40, 2), method=method)
    assert len(caught) == 1
    assert result.caution == str(caught[0].message)
    assert result.with_null(0.01).caution == result.caution


def test_a_method_that_needs_more_names_the_one_that_does_not():
    with pytest.warns(AccuracyWarning, match="Use method 'score'"):
        proportion_test(Counts(100, 10), Counts(100, 10), method="wald")
    assert proportion_test(Counts(100, 10), Counts(100, 10)).caution is None


def test_a_metric_of_few_successes_stays_silent():
    c, t = (CoMoments.from_sample([[k] for k in row], ["converted"]) for row in ([0, 1, 0, 0], [0, 0, 0, 1]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        name, effect = Proportion("converted").effect(c, t)
    assert (name, effect) == ("score", proportion_test([0, 1, 0, 0], [0, 0, 0, 1]).effect)


REFUSED = [
    (([], [0, 1]), {}, ValueError, "`control` must have at least 1 unit; got 0."),
    ((Counts(5, 1), Counts(0, 0)), {}, ValueError, "`treatment` must have at least 1 unit; got 0."),
    (([0, 2], [0, 1]), {}, ValueError, "must be 0 or 1; got 2."),
    ((Counts([5], [1]), [0, 1]), {}, ValueError, "`control` must describe one group; got statistics of many."),
    (([0, 1], [0, 1]), {"null": 1.0}, ValueError, "`null` must be between -1 and 1; got 1."),
    (([0, 1], [0, 1]), {"null": -1}, ValueError, "`null` must be between -1 and 1; got -1."),
    (([0, 1], [0, 1]), {"null": math.nan}, ValueError, "`null` must be finite; got nan."),
    (([0, 1], [0, 1]), {"null": np.int64(5)}, ValueError, "`null` must be between -1 and 1; got 5."),
    (([0, 1], [0, 1]), {"null": "0"}, TypeError, "`null` must be a number; got '0'."),
    (
        ([0, 1], [0, 1]),
        {"method": "exact"},
        ValueError,
        "`method` must be one of 'score', 'miettinen-nurminen', 'newcombe', 'agresti-caffo', 'wald', 'logit'; got",
    ),
    (
        ([0, 1], [0, 1]),
        {"alternative": "larger"},
        ValueError,
        "`alternative` must be one of 'two-sided', 'greater', 'less'",
    ),
]


@pytest.mark.parametrize(("arms", "options", "error", "message"), REFUSED)
def test_what_cannot_be_tested_is_refused(arms, options, error, message):
    with pytest.raises(error, match=re.escape(message)):
        proportion_test(*arms, **options)


def test_another_null_is_checked_as_the_first_was():
    with pytest.raises(ValueError, match=re.escape("`null` must be between -1 and 1; got 3.")):
        proportion_test([0, 1, 1], [0, 1, 0]).with_null(3.0)
