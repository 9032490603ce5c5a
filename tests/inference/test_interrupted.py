"""Interrupted series: generalised least squares, its noise, placebo switches, and pasts without events."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.linalg import toeplitz
from scipy.signal import lfilter

from abkit._check import Float64Array
from abkit.inference import interrupted_series
from abkit.inference._autoregression import fit_autoregression
from abkit.inference._interrupted_quiet import quiet_series
from abkit.types import Relative


def autocorrelated(seed: int, n: int, phi: float) -> Float64Array:
    noise = np.random.default_rng(seed).normal(size=n + 100)
    return np.asarray(lfilter([math.sqrt(1 - phi * phi)], [1, -phi], noise)[100:])


def test_the_estimate_is_generalised_least_squares() -> None:
    series = 50 + autocorrelated(3, 330, 0.6)
    series[300:] += 4
    found = interrupted_series(series, 300)
    past = series[:300] - series[:300].mean()
    noise = fit_autoregression(past, 60, centred=True)
    window = series[300 - 16 :] - series[:300].mean()
    covariance = toeplitz(noise.covariances[: window.size]) + noise.long_run / 300
    step = np.r_[np.zeros(16), np.ones(30)]
    inverse = np.linalg.inv(covariance)
    information = step @ inverse @ step
    assert found.estimate[-1] == pytest.approx(step @ inverse @ window / information, rel=1e-9)
    assert found.stderr[-1] >= information**-0.5 * (1 - 1e-9)


def test_a_look_knows_only_what_was_there() -> None:
    series = 50 + autocorrelated(5, 330, 0.4)
    whole = interrupted_series(series, 300)
    for k in (1, 7, 20):
        part = interrupted_series(series[: 300 + k], 300)
        assert part.estimate[-1] == pytest.approx(whole.estimate[k - 1], rel=1e-9)
        assert part.baseline[-1] == pytest.approx(whole.baseline[k - 1], rel=1e-12)


def test_autoregression_of_a_long_series() -> None:
    noise = fit_autoregression(autocorrelated(1, 200_000, 0.8), 30, centred=True)
    assert noise.coefficients[0] == pytest.approx(0.8, abs=0.01)
    assert noise.covariances[10] == pytest.approx(0.8**10, abs=0.02)
    assert noise.long_run == pytest.approx(9, rel=0.08)
    assert noise.df == pytest.approx(200_000 * (1 - 0.64) / (1 + 0.64), rel=0.05)


def test_persistence_is_at_most_stationary() -> None:
    walk = np.cumsum(np.random.default_rng(2).normal(size=400))
    found = interrupted_series(walk, 390)
    assert np.all(np.isfinite(found.stderr))
    assert np.all(
        np.linalg.eigvalsh(toeplitz(fit_autoregression(walk - walk.mean(), 40, centred=True).covariances)) > 0
    )


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.8])
def test_the_standard_error_is_that_of_the_estimate(phi: float) -> None:
    z = []
    for seed in range(150):
        found = interrupted_series(autocorrelated(seed, 312, phi), 300)
        z.append(found.estimate[[0, -1]] / found.stderr[[0, -1]])
    assert np.std(z, axis=0) == pytest.approx(1, abs=0.2)


def test_a_season_is_its_own_baseline() -> None:
    place = np.arange(-7 * 96, 20)
    series = 100 + 30 * np.sin(2 * np.pi * place / 96) + autocorrelated(4, place.size, 0.3)
    with_season = interrupted_series(series, 7 * 96, season=96)
    assert abs(float(with_season.estimate[-1])) < 1.2
    assert with_season.baseline[-1] == pytest.approx(100 + 30 * np.sin(2 * np.pi * np.arange(20) / 96).mean(), abs=0.5)
    with pytest.raises(ValueError, match="1 full seasons"):
        interrupted_series(series[-150:], 130, season=96)


def test_what_controls_share_is_taken_off() -> None:
    shared = autocorrelated(6, 320, 0.5)
    shared[300:] += 20  # the whole platform slows down
    series = 100 + 3 * shared + 0.5 * autocorrelated(7, 320, 0.2)
    assert interrupted_series(series, 300).estimate[-1] > 40
    found = interrupted_series(series, 300, controls=[shared])
    assert abs(float(found.estimate[-1])) < 3 * float(found.stderr[-1]) < 6
    still = interrupted_series(series, 300, controls=[np.where(np.arange(320) < 300, shared, 0)])
    assert still.stderr[-1] < found.stderr[-1]  # a control that moves far shows how little its slope is known
    with pytest.raises(ValueError, match="every control"):
        interrupted_series(series, 300, controls=[np.where(np.arange(320) < 290, np.nan, shared)])


def test_missing_buckets_are_missing_and_not_zero() -> None:
    series = 100 + autocorrelated(8, 330, 0.5)
    gaps = series.copy()
    gaps[[20, 150, 305, 306, 320]] = np.nan
    found = interrupted_series(gaps, 300)
    assert found.position.tolist() == [i for i in range(30) if i not in (5, 6, 20)]
    assert abs(float(found.estimate[-1])) < 1.5
    assert found.before == 298


def test_placebo_switches_rank_the_change() -> None:
    series = np.random.default_rng(9).standard_t(3, 500)
    series[488:] += 10
    found = interrupted_series(series, 488)
    assert found.rank() == pytest.approx(found.floor)
    assert found.floor == pytest.approx(1 / (1 + len(found.placebos[0])))
    assert np.all(np.diff(found.placebos[0], axis=1) >= 0)
    assert interrupted_series(series[:60], 50).placebos[0].shape == (0, 10)


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e60])
def test_units_do_not_matter(scale: float) -> None:
    series = 100 + autocorrelated(10, 320, 0.5)
    one, other = interrupted_series(series, 300), interrupted_series(scale * series, 300)
    assert other.estimate == pytest.approx(scale * one.estimate, rel=1e-6)
    assert other.stderr == pytest.approx(scale * one.stderr, rel=1e-6)


def test_what_is_refused() -> None:
    series = autocorrelated(11, 100, 0.0)
    for values, switch, match in (
        (series, 0, "switch"),
        (series, 100, "switch"),
        (series[:20], 15, "15 buckets"),
        (np.r_[series[:80], np.full(20, np.nan)], 80, "after the switch"),
        (np.full(100, 7.0), 80, "does not vary"),
        (np.r_[series, np.inf], 80, "at most"),
        (np.tile(series, 12), 90, "longer bucket"),
    ):
        with pytest.raises(ValueError, match=match):
            interrupted_series(values, switch)


def test_a_past_without_events() -> None:
    quiet = np.zeros(300)
    with pytest.raises(ValueError, match="does not vary"):
        quiet_series(quiet, 290)
    still = quiet_series(quiet, 290, counting=1e-6).effect(-1)
    assert (still.estimate, still.stderr) == (0, pytest.approx((1e-6 / 10) ** 0.5))
    burst = quiet.copy()
    burst[290:] = [3, 4, 2, 3, 5, 3, 4, 3, 2, 4]
    found = quiet_series(burst, 290)
    assert float(found.estimate[-1]) == pytest.approx(3.3)
    assert found.rank() == pytest.approx(11 / 292)
    assert found.df == pytest.approx(9)
    with pytest.raises(ValueError, match="second"):
        quiet_series(burst[:291], 290)


def test_a_quiet_past_ends_no_more_often_than_it_is_said_to() -> None:
    # bursts of ten in a stationary series: after 50 quiet buckets, any event within the next five
    rng = np.random.default_rng(12)
    runs, n, k = 40_000, 50, 5
    starts = rng.random((runs, n + k + 9)) < 0.02
    busy = sum(starts[:, 9 - j : n + k + 9 - j] for j in range(10)) > 0
    surprised = ~busy[:, :n].any(axis=1) & busy[:, n:].any(axis=1)
    assert surprised.mean() < k / (n + 1)


def test_noise_that_a_release_brings_is_no_evidence_for_it() -> None:
    """Errors that are rare before and many after, exactly at a margin: watched, 66% were shown within it."""
    rng, margin, shown, by_the_past = np.random.default_rng(8), 4.8, 0, 0
    for _ in range(60):
        errors = np.r_[rng.poisson(0.2, 300), rng.poisson(0.2 + margin, 24)]
        found = interrupted_series(errors, 300)
        for k in range(24):
            effect = found.effect(-1, k)
            shown += effect.pvalue(margin, "less") < 0.001
            by_the_past += effect.harm.pvalue(margin, "less") < 0.001
    assert shown <= 10
    assert by_the_past > 300


def test_one_bucket_shows_harm_and_no_gain() -> None:
    series = 50 + autocorrelated(4, 320, 0.5)
    series[319] += 20
    effect = interrupted_series(series[:320], 319).effect(-1)
    assert effect.pvalue(0.0, "greater") < 1e-6
    assert effect.pvalue(1e6, "less") == 1.0
    low, high = effect.interval(0.95, "two-sided")
    assert 10 < low < math.inf == high
    better = interrupted_series(series[:320], 319).effect(1)
    assert next(iter(better.interval(0.95, "two-sided"))) == -math.inf


@pytest.mark.parametrize("sign", [-1, 1])
def test_each_end_of_the_interval_is_where_its_own_side_is_rejected(sign: int) -> None:
    series = 50 + autocorrelated(6, 320, 0.5)
    series[300:] += np.random.default_rng(1).normal(3, 4, 20)
    effect = interrupted_series(series, 300).effect(sign)
    low, high = effect.interval(0.9, "two-sided")
    assert effect.pvalue(low, "greater") == pytest.approx(0.05, rel=1e-6)
    assert effect.pvalue(high, "less") == pytest.approx(0.05, rel=1e-6)
    gain, harm = (high - effect.estimate, effect.estimate - low)[::-sign]
    assert gain > 1.5 * harm
    low, high = effect.relative(0.9, "two-sided", None)  # type: ignore[misc]
    assert effect.pvalue(Relative(low), "greater") == pytest.approx(0.05, rel=1e-6)
    assert effect.pvalue(Relative(high), "less") == pytest.approx(0.05, rel=1e-6)
