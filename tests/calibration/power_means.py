"""Planned tests of means."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import abkit as ab
from tests.calibration.power_designs import Case, counted


def cases() -> Iterator[Case]:
    """Every line of this family."""
    for test in ("welch", "student"):
        for n, ratio, sd_t in ((5, 1.0, 1.0), (20, 3.0, 1.0), (40, 0.25, 2.0)):
            if test == "welch" or sd_t == 1.0:
                yield _two_means(test, n, ratio, sd_t)


def _two_means(test: str, n: int, ratio: float, sd_t: float) -> Case:
    n_t = round(n * ratio)
    mde = 2.8 * (1 / n + sd_t**2 / n_t) ** 0.5
    planned = ab.power.two_means(n=n, mde=mde, sd=1.0, sd_treatment=sd_t, ratio=n_t / n, test=test)
    ask = getattr(ab, f"{test}_test")
    draw = normal_moments(n, n_t, mde, sd_t)
    words = f"{n} and {n_t} normal units, standard deviations 1 and {sd_t:g}"
    return Case(f"two_means, {test}", words, planned.power, counted(lambda rng: ask(*draw(rng)).pvalue <= 0.05))


def normal_moments(n_c: int, n_t: int, mde: float, sd_t: float) -> Callable[[np.random.Generator], tuple[Any, Any]]:
    """Moments of normal units, which are a normal and a chi-squared number each."""

    def draw(rng: np.random.Generator) -> tuple[Any, Any]:
        return tuple(
            ab.Moments(n=n, mean=mean + sd * rng.normal() / n**0.5, m2=sd**2 * rng.chisquare(n - 1))
            for n, mean, sd in ((n_c, 0.0, 1.0), (n_t, mde, sd_t))
        )

    return draw
