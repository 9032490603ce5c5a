"""The shortest interval that holds a probability: the set of highest density, where that is one interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit

from abkit._check import Float64Array

_STEPS = 60
_FURTHEST = 40.0


def shortest(law: Any, error: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Ends between which there is all but `error`, with one density, or the end of what is possible.

    How much of the error lies below is found by secants: on the scale of its log odds the logarithm of one density over
    the other is nearly a straight line. A density that is higher at both ends than between them has two such sets; this
    is the one at the higher end.
    """
    odds, before, gap_before = np.zeros_like(error), np.full_like(error, np.nan), np.zeros_like(error)
    for _ in range(_STEPS):
        low, high = law.ends(error * expit(odds), error * expit(-odds))
        with np.errstate(all="ignore"):
            gap = np.log(law.pdf(low)) - np.log(law.pdf(high))
            slope = np.clip((gap - gap_before) / (odds - before), 0.3, 30.0)
            step = np.where(np.isnan(slope), gap, gap / slope)
        following = np.clip(odds - np.clip(np.nan_to_num(step), -8.0, 8.0), -_FURTHEST, _FURTHEST)
        if np.all(np.abs(following - odds) <= 1e-11):
            break
        before, gap_before, odds = odds, gap, following
    return low, high


@dataclass(frozen=True, eq=False)
class OwnValue:
    """A variant's own posterior, as what the shortest interval asks of a law."""

    of: Any

    def ends(self, below: Any, above: Any | None = None) -> tuple[Float64Array, Float64Array]:
        """The values with these probabilities below the one and above the other."""
        return self.of.ppf(below), self.of.isf(below if above is None else above)

    def pdf(self, x: Any) -> Float64Array:
        """The density at x."""
        with np.errstate(all="ignore"):
            return np.asarray(np.exp(self.of.logpdf(x)))
