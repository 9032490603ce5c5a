"""The effect by days since exposure."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from abkit import _check
from abkit.errors import PlanError
from abkit.experiment import Experiment
from abkit.logs import DailyStatistics
from abkit.metrics import Count, Mean, Metric, Proportion, Rate, Ratio
from abkit.report import Report, make_report
from abkit.sequential import FixedHorizon

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


@dataclass(frozen=True, repr=False)
class ExposureDays:
    """The effect on each day since a unit's first row, over the same units on every day.

    Each interval is that of a test for one look, and holds for one day: of many days some leave out the effect by
    chance. Whether the effect changes is one question, which `Trend` answers.

    Parameters
    ----------
    experiment : Experiment
        The plan with the metrics that have a value a day.
    daily : DailyStatistics
        Statistics of every day.
    """

    experiment: Experiment
    daily: DailyStatistics

    @cached_property
    def reports(self) -> tuple[Report, ...]:
        """The report of every day, the first of which begins with a unit's first row."""
        return tuple(make_report(self.experiment, statistics) for statistics in self.daily.statistics)

    def to_dicts(self) -> list[dict[str, Any]]:
        """One flat row a metric, treatment and day, counted from 0: the rows of `Report.to_dicts`."""
        rows = [{"day": day, **row} for day, report in enumerate(self.reports) for row in report.to_dicts()]
        metrics = list(self.experiment.metrics)
        return sorted(rows, key=lambda row: (metrics.index(row["metric"]), self._treatments.index(row["variant"])))

    def to_frame(self) -> pd.DataFrame:
        """A pandas DataFrame with one row a metric, treatment and day."""
        from abkit.adapters._tables import to_pandas

        return to_pandas(self.to_dicts())

    def plot(self, metric: str | None = None, variant: str | None = None, ax: Axes | None = None) -> Axes:
        """The effect by days since exposure, with its intervals; needs Matplotlib.

        Parameters
        ----------
        metric, variant : str, optional
            Which result; may be left out where there is one.
        ax : matplotlib Axes, optional
            Where to draw; by default a new figure.
        """
        from abkit.adapters._plots import plot_exposure_days

        return plot_exposure_days(self, *self.reports[0].chosen(metric, variant), ax)

    @property
    def _treatments(self) -> list[str]:
        return list(self.reports[0].variants[1:])

    def __str__(self) -> str:
        units = ", ".join(f"{variant} {n:,}" for variant, n in self.reports[0].units.items())
        return "\n".join([f"{len(self.reports)} days since the first row of each unit; units: {units}", *self._lines()])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"

    def _lines(self) -> Iterator[str]:
        level, before = self.reports[0].level, None
        for row in self.to_dicts():
            if (name := (row["metric"], row["variant"])) != before:
                yield f"\n`{name[0]}` of {name[1]}: estimate, and its {level:.4g} interval on each day alone"
            before = name
            shown = (row[column] for column in ("estimate", "low", "high"))
            if row["estimate"] is None:
                yield f"  day {row['day']}: {row['reason']}"
            else:
                estimate, low, high = ("none" if value is None else f"{value:.4g}" for value in shown)
                yield f"  day {row['day']}: {estimate} ({low} to {high})"


def make_exposure_days(experiment: Experiment, daily: DailyStatistics) -> ExposureDays:
    """The days with their reports, so that what cannot be compared is refused at once."""
    story = ExposureDays(experiment, daily)
    _ = story.reports
    return story


def daily_plan(experiment: Experiment, metrics: str | Sequence[str] | None) -> Experiment:
    """The plan with the metrics that are asked for, as they are on one day, for one look."""
    names = list(experiment.metrics) if metrics is None else list(_check.names("metrics", metrics))
    for name in names:
        _check.choice("metrics", name, list(experiment.metrics))
    chosen = {name: _of_one_day(name, experiment.metrics[name]) for name in names}
    return replace(experiment, metrics=chosen, segments=(), monitor=FixedHorizon(experiment.monitor.total))


def _of_one_day(name: str, metric: Metric) -> Metric:
    what = None
    if not isinstance(metric, (Mean, Count, Rate, Ratio, Proportion)):
        what = f"a {metric.kind} metric, which has no value a day"
    elif any(getattr(metric, cap, None) is not None for cap in ("cap", "denominator_cap")):
        what = "capped, since a cap is for all days of a unit together"
    if what:
        raise PlanError(f"`metrics.{name}` must not be {what}; name the metrics to be shown by day in `metrics`.")
    return replace(metric, covariates=())
