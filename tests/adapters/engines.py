"""One table as each engine's own: thirteen kinds of log."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb
import pandas as pd
import pytest

CONNECTIONS: list[Any] = []


def as_pandas(log: pd.DataFrame, _: Path) -> Any:
    return log


def as_polars(log: pd.DataFrame, _: Path) -> Any:
    import polars as pl

    return pl.from_pandas(log)


def as_lazy_polars(log: pd.DataFrame, _: Path) -> Any:
    import polars as pl

    return pl.from_pandas(log).lazy()


def as_pyarrow(log: pd.DataFrame, _: Path) -> Any:
    import pyarrow as pa

    return pa.Table.from_pandas(log, preserve_index=False)


def as_duckdb(log: pd.DataFrame, _: Path) -> Any:
    connection = duckdb.connect()
    connection.register("frame", log)
    connection.execute("create table log as select * from frame")
    return connection.table("log")


def as_ibis(log: pd.DataFrame, _: Path) -> Any:
    import ibis

    return ibis.memtable(log)


def as_dask(log: pd.DataFrame, _: Path) -> Any:
    import dask.dataframe as dd

    return dd.from_pandas(log, npartitions=2)


def as_parquet(log: pd.DataFrame, folder: Path) -> Any:
    log.to_parquet(folder / "log.parquet")
    return str(folder / "log.parquet")


def as_several_parquet_files(log: pd.DataFrame, folder: Path) -> Any:
    log.iloc[:1500].to_parquet(folder / "part1.parquet")
    log.iloc[1500:].to_parquet(folder / "part2.parquet")
    return str(folder / "part*.parquet")


def as_csv(log: pd.DataFrame, folder: Path) -> Any:
    log.to_csv(folder / "log.csv", index=False)
    return folder / "log.csv"


def as_csv_gz(log: pd.DataFrame, folder: Path) -> Any:
    log.to_csv(folder / "log.csv.gz", index=False)
    return folder / "log.csv.gz"


def as_postgres(log: pd.DataFrame, _: Path) -> Any:
    import ibis

    connection = ibis.connect(os.environ["ABKIT_POSTGRES"])
    CONNECTIONS.append(connection)
    return connection.create_table(f"log_{uuid4().hex}", log)


def as_spark(log: pd.DataFrame, _: Path) -> Any:
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    builder = builder.config("spark.sql.session.timeZone", "UTC")
    session = builder.config("spark.sql.shuffle.partitions", "4").getOrCreate()
    rows = log.astype(object).where(log.notna(), None).to_dict("records")
    for row in rows if "ts" in log else ():
        row["ts"] = row["ts"].to_pydatetime()
    schema = (
        "event long, user long, variant string, revenue double, orders long, views long, bought boolean, clock double, "
        "before double, seen boolean, country string, profit double"
    )
    return session.createDataFrame(rows, schema + ", ts timestamp" * ("ts" in log))


LOCAL = [
    as_pandas,
    as_polars,
    as_lazy_polars,
    as_pyarrow,
    as_duckdb,
    as_ibis,
    as_dask,
    as_parquet,
    as_several_parquet_files,
    as_csv,
    as_csv_gz,
]
ENGINES = [
    *LOCAL,
    pytest.param(as_postgres, marks=pytest.mark.postgres),
    pytest.param(as_spark, marks=pytest.mark.spark),
]
