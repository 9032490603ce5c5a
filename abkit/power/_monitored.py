"""The power of looks under a monitor, and the units that they need on average.

At each look the statistic is normal, its mean the drift of the last look times the root of the share of units seen:
the canonical joint distribution, which `Regions` integrates. Only the bounds differ from monitor to monitor.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from abkit import _tails
from abkit._check import Float64Array
from abkit.power._exact_looks import Counts, bounds_of_counts
from abkit.power._question import Question
from abkit.power._statistic import Statistic
from abkit.sequential import AnytimeValid, Bayesian, GroupSequential, Stopping, _mixture
from abkit.sequential._guard import FEWEST_UNITS
from abkit.sequential._operating import Regions

_Bounds = tuple[float, ...]
#: Effects that are answered in one go, so that the memory is bounded.
_CHUNK = 2000


class Looks(NamedTuple):
    """The share of units at each look, and the bounds of the statistic there."""

    shares: _Bounds
    upper: _Bounds
    lower: _Bounds
    futility: _Bounds
    sides: int


def monitored_power(asked: Question, at: Statistic, n_control: Float64Array, n_treatment: Float64Array) -> Float64Array:
    """The chance of ever rejecting, by looks up to these units of each variant."""

    def rejected(stops: Stopping, _shares: _Bounds) -> Float64Array:
        ways = stops.up + stops.down if asked.alternative == "two-sided" else stops.up
        return np.asarray(np.minimum(ways.sum(axis=-1), 1.0))

    return _each(asked, at, n_control, n_treatment, rejected)


def expected_units(asked: Question, at: Statistic, n_control: Float64Array, n_treatment: Float64Array) -> Float64Array:
    """Units of both variants when it stops, on average."""
    share = _each(asked, at, n_control, n_treatment, lambda stops, shares: stops.total @ np.array(shares))
    return share * (n_control + n_treatment)


def _looks(asked: Question, at: Statistic, n_c: Float64Array, n_t: Float64Array) -> Iterator[Looks]:
    """The looks of each element of arrays of one dimension, with their bounds for the normal statistic Z + drift."""
    monitor, sides = asked.monitor, 2 if asked.alternative == "two-sided" else 1
    shares = tuple((k + 1) / asked.looks for k in range(asked.looks))
    scales, units = np.broadcast_to(at.scale, n_c.shape).tolist(), zip(n_c.tolist(), n_t.tolist(), strict=True)
    if isinstance(monitor, GroupSequential):
        yield from (_scaled(_on_schedule(monitor, sides), scale) for scale in scales)
    elif isinstance(monitor, Bayesian):
        z = _tails.critical(monitor.total / 2, math.inf)
        flat = Looks(
            shares,
            (z,) * len(shares),
            (-z if sides == 2 else -math.inf,) * len(shares),
            (-math.inf,) * len(shares),
            sides,
        )
        yield from (_scaled(flat, scale) for scale in scales)
    elif isinstance(monitor, AnytimeValid) and at.counts is not None:
        control, treatment, null, relative = at.counts
        for pair, c, t, edge in zip(units, control.tolist(), treatment.tolist(), null.tolist(), strict=True):
            upper, lower = bounds_of_counts(asked, monitor, shares, pair, Counts(c, t, edge, relative))
            yield Looks(shares, upper, lower, (-math.inf,) * len(shares), sides)
    elif isinstance(monitor, AnytimeValid):
        for scale, pair in zip(scales, units, strict=True):
            yield _scaled(_at_any_time(monitor, shares, *pair, sides), scale)


def _each(
    asked: Question,
    at: Statistic,
    n_control: Float64Array,
    n_treatment: Float64Array,
    of: Callable[[Stopping, _Bounds], Float64Array],
) -> Float64Array:
    """What stopping gives for each element; those with the same looks share a recursion."""
    shape = np.broadcast_shapes(np.shape(at.drift), n_control.shape)
    n_c, n_t, drift, scale = (
        np.broadcast_to(part, shape).ravel() for part in (n_control, n_treatment, at.drift, at.scale)
    )
    known = np.isfinite(drift) & np.isfinite(n_c) & np.isfinite(n_t)
    counts = None
    if at.counts is not None:
        counts = at.counts._replace(
            **{name: np.broadcast_to(getattr(at.counts, name), shape).ravel()[known] for name in Counts._fields[:3]}
        )
    there = Statistic(drift[known], scale[known], counts=counts)
    groups: dict[Looks, list[int]] = {}
    for i, looks in zip(np.flatnonzero(known), _looks(asked, there, n_c[known], n_t[known]), strict=True):
        groups.setdefault(looks, []).append(int(i))
    result = np.full(drift.size, np.nan)
    for looks, members in groups.items():
        regions = Regions(*looks)
        order = np.array(members)[np.argsort(drift[members], kind="stable")]
        for chosen in np.array_split(order, math.ceil(order.size / _CHUNK)):
            result[chosen] = of(regions.stopping(drift[chosen]), looks.shares)
    return result.reshape(shape)


def _scaled(looks: Looks, scale: float) -> Looks:
    if scale == 1:
        return looks
    upper, lower, futility = (tuple(scale * bound for bound in bounds) for bounds in looks[1:4])
    return looks._replace(upper=upper, lower=lower, futility=futility)


@lru_cache(maxsize=64)
def _on_schedule(monitor: GroupSequential, sides: int) -> Looks:
    """The bounds of a schedule, where that is kept."""
    design = monitor.design()
    upper = design.critical_values
    lower = tuple(-c for c in upper) if sides == 2 else (-math.inf,) * len(upper)
    given = design.futility or (None,) * len(upper)
    # at the last look there is nothing left to give up
    futility = (*(-math.inf if bound is None else bound for bound in given[:-1]), -math.inf)
    return Looks(monitor.planned, upper, lower, futility, sides)


def _at_any_time(monitor: AnytimeValid, shares: _Bounds, n_control: float, n_treatment: float, sides: int) -> Looks:
    """The bounds of the normal mixture, which move with the units; none during the burn-in."""
    x = np.array(shares) * monitor.at(n_control + n_treatment)
    of = _mixture.multiplier if monitor.sides == 2 else _mixture.multiplier_greater
    waiting = np.array(shares) * min(n_control, n_treatment) * (1 + 1e-12) < FEWEST_UNITS
    upper = np.where(waiting, np.inf, of(x, monitor.alpha))
    lower = -upper if sides == 2 else np.full(upper.size, -np.inf)
    return Looks(shares, tuple(upper.tolist()), tuple(lower.tolist()), (-math.inf,) * len(shares), sides)
