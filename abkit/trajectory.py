"""An experiment through time: the report at every look."""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from abkit._sets import ConfidenceSet, finite_or_none
from abkit.experiment import Experiment
from abkit.logs import Group, TimedStatistics
from abkit.report import MetricResult, Report, make_report
from abkit.sequential import AnytimeValid, Bayesian, FixedHorizon, Look, Monitor
from abkit.types import ROWS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


@dataclass(frozen=True, repr=False)
class Trajectory:
    """The reports of one experiment at every look, each as the plan's monitor takes it.

    Printed, it is the last look, when each result was first shown, and what the looks did not use.

    Parameters
    ----------
    experiment : Experiment
        The plan.
    timed : TimedStatistics
        Statistics at every look, and what came late.
    """

    experiment: Experiment
    timed: TimedStatistics

    @property
    def times(self) -> tuple[datetime | float, ...]:
        """When the looks are."""
        return self.timed.looks

    @cached_property
    def looks(self) -> tuple[Look, ...]:
        """The looks with the units seen at each so far."""
        units = tuple(_units(self.experiment, statistics.groups) for statistics in self.timed.statistics)
        planned = len(getattr(self.experiment.monitor, "planned", ()))
        last = None if len(units) <= planned else False
        return tuple(Look(k + 1, units[: k + 1], last) for k in range(len(units)))

    @cached_property
    def reports(self) -> tuple[Report, ...]:
        """The report at every look."""
        looks = zip(self.timed.statistics, self.looks, strict=True)
        return tuple(make_report(self.experiment, statistics, look) for statistics, look in looks)

    def under(self, monitor: Monitor) -> Trajectory:
        """The same looks under another monitor."""
        return replace(self, experiment=replace(self.experiment, monitor=monitor))

    @cached_property
    def fixed(self) -> Trajectory:
        """The same looks as if each were the only one: what peeking would show."""
        return self.under(FixedHorizon(self.experiment.monitor.total))

    @cached_property
    def served(self) -> Trajectory:
        """The looks under a monitor that serves all of them: the plan's own, or AnytimeValid for a fixed horizon."""
        monitor = self.experiment.monitor
        return self.under(AnytimeValid(monitor.alpha)) if isinstance(monitor, FixedHorizon) else self

    def to_dicts(self) -> list[dict[str, Any]]:
        """One flat row a look, metric and treatment; `running` is the intersection of all intervals so far."""
        return [row for series in self._series() for row in series]

    def to_frame(self) -> pd.DataFrame:
        """A pandas DataFrame with one row a look, metric and treatment."""
        from abkit.adapters._tables import to_pandas

        return to_pandas(self.to_dicts())

    def notes(self) -> list[str]:
        """One sentence for each thing that a reader of the looks must know."""
        return [*self._what_looks_mean(), *self._late()]

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values for JSON."""
        return {
            "schema": "abkit.trajectory/1",
            "plan_sha256": self.experiment.sha256,
            "level": 1 - self.experiment.monitor.total,
            "every": self.timed.every,
            "window": self.timed.window,
            "looks": [{**row, "time": str(row["time"])} for row in self.to_dicts()],
            "late": asdict(self.timed.late),
            "notes": self.notes(),
        }

    def plot(self, metric: str | None = None, variant: str | None = None, ax: Axes | None = None) -> Axes:
        """The effect over time, with the fixed band and that of the plan's monitor; needs Matplotlib.

        Parameters
        ----------
        metric, variant : str, optional
            Which result; may be left out where there is one.
        ax : matplotlib Axes, optional
            Where to draw; by default a new figure.
        """
        from abkit.adapters._plots import plot_trajectory

        return plot_trajectory(self, *self.reports[-1].chosen(metric, variant), ax)

    def plot_boundary(self, metric: str | None = None, variant: str | None = None, ax: Axes | None = None) -> Axes:
        """The statistic at every look beside the critical values of the monitor; needs Matplotlib."""
        from abkit.adapters._plots import plot_boundary

        return plot_boundary(self, *self.reports[-1].chosen(metric, variant), ax)

    def rows(self, metric: str, variant: str) -> tuple[MetricResult, ...]:
        """One result at every look."""
        return tuple(
            row for report in self.reports for row in report.results if (row.metric, row.variant) == (metric, variant)
        )

    def __str__(self) -> str:
        first = f"{len(self.times)} looks, {_at(self.times[0])} to {_at(self.times[-1])}"
        lines = [first, "", *self._first_shown(), "", "at the last look", str(self.reports[-1])]
        return "\n".join([*lines, "", "about the looks", *(f"  {note}" for note in self.notes())])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"

    def _series(self) -> Iterator[list[dict[str, Any]]]:
        for last in self.reports[-1].results:
            rows = self.rows(last.metric, last.variant)
            fixed = self.fixed.rows(last.metric, last.variant)
            level = self.reports[-1].level
            ends = np.array([_ends(row, level) for row in rows])
            running = np.stack([np.maximum.accumulate(ends[:, 0]), np.minimum.accumulate(ends[:, 1])], axis=1)
            # the first report may lack a treatment that comes later
            at = zip(self.times[-len(rows) :], rows, ends, running, fixed, strict=True)
            yield [_flat(time, row, own, so_far, level, one) for time, row, own, so_far, one in at]

    def _first_shown(self) -> Iterator[str]:
        for series in self._series():
            name = f"`{series[0]['metric']}` of {series[0]['variant']}"
            found = next((row for row in series if _leaves_out_zero(row, "running")), None)
            peeked = sum(_leaves_out_zero(row, "fixed") for row in series)
            if isinstance(self.experiment.monitor, FixedHorizon):
                yield f"  {name}: differs at {peeked} of {len(series)} looks, each taken as if it were the only one"
                continue
            when = f"first shown to differ at {_at(found['time'])}" if found else "not shown to differ at any look"
            yield f"  {name}: {when}; a fixed test would have said so at {peeked} of {len(series)} looks"

    def _what_looks_mean(self) -> Iterator[str]:
        monitor, looks = self.experiment.monitor, len(self.times)
        if isinstance(monitor, FixedHorizon) and looks > 1:
            yield (
                f"the plan has a fixed horizon: each of the {looks} intervals is right at one look that was planned, "
                "not at all of them; AnytimeValid() or GroupSequential() is"
            )
        if isinstance(monitor, Bayesian) and looks > 1:
            yield self._what_stopping_does(monitor)
        if self.timed.every is None and looks > 1:
            yield (
                "the log holds statistics, not rows: looks are at one and the same effect only if every unit in them "
                "had been followed for equally long"
            )
        elif self.timed.window is None and self.experiment.unit != ROWS:
            yield (
                "totals are open-ended: later looks see longer exposure, so every look asks another question, and a "
                "running intersection has no meaning; give a `window` for looks at one and the same effect"
            )

    def _what_stopping_does(self, monitor: Bayesian) -> str:
        note = "a posterior is the same whenever one looks, and bounds no error rate over looks"
        units = [look.units[-1] for look in self.looks]
        if monitor.prior is not None or monitor.loss is not None or len(set(units)) < len(units):
            return note
        found = monitor.design(units)
        return (
            f"{note}: without an effect, one of these {len(units)} looks shows a gain in {found.alpha / 2:.1%} of all "
            "experiments"
        )

    def _late(self) -> Iterator[str]:
        late = self.timed.late
        counted = (
            (late.rows_without_time, "rows have no time: left out"),
            (late.rows_after_window, "rows came after their unit's window: left out"),
            (late.rows_after_last_look, "rows came after the last look: left out"),
            (late.units_incomplete, "units have a window that is open at the last look: left out"),
            (
                late.units_ending_after_last_row,
                "units are in the last look although their window ends after the last row: complete only if the log is",
            ),
        )
        return (f"{count:,} {what}" for count, what in counted if count)


def make_trajectory(experiment: Experiment, timed: TimedStatistics) -> Trajectory:
    """A trajectory with its reports, so that a look that the monitor cannot take is refused at once."""
    trajectory = Trajectory(experiment, timed)
    _ = trajectory.reports
    return trajectory


def _units(experiment: Experiment, groups: tuple[Group, ...]) -> int:
    known = experiment.allocation
    return sum(group.units for group in groups if known is None or group.variant in known)


def _at(time: object) -> str:
    """A time without parts that say nothing: midnight, and the decimals of whole numbers."""
    return str(time).removesuffix(" 00:00:00").removesuffix(".0")


def _ends(row: MetricResult, level: float) -> tuple[float, float]:
    """Lower and upper end of a result's interval; infinite where there is none."""
    region: ConfidenceSet | None = row.test.interval(level) if row.test else None
    return getattr(region, "low", -np.inf), getattr(region, "high", np.inf)


def _flat(time: object, row: MetricResult, own: Any, running: Any, level: float, fixed: MetricResult) -> dict[str, Any]:
    test = row.test
    values = {
        "estimate": test.estimate if test else None,
        "stderr": test.stderr if test else None,
        "low": float(own[0]),
        "high": float(own[1]),
        "running_low": float(running[0]),
        "running_high": float(running[1]),
        "fixed_low": _ends(fixed, level)[0],
        "fixed_high": _ends(fixed, level)[1],
    }
    return {
        "time": time,
        "metric": row.metric,
        "variant": row.variant,
        "n_control": row.n_control,
        "n_treatment": row.n_treatment,
        **{name: finite_or_none(value) for name, value in values.items()},
        "validity": test.validity if test else None,
        "reason": row.reason or (test.caution if test else None),
    }


def _leaves_out_zero(row: dict[str, Any], prefix: str) -> bool:
    low, high = row[f"{prefix}_low"], row[f"{prefix}_high"]
    return (low is not None and low > 0) or (high is not None and high < 0)
