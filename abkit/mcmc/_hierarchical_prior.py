"""What is believed of effects before their estimates: a mean that they share, and how far they lie about it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from abkit import _check
from abkit._check import Float64Array


@dataclass(frozen=True, slots=True, kw_only=True)
class HierarchicalPrior:
    """Priors of the mean of all effects and of their standard deviation about it.

    Parameters
    ----------
    mean, sd : float
        The mean of all effects is normal with these, in the unit of the estimates.
    spread : float
        Scale of the half-normal prior of the effects' standard deviation, in the same unit.
    spread_df : float
        Degrees of freedom of a half-Student prior in place of the half-normal one; 1 is half-Cauchy.

    Raises
    ------
    ValueError
        A scale that is not above 0.

    Examples
    --------
    >>> from abkit.bayes import HierarchicalPrior
    >>> print(HierarchicalPrior(sd=0.05, spread=0.02).describe())
    The mean of all effects is normal with mean 0 and sd 0.05; their sd about it is half-normal with scale 0.02.
    """

    mean: float = 0.0
    sd: float
    spread: float
    spread_df: float = math.inf

    def __post_init__(self) -> None:
        object.__setattr__(self, "mean", _check.number("mean", self.mean))
        for name in ("sd", "spread"):
            object.__setattr__(self, name, _check.within(name, getattr(self, name), 0, math.inf))
        if self.spread_df != math.inf:
            object.__setattr__(self, "spread_df", _check.at_least("spread_df", self.spread_df, 1))

    def describe(self) -> str:
        """The prior as a sentence."""
        about = "half-normal" if math.isinf(self.spread_df) else f"half-Student with {self.spread_df:g} df"
        if self.spread_df == 1:
            about = "half-Cauchy"
        return (
            f"The mean of all effects is normal with mean {self.mean:.4g} and sd {self.sd:.4g}; their sd about it is "
            f"{about} with scale {self.spread:.4g}."
        )

    def sample(self, rng: np.random.Generator, size: int) -> tuple[Float64Array, Float64Array]:
        """Draws of the mean and of the standard deviation."""
        mu = rng.normal(self.mean, self.sd, size)
        finite = math.isfinite(self.spread_df)
        tau = self.spread * np.abs(rng.standard_t(self.spread_df, size) if finite else rng.standard_normal(size))
        return mu, tau


def default_prior(estimates: Float64Array, stderrs: Float64Array) -> HierarchicalPrior:
    """Weakly informative in the unit of the data: their size u is the root mean square of estimates and errors.

    The mean's sd is 5u, so that it is left to the data; the effects' sd has the scale u, since the estimates show that
    effects do not differ by much more.
    """
    u = float(np.hypot(np.sqrt(np.mean(estimates**2)), np.sqrt(np.mean(stderrs**2))))
    return HierarchicalPrior(sd=5 * u, spread=u)
