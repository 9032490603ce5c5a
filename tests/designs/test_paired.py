"""A shadow's log: a row a request or a row an answer, through every engine as by plain loops, and damaged."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import abkit as ab
from abkit.adapters._analyze import read_statistics
from abkit.suffstats import CoMoments

SIDES = {"old": "_old", "new": "_new"}
COLUMNS = ("answer", "score", "error", "latency")
ROOM = 0.02
METRICS: dict[str, Any] = {
    "answers": ab.Disagreement("answer", margin=ROOM),
    "scores": ab.Disagreement("score", tolerance=0.5, margin=ROOM),
    "shares": ab.Disagreement("score", tolerance=ab.relative(0.1), margin=ROOM),
    "errors": ab.PairedProportion("error", role="guardrail", direction="decrease", margin=ROOM),
    "latency": ab.Paired("latency", role="guardrail", direction="decrease", margin=ab.relative(0.05)),
}


def wide_log(n: int = 3000, differ: float = 0.004, errors: float = 0.0, slower: float = 1.0) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    answer, base = rng.integers(0, 5, n), rng.gamma(3.0, 30.0, n)
    score = rng.normal(10, 1, n)
    return pd.DataFrame(
        {
            "request": np.arange(n),
            "session": np.arange(n) // 3,
            "country": np.where(np.arange(n) % 4, "DE", "FR"),
            "at": pd.Timestamp("2026-03-01", tz="UTC") + pd.to_timedelta(np.arange(n), unit="s"),
            "answer_old": [f"label {i}" for i in answer],
            "answer_new": [f"label {i}" for i in np.where(rng.random(n) < differ, (answer + 1) % 5, answer)],
            "score_old": score,
            "score_new": score + np.where(rng.random(n) < differ, 1.5, 0.25),
            "error_old": rng.random(n) < 0.01,
            "error_new": rng.random(n) < 0.01 + errors,
            "latency_old": base + 20,
            "latency_new": (base + rng.normal(20, 3, n)) * slower,
            "wrote": False,
        }
    )


def long_log(wide: pd.DataFrame) -> pd.DataFrame:
    """The same answers, a row each, in another order."""
    plain = [c for c in wide if not c.endswith(("_old", "_new"))]
    parts = [
        wide[[*plain, *(f"{c}_{side}" for c in COLUMNS)]]
        .rename(columns={f"{c}_{side}": c for c in COLUMNS})
        .assign(release=side)
        for side in SIDES
    ]
    return pd.concat(parts).sample(frac=1.0, random_state=3)


def plan(metrics: dict[str, Any] = METRICS, *, long: bool = False, **fields: Any) -> ab.Experiment:
    own = {name: fields.pop(name) for name in ("cluster", "side_effect") if name in fields}
    strategy = ab.Shadow(suffixes=None if long else SIDES, **own)
    columns = {"unit": "request", "variant": "release"} if long else {}
    return ab.Experiment(**{"control": "old", **columns, "strategy": strategy, "metrics": metrics, **fields})


def expected(log: pd.DataFrame) -> dict[str, CoMoments]:
    zero = np.zeros(len(log))
    gap = (log["score_new"] - log["score_old"]).abs()
    pairs = {
        "answers": (zero, log["answer_old"] != log["answer_new"]),
        "scores": (zero, gap > 0.5),
        "shares": (zero, gap > 0.1 * log["score_old"].abs()),
        "errors": (log["error_old"], log["error_new"]),
        "latency": (log["latency_old"], log["latency_new"]),
    }
    return {
        name: CoMoments.from_sample(np.column_stack(pair).astype(float), ["c", "t"]) for name, pair in pairs.items()
    }


def same(found: dict[str, CoMoments], truth: dict[str, CoMoments]) -> None:
    assert found.keys() == truth.keys()
    for name, moments in truth.items():
        assert found[name].n == moments.n
        np.testing.assert_allclose(found[name].mean, moments.mean, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(found[name].m2, moments.m2, rtol=1e-10, atol=1e-9)


ENGINES: dict[str, Callable[[pd.DataFrame], Any]] = {
    "pandas": lambda log: log,
    "polars": pl.from_pandas,
    "lazy polars": lambda log: pl.from_pandas(log).lazy(),
    "arrow": pa.Table.from_pandas,
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("form", ["wide", "wide by request", "long"])
def test_every_engine_and_both_forms_read_the_same_pairs(engine: str, form: str) -> None:
    wide = wide_log()
    long = form == "long"
    log = ENGINES[engine]((long_log(wide) if long else wide).reset_index(drop=True))
    fields = {"unit": "request"} if form == "wide by request" else {}
    statistics = read_statistics(log, plan(long=long, time="at", **fields).request())
    assert [group.variant for group in statistics.groups] == ["old", "new"]
    same(statistics.groups[-1].moments, expected(wide))
    assert statistics.audit.rows == len(wide) * (2 if long else 1)
    assert (statistics.audit.units, statistics.unpaired) == (len(wide), 0)
    assert statistics.span is not None
    assert statistics.span.first.year == 2026


def test_a_file_is_read_too(tmp_path: Path) -> None:
    wide = wide_log(500)
    wide.to_parquet(tmp_path / "log.parquet")
    same(read_statistics(str(tmp_path / "log.parquet"), plan().request()).groups[-1].moments, expected(wide))


def test_segments_and_several_candidates() -> None:
    wide = wide_log(800)
    for column in COLUMNS:
        wide[f"{column}_third"] = wide[f"{column}_old"]
    both = ab.Experiment(
        strategy=ab.Shadow(suffixes={**SIDES, "third": "_third"}), control="old", metrics=METRICS, segments="country"
    )
    groups = {(g.variant, g.segments): g for g in read_statistics(wide, both.request()).groups}
    assert {variant for variant, _ in groups} == {"old", "new", "third"}
    for country in ("DE", "FR"):
        same(groups["new", (country,)].moments, expected(wide[wide["country"] == country]))
        assert groups["third", (country,)].moments["answers"].mean.tolist() == [0.0, 0.0]


def test_sessions_are_what_is_independent() -> None:
    wide = wide_log(900)
    found = read_statistics(wide, plan(cluster="session").request()).groups[-1]
    assert found.units == 300
    latency = wide.groupby("session").agg(c=("latency_old", "sum"), t=("latency_new", "sum"), n=("request", "count"))
    truth = CoMoments.from_sample(latency[["c", "n", "t", "n"]].to_numpy(float), list("abcd"))
    np.testing.assert_allclose(found.moments["latency"].mean, truth.mean, rtol=1e-12)
    np.testing.assert_allclose(found.moments["latency"].m2, truth.m2, rtol=1e-9, atol=1e-8)
    row = plan(cluster="session").analyze(wide).result("latency")
    assert row.estimate == pytest.approx((wide["latency_new"] - wide["latency_old"]).mean())
    long = read_statistics(long_log(wide), plan(long=True, cluster="session").request()).groups[-1]
    np.testing.assert_allclose(long.moments["answers"].m2, found.moments["answers"].m2, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("long", [False, True])
def test_verdicts_lead_to_a_canary_at_most(long: bool) -> None:
    def decide(wide: pd.DataFrame) -> ab.Decision:
        return ab.decide(plan(long=long), long_log(wide) if long else wide)

    good, bad, little = decide(wide_log()), decide(wide_log(differ=0.1, errors=0.1)), decide(wide_log(60))
    assert [d.verdict for d in (good, bad, little)] == ["promote", "rollback", "continue"]
    assert [d.stage.next_weight for d in (good, bad, little)] == [None, 0.0, 0.0]
    assert "never to everybody" in good.cannot_conclude
    assert good.risk.guarantee == "anytime"
    json.loads(good.to_json())


def test_copies_count_once_and_contradictions_block() -> None:
    wide = wide_log(1000)
    alone = ab.decide(plan(unit="request"), wide)
    twice = ab.decide(plan(unit="request"), pd.concat([wide, wide[:400]]))
    assert [m.estimate for m in twice.metrics] == [m.estimate for m in alone.metrics]
    assert not twice.blocked
    odd = wide[:5].assign(answer_new="something else")
    against = ab.decide(plan(unit="request"), pd.concat([wide, odd]))
    assert against.blocked
    assert "5 requests whose rows contradict" in str(against)
    long = long_log(wide)
    doubled = ab.decide(plan(long=True), pd.concat([long, long]))
    assert [m.estimate for m in doubled.metrics] == [m.estimate for m in alone.metrics]


def test_an_answer_that_one_release_lacks_is_a_difference() -> None:
    wide = wide_log(2000, differ=0.0)
    wide.loc[:99, "answer_new"] = None
    only = {"answers": METRICS["answers"]}
    for long in (False, True):
        decision = ab.decide(plan(only, long=long), long_log(wide) if long else wide)
        assert decision.metrics[0].estimate == 0.05
        assert decision.verdict == "rollback"
        said = "in 100 rows; one that only one release lacks counts as a difference"
        assert any(said in note for note in decision.notes)
    dropped = ab.decide(plan({"answers": ab.Disagreement("answer", margin=ROOM, missing="drop")}), wide)
    assert dropped.metrics[0].estimate == 0.0
    assert dropped.blocked  # one release loses answers, the other does not


def test_an_answer_that_both_releases_lack_must_mean_something() -> None:
    wide = wide_log(1000, differ=0.0)
    wide.loc[:9, ["answer_new", "answer_old"]] = None
    with pytest.raises(ab.DataError, match="null in both releases for 10 requests"):
        plan({"answers": METRICS["answers"]}).analyze(wide)
    for missing, n in (("zero", 1000), ("drop", 990)):
        metric = ab.Disagreement("answer", margin=ROOM, missing=missing)
        moments = read_statistics(wide, plan({"answers": metric}).request()).groups[-1].moments["answers"]
        assert (moments.n, moments.mean[1]) == (n, 0.0)


def test_labels_that_have_not_come_are_counted() -> None:
    wide = wide_log(1500)
    label = wide["answer_old"]
    for side in SIDES:
        wide[f"right_{side}"] = (wide[f"answer_{side}"] == label).astype(float)
        wide.loc[1000:, f"right_{side}"] = np.nan
    right = {"right": ab.PairedProportion("right", role="guardrail", margin=ROOM, missing="drop")}
    decision = ab.decide(plan(right), wide)
    assert decision.metrics[0].n_treatment == 1000
    assert {check.id: check.status for check in decision.checks}["missing:right"] == "pass"
    with pytest.raises(ab.DataError, match="`right_old` of the metric `right` is null or nan in 500 of 1,500"):
        plan({"right": ab.PairedProportion("right", role="guardrail", margin=ROOM)}).analyze(wide)


def test_requests_that_one_release_never_saw_block() -> None:
    long = long_log(wide_log(1000))
    decision = ab.decide(plan(long=True), long[(long["release"] == "old") | (long["request"] % 10 > 0)])
    assert decision.blocked
    assert "100 of 1,000 units not in every variant" in str(decision)


def test_a_shadow_that_writes_is_not_promoted() -> None:
    wide = wide_log()
    wide.loc[7, "wrote"] = True
    decision = ab.decide(plan(side_effect="wrote"), wide)
    assert decision.blocked
    assert decision.verdict == "continue"
    assert "the shadow changed something in 1 of 3,000 rows (`wrote`)" in str(decision)


# what is done to a log that is promoted, and must not be a reason to promote what was not
DAMAGE: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "swapped releases": lambda log: log.rename(
        columns={f"{c}_{a}": f"{c}_{b}" for c in COLUMNS for a, b in (("old", "new"), ("new", "old"))}
    ),
    "answers lost": lambda log: log.assign(answer_new=log["answer_new"].where(log["request"] % 3 > 0)),
    "nan scores": lambda log: log.assign(score_new=log["score_new"].where(log["request"] % 3 > 0)),
    "all answers lost": lambda log: log.assign(answer_new=pd.Series([None] * len(log), dtype="str")),
    "rows twice": lambda log: pd.concat([log, log]),
    "shuffled answers": lambda log: log.assign(answer_new=log["answer_new"].sample(frac=1, random_state=1).to_numpy()),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_never_turns_harm_into_a_promotion(damage: str) -> None:
    metrics = {name: METRICS[name] for name in ("answers", "scores")}
    try:
        decision = ab.decide(plan(metrics, unit="request"), DAMAGE[damage](wide_log(differ=0.1)))
    except ab.DataError:  # older engines have no type for a column without any value; an error is no verdict
        return
    assert decision.verdict != "promote"
    assert "NaN" not in decision.to_json()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"latency_new": np.inf}, "`latency_new` is infinite"),
        ({"latency_new": "fast"}, "needs numbers"),
        ({"error_new": 2}, "must be 0 or 1"),
        ({"answer_new": 3}, "must hold numbers in every release to be compared, or in none"),
        ({"score_new": "x"}, "with a `tolerance`"),
    ],
)
def test_values_that_cannot_be_compared(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ab.DataError, match=message):
        plan().analyze(wide_log(200).assign(**change))


def test_columns_that_are_not_there() -> None:
    with pytest.raises(ab.DataError, match="no column `answer_new`"):
        plan().analyze(wide_log(200).drop(columns="answer_new"))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"suffixes": {"old": "_old"}}, "at least two variants"),
        ({"suffixes": {"old": "_x", "new": "_x"}}, "must differ from each other"),
        ({"suffixes": "_old"}, "must map variants to endings"),
        ({"suffixes": {"old": 1, "new": "_new"}}, "must be text"),
    ],
)
def test_endings_that_are_none(fields: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        ab.Shadow(**fields)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"metrics": {"m": ab.Mean("x")}}, "must be paired"),
        ({"control": "other"}, "must name the control 'other'"),
        ({"allocation": {"old": 1, "new": 1}}, "must not be given with `strategy.suffixes`"),
        ({"metrics": {"m": ab.Paired("x", "y")}, "cluster": "session"}, "must not be given with a `denominator`"),
    ],
)
def test_plans_that_are_none(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plan(**fields)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "must be given for a guardrail"),
        ({"role": "deterioration"}, "largest tolerated share"),
        ({"margin": ab.relative(0.1)}, "largest tolerated share"),
        ({"margin": 1.0}, "largest tolerated share"),
        ({"margin": 0.1, "role": "success"}, "'guardrail' or 'deterioration'"),
        ({"margin": 0.1, "direction": "increase"}, "'decrease'"),
        ({"margin": 0.1, "tolerance": -1.0}, "at least 0"),
        ({"margin": 0.1, "covariates": "x"}, "compared with itself"),
    ],
)
def test_disagreements_that_are_none(fields: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        ab.Disagreement("answer", **fields)


def test_the_plan_of_the_example_is_read_and_written() -> None:
    path = Path(__file__).parents[2] / "examples" / "strategies" / "shadow.yaml"
    read = ab.Experiment.from_file(path)
    assert ab.Experiment.from_dict(json.loads(json.dumps(read.to_dict()))) == read
    assert (read.unit, read.variant, read.design) == (ab.ROWS, "release", "paired")


@pytest.mark.parametrize("monitor", [ab.FixedHorizon(), ab.GroupSequential(looks=3, units=9000)])
def test_other_monitors_take_the_same_counts(monitor: Any) -> None:
    decision = ab.decide(plan(monitor=monitor), wide_log())
    assert [m.status for m in decision.metrics] == ["noninferior"] * 5 or decision.verdict == "continue"


def test_a_shadow_is_planned_and_not_simulated() -> None:
    metrics = {"answers": METRICS["answers"], "latency": METRICS["latency"]}
    wide, shadow = wide_log(), plan(metrics)
    assert "answers" in str(shadow.plan(wide, units_per_week=1e5))
    rng = np.random.default_rng(1)
    for act in (
        lambda: ab.aa_replay(shadow, wide, rng=rng),
        lambda: ab.simulate.log(shadow, 100, rng=rng),
        lambda: ab.simulate.operating_characteristics(shadow, rng=rng),
    ):
        with pytest.raises(ab.PlanError, match="a shadow has `analyze` and `decide`"):
            act()
    others = ab.Experiment(unit="request", variant="release", control="old", metrics=metrics)
    with pytest.raises(ab.PlanError, match="must not be a disagreement metric"):
        ab.simulate.log(others, 100, rng=rng)
