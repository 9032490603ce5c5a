"""Time, stages and deadlines: what a promotion waits for, and what the next look is told."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

import abkit as ab
from abkit.decision import decide_report
from abkit.logs import Span, StageLog
from abkit.report import Report
from tests.decision.test_rule import FAILED, GUARDRAIL, SUCCESS, codes, report_of

BEGUN = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
RAMP = ab.Canary(stages=[1, ab.Stage(10, min_units=40, min_time="1h"), ab.Stage(50, advance="no-harm"), 100])


def at(hours: float) -> dt.datetime:
    return BEGUN + dt.timedelta(hours=hours)


def seen(found: dict[str, float | None], hours: float = 10, checks: tuple[Any, ...] = (), **plan: Any) -> Report:
    metrics = {name: SUCCESS if name == "s" else GUARDRAIL for name in found}
    report = report_of(metrics, found, checks, **{"monitor": ab.AnytimeValid(), **plan})
    return replace(report, statistics=replace(report.statistics, span=Span(BEGUN, at(hours))))


GOOD = {"s": 9.0, "g": 9.0}
OPEN = {"s": 0.0, "g": 9.0}
BAD = {"s": -9.0, "g": 9.0}


def test_nothing_is_promoted_before_its_time_and_harm_does_not_wait() -> None:
    timing = ab.Timing(min_time="1d", min_units=60)
    early = decide_report(seen(GOOD, timing=timing))
    assert (early.verdict, early.blocked, codes(early)) == ("continue", False, ["TOO_EARLY", "TOO_FEW_UNITS"])
    assert early.next_look_not_before == "2026-11-02T00:00:00Z"
    assert decide_report(seen(BAD, timing=timing)).verdict == "rollback"
    late = decide_report(seen(GOOD, 24, timing=replace(timing, min_units=50)))
    assert (late.verdict, late.final, late.next_look_not_before) == ("promote", True, None)


def test_now_and_start_may_be_given() -> None:
    timing = ab.Timing(min_time="1d", start=at(-20))
    assert decide_report(seen(GOOD, 3, timing=timing)).verdict == "continue"
    assert decide_report(seen(GOOD, 4, timing=timing)).verdict == "promote"
    assert decide_report(seen(GOOD, 3, timing=timing), None, at(4)).verdict == "promote"


def test_time_that_is_not_known_is_asked_for() -> None:
    report = report_of({"s": SUCCESS}, {"s": 9.0}, timing=ab.Timing(min_time="1d"))
    with pytest.raises(ab.PlanError, match="`min_time` of the release must come with `time`"):
        decide_report(report)
    report = report_of({"s": SUCCESS}, {"s": 9.0}, timing=ab.Timing(deadline="1d"))
    with pytest.raises(ab.PlanError, match=r"`timing\.deadline` must come with `time`"):
        decide_report(report)


@pytest.mark.parametrize(
    ("choice", "found", "verdict", "blocked", "code"),
    [
        ("hold", OPEN, "continue", True, "DEADLINE_PASSED"),
        ("hold", GOOD, "promote", False, "SUCCESS_SUPERIOR"),
        ("hold", BAD, "rollback", False, "HARM_SHOWN"),
        ("rollback", OPEN, "rollback", False, "DEADLINE_PASSED"),
        ("rollback", GOOD, "promote", False, "SUCCESS_SUPERIOR"),
        ("noninferior", OPEN, "promote", False, "DEADLINE_NONINFERIOR"),
        ("noninferior", {"s": 0.0, "g": -1.0}, "continue", True, "DEADLINE_PASSED"),
        ("noninferior", {"s": None, "g": 9.0}, "continue", True, "DEADLINE_PASSED"),
        ("noninferior", {"s": 0.0}, "continue", True, "DEADLINE_PASSED"),
    ],
)
def test_a_deadline(choice: Any, found: dict[str, float | None], verdict: str, blocked: bool, code: str) -> None:
    timing = ab.Timing(deadline="10h", at_deadline=choice)
    before = decide_report(seen(found, 9.9, timing=timing))
    assert "DEADLINE" not in "".join(codes(before))
    passed = decide_report(seen(found, 10, timing=timing))
    assert (passed.verdict, passed.blocked) == (verdict, blocked)
    assert code in codes(passed)
    assert passed.deadline == "2026-11-01T10:00:00Z"


def test_a_deadline_promotes_nothing_from_broken_data() -> None:
    timing = ab.Timing(deadline="1h", at_deadline="noninferior")
    decision = decide_report(seen(OPEN, checks=(FAILED,), timing=timing))
    assert (decision.verdict, decision.blocked) == ("continue", True)
    assert (
        decide_report(seen(OPEN, timing=ab.Timing(deadline="1h", at_deadline="rollback"))).risk
        == ab.decide((r := seen(OPEN, timing=ab.Timing(deadline="1h", at_deadline="rollback"))).experiment, r).risk
    )
    assert decide_report(r).risk.false_rollback_max == 1.0


def test_harm_in_broken_data_rolls_back_unless_the_plan_holds() -> None:
    assert decide_report(seen(BAD, checks=(FAILED,))).verdict == "rollback"
    held = decide_report(seen(BAD, checks=(FAILED,), rule=ab.Rule(tainted="hold")))
    assert (held.verdict, held.blocked, codes(held)) == (
        "continue",
        True,
        ["CHECK_FAILED", "HARM_SHOWN", "SUCCESS_NOT_SHOWN"],
    )
    assert decide_report(seen(BAD, rule=ab.Rule(tainted="hold"))).verdict == "rollback"


def test_a_ramp_from_stage_to_stage() -> None:
    state, weights = None, []
    for hours in (1, 2, 3, 4):
        report = seen(OPEN if hours == 3 else GOOD, hours, strategy=RAMP)
        report = replace(report, units=dict.fromkeys(report.units, 50 * hours))
        decision = decide_report(report, state)
        weights.append((decision.stage.index, decision.stage.weight, decision.stage.next_weight, decision.final))
        assert decision.verdict == "promote", hours
        state = decision.state
    assert weights == [(1, 1.0, 10.0, False), (2, 10.0, 50.0, False), (3, 50.0, 100.0, False), (4, 100.0, 100.0, True)]
    assert "PROMOTE treatment at stage 4 of 4: 100% to 100%" in str(decision)


def test_a_stage_waits_for_its_own_time_and_units() -> None:
    state = ab.State(stage=2, started=BEGUN, stage_started=at(2))
    soon = decide_report(seen(GOOD, 2.5, strategy=RAMP), state)
    assert (soon.verdict, codes(soon)) == ("continue", ["TOO_EARLY"])
    assert soon.next_look_not_before == "2026-11-01T03:00:00Z"
    assert (soon.state.stage, soon.state.stage_started) == (2, "2026-11-01T02:00:00Z")
    few = replace(seen(GOOD, 3, strategy=RAMP), stages={2: StageLog({"control": 90, "treatment": 39}, at(1.5))})
    decision = decide_report(few, state)
    assert (decision.verdict, codes(decision)) == ("continue", ["TOO_FEW_UNITS"])
    assert "treatment has 39" in decision.reasons[0].message


def test_a_stage_takes_units_of_its_own_where_the_log_has_no_stages() -> None:
    entered = decide_report(seen(GOOD, 2, strategy=RAMP)).state
    assert (entered.stage, entered.stage_units) == (2, {"control": 50, "treatment": 50})
    for units, verdict in ((50, "continue"), (40, "continue"), (89, "continue"), (90, "promote")):
        report = seen(GOOD, 9, strategy=RAMP)
        decision = decide_report(replace(report, units=dict.fromkeys(report.units, units)), entered)
        assert (decision.verdict, decision.stage.index) == (verdict, 2), units
        begun = dict.fromkeys(report.units, 50 if verdict == "continue" else units)
        assert decision.state.stage_units == begun
    assert decide_report(seen(BAD, 9, strategy=RAMP), entered).verdict == "rollback"
    assert ab.State.of(entered.to_dict()) == entered
    with pytest.raises(ab.PlanError, match=r"`state\.stage_units`"):
        ab.State.of({"stage_units": {"control": -1}})


def test_a_stage_without_evidence_takes_data_and_no_harm() -> None:
    state = ab.State(stage=3, started=BEGUN, stage_started=at(1))
    open_questions = decide_report(seen({"s": 0.0, "g": -1.0}, strategy=RAMP), state)
    assert (open_questions.verdict, codes(open_questions)) == ("promote", ["STAGE_UNHARMED"])
    assert not open_questions.final
    assert decide_report(seen({"s": None, "g": -1.0}, strategy=RAMP), state).verdict == "continue"
    assert decide_report(seen({"s": 0.0, "g": -1.0}, checks=(FAILED,), strategy=RAMP), state).verdict == "continue"
    assert decide_report(seen({"s": 0.0, "g": -9.0}, strategy=RAMP), state).stage.next_weight == 0.0


def test_the_stage_is_that_of_the_state_and_a_log_that_is_ahead_is_contradictory() -> None:
    report = replace(seen(GOOD, strategy=RAMP), stages={n: StageLog(dict.fromkeys(("control", "treatment"), 50))
                                                        for n in (1, 2)})  # fmt: skip
    assert decide_report(report).stage.index == 2
    behind = decide_report(report, ab.State(stage=1))
    assert (behind.verdict, behind.blocked) == ("continue", True)
    assert [check.id for check in behind.checks if check.status == "fail"] == ["stage"]
    with pytest.raises(ab.PlanError, match=r"`state\.stage` must be one of the plan's 4 stages; got 5"):
        decide_report(report, ab.State(stage=5))


def test_old_rows_and_rows_of_tomorrow_break_the_data() -> None:
    timing = ab.Timing(stale="2h")
    assert decide_report(seen(GOOD, 5, timing=timing), None, at(7)).verdict == "promote"
    for now, why in ((at(7.1), "may be 2h ago"), (at(4.9), "is in the future")):
        decision = decide_report(seen(GOOD, 5, timing=timing), None, now)
        assert (decision.verdict, decision.blocked) == ("continue", True)
        assert why in decision.reasons[0].message
    unknown = decide_report(seen(GOOD, 5, timing=timing))
    assert [check.status for check in unknown.checks if check.id == "clock"] == ["unknown"]
    assert decide_report(seen(GOOD, 5), None, at(4.9)).blocked
    assert not decide_report(seen(GOOD, 5), None, at(4.95)).blocked


def test_a_second_look_at_a_fixed_horizon_is_blocked_and_the_same_look_is_not() -> None:
    plan = {"monitor": ab.FixedHorizon()}
    first = decide_report(seen(OPEN, **plan))
    assert first.state.looks == (100,)
    again = decide_report(seen(OPEN, **plan), first.state)
    assert (again.blocked, again.state) == (False, first.state)
    second = decide_report(seen(GOOD, **plan), ab.State(looks=(60,)))
    assert (second.verdict, second.blocked, codes(second)) == ("continue", True, ["CHECK_FAILED"])
    assert "this is look 2" in second.reasons[0].message


def test_the_next_look_is_on_the_planned_grid() -> None:
    timing = ab.Timing(every="6h")
    texts = {h: decide_report(seen(OPEN, h, timing=timing)).next_look_not_before for h in (0, 5.9, 6, 13)}
    assert texts == {0: "2026-11-01T06:00:00Z", 5.9: "2026-11-01T06:00:00Z", 6: "2026-11-01T12:00:00Z",
                     13: "2026-11-01T18:00:00Z"}  # fmt: skip


def test_a_state_is_read_from_what_a_decision_left() -> None:
    decision = decide_report(seen(OPEN, strategy=RAMP), ab.State(stage=2, looks=(10,)))
    assert decision.state.looks == (10, 100)
    for form in (decision, decision.state, decision.to_dict(), decision.to_json(), decision.state.to_dict()):
        assert ab.State.of(form) == decision.state
    for wrong in (5, "x", {"stages": 1}, {"stage": 0}, {"stage": True}, {"looks": [-1]}, {"state": 7}, [], "[]"):
        with pytest.raises(ab.PlanError, match="`state` must be a State, or the decision before"):
            ab.State.of(wrong)


def test_the_same_evidence_has_the_same_bytes_whenever_it_is_looked_at() -> None:
    texts = {decide_report(seen(OPEN, 5, timing=ab.Timing(deadline="2d")), None, at(h)).to_json() for h in (5, 8, 40)}
    assert len(texts) == 1
    assert decide_report(seen(OPEN, 5, timing=ab.Timing(deadline="2d")), None, at(48)).to_json() not in texts


@pytest.mark.parametrize(
    ("stages", "says"),
    [([5, 5], "must rise in weight"), ([50, 10], "must rise in weight"), ([0, 1], "must be greater than 0"),
     ([101], "at most 100"), (["a"], "`stages.weight`"), ("5", "must be a list"),
     ([ab.Stage(5, advance="no-harm")], "must end with one that takes evidence"), ([float("nan")], "`stages.weight`")],
)  # fmt: skip
def test_stages_that_cannot_be(stages: Any, says: str) -> None:
    with pytest.raises((TypeError, ValueError), match=says):
        ab.Canary(stages=stages)
