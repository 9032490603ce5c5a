"""Argo Rollouts, and whoever else reads a word out of JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abkit.hooks._answer import answer_of
from abkit.hooks._reply import Reply

if TYPE_CHECKING:
    from abkit.decision import Decision
    from abkit.errors import AbkitError


def argo(decision: Decision | AbkitError) -> Reply:
    """What a `web` metric of Argo Rollouts reads.

    Answers: is this measurement successful, failed or inconclusive?

    Parameters
    ----------
    decision : Decision, or the error there was instead of one
        A `DataError`, of a log that cannot answer its plan, is to continue and blocked: five measurements that fail
        abort a rollout, and broken data are no reason to.

    Returns
    -------
    Reply
        Always 200. `decision` in its body is "promote", "continue" or "rollback"; `outcome` says "blocked" too.

    Notes
    -----
    Argo Rollouts up to 1.9.1 takes a reply of 200 that is not JSON for success, so the body is strict JSON, never
    empty. The template needs `consecutiveSuccessLimit: 1` and `inconclusiveLimit`: without the first, a run that never
    heard more than continue succeeds; without the second, the first continue pauses the rollout.
    `examples/deployers/argo-rollouts/` has it.

    References
    ----------
    argoproj/argo-rollouts, metricproviders/webmetric/webmetric.go and analysis/analysis.go at v1.9.1.

    Examples
    --------
    >>> import abkit as ab
    >>> reply = ab.hooks.argo(ab.DataError("the log is empty."))
    >>> reply.status, reply.body["decision"], reply.body["outcome"]
    (200, 'continue', 'blocked')
    """
    answer = answer_of(decision)
    return Reply(200, {"decision": answer.verdict, **answer.to_dict()})
