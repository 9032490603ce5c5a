"""Environments whose arms have fixed means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from abkit._check import Float64Array
from abkit.bandits._environment import LARGEST, Means, checked_sd


@dataclass(frozen=True)
class Bernoulli(Means):
    """Arms that give 1 with a probability each, and else 0: clicks, conversions.

    Answers: how would a policy do, if these were the rates?

    Parameters
    ----------
    means : list of float
        The probability of a reward, one an arm, from 0 to 1.
    arms : list of str or int, optional
        Names of the arms, by default 0, 1, ...

    Raises
    ------
    ValueError
        A probability outside 0 and 1, or names that are not as many.

    Examples
    --------
    >>> import abkit as ab
    >>> environment = ab.bandits.Bernoulli([0.9, 0.8])
    >>> round(environment.lai_robbins, 4)
    2.2521
    """

    means: tuple[float, ...]
    arms: Any = None
    kind: ClassVar[str] = "bernoulli"
    allowed: ClassVar[tuple[float, float]] = (0.0, 1.0)
    extremes: ClassVar[tuple[float, float] | None] = (0.0, 1.0)

    def around(self, means: Float64Array, t: int, rng: np.random.Generator) -> Float64Array:
        """A reward around each of these expected rewards."""
        return (rng.random(means.shape) < means).astype(np.float64)

    @property
    def lai_robbins(self) -> float:
        """The constant C of the least regret, C ln t, that any good policy has in the end."""
        return _constant(self.means, "bernoulli")


@dataclass(frozen=True)
class Gaussian(Means):
    """Arms with normal rewards of one standard deviation: a measured amount.

    Answers: how would a policy do, if these were the means, and rewards scattered so much?

    Parameters
    ----------
    means : list of float
        The expected reward, one an arm, at most 1e100 in size.
    sd : float
        The standard deviation of every reward, above 0 and at most 1e100.
    arms : list of str or int, optional
        Names of the arms, by default 0, 1, ...

    Raises
    ------
    ValueError
        A standard deviation that is not above 0, or names that are not as many.

    Examples
    --------
    >>> import abkit as ab
    >>> ab.bandits.Gaussian([0.5, 0.0], 1.0).lai_robbins
    4.0
    """

    means: tuple[float, ...]
    sd: float = 1.0
    arms: Any = None
    kind: ClassVar[str] = "gaussian"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "sd", checked_sd(self.sd))

    def around(self, means: Float64Array, t: int, rng: np.random.Generator) -> Float64Array:
        """A reward around each of these expected rewards."""
        return means + self.sd * rng.standard_normal(means.shape)

    @property
    def lai_robbins(self) -> float:
        """The constant C of the least regret, C ln t, that any good policy has in the end."""
        return _constant(self.means, "gaussian", self.sd)


@dataclass(frozen=True)
class Poisson(Means):
    """Arms that give a Poisson number: orders, page views.

    Answers: how would a policy do, if these were the mean counts?

    Parameters
    ----------
    means : list of float
        The expected number, one an arm, from 0 to 1e15.
    arms : list of str or int, optional
        Names of the arms, by default 0, 1, ...

    Raises
    ------
    ValueError
        A mean below 0, or names that are not as many.

    Examples
    --------
    >>> import abkit as ab
    >>> ab.bandits.Poisson([2.0, 1.0]).expected().tolist()
    [2.0, 1.0]
    """

    means: tuple[float, ...]
    arms: Any = None
    kind: ClassVar[str] = "poisson"
    allowed: ClassVar[tuple[float, float]] = (0.0, 1e15)

    def around(self, means: Float64Array, t: int, rng: np.random.Generator) -> Float64Array:
        """A reward around each of these expected rewards."""
        return rng.poisson(means).astype(np.float64)

    @property
    def lai_robbins(self) -> float:
        """The constant C of the least regret, C ln t, that any good policy has in the end."""
        return _constant(self.means, "poisson")


@dataclass(frozen=True)
class Exponential(Means):
    """Arms with exponential rewards: amounts that are mostly small, at times large.

    Answers: how would a policy do, if these were the mean amounts?

    Parameters
    ----------
    means : list of float
        The expected reward, one an arm, from 1e-100 to 1e100.
    arms : list of str or int, optional
        Names of the arms, by default 0, 1, ...

    Raises
    ------
    ValueError
        A mean that is not above 0, or names that are not as many.

    Examples
    --------
    >>> import abkit as ab
    >>> ab.bandits.Exponential([2.0, 1.0]).expected().tolist()
    [2.0, 1.0]
    """

    means: tuple[float, ...]
    arms: Any = None
    kind: ClassVar[str] = "exponential"
    allowed: ClassVar[tuple[float, float]] = (1 / LARGEST, LARGEST)

    def around(self, means: Float64Array, t: int, rng: np.random.Generator) -> Float64Array:
        """A reward around each of these expected rewards."""
        return means * rng.standard_exponential(means.shape)

    @property
    def lai_robbins(self) -> float:
        """The constant C of the least regret, C ln t, that any good policy has in the end."""
        return _constant(self.means, "exponential")


def _constant(means: Sequence[float], family: str, sd: float = 1.0) -> float:
    from abkit.bandits._lai_robbins import lai_robbins

    return lai_robbins(means, family, sd)
