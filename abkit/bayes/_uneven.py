"""The difference of two Student's posteriors, of which the wider may have a heavy tail: sums over the narrower's nodes.

The narrower one's density is analytic and falls fast, so that a sum over an even grid as wide as it is the integral of
its product with whatever is smooth on its scale, such as a tail or a loss of the wider one. All terms are positive: far
out in the tail the sum keeps its digits, for as long as the grid holds what counts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import stdtr

from abkit._check import Float64Array
from abkit.posterior._normal import Student

#: In units of the narrower scale times the wider over the root of the sum of their squares.
_STEP = 0.6
#: The logarithm of how far the narrower density falls before the grid ends, ...
_NATS = 64.0
#: ... where there must be less than this share of the sum.
_LEFT_OUT = 1e-12
_FEWEST_DF = 25.0
_SIZES = (48, 64, 96, 128)
_BLOCK = 60_000


def uneven_looks(control: Student, treatment: Student, gap: Float64Array) -> Float64Array:
    """P(T - C < x), P(T - C > x) and the density there, as rows; `gap` is T's location less C's and x."""
    small, density = _summed(control, treatment, gap, _tails, 2)
    return np.stack([np.where(gap > 0, small, 1 - small), np.where(gap > 0, 1 - small, small), density])


def uneven_losses(control: Student, treatment: Student, gap: Float64Array) -> Float64Array:
    """The means of max(T - C - x, 0) and of max(x - T + C, 0), as rows."""
    small = _summed(control, treatment, gap, _loss, 1)[0]
    return np.stack([small + np.maximum(gap, 0.0), small + np.maximum(-gap, 0.0)])


def _summed(control: Student, treatment: Student, gap: Float64Array, of: Any, rows: int) -> Float64Array:
    """Of each pair; nan where the narrower has a heavy tail, too many nodes are needed, or the grid ends too early."""
    found = np.full((rows, gap.size), np.nan)
    first = control.scale < treatment.scale
    narrow, wide = (
        Student(np.zeros(gap.shape), np.where(chosen, c, t), np.where(chosen, control.df, treatment.df))
        for chosen, c, t in ((first, control.scale, treatment.scale), (~first, control.scale, treatment.scale))
    )
    with np.errstate(all="ignore"):
        far = narrow.scale * np.sqrt(narrow.df * np.expm1(2 * _NATS / (narrow.df + 1)))
        step = _STEP * narrow.scale * (wide.scale / np.hypot(narrow.scale, wide.scale))
        step = np.minimum(step, 2 * np.pi / 37 * np.sqrt(wide.df) * wide.scale)  # the wider one's poles
        needed = np.where(narrow.df > _FEWEST_DF, 2 * far / step, np.inf)
        for fewest, size in zip((0, *_SIZES), _SIZES, strict=False):
            chosen = np.flatnonzero((needed > fewest) & (needed <= size))
            for part in np.array_split(chosen, max(1, chosen.size * size // _BLOCK)):
                nodes = far[part, None] * np.linspace(-1, 1, size)
                own, other = (p.take(lambda a, part=part: a[part, None]) for p in (narrow, wide))
                weight = np.exp(own.log_peak() - own.deviance(nodes)) * (2 * far[part, None] / (size - 1))
                found[:, part] = _checked(weight * of(other, np.abs(gap[part, None]) + nodes))
    return found


def _checked(terms: Float64Array) -> Float64Array:
    total = terms.sum(axis=-1)
    return np.where((terms[..., 0] + terms[..., -1] < _LEFT_OUT * total).all(axis=0), total, np.nan)


def _tails(wide: Student, y: Float64Array) -> Float64Array:
    return np.stack([stdtr(wide.df, -y / wide.scale), np.exp(wide.log_peak() - wide.deviance(y))])


def _loss(wide: Student, y: Float64Array) -> Float64Array:
    """E max(V - z, 0) of Student's V is (df + z^2) / (df - 1) f(z) - z P(V > z)."""
    df, z = wide.df, y / wide.scale
    spread = (df + z * z) / (df - 1) * np.exp(wide.log_peak() - wide.deviance(y)) * wide.scale**2
    return np.asarray((np.where(df > 1, spread, np.nan) - y * stdtr(df, -z))[None])
