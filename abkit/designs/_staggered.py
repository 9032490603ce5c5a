"""Instances that are updated one after another, each beside those that are not yet."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from abkit._check import Float64Array
from abkit._checks import Check
from abkit.adapters._panel_log import Panel, read_panel
from abkit.designs._staggered_fleet import Fleet, fleet_checks, fleet_of, share_of_look
from abkit.errors import DataError, PlanError
from abkit.evidence import run_test
from abkit.experiment import Experiment
from abkit.inference._update_order import UpdateOrderEffect, update_order_effect
from abkit.logs import LogStatistics, StageLog
from abkit.metrics import Metric
from abkit.report import MetricResult, Report, quality_metrics
from abkit.sequential import Look
from abkit.strategies import Rolling
from abkit.types import ROWS

METHOD = "update order"
#: Of the tail of a gain, what the last look spends: the orders of a large fleet are a sample, with an error of its own.
SPENT = 0.8
#: Fewer instances on a side say too little about instances.
FEWEST = 6


def analyze_staggered(experiment: Experiment, log: object, look: int | Look | None) -> Report:
    """The report on a log of instances, as of the last batch that has been watched, or of an earlier one."""
    strategy = experiment.strategy
    assert isinstance(strategy, Rolling)  # noqa: S101 - no other strategy has this design
    panel = read_panel(log, experiment.request(), strategy.bucket)
    fleet = fleet_of(panel, strategy)
    if not fleet.kept.any():
        raise DataError(
            f"no instance of `{experiment.unit}` has rows from the first bucket of `{experiment.time}` to the last and "
            "keeps its new version, so nothing can be compared; is the unit what stays through its update?"
        )
    number = _number(look, len(fleet.ends))
    seen = Batch(experiment, strategy, fleet, number)
    results = tuple(seen.result(name) for name in experiment.metrics)
    units = dict(zip(panel.variants, fleet.counts(number), strict=True))
    stages = {
        batch: StageLog(dict(zip(panel.variants, fleet.counts(batch), strict=True)), panel.begins(start))
        for batch, start in enumerate(fleet.starts[:number], 1)
    }
    checks = (*_rows(experiment, panel), *seen.checks(results), *quality_metrics(experiment, results))
    statistics = LogStatistics((), panel.audit, span=panel.span)
    now = Look(max(number, 1), (sum(units.values()),))
    return Report(experiment, statistics, panel.variants, units, results, (), checks, now, stages)


def _number(look: int | Look | None, watched: int) -> int:
    number = look.number if isinstance(look, Look) else look
    if number is not None and number > max(watched, 1):
        raise PlanError(f"`look` must be one of the {watched} batches that have been watched; got {number}.")
    return watched if number is None else min(number, watched)


@dataclass(frozen=True, slots=True)
class Batch:
    """What is known once a batch has been watched; of the 0th, nothing."""

    experiment: Experiment
    strategy: Rolling
    fleet: Fleet
    number: int

    @property
    def share(self) -> float:
        """Of alpha against harm, what this look may spend."""
        rule = self.experiment.rule
        alpha = max(self.experiment.monitor.total, 2 * (rule.alpha_rollback or 0))
        return share_of_look(self.fleet, self.number, self.strategy.batches, alpha)

    def result(self, name: str) -> MetricResult:
        """One metric of the new version."""
        metric = self.experiment.metrics[name]
        counts = self.fleet.counts(self.number)
        shared = (name, self.fleet.panel.variants[1], None, metric.role, metric.direction, *counts)
        if not self.number:
            wait = f"no batch has been watched for {self.strategy.watch} buckets after it settled"
            return MetricResult(*shared, math.nan, math.nan, None, wait)
        try:
            effect = self.effect(self._values(name), self._shares(metric))
        except ValueError as error:
            return MetricResult(*shared, math.nan, math.nan, None, str(error))
        test = run_test(METHOD, effect, "two-sided", 0.0)
        means = effect.control, effect.treatment
        if test.reason:
            return MetricResult(*shared, *means, None, test.reason)
        return MetricResult(*shared, *means, replace(test, caution=self._caution(effect)), None)

    def _shares(self, metric: Metric) -> tuple[float, float]:
        """Of the tails upwards and downwards: a promotion comes at one look, the last; a rollback at any."""
        if metric.role == "quality":
            return self.share, self.share
        return (SPENT, self.share) if metric.sign > 0 else (self.share, SPENT)

    def _values(self, name: str) -> Float64Array:
        return cell_values(self.experiment.metrics[name], self.fleet.panel.sums[name])[self.fleet.kept]

    def effect(self, values: Float64Array, shares: tuple[float, float]) -> UpdateOrderEffect:
        """That of values, by instance that counts and bucket."""
        end = self.fleet.ends[self.number - 1]
        whole = np.flatnonzero(np.isfinite(values[:, :end]).all(axis=0))
        if not len(whole):
            raise ValueError("no bucket has a value of every instance; give a longer `strategy.bucket`")
        updated = np.searchsorted(whole, self.fleet.updated[self.fleet.kept])
        exposed = self.fleet.exposed[:, whole]
        return update_order_effect(values[:, whole], exposed, updated, self.strategy.settle, shares)

    def _caution(self, effect: UpdateOrderEffect) -> str | None:
        alpha, few = self.experiment.monitor.total / 2, min(self.fleet.counts(self.number))
        if effect.floor > alpha * self.share:
            return (
                f"no p-value can be below {2 * effect.floor:.3g} with these instances, and this look may spend "
                f"{2 * alpha * self.share:.3g}: harm cannot be shown yet, however large it is"
            )
        return (
            f"there are {few} instances on a side: fewer than {FEWEST} say little of others" if few < FEWEST else None
        )

    def checks(self, results: tuple[MetricResult, ...]) -> Iterator[Check]:
        """Of the instances, of the order, and of values that are missing."""
        quality = self.experiment.quality
        yield from fleet_checks(self.fleet, self.strategy, quality.contaminated)
        floor = min((r.test.effect.floor for r in results if r.test and hasattr(r.test.effect, "floor")), default=1.0)
        chosen = {"random": "drawn at random", "operator": "chosen by the operator, which may be behind a difference"}
        message = (
            f"order of update {chosen[self.strategy.order]}; the smallest p-value that it can give is {2 * floor:.3g}"
        )
        yield Check("order", "pass", message, floor)
        for name in self.experiment.metrics if self.number else ():
            yield from self._missing(name)
            yield from self._before(name)

    def _missing(self, name: str) -> Iterator[Check]:
        """Whether a value is missing must have nothing to do with the version."""
        rows, present = self.fleet.panel.rows[self.fleet.kept], self.fleet.panel.sums[name][-1][self.fleet.kept]
        lost = rows - present
        if not lost.any():
            return
        share = np.divide(lost, rows, out=np.zeros(rows.shape), where=rows > 0)
        message = f"{int(lost.sum()):,} rows without a value"
        yield self._placebo(f"missing:{name}", share, self.fleet, message)

    def _before(self, name: str) -> Iterator[Check]:
        """Before the first update, the instances that are updated early must not move away from the others."""
        updated = self.fleet.updated
        first, middle = (int(np.quantile(updated[self.fleet.kept], q, method="higher")) for q in (0, 0.5))
        if first >= 2 and middle > first:
            pretended = np.where(updated < middle, first // 2, first)
            earlier = replace(self.fleet, updated=pretended, buckets=first, ends=(first,) * self.number)
            message = "before any update, those updated early beside the others, as if half-way"
            yield self._placebo(f"before:{name}", self._values(name), earlier, message)

    def _placebo(self, label: str, values: Float64Array, fleet: Fleet, message: str) -> Check:
        try:
            effect = replace(self, fleet=fleet).effect(values, (1.0, 1.0))
        except ValueError as error:
            return Check(label, "pass", f"{message}: not compared ({error})")
        test = run_test(METHOD, effect, "two-sided", 0.0)
        pvalue = 1.0 if test.reason else test.pvalue
        status = "fail" if pvalue < self.experiment.quality.alpha else "pass"
        return Check(label, status, f"{message}; p = {pvalue:.3g}", pvalue)


def cell_values(metric: Metric, sums: Float64Array) -> Float64Array:
    """A metric of each instance in each bucket, nan where it has none: a mean of rows, a total, or one over another."""
    present = sums[-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        if metric.kind in ("rate", "ratio"):
            return np.where(sums[1] != 0, sums[0] / sums[1], np.nan)
        total = metric.kind == "count" or metric.outcomes()[0].column == ROWS
        return np.where(present > 0, sums[0] if total else sums[0] / present, np.nan)


def _rows(experiment: Experiment, panel: Panel) -> Iterator[Check]:
    """Rows that belong to no instance, version or time may be anybody's harm."""
    audit, limit = panel.audit, experiment.quality.contaminated
    parts = (audit.rows_without_unit, audit.rows_without_variant, audit.rows_without_key, audit.rows_without_time)
    lost = min(sum(parts), audit.rows)
    share = lost / audit.rows
    message = f"{lost:,} of {audit.rows:,} rows without an instance, a version, a key or a time, left out"
    yield Check("identity", "fail" if share > limit else "pass", f"{message} (limit {limit:.2%})", share)
    if experiment.key:
        rows = audit.rows_contradictory
        message = (
            f"{audit.rows_duplicated:,} duplicate rows left out, {rows:,} keys with rows that contradict each other"
        )
        yield Check("duplicates", "fail" if rows else "pass", message, rows / audit.rows)
