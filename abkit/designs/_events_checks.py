"""Checks of a flag's events: whether chance alone decided, and whether what was logged can be compared."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from abkit import _tails
from abkit._checks import Check
from abkit.adapters._events_query import EventCounts
from abkit.experiment import Experiment
from abkit.inference import srm_test
from abkit.sequential import FixedHorizon, srm_sequence
from abkit.strategies import FeatureFlag

#: The units of each variant under one version of the flag, and the shares that were planned for them.
Stratum = tuple[Mapping[str, int], Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Splits:
    """What shares each version of the flag was meant to give, and whether they are looked at once."""

    weights: Mapping[str | None, Mapping[str, float]]
    once: bool
    alpha: float

    @classmethod
    def of(
        cls,
        experiment: Experiment,
        variants: tuple[str, ...],
        counts: EventCounts,
        numbers: Mapping[str | None, int] | None,
    ) -> Splits:
        """The stage's own, else those of the plan, else equal ones."""
        stages = cast("FeatureFlag", experiment.strategy).stages
        plain = experiment.allocation or dict.fromkeys(variants, 1.0)
        weights: dict[str | None, Mapping[str, float]] = {}
        for stratum in counts.strata:
            split = stages[numbers[stratum.version] - 1].split if numbers else ()
            weights[stratum.version] = dict(zip(variants, split, strict=True)) if split else plain
        once = isinstance(experiment.monitor, FixedHorizon)
        return cls(weights, once, experiment.quality.alpha)

    def stratum(self, version: str | None, units: Mapping[str, int]) -> Stratum:
        """Units of the variants of the plan, and the shares that were planned."""
        weights = self.weights[version]
        return {variant: units.get(variant, 0) for variant in weights}, weights

    def check(self, label: str, strata: list[Stratum], what: str) -> Check:
        """Whether units were given their variants as planned, within each version."""
        pvalue = split_pvalue(strata, once=self.once)
        return self.judged(label, what, pvalue)

    def judged(self, label: str, what: str, pvalue: float) -> Check:
        """A check of a p-value."""
        if math.isnan(pvalue):
            return Check(label, "unknown", f"{what}; nothing to test")
        when = "" if self.once else " at any time"
        status = "fail" if pvalue < self.alpha else "pass"
        return Check(label, status, f"{what}; p = {pvalue:.3g}{when}", pvalue)


def split_pvalue(strata: Iterable[Stratum], *, once: bool) -> float:
    """p-value of all strata having been split as planned: chi-squares added up, or Bayes factors multiplied."""
    held = [(units, weights) for units, weights in strata if sum(units.values())]
    if not held:
        return math.nan
    if once:
        tests = [srm_test(dict(units), dict(weights)) for units, weights in held]
        if any(test.pvalue == 0 for test in tests):
            return 0.0
        return _tails.chi_square_survival(sum(test.statistic for test in tests), sum(test.df for test in tests))
    return math.exp(min(0.0, -sum(_log_evidence(*stratum) for stratum in held)))


def independence_pvalue(cross: Iterable[list[Stratum]], *, once: bool) -> float:
    """p-value of two flags having nothing to do with each other; `cross` has the splits within one version of ours.

    Once: the likelihood-ratio test of each cross table, added up. At any time: the evidence of each split against the
    planned shares, less that of all of them together at the shares that fit best (Wasserman, Ramdas and Balakrishnan
    2020, PNAS 117(29), sec. 2), so that a split that is wrong everywhere alike is no dependence.
    """
    statistic, df, evidence = 0.0, 0, 0.0
    for strata in cross:
        held = [(units, weights) for units, weights in strata if sum(units.values())]
        pooled = {variant: sum(units[variant] for units, _ in held) for variant in (held[0][0] if held else ())}
        seen = sum(n > 0 for n in pooled.values())
        if len(held) < 2 or seen < 2:
            continue
        statistic += sum(_deviance(units, pooled) for units, _ in held)
        df += (len(held) - 1) * (seen - 1)
        if not once:
            planned = {variant: weight for variant, weight in held[0][1].items() if weight > 0}
            inside = [{v: n for v, n in units.items() if v in planned} for units, _ in held]
            whole = {variant: sum(units[variant] for units in inside) for variant in planned}
            evidence += sum(_log_evidence(units, planned) for units in inside) - _deviance(whole, planned) / 2
    if df == 0:
        return math.nan
    return _tails.chi_square_survival(statistic, df) if once else math.exp(min(0.0, -evidence))


def _log_evidence(units: Mapping[str, int], weights: Mapping[str, float]) -> float:
    return float(srm_sequence(dict(units), dict(weights)).log_evalue[-1])


def _deviance(units: Mapping[str, int], shares: Mapping[str, float]) -> float:
    """Twice the log likelihood of counts at their own shares, against these."""
    n, total = sum(units.values()), sum(shares.values())
    return max(0.0, 2 * sum(k * math.log(k / (n * shares[v] / total)) for v, k in units.items() if k))


def event_checks(
    experiment: Experiment, counts: EventCounts, splits: Splits, others: tuple[str, ...]
) -> Iterator[Check]:
    """Every check of the events."""
    limit = experiment.quality.contaminated
    yield _ratio(experiment, counts, splits)
    yield _identity(counts, limit)
    yield _changed(counts, limit)
    yield _targeted(counts, limit)
    yield from _odd(counts, splits)
    yield from _tracked(experiment, counts)
    if experiment.key or counts.copies:
        yield _duplicates(experiment, counts)
    yield from _versions(experiment, counts)
    for other in others:
        yield _overlap(counts, splits, other)


def event_notes(experiment: Experiment, counts: EventCounts) -> Iterator[str]:
    """What is no check: what was left out, and how the log was read."""
    reasons = {reason.lower() for reason in cast("FeatureFlag", experiment.strategy).reasons}
    left = {reason: n for reason, n in counts.reasons.items() if reason not in reasons}
    if left:
        listed = ", ".join(f"{n:,} {reason}" for reason, n in left.items())
        yield f"{sum(left.values()):,} of {counts.evaluations:,} evaluations were not by chance ({listed}): left out"
    if n := counts.incomplete["time"]:
        yield f"{n:,} of {counts.randomised:,} evaluations by chance without a time: left out"
    if counts.from_value:
        yield "no evaluation has a variant: the values stand for them"
    if counts.units_also_targeted:
        yield f"{counts.units_also_targeted:,} of {counts.units:,} units also have evaluations that were not by chance"
    tracks = f"of {counts.tracks:,} tracked events"
    near = f", {counts.tracks_just_before:,} of them by less than 5 minutes" if counts.tracks_just_before else ""
    left_out = (
        (counts.tracks_incomplete, f"{tracks} without a unit or a time: left out"),
        (counts.tracks_unexposed, f"{tracks} of units that chance gave no variant: left out"),
        (counts.tracks_before, f"{tracks} before their unit's first exposure{near}: left out"),
    )
    yield from (f"{n:,} {what}" for n, what in left_out if n)
    for name, seen in counts.tracked.items():
        if seen.events and not seen.valued:
            yield f"`{name}` is tracked without values: each event counts as 1"
        elif seen.without_value and seen.valued:
            yield f"{seen.without_value:,} of {seen.events:,} events of `{name}` have no value"


def _ratio(experiment: Experiment, counts: EventCounts, splits: Splits) -> Check:
    strata = [splits.stratum(stratum.version, stratum.units) for stratum in counts.strata]
    shown = []
    for stratum, (units, weights) in zip(counts.strata, strata, strict=True):
        of = f"version {stratum.version}: " if len(strata) > 1 else ""
        observed, meant = (" : ".join(f"{n:,g}" for n in side.values()) for side in (units, weights))
        shown.append(f"{of}units {observed}, {meant} planned")
    planned = experiment.allocation or cast("FeatureFlag", experiment.strategy).stages
    assumed = "" if planned else "; equal shares assumed: the plan has no `allocation`"
    return splits.check("sample_ratio", strata, "; ".join(shown) + assumed)


def _identity(counts: EventCounts, limit: float) -> Check:
    """Events that belong to nobody may be anybody's harm."""
    lost = sum(counts.incomplete.values())
    share = max(lost / max(counts.randomised, 1), counts.tracks_incomplete / max(counts.tracks, 1))
    message = (
        f"{lost:,} of {counts.randomised:,} evaluations by chance without a unit, a variant or a time, and "
        f"{counts.tracks_incomplete:,} of {counts.tracks:,} tracked events without a unit or a time (limit {limit:.2%})"
    )
    return Check("identity", "fail" if share > limit else "pass", message, share)


def _changed(counts: EventCounts, limit: float) -> Check:
    share = counts.units_changed / counts.units
    message = f"{counts.units_changed:,} of {counts.units:,} units were given another variant later"
    if counts.units_changed:
        message += f", {counts.units_changed_within_version:,} of them by the same version of the flag"
    message += f"; kept in their first (limit {limit:.2%})"
    return Check("contamination", "fail" if share > limit else "pass", message, share)


def _targeted(counts: EventCounts, limit: float) -> Check:
    """What a rule gives out of step with chance makes the variants alike, and a guardrail then looks harmless."""
    mixed = sum(sum(stratum.mixed.values()) for stratum in counts.strata)
    message = f"{mixed:,} of {counts.units:,} units were given another variant not by chance (limit {limit:.2%})"
    return Check("targeting", "fail" if mixed / counts.units > limit else "pass", message, mixed / counts.units)


def _odd(counts: EventCounts, splits: Splits) -> Iterator[Check]:
    """Errors of the flag, and outcomes before exposure, must be as common in every variant."""
    kinds = {
        "evaluation_errors": ("with errors of the flag", [stratum.errors for stratum in counts.strata]),
        "before_exposure": ("with outcomes before their exposure", [stratum.before for stratum in counts.strata]),
    }
    for label, (what, found) in kinds.items():
        strata = [splits.stratum(s.version, units) for s, units in zip(counts.strata, found, strict=True)]
        total = {v: sum(units.get(v, 0) for units, _ in strata) for v in dict.fromkeys(v for u, _ in strata for v in u)}
        if sum(total.values()):
            yield splits.check(label, strata, f"units {what}: {', '.join(f'{v} {n:,}' for v, n in total.items())}")
        else:
            yield Check(label, "pass", f"no units {what}", 1.0)


def _tracked(experiment: Experiment, counts: EventCounts) -> Iterator[Check]:
    """No event of a name may mean that none happened, or that none is logged, or under another name."""
    declared = cast("FeatureFlag", experiment.strategy).tracked
    for name, seen in counts.tracked.items():
        if seen.exposed or name in declared:
            continue
        found = f"{seen.events:,} events, none of a unit that chance gave a variant" if seen.events else "no event"
        message = f"{found}: whether `{name}` is tracked is not known; if it is, name it in `strategy.tracked`"
        yield Check(f"tracked:{name}", "unknown", message, 0.0)


def _duplicates(experiment: Experiment, counts: EventCounts) -> Check:
    said = f"{counts.copies:,} copies of events left out"
    said += "" if experiment.key else ", equal to another in every column (different events need a `key`)"
    rows = counts.contradictory
    said += f", {rows:,} keys with events that contradict each other" if experiment.key else ""
    return Check("duplicates", "fail" if rows else "pass", said, rows / max(counts.events, 1))


def _versions(experiment: Experiment, counts: EventCounts) -> Iterator[Check]:
    """Without a column of stages each version is one; more of them than stages were not planned."""
    strategy, versions = cast("FeatureFlag", experiment.strategy), len(counts.strata)
    if strategy.stages and strategy.stage is None:
        planned = len(strategy.stages)
        message = f"{versions} versions of the flag for {planned} stages, in the order in which they began"
        yield Check("versions", "fail" if versions > planned else "pass", message, float(versions))


def _overlap(counts: EventCounts, splits: Splits, other: str) -> Check:
    label, cross = f"overlap:{other}", counts.others.get(other, {})
    if not cross:
        return Check(label, "unknown", f"no unit was also given a variant of the flag {other!r}")
    by_version: dict[str | None, list[Stratum]] = {}
    for (version, _), units in cross.items():
        by_version.setdefault(version, []).append(splits.stratum(version, units))
    both = sum(sum(units.values()) for units in cross.values())
    what = f"{both:,} units were also given a variant of the flag {other!r}"
    pvalue = independence_pvalue(by_version.values(), once=splits.once)
    if math.isnan(pvalue):
        theirs = len({name for _, name in cross})
        return Check(
            label, "pass", f"{what}; {'one variant of it' if theirs < 2 else 'one of ours'}, so nothing differs"
        )
    return splits.judged(label, f"{what}, whatever ours was", pvalue)
