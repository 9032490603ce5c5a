"""Events of a feature flag: who was exposed to which variant by chance, and what was tracked of them from then on."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import cast

from abkit import _times
from abkit.adapters._events import PARTS, UNIT, VARIANT, Wanted
from abkit.adapters._events_log import FlagLog, open_flag_log
from abkit.adapters._events_query import EventCounts, Flag
from abkit.adapters._given import given_statistics
from abkit.designs._events_checks import Splits, event_checks, event_notes
from abkit.errors import DataError, PlanError
from abkit.experiment import Experiment
from abkit.inference import heterogeneity_test
from abkit.logs import Audit, Group, LogStatistics, Ramp, Request, Span, StageLog, Variable
from abkit.report import Comparison, Report, make_report, merge_groups
from abkit.sequential import Look
from abkit.strategies import FeatureFlag

#: Other flags that are looked at where the plan names none.
MOST_OTHERS = 5
#: Columns of the units' table that no event can be called, since its columns have these names.
NUMBER, ELSEWHERE = "number of the stage", "variant of the other flag"
_DERIVED = re.compile(r"(count|any)\((.+)\)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a plan asks of the events: their names, the columns made of them, and what is known at exposure."""

    request: Request
    names: tuple[str, ...]
    tracked: dict[str, str]
    known: dict[str, str]
    covariates: tuple[str, ...]


def analyze_events(experiment: Experiment, log: object, look: int | Look | None) -> Report:
    """The report on the events of a flag."""
    given = None if isinstance(log, Mapping) and {*log} & {*PARTS} else given_statistics(experiment, log)
    if given is not None:
        return make_report(experiment, given, look)
    strategy = cast("FeatureFlag", experiment.strategy)
    asked = _asked(experiment.request())
    with open_flag_log(log, _flag(experiment), _wanted(experiment, asked), asked.names, strategy.others) as found:
        counts = found.counts
        _refuse_nobody(experiment, counts)
        numbers = _numbers(strategy, counts)
        statistics = _statistics(found, asked, numbers)
        others = _chosen(strategy, counts)
        notes = (*event_notes(experiment, counts), *_interactions(experiment, found, asked, others, look))
    statistics = replace(
        statistics, audit=_audit(counts, statistics.audit, keyed=bool(experiment.key)), span=_span(counts), notes=notes
    )
    report = _report(experiment, statistics, look, staged=numbers is not None)
    splits = Splits.of(experiment, report.variants, counts, numbers)
    checks = tuple(event_checks(experiment, counts, splits, others))
    named = {check.id for check in checks}
    kept = tuple(check for check in report.checks if check.id not in named)
    return replace(report, checks=(*checks, *kept), stages=_stages(counts, numbers, report.variants))


def _asked(request: Request) -> Asked:
    """A unit's outcomes are columns by the names of events; what it had before is a column of its evaluation."""
    names: dict[str, int] = {}
    tracked: dict[str, str] = {}
    known = {request.unit: "x.unit", request.variant: "x.variant"}
    known |= {name: f"x.s{i}" for i, name in enumerate(request.segments)}
    covariates: dict[str, None] = {}

    def placed(variable: Variable) -> Variable:
        if variable.per_unit == "same":
            covariates[variable.column] = None
            return variable
        found = _DERIVED.fullmatch(variable.column)
        how, name = (found[1], found[2]) if found else ("sum", variable.column)
        if variable.binary and how == "sum":
            how, variable = "any", replace(variable, column=f"any({name})")
        tracked[variable.column] = f"{how} {names.setdefault(name, len(names))}"
        return variable

    blocks = tuple(replace(b, variables=tuple(placed(v) for v in b.variables)) for b in request.blocks)
    known |= {name: f"x.c{i}" for i, name in enumerate(covariates)}
    both = sorted({*tracked} & {*known})
    if both:
        raise PlanError(f"`metrics` must not name {both[0]!r}, which is a field of the evaluations here.")
    request = replace(request, blocks=blocks, key=(), time=None)
    return Asked(request, tuple(names), tracked, known, tuple(covariates))


def _flag(experiment: Experiment) -> Flag:
    strategy = cast("FeatureFlag", experiment.strategy)
    skew = _times.duration("strategy.skew", strategy.skew) // timedelta(microseconds=1) if strategy.skew else 0
    return Flag(strategy.flag, strategy.flag_set, strategy.reasons, experiment.control, skew)


def _wanted(experiment: Experiment, asked: Asked) -> Wanted:
    request = experiment.request()
    return Wanted(
        None if experiment.unit == UNIT else experiment.unit,
        None if experiment.variant == VARIANT else experiment.variant,
        experiment.time,
        cast("FeatureFlag", experiment.strategy).stage,
        request.key,
        request.segments,
        asked.covariates,
    )


def _refuse_nobody(experiment: Experiment, counts: EventCounts) -> None:
    if counts.units:
        return
    strategy = cast("FeatureFlag", experiment.strategy)
    listed = ", ".join(f"{n:,} {reason}" for reason, n in counts.reasons.items())
    lost = ", ".join(f"{n:,} without a {what}" for what, n in counts.incomplete.items() if n)
    raise DataError(
        f"no unit of the flag {strategy.flag!r} has an evaluation by chance ({', '.join(strategy.reasons)}) with a "
        f"unit, a variant and a time; the log has {listed}{f'; of those by chance {lost}' * bool(lost)}. Name the "
        "reasons that are chance in `strategy.reasons`, or correct the log."
    )


def _numbers(strategy: FeatureFlag, counts: EventCounts) -> dict[str | None, int] | None:
    """The number of the stage that each version of the flag was in; None where the plan has no stages."""
    if not strategy.stages:
        return None
    versions = [stratum.version for stratum in counts.strata]
    if strategy.stage is None:
        return {version: min(i, len(strategy.stages)) for i, version in enumerate(versions, 1)}
    known = {str(n): n for n in range(1, len(strategy.stages) + 1)}
    unknown = [repr(version) for version in versions if version not in known]
    if unknown:
        raise DataError(
            f"the column `{strategy.stage}` must hold the numbers of the stages, 1 to {len(known)}; got {unknown[0]}."
        )
    return {version: known[str(version)] for version in versions}


def _statistics(found: FlagLog, asked: Asked, numbers: dict[str | None, int] | None) -> LogStatistics:
    if numbers is None:
        return found.statistics(asked.request, asked.known, asked.tracked)
    found.number(numbers)
    request = replace(asked.request, ramp=Ramp(NUMBER, max(numbers.values())))
    return found.statistics(request, {**asked.known, NUMBER: "x.stage"}, asked.tracked)


def _report(experiment: Experiment, statistics: LogStatistics, look: int | Look | None, *, staged: bool) -> Report:
    if not staged:
        return make_report(experiment, statistics, look)
    from abkit.designs._staged import staged_report

    return staged_report(experiment, statistics, look)


def _stages(
    counts: EventCounts, numbers: dict[str | None, int] | None, variants: tuple[str, ...]
) -> dict[int, StageLog]:
    """The units of each stage, and when its first was exposed."""
    found: dict[int, StageLog] = {}
    for stratum in counts.strata if numbers else ():
        number, begun = (numbers or {})[stratum.version], _moment(stratum.first)
        before = found.get(number, StageLog(dict.fromkeys(variants, 0), begun))
        units = {variant: before.units[variant] + stratum.units.get(variant, 0) for variant in variants}
        found[number] = StageLog(units, before.first)
    return found


def _chosen(strategy: FeatureFlag, counts: EventCounts) -> tuple[str, ...]:
    """The other flags that are looked at: those named, else those with the most units."""
    if strategy.others is not None:
        return strategy.others
    size = {flag: sum(sum(ours.values()) for ours in cross.values()) for flag, cross in counts.others.items()}
    return tuple(sorted(size, key=lambda flag: (-size[flag], flag))[:MOST_OTHERS])


def _interactions(
    experiment: Experiment, found: FlagLog, asked: Asked, others: tuple[str, ...], look: int | Look | None
) -> Iterator[str]:
    """Whether the effects on the success metrics differ between the variants of another flag: said, and no more."""
    success = [name for name, metric in experiment.metrics.items() if metric.role == "success"]
    blocks = tuple(block for block in asked.request.blocks if block.metric in success)
    for other in others if success else ():
        if len({theirs for _, theirs in found.counts.others.get(other, {})}) < 2:
            continue
        request = replace(asked.request, blocks=blocks, segments=(ELSEWHERE,))
        known = {**asked.known, ELSEWHERE: "x.other"}
        groups = found.statistics(request, known, asked.tracked, other).groups
        units = sum(group.units for group in groups)
        compare = Comparison(experiment, experiment.monitor.look(look, units))
        for name in success:
            for variant in sorted({group.variant for group in groups} - {experiment.control}):
                yield from _interaction(compare, groups, name, variant, other)


def _interaction(compare: Comparison, groups: tuple[Group, ...], name: str, variant: str, other: str) -> Iterator[str]:
    tests, control = [], compare.experiment.control
    for theirs in sorted({group.segments[0] for group in groups}):
        merged = merge_groups(group for group in groups if group.segments[0] == theirs)
        row = compare(name, merged.get(control), merged.get(variant), variant, theirs)
        if row.test is not None and 0 < row.test.stderr < math.inf:
            tests.append(row.test)
    if len(tests) > 1:
        pvalue = heterogeneity_test(tests).pvalue
        yield (
            f"`{name}` of {variant}: its effect differs between the {len(tests)} variants of the flag {other!r} with "
            f"p = {pvalue:.3g} (one look)"
        )


def _audit(counts: EventCounts, read: Audit, *, keyed: bool) -> Audit:
    """Counts of the log itself in place of those of the table that was made of it."""
    return replace(
        read,
        rows=counts.events,
        rows_without_unit=counts.incomplete["unit"],
        rows_without_variant=counts.incomplete["variant"],
        rows_duplicated=counts.copies if keyed else 0,  # else its check says it
        rows_contradictory=counts.contradictory,
    )


def _span(counts: EventCounts) -> Span | None:
    return None if counts.ends is None else Span(*map(_moment, counts.ends))


def _moment(microseconds: int) -> datetime:
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    except OverflowError as error:
        raise DataError("the log holds times outside of the years 1 to 9999.") from error
