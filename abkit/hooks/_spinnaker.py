"""Spinnaker's webhook stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abkit.hooks._answer import answer_of
from abkit.hooks._reply import Reply

if TYPE_CHECKING:
    from abkit.decision import Decision
    from abkit.errors import AbkitError


def spinnaker(decision: Decision | AbkitError) -> Reply:
    """What a webhook stage of Spinnaker polls.

    Answers: has the stage succeeded, failed, or does it go on?

    Parameters
    ----------
    decision : Decision, or the error there was instead of one
        A `DataError`, of a log that cannot answer its plan, is to continue and blocked.

    Returns
    -------
    Reply
        Always 200. `status` is "promote", "continue" or "rollback", for `statusJsonPath: $.status` with
        `successStatuses: promote` and `terminalStatuses: rollback`; a status that neither names keeps the stage
        running. `outcome` says "blocked" too, for those who would rather list that in `canceledStatuses`. `progress`
        is text, for `progressJsonPath`.

    Notes
    -----
    A stage polls every second and later every 15 seconds, up to some 300 looks: give the plan a monitor that allows
    them. A status that is a number would mean percent, so no status is one. Without `statusJsonPath` any 200 is
    success.

    References
    ----------
    spinnaker/orca, MonitorWebhookTask.java at 2fdb327.

    Examples
    --------
    >>> import abkit as ab
    >>> reply = ab.hooks.spinnaker(ab.DataError("the log is empty."))
    >>> reply.body["status"], reply.body["progress"]
    ('continue', 'the log is empty.')
    """
    answer = answer_of(decision)
    return Reply(200, {"status": answer.verdict, "progress": answer.reason, **answer.to_dict()})
