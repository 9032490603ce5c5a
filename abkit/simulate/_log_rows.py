"""The rows of a block of units: a few draws a column, and no loop over units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from abkit.simulate._log_model import Model
from abkit.simulate._log_values import Codes, Seats, measured_values
from abkit.types import ROWS

DAY = 86_400_000_000
HOUR = DAY // 24
SEGMENTS = ("a", "b", "c")
SEGMENT_SHARES = (0.5, 0.3, 0.2)
ROWS_A_BLOCK = 2**18


@dataclass(frozen=True, slots=True)
class Flaws:
    """Shares of units in several variants, of rows that are repeated or late, and of units without a value."""

    contaminated: float = 0.0
    duplicates: float = 0.0
    late: float = 0.0
    missing: float = 0.0


@dataclass(frozen=True, slots=True)
class Times:
    """The names of the columns of times, the first and the last microsecond, and over how long units enter."""

    time: str
    arrival: str
    start: int
    enrolment: int
    end: int


@dataclass(frozen=True, slots=True)
class Labels:
    """A column of few texts, by their places in a list."""

    codes: Codes
    names: tuple[str, ...]


@dataclass(frozen=True)
class Block:
    """Rows as columns, and what was done to them."""

    columns: dict[str, Any]
    rows: int
    duplicates: int
    contaminated: int
    late: int


def units_a_block(model: Model) -> int:
    """How many units are drawn at a time, in whole clusters; it depends on the model only, so that the rows do too."""
    expected = float(model.rows.max()) * (len(model.variants) if model.plan.request().pairs else 1)
    size = 1 if model.cluster is None else model.cluster[1]
    return max(1, int(ROWS_A_BLOCK / expected / size)) * size


def draw_block(
    model: Model, flaws: Flaws, times: Times, rng: np.random.Generator, first: int, units: int, before: int
) -> Block:
    """The rows of the units from `first` on; keys go on from `before`."""
    crossed = (rng.random(units) < flaws.contaminated) & (np.count_nonzero(model.shares) > 1)
    seats = _seats(model, crossed, rng, units)
    columns: dict[str, Any] = {}
    plan = model.plan
    if plan.unit != ROWS:
        columns[plan.unit] = first + seats.unit[seats.seat]
    if model.cluster:
        columns[model.cluster[0]] = ((first + seats.unit) // model.cluster[1])[seats.seat]
    columns[plan.variant] = Labels(seats.row_variant, model.variants)
    enter = times.start + (rng.random(units) * times.enrolment).astype(np.int64)
    columns[times.time] = (enter[seats.unit][seats.seat] + (seats.offset * DAY).astype(np.int64)).view("datetime64[us]")
    for name in plan.request().segments:
        codes = np.searchsorted(np.cumsum(SEGMENT_SHARES)[:-1], rng.random(units), side="right")
        columns[name] = Labels(codes[seats.unit][seats.seat], SEGMENTS)
    columns |= measured_values(model, seats, flaws.missing, rng, units)
    if plan.exposure:
        columns.setdefault(plan.exposure, np.ones(len(seats.seat), dtype=bool))
    for metric in plan.metrics.values():
        if metric.kind == "trend":
            columns.setdefault(metric.day, seats.day)  # type: ignore[attr-defined]
    return _finish(model, flaws, times, rng, columns, int(crossed.sum()), before)


def _seats(model: Model, crossed: npt.NDArray[np.bool_], rng: np.random.Generator, units: int) -> Seats:
    places = np.flatnonzero(model.shares > 0)
    unit, group = np.arange(units), None
    if model.plan.request().pairs:
        unit = group = np.repeat(unit, len(places))
        variant = np.tile(places, units)
    else:
        size = 1 if model.cluster is None else model.cluster[1]
        drawn = rng.random(-(-units // size))
        group = None if model.cluster is None else unit // size
        variant = places[np.searchsorted(np.cumsum(model.shares[places])[:-1], drawn, side="right")][unit // size]
    counts = np.ones(len(unit), dtype=np.intp)
    if not model.single:
        counts += rng.poisson(model.rows[variant] - 1)
    counts[crossed[unit]] = np.maximum(counts[crossed[unit]], 2)
    first = np.cumsum(counts) - counts
    seat = np.repeat(np.arange(len(unit)), counts)
    row_variant = variant[seat]
    last = (first + counts - 1)[crossed[unit]]
    others = rng.integers(1, max(len(places), 2), len(last))
    row_variant[last] = places[(np.searchsorted(places, row_variant[last]) + others) % len(places)]
    offset = rng.random(len(seat)) * model.follow
    offset[first] = 0.0
    return Seats(unit, variant, group, counts, first, seat, row_variant, offset, offset.astype(np.intp))


def _finish(
    model: Model,
    flaws: Flaws,
    times: Times,
    rng: np.random.Generator,
    columns: dict[str, Any],
    crossed: int,
    before: int,
) -> Block:
    """Keys, arrivals, and rows that are repeated."""
    size = len(columns[times.time])
    for name in model.plan.request().key:
        columns.setdefault(name, before + np.arange(size))
    late = np.zeros(size, dtype=bool)
    if flaws.late:
        late = rng.random(size) < flaws.late
        delay = (rng.exponential(size=size) * times.enrolment / 2).astype(np.int64) + 1
        logged = columns[times.time].view(np.int64)
        arrived = np.where(late, times.end + delay, np.minimum(logged + delay % HOUR, times.end))
        columns[times.arrival] = arrived.view("datetime64[us]")
    again = np.flatnonzero(rng.random(size) < flaws.duplicates) if flaws.duplicates else np.zeros(0, dtype=np.intp)
    if len(again):
        columns = {name: _repeated(values, again) for name, values in columns.items()}
    return Block(columns, size + len(again), len(again), crossed, int(late.sum() + late[again].sum()))


def _repeated(values: Any, again: Codes) -> Any:
    if isinstance(values, Labels):
        return Labels(np.concatenate([values.codes, values.codes[again]]), values.names)
    return np.concatenate([values, values[again]])
