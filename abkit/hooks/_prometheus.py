"""Answers in the shape of Prometheus' HTTP API, for whoever reads metrics."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from abkit import _check
from abkit.errors import PlanError
from abkit.hooks._answer import Answer, answer_of
from abkit.hooks._reply import Reply

if TYPE_CHECKING:
    from abkit.decision import Decision
    from abkit.errors import AbkitError

VERDICTS = {"promote": 1, "continue": 0, "rollback": -1}
#: What may be asked about a plan.
SERIES = ("abkit_verdict", "abkit_promote", "abkit_rollback", "abkit_blocked")
LABELS = ("plan", "stage", "look")
PROBE = "vector(1)"


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked: a series of a plan, and at which stage and look; or, without a name, whether anybody is there."""

    name: str | None
    labels: dict[str, str]


def prometheus(decision: Decision | AbkitError, query: str, at: float = 0.0) -> Reply:
    """An instant query of Prometheus, answered with a decision.

    Answers: what number does this decision give to a deployer that compares numbers?

    Parameters
    ----------
    decision : Decision, or the error there was instead of one
        A `DataError`, of a log that cannot answer its plan, is to continue and blocked.
    query : str
        One of these, where `stage` and `look` may be left out:

        - `abkit_verdict{plan="checkout",stage="2",look="3"}`: 1 promote, 0 continue, -1 rollback;
        - `abkit_promote{plan="checkout"}`: 1 promote, else 0;
        - `abkit_rollback{plan="checkout"}`: 1 rollback, else 0;
        - `abkit_blocked{plan="checkout"}`: 1 where a person must look, else 0;
        - `vector(1)`: 1, which Flagger asks when it starts.
    at : float
        The time that is answered, in seconds since 1970: what the request says, else 0, so that the same request has
        the same answer.

    Returns
    -------
    Reply
        200 with a vector of one number, which is text as in Prometheus; or 400 for a query that is none of these.

    References
    ----------
    prometheus.io, HTTP API, instant queries; fluxcd/flagger, pkg/metrics/providers/prometheus.go at v1.44.0.

    Examples
    --------
    >>> import abkit as ab
    >>> reply = ab.hooks.prometheus(ab.DataError("the log is empty."), 'abkit_verdict{plan="checkout"}')
    >>> reply.body["data"]["result"]
    [{'metric': {'__name__': 'abkit_verdict', 'plan': 'checkout'}, 'value': [0.0, '0']}]
    """
    try:
        asked = parsed_query(query)
    except PlanError as error:
        return prometheus_error(400, "bad_data", str(error))
    metric = {} if asked.name is None else {"__name__": asked.name, **asked.labels}
    value = 1 if asked.name is None else _value(asked.name, answer_of(decision))
    result = [{"metric": metric, "value": [at, str(value)]}]
    return Reply(200, {"status": "success", "data": {"resultType": "vector", "result": result}})


def prometheus_error(status: int, kind: str, message: str) -> Reply:
    """An error as Prometheus says it."""
    return Reply(status, {"status": "error", "errorType": kind, "error": message})


def parsed_query(query: str) -> Query:
    """What a query asks; a `PlanError` where it is none that is answered."""
    found = re.fullmatch(r"\s*(\w+)\s*\{(.*)\}\s*", query)
    if "".join(query.split()) == PROBE:
        return Query(None, {})
    if found is None or found[1] not in SERIES:
        raise PlanError(
            f'`query` must be {PROBE} or a series such as {SERIES[0]}{{plan="checkout"}}; got {_check.show(query)}.'
        )
    labels = _labels(found[2])
    if labels is None or "plan" not in labels:
        raise PlanError(
            f"`query` must have the labels plan and, where needed, stage and look; got {_check.show(query)}."
        )
    return Query(found[1], labels)


def _labels(text: str) -> dict[str, str] | None:
    pairs = [re.fullmatch(r'\s*(\w+)\s*=\s*"([^"\\]*)"\s*', part) for part in text.removesuffix(",").split(",")]
    named: dict[str, Any] = {pair[1]: pair[2] for pair in pairs if pair}
    return named if len(named) == len(pairs) and set(named) <= set(LABELS) else None


def _value(name: str, answer: Answer) -> int:
    if name == "abkit_verdict":
        return VERDICTS[answer.verdict]
    return int(answer.blocked if name == "abkit_blocked" else answer.verdict == name.removeprefix("abkit_"))
