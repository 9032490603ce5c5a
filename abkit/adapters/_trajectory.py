"""A log through time: the statistics at every look, from one grouped query whatever the number of looks.

The look at which a unit enters is a segment of it: what enters at a look is added to what was there before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from abkit.adapters._analyze import _shifts, _statistics
from abkit.adapters._buckets import Spread, _bounds, bucketed
from abkit.adapters._calendar import Calendar, make_calendar
from abkit.adapters._checkpoints import Checkpoints, read_checkpoints
from abkit.adapters._clock import Clock, ceil_of, floor_of, make_clock, with_clock
from abkit.adapters._frames import collect, engine_errors, open_log
from abkit.adapters._open_ended import open_ended
from abkit.adapters._profile import check_columns, count_rows, find_labels, refuse_missing
from abkit.adapters._progress import progress
from abkit.adapters._query import Aggregate, Entry, Query, clean_rows, per_group, per_unit, unit_blocks
from abkit.errors import DataError, PlanError
from abkit.logs import Block, Late, LogStatistics, Request, TimedStatistics, Variable
from abkit.suffstats import Histogram
from abkit.types import ROWS

if TYPE_CHECKING:
    import narwhals as nw

    Frame = nw.LazyFrame[Any]

#: The name of a block that counts the rows of units.
INSIDE = "rows inside"


def read_trajectory(
    log: object, request: Request, *, time: str | None, every: object, window: object = None, until: object = None
) -> TimedStatistics:
    """The statistics at every look.

    Looks are at start + k every, from the first at which there are units to compare up to the first after the last
    row: where the log ends within a period, `until` says to when it is complete, and there are looks until then as long
    as windows are open. A look knows the rows before it.
    """
    if isinstance(log, Checkpoints):
        _refuse_arguments(time=time, every=every, window=window, until=until)
        return read_checkpoints(log, request)
    refuse_metrics(request, window)
    if time is None or every is None:
        raise PlanError(f"`{'time' if time is None else 'every'}` must be given for a trajectory of rows.")
    with timed_query(log, request, time, every, window, until) as (query, calendar):
        return arrivals(query, calendar).timed()


@contextmanager
def timed_query(
    log: object, request: Request, time: str, every: object, window: object, until: object
) -> Iterator[tuple[Query, Calendar]]:
    """The rows that count, each with its time, and the looks at them."""
    wanted = tuple(dict.fromkeys((*request.columns(), time)))
    with engine_errors(log, wanted), progress("reading the log"), open_log(log, wanted) as frame:
        clock = make_clock(dict(frame.collect_schema()), time, every, window)
        yield timed_rows(frame, request, clock, until)


def timed_rows(frame: Frame, request: Request, clock: Clock, until: object) -> tuple[Query, Calendar]:
    """The same of a frame."""
    import narwhals as nw

    schema = dict(frame.collect_schema())
    check_columns(schema, request)
    wanted = dict.fromkeys((*request.columns(), clock.column))
    used = with_clock(frame.select(*(column for column in wanted if column != ROWS)), clock, schema)
    profile = count_rows(used, schema, request)
    labels = find_labels(used, schema, request)
    refuse_missing(profile, request)
    calendar = make_calendar(used, schema, request, profile, clock, until)
    timed = used.filter(~nw.col(clock.name).is_null()) if calendar.rows_without_time else used
    return clean_rows(timed, schema, request, labels, profile, clock.name), calendar


def _refuse_arguments(**given: object) -> None:
    for name, value in given.items():
        if value is not None:
            raise PlanError(f"`{name}` must not be given where the log is Checkpoints, which have their own times.")


def refuse_metrics(request: Request, window: object) -> None:
    if request.pairs:
        raise PlanError("`metrics` must not be paired in a trajectory: a pair has no one time at which it enters.")
    for block in request.blocks:
        if any(variable.cap is not None and variable.cap.quantile is not None for variable in block.variables):
            raise PlanError(
                f"`metrics.{block.metric}` must not have a cap at a quantile in a trajectory: early looks would know "
                "the threshold from rows that come later. Use Cap(value=...)."
            )
    if window is not None:
        return
    for block in request.blocks:
        kinds = {"a quantile": block.buckets, "a trend": any(variable.slope_over for variable in block.variables)}
        for kind in (kind for kind, found in kinds.items() if found):
            raise PlanError(f"`metrics.{block.metric}` must not be {kind} in a trajectory without a `window`.")
    if request.segments and request.unit != ROWS:
        raise PlanError(
            "`segments` must be empty in a trajectory without a `window`, in which units may change theirs."
        )


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What each look adds to the sums of each group, and what no look uses."""

    query: Query
    calendar: Calendar
    rows: list[dict[str, Any]]
    late: Late
    spreads: dict[str, Spread] = field(default_factory=dict)
    quantiles: dict[str, float] = field(default_factory=dict)

    def at_looks(self) -> list[LogStatistics]:
        """The statistics of all that came before a look, for every look."""
        keys = ("low", "high", *(f"segment{i}" for i in range(len(self.query.request.segments))))
        by_look: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for row in self.rows:
            by_look[int(row["look"])].append(row)
        running: dict[tuple[Any, ...], dict[str, Any]] = {}
        found = []
        for look in range(1, self.calendar.count + 1):
            for row in by_look[look]:
                key = tuple(row[name] for name in keys)
                running[key] = _added(running.get(key, {}), row, keys)
            query = replace(self.query, profile=self.calendar.profile(look))
            found.append(_statistics(query, list(running.values()), self._spreads(look)))
        return found

    def timed(self) -> TimedStatistics:
        """The looks from the first with units of several variants."""
        statistics, calendar, clock = self.at_looks(), self.calendar, self.calendar.clock
        first = next((k for k, found in enumerate(statistics) if len({g.variant for g in found.groups}) > 1), None)
        if first is None:
            hint = "choose a shorter `window`, or look later" if clock.window else "look later"
            raise DataError(f"no look has units of two variants to compare; {hint}.")
        looks = tuple(clock.at(calendar.at(k + 1)) for k in range(first, calendar.count))
        window = None if clock.window is None else clock.window / clock.second
        return TimedStatistics(looks, tuple(statistics[first:]), self.late, clock.every / clock.second, window)

    def _spreads(self, look: int) -> dict[str, Spread]:
        return {m: _until(spread, look, self.calendar, self.quantiles[m]) for m, spread in self.spreads.items()}


def arrivals(query: Query, calendar: Calendar) -> Arrivals:
    """What each look adds: units whose window has ended, or without one the rows since the look before."""
    of_rows = calendar.clock.window is not None or query.request.unit == ROWS
    return (_in_windows if of_rows else _so_far)(query, calendar)


def _in_windows(query: Query, calendar: Calendar) -> Arrivals:
    """Units enter when their window is complete, with the rows of the window."""
    centers, request = _shifts(query), query.request
    quantiles = {block.metric: block.buckets.q for block in request.blocks if block.buckets}
    place = len(request.segments)
    counting = Block(_free(request, INSIDE), (Variable(ROWS, "sum"),), "error")
    timed = replace(request, segments=(*request.segments, "look"), blocks=(*request.blocks, counting))
    rows = _within(query, calendar.clock)
    query, spreads = bucketed(replace(query, request=timed, rows=rows, entry=entry_of(calendar)))
    query, units = per_unit(query, centers, thresholds(request))
    late, found = _late(collect(per_group(query, units)), calendar, f"segment{place}")
    last = query.request.blocks.index(counting)
    blocks = [block for i, block in enumerate(query.blocks) if i != last]
    query = replace(query, request=replace(query.request, segments=request.segments), blocks=blocks)
    return Arrivals(query, calendar, found, late, spreads, quantiles)


def _so_far(query: Query, calendar: Calendar) -> Arrivals:
    """Units are there from their first row, with all of their rows before the look."""
    prepared: dict[str, nw.Expr] = {}
    aggregates: dict[str, Aggregate] = {}
    blocks = unit_blocks(query, _shifts(query), thresholds(query.request), prepared, aggregates)
    query = replace(query, blocks=blocks)
    found = open_ended(query, prepared, aggregates, calendar)
    late = Late(calendar.rows_without_time, 0, calendar.rows_after)
    return Arrivals(query, calendar, found, late)


def _late(rows: list[dict[str, Any]], calendar: Calendar, column: str) -> tuple[Late, list[dict[str, Any]]]:
    """What is not in the looks, and the groups by the look that they enter at."""
    inside = sum(int(row.get(name) or 0) for row in rows for name in ("sum rows", "copies", "differ"))
    units = {code: sum(int(row["units"]) for row in rows if row[column] == code) for code in calendar.codes}
    closed = calendar.rows_kept - inside
    late = Late(calendar.rows_without_time, closed, calendar.rows_after, *(units[code] for code in calendar.codes))
    unsure = calendar.codes[1]
    return late, [{**row, "look": calendar.count if row[column] == unsure else int(row[column])} for row in rows]


def _added(total: dict[str, Any], row: dict[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    sums = {name: (total.get(name) or 0) + (value or 0) for name, value in row.items() if name not in keys}
    return total | sums | {name: row[name] for name in keys}


def _until(spread: Spread, look: int, calendar: Calendar, q: float) -> Spread:
    """The histograms of what came until a look, without the look as a segment."""
    merged: dict[tuple[int, tuple[str, ...]], Histogram] = {}
    for (code, segments), histogram in spread.histograms.items():
        entered = int(segments[-1])
        if entered <= look or (look == calendar.count and entered == calendar.codes[1]):
            key = code, segments[:-1]
            merged[key] = merged[key] + histogram if key in merged else histogram
    return replace(spread, histograms=merged, bounds=_bounds(merged, q))


def _within(query: Query, clock: Clock) -> Frame:
    """The rows within their unit's window."""
    import narwhals as nw

    if query.request.unit == ROWS:
        return query.rows
    ends = query.rows.group_by("unit").agg(nw.col("time").min().alias("first"))
    ends = ends.select("unit", (nw.col("first") + (clock.window or 0)).alias("end"))
    return query.rows.join(ends, on="unit", how="inner").filter(nw.col("time") < nw.col("end"))


def entry_of(calendar: Calendar) -> Entry:
    """The number of the first look at or after the end of a window, by its beginning; without one, of that after it."""
    import narwhals as nw

    window, unfinished, unsure = calendar.clock.window or 0, *calendar.codes

    def entry(first: nw.Expr) -> nw.Expr:
        passed = first + (window - calendar.start)
        every = calendar.clock.every
        look = ceil_of(passed, every) if window else floor_of(passed, every) + 1
        after_all = (look == calendar.count) & (first + window > calendar.complete_to)
        look = nw.when(look > calendar.count).then(nw.lit(unfinished)).otherwise(look)
        return nw.when(after_all).then(nw.lit(unsure)).otherwise(look).cast(nw.Int64)

    return entry


def thresholds(request: Request) -> dict[Variable, float]:
    """Where values are capped."""
    variables = [variable for block in request.blocks for variable in block.variables]
    return {v: v.cap.value for v in variables if v.cap is not None and v.cap.value is not None}


def _free(request: Request, wanted: str) -> str:
    """A name that no metric has."""
    while any(block.metric == wanted for block in request.blocks):
        wanted += "_"
    return wanted
