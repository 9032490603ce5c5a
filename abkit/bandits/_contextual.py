"""What policies that read a context share."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any, TypeVar

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.bandits._policy import IntArray, Policy, largest, shares_of_largest
from abkit.bandits._state import State

S = TypeVar("S", bound=State)
#: A score that is known for certain has this share of the largest standard deviation, in the quadrature.
CERTAIN = 1e-9


class Contextual(Policy[S]):
    """A policy whose score of an arm is linear in a context."""

    dimension: int

    @abstractmethod
    def scores(self, state: S, context: Float64Array) -> tuple[Float64Array, Float64Array]:
        """Mean and standard deviation of each arm's score in this context, in each run."""

    def check_context(self, context: object) -> Float64Array:
        """One row of numbers, or one row an arm."""
        # a live decision has little time: the length tells as much as a look at each number
        quick = type(context) is np.ndarray and context.dtype == np.float64 and context.shape == (self.dimension,)
        if quick and math.hypot(*context.tolist()) <= _check.LARGEST:  # type: ignore[attr-defined]
            return context  # type: ignore[return-value]
        if context is None:
            raise ValueError(
                f"`context` must be given: {type(self).__name__} reads {self.dimension} numbers a decision; got None."
            )
        known = _check.observations("context", context, (1, 2))
        if known.shape[-1] != self.dimension:
            raise ValueError(
                f"`context` must have {self.dimension} numbers, or as many an arm; got shape {known.shape}."
            )
        return known

    def check_numbers(self, *names: str) -> None:
        """A dimension of at least 1, and numbers above 0."""
        object.__setattr__(self, "dimension", _check.count("dimension", self.dimension, 1))
        for name in names:
            object.__setattr__(self, name, _check.within(name, getattr(self, name), 0, np.inf))


class ScoreThompson(Contextual[S]):
    """A policy that draws each arm's score from its normal posterior, and chooses the largest."""

    v: float

    def pick(self, state: S, rng: np.random.Generator, context: Float64Array | None = None) -> IntArray:
        """The place of the arm to choose, in each run."""
        mean, sd = self.scores(state, np.asarray(context))
        return largest(mean + self.v * sd * rng.standard_normal(mean.shape), rng)

    def probabilities(self, state: S, context: Float64Array | None = None) -> Float64Array:
        """The probability of each arm, in each run, by quadrature."""
        mean, sd = self.scores(state, np.asarray(context))
        return _best_of_normals(mean, self.v * sd)


def one_row_an_arm(state: State, context: Float64Array) -> Float64Array:
    """A context of a live decision, which may have a row for each arm."""
    if context.ndim == 2 and len(context) != len(state.arms):
        raise ValueError(f"`context` must have one row, or one for each of {len(state.arms)} arms; got {len(context)}.")
    return context


def of_the_chosen(state: State, place: Any, context: Float64Array | None) -> Float64Array:
    """The row of the arm that was chosen; in a simulation, where places are an array, each row is of one already."""
    known = np.asarray(context)
    return one_row_an_arm(state, known)[place] if np.ndim(place) == 0 and known.ndim == 2 else known


def _best_of_normals(mean: Float64Array, sd: Float64Array) -> Float64Array:
    from abkit.posterior import Normal, probability_best

    widest = sd.max(axis=0)
    certain = widest == 0
    if np.all(certain):
        return shares_of_largest(mean)
    found = probability_best(Normal(mean, np.maximum(sd, np.where(certain, 1.0, CERTAIN * widest))))
    return np.where(certain, shares_of_largest(mean), found)
