"""Which variant is best, and what it costs to choose another: where larger is better, and where smaller is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from abkit._check import Float64Array
from abkit.bayes._difference import PairLaw, tail_product
from abkit.bayes._sinc import student_losses
from abkit.posterior._best import expected_loss, probability_best
from abkit.posterior._normal import Normal, Student
from abkit.types import Direction

#: Of so many runs the probabilities of several variants have their digits down to 1e-300; of more, down to 1e-12.
_FEW = 1000


def best_of(arms: Any, direction: Direction) -> Float64Array:
    """The probability of each variant to be the best: arms of shape (variants, pairs...)."""
    runs = int(np.prod(arms.shape[1:]))
    enough = 12.0 if isinstance(arms, Student) and (arms.df < 2).any() else 9.0
    return np.asarray(probability_best(_turned(arms, direction), 38.0 if runs <= _FEW else enough))


def losses_of(arms: Any, direction: Direction) -> Float64Array:
    """How much worse than the best each variant is, on average."""
    return np.asarray(expected_loss(_turned(arms, direction)))


def pair_losses(law: PairLaw) -> tuple[Float64Array, Float64Array]:
    """The means of max(T - C, 0) and max(C - T, 0): what choosing the control loses, and the treatment.

    The smaller one is w f - |gap| P, with P the smaller tail of the effect on the natural scale, f its density at no
    effect, and w the variances' sum of two normals, 1/n + 1/n of two betas, 1/rate + 1/rate of two gammas.
    """
    c, t = law.control, law.treatment
    gap = np.asarray(t.mean - c.mean)
    if isinstance(c, Student):
        small = _smaller_of_students(c, t, gap > 0)
        lost = np.isnan(gap)
        gap, small = np.where(lost, 0.0, gap), np.where(lost, np.inf, small)
    else:
        below, above, density = law.at_zero
        small = np.maximum(_worth(c, t) * density - np.abs(gap) * np.where(gap > 0, below, above), 0.0)
    return small + np.maximum(gap, 0.0), small + np.maximum(-gap, 0.0)


def _smaller_of_students(c: Student, t: Student, up: Any) -> Float64Array:
    found, left = student_losses(c, t)
    small = np.where(up, found[1], found[0])
    if left.any():
        rest = [p.take(lambda a: np.broadcast_to(a, left.shape)[left]) for p in (c, t)]
        small[left] = tail_product(rest[0], rest[1], up[left])
    return np.asarray(small)


def _worth(c: Any, t: Any) -> Any:
    if isinstance(c, Normal):
        return c.sd**2 + t.sd**2
    return 1 / (c.a + c.b) + 1 / (t.a + t.b) if hasattr(c, "a") else 1 / c.rate + 1 / t.rate


def _turned(arms: Any, direction: Direction) -> Any:
    return arms if direction == "increase" else Mirrored(arms)


@dataclass(frozen=True, eq=False)
class Mirrored:
    """The posterior of minus the values, so that the smallest is the largest."""

    of: Any

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the arrays."""
        return tuple(self.of.shape)

    @property
    def mean(self) -> Float64Array:
        """The mean of each."""
        return -np.asarray(self.of.mean)

    def take(self, rows: Callable[[Any], Any]) -> Mirrored:
        """The same with parameters of another shape."""
        return Mirrored(self.of.take(rows))

    def slope(self, y: Any) -> Any:
        """How fast the value grows along the scale."""
        return self.of.slope(-y)

    def log_peak(self) -> Any:
        """The logarithm of the density at its mode."""
        return self.of.log_peak()

    def deviance(self, y: Any) -> Any:
        """How far below its peak the log density is."""
        return self.of.deviance(-y)

    def side(self, y: Any) -> Any:
        """Whether y is above the peak, as 1 or -1."""
        return -self.of.side(-y)

    def reached(self, root: Any) -> Any:
        """Where the deviance is root^2 / 2."""
        return -self.of.reached(-root)

    def grading(self, y: Any) -> Any:
        """How many panels there must be up to y."""
        return -self.of.grading(-y)

    def below(self, y: Any) -> Any:
        """P(value <= value_of(y))."""
        return self.of.above(-y)

    def above(self, y: Any) -> Any:
        """P(value > value_of(y))."""
        return self.of.below(-y)
