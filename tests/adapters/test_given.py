"""Statistics as a log: the same decision as on the rows that they are of, and nothing that cannot be."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import abkit as ab
from abkit import CoMoments, Counts, Histogram, Moments

METRICS = {
    "revenue": ab.Mean("revenue"),
    "buyers": ab.Proportion("bought", role="guardrail", margin=0.05),
    "per visit": ab.Ratio("revenue", "visits", role="deterioration"),
    "adjusted": ab.Mean("revenue", role="deterioration", covariates="before"),
    "slow": ab.Quantile("latency", 0.9, per="unit", accuracy=0.01, role="deterioration", direction="decrease"),
}


def plan(**changes: Any) -> ab.Experiment:
    fields = {"unit": "user", "variant": "variant", "control": "control", "metrics": METRICS}
    return ab.Experiment(**{**fields, **changes})


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    rng = np.random.default_rng(2)
    variant = rng.permutation(["control", "new"] * 1000)
    before = rng.gamma(2, 10, 2000)
    return pd.DataFrame(
        {
            "user": np.arange(2000),
            "variant": variant,
            "revenue": before + rng.normal(4 * (variant == "new"), 8),
            "before": before,
            "bought": rng.integers(0, 2, 2000),
            "visits": 1 + rng.poisson(2, 2000),
            "latency": rng.lognormal(0, 1, 2000),
        }
    )


@pytest.fixture(scope="module")
def statistics(rows: pd.DataFrame) -> dict[str, dict[str, Any]]:
    return {str(name): of(group) for name, group in rows.groupby("variant")}


def of(group: pd.DataFrame) -> dict[str, Any]:
    return {
        "revenue": Moments.from_sample(group["revenue"]),
        "buyers": Counts.from_sample(group["bought"]),
        "per visit": CoMoments.from_sample(group[["revenue", "visits"]], ["revenue", "visits"]),
        "adjusted": CoMoments.from_sample(group[["revenue", "before"]], ["revenue", "before"]),
        "slow": Histogram.from_sample(group["latency"], accuracy=0.01),
    }


def plain(log: Any) -> Any:
    return {key: plain(value) if isinstance(value, dict) else value.to_dict() for key, value in log.items()}


MONITORS = [ab.FixedHorizon(), ab.Bayesian(), ab.AnytimeValid(), ab.GroupSequential(looks=3, units=6000)]


@pytest.mark.parametrize("monitor", MONITORS, ids=lambda monitor: monitor.kind)
def test_they_decide_as_their_rows_do(rows: pd.DataFrame, statistics: Any, monitor: ab.Monitor) -> None:
    asked = plan(monitor=monitor)
    of_rows, of_given = ab.decide(asked, rows), ab.decide(asked, statistics)
    assert of_given.verdict == of_rows.verdict
    for a, b in zip(of_rows.metrics, of_given.metrics, strict=True):
        if a.metric == "revenue" and monitor.kind == "anytime-valid":
            continue  # a log's third moments have their say in a burn-in; Moments hold none
        assert (a.status, a.n_control, a.n_treatment) == (b.status, b.n_control, b.n_treatment)
        np.testing.assert_allclose([a.estimate, a.low, a.high], [b.estimate, b.low, b.high], rtol=1e-8)


def test_what_rows_would_show_is_not_claimed(statistics: Any) -> None:
    decision = ab.decide(plan(key="event"), statistics)
    assert [check.id for check in decision.checks] == ["sample_ratio", "balance:adjusted:new"]
    assert decision.notes[0].startswith("the log is statistics: rows without a unit or a variant")


def test_json_holds_the_same(statistics: Any, tmp_path: Path) -> None:
    text = json.dumps(plain(statistics), allow_nan=False)
    (tmp_path / "log.json").write_text(text)
    asked = plan(log=ab.Source(path=str(tmp_path / "log.json")))
    expected = ab.decide(asked, statistics).to_json()
    assert ab.decide(asked, json.loads(text)).to_json() == expected
    assert ab.decide(asked, dict(reversed(json.loads(text).items()))).to_json() == expected
    assert ab.decide(asked).to_json() == ab.decide(asked, tmp_path / "log.json").to_json() == expected


def test_a_missing_metric_has_no_data_and_never_promotes(statistics: Any) -> None:
    assert ab.decide(plan(), statistics).verdict == "promote"
    for name in ("buyers", "slow", "adjusted"):
        less = {**statistics, "new": {key: value for key, value in statistics["new"].items() if key != name}}
        decision = ab.decide(plan(), less)
        assert decision.verdict == "continue"
        assert {metric.metric: metric.status for metric in decision.metrics}[name] == "no_data"


def test_the_sample_ratio_is_tested(statistics: Any) -> None:
    fewer = {**statistics, "new": {**statistics["new"], "revenue": Moments(700, 25.0, 700 * 300.0)}}
    lopsided = {"control": {"revenue": Moments(1000, 20.0, 3e5)}, "new": {"revenue": fewer["new"]["revenue"]}}
    decision = ab.decide(plan(metrics={"revenue": METRICS["revenue"]}), lopsided)
    assert (decision.verdict, decision.blocked) == ("continue", True)


def test_variants_that_the_plan_does_not_name_are_counted(statistics: Any) -> None:
    report = plan(allocation={"control": 1, "new": 1}).analyze({**statistics, "old": statistics["new"]})
    assert report.statistics.audit.units_in_unknown_variants == 1000
    assert any("1,000 of 3,000 units are in variants that the plan does not name" in note for note in report.notes())


def test_a_variant_without_units_is_refused() -> None:
    empty = {"control": {"revenue": Moments(0, 0.0, 0.0)}, "new": {"revenue": Moments(5, 1.0, 2.0)}}
    with pytest.raises(ab.DataError, match="no units of the control"):
        plan().analyze(empty)


WRONG = [
    ("revenue", Moments(np.array([3, 4]), np.zeros(2), np.zeros(2)), "one group"),
    ("revenue", 3.0, "must be CoMoments, Counts, Histogram, Moments"),
    ("revenue", {"kind": "moments", "n": 3, "mean": float("nan"), "m2": 1.0}, "finite"),
    ("revenue", {"kind": "moments", "n": 3, "mean": 1.0}, "exactly the fields"),
    ("revenue", {"kind": "moments", "n": -3, "mean": 1.0, "m2": 1.0}, "at least 0"),
    ("revenue", {"kind": "mystery"}, "`kind` must be one of"),
    ("revenue", Histogram.from_sample([1.0, 2.0], accuracy=0.01), "a Histogram is for quantiles"),
    ("buyers", Moments(10, 0.25, 1.0), "a whole number of the 10 units"),
    ("buyers", Moments(10, 1.2, 1.0), "a whole number"),
    ("buyers", Moments(10, 0.3, 5.0), "zeros and ones of this mean have an m2 of 2.1; got 5"),
    ("per visit", Moments(10, 0.3, 5.0), "of 2 variables, revenue, visits, in this order; got 1"),
    ("per visit", CoMoments(9, [1.0, 2.0], [[1.0, 9.0], [9.0, 1.0]], ["a", "b"]), "no correlation may be beyond 1"),
    ("slow", Moments(10, 0.3, 5.0), "have a Histogram"),
    ("slow", Histogram.from_sample([1.0, 2.0], accuracy=0.02), "`accuracy` must be the plan's"),
]


@pytest.mark.parametrize(("name", "given", "says"), WRONG)
def test_what_cannot_be_is_refused_by_its_place(statistics: Any, name: str, given: Any, says: str) -> None:
    log = {**statistics, "new": {**statistics["new"], name: given}}
    with pytest.raises(ab.DataError, match=f"`log.new.{name}` is impossible: .*{says}"):
        ab.decide(plan(), log)


def test_logs_that_are_no_statistics_are_refused(statistics: Any, tmp_path: Path) -> None:
    for log, says in (
        ({"control": 3}, "`log` must be a table, or a dict of variants"),
        ({**statistics, "new": {"revenu": 1}}, "'revenu', which is no metric of the plan. Did you mean"),
        ({}, "no units of the control"),
    ):
        with pytest.raises(ab.DataError, match=says):
            ab.decide(plan(), log)
    with pytest.raises(ab.PlanError, match="`segments` must be empty"):
        ab.decide(plan(segments="country"), statistics)


def test_stages_are_told_apart(rows: pd.DataFrame) -> None:
    strategy = ab.Canary(stages=(ab.Stage(10), ab.Stage(50)), stage="stage")
    asked = plan(strategy=strategy, metrics={"revenue": METRICS["revenue"]})
    staged = rows.assign(stage=np.where(rows["user"] < 900, 1, 2))
    kept = (staged["variant"] == "control") | (staged["stage"] == 2) | (staged["user"] % 9 == 0)
    staged = staged[kept]
    given = {
        stage: {
            variant: {"revenue": Moments.from_sample(group["revenue"])} for variant, group in found.groupby("variant")
        }
        for stage, found in staged.groupby("stage")
    }
    state = ab.State(stage=2)
    of_rows, of_given = ab.decide(asked, staged, state=state), ab.decide(asked, given, state=state)
    assert of_rows.verdict == of_given.verdict
    assert [reason.code for reason in of_rows.reasons] == [reason.code for reason in of_given.reasons]
    as_text = {str(stage): found for stage, found in given.items()}
    assert ab.decide(asked, as_text, state=state).to_json() == of_given.to_json()
    with pytest.raises(ab.DataError, match="`log` must map each stage, from 1 to 2"):
        ab.decide(asked, given[2], state=state)
    assert replace(asked, strategy=strategy) == asked
