"""From a plan and a log to promote, continue or roll back."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any

from abkit.decision._decision import CheckStatus as CheckStatus
from abkit.decision._decision import Decision as Decision
from abkit.decision._decision import MetricStatus as MetricStatus
from abkit.decision._decision import Reason as Reason
from abkit.decision._decision import Risk as Risk
from abkit.decision._decision import rounded
from abkit.decision._rule import findings, overall, status_of, verdicts
from abkit.errors import PlanError
from abkit.experiment import Experiment, as_experiment
from abkit.report import Report
from abkit.sequential import Look


def decide(plan: object, log: object, *, look: int | Look | None = None) -> Decision:
    """Promote, continue or roll back.

    Answers: given what this plan asks and what this log shows, what should the release do?

    Parameters
    ----------
    plan : Experiment, dict, or path of a plan file
        What was asked before the data were seen.
    log : table, path, or Report
        What happened: anything that `Experiment.analyze` reads, or its report under the same plan.
    look : int or Look, optional
        Which look this is, where the plan's monitor has a schedule; see `Experiment.analyze`.

    Returns
    -------
    Decision
        With the verdict, every reason and check, bounds of its errors, and digests of plan and evidence.

    Raises
    ------
    PlanError
        The plan is not one; or the report was made under another plan.
    DataError
        The log cannot answer the plan. No verdict is given then.

    Notes
    -----
    In this order, per treatment: a metric shown to be worse (a guardrail: by more than its margin) rolls back; a failed
    check of the data blocks promotion; at least one success metric shown superior and every guardrail shown
    non-inferior promotes; else continue. All tests are two-sided at alpha. Success metrics and treatments share alpha
    by Holm's procedure, their gains and their harms each for themselves; guardrails need no share, since all of them
    must hold (Schultzberg, Ankargren and Franberg 2024, arXiv 2402.11609, sec. 3). Overall the strongest treatment that
    may be promoted is; the release is rolled back when every treatment must be.

    Examples
    --------
    >>> import abkit as ab
    >>> import pandas as pd
    >>> log = pd.DataFrame({
    ...     "user": range(400),
    ...     "variant": ["control", "new"] * 200,
    ...     "revenue": [1.0, 1.6, 2.0, 2.6] * 100,
    ... })
    >>> plan = ab.Experiment(unit="user", variant="variant", control="control",
    ...                      metrics={"revenue": ab.Mean("revenue")})
    >>> decision = ab.decide(plan, log)
    >>> decision.verdict, decision.variant, [reason.code for reason in decision.reasons]
    ('promote', 'new', ['SUCCESS_SUPERIOR'])
    """
    experiment = as_experiment(plan)
    if isinstance(log, Report):
        if log.experiment.sha256 != experiment.sha256:
            raise PlanError("`log` is a report of another plan; analyze the log under this one.")
        report = log
    else:
        report = experiment.analyze(log, look=look)
    return decide_report(report)


def decide_report(report: Report) -> Decision:
    """The decision on a report, under the report's own plan."""
    from abkit import __version__

    experiment = report.experiment
    judged = findings(report)
    decided, reasons, blocked = verdicts(report, judged)
    verdict, variant = overall(decided, judged)
    checks = tuple(
        CheckStatus(check.id, check.status, check.message, None if check.value is None else rounded(check.value))
        for check in report.checks
    )
    metrics = tuple(status_of(finding) for finding in judged)
    plan_sha256, evidence_sha256 = experiment.sha256, _digest(_evidence(report, metrics, checks))
    return Decision(
        verdict,
        blocked,
        verdict != "continue",
        report.look.number,
        variant,
        decided,
        tuple(reasons),
        checks,
        tuple(report.notes()),
        metrics,
        risk_of(experiment, len(report.variants) - 1),
        experiment.adjust,
        plan_sha256,
        evidence_sha256,
        _digest([plan_sha256, evidence_sha256, __version__]),
        __version__,
    )


def risk_of(experiment: Experiment, treatments: int) -> Risk:
    """Union bounds of the errors of a plan's rule; each direction of a two-sided test has half of alpha."""
    roles = [metric.role for metric in experiment.metrics.values()]
    half = experiment.monitor.total / 2
    families = roles.count("success") * treatments if experiment.adjust == "none" else min(roles.count("success"), 1)
    others = (roles.count("guardrail") + roles.count("deterioration")) * treatments
    promote = min(1.0, half * families) if families else half
    return Risk(promote, min(1.0, half * (families + others)), experiment.monitor.guarantee)


def _evidence(report: Report, metrics: tuple[MetricStatus, ...], checks: tuple[CheckStatus, ...]) -> Any:
    found = sorted((asdict(metric) for metric in metrics), key=lambda item: (item["metric"], item["variant"]))
    checked = sorted((asdict(check) for check in checks), key=lambda item: str(item["id"]))
    return {
        "look": report.look.number,
        "units": report.units,
        "audit": asdict(report.statistics.audit),
        "metrics": found,
        "checks": checked,
    }


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, allow_nan=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
