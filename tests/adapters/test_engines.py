"""The same log through every engine: the same statistics to 1e-12, the same counts, one grouped query."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from abkit.adapters import _analyze
from abkit.adapters._analyze import read_statistics
from abkit.logs import LogStatistics
from abkit.report import merge_groups
from tests.adapters.engines import ENGINES, as_dask, as_duckdb, as_polars, as_postgres
from tests.adapters.logs import expected, request


@pytest.fixture(scope="module")
def truth(log: pd.DataFrame) -> dict[str, dict[str, dict[str, Any]]]:
    return expected(log)


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_gives_the_exact_statistics(
    engine: Callable[[pd.DataFrame, Path], Any], log: pd.DataFrame, truth: dict[str, Any], tmp_path: Path
) -> None:
    statistics = read_statistics(engine(log, tmp_path), request())
    check_statistics(statistics, truth)
    check_audit(statistics, log)


def check_statistics(statistics: LogStatistics, truth: dict[str, Any]) -> None:
    merged = merge_groups(statistics.groups)
    assert sorted(merged) == sorted(truth)
    for variant, metrics in truth.items():
        for name, exact in metrics.items():
            moments = merged[variant].moments[name]
            assert moments.n == exact["n"], (variant, name)
            np.testing.assert_allclose(moments.mean, exact["mean"], rtol=1e-12, atol=0, err_msg=f"{variant} {name}")
            # a covariance near zero is exact relative to the spreads that it joins
            scale = np.sqrt(np.outer(np.diagonal(exact["m2"]), np.diagonal(exact["m2"])))
            np.testing.assert_array_less(np.abs(moments.m2 - exact["m2"]), 1e-12 * scale + 1e-300, f"{variant} {name}")


def check_audit(statistics: LogStatistics, log: pd.DataFrame) -> None:
    audit = statistics.audit
    kept = log[log["seen"] & log["variant"].notna()]
    unique = kept.drop_duplicates("event")
    variants = unique.groupby("user")["variant"]
    assert audit.rows == len(log)
    assert audit.rows_without_variant == log["variant"].isna().sum()
    assert audit.rows_not_exposed == (~log["seen"]).sum()
    assert audit.rows_duplicated == len(kept) - len(unique)
    assert audit.rows_contradictory == 0
    assert audit.units == unique["user"].nunique()
    assert audit.units_in_several_variants == (variants.nunique() > 1).sum()
    assert audit.units_in_unknown_variants == ((variants.nunique() == 1) & (variants.first() == "old")).sum()
    assert audit.missing == {"revenue": kept["revenue"].isna().sum()}
    assert {group.segments for group in statistics.groups} == {("DE",), ("FR",), ("US",)}


@pytest.mark.parametrize("engine", ENGINES)
def test_only_one_row_a_group_comes_back(
    engine: Callable[[pd.DataFrame, Path], Any], log: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    original = _analyze.collect

    def counting(frame: Any) -> list[dict[str, Any]]:
        rows = original(frame)
        sizes.append(len(rows))
        return rows

    monkeypatch.setattr(_analyze, "collect", counting)
    statistics = read_statistics(engine(log, tmp_path), request())
    groups = len(statistics.groups)
    crossed_and_unknown = 6 * 4
    assert len(sizes) == 2  # the threshold of the quantile cap, and the grouped query
    assert sizes[0] == 1
    assert groups <= sizes[1] <= groups + crossed_and_unknown


@pytest.fixture
def duckdb_log() -> Iterator[tuple[duckdb.DuckDBPyConnection, Any]]:
    connection = duckdb.connect()
    connection.execute(
        "create table log as select i % 5000 as user, case when i % 5000 % 2 = 0 then 'a' else 'b' end as variant, "
        "i % 7 as x, i % 11 as y from range(50000) t(i)"
    )
    yield connection, connection.table("log")
    connection.close()


def test_duckdb_runs_one_grouped_query(duckdb_log: tuple[duckdb.DuckDBPyConnection, Any]) -> None:
    import abkit as ab

    connection, table = duckdb_log
    plan = ab.Experiment(
        unit="user", variant="variant", control="a", metrics={"x": ab.Mean("x"), "xy": ab.Ratio("x", "y")}
    )
    connection.execute("call enable_logging('QueryLog')")
    plan.analyze(table)
    statements = [
        row[0] for row in connection.execute("select message from duckdb_logs where type = 'QueryLog'").fetchall()
    ]
    reading = [text.replace('"', "") for text in statements if "duckdb_logs" not in text]
    grouped = [text for text in reading if "GROUP BY unit" in text or "GROUP BY variant" in text]
    assert len(grouped) == 1, reading
    assert "GROUP BY low, high" in grouped[0]  # rows to units and units to groups at once
    assert len(reading) <= 4, reading  # labels, counts, a sample for the shifts, and the grouped query


@pytest.mark.postgres
def test_postgres_runs_one_grouped_query(log: pd.DataFrame, tmp_path: Path) -> None:
    import abkit as ab

    table = as_postgres(log, tmp_path)
    plan = ab.Experiment(unit="user", variant="variant", control="control", metrics={"orders": ab.Mean("orders")})
    journal = Path(os.environ["ABKIT_POSTGRES_LOG"])
    before = len(journal.read_text(encoding="utf-8"))
    plan.analyze(table)
    statements = journal.read_text(encoding="utf-8")[before:].split("LOG:  ")
    grouped = [text for text in statements if "GROUP BY" in text and '"orders"' in text]
    assert len(grouped) == 1, grouped
    assert grouped[0].count("GROUP BY") == 2  # rows to units, units to groups


def test_a_second_run_gives_the_same_statistics_of_whole_numbers_bit_for_bit(log: pd.DataFrame, tmp_path: Path) -> None:
    results = [
        merge_groups(read_statistics(engine(log, tmp_path), request()).groups)
        for engine in (as_duckdb, as_polars, as_dask)
    ]
    for variant in results[0]:
        for name in ("orders per view", "capped", "conversion"):
            for other in results[1:]:
                assert other[variant].moments[name] == results[0][variant].moments[name]


@pytest.mark.parametrize("engine", ENGINES)
def test_rows_as_units_are_the_units_of_a_table_with_an_id_each(
    engine: Callable[[pd.DataFrame, Path], Any], log: pd.DataFrame, tmp_path: Path
) -> None:
    import abkit as ab

    once = log.drop_duplicates("event").reset_index(drop=True)
    table = engine(once, tmp_path)
    metrics = {
        "revenue": ab.Mean("revenue", missing="drop", covariates=["before", ab.Sum("views")]),
        "orders": ab.Ratio("orders", ab.ROWS, cap=ab.Cap(quantile=0.95)),
        "bought": ab.Proportion("bought"),
        "clock": ab.Mean("clock"),
    }
    plans = [
        ab.Experiment(unit=unit, variant="variant", control="control", metrics=metrics, segments="country", key=key)
        for unit, key in (("event", ()), (ab.ROWS, ()), (ab.ROWS, "event"))
    ]
    expected, *others = (read_statistics(table, plan.request()) for plan in plans)
    for statistics in others:
        assert statistics.cappings == expected.cappings
        assert statistics.audit == expected.audit
        for group, same in zip(statistics.groups, expected.groups, strict=True):
            assert (group.variant, group.segments, group.units) == (same.variant, same.segments, same.units)
            for name, moments in group.moments.items():
                np.testing.assert_allclose(moments.mean, same.moments[name].mean, rtol=1e-12)
                np.testing.assert_allclose(moments.m2, same.moments[name].m2, rtol=1e-10, atol=1e-10)
