"""Quantiles from a log: the same histograms and clusters through every engine as by plain loops."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import abkit as ab
from abkit.adapters import _buckets
from abkit.adapters._analyze import read_statistics
from abkit.logs import Distribution, LogStatistics
from abkit.metrics._quantile import design_effect
from abkit.report import merge_groups
from tests.adapters import brute
from tests.adapters.engines import ENGINES, as_dask

VARIANTS = ["control", "new", "newer"]
METRICS: dict[str, ab.Quantile] = {
    "revenue p90": ab.Quantile("revenue", 0.9, missing="drop"),
    "revenue p50": ab.Quantile("revenue", 0.5, missing="drop"),
    "revenue or nothing": ab.Quantile("revenue", 0.25, missing="zero", accuracy=0.01),
    "revenue of a user": ab.Quantile("revenue", 0.9, per="unit", missing="drop"),
    "revenue of a user or nothing": ab.Quantile("revenue", 0.5, per="unit", missing="zero"),
    "profit": ab.Quantile("profit", 0.3),
    "profit of a user": ab.Quantile("profit", 0.3, per="unit"),
    "orders p99": ab.Quantile("orders", 0.99),
    "bought": ab.Quantile("bought", 0.95),
    "clock": ab.Quantile("clock", 0.5, accuracy=1e-5),
    "rows of a user": ab.Quantile(ab.ROWS, 0.75, per="unit"),
}


def plan(metrics: dict[str, Any], **fields: Any) -> ab.Experiment:
    shares = {"control": 45, "new": 35, "newer": 17}
    given_ = {"unit": "user", "variant": "variant", "control": "control", "allocation": shares, "metrics": metrics}
    return ab.Experiment(**{**given_, "segments": "country", "exposure": "seen", "key": "event", **fields})


def ends(result: ab.TestResult) -> list[float]:
    interval = result.interval(0.9)
    assert isinstance(interval, ab.Interval)
    return [interval.low, interval.high]


@pytest.fixture(scope="module")
def truth(log: pd.DataFrame) -> dict[str, dict[tuple[str, str], brute.Expected]]:
    return expected(log, METRICS)


def expected(log: pd.DataFrame, metrics: dict[str, ab.Quantile], **fields: Any) -> dict[str, Any]:
    units = brute.kept(log, **{"segment": "country", "key": "event", "exposure": "seen", **fields})
    return {
        name: brute.quantiles(units, VARIANTS, m.value, m.q, m.per, m.missing or "error", m.accuracy)
        for name, m in metrics.items()
    }


def agree(statistics: LogStatistics, truth: dict[str, dict[tuple[str, str], brute.Expected]]) -> None:
    for name, groups in truth.items():
        seen = set()
        for group in statistics.groups:
            found, place = group.moments[name], (group.variant, group.segments[0] if group.segments else "(none)")
            assert isinstance(found, Distribution)
            if place not in groups:
                assert found.n == found.histogram.n == 0, (name, place)
                continue
            seen.add(place)
            counts = dict(zip(found.histogram.keys.tolist(), found.histogram.counts.tolist(), strict=True))
            assert Counter(counts) == groups[place].histogram, (name, place)
            brute.check(found, groups[place].comoments, (name, place))
        assert seen == set(groups), name


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_gives_the_same_histograms_and_clusters(
    engine: Callable[[pd.DataFrame, Path], Any], log: pd.DataFrame, truth: dict[str, Any], tmp_path: Path
) -> None:
    few = ("revenue p90", "revenue of a user or nothing")  # Dask takes seconds for each
    metrics = {name: METRICS[name] for name in few} if engine is as_dask else METRICS
    agree(read_statistics(engine(log, tmp_path), plan(metrics).request()), {name: truth[name] for name in metrics})


ALONE = {name: METRICS[name] for name in ("revenue p90", "revenue or nothing", "profit", "bought")}


@pytest.fixture(scope="module")
def truth_alone(log: pd.DataFrame) -> dict[str, Any]:
    return expected(log.drop_duplicates("event").assign(user=lambda rows: rows["event"]), ALONE)


@pytest.mark.parametrize("engine", ENGINES)
def test_rows_as_units_are_one_value_each(
    engine: Callable[[pd.DataFrame, Path], Any], log: pd.DataFrame, truth_alone: dict[str, Any], tmp_path: Path
) -> None:
    metrics = {"profit": ALONE["profit"]} if engine is as_dask else ALONE
    rows = read_statistics(engine(log, tmp_path), plan(metrics, unit=ab.ROWS).request())
    agree(rows, {name: truth_alone[name] for name in metrics})
    for group in rows.groups:
        for name in metrics:
            assert design_effect(group.moments[name]) == pytest.approx(1, abs=1e-12)


def test_a_unit_is_one_value_where_each_has_one_row(log: pd.DataFrame) -> None:
    alone = log.dropna(subset=["variant", "revenue"]).drop_duplicates("event").drop_duplicates("user")
    metrics = {per: ab.Quantile("revenue", 0.9, per=per) for per in ("unit", "row")}
    report = plan(metrics, exposure=None, key=()).analyze(alone)
    for row in report.results[::2]:
        other = next(o for o in report.results if (o.metric, o.variant) == ("row", row.variant))
        same = next(o for o in report.results if (o.metric, o.variant) == ("unit", row.variant))
        assert other.test is not None
        assert same.test is not None
        assert other.n_control == same.n_control
        assert (other.control, other.treatment) == (same.control, same.treatment)
        assert other.test.pvalue == pytest.approx(same.test.pvalue, rel=1e-9)
        assert ends(other.test) == pytest.approx(ends(same.test), rel=1e-9)


def test_segments_add_up_to_their_variant(log: pd.DataFrame) -> None:
    metrics = {name: METRICS[name] for name in ("revenue p90", "profit of a user")}
    whole = merge_groups(read_statistics(log, plan(metrics, segments=()).request()).groups)
    parts = merge_groups(read_statistics(log, plan(metrics).request()).groups)
    for variant, group in whole.items():
        for name in metrics:
            one, other = group.moments[name], parts[variant].moments[name]
            assert isinstance(one, Distribution)
            assert isinstance(other, Distribution)
            assert one.histogram == other.histogram
            np.testing.assert_allclose(other.m2, one.m2, rtol=1e-12, atol=1e-9)
            assert design_effect(one) == pytest.approx(design_effect(other), rel=1e-9)


def test_one_query_counts_the_buckets_of_a_column_whatever_its_quantiles(
    log: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    queries: list[int] = []
    original = _buckets.collect

    def counting(frame: Any) -> list[dict[str, Any]]:
        queries.append(1)
        return original(frame)

    monkeypatch.setattr(_buckets, "collect", counting)
    read_statistics(log, plan({str(q): ab.Quantile("profit", q / 10) for q in range(1, 10)}).request())
    assert len(queries) == 1


@pytest.mark.parametrize("scale", [1e-300, 1.0, 1e250])
def test_values_that_could_not_be_squared_have_quantiles(scale: float) -> None:
    rng = np.random.default_rng(3)
    values = rng.normal(size=400) * scale
    log = pd.DataFrame({"user": range(400), "variant": ["a", "b"] * 200, "x": values})
    metrics = {per: ab.Quantile("x", 0.5, per=per) for per in ("unit", "row")}
    report = ab.Experiment(unit="user", variant="variant", control="a", metrics=metrics).analyze(log)
    for row in report.results:
        near = np.sort(values[1::2])[98:102]
        assert near[0] - 0.001 * abs(near[0]) <= row.treatment <= near[-1] + 0.001 * abs(near[-1])


def test_the_test_is_that_of_the_rows_with_units_as_clusters() -> None:
    """The histogram's own values, so that its buckets lose nothing."""
    rng = np.random.default_rng(5)
    user = rng.integers(0, 300, 3000)
    values = ab.Histogram.from_sample(np.exp(rng.normal(size=300)[user] + rng.normal(size=3000)), 0.01)
    values = rng.permutation(np.repeat(values.values, values.counts)) * (rng.random(3000) < 0.9)
    log = pd.DataFrame({"user": user, "variant": np.where(user % 3, "b", "a"), "ms": values})
    for q in (0.05, 0.1, 0.5, 0.99):
        metrics = {"ms": ab.Quantile("ms", q, accuracy=0.01)}
        found = ab.Experiment(unit="user", variant="variant", control="a", metrics=metrics).analyze(log).result("ms")
        sides = [log[log["variant"] == variant] for variant in "ab"]
        clusters = (sides[0]["user"], sides[1]["user"])
        raw = ab.quantile_test(sides[0]["ms"].to_numpy(), sides[1]["ms"].to_numpy(), q=q, clusters=clusters)
        assert found.pvalue == pytest.approx(raw.pvalue, rel=1e-9)
        assert ends(found) == pytest.approx(ends(raw), rel=1e-9)


def test_a_quantile_is_decided_on_like_any_metric() -> None:
    rng = np.random.default_rng(1)
    user = rng.integers(0, 2000, 20_000)
    log = pd.DataFrame({"user": user, "variant": np.where(user % 2, "new", "old")})
    log["ms"] = np.exp(4 + 0.5 * rng.normal(size=2000)[user] + rng.normal(size=20_000)) * np.where(user % 2, 0.9, 1)
    slow = {"kind": "quantile", "value": "ms", "q": 0.99, "direction": "decrease", "role": "guardrail"}
    metrics = {
        "typical": {"kind": "quantile", "value": "ms", "q": 0.5, "direction": "decrease"},
        "slow": {**slow, "margin": {"relative": 0.1}},
        "slow, in ms": {**slow, "margin": 100},
        "user": {**slow, "role": "deterioration", "per": "unit"},
    }
    plan_ = {"unit": "user", "variant": "variant", "control": "old", "metrics": metrics}
    assert ab.Experiment.from_dict(ab.Experiment.from_dict(plan_).to_dict()) == ab.Experiment.from_dict(plan_)
    decision = ab.decide(plan_, log)
    statuses = {metric.metric: metric.status for metric in decision.metrics}
    assert decision.verdict == "promote"
    assert statuses == {
        "typical": "superior", "slow": "noninferior", "slow, in ms": "noninferior", "user": "inconclusive"
    }  # fmt: skip
    log["ms"] *= np.where(user % 2, 1.5, 1)
    assert ab.decide(plan_, log).verdict == "rollback"


@pytest.mark.parametrize("size", [6, 20, 60])
def test_a_quantile_beyond_few_values_is_reported_and_shows_nothing(size: int) -> None:
    rng = np.random.default_rng(size)
    row = np.arange(size)
    log = pd.DataFrame({"user": row // 2, "variant": np.where(row // 2 % 2, "new", "old")})
    log["x"] = rng.exponential(size=size) * rng.choice([-1, 0, 1], size)
    metrics = {f"{q} {per}": ab.Quantile("x", q, per=per) for q in (0.01, 0.5, 0.99) for per in ("unit", "row")}
    log["part"] = log["user"] % 3
    plan_ = ab.Experiment(unit="user", variant="variant", control="old", metrics=metrics, segments="part")
    report = plan_.analyze(log)
    json.dumps(report.to_dict(), allow_nan=False)
    assert str(report)
    assert ab.decide(plan_, report).verdict == "continue"


def test_rows_that_cluster_widen_the_interval() -> None:
    rng = np.random.default_rng(11)
    user = np.repeat(np.arange(400), 10)
    log = pd.DataFrame({"user": user, "variant": np.where(user % 2, "b", "a")})
    log["ms"] = np.exp(rng.normal(size=400)[user] + 0.1 * rng.normal(size=4000))
    report = ab.Experiment(unit="user", variant="variant", control="a", metrics={"ms": ab.Quantile("ms", 0.5)}).analyze(
        log
    )
    rows = replace(report.experiment, unit=ab.ROWS).analyze(log)
    clustered, naive = report.result("ms"), rows.result("ms")
    assert clustered.estimate == naive.estimate
    assert 2.5 < clustered.stderr / naive.stderr < math.sqrt(10) + 0.1


ROW = st.fixed_dictionaries(
    {
        "user": st.integers(0, 7) | st.none(),
        "variant": st.sampled_from(["control", "control", "new", "newer", "other", None]),
        "x": st.sampled_from([0.0, -1.0, 1.0, 1.0005, 2.5, -3e-308, 7e300, 5e-324]) | st.floats(-9, 9) | st.none(),
        "country": st.sampled_from(["DE", "FR", None]),
        "event": st.integers(0, 20),
        "seen": st.booleans(),
    }
)
CLEAN = [
    {"user": 100 + i, "variant": v, "x": float(i), "country": "DE", "event": 100 + i, "seen": True}
    for i, v in enumerate(VARIANTS)
]


def table(rows: list[dict[str, Any]]) -> pl.DataFrame:
    types = {"user": pl.Int64, "variant": pl.String, "x": pl.Float64, "country": pl.String, "event": pl.Int64}
    return pl.DataFrame([*CLEAN, *rows], schema={**types, "seen": pl.Boolean})


@settings(max_examples=25)
@given(
    st.lists(ROW, max_size=40), st.floats(0.01, 0.99), st.sampled_from(["drop", "zero"]), st.booleans(), st.booleans()
)
def test_any_log_gives_what_plain_loops_give(
    rows: list[dict[str, Any]], q: float, missing: Any, keyed: bool, exposed: bool
) -> None:
    metrics = {per: ab.Quantile("x", q, per=per, missing=missing, accuracy=0.01) for per in ("unit", "row")}
    key, exposure = "event" if keyed else None, "seen" if exposed else None
    request = plan(metrics, key=key or (), exposure=exposure).request()
    log = table(rows)
    if log["x"].drop_nulls().abs().sum() > 1e300:
        log = log.with_columns(pl.when(pl.col("x") < 1e300).then(pl.col("x")).alias("x"))
    truth = expected(log.to_pandas(), metrics, key=key, exposure=exposure)
    for native in (log.lazy(), log.to_arrow()):
        agree(read_statistics(native, request), truth)
