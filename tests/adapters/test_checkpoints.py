"""Cumulative statistics in place of a log."""

from __future__ import annotations

import datetime as dt
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import abkit as ab
from abkit.adapters._checkpoints import read_checkpoints
from abkit.errors import DataError

RNG = np.random.default_rng(5)
SAMPLES = {"control": RNG.normal(10, 3, 400), "new": RNG.normal(10.5, 3, 390)}
DAYS = [1, 2, 3, 4]


def rows(**changes: Any) -> list[dict[str, Any]]:
    """Two metrics of two variants on four days; the last row with changes."""
    found = []
    for metric in ("spend", "bought"):
        for variant, sample in SAMPLES.items():
            values = sample if metric == "spend" else (sample > 12).astype(float)
            for day in DAYS:
                so_far = values[: len(values) * day // 4]
                found.append(
                    {"metric": metric, "variant": variant, "day": day, "n": len(so_far), "mean": float(so_far.mean())}
                    | {"variance": float(so_far.var(ddof=1))}
                )
    return [*found[:-1], {**found[-1], **changes}]


def plan(**changes: Any) -> ab.Experiment:
    metrics = {"spend": ab.Mean("spend"), "bought": ab.Proportion("bought")}
    return ab.Experiment(**{"unit": "u", "variant": "variant", "control": "control", "metrics": metrics, **changes})


def test_they_give_the_report_of_the_rows() -> None:
    report = plan().analyze(ab.Checkpoints(rows(), time="day"))
    log = pd.concat([pd.DataFrame({"variant": v, "spend": s, "bought": s > 12}) for v, s in SAMPLES.items()])
    truth = plan(unit=ab.ROWS).analyze(log)
    assert report.units == truth.units
    for metric in ("spend", "bought"):
        mine, theirs = report.result(metric), truth.result(metric)
        assert math.isclose(mine.estimate, theirs.estimate, rel_tol=1e-12)
        assert math.isclose(mine.pvalue, theirs.pvalue, rel_tol=1e-9)


def test_every_checkpoint_is_a_look() -> None:
    timed = read_checkpoints(ab.Checkpoints(rows(), time="day"), plan().request())
    assert timed.looks == (1.0, 2.0, 3.0, 4.0)
    assert timed.every is None
    for day, statistics in zip(DAYS, timed.statistics, strict=True):
        for group in statistics.groups:
            sample = SAMPLES[group.variant][: len(SAMPLES[group.variant]) * day // 4]
            assert group.units == len(sample)
            assert math.isclose(group.moments["spend"].mean[0], sample.mean(), rel_tol=1e-12)
            assert math.isclose(group.moments["spend"].m2[0, 0], sample.var() * len(sample), rel_tol=1e-12)


def test_looks_at_statistics_are_not_said_to_be_open_ended() -> None:
    notes = plan().trajectory(ab.Checkpoints(rows(), time="day")).notes()
    assert not any("open-ended" in note for note in notes)
    assert any("statistics, not rows" in note for note in notes)
    assert not any("statistics, not rows" in note for note in plan().trajectory(ab.Checkpoints(rows()[3::4])).notes())


def test_tables_of_every_kind(tmp_path: Path) -> None:
    frame = pd.DataFrame(rows())
    frame.to_parquet(tmp_path / "c.parquet")
    frame.to_csv(tmp_path / "c.csv", index=False)
    expected = plan().analyze(ab.Checkpoints(rows(), time="day")).to_frame()
    tables = [frame, pl.from_pandas(frame), pa.Table.from_pandas(frame), tmp_path / "c.parquet", tmp_path / "c.csv"]
    for table in tables:
        pd.testing.assert_frame_equal(plan().analyze(ab.Checkpoints(table, time="day")).to_frame(), expected)


def test_times_and_one_metric_without_a_name() -> None:
    one = [{k: v for k, v in row.items() if k != "metric"} for row in rows() if row["metric"] == "spend"]
    one = [{**row, "day": dt.datetime(2024, 5, row["day"])} for row in one]
    timed = read_checkpoints(ab.Checkpoints(one, time="day"), plan(metrics={"m": ab.Mean("x")}).request())
    assert timed.looks[-1] == dt.datetime(2024, 5, 4)
    last = [row for row in rows() if row["day"] == 4]
    assert plan().analyze(ab.Checkpoints(last)).units == {"control": 400, "new": 390}


def test_a_metric_keeps_its_last_and_rounding_of_times_is_no_look() -> None:
    table = [row for row in rows() if not (row["metric"] == "bought" and row["day"] == 4)]
    table[0]["day"] = 1 + 2e-15
    timed = read_checkpoints(ab.Checkpoints(table, time="day"), plan().request())
    assert len(timed.looks) == 4
    assert timed.statistics[-1].groups[0].moments["bought"].n == 300


BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "a count that is not whole": ({"n": 10.5}, "`n` of 'bought' of 'new' at 4 must be a whole number"),
    "a negative count": ({"n": -1}, "must be a whole number of units"),
    "successes that are not whole": ({"mean": 0.30123}, "`mean` of 'bought' of 'new' at 4 must be the share"),
    "two rows": ({"day": 3}, "two rows of 'bought' of 'new' at 3"),
    "fewer units than before": ({"n": 10, "mean": 0.5}, "1 checkpoints have fewer units than an earlier one"),
    "a gap": ({"mean": None}, "1 checkpoints of 'bought' have no count, mean or variance"),
    "a negative variance": ({"metric": "spend", "day": 5, "variance": -1.0}, "`variance` of 'spend' of 'new' at 5"),
    "a time that is none": ({"day": None}, "the time `day` of a checkpoint must be"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_contradictions_are_said_aloud(name: str) -> None:
    changes, says = BROKEN[name]
    with pytest.raises(DataError, match=says):
        plan().analyze(ab.Checkpoints(rows(**changes), time="day"))


@pytest.mark.parametrize("name", ["fewer units than before", "a gap"])
def test_what_is_dropped_is_counted(name: str) -> None:
    statistics = plan(missing="drop").analyze(ab.Checkpoints(rows(**BROKEN[name][0]), time="day")).statistics
    assert statistics.audit.rows_contradictory + sum(statistics.audit.missing.values()) == 1
    assert statistics.groups[1].moments["bought"].n == 292  # the day before


def test_what_they_do_not_hold_is_refused_by_name() -> None:
    log = ab.Checkpoints(rows(), time="day")
    for metric in (ab.Ratio("a", "b"), ab.Quantile("a", 0.5), ab.Mean("a", covariates="b"), ab.Paired("a")):
        with pytest.raises(ValueError, match=r"`metrics.spend` must be a mean"):
            plan(metrics={"spend": metric}).analyze(log)
    with pytest.raises(ValueError, match="`segments` must be empty"):
        plan(segments="country").analyze(log)
    with pytest.raises(DataError, match="no column `count`"):
        plan().analyze(ab.Checkpoints(rows(), time="day", n="count"))
    with pytest.raises(DataError, match="no control 'off'"):
        plan(control="off").analyze(log)
    with pytest.raises(DataError, match="no metric 'other'"):
        plan(metrics={"other": ab.Mean("x")}).analyze(log)
    with pytest.raises(DataError, match="name their `time`"):
        plan().analyze(ab.Checkpoints(rows()))


def test_text_in_place_of_numbers_is_the_logs_fault() -> None:
    with pytest.raises(DataError, match="a checkpoint must hold numbers; got 'many'"):
        plan().analyze(ab.Checkpoints(rows(n="many"), time="day"))


def test_wide_tables() -> None:
    long = pd.DataFrame(rows())
    wide = long.pivot(index=["metric", "day"], columns="variant", values=["n", "mean", "variance"])
    wide.columns = [f"{name}_{'c' if variant == 'control' else 't'}" for name, variant in wide.columns]
    wide = wide.reset_index()
    both = pd.concat([wide.assign(id="a"), wide.assign(id="b")])
    expected = plan(control="control").analyze(ab.Checkpoints(rows(), time="day"))
    series = ab.Checkpoints.from_wide(both, time="day", by="id")
    assert list(series) == ["a", "b"]
    for log in (series["b"], ab.Checkpoints.from_wide(wide, time="day")):
        assert plan().analyze(log).result("spend").estimate == expected.result("spend").estimate
