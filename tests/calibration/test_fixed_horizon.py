"""Error rates and coverage of the fixed-horizon tests, by simulation; writes docs/calibration.md.

Every setting is simulated twice: without an effect for the type I error of the two-sided 5% test, and with one for
the coverage of the 95% intervals. An interval covers the truth exactly when the test of the truth has p >= 0.05 (a law
that the contract tests hold every test to), so coverage is read off p-values.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import gammaln

import abkit as ab
from abkit.evidence import run_test
from abkit.inference import linear_effect, mean_arm

pytestmark = pytest.mark.calibration

PAGE = Path(__file__).parents[2] / "docs" / "calibration.md"
REPETITIONS = 5_000
BATCH = 250
SIZES = (20, 200, 2000)
#: The limits of what the table calls nominal: 1 point around 5%, about 3 standard errors of the simulation.
TOLERANCE = 0.01

Arrays = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Setting:
    """One row of the table. `draw(rng, shape, lift)` gives the units of a variant, `truth(lift)` its expectation."""

    test: str
    data: str
    n: int
    control_share: float
    draw: Callable[..., np.ndarray]
    truth: Callable[[float], float]
    lift: float
    answer: Callable[[np.ndarray, np.ndarray, float | ab.types.Relative], float]

    @property
    def sizes(self) -> tuple[int, int]:
        n_control = round(2 * self.n * self.control_share)
        return n_control, 2 * self.n - n_control

    @property
    def name(self) -> str:
        return f"{self.test}, {self.data}, {self.sizes[0]} and {self.sizes[1]} units"


@dataclass(frozen=True)
class Rates:
    """Shares of the simulated experiments."""

    error: float
    absolute: float
    relative: float


# How to draw the units of a variant. The last axis of an array holds the variables of a unit.


def normal(rng: np.random.Generator, shape: tuple[int, int], lift: float) -> np.ndarray:
    return rng.normal(10 * (1 + lift), 5, shape)


def lognormal(rng: np.random.Generator, shape: tuple[int, int], lift: float) -> np.ndarray:
    return rng.lognormal(0, 1, shape) * (1 + lift)


def bernoulli(rng: np.random.Generator, shape: tuple[int, int], lift: float) -> np.ndarray:
    return (rng.random(shape) < 0.05 * (1 + lift)).astype(float)


MEAN_OF = {normal: 10.0, lognormal: math.exp(0.5), bernoulli: 0.05}


def clicks(rng: np.random.Generator, shape: tuple[int, int], lift: float) -> np.ndarray:
    """Clicks and views of users: those with many views click less often on each."""
    views = 1 + rng.poisson(4, shape)
    return np.stack([rng.binomial(views, click_rate(views) * (1 + lift)), views], axis=-1).astype(float)


def click_rate(views: np.ndarray) -> np.ndarray:
    return 0.5 / (1 + views / 4)


def clicks_per_view(lift: float) -> float:
    k = np.arange(200)
    chance = np.exp(k * math.log(4) - 4 - gammaln(k + 1))
    return float((chance * (1 + k) * click_rate(1 + k)).sum() / (chance * (1 + k)).sum() * (1 + lift))


def with_covariates(k: int, skewed: bool) -> Callable[..., np.ndarray]:
    """An outcome that leans on k covariates; in the treatment the effect grows with the first of them."""

    def draw(rng: np.random.Generator, shape: tuple[int, int], lift: float, treated: bool = False) -> np.ndarray:
        z = rng.normal(size=(*shape, k))
        x = (np.exp(z) - math.exp(0.5)) / math.sqrt((math.e - 1) * math.e) if skewed else z
        slopes = np.ones(k)
        slopes[0] += 0.5 * treated
        y = 10 * (1 + lift) + x @ slopes + rng.normal(0, 1, shape)
        return np.concatenate([y[..., None], x], axis=-1)

    return draw


# How to test two variants, given the units of each.


def of_moments(test: Callable[..., ab.TestResult]) -> Callable[..., float]:
    def answer(control: Any, treatment: Any, null: Any) -> float:
        return test(control, treatment, null=null).pvalue

    return answer


def adjusted(control: ab.CoMoments, treatment: ab.CoMoments, null: Any) -> float:
    return run_test("linear", linear_effect(mean_arm(control), mean_arm(treatment)), "two-sided", null).pvalue


def statistics(test: str, units: np.ndarray) -> Iterator[Any]:
    """The statistics of each simulated variant; the first axis counts the simulations."""
    n = units.shape[1]
    if test == "proportion_test":
        yield from (ab.Counts(n, int(k)) for k in units.sum(axis=1))
        return
    mean = units.mean(axis=1, keepdims=True)
    deviations = units - mean
    if units.ndim == 2:
        for m, m2 in zip(mean[:, 0].tolist(), (deviations**2).sum(axis=1).tolist(), strict=True):
            yield ab.Moments(n, m, m2)
        return
    names = [f"v{i}" for i in range(units.shape[2])]
    products = np.einsum("rni,rnj->rij", deviations, deviations)
    for m, m2 in zip(mean[:, 0], (products + np.swapaxes(products, 1, 2)) / 2, strict=True):
        yield ab.CoMoments(n, m, m2, names)


def settings() -> Iterator[Setting]:
    tests = {"welch_test": ab.welch_test, "student_test": ab.student_test, "z_test": ab.z_test}
    shapes = [(n, share) for n in SIZES for share in (0.5, 0.8)]
    for name, test in tests.items():
        for label, draw in (("normal", normal), ("lognormal", lognormal), ("Bernoulli 5%", bernoulli)):
            for n, share in shapes:
                yield Setting(name, label, n, share, draw, functools.partial(lifted, draw), 0.2, of_moments(test))
    for n, share in shapes:
        yield Setting(
            "proportion_test",
            "Bernoulli 5%",
            n,
            share,
            bernoulli,
            functools.partial(lifted, bernoulli),
            0.2,
            of_moments(ab.proportion_test),
        )
    for n, share in shapes:
        yield Setting(
            "ratio_test", "clicks per view", n, share, clicks, clicks_per_view, 0.2, of_moments(ab.ratio_test)
        )
    for label, k, skewed in (
        ("1 normal covariate", 1, False),
        ("1 lognormal covariate", 1, True),
        ("3 normal covariates", 3, False),
    ):
        for n, share in shapes:
            draw = with_covariates(k, skewed)
            yield Setting("linear_effect", label, n, share, draw, lambda lift: 10 * (1 + lift), 0.05, adjusted)


def lifted(draw: Callable[..., np.ndarray], lift: float) -> float:
    return MEAN_OF[draw] * (1 + lift)


SETTINGS = list(settings())


@functools.cache
def rates(setting: Setting) -> Rates:
    """Simulate one row of the table; the seed is its place in it."""
    rng = np.random.default_rng([20260101, SETTINGS.index(setting)])
    rejected = absolute = relative = 0
    difference = setting.truth(setting.lift) - setting.truth(0.0)
    share = ab.relative(difference / setting.truth(0.0))
    for _ in range(REPETITIONS // BATCH):
        rejected += sum(setting.answer(c, t, 0.0) < 0.05 for c, t in simulated(setting, rng, 0.0))
        for c, t in simulated(setting, rng, setting.lift):
            # an undefined test (nan) has the whole line for an interval, which covers
            absolute += not setting.answer(c, t, difference) < 0.05
            relative += not setting.answer(c, t, share) < 0.05
    return Rates(rejected / REPETITIONS, absolute / REPETITIONS, relative / REPETITIONS)


def simulated(setting: Setting, rng: np.random.Generator, lift: float) -> Iterator[tuple[Any, Any]]:
    n_control, n_treatment = setting.sizes
    mark = {"treated": True} if setting.test == "linear_effect" else {}
    control = setting.draw(rng, (BATCH, n_control), 0.0)
    treatment = setting.draw(rng, (BATCH, n_treatment), lift, **mark)
    return zip(statistics(setting.test, control), statistics(setting.test, treatment), strict=True)
