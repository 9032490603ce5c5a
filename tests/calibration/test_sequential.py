"""False alarms of every sequential method when it is looked at after every unit; writes docs/calibration-sequential.md.

A cell is a method on one kind of data at one allocation: so many streams, each looked at after every unit, and the
share of them in which the true value is ever excluded. It must not exceed alpha by more than chance.
"""

from __future__ import annotations

import functools
import os
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

import abkit as ab
from abkit.sequential import group_sequential_design
from abkit.sequential._betting import Wager
from abkit.sequential._bounded import Bernstein
from tests.calibration import sequential_methods as methods
from tests.calibration.sequential_designs import (
    ALPHA,
    ASSIGNMENTS,
    COUNTS,
    MEANS,
    NORMAL,
    ONE_PER_MILLE,
    ONE_PERCENT,
    RARE_COUNTS,
    SHARES,
    UNIFORM,
    Array,
    Data,
    burn_in_ends,
    streams,
)
from tests.calibration.sequential_page import Row, page
from tests.calibration.sequential_power import Cost, at_every_unit, exact, sequence_at

pytestmark = pytest.mark.calibration

PAGE = Path(__file__).parents[2] / "docs" / "calibration-sequential.md"
RUNS, N = 10_000, 20_000

QUANTILES = (0.5, 0.99)
#: Boundaries and their shapes.
BOUNDARIES = {
    "obrien-fleming": None,
    "pocock": None,
    "wang-tsiatis": 0.25,
    "haybittle-peto": None,
    "ld-obrien-fleming": None,
    "ld-pocock": None,
    "kim-demets": 2.0,
    "hwang-shih-decani": -4.0,
}


@dataclass(frozen=True)
class Cell:
    """A method on one kind of data; `ends(values, treated)` are the units at which streams are crossed, by name."""

    method: str
    data: Data
    split: str
    ends: Callable[[Array, Array], dict[str, Array]]
    n: int = N
    runs: int = RUNS

    @property
    def share(self) -> float:
        """The treatment's share of units; of one variant alone, any."""
        return SHARES.get(self.split, 0.5)


def one(ends: Callable[..., Array], **options: object) -> Callable[[Array, Array], dict[str, Array]]:
    """A method with one answer, for two variants."""
    return lambda values, treated: {"": ends(values, treated, **options)}


def alone(ends: Callable[..., Array], **options: object) -> Callable[[Array, Array], dict[str, Array]]:
    """A method with one answer, for one variant."""
    return lambda values, treated: {"": ends(values, **options)}


def of_two_variants(split: str, share: float) -> Iterator[Cell]:
    """Exact methods that compare variants, at one allocation."""
    yield Cell("normal-mixture, known variance", NORMAL, split, one(methods.normal_mixture, tune_at=N // 4))
    yield Cell("msprt_test, known variance", NORMAL, split, one(methods.msprt, tau=0.1))
    for data in (UNIFORM, ONE_PERCENT, ONE_PER_MILLE):
        for name, capital in (("empirical-bernstein", Bernstein), ("betting", Wager)):
            yield Cell(name, data, split, one(methods.bounded, capital=capital, share=share))
    for data in (ONE_PERCENT, ONE_PER_MILLE):
        rate = {"rate": data.mean, "share": share, "tune_at": N // 4}
        yield Cell("beta-binomial, two variants", data, split, one(methods.two_proportions, **rate))
    for data in (ONE_PERCENT, ONE_PER_MILLE, RARE_COUNTS):
        yield Cell("conditional", data, split, one(methods.conditional, share=share, tune_at=30))
    for q in QUANTILES:
        yield Cell(f"quantile, q={q:g}", UNIFORM, split, one(methods.two_quantiles, q=q, tune_at=N // 4))
    yield Cell("srm_sequence", ASSIGNMENTS, split, one(methods.srm, share=share))


def of_one_variant() -> Iterator[Cell]:
    """Exact methods for one variant."""
    for data in (ONE_PERCENT, ONE_PER_MILLE):
        yield Cell("beta-binomial", data, "one variant", alone(methods.beta_binomial, rate=data.mean, tune_at=N // 4))
    for data in (RARE_COUNTS, COUNTS):
        yield Cell("gamma-poisson", data, "one variant", alone(methods.gamma_poisson, rate=data.mean, tune_at=100))
    for q in QUANTILES:
        yield Cell(f"quantile, q={q:g}", UNIFORM, "one variant", alone(methods.quantile, q=q, tune_at=N // 4))
    yield Cell("cdf-band", UNIFORM, "one variant", alone(methods.cdf_band), N // 20, RUNS // 10)


def at_planned_looks() -> Iterator[Cell]:
    """Critical values at equal distances of information, held against standard normal pieces of it."""
    for looks in (5, 20):
        for boundary, shape in BOUNDARIES.items():
            design = group_sequential_design(alpha=ALPHA, sides=2, looks=looks, boundary=boundary, shape=shape)
            crossed = one(methods.planned, critical=design.critical_values)
            yield Cell(f"group-sequential, {boundary}", NORMAL, "planned looks", crossed, looks, 10 * RUNS)
        crossed = one(methods.planned, critical=sequence_at(looks))
        yield Cell("AnytimeValid", NORMAL, "planned looks", crossed, looks, 10 * RUNS)


def cells() -> Iterator[Cell]:
    """Every line of the table."""
    for data in MEANS:
        for split in SHARES:
            yield Cell("asymptotic", data, split, partial(methods.guarded, data=data, tune_at=N // 4))
    for split, share in SHARES.items():
        yield from of_two_variants(split, share)
    yield from of_one_variant()
    yield from at_planned_looks()


CELLS = list(cells())


def simulated(place: int) -> Row:
    """One line; its seed is made of its names."""
    cell = CELLS[place]
    name = zlib.crc32(f"{cell.method}, {cell.data.name}, {cell.split}, {cell.n}".encode())
    alarms: dict[str, int] = {}
    rng = np.random.default_rng([20260102, name])
    for values, treated in streams(rng, cell.data, cell.share, cell.runs, cell.n):
        for which, ends in cell.ends(values, treated).items():
            alarms[which] = alarms.get(which, 0) + int(np.count_nonzero(ends <= cell.n))
    shares = {which: count / cell.runs for which, count in alarms.items()}
    return Row(cell.method, cell.data.name, cell.split, cell.n, cell.runs, shares, burn_in(cell, name))


def burn_in(cell: Cell, name: int) -> float | None:
    """Where the burn-in of the asymptotic sequence ends, by fewer streams."""
    if cell.method != "asymptotic":
        return None
    return burn_in_ends(np.random.default_rng([20260104, name]), cell.data, cell.share, 200, cell.n)


@functools.cache
def table() -> tuple[Row, ...]:
    """All lines, by two processes, which keep the memory of an array for the next: half the time goes into it else."""
    os.environ |= {"MALLOC_MMAP_THRESHOLD_": str(2**30), "MALLOC_TRIM_THRESHOLD_": str(2**31)}
    with get_context("spawn").Pool(2) as pool:
        return tuple(pool.map(simulated, range(len(CELLS)), chunksize=1))


def test_no_method_raises_more_false_alarms_than_alpha():
    loud = [
        f"{row.method}, {row.data}, {row.split}: {row.worst:.4f} > {row.bound:.4f}"
        for row in table()
        if row.worst > row.bound
    ]
    assert not loud, "\n".join(loud)


@pytest.mark.parametrize("looks", [5, 20])
def test_what_a_sequence_spends_at_planned_looks_is_what_its_design_says(looks):
    said = ab.AnytimeValid(ALPHA, tune_at=looks).design(range(1, looks + 1)).alpha
    row = next(row for row in table() if row.method == "AnytimeValid" and row.n == looks)
    assert row.worst == pytest.approx(said, abs=3.5 * (said / row.runs) ** 0.5)


@functools.cache
def costs() -> tuple[Cost, ...]:
    return (*exact(), *at_every_unit())


def test_a_schedule_costs_least_and_bounded_values_most():
    largest = {(cost.method, cost.looks): cost.largest for cost in costs()}
    assert largest["group-sequential, ld-obrien-fleming", "14"] == pytest.approx(1.042, abs=5e-4)
    assert largest["asymptotic, narrowest at the largest sample", "14"] == pytest.approx(1.759, abs=5e-4)
    assert 1.5 < largest["normal-mixture, known variance", "every unit"] < 1.8
    assert max(largest.values()) < 4


def test_the_page_is_written():
    PAGE.write_text(page(table(), costs()), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8").count("\n| ") >= len(table())
