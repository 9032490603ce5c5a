"""Verdicts of their own for the segments that a plan declares, and what a harmed one means for the whole.

A segment is judged as the whole is: by the same rule, on the same checks of the data. What differs is alpha. The gains
of all segments are one family, since any of them may be promoted by itself; so are the harms of each metric (Holm).
That a guardrail is within its margin must be shown in each segment, which needs no share of alpha.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace

from abkit.decision._decision import Reason, SegmentVerdict
from abkit.decision._progress import Progress
from abkit.decision._rule import Finding, against_null, judge, pvalue_of, verdicts, without_verdict
from abkit.evidence import TestResult
from abkit.experiment import Experiment
from abkit.inference import adjust
from abkit.report import MetricResult, Report
from abkit.rule import AllOf, AnyOf, shares_of
from abkit.sequential import Bayesian
from abkit.types import Verdict

Segments = dict[str, dict[str, SegmentVerdict]]


def segment_verdicts(report: Report, progress: Progress) -> Segments:
    """The verdict on every treatment in every segment."""
    judged, waiting = segment_findings(report), replace(progress, expired=False)  # the deadline is that of the whole
    found: Segments = {}
    for segment in dict.fromkeys(finding.row.segment for finding in judged):
        mine = [finding for finding in judged if finding.row.segment == segment]
        decided, reasons, _ = verdicts(report, mine, waiting)
        found[str(segment)] = {
            variant: SegmentVerdict(verdict, tuple(r for r in reasons if r.variant in (None, variant)))
            for variant, verdict in decided.items()
        }
    return found


def segment_findings(report: Report) -> list[Finding]:
    """Judge every metric of every treatment in every segment, each at its share of alpha."""
    roles = ("success", "guardrail", "deterioration")
    rows = sorted((row for row in report.segments if row.role in roles), key=_name)
    tests = [against_null(report, row) for row in rows]
    gains, harms = _gain_levels(report, rows, tests), _harm_levels(report, rows, tests)
    return [judge(report, *found) for found in zip(rows, tests, gains, harms, strict=True)]


def with_segments(
    report: Report, progress: Progress, decided: dict[str, Verdict], segments: Segments, *, every: bool
) -> tuple[dict[str, Verdict], Segments, list[Reason], bool]:
    """The verdicts on the whole and on segments, held against each other; and whether a person must look.

    What harms a segment is not promoted as a whole, and of what is rolled back as a whole no segment is promoted. With
    `every`, a promotion of the whole waits until each segment has data and its guardrails are within their margins, or
    until the deadline.
    """
    whole, parts, reasons, held = dict(decided), {name: dict(found) for name, found in segments.items()}, [], False
    late = False  # a person must look, unless another treatment is promoted
    for variant, verdict in decided.items():
        if verdict != "rollback":
            found = _against(segments, variant, every=every and verdict == "promote")
            reasons += found
            if found and verdict == "promote":
                whole[variant], why = without_verdict(report, [], progress, blocked=True)
                reasons += why
                if whole[variant] == "continue":
                    held |= any(reason.code == "SEGMENT_HARMED" for reason in found)
                    late |= progress.expired
        if whole[variant] == "rollback":
            for part in parts.values():
                part[variant] = _not_alone(part[variant], variant)
    return whole, parts, list(dict.fromkeys(reasons)), held or (late and "promote" not in whole.values())


def _against(segments: Segments, variant: str, *, every: bool) -> list[Reason]:
    """What segments say against promoting a treatment as a whole."""
    reasons = []
    lacking = [name for name, found in segments.items() if every and _is_open(found[variant])]
    if harmed := [name for name, found in segments.items() if _is_harmed(found[variant])]:
        message = f"{variant} is shown to be worse where {', '.join(harmed)}, so that it is not promoted as a whole"
        reasons.append(Reason("SEGMENT_HARMED", message, variant))
    if lacking:
        message = f"{variant} is not shown to be within its margins where {', '.join(lacking)}"
        reasons.append(Reason("SEGMENT_NOT_SHOWN", message, variant))
    return reasons


def _is_harmed(found: SegmentVerdict) -> bool:
    return any(reason.code == "HARM_SHOWN" for reason in found.reasons)


def _is_open(found: SegmentVerdict) -> bool:
    return any(reason.code in ("GUARDRAIL_NONINFERIORITY_NOT_SHOWN", "NO_DATA") for reason in found.reasons)


def _not_alone(found: SegmentVerdict, variant: str) -> SegmentVerdict:
    if found.verdict != "promote":
        return found
    why = Reason(
        "WHOLE_ROLLED_BACK", f"{variant} is rolled back as a whole, so that no segment of it is promoted", variant
    )
    return replace(found, verdict="continue", reasons=(*found.reasons, why))


def _gain_levels(report: Report, rows: list[MetricResult], tests: list[TestResult | None]) -> list[float]:
    """Alpha for a change for the better."""
    plan, total = report.experiment, report.experiment.monitor.total
    if _each_alone(plan):
        return [total] * len(rows)
    if isinstance(plan.rule.promote, (AllOf, AnyOf)):
        shares = {} if isinstance(plan.monitor, Bayesian) else shares_of(plan.rule.promote)
        claims = len({(row.segment, row.variant if plan.adjust == "holm" else "") for row in rows})
        return [total * shares.get(row.metric, 1.0) / (claims if row.role == "success" else 1) for row in rows]
    pvalues = [pvalue_of(test, _sign(report, row)) for row, test in zip(rows, tests, strict=True)]
    family = [_family(report, row) if row.role == "success" else None for row in rows]
    return _shared(pvalues, family, total)


def _harm_levels(report: Report, rows: list[MetricResult], tests: list[TestResult | None]) -> list[float]:
    """Alpha for a change for the worse."""
    alpha, total = report.experiment.rule.alpha_rollback, report.experiment.monitor.total
    if alpha is not None:
        return [2 * alpha / len(rows)] * len(rows)
    if _each_alone(report.experiment):
        return [total] * len(rows)
    watched = [row.test if row.role == "success" else test for row, test in zip(rows, tests, strict=True)]
    pvalues = [pvalue_of(test, -_sign(report, row)) for row, test in zip(rows, watched, strict=True)]
    family = [_family(report, row) if row.role == "success" else (row.metric, row.variant) for row in rows]
    return _shared(pvalues, family, total)


def _each_alone(plan: Experiment) -> bool:
    """Whether nothing is shared: a posterior is not of a family, unless the plan says so."""
    return isinstance(plan.monitor, Bayesian) and plan.adjust == "none"


def _family(report: Report, row: MetricResult) -> Hashable:
    """What shares alpha with a success metric in a segment: all of them, or the same one in the other segments."""
    return "success" if report.experiment.adjust == "holm" else (row.metric, row.variant)


def _shared(pvalues: list[float], families: list[Hashable | None], alpha: float) -> list[float]:
    """Holm's levels within each family; None is a hypothesis that has all of alpha."""
    levels = [alpha] * len(pvalues)
    for family in dict.fromkeys(label for label in families if label is not None):
        places = [i for i, label in enumerate(families) if label == family]
        found = adjust([pvalues[i] for i in places], alpha=alpha).levels.tolist()
        for i, level in zip(places, found, strict=True):
            levels[i] = level
    return levels


def _sign(report: Report, row: MetricResult) -> float:
    return report.experiment.metrics[row.metric].sign


def _name(row: MetricResult) -> tuple[str, str, str]:
    """Equal p-values are ranked by name, not by the plan's order."""
    return str(row.segment), row.metric, row.variant
