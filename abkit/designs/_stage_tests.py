"""A metric over the stages of a ramp: each stage is compared within itself, and what it says counts by its size."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from abkit.evidence import EXACT, Effect, Sample, TestResult, run_test
from abkit.experiment import Experiment
from abkit.inference._by_stage import CombinedEffect, stage_weights, standardised
from abkit.logs import Distribution, Group
from abkit.metrics import Metric
from abkit.report import Comparison, MetricResult, kept
from abkit.sequential import AnytimeValid, Look
from abkit.sequential._stage_proportions import StageCounts, StageProportionsEffect
from abkit.strategies import Ramped
from abkit.suffstats import CoMoments

Pair = tuple[CoMoments, CoMoments]
#: Units of each variant below which a stage has no variance to be weighed with.
FEWEST = 2


def compare_stages(
    experiment: Experiment,
    look: Look,
    name: str,
    variants: tuple[str, str],
    strata: Mapping[int, dict[str, Group]],
    strategy: Ramped,
    segment: str | None,
) -> MetricResult:
    """One metric of the treatment against the control; of a log of one stage, that stage's own result."""
    control, treatment = variants
    shares = {n: share_of(strategy, n) for n in strata}
    if len(strata) < 2:
        n, groups = next(iter(strata.items()), (1, {}))
        compare = Comparison(experiment, look, shares.get(n))
        return compare(name, groups.get(control), groups.get(treatment), treatment, segment)
    metric = experiment.metrics[name]
    found = {n: pair for n, groups in strata.items() if (pair := _pair(groups, variants, name))}
    usable = {n: pair for n, pair in found.items() if min(int(m.n) for m in pair) >= FEWEST and 0 < shares[n] < 1}
    n_c, n_t = (sum(int(pair[i].n) for pair in usable.values()) for i in (0, 1))

    def result(
        values: tuple[float, float], test: TestResult | None, reason: str | None, left: float = 1.0
    ) -> MetricResult:
        return MetricResult(
            name, treatment, segment, metric.role, metric.direction, n_c, n_t, *values, test, reason, left
        )

    if not usable:
        return result((math.nan, math.nan), None, "no stage has enough units of both variants")
    try:
        test, left = _test(Stages(experiment, look, metric, usable, shares, min(shares)))
    except ValueError as error:
        return result((math.nan, math.nan), None, str(error))
    return result((test.control, test.treatment), None if test.reason else test, test.reason, left)


def share_of(strategy: Ramped, number: int) -> float:
    """The treatment's planned share of the units of both variants in a stage."""
    control, treatment = strategy.stages[number - 1].split
    return treatment / (control + treatment)


def over_stages(pairs: Iterable[tuple[CoMoments | None, CoMoments | None]]) -> Pair | None:
    """Statistics of both variants with the same weights of the stages; None where they have none in common."""
    whole = [(c, t) for c, t in pairs if c is not None and t is not None and min(int(c.n), int(t.n)) >= FEWEST]
    if not whole or isinstance(whole[0][0], Distribution):
        return None
    if len(whole) == 1:
        return whole[0]
    weights = stage_weights([int(c.n) for c, _ in whole], [int(t.n) for _, t in whole])
    return standardised([c for c, _ in whole], weights), standardised([t for _, t in whole], weights)


@dataclass(frozen=True, slots=True)
class Stages:
    """One metric in the stages that have units of both variants, by their numbers; `first` is the log's first stage."""

    experiment: Experiment
    look: Look
    metric: Metric
    pairs: Mapping[int, Pair]
    shares: Mapping[int, float]
    first: int

    @property
    def weights(self) -> tuple[float, ...]:
        """What each stage counts for: its share of n_c n_t / (n_c + n_t)."""
        sizes = [[int(pair[i].n) for pair in self.pairs.values()] for i in (0, 1)]
        return tuple(stage_weights(*sizes).tolist())

    @property
    def share(self) -> float:
        """The treatment's planned share in the first stage."""
        return self.shares[self.first]

    def clock(self) -> int:
        """Units of the first stage that tell as much as all of these do.

        A unit of a stage with the share p tells p (1 - p): at 50% as much as 25 do at 1%. A monitor that counted units
        would take the evidence of a late stage for that of a moment, and err more often than it says.
        """
        base = self.share * (1 - self.share) or 0.25
        told = sum(int(c.n + t.n) * self.shares[n] * (1 - self.shares[n]) for n, (c, t) in self.pairs.items())
        return round(told / base)

    def sample(self, control: CoMoments, treatment: CoMoments) -> Sample:
        """What the stages hold together; the pooled statistics tell the skewness."""
        each = [self.metric.sample(c, t) for c, t in self.pairs.values()]
        events = [sample.events for sample in each if sample.events is not None]
        smaller = min(sum(int(pair[i].n) for pair in self.pairs.values()) for i in (0, 1))
        skewness = self.metric.skewness(control, treatment)
        return Sample(self.clock(), smaller, sum(events) if events else None, skewness, None, self.share)


def _test(stages: Stages) -> tuple[TestResult, float]:
    """The test, and the share of the variance that covariates leave."""
    metric, monitor = stages.metric, stages.experiment.monitor_of(stages.metric)
    for pair in stages.pairs.values():
        metric.check_values(*pair)
    counts = metric.sample(*next(iter(stages.pairs.values()))).counts is not None
    if counts and isinstance(monitor, AnytimeValid):
        return run_test("likelihood-ratio mixture, by stage", _exact(stages, monitor), "two-sided", 0.0), 1.0
    (method, effect), pooled, left = _linear(stages) if not counts and _has_means(stages) else _combined(stages)
    method, monitored = monitor.monitored(f"{method}, by stage", effect, stages.sample(*pooled), stages.look)
    caution = monitored.caution or (None if monitored.validity == EXACT else metric.caution(*pooled))
    return replace(run_test(method, monitored, "two-sided", 0.0), caution=caution), left


def _has_means(stages: Stages) -> bool:
    return not any(isinstance(control, Distribution) for control, _ in stages.pairs.values())


def _linear(stages: Stages) -> tuple[tuple[str, Effect], Pair, float]:
    """The metric's own effect, of statistics in which the stages have the same weights in both variants."""
    pooled = over_stages(stages.pairs.values())
    assert pooled is not None  # noqa: S101 - the stages here have units of both
    return stages.metric.effect(*pooled), pooled, kept(stages.metric, *pooled)


def _exact(stages: Stages, monitor: AnytimeValid) -> StageProportionsEffect:
    strata = tuple(
        StageCounts(_ones(c), int(c.n), _ones(t), int(t.n), stages.shares[n]) for n, (c, t) in stages.pairs.items()
    )
    return StageProportionsEffect(strata, stages.weights, monitor.tune_at, monitor.sides)


def _combined(stages: Stages) -> tuple[tuple[str, Effect], Pair, float]:
    each = [stages.metric.effect(*pair) for pair in stages.pairs.values()]
    effect = CombinedEffect(tuple(effect for _, effect in each), stages.weights)
    return (each[0][0], effect), _added(stages.pairs.values()), 1.0


def _added(pairs: Iterable[Pair]) -> Pair:
    """The stages' statistics added up as they are: for what is asked of no difference."""
    (control, treatment), *others = pairs
    for c, t in others:
        control, treatment = control + c, treatment + t
    return control, treatment


def _ones(moments: CoMoments) -> int:
    return round(int(moments.n) * float(moments.mean[0]))


def _pair(groups: Mapping[str, Group], variants: tuple[str, str], name: str) -> Pair | None:
    found = [groups[variant].moments.get(name) if variant in groups else None for variant in variants]
    return (found[0], found[1]) if found[0] is not None and found[1] is not None else None
