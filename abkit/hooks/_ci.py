"""Exit codes, for pipelines and whoever else runs a program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from abkit import _check
from abkit.errors import DataError
from abkit.hooks._answer import answer_of

if TYPE_CHECKING:
    from abkit.decision import Decision
    from abkit.errors import AbkitError

PROMOTE, ROLLBACK, USAGE, DATA, INTERNAL, CONTINUE, BLOCKED = 0, 10, 64, 65, 70, 75, 76
CODES = {"promote": PROMOTE, "rollback": ROLLBACK, "continue": CONTINUE, "blocked": BLOCKED}
ExitPolicy = Literal["promote-only", "not-rollback"]
POLICIES = ("promote-only", "not-rollback")


def ci(decision: Decision | AbkitError, exit_policy: ExitPolicy | None = None) -> int:
    """The exit code that a decision is.

    Answers: with which code does `abkit decide` end?

    Parameters
    ----------
    decision : Decision, or the error there was instead of one
        An error has its own code under every policy: 65 for a `DataError`, else 64. It is no verdict.
    exit_policy : {"promote-only", "not-rollback"}, optional
        For deployers that know only success and failure. With promote-only, 0 is promote and 10 everything else; with
        not-rollback, 10 is rollback and 0 everything else.

    Returns
    -------
    int
        0 promote, 10 rollback, 75 continue, 76 continue and blocked. Never 1, 2, or 124 and more: these are crashes,
        time-outs and signals, which are no verdicts.

    Raises
    ------
    ValueError
        There is no such policy.

    Examples
    --------
    >>> import abkit as ab
    >>> ab.hooks.ci(ab.DataError("the log is empty."))
    65
    """
    if exit_policy is not None:
        _check.choice("exit_policy", exit_policy, POLICIES)
    if not _is_decision(decision):
        return DATA if isinstance(decision, DataError) else USAGE
    outcome = answer_of(decision).outcome
    if exit_policy is None:
        return CODES[outcome]
    succeeds = outcome == "promote" if exit_policy == "promote-only" else outcome != "rollback"
    return PROMOTE if succeeds else ROLLBACK


def _is_decision(decision: object) -> bool:
    return not isinstance(decision, Exception)
