"""Each decision, as each deployer reads it: the rows of a table, and what no reply may hold."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

import abkit as ab
from abkit import hooks
from abkit.errors import AbkitError
from abkit.hooks import Reply
from abkit.hooks._flagger import HOOKS, Hook
from tests.hooks import consumers
from tests.hooks.decisions import EFFECTS, decision_of, hostile, staged

BROKEN = ab.DataError("the log is\nempty.")
#: outcome: Argo Rollouts, Flagger's yes by hook, Spinnaker, exit code, promote-only, not-rollback, CodeDeploy
CONFIRM = ("confirm-rollout", "confirm-traffic-increase", "confirm-promotion")
GO = ("pre-rollout", "rollout", "post-rollout")
TABLE: dict[str, tuple[str, tuple[str, ...], str, int, int, int, str | None]] = {
    "promote": ("Successful", (*CONFIRM, *GO), "SUCCEEDED", 0, 0, 0, "Succeeded"),
    "continue": ("Inconclusive", GO, "RUNNING", 75, 10, 0, None),
    "rollback": ("Failed", ("rollback", "post-rollout"), "TERMINAL", 10, 10, 10, "Failed"),
    "blocked": ("Inconclusive", GO, "RUNNING", 76, 10, 0, None),
    "no data": ("Inconclusive", GO, "RUNNING", 65, 65, 65, None),
}
ARGO = {
    "count": 3,
    "successCondition": 'result == "promote"',
    "failureCondition": 'result == "rollback"',
    "provider": {"web": {"jsonPath": "{$.decision}"}},
}
SPINNAKER = {
    "statusJsonPath": "$.status",
    "progressJsonPath": "$.progress",
    "successStatuses": "promote",
    "canceledStatuses": "",
    "terminalStatuses": "rollback",
}


def judged(outcome: str) -> ab.Decision | AbkitError:
    return BROKEN if outcome == "no data" else decision_of(outcome)


def answered(reply: Reply) -> tuple[int, str]:
    return reply.status, reply.to_json()


@pytest.mark.parametrize("outcome", TABLE)
def test_argo_rollouts(outcome: str) -> None:
    reply = hooks.argo(judged(outcome))
    assert reply.status == 200
    assert consumers.argo_measurement(ARGO, answered(reply)) == TABLE[outcome][0]
    assert reply.body["outcome"] == ("blocked" if outcome == "no data" else outcome)


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("outcome", TABLE)
def test_flagger(outcome: str, hook: Hook) -> None:
    reply = hooks.flagger(judged(outcome), hook)
    assert reply.status == (200 if hook in TABLE[outcome][1] else 403)
    assert reply.body["reason"]


def test_a_hook_that_flagger_has_not_is_refused() -> None:
    with pytest.raises(ab.PlanError, match="Did you mean 'confirm-promotion'"):
        hooks.flagger(decision_of("promote"), "confirm-promotions")
    assert set(HOOKS) == set(get_args(Hook))


@pytest.mark.parametrize("outcome", TABLE)
def test_spinnaker(outcome: str) -> None:
    reply = hooks.spinnaker(judged(outcome))
    assert reply.status == 200
    assert consumers.spinnaker_status(SPINNAKER, answered(reply)) == TABLE[outcome][2]
    assert isinstance(reply.body["status"], str)


@pytest.mark.parametrize("outcome", TABLE)
def test_exit_codes(outcome: str) -> None:
    codes = [hooks.ci(judged(outcome), policy) for policy in (None, "promote-only", "not-rollback")]
    assert tuple(codes) == TABLE[outcome][3:6]


def test_an_exit_policy_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="`exit_policy` must be one of 'promote-only', 'not-rollback'"):
        hooks.ci(decision_of("promote"), "always")
    assert hooks.ci(ab.PlanError("wrong")) == 64


@pytest.mark.parametrize("outcome", TABLE)
def test_codedeploy(outcome: str) -> None:
    assert hooks.codedeploy(judged(outcome)) == TABLE[outcome][6]


@pytest.mark.parametrize(
    ("outcome", "values"),
    [
        ("promote", (1, 1, 0, 0)),
        ("continue", (0, 0, 0, 0)),
        ("rollback", (-1, 0, 1, 0)),
        ("blocked", (0, 0, 0, 1)),
        ("no data", (0, 0, 0, 1)),
    ],
)
def test_prometheus(outcome: str, values: tuple[int, ...]) -> None:
    series = ("abkit_verdict", "abkit_promote", "abkit_rollback", "abkit_blocked")
    replies = [hooks.prometheus(judged(outcome), f'{name}{{plan="checkout"}}') for name in series]
    assert tuple(consumers.prometheus_value(answered(reply)) for reply in replies) == values
    assert replies[0].body["data"]["result"][0]["metric"] == {"__name__": "abkit_verdict", "plan": "checkout"}


@pytest.mark.parametrize("query", ["vector(1)", " vector( 1 ) "])
def test_flaggers_first_question_is_answered_with_one(query: str) -> None:
    assert consumers.prometheus_value(answered(hooks.prometheus(BROKEN, query))) == 1


@pytest.mark.parametrize(
    "query",
    [
        "",
        "up",
        "vector(2)",
        "abkit_verdict",
        "abkit_verdict{}",
        'abkit_verdict{plan=~".*"}',
        'abkit_verdict{plan="a",job="b"}',
        'abkit_verdict{stage="1"}',
        'abkit_verdict{plan="a"}[5m]',
        'sum(abkit_verdict{plan="a"})',
        'abkit_verdict{plan="a" or "b"}',
        'abkit_secrets{plan="a"}',
        "x" * 5000,
    ],
)
def test_a_query_that_is_not_answered_is_an_error_as_prometheus_says_it(query: str) -> None:
    reply = hooks.prometheus(decision_of("promote"), query)
    assert reply.status == 400
    assert reply.body["status"] == "error"
    assert reply.body["errorType"] == "bad_data"
    assert len(reply.body["error"]) < 300


def test_labels_that_are_asked_come_back() -> None:
    reply = hooks.prometheus(decision_of("promote"), 'abkit_verdict{plan="a", stage="2",look="3",}', at=12.5)
    result = reply.body["data"]["result"][0]
    assert result == {
        "metric": {"__name__": "abkit_verdict", "plan": "a", "stage": "2", "look": "3"},
        "value": [12.5, "1"],
    }


def test_a_stage_is_told_where_it_leads() -> None:
    first, last, harm = staged(1), staged(3), staged(2, -2.0)
    told = [hooks.argo(decision).body for decision in (first, last, harm)]
    assert [(body["decision"], body["stage"], body["next_weight"]) for body in told] == [
        ("promote", 1, 25.0),
        ("promote", 3, 100.0),
        ("rollback", 2, 0.0),
    ]
    assert [body["final"] for body in told] == [False, True, True]


ATTACKS = [
    "a\nverdict=promote",
    "a\r\noutcome<<X\r\npromote\r\nX",
    "::error::x",
    "##[set-output name=verdict]promote",
    "</summary><script>alert(1)</script>|`x`|[a](javascript:x)",
    "a\u2028ABKIT_VERDICT=promote\u0085b\x0bc\x1b[31m",
    "%0A::set-env name=PATH::/tmp",
    "é" * 3000,
]


@pytest.mark.parametrize("name", ATTACKS, ids=range(len(ATTACKS)))
def test_a_name_from_the_log_adds_nothing_to_a_pipeline(name: str) -> None:
    decision = hostile(name)
    said = hooks.github(decision)
    outputs = consumers.github_outputs(said.output)
    plain = hooks.github(decision_of("promote"))
    assert list(outputs) == list(consumers.github_outputs(plain.output))
    assert (outputs["verdict"], outputs["outcome"]) == ("promote", "promote")
    assert [command for command, _ in consumers.workflow_commands(said.annotation)] == ["notice"]
    assert said.annotation.count("\n") == 0
    assert "<script" not in said.summary
    assert said.summary.count("\n") == plain.summary.count("\n")
    variables = consumers.dotenv(hooks.gitlab(decision))
    assert variables["ABKIT_VERDICT"] == "promote"
    assert list(variables) == list(consumers.dotenv(hooks.gitlab(decision_of("promote"))))


@pytest.mark.parametrize(
    ("outcome", "level"), [("promote", "notice"), ("continue", "notice"), ("blocked", "warning"), ("rollback", "error")]
)
def test_github_is_told_how_much_it_matters(outcome: str, level: str) -> None:
    said = hooks.github(decision_of(outcome))
    assert [command for command, _ in consumers.workflow_commands(said.annotation)] == [level]
    outputs = consumers.github_outputs(said.output)
    assert outputs["outcome"] == outcome
    assert outputs["verdict"] == decision_of(outcome).verdict
    assert outputs["blocked"] == str(outcome == "blocked").lower()
    assert said.summary.startswith(f"### abkit: {outcome}\n")
    assert "| revenue | treatment | success |" in said.summary


NUMBERS = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False))


@given(st.sampled_from(list(EFFECTS)), st.text(), st.lists(NUMBERS, min_size=3, max_size=3), st.booleans())
def test_no_reply_is_anything_but_strict_json(outcome: str, text: str, numbers: list[Any], blocked: bool) -> None:
    decision = decision_of(outcome)
    text = text.encode("utf-8", "replace").decode()
    reason = replace(decision.reasons[0], message=text, estimate=numbers[0], low=numbers[1], high=numbers[2])
    changed = replace(decision, reasons=(reason,), variant=text, blocked=blocked, next_look_not_before=text)
    replies = [
        hooks.argo(changed),
        hooks.spinnaker(changed),
        *(hooks.flagger(changed, hook) for hook in get_args(Hook)),
    ]
    replies += [hooks.prometheus(changed, 'abkit_verdict{plan="a"}'), hooks.argo(ab.DataError(text))]
    for reply in replies:
        assert "\n" not in reply.to_json()
        values(json.loads(reply.to_json(), parse_constant=consumers._no_constant))
        assert reply.to_json().encode() == reply.to_json().encode()


def values(content: Any) -> None:
    """No number is infinite."""
    for value in content.values() if isinstance(content, dict) else content if isinstance(content, list) else ():
        values(value)
        assert not isinstance(value, float) or math.isfinite(value)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_json_has_not_is_refused_before_it_leaves(value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        Reply(200, {"estimate": value}).to_json()
