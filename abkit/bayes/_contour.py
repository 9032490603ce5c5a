"""The difference of the log odds of two betas, by inversion of its moment generating function.

That function is a product of four gamma functions, Gamma(p + s) / Gamma(p) each, p being a count and s or -s. Along the
line Re s = c through the saddle point the integrand is nearly that of a normal, so that a dozen points of the
trapezoidal rule have all the digits, in the tails too; for counts of a few units it takes up to a hundred or two.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import gammaln, loggamma

from abkit._check import Float64Array
from abkit.bayes._closed import Looks
from abkit.posterior._series import less_log1p, stirling

#: exp(-37) is a rounding error.
_DIGITS = 37.0
#: From so large a count on, its part of the exponent is a power series.
_LARGE = 300.0
_ORDER = 24
#: From so large a count on, Stirling's formula has all its digits.
_STIRLING = 8.0
_SIGNS = np.array([1.0, 1.0, -1.0, -1.0])
_STRETCHES = np.array([1.0, 1.1, 1.25, 1.45, 1.7, 2.0, 2.5, 3.2, 4.2, 6.0, 9.0, 14.0, 25.0])
_MOST = 512
_BLOCK = 60_000


def log_odds(control: Any, treatment: Any, x: Float64Array) -> tuple[Looks, Any]:
    """P(difference <= x), P(difference > x) and the density, of betas of shape (pairs,); and where they are not found.

    Not where a count is so small, or x so far out, that too many points would be needed.
    """
    counts = np.stack([treatment.a, control.b, treatment.b, control.a]).astype(np.float64)
    lower = _slope(counts, 0.0)[0] > x
    counts, x = np.where(lower, counts[[2, 3, 0, 1]], counts), np.where(lower, -x, x)
    with np.errstate(all="ignore"):
        line, step, points = _line(counts, x)
        lost = ~(points <= _MOST)
        small, density = np.full(len(x), np.nan), np.full(len(x), np.nan)
        order = np.argsort(points, kind="stable")[: np.count_nonzero(~lost)]
        start = 0
        while start < order.size:
            size = max(1, int(_BLOCK / points[order[min(start + 2000, order.size - 1)]]))
            rows = order[start : start + size]
            number = int(points[rows[-1]])
            small[rows], density[rows] = _inverted(counts[:, rows], x[rows], line[rows], step[rows], number)
            start += size
    small = np.clip(small, 0.0, 1.0)
    return (np.where(lower, small, 1 - small), np.where(lower, 1 - small, small), density), lost


def _slope(counts: Float64Array, s: Any) -> tuple[Any, Any]:
    """The first two derivatives of the exponent, to a few per cent."""
    z = np.maximum(counts + _SIGNS[:, None] * s, 1e-300)
    first = np.log((z[0] + 0.5) / (z[2] + 0.5) * ((z[1] + 0.5) / (z[3] + 0.5))) - (_SIGNS[:, None] / z).sum(axis=0)
    return first, (1 / z**2 + 1 / (z + 0.5)).sum(axis=0)


def _line(counts: Float64Array, x: Float64Array) -> tuple[Float64Array, Float64Array, Float64Array]:
    """Where the line of integration crosses the real axis, the distance of points on it, and how many there are."""
    end = counts[2:].min(axis=0)
    first, second = _slope(counts, 0.0)
    s = np.clip((x - first) / second, 0.0, end / 2)
    for _ in range(4):
        first, second = _slope(counts, s)
        s = np.clip(s + (x - first) / second, s / 4, s + 0.7 * (end - s))
    second = _slope(counts, s)[1]
    line = np.maximum(s, np.minimum(1.3 / np.sqrt(second), end / 2))
    sd = np.sqrt(_slope(counts, line)[1])
    left = counts[:2].min(axis=0)
    # the rule adds up the tails at all multiples of 2 pi / step from x
    apart = np.sqrt((9 * sd) ** 2 + (_DIGITS / (end - line)) ** 2 + (_DIGITS / (left + line)) ** 2)
    z = counts + _SIGNS[:, None] * line
    length = np.full(len(x), np.inf)
    for stretch in _STRETCHES[::-1]:
        t = 8.6 * stretch / sd
        fall = (t * np.arctan(t / z) - (z - 0.5) / 2 * np.log1p((t / z) ** 2)).sum(axis=0)
        length = np.where(fall >= _DIGITS, t, length)
    step = 2 * np.pi / apart
    return line, step, np.ceil(length / step)


def _inverted(
    counts: Float64Array, x: Float64Array, line: Float64Array, step: Float64Array, number: int
) -> tuple[Float64Array, Float64Array]:
    """P(difference > x) and the density, by the trapezoidal rule."""
    z = counts + _SIGNS[:, None] * line
    t = step[:, None] * np.arange(number + 1)
    large = z >= np.maximum(_LARGE, 1.5 * t[:, -1])
    real, imaginary = _series(z, x, large, t)
    exponent = real + 1j * imaginary
    for k in range(4):
        few = ~large[k] & (z[k] < _STIRLING)
        for rows, of in ((np.flatnonzero(few), _direct), (np.flatnonzero(~large[k] & ~few), _stirling)):
            if rows.size:
                exponent[rows] += of(z[k, rows, None], _SIGNS[k] * t[rows])
    values = np.exp(exponent + _at_line(counts, x, line)[:, None])
    values[:, 0] /= 2
    density = step / np.pi * values.real.sum(axis=1)
    tail = step / np.pi * (values / (line[:, None] + 1j * t)).real.sum(axis=1)
    between = line * (2 * np.pi / step)
    return tail - np.where(between < 50, 1 / np.expm1(between), 0.0), density


def _direct(z: Float64Array, t: Float64Array) -> Any:
    """The logarithm of gamma(z + i t) / gamma(z)."""
    return loggamma(z + 1j * t) - gammaln(z)


def _stirling(z: Float64Array, t: Float64Array) -> Any:
    """The same by Stirling's formula, which is ten times as fast, without the difference of large logarithms."""
    angle, half = np.arctan(t / z), 0.5 * np.log1p((t / z) ** 2)
    real = (z - 0.5) * half - t * angle
    imaginary = (z - 0.5) * angle + t * (half + np.log(z) - 1)
    inverse = 1 / (z + 1j * t)
    square = inverse * inverse
    series = np.zeros_like(square)
    for term in (-3617 / 122400, 1 / 156, -691 / 360360, 1 / 1188, -1 / 1680, 1 / 1260, -1 / 360, 1 / 12):
        series = series * square + term
    return real + 1j * imaginary + (series * inverse - stirling(z))


def _series(z: Float64Array, x: Float64Array, large: Any, t: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Real and imaginary part of the exponent along the line, of the large counts, less its value on the axis."""
    inverse = np.where(large, 1 / z, 0.0)
    kept = np.where(large, z, 1.0)
    # the logarithm of a ratio, since the logarithms themselves have lost digits of their difference
    first = np.log(kept[0] / kept[2] * (kept[1] / kept[3])) - x
    first -= (_SIGNS[:, None] * (inverse / 2 + inverse**2 / 12 - inverse**4 / 120)).sum(axis=0)
    terms, power = [np.zeros_like(first), first], inverse
    for j in range(2, _ORDER + 1):
        part = power * (
            1 / (j * (j - 1)) + inverse / (2 * j) + inverse**2 / 12 - inverse**4 * ((j + 1) * (j + 2) / 720)
        )
        terms.append((-1) ** j * (part * (_SIGNS**j)[:, None]).sum(axis=0))
        power = power * inverse
    square = -t * t
    real, imaginary = np.zeros_like(t), np.zeros_like(t)
    for j in range(_ORDER, 1, -2):  # even powers of it are real
        real = (real + terms[j][:, None]) * square
        imaginary = imaginary * square + terms[j - 1][:, None]
    return real, imaginary * t


def _at_line(counts: Float64Array, x: Float64Array, line: Float64Array) -> Float64Array:
    """The exponent where the line crosses the real axis."""
    shift = _SIGNS[:, None] * line
    z, w = counts + shift, shift / counts
    large = counts >= _LARGE
    kept = np.where(large, z, 1.0)
    apart = np.log(kept[0] / kept[2] * (kept[1] / kept[3])) - x
    w = np.where(large, w, 0.0)
    own = -counts * less_log1p(w) - 0.5 * np.log1p(w) + stirling(z) - stirling(counts)
    return np.asarray(line * apart + np.where(large, own, gammaln(z) - gammaln(counts)).sum(axis=0))
