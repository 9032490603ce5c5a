"""Holm's step-down control of the family-wise error rate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Adjusted:
    """Adjusted p-values in the order given, and for each hypothesis the level at which it was judged.

    A hypothesis is rejected exactly when its own p-value is below its level, so an interval at 1 - level
    leaves out the null exactly when Holm rejects it.
    """

    pvalues: tuple[float, ...]
    levels: tuple[float, ...]


def holm(pvalues: Sequence[float], alpha: float) -> Adjusted:
    """Adjust a family of p-values; nan (an undefined test) counts as 1 and keeps its place in the family.

    The i-th smallest of m is compared with alpha / (m - i + 1), and everything after the first that is not
    smaller is kept (Holm 1979, Scandinavian Journal of Statistics 6(2), sec. 3). Valid under any dependence.
    """
    m = len(pvalues)
    values = [1.0 if math.isnan(p) else p for p in pvalues]
    adjusted, levels = [1.0] * m, [alpha] * m
    running, stopped = 0.0, 0
    for rank, i in enumerate(sorted(range(m), key=lambda j: (values[j], j))):
        running = max(running, min(1.0, (m - rank) * values[i]))
        adjusted[i] = running
        stopped = stopped or (m - rank if not values[i] < alpha / (m - rank) else 0)
        levels[i] = alpha / (stopped or m - rank)
    return Adjusted(tuple(adjusted), tuple(levels))
