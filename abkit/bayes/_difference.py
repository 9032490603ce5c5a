"""The posterior of an effect of treatment against control, from the independent posteriors of the two.

P(T > g(C)) is the integral of the control's density times the treatment's survival function at g; everything that is
asked of an effect is such an integral. Panels lie where that product is, wherever in the tails, and the
smaller side is what is integrated, so that probabilities keep their digits down to 1e-300.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.special import digamma, expit, polygamma

from abkit._check import Float64Array
from abkit.bayes._law import Law
from abkit.posterior._beta import Beta
from abkit.posterior._gamma import Gamma
from abkit.posterior._normal import Normal
from abkit.posterior._quadrature import laid, nodes, panels_upto

#: How far into the tails of either posterior the integrals look, in standard deviations.
_REACH = 38.0
_ROOTS = np.linspace(-_REACH, _REACH, 41)
#: What is below the largest product by a factor of exp(-50) adds nothing.
_NATS = 50.0
_BLOCK = 1000


@dataclass(frozen=True, eq=False)
class PairLaw(Law):
    """The distribution of the effect of two independent posteriors of one family.

    Parameters
    ----------
    control, treatment : Posterior, shape (pairs,)
        Those of the control and of the treatment.
    scale : {"difference", "log odds", "log ratio", "relative"}
        What the effect is. "relative" is T - C over |C|, for values of any sign.
    """

    control: Any
    treatment: Any
    scale: str

    @property
    def support(self) -> tuple[float, float]:
        """The smallest and the largest effect that there can be."""
        return (-1.0, 1.0) if self.scale == "difference" and isinstance(self.control, Beta) else (-np.inf, np.inf)

    @cached_property
    def mean(self) -> Float64Array:
        """Posterior mean."""
        return np.asarray(_moments(self.treatment, self.scale)[0] - _moments(self.control, self.scale)[0])

    @cached_property
    def sd(self) -> Float64Array:
        """Posterior standard deviation."""
        return np.asarray(np.sqrt(_moments(self.treatment, self.scale)[1] + _moments(self.control, self.scale)[1]))

    @property
    def start(self) -> tuple[Float64Array, Float64Array]:
        """A centre and a spread, both finite."""
        c, t = self.control, self.treatment
        if not hasattr(c, "location"):
            return self.mean, self.sd
        spreads = [p.sd if isinstance(p, Normal) else p.scale for p in (c, t)]
        apart, spread = t.location - c.location, np.hypot(*spreads)
        if self.scale == "difference":
            return apart, spread
        size = np.maximum(np.abs(c.location), spreads[0])
        return apart / size, spread / size

    def rows(self, chosen: Any) -> PairLaw:
        """The law of some of the pairs."""
        control, treatment = (p.take(lambda a: a[chosen]) for p in (self.control, self.treatment))
        return PairLaw(control, treatment, self.scale)

    def look(self, x: Any) -> tuple[Float64Array, Float64Array, Float64Array]:
        """P(effect <= x), P(effect > x), each with all its digits, and the density at x."""
        x = np.broadcast_to(np.asarray(x, dtype=np.float64), self.control.shape)
        found = [
            _integrals(self.rows(slice(start, start + _BLOCK)), x[start : start + _BLOCK])
            for start in range(0, len(x), _BLOCK)
        ]
        return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))  # type: ignore[return-value]


def _integrals(law: PairLaw, x: Float64Array) -> tuple[Float64Array, Float64Array, Float64Array]:
    c, t = (p.take(lambda a: np.asarray(a, dtype=np.float64)[:, None]) for p in (law.control, law.treatment))
    x = x[:, None]
    with np.errstate(all="ignore"):
        edges, upper = _panels(c, t, law.scale, x)
        y, weight = nodes(edges)
        at, rate = _threshold(t, y, law.scale, x)
        density = np.exp(c.log_peak() - c.deviance(y)) * weight
        side = np.where(upper, t.above(at), t.below(at))
        small = np.minimum((density * side).sum(axis=-1), 1.0)
        inner = np.where(np.isfinite(at), np.exp(t.log_peak() - t.deviance(at)) * rate, 0.0)
        slope = np.nansum(density * inner, axis=-1)
    upper = upper[:, 0]
    return np.where(upper, 1 - small, small), np.where(upper, small, 1 - small), slope


def _panels(c: Any, t: Any, scale: str, x: Float64Array) -> tuple[Float64Array, Any]:
    """Ends of panels where the product of the control's density and the treatment's tail is; and which tail."""
    marks_c, marks_t = c.reached(_ROOTS), t.reached(_ROOTS)
    back = _preimages(t, marks_t, scale, x)
    points = np.clip(np.concatenate([marks_c, *back], axis=-1), marks_c[:, :1], marks_c[:, -1:])
    points.sort(axis=-1)
    at, _ = _threshold(t, points, scale, x)
    inside = np.clip(at, marks_t[:, :1], marks_t[:, -1:])
    dev_c, dev_t = c.deviance(points), t.deviance(inside)
    above = t.side(inside) > 0
    up, down = -dev_c - np.where(above, dev_t, 0.0), -dev_c - np.where(above, 0.0, dev_t)
    upper = up.max(axis=-1, keepdims=True) < down.max(axis=-1, keepdims=True)
    product = np.where(upper, up, down)
    kept = product > product.max(axis=-1, keepdims=True) - _NATS
    last = points.shape[1] - 1
    first = np.maximum(kept.argmax(axis=-1) - 1, 0)[:, None]
    final = np.minimum(last - kept[:, ::-1].argmax(axis=-1) + 1, last)[:, None]
    points = np.clip(points, np.take_along_axis(points, first, -1), np.take_along_axis(points, final, -1))
    at, _ = _threshold(t, points, scale, x)
    needed_t = np.abs(np.diff(panels_upto(t, at, marks_t), axis=-1)).cumsum(axis=-1)
    needed_t = np.concatenate([np.zeros((len(points), 1)), needed_t], axis=-1)
    return laid(points, np.stack([panels_upto(c, points, marks_c), needed_t])), upper


def _threshold(t: Any, y: Float64Array, scale: str, x: Float64Array) -> tuple[Float64Array, Float64Array]:
    """What the treatment must exceed on its scale for an effect above x of a control at y; how fast that grows with x.

    The share of failures is computed beside that of successes, so that neither loses digits near 0.
    """
    if scale == "log odds" or (scale == "log ratio" and isinstance(t, Gamma)):
        return y + x, np.ones_like(y)
    if isinstance(t, Beta):
        p, q = expit(y), expit(-y)
        if scale == "difference":
            p, q, pace = p + x, q - x, np.ones_like(y)
        else:
            p, q = p * np.exp(x), q - p * np.expm1(x)
            pace = p
        p, q = np.maximum(p, 0.0), np.maximum(q, 0.0)
        return np.log(p) - np.log(q), pace / (p * q)
    if isinstance(t, Gamma):
        value = np.maximum(np.exp(y) + x, 0.0)
        return np.log(value), 1 / value
    return (y + x, np.ones_like(y)) if scale == "difference" else (y + x * np.abs(y), np.abs(y))


def _preimages(t: Any, marks: Float64Array, scale: str, x: Float64Array) -> list[Float64Array]:
    """Where the control lies when the treatment must exceed one of the marks."""
    if scale != "relative":
        return [_threshold(t, marks, scale, -x)[0]]
    up, down = marks / (1 + x), marks / (1 - x)
    return [np.where(up > 0, up, 0.0), np.where(down < 0, down, 0.0)]


def _moments(p: Any, scale: str) -> tuple[Any, Any]:
    """Mean and variance of a variant's part of the effect."""
    if scale == "log odds":
        return digamma(p.a) - digamma(p.b), polygamma(1, p.a) + polygamma(1, p.b)
    if scale == "log ratio" and isinstance(p, Beta):
        return digamma(p.a) - digamma(p.a + p.b), polygamma(1, p.a) - polygamma(1, p.a + p.b)
    if scale == "log ratio":
        return digamma(p.k) - np.log(p.rate), polygamma(1, p.k)
    return p.mean, variance(p)


def variance(p: Any) -> Any:
    """Posterior variance of a variant's own value."""
    if isinstance(p, Beta):
        n = p.a + p.b
        return p.a / n * (p.b / n) / (n + 1)
    if isinstance(p, Gamma):
        return p.k / p.rate**2
    if hasattr(p, "sd"):
        return p.sd**2
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(p.df > 2, p.scale**2 * p.df / (p.df - 2), np.inf)
