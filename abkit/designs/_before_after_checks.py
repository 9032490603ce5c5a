"""Checks of a series: whether it is complete, whether rows are where they belong, tests before, and the outage."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy.special import betainc

from abkit import _times
from abkit._checks import Check
from abkit.adapters._series_log import SeriesLog
from abkit.designs._before_after_period import Period, left_out, outage_of
from abkit.experiment import Experiment
from abkit.strategies import BlueGreen, Recreate
from abkit.strategies._before_after import BeforeAfter

Mask = npt.NDArray[np.bool_]


def series_checks(experiment: Experiment, strategy: BeforeAfter, log: SeriesLog, period: Period) -> Iterator[Check]:
    """Every check that needs no test of a metric."""
    limit = experiment.quality.contaminated
    share = log.without_time / log.total
    message = f"{log.without_time:,} of {log.total:,} rows without a time, left out (limit {limit:.2%})"
    yield Check("times", "fail" if share > limit else "pass", message, share)
    yield _complete(experiment, log, period)
    if period.aggregated:
        yield _repeated(experiment, log, period)
    yield _left_out(strategy, log, period)
    if isinstance(strategy, BlueGreen):
        yield from _environments(strategy, log, period, limit)
        yield from _smoke(strategy, log)
    if isinstance(strategy, Recreate):
        yield _outage(strategy, log)


def _complete(experiment: Experiment, log: SeriesLog, period: Period) -> Check:
    """After the switch buckets must not be missing more often than before: silence is not health."""
    message, pvalue = _more_often("buckets without rows", log.rows == 0, period)
    repeated = int((log.rows - log.times).sum())
    if repeated and period.aggregated:
        message += f"; {repeated:,} rows with the time of another, averaged with it"
    return Check("series", "fail" if pvalue < experiment.quality.alpha else "pass", message, pvalue)


def _repeated(experiment: Experiment, log: SeriesLog, period: Period) -> Check:
    """Second rows of a bucket must not come with the switch: harm that is averaged with something else hides."""
    message, pvalue = _more_often("buckets with more than one row", log.rows > 1, period)
    return Check("repeated", "fail" if pvalue < experiment.quality.alpha else "pass", message, pvalue)


def _more_often(what: str, those: Mask, period: Period) -> tuple[str, float]:
    """How many buckets before and after, and P(at least as many after) of a binomial with the share before."""
    counts = period.counts.astype(bool)
    sides = [those[: period.switch][counts[: period.switch]], those[period.switch :][counts[period.switch :]]]
    (before, n), (after, k) = [(int(side.sum()), side.size) for side in sides]
    pvalue = float(betainc(after, k - after + 1, (before + 1) / (n + 2))) if after else 1.0
    return f"{what}: {before:,} of {n:,} before, {after:,} of {k:,} after; p = {pvalue:.3g}", pvalue


def _left_out(strategy: BeforeAfter, log: SeriesLog, period: Period) -> Check:
    places = log.first + np.arange(log.rows.size)
    low, high = left_out(strategy, log)
    inside = (places >= low) & (places < high)
    during, warm = (int(log.rows[inside & side].sum()) for side in (places < 0, places >= 0))
    what = "warm-up" if isinstance(strategy, Recreate) else "settling"
    message = f"{warm:,} rows while {what}, left out"
    if isinstance(strategy, Recreate):
        message = f"{during:,} rows during the outage and {message}"
    if not period.aggregated:
        message += (
            f"; {int(log.rows[0] + log.rows[-1]):,} rows in the first and the last bucket, which are not complete"
        )
    return Check("left_out", "pass", message, float(during + warm))


def _environments(strategy: BlueGreen, log: SeriesLog, period: Period, limit: float) -> Iterator[Check]:
    if strategy.environment is None:
        return
    counts = period.counts.astype(bool)
    wrong, right = float(log.wrong[counts].sum()), float(log.rows[counts].sum())
    share = wrong / max(wrong + right, 1.0)
    message = (
        f"{int(wrong):,} rows of another environment than {strategy.blue} before the switch and {strategy.green} after "
        f"it, left out (limit {limit:.2%})"
    )
    yield Check("environment", "fail" if share > limit else "pass", message, share)


def _smoke(strategy: BlueGreen, log: SeriesLog) -> Iterator[Check]:
    if log.smoke is None:
        return
    passed, tests = log.smoke
    share = passed / tests if tests else 0.0
    message = f"{passed:,} of {tests:,} tests of {strategy.green} before the switch passed"
    message += f" (at least {strategy.smoke_pass:.2%})"
    yield Check("smoke", "pass" if tests and share >= strategy.smoke_pass else "fail", message, share)


def _outage(strategy: Recreate, log: SeriesLog) -> Check:
    stop, start = outage_of(strategy, log)
    length = start - stop
    seconds, source = length.total_seconds(), "as the plan says" if strategy.stop else "the longest gap of the log"
    since = _times.moment_text("stop", stop)
    message = f"the outage lasted {_spoken(length)} from {since}, {source}"
    if strategy.max_outage is None:
        return Check("outage", "pass", message, seconds)
    long = length > _times.duration("max_outage", strategy.max_outage)
    return Check("outage", "fail" if long else "pass", f"{message} (limit {strategy.max_outage})", seconds)


def _spoken(length: dt.timedelta) -> str:
    return _times.duration_text("outage", length) if length > dt.timedelta(0) else "0s"
