"""A history is what trajectories and analyses say of all units pooled, in every engine."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Callable
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import abkit as ab
from abkit.adapters._analyze import read_statistics
from abkit.adapters._history import read_history
from abkit.adapters._trajectory import read_trajectory
from abkit.errors import DataError, PlanError
from abkit.logs import Distribution, History, ThirdMoments
from abkit.suffstats import CoMoments
from tests.adapters.engines import ENGINES, as_csv, as_dask, as_parquet
from tests.adapters.logs import event_log

START = pd.Timestamp("2024-03-01 07:13:00")
SUMS: dict[str, ab.Metric] = {
    "revenue": ab.Mean("revenue", missing="drop"),
    "revenue or nothing": ab.Mean("revenue", missing="zero", covariates="before"),
    "orders per view": ab.Ratio("orders", "views", covariates=[ab.Sum("orders")]),
    "capped": ab.Mean("orders", cap=ab.Cap(value=3)),
    "conversion": ab.Proportion("bought"),
}
OTHERS: dict[str, ab.Metric] = {
    "median": ab.Quantile("orders", 0.5, per="unit"),
    "slow": ab.Quantile("views", 0.9),
    "trend": ab.Trend("orders", day="views", days=3),
    "highest capped": ab.Mean("views", cap=ab.Cap(quantile=0.9)),
}


def plan(**changes: Any) -> ab.Experiment:
    fields: dict[str, Any] = {
        "unit": "user",
        "variant": "variant",
        "control": "control",
        "metrics": SUMS | OTHERS,
        "exposure": "seen",
        "key": "event",
    }
    return ab.Experiment(**fields | changes)


@pytest.fixture(scope="module")
def timed() -> pd.DataFrame:
    """Every event has a time, its duplicates the same, and every unit one variant; 26 days."""
    log, rng = event_log(), np.random.default_rng(3)
    begin, after = rng.uniform(0, 18, 600), rng.exponential(4.0, log["event"].max() + 1)
    days = begin[log["user"]] + after[log["event"]]
    log["ts"] = (START + pd.to_timedelta(np.minimum(days, 26.0) * 86_400e6 // 1, unit="us")).astype("datetime64[us]")
    log = log[log["variant"].notna()]
    one = log.groupby("user")["variant"].transform("nunique") == 1
    return log[one].reset_index(drop=True)


def before(log: pd.DataFrame, end: Any) -> dict[str, CoMoments]:
    """What an analysis of the rows up to then says, of units that are all in one variant."""
    experiment = plan(allocation={"control": 1, "other": 1})
    rows = log[log["ts"] < end].assign(variant="control")
    return dict(read_statistics(rows, experiment.request()).groups[0].moments)


def check(found: CoMoments, truth: CoMoments, what: object) -> None:
    assert (type(found), found.n) == (type(truth), truth.n), what
    spread = np.sqrt(np.diagonal(truth.m2))
    np.testing.assert_allclose(found.mean, truth.mean, rtol=1e-12, err_msg=str(what))
    gap = np.abs(found.m2 - truth.m2)
    size = np.abs(truth.mean) + spread
    np.testing.assert_array_less(gap, 1e-12 * np.outer(size, size) * int(truth.n) + 1e-300, str(what))
    if isinstance(found, Distribution) and isinstance(truth, Distribution):
        assert (found.histogram.keys == truth.histogram.keys).all(), what
        assert (found.histogram.counts == truth.histogram.counts).all(), what
    if isinstance(found, ThirdMoments) and isinstance(truth, ThirdMoments):
        assert found.nonzero == truth.nonzero, what


def ends(count: int, days: float) -> list[pd.Timestamp]:
    return [START.floor("D") + pd.Timedelta(days=days * (k + 1)) for k in range(count)]


@pytest.mark.parametrize("engine", ENGINES)
def test_every_period_is_the_analysis_of_the_rows_before_its_end(
    engine: Callable[[pd.DataFrame, Path], Any], timed: pd.DataFrame, tmp_path: Path
) -> None:
    few = {"slow": OTHERS["slow"]}  # Dask takes seconds for each
    metrics = few if engine is as_dask else SUMS | OTHERS
    found = read_history(engine(timed, tmp_path), plan(metrics=metrics).request(), every="1w")
    assert (len(found.units), found.every) == (3, 7.0)
    used, left_out = found.notes
    assert used == "`ts`, the log's only column of times, is when its rows were logged"
    assert left_out.startswith("the rows from 2024-03-22 00:00:00")
    for units, statistics, end in zip(found.units, found.statistics, ends(3, 7), strict=True):
        assert set(statistics) == set(metrics)
        rows = timed[timed["seen"] & (timed["ts"] < end)]
        assert units == rows["user"].nunique()
        truth = before(timed, end)
        for name in metrics:
            check(statistics[name], truth[name], (end, name))


def test_it_is_the_trajectory_pooled_over_variants(timed: pd.DataFrame) -> None:
    experiment = plan(metrics=SUMS)
    looks = read_trajectory(timed, experiment.request(), time="ts", every="1d")
    found = read_history(timed, experiment.request(), every="1d", until=looks.looks[-1])
    assert found.every == 1.0
    skipped = len(found.units) - len(looks.looks)
    for units, statistics, look in zip(
        found.units[skipped:], found.statistics[skipped:], looks.statistics, strict=True
    ):
        assert units == sum(group.units for group in look.groups)
        for name in SUMS:
            check(statistics[name], reduce(add, (group.moments[name] for group in look.groups)), name)


def test_a_log_without_variants_and_without_exposure_is_a_history(timed: pd.DataFrame) -> None:
    bare = timed[timed["seen"]].drop(columns=["seen", "variant"])
    for log in (bare, bare.assign(Variant="x", variant=None)):
        found = read_history(log, plan().request(), time="ts")
        whole = read_history(timed, plan().request(), time="ts")
        assert found.units == whole.units
        assert "the log has no column `seen`: all of its rows count as exposed" in found.notes
        for mine, theirs in zip(found.statistics, whole.statistics, strict=True):
            for name, moments in theirs.items():
                check(mine[name], moments, name)


@pytest.mark.parametrize("engine", [as_csv, as_parquet])
def test_files_without_variants_too(engine: Any, timed: pd.DataFrame, tmp_path: Path) -> None:
    bare = timed[timed["seen"]].drop(columns=["seen", "variant"])
    found = read_history(engine(bare, tmp_path), plan().request())
    assert (len(found.units), found.every) == (3, 7.0)
    only = read_history(engine(bare.drop(columns="ts"), tmp_path), plan().request())
    assert (only.units, only.every) == ((bare["user"].nunique(),), None)


def test_a_csv_of_times_with_a_zone_needs_no_other_package(
    timed: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pytz", None)  # type: ignore[arg-type]
    bare = timed[timed["seen"]].drop(columns=["seen", "variant"])
    expected = read_history(as_csv(bare, tmp_path), plan().request())
    zoned = read_history(as_csv(bare.assign(ts=bare["ts"].dt.tz_localize("UTC")), tmp_path), plan().request())
    assert (zoned.units, zoned.every) == (expected.units, expected.every)


def test_a_file_without_a_byte_is_empty(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_bytes(b"")
    with pytest.raises(DataError, match=r"log\.csv' is empty; it has no header and no rows\.$"):
        read_history(tmp_path / "log.csv", plan().request())


def test_without_times_there_is_one_entry(timed: pd.DataFrame) -> None:
    none = read_history(timed.drop(columns="ts"), plan().request())
    two = read_history(timed.assign(sent=timed["ts"]), plan().request())
    gaps = read_history(timed.assign(ts=timed["ts"].where(timed["event"] > 9)), plan().request())
    for found, why in (
        (none, "the log has no column of times"),
        (two, "several columns of times (ts, sent)"),
        (gaps, "the log's only column of times, `ts`, is missing in"),
    ):
        assert (found.units, found.every) == ((timed.loc[timed["seen"], "user"].nunique(),), None)
        assert why in found.notes[-1]
        for name, moments in before(timed, timed["ts"].max() + pd.Timedelta("1s")).items():
            if not name.startswith("gaps"):
                check(found.statistics[0][name], moments, name)


def test_numbers_and_dates_are_times_too(timed: pd.DataFrame) -> None:
    timed = timed[timed["ts"] < START.floor("D") + pd.Timedelta("25D")]
    request = plan(metrics={"revenue": SUMS["revenue"], "slow": OTHERS["slow"]}).request()
    expected = read_history(timed, request, time="ts")
    day = (timed["ts"] - START.floor("D")) // pd.Timedelta("1D")
    for column, every in ((day, 7), (day * 1.0, 7), (timed["ts"].dt.date, "7d"), (timed["ts"], dt.timedelta(days=7))):
        found = read_history(timed.assign(ts=column), request, time="ts", every=every)
        assert (found.units, found.every) == (expected.units, 7.0)
        for mine, theirs in zip(found.statistics, expected.statistics, strict=True):
            for name, moments in theirs.items():
                check(mine[name], moments, name)


@pytest.mark.parametrize(
    ("days", "periods"), [(28.0, 4), (27.2, 4), (26.5, 3), (21.5, 3), (14.0, 2), (6.5, 1), (3.0, None)]
)
def test_a_period_that_is_not_over_is_left_out(days: float, periods: int | None) -> None:
    """A log that lacks no more than a seventh of its last period is taken to hold it."""
    ts = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(0, days * 24 * 60, 7), unit="min")
    log = pd.DataFrame({"user": np.arange(len(ts)), "x": 1.0, "ts": ts})
    request = plan(metrics={"m": ab.Mean("x")}, exposure=None, key=()).request()
    found = read_history(log, request)
    assert len(found.units) == (periods or 1)
    assert (found.every is None) == (periods is None)
    if periods is None:
        assert "the log does not hold one whole period" in found.notes[-1]
        assert found.units == (len(log),)
    said = read_history(log, request, until="2024-01-29")
    assert (len(said.units), said.every) == (len({min(int(t // 7), 3) for t in np.arange(0, days, 0.1)}), 7.0)


def test_whole_numbers_stand_for_their_whole_unit() -> None:
    log = pd.DataFrame({"user": range(10), "x": 1.0, "day": range(10)})
    request = plan(metrics={"m": ab.Mean("x")}, exposure=None, key=()).request()
    assert read_history(log, request, time="day", every=1).units == tuple(range(1, 11))
    assert read_history(log, request, time="day", every=5).units == (5, 10)
    assert read_history(log, request, time="day", every=4).units == (4, 8)


def test_rows_as_units() -> None:
    """Rows at the very start and at the end of a period are of the period that they begin."""
    log = pd.DataFrame({"x": np.arange(20.0), "ts": pd.date_range("2024-01-01", periods=20, freq="D")})
    metrics = {"m": ab.Mean("x"), "q": ab.Quantile("x", 0.5)}
    request = plan(unit=ab.ROWS, metrics=metrics, exposure=None, key=()).request()
    found = read_history(log, request, until="2024-01-22")
    assert found.units == (7, 14, 20)
    assert [float(s["m"].mean[0]) for s in found.statistics] == [3.0, 6.5, 9.5]
    assert [s["q"].n for s in found.statistics] == [7, 14, 20]


def test_segments_do_not_part_units(timed: pd.DataFrame) -> None:
    request = plan(segments="country").request()
    assert read_history(timed, request).units == read_history(timed, plan().request()).units


def test_gaps_are_what_the_plan_says(timed: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="is null or nan in"):
        read_history(timed, plan(metrics={"m": ab.Mean("revenue")}).request())
    with pytest.raises(DataError, match="the log has no column `other`"):
        read_history(timed, plan(metrics={"m": ab.Mean("other")}).request())
    with pytest.raises(DataError, match="the log has no column `when`"):
        read_history(timed, plan().request(), time="when")
    with pytest.raises(PlanError, match="`every` must be a length of time"):
        read_history(timed, plan().request(), every=7)
    with pytest.raises(DataError, match="`seen` is not true in all of"):
        read_history(timed.assign(seen=False), plan().request())


def test_pairs_are_planned_from_pairs() -> None:
    rng = np.random.default_rng(2)
    values = rng.normal(10, 2, 200)
    log = pd.DataFrame({"u": np.repeat(np.arange(200), 2), "v": ["old", "new"] * 200})
    log["x"] = np.repeat(values, 2) + rng.normal(0, 1, 400)
    experiment = ab.Experiment(unit="u", variant="v", control="old", metrics={"m": ab.Paired("x")})
    found = read_history(log, experiment.request())
    assert (found.units, found.every) == ((200,), None)
    assert found.notes == ("a pair is a unit's values under old and new",)
    wide = log.pivot_table(index="u", columns="v", values="x")
    np.testing.assert_allclose(found.statistics[0]["m"].covariance, np.cov(wide["old"], wide["new"]), rtol=1e-12)
    with pytest.raises(DataError, match="the log has no column `v`"):
        read_history(log.drop(columns="v"), experiment.request())


TABLE = [
    {"day": 7, "n": 100, "mean": 2.0, "variance": 4.0},
    {"day": 14, "n": 180, "mean": 2.2, "variance": 5.0},
    {"day": 21, "n": 240, "mean": 2.4, "variance": 6.0},
]


def of_table(table: list[dict[str, Any]], time: str | None = "day") -> History:
    experiment = ab.Experiment(unit="u", variant="v", control="a", metrics={"m": ab.Mean("x")})
    return read_history(ab.Checkpoints(table, time=time), experiment.request())


def test_statistics_are_a_history() -> None:
    found = of_table(TABLE)
    assert (found.units, found.every, found.notes) == ((100, 180, 240), 7.0, ())
    assert found.statistics[1]["m"].covariance[0, 0] == pytest.approx(5.0)
    both = of_table([{**row, "v": v} for row in TABLE for v in ("a", "b")])
    assert (both.units, both.statistics[0]["m"].n) == ((200, 360, 480), 200)
    uneven = of_table([*TABLE[:2], {**TABLE[2], "day": 22}])
    assert (uneven.units, uneven.every) == ((240,), None)
    assert "not equally far apart" in uneven.notes[0]
    last = of_table(TABLE[-1:], None)
    assert (last.units, last.every, last.notes) == ((240,), None, ())
