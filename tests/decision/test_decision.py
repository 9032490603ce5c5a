"""The decision: from a log to a record that is the same, byte for byte, whatever the order of things."""

from __future__ import annotations

import json
import math
from dataclasses import FrozenInstanceError, replace
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import abkit as ab
from abkit.decision import decide_report
from abkit.decision._decision import rounded

N = 240
RNG = np.random.default_rng(7)
USER = np.arange(N) // 2
NAMES = np.array(["control", "new", "newer"])[USER % 3]
LOG = pd.DataFrame(
    {
        "user": USER,
        "variant": NAMES,
        "revenue": RNG.normal(10, 2, N) + 2.0 * (USER % 3 == 1),
        "latency": RNG.gamma(20, 5, N),
        "bought": (RNG.random(N) < 0.3).astype(int),
        "before": RNG.normal(5, 1, N // 2)[USER],
        "event": np.arange(N),
    }
)
PLAN = ab.Experiment(
    unit="user",
    variant="variant",
    control="control",
    metrics={
        "revenue": ab.Mean("revenue", covariates="before"),
        "per row": ab.Ratio("revenue", ab.ROWS),
        "bought": ab.Proportion("bought", role="deterioration"),
        "latency": ab.Mean("latency", role="guardrail", direction="decrease", margin=ab.relative(0.25)),
    },
    key="event",
)


@pytest.fixture(scope="module")
def decision() -> ab.Decision:
    return ab.decide(PLAN, LOG)


def test_the_log_is_worth_a_decision(decision: ab.Decision) -> None:
    assert (decision.verdict, decision.variant) == ("promote", "new")
    assert decision.variants["newer"] != "promote"


def test_the_same_input_gives_the_same_bytes(decision: ab.Decision) -> None:
    for log in (LOG, LOG.copy(), pl.from_pandas(LOG), pl.from_pandas(LOG).lazy()):
        assert ab.decide(PLAN, log).to_json() == decision.to_json()


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_rows_changes_no_byte(seed: int, decision: ab.Decision) -> None:
    assert ab.decide(PLAN, LOG.sample(frac=1, random_state=seed)).to_json() == decision.to_json()


def test_the_order_of_columns_changes_no_byte(decision: ab.Decision) -> None:
    assert ab.decide(PLAN, LOG[LOG.columns[::-1]]).to_json() == decision.to_json()


def test_exact_duplicates_of_keyed_rows_change_no_number(decision: ab.Decision) -> None:
    twice = ab.decide(PLAN, pd.concat([LOG, LOG.iloc[:50]]))
    assert (twice.metrics, twice.verdict, twice.variants) == (decision.metrics, decision.verdict, decision.variants)
    assert "50 of 290 rows are duplicates of a key: left out" in twice.notes


def test_the_order_of_metrics_changes_no_digest(decision: ab.Decision) -> None:
    turned = replace(PLAN, metrics=dict(reversed(PLAN.metrics.items())))
    found = ab.decide(turned, LOG)
    assert list(turned.metrics) != list(PLAN.metrics)
    assert (found.verdict, found.variant, found.variants) == (decision.verdict, decision.variant, decision.variants)
    for name in ("plan_sha256", "evidence_sha256", "decision_id"):
        assert getattr(found, name) == getattr(decision, name)
    assert sorted(map(str, found.metrics)) == sorted(map(str, decision.metrics))
    assert sorted(map(str, found.reasons)) == sorted(map(str, decision.reasons))


def test_the_order_of_metrics_with_equal_evidence_changes_no_digest() -> None:
    names = ["a", "b", "c"]
    plans = [replace(PLAN, metrics={name: ab.Mean("revenue") for name in order}) for order in (names, names[::-1])]
    digests = {ab.decide(plan, LOG).decision_id for plan in plans}
    assert len(digests) == 1


def test_the_order_of_the_allocation_changes_no_digest() -> None:
    weights = {"control": 1.0, "new": 1.0, "newer": 1.0}
    plans = [replace(PLAN, allocation=w) for w in (weights, dict(reversed(weights.items())))]
    first, second = (ab.decide(plan, LOG) for plan in plans)
    assert (first.decision_id, first.verdict, first.variant) == (second.decision_id, second.verdict, second.variant)


def test_the_digests_follow_the_plan_and_the_evidence(decision: ab.Decision) -> None:
    other_plan = ab.decide(replace(PLAN, missing="drop"), LOG)
    other_log = ab.decide(PLAN, LOG.iloc[:-2])
    assert (other_plan.plan_sha256 == decision.plan_sha256, other_plan.evidence_sha256) == (
        False,
        decision.evidence_sha256,
    )
    assert (other_log.plan_sha256, other_log.evidence_sha256 == decision.evidence_sha256) == (
        decision.plan_sha256,
        False,
    )
    assert len({decision.decision_id, other_plan.decision_id, other_log.decision_id}) == 3
    assert decision.plan_sha256 == PLAN.sha256


def test_a_report_gives_the_decision_of_its_log(decision: ab.Decision) -> None:
    report = PLAN.analyze(LOG)
    for found in (ab.decide(PLAN, report), ab.decide(PLAN.to_dict(), report), decide_report(report)):
        assert found.to_json() == decision.to_json()


def test_a_report_of_another_plan_is_refused() -> None:
    with pytest.raises(ab.PlanError, match="`log` is a report of another plan; analyze the log under this one"):
        ab.decide(replace(PLAN, adjust="none"), PLAN.analyze(LOG))


@pytest.mark.parametrize("log", [5, [], "log.txt", {"a": [1]}])
def test_what_is_no_log_is_a_data_error(log: object) -> None:
    with pytest.raises(ab.DataError):
        ab.decide(PLAN, log)


def test_a_plan_that_does_not_say_where_its_log_lies_needs_one() -> None:
    with pytest.raises(ab.PlanError, match="`log` must be given, or the plan must say where it lies"):
        ab.decide(PLAN)


def test_a_decision_cannot_be_changed(decision: ab.Decision) -> None:
    with pytest.raises(FrozenInstanceError):
        decision.verdict = "promote"  # type: ignore[misc]


def test_the_json_is_strict_and_holds_plain_values(decision: ab.Decision) -> None:
    def refuse(name: str) -> None:
        raise AssertionError(name)

    text = decision.to_json()
    assert json.loads(text, parse_constant=refuse) == decision.to_dict()
    assert "\n" not in text
    assert types_in(decision.to_dict()) <= {dict, list, str, float, int, bool, type(None)}


def types_in(value: Any) -> set[type]:
    if isinstance(value, dict):
        return {dict}.union(*(types_in(item) for item in value.values()))
    if isinstance(value, list):
        return {list}.union(*(types_in(item) for item in value))
    return {type(value)}


def test_the_text_starts_with_the_verdict_and_says_everything_else(decision: ab.Decision) -> None:
    text = str(decision)
    assert text.startswith("PROMOTE new\n")
    for reason in decision.reasons:
        assert f"{reason.code}: {reason.message}" in text
    for check in decision.checks:
        assert f"{check.id}: {check.message}" in text
    assert decision.decision_id[:12] in text
    assert "false promote 0.05, false rollback 0.125" in text
    assert "nan" not in text


def test_what_was_left_out_is_said_with_its_count() -> None:
    log = LOG.copy().astype({"variant": object, "user": object})
    log.loc[0, "user"] = None
    log.loc[2:3, "variant"] = None
    log.loc[4:5, "variant"] = "other"
    log.loc[6, "variant"] = "new"
    log.loc[9, "revenue"] = np.nan
    plan = replace(PLAN, allocation={"control": 1, "new": 1, "newer": 1}, missing="drop")
    decision = ab.decide(plan, pd.concat([log, log.iloc[20:23]]))
    assert decision.notes[:6] == (
        "1 of 243 rows without a unit (`user` is null): left out",
        "2 of 243 rows without a variant (`variant` is null): left out",
        "3 of 243 rows are duplicates of a key: left out",
        "1 of 119 units are in several variants: left out",
        "1 of 119 units are in variants that the plan does not name: left out",
        "1 of 243 rows have no `revenue`: left out of `revenue`",
    )
    assert all(note in str(decision) for note in decision.notes)
    assert (
        list(decision.notes) == decision.to_dict()["notes"] == plan.analyze(pd.concat([log, log.iloc[20:23]])).notes()
    )


def test_a_clean_log_has_no_notes(decision: ab.Decision) -> None:
    assert decision.notes == ()
    assert "left out or changed" not in str(decision)


@pytest.mark.parametrize(
    ("value", "scale", "expected"),
    [
        (0.0, 0.0, 0.0),
        (-0.0, 0.0, 0.0),
        (math.nan, 0.0, None),
        (math.inf, 0.0, None),
        (-math.inf, 1.0, None),
        (1 / 3, 0.0, 0.333333333),
        (123456789.123, 0.0, 123456789.0),
        (1234567891.5, 0.0, 1234567890.0),
        (1e-20, 1.0, 0.0),
        (0.123456789123, 100.0, 0.123457),
        (-2 / 3, math.nan, -0.666666667),
        (5e-324, 0.0, 5e-324),
        (1.7976931348623157e308, 0.0, 1.79769313e308),
        (1.0, math.inf, 1.0),
    ],
)
def test_numbers_are_rounded_to_nine_digits_of_the_larger_of_value_and_scale(
    value: float, scale: float, expected: float | None
) -> None:
    found = rounded(value, scale)
    assert found == expected
    assert found is None or math.copysign(1, found) == math.copysign(1, expected or 1)
