"""Conjugate posteriors on arrays: the arms along the first axis, and what else there is along the others.

Each also describes itself on a scale on which its density is smooth and, but for Student's t, log-concave, so that one
quadrature serves all: the log odds of a beta, the logarithm of a gamma. There the density of y is exp(-`deviance`(y))
times its peak, and the deviance is computed without cancellation for any number of observations.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np

from abkit._check import Float64Array


class Posterior(ABC):
    """What every posterior can be asked; each family says the rest on its own scale."""

    #: The smallest and the largest value that there can be.
    support: ClassVar[tuple[float, float]] = (-np.inf, np.inf)

    @abstractmethod
    def sample(self, rng: np.random.Generator) -> Float64Array:
        """One draw of each."""

    @abstractmethod
    def cdf(self, x: Any) -> Float64Array:
        """P(value <= x)."""

    @abstractmethod
    def sf(self, x: Any) -> Float64Array:
        """P(value > x), with all its digits where it is small."""

    @abstractmethod
    def ppf(self, q: Any) -> Float64Array:
        """The value below which the probability is q."""

    @abstractmethod
    def isf(self, q: Any) -> Float64Array:
        """The value above which the probability is q."""

    @abstractmethod
    def logpdf(self, x: Any) -> Float64Array:
        """The logarithm of the density at x."""

    @property
    @abstractmethod
    def mean(self) -> Float64Array:
        """The mean of each."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """The shape of the arrays."""

    @abstractmethod
    def take(self, rows: Any) -> Any:
        """The same family with parameters of another shape, as `rows` makes them of each array."""

    def scale_of(self, x: Any) -> Any:
        """From a value to the scale of the quadrature."""
        return x

    def value_of(self, y: Any) -> Any:
        """From the scale of the quadrature to a value."""
        return y

    def slope(self, y: Any) -> Any:
        """How fast the value grows along that scale."""
        return np.ones_like(y)

    @abstractmethod
    def log_peak(self) -> Float64Array:
        """The logarithm of the density on that scale where its deviance is 0."""

    @abstractmethod
    def deviance(self, y: Any) -> Float64Array:
        """How far below its peak the log density on that scale is."""

    @abstractmethod
    def side(self, y: Any) -> Any:
        """Whether y is above the peak, as 1 or -1."""

    @abstractmethod
    def reached(self, root: Any) -> Float64Array:
        """Where the deviance is root^2 / 2, above the peak for a positive root."""

    def grading(self, y: Any) -> Any:
        """How many panels there must be up to y because of what happens off the real line; rising."""
        return np.zeros_like(y)

    def below(self, y: Any) -> Float64Array:
        """P(value <= value_of(y))."""
        return self.cdf(self.value_of(y))

    def above(self, y: Any) -> Float64Array:
        """P(value > value_of(y))."""
        return self.sf(self.value_of(y))
