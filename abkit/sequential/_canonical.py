"""The joint normal distribution of z-statistics at successive looks, and the chance of crossing bounds at each.

Z_k ~ N(effect sqrt(I_k), 1) with Cov(Z_j, Z_k) = sqrt(I_j / I_k) for j <= k (Jennison and Turnbull 2000, ch. 3).
What is carried from look to look is not the sub-density g_k of Armitage, McPherson and Rowe (1969) but h_k(z), the
chance of having gone on until look k given Z_k = z, so that g_k(z) = h_k(z) phi(z - effect sqrt(I_k)). The statistics
before look k given Z_k do not depend on the effect: one recursion serves every effect, and h lies between 0 and 1
however far in a tail z is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import log_ndtr, ndtri_exp

from abkit._check import Float64Array

#: How far from the drift nodes go where no bound is nearer: beyond, the normal has less than 1e-20.
NEAR = 9.5
_POINTS, _WEIGHTS = np.polynomial.legendre.leggauss(32)
_WIDTH = 9.0  # of a panel, in standard deviations of what it integrates
_ROWS = 64
_FAR = 6.1  # exp(-6.1^2) < 1e-16
_LOG_ROOT_2PI = 0.5 * math.log(2 * math.pi)
_STEPS = 60
_ENOUGH = 1e-9  # a step this small leaves an error of its square
_SMALLEST, _LARGEST_LOG = 1e-300, 700.0
_Kernel = Callable[[Float64Array], Float64Array]
_Tail = Callable[[float], tuple[Float64Array, Float64Array]]


@dataclass(frozen=True, eq=False, slots=True)
class Looks:
    """Where a path may be after some looks without having stopped: nodes of a quadrature over the continuation region.

    Parameters
    ----------
    information : tuple of float
        At all looks, rising; on any scale.
    effects : tuple of float
        The smallest and the largest effect that will be asked about, in units of 1 / sqrt(information).
    reach : tuple of float
        How far below and above the drift nodes may go in z; at least as far as the bounds for digits in their tails.
    passed : int
        The number of looks gone by.
    z : float array, shape (nodes,)
        Nodes at the last of these, rising.
    log_mass : float array, shape (nodes,)
        Log of weight times h.
    """

    information: tuple[float, ...]
    effects: tuple[float, float]
    reach: tuple[float, float]
    passed: int
    z: Float64Array
    log_mass: Float64Array

    def log_above(self, bound: npt.ArrayLike, effect: npt.ArrayLike = 0.0) -> Float64Array:
        """Log P(go on so far, then Z > bound at the next look); arrays of bounds and effects broadcast."""
        return self._log_sum(bound, effect, lambda x: log_ndtr(-x))

    def log_below(self, bound: npt.ArrayLike, effect: npt.ArrayLike = 0.0) -> Float64Array:
        """Log P(go on so far, then Z < bound at the next look)."""
        return self._log_sum(bound, effect, log_ndtr)

    def log_density(self, bound: npt.ArrayLike, effect: npt.ArrayLike = 0.0) -> Float64Array:
        """Log of the sub-density of Z at the next look: minus the slope of P(go on so far, then Z > bound)."""
        _, now = self._step()
        scale = 0.5 * math.log(now / self._gap()) - _LOG_ROOT_2PI
        return self._log_sum(bound, effect, lambda x: -0.5 * x * x) + scale

    def advance(self, lower: float, upper: float, gap: tuple[float, float] | None = None) -> Looks:
        """After the next look, where a path goes on from `lower` to `upper`, but for what lies in `gap`."""
        z, weights = self._nodes(lower, upper, gap)
        with np.errstate(divide="ignore"):
            log_mass = np.log(weights * self._survived(z))
        return Looks(self.information, self.effects, self.reach, self.passed + 1, z, log_mass)

    def _step(self) -> tuple[float, float]:
        """Information at the last look and at the next."""
        before = self.information[self.passed - 1] if self.passed else 0.0
        return before, self.information[self.passed]

    def _gap(self) -> float:
        before, now = self._step()
        return now - before

    def _log_sum(self, bound: npt.ArrayLike, effect: npt.ArrayLike, log_kernel: _Kernel) -> Float64Array:
        """Log of the sum over nodes of mass, density at the effect, and a kernel of the way left to the bound."""
        bound = np.asarray(bound, dtype=np.float64)[..., None]
        effect = np.asarray(effect, dtype=np.float64)[..., None]
        before, now = self._step()
        deviation = self.z - effect * math.sqrt(before)
        way = bound * math.sqrt(now) - self.z * math.sqrt(before) - effect * (now - before)
        terms = self.log_mass - 0.5 * deviation * deviation - _LOG_ROOT_2PI
        return _log_sum_exp(terms + log_kernel(way / math.sqrt(now - before)))

    def _nodes(self, lower: float, upper: float, gap: tuple[float, float] | None) -> tuple[Float64Array, Float64Array]:
        """Gauss-Legendre panels, narrow enough for the step that led here and for the one that follows."""
        before, now = self._step()
        root = math.sqrt(now)
        low, high = (
            max(lower, self.effects[0] * root - self.reach[0]),
            min(upper, self.effects[1] * root + self.reach[1]),
        )
        sharpness = before / (now - before)
        if self.passed + 1 < len(self.information):
            after = self.information[self.passed + 1]
            sharpness += after / (after - now)
        width = _WIDTH / math.sqrt(max(sharpness, 1.0))
        pieces = [(low, high)] if gap is None else [(low, min(gap[0], high)), (max(gap[1], low), high)]
        parts = [_panels(*piece, width) for piece in pieces]
        return np.concatenate([z for z, _ in parts]), np.concatenate([w for _, w in parts])

    def _survived(self, z: Float64Array) -> Float64Array:
        """H at the next look: the mean of h over what the last Z may have been, given the next."""
        if not self.passed:
            return np.ones_like(z)
        before, now = self._step()
        if not self.z.size:
            return np.zeros_like(z)
        sd = math.sqrt((now - before) / now)
        mass = np.exp(self.log_mass) / (sd * math.sqrt(2 * math.pi))
        last, mean = self.z / (math.sqrt(2) * sd), z * (math.sqrt(before / now) / (math.sqrt(2) * sd))
        result = np.empty_like(z)
        for rows, columns in _bands(mean, last):
            kernel = np.subtract.outer(mean[rows], last[columns])
            np.square(kernel, out=kernel)
            np.negative(kernel, out=kernel)
            result[rows] = np.exp(kernel, out=kernel) @ mass[columns]
        return result


def start(
    information: Sequence[float], effects: tuple[float, float] = (0.0, 0.0), reach: tuple[float, float] = (NEAR, NEAR)
) -> Looks:
    """Before the first look."""
    return Looks(tuple(information), effects, reach, 0, np.zeros(1), np.full(1, _LOG_ROOT_2PI))


def crossing_probabilities(
    information: Sequence[float], lower: Sequence[float], upper: Sequence[float], effect: float = 0.0
) -> tuple[Float64Array, Float64Array]:
    """P(first crossing at each look) above and below, at one effect; bounds may be infinite."""
    above, below = log_crossings(walk(information, lower, upper, (effect, effect)), lower, upper, effect)
    return np.exp(above), np.exp(below)


def point_above(looks: Looks, log_mass: float, effect: float = 0.0) -> float:
    """The bound that the next Z exceeds, having gone on so far, with a probability given as its log.

    Infinite where that probability is zero; minus infinity where as much is not left.
    """
    return _point(lambda c: (looks.log_above(c, effect), looks.log_density(c, effect)), looks, log_mass, effect)


def point_below(looks: Looks, log_mass: float, effect: float = 0.0) -> float:
    """The bound that the next Z falls short of, having gone on so far, with a probability given as its log."""
    return -_point(lambda c: (looks.log_below(-c, effect), looks.log_density(-c, effect)), looks, log_mass, -effect)


def walk(
    information: Sequence[float],
    lower: Sequence[float],
    upper: Sequence[float],
    effects: tuple[float, float],
    gaps: Sequence[tuple[float, float] | None] | None = None,
) -> tuple[Looks, ...]:
    """What stands before each look between known bounds, for any effect from the first to the second."""
    gaps = (None,) * len(information) if gaps is None else gaps
    roots = [math.sqrt(value) for value in information]
    up = [u - effects[1] * root for u, root in zip(upper, roots, strict=True) if math.isfinite(u)]
    down = [effects[0] * root - low for low, root in zip(lower, roots, strict=True) if math.isfinite(low)]
    reach = math.hypot(max([0.0, *down]), NEAR), math.hypot(max([0.0, *up]), NEAR)
    here = start(information, effects, reach)
    result = [here]
    for low, high, gap in list(zip(lower, upper, gaps, strict=True))[:-1]:
        here = here.advance(low, high, gap)
        result.append(here)
    return tuple(result)


def log_crossings(
    looks: Sequence[Looks], lower: Sequence[float], upper: Sequence[float], effect: npt.ArrayLike
) -> tuple[Float64Array, Float64Array]:
    """Log P(first crossing at each look) above and below; the looks are the last axis, before it those of `effect`."""
    above = [here.log_above(bound, effect) for here, bound in zip(looks, upper, strict=True)]
    below = [here.log_below(bound, effect) for here, bound in zip(looks, lower, strict=True)]
    return np.stack(above, axis=-1), np.stack(below, axis=-1)


def _point(tail: _Tail, looks: Looks, log_mass: float, effect: float) -> float:
    """Newton's steps on the normal scale, where a tail is almost a straight line; a bracket keeps them in bounds."""
    if log_mass == -math.inf or not float(tail(-math.inf)[0]) > log_mass:
        return math.inf if log_mass == -math.inf else -math.inf
    goal = -float(ndtri_exp(log_mass))
    point = goal + effect * math.sqrt(looks.information[looks.passed])
    low, high = -math.inf, math.inf
    for _ in range(_STEPS):
        log_p, log_density = (float(value) for value in tail(point))
        here = -float(ndtri_exp(min(log_p, -_SMALLEST)))
        low, high = (point, high) if here < goal else (low, point)
        step = (goal - here) * math.exp(min(-0.5 * here * here - _LOG_ROOT_2PI - log_density, _LARGEST_LOG))
        if abs(step) <= _ENOUGH * max(1.0, abs(point)):
            return point + step
        point = point + step if low < point + step < high else (low + high) / 2
    return point


def _panels(low: float, high: float, width: float) -> tuple[Float64Array, Float64Array]:
    """Nodes and weights from `low` to `high`; none where that is empty."""
    if not low < high:
        return np.empty(0), np.empty(0)
    count = math.ceil((high - low) / width)
    half = (high - low) / (2 * count)
    middles = low + half * np.arange(1, 2 * count, 2)
    return (middles[:, None] + half * _POINTS).ravel(), np.tile(half * _WEIGHTS, count)


def _bands(mean: Float64Array, last: Float64Array) -> Iterator[tuple[slice, slice]]:
    """Blocks of rows, each with the columns that its kernels exp(-way^2) reach to the last digit."""
    nearest = np.clip(mean, last[0], last[-1])
    for first in range(0, mean.size, _ROWS):
        rows = slice(first, min(first + _ROWS, mean.size))
        ends = np.searchsorted(last, [nearest[rows][0] - _FAR, nearest[rows][-1] + _FAR])
        yield rows, slice(int(ends[0]), int(ends[1]))


def _log_sum_exp(terms: Float64Array) -> Float64Array:
    largest = terms.max(axis=-1, initial=-math.inf, keepdims=True)
    largest = np.where(np.isfinite(largest), largest, 0.0)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(np.exp(terms - largest).sum(axis=-1)) + largest[..., 0])
