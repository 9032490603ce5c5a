"""A log of before an experiment as statistics: of all units pooled, at the end of every period.

Rows are given the control's label, whatever variants they have, so that the queries of an analysis and of a trajectory
serve: what they say of the control is then the history.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import reduce
from itertools import pairwise
from operator import add
from typing import TYPE_CHECKING, Any

from abkit.adapters._analyze import frame_statistics, read_statistics
from abkit.adapters._calendar import Calendar
from abkit.adapters._checkpoints import Checkpoints, read_checkpoints
from abkit.adapters._clock import Clock, make_clock, with_clock
from abkit.adapters._frames import collect, engine_errors, open_log
from abkit.adapters._profile import check_columns
from abkit.adapters._progress import progress
from abkit.adapters._trajectory import arrivals, timed_rows
from abkit.errors import DataError
from abkit.logs import Block, Group, History, LogStatistics, Request
from abkit.suffstats import CoMoments

if TYPE_CHECKING:
    import narwhals as nw

    Frame = nw.LazyFrame[Any]

#: The last period counts where the log lacks no more of it than this.
LACKING = 1 / 7
#: Opens all columns of a file, of which those named may be none.
ALL = "*"


@dataclass(frozen=True, slots=True)
class Entry:
    """The units seen so far, and their statistics of each metric."""

    units: int
    statistics: dict[str, CoMoments]


def read_history(
    log: object, request: Request, *, time: str | None = None, every: object = "1w", until: object = None
) -> History:
    """What a log of any engine says of units before an experiment, all of them pooled.

    Parameters
    ----------
    log : table, path, or Checkpoints
        As for `Experiment.analyze`. The column of variants may be absent, and is ignored, except by paired metrics.
        Checkpoints are statistics of so far already.
    request : Request
        What the plan asks of a log. Segments are not used; rows that the plan does not expose are left out, but where
        the log has no such column all rows count.
    time : str, optional
        The column that says when a row was logged. By default the only column of times, if there is one.
    every : str, timedelta or number
        How long a period is, as for `Experiment.trajectory`.
    until : time, optional
        To when the log is complete. By default its last row; a last period that lacks more than a seventh is left out.

    Returns
    -------
    History

    Raises
    ------
    DataError
        The log cannot answer what the plan asks.
    """
    if isinstance(log, Checkpoints):
        return _of_checkpoints(log, request)
    if request.pairs:
        return _of_pairs(read_statistics(log, request), request)
    request = replace(request, segments=(), labels=(request.control,))
    asked = tuple(column for column in request.columns() if column not in (request.variant, request.exposure))
    wanted = (*asked, *([time] if time else []), *([request.exposure] if request.exposure else []))
    opened = wanted if time and not request.exposure else (*wanted, ALL)
    with engine_errors(log, wanted), progress("reading the history"), open_log(log, opened) as frame:
        pooled, request, notes = _pooled(frame, request)
        time, why = (time, ()) if time else _only_time(frame)
        if time is None:
            return _history([_entry(frame_statistics(pooled, request), request)], None, (*notes, *why))
        found = _through_time(pooled, request, time, every, until)
    return replace(found, notes=(*notes, *why, *found.notes))


def _pooled(frame: Frame, request: Request) -> tuple[Frame, Request, tuple[str, ...]]:
    """Every row with the control's label, in a column that the log does not have."""
    import narwhals as nw

    columns = frame.collect_schema().names()
    notes: tuple[str, ...] = ()
    if request.exposure and request.exposure not in columns:
        notes = (f"the log has no column `{request.exposure}`: all of its rows count as exposed",)
        request = replace(request, exposure=None)
    check_columns(dict(frame.collect_schema()), replace(request, variant=request.unit))
    variant = "variant"
    while variant in map(str.lower, columns):
        variant += "_"
    return frame.with_columns(nw.lit(request.control).alias(variant)), replace(request, variant=variant), notes


def _only_time(frame: Frame) -> tuple[str | None, tuple[str, ...]]:
    """The column of times if there is one, which every row has; and what was chosen."""
    import narwhals as nw

    times = [name for name, dtype in frame.collect_schema().items() if dtype in (nw.Date, nw.Datetime)]
    found = f"the log has several columns of times ({', '.join(times)})" if times else "the log has no column of times"
    if len(times) == 1:
        lost = int(collect(frame.select((nw.len() - nw.col(times[0]).count()).alias("lost")))[0]["lost"] or 0)
        if not lost:
            return times[0], (f"`{times[0]}`, the log's only column of times, is when its rows were logged",)
        found = f"the log's only column of times, `{times[0]}`, is missing in {lost:,} rows"
    return None, (f"{found}, and no `time` was named: how units and variances grow with time is not known",)


def _through_time(frame: Frame, request: Request, time: str, every: object, until: object) -> History:
    """The units so far at the end of every period; by a query a period where the one for all has no answer."""
    clock = make_clock(dict(frame.collect_schema()), time, every, None)
    apart = [block for block in request.blocks if frame.implementation.is_dask() or _needs_all_rows(block)]
    together = replace(request, blocks=tuple(block for block in request.blocks if block not in apart))
    query, calendar = timed_rows(frame, together, clock, until)
    whole, notes = _whole_periods(calendar, until)
    kept = slice(calendar.count - 1, calendar.count) if whole == 0 else slice(whole)
    ends = [calendar.at(period) for period in range(1, calendar.count + 1)][kept]
    found: list[list[Entry]] = []
    if together.blocks:
        found.append([_entry(statistics, together) for statistics in arrivals(query, calendar).at_looks()[kept]])
    if apart:
        found.append(list(_by_period(frame, replace(request, blocks=tuple(apart)), clock, ends)))
    entries = [reduce(_joined, several) for several in zip(*found, strict=True)]
    return _history(entries, clock.every / clock.day if whole else None, notes)


def _needs_all_rows(block: Block) -> bool:
    """Quantiles, trends and caps at quantiles are not sums over rows."""
    capped = any(variable.cap is not None and variable.cap.quantile is not None for variable in block.variables)
    return capped or block.buckets is not None or any(variable.slope_over for variable in block.variables)


def _by_period(frame: Frame, request: Request, clock: Clock, ends: list[float]) -> Iterator[Entry]:
    """The analysis of the rows before the end of each period."""
    import narwhals as nw

    rows = with_clock(frame, clock, dict(frame.collect_schema()))
    for end in ends:
        yield _entry(frame_statistics(rows.filter(nw.col(clock.name) < end), request), request)


def _whole_periods(calendar: Calendar, until: object) -> tuple[int, tuple[str, ...]]:
    """How many periods the log holds whole, or nearly so, and what that leaves out."""
    clock = calendar.clock
    length = 1 if clock.kind == "number" and clock.whole else 0  # a whole number stands for all that begins with it
    lacking = calendar.at(calendar.count) - calendar.complete_to - length
    if until is not None or lacking <= LACKING * clock.every:
        return calendar.count, ()
    if calendar.count == 1:
        return 0, ("the log does not hold one whole period: how units and variances grow with time is not known",)
    last = clock.at(calendar.at(calendar.count - 1))
    return calendar.count - 1, (f"the rows from {last} on make no whole period, and are left out",)


def _entry(statistics: LogStatistics, request: Request) -> Entry:
    """The statistics of all groups pooled."""
    groups = statistics.groups
    found = {block.metric: _sum(groups, block.metric) for block in request.blocks}
    return Entry(
        sum(group.units for group in groups), {name: moments for name, moments in found.items() if moments is not None}
    )


def _sum(groups: tuple[Group, ...], metric: str) -> CoMoments | None:
    found = [group.moments[metric] for group in groups if metric in group.moments]
    return reduce(add, found) if found else None


def _joined(entry: Entry, other: Entry) -> Entry:
    return Entry(entry.units, entry.statistics | other.statistics)


def _history(entries: list[Entry], every: float | None, notes: tuple[str, ...]) -> History:
    if not entries or not entries[-1].units:
        raise DataError("the log has no units that count; there is nothing to plan from.")
    return History(tuple(entry.units for entry in entries), tuple(entry.statistics for entry in entries), every, notes)


def _of_pairs(statistics: LogStatistics, request: Request) -> History:
    """The pairs of the control and the first treatment: nothing else tells how a unit's values go together."""
    treatments = [group for group in statistics.groups if group.variant != request.control]
    if not treatments:
        raise DataError(
            "the log has no units under the control and a treatment; paired metrics are planned from pairs."
        )
    chosen = [group for group in treatments if group.variant == treatments[0].variant]
    note = f"a pair is a unit's values under {request.control} and {chosen[0].variant}"
    return _history([_entry(replace(statistics, groups=tuple(chosen)), request)], None, (note,))


def _of_checkpoints(log: Checkpoints, request: Request) -> History:
    """The pooled statistics at each checkpoint, where these are equally far apart; else the last ones."""
    timed = read_checkpoints(log, replace(request, segments=(), exposure=None), pooled=True)
    entries = [_entry(statistics, request) for statistics in timed.statistics]
    steps = {_days(later, earlier) for earlier, later in pairwise(timed.looks)}
    if len(steps) == 1 and len(entries) > 1:
        return _history(entries, steps.pop(), ())
    note = "the checkpoints are not equally far apart: how units and variances grow with time is not known"
    return _history(entries[-1:], None, (note,) * (len(entries) > 1))


def _days(later: Any, earlier: Any) -> float:
    if isinstance(later, (date, datetime)):
        return float((later - earlier) / timedelta(days=1))
    return float(f"{float(later) - float(earlier):.9g}")
