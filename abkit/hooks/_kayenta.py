"""Kayenta: a decision as the result of its judge, and as its canary API answers those who poll it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from abkit import _check
from abkit.errors import AbkitError, PlanError
from abkit.hooks._answer import answer_of
from abkit.hooks._kayenta_score import Thresholds, thresholds_of
from abkit.hooks._reply import Reply

if TYPE_CHECKING:
    from abkit.decision import Decision
    from abkit.decision._decision import MetricStatus

JUDGE = "RemoteJudge-v1.0"


def kayenta(decision: Decision | AbkitError, thresholds: Mapping[str, float] | None = None) -> Reply:
    """What a judge of Kayenta answers: a CanaryJudgeResult made from a decision.

    Answers: what is the score of this canary, and of each of its metrics?

    Parameters
    ----------
    decision : Decision, or the error there was instead of one
        A `DataError`, of a log that cannot answer its plan, is to continue and blocked.
    thresholds : mapping, optional
        `pass` and `marginal` as the consumer has them; 95 and 75 by default.

    Returns
    -------
    Reply
        Always 200. The score is 100 to promote, 0 to roll back, and between marginal and pass to continue: strictly,
        because Kayenta and Argo Rollouts take a score at the marginal threshold for marginal, and Orca for a failure.

    Raises
    ------
    PlanError
        Thresholds that are not 0 < marginal <= pass <= 100.

    Notes
    -----
    Where marginal equals pass nothing lies between, and to continue fails. At the last interval of a canary analysis
    whatever is below pass fails: there "continue" cannot be said. `kayenta_judge` judges series that Kayenta fetched.

    References
    ----------
    spinnaker/kayenta, CanaryJudgeResult.java at a69573b; spinnaker/orca, RunCanaryIntervalsStage at 2fdb327.

    Examples
    --------
    >>> import abkit as ab
    >>> reply = ab.hooks.kayenta(ab.DataError("the log is empty."), {"pass": 90, "marginal": 50})
    >>> reply.body["score"]
    {'score': 70.0, 'classification': 'Marginal', 'classificationReason': 'the log is empty.'}
    """
    return Reply(200, judge_result(decision, _given(thresholds)))


def kayenta_configs(names: Iterable[str]) -> Reply:
    """What `GET /canaryConfig` answers: the plans that there are, each under its own name.

    Parameters
    ----------
    names : iterable of str
        Names of plans.

    Examples
    --------
    >>> import abkit as ab
    >>> ab.hooks.kayenta_configs(["checkout"]).body[0]["id"]
    'checkout'
    """
    return Reply(200, [{"id": name, "name": name, "updatedTimestamp": 0, "applications": []} for name in names])


def kayenta_started(plan: str, request: object) -> Reply:
    """What `POST /canary/{id}` answers: the name under which the execution is polled.

    Parameters
    ----------
    plan : str
        The plan's name.
    request : mapping
        The body: `thresholds` with `pass` and `marginal`. Scopes are ignored: the plan says where its log is.

    Returns
    -------
    Reply
        200 with `canaryExecutionId`, which holds the plan and the thresholds, so that nothing must be remembered
        between the two calls; `kayenta_polled` reads it.

    Raises
    ------
    PlanError
        No thresholds, or thresholds that are not 0 < marginal <= pass <= 100.

    Examples
    --------
    >>> import abkit as ab
    >>> started = ab.hooks.kayenta_started("checkout", {"scopes": {}, "thresholds": {"pass": 90, "marginal": 50}})
    >>> started.body
    {'canaryExecutionId': '90_50_checkout'}
    """
    given = request.get("thresholds") if isinstance(request, Mapping) else None
    wanted = thresholds_of(given)
    return Reply(200, {"canaryExecutionId": f"{wanted.passing:.12g}_{wanted.marginal:.12g}_{plan}"})


def kayenta_polled(execution: str) -> tuple[str, dict[str, float]]:
    """The plan's name and the thresholds that the id of an execution holds.

    Raises
    ------
    PlanError
        An id that `kayenta_started` did not give.

    Examples
    --------
    >>> import abkit as ab
    >>> ab.hooks.kayenta_polled("90_50_checkout")
    ('checkout', {'pass': 90.0, 'marginal': 50.0})
    """
    parts = execution.split("_", 2)
    try:
        wanted = thresholds_of({"pass": float(parts[0]), "marginal": float(parts[1])})
        return parts[2], {"pass": wanted.passing, "marginal": wanted.marginal}
    except (IndexError, ValueError):
        raise PlanError(f"`execution` must be an id that a start answered; got {_check.show(execution)}.") from None


def kayenta_execution(decision: Decision | AbkitError, thresholds: Mapping[str, float] | None = None) -> Reply:
    """What `GET /canary/{id}` answers: an execution that is complete, with its judge's result.

    Parameters
    ----------
    decision : Decision, or the error there was instead of one
    thresholds : mapping, optional
        `pass` and `marginal` that the execution was started with; 95 and 75 by default.

    Notes
    -----
    Argo Rollouts polls it every 15 seconds until `complete`, cuts the score to a whole number, and takes it for
    Successful from pass, Inconclusive from marginal, else Failed.

    Examples
    --------
    >>> import abkit as ab
    >>> reply = ab.hooks.kayenta_execution(ab.DataError("the log is empty."), {"pass": 90, "marginal": 50})
    >>> reply.body["complete"], reply.body["result"]["judgeResult"]["score"]["score"]
    (True, 70.0)
    """
    return Reply(200, _execution(decision, _given(thresholds)))


def kayenta_standalone(decision: Decision | AbkitError, thresholds: Mapping[str, float] | None = None) -> Reply:
    """What `GET /standalone_canary_analysis/{id}` answers: still running to continue, else complete with its verdict.

    Parameters
    ----------
    decision : Decision, or the error there was instead of one
    thresholds : mapping, optional
        `pass` and `marginal`; 95 and 75 by default.

    Notes
    -----
    Unlike a canary execution, an analysis has a third state: it is not complete. A consumer with a limit of its own
    ends it there.

    Examples
    --------
    >>> import abkit as ab
    >>> ab.hooks.kayenta_standalone(ab.DataError("the log is empty.")).body["status"]
    'running'
    """
    answer, wanted = answer_of(decision), _given(thresholds)
    execution = _execution(decision, wanted)
    running = answer.verdict == "continue"
    passed = answer.verdict == "promote"
    result = {
        "didPassThresholds": passed,
        "hasWarnings": answer.blocked,
        "canaryScoreMessage": answer.reason,
        "canaryScores": [wanted.score(answer.verdict)],
        "canaryExecutionResults": [execution],
    }
    status = "running" if running else "succeeded" if passed else "terminal"
    done = {} if running else {"canaryAnalysisExecutionResult": result}
    return Reply(200, {"complete": not running, "status": status, **done, "abkit": answer.to_dict()})


def judge_result(decision: Decision | AbkitError, thresholds: Thresholds) -> dict[str, Any]:
    """A CanaryJudgeResult; `abkit` in it is what Kayenta ignores."""
    answer = answer_of(decision)
    metrics = () if isinstance(decision, AbkitError) else decision.metrics
    roles = {metric.role for metric in metrics}
    scores = [
        {"name": role, **thresholds.to_dict(_verdict([m for m in metrics if m.role == role]), "")}
        for role in sorted(roles)
    ]
    return {
        "judgeName": JUDGE,
        "results": [_result(metric) for metric in metrics],
        "groupScores": scores,
        "score": thresholds.to_dict(answer.verdict, answer.reason),
        "abkit": answer.to_dict(),
    }


def _execution(decision: Decision | AbkitError, thresholds: Thresholds) -> dict[str, Any]:
    result = {"judgeResult": judge_result(decision, thresholds), "canaryDuration": "PT0S"}
    return {"complete": True, "status": "succeeded", "result": result}


def _given(thresholds: Mapping[str, float] | None) -> Thresholds:
    return Thresholds() if thresholds is None else thresholds_of(thresholds)


def _verdict(metrics: Iterable[MetricStatus]) -> Any:
    found = {metric.status for metric in metrics}
    if "inferior" in found:
        return "rollback"
    return "promote" if found <= {"superior", "noninferior"} else "continue"


def _result(metric: MetricStatus) -> dict[str, Any]:
    up = metric.estimate is not None and metric.estimate > 0
    label = {"superior": "Pass", "noninferior": "Pass", "inferior": "High" if up else "Low"}
    return {
        "name": metric.metric,
        "id": f"{metric.metric}/{metric.variant}",
        "tags": {"variant": metric.variant},
        "classification": label.get(metric.status, "Nodata"),
        "classificationReason": f"{metric.status} at level {metric.level:g}",
        "groups": [metric.role],
        "experimentMetadata": {"stats": {"count": metric.n_treatment}},
        "controlMetadata": {"stats": {"count": metric.n_control}},
        "resultMetadata": {"estimate": metric.estimate, "low": metric.low, "high": metric.high},
        "critical": metric.role in ("guardrail", "deterioration"),
        "muted": False,
    }
