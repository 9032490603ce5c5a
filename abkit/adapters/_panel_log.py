"""The log of instances that change their version one after another: sums of each instance in each bucket of time."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from abkit._check import Float64Array
from abkit.adapters._clock import Clock, floor_of, make_clock, with_clock
from abkit.adapters._frames import collect, engine_errors, open_log
from abkit.adapters._profile import check_columns, count_rows, find_labels, refuse_missing
from abkit.adapters._progress import progress
from abkit.adapters._query import Query, all_present, clean_rows
from abkit.adapters._span import span_of, utc
from abkit.errors import DataError, PlanError
from abkit.logs import Audit, Block, Request, Span, label_name
from abkit.suffstats._base import IntArray
from abkit.types import ROWS

if TYPE_CHECKING:
    import narwhals as nw

    Frame = nw.LazyFrame[Any]

#: Cells of instances and buckets; more are a mistake in `bucket` or in `unit`.
MOST_CELLS = 2_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """Instances by buckets, in the order of their names and of time.

    `rows` and `new` count the rows of a cell and those of the new version. `sums` hold, by metric, for each of its
    variables the sum over the rows that have all of them, and last how many these are. `start` and `every` say when a
    bucket begins, where the log has times.
    """

    instances: tuple[str, ...]
    variants: tuple[str, str]
    rows: IntArray
    new: IntArray
    sums: dict[str, Float64Array]
    audit: Audit
    every: float
    start: dt.datetime | None
    span: Span | None

    def begins(self, bucket: int) -> dt.datetime | None:
        """When a bucket begins, in UTC."""
        return None if self.start is None else self.start + dt.timedelta(microseconds=bucket * self.every)


def read_panel(log: object, request: Request, bucket: str | float) -> Panel:
    """Everything that the request asks, from one grouped query."""
    columns = (*request.columns(), str(request.time))
    with engine_errors(log, columns), progress("reading the log"), open_log(log, columns) as frame:
        return _panel(frame, request, bucket)


def _panel(frame: Frame, request: Request, bucket: str | float) -> Panel:
    import narwhals as nw

    schema = dict(frame.collect_schema())
    check_columns(schema, request)
    clock = _clock(schema, str(request.time), bucket)
    used = with_clock(frame, clock, schema)
    used = used.select(*(column for column in (*request.columns(), clock.name) if column != ROWS))
    profile = count_rows(used, schema, request, clock.name)
    labels = find_labels(used, schema, request)
    if len(labels) != 2:
        raise DataError(
            f"the log has {len(labels)} versions ({', '.join(label.name for label in labels)}), and a rolling update "
            "leads from one to another; name the two in `allocation`."
        )
    refuse_missing(profile, request)
    query = clean_rows(used, schema, request, labels, profile, clock.name)
    known = query.rows.filter((nw.col("code") < 2) & ~nw.col("time").is_null())
    values = [value for i, block in enumerate(request.blocks) for value in _values(query, block, i)]
    cells = known.with_columns(floor_of(nw.col("time"), clock.every).alias("cell"), *values)
    names = [f"m{i} {j}" for i, block in enumerate(request.blocks) for j in range(len(block.variables) + 1)]
    sums = [nw.col(name).sum().alias(name) for name in ("code", *names)]
    found = collect(cells.group_by("unit", "cell").agg(nw.len().alias("rows"), *sums))
    if not found:
        raise DataError("no row has an instance, a version and a time; nothing can be compared.")
    return _arranged(found, query, clock)


def _clock(schema: Any, column: str, bucket: str | float) -> Clock:
    try:
        return make_clock(schema, column, bucket, None)
    except PlanError as error:
        raise PlanError(str(error).replace("`every`", "`strategy.bucket`")) from error


def _values(query: Query, block: Block, number: int) -> list[nw.Expr]:
    """A row's values of a metric's variables, and a one where it has all of them; else zeros."""
    import narwhals as nw

    names = [None if v.column == ROWS else query.row_names[v.column] for v in block.variables]
    one = nw.when(nw.col("code") >= 0).then(nw.lit(1.0)).otherwise(nw.lit(0.0))
    values = [one if name is None else nw.col(name).fill_null(0.0) for name in names]
    gaps = [query.row_names[column] for column in block.gaps(query.profile.missing)]
    if gaps and block.missing == "drop":
        present = all_present(gaps)
        values = [nw.when(present).then(value).otherwise(nw.lit(0.0)) for value in values]
        one = nw.when(present).then(nw.lit(1.0)).otherwise(nw.lit(0.0))
    return [value.alias(f"m{number} {j}") for j, value in enumerate((*values, one))]


def _audit(query: Query, instances: int) -> Audit:
    import narwhals as nw

    profile, copies, others = query.profile, {"copies": 0, "differ": 0}, 0
    if query.request.key:
        copies = collect(query.rows.select(*(nw.col(name).sum().alias(name) for name in copies)))[0]
    if query.request.labels is not None:  # else every version is known
        unknown = query.rows.filter(nw.col("code") > 1)
        others = len(collect(unknown.group_by("unit").agg(nw.len().alias("rows"))))
    return Audit(
        rows=profile.rows,
        rows_without_unit=profile.without_unit,
        rows_without_variant=profile.without_variant,
        rows_without_key=profile.without_key,
        rows_not_exposed=profile.not_exposed,
        rows_duplicated=int(copies["copies"] or 0),
        rows_contradictory=int(copies["differ"] or 0),
        units=instances,
        units_in_unknown_variants=others,
        missing=profile.missing,
        rows_without_time=profile.without_time,
    )


def _arranged(found: list[dict[str, Any]], query: Query, clock: Clock) -> Panel:
    request, variants = query.request, (query.labels[0].name, query.labels[1].name)
    names = sorted({label_name(row["unit"]) for row in found})
    place = {name: i for i, name in enumerate(names)}
    cell = np.array([int(row["cell"]) for row in found])
    first, buckets = int(cell.min()), int(cell.max() - cell.min()) + 1
    if buckets * len(names) > MOST_CELLS:
        raise DataError(
            f"{len(names):,} instances in {buckets:,} buckets of {request.time} are too many; give a longer "
            "`strategy.bucket`, or in `unit` the column of the instance."
        )
    at = np.array([place[label_name(row["unit"])] for row in found]), cell - first

    def filled(column: str) -> Float64Array:
        values = np.zeros((len(names), buckets))
        np.add.at(values, at, np.array([float(row[column] or 0) for row in found]))
        return values

    sums = {
        block.metric: np.stack([filled(f"m{i} {j}") for j in range(len(block.variables) + 1)])
        for i, block in enumerate(request.blocks)
    }
    rows, new = (filled(column).astype(np.int64) for column in ("rows", "code"))
    times = clock.kind != "number"
    start = utc(clock, int(first * clock.every)) if times else None
    span = span_of(clock, query.profile) if times else None
    return Panel(tuple(names), variants, rows, new, sums, _audit(query, len(names)), clock.every, start, span)
