"""Panels that no peak falls between, and integrals of products of distribution functions over them.

Gauss-Legendre with 16 nodes a panel. Panels are laid where densities are: along the signed root of each arm's deviance,
which is nearly a normal deviate whatever the family, a panel is at most 1.5 wide, and narrower in the tails. An arm's
distribution function at the nodes comes from integrating its density, not from incomplete beta functions, which cost
twenty times as much; what all its panels add up to must be 1, and that is checked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from abkit._check import Float64Array
from abkit.posterior._posterior import Posterior

ORDER = 16
#: Where a density on its scale is below exp(-81/2) of its peak there are no panels.
REACH = 9.0
#: Where on the way to the reach each density is looked at before panels are laid.
ROOTS = np.linspace(-1, 1, 9) * np.abs(np.linspace(-1, 1, 9)) ** 0.3
_STRAIGHT = 4.0
_PANEL = 1.5
_BLOCK = 400_000


def _rules() -> tuple[Float64Array, Float64Array, Float64Array]:
    """Nodes and weights on 0 to 1, and the integrals up to each node, of values at the nodes."""
    x, w = np.polynomial.legendre.leggauss(ORDER)
    degrees = np.arange(ORDER)
    values = np.polynomial.legendre.legvander(x, ORDER)
    # Legendre coefficients of a function, from its values; then the integral of each polynomial from -1
    coefficients = values[:, :ORDER].T * w * (2 * degrees + 1)[:, None] / 2
    upto = np.empty((ORDER, ORDER))
    upto[:, 0] = x + 1
    for k in range(1, ORDER):
        upto[:, k] = (values[:, k + 1] - values[:, k - 1]) / (2 * k + 1)
    return (x + 1) / 2, w / 2, upto @ coefficients / 2


NODES, WEIGHTS, UPTO = _rules()


@dataclass(frozen=True, slots=True)
class Grid:
    """Nodes for some runs, and every arm's density and distribution function there.

    `y` and `weight` have the shape (runs, nodes), `density`, `below` and `above` (arms, runs, nodes); the weights are
    on the scale of the posterior.
    """

    y: Float64Array
    weight: Float64Array
    density: Float64Array
    below: Float64Array
    above: Float64Array


def blocks(posterior: Any) -> Iterator[tuple[slice, Any]]:
    """The runs of a posterior of shape (arms, runs), as many at once as memory should hold."""
    arms, runs = posterior.shape
    size = max(1, _BLOCK // (arms * 20 * ORDER))
    for start in range(0, runs, size):
        rows = slice(start, min(start + size, runs))
        yield rows, posterior.take(lambda array, rows=rows: array[:, rows, None])


def grid(posterior: Posterior, reach: float = REACH, *, whole: bool = False) -> Grid:
    """The grid of a posterior of shape (arms, runs, 1).

    It begins where the last of the arms' densities begins, below which none is the largest; with `whole`, the first.
    """
    fine = 1.0
    while True:
        made = _grid(posterior, _edges(posterior, reach, fine, whole=whole))
        lost = np.abs(made.below[..., -1] + made.above[..., -1] - 1).max()
        if lost < 1e-12 or fine > 8:
            return made
        fine *= 2


def _edges(posterior: Posterior, reach: float, fine: float, *, whole: bool) -> Float64Array:
    """Ends of panels, (runs, panels + 1), so that within a panel no arm's density changes much."""
    marks = posterior.reached(reach * _roots(posterior, reach))
    first = marks[..., 0]
    low, high = first.min(axis=0) if whole else first.max(axis=0), marks[..., -1].max(axis=0)
    points = np.sort(np.clip(np.concatenate(list(marks), axis=-1), low[:, None], high[:, None]), axis=-1)
    return laid(points, panels_upto(posterior, points, marks), fine)


def _roots(posterior: Posterior, reach: float) -> Float64Array:
    """`ROOTS`, and of heavy tails one in every root of e, since panels between two marks are even."""
    heavy = posterior.grading(posterior.reached(reach * ROOTS[[0, -1]]))
    further = np.sqrt(np.linspace(0, 1, int(np.ptp(heavy, axis=-1).max() / 2)))
    return ROOTS if further.size < len(ROOTS) else np.unique(np.concatenate([-further, ROOTS, further]))


def panels_upto(posterior: Posterior, y: Float64Array, marks: Float64Array) -> Float64Array:
    """How many panels an arm needs below y, but for a constant; `marks` are those of its `reached`."""
    y = np.clip(y, marks[..., :1], marks[..., -1:])
    return panels_within(posterior, y, posterior.deviance(y))


def panels_within(posterior: Posterior, y: Float64Array, deviance: Float64Array) -> Float64Array:
    """The same for a y within the marks, where the deviance is known."""
    root = np.sqrt(2 * deviance)
    tail = np.maximum(root - _STRAIGHT, 0.0)
    needed = np.minimum(root, _STRAIGHT) / _PANEL + tail * (root + _STRAIGHT) / (2 * _PANEL * _STRAIGHT)
    return np.asarray(posterior.side(y) * needed + posterior.grading(y))


def laid(points: Float64Array, needed: Float64Array, fine: float = 1.0) -> Float64Array:
    """Ends of as many panels as the most demanding arm needs between each two points."""
    runs, count = points.shape
    steps = np.diff(needed, axis=-1).max(axis=0)
    total = np.zeros((runs, count))
    # a gap between two arms where neither has a density still has one panel
    np.cumsum(np.maximum(steps, 0.0) + 1e-3 * (np.diff(points, axis=-1) > 0), axis=-1, out=total[:, 1:])
    panels = int(np.ceil(fine * total[:, -1].max())) + 1
    total *= panels / np.maximum(total[:, -1:], 1e-300)
    shift = (panels + 1.0) * np.arange(runs)[:, None]
    wanted = shift + np.arange(panels + 1)
    edges = np.interp(wanted.ravel(), (total + shift).ravel(), points.ravel()).reshape(runs, panels + 1)
    edges[:, 0], edges[:, -1] = points[:, 0], points[:, -1]
    return np.asarray(np.maximum.accumulate(edges, axis=-1))


def nodes(edges: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Nodes and weights, (runs, panels * ORDER)."""
    width = np.diff(edges, axis=-1)[..., None]
    shape = (len(edges), -1)
    return (edges[:, :-1, None] + width * NODES).reshape(shape), (width * WEIGHTS).reshape(shape)


def _grid(posterior: Posterior, edges: Float64Array) -> Grid:
    y, weight = nodes(edges)
    density = np.exp(posterior.log_peak() - posterior.deviance(y))
    width = np.diff(edges, axis=-1)[..., None]
    parts = density.reshape(*density.shape[:-1], -1, ORDER)
    inside, whole = parts @ UPTO.T * width, parts @ WEIGHTS * width[..., 0]
    starts, ends = posterior.below(edges[:, :1]), posterior.above(edges[:, -1:])
    before = np.concatenate([starts, whole], axis=-1).cumsum(axis=-1)
    after = np.concatenate([ends, whole[..., ::-1]], axis=-1).cumsum(axis=-1)[..., ::-1]
    below = before[..., :-1, None] + inside
    above = after[..., 1:, None] + (whole[..., None] - inside)
    return Grid(
        y, weight, density, np.clip(below.reshape(density.shape), 0, 1), np.clip(above.reshape(density.shape), 0, 1)
    )


def others(below: Float64Array) -> Float64Array:
    """The product over all arms but this one, for each."""
    product = np.ones_like(below)
    for k in range(1, len(below)):
        product[k] = product[k - 1] * below[k - 1]
    after = np.ones_like(below[0])
    for k in range(len(below) - 2, -1, -1):
        after = after * below[k + 1]
        product[k] *= after
    return product
