"""The stages of a ramp in a log: each unit in the first one that it was seen in, and without the rows of warming up."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any

from abkit.adapters._clock import Clock
from abkit.adapters._frames import collect
from abkit.adapters._query import Query, flag
from abkit.adapters._span import utc
from abkit.errors import DataError
from abkit.logs import Ramp, Request, StagesSeen
from abkit.types import ROWS

if TYPE_CHECKING:
    import narwhals as nw

    Frame = nw.LazyFrame[Any]
    Schema = dict[str, nw.dtypes.DType]


def with_stage(request: Request, ramp: Ramp, schema: Schema, clock: Clock | None) -> Request:
    """The request with the stage as its last segment."""
    if ramp.warm_up is not None and clock is None:
        raise DataError(f"`strategy.warm_up` must come with a column of times; `{request.time}` holds numbers.")
    if ramp.column is None:
        return request
    if not schema[ramp.column].is_numeric():
        raise DataError(f"the column `{ramp.column}` must hold the numbers of the stages, from 1; convert it.")
    return replace(request, segments=(*request.segments, ramp.column))


def by_stage(query: Query, ramp: Ramp, clock: Clock | None) -> tuple[Query, StagesSeen]:
    """The rows that count, and what the others are."""
    import narwhals as nw

    rows = _numbered(query, ramp)
    if ramp.column is not None and query.request.unit != ROWS:
        firsts = rows.group_by("unit").agg(nw.col("stage").min().alias("stage_of_unit"))
        rows = rows.join(firsts, on="unit", how="inner")
    else:
        rows = rows.with_columns(stage_of_unit=nw.col("stage"))
    found, first = _counted(rows, clock)
    if not found.rows:
        raise DataError(f"the column `{ramp.column}` has no stage of the plan, 1 to {ramp.count}, in any row.")
    contradictory = nw.col("code").is_null()  # they stay, so that they are counted as such
    rows = rows.filter((nw.col("stage") == nw.col("stage_of_unit")) | contradictory)
    warming_up = 0
    if ramp.warm_up is not None:
        rows, warming_up = _warm(rows, {n: at + ramp.warm_up for n, at in first.items()})
    times = {n: utc(clock, at) for n, at in first.items()} if clock else {}
    return replace(query, rows=rows), replace(found, first=times, warming_up=warming_up)


def _numbered(query: Query, ramp: Ramp) -> Frame:
    """The rows with the number of their stage; null where it is none of the plan's."""
    import narwhals as nw

    if ramp.column is None:
        return query.rows.with_columns(stage=nw.lit(1))
    segment = f"segment{len(query.request.segments) - 1}"
    number = nw.col(segment)
    valid = reduce(or_, (number == n for n in range(1, ramp.count + 1)))
    rows = query.rows.with_columns(stage=nw.when(valid).then(number).cast(nw.Int64))
    return rows.with_columns(nw.col("stage").alias(segment))


def _counted(rows: Frame, clock: Clock | None) -> tuple[StagesSeen, dict[int, int]]:
    """Rows by stage, and the rows of units that were seen in an earlier one; and the first time of each stage."""
    import narwhals as nw

    later = flag(nw.col("stage") > nw.col("stage_of_unit"))
    counts = [nw.len().alias("rows"), nw.col("later").sum().alias("later")]
    counts += [nw.col("time").min().alias("first")] if clock else []
    placed = rows.filter(~nw.col("code").is_null()).with_columns(later=later)
    found = collect(placed.group_by("stage").agg(*counts))
    by_number = {int(row["stage"]): row for row in found if row["stage"] is not None and row["stage"] == row["stage"]}
    seen = StagesSeen(
        {n: int(by_number[n]["rows"]) for n in sorted(by_number)},
        {},
        sum(int(row["later"] or 0) for row in by_number.values()),
        sum(int(row["rows"]) for row in found) - sum(int(row["rows"]) for row in by_number.values()),
    )
    return seen, {n: int(row["first"]) for n, row in by_number.items() if row.get("first") is not None}


def _warm(rows: Frame, ends: dict[int, int]) -> tuple[Frame, int]:
    """Without the rows before these times; of a row without a time nothing says that it is one."""
    import narwhals as nw

    cold = reduce(or_, ((nw.col("stage") == n) & (nw.col("time") < end) for n, end in ends.items()), nw.lit(0) == 1)
    rows = rows.with_columns(cold=flag(cold))
    count = collect(rows.select(nw.col("cold").sum().alias("cold")))[0]["cold"]
    return rows.filter(nw.col("cold") == 0), int(count or 0)
