"""What rank tests of two variants need of their values: one merge of two sorted samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from abkit import _check
from abkit._check import Float64Array


@dataclass(frozen=True, slots=True)
class Ranks:
    """The chance that a treated unit exceeds a control unit, with the pieces of its variances.

    A unit's placement is the share of the other variant's units below it, ties counted half.
    """

    n_control: int
    n_treatment: int
    twice_u: int  # of n_control x n_treatment pairs, those won by the treatment count two, ties one
    superiority: float
    var_null: float  # of `superiority`, where both variants have one distribution and these ties
    placements_control: float  # sums of squared deviations of the placements
    placements_treatment: float
    tied: bool
    apart: int  # of the variant that has fewer of them, units whose value is not the commonest one

    @property
    def estimate(self) -> float:
        """Superiority less 1/2, without the rounding of that difference."""
        pairs = self.n_control * self.n_treatment
        return (self.twice_u - pairs) / (2 * pairs)

    @property
    def var_control(self) -> float:
        """Variance of the control's mean placement: one of the two parts of that of `superiority`."""
        return self.placements_control / self.n_control / (self.n_control - 1)

    @property
    def var_treatment(self) -> float:
        """Variance of the treatment's mean placement."""
        return self.placements_treatment / self.n_treatment / (self.n_treatment - 1)

    @property
    def upsets(self) -> float:
        """Roughly how many units of the smaller variant lie on the other side of those that they should be beyond."""
        return self.apart * min(self.superiority, 1 - self.superiority)


def ranked(control: object, treatment: object, least: int) -> Ranks:
    """Compare every treated unit with every control unit."""
    c, t = _sample("control", control, least), _sample("treatment", treatment, least)
    in_control, in_treatment = _counts_of_values(c, t)
    n_c, n_t = c.size, t.size
    n = n_c + n_t
    upto_c, upto_t = np.cumsum(in_control), np.cumsum(in_treatment)
    control_below = 2 * upto_c - in_control  # twice the control's units below each value, ties counted half
    treatment_below = 2 * upto_t - in_treatment
    twice_u = int(in_treatment @ control_below)
    superiority = twice_u / (2 * n_c * n_t)
    of_treatment = control_below / (2 * n_c) - superiority
    of_control = treatment_below / (2 * n_t) - (1 - superiority)
    both = in_control + in_treatment
    centred_rank = (control_below + treatment_below - n) / 2
    commonest = int(np.argmax(both))
    return Ranks(
        n_c,
        n_t,
        twice_u,
        superiority,
        float(both @ (centred_rank * centred_rank)) / (float(n) * max(n - 1, 1) * n_c * n_t),
        float(in_control @ (of_control * of_control)),
        float(in_treatment @ (of_treatment * of_treatment)),
        bool(both.size < n),
        int(min(n_c - in_control[commonest], n_t - in_treatment[commonest])),
    )


def _counts_of_values(c: Float64Array, t: Float64Array) -> tuple[np.ndarray, np.ndarray]:
    """How many units of each variant have each distinct value, in the order of the values."""
    values = np.concatenate([np.sort(c), np.sort(t)])
    order = np.argsort(values, kind="stable")  # of two sorted runs: one merge
    values = values[order]
    last = np.append(values[1:] != values[:-1], True)
    treatment = np.diff(np.cumsum(order >= c.size)[last], prepend=0)
    return np.diff(np.flatnonzero(last) + 1, prepend=0) - treatment, treatment


def _sample(name: str, values: object, least: int) -> Float64Array:
    sample = _check.sample(name, values)
    if sample.size < least:
        units = "1 unit" if least == 1 else f"{least} units"
        raise ValueError(f"`{name}` must have at least {units}; got {sample.size}.")
    return sample
