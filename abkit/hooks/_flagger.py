"""Flagger's webhooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from abkit import _check
from abkit.errors import PlanError
from abkit.hooks._answer import answer_of
from abkit.hooks._reply import Reply

if TYPE_CHECKING:
    from abkit.decision import Decision
    from abkit.errors import AbkitError

Hook = Literal[
    "confirm-rollout",
    "pre-rollout",
    "rollout",
    "confirm-traffic-increase",
    "confirm-promotion",
    "post-rollout",
    "rollback",
]
HOOKS: tuple[str, ...] = get_args(Hook)
YES, NO = 200, 403


def flagger(decision: Decision | AbkitError, hook: Hook) -> Reply:
    """What a webhook of Flagger is answered: yes or no, with the reason in the body.

    Answers: may the release take the step that this hook guards?

    Parameters
    ----------
    decision : Decision, or the error there was instead of one
        Without a decision nothing is confirmed and nothing is rolled back.
    hook : str
        The hook's type, as Flagger names it.

    Returns
    -------
    Reply
        200 is yes and 403 no:

        - confirm-rollout, confirm-traffic-increase, confirm-promotion: yes if and only if the verdict is promote;
        - pre-rollout, rollout: yes unless it is rollback; a no counts as a failed check, and enough of them roll back;
        - rollback: yes if and only if it is rollback, since the yes of this hook is what rolls back;
        - post-rollout: yes, since Flagger only logs it.

    Raises
    ------
    PlanError
        No hook of Flagger has this name.

    Notes
    -----
    A no is never 5xx, which Flagger repeats. What it posts holds no weight and no step: the stage comes from the log,
    or from `metadata.stage`.

    References
    ----------
    fluxcd/flagger, pkg/controller/webhook.go and scheduler_hooks.go at v1.44.0.

    Examples
    --------
    >>> import abkit as ab
    >>> broken = ab.DataError("the log is empty.")
    >>> {hook: ab.hooks.flagger(broken, hook).status for hook in ("confirm-promotion", "rollout", "rollback")}
    {'confirm-promotion': 403, 'rollout': 200, 'rollback': 403}
    """
    if hook not in HOOKS:
        hint = _check.suggest(hook, HOOKS)
        raise PlanError(f"`hook` must be one of {', '.join(HOOKS)}; got {_check.show(hook)}.{hint}")
    answer = answer_of(decision)
    if hook.startswith("confirm-"):
        yes = answer.verdict == "promote"
    elif hook == "rollback":
        yes = answer.verdict == "rollback"
    else:
        yes = hook == "post-rollout" or answer.verdict != "rollback"
    return Reply(YES if yes else NO, {"verdict": answer.verdict, **answer.to_dict()})
