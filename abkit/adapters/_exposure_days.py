"""The statistics of each day since a unit's first row, from one grouped query.

Rows become cells, one a unit and day. A day without a row is a zero, which adds nothing to any sum: what the cells lack
is only how many units there are, and of these every one has a cell on its first day.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from abkit.adapters._analyze import _shifts, _statistics
from abkit.adapters._calendar import Calendar
from abkit.adapters._clock import Clock, floor_of
from abkit.adapters._frames import collect
from abkit.adapters._query import Aggregate, Query, flag, per_group, unit_blocks
from abkit.adapters._trajectory import entry_of, timed_query
from abkit.adapters._unit_block import UnitBlock, UnitColumn, sum_name
from abkit.errors import DataError, PlanError
from abkit.logs import Block, DailyStatistics, Request, Variable
from abkit.types import ROWS

if TYPE_CHECKING:
    import narwhals as nw

    Frame = nw.LazyFrame[Any]

MOST_DAYS = 10_000


def read_exposure_days(
    log: object, request: Request, *, time: str, every: object, window: object, until: object = None
) -> DailyStatistics:
    """The statistics of each day, over the units whose window is complete at the last look."""
    if request.unit == ROWS:
        raise PlanError("`unit` must name a column for days since exposure: a row has one time only.")
    with timed_query(log, request, time, every, window, until) as (query, calendar):
        days = _days(calendar.clock)
        prepared: dict[str, nw.Expr] = {}
        aggregates: dict[str, Aggregate] = {}
        blocks = unit_blocks(query, _shifts(query), {}, prepared, aggregates)
        counters = {block.rows: _counter(block) for block in blocks if block.optional}
        cells = _with_units(_cells(_followed(query, calendar), prepared, aggregates, query), counters)
        dated = replace(query, request=replace(request, segments=("day",)), blocks=[*blocks, *counters.values()])
        rows = collect(per_group(dated, cells))
    if not any(row["segment0"] == 0 for row in rows):
        raise DataError("no unit's `window` is complete at the last look; choose a shorter one, or look later.")
    query = replace(query, blocks=blocks)
    statistics = tuple(_statistics(query, _of_day(rows, day, counters), {}) for day in range(days))
    second = calendar.clock.second
    return DailyStatistics(statistics, calendar.clock.every / second, (calendar.clock.window or 0) / second)


def _days(clock: Clock) -> int:
    if clock.window is None:
        raise PlanError("`window` must be given: it says for how many days units are followed.")
    days = clock.window / clock.every
    if abs(days - round(days)) > 1e-9 * days or not 1 <= round(days) <= MOST_DAYS:
        raise PlanError(f"`window` must be from 1 to {MOST_DAYS:,} whole times `every`; got {days:g} times.")
    return round(days)


def _followed(query: Query, calendar: Calendar) -> Frame:
    """The rows in the windows that are complete at the last look, with the day of each."""
    import narwhals as nw

    clock, days = calendar.clock, _days(calendar.clock)
    units = query.rows.group_by("unit").agg(nw.col("time").min().alias("first"))
    units = units.filter(entry_of(calendar)(nw.col("first")) != calendar.codes[0])
    rows = query.rows.join(units, on="unit", how="inner").filter(nw.col("time") < nw.col("first") + (clock.window or 0))
    day = floor_of(nw.col("time") - nw.col("first"), clock.every)
    return rows.with_columns(day=day if clock.whole else nw.when(day < days).then(day).otherwise(nw.lit(days - 1)))


def _cells(rows: Frame, prepared: dict[str, nw.Expr], aggregates: dict[str, Aggregate], query: Query) -> Frame:
    """One row a unit and day."""
    import narwhals as nw

    aggregates = aggregates | {"low": ("code", "min"), "high": ("code", "max")}
    if query.request.key:
        aggregates |= {"copies": ("copies", "sum"), "differ": ("differ", "sum")}
    each = (getattr(nw.col(source), how)().alias(name) for name, (source, how) in aggregates.items())
    rows = rows.with_columns(**prepared) if prepared else rows
    return rows.group_by("unit", "day").agg(nw.col("code").count().alias("rows"), *each)


def _with_units(cells: Frame, counters: dict[str, UnitBlock]) -> Frame:
    """The variants that all cells of a unit have, and on its first day the blocks that it is in."""
    import narwhals as nw

    cells = cells.with_columns(
        low=nw.col("low").min().over("unit"),
        high=nw.col("high").max().over("unit"),
        low0=nw.col("day"),
        high0=nw.col("day"),
        **{f"total {rows}": nw.col(rows).sum().over("unit") for rows in counters},
    )
    first = nw.col("day") == 0
    seen = {f"seen {rows}": flag(first & (nw.col(f"total {rows}") > 0)).cast(nw.Float64) for rows in counters}
    return cells.with_columns(**seen) if seen else cells


def _counter(block: UnitBlock) -> UnitBlock:
    """A block whose sum is the number of units in another."""
    name, variable = f"seen {block.rows}", Variable(ROWS, "sum")
    column = UnitColumn(name, name, variable, 0.0, None)
    return UnitBlock(Block(name, (variable,), "error"), (column,), "rows", optional=False)


def _of_day(rows: list[dict[str, Any]], day: int, counters: dict[str, UnitBlock]) -> list[dict[str, Any]]:
    """The groups of a day, with all units of theirs."""
    here = {(row["low"], row["high"]): row for row in rows if row["segment0"] == day}
    found = []
    for first in (row for row in rows if row["segment0"] == 0):
        key = first["low"], first["high"]
        sums = {name: value or 0 for name, value in here.get(key, dict.fromkeys(first, 0)).items()}
        n = {f"n {name}": first[sum_name(f"seen {name}")] for name in counters}
        found.append({**sums, **n, "low": key[0], "high": key[1], "units": first["units"]})
    return found
