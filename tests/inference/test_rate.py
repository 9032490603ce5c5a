"""Tests of two rates against R, statsmodels and 40-digit arithmetic."""

from __future__ import annotations

import math
import re

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abkit import CoMoments, Events, Moments, rate_test, ratio_test, relative, welch_test
from tests.golden.read import cases


def events(pair):
    return Events(int(pair[0]), float(pair[1]))


@pytest.mark.parametrize("case", [case for case in cases("rates") if case["alternative"] != "two-sided"])
def test_one_sided_the_exact_test_is_that_of_r(case):
    null = relative(case["ratio"] - 1)
    result = rate_test(events(case["control"]), events(case["treatment"]), alternative=case["alternative"], null=null)
    assert result.pvalue == pytest.approx(case["pvalue"], rel=1e-9)
    assert result.relative(0.95).low + 1 == pytest.approx(case["low"], rel=1e-9) or case["alternative"] == "less"
    high = math.inf if case["high"] is None else case["high"]
    assert result.relative(0.95).high + 1 == pytest.approx(high, rel=1e-9)


@pytest.mark.parametrize("case", [case for case in cases("rates") if case["alternative"] == "two-sided"])
def test_the_exact_interval_is_that_of_r(case):
    result = rate_test(events(case["control"]), events(case["treatment"]))
    high = math.inf if case["high"] is None else case["high"]
    assert [end + 1 for end in result.relative(0.95)] == pytest.approx([case["low"], high], rel=1e-9)
    if case["estimate"] is not None:
        assert math.exp(result.estimate) == pytest.approx(case["estimate"], rel=1e-12)


@pytest.mark.parametrize("case", cases("rates_score"))
def test_the_score_test_is_that_of_statsmodels(case):
    arms = events(case["control"]), events(case["treatment"])
    result = rate_test(*arms, method="score", alternative=case["alternative"], null=relative(case["ratio"] - 1))
    assert result.statistic == pytest.approx(case["ratio_statistic"], rel=1e-12)
    assert result.pvalue == pytest.approx(case["ratio_pvalue"], rel=1e-9)
    difference = rate_test(*arms, method="score", alternative=case["alternative"], null=case["difference"])
    assert difference.statistic == pytest.approx(case["difference_statistic"], rel=1e-9)
    assert difference.pvalue == pytest.approx(case["difference_pvalue"], rel=1e-9)


@pytest.mark.parametrize("level", [0.8, 0.95, 0.999])
def test_the_ends_of_the_score_sets_have_the_critical_statistic(level):
    result = rate_test(Events(11, 800.0), Events(23, 803.0), method="score")
    for end in result.interval(level):
        assert result.with_null(end).pvalue == pytest.approx(1 - level, rel=1e-9)
    for end in result.relative(level):
        assert result.with_null(relative(end)).pvalue == pytest.approx(1 - level, rel=1e-9)


@pytest.mark.parametrize(("control", "treatment"), [((900, 10.0), (20, 10.0)), ((3, 1.0), (400, 2.0))])
def test_extreme_tails_keep_their_digits(control, treatment):
    with mp.workdps(60):
        n, share = control[0] + treatment[0], mp.mpf(treatment[1]) / (treatment[1] + control[1])
        greater = treatment[0] * control[1] > control[0] * treatment[1]
        numbers = range(treatment[0], n + 1) if greater else range(treatment[0] + 1)
        tail = mp.fsum(mp.binomial(n, k) * share**k * (1 - share) ** (n - k) for k in numbers)
    result = rate_test(events(control), events(treatment))
    assert result.pvalue == pytest.approx(float(2 * tail), rel=1e-9)


def rows(case, variant):
    return np.column_stack([case[variant], case[f"{variant}_exposure"]])


@pytest.mark.parametrize("case", cases("overdispersed"))
def test_the_negative_binomial_is_that_of_mass(case):
    result = rate_test(rows(case, "control"), rows(case, "treatment"), method="negative-binomial")
    assert result.effect.dispersion == pytest.approx(case["dispersion"], rel=1e-7)
    assert result.estimate == pytest.approx(case["estimate"], rel=1e-7)
    assert result.stderr == pytest.approx(case["stderr"], rel=1e-7)
    assert result.pvalue == pytest.approx(case["pvalue"], rel=1e-6)


@pytest.mark.parametrize("case", cases("overdispersed"))
def test_the_rates_of_quasi_likelihood_are_those_of_glm(case):
    result = rate_test(rows(case, "control"), rows(case, "treatment"), method="quasi")
    assert result.control == pytest.approx(case["control_rate"], rel=1e-9)
    assert math.log(result.treatment / result.control) == pytest.approx(case["quasi_estimate"], rel=1e-9)


@pytest.mark.parametrize("case", cases("overdispersed"))
def test_quasi_likelihood_is_the_ratio_test_and_without_exposure_welchs(case):
    c, t = rows(case, "control"), rows(case, "treatment")
    assert rate_test(c, t, method="quasi").effect == ratio_test(c, t).effect
    plain, welch = rate_test(c[:, 0], t[:, 0], method="quasi"), welch_test(c[:, 0], t[:, 0])
    assert plain.pvalue == pytest.approx(welch.pvalue, rel=1e-12)
    assert list(plain.relative()) == pytest.approx(list(welch.relative()), rel=1e-12)


def test_counts_that_vary_no_more_than_poisson_ones_have_no_dispersion():
    result = rate_test([2, 3, 2, 3, 2], [4, 4, 3, 4, 5], method="negative-binomial")
    assert result.effect.dispersion == 0
    assert result.stderr == pytest.approx(math.sqrt(1 / 12 + 1 / 20), rel=1e-12)


def test_no_events_at_all():
    nothing = Events(0, 5.0)
    assert rate_test(nothing, nothing).reason == "neither variant has an event"
    score = rate_test(nothing, nothing, method="score")
    assert score.pvalue == 1
    assert list(score.relative()) == [-1, math.inf]
    assert "no log rate" in rate_test([0, 0], [1, 2], method="negative-binomial").reason
    assert rate_test(nothing, Events(3, 5.0)).pvalue == pytest.approx(0.25, rel=1e-12)


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.floats(1e-6, 1e9), st.floats(1e-6, 1e9))
def test_any_counts_have_ordered_answers(c, t, exposure_c, exposure_t):
    for method in ("exact", "score"):
        result = rate_test(Events(c, exposure_c), Events(t, exposure_t), method=method)
        if result.reason is None:
            low, high = result.interval(0.95)
            assert low <= result.estimate <= high
            assert 0 <= result.pvalue <= 1


def test_events_are_added_up_and_read_back():
    total = Events.from_sample([[1, 2.0], [0, 0.5]]) + Events.from_sample([4, 0])
    assert total == Events(5, 4.5)
    assert Events.from_json(total.to_json()) == total


REFUSED = [
    (([], [0, 1]), {}, ValueError, "`control` must have at least 1 unit; got 0."),
    (([0, -2], [0, 1]), {}, ValueError, "`control` must have whole numbers of events, at least 0; got -2."),
    (([0, 1], [0.5, 1]), {}, ValueError, "`treatment` must have whole numbers of events, at least 0; got 0.5."),
    (([[1, 0.0]], [0, 1]), {}, ValueError, "`control` must have an exposure above 0 in every row; got 0."),
    (([[1, 0.0, 2]], [0, 1]), {}, ValueError, "`control` must have two columns, events and exposure; got 3."),
    ((Events([5], [1.0]), [0, 1]), {}, ValueError, "`control` must describe one group"),
    ((Events(0, 0.0), [0, 1]), {}, ValueError, "`control` must have an exposure above 0; got 0."),
    ((Moments(5, 1.0, 1.0), [0, 1]), {}, TypeError, "`control`"),
    ((CoMoments(5, [1.0, 1.0], np.eye(2), ["a", "b"]), [0, 1]), {}, TypeError, "co-moments are for 'quasi'"),
    (
        (CoMoments(5, [-1.0, 1.0], np.eye(2), ["a", "b"]), [0, 1]),
        {"method": "quasi"},
        ValueError,
        "events of at least 0",
    ),
    ((Events(3, 1.0), [0, 1]), {"method": "negative-binomial"}, TypeError, "`control` must be rows, one a unit"),
    (([0, 1], [0, 1]), {"method": "poisson"}, ValueError, "`method` must be one of 'exact', 'score', 'quasi'"),
    (([0, 1], [0, 1]), {"null": relative(-1.0)}, ValueError, "`null` must be a share above -1"),
]


@pytest.mark.parametrize(("arms", "options", "error", "message"), REFUSED)
def test_what_cannot_be_tested_is_refused(arms, options, error, message):
    with pytest.raises(error, match=re.escape(message)):
        rate_test(*arms, **options)


@pytest.mark.parametrize(("control", "treatment", "end"), [((0, 1.0), (1, 3.0), math.inf), ((1, 3.0), (0, 1.0), -1.0)])
def test_at_a_one_sided_level_of_one_half_the_score_interval_ends_at_the_ratio_itself(control, treatment, end):
    c, t = Events(*control), Events(*treatment)
    assert rate_test(c, t, method="score", alternative="greater").relative(0.5).low == end
    assert rate_test(c, t, method="score", alternative="less").relative(0.5).high == end
