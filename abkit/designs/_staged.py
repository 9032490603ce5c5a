"""A ramp: units of several stages, in each of which chance gave them their variant with other probabilities."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from abkit import _times
from abkit._checks import Check, at_any_time, data_checks, ratio_pvalue, ratio_status
from abkit._sets import finite_or_none
from abkit.adapters._analyze import read_statistics
from abkit.designs._stage_tests import FEWEST, compare_stages, over_stages
from abkit.errors import DataError, PlanError
from abkit.experiment import Experiment
from abkit.logs import Group, LogStatistics, Ramp, StageLog, StagesSeen
from abkit.metrics import Proportion
from abkit.report import (
    MetricResult,
    Report,
    look_of,
    make_report,
    merge_groups,
    quality_metrics,
    require_two_variants,
    treatments_of,
)
from abkit.sequential import Look
from abkit.strategies import Canary, Ramped
from abkit.suffstats import CoMoments


def analyze_ramp(experiment: Experiment, strategy: Canary, log: object, look: int | Look | None) -> Report:
    """The report on a log of a canary, by stages where it has a column of them."""
    ramp = _ramp(strategy)
    statistics = read_statistics(log, replace(experiment.request(), ramp=ramp))
    if ramp is not None and statistics.stages is None:
        raise DataError("checkpoints have neither stages nor rows that warm up; give the rows themselves.")
    report = staged_report if strategy.stage is not None else make_report
    return _with_notes(report(experiment, statistics, look))


def _ramp(strategy: Canary) -> Ramp | None:
    """What a canary asks of its log."""
    if strategy.stage is None and strategy.warm_up is None:
        return None
    warm_up = None
    if strategy.warm_up is not None:
        warm_up = _times.duration("strategy.warm_up", strategy.warm_up) // dt.timedelta(microseconds=1)
    return Ramp(strategy.stage, max(len(strategy.stages), 1), warm_up)


def staged_report(experiment: Experiment, statistics: LogStatistics, look: int | Look | None = None) -> Report:
    """Tests and checks within stages and over them, from statistics whose last segment is the stage."""
    strategy, seen = experiment.strategy, statistics.stages
    assert isinstance(strategy, Ramped) and seen is not None  # noqa: S101, PT018 - the design says so
    whole = merge_groups(statistics.groups)
    treatments = treatments_of(experiment, whole)
    require_two_variants(experiment, statistics, whole)
    if len(treatments) > 1:
        raise PlanError(
            f"`strategy.stages` have two variants, and the log has {', '.join([experiment.control, *treatments])}; "
            "name the two that are compared in `allocation`."
        )
    variants = (experiment.control, treatments[0])
    stages = {n: _stage_log(statistics.groups, n, variants, seen) for n in seen.rows}
    units = {variant: sum(stage.units[variant] for stage in stages.values()) for variant in variants}
    at = look_of(experiment, look, sum(units.values()))
    ramp = Strata(experiment, at, variants, strategy)
    results = tuple(ramp.compare(name, statistics.groups) for name in experiment.metrics)
    flat = replace(statistics, groups=_without_stage(statistics.groups))
    checks = (
        *data_checks(experiment, flat, ramp.pooled(statistics.groups), units, _ratio(experiment, strategy, stages)),
        _placed(experiment, statistics, seen),
        *quality_metrics(experiment, results),
    )
    return Report(
        experiment, flat, variants, units, results, tuple(ramp.segments(statistics.groups)), checks, at, stages
    )


@dataclass(frozen=True, slots=True)
class Strata:
    """How the two variants of a ramp are compared at one look."""

    experiment: Experiment
    look: Look
    variants: tuple[str, str]
    strategy: Ramped

    def compare(self, name: str, groups: tuple[Group, ...], segment: str | None = None) -> MetricResult:
        """One metric over all stages."""
        strata = {
            n: merge_groups(group for group in groups if group.segments[-1] == str(n)) for n in self._numbers(groups)
        }
        return compare_stages(self.experiment, self.look, name, self.variants, strata, self.strategy, segment)

    def segments(self, groups: tuple[Group, ...]) -> Iterator[MetricResult]:
        """Every metric within each value of each segment column."""
        for i, column in enumerate(self.experiment.segments):
            for value in sorted({group.segments[i] for group in groups}):
                found = tuple(group for group in groups if group.segments[i] == value)
                for name in self.experiment.metrics:
                    yield self.compare(name, found, f"{column}={value}")

    def pooled(self, groups: tuple[Group, ...]) -> dict[str, Group]:
        """Each variant's statistics with the same weights of the stages in both, so that they can be compared."""
        whole = merge_groups(groups)
        if any(variant not in whole for variant in self.variants):
            return whole
        control, treatment = (whole[variant] for variant in self.variants)
        stages = [merge_groups(g for g in groups if g.segments[-1] == str(n)) for n in self._numbers(groups)]
        both = [[stage[variant] for variant in self.variants] for stage in stages if set(self.variants) <= set(stage)]
        moments: list[dict[str, CoMoments]] = [{}, {}]
        for name, as_they_are in control.moments.items():
            pairs = [(c.moments.get(name), t.moments.get(name)) for c, t in both]
            found = over_stages(pairs) or (as_they_are, treatment.moments.get(name))
            for place, part in zip(moments, found, strict=True):
                place.update({name: part} if part is not None else {})
        return {v: replace(whole[v], moments=place) for v, place in zip(self.variants, moments, strict=True)}

    def _numbers(self, groups: tuple[Group, ...]) -> list[int]:
        known = {str(n): n for n in range(1, len(self.strategy.stages) + 1)}
        return sorted({known[group.segments[-1]] for group in groups if group.segments[-1] in known})


def _stage_log(groups: tuple[Group, ...], number: int, variants: tuple[str, ...], seen: StagesSeen) -> StageLog:
    units = dict.fromkeys(variants, 0)
    for group in groups:
        if group.segments[-1] == str(number) and group.variant in units:
            units[group.variant] += group.units
    return StageLog(units, seen.first.get(number))


def _without_stage(groups: tuple[Group, ...]) -> tuple[Group, ...]:
    by_segments: dict[tuple[str, ...], list[Group]] = {}
    for group in groups:
        by_segments.setdefault((group.variant, *group.segments[:-1]), []).append(group)
    return tuple(
        replace(merge_groups(parts)[key[0]], segments=tuple(key[1:])) for key, parts in sorted(by_segments.items())
    )


def _ratio(experiment: Experiment, strategy: Ramped, stages: dict[int, StageLog]) -> Check:
    """The sample ratio within each stage against the stage's own; the planned stages share the level."""
    pvalues, shown = [1.0], []
    for number, stage in stages.items():
        split = strategy.stages[number - 1].split
        pvalue, _ = ratio_pvalue(experiment, stage.units, dict(zip(stage.units, split, strict=True)))
        pvalues += [] if math.isnan(pvalue) else [pvalue]
        observed, planned = (" : ".join(f"{n:,g}" for n in numbers) for numbers in (stage.units.values(), split))
        shown.append(f"stage {number} {observed} ({planned} planned)")
    pvalue = min(1.0, len(strategy.stages) * min(pvalues))
    message = f"units {'; '.join(shown)}; p = {pvalue:.3g}{at_any_time(experiment)}, of all stages together"
    return Check("sample_ratio", ratio_status(experiment, pvalue), message, finite_or_none(pvalue))


def _placed(experiment: Experiment, statistics: LogStatistics, seen: StagesSeen) -> Check:
    """Rows of no stage may be of any, and of any variant's harm."""
    rows, limit = statistics.audit.rows, experiment.quality.contaminated
    share = seen.without_stage / rows if rows else 0.0
    message = (
        f"{seen.without_stage:,} of {rows:,} rows without a stage of the plan, left out (limit {limit:.2%}); "
        f"{seen.later:,} of units that were first seen in an earlier stage, left out"
    )
    return Check("stages", "fail" if share > limit else "pass", message, share)


def _empty(seen: StagesSeen, stages: dict[int, StageLog]) -> Iterator[str]:
    """Stages that compare nothing."""
    for number, stage in stages.items():
        if min(stage.units.values()) < FEWEST:
            listed = ", ".join(f"{variant} {n:,}" for variant, n in stage.units.items())
            yield f"stage {number} compares nothing ({listed} of {seen.rows[number]:,} rows): not in the estimates"


def _with_notes(report: Report) -> Report:
    """The report with a sentence for all that its results leave out."""
    statistics, seen = report.statistics, report.statistics.stages
    notes = [*statistics.notes]
    if seen is not None:
        left_out = (
            (seen.later, "rows are of units that were first seen in an earlier stage"),
            (seen.without_stage, "rows have no stage of the plan"),
            (seen.warming_up, "rows are of the while in which a stage warms up"),
        )
        notes += [f"{count:,} {what}: left out" for count, what in left_out if count]
        notes += _empty(seen, dict(report.stages))
    return replace(report, statistics=replace(statistics, notes=(*notes, *_rare(report))))


def _rare(report: Report) -> Iterator[str]:
    """The rule of three: what happens to fewer than 3 in n units is missed by n of them in 1 of 20 cases."""
    for row in report.results:
        metric = report.experiment.metrics[row.metric]
        if isinstance(metric, Proportion) and metric.direction == "decrease" and row.n_treatment >= 3:
            rate = 3 / row.n_treatment
            yield (
                f"`{row.metric}`: what befalls fewer than 3 in {row.n_treatment:,} units ({rate:.2g}) of {row.variant} "
                "may not have happened yet, and cannot be excluded"
            )
