"""The law of effects that are normal given each draw of what they share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from scipy.special import ndtr

from abkit._check import Float64Array
from abkit.bayes._law import Law
from abkit.mcmc._draws import monte_carlo_error


@dataclass(frozen=True, slots=True, eq=False)
class DrawnLaw(Law):
    """Effects whose tail probabilities are means, over draws, of exact normal tails (Rao and Blackwell).

    Parameters
    ----------
    centres, spreads : float array, shape (effects, chains, draws)
        Mean and standard deviation of each effect given each draw.
    """

    centres: Float64Array = field(repr=False)
    spreads: Float64Array = field(repr=False)
    scale: str = "difference"

    @property
    def mean(self) -> Float64Array:
        """Mean of the centres."""
        result: Float64Array = self.centres.mean(axis=(1, 2))
        return result

    @property
    def sd(self) -> Float64Array:
        """Within draws and between them."""
        within = (self.spreads**2).mean(axis=(1, 2))
        result: Float64Array = np.sqrt(within + self.centres.var(axis=(1, 2)))
        return result

    def rows(self, chosen: Any) -> Self:
        """The law of some of the effects."""
        return type(self)(self.centres[chosen], self.spreads[chosen], self.scale)

    def look(self, x: Any) -> tuple[Float64Array, Float64Array, Float64Array]:
        """P(effect <= x), P(effect > x) and the density at x."""
        z = (np.asarray(x, dtype=np.float64)[..., None, None] - self.centres) / self.spreads
        density = np.exp(-z * z / 2) / (np.sqrt(2 * np.pi) * self.spreads)
        below, above, at = (part.mean(axis=(-2, -1)) for part in (ndtr(z), ndtr(-z), density))
        return below, above, at

    def mc_error(self, null: float = 0.0) -> Float64Array:
        """Monte Carlo standard error of the probability above a null, of each effect."""
        z = (self.centres - null) / self.spreads
        return np.array([monte_carlo_error(ndtr(one)) for one in z])
