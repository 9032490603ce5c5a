"""From when to when a log's rows are: by the column that a plan names as its time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from abkit.adapters._clock import Clock, make_clock, with_clock
from abkit.adapters._profile import Profile
from abkit.errors import DataError
from abkit.logs import Request, Span

if TYPE_CHECKING:
    import narwhals as nw

    Frame = nw.LazyFrame[Any]
    Schema = dict[str, nw.dtypes.DType]


def clock_of(schema: Schema, request: Request) -> Clock | None:
    """How the request's times are counted; None where it names none, or numbers, of which nothing says when."""
    if request.time is None:
        return None
    dtype = schema.get(request.time)
    numeric = dtype is not None and dtype.is_numeric()
    clock = make_clock(schema, request.time, 1 if numeric else "1d", None)
    return None if numeric else clock


def with_times(frame: Frame, schema: Schema, clock: Clock | None) -> tuple[Frame, tuple[str, ...]]:
    """The frame with the times counted, and that column's name."""
    return (frame, ()) if clock is None else (with_clock(frame, clock, schema), (clock.name,))


def span_of(clock: Clock | None, profile: Profile) -> Span | None:
    """The first and last time of the rows that count; a date is the start of its day."""
    if clock is None or profile.ends is None:
        return None
    first, last = (utc(clock, end) for end in profile.ends)
    return Span(first, last)


def utc(clock: Clock, microseconds: int) -> datetime:
    """A time that the clock counted."""
    try:
        moment = clock.at(microseconds)
    except OverflowError as error:
        raise DataError(f"the column `{clock.column}` holds times outside of the years 1 to 9999.") from error
    assert isinstance(moment, datetime)  # noqa: S101 - of numbers there is no clock here
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
