"""Procedures that need nothing but p-values: each returns adjusted p-values and levels, in the order given.

A hypothesis is rejected exactly when its p-value is below its level, and when its adjusted p-value is below alpha.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.special import digamma

from abkit._check import Float64Array

Procedure = Callable[[Float64Array, float], tuple[Float64Array, Float64Array]]
IntArray = npt.NDArray[np.intp]


def bonferroni(pvalues: Float64Array, alpha: float) -> tuple[Float64Array, Float64Array]:
    """Each of m at alpha / m (Dunn 1961, JASA 56(293), sec. 2)."""
    m = pvalues.size
    return np.minimum(pvalues * m, 1.0), np.full(m, alpha / max(m, 1))


def sidak(pvalues: Float64Array, alpha: float) -> tuple[Float64Array, Float64Array]:
    """Each of m at 1 - (1 - alpha)^(1/m) (Sidak 1967, JASA 62(318), corollary 1)."""
    m = pvalues.size
    with np.errstate(divide="ignore"):  # a p-value of 1 stays 1
        return -np.expm1(m * np.log1p(-pvalues)), np.full(m, -np.expm1(np.log1p(-alpha) / max(m, 1)))


def holm(pvalues: Float64Array, alpha: float) -> tuple[Float64Array, Float64Array]:
    """The i-th smallest at alpha / (m - i + 1), up to the first that is kept (Holm 1979, Scand. J. Stat. 6(2), sec. 3).

    Those after it have its level. Equal p-values are ranked in the order given.
    """
    order, ranked = _ranked(pvalues)
    divisors = np.arange(pvalues.size, 0, -1, dtype=np.float64)
    scaled = divisors * ranked
    kept = ranked >= alpha / divisors
    n_rejected = int(kept.argmax()) if kept.any() else pvalues.size
    levels = np.full(pvalues.size, alpha / max(pvalues.size - n_rejected, 1))
    levels[order[:n_rejected]] = alpha / divisors[:n_rejected]
    np.maximum.accumulate(scaled, out=scaled)
    return _unranked(np.minimum(scaled, 1.0, out=scaled), order), levels


def hochberg(pvalues: Float64Array, alpha: float) -> tuple[Float64Array, Float64Array]:
    """Holm's levels from the largest p-value down (Hochberg 1988, Biometrika 75(4), sec. 2)."""
    return _step_up(pvalues, alpha, np.arange(pvalues.size, 0, -1, dtype=np.float64))


def benjamini_hochberg(pvalues: Float64Array, alpha: float) -> tuple[Float64Array, Float64Array]:
    """The i-th smallest at i alpha / m, from the largest down (Benjamini and Hochberg 1995, JRSS B 57(1), eq. 1)."""
    return _step_up(pvalues, alpha, pvalues.size / np.arange(1, pvalues.size + 1))


def benjamini_yekutieli(pvalues: Float64Array, alpha: float) -> tuple[Float64Array, Float64Array]:
    """The same with m (1 + 1/2 + ... + 1/m) for m (Benjamini and Yekutieli 2001, Ann. Stat. 29(4), theorem 1.3)."""
    m = pvalues.size
    harmonic = float(digamma(m + 1) + np.euler_gamma)
    return _step_up(pvalues, alpha, m * harmonic / np.arange(1, m + 1))


def hommel(pvalues: Float64Array, alpha: float) -> tuple[Float64Array, Float64Array]:
    """The closed test of Simes (Hommel 1988, Biometrika 75(2)), in the time of a sort.

    S_j, Simes' p-value of the j largest, falls as j grows. p is rejected at alpha exactly when j p < alpha for some
    j with S_(j+1) < alpha, so its adjusted value is the least max(j p, S_(j+1)): j p rises and S falls, and they
    cross once (after Meijer, Krebs and Goeman 2019, Biometrical Journal 61(1), sec. 3).
    """
    m = pvalues.size
    if not m:
        return pvalues, pvalues
    order, ranked = _ranked(pvalues)
    simes = _simes_of_largest(ranked)
    size = np.arange(1, m + 1, dtype=np.float64)
    falling = np.append(simes[1:], 0.0) / size
    crossing = np.searchsorted(-falling, -ranked[::-1])[::-1]
    adjusted = np.minimum(size[crossing] * ranked, simes[crossing])
    level = alpha / max(int(np.count_nonzero(simes >= alpha)), 1)
    return _unranked(adjusted, order), np.full(m, level)


def _simes_of_largest(ranked: Float64Array) -> Float64Array:
    """Simes' p-value of the j largest of ranked p-values, j = 1, ..., m.

    It is j times the least slope from (m - j, 0) to the points (i, p_i) with i > m - j. A line of that slope has every
    point above it, so that it touches the lower convex hull of all points.
    """
    m = ranked.size
    places = _lower_hull(ranked)
    x, y = places + 1.0, ranked[places]
    rises = np.diff(y) / np.diff(x)
    # where the line through an edge of the hull meets the axis: from there on the next corner is touched
    with np.errstate(divide="ignore", invalid="ignore"):
        meets = np.where(rises > 0, x[:-1] - y[:-1] / rises, -np.inf)
    size = np.arange(1, m + 1, dtype=np.float64)
    touched = np.searchsorted(meets, m - size, side="right")
    return np.minimum.accumulate(size * (y[touched] / (x[touched] - (m - size))))


def _lower_hull(heights: Float64Array) -> IntArray:
    """Positions of the corners of the lower convex hull of points at equal distances."""
    places = np.arange(heights.size)
    while places.size > 2:  # a point above the chord of its neighbours is no corner, whatever else is dropped
        x, y = places.astype(np.float64), heights[places]
        above = (y[1:-1] - y[:-2]) * (x[2:] - x[1:-1]) >= (y[2:] - y[1:-1]) * (x[1:-1] - x[:-2])
        dropped = int(np.count_nonzero(above))
        if not dropped:
            return places
        places = places[np.concatenate(([True], ~above, [True]))]
        if dropped < 0.05 * above.size:
            return _scanned_hull(places, heights)
    return places


def _scanned_hull(places: IntArray, heights: Float64Array) -> IntArray:
    """One scan with a stack, where dropping all at once would take too many rounds."""
    xs: list[int] = []
    ys: list[float] = []
    for x, y in zip(places.tolist(), heights[places].tolist(), strict=True):
        while len(xs) > 1 and (ys[-1] - ys[-2]) * (x - xs[-1]) >= (y - ys[-1]) * (xs[-1] - xs[-2]):
            xs.pop()
            ys.pop()
        xs.append(x)
        ys.append(y)
    return np.array(xs, dtype=np.intp)


def _step_up(pvalues: Float64Array, alpha: float, factors: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Reject up to the largest p-value with factor x p < alpha; its level is that of all."""
    if not pvalues.size:
        return pvalues, pvalues
    order, ranked = _ranked(pvalues)
    scaled = np.multiply(factors, ranked, out=ranked)
    rejected = np.flatnonzero(scaled < alpha)
    level = alpha / factors[rejected[-1] if rejected.size else 0]
    from_largest = scaled[::-1]
    np.minimum.accumulate(from_largest, out=from_largest)
    return _unranked(np.minimum(scaled, 1.0, out=scaled), order), np.full(pvalues.size, level)


def _ranked(pvalues: Float64Array) -> tuple[IntArray, Float64Array]:
    """The stable order of p-values, and the p-values in it.

    Numbers sort faster than places: the leading bits of a p-value, with its place in the bits below, are one number.
    """
    bits = max(pvalues.size - 1, 1).bit_length()
    if pvalues.size < 1000 or bits > 32:
        order = np.argsort(pvalues, kind="stable")
        return order, pvalues[order]
    places = np.uint64(2**bits - 1)
    keys = (pvalues + 0.0).view(np.uint64)  # a zero has no sign
    keys &= ~places
    keys |= np.arange(pvalues.size, dtype=np.uint64)
    keys.sort()
    order = (keys & places).view(np.int64)
    ranked = pvalues[order]
    if np.any(ranked[1:] < ranked[:-1]):  # differences in the bits that the places took
        keys >>= np.uint64(bits)
        alike = keys[1:] == keys[:-1]
        where = np.flatnonzero(np.append(alike, False) | np.append(False, alike))
        among = order[where]
        order[where] = among[np.argsort(pvalues[among], kind="stable")]
        ranked = pvalues[order]
    return order, ranked


def _unranked(values: Float64Array, order: IntArray) -> Float64Array:
    result = np.empty_like(values)
    result[order] = values
    return result


PROCEDURES: dict[str, Procedure] = {
    "bonferroni": bonferroni,
    "holm": holm,
    "hochberg": hochberg,
    "hommel": hommel,
    "sidak": sidak,
    "bh": benjamini_hochberg,
    "by": benjamini_yekutieli,
}
