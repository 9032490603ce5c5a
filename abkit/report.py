"""What an analysis found: estimates, intervals, checks, and what was left out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from abkit._checks import Check, data_checks
from abkit._sets import finite_or_none
from abkit.bandits._contrast import METHOD, contrast_caution, contrast_effect, contrast_sample
from abkit.bayes._effect import POSTERIOR
from abkit.errors import DataError, PlanError
from abkit.evidence import EXACT, TestResult, tested
from abkit.experiment import Experiment
from abkit.inference import mean_arm, ratio_arm, variance_kept
from abkit.logs import Contrast, Decided, Group, LogStatistics, StageLog
from abkit.metrics import Metric, Rate, Ratio
from abkit.sequential import Bayesian, Look
from abkit.sequential._belief import probability_of
from abkit.sequential._posterior import NORMAL_POSTERIOR
from abkit.suffstats import CoMoments

if TYPE_CHECKING:
    import pandas as pd

    from abkit.inference._mean_effect import MeanEffect
    from abkit.segments import SegmentComparison


@dataclass(frozen=True, slots=True)
class MetricResult:
    """One metric of one treatment against the control, overall or within a segment.

    `test` is None where there is nothing to test; `reason` then says why. `control` and `treatment` are the
    variants' own means, before any adjustment; `variance_kept` is the share of the estimate's variance that
    covariates leave.
    """

    metric: str
    variant: str
    segment: str | None
    role: str
    direction: str
    n_control: int
    n_treatment: int
    control: float
    treatment: float
    test: TestResult | None
    reason: str | None
    variance_kept: float = 1.0


@dataclass(frozen=True, repr=False)
class Report:
    """The analysis of a log under a plan.

    Printed, it is a scorecard; in a notebook, a table. `to_frame` gives the results to other tools.
    """

    experiment: Experiment
    statistics: LogStatistics
    variants: tuple[str, ...]
    units: dict[str, int]
    results: tuple[MetricResult, ...]
    segments: tuple[MetricResult, ...]
    checks: tuple[Check, ...]
    look: Look = field(default_factory=Look)
    stages: Mapping[int, StageLog] = field(default_factory=dict)

    @property
    def level(self) -> float:
        """The confidence level of the two-sided intervals shown: 1 - alpha, of both directions together."""
        return 1 - self.experiment.monitor.total

    def result(self, metric: str, variant: str | None = None, segment: str | None = None) -> TestResult:
        """The two-sided test of a metric's difference from the control.

        Parameters
        ----------
        metric : str
            Its name in the plan.
        variant : str, optional
            The treatment; may be left out where there is one only.
        segment : str, optional
            Such as "country=DE", where the plan has segments.

        Raises
        ------
        PlanError
            No such metric, variant or segment.
        DataError
            There is nothing to test; the message says why.
        """
        if variant is None:
            if len(self.variants) != 2:
                raise PlanError(f"`variant` must be one of {', '.join(self.variants[1:])}.")
            variant = self.variants[1]
        rows = self.results if segment is None else self.segments
        for row in rows:
            if (row.metric, row.variant, row.segment) == (metric, str(variant), segment):
                if row.test is None:
                    raise DataError(f"`{metric}` of {variant!r} has no result: {row.reason}.")
                return row.test
        known = sorted({(row.metric, row.variant, row.segment or "") for row in rows})
        listed = "; ".join(" / ".join(filter(None, names)) for names in known[:12])
        raise PlanError(
            f"the report has no {metric!r} of {variant!r}{f' in {segment!r}' * bool(segment)}; it has {listed}."
        )

    def chosen(self, metric: str | None, variant: str | None) -> tuple[str, str]:
        """The metric and the treatment that are meant; either may be None where there is one only."""
        metrics, variants = list(self.experiment.metrics), self.variants[1:]
        for name, value, known in (("metric", metric, metrics), ("variant", variant, variants)):
            if (value is None and len(known) > 1) or (value is not None and value not in known):
                raise PlanError(f"`{name}` must be one of {', '.join(known)}; got {value!r}.")
        return metric or metrics[0], variant or variants[0]

    def compare_segments(self) -> tuple[SegmentComparison, ...]:
        """Per metric, treatment and segment column: whether effects differ, which are shown, and what is reversed."""
        from abkit.segments import compare_segments

        return compare_segments(self)

    def to_dicts(self) -> list[dict[str, Any]]:
        """One flat row a result, for tables: plain numbers, None where undefined."""
        rows = [_flat(row, self.level) for row in (*self.results, *self.segments)]
        if not isinstance(self.experiment.monitor, Bayesian):
            return rows
        shown = zip(rows, (*self.results, *self.segments), strict=True)
        return [{**found, "pvalue": None, "probability_better": probability_better(row)} for found, row in shown]

    def to_frame(self) -> pd.DataFrame:
        """A pandas DataFrame with one row a metric, treatment and segment."""
        from abkit.adapters._tables import to_pandas

        return to_pandas(self.to_dicts())

    def notes(self) -> list[str]:
        """One sentence for each thing that was left out, with its count, or changed, and for each caution of a test."""
        from abkit._render import audit_notes, cautions

        return [*audit_notes(self), *cautions(self)]

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values for JSON, undefined numbers as None."""
        return {
            "schema": "abkit.report/1",
            "plan_sha256": self.experiment.sha256,
            "level": self.level,
            "look": self.look.number,
            "variants": list(self.variants),
            "units": dict(self.units),
            "results": self.to_dicts(),
            "segments": [comparison.to_dict() for comparison in self.compare_segments()],
            "checks": [asdict(check) for check in self.checks],
            "audit": asdict(self.statistics.audit),
            "caps": [asdict(capping) for capping in self.statistics.cappings],
        }

    def __str__(self) -> str:
        from abkit._render import report_text

        return report_text(self)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        from abkit._render import report_html

        return report_html(self)


def analyze_log(experiment: Experiment, log: object, look: int | Look | None = None) -> Report:
    """The report on a log under a plan, as its design has it analyzed."""
    from abkit.adapters._source import opened
    from abkit.designs import DESIGNS

    with opened(experiment, log) as found:
        return DESIGNS[experiment.design](experiment, found, look)


def make_report(experiment: Experiment, statistics: LogStatistics, look: int | Look | None = None) -> Report:
    """Tests and checks from a log's statistics, as the plan's monitor takes them at this look."""
    merged = merge_groups(statistics.groups)
    treatments = treatments_of(experiment, merged)
    variants = (experiment.control, *treatments)
    require_two_variants(experiment, statistics, merged)
    units = {variant: merged[variant].units if variant in merged else 0 for variant in variants}
    look = look_of(experiment, look, sum(units.values()))
    compare, decided = Comparison(experiment, look), statistics.decided
    results = tuple(
        compare(name, merged.get(experiment.control), merged.get(variant), variant, None)
        if decided is None
        else compare.decided(name, variant, decided)
        for name in experiment.metrics
        for variant in treatments
    )
    checks = (
        *data_checks(experiment, statistics, merged, units),
        *quality_metrics(experiment, results),
    )
    segments = tuple(segment_results(compare, statistics.groups, treatments))
    return Report(experiment, statistics, variants, units, results, segments, checks, look)


def look_of(experiment: Experiment, look: int | Look | None, units: int) -> Look:
    """The look that is meant, as the plan's monitor counts."""
    try:
        return experiment.monitor.look(look, units)
    except (TypeError, ValueError) as error:
        raise PlanError(str(error)) from error


def merge_groups(groups: Iterable[Group]) -> dict[str, Group]:
    """The groups of each variant pooled into one."""
    merged: dict[str, Group] = {}
    for group in groups:
        if group.variant in merged:
            before = merged[group.variant]
            moments = {name: before.moments[name] + new for name, new in group.moments.items()}
            merged[group.variant] = Group(group.variant, (), before.units + group.units, moments)
        else:
            merged[group.variant] = Group(group.variant, (), group.units, group.moments)
    return merged


def require_two_variants(experiment: Experiment, statistics: LogStatistics, merged: dict[str, Group]) -> None:
    """Refuse a log without units of the control, or of anything else."""
    seen = [variant for variant, group in merged.items() if group.units]
    if experiment.control in seen and len(seen) > 1:
        return
    audit, which = statistics.audit, "only" if experiment.control in seen else "no"
    lost = (
        (audit.units_in_several_variants, "units are in several variants"),
        (audit.units_in_unknown_variants, "units are in variants that the plan does not name"),
        (audit.rows_contradictory, "keys have rows that contradict each other"),
        (statistics.unpaired or 0, "units are not in every variant"),
        *((count, f"decisions are {what}") for what, count in _impossible(statistics).items()),
    )
    why = ", ".join(f"{count:,} {what}" for count, what in lost if count)
    raise DataError(
        f"the log has {which} units of the control {experiment.control!r}{f' ({why})' * bool(why)}, so nothing can be "
        "compared; correct the log, or `control` and `allocation` in the plan."
    )


def _impossible(statistics: LogStatistics) -> dict[str, int]:
    return statistics.decided.impossible if statistics.decided else {}


def treatments_of(experiment: Experiment, merged: dict[str, Group]) -> list[str]:
    """The variants that are compared with the control."""
    if isinstance(experiment.propensity, Mapping):
        return [variant for variant in experiment.propensity if variant != experiment.control]
    if experiment.allocation is None:
        return sorted(variant for variant in merged if variant != experiment.control)
    named = experiment.allocation.items()
    return [v for v, weight in named if v != experiment.control and (weight > 0 or v in merged)]


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a plan compares a treatment with the control at one look.

    `share` is the treatment's planned share of both, where the plan's allocation does not say it.
    """

    experiment: Experiment
    look: Look
    share: float | None = None

    def __call__(
        self, name: str, control: Group | None, treatment: Group | None, variant: str, segment: str | None
    ) -> MetricResult:
        """One metric of one treatment."""
        metric = self.experiment.metrics[name]
        c, t = (group.moments.get(name) if group else None for group in (control, treatment))
        c = t if metric.pairs else c  # a pair has the values of both
        n_c, n_t = (int(moments.n) if moments else 0 for moments in (c, t))
        shared = (name, variant, segment, metric.role, metric.direction, n_c, n_t, *metric.values(c, t))
        if c is None or t is None or not n_c or not n_t:
            return MetricResult(*shared, None, f"no units in {'the control' if not n_c else 'the treatment'}")
        try:
            test = self._test(metric, c, t, variant)
        except ValueError as error:
            return MetricResult(*shared, None, str(error))
        if test.reason:
            return MetricResult(*shared, None, test.reason)
        return MetricResult(*shared, test, None, kept(metric, c, t))

    def decided(self, name: str, variant: str, decided: Decided) -> MetricResult:
        """The same where a policy chose the variants: the means shown are the adaptive estimates."""
        metric, contrast = self.experiment.metrics[name], decided.contrasts.get((name, variant), "never chosen")
        shared = (name, variant, None, metric.role, metric.direction)
        if isinstance(contrast, str):
            return MetricResult(*shared, 0, 0, math.nan, math.nan, None, contrast)
        pulls = contrast.n_control, contrast.n_treatment
        try:
            effect = contrast_effect(contrast)
            test = self._of_contrast(metric, effect, contrast)
        except ValueError as error:
            return MetricResult(*shared, *pulls, math.nan, math.nan, None, str(error))
        found = None if test.reason else test
        return MetricResult(*shared, *pulls, effect.control, effect.treatment, found, test.reason)

    def _of_contrast(self, metric: Metric, effect: MeanEffect, contrast: Contrast) -> TestResult:
        sample = contrast_sample(contrast)
        monitor = self.experiment.monitor_of(metric)
        method, monitored = monitor.monitored(METHOD, effect, sample, self.look)
        caution = monitored.caution or contrast_caution(contrast, effect.df)
        return tested(method, monitored, "two-sided", 0.0, caution)

    def _test(self, metric: Metric, control: CoMoments, treatment: CoMoments, variant: str) -> TestResult:
        metric.check_values(control, treatment)
        sample = replace(metric.sample(control, treatment), share=self._share(variant))
        monitor = self.experiment.monitor_of(metric)
        method, effect = monitor.monitored(*metric.effect(control, treatment), sample, self.look)
        exact = effect.validity in (EXACT, POSTERIOR)
        caution = effect.caution or (None if exact else metric.caution(control, treatment))
        return tested(method, effect, "two-sided", 0.0, caution)

    def _share(self, variant: str) -> float:
        """The planned share of a treatment among its own units and the control's."""
        if self.share is not None:
            return self.share
        weights = self.experiment.allocation or {}
        treated, control = (weights.get(label, 1.0) for label in (variant, self.experiment.control))
        return treated / (treated + control)


def kept(metric: Metric, control: CoMoments, treatment: CoMoments) -> float:
    """The share of the estimate's variance that covariates leave."""
    arm = ratio_arm if isinstance(metric, (Rate, Ratio)) else mean_arm
    return variance_kept(arm(control), arm(treatment)) if metric.covariates else 1.0


def quality_metrics(experiment: Experiment, results: Iterable[MetricResult]) -> Iterator[Check]:
    """A check of each metric that must not differ at all."""
    for row in results:
        if row.role != "quality":
            continue
        label = f"quality:{row.metric}:{row.variant}"
        if row.test is None:
            yield Check(label, "unknown", f"`{row.metric}` of {row.variant}: {row.reason}")
            continue
        status = "fail" if row.test.pvalue < experiment.quality.alpha else "pass"
        what = "twice the probability of the other side" if isinstance(experiment.monitor, Bayesian) else "p"
        message = f"`{row.metric}` of {row.variant} must not differ; {what} = {row.test.pvalue:.3g}"
        yield Check(label, status, message, row.test.pvalue)


def segment_results(compare: Comparison, groups: tuple[Group, ...], treatments: list[str]) -> Iterator[MetricResult]:
    """Every metric within each value of each segment column."""
    experiment = compare.experiment
    for i, column in enumerate(experiment.segments):
        for value in sorted({group.segments[i] for group in groups}):
            merged = merge_groups(group for group in groups if group.segments[i] == value)
            for name in experiment.metrics:
                for variant in treatments:
                    control, treatment = merged.get(experiment.control), merged.get(variant)
                    yield compare(name, control, treatment, variant, f"{column}={value}")


def is_posterior(test: TestResult) -> bool:
    """Whether its p-value is the probability of a side, twice the smaller one."""
    return test.validity in (POSTERIOR, NORMAL_POSTERIOR)


def probability_better(row: MetricResult) -> float | None:
    """The posterior probability of a change for the better; None where there is no result."""
    if row.test is None:
        return None
    return probability_of(row.test.effect, 0.0, 1.0 if row.direction == "increase" else -1.0)


def _flat(row: MetricResult, level: float) -> dict[str, Any]:
    flat: dict[str, Any] = {
        "metric": row.metric,
        "variant": row.variant,
        "segment": row.segment,
        "role": row.role,
        "direction": row.direction,
        "n_control": row.n_control,
        "n_treatment": row.n_treatment,
        "control": row.control,
        "treatment": row.treatment,
    }
    test = row.test
    if test is not None:
        interval, relative = test.interval(level), test.relative(level)
        flat |= {
            "estimate": test.estimate,
            "low": getattr(interval, "low", None),
            "high": getattr(interval, "high", None),
            "relative": test.relative_estimate,
            "relative_low": getattr(relative, "low", None),
            "relative_high": getattr(relative, "high", None),
            "relative_shape": relative.shape,
            "stderr": test.stderr,
            "df": test.df,
            "statistic": test.statistic,
            "pvalue": test.pvalue,
            "variance_kept": row.variance_kept,
            "method": test.method,
            "validity": test.validity,
        }
    else:
        numbers = ("estimate", "low", "high", "relative", "relative_low", "relative_high", "relative_shape")
        others = ("stderr", "df", "statistic", "pvalue", "variance_kept", "method", "validity")
        flat |= dict.fromkeys((*numbers, *others))
    return {**{key: finite_or_none(value) for key, value in flat.items()}, "reason": row.reason}
