"""Which variant is best, and what it costs to choose another: both ways of being better."""

from __future__ import annotations

from typing import Any

import numpy as np

from abkit._check import Float64Array
from abkit.posterior._best import expected_loss, probability_best
from abkit.types import Direction


def best_of(arms: Any, direction: Direction) -> Float64Array:  # noqa: ARG001
    """The probability of each to be the largest, or the smallest where lower is better."""
    return np.asarray(probability_best(arms))


def losses(arms: Any, direction: Direction) -> Float64Array:  # noqa: ARG001
    """How much worse than the best each is, on average."""
    return np.asarray(expected_loss(arms))
