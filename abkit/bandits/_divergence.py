"""Kullback-Leibler divergence of two distributions of one family, by their means, and its upper inverse."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.bandits._policy import check_bounds

FAMILIES = ("bernoulli", "gaussian", "poisson", "exponential")
_SMALL = 1e-100
#: Nearer to 0 than this, x - ln(1 + x) is taken by its series.
_NEAR = 0.1
#: The most that is allowed of an exponential divergence: a mean of any size, times exp of this, is finite.
_FURTHEST = 300.0
#: For as few arms, plain floats are faster than arrays.
_FEW = 24


def kl(family: str, p: Any, q: Any, sd: float = 1.0) -> Float64Array:
    """The divergence of mean `q` from mean `p`, at least 0, accurate also where the two are nearly one.

    Every one is a sum of multiples of x - ln(1 + x), which has no cancellation left once this is taken by its series.
    """
    p, q = np.asarray(p, dtype=np.float64), np.asarray(q, dtype=np.float64)
    if family == "gaussian":
        with np.errstate(over="ignore"):
            return np.asarray(((q - p) / sd) ** 2 / 2)
    measure = _DIVERGENCES[family]
    if p.ndim == 1 and q.ndim == 0 and p.size <= _FEW:
        mean = float(q)
        return np.array([measure(other, mean, _FLOATS) for other in p.tolist()])
    with np.errstate(divide="ignore"):
        return np.asarray(measure(p, q, _ARRAYS))


def kl_upper(family: str, p: Float64Array, d: Float64Array, sd: float = 1.0) -> Float64Array:
    """The largest q with kl(p, q) <= d, for d of 0 or more, to the last digits."""
    if family == "gaussian":
        return np.asarray(p + sd * np.sqrt(2 * d))
    d = np.maximum(d, 1e-30)
    if family == "bernoulli":
        return _solved(_upper_bernoulli, np.minimum(np.maximum(p, _SMALL), 1 - 2.0**-53), d)
    if family == "poisson":
        return _solved(_upper_poisson, np.maximum(p, _SMALL), d)
    return _solved(_upper_exponential, p, np.minimum(d, _FURTHEST))


def check_family_reward(family: str, bounds: tuple[float, float], reward: Float64Array) -> None:
    """Refuse rewards that the family cannot give."""
    if family == "bernoulli":
        check_bounds(bounds, reward)
    elif family == "poisson" and not reward.min() >= 0:
        raise ValueError(f"`reward` must be at least 0 in the family poisson; got {reward.min():g}.")
    elif family == "exponential" and not reward.min() > 0:
        raise ValueError(f"`reward` must be above 0 in the family exponential; got {reward.min():g}.")


def checked_family(family: object) -> str:
    """One of the families."""
    return _check.choice("family", family, FAMILIES)


def _excess(x: Any, ratio: Any) -> Any:
    """The value of x - ln(1 + x), where 1 + x is `ratio`; which near 0 is x^2/2."""
    return np.where(np.abs(x) < _NEAR, _series(x), x - np.log(ratio))


def _excess_float(x: float, ratio: float) -> float:
    if abs(x) < _NEAR:
        return float(_series(x))
    return x - math.log(ratio) if ratio > 0 else math.inf


def _series(x: Any) -> Any:
    s = x / (2 + x)
    squared = s * s
    tail: Any = 1 / 13
    for term in (1 / 11, 1 / 9, 1 / 7, 1 / 5, 1 / 3):
        tail = tail * squared + term
    return s * x - 2 * s * squared * tail


def _kl_bernoulli(p: Any, q: Any, xp: Any) -> Any:
    gap, some, rest = q - p, xp.maximum(p, _SMALL), xp.maximum(1 - p, _SMALL)
    return some * xp.excess(gap / some, q / some) + rest * xp.excess(-gap / rest, (1 - q) / rest)


def _kl_poisson(p: Any, q: Any, xp: Any) -> Any:
    some = xp.maximum(p, _SMALL)
    return some * xp.excess((q - p) / some, q / some)


def _kl_exponential(p: Any, q: Any, xp: Any) -> Any:
    some = xp.maximum(q, _SMALL)
    return xp.excess((p - q) / some, p / some)


def _solved(solve: Callable[[Any, Any, Any], Any], p: Float64Array, d: Float64Array) -> Float64Array:
    if p.size > _FEW:
        return np.asarray(solve(p, d, _ARRAYS))
    places = zip(p.reshape(-1).tolist(), d.reshape(-1).tolist(), strict=True)
    return np.array([solve(mean, most, _FLOATS) for mean, most in places]).reshape(p.shape)


# The starts below have the first two terms of the root's series near 0 and its slope far away.


def _upper_bernoulli(p: Any, d: Any, xp: Any) -> Any:
    """Two of Halley's steps in v = ln((1 - p)/(1 - q)): quadratic near 0, a straight line far away, nothing between."""
    expm1, log1p = xp.expm1, xp.log1p
    rest = 1 - p
    far, half = d / rest, p * rest / 2
    near = xp.sqrt(2 * far * p)
    v = far + near / (1 + near * (1 + p) / (6 * p))
    for _ in range(2):
        less = expm1(-v)
        gap = less * rest
        over = v * rest - p * log1p(-gap / p) - d
        v = v + over * gap * (p - gap) / (gap * gap - half * over * (1 + less))
    return p - rest * expm1(-v)


def _upper_poisson(p: Any, d: Any, xp: Any) -> Any:
    """Two of Halley's steps in x = (q - p)/p."""
    most = xp.maximum(d / p, 1e-30)
    near = xp.sqrt(2 * most)
    x = most + near / (1 + near / 6)
    for _ in range(2):
        over = x - xp.log1p(x) - most
        x = x - over * x * (1 + x) / (x * x - over / 2)
    return p + p * x


def _upper_exponential(p: Any, d: Any, xp: Any) -> Any:
    """Two of Halley's steps in w = ln(q/p), which is between d and d + 1."""
    near = xp.sqrt(2 * d)
    w = d + near * (12 + 3 * near) / (12 + 7 * near + 6 * d)
    for _ in range(2):
        less = xp.expm1(-w)
        over = w - d + less
        w = w + over * less / (less * less - over * (1 + less) / 2)
    return p * xp.exp(w)


_ARRAYS = SimpleNamespace(
    sqrt=np.sqrt,
    exp=np.exp,
    expm1=np.expm1,
    log1p=np.log1p,
    maximum=np.maximum,
    excess=_excess,
)
_FLOATS = SimpleNamespace(
    sqrt=math.sqrt,
    exp=math.exp,
    expm1=math.expm1,
    log1p=math.log1p,
    maximum=max,
    excess=_excess_float,
)
_DIVERGENCES: dict[str, Callable[[Any, Any, Any], Any]] = {
    "bernoulli": _kl_bernoulli,
    "poisson": _kl_poisson,
    "exponential": _kl_exponential,
}
