"""The rule, on evidence made by hand: every status, every reason, and the order in which they count."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

import abkit as ab
from abkit._tails import critical
from abkit.decision import decide_report, risk_of
from abkit.evidence import run_test
from abkit.inference._mean_effect import MeanEffect
from abkit.logs import Audit, LogStatistics
from abkit.report import Check, MetricResult, Report

CONTROL = 100.0
SUCCESS = ab.Mean("x")
GUARDRAIL = ab.Mean("x", role="guardrail", margin=2.0)
WATCHED = ab.Mean("x", role="deterioration")
FAILED = Check("sample_ratio", "fail", "units 9 : 1")
UNKNOWN = Check("quality:q:treatment", "unknown", "`q` of treatment: no units in the control")
PASSED = Check("contamination", "pass", "0 of 9 units in several variants, left out")


def effect(z: float) -> MeanEffect:
    """An estimate of `z` with a standard error of 1 and a normal reference."""
    return MeanEffect(CONTROL, CONTROL + z, 0.5, 0.5, 0.0, math.inf)


def z_of(pvalue: float) -> float:
    """The statistic that has this two-sided p-value."""
    return critical(pvalue / 2, math.inf)


def row_of(name: str, metric: ab.Metric, variant: str, z: float | None) -> MetricResult:
    """One line of a report; None is a metric without data."""
    shared = (name, variant, None, metric.role, metric.direction, 50, 50, CONTROL, CONTROL)
    if z is None:
        return MetricResult(*shared, None, "no units in the treatment")
    return MetricResult(*shared, run_test("z", effect(z), "two-sided", 0.0), None)


def report_of(
    metrics: dict[str, ab.Metric],
    found: dict[str, float | None] | dict[tuple[str, str], float | None],
    checks: tuple[Check, ...] = (PASSED,),
    **plan: Any,
) -> Report:
    """A report whose estimates, in standard errors, are given by metric, or by metric and treatment."""
    keyed = {key if isinstance(key, tuple) else (key, "treatment"): z for key, z in found.items()}
    treatments = list(dict.fromkeys(variant for _, variant in keyed))
    experiment = ab.Experiment("user", "variant", "control", metrics, **plan)
    rows = tuple(row_of(name, metrics[name], variant, z) for (name, variant), z in keyed.items())
    variants = ("control", *treatments)
    statistics = LogStatistics((), Audit(rows=100, units=100))
    return Report(experiment, statistics, variants, dict.fromkeys(variants, 50), rows, (), checks)


def codes(decision: ab.Decision) -> list[str]:
    return [reason.code for reason in decision.reasons]


def statuses(decision: ab.Decision) -> dict[str, str]:
    return {metric.metric: metric.status for metric in decision.metrics}


S, G, D = {"s": SUCCESS}, {"g": GUARDRAIL}, {"d": WATCHED}
T = {"t": SUCCESS}

# name, metrics, estimates, checks, the verdict, whether it is blocked, and the codes of its reasons
ORDER: list[tuple[str, dict[str, ab.Metric], dict[str, float | None], tuple[Check, ...], str, bool, list[str]]] = [
    ("superior", S, {"s": 3}, (PASSED,), "promote", False, ["SUCCESS_SUPERIOR"]),
    ("superior without a check", S, {"s": 3}, (), "promote", False, ["SUCCESS_SUPERIOR"]),
    ("superior and non-inferior", S | G, {"s": 3, "g": 1}, (), "promote", False,
     ["SUCCESS_SUPERIOR", "GUARDRAIL_NONINFERIOR"]),
    ("one of two superior", S | T, {"s": 3, "t": 0}, (), "promote", False, ["SUCCESS_SUPERIOR"]),
    ("guardrails alone", G, {"g": 1}, (), "promote", False, ["GUARDRAIL_NONINFERIOR"]),
    ("superior, watched metric better", S | D, {"s": 3, "d": 9}, (), "promote", False, ["SUCCESS_SUPERIOR"]),
    ("superior, watched metric unclear", S | D, {"s": 3, "d": -1}, (), "promote", False, ["SUCCESS_SUPERIOR"]),
    ("success harmed", S, {"s": -3}, (), "rollback", False, ["HARM_SHOWN"]),
    ("guardrail harmed", S | G, {"s": 3, "g": -5}, (), "rollback", False, ["HARM_SHOWN"]),
    ("watched metric harmed", S | D, {"s": 3, "d": -3}, (), "rollback", False, ["HARM_SHOWN"]),
    ("one success superior, one harmed", S | T, {"s": 5, "t": -5}, (), "rollback", False, ["HARM_SHOWN"]),
    ("two harmed", S | G, {"s": -3, "g": -9}, (), "rollback", False, ["HARM_SHOWN", "HARM_SHOWN"]),
    ("harm and a failed check", S, {"s": -3}, (FAILED,), "rollback", True, ["CHECK_FAILED", "HARM_SHOWN"]),
    ("harm and no data", S | G, {"s": None, "g": -9}, (), "rollback", False, ["HARM_SHOWN"]),
    ("harm, no data and an unknown check", S | G, {"s": None, "g": -9}, (UNKNOWN,), "rollback", True,
     ["CHECK_FAILED", "HARM_SHOWN"]),
    ("superior and a failed check", S | G, {"s": 3, "g": 1}, (PASSED, FAILED), "continue", True, ["CHECK_FAILED"]),
    ("superior and an unknown check", S, {"s": 3}, (UNKNOWN,), "continue", True, ["CHECK_FAILED"]),
    ("two failed checks", S, {"s": 3}, (FAILED, UNKNOWN), "continue", True, ["CHECK_FAILED", "CHECK_FAILED"]),
    ("nothing shown and a failed check", S, {"s": 0}, (FAILED,), "continue", True,
     ["CHECK_FAILED", "SUCCESS_NOT_SHOWN"]),
    ("nothing shown", S, {"s": 1}, (), "continue", False, ["SUCCESS_NOT_SHOWN"]),
    ("nothing shown twice", S | T, {"s": 1, "t": -1}, (), "continue", False,
     ["SUCCESS_NOT_SHOWN", "SUCCESS_NOT_SHOWN"]),
    ("superior, guardrail open", S | G, {"s": 3, "g": -1}, (), "continue", False,
     ["GUARDRAIL_NONINFERIORITY_NOT_SHOWN"]),
    ("superior, guardrail without data", S | G, {"s": 3, "g": None}, (), "continue", False, ["NO_DATA"]),
    ("superior, watched metric without data", S | D, {"s": 3, "d": None}, (), "continue", False, ["NO_DATA"]),
    ("superior, other success without data", S | T, {"s": 5, "t": None}, (), "continue", False, ["NO_DATA"]),
    ("no data at all", S, {"s": None}, (), "continue", False, ["NO_DATA"]),
    ("guardrail shown, success not", S | G, {"s": 0, "g": 3}, (), "continue", False, ["SUCCESS_NOT_SHOWN"]),
    ("both open", S | G, {"s": 0, "g": -1}, (), "continue", False,
     ["GUARDRAIL_NONINFERIORITY_NOT_SHOWN", "SUCCESS_NOT_SHOWN"]),
    ("nothing asked for", D, {"d": 9}, (), "continue", False, ["NOTHING_TO_SHOW"]),
    ("quality metrics only", {"q": ab.Mean("x", role="quality")}, {"q": 9}, (), "continue", False, ["NOTHING_TO_SHOW"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("metrics", "found", "checks", "verdict", "blocked", "says"), [row[1:] for row in ORDER], ids=[r[0] for r in ORDER]
)
def test_harm_comes_before_checks_and_checks_before_success(
    metrics: dict[str, ab.Metric],
    found: dict[str, float | None],
    checks: tuple[Check, ...],
    verdict: str,
    blocked: bool,
    says: list[str],
) -> None:
    decision = decide_report(report_of(metrics, found, checks))
    assert (decision.verdict, decision.blocked, codes(decision)) == (verdict, blocked, says)
    assert decision.final == (verdict != "continue")
    assert decision.variant == ("treatment" if verdict == "promote" else None)
    assert decision.variants == {"treatment": verdict}


def test_the_table_gives_every_code() -> None:
    assert {code for row in ORDER for code in row[-1]} == {
        "HARM_SHOWN", "CHECK_FAILED", "NO_DATA", "NOTHING_TO_SHOW", "SUCCESS_SUPERIOR", "SUCCESS_NOT_SHOWN",
        "GUARDRAIL_NONINFERIOR", "GUARDRAIL_NONINFERIORITY_NOT_SHOWN",
    }  # fmt: skip


# a metric, its estimate in standard errors, and its status at alpha 0.05, where the critical value is 1.96
STATUS: list[tuple[ab.Metric, float | None, str]] = [
    (SUCCESS, 1.97, "superior"),
    (SUCCESS, 1.95, "inconclusive"),
    (SUCCESS, -1.95, "inconclusive"),
    (SUCCESS, -1.97, "inferior"),
    (SUCCESS, None, "no_data"),
    (replace(SUCCESS, direction="decrease"), -1.97, "superior"),
    (replace(SUCCESS, direction="decrease"), 1.97, "inferior"),
    (replace(SUCCESS, margin=1.0), 2.95, "inconclusive"),
    (replace(SUCCESS, margin=1.0), 2.97, "superior"),
    (replace(SUCCESS, margin=1.0), -1.97, "inferior"),
    (replace(SUCCESS, margin=1.0), -1.95, "inconclusive"),
    (replace(SUCCESS, margin=1.0, direction="decrease"), -2.97, "superior"),
    (replace(SUCCESS, margin=ab.relative(0.01)), 2.95, "inconclusive"),
    (replace(SUCCESS, margin=ab.relative(0.01)), 2.99, "superior"),
    (GUARDRAIL, 0.0, "noninferior"),
    (GUARDRAIL, -0.03, "noninferior"),
    (GUARDRAIL, -0.05, "inconclusive"),
    (GUARDRAIL, -3.95, "inconclusive"),
    (GUARDRAIL, -3.97, "inferior"),
    (GUARDRAIL, 9.0, "noninferior"),
    (GUARDRAIL, None, "no_data"),
    (replace(GUARDRAIL, direction="decrease"), 0.0, "noninferior"),
    (replace(GUARDRAIL, direction="decrease"), 3.97, "inferior"),
    (replace(GUARDRAIL, margin=0.0), 1.95, "inconclusive"),
    (replace(GUARDRAIL, margin=0.0), 1.97, "noninferior"),
    (replace(GUARDRAIL, margin=0.0), -1.97, "inferior"),
    (replace(GUARDRAIL, margin=ab.relative(0.02)), 0.0, "noninferior"),
    (replace(GUARDRAIL, margin=ab.relative(0.02)), -3.9, "inconclusive"),
    (replace(GUARDRAIL, margin=ab.relative(0.02)), -4.0, "inferior"),
    (WATCHED, 1.97, "noninferior"),
    (WATCHED, 0.0, "inconclusive"),
    (WATCHED, -1.97, "inferior"),
    (WATCHED, None, "no_data"),
    (replace(WATCHED, margin=1.0), -2.95, "inconclusive"),
    (replace(WATCHED, margin=1.0), -2.97, "inferior"),
    (replace(WATCHED, margin=1.0), 1.0, "noninferior"),
]


@pytest.mark.parametrize(("metric", "z", "status"), STATUS)
def test_a_metric_is_judged_by_its_role_direction_and_margin(metric: ab.Metric, z: float | None, status: str) -> None:
    assert statuses(decide_report(report_of({"m": metric}, {"m": z}))) == {"m": status}


def test_quality_metrics_are_checks_and_have_no_status() -> None:
    decision = decide_report(report_of(S | {"q": ab.Mean("x", role="quality")}, {"s": 3, "q": -9}))
    assert (decision.verdict, statuses(decision)) == ("promote", {"s": "superior"})


def test_alpha_is_that_of_the_plan() -> None:
    for alpha, status in ((0.05, "superior"), (0.01, "inconclusive")):
        report = report_of(S, {"s": 2.2}, monitor=ab.FixedHorizon(alpha))
        assert statuses(decide_report(report)) == {"s": status}


# Holm by hand at alpha 0.05 with two metrics on two treatments: the smallest p-value is compared with 0.05 / 4, the
# next with 0.05 / 3, then 0.05 / 2 and 0.05; after the first that is not smaller, nothing else is shown.
HOLM: list[tuple[list[float], list[float], list[str]]] = [
    ([0.012, 0.016, 0.024, 0.049], [0.0125, 0.05 / 3, 0.025, 0.05], ["superior"] * 4),
    ([0.049, 0.024, 0.016, 0.012], [0.05, 0.025, 0.05 / 3, 0.0125], ["superior"] * 4),
    ([0.013, 0.016, 0.024, 0.049], [0.0125] * 4, ["inconclusive"] * 4),
    ([0.012, 0.017, 0.018, 0.019], [0.0125] + [0.05 / 3] * 3, ["superior"] + ["inconclusive"] * 3),
    ([0.012, 0.016, 0.026, 0.03], [0.0125, 0.05 / 3, 0.025, 0.025], ["superior"] * 2 + ["inconclusive"] * 2),
    ([0.012, 0.016, 0.024, 0.05], [0.0125, 0.05 / 3, 0.025, 0.05], ["superior"] * 3 + ["inconclusive"]),
]
KEYS = [("s", "a"), ("t", "a"), ("s", "b"), ("t", "b")]


@pytest.mark.parametrize(("pvalues", "levels", "expected"), HOLM)
def test_success_metrics_and_treatments_share_alpha_by_holm(
    pvalues: list[float], levels: list[float], expected: list[str]
) -> None:
    found = {key: z_of(pvalue) for key, pvalue in zip(KEYS, pvalues, strict=True)}
    decision = decide_report(report_of(S | T, found))
    assert [metric.status for metric in decision.metrics] == expected
    assert [1 - metric.level for metric in decision.metrics] == pytest.approx(levels, rel=1e-6)
    for metric in decision.metrics:
        assert metric.low is not None
        assert (metric.low > 0) == (metric.status == "superior")


def test_without_holm_each_has_all_of_alpha() -> None:
    found = {key: z_of(0.04) for key in KEYS}
    assert [m.status for m in decide_report(report_of(S | T, found)).metrics] == ["inconclusive"] * 4
    plain = decide_report(report_of(S | T, found, adjust="none"))
    assert [m.status for m in plain.metrics] == ["superior"] * 4
    assert {m.level for m in plain.metrics} == {0.95}


def test_guardrails_and_watched_metrics_take_no_share_of_alpha() -> None:
    metrics = S | G | D
    decision = decide_report(report_of(metrics, {"s": 1.97, "g": 0.0, "d": 0.0}))
    assert statuses(decision) == {"s": "superior", "g": "noninferior", "d": "inconclusive"}
    assert {metric.level for metric in decision.metrics} == {0.95}


def test_a_metric_without_data_keeps_its_place_in_the_family() -> None:
    alone = decide_report(report_of(S, {"s": z_of(0.04)}))
    beside = decide_report(report_of(S | T, {"s": z_of(0.04), "t": None}))
    assert statuses(alone) == {"s": "superior"}
    assert statuses(beside) == {"s": "inconclusive", "t": "no_data"}


def test_equal_p_values_are_ranked_by_name_and_not_by_the_order_of_the_plan() -> None:
    found = {key: z_of(0.01) for key in KEYS}
    levels = []
    for order in (KEYS, KEYS[::-1]):
        decision = decide_report(report_of(S | T, {key: found[key] for key in order}))
        levels.append({(metric.metric, metric.variant): metric.level for metric in decision.metrics})
    assert levels[0] == levels[1]


@pytest.mark.parametrize("margin", [0.0, 0.5, 3.0])
def test_gains_and_harms_share_alpha_each_for_themselves(margin: float) -> None:
    # "t" at p = 0.04 needs all of alpha, which it gets when "s" is shown as well, and in the same way only
    metrics = {"s": replace(SUCCESS, margin=margin), "t": SUCCESS}
    t = z_of(0.04)
    for s in (-9.0, -2.5, -1.0, 0.0, 1.0, margin):
        assert statuses(decide_report(report_of(metrics, {"s": s, "t": t})))["t"] == "inconclusive"
    for s in (9.0, margin + 2.5, margin + 1.0, 0.0, -1.0, -2.2):
        assert statuses(decide_report(report_of(metrics, {"s": s, "t": -t})))["t"] == "inconclusive"
    assert statuses(decide_report(report_of(metrics, {"s": margin + 2.3, "t": t}))) == {
        "s": "superior",
        "t": "superior",
    }
    assert statuses(decide_report(report_of(metrics, {"s": -2.3, "t": -t}))) == {"s": "inferior", "t": "inferior"}


# estimates of one success metric per treatment, the verdict on each, and the verdict on all
OVERALL: list[tuple[dict[str, float | None], dict[str, str], str, str | None]] = [
    ({"a": 5, "b": 0}, {"a": "promote", "b": "continue"}, "promote", "a"),
    ({"a": 4, "b": 5}, {"a": "promote", "b": "promote"}, "promote", "b"),
    ({"a": 5, "b": 4}, {"a": "promote", "b": "promote"}, "promote", "a"),
    ({"a": 5, "b": 5}, {"a": "promote", "b": "promote"}, "promote", "b"),
    ({"b": 5, "a": 5}, {"a": "promote", "b": "promote"}, "promote", "b"),
    ({"a": 5, "b": -5}, {"a": "promote", "b": "rollback"}, "promote", "a"),
    ({"a": 0, "b": -5}, {"a": "continue", "b": "rollback"}, "continue", None),
    ({"a": None, "b": -5}, {"a": "continue", "b": "rollback"}, "continue", None),
    ({"a": -5, "b": -5}, {"a": "rollback", "b": "rollback"}, "rollback", None),
    ({"a": 0, "b": None}, {"a": "continue", "b": "continue"}, "continue", None),
]


@pytest.mark.parametrize(("found", "each", "verdict", "variant"), OVERALL)
def test_the_best_treatment_is_promoted_and_all_must_be_harmful_for_a_rollback(
    found: dict[str, float | None], each: dict[str, str], verdict: str, variant: str | None
) -> None:
    decision = decide_report(report_of(S, {("s", name): z for name, z in found.items()}))
    assert (decision.variants, decision.verdict, decision.variant) == (each, verdict, variant)


def test_a_failed_check_blocks_every_treatment_but_not_a_rollback() -> None:
    decision = decide_report(report_of(S, {("s", "a"): 5, ("s", "b"): -5}, (FAILED,)))
    assert (decision.variants, decision.verdict) == ({"a": "continue", "b": "rollback"}, "continue")
    assert (decision.blocked, decision.final) == (True, False)


def test_a_reason_holds_the_numbers_that_the_rule_read() -> None:
    decision = decide_report(report_of(S, {"s": 3.0}))
    reason = decision.reasons[0]
    assert (reason.variant, reason.metric, reason.margin, reason.relative, reason.method) == (
        "treatment", "s", 0.0, False, "z",
    )  # fmt: skip
    assert (reason.estimate, reason.level) == (3.0, 0.95)
    assert (reason.low, reason.high) == pytest.approx((3 - 1.959963985, 3 + 1.959963985), abs=1e-8)
    assert reason.pvalue == pytest.approx(0.0026997961)


def test_a_reason_of_a_relative_margin_is_a_share_of_the_control() -> None:
    metrics = {"g": ab.Mean("x", role="guardrail", margin=ab.relative(0.05))}
    reason = decide_report(report_of(metrics, {"g": 1.0})).reasons[0]
    assert (reason.code, reason.relative, reason.margin) == ("GUARDRAIL_NONINFERIOR", True, -0.05)
    assert reason.estimate == pytest.approx(0.01)
    assert reason.low is not None
    assert -0.05 < reason.low < 0
    assert "+1.000%" in reason.message
    assert "against -5.000%" in reason.message


def test_a_reason_without_a_number_says_so_and_holds_none() -> None:
    metric = ab.Mean("x", role="guardrail", margin=ab.relative(0.05))
    report = report_of({"g": metric}, {"g": 0.0})
    zero = MeanEffect(0.0, 1.0, 0.5, 0.5, 0.0, math.inf)
    result = replace(report.results[0], control=0.0, test=run_test("z", zero, "two-sided", 0.0))
    reason = decide_report(replace(report, results=(result,))).reasons[0]
    assert reason.code == "GUARDRAIL_NONINFERIORITY_NOT_SHOWN"
    assert (reason.estimate, reason.low, reason.high) == (None, None, None)
    assert "nan" not in reason.message
    assert "undefined" in reason.message


@pytest.mark.parametrize(
    ("metrics", "treatments", "adjust", "promote", "rollback"),
    [
        (S, 1, "holm", 0.025, 0.025),
        (S | T, 1, "holm", 0.025, 0.025),
        (S | T, 1, "none", 0.05, 0.05),
        (S | G, 1, "holm", 0.025, 0.05),
        (S | G | D, 1, "holm", 0.025, 0.075),
        (S | G | D, 2, "holm", 0.05, 0.125),
        (S | G, 3, "holm", 0.075, 0.1),
        (G, 3, "holm", 0.075, 0.075),
        (S | T, 3, "none", 0.15, 0.15),
        (G, 1, "holm", 0.025, 0.025),
        (D, 2, "holm", 0.025, 0.05),
    ],
)
def test_errors_are_bounded_by_the_sum_of_the_tests(
    metrics: dict[str, ab.Metric], treatments: int, adjust: str, promote: float, rollback: float
) -> None:
    found = {(name, f"treatment {i}"): 0.0 for i in range(treatments) for name in metrics}
    risk = decide_report(report_of(metrics, found, adjust=adjust)).risk
    assert (risk.false_promote_max, risk.false_rollback_max) == pytest.approx((promote, rollback))
    assert risk.guarantee == "fixed horizon"


@pytest.mark.parametrize(
    ("tree", "treatments", "adjust", "promote"),
    [
        (ab.AllOf("s", "t", "g"), 1, "holm", 0.025),
        (ab.AnyOf("s", "t"), 1, "holm", 0.025),
        (ab.AnyOf("s", ab.AllOf("t", "g")), 1, "none", 0.025),
        (ab.AnyOf("s", "t"), 3, "holm", 0.075),  # the guardrail beside it has all of alpha in each treatment
        (ab.AnyOf("s", "t"), 3, "none", 0.075),
        (ab.AllOf("s", "g"), 3, "holm", 0.075),
        (ab.AnyOf("g"), 50, "none", 1.0),
    ],
)
def test_a_tree_that_does_not_hold_is_promoted_as_often_as_its_false_nodes_are_shown(
    tree: ab.AllOf | ab.AnyOf, treatments: int, adjust: str, promote: float
) -> None:
    metrics = S | T | G
    found = {(name, f"treatment {i}"): 0.0 for i in range(treatments) for name in metrics}
    report = report_of(metrics, found, adjust=adjust, rule=ab.Rule(promote=tree, alpha_rollback=0.01))
    risk = decide_report(report).risk
    assert (risk.false_promote_max, risk.false_rollback_max) == pytest.approx((promote, 0.01))


@pytest.mark.parametrize(("metrics", "promote"), [(S | G, 1.0), (S, 0.025), (G, 0.025)])
def test_a_deadline_that_takes_guardrails_for_enough_promotes_what_is_useless(
    metrics: dict[str, ab.Metric], promote: float
) -> None:
    timing = ab.Timing(start="2026-01-01", deadline="1d", at_deadline="noninferior")
    plan = ab.Experiment("u", "v", "c", metrics, timing=timing)
    assert risk_of(plan, 1).false_promote_max == promote
