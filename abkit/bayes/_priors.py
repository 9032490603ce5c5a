"""Priors of a variant's own parameter: a share, a rate, a mean."""

from __future__ import annotations

import math
from dataclasses import dataclass

from abkit import _check


@dataclass(frozen=True, slots=True)
class BetaPrior:
    """A beta prior of a share: each variant has it, independently.

    Parameters
    ----------
    a, b : float
        What the prior is worth in successes and in failures; above 0. (1, 1) is uniform, (0.5, 0.5) Jeffreys'.

    Raises
    ------
    ValueError
        A number that is not above 0, or not finite: such a prior is improper.

    Examples
    --------
    >>> from abkit.bayes import BetaPrior
    >>> BetaPrior(2, 38).describe()
    'beta(2, 38) on each share: worth 40 units of which 5% succeed'
    """

    a: float = 1.0
    b: float = 1.0

    def __post_init__(self) -> None:
        _set_positive(self, "a", "b")

    def describe(self) -> str:
        """The prior in words."""
        if self.a == self.b == 1:
            return "uniform on each share, beta(1, 1): worth 2 units of which one succeeds"
        worth, share = self.a + self.b, 100 * self.a / (self.a + self.b)
        return f"beta({self.a:g}, {self.b:g}) on each share: worth {worth:g} units of which {share:.3g}% succeed"


@dataclass(frozen=True, slots=True)
class GammaPrior:
    """A gamma prior of a rate of events: each variant has it, independently.

    Parameters
    ----------
    shape : float
        What the prior is worth in events; above 0.
    rate : float
        What it is worth in exposure, in the unit of the exposure; above 0. The prior mean is shape / rate.

    Raises
    ------
    ValueError
        A number that is not above 0, or not finite: such a prior is improper.

    Examples
    --------
    >>> from abkit.bayes import GammaPrior
    >>> GammaPrior(shape=2, rate=400).describe()
    'gamma(2, 400) on each rate: worth 2 events in an exposure of 400'
    """

    shape: float
    rate: float

    def __post_init__(self) -> None:
        _set_positive(self, "shape", "rate")

    def describe(self) -> str:
        """The prior in words."""
        return (
            f"gamma({self.shape:g}, {self.rate:g}) on each rate: "
            f"worth {self.shape:g} events in an exposure of {self.rate:g}"
        )


@dataclass(frozen=True, slots=True)
class NormalInverseGammaPrior:
    """A normal-inverse-gamma prior of a mean and its variance: each variant has it, independently.

    Parameters
    ----------
    mean : float
        Where the mean is expected, in the metric's unit.
    weight : float
        How many units that expectation is worth; above 0.
    shape : float
        Shape of the variance's inverse-gamma: half as many units as the expected variance is worth; above 0.
    scale : float
        Its scale, in the metric's unit squared; above 0. The variance is expected at scale / (shape - 1).

    Raises
    ------
    ValueError
        A mean that is not finite, or another number that is not above 0: such a prior is improper.

    Examples
    --------
    >>> from abkit.bayes import NormalInverseGammaPrior
    >>> NormalInverseGammaPrior(mean=10, weight=1, shape=3, scale=50).describe()
    'normal-inverse-gamma on each mean and its variance: a mean of 10 worth 1 units, a variance of 25 worth 6'
    """

    mean: float
    weight: float
    shape: float
    scale: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "mean", _check.number("mean", self.mean))
        _set_positive(self, "weight", "shape", "scale")

    def describe(self) -> str:
        """The prior in words."""
        variance = self.scale / (self.shape - 1) if self.shape > 1 else self.scale / (self.shape + 1)
        return (
            f"normal-inverse-gamma on each mean and its variance: a mean of {self.mean:g} worth {self.weight:g} units, "
            f"a variance of {variance:g} worth {2 * self.shape:g}"
        )


@dataclass(frozen=True, slots=True)
class MeanPrior:
    """A normal prior of a mean, where the spread of the units is known: each variant has it, independently.

    Parameters
    ----------
    mean : float
        Where the mean is expected, in the metric's unit.
    sd : float
        How far from there it may well be; above 0. Not the spread of the units, which is `sd` of `compare`.

    Raises
    ------
    ValueError
        A mean that is not finite, or a standard deviation that is not above 0.

    Examples
    --------
    >>> from abkit.bayes import MeanPrior
    >>> MeanPrior(mean=10, sd=2).describe()
    'normal on each mean, with mean 10 and standard deviation 2'
    """

    mean: float
    sd: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "mean", _check.number("mean", self.mean))
        _set_positive(self, "sd")

    def describe(self) -> str:
        """The prior in words."""
        return f"normal on each mean, with mean {self.mean:g} and standard deviation {self.sd:g}"


VariantPrior = BetaPrior | GammaPrior | NormalInverseGammaPrior | MeanPrior


def _set_positive(prior: object, *names: str) -> None:
    for name in names:
        object.__setattr__(prior, name, _check.within(name, getattr(prior, name), 0, math.inf))
