"""Planned tests of means."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import abkit as ab
from abkit.suffstats import CoMoments
from tests.calibration.power_designs import Case, counted


def cases() -> Iterator[Case]:
    """Every line of this family."""
    for test in ("welch", "student"):
        for n, ratio, sd_t in ((5, 1.0, 1.0), (20, 3.0, 1.0), (40, 0.25, 2.0)):
            if test == "welch" or sd_t == 1.0:
                yield _two_means(test, n, ratio, sd_t)
    for margin in (0.0, 0.2):
        yield _paired(15, margin)
    for sizes in ((10,), (2, 6, 10, 22)):
        yield _clusters(30, sizes)
    for n_c, n_t, k, r2 in ((8, 8, 1, 0.5), (12, 40, 3, 0.7), (200, 100, 2, 0.5)):
        yield _regression(n_c, n_t, k, r2)


def _paired(n: int, margin: float) -> Case:
    hypothesis = "non-inferiority" if margin else "superiority"
    given = {"correlation": 0.7, "baseline": 10.0, "relative": True, "margin": margin, "hypothesis": hypothesis}
    mde = 0.1 - margin
    planned = ab.power.paired(n=n, mde=mde, sd=2.0, **given)
    covariance = 4 * np.array([[1, 0.7], [0.7, 1]])

    def rejects(rng: np.random.Generator) -> bool:
        pairs = rng.multivariate_normal([10, 10 * (1 + mde)], covariance, n)
        way = "greater" if margin else "two-sided"
        return ab.paired_test(*pairs.T, alternative=way, null=ab.relative(-margin)).pvalue <= 0.05

    words = f"{n} pairs, {hypothesis}" + (f" with a relative margin of {margin:g}" if margin else "")
    return Case("paired", words, planned.power, counted(rejects))


def _clusters(n: int, sizes: tuple[int, ...]) -> Case:
    of, icc, mde = np.array(sizes), 0.1, 0.35
    cv = float(of.std() / of.mean())
    planned = ab.power.clusters(n=n, mde=mde, sd=1.0, icc=icc, cluster_size=float(of.mean()), cv=cv)

    def sums(rng: np.random.Generator, mean: float) -> np.ndarray:
        m = rng.choice(of, n)
        noise = rng.normal(0, icc**0.5, n) * m + rng.normal(0, np.sqrt((1 - icc) * m))
        return np.column_stack([mean * m + noise, m])

    def rejects(rng: np.random.Generator) -> bool:
        return ab.ratio_test(sums(rng, 1.0), sums(rng, 1.0 + mde)).pvalue <= 0.05

    words = f"{n} and {n} clusters of {' or '.join(map(str, sizes))} rows, icc {icc:g}"
    return Case("clusters", words, planned.power, counted(rejects), off=0.015 * (len(sizes) > 1))


def _regression(n_c: int, n_t: int, k: int, r2: float) -> Case:
    mde = 3.0 * ((1 - r2) * (1 / n_c + 1 / n_t)) ** 0.5
    planned = ab.power.regression(n=n_c, ratio=n_t / n_c, mde=mde, sd=1.0, r2=r2, covariates=k)
    metric = ab.Mean("y", covariates=[f"x{i}" for i in range(k)])

    def statistics(rng: np.random.Generator, n: int, mean: float) -> Any:
        x = rng.standard_normal((n, k))
        y = mean + (r2 / k) ** 0.5 * x.sum(axis=1) + (1 - r2) ** 0.5 * rng.standard_normal(n)
        return CoMoments.from_sample(np.column_stack([y, x]), ["y", *metric.covariates], "units")

    def rejects(rng: np.random.Generator) -> bool:
        effect = metric.effect(statistics(rng, n_c, 1.0), statistics(rng, n_t, 1.0 + mde))[1]
        return effect.pvalue(0.0, "two-sided") <= 0.05

    words = f"{n_c} and {n_t} units, {k} covariates, r2 {r2:g}"
    return Case("regression", words, planned.power, counted(rejects), off=0.02 * (n_c < 20))


def _two_means(test: str, n: int, ratio: float, sd_t: float) -> Case:
    n_t = round(n * ratio)
    mde = 2.8 * (1 / n + sd_t**2 / n_t) ** 0.5
    planned = ab.power.two_means(n=n, mde=mde, sd=1.0, sd_treatment=sd_t, ratio=n_t / n, test=test)
    ask = getattr(ab, f"{test}_test")
    draw = normal_moments(n, n_t, mde, sd_t)
    words = f"{n} and {n_t} normal units, standard deviations 1 and {sd_t:g}"
    off = 0.03 if test == "welch" and min(n, n_t) < 10 else 0.0
    return Case(f"two_means, {test}", words, planned.power, counted(lambda rng: ask(*draw(rng)).pvalue <= 0.05), off)


def normal_moments(n_c: int, n_t: int, mde: float, sd_t: float) -> Callable[[np.random.Generator], tuple[Any, Any]]:
    """Moments of normal units, which are a normal and a chi-squared number each."""

    def draw(rng: np.random.Generator) -> tuple[Any, Any]:
        return tuple(
            ab.Moments(n=n, mean=mean + sd * rng.normal() / n**0.5, m2=sd**2 * rng.chisquare(n - 1))
            for n, mean, sd in ((n_c, 0.0, 1.0), (n_t, mde, sd_t))
        )

    return draw
