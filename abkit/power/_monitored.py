"""The power of looks under a monitor, and the units that they need on average."""

from __future__ import annotations

from typing import Any

import numpy as np

from abkit._check import Float64Array
from abkit.power._question import Question
from abkit.power._statistic import Statistic


def monitored_power(asked: Question, at: Statistic, units: Float64Array) -> Float64Array:
    """The chance of ever rejecting; `units` are those of all variants at the last look."""
    return _each(asked, at, units, lambda design, effect: _rejected(asked, design.stopping(effect)))


def expected_units(asked: Question, at: Statistic, units: Float64Array) -> Float64Array:
    """Units of all variants when it stops, on average."""
    return _each(asked, at, units, lambda design, effect: design.expected_information(effect))


def _rejected(asked: Question, stopping: Any) -> float:
    return float(stopping.up.sum() + (stopping.down.sum() if asked.alternative == "two-sided" else 0.0))


def _each(asked: Question, at: Statistic, units: Float64Array, of: Any) -> Float64Array:
    result = [
        of(design_of(asked, n), drift / np.sqrt(n))
        for n, drift in zip(units.flat, np.broadcast_to(at.drift, units.shape).flat, strict=True)
    ]
    return np.array(result, dtype=np.float64).reshape(units.shape)


def design_of(asked: Question, units: float) -> Any:
    """The bounds of the looks up to these units."""
    monitor: Any = asked.monitor
    planned = getattr(monitor, "planned", None)
    if planned is not None:
        return monitor.design()
    return monitor.design([units * (k + 1) / asked.looks for k in range(asked.looks)])
