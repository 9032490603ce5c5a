"""AWS CodeDeploy's lifecycle hooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from abkit.hooks._answer import answer_of

if TYPE_CHECKING:
    from abkit.decision import Decision
    from abkit.errors import AbkitError


def codedeploy(decision: Decision | AbkitError) -> Literal["Succeeded", "Failed"] | None:
    """The `status` of `PutLifecycleEventHookExecutionStatus`.

    Answers: what is CodeDeploy told, if anything yet?

    Parameters
    ----------
    decision : Decision, or the error there was instead of one

    Returns
    -------
    str or None
        Succeeded is promote, and Failed is rollback. None is to continue: CodeDeploy has no word for it, so tell it
        nothing and ask again; a hook that is told nothing for an hour fails.

    Examples
    --------
    >>> import abkit as ab
    >>> ab.hooks.codedeploy(ab.DataError("the log is empty.")) is None
    True
    """
    verdict = answer_of(decision).verdict
    return None if verdict == "continue" else "Succeeded" if verdict == "promote" else "Failed"
