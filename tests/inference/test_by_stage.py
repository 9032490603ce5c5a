"""Strata with fixed weights: co-moments whose means vary as theirs do, and deviates that are added up."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm

import abkit as ab
from abkit.inference._by_stage import CombinedEffect, stage_weights, standardised
from abkit.inference._proportion import ScoreEffect
from abkit.inference._quantile_effect import quantile_effect
from abkit.logs import ThirdMoments
from abkit.suffstats import CoMoments, Histogram
from abkit.types import Relative

RNG = np.random.default_rng(5)
SAMPLES = [RNG.gamma(2.0, 1.0 + i, (n, 2)) for i, n in enumerate((300, 40, 1000))]


def third(sample: np.ndarray) -> ThirdMoments:
    moments = CoMoments.from_sample(sample, ("y", "d"))
    apart = sample - sample.mean(axis=0)
    return ThirdMoments.of(moments, np.einsum("ni,nj,nk->ijk", apart, apart, apart), len(sample))


def test_weights_know_the_sizes_only() -> None:
    assert stage_weights([99, 50], [1, 50]) == pytest.approx([0.99 / 25.99, 25 / 25.99])


def test_standardised_statistics_have_the_cumulants_of_the_weighted_mean() -> None:
    w = np.array([0.5, 0.1, 0.4])
    found = standardised([third(sample) for sample in SAMPLES], w)
    assert isinstance(found, ThirdMoments)
    assert found.mean == pytest.approx(sum(x * sample.mean(axis=0) for x, sample in zip(w, SAMPLES, strict=True)))
    covariance = sum(x * x * np.cov(sample.T) / len(sample) for x, sample in zip(w, SAMPLES, strict=True))
    assert found.covariance / found.n == pytest.approx(covariance)
    assert found.m3 is not None
    cubes = sum(x**3 * third(s).m3 / len(s) ** 3 for x, s in zip(w, SAMPLES, strict=True))
    assert found.m3 / found.n**3 == pytest.approx(cubes)
    v = [x * x * s[:, 0].var(ddof=1) / len(s) for x, s in zip(w, SAMPLES, strict=True)]
    df = sum(v) ** 2 / sum(part * part / (len(s) - 1) for part, s in zip(v, SAMPLES, strict=True))
    assert found.n == round(df) + 1
    assert found.nonzero == 1340


def test_a_single_stratum_keeps_its_statistics() -> None:
    alone = third(SAMPLES[0])
    found = standardised([alone], np.array([1.0]))
    assert (found.n, found.names) == (alone.n, alone.names)
    assert found.m2 == pytest.approx(alone.m2)


def test_constant_strata_have_no_variance_and_all_units() -> None:
    flat = CoMoments.from_sample(np.ones((7, 1)), ("y",))
    found = standardised([flat, flat], np.array([0.3, 0.7]))
    assert (found.n, float(found.m2[0, 0])) == (14, 0.0)


def test_alike_proportions_combine_as_stouffer_says() -> None:
    effects = tuple(ScoreEffect(x, n, y, m) for x, n, y, m in ((30, 900, 5, 100), (40, 500, 50, 500)))
    w = (0.3, 0.7)
    found = CombinedEffect(effects, w)
    z = sum(math.sqrt(x) * effect.statistic(0.01) for x, effect in zip(w, effects, strict=True))
    assert found.statistic(0.01) == pytest.approx(z)
    assert found.pvalue(0.01, "greater") == pytest.approx(float(norm.sf(z)))
    for level in (0.5, 0.95, 1 - 1e-9):
        low, high = found.interval(level, "two-sided")
        assert found.pvalue(low, "two-sided") == pytest.approx(1 - level, rel=1e-5)
        assert found.pvalue(high, "two-sided") == pytest.approx(1 - level, rel=1e-5)
        low, high = found.relative(level, "two-sided", None)
        assert found.pvalue(Relative(high), "two-sided") == pytest.approx(1 - level, rel=1e-5)
    assert found.interval(0.95, "less").low == -math.inf
    assert found.interval(0.95, "greater").high == math.inf


def test_a_stratum_without_a_deviate_adds_nothing() -> None:
    empty = ScoreEffect(0, 50, 0, 50)
    some = ScoreEffect(30, 500, 50, 500)
    assert CombinedEffect((empty, empty), (0.5, 0.5)).pvalue(0.0, "two-sided") == 1
    assert CombinedEffect((empty, some), (0.1, 0.9)).statistic(0.0) == pytest.approx(
        math.sqrt(0.9) * some.statistic(0.0)
    )


def test_quantiles_of_alike_strata_are_about_as_sure_as_one_of_all() -> None:
    rng = np.random.default_rng(8)
    control, treatment = rng.exponential(size=(4, 2000)), rng.exponential(size=(4, 2000)) * 1.1
    parts = [quantile_effect(*map(Histogram.from_sample, pair), 0.9) for pair in zip(control, treatment, strict=True)]
    found = CombinedEffect(tuple(parts), (0.25,) * 4)
    whole = quantile_effect(Histogram.from_sample(control.ravel()), Histogram.from_sample(treatment.ravel()), 0.9)
    assert found.stderr == pytest.approx(whole.stderr, rel=0.15)
    for null in (0.0, 0.1, 0.4):
        assert found.statistic(null) == pytest.approx(whole.statistic(null), abs=0.5)
    ours, theirs = found.interval(0.95, "two-sided"), whole.interval(0.95, "two-sided")
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.05)


def test_a_stratum_too_small_for_its_quantile_says_nothing_either_way() -> None:
    few = quantile_effect(Histogram.from_sample([1.0, 2.0, 3.0]), Histogram.from_sample([1.0, 2.0, 30.0]), 0.99)
    found = CombinedEffect((few,), (1.0,))
    assert abs(found.statistic(0.0)) < 0.1
    assert found.interval(0.95, "two-sided").shape == "whole-line"


def test_deviates_are_standard_normal_under_the_null() -> None:
    """Two strata whose level and split differ, of counts and of quantiles."""
    rng, z_counts, z_quantiles = np.random.default_rng(1), [], []
    w = tuple(stage_weights([900, 500], [100, 500]).tolist())
    for _ in range(250):
        counts = [
            ScoreEffect(rng.binomial(n, p), n, rng.binomial(m, p), m) for n, m, p in ((900, 100, 0.1), (500, 500, 0.2))
        ]
        z_counts.append(CombinedEffect(tuple(counts), w).statistic(0.0))
        spread = [
            quantile_effect(*(Histogram.from_sample(rng.exponential(s, size)) for size in sizes), 0.8)
            for s, sizes in ((1.0, (900, 100)), (3.0, (500, 500)))
        ]
        z_quantiles.append(CombinedEffect(tuple(spread), w).statistic(0.0))
    for z in (z_counts, z_quantiles):
        assert abs(np.mean(z)) < 0.2
        assert 0.85 < np.std(z) < 1.15
        assert np.mean(np.abs(z) > 1.96) < 0.1


def test_a_relative_set_needs_controls_above_zero() -> None:
    flat = quantile_effect(Histogram.from_sample([-2.0, -1.0, 0.0]), Histogram.from_sample([1.0, 2.0, 3.0]), 0.5)
    assert isinstance(CombinedEffect((flat,), (1.0,)).relative(0.95, "two-sided", None), ab.WholeLine)
