"""Logs of decisions, one row each: their columns as arrays, in the order in which the decisions were made."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from abkit import _check
from abkit.adapters._frames import engine_errors, open_log
from abkit.errors import DataError
from abkit.logs import label_name

if TYPE_CHECKING:
    import narwhals as nw

    Frame = nw.LazyFrame[Any]
    Schema = dict[str, nw.dtypes.DType]

Array = npt.NDArray[Any]


def read_decisions(
    log: object, columns: Sequence[str], order: str | Sequence[str] | None = None, *, labels: Collection[str] = ()
) -> dict[str, Array]:
    """Columns of a log of decisions as NumPy arrays, one entry a row.

    Parameters
    ----------
    log : table, path or mapping
        A table of pandas, Polars, PyArrow, DuckDB, Ibis, Dask or PySpark, the path of Parquet or CSV files, or a
        mapping of names to lists of equal length.
    columns : list of str
        The columns wanted. One that is named twice is read once.
    order : str or list of str, optional
        Columns that tell when each decision was made, the first one first: rows come back sorted by them, and rows that
        are equal in all of them in the order that they had. Without it rows come in the order of the log.
    labels : collection of str
        Which of `columns` hold names, as of arms, even where these are numbers.

    Returns
    -------
    dict of str to array, shape (rows,)
        Numbers and booleans as float64, all finite. Text, and what `labels` names, as an object array of Python's str
        and int; other labels (booleans) as `label_name` writes them. Times as datetime64.

    Raises
    ------
    DataError
        A column that is not there, a value that is missing (null or nan) or infinite anywhere in `columns` or `order`
        (with the count by column), labels that are neither text nor whole numbers, no rows, or a log that is no table.
    """
    sorting = () if order is None else _check.names("order", order)
    wanted = tuple(dict.fromkeys(columns))
    with open_decisions(log, (*wanted, *sorting)) as (frame, schema):
        named = dict.fromkeys((*wanted, *sorting))
        read = _collected(frame.select(*(_readable(name, schema[name], labels) for name in named)))
    rows = {name: _plain(values) for name, values in read.items()}
    refuse_gaps({name: _gaps(values) for name, values in rows.items()}, len(next(iter(rows.values()))))
    rows |= {name: _named(name, rows[name]) for name in labels if name in rows}
    if not sorting:
        return rows
    first = np.lexsort([np.unique(rows[name], return_inverse=True)[1] for name in reversed(sorting)])
    return {name: rows[name][first] for name in wanted}


@contextmanager
def open_decisions(log: object, columns: Sequence[str]) -> Iterator[tuple[Frame, Schema]]:
    """A lazy frame over a log that has these columns, and the types of all that it has."""
    table = _table(log) if isinstance(log, Mapping) else log
    with engine_errors(table, columns), open_log(table, columns) as frame:
        schema = dict(frame.collect_schema())
        for column in columns:
            if column in ("*", "**") or (column.startswith("^") and column.endswith("$")):
                raise DataError(f"the column {column!r} has a name that engines take for a pattern; rename it.")
            if column not in schema:
                hint = _check.suggest(column, schema)
                raise DataError(f"the log has no column `{column}`; it has {', '.join(sorted(schema))}.{hint}")
        yield frame, schema


def refuse_gaps(gaps: Mapping[str, int], rows: int) -> None:
    """No rows, or rows with a value that is missing or infinite, are refused with their number."""
    if not rows:
        raise DataError("the log has no rows; nothing can be said of it.")
    found = [f"{count:,} of {rows:,} in `{name}`" for name, count in gaps.items() if count]
    if found:
        raise DataError(
            f"the log has values that are missing or not finite: {', '.join(found)}. Leave such rows out only if you "
            "know why they are there: which are missing may depend on the arm."
        )


def number(column: str, dtype: nw.dtypes.DType) -> nw.Expr:
    """A column of numbers or booleans as float64."""
    import narwhals as nw

    value = nw.col(column)
    if dtype.is_boolean():
        one = nw.when(value).then(nw.lit(1)).otherwise(nw.lit(0)).cast(nw.Float64)
        return nw.when(~value.is_null()).then(one)
    return value.cast(nw.Float64)


def _readable(column: str, dtype: nw.dtypes.DType, labels: Collection[str]) -> nw.Expr:
    import narwhals as nw

    plain = column not in labels and (dtype.is_numeric() or dtype.is_boolean())
    return (number(column, dtype) if plain else nw.col(column)).alias(column)


def _table(log: Mapping[Any, Any]) -> Any:
    import pandas as pd

    try:
        return pd.DataFrame(dict(log))
    except ValueError as error:
        raise DataError(f"`log` must have columns of equal length: {error}.") from error


def _collected(frame: Frame) -> dict[str, Array]:
    if frame.implementation.is_duckdb():
        found: dict[str, Array] = frame.to_native().fetchnumpy()
        return found
    eager = frame.collect()
    return {name: _array(eager.get_column(name)) for name in eager.columns}


def _array(column: nw.Series[Any]) -> Array:
    """The values of a column, those that are missing masked."""
    missing = column.is_null()
    if not missing.any():
        return column.to_numpy()
    return np.ma.masked_array(np.asarray(column.to_list(), dtype=object), np.asarray(missing.to_list(), dtype=bool))


def _plain(values: Any) -> Array:
    """The values, and None or nan where one is missing."""
    if hasattr(values, "categories"):  # pandas' Categorical
        values = np.asarray(values, dtype=object)
    if np.ma.is_masked(values):
        gaps = np.ma.getmaskarray(values)
        plain = np.asarray(np.ma.getdata(values), dtype=object)
        plain[gaps] = None
        return plain
    plain = np.asarray(values)
    return plain if plain.dtype.kind in "fiubM" else plain.astype(object)


def _gaps(values: Array) -> int:
    if values.dtype.kind == "f":
        return int(np.count_nonzero(~np.isfinite(values)))
    if values.dtype.kind == "M":
        return int(np.count_nonzero(np.isnat(values)))
    if values.dtype.kind == "O":
        return sum(value is None or (isinstance(value, float) and math.isnan(value)) for value in values)
    return 0


def _named(name: str, values: Array) -> Array:
    """Labels as Python's own text and whole numbers."""
    if values.dtype.kind == "f":
        if not np.array_equal(values, np.floor(values)):
            odd = values[values != np.floor(values)][0]
            raise DataError(f"`{name}` must hold names or whole numbers; got {odd:g}.")
        values = values.astype(np.int64)
    if values.dtype.kind == "O" and not all(isinstance(value, (str, int)) for value in values):
        values = np.asarray([label_name(value) for value in values], dtype=object)
    if values.dtype.kind in "bM":
        values = np.asarray([label_name(value) for value in values.tolist()], dtype=object)
    return values.astype(object)
