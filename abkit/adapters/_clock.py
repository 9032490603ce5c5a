"""A column of times as plain numbers, which every engine adds, divides and compares alike."""

from __future__ import annotations

import datetime as dt
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from abkit import _check
from abkit.adapters._profile import is_missing
from abkit.errors import DataError, PlanError

if TYPE_CHECKING:
    import narwhals as nw

    Frame = nw.LazyFrame[Any]

DAY = 86_400_000_000
UNITS = {"w": 7 * DAY, "d": DAY, "h": DAY // 24, "m": DAY // 1440, "s": 1_000_000, "ms": 1000, "us": 1}
#: Divisions of whole numbers up to here are exact once they are rounded down.
LARGEST = 2**53
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Clock:
    """How the times of a log are counted: in microseconds since 1970 (UTC), or in the column's own numbers.

    Looks are `every` apart; they start at the first row, rounded down to a whole `every`, or to a whole day where
    that is less.
    """

    column: str
    name: str
    every: float
    window: float | None
    kind: str
    whole: bool

    @property
    def day(self) -> float:
        """A day in the numbers of a time; 1 where the column holds numbers."""
        return DAY if self.kind != "number" else 1

    @property
    def grain(self) -> float:
        """What the first row is rounded down to; `every` is a multiple of the buckets in which rows are counted."""
        return self.every if self.kind == "number" else min(self.every, DAY)

    @property
    def stamp(self) -> float:
        """How long a time lasts after it begins: a date is the whole day."""
        return DAY if self.kind == "date" else 0

    @property
    def second(self) -> float:
        """What lengths of time are told in: seconds, or the column's own numbers."""
        return UNITS["s"] if self.kind != "number" else 1

    @property
    def bucket(self) -> float:
        """The largest step that both looks and their start are multiples of."""
        return math.gcd(int(self.every), int(self.grain)) if self.kind != "number" else self.every

    def at(self, number: float) -> dt.datetime | float:
        """A time as the column has it: with a zone, in UTC."""
        if self.kind == "number":
            return number
        moment = EPOCH + dt.timedelta(microseconds=int(number))
        return moment if self.kind == "zoned" else moment.replace(tzinfo=None)

    def number(self, name: str, value: object) -> float:
        """The inverse of `at`; a time without a zone is one of UTC."""
        if self.kind == "number":
            return _number(name, value)
        if isinstance(value, str):
            try:
                value = dt.datetime.fromisoformat(value)
            except ValueError:
                raise PlanError(f"`{name}` must be a time such as '2024-05-01'; got {value!r}.") from None
        if not isinstance(value, dt.date):
            raise PlanError(f"`{name}` must be a time; got {_check.show(value)}.")
        moment = value if isinstance(value, dt.datetime) else dt.datetime(value.year, value.month, value.day)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
        return (moment - EPOCH) // dt.timedelta(microseconds=1)


def make_clock(schema: dict[str, nw.dtypes.DType], column: str, every: object, window: object) -> Clock:
    """Read the column's type, and `every` and `window` as it has them."""
    import narwhals as nw

    if column not in schema:
        raise DataError(
            f"the log has no column `{column}`; it has {', '.join(sorted(schema))}.{_check.suggest(column, schema)}"
        )
    dtype = schema[column]
    name = "time"
    while name in schema:
        name += "_"
    if dtype.is_temporal() and dtype in (nw.Date, nw.Datetime):
        kind = "date" if dtype == nw.Date else "zoned" if getattr(dtype, "time_zone", None) else "plain"
        spans = (_span("every", every), None if window is None else _span("window", window))
        return Clock(column, name, *spans, kind, whole=True)
    if dtype.is_numeric():
        numbers = (_number("every", every), None if window is None else _number("window", window))
        whole = dtype.is_integer() and all(number is None or number == int(number) for number in numbers)
        return Clock(column, name, *numbers, "number", whole=whole)
    raise DataError(
        f"`time` must name a column of times, dates or numbers; `{column}` holds {dtype}. Convert it before, "
        "such as by pandas.to_datetime."
    )


def with_clock(frame: Frame, clock: Clock, schema: dict[str, nw.dtypes.DType]) -> Frame:
    """A further column with the time as a number, null where it is null, nan or infinite."""
    import narwhals as nw

    if clock.kind != "number":
        return _microseconds(frame, clock.column, clock.name, schema[clock.column])
    number = nw.col(clock.column).cast(nw.Int64 if clock.whole else nw.Float64)
    gap = is_missing(schema, clock.column)
    return frame.with_columns(nw.when(~gap).then(number).alias(clock.name))


def floor_of(value: nw.Expr, step: float) -> nw.Expr:
    """How many whole steps a number holds."""
    import narwhals as nw

    return (value.cast(nw.Float64) / step).floor().cast(nw.Int64)


def ceil_of(value: nw.Expr, step: float) -> nw.Expr:
    """How many steps it takes to reach a number."""
    import narwhals as nw

    return (value.cast(nw.Float64) / step).ceil().cast(nw.Int64)


def _microseconds(frame: Frame, column: str, name: str, dtype: nw.dtypes.DType) -> Frame:
    """Since 1970 in UTC; Narwhals has this for tables in memory only."""
    import narwhals as nw

    native: Any = frame.to_native()
    if frame.implementation.is_duckdb():
        from duckdb import ColumnExpression, FunctionExpression, StarExpression

        cell = ColumnExpression(column).cast("timestamp") if dtype == nw.Date else ColumnExpression(column)
        native = native.select(StarExpression(), FunctionExpression("epoch_us", cell).alias(name))
        return nw.from_native(native)  # type: ignore[no-any-return]
    if frame.implementation.is_ibis():
        value = native[column].cast("timestamp") if dtype == nw.Date else native[column]
        seconds = value.truncate("s").epoch_seconds().cast("int64")
        counted = seconds * 1_000_000 + value.microsecond().cast("int64")
        return nw.from_native(native.mutate(counted.name(name)))  # type: ignore[no-any-return]
    if frame.implementation.is_spark_like():
        from pyspark.sql import functions

        counted = functions.unix_micros(functions.col(column).cast("timestamp"))
        return nw.from_native(native.withColumn(name, counted))  # type: ignore[no-any-return]
    moment = nw.col(column).cast(nw.Datetime("us")) if dtype == nw.Date else nw.col(column)
    return frame.with_columns(moment.dt.timestamp("us").alias(name))


def _span(name: str, value: object) -> int:
    """Microseconds of a length of time such as "1d", or of a timedelta."""
    if isinstance(value, str):
        found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(w|d|h|m|s|ms|us)\s*", value)
        span = round(float(found[1]) * UNITS[found[2]]) if found else None
    else:
        span = value // dt.timedelta(microseconds=1) if isinstance(value, dt.timedelta) else None
    if span is None:
        raise PlanError(
            f"`{name}` must be a length of time, such as '1d', '12h', '30m', '1w' or a timedelta, where the log has "
            f"times; got {_check.show(value)}."
        )
    if not 0 < span < LARGEST:
        raise PlanError(f"`{name}` must be above 0, and less than 285 years; got {_check.show(value)}.")
    return span


def _number(name: str, value: object) -> float:
    if isinstance(value, (str, dt.timedelta, dt.date)):
        raise PlanError(f"`{name}` must be a number, as the log's times are; got {_check.show(value)}.")
    try:
        number = _check.number(name, value)
    except (TypeError, ValueError) as error:
        raise PlanError(str(error)) from None
    if name != "until" and not number > 0:
        raise PlanError(f"`{name}` must be above 0; got {number:g}.")
    return number
