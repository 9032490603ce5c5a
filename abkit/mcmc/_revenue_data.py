"""Revenue of units as a few numbers, and the rows of its tail."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from abkit import _check
from abkit._check import Float64Array

#: Share of the payers that are the tail, and the most and fewest rows that it has.
TAIL_SHARE, MOST_ROWS, FEWEST_ROWS = 0.1, 4_000, 20
FEWEST_PAYERS = 5


@dataclass(frozen=True, slots=True, eq=False)
class Spend:
    """Revenue of one variant: units, what each payer spent in order, and the moments of its logs."""

    units: int
    paid: Float64Array
    log_mean: float
    log_m2: float

    @property
    def payers(self) -> int:
        """Units with any revenue."""
        return int(self.paid.size)

    @property
    def mean(self) -> float:
        """Mean revenue of a unit, as the sample has it."""
        return float(self.paid.sum()) / self.units

    @property
    def stderr(self) -> float:
        """Standard error of that mean."""
        squares = np.square(self.paid - self.mean).sum() + (self.units - self.payers) * self.mean**2
        return float(np.sqrt(squares)) / self.units


@dataclass(frozen=True, slots=True, eq=False)
class Tail:
    """What payers spend, in two parts: mean and standard error up to a threshold, and each excess over it in order."""

    threshold: float
    below_mean: float
    below_stderr: float
    excess: Float64Array


def make_spend(name: str, revenue: object) -> Spend:
    """From one value a unit, zero for those who paid nothing."""
    values = _check.observations(name, revenue)
    if values.size and values.min() < 0:
        raise ValueError(
            f"`{name}` must not be negative; got {values.min():g}. Take refunds off the unit's revenue, or compare "
            "means."
        )
    paid = np.sort(values[values > 0])
    if paid.size < FEWEST_PAYERS:
        raise ValueError(
            f"`{name}` must have at least {FEWEST_PAYERS} payers; got {paid.size} among {values.size} units."
        )
    if paid[0] == paid[-1]:
        raise ValueError(f"`{name}` must have payers that differ; all paid {paid[0]:g}. Compare the shares of payers.")
    logs = np.log(paid)
    return Spend(values.size, paid, float(logs.mean()), float(np.square(logs - logs.mean()).sum()))


def make_tail(name: str, spend: Spend) -> Tail:
    """Cut at the 90% quantile of the payments, or lower where they are few; all that are alike lie on one side."""
    rows = min(max(round(TAIL_SHARE * spend.payers), FEWEST_ROWS), MOST_ROWS)
    where = int(np.searchsorted(spend.paid, spend.paid[-rows])) if rows <= spend.payers else 0
    if 2 * where < spend.payers:
        raise ValueError(
            f"`{name}` must have a tail where `tail` is 'pareto': {FEWEST_ROWS} payments that no more than half are as "
            f"large as; got {spend.payers} payments of {np.unique(spend.paid).size} different sizes. Compare means."
        )
    below, threshold = spend.paid[:where], float(spend.paid[where - 1])
    spread = float(below.std(ddof=1)) / np.sqrt(where)
    stderr = max(spread, threshold / where)  # as far as one more payment moves the mean, where all are alike
    return Tail(threshold, float(below.mean()), stderr, spend.paid[where:] - threshold)
