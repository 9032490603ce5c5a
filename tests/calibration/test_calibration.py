"""Error rates and coverage of every test, by simulation; writes docs/calibration.md.

Every setting is simulated twice: without an effect for the type I error of the two-sided 5% test, and with one for
the coverage of the 95% interval. An interval covers the truth exactly when the test of the truth has p >= 0.05 (a law
that the contract tests hold every test to), so coverage is read off p-values.
"""

from __future__ import annotations

import functools
import math
import warnings
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import abkit as ab
from tests.calibration.designs import SIZES
from tests.calibration.methods import Method, Setting, settings

pytestmark = pytest.mark.calibration

PAGE = Path(__file__).parents[2] / "docs" / "calibration.md"
NOMINAL, POINT = 0.05, 0.01
#: Of hundreds of cells some lie beyond their own 95% bound; beyond 3.5 standard errors, hardly one by chance.
CHANCE = 3.5 / 1.96
#: How often each setting is simulated, by its size; slow methods are asked in the first of them only.
REPETITIONS = {20: 2_000, 200: 2_000, 20_000: 400}
SLOW_REPETITIONS = {20: 800, 200: 800, 20_000: 100}
SETTINGS = list(settings())
BLIND = {method.name for setting in SETTINGS for method in setting.methods if method.blind}


@dataclass(frozen=True)
class Row:
    """A line of the page: shares of the simulated experiments, and how many there were."""

    method: str
    data: str
    split: str
    n: int
    error: float
    coverage: float
    warned: float
    repetitions: int

    @property
    def bound(self) -> float:
        """Half the width of a 95% Monte-Carlo interval of a rate that is nominal."""
        return 1.96 * math.sqrt(NOMINAL * (1 - NOMINAL) / self.repetitions)

    @property
    def worst(self) -> float:
        return max(self.error, 1 - self.coverage)


def simulated(place: int) -> list[Row]:
    """Every method's line of one setting; its seed is its place among the settings."""
    setting = SETTINGS[place]
    rng = np.random.default_rng([20260101, place])
    counts = {method.name: np.zeros(4) for method in setting.methods}
    known: dict[Any, tuple[bool, bool, bool]] = {}
    for i in range(REPETITIONS[setting.n]):
        without, with_effect = setting.draw(rng, 0.0), setting.draw(rng, setting.lift)
        for method in setting.methods:
            if not method.slow or i < SLOW_REPETITIONS[setting.n]:
                null, effect = (asked(method, setting, sample, rng, known) for sample in (without, with_effect))
                counts[method.name] += np.array([null[0], effect[1], null[2], 1])
    return [
        Row(name, setting.data, setting.split, setting.n, error / n, 1 - missed / n, warned / n, int(n))
        for name, (error, missed, warned, n) in counts.items()
    ]


def asked(
    method: Method, setting: Setting, sample: tuple[Any, Any], rng: np.random.Generator, known: dict[Any, Any]
) -> tuple[bool, bool, bool]:
    """Whether the test rejects no effect, whether it rejects the true effect, and whether it warned."""
    key = (method.name, *(float(np.sum(variant)) for variant in sample)) if method.counts else None
    if key not in known:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ab.AccuracyWarning)
            result = method.ask(*sample, rng)
        # where a test is undefined its p-value is nan: it does not reject, and its interval is the whole line
        missed = result.with_null(setting.truth).pvalue < NOMINAL
        known[key] = result.pvalue < NOMINAL, missed, result.caution is not None or result.reason is not None
    return known[key] if key else known.pop(key)  # type: ignore[no-any-return]


@functools.cache
def table() -> tuple[Row, ...]:
    """All lines, by two processes."""
    slowest_first = sorted(range(len(SETTINGS)), key=lambda i: -SETTINGS[i].n)
    with get_context("spawn").Pool(2) as pool:
        found = dict(zip(slowest_first, pool.map(simulated, slowest_first, chunksize=1), strict=True))
    return tuple(row for place in range(len(SETTINGS)) for row in found[place])


def label(row: Row) -> str:
    return f"{row.method}: {row.data}, {row.n:,} {row.split}"


def test_where_a_method_rejects_too_often_it_warns():
    silent = [
        f"{label(row)}: error {row.error:.3f}, coverage {row.coverage:.3f}, warned {row.warned:.2f}"
        for row in table()
        if row.worst - CHANCE * row.bound > NOMINAL + POINT and row.warned < 0.5 and row.method not in BLIND
    ]
    assert not silent, "\n".join(silent)


def test_large_normal_samples_are_nominal_and_not_warned_of():
    for row in table():
        if row.data == "normal" and row.n == max(SIZES):
            assert abs(row.error - NOMINAL) <= 2 * row.bound + POINT, label(row)
            assert row.warned < 0.05, label(row)


def test_the_page_is_written():
    PAGE.write_text(page(table()), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8").count("\n| ") >= len(table())


def page(rows: tuple[Row, ...]) -> str:
    """The tables as Markdown, a section a method."""
    parts = [
        """# Calibration

How often each two-sided 5% test rejects where there is no effect, and how often its 95% interval holds the true effect.
Made by `make calibrate` with fixed seeds (`tests/calibration/`). After each rate stands how far chance moves a nominal
one, in 95 of 100 simulations of this length.

**Bold**: the method rejects too often, or covers too seldom, by more than 1 point. *Italic*: it is safe by more than 1
point, with power to spare. *Warned*: the share of samples that come with an `AccuracyWarning`, or that the test leaves
undefined; a test in this page's own run holds that where a method rejects too often beyond chance, most samples are.
A test given `Moments` instead of samples cannot see skewness, and does not warn of it; a plan's metrics measure it.

Units are per variant on average: 20 at 5:95 are 2 and 38. The effect multiplies the metric by 1.2 (pairs: 1.1). Where
all units have one value the test is undefined: it does not reject, and its interval is the whole line.
"""
    ]
    instead = {method.name: method.instead for setting in SETTINGS for method in setting.methods}
    for name in dict.fromkeys(row.method for row in rows):
        mine = [row for row in rows if row.method == name]
        parts.append(f"## {name}\n")
        parts.append("| data | units | type I error | coverage | warned |\n|---|---|---|---|---|")
        parts.extend(line(row) for row in mine)
        if any(row.worst > NOMINAL + POINT for row in mine):
            unseen = " It is given totals or rows that do not show why, and cannot warn." if name in BLIND else ""
            parts.append(f"\nWhere it misses, use {instead[name]}.{unseen}")
        parts.append("")
    return "\n".join(parts)


def line(row: Row) -> str:
    units = f"{row.n:,}" if row.split in ("pairs", "clusters") else f"{row.n:,}, {row.split}"
    error, missed = shown(row.error, row.error, row.bound), shown(row.coverage, 1 - row.coverage, row.bound)
    return f"| {row.data} | {units} | {error} | {missed} | {100 * row.warned:.0f}% |"


def shown(rate: float, miss: float, bound: float) -> str:
    """A rate in per cent with its Monte-Carlo bound, marked where the share of misses is off."""
    text = f"{100 * rate:.1f}% ±{100 * bound:.1f}"
    if miss > NOMINAL + POINT:
        return f"**{text}**"
    return f"*{text}*" if miss < NOMINAL - POINT else text
