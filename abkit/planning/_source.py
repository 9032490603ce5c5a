"""What is known before an experiment, or while it runs: statistics of each metric, and how fast units come."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from abkit import _check
from abkit.adapters._history import read_history
from abkit.adapters._plan_file import SUFFIXES, read_mapping
from abkit.errors import DataError, PlanError
from abkit.experiment import Experiment
from abkit.logs import Distribution, History, ThirdMoments
from abkit.metrics import Metric, Paired, Proportion, Quantile, Rate, Ratio
from abkit.planning._solve import MOST
from abkit.report import Report, merge_groups
from abkit.suffstats import CoMoments, Counts, Moments

DAYS = 7.0
#: Of how many units a mean and a standard deviation are taken to be; only ratios of numbers of units matter.
NOMINAL = 1_000_000
#: Units of which there is a variance.
FEWEST = 2
KINDS: dict[str, type[Counts | Moments | CoMoments]] = {kind.kind: kind for kind in (Counts, Moments, CoMoments)}


@dataclass(frozen=True, eq=False)
class Source:
    """Cumulative statistics at the end of each period, and the units that had come by then.

    `every` is a period's length in weeks. `per_week` is what comes after the periods, or throughout where `units` is
    empty; None is unknown. `measured` are the plan's metrics as the statistics can answer them. `valued` are the
    shares of units of which a metric has a value, like `statistics`; all of them where nothing is said.
    """

    measured: dict[str, Metric]
    statistics: tuple[dict[str, CoMoments], ...]
    units: tuple[float, ...] = ()
    every: float | None = None
    per_week: float | None = None
    notes: tuple[str, ...] = ()
    report: Report | None = None
    valued: tuple[dict[str, float], ...] = ({},)

    @property
    def ends(self) -> float:
        """For how many weeks units were counted."""
        return len(self.units) * (self.every or 0.0)

    def units_at(self, weeks: float) -> float:
        """How many units have come by then."""
        if self.per_week is None:
            raise PlanError("`weeks` needs a traffic: give `units_per_week`, or a history with a column of times.")
        if weeks > self.ends or not self.units:
            return (self.units[-1] if self.units else 0.0) + (weeks - self.ends) * self.per_week
        times = np.arange(len(self.units) + 1) * (self.every or 0.0)
        return float(np.interp(weeks, times, (0.0, *self.units)))

    def weeks_for(self, units: float) -> float | None:
        """When as many have come; infinite where they never do, None where nobody knows."""
        if self.per_week is None:
            return None
        before, reached = 0.0, self.units[-1] if self.units else 0.0
        for period, after in enumerate(self.units):
            if units <= after:
                return (period + (units - before) / (after - before)) * (self.every or 0.0)
            before = after
        return self.ends + (units - reached) / self.per_week if self.per_week > 0 else math.inf

    def period(self, weeks: float) -> int:
        """The period in which so many weeks end, from 0; the last one where the history is shorter."""
        if self.every is None or math.isinf(weeks):
            return len(self.statistics) - 1
        return min(max(math.ceil(weeks / self.every - 1e-9), 1), len(self.statistics)) - 1

    def known_at(self, weeks: float) -> dict[str, CoMoments]:
        """The statistics at the end of that period; of what has none through time, the last ones."""
        return {**self.statistics[-1], **self.statistics[self.period(weeks)]}

    def valued_at(self, weeks: float) -> dict[str, float]:
        """The shares of units with a value at the end of that period."""
        return {**self.valued[-1], **self.valued[min(self.period(weeks), len(self.valued) - 1)]}


def read_source(experiment: Experiment, history: object, time: str | None, units_per_week: float | None) -> Source:
    """From a log or its history, a summary or the file of one, or the report of the running experiment."""
    per_week = None if units_per_week is None else _traffic(units_per_week)
    if isinstance(history, (str, os.PathLike)) and Path(history).suffix.lower() in SUFFIXES:
        history, per_week = _of_file(experiment, history, per_week)
    if time is not None and isinstance(history, (Report, History, Mapping)):
        raise PlanError(f"`time` must be left out but for a log; got {_check.show(time)}.")
    if isinstance(history, Report):
        return _of_report(experiment, history, per_week)
    if isinstance(history, Mapping):
        return _of_summary(experiment, history, per_week)
    if not isinstance(history, History):
        history = _of_log(experiment, history, time)
    return _of_history(experiment, history, per_week)


def _traffic(units_per_week: object) -> float:
    per_week = _check.at_least("units_per_week", units_per_week, 0)
    if per_week > MOST:
        raise PlanError(f"`units_per_week` must be at most {MOST:.3g}, as many as can be counted; got {per_week:g}.")
    return per_week


def _of_log(experiment: Experiment, log: object, time: str | None) -> History:
    try:
        return read_history(log, replace(experiment.request(), time=None), time=time)
    except PlanError as error:
        if "`every`" not in str(error):
            raise
        raise PlanError(
            f"`time` must name a column of dates or times; got {time!r}, of numbers, whose unit nobody said. Convert "
            "it before, such as by pandas.to_datetime, or leave `time` out and give `units_per_week`."
        ) from None


def _of_file(
    experiment: Experiment, path: str | os.PathLike[str], per_week: float | None
) -> tuple[Mapping[Any, Any], float | None]:
    """The metrics of a summary file, and the units a week that it names."""
    content = read_mapping(path, "summary")
    if isinstance(content, Mapping) and "metrics" in content and "metrics" not in experiment.metrics:
        unknown = [name for name in content if name not in ("metrics", "units_per_week")]
        if unknown:
            raise PlanError(f"the summary has {_check.show(unknown[0])}; its fields are metrics and units_per_week.")
        given = content.get("units_per_week")
        if per_week is None and given is not None:
            try:
                per_week = _traffic(given)
            except (TypeError, ValueError) as error:
                raise PlanError(str(error)) from error
        content = content["metrics"]
    if not isinstance(content, Mapping):
        raise PlanError(f"the summary must map metrics to statistics; got {_check.show(content)}.")
    return content, per_week


def _of_history(experiment: Experiment, history: History, per_week: float | None) -> Source:
    metrics, notes, statistics = dict(experiment.metrics), tuple(history.notes), _with_spread(experiment, history)
    valued = tuple(_valued(period, n) for period, n in zip(statistics, history.units, strict=True))
    every = None if history.every is None else history.every / DAYS
    if every is None or per_week is not None:
        if every is not None:
            notes += ("units come as `units_per_week` says, not as in the history",)
        return Source(metrics, statistics, (), every, per_week, notes, valued=valued)
    units = tuple(float(n) for n in history.units)
    rate = (units[-1] - (units[-2] if len(units) > 1 else 0.0)) / every
    notes += (f"units come as in the history, and after its {len(units) * every:.3g} weeks as in its last period",)
    return Source(metrics, statistics, units, every, rate, notes, valued=valued)


def _with_spread(experiment: Experiment, history: History) -> tuple[dict[str, CoMoments], ...]:
    """The statistics of each period without those of fewer units than a variance needs."""
    last = history.statistics[-1]
    for name in experiment.metrics:
        n = int(last[name].n) if name in last else 0
        if n < FEWEST:
            raise DataError(f"the history has {n} unit{'s' * (n != 1)} of `{name}`; at least {FEWEST} are needed.")
    return tuple({name: m for name, m in period.items() if m.n >= FEWEST} for period in history.statistics)


def _valued(statistics: Mapping[str, CoMoments], units: int) -> dict[str, float]:
    return {name: min(int(moments.n) / units, 1.0) for name, moments in statistics.items()}


def _of_report(experiment: Experiment, report: Report, per_week: float | None) -> Source:
    if report.experiment.sha256 != experiment.sha256:
        raise PlanError("`history` is a report of another plan; analyze the log under this one.")
    groups = [group for group in merge_groups(report.statistics.groups).values() if group.units]
    pooled: dict[str, CoMoments] = {}
    for name, metric in experiment.metrics.items():
        found = [group.moments[name] for group in groups if name in group.moments]
        if not found:
            raise DataError(f"the report has no units of `{name}` to plan with.")
        pooled[name] = found[-1] if metric.pairs else sum(found[1:], found[0])
    notes = ("variances are those of all variants pooled, blind to which unit was treated",)
    units = sum(group.units for group in groups)
    valued = {} if any(metric.pairs for metric in experiment.metrics.values()) else _valued(pooled, units)
    return Source(dict(experiment.metrics), (pooled,), (), None, per_week, notes, report, (valued,))


def _of_summary(experiment: Experiment, given: Mapping[Any, Any], per_week: float | None) -> Source:
    for name in given:
        if name not in experiment.metrics:
            hint = _check.suggest(name, experiment.metrics)
            listed = ", ".join(experiment.metrics)
            raise PlanError(
                f"`history` has {_check.show(name)}, which is no metric of the plan; it has {listed}.{hint}"
            )
    lacking = [name for name in experiment.metrics if name not in given]
    if lacking:
        raise PlanError(f"`history` must have every metric of the plan; {', '.join(lacking)} is missing.")
    statistics = {name: _statistics(name, metric, given[name]) for name, metric in experiment.metrics.items()}
    metrics = {name: _answerable(metric, statistics[name]) for name, metric in experiment.metrics.items()}
    notes = tuple(_without_covariates(experiment.metrics, metrics))
    return Source(metrics, (statistics,), (), None, per_week, notes)


def _answerable(metric: Metric, statistics: CoMoments) -> Metric:
    """The metric without covariates that the statistics do not have."""
    return metric if len(statistics.names) > len(metric.outcomes()) else replace(metric, covariates=())


def _without_covariates(planned: Mapping[str, Metric], known: Mapping[str, Metric]) -> Iterator[str]:
    for name, metric in planned.items():
        if metric.covariates and not known[name].covariates:
            yield f"the summary of `{name}` has no covariates, so what they gain is not counted"


def _statistics(name: str, metric: Metric, given: object) -> CoMoments:
    """One metric's statistics, from whichever form they have."""
    if isinstance(given, Mapping):
        given = _of_mapping(name, metric, dict(given))
    needed = 2 if isinstance(metric, (Ratio, Rate)) or metric.pairs else 1
    needed = 4 if isinstance(metric, Paired) and metric.denominator else needed
    if isinstance(metric, Quantile) and not isinstance(given, Distribution):
        raise PlanError(f"`history.{name}` is of a quantile, which no summary tells; give a log.")
    given = given.moments() if isinstance(given, Counts) else given
    if not isinstance(given, (Moments, CoMoments)) or not isinstance(given.n, int):
        raise PlanError(
            f"`history.{name}` must be Moments, Counts or CoMoments of one group; got {_check.show(given)}."
        )
    if isinstance(given, Moments):
        given = CoMoments(given.n, np.array([given.mean]), np.array([[given.m2]]), ("value",))
    if len(given.names) < needed:
        what = "(control, treatment) of the same units" if metric.pairs else "numerator and denominator"
        raise PlanError(
            f"`history.{name}` must be CoMoments of {needed} variables, {what}: a mean and an sd do not "
            "tell how these vary together. Give them as `CoMoments.to_dict` writes them, or give a log."
        )
    if not metric.covariates and not metric.pairs:  # what stands behind the outcomes would count as a covariate
        given = CoMoments(given.n, given.mean[:needed], given.m2[:needed, :needed], given.names[:needed])
    if given.n < FEWEST:
        raise PlanError(f"`history.{name}` must have at least {FEWEST} units; got {given.n}.")
    rate = float(given.mean[0])
    if isinstance(metric, Proportion) and not 0 <= rate <= 1:
        raise PlanError(f"`history.{name}` must be a rate from 0 to 1; got {rate:g}.")
    return given


def _of_mapping(name: str, metric: Metric, given: dict[Any, Any]) -> Moments | Counts | CoMoments:
    """A rate; a mean and a standard deviation; or statistics as `to_dict` wrote them."""
    try:
        if "kind" in given:
            kind = _check.choice(f"history.{name}.kind", given["kind"], tuple(KINDS))
            return KINDS[kind].from_dict(given)
        known = {"rate", "mean", "sd", "variance_kept", "correlation"}
        if not set(given) <= known or ("rate" in given) == ("mean" in given and "sd" in given):
            listed = ", ".join(map(str, given)) or "nothing"
            raise PlanError(f"`history.{name}` must be a rate, or a mean and an sd; got {listed}.")
        if "rate" in given:
            mean = _check.at_least(f"history.{name}.rate", given["rate"], 0)
            variance = max(mean * (1 - mean), 0.0)
        else:
            mean = _check.number(f"history.{name}.mean", given["mean"])
            variance = _check.at_least(f"history.{name}.sd", given["sd"], 0) ** 2
        return _nominal(name, metric, mean, variance, given)
    except (TypeError, ValueError) as error:
        raise PlanError(str(error)) from error


def _nominal(name: str, metric: Metric, mean: float, variance: float, given: dict[Any, Any]) -> Moments | CoMoments:
    if metric.pairs:
        if "correlation" not in given:
            raise PlanError(f"`history.{name}.correlation` must be given: of a unit's values under both variants.")
        between = _check.within(f"history.{name}.correlation", given["correlation"], -1, 1) * variance
        matrix = np.array([[variance, between], [between, variance]])
        return CoMoments(NOMINAL, np.array([mean, mean]), matrix * (NOMINAL - 1), ("control", "treatment"))
    if "variance_kept" in given and metric.covariates:
        kept = _check.within(f"history.{name}.variance_kept", given["variance_kept"], 0, 1 + 1e-12)
        between = math.sqrt(variance * max(1 - kept, 0.0))
        matrix = np.array([[variance, between], [between, 1.0]])
        return CoMoments(NOMINAL, np.array([mean, 0.0]), matrix * (NOMINAL - 1), ("value", "covariate"))
    return Moments(NOMINAL, mean, variance * (NOMINAL - 1))


def resized(moments: CoMoments, n: int) -> CoMoments:
    """The statistics that another number of the same units would have, on average."""
    share = (n - 1) / (int(moments.n) - 1)
    m2 = moments.m2 * share
    if not isinstance(moments, ThirdMoments):
        return CoMoments(n, moments.mean, m2, moments.names)
    of_all = n / int(moments.n)
    m3 = None if moments.m3 is None else moments.m3 * of_all
    return ThirdMoments(n, moments.mean, m2, moments.names, m3, round(moments.nonzero * of_all))
