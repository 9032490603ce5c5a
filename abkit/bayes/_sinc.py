"""The difference of two Student's posteriors of about the same width, many pairs at once: sums over an even grid.

Both densities are analytic and fall far before the grid ends. So sums over it are integrals, and Stenger's indefinite
sinc integration gives the distribution function at the nodes from the density there, both with an error that falls
exponentially with the number of nodes: a probability is a quadratic form with one fixed matrix. Tails have no digits
below 1e-15 of the whole, so these are left to others, and so are heavy tails.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
from scipy.special import sici

from abkit._check import Float64Array
from abkit.bayes._closed import Looks
from abkit.posterior._normal import Student

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


def student_difference(control: Student, treatment: Student, x: Float64Array) -> tuple[Looks, npt.NDArray[np.bool_]]:
    """Lower tail, upper tail and density of the difference at x, shape (pairs,); and where they have no ten digits."""
    found = np.full((3, x.size), np.nan)
    with np.errstate(all="ignore"):
        gap = treatment.location - control.location - x
        params = np.stack([control.df, control.scale, control.log_peak(), treatment.df, treatment.scale])
        params = np.vstack([params, treatment.log_peak(), gap])
        ends = np.stack([_far(control), _far(treatment)])
        low, high = np.minimum(-ends[0], gap - ends[1]), np.maximum(ends[0], gap + ends[1])
        needed = (high - low) / (_STEP * control.scale * (treatment.scale / np.hypot(control.scale, treatment.scale)))
        for fewest, size in zip((0, *_SIZES), _SIZES, strict=False):
            rows = np.flatnonzero((needed > fewest) & (needed <= size))
            for part in np.array_split(rows, max(1, rows.size * size // _BLOCK)):
                found[:, part] = _sums(params[:, part, None], low[part, None], high[part, None], size)
        kept = (np.minimum(found[0], found[1]) > _SMALLEST) & (np.abs(found[0] + found[1] - 1) < 1e-11)
    return (found[0], found[1], found[2]), ~kept


def _far(p: Student) -> Float64Array:
    far = p.scale * np.sqrt(p.df * np.expm1(2 * _NATS / (p.df + 1)))
    return np.where(p.df > _FEWEST_DF, far, np.inf)


def _sums(params: Float64Array, low: Float64Array, high: Float64Array, size: int) -> Float64Array:
    df_c, scale_c, peak_c, df_t, scale_t, peak_t, gap = params
    width = (high - low) / (size - 1)
    y = low + width * np.arange(size)
    f = width * np.exp(peak_c - (df_c + 1) / 2 * np.log1p((y / scale_c) ** 2 / df_c))
    g = width * np.exp(peak_t - (df_t + 1) / 2 * np.log1p(((y - gap) / scale_t) ** 2 / df_t))
    upto = _matrix(size)
    below, above = ((f @ upto) * g).sum(axis=-1), ((f @ upto.T) * g).sum(axis=-1)
    return np.stack([below, above, (f * g).sum(axis=-1) / width[:, 0]])


@cache
def _matrix(size: int) -> Float64Array:
    """Indefinite sinc integration: the share of a node's density that lies below another node."""
    k = np.arange(size)
    return np.asarray(0.5 + sici(np.pi * (k[:, None] - k))[0] / np.pi)
