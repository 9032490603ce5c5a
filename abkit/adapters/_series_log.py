"""A log through time as one value a bucket: a row a bucket and a row a request both work."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from abkit._check import Float64Array
from abkit.adapters._clock import Clock, floor_of, make_clock, with_clock
from abkit.adapters._frames import collect, engine_errors, open_log
from abkit.adapters._profile import is_missing, parse
from abkit.adapters._progress import progress
from abkit.adapters._query import flag
from abkit.adapters._span import utc
from abkit.errors import DataError
from abkit.types import ROWS, Missing

if TYPE_CHECKING:
    import narwhals as nw

    Frame = nw.LazyFrame[Any]
    Schema = dict[str, nw.dtypes.DType]

MOST_BUCKETS = 200_000
MICROSECOND = dt.timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Value:
    """What a bucket's value is: the total of `top`, over that of `bottom`; ROWS counts rows, and None is one.

    `binary`: the column holds 0 and 1.
    """

    top: str
    bottom: str | None
    missing: Missing = "error"
    binary: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it reads."""
        return tuple(dict.fromkeys(c for c in (self.top, self.bottom) if c is not None and c != ROWS))


@dataclass(frozen=True, slots=True)
class SeriesRequest:
    """Which values, by name, in buckets of which width.

    `environment` names a column and its values before and after the switch. `smoke` is a column of tests of what comes
    after, whose rows are counted by themselves.
    """

    time: str
    width: dt.timedelta
    values: dict[str, Value]
    environment: tuple[str, str, str] | None = None
    smoke: str | None = None

    def columns(self) -> tuple[str, ...]:
        """Every column that is read."""
        others = (self.environment[0] if self.environment else None, self.smoke)
        named = [self.time, *(c for c in others if c), *(c for value in self.values.values() for c in value.columns)]
        return tuple(dict.fromkeys(named))


@dataclass(frozen=True, slots=True, eq=False)
class SeriesLog:
    """Values by bucket. Bucket i of the arrays begins `first` + i buckets after the origin; nan is no value.

    `bottoms` are what the values are over. `rows` are those of each bucket that count, and `times` how many
    different times they have. `outage` is the longest gap between two rows, where that was asked for. `smoke` is how
    many tests passed, and how many there were.
    """

    origin: dt.datetime
    first: int
    values: dict[str, Float64Array]
    bottoms: dict[str, Float64Array]
    rows: Float64Array
    times: Float64Array
    start: dt.datetime
    end: dt.datetime
    total: int
    without_time: int
    wrong: Float64Array
    missing: dict[str, int] = field(default_factory=dict)
    outage: tuple[dt.datetime, dt.datetime] | None = None
    smoke: tuple[int, int] | None = None


def read_series(log: object, request: SeriesRequest, origin: dt.datetime | None, *, gap: bool = False) -> SeriesLog:
    """The series, from one query that counts and one that is grouped by bucket.

    Without an `origin` it is the first row of the later environment or, with `gap`, the end of the longest gap between
    two rows, which takes a query more.
    """
    columns = request.columns()
    with engine_errors(log, columns), progress("reading the log"), open_log(log, columns) as frame:
        schema = dict(frame.collect_schema())
        _check_columns(schema, request)
        clock = make_clock(schema, request.time, request.width, None)
        timed = with_clock(frame.select(*columns), clock, schema)
        found = _profile(timed, schema, request, clock)
        _refuse(found, request)
        outage = _longest_gap(timed, clock, request.width) if gap else None
        at = outage[1] if outage else origin or utc(clock, _first_after(found, request))
        known = timed.filter(~_gone(clock))
        if request.smoke:
            known = known.filter(is_missing(schema, request.smoke))
        rows = collect(_by_bucket(known, schema, request, clock, at))
        smoke = _smoke(timed, schema, request, clock, at)
    return _series(rows, request, clock, at, found, outage, smoke)


def _check_columns(schema: Schema, request: SeriesRequest) -> None:
    for name in request.columns():
        if name not in schema:
            raise DataError(f"the log has no column `{name}`; it has {', '.join(sorted(schema))}.")
    if not schema[request.time].is_temporal():
        raise DataError(
            f"`time` must name a column of times; `{request.time}` holds {schema[request.time]}. Convert it before, "
            "such as by pandas.to_datetime."
        )
    for name, value in request.values.items():
        for column in value.columns:
            if not (schema[column].is_numeric() or schema[column].is_boolean()):
                raise DataError(
                    f"`{name}` needs numbers, and the column `{column}` holds {schema[column]}; convert it."
                )


def _gone(clock: Clock) -> nw.Expr:
    import narwhals as nw

    return nw.col(clock.name).is_null()


def _profile(frame: Frame, schema: Schema, request: SeriesRequest, clock: Clock) -> dict[str, Any]:
    """Counts of rows, and of values that are missing or impossible; the first and the last time."""
    import narwhals as nw

    measured = list(dict.fromkeys(c for value in request.values.values() for c in value.columns))
    binary = {value.top for value in request.values.values() if value.binary}
    asked = [
        nw.len().alias("rows"),
        flag(_gone(clock)).sum().alias("without time"),
        nw.col(clock.name).min().alias("first"),
        nw.col(clock.name).max().alias("last"),
        *(flag(is_missing(schema, c)).sum().alias(f"missing {c}") for c in measured),
        *(
            flag((nw.col(c) != 0) & (nw.col(c) != 1)).sum().alias(f"other {c}")
            for c in binary
            if not schema[c].is_boolean()
        ),
    ]
    if request.environment:
        column, _, after = request.environment
        own = nw.col(column) == parse(after, schema[column])
        if request.smoke:
            own = own & is_missing(schema, request.smoke)
        asked.append(nw.when(own).then(nw.col(clock.name)).min().alias("first after"))
    return collect(frame.select(*asked))[0]


def _refuse(found: dict[str, Any], request: SeriesRequest) -> None:
    if not found["rows"] or found["first"] is None:
        raise DataError(f"the log has {found['rows'] or 0:,} rows, and none with a time in `{request.time}`.")
    for name, value in request.values.items():
        for column in value.columns:
            rows = int(found[f"missing {column}"] or 0)
            if rows and value.missing == "error":
                raise DataError(
                    f"the column `{column}` of `{name}` is null or not finite in {rows:,} of {found['rows']:,} rows; "
                    "say what that means with `missing`: drop, zero, or error (as now)."
                )
        if value.binary and (others := int(found.get(f"other {value.top}") or 0)):
            raise DataError(f"the column `{value.top}` must hold 0 and 1; {others:,} rows have another value.")


def _first_after(found: dict[str, Any], request: SeriesRequest) -> int:
    if request.environment is None or found.get("first after") is None:
        after = request.environment[2] if request.environment else "the later environment"
        raise DataError(
            f"the log has no row of {after!r}, so nothing says when the switch was; give `strategy.switch`."
        )
    return int(found["first after"])


def _longest_gap(frame: Frame, clock: Clock, width: dt.timedelta) -> tuple[dt.datetime, dt.datetime]:
    """The last row before and the first after the longest time without rows."""
    import narwhals as nw

    bucket = floor_of(nw.col(clock.name), width / MICROSECOND).alias("bucket")
    time = nw.col(clock.name)
    rows = collect(
        frame.filter(~_gone(clock))
        .with_columns(bucket)
        .group_by("bucket")
        .agg(time.min().alias("a"), time.max().alias("b"))
    )
    rows.sort(key=lambda row: int(row["bucket"]))
    if len(rows) < 2:
        raise DataError("the log has no gap between its rows, so nothing says when the outage was; give its times.")
    ends = np.array([[row["a"], row["b"]] for row in rows], dtype=np.int64)
    i = int(np.argmax(ends[1:, 0] - ends[:-1, 1]))
    return utc(clock, int(ends[i, 1])), utc(clock, int(ends[i + 1, 0]))


def _by_bucket(frame: Frame, schema: Schema, request: SeriesRequest, clock: Clock, origin: dt.datetime) -> Frame:
    """One row a bucket with the totals of every value; rows of the wrong environment are counted apart."""
    import narwhals as nw

    start = (origin - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // MICROSECOND
    bucket = floor_of(nw.col(clock.name) - start, request.width / MICROSECOND)
    framed = frame.with_columns(bucket.alias("bucket"))
    if request.environment:
        column, before, after = request.environment
        right = ((nw.col("bucket") < 0) & (nw.col(column) == parse(before, schema[column]))) | (
            (nw.col("bucket") >= 0) & (nw.col(column) == parse(after, schema[column]))
        )
        framed = framed.with_columns(flag(right).alias("right"))
    else:
        framed = framed.with_columns(nw.lit(1).alias("right"))
    sums: list[nw.Expr] = []
    for i, value in enumerate(request.values.values()):
        framed = framed.with_columns(*_parts(i, value, schema))
        sums += [nw.col(f"{part}{i}").sum() for part in ("top", "bottom", "n")]
    time = nw.when(nw.col("right") == 1).then(nw.col(clock.name))
    return framed.group_by("bucket").agg(
        nw.len().alias("all"), nw.col("right").sum().alias("rows"), time.n_unique().alias("times"), *sums
    )


def _parts(i: int, value: Value, schema: Schema) -> Iterator[nw.Expr]:
    """Numerator, denominator and whether the row counts."""
    import narwhals as nw

    counts = nw.col("right") == 1
    if value.missing != "zero":
        for column in value.columns:
            counts = counts & ~is_missing(schema, column)
    for part, named in (("top", value.top), ("bottom", value.bottom)):
        number = nw.lit(1.0) if named is None or named == ROWS else _number(named, schema)
        yield nw.when(counts).then(number).otherwise(nw.lit(0.0)).alias(f"{part}{i}")
    yield flag(counts).alias(f"n{i}")


def _number(column: str, schema: Schema) -> nw.Expr:
    import narwhals as nw

    if schema[column].is_boolean():
        return nw.when(nw.col(column)).then(nw.lit(1.0)).otherwise(nw.lit(0.0))
    return nw.when(~is_missing(schema, column)).then(nw.col(column).cast(nw.Float64)).otherwise(nw.lit(0.0))


def _smoke(
    frame: Frame, schema: Schema, request: SeriesRequest, clock: Clock, origin: dt.datetime
) -> tuple[int, int] | None:
    """How many tests before the switch passed, and how many there were."""
    import narwhals as nw

    if request.smoke is None:
        return None
    start = (origin - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // MICROSECOND
    dtype, tested = schema[request.smoke], ~is_missing(schema, request.smoke) & (nw.col(clock.name) < start)
    if not (dtype.is_boolean() or dtype.is_numeric()):
        raise DataError(f"`strategy.smoke` must name a column of true and false; `{request.smoke}` holds {dtype}.")
    passed = nw.col(request.smoke) if dtype.is_boolean() else nw.col(request.smoke) == 1
    row = collect(frame.select(flag(tested & passed).sum().alias("passed"), flag(tested).sum().alias("tests")))[0]
    return int(row["passed"] or 0), int(row["tests"] or 0)


def _series(
    rows: list[dict[str, Any]],
    request: SeriesRequest,
    clock: Clock,
    origin: dt.datetime,
    found: dict[str, Any],
    outage: tuple[dt.datetime, dt.datetime] | None,
    smoke: tuple[int, int] | None,
) -> SeriesLog:
    if not rows:
        raise DataError("every row of the log is a smoke test, so nothing can be compared.")
    places = np.array([int(row["bucket"]) for row in rows])
    first, size = int(places.min()), int(places.max() - places.min()) + 1
    if size > MOST_BUCKETS:
        raise DataError(
            f"the log spans {size:,} buckets, where at most {MOST_BUCKETS:,} can be; choose a longer bucket."
        )

    def on_grid(numbers: Iterable[Any], empty: float = 0.0) -> Float64Array:
        grid = np.full(size, empty)
        grid[places - first] = [float(number or 0) for number in numbers]
        return grid

    counted = on_grid(row["rows"] for row in rows)
    values, bottoms = {}, {}
    for i, (name, value) in enumerate(request.values.items()):
        top, bottom, n = (on_grid(row[f"{part}{i}"] for row in rows) for part in ("top", "bottom", "n"))
        under = np.ones(size) if value.bottom is None else bottom
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            quotient = np.where((n > 0) & (under != 0), top / under, np.nan)
        values[name], bottoms[name] = np.where(np.isfinite(quotient), quotient, np.nan), under
    measured = dict.fromkeys(c for value in request.values.values() for c in value.columns)
    return SeriesLog(
        origin,
        first,
        values,
        bottoms,
        counted,
        np.minimum(on_grid(row["times"] for row in rows), counted),
        utc(clock, int(found["first"])),
        utc(clock, int(found["last"])),
        int(found["rows"]),
        int(found["without time"] or 0),
        on_grid(row["all"] for row in rows) - counted,
        {c: int(found[f"missing {c}"]) for c in measured if found[f"missing {c}"]},
        outage,
        smoke,
    )
