"""Any table, or a path to one, as a lazy Narwhals frame."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from abkit.adapters._files import open_files
from abkit.errors import DataError

if TYPE_CHECKING:
    import duckdb
    import narwhals as nw


@contextmanager
def open_log(log: object, columns: Sequence[str]) -> Iterator[nw.LazyFrame[Any]]:
    """A lazy frame over a table of any engine that Narwhals speaks, or over files, which DuckDB reads.

    pandas and PyArrow tables have no query engine: DuckDB scans them in place.
    """
    import duckdb
    import narwhals as nw

    if isinstance(log, (str, os.PathLike)):
        with duckdb.connect() as connection:
            yield nw.from_native(_known(open_files(connection, str(log), columns)))
        return
    frame = _narwhals_frame(log)
    if not (frame.implementation.is_pandas() or frame.implementation.is_pyarrow()):
        yield nw.from_native(_known(frame.to_native())) if frame.implementation.is_duckdb() else frame.lazy()
        return
    with duckdb.connect() as connection:
        native: Any = log
        scan = connection.from_arrow if frame.implementation.is_pyarrow() else connection.from_df
        yield nw.from_native(_known(scan(native)))


def _known(relation: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    """Times of nanoseconds with a zone, as pandas writes them, in microseconds: Narwhals does not know the others."""
    import duckdb

    odd = {name for name, kind in zip(relation.columns, relation.types, strict=True) if str(kind) == "TIMESTAMPTZ_NS"}
    if not odd:
        return relation
    columns = [duckdb.ColumnExpression(name) for name in relation.columns]
    named = zip(relation.columns, columns, strict=True)
    return relation.select(*(c.cast("TIMESTAMPTZ").alias(name) if name in odd else c for name, c in named))


def _narwhals_frame(log: object) -> nw.DataFrame[Any] | nw.LazyFrame[Any]:
    import narwhals as nw

    try:
        with _narwhals_warnings_off():
            return nw.from_native(log)
    except TypeError as error:
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


def logarithm(frame: nw.LazyFrame[Any], column: str, name: str) -> nw.LazyFrame[Any]:
    """The natural logarithm of a column of positive numbers, as a further column."""
    import narwhals as nw

    if frame.implementation.is_ibis():  # Narwhals' own is one of decimals in PostgreSQL, and 100 times slower
        native: Any = frame.to_native()
        return nw.from_native(native.mutate(native[column].ln().name(name)))  # type: ignore[no-any-return]
    return frame.with_columns(nw.col(column).log().alias(name))


def refuses_overflow(frame: nw.LazyFrame[Any]) -> bool:
    """Whether a product that is too large may be an error, as in PostgreSQL, and not an infinity."""
    return bool(frame.implementation.is_ibis())


@contextmanager
def engine_errors(log: object, columns: Sequence[str]) -> Iterator[None]:
    """Errors of the engine that reads a log, as one sentence about that log."""
    import duckdb
    from narwhals.exceptions import NarwhalsError

    try:
        yield
    except (duckdb.Error, NarwhalsError, OSError) as error:
        name = f" {os.fspath(log)!r}" if isinstance(log, (str, os.PathLike)) else ""
        first = " ".join(str(error).split())[:300]
        raise DataError(f"the log{name} cannot be read: {first}{_odd_columns(log, columns)}") from error


def _odd_columns(log: Any, columns: Sequence[str]) -> str:
    """The columns of a pandas table that may be what an engine could not read."""
    types = log.dtypes if type(log).__module__.startswith("pandas") else {}
    odd = [c for c in columns if c in types and str(types[c]).startswith(("object", "complex", "Sparse"))]
    return f" (look at {', '.join(f'`{c}`, which holds {types[c]}' for c in odd)})" if odd else ""


@contextmanager
def _narwhals_warnings_off() -> Iterator[None]:
    # Narwhals announces that Dask will need a further package, which cannot be installed yet
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Dask support is moving", category=FutureWarning)
        yield
