"""Units that are seen under every variant: the same co-moments of pairs through every engine as by plain loops."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import abkit as ab
from abkit.adapters import _analyze
from abkit.adapters._analyze import read_statistics
from abkit.logs import LogStatistics
from tests.adapters import brute
from tests.adapters.engines import ENGINES, as_dask

VARIANTS = ["control", "new", "newer"]
DIFFERENCES: dict[str, ab.Paired] = {
    "revenue": ab.Paired("revenue", missing="drop"),
    "revenue or nothing": ab.Paired("revenue", missing="zero"),
    "orders": ab.Paired("orders"),
    "clock": ab.Paired("clock"),
    "bought": ab.Paired("bought"),
    "rows": ab.Paired(ab.ROWS),
}
RATIOS: dict[str, ab.Paired] = {
    "revenue per row": ab.Paired("revenue", denominator=ab.ROWS, missing="drop"),
    "revenue or nothing per row": ab.Paired("revenue", denominator=ab.ROWS, missing="zero"),
    "views per revenue": ab.Paired("views", denominator="revenue", missing="drop"),
    "rows per clock": ab.Paired(ab.ROWS, denominator="clock"),
    "clock per view": ab.Paired("clock", denominator="views"),
}
METRICS = DIFFERENCES | RATIOS


def plan(metrics: dict[str, Any], **fields: Any) -> ab.Experiment:
    shares = {"control": 1, "new": 1, "newer": 1}
    given_ = {"unit": "user", "variant": "variant", "control": "control", "allocation": shares, "metrics": metrics}
    return ab.Experiment(**{**given_, "segments": "country", "exposure": "seen", "key": "event", **fields})


@pytest.fixture(scope="module")
def shadow(log: pd.DataFrame) -> pd.DataFrame:
    """The log with a variant for each row, copies of which agree."""
    rng = np.random.default_rng(4)
    drawn = rng.choice(["control", "new", "newer", "old"], log["event"].max() + 1, p=[0.4, 0.35, 0.2, 0.05])
    return log.assign(variant=log["variant"].where(log["variant"].isna(), drawn[log["event"]]))


@pytest.fixture(scope="module")
def truth(shadow: pd.DataFrame) -> dict[str, Any]:
    return expected(shadow, METRICS)


def expected(log: pd.DataFrame, metrics: dict[str, ab.Paired], **fields: Any) -> dict[str, Any]:
    units = brute.kept(log, **{"segment": "country", "key": "event", "exposure": "seen", **fields})
    found: dict[str, Any] = {}
    for name, m in metrics.items():
        if m.denominator is None:
            found[name] = brute.pairs(units, "control", VARIANTS[1:], m.value, m.missing or "error")
        else:
            columns = (m.value, m.denominator)
            found[name] = brute.pooled_pairs(units, "control", VARIANTS[1:], columns, m.missing or "error")
    known = [unit for unit in units.values() if unit.variants & set(VARIANTS)]
    return {**found, "unpaired": sum(not unit.variants >= set(VARIANTS) for unit in known), "units": units}


def agree(statistics: LogStatistics, truth: dict[str, Any], metrics: dict[str, ab.Paired]) -> None:
    for name in metrics:
        seen = set()
        for group in statistics.groups:
            place = group.variant, group.segments[0]
            if group.variant == "control":
                continue
            if place in truth[name]:
                seen.add(place)
                brute.check(group.moments[name], truth[name][place], (name, place))
            else:
                assert group.moments[name].n == 0, (name, place)
        assert seen == set(truth[name]), name
    for variant in VARIANTS:
        others = {"control"} if variant != "control" else {"new", "newer"}
        both = [unit for unit in truth["units"].values() if variant in unit.variants and unit.variants & others]
        assert sum(group.units for group in statistics.groups if group.variant == variant) == len(both)
    assert statistics.unpaired == truth["unpaired"]
    assert statistics.audit.units == len(truth["units"])
    assert statistics.audit.units_in_several_variants == 0


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_gives_the_same_pairs(
    engine: Callable[[pd.DataFrame, Path], Any], shadow: pd.DataFrame, truth: dict[str, Any], tmp_path: Path
) -> None:
    native = engine(shadow, tmp_path)
    of_dask = ({"revenue": DIFFERENCES["revenue"]}, {"clock per view": RATIOS["clock per view"]})  # seconds for each
    for metrics in of_dask if engine is as_dask else (DIFFERENCES, RATIOS):
        agree(read_statistics(native, plan(metrics).request()), truth, metrics)


def test_one_grouped_query_reads_all_pairs(shadow: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    queries: list[int] = []
    original = _analyze.collect

    def counting(frame: Any) -> list[dict[str, Any]]:
        queries.append(1)
        return original(frame)

    monkeypatch.setattr(_analyze, "collect", counting)
    read_statistics(shadow, plan(METRICS).request())
    assert len(queries) == 1


def test_the_test_is_that_of_the_pairs() -> None:
    rng = np.random.default_rng(8)
    control = 1e6 + 100 * rng.normal(size=300)
    new = control + 2 + rng.normal(size=300)
    log = pd.DataFrame(
        {"user": np.tile(np.arange(300), 2), "variant": ["a"] * 300 + ["b"] * 300, "ms": np.concatenate([control, new])}
    )
    report = ab.Experiment(unit="user", variant="variant", control="a", metrics={"ms": ab.Paired("ms")}).analyze(log)
    found, raw = report.result("ms"), ab.paired_test(control, new)
    assert (found.method, found.df) == (raw.method, raw.df)
    assert found.estimate == pytest.approx(raw.estimate, rel=1e-9)
    assert found.stderr == pytest.approx(raw.stderr, rel=1e-9)
    assert report.units == {"a": 300, "b": 300}
    row = report.results[0]
    assert (row.n_control, row.n_treatment) == (300, 300)
    assert (row.control, row.treatment) == pytest.approx((control.mean(), new.mean()))
    checks = {check.id: check.status for check in report.checks}
    assert checks == {"identity": "pass", "pairs": "pass"}


def shadow_run(lost: int = 0, gaps: int = 0) -> pd.DataFrame:
    """200 requests answered twice, but for the first `lost`; `gaps` of the new answers have no time."""
    request = np.repeat(np.arange(200), 2)
    log = pd.DataFrame({"user": request, "variant": ["a", "b"] * 200, "ms": 100.0 + request % 7})
    log["ms"] += np.where(log["variant"] == "b", 1 + request % 3, 0)
    log.loc[log.index[1::2][:gaps], "ms"] = np.nan
    return log.drop(index=log.index[1::2][:lost]) if lost else log


@pytest.mark.parametrize(("lost", "status"), [(0, "pass"), (2, "pass"), (3, "fail")])
def test_units_without_a_pair_are_counted(lost: int, status: str) -> None:
    plan_ = ab.Experiment(unit="user", variant="variant", control="a", metrics={"ms": ab.Paired("ms")})
    report = plan_.analyze(shadow_run(lost))
    check = next(check for check in report.checks if check.id == "pairs")
    assert (check.status, check.value) == (status, lost / 200)
    assert check.message.startswith(f"{lost} of 200 units not in every variant")
    assert report.results[0].n_control == 200 - lost
    assert ab.decide(plan_, report).verdict == ("continue" if lost > 2 else "promote")


@pytest.mark.parametrize(("gaps", "status"), [(0, None), (3, "pass"), (40, "fail")])
def test_values_that_one_side_lacks_fail_a_check(gaps: int, status: str | None) -> None:
    metrics = {"ms": ab.Paired("ms", missing="drop")}
    report = ab.Experiment(unit="user", variant="variant", control="a", metrics=metrics).analyze(shadow_run(gaps=gaps))
    check = next((check for check in report.checks if check.id == "missing:ms"), None)
    assert (check.status if check else None) == status
    assert report.results[0].n_control == 200 - gaps
    if check:
        assert check.message.startswith(f"rows without a value: a 0.00%, b {gaps / 200:.2%}; p = ")


def test_segments_add_up_to_the_whole() -> None:
    log = shadow_run()
    log["country"] = np.where(log["user"] % 4, "DE", "FR")
    plan_ = ab.Experiment(
        unit="user", variant="variant", control="a", metrics={"ms": ab.Paired("ms")}, segments="country"
    )
    report = plan_.analyze(log)
    assert [(row.segment, row.n_control) for row in report.segments] == [("country=DE", 150), ("country=FR", 50)]
    assert report.result("ms").estimate == pytest.approx(
        sum(row.n_control * row.test.estimate for row in report.segments if row.test) / 200
    )


def test_a_constant_difference_has_no_test() -> None:
    log = shadow_run()
    log["ms"] = 0.1 * log["user"] + np.where(log["variant"] == "b", 0.7, 0.0)
    plan_ = ab.Experiment(unit="user", variant="variant", control="a", metrics={"ms": ab.Paired("ms")})
    assert "every pair has the same difference" in str(plan_.analyze(log).results[0].reason)


def blocks(seed: int, number: int = 60) -> pd.DataFrame:
    """Rows of two variants in blocks of one to nine, many of which have one variant only."""
    rng = np.random.default_rng(seed)
    block = np.repeat(np.arange(number), rng.integers(1, 10, number))
    log = pd.DataFrame({"user": block, "variant": np.where(rng.random(block.size) < 0.4, "b", "a")})
    log["x"] = rng.normal(size=number)[block] + rng.normal(size=block.size) + np.where(log["variant"] == "b", 0.8, 0.0)
    return log.assign(weight=rng.integers(1, 5, block.size).astype(float), country=np.where(block % 3, "DE", "FR"))


def pooled(log: pd.DataFrame, **fields: Any) -> ab.Report:
    metrics = {"x": ab.Paired("x", **{"denominator": ab.ROWS, **fields})}
    plan_ = ab.Experiment(unit="user", variant="variant", control="a", metrics=metrics, segments="country")
    return plan_.analyze(log)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("denominator", [ab.ROWS, "weight"])
def test_a_ratio_is_least_squares_of_rows_with_blocks_as_clusters(seed: int, denominator: str) -> None:
    log = blocks(seed)
    found, treated = pooled(log, denominator=denominator).result("x"), (log["variant"] == "b").to_numpy()
    weight = np.ones(len(log)) if denominator == ab.ROWS else log["weight"].to_numpy()
    design, y = np.column_stack([np.ones(len(log)), treated]), log["x"].to_numpy() / weight
    bread = np.linalg.inv(design.T @ (weight[:, None] * design))
    slopes = bread @ design.T @ (weight * y)
    scores = design * (weight * (y - design @ slopes))[:, None]
    sums = np.array([scores[log["user"] == block].sum(axis=0) for block in range(60)])
    variance = (bread @ sums.T @ sums @ bread)[1, 1] * 60 / 59
    assert found.estimate == pytest.approx(slopes[1], rel=1e-11)
    assert found.stderr == pytest.approx(np.sqrt(variance), rel=1e-11)
    assert (found.method, found.df) == ("paired ratio", 59)


def test_blocks_that_lack_a_variant_are_kept_and_counted() -> None:
    log = blocks(1)
    report, sides = pooled(log), log.groupby("user")["variant"].nunique()
    check = next(check for check in report.checks if check.id == "pairs")
    lost = int((sides < 2).sum())
    assert lost > 10
    said = f"{lost} of 60 units not in every variant, kept: the metrics are totals over totals"
    assert (check.status, check.value, check.message) == ("pass", lost / 60, said)
    row = report.results[0]
    assert (row.n_control, row.n_treatment) == (60, 60)
    means = log.groupby("variant")["x"].mean()
    assert (row.control, row.treatment) == pytest.approx((means["a"], means["b"]))
    assert ab.decide(report.experiment, report).verdict == "promote"
    both = ab.Experiment(
        unit="user",
        variant="variant",
        control="a",
        metrics={"x": ab.Paired("x", denominator=ab.ROWS), "total": ab.Paired("x", role="deterioration")},
    ).analyze(log)
    assert next(check.status for check in both.checks if check.id == "pairs") == "fail"
    assert [row.n_control for row in both.results] == [60, 60 - lost]


def test_segments_of_blocks_add_up_where_some_lack_a_variant() -> None:
    log = blocks(2)
    log = log[(log["country"] == "DE") | (log["variant"] == "b")]  # one country without the control
    report = pooled(log)
    by_segment = {row.segment: row for row in report.segments}
    assert by_segment["country=FR"].reason == "the denominator `ROWS` adds up to zero in the control"
    assert sum(row.n_control for row in report.segments) == report.results[0].n_control == log["user"].nunique()
    assert report.results[0].treatment == pytest.approx(log.loc[log["variant"] == "b", "x"].mean())


def test_what_a_ratio_within_units_cannot_say() -> None:
    log = blocks(3)
    constant = pooled(log.assign(x=0.1 * log["weight"]), denominator="weight").results[0]
    assert "variance is zero" in str(constant.reason)
    nothing = pooled(log.assign(weight=np.where(log["variant"] == "b", 0.0, 1.0)), denominator="weight").results[0]
    assert nothing.reason == "the denominator `weight` adds up to zero in the treatment"
    little = pooled(log.assign(weight=1e-310), denominator="weight").results[0]
    assert little.reason == "a denominator's mean is too close to zero to divide by"
    alone = log.assign(variant=np.where(log["user"] % 2, "a", "b"))
    with pytest.raises(ab.DataError, match="60 units are not in every variant"):
        pooled(alone)
    with pytest.raises(ValueError, match="`denominator` must differ from the value"):
        ab.Paired("x", denominator="x")


@pytest.mark.parametrize(("step", "status"), [(60, "pass"), (4, "fail")])
def test_rows_of_blocks_without_a_value_are_compared(step: int, status: str) -> None:
    log = blocks(4)
    treated = log.index[log["variant"] == "b"]
    log.loc[treated[::step], "x"] = np.nan
    report = pooled(log, missing="drop")
    check = next(check for check in report.checks if check.id == "missing:x")
    share = len(treated[::step]) / len(treated)
    assert check.status == status
    assert check.message.startswith(f"rows without a value: a 0.00%, b {share:.2%}; p = ")
    assert report.results[0].treatment == pytest.approx(log.loc[treated, "x"].mean())


ROW = st.fixed_dictionaries(
    {
        "user": st.integers(0, 7) | st.none(),
        "variant": st.sampled_from(["control", "control", "new", "newer", "other", None]),
        "x": st.sampled_from([0.0, 1e9, 1e9 + 1]) | st.floats(-9, 9).map(lambda x: round(x, 6)) | st.none(),
        "country": st.sampled_from(["DE", "FR", None]),
        "event": st.integers(0, 20),
        "seen": st.booleans(),
    }
)
CLEAN = [
    {"user": 100, "variant": variant, "x": float(i), "country": "DE", "event": 100 + i, "seen": True}
    for i, variant in enumerate(VARIANTS)
]


@settings(max_examples=25)
@given(st.lists(ROW, max_size=40), st.sampled_from(["drop", "zero"]), st.booleans(), st.booleans())
def test_any_log_gives_what_plain_loops_give(
    rows: list[dict[str, Any]], missing: Any, keyed: bool, exposed: bool
) -> None:
    metrics = {
        "x": ab.Paired("x", missing=missing),
        "rows": ab.Paired(ab.ROWS),
        "x per row": ab.Paired("x", denominator=ab.ROWS, missing=missing),
        "rows per x": ab.Paired(ab.ROWS, denominator="x", missing=missing),
    }
    key, exposure = "event" if keyed else None, "seen" if exposed else None
    request = plan(metrics, key=key or (), exposure=exposure).request()
    types = {"user": pl.Int64, "variant": pl.String, "x": pl.Float64, "country": pl.String, "event": pl.Int64}
    log = pl.DataFrame([*CLEAN, *rows], schema={**types, "seen": pl.Boolean})
    truth = expected(log.to_pandas(), metrics, key=key, exposure=exposure)
    for native in (log.lazy(), log.to_arrow()):
        agree(read_statistics(native, request), truth, metrics)
