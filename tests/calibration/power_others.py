"""Planned tests of ranks, of quantiles, of many variants, and under a monitor."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from scipy import stats

import abkit as ab
from abkit.errors import AccuracyWarning
from abkit.power._many_variants import critical_of_many
from abkit.sequential._two_proportions import two_proportions_effect
from tests.calibration.power_designs import Case, counted

_Draw = Callable[[np.random.Generator], tuple[Any, Any]]


def cases() -> Iterator[Case]:
    """Every line of these families."""
    yield _ranks("normal", 80, 60, 0.45)
    yield _ranks("logistic", 60, 120, 0.5)
    yield _ranks("exponential", 200, 50, 0.5)
    yield _ranks("normal", 100, 100, 0.0, margin=0.1)
    yield _quantile(0.5, stats.norm(10), 400, 1.015)
    yield _quantile(0.9, stats.lognorm(0.6), 800, 1.15)
    for count in ("each", "any", "all"):
        yield _many(count, 3, 12, 6, 1.5)
    for monitor in (ab.GroupSequential(looks=4), ab.AnytimeValid(tune_at=3000), ab.AnytimeValid(tune_at=900, sides=1)):
        for alternative in ("two-sided", "greater"):
            yield _means_looked_at(monitor, alternative)
    yield _proportions_looked_at(4000, 4000, 0.1, 0.025)
    yield _proportions_looked_at(8000, 2000, 0.2, 0.04)


def _ranks(shape: str, n: int, n_t: int, shift: float, margin: float = 0.0) -> Case:
    given = {"hypothesis": "non-inferiority", "margin": margin} if margin else {}
    mde = ab.power.superiority(shift, shape)  # type: ignore[arg-type]
    planned = ab.power.ranks(n=n, ratio=n_t / n, mde=mde, shape=shape, **given)  # type: ignore[arg-type]
    law = {"normal": stats.norm, "logistic": stats.logistic, "exponential": stats.expon}[shape]
    moved = {"normal": (shift, 1.0), "logistic": (shift * math.pi / math.sqrt(3), 1.0)}
    place, scale = moved.get(shape, (0.0, math.exp(shift)))

    def rejects(rng: np.random.Generator) -> bool:
        c, t = law.rvs(size=n, random_state=rng), place + scale * law.rvs(size=n_t, random_state=rng)
        alternative = "greater" if margin else "two-sided"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AccuracyWarning)
            return ab.mann_whitney_test(c, t, null=-margin, alternative=alternative).pvalue <= 0.05

    against = f", margin {margin:g}" if margin else ""
    return Case("ranks", f"{n} and {n_t} {shape} units{against}", planned.power, counted(rejects), off=0.01)


def _quantile(q: float, law: Any, n: int, factor: float) -> Case:
    at = float(law.ppf(q))
    density = float(law.pdf(at))
    planned = ab.power.quantile(
        q=q, n=n, density=density, density_treatment=density / factor, baseline=at, mde=ab.relative(factor - 1)
    )

    def rejects(rng: np.random.Generator) -> bool:
        c, t = law.rvs(size=n, random_state=rng), factor * law.rvs(size=n, random_state=rng)
        return ab.quantile_test(c, t, q=q).pvalue <= 0.05

    return Case("quantile", f"q = {q:g}, {n} and {n} units", planned.power, counted(rejects), off=0.02)


def _many(count: str, k: int, n: int, n_t: int, mde: float) -> Case:
    planned = ab.power.many_variants(
        treatments=k,
        n=n,
        mde=mde,
        sd=1.0,
        ratio=n_t / n,
        count=count,
        test="student",  # type: ignore[arg-type]
    )
    df = n - 1 + k * (n_t - 1)
    bound = critical_of_many(k, n_t / (n + n_t), df, "two-sided", 0.05, "dunnett")

    def rejections(rng: np.random.Generator, runs: int) -> int:
        control, treated = rng.standard_normal((runs, n)), mde + rng.standard_normal((runs, k, n_t))
        pooled = ((n - 1) * control.var(1, ddof=1) + (n_t - 1) * treated.var(2, ddof=1).sum(1)) / df
        gaps = treated.mean(2) - control.mean(1)[:, None]
        found = np.abs(gaps) > bound * np.sqrt(pooled * (1 / n + 1 / n_t))[:, None]
        return int({"each": found[:, 0], "any": found.any(1), "all": found.all(1)}[count].sum())

    return Case(
        f"many_variants, {count}", f"{k} treatments of {n_t} units, {n} of the control", planned.power, rejections
    )


def _means_looked_at(monitor: Any, alternative: str, looks: int = 4, n: int = 1600, mde: float = 0.1) -> Case:
    planned = ab.power.two_means(
        n=n,
        mde=mde,
        sd=1.0,
        monitor=monitor,
        alternative=alternative,
        looks=looks,  # type: ignore[arg-type]
    )
    shares = np.arange(1, looks + 1) / looks
    scheduled = isinstance(monitor, ab.GroupSequential)
    bounds = monitor.design().critical_values if scheduled else [monitor.multiplier(2 * n * t) for t in shares]

    def rejections(rng: np.random.Generator, runs: int) -> int:
        drift = mde * math.sqrt(n / 2)
        z = (rng.standard_normal((runs, looks)) / math.sqrt(looks) + drift / looks).cumsum(1) / np.sqrt(shares)
        return int(((np.abs(z) if alternative == "two-sided" else z) > bounds).any(1).sum())

    words = f"{n} and {n} units, {looks} looks, {alternative}, sides={monitor.sides}"
    return Case(f"two_means, {monitor.kind}", words, planned.power, rejections)


def _proportions_looked_at(n: int, n_t: int, p: float, mde: float, looks: int = 3) -> Case:
    monitor = ab.AnytimeValid(tune_at=6000)
    planned = ab.power.two_proportions(n=n, ratio=n_t / n, baseline=p, mde=mde, monitor=monitor, looks=looks)
    share = n_t / (n + n_t)

    def rejects(rng: np.random.Generator) -> bool:
        held = [int(n * (k + 1) / looks) for k in range(looks)], [int(n_t * (k + 1) / looks) for k in range(looks)]
        x_c = rng.binomial(np.diff(held[0], prepend=0), p).cumsum().tolist()
        x_t = rng.binomial(np.diff(held[1], prepend=0), p + mde).cumsum().tolist()
        for c, m, t, m_t in zip(x_c, held[0], x_t, held[1], strict=True):
            if two_proportions_effect(c, m, t, m_t, share, 6000).pvalue(0.0, "two-sided") <= 0.05:
                return True
        return False

    words = f"{n} and {n_t} units, {looks} looks, {p:g} and {p + mde:g}"
    return Case("two_proportions, anytime-valid", words, planned.power, counted(rejects), off=0.03)
