"""How many units more a running experiment needs until its intervals are as narrow as wanted."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from abkit import _tails
from abkit._sets import Interval
from abkit.evidence import Sample, TestResult
from abkit.planning._sizing import Sizer
from abkit.planning._solve import MOST
from abkit.report import MetricResult, Report
from abkit.sequential import AnytimeValid, GroupSequential, Look
from abkit.sequential._anytime_valid import MixtureBound
from abkit.types import Null, Relative


@dataclass(frozen=True, slots=True)
class More:
    """One metric of a treatment: what its interval is now, and when it will be as narrow as wanted.

    `half_width` is that of the interval shown now, at the report's level, `wanted` the one that is wanted; both as
    shares of the control's mean where `relative`. `units` are those of all variants by then, `more` how many of them
    are still to come, `weeks` how long that takes.
    """

    metric: str
    variant: str
    level: float
    half_width: float | None
    wanted: float | None
    relative: bool
    seen: int
    units: int | None
    more: int | None
    weeks: float | None
    reason: str | None = None


def more_units(sizer: Sizer, report: Report, asked: Mapping[str, Null]) -> Iterator[More]:
    """A row for each metric and treatment that the plan promotes by."""
    for row in report.results:
        wanted = asked.get(row.metric, report.experiment.metrics[row.metric].margin)
        yield _more(sizer, report, row, wanted)


def _more(sizer: Sizer, report: Report, row: MetricResult, wanted: Null | None) -> More:
    relative = isinstance(wanted, Relative)
    size = wanted.value if isinstance(wanted, Relative) else wanted
    seen = max(report.units.values()) if sizer.allocation.pairs else sum(report.units.values())
    shared = (row.metric, row.variant, report.level)
    if row.test is None:
        return More(*shared, None, size, relative, seen, None, None, None, row.reason)
    now = _half_width(row.test, report.level, relative=relative)
    if now is None or math.isinf(now):
        return More(*shared, None, size, relative, seen, None, None, None, "the interval has no width yet")
    if size is None or not size > 0:
        return More(*shared, now, size, relative, seen, None, None, None, "no width is named")
    units = _until(report, row, now, size, seen)
    if units is None:
        return More(*shared, now, size, relative, seen, None, None, None, "more units than can be counted")
    more = max(units - seen, 0)
    rate = sizer.source.per_week
    weeks = None if rate is None or (more and not rate) else (more / rate if more else 0.0)
    return More(*shared, now, size, relative, seen, max(units, seen), more, weeks)


def _half_width(test: TestResult, level: float, *, relative: bool) -> float | None:
    found = test.relative(level) if relative else test.interval(level)
    return (found.high - found.low) / 2 if isinstance(found, Interval) else None


def _until(report: Report, row: MetricResult, now: float, wanted: float, seen: int) -> int | None:
    """Units of all variants at which the half-width is the one wanted, which falls with their root.

    Its critical value is that of the monitor there: of a schedule, at the last look.
    """
    current = _critical(report, row, 1.0, at_end=False)
    low, high = 1.0, 1.0

    def width(times: float) -> float:
        at_end = times > 1
        return now * _critical(report, row, times, at_end=at_end) / current / math.sqrt(times)

    if width(1.0) <= wanted:
        return seen
    while width(high) > wanted:
        low, high = high, 2 * high
        if high * seen > MOST:
            return None
    while (high - low) * seen > 0.5:
        middle = (low + high) / 2
        if not low < middle < high:
            break
        low, high = (middle, high) if width(middle) > wanted else (low, middle)
    return math.ceil(round(high * seen, 3))


def _critical(report: Report, row: MetricResult, times: float, *, at_end: bool) -> float:
    """The monitor's critical value of the interval shown, with so many times the units; finite where it has an end."""
    monitor, tail = report.experiment.monitor, report.experiment.monitor.total / 2
    if isinstance(monitor, AnytimeValid):
        pair = row.n_control + row.n_treatment
        return MixtureBound(monitor.at(pair * times), monitor.sides).critical(tail)
    if isinstance(monitor, GroupSequential):
        plan, count = replace(monitor, units=None), len(monitor.planned)
        number = count if at_end else min(report.look.number, count)
        return plan.critical_values(tail, Look(number), [Sample(0, 0)] * number)[-1]
    df = row.test.df if row.test else math.inf
    return _tails.critical(tail, df * times)
