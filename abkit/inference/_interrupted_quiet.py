"""A series that never varied before a switch, such as no errors in a week."""

from __future__ import annotations

import math

import numpy as np

from abkit._check import Float64Array
from abkit.inference._interrupted import FEWEST_BEFORE, InterruptedSeries

#: Events to expect at the largest rate of a past without any, at 95% (rule of three; Hanley and Lippman-Hand 1983).
UNSEEN = 3.0


def quiet_series(values: Float64Array, switch: int, counting: float = 0.0) -> InterruptedSeries:
    """Level change of a series that was constant before its switch.

    Answers: after a past in which nothing ever happened, did something happen, and how much?

    Parameters
    ----------
    values : array of shape (buckets,)
        One value in all buckets before the switch; nan where there is none.
    switch : int
        The place of the first bucket after the switch.
    counting : float
        The variance that a bucket's value has because it counts events, at the largest rate that the past allows; 0
        where it counts none.

    Returns
    -------
    InterruptedSeries

    Raises
    ------
    ValueError
        Too few buckets, or no spread on either side.

    Notes
    -----
    The standard error is that of the buckets after the switch, and of counting. Besides, whatever the series' own
    correlation: of a stationary series, the chance of n quiet buckets that are followed by k of which one is not is at
    most k / (n + 1), since the chance of a first event after m quiet buckets falls with m. This is the share that
    stands in for the placebo switches, so that without an effect nothing is found more often.
    """
    before, after = (side[np.isfinite(side)] for side in (values[:switch], values[switch:]))
    n, k, places = before.size, after.size, np.flatnonzero(np.isfinite(values[switch:])).astype(np.float64)
    if n < FEWEST_BEFORE or not k:
        raise ValueError(f"{n} and {k} buckets before and after the switch, where {FEWEST_BEFORE} and 1 are needed")
    level = float(before[0])
    changed = bool(np.any(after != level))
    if changed and k < 2:
        raise ValueError("the series never varied before the switch, and has one bucket after it: a second is needed")
    own = float(np.var(after, ddof=1)) if changed else 0.0
    variance = own + counting
    if not variance > 0:
        raise ValueError("the series does not vary before the switch, which says nothing of how it moves by itself")
    counts = np.arange(1, k + 1)
    found = np.zeros((n + 1, 1))
    found[: min(k, n + 1)] = math.inf if changed else 0.0
    placebos = np.broadcast_to(found, (n + 1, k))
    df = (variance / own) ** 2 * (k - 1) if own > 0 else math.inf
    return InterruptedSeries(
        places,
        np.cumsum(after - level) / counts,
        np.sqrt(variance / counts),
        df,
        np.full(k, level),
        np.zeros(k),
        1 / variance,
        n,
        (placebos, placebos),
        np.ones(k),
        np.full(k, df),
    )
