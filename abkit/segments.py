"""Segments side by side: whether effects differ, which are shown, and what each is with the others' help."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from abkit._sets import finite_or_none, set_to_dict
from abkit.evidence import TestResult, tested
from abkit.inference import (
    Adjusted,
    HeterogeneityResult,
    ShrunkEffect,
    SimpsonFinding,
    adjust,
    heterogeneity_test,
    shrink,
    simpson_reversals,
)

if TYPE_CHECKING:
    from abkit.report import Report


@dataclass(frozen=True, slots=True)
class SegmentComparison:
    """One metric of one treatment over the segments of one column.

    Parameters
    ----------
    metric, variant, column : str
        What is compared.
    segments : tuple of str
        The values of the column that have a test, in order.
    heterogeneity : HeterogeneityResult
        Whether the effects differ.
    adjusted : Adjusted
        The segments' tests, with the family-wise error rate over them held by Holm's procedure.
    shrunk : tuple of ShrunkEffect
        Each segment's effect, drawn towards that of all.
    reversal : SimpsonFinding
        Whether the segments contradict the effect of all units together.
    """

    metric: str
    variant: str
    column: str
    segments: tuple[str, ...]
    heterogeneity: HeterogeneityResult
    adjusted: Adjusted
    shrunk: tuple[ShrunkEffect, ...]
    reversal: SimpsonFinding

    @property
    def message(self) -> str:
        """What was found, as a sentence."""
        q = self.heterogeneity
        shown = [s for s, rejected in zip(self.segments, self.adjusted.rejected, strict=True) if rejected]
        found = f"`{self.metric}` of {self.variant} by {self.column}: "
        found += f"effects differ with p = {q.pvalue:.3g} (Q = {q.statistic:.4g}, {q.df} df, I² = {q.i_squared:.0%})"
        found += f"; shown in {', '.join(shown)} (Holm)" if shown else "; shown in no segment (Holm)"
        return found + (f"; REVERSAL: {self.reversal.message}" if self.reversal.kind != "none" else "")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; undefined and infinite numbers are None."""
        level = 1 - self.adjusted.alpha
        rows = [
            {
                "segment": segment,
                "pvalue_adjusted": float(self.adjusted.pvalues[i]),
                "interval": set_to_dict(self.adjusted.intervals[i]),
                "shrunk": self.shrunk[i].estimate,
                "shrunk_interval": set_to_dict(self.shrunk[i].interval(level)),
            }
            for i, segment in enumerate(self.segments)
        ]
        q = self.heterogeneity
        values = {"statistic": q.statistic, "df": q.df, "pvalue": q.pvalue, "i_squared": q.i_squared}
        return {
            "metric": self.metric,
            "variant": self.variant,
            "column": self.column,
            "heterogeneity": {name: finite_or_none(value) for name, value in values.items()},
            "reversal": None if self.reversal.kind == "none" else self.reversal.message,
            "segments": rows,
        }


def compare_segments(report: Report) -> tuple[SegmentComparison, ...]:
    """Every metric of every treatment over every segment column that has two tests or more."""
    return tuple(_comparisons(report))


def _comparisons(report: Report) -> Iterator[SegmentComparison]:
    for column in report.experiment.segments:
        for overall in report.results:
            tests = _tests(report, column, overall.metric, overall.variant)
            if overall.test is not None and len(tests) > 1:
                yield SegmentComparison(
                    overall.metric,
                    overall.variant,
                    column,
                    tuple(tests),
                    heterogeneity_test(tests.values()),
                    adjust(list(tests.values()), "holm", alpha=report.experiment.monitor.total),
                    shrink(tests.values()),
                    simpson_reversals(_by_data(overall.test), tests),
                )


def _by_data(test: TestResult) -> TestResult:
    """What the data alone say, where a prior has drawn the estimates to each other already."""
    own = getattr(test.effect, "likelihood", None)
    return test if own is None else tested(test.method, own, test.alternative, test.null, test.caution)


def _tests(report: Report, column: str, metric: str, variant: str) -> dict[str, TestResult]:
    prefix = f"{column}="
    rows = [row for row in report.segments if (row.metric, row.variant) == (metric, variant)]
    return {
        row.segment.removeprefix(prefix): _by_data(row.test)
        for row in rows
        if row.segment is not None
        and row.segment.startswith(prefix)
        and row.test is not None
        and 0 < row.test.stderr < math.inf  # that of a quantile beyond the data is infinite
    }
