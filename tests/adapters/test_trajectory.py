"""The statistics at every look are those of the log cut at that look, in every engine."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import abkit as ab
from abkit.adapters import _open_ended
from abkit.adapters._analyze import read_statistics
from abkit.adapters._trajectory import read_trajectory
from abkit.errors import DataError
from abkit.logs import LogStatistics, TimedStatistics
from tests.adapters.engines import ENGINES, as_dask, as_pandas, as_polars, as_postgres
from tests.adapters.logs import event_log

START = pd.Timestamp("2024-03-01 07:13:00")
WINDOW = dt.timedelta(days=3)
METRICS: dict[str, ab.Metric] = {
    "revenue": ab.Mean("revenue", missing="drop"),
    "revenue or nothing": ab.Mean("revenue", missing="zero", covariates="before"),
    "orders per view": ab.Ratio("orders", "views", covariates=[ab.Sum("orders")]),
    "capped": ab.Mean("orders", cap=ab.Cap(value=3)),
    "orders": ab.Count("orders"),
    "clock per row": ab.Ratio("clock", ab.ROWS),
    "conversion": ab.Proportion("bought"),
}


def plan(**changes: Any) -> ab.Experiment:
    fields: dict[str, Any] = {
        "unit": "user",
        "variant": "variant",
        "control": "control",
        "metrics": METRICS,
        "allocation": {"control": 45, "new": 35, "newer": 17},
        "exposure": "seen",
        "key": "event",
    }
    return ab.Experiment(**fields | changes)


@pytest.fixture(scope="module")
def timed() -> pd.DataFrame:
    """Every event has a time, its duplicates the same; units begin on different days."""
    log, rng = event_log(), np.random.default_rng(3)
    begin, after = rng.uniform(0, 8, 600), rng.exponential(2.0, log["event"].max() + 1)
    days = begin[log["user"]] + after[log["event"]]
    log["ts"] = (START + pd.to_timedelta(np.minimum(days, 12.0) * 86_400e6 // 1, unit="us")).astype("datetime64[us]")
    return log


def cut(log: pd.DataFrame, look: Any, window: Any, exposed: str | None = "seen") -> pd.DataFrame:
    """What a plain analysis would have been given at a look."""
    kept = log[log["user"].notna() & log["variant"].notna()]
    kept = kept[kept[exposed]] if exposed else kept
    if window is None:
        return kept[kept["ts"] < look]
    first = kept.groupby("user")["ts"].transform("min")
    return kept[(kept["ts"] < first + window) & (first + window <= look)]


def check(found: LogStatistics, truth: LogStatistics, what: object) -> None:
    assert [(g.variant, g.segments, g.units) for g in found.groups] == [
        (g.variant, g.segments, g.units) for g in truth.groups
    ], what
    for group, same in zip(found.groups, truth.groups, strict=True):
        for name, moments in same.moments.items():
            mine = group.moments[name]
            assert mine.n == moments.n, (what, name)
            scale = np.sqrt(np.diagonal(moments.m2))
            size = np.abs(moments.mean) + scale
            np.testing.assert_allclose(mine.mean, moments.mean, rtol=1e-12, err_msg=f"{what} {name}")
            # a covariance near zero is exact relative to the spreads that it joins
            gap = np.abs(mine.m2 - moments.m2)
            np.testing.assert_array_less(gap, 1e-12 * np.outer(size, size) * moments.n + 1e-300, f"{what} {name}")
    assert [(c.metric, c.units) for c in found.cappings] == [(c.metric, c.units) for c in truth.cappings], what
    counts = ("units", "units_in_several_variants", "units_in_unknown_variants")
    assert [getattr(found.audit, c) for c in counts] == [getattr(truth.audit, c) for c in counts], what


def check_looks(found: TimedStatistics, log: pd.DataFrame, experiment: ab.Experiment, window: Any) -> None:
    assert len(found.looks) == len(found.statistics) > 5
    some = list(zip(found.looks, found.statistics, strict=True))
    for look, statistics in [some[0], *some[1::3], some[-1]]:
        moment = look.replace(tzinfo=None) if isinstance(look, dt.datetime) else look  # Spark's times are of UTC
        check(statistics, truth_at(log, moment, window, experiment), look)


TRUTHS: dict[Any, tuple[pd.DataFrame, LogStatistics]] = {}


def truth_at(log: pd.DataFrame, look: Any, window: Any, experiment: ab.Experiment) -> LogStatistics:
    """What a plain analysis gives of the log cut at a look; the engines are held to the same."""
    key = id(log), look, window, experiment.sha256
    if key not in TRUTHS:
        TRUTHS[key] = log, read_statistics(cut(log, look, window, experiment.exposure), experiment.request())
    return TRUTHS[key][1]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("window", [WINDOW, None])
def test_every_look_is_the_analysis_of_the_log_cut_there(
    engine: Callable[[pd.DataFrame, Path], Any], window: Any, timed: pd.DataFrame, tmp_path: Path
) -> None:
    request = plan().request()
    if engine is as_dask and window is None:
        with pytest.raises(DataError, match="Dask cannot add up"):
            read_trajectory(engine(timed, tmp_path), request, time="ts", every="1d")
        return
    found = read_trajectory(engine(timed, tmp_path), request, time="ts", every="1d", window=window)
    check_looks(found, timed, plan(), window)


@pytest.mark.parametrize("grouped", [True, False])
def test_rows_and_cells_give_the_same(grouped: bool, timed: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_open_ended, "_worth_grouping", lambda *_: grouped)
    found = read_trajectory(timed, plan().request(), time="ts", every="1d")
    check_looks(found, timed, plan(), None)


def test_segments_and_quantiles_with_a_window(timed: pd.DataFrame) -> None:
    log = timed.assign(revenue=timed["revenue"].fillna(1.0))
    metrics = {
        "units": ab.Quantile("revenue", 0.5, per="unit"),
        "rows": ab.Quantile("revenue", 0.9),
        "orders": ab.Mean("orders"),
    }
    experiment = plan(metrics=metrics, segments="country", key=())
    found = read_trajectory(log, experiment.request(), time="ts", every="1d", window=WINDOW)
    for look, statistics in zip(found.looks, found.statistics, strict=True):
        truth = read_statistics(cut(log, look, WINDOW), experiment.request())
        for group, same in zip(statistics.groups, truth.groups, strict=True):
            assert (group.variant, group.segments, group.units) == (same.variant, same.segments, same.units)
            for name in ("units", "rows"):
                mine, theirs = (g.moments[name].histogram for g in (group, same))  # type: ignore[attr-defined]
                assert (mine.keys.tolist(), mine.counts.tolist()) == (theirs.keys.tolist(), theirs.counts.tolist())
            np.testing.assert_allclose(group.moments["units"].m2, same.moments["units"].m2, rtol=1e-12)


def numbers(log: pd.DataFrame) -> pd.Series:
    return (log["ts"] - START.floor("D")) / pd.Timedelta("1D")


TIMES: dict[str, tuple[Callable[[pd.DataFrame], Any], Any, Any]] = {
    "a zone": (lambda log: log["ts"].dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo"), "1d", "3d"),
    "nanoseconds": (lambda log: log["ts"].astype("datetime64[ns]"), "24h", WINDOW),
    "seconds": (lambda log: (log["ts"] - pd.Timestamp(0)) // pd.Timedelta("1s"), 86_400, 3 * 86_400),
    "days": (numbers, 1, 3.0),
}


@pytest.mark.parametrize("name", TIMES)
def test_times_of_every_kind(name: str, timed: pd.DataFrame) -> None:
    log = timed.assign(ts=timed["ts"].dt.floor("s"))
    make, every, window = TIMES[name]
    request = plan().request()
    expected = read_trajectory(log, request, time="ts", every="1d", window="3d")
    found = read_trajectory(log.assign(ts=make(log)), request, time="ts", every=every, window=window)
    assert len(found.looks) == len(expected.looks)
    for mine, theirs in zip(found.statistics, expected.statistics, strict=True):
        assert [g.units for g in mine.groups] == [g.units for g in theirs.groups]
    assert found.looks[0] == {"a zone": expected.looks[0].replace(tzinfo=dt.UTC)}.get(name, found.looks[0])  # type: ignore[union-attr,call-arg]


def test_dates_are_whole_days(timed: pd.DataFrame) -> None:
    log = timed.assign(ts=timed["ts"].dt.floor("D"))
    dates = timed.assign(ts=timed["ts"].dt.date)
    request = plan().request()
    expected, found = (read_trajectory(t, request, time="ts", every="1d", window="3d") for t in (log, dates))
    assert found.looks == expected.looks
    assert [s.groups[0].units for s in found.statistics] == [s.groups[0].units for s in expected.statistics]
    assert found.late.units_ending_after_last_row == 0


def test_text_is_refused_and_so_are_lengths_of_another_kind(timed: pd.DataFrame) -> None:
    request = plan().request()
    with pytest.raises(DataError, match="`ts` holds String"):
        read_trajectory(timed.assign(ts=timed["ts"].astype(str)), request, time="ts", every="1d")
    with pytest.raises(DataError, match="no column `tss`"):
        read_trajectory(timed, request, time="tss", every="1d")
    for every in (7, "1 month", "0d", dt.timedelta(0), -1):
        with pytest.raises(ValueError, match="`every` must be"):
            read_trajectory(timed, request, time="ts", every=every)
    with pytest.raises(ValueError, match="`window` must be a number"):
        read_trajectory(timed.assign(ts=numbers(timed)), request, time="ts", every=1, window="7d")
    with pytest.raises(DataError, match="`every` must make from 1 to 10,000 looks"):
        read_trajectory(timed, request, time="ts", every="1s")


def test_rows_without_a_time(timed: pd.DataFrame) -> None:
    log = timed.assign(ts=timed["ts"].where(timed["event"] % 10 > 0))
    metrics = {"orders": ab.Mean("orders")}
    with pytest.raises(DataError, match="the time `ts` is missing in"):
        read_trajectory(log, plan(metrics=metrics).request(), time="ts", every="1d")
    experiment = plan(metrics=metrics, missing="drop", key=())
    found = read_trajectory(log, experiment.request(), time="ts", every="1d", window=WINDOW)
    assert found.late.rows_without_time == (log["seen"] & log["variant"].notna() & log["ts"].isna()).sum()
    check_looks(found, log[log["ts"].notna()], experiment, WINDOW)


@pytest.mark.parametrize("window", [WINDOW, None])
def test_rows_as_units(window: Any, timed: pd.DataFrame) -> None:
    experiment = plan(unit=ab.ROWS, exposure=None, metrics={"orders": ab.Mean("orders")})
    found = read_trajectory(timed, experiment.request(), time="ts", every="1d", window=window)
    log = timed[timed["variant"].notna()]
    for look, statistics in zip(found.looks, found.statistics, strict=True):
        rows = log[log["ts"] + window <= look] if window is not None else log[log["ts"] < look]
        check(statistics, read_statistics(rows, experiment.request()), look)


def test_rows_at_a_look_come_after_it() -> None:
    """A date is the beginning of a day: the first row is in the first look, and none is in a look that it begins."""
    days = pd.date_range("2024-01-01", periods=20, freq="D").repeat(2)
    log = pd.DataFrame({"orders": range(40), "variant": ["control", "new"] * 20, "ts": days})
    experiment = plan(unit=ab.ROWS, exposure=None, allocation=None, key=(), metrics={"orders": ab.Mean("orders")})
    for times in (days, days.date, np.arange(40) // 2):
        every = 5 if isinstance(times, np.ndarray) and times.dtype.kind == "i" else "5d"
        found = read_trajectory(log.assign(ts=times), experiment.request(), time="ts", every=every)
        assert [[g.units for g in s.groups] for s in found.statistics] == [[5, 5], [10, 10], [15, 15], [20, 20]]


def test_what_comes_late_is_counted(timed: pd.DataFrame) -> None:
    experiment = plan(key=(), metrics={"orders": ab.Mean("orders")})
    until = START.floor("D") + pd.Timedelta("9D")
    kept = timed[timed["seen"] & timed["variant"].notna()]
    end = kept.groupby("user")["ts"].transform("min") + WINDOW
    found = read_trajectory(timed, experiment.request(), time="ts", every="1d", window=WINDOW, until=until)
    assert found.looks[-1] == until
    assert found.late.rows_after_window == (kept["ts"] >= end).sum()
    assert found.late.rows_after_last_look == (kept["ts"] >= until).sum()
    assert found.late.units_incomplete == kept.loc[end > until, "user"].nunique()
    whole = read_trajectory(timed, experiment.request(), time="ts", every="1d", window=WINDOW)
    unsure = (end > kept["ts"].max()) & (end <= whole.looks[-1])
    assert whole.late.units_ending_after_last_row == kept.loc[unsure, "user"].nunique()
    early = read_trajectory(timed, experiment.request(), time="ts", every="1d", until=str(until))
    check(early.statistics[-1], read_statistics(cut(timed, until, None), experiment.request()), until)


REFUSED: dict[str, tuple[dict[str, Any], Any, str]] = {
    "a cap at a quantile": ({"metrics": {"m": ab.Mean("orders", cap=ab.Cap(quantile=0.9))}}, "3d", "cap at a quantile"),
    "pairs": ({"metrics": {"m": ab.Paired("orders")}}, "3d", "must not be paired"),
    "a quantile": ({"metrics": {"m": ab.Quantile("orders", 0.5)}}, None, "must not be a quantile"),
    "a trend": ({"metrics": {"m": ab.Trend("orders", day="views", days=3)}}, None, "must not be a trend"),
    "segments": ({"segments": "country"}, None, "`segments` must be empty"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_meaning_is_refused_by_name(name: str, timed: pd.DataFrame) -> None:
    changes, window, says = REFUSED[name]
    with pytest.raises(ValueError, match=says):
        read_trajectory(timed, plan(**changes).request(), time="ts", every="1d", window=window)


def test_no_complete_window(timed: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="no look has units of two variants"):
        read_trajectory(timed, plan().request(), time="ts", every="1d", window="90d")


def test_one_grouped_query_however_many_looks(timed: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    from abkit.adapters import _trajectory

    sizes: list[int] = []
    original = _trajectory.collect
    monkeypatch.setattr(_trajectory, "collect", lambda frame: sizes.append(1) or original(frame))  # type: ignore[func-returns-value]
    for every in ("1d", "1h"):
        read_trajectory(timed, plan().request(), time="ts", every=every, window=WINDOW)
    assert len(sizes) == 2


@pytest.mark.parametrize("engine", [as_polars, as_pandas, pytest.param(as_postgres, marks=pytest.mark.postgres)])
@pytest.mark.parametrize("size", [1e99, 1e130, 1e-104, 1e-120])
def test_running_cubes_that_do_not_fit_are_unknown_and_refuse_nothing(
    engine: Callable[[pd.DataFrame, Path], Any], size: float, tmp_path: Path
) -> None:
    rng = np.random.default_rng(7)
    user = rng.integers(0, 60, 400)
    values = size * rng.lognormal(0, 2, 400) * rng.choice([-1, 1], 400)
    log = pd.DataFrame(
        {"user": user, "variant": np.where(user % 2, "new", "old"), "x": values, "day": np.arange(400) % 9}
    )
    experiment = ab.Experiment(unit="user", variant="variant", control="old", metrics={"m": ab.Mean("x")})
    found = read_trajectory(engine(log, tmp_path), experiment.request(), time="day", every=1)
    for statistics in found.statistics:
        for group in statistics.groups:
            assert getattr(group.moments["m"], "m3", None) is None
