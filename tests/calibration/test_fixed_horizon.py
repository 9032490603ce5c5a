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
SIZES = ((20, 20), (32, 8), (200, 200), (320, 80), (2000, 2000), (3200, 800))
NOMINAL = 0.05
#: What the page calls nominal: within 1 point of 5%, which is 3.2 standard errors of the simulation.
TOLERANCE = 0.01

Answer = Callable[[Any, Any], ab.TestResult]


@dataclass(frozen=True)
class Setting:
    """What is drawn, in which numbers, and the tests that are asked.

    `draw(rng, shape, lift, treated)` gives the units of a variant, `truth(lift)` what the tests estimate from them.
    """

    data: str
    sizes: tuple[int, int]
    draw: Callable[..., np.ndarray]
    truth: Callable[[float], float]
    lift: float
    answers: tuple[tuple[str, Answer], ...]
    binary: bool = False


@dataclass(frozen=True)
class Row:
    """A line of the page: shares of the simulated experiments."""

    test: str
    data: str
    sizes: tuple[int, int]
    error: float
    absolute: float
    relative: float

    @property
    def worst(self) -> float:
        """The largest of the three error rates."""
        return max(self.error, 1 - self.absolute, 1 - self.relative)


# How to draw the units of a variant. A last axis holds the variables of a unit.


def normal(rng: np.random.Generator, shape: tuple[int, int], lift: float, treated: bool) -> np.ndarray:
    return rng.normal(10 * (1 + lift), 5, shape)


def lognormal(rng: np.random.Generator, shape: tuple[int, int], lift: float, treated: bool) -> np.ndarray:
    return rng.lognormal(0, 1, shape) * (1 + lift)


def bernoulli(rng: np.random.Generator, shape: tuple[int, int], lift: float, treated: bool) -> np.ndarray:
    return (rng.random(shape) < 0.05 * (1 + lift)).astype(float)


def clicks(rng: np.random.Generator, shape: tuple[int, int], lift: float, treated: bool) -> np.ndarray:
    """Clicks and views of users: those with many views click less often on each."""
    views = 1 + rng.poisson(4, shape)
    return np.stack([rng.binomial(views, click_rate(views) * (1 + lift)), views], axis=-1).astype(float)


def click_rate(views: np.ndarray) -> np.ndarray:
    return 0.5 / (1 + views / 4)


def with_covariates(k: int, skewed: bool) -> Callable[..., np.ndarray]:
    """An outcome that leans on k covariates; the treatment's effect grows with the first of them."""

    def draw(rng: np.random.Generator, shape: tuple[int, int], lift: float, treated: bool) -> np.ndarray:
        z = rng.normal(size=(*shape, k))
        x = (np.exp(z) - math.exp(0.5)) / math.sqrt((math.e - 1) * math.e) if skewed else z
        slopes = np.ones(k)
        slopes[0] += 0.5 * treated
        y = 10 * (1 + lift) + x @ slopes + rng.normal(0, 1, shape)
        return np.concatenate([y[..., None], x], axis=-1)

    return draw


# What the tests estimate.


def mean_of(mean: float) -> Callable[[float], float]:
    return lambda lift: mean * (1 + lift)


def clicks_per_view(lift: float) -> float:
    k = np.arange(200)
    chance = np.exp(k * math.log(4) - 4 - gammaln(k + 1))
    return float((chance * (1 + k) * click_rate(1 + k)).sum() / (chance * (1 + k)).sum() * (1 + lift))


def adjusted(control: ab.CoMoments, treatment: ab.CoMoments) -> ab.TestResult:
    return run_test("linear", linear_effect(mean_arm(control), mean_arm(treatment)), "two-sided", 0.0)


OF_MEANS = (("welch_test", ab.welch_test), ("student_test", ab.student_test), ("z_test", ab.z_test))
SETTINGS = [
    setting
    for sizes in SIZES
    for setting in (
        Setting("normal", sizes, normal, mean_of(10), 0.2, OF_MEANS),
        Setting("lognormal", sizes, lognormal, mean_of(math.exp(0.5)), 0.2, OF_MEANS),
        Setting("Bernoulli 5%", sizes, bernoulli, mean_of(0.05), 0.2, OF_MEANS),
        Setting("Bernoulli 5%", sizes, bernoulli, mean_of(0.05), 0.2, (("proportion_test", ab.proportion_test),), True),
        Setting("clicks per view", sizes, clicks, clicks_per_view, 0.2, (("ratio_test", ab.ratio_test),)),
        *(
            Setting(label, sizes, with_covariates(k, skewed), mean_of(10), 0.05, (("linear_effect", adjusted),))
            for label, k, skewed in (
                ("1 normal covariate", 1, False),
                ("1 lognormal covariate", 1, True),
                ("3 normal covariates", 3, False),
            )
        ),
    )
]


@functools.cache
def rows(setting: Setting) -> tuple[Row, ...]:
    """Simulate one setting; its seed is its place among the settings."""
    rng = np.random.default_rng([20260101, SETTINGS.index(setting)])
    difference = setting.truth(setting.lift) - setting.truth(0.0)
    share = ab.relative(difference / abs(setting.truth(0.0)))
    missed = {name: np.zeros(3) for name, _ in setting.answers}
    for _ in range(REPETITIONS // BATCH):
        without, with_effect = simulated(setting, rng, 0.0), simulated(setting, rng, setting.lift)
        for name, answer in setting.answers:
            for control, treatment in without:
                missed[name][0] += answer(control, treatment).pvalue < NOMINAL
            for control, treatment in with_effect:
                result = answer(control, treatment)
                # where a test is undefined its p-value is nan and its interval the whole line, which covers
                missed[name][1] += result.with_null(difference).pvalue < NOMINAL
                missed[name][2] += result.with_null(share).pvalue < NOMINAL
    return tuple(
        Row(name, setting.data, setting.sizes, *map(float, missed[name] / REPETITIONS * [1, -1, -1] + [0, 1, 1]))
        for name, _ in setting.answers
    )


def simulated(setting: Setting, rng: np.random.Generator, lift: float) -> list[tuple[Any, Any]]:
    n_control, n_treatment = setting.sizes
    control = setting.draw(rng, (BATCH, n_control), 0.0, False)
    treatment = setting.draw(rng, (BATCH, n_treatment), lift, True)
    return list(zip(statistics(setting, control), statistics(setting, treatment), strict=True))


def statistics(setting: Setting, units: np.ndarray) -> Iterator[Any]:
    """The statistics of each simulated variant; the first axis counts the simulations."""
    n = units.shape[1]
    if setting.binary:
        yield from (ab.Counts(n, int(successes)) for successes in units.sum(axis=1))
        return
    mean = units.mean(axis=1, keepdims=True)
    deviations = units - mean
    if units.ndim == 2:
        for m, m2 in zip(mean[:, 0].tolist(), (deviations**2).sum(axis=1).tolist(), strict=True):
            yield ab.Moments(n, m, m2)
        return
    names = [f"v{i}" for i in range(units.shape[2])]
    products = np.swapaxes(deviations, 1, 2) @ deviations
    for m, m2 in zip(mean[:, 0], (products + np.swapaxes(products, 1, 2)) / 2, strict=True):
        yield ab.CoMoments(n, m, m2, names)


#: Where a method is known to be worse than nominal: the largest error rate it may show there, and why.
SKEWED = "the smaller variant's mean is far from normal"
NORMAL = "the normal ignores that the variances are estimated"
SPREAD = "the effect changes the spread, in variants of different size"
FEW = "few events are expected in the smaller variant"
KNOWN = {
    ("welch_test", "lognormal", (32, 8)): (0.12, SKEWED),
    ("welch_test", "lognormal", (320, 80)): (0.08, SKEWED),
    ("welch_test", "Bernoulli 5%", (320, 80)): (0.10, FEW),
    ("student_test", "lognormal", (32, 8)): (0.09, SPREAD),
    ("student_test", "lognormal", (320, 80)): (0.09, SPREAD),
    ("student_test", "lognormal", (3200, 800)): (0.09, SPREAD),
    ("student_test", "Bernoulli 5%", (32, 8)): (0.11, FEW),
    ("student_test", "Bernoulli 5%", (320, 80)): (0.08, SPREAD),
    ("student_test", "Bernoulli 5%", (3200, 800)): (0.08, SPREAD),
    ("z_test", "normal", (20, 20)): (0.08, NORMAL),
    ("z_test", "normal", (32, 8)): (0.10, NORMAL),
    ("z_test", "lognormal", (32, 8)): (0.14, NORMAL),
    ("z_test", "lognormal", (320, 80)): (0.09, SKEWED),
    ("z_test", "Bernoulli 5%", (32, 8)): (0.16, FEW),
    ("z_test", "Bernoulli 5%", (320, 80)): (0.10, FEW),
    ("proportion_test", "Bernoulli 5%", (32, 8)): (0.12, FEW),
}


TITLES = {
    "welch_test": "Welch's test",
    "student_test": "Student's test",
    "z_test": "The z-test",
    "proportion_test": "The score test of two proportions",
    "ratio_test": "The ratio test",
    "linear_effect": "Means adjusted for covariates",
}


def everything() -> list[Row]:
    table = [row for setting in SETTINGS for row in rows(setting)]
    data = list(dict.fromkeys(row.data for row in table))
    return sorted(table, key=lambda row: (list(TITLES).index(row.test), data.index(row.data)))


def name_of(setting: Setting) -> str:
    return f"{setting.answers[0][0]}, {setting.data}, {setting.sizes[0]} and {setting.sizes[1]}"


@pytest.mark.parametrize("setting", SETTINGS, ids=name_of)
def test_error_and_coverage_are_nominal_or_no_worse_than_is_known(setting):
    for row in rows(setting):
        limit, _ = KNOWN.get((row.test, row.data, row.sizes), (NOMINAL + TOLERANCE, ""))
        assert row.worst <= limit, row


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("test", ["welch_test", "student_test"])
def test_normal_data_have_the_nominal_error_and_coverage_in_any_size(test, sizes):
    (row,) = [row for row in everything() if (row.test, row.data, row.sizes) == (test, "normal", sizes)]
    for rate in (row.error, 1 - row.absolute, 1 - row.relative):
        assert abs(rate - NOMINAL) <= TOLERANCE, row


@pytest.mark.parametrize("test", ["welch_test", "z_test", "proportion_test", "ratio_test", "linear_effect"])
def test_two_thousand_units_a_variant_are_enough(test):
    for row in everything():
        if row.test == test and row.sizes == (2000, 2000):
            for rate in (row.error, 1 - row.absolute, 1 - row.relative):
                assert abs(rate - NOMINAL) <= TOLERANCE, row


def test_every_known_miss_is_a_setting():
    assert set(KNOWN) <= {(row.test, row.data, row.sizes) for row in everything()}


def test_the_page_is_written():
    PAGE.write_text(page(everything()), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8").count("\n| ") == len(everything()) + 6


def page(table: list[Row]) -> str:
    """The table as Markdown."""
    parts = [
        f"""# Calibration of the fixed-horizon tests

How often the two-sided 5% tests reject where there is no effect, and how often the 95% intervals hold the true one.
Made by `make calibrate` from {REPETITIONS:,} simulated experiments a cell, with a fixed seed
(`tests/calibration/test_fixed_horizon.py`); a cell that is nominal lies within 0.6 points of its target in 95 of 100
simulations.

**Bold**: worse than nominal by more than 1 point. *Italic*: safe, but with power to spare, by more than 1 point.
Where every unit of both variants has the same value the test is undefined: it does not reject, and its interval is
the whole line. Effects multiply the metric by 1.2 (adjusted means: they add 5% and grow with the first covariate).
The relative interval is Fieller's; for proportions it is the score interval of the ratio.
"""
    ]
    for test, title in TITLES.items():
        mine = [row for row in table if row.test == test]
        parts.append(f"## {title}\n\n`{test}`\n")
        parts.append(
            "| data | units of control and treatment | type I error | coverage, absolute | coverage, relative |\n"
            "|---|---|---|---|---|\n"
            + "\n".join(
                f"| {row.data} | {row.sizes[0]} and {row.sizes[1]} | {shown(row.error)} | {shown(row.absolute, 1)} "
                f"| {shown(row.relative, 1)} |"
                for row in mine
            )
            + "\n"
        )
        known = {}
        for row in mine:
            reason = KNOWN.get((row.test, row.data, row.sizes), (0, ""))[1]
            if reason and row.worst > NOMINAL + TOLERANCE:
                known.setdefault(reason, []).append(f"{row.data} with {row.sizes[0]} and {row.sizes[1]} units")
        parts.extend(f"Not nominal because {reason}: {'; '.join(cells)}.\n" for reason, cells in known.items())
    return "\n".join(parts)


def shown(rate: float, target: int = 0) -> str:
    """A rate in per cent, marked where it is off: an error rate, or with target 1 a coverage."""
    miss = abs(target - rate) - NOMINAL
    text = f"{100 * rate:.1f}%"
    if miss > TOLERANCE:
        return f"**{text}**"
    return f"*{text}*" if miss < -TOLERANCE else text
