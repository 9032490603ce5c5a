"""The evidence of many pairs of counts against a null, as `TwoProportionsEffect` weighs it: vectors over the pairs."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from abkit._check import Float64Array
from abkit.sequential._dirichlet import jeffreys_at_best
from abkit.sequential._two_proportions import BOUNDING, NOWHERE, _Tilts, _tilts
from abkit.types import Alternative, Null, Relative

#: Pairs that are weighed at once, so that their terms stay near the processor.
_BLOCK = 256
_STEPS = 200
#: The minimum is known this well, of 1 or its size; a Newton step from there is far smaller.
_NEAR = 1e-12
_Triple = tuple[Float64Array, Float64Array, Float64Array]


def log_evidence(
    successes: npt.ArrayLike,
    n: npt.ArrayLike,
    null: Null,
    alternative: Alternative,
    *,
    share: float,
    tune_at: float,
    sides: int,
) -> Float64Array:
    """`TwoProportionsEffect(...).log_evalue(null, alternative)` of each row; `successes`, `n`: (pairs, 2) or one pair.

    Counts are right already: whole or expected numbers, at most as many as the units, of which there are some.
    """
    x, units = np.broadcast_arrays(np.asarray(successes, dtype=np.float64), np.asarray(n, dtype=np.float64))
    rates, relative = x / units, isinstance(null, Relative)
    gap = rates[:, 1] - (1 + null.value) * rates[:, 0] if isinstance(null, Relative) else np.diff(rates)[:, 0] - null
    result = np.zeros(len(x))
    asked = {"two-sided": gap == gap, "greater": gap > 0, "less": gap < 0}[alternative]  # noqa: PLR0124 - not nan
    line = _line(null)
    if isinstance(null, Relative) and null.value <= -1:
        impossible = asked & ((x[:, 1] > 0) | (null.value < -1))
        result[impossible], asked = math.inf, asked & ~impossible
    guess = rates.max(axis=1) if relative else (x.sum(axis=1) + 0.5) / (units.sum(axis=1) + 1)
    tilts, chosen = _tilts(share, tune_at, sides, alternative), np.flatnonzero(asked)
    for start in range(0, len(chosen), _BLOCK):
        part = chosen[start : start + _BLOCK]
        result[part] = _Evidence(x[part], units[part], line, tilts).least(guess[part])
    return result


def _line(null: Null) -> tuple[Float64Array, Float64Array, float]:
    """Where the pairs of a null start, where they go, and how far."""
    if not isinstance(null, Relative):
        return np.array([max(-null, 0.0), max(null, 0.0)]), np.ones(2), 1 - abs(null)
    ratio = max(1 + null.value, 0.0)
    return np.zeros(2), np.array([min(1 / ratio if ratio else 1.0, 1.0), min(ratio, 1.0)]), 1.0


class _Evidence:
    """Log E along a line, with its slope and curvature."""

    def __init__(
        self, x: Float64Array, n: Float64Array, line: tuple[Float64Array, Float64Array, float], tilts: _Tilts
    ) -> None:
        self.x, self.n, self.line = x, n, line
        self.factors, self.lean = np.expm1(tilts.log_odds), tilts.lean / 2
        self.start = tilts.log_weight + x @ tilts.log_odds
        self.bounding = math.log(BOUNDING) + jeffreys_at_best(np.stack([x, n - x], axis=-1)).sum(axis=-1)

    def of(self, rows: npt.NDArray[np.intp], places: Float64Array) -> _Triple:
        """At a place of each of these pairs."""
        base, speed, _ = self.line
        points = base + speed * places[:, None]
        x, n = self.x[rows], self.n[rows]
        value, slope, curve = self._bounding(rows, points)
        terms = self.start[rows] + self.lean * points.sum(axis=1)[:, None]
        slopes = np.full_like(terms, 1.0) * (self.lean * speed.sum())
        curves = np.zeros_like(terms)
        for v in range(x.shape[1]):
            moved = points[:, v, None] * self.factors[v]
            terms -= n[:, v, None] * np.log1p(moved)
            pull = speed[v] * self.factors[v] / (1 + moved)
            slopes -= n[:, v, None] * pull
            curves += n[:, v, None] * (pull * pull)
        possible = np.where(np.isfinite(value), value, -np.inf)
        top = np.maximum(terms.max(axis=1), possible)
        weight, rest = np.exp(terms - top[:, None]), np.exp(possible - top)
        whole = weight.sum(axis=1) + rest
        mean = (np.einsum("ij,ij->i", weight, slopes) + rest * slope) / whole
        slopes -= mean[:, None]
        curves += slopes * slopes
        spread = np.einsum("ij,ij->i", weight, curves) + rest * (curve + (slope - mean) ** 2)
        return np.where(np.isinf(value), np.inf, top + np.log(whole)), mean, spread / whole

    def _bounding(self, rows: npt.NDArray[np.intp], points: Float64Array) -> _Triple:
        """The term that bounds both proportions; infinite where the counts are impossible."""
        speed, x, y = self.line[1], self.x[rows], self.n[rows] - self.x[rows]
        impossible = np.any(((x > 0) & (points <= NOWHERE)) | ((y > 0) & (points >= 1)), axis=1)
        p, q = np.where(points > NOWHERE, points, 1.0), np.where(points < 1, 1 - points, 1.0)
        gap = x / self.n[rows] - points
        lost = x * np.log1p(np.where(x > 0, gap / p, 0.0)) + y * np.log1p(np.where(y > 0, -gap / q, 0.0))
        up, down = x / p, y / q
        slope, curve = np.sum((down - up) * speed, axis=1), np.sum((up / p + down / q) * speed * speed, axis=1)
        value = np.where(impossible, np.inf, self.bounding[rows] + lost.sum(axis=1))
        return value, np.where(impossible, 0.0, slope), np.where(impossible, 0.0, curve)

    def least(self, guess: Float64Array) -> Float64Array:
        """The least log E of each pair, by Newton's steps in a bracket; it falls along the line, then rises."""
        rows, (base, speed, end) = np.arange(len(self.x)), self.line
        result = np.full(len(rows), np.inf)
        for place, sign in ((0.0, 1), (end, -1)):
            points = np.broadcast_to(base + speed * place, (len(rows), 2))
            possible = np.flatnonzero(np.isfinite(self._bounding(rows, points)[0]))
            value, slope, _ = self.of(rows[possible], np.full(len(possible), place))
            there = possible[sign * slope >= 0]
            result[rows[there]] = value[sign * slope >= 0]
            rows = np.delete(rows, there)
        low, high = np.zeros(len(rows)), np.full(len(rows), end)
        here = np.where((guess[rows] > 0) & (guess[rows] < end), guess[rows], end / 2)
        for _ in range(_STEPS):
            value, slope, curve = self.of(rows, here)
            low, high = np.where(slope < 0, here, low), np.where(slope < 0, high, here)
            following = here - slope / np.where(curve > 0, curve, np.nan)
            inside = (low < following) & (following < high)
            following = np.where(inside, following, low + (high - low) / 2)
            size = np.minimum(np.maximum(1.0, np.abs(value)), 1e9)
            going = (np.abs(slope * (following - here)) > _NEAR * size) & (low < following) & (following < high)
            result[rows] = value
            rows, low, high, here = rows[going], low[going], high[going], following[going]
            if not len(rows):
                break
        return result
