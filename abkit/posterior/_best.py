"""Which of several is largest, and what it costs to be wrong."""

from __future__ import annotations

from typing import Any

import numpy as np

from abkit._check import Float64Array
from abkit.posterior._quadrature import REACH, ROOTS, Grid, blocks, grid, laid, nodes, others, panels_upto

_FAR_LOSS = 16.0


def probability_best(posterior: Any, reach: float = REACH) -> Float64Array:
    """The probability of each arm to have the largest value: the integral of its density times the others' functions.

    `reach` is how many standard deviations, or what is as unlikely, are looked at: 9 for an error below 1e-12, or 12
    of Student's with fewer than 2 degrees of freedom, 38 for the digits of probabilities down to 1e-300.
    """

    def best(g: Grid) -> Float64Array:
        return np.asarray(np.einsum("krn,rn->kr", g.density * others(g.below), g.weight))

    found = _over_runs(posterior, best, reach)
    return np.asarray(found / found.sum(axis=0))


def expected_loss(posterior: Any) -> Float64Array:
    """How much lower than the largest value each arm's is, on average, were it chosen."""
    flat = _flat(posterior)
    found = np.empty(flat.shape)
    for rows, block in blocks(flat):
        found[:, rows] = _losses(grid(block, _FAR_LOSS, whole=True), block)
    without_mean = np.isnan(posterior.mean).any(axis=0)
    return np.where(without_mean, np.inf, found.reshape(posterior.shape))


def _losses(g: Grid, block: Any) -> Float64Array:
    """The integral of the arm's distribution function, where not all the others are below."""
    with np.errstate(divide="ignore"):
        log_below = np.log1p(-g.above)
    weight = g.weight * block.slope(g.y)
    some_above = [-np.expm1(np.delete(log_below, k, axis=0).sum(axis=0)) for k in range(len(log_below))]
    return np.asarray(np.einsum("krn,krn,rn->kr", g.below, np.stack(some_above), weight))


def probability_within(posterior: Any, arm: int, margin: float, *, relative: bool = False) -> float:
    """P(V <= margin), where V is by how much the largest value exceeds that of one arm; or by which share of it.

    The posterior has the shape (arms,).
    """
    block = posterior.take(lambda array: np.asarray(array, dtype=np.float64).reshape(-1, 1, 1))
    if block.shape[0] == 1:
        return 1.0
    rest = block.take(lambda array: np.delete(array, arm, axis=0))
    chosen = block.take(lambda array: array[arm : arm + 1])
    factor, more = (1 + margin, 0.0) if relative else (1.0, margin)
    marks, other_marks = chosen.reached(REACH * ROOTS), rest.reached(REACH * ROOTS)
    with np.errstate(divide="ignore"):
        moved = _moved(block, other_marks, 1 / factor, -more / factor).ravel()
        points = np.sort(np.clip(np.concatenate([marks.ravel(), moved]), marks.min(), marks.max()))[None]
        of_others = panels_upto(rest, _moved(block, points, factor, more), other_marks)
        needed = np.concatenate([panels_upto(chosen, points, marks), of_others])
        y, weight = nodes(laid(points, needed))
        below = rest.below(_moved(block, y, factor, more)).prod(axis=0)
    density = np.exp(chosen.log_peak() - chosen.deviance(y))[0]
    return float(min(np.sum(density * below * weight) / np.sum(density * weight), 1.0))


def value_remaining(posterior: Any, arm: int, level: float = 0.95, *, relative: bool = False) -> float:
    """The quantile of V: what another arm may still give more, but for a probability of 1 - level."""
    from scipy.optimize import brentq

    def lack(margin: float) -> float:
        return probability_within(posterior, arm, margin, relative=relative) - level

    if lack(0.0) >= 0:
        return 0.0
    high = 0.01 if relative else float(np.max(posterior.isf(0.1) - posterior.ppf(0.1)))
    while lack(high) < 0:
        high *= 4
    return float(brentq(lack, 0.0, high, xtol=1e-13 * high, rtol=1e-13))


def _moved(posterior: Any, y: Float64Array, factor: float, more: float) -> Float64Array:
    """Where a value, multiplied and moved, lies on the scale of the quadrature."""
    low, high = posterior.support
    return np.asarray(posterior.scale_of(np.clip(posterior.value_of(y) * factor + more, low, high)))


def _over_runs(posterior: Any, of: Any, reach: float) -> Float64Array:
    flat = _flat(posterior)
    found = np.empty(flat.shape)
    for rows, block in blocks(flat):
        found[:, rows] = of(grid(block, reach))
    return found.reshape(posterior.shape)


def _flat(posterior: Any) -> Any:
    """The same with one axis of runs."""
    arms = posterior.shape[0]
    return posterior.take(lambda array: np.ascontiguousarray(np.broadcast_to(array, posterior.shape)).reshape(arms, -1))
