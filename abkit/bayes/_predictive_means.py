"""The planned end of means and of normal estimates: where they will lie, given the data so far."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import betainc, betaincinv, logsumexp, ndtr, ndtri

from abkit._check import Float64Array
from abkit.bayes._difference import PairLaw
from abkit.bayes._models import normal_estimates, on_scale
from abkit.posterior._normal import Normal, Student

if TYPE_CHECKING:
    from abkit.bayes._comparison import Comparison

_STEP, _REACH = 0.4, 8.4
_DEVIATES = np.arange(-_REACH, _REACH + _STEP / 2, _STEP)
_WEIGHTS = _STEP * np.exp(-(_DEVIATES**2) / 2) / np.sqrt(2 * np.pi)
_ORDER = 33


def of_normals(control: Normal, treatment: Normal, units: Any, more: Any, z: float) -> Float64Array:
    """P(T - C > z standard deviations at the end); `units` are the variances of one unit, of either variant."""
    now = np.stack([control.sd**2, treatment.sd**2])
    end = now * units / (units + more * now)
    moves = (now * more * end / units).sum(axis=0)
    away = treatment.location - control.location - z * np.sqrt(end.sum(axis=0))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(moves > 0, ndtr(away / np.sqrt(moves)), away > 0))


def of_means(control: Student, treatment: Student, weights: Any, more: Any, level: float) -> float:
    """The same of one pair whose variances are unknown: an integral over what the variances and the means may become.

    `weights` are the units that the means are worth now. Of the spread S at the end the share of today's is a beta,
    and what the mean moves is, given S, a share of the square root of its growth.
    """
    arms = [_End(p, float(w), float(m)) for p, w, m in zip((control, treatment), weights, more, strict=True)]
    c, t = arms
    scale_c, scale_t = c.scale[:, None], t.scale[None, :]
    needed = np.hypot(scale_c, scale_t) * _quantile(c.df, t.df, np.log(scale_t / scale_c), level)
    beyond = needed - float(treatment.location - control.location)
    # the one that moves less does so by nodes; what is left to the other is its tail
    narrow, wide, over = (c, t, beyond) if np.median(c.moves) < np.median(t.moves) else (t, c, beyond.T)
    total = 0.0
    for share, weight in zip(narrow.shares, narrow.share_weights, strict=True):
        tail = wide.tail(over - share * narrow.moves[:, None])
        total += weight * float(narrow.weights @ tail @ wide.weights)
    return min(total, 1.0)


class _End:
    """A mean's posterior at the end: by nodes of its spread, its scale and how far its location moves at most."""

    def __init__(self, now: Student, weight: float, more: float) -> None:
        self.more, self.df = more, float(now.df) + more
        spread = float(now.scale) ** 2 * float(now.df) * weight
        if more:
            kept = betaincinv(float(now.df) / 2, more / 2, ndtr(_DEVIATES))
            lost = betaincinv(more / 2, float(now.df) / 2, ndtr(-_DEVIATES))
            self.weights = _WEIGHTS
        else:
            kept, lost, self.weights = np.ones(1), np.zeros(1), np.ones(1)
        self.scale = np.sqrt(spread / kept / self.df / (weight + more))
        self.moves = np.sqrt(spread * lost / kept * more / weight / (weight + more))
        self.shares, self.share_weights = self._shares()

    def _shares(self) -> tuple[Float64Array, Float64Array]:
        if self.more < 2:
            return (np.array([-1.0, 1.0]), np.array([0.5, 0.5])) if self.more else (np.zeros(1), np.ones(1))
        inside = 2 * ndtr(np.abs(_DEVIATES)) - 1
        return np.sign(_DEVIATES) * np.sqrt(betaincinv(0.5, (self.more - 1) / 2, inside)), _WEIGHTS

    def tail(self, distance: Float64Array) -> Float64Array:
        """P(move > distance), by the nodes of the spread along the last axis."""
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(self.moves > 0, distance / self.moves, np.sign(distance) * np.inf)
        far = np.minimum(np.abs(share), 1.0)
        if self.more < 2:
            half = np.where(far < 1, 0.5, 0.0) if self.more else np.zeros_like(far)
        else:
            half = betainc((self.more - 1) / 2, 0.5, (1 - far) * (1 + far)) / 2
        return np.asarray(np.where(share < 0, 1 - half, half))


def _quantile(df_c: float, df_t: float, log_ratio: Float64Array, level: float) -> Float64Array:
    """The quantile of the difference of two Student's, by their scales' ratio, in units of their hypotenuse."""
    low, high = float(log_ratio.min()), float(log_ratio.max())
    x = np.cos(np.pi * (np.arange(_ORDER) + 0.5) / _ORDER) if high - low > 1e-9 else np.zeros(1)
    at = (low + high) / 2 + x * (high - low) / 2
    zero = np.zeros(at.shape)
    angle = np.arctan(np.exp(at))
    law = PairLaw(Student(zero, np.cos(angle), zero + df_c), Student(zero, np.sin(angle), zero + df_t), "difference")
    found = np.asarray(law.ppf(zero + level) if level < 0.5 else law.isf(zero + (1 - level)))
    if len(x) == 1:
        return np.full(log_ratio.shape, found[0])
    fitted = np.polynomial.chebyshev.Chebyshev.fit(x, found, _ORDER - 1, domain=[-1, 1])
    return np.asarray(fitted(np.clip(2 * (log_ratio - low) / (high - low) - 1, -1, 1)))


def of_effect(comparison: Comparison, more: Float64Array, null: float, level: float, side: float) -> Float64Array:
    """The same with a prior of the effect: the estimate at the end is a mixture of normals."""
    now: Any = comparison.law.posterior  # type: ignore[attr-defined]
    y, s = np.ravel(now.estimate)[:, None], np.ravel(now.stderr)[:, None]
    last = _stderr_at_end(comparison, more, s)
    left = (last / s) ** 2
    smallest = _smallest_estimate(comparison.prior_used, last[:, 0], null, level, side)[:, None]
    total = np.hypot(now.sds, s)
    joint = now.log_weights - 0.5 * ((y - now.means) / total) ** 2 - np.log(total)
    weights = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
    means, sds = now.means + (y - now.means) * (now.sds / total) ** 2, s * now.sds / total
    centre = left * y + (1 - left) * means
    spread = np.sqrt((1 - left) * ((1 - left) * sds**2 + last**2))
    with np.errstate(divide="ignore", invalid="ignore"):
        reached = np.where(spread > 0, ndtr(side * (centre - smallest) / spread), side * (centre - smallest) > 0)
    return np.asarray((weights * reached).sum(axis=1))


def _stderr_at_end(comparison: Comparison, more: Float64Array, now: Float64Array) -> Float64Array:
    field = "exposure" if hasattr(comparison.statistics[0], "exposure") else "n"
    sofar = np.stack([np.asarray(getattr(one, field), dtype=np.float64) for one in comparison.statistics])
    value, variance, lost = normal_estimates(comparison.statistics)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(sofar > 0, sofar / (sofar + more), 1.0)
    _, spread, _ = on_scale(type(comparison.statistics[0]), comparison.scale, value, variance * share, lost)
    ok = ~np.ravel(comparison.undefined)
    return np.where(ok, np.minimum(np.sqrt(np.where(ok, np.ravel(spread), 1.0)), now[:, 0]), 1.0)[:, None]


def _smallest_estimate(prior: Any, stderr: Float64Array, null: float, level: float, side: float) -> Float64Array:
    """The estimate from which on the posterior at the end is sure enough, towards `side`: by bisection."""
    goal = float(ndtri(level))

    def enough(at: Float64Array) -> Any:
        after = prior.posterior(at, stderr)
        above, below = (after.sf(null), after.cdf(null)) if side > 0 else (after.cdf(null), after.sf(null))
        return np.where(above < below, ndtri(above), -ndtri(below)) > goal

    reach = 10 * stderr
    for _ in range(60):
        short = ~enough(null + side * reach) | enough(null - side * reach)
        if not short.any():
            break
        reach = np.where(short, 2 * reach, reach)
    low, high = null - side * reach, null + side * reach
    for _ in range(80):
        middle = (low + high) / 2
        up = enough(middle)
        low, high = np.where(up, low, middle), np.where(up, middle, high)
    return np.asarray(high)
