"""Two series of the same time buckets: levels, counts, gaps, and series too short to say."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import abkit as ab
from abkit import relative, series_test
from abkit.errors import AccuracyWarning
from abkit.inference._long_run import long_run
from tests.inference.test_long_run import autoregressive

BASELINE = autoregressive(0.5, (60,), seed=4) + 10
CANARY = autoregressive(0.5, (60,), seed=5) + 11


def test_the_level_is_tested_by_the_long_run_variance_of_the_differences():
    result, found = series_test(BASELINE, CANARY), long_run(CANARY - BASELINE)
    stderr = math.sqrt(found.variance / 60)
    assert result.stderr == pytest.approx(stderr, rel=1e-12)
    assert result.pvalue == pytest.approx(2 * stats.t.sf(abs(result.estimate) / stderr, found.df), rel=1e-9)
    assert list(result.interval(0.9)) == pytest.approx(stats.t.interval(0.9, found.df, result.estimate, stderr))


def test_what_both_series_share_in_time_cancels():
    shared = 50 * autoregressive(0.9, (60,), seed=6)
    alone, together = series_test(BASELINE, CANARY), series_test(BASELINE + shared, CANARY + shared)
    assert together.pvalue == pytest.approx(alone.pvalue, rel=1e-6)


def test_rare_events_that_are_independent_are_tested_as_r_tests_two_poisson_counts():
    control, treatment = np.zeros(60), np.zeros(60)
    control[[7, 41, 55]] = 1
    treatment[[2, 9, 15, 20, 26, 31, 38, 44, 47, 52, 58]] = 1
    result = series_test(control, treatment, alternative="greater")
    assert (result.scale, result.effect.dispersion, result.df) == ("log rate ratio", 1.0, math.inf)
    assert result.pvalue == pytest.approx(stats.binomtest(11, 14, 0.5, alternative="greater").pvalue, rel=1e-9)
    assert (result.control, result.treatment) == pytest.approx((3 / 60, 11 / 60))


def test_events_in_bursts_count_for_less():
    control, burst, spread = np.zeros(60), np.zeros(60), np.zeros(60)
    burst[[20, 21, 22]], spread[3::5] = 4, 1
    bursty, calm = series_test(control, burst), series_test(control, spread)
    assert bursty.effect.dispersion > 2
    assert bursty.pvalue > 0.05
    assert calm.pvalue < 0.01
    assert bursty.treatment == calm.treatment == pytest.approx(0.2)


def test_an_exposure_makes_rates_of_counts():
    events = np.random.default_rng(8).poisson(0.3, (2, 60))
    even = series_test(np.column_stack([events[0], np.ones(60)]), np.column_stack([events[1], np.ones(60)]))
    assert even.pvalue == series_test(*events, method="counts").pvalue
    fewer = np.column_stack([events[1], np.full(60, 0.1)])
    result = series_test(np.column_stack([events[0], np.ones(60)]), fewer, alternative="greater")
    assert result.treatment == pytest.approx(events[1].mean() / 0.1)
    assert result.pvalue < 1e-6


def test_two_series_without_an_event_have_no_answer_and_a_reason():
    result = series_test(np.zeros(60), np.zeros(60))
    assert math.isnan(result.pvalue)
    assert result.reason == "neither series has an event"


def test_missing_buckets_are_refused_or_counted_and_are_never_zeros():
    gappy = np.where(np.arange(60) % 20 == 3, np.nan, CANARY)
    with pytest.raises(ValueError, match=r"`treatment` must be finite; got 3 of 60"):
        series_test(BASELINE, gappy)
    result = series_test(BASELINE, gappy, missing="drop")
    assert (result.effect.n, result.effect.missing) == (57, 3)
    assert result.treatment == pytest.approx(np.nanmean(gappy))
    with pytest.raises(ValueError, match="must be finite; got 1 of 60"):
        series_test(BASELINE, np.where(np.arange(60) == 3, np.inf, CANARY), missing="drop")


def test_many_missing_buckets_are_warned_of():
    with pytest.warns(AccuracyWarning, match="30 of 60 time buckets have no value"):
        series_test(BASELINE, np.where(np.arange(60) % 2, np.nan, CANARY), missing="drop")


@pytest.mark.filterwarnings("ignore::abkit.errors.AccuracyWarning")
@pytest.mark.parametrize("method", ["level", "counts"])
@pytest.mark.parametrize("n", [0, 1, 7])
def test_short_series_have_a_reason_and_no_number(n, method):
    gone = np.full(20, np.nan)
    gone[:n] = 1.0
    result = series_test(gone, gone + 1, missing="drop", method=method)
    assert "too short" in result.reason
    assert math.isnan(result.pvalue)
    assert result.interval(0.95).contains(1e9)
    assert "NaN" not in json.dumps(result.to_dict(), allow_nan=False)


def test_a_series_that_wanders_has_no_answer():
    result = series_test(np.zeros(40) + 0.5, np.cumsum(np.random.default_rng(3).standard_normal(40)))
    assert "too few for a persistence" in result.reason
    assert not math.isnan(result.estimate)


def test_relative_margins_are_fieller_sets_of_the_long_run_covariance():
    result = series_test(BASELINE, CANARY)
    for end in result.relative(0.9):
        assert result.with_null(relative(end)).pvalue == pytest.approx(0.1, rel=1e-9)
    assert ab.series_test(BASELINE * 1e100, CANARY * 1e100).relative(0.9).low == pytest.approx(result.relative(0.9).low)


def test_what_cannot_be_series_is_refused():
    with pytest.raises(ValueError, match=r"`treatment` must have as many values as `control`"):
        series_test(BASELINE, CANARY[:-1])
    with pytest.raises(ValueError, match="at least 2 time buckets; got 1"):
        series_test([1.0], [2.0])
    with pytest.raises(ValueError, match="one value per time bucket for the method 'level'"):
        series_test([[1, 1.0]] * 9, [[1, 1.0]] * 9, method="level")
    with pytest.raises(ValueError, match="whole numbers of events, at least 0; got -1"):
        series_test([-1.0] * 9, [1.0] * 9, method="counts")
    with pytest.raises(ValueError, match="`missing` must be one of 'error', 'drop'"):
        series_test(BASELINE, CANARY, missing="zero")


PETSHOP = Path(__file__).parents[3] / "shared" / "data" / "petshop_petsite_metrics.csv.gz"


@pytest.mark.filterwarnings("ignore::abkit.errors.AccuracyWarning")
def test_calm_series_of_a_real_service_alarm_no_more_often_than_is_stated():
    """Every other five minutes as the canary: 1.2% of 240 stretches of two hours when it was written, 5% stated."""
    frame = pd.read_csv(PETSHOP)
    calm = frame[frame.split == "noissue"].sort_values("unix_timestamp")
    alarms, stretches = 0, 0
    for _, scenario in calm.groupby("scenario"):
        for name in ("latency_Average", "latency_p50", "latency_p90", "latency_p99", "requests_Sum"):
            values = scenario[name].to_numpy(dtype=float)[:576].reshape(24, 12, 2)
            results = [series_test(*stretch.T, missing="drop") for stretch in values if not np.isnan(stretch).all()]
            stretches += len(results)
            alarms += sum(result.pvalue <= 0.05 for result in results)
    assert stretches >= 200
    assert alarms / stretches <= 0.05
