"""A planned test, and how often it rejects when it is done."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

#: Standard errors of the simulation that are chance, in a table of some dozens of lines.
CHANCE = 3.5


@dataclass(frozen=True)
class Case:
    """A line of the table.

    `rejections(rng, runs)` draws so many experiments of the planned size and counts those in which the very test that
    was planned rejects. `off` is how far from the planned power an approximate plan may be.
    """

    method: str
    setting: str
    power: float
    rejections: Callable[[np.random.Generator, int], int]
    off: float = 0.0

    def bound(self, runs: int) -> float:
        """How far from the planned power chance may bring the share."""
        return self.off + CHANCE * math.sqrt(self.power * (1 - self.power) / runs)


def counted(rejects: Callable[[np.random.Generator], bool]) -> Callable[[np.random.Generator, int], int]:
    """One experiment after the other."""
    return lambda rng, runs: sum(bool(rejects(rng)) for _ in range(runs))
