"""Everybody on the old release, then everybody on the new one: a series before and after."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

import numpy as np

from abkit import _times
from abkit._checks import Check
from abkit.adapters._series_log import SeriesLog, SeriesRequest, Value, read_series
from abkit.designs._before_after_checks import series_checks
from abkit.designs._before_after_period import Period, make_period
from abkit.designs._placebo_bound import placebo_bound
from abkit.errors import DataError
from abkit.evidence import TestResult, run_test
from abkit.experiment import Experiment
from abkit.inference._interrupted import InterruptedSeries, interrupted_series
from abkit.inference._interrupted_quiet import UNSEEN, quiet_series
from abkit.logs import Audit, LogStatistics, Span
from abkit.metrics import Metric
from abkit.report import MetricResult, Report, look_of, quality_metrics
from abkit.sequential import Look
from abkit.sequential._monitored import MonitoredEffect
from abkit.strategies import BlueGreen, Recreate
from abkit.strategies._before_after import AFTER, BEFORE, BeforeAfter
from abkit.types import ROWS, Missing

#: Metrics whose values are events, over something.
EVENTS = ("count", "ratio", "rate", "proportion")
METHOD = "interrupted time series"


def analyze_before_after(experiment: Experiment, log: object, look: int | Look | None) -> Report:
    """The report on a log with a column of times."""
    strategy = experiment.strategy
    assert isinstance(strategy, BeforeAfter)  # noqa: S101 - the design is of these strategies only
    found = _read(experiment, strategy, log)
    period = make_period(strategy, found)
    units = {BEFORE: period.buckets(after=False), AFTER: period.buckets(after=True)}
    if not units[BEFORE]:
        when = _times.moment_text("switch", found.origin)
        raise DataError(f"the log has no bucket before the switch, {when}, so nothing can be compared.")
    season, checks = _season(strategy, period)
    analyzed = [_analyzed(experiment, strategy, period, name, season) for name in experiment.metrics]
    results = tuple(result for result, _ in analyzed)
    audit = Audit(found.total, units=sum(units.values()), missing=_missing(experiment, found))
    return Report(
        experiment,
        LogStatistics((), audit, span=Span(found.origin, found.end)),
        (BEFORE, AFTER),
        units,
        results,
        (),
        (
            *series_checks(experiment, strategy, found, period),
            *checks,
            *(check for _, check in analyzed if check),
            *quality_metrics(experiment, results),
        ),
        look_of(experiment, look, units[AFTER]),
    )


def _read(experiment: Experiment, strategy: BeforeAfter, log: object) -> SeriesLog:
    values = {name: _value(metric, experiment.missing) for name, metric in experiment.metrics.items()}
    values |= {_control(column): Value(column, ROWS, "drop") for column in strategy.controls}
    request = SeriesRequest(str(experiment.time), strategy.width, values)
    if isinstance(strategy, BlueGreen):
        colours = (strategy.environment, strategy.blue, strategy.green) if strategy.environment else None
        request = replace(request, environment=colours, smoke=strategy.smoke)
        return read_series(log, request, None if strategy.switch is None else _times.moment("switch", strategy.switch))
    assert isinstance(strategy, Recreate)  # noqa: S101 - there are these two
    start = None if strategy.start is None else _times.moment("start", strategy.start)
    return read_series(log, request, start, gap=start is None)


def _control(column: str) -> str:
    return f"control {column}"


def _value(metric: Metric, missing: Missing) -> Value:
    """A total over another; a mean is one over the rows, and a count or the rows themselves over nothing."""
    first, *others = metric.outcomes()
    total = metric.kind == "count" or first.column == ROWS
    bottom = others[0].column if others else None if total else ROWS
    return Value(first.column, bottom, metric.missing or missing, first.binary)


def _missing(experiment: Experiment, log: SeriesLog) -> dict[str, int]:
    measured = {c for name, m in experiment.metrics.items() for c in _value(m, experiment.missing).columns}
    return {column: rows for column, rows in log.missing.items() if column in measured}


def _season(strategy: BeforeAfter, period: Period) -> tuple[int | None, list[Check]]:
    """Buckets of a season, where the past holds two; with fewer nothing is promoted."""
    if strategy.season is None:
        return None, []
    season = int(strategy.buckets("season"))
    full = period.switch // season
    if full >= 2:
        message = f"the baseline is the same clock window of {full} earlier seasons of {strategy.season}"
        return season, [Check("season", "pass", message, float(full))]
    message = f"{full} full seasons of {strategy.season} before the switch, where at least 2 are needed; none is used"
    return None, [Check("season", "unknown", message, float(full))]


def _analyzed(
    experiment: Experiment, strategy: BeforeAfter, period: Period, name: str, season: int | None
) -> tuple[MetricResult, Check | None]:
    """One metric, and where it lies among the placebo switches."""
    metric, values = experiment.metrics[name], period.values(name)
    sides = [side[np.isfinite(side)] for side in (values[: period.switch], values[period.switch :])]
    before, after = (float(side.mean()) if side.size else math.nan for side in sides)
    n, k = sides[0].size, sides[1].size
    made = partial(MetricResult, name, AFTER, None, metric.role, metric.direction, n, k, before, after)
    if not k:
        return made(None, "no bucket with a value after the switch"), None
    controls = [period.values(_control(column)) for column in strategy.controls]
    try:
        if sides[0].size and np.all(sides[0] == sides[0][0]):
            series = quiet_series(values, period.switch, _counting(metric, period, name))
        else:
            others = np.array(controls) if controls else None
            series = interrupted_series(values, period.switch, controls=others, season=season)
    except ValueError as error:
        return made(None, str(error)), None
    return made(_test(experiment, metric, series), None), _placebo(name, series)


def _counting(metric: Metric, period: Period, name: str) -> float:
    """What counting makes of the variance of a bucket, where the past has no event (or nothing but events)."""
    values, bottoms = period.values(name), period.log.bottoms[name]
    past = np.isfinite(values[: period.switch])
    level = float(values[: period.switch][past][0])
    if not (metric.kind in EVENTS and level == 0) and not (metric.kind == "proportion" and level == 1):
        return 0.0
    size = float(np.mean(bottoms[period.switch :][np.isfinite(values[period.switch :])]))
    return UNSEEN / (float(bottoms[: period.switch][past].sum()) * size)


def _test(experiment: Experiment, metric: Metric, series: InterruptedSeries) -> TestResult:
    method, bound = placebo_bound(experiment.monitor, series)
    caution = (
        None if len(series.placebos[0]) else "the past is too short for placebo switches: the model is not checked"
    )
    monitored = MonitoredEffect(series.effect(metric.sign), bound)
    return replace(run_test(f"{METHOD}, {method}", monitored, "two-sided", 0.0), caution=caution)


def _placebo(name: str, series: InterruptedSeries) -> Check | None:
    count = len(series.placebos[0])
    if not count:
        return None
    rank = series.rank()
    message = f"change of `{name}` among {count:,} placebo switches: rank p = {rank:.3g} (at least {series.floor:.2g})"
    return Check(f"placebo:{name}", "pass", message, rank)
