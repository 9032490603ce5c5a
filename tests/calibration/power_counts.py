"""Planned tests of proportions, rates and ratios."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import cache

import numpy as np

import abkit as ab
from abkit.power import two_proportions, two_rates
from tests.calibration.power_designs import Case

#: A normal approximation of counts is off by as much.
_OFF = 0.015


def cases() -> Iterator[Case]:
    """Every line of this family."""
    for baseline, mde, ratio in ((0.1, 0.05, 1.0), (0.5, -0.1, 1.0), (0.1, 0.05, 0.25)):
        plan = two_proportions(baseline=baseline, mde=mde, power=0.8, ratio=ratio)
        yield _proportions("score", "", baseline, mde, (plan.n_control, plan.n_treatment), ab.proportion_test)
    for margin in (0.04, ab.relative(0.2)):
        plan = two_proportions(baseline=0.2, hypothesis="non-inferiority", margin=margin, power=0.8)
        null = ab.relative(-0.2) if plan.relative else -0.04
        sizes = plan.n_control, plan.n_treatment
        words = f", null of {-0.2 if plan.relative else null:g}{' of the baseline' if plan.relative else ''}"
        yield _proportions("score", words, 0.2, 0.0, sizes, _against(null))
    plan = two_proportions(baseline=0.1, mde=0.3, power=0.8, test="fisher")
    yield _proportions("fisher", "", 0.1, 0.3, (plan.n_control, plan.n_treatment), ab.exact_test, plan.power)
    for test in ("exact", "score"):
        plan = two_rates(baseline=0.4, mde=0.2, power=0.8, test=test)
        n = math.ceil(plan.n_control)
        power = two_rates(baseline=0.4, mde=0.2, n=n, test=test).power
        yield Case(
            f"two_rates, {test}",
            f"{n} units, 0.4 and 0.6 events",
            power,
            _rates(n, test),
            0.0 if test == "exact" else _OFF,
        )


def _against(null: object) -> Callable[..., ab.TestResult]:
    return lambda c, t: ab.proportion_test(c, t, null=null, alternative="greater")


def _proportions(
    name: str,
    words: str,
    baseline: float,
    mde: float,
    sizes: tuple[float, float],
    ask: Callable[..., ab.TestResult],
    power: float | None = None,
) -> Case:
    n_c, n_t = (math.ceil(round(size, 6)) for size in sizes)

    @cache
    def rejects(c: int, t: int) -> bool:
        return ask(ab.Counts(n=n_c, successes=c), ab.Counts(n=n_t, successes=t)).pvalue <= 0.05

    def rejections(rng: np.random.Generator, runs: int) -> int:
        control, treatment = rng.binomial(n_c, baseline, runs), rng.binomial(n_t, baseline + mde, runs)
        return sum(rejects(c, t) for c, t in zip(control.tolist(), treatment.tolist(), strict=True))

    setting = f"{n_c} and {n_t} units, proportions {baseline:g} and {baseline + mde:g}{words}"
    return Case(
        f"two_proportions, {name}", setting, 0.8 if power is None else power, rejections, _OFF if power is None else 0.0
    )


def _rates(n: int, test: str) -> Callable[[np.random.Generator, int], int]:
    @cache
    def rejects(c: int, t: int) -> bool:
        events = (ab.Events(events=count, exposure=float(n)) for count in (c, t))
        return ab.rate_test(*events, method=test).pvalue <= 0.05

    def rejections(rng: np.random.Generator, runs: int) -> int:
        control, treatment = rng.poisson(0.4 * n, runs), rng.poisson(0.6 * n, runs)
        return sum(rejects(c, t) for c, t in zip(control.tolist(), treatment.tolist(), strict=True))

    return rejections
