"""The answer: units and weeks for each metric, and for the rule as a whole."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from abkit import _check
from abkit._sets import finite_or_none
from abkit.errors import PlanError
from abkit.experiment import Experiment
from abkit.planning._more import More
from abkit.planning._sizing import Sizer
from abkit.planning._solve import Unanswerable
from abkit.types import Relative

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SCHEMA = "abkit.planning/1"
LONGEST_TABLE = 26


@dataclass(frozen=True, slots=True)
class MetricPlan:
    """What one metric needs.

    Parameters
    ----------
    metric, role, direction : str
        As in the plan.
    variant : str
        The treatment with the fewest units, which takes longest.
    baseline, sd : float or None
        Without a treatment: the metric's value, and the standard deviation of a unit before covariates.
    variance_kept : float
        The share of the estimate's variance that covariates leave.
    mde, mde_relative : float or None
        The true effect that the units and the power are for, in the metric's unit and as a share of the baseline's
        size; None of a guardrail, where there is none.
    margin, margin_relative : float or None
        The margin against which it is tested.
    level : float
        Confidence level of the two-sided interval that decides.
    power : float or None
        The chance that the metric shows what it is for.
    solved : str or None
        Which of "units", "mde" and "power" the other two gave.
    n_control, n_treatment, units : int or None
        Units of the control, of the treatment, and of all variants.
    units_expected : float or None
        Units of all variants when this metric alone would be decided, on average, where looks may be early.
    weeks : float or None
        How long that takes, where it is known how fast units come.
    detectable, detectable_relative : float or None
        The smallest effect, of a guardrail the smallest margin, that the units of the whole plan show with the power
        that the rule needs.
    reason : str or None
        Why there is no answer.
    """

    metric: str
    role: str
    direction: str
    variant: str
    baseline: float | None
    sd: float | None
    variance_kept: float
    mde: float | None
    mde_relative: float | None
    margin: float | None
    margin_relative: float | None
    level: float
    power: float | None
    solved: str | None
    n_control: int | None
    n_treatment: int | None
    units: int | None
    units_expected: float | None
    weeks: float | None
    detectable: float | None
    detectable_relative: float | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class RulePlan:
    """What the rule as a whole needs for a promotion.

    Parameters
    ----------
    power : float or None
        The chance of a promotion at least, whichever success metric has its effect.
    asked : float
        The chance that was asked.
    units : int or None
        Units of all variants: the largest need of a success metric or guardrail that a promotion depends on.
    allocation : dict of variant to int
        Units of each variant.
    units_expected : float or None
        Units of all variants when the experiment ends, on average at most, where it may end early.
    weeks, days : float or None
        How long that takes, where it is known how fast units come.
    decisive : str or None
        The metric with the largest need.
    each : float
        The power of each success metric and guardrail that this takes.
    false_harms, false_checks : float
        The chance at most that a harm is shown that is none, and that a check of sound data fails.
    reason : str or None
        Why there is no answer.
    """

    power: float | None
    asked: float
    units: int | None
    allocation: dict[str, int]
    units_expected: float | None
    weeks: float | None
    days: float | None
    decisive: str | None
    each: float
    false_harms: float
    false_checks: float
    reason: str | None = None


@dataclass(frozen=True, repr=False)
class Planning:
    """How many units and how long a plan needs.

    Printed, it is the answer in a sentence, a row for each metric, and what was assumed.

    Parameters
    ----------
    experiment : Experiment
        The plan.
    rule : RulePlan
        Of the rule as a whole.
    metrics : tuple of MetricPlan
        Of each metric.
    assumptions : tuple of str
        What was taken to be so, one sentence each.
    more : tuple of More
        Of the report of a running experiment: what has been seen, and how many units more bring the intervals to the
        width that was asked.
    """

    experiment: Experiment
    rule: RulePlan
    metrics: tuple[MetricPlan, ...]
    assumptions: tuple[str, ...]
    more: tuple[More, ...]
    sizer: Sizer = field(compare=False)
    weeks_asked: float | None = None

    def metric(self, name: str) -> MetricPlan:
        """The row of one metric."""
        for row in self.metrics:
            if row.metric == name:
                return row
        hint = _check.suggest(name, self.experiment.metrics)
        raise PlanError(f"`metric` must be one of {', '.join(self.experiment.metrics)}; got {name!r}.{hint}")

    def asked(self, metric: str) -> float | None:
        """The effect that was asked of a metric, as a share of the baseline's size; None where none was."""
        demand, row = self.sizer.demands[metric], self.metric(metric)
        return both_scales(self.sizer, metric, demand.size, row.baseline)[1]

    def unit_of(self, metric: str) -> float | None:
        """The effect that was asked of a metric, else the detectable one, on the scale that the plan has it on."""
        demand, row = self.sizer.demands[metric], self.metric(metric)
        detectable = row.detectable_relative if isinstance(demand.asked, Relative) else row.detectable
        return demand.size if (demand.size or 0) > 0 else detectable

    def power_curve(self, sizes: Sequence[float] | None = None) -> list[dict[str, Any]]:
        """The power of each metric at effects (of guardrails, margins) of many sizes, with the units of the plan.

        Parameters
        ----------
        sizes : sequence of float, optional
            As multiples of the effect that the plan is for, or of the detectable one where there is none; by default
            from 0 to 2.

        Returns
        -------
        list of dict
            metric, role, size (in the metric's unit, or as a share where the plan has it so), relative, power.
        """
        scale = np.linspace(0, 2, 41) if sizes is None else _check.sample("sizes", sizes)
        return list(self._curves(scale))

    def _curves(self, scale: np.ndarray) -> Iterator[dict[str, Any]]:
        for row in self.metrics:
            demand = self.sizer.demands[row.metric]
            relative = isinstance(demand.asked, Relative)
            one = self.unit_of(row.metric)
            if not self.rule.allocation or one is None:
                continue
            for size in scale * one:
                yield {
                    "metric": row.metric,
                    "role": row.role,
                    "size": float(size),
                    "relative": relative,
                    "power": self._power(row.metric, float(size)),
                }

    def _power(self, metric: str, size: float) -> float | None:
        try:
            demand = self.sizer.demands[metric]
            return self.sizer.power_of(demand, self.rule.allocation, size, self._when)
        except Unanswerable:
            return None

    @property
    def _when(self) -> float:
        return math.inf if self.rule.weeks is None else self.rule.weeks

    def mde_by_week(self, weeks: int | None = None) -> list[dict[str, Any]]:
        """The smallest effect (of guardrails, margin) that each metric shows after each week, with the rule's power.

        Parameters
        ----------
        weeks : int, optional
            How many; by default 8; more where the plan (up to 26) or the history takes longer.

        Returns
        -------
        list of dict
            week, units, metric, role, detectable (in the metric's unit), relative (as a share of the baseline's size),
            extrapolated (whether the history is shorter), reason (why there is none).

        Raises
        ------
        PlanError
            Nobody knows how fast units come.
        """
        return [dict(row) for row in self._table] if weeks is None else self._up_to(_check.count("weeks", weeks, 1))

    @cached_property
    def _table(self) -> list[dict[str, Any]]:
        source = self.sizer.source
        longest = max(min(max(self.weeks_asked or 0, self.rule.weeks or 0), LONGEST_TABLE), source.ends, 8)
        return self._up_to(math.ceil(longest - 1e-9))

    def _up_to(self, last: int) -> list[dict[str, Any]]:
        return [row for week in range(1, last + 1) for row in self._week(week)]

    def _week(self, week: int) -> Iterator[dict[str, Any]]:
        sizer = self.sizer
        arrived = sizer.source.units_at(week)
        units = sizer.allocation.of_total(arrived)
        for row in self.metrics:
            found, reason = sizer.detectable(sizer.demands[row.metric], units, week)
            absolute, relative = both_scales(sizer, row.metric, found, row.baseline)
            yield {
                "week": week,
                "units": math.floor(arrived),
                "metric": row.metric,
                "role": row.role,
                "detectable": absolute,
                "relative": relative,
                "extrapolated": 0 < sizer.source.ends < week - 1e-9,
                "reason": reason or None,
            }

    def plot(self, ax: Axes | None = None) -> Axes:
        """The smallest effect by week, as a share of the baseline; without a traffic, the power curve."""
        from abkit.adapters._planning_plots import plot_mde_by_week, plot_power

        return plot_power(self, ax) if self.sizer.source.per_week is None else plot_mde_by_week(self, ax)

    def plot_power(self, ax: Axes | None = None) -> Axes:
        """The power of each metric over the size of the effect, with the units of the plan."""
        from abkit.adapters._planning_plots import plot_power

        return plot_power(self, ax)

    def figure(self) -> Figure:
        """Both plots side by side, or the one that there can be."""
        from abkit.adapters._planning_plots import planning_figure

        return planning_figure(self)

    def to_dicts(self) -> list[dict[str, Any]]:
        """One flat row a metric, for tables."""
        return [_plain(asdict(row)) for row in self.metrics]

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values for JSON; what is unknown is None."""
        return {
            "schema": SCHEMA,
            "plan_sha256": self.experiment.sha256,
            "rule": _plain(asdict(self.rule)),
            "metrics": self.to_dicts(),
            "mde_by_week": [] if self.sizer.source.per_week is None else [_plain(row) for row in self.mde_by_week()],
            "more": [_plain(asdict(row)) for row in self.more],
            "assumptions": list(self.assumptions),
        }

    def __str__(self) -> str:
        from abkit.planning._text import planning_text

        return planning_text(self)

    def __repr__(self) -> str:
        return str(self)


def both_scales(
    sizer: Sizer, metric: str, size: float | None, baseline: float | None
) -> tuple[float | None, float | None]:
    """A size of a metric's demand in the metric's unit, and as a share of the baseline's size."""
    if size is None:
        return None, None
    if isinstance(sizer.demands[metric].asked, Relative):
        return (None if baseline is None else size * abs(baseline)), size
    return size, (size / abs(baseline) if baseline else None)


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: finite_or_none(value) if isinstance(value, float) else value for name, value in values.items()}
