"""A question about a model of a test, and the power that it gives."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from abkit._check import Float64Array
from abkit.power._question import Question
from abkit.power._statistic import Statistic, rejection, rejection_of_both


@dataclass(frozen=True, eq=False)
class Model:
    """How a test's statistic behaves: what a family of tests says of itself.

    Parameters
    ----------
    at : callable
        `at(n_control, n_treatment, mde, null, *parameters) -> Statistic`, for arrays of one shape. The drift is
        positive where the effect lies above the null.
    parameters : tuple of float array
        What else the test depends on: standard deviations, baselines, ...
    best_ratio : callable
        `best_ratio(n_control, mde, null, *parameters)`: the units of the treatment for one of the control that need
        the fewest units of both.
    assumptions : tuple of str
        What is taken to be so.
    fewest : float
        Units of each variant that the test must have; 0 where it may have any.
    lowest, highest : float array
        Effects that are possible; infinite where nothing bounds them.
    chance : callable, optional
        `chance(statistic, n_control, n_treatment, *parameters)`: the power, where it is not that of one statistic.
    """

    at: Callable[..., Statistic]
    parameters: tuple[Float64Array, ...]
    best_ratio: Callable[..., Float64Array]
    assumptions: tuple[str, ...]
    fewest: float = 0.0
    lowest: Float64Array | float = -math.inf
    highest: Float64Array | float = math.inf
    chance: Callable[..., Float64Array] | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Task:
    """A question about a model, with every argument of one shape."""

    name: str
    asked: Question
    model: Model
    arrays: tuple[Float64Array, ...]
    shape: tuple[int, ...]

    def treated(self, n: Float64Array, mde: Float64Array, *rest: Float64Array) -> Float64Array:
        """Units of the treatment; `rest` as for `power`."""
        _, margin, ratio, *parameters = rest
        if self.asked.ratio is not None:
            return n * ratio
        best = self.model.best_ratio(n, mde, margin * self.edge, *parameters)
        return np.maximum(n * best, self.model.fewest)

    def power(self, n: Float64Array, mde: Float64Array, *rest: Float64Array) -> Float64Array:
        """The chance of rejection; `rest` is alpha of one side, the margin, the ratio, and the parameters."""
        tail, margin, _, *parameters = rest
        asked, at = self.asked, self.model.at
        null, n_t = margin * self.edge, self.treated(n, mde, *rest)
        here = at(n, n_t, mde, null, *parameters)
        if asked.between:
            return rejection_of_both(here, turned(at(n, n_t, mde, margin, *parameters)), tail)
        here = turned(here) if asked.alternative == "less" else here
        if self.model.chance is not None:
            return self.model.chance(here, n, n_t, *parameters)
        if asked.monitor is not None:
            from abkit.power._monitored import monitored_power

            return monitored_power(asked, here, n, n_t)
        return rejection(here, tail, both=asked.alternative == "two-sided")

    @property
    def sides(self) -> int:
        """On how many sides it rejects."""
        return 2 if self.asked.alternative == "two-sided" and not self.asked.between else 1

    @property
    def edge(self) -> float:
        """The null for a margin of 1: the lower one of an equivalence."""
        inside = self.asked.hypothesis != "superiority"
        return (-1.0 if inside else 1.0) * self.asked.way


def turned(at: Statistic) -> Statistic:
    return at._replace(drift=-at.drift)
