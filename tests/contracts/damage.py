"""What broken data must not do: move a verdict towards promote, or bring what is no number into a reply.

A case is a plan, its evidence and the verdict on it; a damage turns the evidence into what a broken pipeline would have
delivered. Errors are no verdict, and neither is to continue and blocked: a person must look. Where the very metric that
showed harm is gone, a rollback cannot be shown any more; the decision must then say that it has no data.
"""

from __future__ import annotations

import json
import re
from typing import Any, get_args

import abkit as ab
from abkit.errors import AbkitError
from abkit.hooks._flagger import Hook

RANK = {"rollback": 0, "continue": 1, "promote": 2}
#: Bounds may be infinite in words, as "+inf"; text of the log, which is quoted, may be any.
NO_NUMBER = re.compile(r"(?<!['`])\b(nan|infinity)\b(?!['`]| or)", re.IGNORECASE)
NO_CONSTANT = re.compile(r"(?<!['`])(NaN|Infinity)")
Found = ab.Decision | AbkitError


def decided(plan: object, log: object, **more: Any) -> Found:
    """The decision, or the error there is instead: one of abkit's own, whatever the log holds."""
    try:
        return ab.decide(plan, log, **more)
    except (ab.DataError, ab.PlanError) as error:
        return error


def moved(before: Found, after: Found) -> bool:
    """Whether a verdict, on the whole or on a treatment, is nearer to promote than without the damage."""
    if isinstance(after, AbkitError):
        return False
    if isinstance(before, AbkitError):
        return after.verdict == "promote"
    nearer = {v for v, verdict in after.variants.items() if RANK[verdict] > RANK[before.variants.get(v, "rollback")]}
    if any(after.variants[variant] == "promote" for variant in nearer):
        return True
    if RANK[after.verdict] > RANK[before.verdict] and after.verdict == "promote":
        return True
    return bool(nearer) and not (after.blocked or _says_what_is_gone(after))


def _says_what_is_gone(decision: ab.Decision) -> bool:
    return any(reason.code == "NO_DATA" for reason in decision.reasons)


def check_replies(found: Found) -> None:
    """Every hook's reply is strict JSON without anything that is no number, and no better than the verdict."""
    verdict = "continue" if isinstance(found, AbkitError) else found.verdict
    if isinstance(found, ab.Decision):
        assert json.loads(found.to_json(), parse_constant=_refused)["verdict"] == verdict
        assert not NO_NUMBER.search(str(found)), str(found)
    hooks = ab.hooks
    bodies = [reply.body for reply in (hooks.argo(found), hooks.spinnaker(found), hooks.kayenta(found))]
    assert bodies[0]["decision"] == bodies[1]["status"] == verdict
    assert isinstance(bodies[1]["progress"], str)
    score = bodies[2]["score"]["score"]
    assert (score == 100, score == 0) == (verdict == "promote", verdict == "rollback")
    assert (score >= 95, score <= 75) == (verdict == "promote", verdict == "rollback")
    execution, standalone = hooks.kayenta_execution(found).body, hooks.kayenta_standalone(found).body
    assert execution["result"]["judgeResult"]["score"] == bodies[2]["score"]
    ended = {"promote": "succeeded", "continue": "running", "rollback": "terminal"}
    assert standalone["status"] == ended[verdict]
    bodies += [execution, standalone, *_flagged(found, verdict), *_measured(found, verdict)]
    for body in bodies:
        text = json.dumps(body, allow_nan=False)
        assert not NO_CONSTANT.search(text), text
        json.loads(text, parse_constant=_refused)
    _check_texts(found, verdict)


def _flagged(found: Found, verdict: str) -> list[Any]:
    replies = {hook: ab.hooks.flagger(found, hook) for hook in get_args(Hook)}
    for hook in ("confirm-rollout", "confirm-traffic-increase", "confirm-promotion"):
        assert (replies[hook].status == 200) == (verdict == "promote")
    for hook in ("pre-rollout", "rollout"):
        assert (replies[hook].status == 200) == (verdict != "rollback")
    assert (replies["rollback"].status == 200) == (verdict == "rollback")
    return [reply.body for reply in replies.values()]


def _measured(found: Found, verdict: str) -> list[Any]:
    series = ("abkit_verdict", "abkit_promote", "abkit_rollback", "abkit_blocked")
    replies = [ab.hooks.prometheus(found, f'{name}{{plan="p"}}') for name in series]
    values = [reply.body["data"]["result"][0]["value"][1] for reply in replies]
    assert values[:3] == [str(RANK[verdict] - 1), str(int(verdict == "promote")), str(int(verdict == "rollback"))]
    return [reply.body for reply in replies]


def _check_texts(found: Found, verdict: str) -> None:
    """Exit codes, and the lines that pipelines read."""
    succeeds = verdict == "promote"
    assert (ab.hooks.ci(found) == 0) == (ab.hooks.ci(found, "promote-only") == 0) == succeeds
    assert (ab.hooks.ci(found) == 10) == (verdict == "rollback")
    if isinstance(found, ab.Decision):
        assert (ab.hooks.ci(found, "not-rollback") == 0) == (verdict != "rollback")
    told = {"promote": "Succeeded", "continue": None, "rollback": "Failed"}
    assert ab.hooks.codedeploy(found) == told[verdict]
    written = ab.hooks.github(found)
    assert f"verdict={verdict}\n" in written.output
    assert f"ABKIT_VERDICT={verdict}\n" in ab.hooks.gitlab(found)
    for text in (written.output, written.summary, written.annotation, ab.hooks.gitlab(found)):
        assert not NO_CONSTANT.search(text), text


def _refused(name: str) -> object:
    raise AssertionError(f"{name} is not JSON")
