"""The answer of a confidence sequence: one set per look, right at all of them at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from abkit._check import Float64Array, number
from abkit._sets import Interval, finite_or_none
from abkit.suffstats._base import IntArray
from abkit.types import Alternative


@dataclass(frozen=True, eq=False, repr=False)
class ConfidenceSequence:
    """Intervals at every look that together hold the parameter with probability 1 - alpha, whenever one stops.

    `low` and `high` are the current answers, each from the data up to its look; `running` intersects them, which is
    valid too and never widens. An empty intersection (low above high) says that the model, or the constancy of the
    parameter, does not hold.

    Printed, it is the last look.

    Parameters
    ----------
    method : str
        The name of the method.
    validity : {"exact", "asymptotic"}
        Whether 1 - alpha holds at any sample size, or only from a late enough start.
    alpha : float
        Probability that the parameter is ever left out.
    alternative : {"two-sided", "greater", "less"}
        With "greater" only `low` is finite, with "less" only `high`.
    n : int array, shape (looks,)
        What had been seen at each look: observations, units or events, as the method counts.
    estimate, low, high : float array, shape (looks,)
        At each look; an end may be infinite.
    log_evalue : function of a null
        The log of the e-process against that null, one number a look.
    order_matters : bool
        Whether the rows' order changes the answer, so that summaries cannot give it.
    caution : str or None
        Why the guarantee may not hold with data like these.
    """

    method: str
    validity: str
    alpha: float
    alternative: Alternative
    n: IntArray
    estimate: Float64Array
    low: Float64Array
    high: Float64Array
    log_evalue: Callable[[float], Float64Array]
    order_matters: bool = False
    caution: str | None = None

    @property
    def running(self) -> tuple[Float64Array, Float64Array]:
        """Lower and upper ends of the running intersection."""
        return np.maximum.accumulate(self.low), np.minimum.accumulate(self.high)

    def interval(self, *, running: bool = True) -> Interval:
        """The answer at the last look; `running`: the intersection of all looks so far."""
        low, high = self.running if running else (self.low, self.high)
        return Interval(float(low[-1]), float(high[-1]), 1 - self.alpha)

    def log_pvalue(self, null: float = 0.0, *, running: bool = True) -> Float64Array:
        """Log of the anytime-valid p-value of a null at every look; it never underflows."""
        log_p = np.minimum(0.0, -self.log_evalue(number("null", null)))
        return np.minimum.accumulate(log_p) if running else log_p

    def pvalue(self, null: float = 0.0, *, running: bool = True) -> float:
        """The p-value of a null at the last look; `running`: the smallest so far."""
        return math.exp(float(self.log_pvalue(null, running=running)[-1]))

    def __str__(self) -> str:
        now, so_far = self.interval(running=False), self.interval()
        looks = f"{len(self.n):,} look{'s' * (len(self.n) != 1)}, the last at {self.n[-1]:,}"
        name = ", ".join(dict.fromkeys((self.method, self.validity)))
        lines = [
            f"{name}, level {1 - self.alpha:g}, {self.alternative}: {looks}",
            f"estimate {self.estimate[-1]:.4g}, interval [{now.low:.4g}, {now.high:.4g}]",
        ]
        lines += [f"of all looks so far [{so_far.low:.4g}, {so_far.high:.4g}]"] if so_far != now else []
        lines += [f"caution: {self.caution}"] if self.caution else []
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; infinite and undefined numbers are None."""
        low, high = self.running
        arrays = {"estimate": self.estimate, "low": self.low, "high": self.high}
        arrays |= {"running_low": low, "running_high": high}
        return {
            "method": self.method,
            "validity": self.validity,
            "alpha": self.alpha,
            "alternative": self.alternative,
            "n": self.n.tolist(),
            **{name: [finite_or_none(value) for value in values.tolist()] for name, values in arrays.items()},
            "order_matters": self.order_matters,
            "caution": self.caution,
        }
