"""The difference of two Student's posteriors, many pairs at once: sums over an even grid.

Both densities are analytic and fall far before the grid ends. So sums over it are integrals, and Stenger's indefinite
sinc integration gives the distribution function at the nodes from the density there, both with an error that falls
exponentially with the number of nodes: a probability is a quadratic form with one fixed matrix. Tails have no digits
below 1e-15 of the whole, so these and unlike widths are left to `_uneven`, and heavy tails to others.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import sici, stdtr

from abkit._check import Float64Array
from abkit.bayes._closed import Looks
from abkit.bayes._uneven import uneven_looks, uneven_losses
from abkit.posterior._normal import Student

BoolArray = npt.NDArray[np.bool_]
#: The logarithm of how far the densities fall before the grid ends.
_NATS = 37.0
#: In units of s w / sqrt(s^2 + w^2), with the scales of the narrower and of the wider.
_STEP = 0.68
_SIZES = (40, 48, 56, 64, 80, 96)
#: Nodes at once: so few that products of matrices stay on one core, and in its cache.
_BLOCK = 2500
#: A probability below this has fewer than ten digits here.
_SMALLEST = 1e-5
_FEWEST_DF = 25.0
#: So improbable a sign is not looked at.
_NEGLIGIBLE = 1e-17


def student_difference(control: Student, treatment: Student, x: Float64Array) -> tuple[Looks, BoolArray]:
    """Lower tail, upper tail and density of the difference at x, shape (pairs,); and where they have no ten digits."""
    found = _on_grids(control, treatment, x, _looks, 4)[:3]
    kept = (np.minimum(found[0], found[1]) > _SMALLEST) & (np.abs(found[0] + found[1] - 1) < 1e-11)
    lost = _others(control, treatment, x, found, kept, uneven_looks)
    return (found[0], found[1], found[2]), lost


def student_share(control: Student, treatment: Student, x: Float64Array) -> tuple[Looks, BoolArray]:
    """The same of the difference over the size of the control, where that is of one sign for sure.

    Then the effect is above x where the treatment is above the control times a number.
    """
    times = 1 + x * np.where(control.location < 0, -1.0, 1.0)
    usable = (times > 0) & (stdtr(control.df, -np.abs(control.location) / control.scale) < _NEGLIGIBLE)
    times = np.where(usable, times, 1.0)
    control = Student(control.location * times, control.scale * times, control.df)
    found = _on_grids(control, treatment, np.zeros(x.shape), _looks, 4)
    # the density is the mean of the size of the control, in both
    density = np.abs(control.location * found[2] + found[3]) / times
    kept = usable & (np.minimum(found[0], found[1]) > _SMALLEST) & (np.abs(found[0] + found[1] - 1) < 1e-11)
    return (found[0], found[1], density), ~kept


def student_losses(control: Student, treatment: Student) -> tuple[Float64Array, BoolArray]:
    """The means of max(T - C, 0) and of max(C - T, 0), as rows; and where they have no ten digits."""
    found = _on_grids(control, treatment, np.zeros(control.shape), _losses, 2)
    apart = np.abs(treatment.location - control.location)
    gap = np.where(treatment.location > control.location, found[0] - found[1], found[1] - found[0])
    scale = np.hypot(control.scale, treatment.scale)
    kept = (found.min(axis=0) > _SMALLEST * scale) & (np.abs(gap - apart) < 1e-11 * (scale + apart))
    return found, _others(control, treatment, 0.0 * scale, found, kept, uneven_losses)


def _others(
    control: Student, treatment: Student, x: Float64Array, found: Float64Array, kept: BoolArray, uneven: Any
) -> BoolArray:
    """Fill in what was not kept by sums over the narrower one's nodes; and say where that cannot be either."""
    rows = np.flatnonzero(~kept)
    c, t = (p.take(lambda a: a[rows]) for p in (control, treatment))
    found[:, rows] = uneven(c, t, t.location - c.location - x[rows])
    return np.asarray(np.isnan(found).any(axis=0))


def _on_grids(control: Student, treatment: Student, x: Float64Array, of: Any, rows: int) -> Float64Array:
    """A function of both densities on the grid of each pair; nan where that would be too large."""
    found = np.full((rows, x.size), np.nan)
    with np.errstate(all="ignore"):
        gap = treatment.location - control.location - x
        params = np.stack([control.df, control.scale, control.log_peak(), treatment.df, treatment.scale])
        params = np.vstack([params, treatment.log_peak(), gap])
        ends = np.stack([_far(control), _far(treatment)])
        low, high = np.minimum(-ends[0], gap - ends[1]), np.maximum(ends[0], gap + ends[1])
        needed = (high - low) / (_STEP * control.scale * (treatment.scale / np.hypot(control.scale, treatment.scale)))
        for fewest, size in zip((0, *_SIZES), _SIZES, strict=False):
            chosen = np.flatnonzero((needed > fewest) & (needed <= size))
            for part in np.array_split(chosen, max(1, chosen.size * size // _BLOCK)):
                width = (high[part, None] - low[part, None]) / (size - 1)
                f, g = _densities(params[:, part, None], low[part, None] + width * np.arange(size))
                found[:, part] = of(f * width, g * width, width[:, 0], low[part])
    return found


def _far(p: Student) -> Float64Array:
    far = p.scale * np.sqrt(p.df * np.expm1(2 * _NATS / (p.df + 1)))
    return np.where(p.df > _FEWEST_DF, far, np.inf)


def _densities(params: Float64Array, y: Float64Array) -> tuple[Float64Array, Float64Array]:
    df_c, scale_c, peak_c, df_t, scale_t, peak_t, gap = params
    f = np.exp(peak_c - (df_c + 1) / 2 * np.log1p((y / scale_c) ** 2 / df_c))
    return f, np.exp(peak_t - (df_t + 1) / 2 * np.log1p(((y - gap) / scale_t) ** 2 / df_t))


def _looks(f: Float64Array, g: Float64Array, width: Float64Array, low: Float64Array) -> Float64Array:
    """Below, above, the density of the difference at none, and that times the distance from the control's centre."""
    below, above = _summed(f, _matrix(f.shape[1]), g), _summed(f, _matrix(f.shape[1]).T, g)
    both = f * g
    density = both.sum(axis=-1) / width
    return np.stack([below, above, density, low * density + both @ np.arange(f.shape[1])])


def _losses(f: Float64Array, g: Float64Array, width: Float64Array, _: Float64Array) -> Float64Array:
    k = np.arange(f.shape[1])
    apart = (k[:, None] - k) * _matrix(len(k))
    return np.stack([_summed(f, apart.T, g), _summed(f, apart, g)]) * width


def _summed(f: Float64Array, matrix: Float64Array, g: Float64Array) -> Float64Array:
    return np.asarray(((f @ matrix) * g).sum(axis=-1))


def summed_tail(f: Float64Array, g: Float64Array) -> Float64Array:
    """The integral of one density times the tail of the other above, from both times the width of the grid."""
    return _summed(f, _matrix(f.shape[1]).T, g)


@cache
def _matrix(size: int) -> Float64Array:
    """Indefinite sinc integration: the share of a node's density that lies below another node."""
    k = np.arange(size)
    return np.asarray(0.5 + sici(np.pi * (k[:, None] - k))[0] / np.pi)
