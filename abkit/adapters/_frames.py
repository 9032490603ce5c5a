"""Any table, or a path to one, as a lazy Narwhals frame."""

from __future__ import annotations

import glob
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from abkit.errors import DataError
from abkit.types import ROWS

if TYPE_CHECKING:
    import duckdb
    import narwhals as nw

SUFFIXES = (".parquet", ".csv", ".csv.gz", ".tsv", ".tsv.gz")


@contextmanager
def open_log(log: object, columns: Sequence[str]) -> Iterator[nw.LazyFrame[Any]]:
    """A lazy frame over a table of any engine that Narwhals speaks, or over a file.

    Parquet is streamed by DuckDB at each query; of a CSV, which is slow to parse, the columns named are streamed
    once into DuckDB's own storage. pandas and PyArrow tables have no query engine: DuckDB scans them in place.
    """
    import duckdb

    if isinstance(log, (str, os.PathLike)):
        path = str(log)
        suffix = _checked_suffix(path)
        with duckdb.connect() as connection:
            yield _parquet(connection, path) if suffix == ".parquet" else _parsed_once(connection, path, columns)
        return
    frame = _narwhals_frame(log)
    if not (frame.implementation.is_pandas() or frame.implementation.is_pyarrow()):
        yield frame.lazy()
        return
    with duckdb.connect() as connection:
        yield _scanned_in_place(connection, log, arrow=frame.implementation.is_pyarrow())


def _narwhals_frame(log: object) -> nw.DataFrame[Any] | nw.LazyFrame[Any]:
    import narwhals as nw
    from narwhals.exceptions import NarwhalsError

    try:
        with _narwhals_warnings_off():
            return nw.from_native(log)
    except (TypeError, NarwhalsError) as error:
        raise DataError(
            f"`log` must be a table (pandas, Polars, PyArrow, DuckDB, Ibis, PySpark, Dask) or a path to a Parquet "
            f"or CSV file; got {type(log).__name__}."
        ) from error


def collect(frame: nw.LazyFrame[Any]) -> list[dict[str, Any]]:
    """Run a query; its rows, which are one a group, as dicts of plain values."""
    if frame.implementation.is_duckdb():
        relation = frame.to_native()
        columns = relation.columns
        return [dict(zip(columns, row, strict=True)) for row in relation.fetchall()]
    with _narwhals_warnings_off():
        return frame.collect().rows(named=True)


def distinct(frame: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """The different rows."""
    import narwhals as nw

    if frame.implementation.is_duckdb():  # Narwhals numbers all rows there, to choose which duplicate stays
        return nw.from_native(frame.to_native().distinct())  # type: ignore[no-any-return]
    return frame.unique()


def one_partition(frame: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """The same rows, in one piece where the engine finds exact quantiles in one piece only."""
    import narwhals as nw

    if not frame.implementation.is_dask():
        return frame
    with _narwhals_warnings_off():
        return nw.from_native(frame.to_native().repartition(npartitions=1))  # type: ignore[no-any-return]


@contextmanager
def engine_errors(log: object) -> Iterator[None]:
    """Errors of the engine that reads a file, as one sentence about that file."""
    if not isinstance(log, (str, os.PathLike)):
        yield
        return
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        first = str(error).strip().splitlines()[0]
        raise DataError(f"the log {os.fspath(log)!r} cannot be read: {first}") from error


def _checked_suffix(path: str) -> str:
    suffix = "".join(Path(path).suffixes[-2:]).lower()
    suffix = suffix if suffix in SUFFIXES else Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise DataError(f"the log {path!r} must be a {', '.join(SUFFIXES)} file; convert it, or pass a table.")
    if not glob.glob(path):  # noqa: PTH207 - an absolute pattern, which Path.glob refuses
        raise DataError(f"the log {path!r} does not exist; check the path.")
    if Path(path).is_dir():
        raise DataError(f"the log {path!r} is a folder; name its files, such as '{path}/*{suffix}'.")
    return suffix


def _parquet(connection: duckdb.DuckDBPyConnection, path: str) -> nw.LazyFrame[Any]:
    import narwhals as nw

    return nw.from_native(connection.read_parquet(path))


def _parsed_once(connection: duckdb.DuckDBPyConnection, path: str, columns: Sequence[str]) -> nw.LazyFrame[Any]:
    import duckdb
    import narwhals as nw

    for rows_for_types in (20_480, -1):  # types guessed from the first rows, and from all where that fails
        relation = connection.read_csv(path, sample_size=rows_for_types)
        known = set(columns) <= {*relation.columns, ROWS}
        found = [duckdb.ColumnExpression(c) for c in columns if c != ROWS] if known else [duckdb.StarExpression()]
        try:
            relation.select(*found).create("log")
            break
        except duckdb.Error:
            if rows_for_types == -1:
                raise
    return nw.from_native(connection.table("log"))


def _scanned_in_place(connection: duckdb.DuckDBPyConnection, table: Any, *, arrow: bool) -> nw.LazyFrame[Any]:
    import narwhals as nw

    relation = connection.from_arrow(table) if arrow else connection.from_df(table)
    return nw.from_native(relation)


@contextmanager
def _narwhals_warnings_off() -> Iterator[None]:
    # Narwhals announces that Dask will need a further package, which cannot be installed yet
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Dask support is moving", category=FutureWarning)
        yield
