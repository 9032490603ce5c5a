"""A log through time: the statistics at every look, from one grouped query whatever the number of looks.

The look at which a unit enters is a segment of it: what enters at a look is added to what was there before.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from abkit.adapters._analyze import _audit, _cappings, _group, _refuse_many, _refuse_varying, _shifts
from abkit.adapters._buckets import Spread, bucketed
from abkit.adapters._calendar import Calendar, make_calendar
from abkit.adapters._clock import Clock, ceil_of, make_clock, with_clock
from abkit.adapters._frames import collect, engine_errors, open_log
from abkit.adapters._profile import check_columns, count_rows, find_labels, refuse_missing
from abkit.adapters._progress import progress
from abkit.adapters._query import Entry, Query, clean_rows, per_group, per_unit
from abkit.errors import DataError
from abkit.logs import Block, Group, Late, LogStatistics, Request, TimedStatistics, Variable
from abkit.types import ROWS

if TYPE_CHECKING:
    import narwhals as nw

    Frame = nw.LazyFrame[Any]

#: The name of a block that counts the rows of units.
INSIDE = "rows inside"


def read_trajectory(
    log: object, request: Request, *, time: str, every: object, window: object, until: object = None
) -> TimedStatistics:
    """The statistics at every look.

    Looks are at start + k every, from the first at which there is a unit up to the first after the last row: where the
    log ends within a period, `until` says to which time it is complete. The look at L knows the rows before L.
    """
    import narwhals as nw

    _refuse_metrics(request)
    wanted = tuple(dict.fromkeys((*request.columns(), time)))
    with engine_errors(log, wanted), progress("reading the log"), open_log(log, wanted) as frame:
        schema = dict(frame.collect_schema())
        check_columns(schema, request)
        clock = make_clock(schema, time, every, window)
        used = with_clock(frame.select(*(column for column in wanted if column != ROWS)), clock, schema)
        profile = count_rows(used, schema, request)
        labels = find_labels(used, schema, request)
        refuse_missing(profile, request)
        calendar = make_calendar(used, schema, request, profile, clock, until)
        timed = used.filter(~nw.col(clock.name).is_null()) if calendar.rows_without_time else used
        query = clean_rows(timed, schema, request, labels, profile, clock.name)
        return _in_windows(query, calendar)


def _refuse_metrics(request: Request) -> None:
    if request.pairs:
        raise ValueError("`metrics` must not be paired in a trajectory: a pair has no one time at which it enters.")
    for block in request.blocks:
        if any(variable.cap is not None and variable.cap.quantile is not None for variable in block.variables):
            raise ValueError(
                f"`metrics.{block.metric}` must not have a cap at a quantile in a trajectory: early looks would know "
                "the threshold from rows that come later. Use Cap(value=...)."
            )


def _in_windows(query: Query, calendar: Calendar) -> TimedStatistics:
    """Units enter when their window is complete, with the rows of the window."""
    centers, request = _shifts(query), query.request
    place = len(request.segments)
    counting = Block(_free(request, INSIDE), (Variable(ROWS, "sum"),), "error")
    timed = replace(request, segments=(*request.segments, "look"), blocks=(*request.blocks, counting))
    query, spreads = bucketed(
        replace(query, request=timed, rows=_within(query, calendar.clock), entry=_entry(calendar))
    )
    query, units = per_unit(query, centers, thresholds(request))
    rows = collect(per_group(query, units))
    late, rows = _late(rows, calendar, f"segment{place}")
    statistics = _cumulated(query, rows, spreads, calendar, counting.metric)
    first = next((k for k, found in enumerate(statistics) if found.groups), None)
    if first is None:
        raise DataError("no unit has a complete `window` at the last look; choose a shorter one, or look later.")
    clock = calendar.clock
    looks = tuple(clock.at(calendar.at(k + 1)) for k in range(first, calendar.count))
    window = None if clock.window is None else clock.window / clock.second
    return TimedStatistics(looks, tuple(statistics[first:]), late, clock.every / clock.second, window)


def _late(rows: list[dict[str, Any]], calendar: Calendar, column: str) -> tuple[Late, list[dict[str, Any]]]:
    """What is not in the looks, and the groups by the look that they enter at."""
    inside = sum(int(row.get(name) or 0) for row in rows for name in ("sum rows", "copies", "differ"))
    units = {code: sum(int(row["units"]) for row in rows if row[column] == code) for code in calendar.codes}
    closed = calendar.rows_kept - inside
    late = Late(calendar.rows_without_time, closed, calendar.rows_after, *(units[code] for code in calendar.codes))
    unsure = calendar.codes[1]
    return late, [{**row, "look": calendar.count if row[column] == unsure else int(row[column])} for row in rows]


def _within(query: Query, clock: Clock) -> Frame:
    """The rows within their unit's window."""
    import narwhals as nw

    if query.request.unit == ROWS:
        return query.rows
    ends = query.rows.group_by("unit").agg(nw.col("time").min().alias("first"))
    ends = ends.select("unit", (nw.col("first") + (clock.window or 0)).alias("end"))
    return query.rows.join(ends, on="unit", how="inner").filter(nw.col("time") < nw.col("end"))


def _entry(calendar: Calendar) -> Entry:
    """The number of the first look at or after the end of a window, by its beginning."""
    import narwhals as nw

    window, unfinished, unsure = calendar.clock.window or 0, *calendar.codes

    def entry(first: nw.Expr) -> nw.Expr:
        look = ceil_of(first + (window - calendar.start), calendar.clock.every)
        after_all = (look == calendar.count) & (first + window > calendar.last_row)
        look = nw.when(look > calendar.count).then(nw.lit(unfinished)).otherwise(look)
        return nw.when(after_all).then(nw.lit(unsure)).otherwise(look).cast(nw.Int64)

    return entry


def _cumulated(
    query: Query, rows: list[dict[str, Any]], spreads: dict[str, Spread], calendar: Calendar, extra: str
) -> list[LogStatistics]:
    """The statistics of all units that entered at a look or before it, for every look."""
    known = [row for row in rows if row["low"] is not None and row["low"] == row["high"] < len(query.labels)]
    _refuse_varying(query, [row for row in known if row["look"] <= calendar.count])
    running: dict[tuple[int, tuple[str, ...]], Group] = {}
    found = []
    for look in range(1, calendar.count + 1):
        for row in known:
            if row["look"] == look:
                group = _group(query, row, spreads)
                key = (int(row["low"]), group.segments[:-1])
                entering = replace(
                    group, segments=key[1], moments={m: s for m, s in group.moments.items() if m != extra}
                )
                running[key] = _added(running[key], entering) if key in running else entering
        _refuse_many(query.request, len(running))
        so_far = [row for row in rows if row["look"] <= look]
        cappings = tuple(_cappings(query, [row for row in known if row["look"] <= look]))
        groups = tuple(running[key] for key in sorted(running))
        found.append(LogStatistics(groups, _audit(query.labels, calendar.profile(look), so_far), cappings))
    return found


def _added(group: Group, other: Group) -> Group:
    moments = {name: group.moments[name] + new for name, new in other.moments.items()}
    return Group(group.variant, group.segments, group.units + other.units, moments)


def thresholds(request: Request) -> dict[Variable, float]:
    """Where values are capped."""
    variables = [variable for block in request.blocks for variable in block.variables]
    return {v: v.cap.value for v in variables if v.cap is not None and v.cap.value is not None}


def _free(request: Request, wanted: str) -> str:
    """A name that no metric has."""
    while any(block.metric == wanted for block in request.blocks):
        wanted += "_"
    return wanted
