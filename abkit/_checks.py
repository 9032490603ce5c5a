"""Checks of the data: whether units were assigned as planned, and whether what is measured can be compared."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from abkit._sets import finite_or_none
from abkit.bandits._contrast import choices_pvalue
from abkit.experiment import Experiment
from abkit.inference import balance_test, paired_test, ratio_test, srm_test
from abkit.logs import Decided, Group, LogStatistics, gaps_of
from abkit.metrics import Paired, shares_of_pairs
from abkit.sequential import FixedHorizon, srm_sequence
from abkit.strategies import Ramped
from abkit.suffstats import CoMoments

#: Variances that are smaller than this share of another variant's are rounding.
ALIKE = 1e-9


@dataclass(frozen=True, slots=True)
class Check:
    """A check of the data: passed, failed, or unknown, with a sentence and the number that it rests on."""

    id: str
    status: str
    message: str
    value: float | None = None


def data_checks(
    experiment: Experiment,
    statistics: LogStatistics,
    merged: dict[str, Group],
    units: dict[str, int],
    ratio: Check | None = None,
) -> Iterator[Check]:
    """Every check that needs no test of a metric; `ratio` is that of the sample ratio where there are stages."""
    treatments = [variant for variant in units if variant != experiment.control]
    if statistics.decided is None:
        yield from _assignment(experiment, statistics, ratio or sample_ratio(experiment, units))
    else:
        yield from _choices(experiment, statistics, statistics.decided)
    yield from _duplicates(experiment, statistics)
    yield from (
        _missing(experiment, merged, treatments)
        if statistics.decided is None
        else _lost(experiment, statistics.decided)
    )
    if statistics.decided is None:
        yield from _spreads(experiment, merged)
    yield from _balance(experiment, merged, treatments)


def _assignment(experiment: Experiment, statistics: LogStatistics, ratio: Check) -> Iterator[Check]:
    """Whether units were in the variants as planned: in one each, or where they are pairs in every one."""
    if statistics.unpaired is None:
        yield ratio
    if statistics.given:
        return
    yield _identity(experiment, statistics)
    yield _contamination(experiment, statistics) if statistics.unpaired is None else _pairs(experiment, statistics)


def sample_ratio(experiment: Experiment, units: dict[str, int]) -> Check:
    """Whether there are as many units of each variant as the allocation says."""
    allocation = experiment.allocation or planned_split(experiment, units)
    weights = allocation or dict.fromkeys(units, 1.0)
    pvalue, reason = ratio_pvalue(experiment, units, {variant: weights[variant] for variant in units})
    shares = " : ".join(f"{weights[variant]:g}" for variant in units)
    meant = f"{shares} planned" if allocation else "equal shares assumed: the plan has no `allocation`"
    observed = " : ".join(f"{n:,}" for n in units.values())
    message = f"units {observed}, {meant}; {reason or f'p = {pvalue:.3g}{at_any_time(experiment)}'}"
    return Check("sample_ratio", ratio_status(experiment, pvalue), message, finite_or_none(pvalue))


def planned_split(experiment: Experiment, units: dict[str, int]) -> dict[str, float] | None:
    """What the stages of a ramp say of two variants, where all of them say the same."""
    strategy = experiment.strategy
    if not isinstance(strategy, Ramped) or not strategy.stages or not strategy.steady or len(units) != 2:
        return None
    others = [variant for variant in units if variant != experiment.control]
    return dict(zip((experiment.control, *others), strategy.stages[0].split, strict=False))


def ratio_status(experiment: Experiment, pvalue: float) -> str:
    """What a p-value of the sample ratio means."""
    if math.isnan(pvalue):
        return "unknown"
    return "fail" if pvalue < experiment.quality.alpha else "pass"


def at_any_time(experiment: Experiment) -> str:
    """What is said of a p-value that holds at any number of looks."""
    return "" if isinstance(experiment.monitor, FixedHorizon) else " at any time"


def ratio_pvalue(experiment: Experiment, units: dict[str, int], weights: dict[str, float]) -> tuple[float, str | None]:
    """p-value of the sample ratio: of one look, or of as many as one likes."""
    if isinstance(experiment.monitor, FixedHorizon):
        result = srm_test(units, weights)
        return result.pvalue, result.reason
    if not sum(units.values()):
        return math.nan, "no units"
    return srm_sequence(units, weights).pvalue(), None


def _identity(experiment: Experiment, statistics: LogStatistics) -> Check:
    """Rows that belong to nobody may be anybody's harm."""
    audit, limit = statistics.audit, experiment.quality.contaminated
    # where the plan has an exposure, rows that were not exposed need no variant
    without_variant = 0 if experiment.exposure else audit.rows_without_variant
    lost = min(audit.rows_without_unit + without_variant + audit.rows_without_key, audit.rows)
    share = lost / audit.rows if audit.rows else 0.0
    message = f"{lost:,} of {audit.rows:,} rows without a unit, a variant or a key, left out (limit {limit:.2%})"
    return Check("identity", "fail" if share > limit else "pass", message, share)


def _contamination(experiment: Experiment, statistics: LogStatistics) -> Check:
    audit, limit = statistics.audit, experiment.quality.contaminated
    share = audit.units_in_several_variants / audit.units if audit.units else 0.0
    message = f"{audit.units_in_several_variants:,} of {audit.units:,} units in several variants, left out"
    return Check("contamination", "fail" if share > limit else "pass", f"{message} (limit {limit:.2%})", share)


def _pairs(experiment: Experiment, statistics: LogStatistics) -> Check:
    lost, limit = statistics.unpaired or 0, experiment.quality.contaminated
    known = statistics.audit.units - statistics.audit.units_in_unknown_variants
    share = lost / known if known else 0.0
    message = f"{lost:,} of {known:,} units not in every variant"
    if all(isinstance(metric, Paired) and metric.denominator for metric in experiment.metrics.values()):
        return Check("pairs", "pass", f"{message}, kept: the metrics are totals over totals", share)
    message += f", left out where they lack one (limit {limit:.2%})"
    return Check("pairs", "fail" if share > limit else "pass", message, share)


def _choices(experiment: Experiment, statistics: LogStatistics, decided: Decided) -> Iterator[Check]:
    """Whether a policy chose as it says it did, and left every variant a chance."""
    yield _possible(decided)
    yield _chances(experiment, decided)
    yield _as_said(experiment, decided)
    yield _identity(experiment, statistics)


def _possible(decided: Decided) -> Check:
    listed = ", ".join(f"{count:,} {what}" for what, count in decided.impossible.items())
    share = sum(decided.impossible.values()) / max(decided.decisions, 1)
    message = f"{listed or '0 with impossible propensities'} of {decided.decisions:,} decisions, left out"
    return Check("propensities", "fail" if listed else "pass", message, share)


def _chances(experiment: Experiment, decided: Decided) -> Check:
    """Where a variant has no chance nothing is learnt of it, and a policy without chance says nothing of any."""
    limit, left = experiment.quality.contaminated, decided.decisions - sum(decided.impossible.values())
    without = {variant: choices.without_chance for variant, choices in decided.choices.items()}
    largest = max(without.values(), default=0)
    share = largest / left if left else 1.0
    listed = ", ".join(f"{variant} {count:,}" for variant, count in without.items())
    message = f"decisions at which a variant or the control had no chance: {listed}; without weight (limit {limit:.2%})"
    if left == min(count for variant, count in without.items() if variant != experiment.control):
        message += "; a policy without chance leaves nothing to compare: log one that explores at random"
    return Check("chances", "fail" if share > limit else "pass", message, share)


def _as_said(experiment: Experiment, decided: Decided) -> Check:
    once = isinstance(experiment.monitor, FixedHorizon)
    pvalue, when = choices_pvalue(decided.choices, once=once), "" if once else " at any time"
    means = ", ".join(f"{variant} {choices.inverse:.4g}" for variant, choices in decided.choices.items())
    message = f"variants chosen as their propensities say; p = {pvalue:.3g}{when}; mean inverse propensity {means}"
    return Check("choices", "fail" if pvalue < experiment.quality.alpha else "pass", message, pvalue)


def _lost(experiment: Experiment, decided: Decided) -> Iterator[Check]:
    """Whether a value is missing must have nothing to do with what was chosen."""
    for name, (decisions, pvalue) in decided.gaps.items():
        status = "fail" if pvalue < experiment.quality.alpha else "pass"
        message = f"{decisions:,} decisions without a value, whatever was chosen; p = {pvalue:.3g} at any time"
        yield Check(f"missing:{name}", status, message, pvalue)


def _duplicates(experiment: Experiment, statistics: LogStatistics) -> Iterator[Check]:
    audit = statistics.audit
    if experiment.key and not statistics.given:
        rows = audit.rows_contradictory
        message = (
            f"{audit.rows_duplicated:,} duplicate rows left out, {rows:,} keys with rows that contradict each other"
        )
        yield Check("duplicates", "fail" if rows else "pass", message, rows / max(audit.rows, 1))


def _missing(experiment: Experiment, merged: dict[str, Group], treatments: list[str]) -> Iterator[Check]:
    """Values must be missing equally often in every variant, else what is left is not comparable."""
    variants = [variant for variant in (experiment.control, *treatments) if variant in merged]
    for name, metric in experiment.metrics.items():
        gaps = [merged[variant].moments.get(gaps_of(name)) for variant in variants]
        found = [moments for moments in gaps if moments is not None]  # pairs are with the treatments
        if not found:
            continue
        tests = [_paired_gaps(pairs) for pairs in found] if metric.pairs else [_gaps(found[0], t) for t in found[1:]]
        pvalue = min(1.0, len(tests) * min(pvalue for pvalue, _, _ in tests))
        shares = (tests[0][1], *(share for _, _, share in tests))
        listed = ", ".join(f"{variant} {share:.2%}" for variant, share in zip(variants, shares, strict=True))
        status = "fail" if pvalue < experiment.quality.alpha else "pass"
        yield Check(f"missing:{name}", status, f"rows without a value: {listed}; p = {pvalue:.3g}", pvalue)


def _spreads(experiment: Experiment, merged: dict[str, Group]) -> Iterator[Check]:
    """Values that are all the same in one variant only are no measurement; but that nothing happened is one."""
    for block, metric in zip(experiment.request().blocks, experiment.metrics.values(), strict=True):
        if metric.pairs or block.buckets is not None:
            continue
        held = {v: group.moments[block.metric] for v, group in merged.items() if block.metric in group.moments}
        for i, variable in enumerate(block.variables[: len(metric.outcomes())]):
            spreads = {v: float(found.m2[i, i] / found.n) for v, found in held.items() if found.n > 1}
            least = ALIKE * max(spreads.values(), default=0.0)
            means = {v: float(held[v].mean[i]) for v, spread in spreads.items() if spread <= least and held[v].mean[i]}
            alone = len(means) < len(spreads) or len(set(means.values())) > 1
            if means and alone and not variable.binary:
                listed = ", ".join(f"{variant} {mean:.6g}" for variant, mean in means.items())
                message = f"`{variable.column}` has one value in all units of a variant, unlike in others: {listed}"
                yield Check(f"constant:{block.metric}", "fail", message)


def _gaps(control: CoMoments, treatment: CoMoments) -> tuple[float, float, float]:
    """p-value of the shares of rows without a value, and these; without any spread they are compared as they are."""
    c, t = (float(moments.mean[0] / moments.mean[1]) if moments.mean[1] else 0.0 for moments in (control, treatment))
    if min(int(control.n), int(treatment.n)) < 2 or not control.mean[1] or not treatment.mean[1]:
        return 1.0, c, t
    test = ratio_test(control, treatment)
    return float(test.estimate == 0) if test.reason else test.pvalue, c, t


def _paired_gaps(pairs: CoMoments) -> tuple[float, float, float]:
    """The same within units that have both: (without a value, all rows) of the control and then of the treatment."""
    c, t = (float(pairs.mean[i] / pairs.mean[i + 1]) if pairs.n and pairs.mean[i + 1] else 0.0 for i in (0, 2))
    if pairs.n < 2 or not pairs.mean[1] or not pairs.mean[3]:
        return 1.0, c, t
    test = paired_test(shares_of_pairs(pairs))
    return float(test.estimate == 0) if test.reason else test.pvalue, c, t


def _balance(experiment: Experiment, merged: dict[str, Group], treatments: list[str]) -> Iterator[Check]:
    """Covariates, measured before, must not differ by more than chance; metrics with the same ones are asked once."""
    asked: dict[tuple[Any, ...], str] = {}
    for name, metric in experiment.metrics.items():
        asked.setdefault(metric.block(name, experiment.missing).variables[len(metric.outcomes()) :], name)
    for covariates, name in asked.items():
        for variant in treatments:
            pair = [merged[v].moments.get(name) for v in (experiment.control, variant) if v in merged]
            held = [_last(moments, len(covariates)) for moments in pair if covariates and moments is not None]
            if len(held) == 2:
                yield _balanced(experiment, name, variant, *held)


def _balanced(experiment: Experiment, name: str, variant: str, control: CoMoments, treatment: CoMoments) -> Check:
    label = f"balance:{name}:{variant}"
    try:
        result = balance_test(control, treatment)
    except ValueError as error:
        return Check(label, "unknown", f"covariates of {variant}: {error}")
    if result.reason:
        return Check(label, "pass", f"covariates of {variant}: {result.reason}")
    largest = max((abs(d) for d in result.differences if not math.isnan(d)), default=0.0)
    message = f"covariates of {variant} differ by {largest:.3f} standard deviations at most"
    status = "fail" if result.pvalue < experiment.quality.alpha else "pass"
    return Check(label, status, f"{message}; p = {result.pvalue:.3g}", result.pvalue)


def _last(moments: CoMoments, k: int) -> CoMoments:
    """The covariates, which stand behind the outcomes."""
    return CoMoments(moments.n, moments.mean[-k:], moments.m2[-k:, -k:], moments.names[-k:])
