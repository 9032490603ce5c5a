"""Which buckets of a log are before a switch, which after it, and which are left out."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass

import numpy as np

from abkit import _times
from abkit._check import Float64Array
from abkit.adapters._series_log import SeriesLog
from abkit.strategies import Recreate
from abkit.strategies._before_after import BeforeAfter

#: In a log with a row a bucket nearly all buckets have one.
MOST_REPEATED = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Period:
    """Which buckets count: places on the log's grid, the switch among them, and whether a row is a whole bucket."""

    log: SeriesLog
    switch: int
    counts: Float64Array
    aggregated: bool

    def values(self, name: str) -> Float64Array:
        """A series with nan in the buckets that do not count."""
        return np.where(self.counts, self.log.values[name], np.nan)

    def buckets(self, after: bool) -> int:
        """How many buckets of one side have rows and count."""
        side = slice(self.switch, None) if after else slice(0, self.switch)
        return int(np.count_nonzero((self.log.rows > 0)[side] & self.counts[side].astype(bool)))


def make_period(strategy: BeforeAfter, log: SeriesLog) -> Period:
    """From the grid of a log."""
    places = log.first + np.arange(log.rows.size)
    aggregated = is_aggregated(log)
    counts = np.ones(places.size, dtype=bool)
    if not aggregated:  # of requests the first and the last bucket hold a part
        counts[[0, -1]] = False
    low, high = left_out(strategy, log)
    counts &= (places < low) | (places >= high)
    return Period(log, max(-log.first, 0), counts, aggregated)


def is_aggregated(log: SeriesLog) -> bool:
    """Whether a row stands for a whole bucket, from its time on: what comes after the switch cannot change that."""
    past = log.rows[: max(-log.first, 0)]
    used = past[past > 0]
    return bool(np.mean(used > 1) <= MOST_REPEATED) if used.size else True


def left_out(strategy: BeforeAfter, log: SeriesLog) -> tuple[int, int]:
    """From which bucket to which nothing counts: the outage, and while it settles or warms up."""
    if isinstance(strategy, Recreate):
        stop, start = outage_of(strategy, log)
        return -math.ceil((start - stop) / strategy.width), math.ceil(strategy.buckets("warm_up"))
    return 0, math.ceil(strategy.buckets("settle"))


def outage_of(strategy: Recreate, log: SeriesLog) -> tuple[dt.datetime, dt.datetime]:
    """As the plan says, or as the log shows."""
    if strategy.stop is None or strategy.start is None:
        assert log.outage is not None  # noqa: S101 - it was asked for
        last, start = log.outage
        return (last + strategy.width if is_aggregated(log) else last), start
    return _times.moment("stop", strategy.stop), _times.moment("start", strategy.start)
