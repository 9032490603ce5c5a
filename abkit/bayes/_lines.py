"""Two betas or gammas, many pairs at once: the effect's distribution by sums over an even grid of a bent line.

P(T > C + x) is the integral of the control's density times the treatment's tail over the values that both can have.
A logit (of shares) or a logarithm (of rates) takes these to the whole line, where both densities fall exponentially and
are analytic, so that sums are integrals and Stenger's indefinite sinc integration gives the tail, as in `_sinc`. The
sum over every second node says how good that over all is: its error is the root of the other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import expit

from abkit._check import Float64Array
from abkit.bayes._closed import Looks
from abkit.bayes._sinc import BoolArray, summed_tail
from abkit.posterior._beta import Beta

#: How far the line goes where a density ends abruptly, and in deviates of the densities.
_FURTHEST, _REACH = 40.0, 8.7
_STEP, _EVEN = 0.62, 8.0
_SIZES = (32, 40, 48, 56, 64, 80, 96, 128, 192, 256, 384)
_BLOCK = 20_000
#: A probability below this has fewer than ten digits here.
_SMALLEST = 1e-5
#: The most that the sum over every second node may be off, as a share.
_HALF_AS_GOOD = 3e-6
#: Ever closer nodes, until that is so.
_FINER = (1.0, 0.75, 0.55, 0.4, 0.28)


def on_lines(control: Any, treatment: Any, scale: str, x: Float64Array) -> tuple[Looks, BoolArray]:
    """Lower tail, upper tail and density of the effect at x, shape (pairs,); and where they have no ten digits.

    For effects below zero the variants change places, so that the smaller one's values are those that end.
    """
    turned = x < 0
    small, large = _swapped(control, treatment, turned), _swapped(treatment, control, turned)
    upper, lower, density, gap = np.full((4, x.size), np.nan)
    with np.errstate(all="ignore"):
        x = np.abs(x)
        lines = _lines(small, large, scale, x)
        low, high, step = lines[2:]
        left = np.ones(x.shape, dtype=bool)
        for fine in _FINER:
            needed = np.where(left, (high - low) / (fine * step) + 1, np.nan)
            for fewest, size in zip((0, *_SIZES), _SIZES, strict=False):
                chosen = np.flatnonzero((needed > fewest) & (needed <= size))
                for rows in np.array_split(chosen, 1 + chosen.size * size // _BLOCK) if chosen.size else ():
                    one, other = (p.take(lambda a, rows=rows: a[rows, None]) for p in (small, large))
                    seen = _looked(one, other, scale, x[rows, None], lines[:, rows], size)
                    upper[rows], density[rows], gap[rows] = seen
            left &= ~(gap < _HALF_AS_GOOD)
        lower = 1 - upper
        left |= ~(np.minimum(upper, lower) > _SMALLEST)
    return (np.where(turned, upper, lower), np.where(turned, lower, upper), density), left


def _swapped(one: Any, other: Any, turned: BoolArray) -> Any:
    first = iter([np.where(turned, b, a) for a, b in zip(_parameters(one), _parameters(other), strict=True)])
    return one.take(lambda _: next(first))


def _parameters(p: Any) -> tuple[Any, Any]:
    return (p.a, p.b) if isinstance(p, Beta) else (p.k, p.rate)


def _looked(small: Any, large: Any, scale: str, x: Float64Array, lines: Float64Array, size: int) -> Any:
    """P(large > small + x), the density there, and how far the sums over every second node are from them."""
    middle, unit, low, high, _ = lines[..., None]
    step = (high - low) / (size - 1)
    v = low + step * np.arange(size)
    s, step = middle + unit * np.sinh(v), step * unit * np.cosh(v)
    y_small, y_large, pace_small, pace_large, slope = _bent(small, s, scale, x)
    f = np.exp(small.log_peak() - small.deviance(y_small)) * pace_small
    g = np.exp(large.log_peak() - large.deviance(y_large)) * pace_large
    f, g = np.where(np.isfinite(f), f, 0.0), np.where(np.isfinite(g), g, 0.0)
    across = f * np.where(g > 0, g * slope, 0.0) * step
    f, g = f * step, g * step
    upper, density = summed_tail(f, g), across.sum(axis=-1)
    half = summed_tail(2 * f[:, ::2], 2 * g[:, ::2])
    # errors of the two are out of phase, so that one shows where the other happens to be none
    gap = np.abs(half - upper) / np.minimum(upper, 1 - upper) + np.abs(2 * across[:, ::2].sum(axis=-1) / density - 1)
    return upper, density, gap


def _bent(p: Any, s: Float64Array, scale: str, x: Float64Array) -> tuple[Any, Any, Any, Any, Any]:
    """Where a point of the line is on both scales; how fast that moves along it; and dx of the larger over its pace."""
    if not isinstance(p, Beta):  # the difference of two rates
        own = np.exp(s)
        value = own + x
        pace = own / value
        return s, np.log(value), 1.0, pace, 1 / own
    up, down = expit(s), expit(-s)
    if scale == "difference":
        width = 1 - x
        share, rest = width * up, width * down
        other, left = share + x, rest + x  # of the larger and the failures of the smaller
        change = width * up * down
        y = np.log(share) - np.log(left), np.log(other) - np.log(rest)
        return *y, change / (share * left), change / (other * rest), 1 / change
    share, down_small = np.exp(-x) * up, -np.expm1(-x) + np.exp(-x) * down
    return np.log(share) - np.log(down_small), s, down / down_small, 1.0, 1 / down


def _lines(small: Any, large: Any, scale: str, x: Float64Array) -> Float64Array:
    """Middle and unit of each line, both ends of v and its step: a point is the middle and sinh(v) units.

    Near the middle, where the narrower density is, that is even; further out it is as wide as the other, or the tail
    before an abrupt end, allows.
    """
    ends, middles, widths = [], [], []
    for p, side in ((small, 1.0), (large, -1.0)):  # the one's values end above, the other's below
        marks = np.stack([_unbent(p, p.reached(np.full(x.shape, root)), side < 0, scale, x) for root in _MARKS])
        marks = side * np.minimum(np.nan_to_num(side * marks, nan=_FURTHEST, posinf=_FURTHEST), _FURTHEST)
        within = (np.abs(marks[1:3]) < _FURTHEST).all(axis=0)
        ends.append((marks[0], marks[-1]))
        middles.append(np.where(within, (marks[2] + marks[1]) / 2, 0.0))
        widths.append(np.where(within, (marks[2] - marks[1]) / 2, 1.0))
    low, high = np.minimum(ends[0][0], ends[1][0]), np.maximum(ends[0][1], ends[1][1])
    middle = np.where(widths[0] < widths[1], *middles)
    unit = _EVEN * np.minimum(*widths)
    step = np.minimum(_STEP * widths[0] * widths[1] / np.hypot(*widths), _widest(small)) / unit
    return np.stack([middle, unit, np.arcsinh((low - middle) / unit), np.arcsinh((high - middle) / unit), step])


def _widest(p: Any) -> float:
    return 0.5 if isinstance(p, Beta) else 0.25


_MARKS = (-_REACH, -1.0, 1.0, _REACH)


def _unbent(p: Any, y: Float64Array, is_large: bool, scale: str, x: Float64Array) -> Float64Array:
    """The point of the line at which a variant has this value; nan or infinite where there is none."""
    if not isinstance(p, Beta):
        return np.log(np.exp(y) - x) if is_large else y
    up, down = expit(y), expit(-y)
    if scale == "difference":
        return np.log(up - x) - np.log(down) if is_large else np.log(up) - np.log(down - x)
    return y if is_large else np.log(up) - np.log(down + np.expm1(-x))
