"""The shortest interval that holds a probability: the set of highest density, where that is one interval."""

from __future__ import annotations

from typing import Any

import numpy as np

from abkit._check import Float64Array

_STEPS = 60


def shortest(law: Any, error: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Ends between which there is all but `error`, with the same density, or at an end of what is possible."""
    low_share, high_share = np.zeros_like(error), error.copy()
    for _ in range(_STEPS):
        share = (low_share + high_share) / 2
        low, high = law.ppf(share), law.isf(error - share)
        rising = law.pdf(low) < law.pdf(high)
        low_share, high_share = np.where(rising, share, low_share), np.where(rising, high_share, share)
    return low, high
