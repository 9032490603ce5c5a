"""Verdicts within segments: the family they share alpha in, and what a harmed segment means for the whole."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

import abkit as ab
from abkit._checks import Check
from abkit.decision import decide_report
from abkit.evidence import run_test
from abkit.inference._mean_effect import MeanEffect
from abkit.logs import Audit, LogStatistics
from abkit.report import MetricResult, Report
from abkit.types import Verdict

SUCCESS = ab.Mean("s")
GUARD = ab.Mean("g", role="guardrail", direction="decrease", margin=1.0)
METRICS: dict[str, ab.Metric] = {"s": SUCCESS, "g": GUARD}
PLAN = ab.Experiment(
    strategy=ab.FeatureFlag(flag="f"), control="off", segments="country", metrics=METRICS, monitor=ab.FixedHorizon()
)
PASSED, FAILED = Check("x", "pass", "ok"), Check("x", "fail", "broken")


def row(
    metric: str, z: float | None, segment: str | None, variant: str = "on", plan: ab.Experiment = PLAN
) -> MetricResult:
    """A result whose estimate lies z standard errors of 0.1 from no effect."""
    made = plan.metrics[metric]
    test = None
    if z is not None:
        effect = MeanEffect(10.0, 10.0 + z * 0.1, 0.005, 0.005, 0.0, math.inf)
        test = run_test("made", effect, "two-sided", 0.0)
    reason = None if test else "no units in the treatment"
    return MetricResult(metric, variant, segment, made.role, made.direction, 500, 500, 10.0, 10.0, test, reason)


def report(
    whole: dict[str, float | None],
    segments: dict[str, dict[str, float | None]],
    *,
    plan: ab.Experiment = PLAN,
    check: Check = PASSED,
) -> Report:
    results = tuple(row(metric, z, None, plan=plan) for metric, z in whole.items())
    within = tuple(
        row(metric, z, f"country={name}", plan=plan) for name, found in segments.items() for metric, z in found.items()
    )
    statistics = LogStatistics((), Audit(rows=1000, units=1000))
    return Report(plan, statistics, ("off", "on"), {"off": 500, "on": 500}, results, within, (check,))


def verdicts(decision: ab.Decision) -> dict[str, Verdict]:
    return {name.removeprefix("country="): found["on"].verdict for name, found in decision.segments.items()}


def codes(decision: ab.Decision, segment: str) -> list[str]:
    return [reason.code for reason in decision.segments[f"country={segment}"]["on"].reasons]


GAIN: dict[str, float | None] = {"s": 4.0, "g": 0.0}
FLAT: dict[str, float | None] = {"s": 0.0, "g": 0.0}
HARM: dict[str, float | None] = {"s": 0.0, "g": 15.0}  # the margin is at 10


def test_each_segment_is_judged_by_itself() -> None:
    decision = decide_report(
        report(GAIN, {"DE": GAIN, "FR": FLAT, "US": {"s": 4.0, "g": 9.5}, "UK": {"s": None, "g": 0.0}})
    )
    assert (decision.verdict, decision.blocked) == ("promote", False)
    assert verdicts(decision) == {"DE": "promote", "FR": "continue", "US": "continue", "UK": "continue"}
    assert codes(decision, "DE") == ["GUARDRAIL_NONINFERIOR", "SUCCESS_SUPERIOR"]
    assert codes(decision, "US") == ["GUARDRAIL_NONINFERIORITY_NOT_SHOWN"]
    assert codes(decision, "UK")[0] == "NO_DATA"


def test_what_harms_a_segment_is_not_promoted_as_a_whole() -> None:
    decision = decide_report(report(GAIN, {"DE": HARM, "FR": GAIN}))
    assert (decision.verdict, decision.blocked, decision.variants) == ("continue", True, {"on": "continue"})
    assert verdicts(decision) == {"DE": "rollback", "FR": "promote"}
    assert decision.reasons[-1].code == "SEGMENT_HARMED"
    assert "country=DE" in decision.reasons[-1].message
    assert decision.state.stage == 1
    undecided = decide_report(report(FLAT, {"DE": HARM, "FR": GAIN}))
    assert (undecided.verdict, undecided.blocked) == ("continue", False)
    assert undecided.reasons[-1].code == "SEGMENT_HARMED"


def test_the_whole_may_wait_for_every_segment() -> None:
    plan = replace(PLAN, strategy=ab.FeatureFlag(flag="f", every_segment=True))
    wide: dict[str, float | None] = {"s": 0.0, "g": 9.5}
    decision = decide_report(report(GAIN, {"DE": wide, "FR": FLAT}, plan=plan))
    assert (decision.verdict, decision.blocked, decision.reasons[-1].code) == ("continue", False, "SEGMENT_NOT_SHOWN")
    assert decide_report(report(GAIN, {"DE": GAIN, "FR": FLAT}, plan=plan)).verdict == "promote"
    assert decide_report(report(GAIN, {"DE": {"s": 4.0, "g": None}, "FR": FLAT}, plan=plan)).verdict == "continue"


@pytest.mark.parametrize(
    ("choice", "found", "verdict", "blocked"),
    [
        ("hold", FLAT, "continue", True),
        ("noninferior", FLAT, "continue", True),
        ("rollback", FLAT, "rollback", False),
        ("hold", HARM, "continue", True),
        ("rollback", HARM, "rollback", False),
    ],
)
def test_segments_do_not_hold_a_promotion_up_beyond_the_deadline(
    choice: Any, found: dict[str, float | None], verdict: str, blocked: bool
) -> None:
    timing = ab.Timing(start="2026-11-01", deadline="7d", at_deadline=choice)
    plan = replace(PLAN, strategy=ab.FeatureFlag(flag="f", every_segment=True), timing=timing)
    wide: dict[str, float | None] = {"s": 0.0, "g": 9.5}
    given = report(GAIN, {"DE": wide if found is FLAT else found, "FR": GAIN}, plan=plan)
    now = dt.datetime(2026, 11, 9, tzinfo=dt.UTC)
    decision = decide_report(given, now=now)
    assert (decision.verdict, decision.blocked, decision.reasons[-1].code) == (verdict, blocked, "DEADLINE_PASSED")
    assert verdicts(decision)["FR"] == ("continue" if verdict == "rollback" else "promote")
    early = decide_report(given, now=now - dt.timedelta(days=3))
    assert (early.verdict, early.blocked) == ("continue", found is HARM)


def test_no_segment_is_promoted_of_what_is_rolled_back() -> None:
    decision = decide_report(report(HARM, {"DE": HARM, "FR": GAIN}))
    assert decision.verdict == "rollback"
    assert verdicts(decision) == {"DE": "rollback", "FR": "continue"}
    assert codes(decision, "FR")[-1] == "WHOLE_ROLLED_BACK"


def test_broken_data_promote_no_segment() -> None:
    decision = decide_report(report(GAIN, {"DE": GAIN, "FR": HARM}, check=FAILED))
    assert verdicts(decision) == {"DE": "continue", "FR": "rollback"}
    assert decision.blocked
    held = replace(PLAN, rule=ab.Rule(tainted="hold"))
    decision = decide_report(report(GAIN, {"DE": GAIN, "FR": HARM}, plan=held, check=FAILED))
    assert verdicts(decision) == {"DE": "continue", "FR": "continue"}
    assert decision.verdict == "continue"


def holm(pvalues: list[float], alpha: float) -> list[bool]:
    """Step by step, as Holm (1979) has it."""
    rejected = [False] * len(pvalues)
    for step, i in enumerate(sorted(range(len(pvalues)), key=lambda i: pvalues[i])):
        if pvalues[i] >= alpha / (len(pvalues) - step):
            break
        rejected[i] = True
    return rejected


def test_gains_of_all_segments_are_one_family() -> None:
    rng = np.random.default_rng(3)
    for _ in range(200):
        z = rng.normal(1.5, 1.2, 4)
        decision = decide_report(report(FLAT, {str(i): {"s": float(value), "g": 0.0} for i, value in enumerate(z)}))
        pvalues = [2 * stats.norm.sf(abs(value)) if value > 0 else 1.0 for value in z]
        expected = ["promote" if shown else "continue" for shown in holm(pvalues, 0.05)]
        found = ["continue" if v == "rollback" else v for v in verdicts(decision).values()]
        assert found == expected


def test_harms_of_a_metric_are_one_family_over_its_segments() -> None:
    rng = np.random.default_rng(4)
    for _ in range(200):
        z = rng.normal(12.0, 1.2, 4)  # 10 is at the margin
        decision = decide_report(report(FLAT, {str(i): {"s": 0.0, "g": float(value)} for i, value in enumerate(z)}))
        pvalues = [2 * stats.norm.sf(abs(value - 10)) if value > 10 else 1.0 for value in z]
        assert [v == "rollback" for v in verdicts(decision).values()] == holm(pvalues, 0.05)


def test_rules_of_their_own_share_alpha_too() -> None:
    spent = replace(PLAN, rule=ab.Rule(alpha_rollback=0.01))
    limit = stats.norm.isf(0.01 / 4)  # two metrics in two segments
    for z, verdict in ((limit - 0.01, "continue"), (limit + 0.01, "rollback")):
        segments = {"DE": {"s": 0.0, "g": 10 + z}, "FR": FLAT}
        assert verdicts(decide_report(report(FLAT, segments, plan=spent)))["DE"] == verdict
    tree = replace(PLAN, rule=ab.Rule(promote=ab.AllOf("s", "g")))
    limit = stats.norm.isf(0.025 / 2)
    for z, verdict in ((limit - 0.01, "continue"), (limit + 0.01, "promote")):
        segments = {"DE": {"s": z, "g": 0.0}, "FR": FLAT}
        assert verdicts(decide_report(report(FLAT, segments, plan=tree)))["DE"] == verdict


def test_the_deadline_is_that_of_the_whole() -> None:
    timing = ab.Timing(start="2026-11-01", deadline="7d", at_deadline="rollback")
    decided = decide_report(
        report(GAIN, {"DE": FLAT, "FR": GAIN}, plan=replace(PLAN, timing=timing)),
        None,
        dt.datetime(2026, 11, 7, tzinfo=dt.UTC),
    )
    assert verdicts(decided) == {"DE": "continue", "FR": "promote"}


def test_the_order_of_segments_changes_no_verdict_and_all_of_it_is_json() -> None:
    segments: dict[str, Any] = {"DE": GAIN, "FR": HARM, "US": FLAT}
    first = decide_report(report(GAIN, segments))
    second = decide_report(report(GAIN, dict(reversed(segments.items()))))
    assert first.to_json() == second.to_json()
    assert first.to_dict()["segments"]["country=FR"]["on"]["verdict"] == "rollback"
    assert "country=FR: rollback on (HARM_SHOWN g" in str(first)
    assert decide_report(report(GAIN, {**segments, "US": GAIN})).evidence_sha256 != first.evidence_sha256


@pytest.mark.parametrize("strategy", [ab.ABTest(), ab.Canary()])
def test_other_strategies_have_none(strategy: ab.Strategy) -> None:
    plan = ab.Experiment(
        unit="u",
        variant="v",
        control="off",
        segments="country",
        metrics=METRICS,
        strategy=strategy,
        monitor=ab.FixedHorizon(),
    )
    decision = decide_report(report(GAIN, {"DE": HARM, "FR": GAIN}, plan=plan))
    assert (decision.verdict, decision.segments) == ("promote", {})
