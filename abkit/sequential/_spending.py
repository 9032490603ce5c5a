"""Spending functions: how much of an error may have been spent by a share of the time.

All are logs, so that what is spent at an early look has its digits where the number itself would underflow.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
from scipy.special import log_ndtr, ndtri

from abkit import _check
from abkit._check import Float64Array

_Spending = Callable[[Float64Array, float, float], Float64Array]


def _obrien_fleming(time: Float64Array, alpha: float, _: float) -> Float64Array:
    return math.log(2) + log_ndtr(float(ndtri(alpha / 2)) / np.sqrt(time))


def _pocock(time: Float64Array, alpha: float, _: float) -> Float64Array:
    return math.log(alpha) + np.log(np.log1p((math.e - 1) * time))


def _kim_demets(time: Float64Array, alpha: float, gamma: float) -> Float64Array:
    return math.log(alpha) + gamma * np.log(time)


def _hwang_shih_decani(time: Float64Array, alpha: float, gamma: float) -> Float64Array:
    if gamma == 0:
        return math.log(alpha) + np.log(time)
    size = abs(gamma)
    share = np.log(-np.expm1(-size * time)) - math.log(-math.expm1(-size))
    return math.log(alpha) + min(gamma, 0.0) * (1 - time) + share


#: Log of what is spent up to `time` (a share, above 0), of an error `alpha` of one side, with a family's `shape`.
SPENDING: dict[str, _Spending] = {
    "ld-obrien-fleming": _obrien_fleming,
    "ld-pocock": _pocock,
    "kim-demets": _kim_demets,
    "hwang-shih-decani": _hwang_shih_decani,
}


def check_shape(name: str, boundary: object, shape: float | None) -> float:
    """The parameter of a spending function; refused where it has none, and demanded where it has one."""
    if boundary == "kim-demets":
        return _check.within(name, given(name, boundary, shape), 0, math.inf)
    if boundary == "hwang-shih-decani":
        return _check.number(name, given(name, boundary, shape))
    if shape is not None:
        raise ValueError(f"`{name}` must be left out: {boundary!r} has no parameter; got {_check.show(shape)}.")
    return 0.0


def log_spent(
    name: str, boundary: object, shape: float | None, error: tuple[float, float], time: Float64Array
) -> Float64Array:
    """Log of the error that one side has spent up to each look: by a named function, a callable of the time, or points.

    `error` is that of the side and that of all sides. A callable and points are of the latter, or shares of it if they
    end with 1.
    """
    alpha, total = error
    if isinstance(boundary, str):
        return SPENDING[_check.choice(name, boundary, SPENDING)](time, alpha, check_shape("shape", boundary, shape))
    check_shape("shape", "a boundary of one's own", shape)
    points = _points(name, [boundary(float(t)) for t in time] if callable(boundary) else boundary, time.size)
    whole = _check.number(name, boundary(1.0)) if callable(boundary) else float(points[-1])
    if not any(math.isclose(whole, end, rel_tol=1e-9) for end in (1.0, total)):
        raise ValueError(f"`{name}` must spend {total:g} in the end, or 1 as a share of it; got {whole:g}.")
    with np.errstate(divide="ignore"):
        return np.log(points / whole) + math.log(alpha)


def log_steps(spent: Float64Array) -> Float64Array:
    """Log of what is spent at each look, from logs of what is spent up to it."""
    steps = spent.copy()
    for k, (before, now) in enumerate(pairwise(spent), start=1):
        with np.errstate(divide="ignore"):
            steps[k] = now + np.log(-np.expm1(before - now)) if before < now else -math.inf
    return steps


def given(name: str, boundary: object, shape: float | None) -> float:
    """A parameter that the family must have."""
    if shape is None:
        raise ValueError(f"`{name}` must be given for {boundary!r}.")
    return shape


def _points(name: str, values: object, looks: int) -> Float64Array:
    points = _check.sample(name, values)
    if points.size != looks:
        raise ValueError(f"`{name}` must have one value per look ({looks}); got {points.size}.")
    if not (points[0] >= 0 and points[-1] > 0 and bool(np.all(np.diff(points) >= 0))):
        raise ValueError(
            f"`{name}` must not fall from look to look, nor start below 0; got {_check.show(points.tolist())}."
        )
    return points
