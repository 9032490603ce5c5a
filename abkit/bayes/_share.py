"""The effect as a share of the control: what a lift is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from abkit._check import Float64Array
from abkit.bayes._law import ONE_SD, Law


@dataclass(frozen=True, eq=False)
class ShareLaw(Law):
    """The distribution of exp(effect) - 1, for the law of a log ratio."""

    log_ratio: Any
    scale = "relative"

    @property
    def support(self) -> tuple[float, float]:
        """From nothing left, up."""
        return (-1.0, np.inf)

    @cached_property
    def mean(self) -> Float64Array:
        """The median: a mean need not exist."""
        return self.ppf(np.full(self.start[0].shape, 0.5))

    @cached_property
    def sd(self) -> Float64Array:
        """Half of the distance between the quantiles that are a standard deviation from a normal's mean."""
        low, high = self.ends(np.full(self.start[0].shape, ONE_SD))
        return np.asarray((high - low) / 2)

    @property
    def start(self) -> tuple[Float64Array, Float64Array]:
        """A centre and a spread, of the log ratio."""
        return tuple(np.asarray(part) for part in self.log_ratio.start)  # type: ignore[return-value]

    def rows(self, chosen: Any) -> ShareLaw:
        """The law of some of the pairs."""
        return ShareLaw(self.log_ratio.rows(chosen))

    def look(self, x: Any) -> tuple[Float64Array, Float64Array, Float64Array]:
        """Those of the log ratio at log(1 + x)."""
        x = np.asarray(x, dtype=np.float64)
        inside = x > -1
        at = np.log1p(np.where(inside, x, 0.0))
        below, above, density = self.log_ratio.look(at)
        return np.where(inside, below, 0.0), np.where(inside, above, 1.0), np.where(inside, density * np.exp(-at), 0.0)

    def ppf(self, q: Any) -> Float64Array:
        """The share below which the probability is q."""
        return np.asarray(np.expm1(self.log_ratio.ppf(q)))

    def isf(self, q: Any) -> Float64Array:
        """The share above which the probability is q."""
        return np.asarray(np.expm1(self.log_ratio.isf(q)))

    def ends(self, below: Any, above: Any | None = None) -> tuple[Float64Array, Float64Array]:
        """The shares with these probabilities below the one and above the other."""
        low, high = self.log_ratio.ends(below, above)
        return np.asarray(np.expm1(low)), np.asarray(np.expm1(high))
