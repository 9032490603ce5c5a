"""Two binomial counts: what their score test and their hybrid score interval share."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Self

from abkit.inference._inverted import InvertedEffect
from abkit.inference._mean_effect import MeanEffect
from abkit.suffstats import Counts


@dataclass(frozen=True, slots=True)
class TwoCounts(InvertedEffect):
    """Two counts with their exact gaps, and the ends of Newcombe's hybrid interval.

    Successes are whole numbers, except those of hypothetical units.
    """

    successes_control: float
    n_control: int
    successes_treatment: float
    n_treatment: int

    @property
    def control(self) -> float:
        """The control's proportion."""
        return self.successes_control / self.n_control

    @property
    def treatment(self) -> float:
        """The treatment's proportion."""
        return self.successes_treatment / self.n_treatment

    @property
    def estimate(self) -> float:
        """Treatment minus control."""
        return self.gap(0.0)

    @property
    def unpooled(self) -> MeanEffect:
        """The same proportions with each its own variance (Wald)."""
        c, t = self.successes_control, self.successes_treatment
        var_c = c * (self.n_control - c) / self.n_control**3
        var_t = t * (self.n_treatment - t) / self.n_treatment**3
        return MeanEffect(self.control, self.treatment, var_c, var_t, 0.0, math.inf)

    @property
    def swapped(self) -> Self:
        """The treatment as the control."""
        return replace(
            self,
            successes_control=self.successes_treatment,
            n_control=self.n_treatment,
            successes_treatment=self.successes_control,
            n_treatment=self.n_control,
        )

    def gap(self, null: float, share: float = 0.0) -> float:
        """Treatment - (1 + share) control - null, rounded once: whole numbers lose nothing near an end of the range."""
        (a, b), (r, s) = null.as_integer_ratio(), share.as_integer_ratio()
        (c, u), (t, v) = self.successes_control.as_integer_ratio(), self.successes_treatment.as_integer_ratio()
        difference = s * t * u * self.n_control - (r + s) * c * v * self.n_treatment
        both = s * u * v * self.n_control * self.n_treatment
        return (b * difference - a * both) / (b * both)

    def hybrid(self, z: float) -> float:
        """Newcombe's upper end of the difference."""
        return self.estimate + math.hypot(*self._reaches(z))

    def hybrid_share(self, z: float) -> float:
        """The upper end of the ratio, less one, that the same hybrid gives; the control has successes."""
        up, down = self._reaches(z)
        c, t = self.control, self.treatment
        rest = (c - down) * (c + down)
        return (t * c + math.sqrt((t * down) ** 2 + up * up * rest)) / rest - 1

    def _reaches(self, z: float) -> tuple[float, float]:
        """How far Wilson's upper limit lies above the treatment, and his lower one below the control."""
        failures = self.n_treatment - self.successes_treatment
        return wilson_reach(failures, self.n_treatment, z), wilson_reach(self.successes_control, self.n_control, z)


def wilson_reach(successes: float, n: int, z: float) -> float:
    """How far Wilson's lower limit lies below the proportion (Wilson 1927, JASA 22(158))."""
    lean = z * (n - 2 * successes) / (2 * n)
    variance = successes * (n - successes) / n
    root = math.sqrt(variance + z * z / 4)
    # two forms of one number: neither subtracts nearly equal terms
    return z * variance / (n * (root + lean)) if lean >= 0 else z * (root - lean) / (n + z * z)


def counts_of(name: str, data: object) -> Counts:
    """One variant's counts, from counts or from zeros and ones."""
    counts = data if isinstance(data, Counts) else Counts.from_sample(data, name)
    if not isinstance(counts.n, int):
        raise ValueError(f"`{name}` must describe one group; got statistics of many.")
    if counts.n < 1:
        raise ValueError(f"`{name}` must have at least 1 unit; got 0.")
    return counts
