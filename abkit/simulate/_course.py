"""What is the same in every run of a scenario: the units at each look, and how the level of the outcome moves."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from abkit import _check
from abkit._check import Float64Array
from abkit.evidence import Sample
from abkit.experiment import Experiment
from abkit.sequential import Look
from abkit.simulate._scenario import Scenario, allocation_of


@dataclass(frozen=True, eq=False, slots=True)
class Course:
    """Units and levels at each look; variants are the last axis, the control first.

    Parameters
    ----------
    variants : tuple of str
        The control and the treatments.
    total : float array, shape (looks,)
        Units of all variants up to each look.
    n : float array, shape (looks, variants)
        Expected units of each variant up to each look.
    planned : float array, shape (variants,)
        The planned share of each variant.
    level : float array, shape (looks, variants)
        How far the outcomes of a variant's units lie, on average, on the way from the first unit to the last.
    """

    variants: tuple[str, ...]
    total: Float64Array
    n: Float64Array
    planned: Float64Array
    level: Float64Array

    @property
    def information(self) -> Float64Array:
        """Of the difference of each treatment and the control, in units per variance; nan without units."""
        c, t = self.n[:, :1], self.n[:, 1:]
        return np.where((c > 0) & (t > 0), c * t / np.where(c + t > 0, c + t, 1.0), np.nan)

    @property
    def planned_information(self) -> float:
        """That of the treatment with the smallest planned share, at the last look and at the planned shares."""
        c, t = float(self.planned[0]), float(self.planned[1:].min())
        return float(self.total[-1]) * c * t / (c + t)

    def look(self, planned: int) -> Look:
        """The last look with all before it; beyond the planned ones it is said to be the last."""
        return Look(
            len(self.total), tuple(int(n) for n in self.total), True if planned and len(self.total) > planned else None
        )

    def samples(self, treatment: int, events: float | None, skewness: float | None) -> list[Sample]:
        """What is expected at each look: the share of units that have an event, and the skewness at the last."""
        c, t = self.n[:, 0], self.n[:, treatment + 1]
        share = float(self.planned[treatment + 1] / (self.planned[0] + self.planned[treatment + 1]))
        last = float(self.information[-1, treatment])
        found = []
        for units, smaller, h in zip(c + t, np.minimum(c, t), self.information[:, treatment], strict=True):
            with_event = None if events is None else round(events * smaller)
            skew = skewness * math.sqrt(last / h) if skewness is not None and h > 0 else None
            found.append(Sample(round(units), round(smaller), with_event, skew, share=share))
        return found


def course_of(plan: Experiment, scenario: Scenario, looks: npt.ArrayLike) -> Course:
    """The course of a plan in a scenario, looked at after so many units of all variants."""
    scenario.check(plan)
    planned = allocation_of(plan)
    total = _check.sample("looks", looks)
    if not total.size or not total[0] > 0 or not np.all(np.diff(total) > 0):
        raise ValueError(f"`looks` must rise from above 0; got {_check.show(total.tolist())}.")
    real = scenario.allocation or planned
    weights = np.array([real[variant] for variant in planned])
    weights = weights / weights.sum()
    at, shares = _stages(total / total[-1], scenario, weights)
    width, middle = np.diff(at)[:, None], (at[1:, None] + at[:-1, None]) / 2
    ends = np.searchsorted(at, total / total[-1]) - 1
    n, level = (np.cumsum(width * shares * factor, axis=0)[ends] for factor in (1.0, middle))
    found = np.array(list(planned.values()))
    return Course(tuple(planned), total, n * total[-1], found, level / np.where(n > 0, n, 1.0))


def _stages(at: Float64Array, scenario: Scenario, weights: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Where looks and stages end, as shares of all units, and the variants' shares between these ends."""
    stages = scenario.ramp or (1 - weights[0],)
    edges = np.arange(len(stages) + 1) / len(stages)
    ends = np.unique(np.concatenate([edges, at]))
    stage = np.searchsorted(edges, (ends[1:] + ends[:-1]) / 2) - 1
    treated = np.array(stages)[stage, None]
    others = weights[1:] / max(weights[1:].sum(), 1e-300)
    return ends, np.concatenate([1 - treated, treated * others], axis=1)
