"""From a plan and a log to promote, continue or roll back."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from typing import Any

from abkit import _times
from abkit.decision._decision import CheckStatus as CheckStatus
from abkit.decision._decision import Decision as Decision
from abkit.decision._decision import MetricStatus as MetricStatus
from abkit.decision._decision import Reason as Reason
from abkit.decision._decision import Risk as Risk
from abkit.decision._decision import SegmentVerdict as SegmentVerdict
from abkit.decision._decision import StageStatus as StageStatus
from abkit.decision._decision import plain, rounded
from abkit.decision._losses import losses_of
from abkit.decision._progress import next_state, progress_of, status_of_stage
from abkit.decision._rule import findings, overall, status_of, verdicts
from abkit.decision._segments import segment_findings, segment_verdicts, with_segments
from abkit.decision._state import State as State
from abkit.errors import PlanError
from abkit.experiment import Experiment, as_experiment
from abkit.report import Report
from abkit.rule import AllOf, Node
from abkit.sequential import Bayesian, GroupSequential, Look
from abkit.strategies import FeatureFlag

#: Fields of a status that only a posterior fills.
BELIEFS = ("probability", "loss")


def decide(
    plan: object,
    log: object = None,
    *,
    state: object = None,
    now: object = None,
    look: int | Look | None = None,
) -> Decision:
    """Promote, continue or roll back.

    Answers: given what this plan asks and what this log shows, what should the release do?

    Parameters
    ----------
    plan : Experiment, dict, or path of a plan file
        What was asked before the data were seen.
    log : table, path, statistics, or Report
        What happened: anything that `Experiment.analyze` reads, or its report under the same plan. By default the log
        that the plan names, relative to the plan's file.
    state : State, Decision, or their plain values, optional
        Where the release stood: the decision of the look before, or its `state`.
    now : datetime or str, optional
        When this look is held; by default the time of the log's last row.
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
    check of the data blocks promotion; so do a minimum time and number of units; at least one success metric shown
    superior and every guardrail shown non-inferior promotes, or what the tree of the plan's rule asks for; then the
    deadline; else continue. All tests are two-sided at alpha. Success metrics and treatments share alpha
    by Holm's procedure, their gains and their harms each for themselves; guardrails need no share, since all of them
    must hold (Schultzberg, Ankargren and Franberg 2024, arXiv 2402.11609, sec. 3). Overall the strongest treatment that
    may be promoted is; the release is rolled back when every treatment must be. A feature flag's segments have verdicts
    of their own, and what is shown to harm one of them is not promoted as a whole.

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
    before = None if state is None else State.of(state)
    at = None if now is None else _moment(now)
    if isinstance(log, Report):
        if log.experiment.sha256 != experiment.sha256:
            raise PlanError("`log` is a report of another plan; analyze the log under this one.")
        return decide_report(log, before, at)
    return decide_report(experiment.analyze(log, look=_look(experiment, look, before)), before, at)


def decide_report(report: Report, state: State | None = None, now: dt.datetime | None = None) -> Decision:
    """The decision on a report, under the report's own plan."""
    from abkit import __version__

    experiment = report.experiment
    judged, progress = findings(report), progress_of(report, state, now)
    decided, reasons, blocked = verdicts(report, judged, progress)
    segments = segment_verdicts(report, progress) if experiment.strategy.segment_verdicts else {}
    every = _every_segment(experiment)
    decided, segments, harmed, held = with_segments(report, progress, decided, segments, every=every)
    verdict, variant = overall(decided, judged)
    checks = tuple(
        CheckStatus(check.id, check.status, check.message, None if check.value is None else rounded(check.value))
        for check in (*report.checks, *progress.checks)
    )
    metrics = tuple(status_of(finding) for finding in judged)
    stage = status_of_stage(report, progress, verdict)
    plan_sha256 = experiment.sha256
    evidence = _evidence(report, metrics, checks)
    if segments:
        evidence["segments"] = _of_segments(report)
    evidence_sha256 = _digest(evidence)
    release = [plain(stage), [plain(reason) for reason in progress.unmet], progress.expired]
    return Decision(
        verdict,
        blocked or held,
        verdict == "rollback" or (verdict == "promote" and progress.last),
        report.look.number,
        stage,
        variant,
        decided,
        tuple(dict.fromkeys((*reasons, *harmed))),
        checks,
        tuple(report.notes()),
        metrics,
        risk_of(experiment, len(report.variants) - 1),
        experiment.adjust,
        experiment.strategy.kind,
        experiment.strategy.words.cannot,
        progress.next_look,
        progress.deadline,
        next_state(report, progress, state, verdict),
        plan_sha256,
        evidence_sha256,
        _digest([plan_sha256, evidence_sha256, release, __version__]),
        __version__,
        segments,
        losses_of(report, variant),
    )


def _every_segment(experiment: Experiment) -> bool:
    strategy = experiment.strategy
    return isinstance(strategy, FeatureFlag) and strategy.every_segment


def _moment(now: object) -> dt.datetime:
    try:
        return _times.moment("now", now)
    except (TypeError, ValueError) as error:
        raise PlanError(str(error)) from error


def _look(experiment: Experiment, look: int | Look | None, state: State | None) -> int | Look | None:
    """The look that is meant: after those of the state, where the monitor's schedule does not count units itself."""
    counts = isinstance(experiment.monitor, GroupSequential) and experiment.monitor.units is None
    return len(state.looks) + 1 if look is None and state is not None and counts else look


def risk_of(experiment: Experiment, treatments: int) -> Risk:
    """Union bounds of the errors of a plan's rule; each direction of a two-sided test has half of alpha."""
    if isinstance(experiment.monitor, Bayesian):
        return _believed_risk(experiment, experiment.monitor)
    roles = [metric.role for metric in experiment.metrics.values()]
    half = experiment.monitor.total / 2
    families = roles.count("success") * treatments if experiment.adjust == "none" else min(roles.count("success"), 1)
    others = (roles.count("guardrail") + roles.count("deterioration")) * treatments
    promote = min(1.0, _false_promote(experiment, treatments))
    rollback = experiment.rule.alpha_rollback or min(1.0, half * (families + others))
    if experiment.timing.deadline is not None and experiment.timing.at_deadline == "rollback":
        rollback = 1.0
    return Risk(promote, rollback, experiment.guarantee)


def _believed_risk(experiment: Experiment, monitor: Bayesian) -> Risk:
    """How probably a verdict is an error, given the data: a union bound over what a promotion states.

    A loss alone asks no more of the probability than that the effect lies on its side.
    """
    timing, roles = experiment.timing, [metric.role for metric in experiment.metrics.values()]
    left = 1 - monitor.asked
    of_success = left if monitor.probability is not None else 0.5
    promote, guards = (
        of_success * min(roles.count("success"), 1) + left * roles.count("guardrail"),
        "guardrail" in roles,
    )
    if experiment.rule.promote is not None:
        promote = of_success * roles.count("success") + left * roles.count("guardrail")
    needless = timing.deadline is not None and timing.at_deadline == "noninferior" and guards and "success" in roles
    rollback = experiment.rule.alpha_rollback or (of_success if "success" in roles else left)
    forced = timing.deadline is not None and timing.at_deadline == "rollback"
    return Risk(1.0 if needless else min(promote, 1.0), 1.0 if forced else rollback, experiment.guarantee)


def _false_promote(experiment: Experiment, treatments: int) -> float:
    """Of a treatment that does not have what a promotion takes, or is beyond the margin of a guardrail."""
    roles = [metric.role for metric in experiment.metrics.values()]
    timing, tree, holm = experiment.timing, experiment.rule.promote, experiment.adjust == "holm"
    needless = timing.deadline is not None and timing.at_deadline == "noninferior" and "guardrail" in roles
    if needless and "success" in roles:  # guardrails are then enough
        return 1.0
    half = experiment.monitor.total / 2
    guarded = half * treatments if "guardrail" in roles else half  # each treatment may be beyond a margin
    if tree is not None:
        shared = {name: metric.role == "success" and holm for name, metric in experiment.metrics.items()}
        return max(guarded, _false(tree, {name: half if once else half * treatments for name, once in shared.items()}))
    return guarded if holm else max(guarded, half * treatments * roles.count("success"))


def _false(node: Node, errors: dict[str, float], share: float = 1.0) -> float:
    """A node that is not so has, of all nodes, one that is not; of any, none that is."""
    if isinstance(node, str):
        return errors[node] * share
    if isinstance(node, AllOf):
        return max(_false(part, errors, share) for part in node.nodes)
    return sum(_false(part, errors, share / len(node.nodes)) for part in node.nodes)


def _evidence(report: Report, metrics: tuple[MetricStatus, ...], checks: tuple[CheckStatus, ...]) -> Any:
    found = sorted((_of_metric(metric) for metric in metrics), key=lambda item: (item["metric"], item["variant"]))
    checked = sorted((plain(check) for check in checks), key=lambda item: str(item["id"]))
    return {
        "look": report.look.number,
        "units": report.units,
        "audit": plain(report.statistics.audit),
        "metrics": found,
        "checks": checked,
    }


def _of_metric(metric: MetricStatus) -> dict[str, Any]:
    """Without what other monitors have no number for, so that their digests do not depend on it."""
    return {name: value for name, value in plain(metric).items() if value is not None or name not in BELIEFS}


def _of_segments(report: Report) -> list[Any]:
    found = []
    for finding in segment_findings(report):
        row, test = finding.row, finding.row.test
        shown = (rounded(test.estimate, test.stderr), rounded(test.pvalue)) if test else (None, None)
        found.append([row.segment, row.metric, row.variant, finding.status, row.n_control, row.n_treatment, *shown])
    return found


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, allow_nan=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
