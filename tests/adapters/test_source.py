"""Logs where plans say they are: files beside the plan, DuckDB files, and databases."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb
import numpy as np
import pandas as pd
import pytest

import abkit as ab

PLAN = {
    "unit": "user",
    "variant": "variant",
    "control": "control",
    "metrics": {"x": {"kind": "mean", "value": "x"}},
}


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    rng = np.random.default_rng(8)
    variant = rng.permutation(["control", "new"] * 300)
    return pd.DataFrame({"user": np.arange(600), "variant": variant, "x": rng.normal(variant == "new", 1)})


@pytest.fixture(scope="module")
def truth(rows: pd.DataFrame) -> str:
    return evidence(ab.decide(PLAN, rows))


def evidence(decision: ab.Decision) -> str:
    assert decision.verdict == "promote"
    return decision.evidence_sha256


def plan_file(folder: Path, **log: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "plan.yaml"
    import yaml

    path.write_text(yaml.safe_dump({**PLAN, "log": log}))
    return path


def database(folder: Path, rows: pd.DataFrame) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(folder / "events.duckdb") as connection:
        connection.register("rows", rows)
        connection.execute("create table log as select * from rows; create schema shop")
        connection.execute('create view shop.orders as select * from log; create table "odd name" as from log')
    return folder / "events.duckdb"


@pytest.mark.parametrize("folder", ["plain", "with [brackets] and *", "ä/b"])
@pytest.mark.parametrize("given", ["logs/all.parquet", "logs/part*.csv", "logs/[0]*.parquet", "logs/odd[1].parquet"])
def test_files_are_found_beside_the_plan(
    rows: pd.DataFrame, truth: str, tmp_path: Path, folder: str, given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = plan_file(tmp_path / folder, path=given)
    logs = path.parent / "logs"
    logs.mkdir()
    for name in ("all", "0of1", "odd[1]"):
        rows.to_parquet(logs / f"{name}.parquet")
    rows[:250].to_csv(logs / "part1.csv", index=False)
    rows[250:].to_csv(logs / "part2.csv", index=False)
    assert evidence(ab.decide(path)) == truth
    monkeypatch.chdir(path.parent)
    assert evidence(ab.decide("plan.yaml")) == truth
    assert evidence(ab.decide(ab.Experiment.from_file("plan.yaml"))) == truth
    assert ab.Experiment.from_file("plan.yaml").analyze().units == {"control": 300, "new": 300}


@pytest.mark.parametrize(
    "asked", [{"table": "log"}, {"table": "shop.orders"}, {"table": '"odd name"'}, {"query": "select * from log"}]
)
def test_a_duckdb_file_is_read_and_closed(
    rows: pd.DataFrame, truth: str, tmp_path: Path, asked: dict[str, str]
) -> None:
    path = plan_file(tmp_path, duckdb="data/events.duckdb", **asked)
    file = database(tmp_path / "data", rows)
    before = file.read_bytes()
    for _ in range(2):
        assert evidence(ab.decide(path)) == truth
    assert file.read_bytes() == before
    with duckdb.connect(file) as connection:  # nobody holds it any more
        connection.execute("drop table log")


def test_a_source_may_be_given_in_place_of_a_log(rows: pd.DataFrame, truth: str, tmp_path: Path) -> None:
    source = ab.Source(duckdb=str(database(tmp_path, rows)), query="select * from log where x is not null;")
    assert evidence(ab.decide(PLAN, source)) == truth


@pytest.mark.parametrize(
    ("log", "kind", "says"),
    [
        ({"path": "none.parquet"}, ab.DataError, "`log.path` must name files that exist; got 'none.parquet'"),
        ({"path": "none*.csv"}, ab.DataError, "`log.path` must name files that exist"),
        ({"duckdb": "none.duckdb", "table": "log"}, ab.DataError, "`log.duckdb` must name a file that exists"),
        ({"duckdb": "plan.yaml", "table": "log"}, ab.DataError, "`log.duckdb` must name a database that can be read"),
        ({"duckdb": "events.duckdb", "table": "nope"}, ab.DataError, "`log.table` cannot be read: .*nope"),
        ({"duckdb": "events.duckdb", "query": "select nope from log"}, ab.DataError, "`log.query` cannot be read"),
        ({"duckdb": "events.duckdb", "query": "drop table log"}, ab.PlanError, "`log.query` must be one SELECT"),
        ({"duckdb": "events.duckdb", "query": "from log; drop table log"}, ab.PlanError, "must be one SELECT"),
        ({"duckdb": "events.duckdb", "query": "selec"}, ab.DataError, "`log.query` cannot be read: .*syntax"),
        ({"sql": "$NOT_SET", "table": "log"}, ab.DataError, "environment variable that is set; got '\\$NOT_SET'"),
        ({"sql": "secret", "table": "log"}, ab.DataError, "`log.sql` must be a database's address, such as"),
    ],
)
def test_what_cannot_be_read_is_told_by_the_plans_field(
    rows: pd.DataFrame, tmp_path: Path, log: dict[str, str], kind: type[Exception], says: str
) -> None:
    path = plan_file(tmp_path, **log)
    database(tmp_path, rows)
    with pytest.raises(kind, match=says) as error:
        ab.decide(path)
    assert "secret" not in str(error.value)


def test_a_plan_without_a_log_says_so() -> None:
    with pytest.raises(ab.PlanError, match="`log` must be given, or the plan must say where it lies"):
        ab.decide(PLAN)


def test_without_ibis_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ibis", None)
    with pytest.raises(ab.MissingDependencyError, match="install abkit-experiments\\[sql\\]"):
        ab.decide(PLAN, ab.Source(sql="postgresql://reader@host/name", table="log"))


@pytest.fixture
def table(rows: pd.DataFrame) -> Iterator[str]:
    import ibis

    connection: Any = ibis.connect(os.environ["ABKIT_POSTGRES"])
    name = f"log_{uuid4().hex}"
    connection.create_table(name, rows)
    yield name
    connection.raw_sql(f"drop table {name}").close()
    connection.disconnect()


@pytest.mark.postgres
def test_postgres(table: str, truth: str, tmp_path: Path) -> None:
    for asked in ({"table": table}, {"table": f"public.{table}"}, {"query": f"select * from {table};"}):
        assert evidence(ab.decide(plan_file(tmp_path, sql="$ABKIT_POSTGRES", **asked))) == truth
    wrong = (
        ({"table": "nope"}, ab.DataError, "`log.table` cannot be read: nope"),
        ({"query": "select x from nope"}, ab.DataError, "`log.query` cannot be read: .*nope"),
        ({"query": f"delete from {table}"}, ab.PlanError, "`log.query` must be one SELECT"),
        ({"query": f"select * from {table}; delete from {table}"}, ab.PlanError, "must be one SELECT"),
        (
            {"query": f'select 1 / ("user" - "user") as x, variant, "user" from {table}'},
            ab.DataError,
            "cannot be read: .*zero",
        ),
    )
    for asked, kind, says in wrong:
        with pytest.raises(kind, match=says):
            ab.decide(plan_file(tmp_path, sql="$ABKIT_POSTGRES", **asked))
    with pytest.raises(ab.DataError, match=r"`log.sql` cannot be read: .*refused") as error:
        ab.decide(plan_file(tmp_path, sql="postgresql://me:secret@127.0.0.1:1/x", table=table))
    assert "secret" not in str(error.value)
