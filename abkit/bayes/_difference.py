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
from abkit.bayes._closed import Looks, closed
from abkit.bayes._contour import log_odds
from abkit.bayes._law import ONE_SD, Law
from abkit.bayes._lines import on_lines
from abkit.bayes._normal_share import normal_share
from abkit.bayes._sinc import student_difference, student_share
from abkit.posterior._beta import Beta
from abkit.posterior._gamma import Gamma
from abkit.posterior._normal import Normal, Student
from abkit.posterior._quadrature import ORDER, UPTO, WEIGHTS, laid, nodes, panels_upto, panels_within

#: How far into the tails of either posterior the integrals look, in standard deviations.
_REACH = 38.0
_ROOTS = np.linspace(-_REACH, _REACH, 41)
#: What is below the largest product by a factor of exp(-50) adds nothing.
_NATS = 50.0
_BLOCK = 1000
#: Of so few observations a tail ends so abruptly that panels must become narrower towards its end, ...
_FEW = 30.0
#: ... by this much each, on a scale of logarithms, as far as floats can tell values apart.
_RATIO, _DEEPEST = 1.5, 37.0
#: With fewer degrees of freedom Student's tails are heavy: the next mark is further out by a factor of exp(1).
_HEAVY, _WIDENING = 200.0, 1.0


@dataclass(frozen=True, eq=False)
class PairLaw(Law):
    """The distribution of the effect of two independent posteriors of one family.

    Parameters
    ----------
    control, treatment : Posterior, shape (pairs,)
        Those of the control and of the treatment.
    scale : {"difference", "log odds ratio", "log ratio", "relative"}
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
        """Posterior mean; the median of a relative effect, and of means that have none."""
        if self.scale == "relative":
            return self.ppf(np.full(self.control.shape, 0.5))
        return np.asarray(_moments(self.treatment, self.scale)[0] - _moments(self.control, self.scale)[0])

    @cached_property
    def sd(self) -> Float64Array:
        """Posterior standard deviation; of a relative effect half the distance of the quantiles of one deviate."""
        if self.scale == "relative":
            low, high = self.ends(np.full(self.control.shape, ONE_SD))
            return np.asarray((high - low) / 2)
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

    def look(self, x: Any) -> Looks:
        """P(effect <= x), P(effect > x), each with all its digits, and the density at x."""
        x = np.broadcast_to(np.asarray(x, dtype=np.float64), self.control.shape)
        exact = closed(self.control, self.treatment, self.scale, x)
        if exact is not None:
            return exact
        if self.scale == "log odds ratio":
            found, lost = log_odds(self.control, self.treatment, x)
        elif not hasattr(self.control, "location"):
            found, lost = on_lines(self.control, self.treatment, self.scale, x)
        elif self.scale == "difference":
            found, lost = student_difference(self.control, self.treatment, x)
        elif isinstance(self.control, Normal):
            found, lost = normal_share(self.control, self.treatment, x)
        else:
            found, lost = student_share(self.control, self.treatment, x)
        # where that has not the digits or would take too long
        rows = np.flatnonzero(lost)
        if rows.size:
            for array, value in zip(found, self.rows(rows).integrated(x[rows]), strict=True):
                array[rows] = value
        return found

    def integrated(self, x: Float64Array) -> Looks:
        """`look` by panels, whatever the scale."""
        if len(x) <= _BLOCK:
            return _integrals(self, x)
        starts = range(0, len(x), _BLOCK)
        parts = [_integrals(self.rows(slice(k, k + _BLOCK)), x[k : k + _BLOCK]) for k in starts]
        below, above, density = (np.concatenate(part) for part in zip(*parts, strict=True))
        return below, above, density

    @cached_property
    def at_zero(self) -> Looks:
        """What `look` says of no effect."""
        return self.look(np.zeros(self.control.shape))

    @cached_property
    def columns(self) -> tuple[Any, Any]:
        """Both posteriors as columns beside which there is room for nodes."""
        c, t = (p.take(lambda a: np.asarray(a, dtype=np.float64)[:, None]) for p in (self.control, self.treatment))
        return c, t

    @cached_property
    def marks(self) -> tuple[Float64Array, Float64Array]:
        """Points all over both posteriors, from one far tail to the other."""
        with np.errstate(all="ignore"):
            c, t = (_marked(p) for p in self.columns)
        return c, t


def _marked(p: Any) -> Float64Array:
    marks = np.asarray(p.reached(_ROOTS))
    if not isinstance(p, Student) or p.df.min() > _HEAVY:
        return marks
    # panels lie evenly between two marks, but in a heavy tail they must widen with the distance
    root = p.scale * np.sqrt(p.df)
    furthest = np.arcsinh((marks[:, -1:] - p.location) / root)
    steps = int(np.ceil(furthest.max() / _WIDENING))
    return np.asarray(p.location + root * np.sinh(furthest * (np.arange(-steps, steps + 1) / steps)))


def _integrals(law: PairLaw, x: Float64Array) -> Looks:
    c, t = law.columns
    x = x[:, None]
    with np.errstate(all="ignore"):
        edges, upper = _panels(law, x)
        y, weight = nodes(edges)
        at, with_x, with_y = _threshold(t, y, law.scale, x)
        density = np.exp(c.log_peak() - c.deviance(y)) * weight
        inner = np.where(np.isfinite(at), np.exp(t.log_peak() - t.deviance(at)), 0.0)
        if law.scale == "relative" or _abrupt(t, law.scale, x):
            side = np.where(upper, t.above(at), t.below(at))
        else:
            ends = _threshold(t, edges[:, [0, -1]], law.scale, x)[0]
            side = _accumulated(np.where(inner > 0, inner * with_y, 0.0), np.diff(edges), t, ends, upper)
        small = np.minimum((density * side).sum(axis=-1), 1.0)
        slope = np.where(inner > 0, density * inner * with_x, 0.0).sum(axis=-1)
    upper = upper[:, 0]
    return np.where(upper, 1 - small, small), np.where(upper, small, 1 - small), slope


def _accumulated(inner: Float64Array, width: Float64Array, t: Any, ends: Float64Array, upper: Any) -> Float64Array:
    """A posterior's tail at each node, from its density: incomplete beta functions would take ten times as long.

    `inner` is that density, as it is along the nodes; beyond the `ends` of the panels the tail is asked of the family.
    """
    parts, width = inner.reshape(*width.shape, ORDER), width[..., None]
    inside, whole = parts @ UPTO.T * width, (parts @ WEIGHTS) * width[..., 0]
    before = np.concatenate([t.below(ends[:, :1]), whole], axis=-1).cumsum(axis=-1)[:, :-1, None] + inside
    after = np.concatenate([t.above(ends[:, 1:]), whole[:, ::-1]], axis=-1).cumsum(axis=-1)[:, -2::-1, None]
    return np.asarray(np.where(upper[..., None], after + (whole[..., None] - inside), before).reshape(inner.shape))


def tail_product(control: Any, treatment: Any, up: Any) -> Float64Array:
    """The mean of what the effect is below zero where `up`, or above it: the integral of both tails' product."""
    law = PairLaw(control, treatment, "difference")
    c, t = law.columns
    up = np.asarray(up, dtype=bool)[:, None]
    with np.errstate(all="ignore"):
        marks = law.marks
        points = np.sort(np.concatenate(marks, axis=-1), axis=-1)
        needed = np.stack(
            [panels_upto(p, np.clip(points, m[:, :1], m[:, -1:]), m) for p, m in zip((c, t), marks, strict=True)]
        )
        edges = laid(points, needed)
        y, weight = nodes(edges)
        of_c, of_t = (
            _accumulated(np.exp(p.log_peak() - p.deviance(y)), np.diff(edges), p, edges[:, [0, -1]], side)
            for p, side in ((c, up), (t, ~up))
        )
        return np.asarray((weight * c.slope(y) * of_c * of_t).sum(axis=-1))


def _panels(law: PairLaw, x: Float64Array) -> tuple[Float64Array, Any]:
    """Ends of panels where the product of the control's density and the treatment's tail is; and which tail."""
    (c, t), (marks_c, marks_t), scale = law.columns, law.marks, law.scale
    back, abrupt = _preimages(t, marks_t, scale, x), _abrupt(t, scale, x)
    if abrupt:
        steps = np.broadcast_to(np.linspace(-_DEEPEST, _DEEPEST, 75), (len(x), 75)) + _offset(t, x)
        back += _preimages(t, steps, scale, x)
    points = np.clip(np.concatenate([marks_c, *back], axis=-1), marks_c[:, :1], marks_c[:, -1:])
    points.sort(axis=-1)
    there = _threshold(t, points, scale, x)[0]
    at = np.clip(there, marks_t[:, :1], marks_t[:, -1:])
    dev_c, dev_t, above = c.deviance(points), t.deviance(at), t.side(at) > 0
    up, down = -dev_c - np.where(above, dev_t, 0.0), -dev_c - np.where(above, 0.0, dev_t)
    upper = up.max(axis=-1, keepdims=True) < down.max(axis=-1, keepdims=True)
    product = np.where(upper, up, down)
    if isinstance(c, Student):  # in heavy tails what a panel holds is not as little as its density
        product = product + np.log(np.hypot(1.0, (points - c.location) / c.scale))
    kept = product > product.max(axis=-1, keepdims=True) - _NATS
    last = points.shape[1] - 1
    first = np.maximum(kept.argmax(axis=-1) - 1, 0)[:, None]
    final = np.minimum(last - kept[:, ::-1].argmax(axis=-1) + 1, last)[:, None]
    needed_c, needed_t = panels_within(c, points, dev_c), panels_within(t, at, dev_t)
    if scale == "relative":  # whose threshold may fall
        needed_t = np.concatenate([np.zeros_like(x), np.abs(np.diff(needed_t)).cumsum(axis=-1)], axis=-1)
    counts = [needed_c, needed_t]
    if abrupt:
        counts.append(np.clip(there - _offset(t, x), -_DEEPEST, _DEEPEST) / _RATIO)
    index = np.clip(np.arange(last + 1), first, final)
    points, *counts = (np.take_along_axis(array, index, -1) for array in (points, *counts))
    needed = np.stack(counts)
    if scale != "relative":
        return laid(points, needed), upper
    halves = [laid(np.minimum(points, 0.0), needed), laid(np.maximum(points, 0.0), needed)]  # |C| has a kink
    return np.concatenate(halves, axis=-1), upper


def _abrupt(t: Any, scale: str, x: Float64Array) -> bool:
    """Whether the treatment's values come to an end within those of the control, at a power of the distance to it."""
    if scale != "difference" and not (scale == "log ratio" and isinstance(t, Beta)):
        return False
    if not x.any():
        return False
    if isinstance(t, Beta):
        return bool(min(t.a.min(), t.b.min()) < _FEW)
    return isinstance(t, Gamma) and bool(t.k.min() < _FEW)


def _offset(t: Any, x: Float64Array) -> Any:
    """Where on the treatment's scale the distance to the end is that of the end from zero."""
    return np.where(x == 0, 0.0, np.log(np.abs(x))) if isinstance(t, Gamma) else 0.0


def _threshold(t: Any, y: Float64Array, scale: str, x: Float64Array) -> tuple[Any, Any, Any]:
    """What the treatment must exceed on its scale for an effect above x of a control at y, and its slopes in x and y.

    The share of failures is computed beside that of successes, so that neither loses digits near 0.
    """
    if scale == "relative":
        return y + x * np.abs(y), np.abs(y), 1 + x * np.sign(y)
    if scale == "log odds ratio" or (scale == "log ratio" and isinstance(t, Gamma)):
        return y + x, 1.0, 1.0
    if isinstance(t, Beta):
        p, q = expit(y), expit(-y)
        if scale == "difference":
            success, failure, pace, own = p + x, q - x, np.ones_like(p), p * q
        else:
            success, failure = p * np.exp(x), q - p * np.expm1(x)
            pace, own = success, success * q
        success, failure = np.maximum(success, 0.0), np.maximum(failure, 0.0)
        product = success * failure
        return np.log(success) - np.log(failure), pace / product, own / product
    if isinstance(t, Gamma):
        own = np.exp(y)
        value = np.maximum(own + x, 0.0)
        return np.log(value), 1 / value, own / value
    return y + x, 1.0, 1.0


def _preimages(t: Any, marks: Float64Array, scale: str, x: Float64Array) -> list[Float64Array]:
    """Where the control lies when the treatment must exceed one of the marks."""
    if scale != "relative":
        return [_threshold(t, marks, scale, -x)[0]]
    up, down = marks / (1 + x), marks / (1 - x)
    return [np.where(up > 0, up, 0.0), np.where(down < 0, down, 0.0)]


def _moments(p: Any, scale: str) -> tuple[Any, Any]:
    """Mean and variance of a variant's part of the effect."""
    if scale == "log odds ratio":
        return digamma(p.a) - digamma(p.b), polygamma(1, p.a) + polygamma(1, p.b)
    if scale == "log ratio" and isinstance(p, Beta):
        return digamma(p.a) - digamma(p.a + p.b), polygamma(1, p.a) - polygamma(1, p.a + p.b)
    if scale == "log ratio":
        return digamma(p.k) - np.log(p.rate), polygamma(1, p.k)
    return centre(p), variance(p)


def centre(p: Any) -> Float64Array:
    """Posterior mean; of Student's the centre, also where there are too few degrees of freedom for a mean."""
    return np.asarray(p.location if isinstance(p, Student) else p.mean)


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


def natural_scale(p: Any) -> str:
    """The scale on which the family of a posterior has its natural parameter."""
    return "log odds ratio" if isinstance(p, Beta) else "log ratio" if isinstance(p, Gamma) else "difference"


def pair_law(arms: Any, scale: str) -> PairLaw:
    """Of the first of several variants' posteriors against each of the others; flat."""
    shape = (arms.shape[0] - 1, *arms.shape[1:])
    control = arms.take(lambda a: np.broadcast_to(a[:1], shape).ravel())
    return PairLaw(control, arms.take(lambda a: a[1:].ravel()), scale)
