"""The rule: evidence to verdict, in a fixed order.

Per treatment: harm shown rolls back; a failed check of the data blocks promotion; so do a minimum time and number of
units; what the rule's tree asks for, shown, promotes; then the deadline; else continue. What is missing counts for
nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from abkit._sets import ConfidenceSet, HalfLines, Interval, NoInterval
from abkit.decision._belief import Belief, belief_of, in_words, shown
from abkit.decision._decision import MetricStatus, Reason, rounded
from abkit.decision._progress import Progress
from abkit.evidence import TestResult
from abkit.inference import adjust
from abkit.report import MetricResult, Report, is_posterior
from abkit.rule import AllOf, AnyOf, Rule, shares_of
from abkit.sequential import Bayesian
from abkit.types import Null, Relative, Shown, Verdict


@dataclass(frozen=True)
class Finding:
    """A metric of a treatment, judged: its status, the test against its null, and alpha's share for it."""

    row: MetricResult
    status: Shown
    null: Null
    test: TestResult | None
    alpha: float
    belief: Belief | None = None

    @cached_property
    def interval(self) -> ConfidenceSet | None:
        """The absolute two-sided interval at its level."""
        return self.row.test.interval(1 - self.alpha) if self.row.test else None


def findings(report: Report) -> list[Finding]:
    """Judge every metric of every treatment, each at its share of alpha."""
    success = [row for row in report.results if row.role == "success"]
    others = [row for row in report.results if row.role in ("guardrail", "deterioration")]
    tests = [against_null(report, row) for row in [*success, *others]]
    # gains and harms are two families: in one, the harm of a metric could make room for the gain of another
    gains = _gain_levels(report, success, others, tests)
    harms = _harm_levels(report, success, others)
    judged = zip([*success, *others], tests, gains, harms, strict=True)
    return [judge(report, row, test, gain, harm) for row, test, gain, harm in judged]


def _gain_levels(
    report: Report, success: list[MetricResult], others: list[MetricResult], tests: list[TestResult | None]
) -> list[float]:
    """Alpha for a change for the better: shared by success metrics, or as the rule's tree says."""
    plan = report.experiment
    if isinstance(plan.rule.promote, (AllOf, AnyOf)):
        treatments = len(report.variants) - 1 if plan.adjust == "holm" else 1
        share = {} if isinstance(plan.monitor, Bayesian) else shares_of(plan.rule.promote)
        return [
            plan.monitor.total * share.get(row.metric, 1.0) / (treatments if row.role == "success" else 1)
            for row in [*success, *others]
        ]
    return [*_levels(report, success, tests[: len(success)], 1), *[plan.monitor.total] * len(others)]


def _harm_levels(report: Report, success: list[MetricResult], others: list[MetricResult]) -> list[float]:
    """Alpha for a change for the worse: equal shares of the rule's own, or that of the monitor."""
    alpha = report.experiment.rule.alpha_rollback
    if alpha is not None:
        return [2 * alpha / max(len(success) + len(others), 1)] * (len(success) + len(others))
    total = report.experiment.monitor.total
    return [*_levels(report, success, [row.test for row in success], -1), *[total] * len(others)]


def verdicts(
    report: Report, judged: Iterable[Finding], progress: Progress
) -> tuple[dict[str, Verdict], list[Reason], bool]:
    """The verdict on each treatment, the reasons, and whether a person must look."""
    judged, rule = list(judged), report.experiment.rule
    failed = [check for check in (*report.checks, *progress.checks) if check.status != "pass"]
    reasons = [Reason("CHECK_FAILED", f"{check.id}: {check.message}", metric=None) for check in failed]
    decided: dict[str, Verdict] = {}
    held = False
    for variant in report.variants[1:]:
        mine = [finding for finding in judged if finding.row.variant == variant]
        harm = [finding for finding in mine if finding.status == "inferior"]
        lacking = [*progress.unmet, *_unmet(mine, variant, rule, progress)]
        if harm and not (failed and rule.tainted == "hold"):
            decided[variant] = "rollback"
            reasons += [_reason("HARM_SHOWN", finding) for finding in harm]
        elif harm or failed or lacking:
            decided[variant], why = without_verdict(report, mine, progress, blocked=bool(harm or failed))
            held |= decided[variant] == "continue" and progress.expired
            reasons += [*(_reason("HARM_SHOWN", finding) for finding in harm), *lacking, *why]
        else:
            decided[variant] = "promote"
            reasons += _why_promoted(mine, variant, progress)
    held = held and "promote" not in decided.values()
    return decided, list(dict.fromkeys(reasons)), bool(failed) or held


def without_verdict(
    report: Report, mine: list[Finding], progress: Progress, *, blocked: bool
) -> tuple[Verdict, list[Reason]]:
    """Continue, until the deadline has passed."""
    if not progress.expired:
        return "continue", []
    choice, passed = report.experiment.timing.at_deadline, f"the deadline, {progress.deadline}, has passed"
    guards = [finding for finding in mine if finding.row.role == "guardrail"]
    if choice == "rollback":
        return "rollback", [Reason("DEADLINE_PASSED", f"{passed}, and the plan then rolls back")]
    within = guards and all(finding.status == "noninferior" for finding in guards)
    within = within and not any(finding.status == "no_data" for finding in mine)
    if choice == "noninferior" and within and not blocked and not progress.unmet:
        message = f"{passed}, and every guardrail is within its margin, which the plan then takes for enough"
        return "promote", [Reason("DEADLINE_NONINFERIOR", message)]
    return "continue", [Reason("DEADLINE_PASSED", f"{passed} without a verdict: a person must look")]


def _why_promoted(mine: list[Finding], variant: str, progress: Progress) -> list[Reason]:
    shown = [(_CODES.get((finding.row.role, finding.status)), finding) for finding in mine]
    reasons = [_reason(code, finding) for code, finding in shown if code]
    if progress.unharmed:
        reasons.append(Reason("STAGE_UNHARMED", "nothing is shown to be worse, which this stage asks for", variant))
    return reasons


def overall(decided: dict[str, Verdict], judged: Iterable[Finding]) -> tuple[Verdict, str | None]:
    """Promote the best treatment that may be; roll back when all must be; else continue."""
    promoted = [variant for variant, verdict in decided.items() if verdict == "promote"]
    if promoted:
        return "promote", max(promoted, key=lambda variant: (_strength(judged, variant), variant))
    return ("rollback" if all(verdict == "rollback" for verdict in decided.values()) else "continue"), None


def status_of(finding: Finding) -> MetricStatus:
    """A finding as the decision records it, with the absolute two-sided interval at its level."""
    row, level = finding.row, 1 - finding.alpha
    test = row.test
    interval = finding.interval
    scale = test.stderr if test else 0.0
    return MetricStatus(
        row.metric,
        row.variant,
        row.role,
        finding.status,
        row.n_control,
        row.n_treatment,
        rounded(test.estimate, scale) if test else None,
        rounded(getattr(interval, "low", float("inf")), scale),
        rounded(getattr(interval, "high", float("inf")), scale),
        rounded(level) or 0.0,
        _pvalue(test) if test else None,
        test.validity if test else None,
        rounded(finding.belief.probability) if finding.belief else None,
        rounded(finding.belief.loss) if finding.belief else None,
    )


_CODES = {("success", "superior"): "SUCCESS_SUPERIOR", ("guardrail", "noninferior"): "GUARDRAIL_NONINFERIOR"}


def _pvalue(test: TestResult) -> float | None:
    """None of a posterior, which has probabilities."""
    return None if is_posterior(test) else rounded(test.pvalue)


def _levels(report: Report, rows: list[MetricResult], tests: list[TestResult | None], way: int) -> list[float]:
    """Alpha's shares in the order of the rows, for changes for the better (1) or for the worse (-1).

    A change the other way has no evidence to rank; equal p-values are ranked by name, not by the plan's order.
    """
    alpha, metrics = report.experiment.monitor.total, report.experiment.metrics
    if report.experiment.adjust == "none" or len(rows) < 2:
        return [alpha] * len(rows)
    order = sorted(range(len(rows)), key=lambda i: (rows[i].metric, rows[i].variant))
    pvalues = [pvalue_of(tests[i], way * metrics[rows[i].metric].sign) for i in order]
    level_of = dict(zip(order, adjust(pvalues, alpha=alpha).levels.tolist(), strict=True))
    return [level_of[i] for i in range(len(rows))]


def pvalue_of(test: TestResult | None, sign: float) -> float:
    """The p-value of a change in this direction; one in the other has no evidence."""
    return test.pvalue if test and test.statistic * sign > 0 else 1.0


def against_null(report: Report, row: MetricResult) -> TestResult | None:
    """The test of a metric against what its role must be shown to exceed."""
    if row.test is None:
        return None
    test = row.test.with_null(report.experiment.metrics[row.metric].null())
    return None if test.reason else test


def judge(report: Report, row: MetricResult, test: TestResult | None, alpha: float, harm_alpha: float) -> Finding:
    """What is shown of a metric, for the better at the first alpha, for the worse at the second."""
    metric = report.experiment.metrics[row.metric]
    null = metric.null()
    if test is None or row.test is None:
        return Finding(row, "no_data", null, None, alpha)
    success = row.role == "success"
    better = shown(report, test, null, metric.sign, alpha, by_loss=success)
    if isinstance(null, Relative):  # a share of a mean that may be zero is no margin
        better = better and isinstance(test.relative(1 - alpha), Interval)
    # harm to a success metric is a change for the worse; to the others, one beyond their margin
    harm, from_null = (row.test, 0.0) if success else (test, null)
    own = report.experiment.rule.alpha_rollback is not None
    if shown(report, harm, from_null, -metric.sign, harm_alpha, by_loss=success and not own):
        return _believed(report, Finding(row, "inferior", from_null, harm, harm_alpha))
    if better:
        return _believed(report, Finding(row, "superior" if success else "noninferior", null, test, alpha))
    return _believed(report, Finding(row, "inconclusive", null, test, alpha))


def _believed(report: Report, finding: Finding) -> Finding:
    """The finding with what the posterior says, where there is one."""
    plan = report.experiment
    if not isinstance(plan.monitor, Bayesian) or finding.test is None:
        return finding
    sign, role = plan.metrics[finding.row.metric].sign, finding.row.role
    by_loss = role == "success" and not (finding.status == "inferior" and plan.rule.alpha_rollback is not None)
    belief = belief_of(plan.monitor, finding.test, finding.null, sign, by_loss=by_loss)
    return replace(finding, belief=belief)


def _unmet(mine: list[Finding], variant: str, rule: Rule, progress: Progress) -> Iterator[Reason]:
    """What a promotion of this treatment still lacks."""
    missing = [finding for finding in mine if finding.status == "no_data"]
    yield from (_reason("NO_DATA", finding) for finding in missing)
    if not progress.unharmed:
        known = [finding for finding in mine if finding.status != "no_data"]
        known.sort(key=lambda finding: finding.row.role != "guardrail")
        yield from (_not_shown(finding) for finding in known if _wanted(finding, mine, rule))
    if not any(finding.row.role in ("success", "guardrail") for finding in mine):
        yield Reason("NOTHING_TO_SHOW", "the plan has neither a success metric nor a guardrail", variant)


def _wanted(finding: Finding, mine: list[Finding], rule: Rule) -> bool:
    """Whether a promotion waits for this metric."""
    if finding.status in ("superior", "noninferior"):
        return False
    if isinstance(rule.promote, (AllOf, AnyOf)) and finding.row.metric in rule.promote.metrics():
        shown = {other.row.metric: other.status in ("superior", "noninferior") for other in mine}
        return not rule.promote.holds(shown)
    if finding.row.role == "success" and rule.promote is None:
        return not any(other.status == "superior" for other in mine)
    return finding.row.role == "guardrail"


def _not_shown(finding: Finding) -> Reason:
    guard = finding.row.role == "guardrail"
    return _reason("GUARDRAIL_NONINFERIORITY_NOT_SHOWN" if guard else "SUCCESS_NOT_SHOWN", finding)


def _strength(judged: Iterable[Finding], variant: str) -> float:
    """How strongly the first success metrics speak for a treatment, in standard errors."""
    success = [f for f in judged if f.row.variant == variant and f.row.role == "success" and f.test]
    return max((abs(f.test.statistic) for f in success if f.test and f.status == "superior"), default=0.0)


def _reason(code: str, finding: Finding) -> Reason:
    row, test, level = finding.row, finding.test, 1 - finding.alpha
    if test is None:
        return Reason(code, f"`{row.metric}` of {row.variant}: {row.reason or 'undefined'}", row.variant, row.metric)
    is_relative = isinstance(finding.null, Relative)
    region = test.relative(level) if is_relative else finding.interval or test.interval(level)
    estimate = test.relative_estimate if is_relative else test.estimate
    null = finding.null.value if isinstance(finding.null, Relative) else finding.null
    scale = estimate / test.statistic if is_relative and test.statistic else test.stderr
    low, high = (rounded(getattr(region, name, float("inf")), scale) for name in ("low", "high"))
    found = f"{_words(estimate, region, is_relative)} against {_number(null, is_relative)}"
    belief = finding.belief
    phrase = _PHRASES[code]
    if belief is not None:
        found += in_words(belief, code)
        phrase = phrase.replace("shown to be", "taken to be") if belief.limit is not None else phrase
    return Reason(
        code,
        f"`{row.metric}` of {row.variant} {phrase}: {found}",
        row.variant,
        row.metric,
        rounded(estimate, scale),
        low,
        high,
        rounded(null),
        is_relative,
        rounded(level),
        _pvalue(test),
        test.method,
        rounded(belief.probability) if belief else None,
        rounded(belief.loss) if belief else None,
    )


_PHRASES = {
    "HARM_SHOWN": "is shown to be worse",
    "SUCCESS_SUPERIOR": "is shown to be better",
    "GUARDRAIL_NONINFERIOR": "is shown not to be worse than its margin",
    "GUARDRAIL_NONINFERIORITY_NOT_SHOWN": "is not shown to be within its margin",
    "SUCCESS_NOT_SHOWN": "is not shown to be better",
    "NO_DATA": "has no data",
}


def _words(estimate: float, region: ConfidenceSet, percent: bool) -> str:
    if isinstance(region, HalfLines):
        shown = f"up to {_number(region.below, percent)} or from {_number(region.above, percent)}"
    elif isinstance(region, NoInterval):
        shown = "without an interval"
    else:
        shown = f"[{_number(region.low, percent)}, {_number(region.high, percent)}]"
    return f"{_number(estimate, percent)}, {shown} at level {region.level:.5g},"


def _number(value: float, percent: bool) -> str:
    if math.isnan(value):
        return "undefined"
    value += 0.0  # no minus before a zero
    return f"{value:+.3%}" if percent else f"{value:+.4g}"
