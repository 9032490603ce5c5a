"""From when to when a log's rows are, on every engine: against pandas."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import abkit as ab
from tests.adapters.engines import LOCAL, as_dask, as_postgres, as_spark

ENGINES = [*LOCAL, pytest.param(as_postgres, marks=pytest.mark.postgres)]

FIRST = dt.datetime(2026, 3, 1, 22, 15, 30, 125_000, tzinfo=dt.UTC)
LAST = dt.datetime(2026, 3, 9, 4, 0, 0, 250_000, tzinfo=dt.UTC)


def events(times: Any) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    return pd.DataFrame(
        {
            "user": np.arange(400),
            "variant": rng.permutation(["control", "new"] * 200),
            "x": rng.normal(size=400),
            "at": times,
        }
    )


def moments(size: int = 400) -> pd.Series:
    seconds = np.random.default_rng(6).permutation(np.linspace(0, (LAST - FIRST).total_seconds(), size))
    return pd.Series((pd.Timestamp(FIRST) + pd.to_timedelta(seconds, unit="s")).round("us")).dt.as_unit("us")


def plan(**changes: Any) -> ab.Experiment:
    fields = {"unit": "user", "variant": "variant", "control": "control", "metrics": {"x": ab.Mean("x")}, "time": "at"}
    return ab.Experiment(**{**fields, **changes})


def read(log: Any, **changes: Any) -> Any:
    return plan(**changes).analyze(log).statistics


def test_a_log_without_a_named_time_has_no_span() -> None:
    assert read(events(moments()), time=None).span is None


@pytest.mark.parametrize("kind", ["zoned", "plain", "date", "other zone"])
@pytest.mark.parametrize("engine", [engine for engine in ENGINES if engine is not as_dask])  # Dask has no dates
def test_every_engine_tells_the_first_and_the_last_time(
    engine: Callable[[pd.DataFrame, Path], Any], kind: str, tmp_path: Path
) -> None:
    times = {
        "zoned": moments(),
        "plain": moments().dt.tz_localize(None),
        "date": moments().dt.date,
        "other zone": moments().dt.tz_convert("Asia/Kathmandu"),
    }[kind]
    span = read(engine(events(times), tmp_path)).span
    cut = dt.timedelta(days=1) if kind == "date" else dt.timedelta(microseconds=1)
    floor = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    assert (span.first, span.last) == tuple(floor + (end - floor) // cut * cut for end in (FIRST, LAST))
    assert span.first.tzinfo == dt.UTC


@pytest.mark.parametrize("engine", ENGINES)
def test_rows_without_a_time_count_and_are_told(engine: Callable[[pd.DataFrame, Path], Any], tmp_path: Path) -> None:
    log = events(moments())
    log.loc[log.sample(7, random_state=1).index, "at"] = pd.NaT
    report = plan().analyze(engine(log, tmp_path))
    assert (report.statistics.audit.rows_without_time, sum(report.units.values())) == (7, 400)
    assert "7 of 400 rows without a time (`at` is null): they count all the same" in report.notes()
    assert report.statistics.span == ab.logs.Span(*(end.to_pydatetime() for end in (log["at"].min(), log["at"].max())))


@pytest.mark.spark
def test_spark_tells_them_too(log: pd.DataFrame, tmp_path: Path) -> None:
    timed = log.assign(ts=moments(len(log)).dt.tz_localize(None).to_numpy())
    span = read(as_spark(timed, tmp_path), metrics={"profit": ab.Mean("profit")}, time="ts").span
    assert (span.first, span.last) == (FIRST, LAST)


def test_rows_that_are_left_out_have_no_say_in_the_span() -> None:
    log = events(moments())
    log.loc[log["at"].idxmax(), "variant"] = None
    assert read(log).span.last == log["at"].drop(log["at"].idxmax()).max()


def test_no_row_has_a_time() -> None:
    statistics = read(events(pd.Series([pd.NaT] * 400, dtype="datetime64[us, UTC]")))
    assert (statistics.span, statistics.audit.rows_without_time) == (None, 400)


def test_numbers_say_nothing_of_when() -> None:
    assert read(events(np.arange(400))).span is None


@pytest.mark.parametrize(("times", "says"), [("noon", "`time` must name a column of times, dates or numbers")])
def test_text_is_refused(times: str, says: str) -> None:
    with pytest.raises(ab.DataError, match=says):
        read(events(times))


def test_a_column_that_is_not_there_is_refused() -> None:
    with pytest.raises(ab.DataError, match="the log has no column `when`"):
        read(events(moments()), time="when")


def test_decisions_of_a_policy_have_a_span_from_their_order_or_their_time() -> None:
    log = events(moments()).assign(p=0.5, step=np.arange(400))
    policy = {"assignment": "adaptive", "propensity": "p", "unit": ab.ROWS}
    for given in ({"time": None, "order": "at"}, {"order": "at"}, {"order": "step"}):
        span = read(log, **policy, **given).span
        assert (span.first, span.last) == (FIRST, LAST)
    assert read(log, **policy, time=None, order="step").span is None


def test_planning_takes_a_history_without_the_column_of_times() -> None:
    plan(metrics={"x": ab.Mean("x", mde=0.3)}).plan(events(moments()).drop(columns="at"), units_per_week=100)


def test_an_aa_replay_keeps_the_times() -> None:
    timed = plan(timing=ab.Timing(min_time="30d"))
    replay = ab.aa_replay(timed, events(moments().dt.tz_localize(None)), times=20, rng=np.random.default_rng(3))
    assert replay.promoted == 0


def test_nanoseconds_with_a_zone_are_times_of_a_file_and_of_a_table_of_arrow(tmp_path: Path) -> None:
    log = events(pd.date_range(FIRST, LAST, periods=400).as_unit("ns"))
    plan = ab.Experiment(unit="user", variant="variant", control="control", time="at", metrics={"x": ab.Mean("x")})
    file = tmp_path / "log.parquet"
    log.to_parquet(file)
    expected = ab.decide(plan, log).to_json()
    with duckdb.connect() as connection:
        for same in (pa.Table.from_pandas(log), file, connection.read_parquet(str(file))):
            assert ab.decide(plan, same).to_json() == expected
