"""False alarms of every sequential method when it is looked at after every unit; writes docs/calibration-sequential.md.

A cell is a method on one kind of data at one allocation: so many streams, each looked at after every unit, and the
share of them in which the true value is ever excluded. It must not exceed alpha by more than chance.
"""

from __future__ import annotations

import functools
import math
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

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
    streams,
)
from tests.calibration.sequential_page import page

pytestmark = pytest.mark.calibration

PAGE = Path(__file__).parents[2] / "docs" / "calibration-sequential.md"
RUNS, N = 10_000, 20_000
#: Standard errors of the simulation above alpha that are chance, in a table of some hundred cells.
CHANCE = 3.0


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


@dataclass(frozen=True)
class Row:
    """A line of the page: the share of streams with a false alarm."""

    method: str
    data: str
    split: str
    n: int
    runs: int
    alarms: dict[str, float]

    @property
    def bound(self) -> float:
        return ALPHA + CHANCE * math.sqrt(ALPHA * (1 - ALPHA) / self.runs)

    @property
    def worst(self) -> float:
        return max(share for name, share in self.alarms.items() if name != "unguarded")


def one(ends: Callable[..., Array], **options: object) -> Callable[[Array, Array], dict[str, Array]]:
    """A method with one answer, for two variants."""
    return lambda values, treated: {"": ends(values, treated, **options)}


def alone(ends: Callable[..., Array], **options: object) -> Callable[[Array, Array], dict[str, Array]]:
    """A method with one answer, for one variant."""
    return lambda values, treated: {"": ends(values, **options)}


def cells() -> Iterator[Cell]:
    """Every line of the table."""
    for data in MEANS:
        for split in SHARES:
            yield Cell("asymptotic", data, split, partial(methods.guarded, data=data, tune_at=N // 4))
    for split, share in SHARES.items():
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
        yield Cell("srm_sequence", ASSIGNMENTS, split, one(methods.srm, share=share))
    for data in (ONE_PERCENT, ONE_PER_MILLE):
        yield Cell("beta-binomial", data, "one variant", alone(methods.beta_binomial, rate=data.mean, tune_at=N // 4))
    for data in (RARE_COUNTS, COUNTS):
        yield Cell("gamma-poisson", data, "one variant", alone(methods.gamma_poisson, rate=data.mean, tune_at=100))


CELLS = list(cells())


def simulated(place: int) -> Row:
    """One line; its seed is made of its names."""
    cell = CELLS[place]
    rng = np.random.default_rng([20260102, zlib.crc32(f"{cell.method}, {cell.data.name}, {cell.split}".encode())])
    alarms: dict[str, int] = {}
    for values, treated in streams(rng, cell.data, cell.share, cell.runs, cell.n):
        for name, ends in cell.ends(values, treated).items():
            alarms[name] = alarms.get(name, 0) + int(np.count_nonzero(ends <= cell.n))
    shares = {name: count / cell.runs for name, count in alarms.items()}
    return Row(cell.method, cell.data.name, cell.split, cell.n, cell.runs, shares)


@functools.cache
def table() -> tuple[Row, ...]:
    """All lines, by two processes."""
    with get_context("spawn").Pool(2) as pool:
        return tuple(pool.map(simulated, range(len(CELLS)), chunksize=1))


def test_no_method_raises_more_false_alarms_than_alpha():
    loud = [
        f"{row.method}, {row.data}, {row.split}: {row.worst:.4f} > {row.bound:.4f}"
        for row in table()
        if row.worst > row.bound
    ]
    assert not loud, "\n".join(loud)


def test_the_page_is_written():
    PAGE.write_text(page(table()), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8").count("\n| ") >= len(table())
