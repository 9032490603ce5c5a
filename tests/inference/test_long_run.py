"""The long-run variance against an independent transform, and what short series are told."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.fft import dct
from scipy.special import stdtrit

from abkit.inference._long_run import centred, degrees, long_run, persistence, waves


def autoregressive(share, shape, seed=1):
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((*shape[:-1], shape[-1] + 100))
    values = np.empty_like(noise)
    values[..., 0] = noise[..., 0]
    for place in range(1, noise.shape[-1]):
        values[..., place] = share * values[..., place - 1] + noise[..., place]
    return values[..., 100:] * math.sqrt(1 - share * share)


@pytest.mark.parametrize("n", [8, 31, 120])
def test_the_cosines_are_those_of_an_independent_transform(n):
    series = autoregressive(0.5, (n,))
    found = long_run(series)
    deviations = series - series.mean()
    innovations = deviations[1:] - found.persistence * deviations[:-1]
    count = max(2, int(0.6 * (n - 1) ** (2 / 3)))
    amplitudes = dct(innovations, norm="ortho")[1 : count + 1] / (1 - found.persistence)
    assert found.variance == pytest.approx(float((amplitudes**2).mean()), rel=1e-12)
    gain = 4 * (1 + found.persistence) / (n * (1 - found.persistence))
    assert found.df == pytest.approx(2 / (2 / count + gain), rel=1e-12)


def test_many_series_are_answered_as_each_is():
    series = autoregressive(0.8, (5, 60))
    deviations = centred(series)
    share = persistence(deviations)
    wave = waves(deviations, share)
    for row, at, size in zip(series, share, (wave * wave).mean(axis=-1), strict=True):
        found = long_run(row)
        assert found.persistence == pytest.approx(at, rel=1e-12)
        assert found.variance == pytest.approx(size, rel=1e-12)


def test_a_long_series_has_the_variance_of_theory():
    found = [long_run(series) for series in autoregressive(0.8, (20, 5000))]
    assert np.mean([one.persistence for one in found]) == pytest.approx(0.8, abs=0.01)
    assert np.mean([one.variance for one in found]) == pytest.approx(9.0, rel=0.1)  # (1 + 0.8) / (1 - 0.8)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.8, 0.9])
@pytest.mark.parametrize("n", [30, 60, 120])
def test_the_size_is_at_most_nominal(share, n):
    """4,000 series: three standard errors of 5% are 0.0104."""
    series = autoregressive(share, (4000, n), seed=n)
    deviations = centred(series)
    at = persistence(deviations)
    wave = waves(deviations, at)
    df = degrees(n, at, wave.shape[-1])
    statistic = np.abs(series.mean(axis=1)) / np.sqrt((wave * wave).mean(axis=1) / n)
    assert np.mean((statistic > -stdtrit(df, 0.025)) & (df >= 1)) <= 0.05 + 0.0104


def test_the_scale_changes_nothing():
    series = autoregressive(0.5, (40,))
    one, other = long_run(series), long_run(series * 2.0**300)
    assert (one.df, one.persistence) == (other.df, other.persistence)
    assert other.variance == one.variance * 2.0**600


def test_short_and_wandering_series_have_a_reason_and_no_answer():
    assert "at least 8" in long_run(np.arange(7.0)).reason
    assert "too few for a persistence of 0.9" in long_run(np.arange(60.0)).reason  # a trend is taken for persistence
    assert long_run(np.array([1.0, -1.0] * 20)).reason is None


def test_equal_values_have_no_variance():
    assert long_run(np.full(30, 0.1)).variance == 0.0
    assert long_run(np.full(30, 0.1) * 3).variance == 0.0
