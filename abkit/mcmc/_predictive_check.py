"""Whether data that a model makes look like those that came."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from abkit._check import Float64Array

_STATISTICS: dict[str, Callable[[Any], Any]] = {
    "mean": lambda x: x.mean(axis=-1),
    "sd": lambda x: x.std(axis=-1, ddof=1),
    "smallest": lambda x: x.min(axis=-1),
    "largest": lambda x: x.max(axis=-1),
}
#: A probability nearer to 0 or 1 than this is said to conflict.
EXTREME = 0.01


@dataclass(frozen=True, slots=True)
class PredictiveCheck:
    """Statistics of the estimates beside those that the model makes.

    Parameters
    ----------
    kind : {"prior", "posterior"}
        Whether the model made them before or after it saw the data.
    observed : dict
        Mean, sd, smallest and largest of the estimates.
    predicted : dict
        The 2.5, 50 and 97.5% points of each in what the model makes.
    probability : dict
        The probability that the model makes a value at least as large as the observed one.
    """

    kind: str
    observed: dict[str, float]
    predicted: dict[str, tuple[float, float, float]]
    probability: dict[str, float]

    @property
    def conflicts(self) -> tuple[str, ...]:
        """The statistics that the model hardly makes: a probability under 0.01 or over 0.99."""
        return tuple(name for name, p in self.probability.items() if not EXTREME <= p <= 1 - EXTREME)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        rows = {
            name: {"observed": value, "predicted": list(self.predicted[name]), "probability": self.probability[name]}
            for name, value in self.observed.items()
        }
        return {"kind": self.kind, "statistics": rows, "conflicts": list(self.conflicts)}

    def __str__(self) -> str:
        lines = [
            f"{name} {value:.4g}: the {self.kind} makes {self.predicted[name][0]:.4g} to {self.predicted[name][2]:.4g} "
            f"(95%), and a larger one with probability {self.probability[name]:.3g}"
            f"{'  CONFLICT' * (name in self.conflicts)}"
            for name, value in self.observed.items()
        ]
        return "\n".join(lines)


def predictive_check(kind: str, made: Float64Array, observed: Float64Array) -> PredictiveCheck:
    """Compare data of shape (draws, effects) with those observed, shape (effects,)."""
    found, ranges, probability = {}, {}, {}
    for name, statistic in _STATISTICS.items():
        of_made, found[name] = statistic(made), float(statistic(observed))
        low, middle, high = np.quantile(of_made, (0.025, 0.5, 0.975))
        ranges[name] = (float(low), float(middle), float(high))
        # ties count half: rare outcomes make the same counts often
        probability[name] = float(np.mean(of_made > found[name]) + np.mean(of_made == found[name]) / 2)
    return PredictiveCheck(kind, found, ranges, probability)
