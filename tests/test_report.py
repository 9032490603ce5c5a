"""The report: what an analysis found, as text, tables and JSON, with every check and every count."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import abkit as ab
from abkit._render import number, region
from abkit.report import Check, Report

N = 120
ROW = np.arange(N)
TREATED = ROW % 2
PLAN = ab.Experiment(
    unit="user",
    variant="variant",
    control="control",
    metrics={"revenue": ab.Mean("revenue"), "bought": ab.Proportion("bought", role="guardrail", margin=0.2)},
    allocation={"control": 1, "treatment": 1},
)


def log(**changes: Any) -> pd.DataFrame:
    good = {
        "user": ROW,
        "variant": np.where(TREATED, "treatment", "control"),
        "revenue": 10.0 + TREATED + ROW % 5,
        "bought": ROW % 3 == 0,
        "day": np.array(["mon", "tue"])[ROW // 2 % 2],
        "row": ROW,
    }
    return pd.DataFrame({**good, **changes})


def checks(report: Report) -> dict[str, Check]:
    return {check.id: check for check in report.checks}


@pytest.fixture(scope="module")
def report() -> Report:
    return PLAN.analyze(log())


def test_a_result_is_that_of_the_test_on_the_same_numbers(report: Report) -> None:
    table = log()
    arms = [table.loc[table.variant == name, "revenue"].to_numpy() for name in ("control", "treatment")]
    expected = ab.welch_test(*arms)
    found = report.result("revenue")
    assert (found.estimate, found.stderr, found.pvalue) == pytest.approx(
        (expected.estimate, expected.stderr, expected.pvalue)
    )
    assert list(found.interval(0.95)) == pytest.approx(list(expected.interval(0.95)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("income",), "the report has no 'income' of 'treatment'; it has bought / treatment; revenue / treatment."),
        (("revenue", "other"), "the report has no 'revenue' of 'other'"),
        (("revenue", "control"), "the report has no 'revenue' of 'control'"),
        (("revenue", "treatment", "day=sun"), "the report has no 'revenue' of 'treatment' in 'day=sun'"),
    ],
)
def test_a_result_that_is_not_there_is_a_plan_error(arguments: tuple[str, ...], says: str, report: Report) -> None:
    with pytest.raises(ab.PlanError, match=re.escape(says)):
        report.result(*arguments)


def test_a_variant_must_be_named_where_there_are_several() -> None:
    three = log(variant=np.array(["control", "a", "b"])[ROW % 3], revenue=ROW % 3 + ROW % 7)
    report = replace(PLAN, allocation=None).analyze(three)
    assert report.result("revenue", "a").estimate != report.result("revenue", "b").estimate
    with pytest.raises(ab.PlanError, match=r"`variant` must be one of a, b\."):
        report.result("revenue")


def test_a_metric_without_a_result_says_why() -> None:
    report = PLAN.analyze(log(revenue=5.0))
    with pytest.raises(ab.DataError, match=r"`revenue` of 'treatment' has no result: .*the variance is zero"):
        report.result("revenue")
    row = report.to_dicts()[0]
    assert (row["metric"], row["estimate"], row["pvalue"], row["relative_shape"]) == ("revenue", None, None, None)
    assert "the variance is zero" in row["reason"]
    assert (row["control"], row["treatment"]) == (5.0, 5.0)


def test_segments_get_results_of_their_own() -> None:
    report = replace(PLAN, segments="day").analyze(log())
    assert [(row.metric, row.segment) for row in report.segments] == [
        ("revenue", "day=mon"), ("bought", "day=mon"), ("revenue", "day=tue"), ("bought", "day=tue"),
    ]  # fmt: skip
    monday = log().query("day == 'mon'")
    means = monday.groupby("variant")["revenue"].mean()
    assert report.result("revenue", segment="day=mon").estimate == pytest.approx(means["treatment"] - means["control"])
    assert "treatment | day=mon" in str(report)


@pytest.mark.parametrize("segments", [(), ("day",), ("day", "row")])
def test_every_table_has_one_row_a_result_and_the_same_columns(segments: tuple[str, ...]) -> None:
    report = replace(PLAN, segments=segments).analyze(log(row=ROW // 40))
    frame = report.to_frame()
    assert len(frame) == len(report.results) + len(report.segments) == len(report.to_dicts())
    assert list(frame.columns) == list(report.to_dicts()[0])


def test_the_json_of_a_report_is_strict(report: Report) -> None:
    empty = PLAN.analyze(log(revenue=5.0, bought=False))
    for found in (report, empty):
        assert json.loads(json.dumps(found.to_dict(), allow_nan=False)) == found.to_dict()
    assert set(report.to_dict()) == {
        "schema", "plan_sha256", "level", "look", "variants", "units", "results", "segments", "checks", "audit", "caps",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "plan"),
    [
        ({}, {}),
        ({"revenue": 0.0}, {}),
        ({"revenue": 5.0, "bought": False}, {}),
        ({"revenue": np.where(TREATED, np.nan, 1.0)}, {"missing": "drop"}),
        ({"revenue": TREATED * (1.0 + ROW % 5)}, {}),
        ({"variant": np.where(ROW == 0, "control", "treatment")}, {}),
    ],
)
def test_no_nan_is_shown_to_people(changes: dict[str, Any], plan: dict[str, Any]) -> None:
    report = replace(PLAN, **plan).analyze(log(**changes))
    for text in (str(report), report._repr_html_(), str(ab.decide(report.experiment, report))):
        assert not re.search(r"\bnan\b", text), text


def test_the_scorecard_says_units_results_checks_and_what_was_left_out() -> None:
    variant = np.where(ROW == 1, None, log().variant)
    report = replace(PLAN, metrics={"revenue": ab.Mean("revenue", cap=ab.Cap(value=14))}).analyze(log(variant=variant))
    text = str(report)
    assert text.startswith("units: control 60, treatment 59   (control: control)\n")
    assert re.search(r"\ntreatment  revenue  success \+  1[12]\.", text)
    assert "\nchecks\n  pass    sample_ratio: units 60 : 59, 1 : 1 planned; p = " in text
    assert "1 of 120 rows without a variant (`variant` is null): left out" in text
    assert "`revenue` of `revenue` is capped at 14, which changed 12 units (10.08%)" in text
    assert not text.endswith("\n")


# what the log has, what the plan says, the check, its status and what it says
CHECKS: list[tuple[str, dict[str, Any], dict[str, Any], str, str, str]] = [
    ("fair", {}, {}, "sample_ratio", "pass", "units 60 : 60, 1 : 1 planned; p = 1"),
    (
        "unplanned",
        {},
        {"allocation": None},
        "sample_ratio",
        "pass",
        "equal shares assumed: the plan has no `allocation`",
    ),
    (
        "unfair",
        {},
        {"allocation": {"control": 9, "treatment": 1}},
        "sample_ratio",
        "fail",
        "units 60 : 60, 9 : 1 planned",
    ),
    ("impossible", {}, {"allocation": {"control": 1, "treatment": 0}}, "sample_ratio", "fail", "weight is zero"),
    ("no crossing", {}, {}, "contamination", "pass", "0 of 120 units in several variants, left out (limit 1.00%)"),
    ("one crossed", {"user": np.maximum(ROW, 1)}, {}, "contamination", "pass", "1 of 119 units"),
    ("two crossed", {"user": np.where(ROW < 4, ROW // 2, ROW)}, {}, "contamination", "fail", "2 of 118 units"),
    (
        "two allowed",
        {"user": np.where(ROW < 4, ROW // 2, ROW)},
        {"quality": ab.Quality(contaminated=0.02)},
        "contamination",
        "pass",
        "2 of 118 units in several variants, left out (limit 2.00%)",
    ),
    (
        "none allowed",
        {"user": np.maximum(ROW, 1)},
        {"quality": ab.Quality(contaminated=0)},
        "contamination",
        "fail",
        "1 of",
    ),
    ("identified", {}, {}, "identity", "pass", "0 of 120 rows without a unit, a variant or a key"),
    ("one lost", {"user": np.where(ROW, ROW, np.nan)}, {}, "identity", "pass", "1 of 120 rows"),
    ("two lost", {"user": np.where(ROW > 1, ROW, np.nan)}, {}, "identity", "fail", "2 of 120 rows"),
    ("no duplicates", {}, {"key": "row"}, "duplicates", "pass", "0 duplicate rows left out, 0 keys"),
    ("contradictions", {"row": ROW // 2 * 2 + TREATED * (ROW > 9)}, {"key": "row"}, "duplicates", "fail", "5 keys"),
    (
        "complete",
        {"revenue": np.where(ROW < 12, np.nan, ROW)},
        {"missing": "drop"},
        "missing:revenue",
        "pass",
        "rows without a value: control 10.00%, treatment 10.00%; p = 1",
    ),
    (
        "incomplete",
        {"revenue": np.where(TREATED & (ROW < 40), np.nan, ROW)},
        {"missing": "drop"},
        "missing:revenue",
        "fail",
        "rows without a value: control 0.00%, treatment 33.33%; p = ",
    ),
]


@pytest.mark.parametrize(
    ("changes", "plan", "name", "status", "says"), [row[1:] for row in CHECKS], ids=[row[0] for row in CHECKS]
)
def test_every_check_has_a_status_a_sentence_and_a_number(
    changes: dict[str, Any], plan: dict[str, Any], name: str, status: str, says: str
) -> None:
    check = checks(replace(PLAN, **plan).analyze(log(**changes)))[name]
    assert check.status == status
    assert says in check.message
    assert check.value is not None
    assert 0 <= check.value <= 1


@pytest.mark.parametrize(
    ("values", "status"), [(ROW % 5, "pass"), (ROW % 5 + 9 * TREATED, "fail"), (0 * ROW, "unknown")]
)
def test_a_quality_metric_must_not_differ_and_must_be_known(values: Any, status: str) -> None:
    metrics = {**PLAN.metrics, "age": ab.Mean("age", role="quality")}
    report = replace(PLAN, metrics=metrics).analyze(log(age=values))
    assert checks(report)["quality:age:treatment"].status == status
    assert (ab.decide(report.experiment, report).verdict == "promote") == (status == "pass")


def test_an_exposure_needs_no_variant_where_there_was_none() -> None:
    seen = ROW >= 60
    variant = np.where(seen, log().variant, None)
    report = replace(PLAN, exposure="seen").analyze(log(seen=seen, variant=variant))
    assert checks(report)["identity"].status == "pass"
    assert report.units == {"control": 30, "treatment": 30}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (1, "1"), (1234.4, "1234"), (12345.6, "12,346"), (0.00012345, "0.0001234"), (1e-5, "1e-05"),
        (-3.14159, "-3.142"), (1e7, "1e+07"), (math.inf, "inf"), (math.nan, "-"),
    ],
)  # fmt: skip
def test_a_number_has_four_digits(value: float, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        (ab.Interval(-1, 2.5, 0.95), "[-1, 2.5]"),
        (ab.Interval(-math.inf, 2, 0.95), "[-inf, 2]"),
        (ab.HalfLines(-1, 2, 0.95), "up to -1 or from 2"),
        (ab.WholeLine(0.95), "anything"),
    ],
)
def test_a_confidence_set_is_said_in_words(shape: Any, text: str) -> None:
    assert region(shape) == text


def test_a_report_shows_every_shape_of_a_relative_interval() -> None:
    # the control's mean is nearly zero, so that its share of it is known badly or not at all
    near_zero = {"revenue": np.where(TREATED, 9.0, 0.0) + ROW % 7 - 3}
    text = str(PLAN.analyze(log(**near_zero)))
    assert "up to" in text or "anything" in text
    shapes = {row["relative_shape"] for row in PLAN.analyze(log(**near_zero)).to_dicts()}
    assert shapes & {"half-lines", "whole-line"}


def test_covariates_that_differ_by_more_than_chance_fail_a_check() -> None:
    rng = np.random.default_rng(4)
    rows = pd.DataFrame({"user": range(400), "variant": ["control", "new"] * 200})
    rows = rows.assign(before=rng.normal(size=400), age=rng.normal(40, 9, 400), revenue=rng.normal(size=400))
    metrics = {
        "revenue": ab.Mean("revenue", covariates=["before", "age"]),
        "again": ab.Mean("revenue", covariates=["before", "age"]),
        "plain": ab.Mean("revenue"),
    }
    plan = ab.Experiment(unit="user", variant="variant", control="control", metrics=metrics)
    (check,) = [check for check in plan.analyze(rows).checks if check.id.startswith("balance")]
    assert (check.id, check.status) == ("balance:revenue:new", "pass")
    assert "covariates of new differ by" in check.message
    rows.loc[rows["variant"] == "new", "age"] += 5
    (check,) = [check for check in plan.analyze(rows).checks if check.id.startswith("balance")]
    assert check.status == "fail"
    assert ab.decide(plan, rows).blocked


def test_the_caution_of_a_test_is_passed_on() -> None:
    rows = pd.DataFrame({"user": range(200), "variant": ["control", "new"] * 100, "bought": [0] * 197 + [1] * 3})
    metrics = {"bought": ab.Proportion("bought"), "slow": ab.Quantile("user", 0.999)}
    plan = ab.Experiment(unit="user", variant="variant", control="control", metrics=metrics)
    report = plan.analyze(rows)
    said = [note for note in report.notes() if note.startswith("`bought` of new")]
    assert len(said) == 1
    assert report.result("bought").caution in said[0]
    assert "cautions\n  `bought` of new: " in str(report)
    assert "exact_test" in str(report)
    assert said[0] in ab.decide(plan, report).notes
    assert any(note.startswith("`slow` of new") for note in report.notes())
