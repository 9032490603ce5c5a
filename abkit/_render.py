"""Reports for people: a scorecard for the terminal, a table for a notebook."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from abkit._sets import ConfidenceSet, HalfLines, NoInterval, WholeLine
from abkit.report import is_posterior, probability_better
from abkit.sequential import Bayesian

if TYPE_CHECKING:
    from abkit.report import MetricResult, Report

HEADER = (
    "metric",
    "role",
    "treatment",
    "control",
    "change",
    "{level:.0%} interval",
    "relative",
    "{level:.0%} interval",
)

COMPARED = "segments compared"


def report_text(report: Report) -> str:
    """The scorecard: variants, results, segments, checks, and what was left out."""
    units = ", ".join(f"{variant} {n:,}" for variant, n in report.units.items())
    lines = [f"{counted(report)}: {units}   (control: {report.experiment.control})", *monitoring(report), ""]
    lines += _table(report, report.results)
    if report.segments:
        lines += ["", "segments", *_table(report, report.segments)]
        lines += ["", compared(report), *(f"  {found.message}" for found in report.compare_segments())]
    lines += ["", "checks", *(f"  {check.status:<7} {check.id}: {check.message}" for check in report.checks)]
    notes = list(audit_notes(report))
    if notes:
        lines += ["", "what was left out or changed", *(f"  {note}" for note in notes)]
    warned = list(cautions(report))
    if warned:
        lines += ["", "cautions", *(f"  {caution}" for caution in warned)]
    return "\n".join(lines)


def report_html(report: Report) -> str:
    """The same as a table for a notebook."""
    header = _header(report)
    head = "".join(f"<th style='text-align:left'>{html.escape(cell)}</th>" for cell in ("variant", *header))
    rows = (*report.results, *report.segments)
    body = "".join(
        "<tr>"
        + "".join(f"<td style='text-align:left'>{html.escape(cell)}</td>" for cell in (_where(row), *cells))
        + "</tr>"
        for row in rows
        for cells in [_cells(row, report.level)]
    )
    units = ", ".join(f"{html.escape(variant)} {n:,}" for variant, n in report.units.items())
    items = [found.message for found in report.compare_segments()]
    items = [f"{compared(report)}:", *items] if items and compared(report) != COMPARED else items
    items += [f"{check.status}: {check.id}: {check.message}" for check in report.checks] + report.notes()
    notes = "".join(f"<li>{html.escape(item)}</li>" for item in items)
    units = "".join(f"<p>{line}</p>" for line in (f"{counted(report)}: {units}", *map(html.escape, monitoring(report))))
    return f"{units}<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table><ul>{notes}</ul>"


def counted(report: Report) -> str:
    """What the numbers behind the variants count."""
    return "units" if report.statistics.decided is None else "decisions"


def adaptive_notes(report: Report) -> Iterator[str]:
    """What the decisions of a policy can and cannot show."""
    if report.statistics.decided is None:
        return
    yield (
        "a policy chose the variants: estimates weigh each decision by its propensities, and the plain means of the "
        "variants are not shown, since a policy that follows the data biases them"
    )
    yield (
        "not concluded here: effects that change over time (the estimate is an average over the decisions), and "
        "outcomes that were still to come when the log was written"
    )
    if repeated := report.statistics.decided.repeated:
        yield (
            f"{repeated:,} decisions equal another one in time, variant, propensities and outcomes: if they are "
            "copies, all intervals are too short; name in `key` what tells decisions apart"
        )


def audit_notes(report: Report) -> Iterator[str]:
    """One sentence for each thing that was left out of the analysis or changed in it."""
    yield from adaptive_notes(report)
    if report.statistics.given:
        yield (
            "the log is statistics: rows without a unit or a variant, units in several variants, duplicates, and "
            "values that are missing more often in one variant are not seen"
        )
    audit = report.statistics.audit
    of = f"of {audit.rows:,} rows"
    left_out = (
        (audit.rows_without_unit, f"{of} without a unit (`{report.experiment.unit}` is null): left out"),
        (audit.rows_without_variant, f"{of} without a variant (`{report.experiment.variant}` is null): left out"),
        (audit.rows_without_key, f"{of} without a key: left out"),
        (audit.rows_not_exposed, f"{of} not exposed: left out"),
        (audit.rows_duplicated, f"{of} are duplicates of a key: left out"),
        (
            audit.rows_contradictory,
            "keys have rows that contradict each other: left out",
        ),
        (audit.rows_without_time, f"{of} without a time (`{report.experiment.time}` is null): they count all the same"),
        (audit.units_in_several_variants, f"of {audit.units:,} units are in several variants: left out"),
        (
            audit.units_in_unknown_variants,
            f"of {audit.units:,} units are in variants that the plan does not name: left out",
        ),
    )
    for count, what in left_out:
        if count:
            yield f"{count:,} {what}"
    for block in report.experiment.request().blocks:
        for column in sorted({v.column for v in block.variables if not block.compare} & set(audit.missing)):
            done = "left out of" if block.missing == "drop" else "counted as zero in"
            yield f"{audit.missing[column]:,} {of} have no `{column}`: {done} `{block.metric}`"
    yield from report.statistics.notes
    for cap in report.statistics.cappings:
        share = f"{cap.units:,} units ({cap.units / max(sum(report.units.values()), 1):.2%})"
        yield f"`{cap.column}` of `{cap.metric}` is capped at {cap.threshold:g}, which changed {share}"


def cautions(report: Report) -> Iterator[str]:
    """The cautions of the results' tests."""
    for row in report.results:
        if row.test is not None and row.test.caution is not None:
            yield f"`{row.metric}` of {row.variant}: {row.test.caution}"


def monitoring(report: Report) -> Iterator[str]:
    """Which look this is, and what holds of the results at it; nothing where one look is all there is."""
    look = report.experiment.monitor.describe(report.look)
    if look:
        yield f"looks: {look}"
        kinds = {row.metric: row.test.validity for row in report.results if row.test}
        believed = isinstance(report.experiment.monitor, Bayesian)
        what = "posteriors" if believed else "error rates"
        yield f"{what}: {', '.join(f'`{metric}` {validity}' for metric, validity in kinds.items())}"
        if believed:
            yield "treatment and control are as they were seen; changes, intervals and P(better) are the posterior's"
        yield from futility(report)


def compared(report: Report) -> str:
    """The heading of the comparison of segments, which no prior has a part in."""
    monitor = report.experiment.monitor
    prior = isinstance(monitor, Bayesian) and monitor.prior is not None
    return COMPARED + ", by the data alone, without the prior" * prior


def futility(report: Report) -> Iterator[str]:
    """The success metrics that are not likely to be shown any more, where the plan has bounds for that."""
    monitor = report.experiment.monitor
    bound = None if monitor.is_last(report.look) else monitor.futility_bound(report.look)
    for row in report.results:
        if bound is not None and row.test is not None and row.role == "success":
            metric = report.experiment.metrics[row.metric]
            z = row.test.with_null(metric.null()).statistic * metric.sign
            if (abs(z) if monitor.sides == 2 else z) < bound:
                name = f"`{row.metric}` of {row.variant}"
                yield f"futility: {name} is not likely to be shown any more: z = {z:.2f}, below {bound:.2f}"


def number(value: float) -> str:
    """Four significant digits, without an exponent where that is readable; a dash where there is no number."""
    if math.isnan(value):
        return "-"
    if value == 0 or 1e-4 <= abs(value) < 1e7:
        digits = f"{value:.4g}"
        return f"{value:,.0f}" if "e" in digits else digits
    return f"{value:.3g}"


def region(value: ConfidenceSet, percent: bool = False) -> str:
    """A confidence set as text."""

    def show(end: float) -> str:
        return f"{end:+.2%}" if percent else number(end)

    if isinstance(value, WholeLine):
        return "anything"
    if isinstance(value, NoInterval):
        return "none"
    if isinstance(value, HalfLines):
        return f"up to {show(value.below)} or from {show(value.above)}"
    return f"[{show(value.low)}, {show(value.high)}]"


def _table(report: Report, rows: Iterable[MetricResult]) -> list[str]:
    header = ("", *_header(report))
    body = [(_where(row), *_cells(row, report.level)) for row in rows]
    widths = [max(len(cells[i]) for cells in (header, *body)) for i in range(len(header))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
        for cells in (header, *body)
    ]


def _header(report: Report) -> list[str]:
    last = "P(better)" if isinstance(report.experiment.monitor, Bayesian) else "p"
    return [*(cell.format(level=report.level) for cell in HEADER), last]


def _where(row: MetricResult) -> str:
    return f"{row.variant} | {row.segment}" if row.segment else row.variant


def _cells(row: MetricResult, level: float) -> tuple[str, ...]:
    role = f"{row.role} {'+' if row.direction == 'increase' else '-'}"
    if row.test is None:
        values = (row.metric, role, number(row.treatment), number(row.control))
        return (*values, "-", "-", "-", "-", f"no result: {row.reason}")
    test = row.test
    return (
        row.metric,
        role,
        number(row.treatment),
        number(row.control),
        f"{'+' * (test.estimate > 0)}{number(test.estimate)}",
        region(test.interval(level)),
        "-" if math.isnan(test.relative_estimate) else f"{test.relative_estimate:+.2%}",
        region(test.relative(level), percent=True),
        f"{probability_better(row):.4g}" if is_posterior(test) else f"{test.pvalue:.3g}",
    )
