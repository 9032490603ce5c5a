"""Parquet and CSV files as DuckDB relations."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from abkit.errors import DataError
from abkit.types import ROWS

if TYPE_CHECKING:
    import duckdb

SUFFIXES = (".parquet", ".csv", ".csv.gz", ".tsv", ".tsv.gz")
SAFE_GUESS, WHOLE_FILE = 20_480, -1


def open_files(connection: duckdb.DuckDBPyConnection, path: str, columns: Sequence[str]) -> duckdb.DuckDBPyRelation:
    """The rows of a file, or of several that a pattern names.

    Parquet is streamed at each query; of a CSV, which is slow to parse, the columns named are streamed once into
    DuckDB's own storage.
    """
    suffix, files = _checked(path)
    pattern = glob.escape(path) if files == [path] else path
    if suffix == ".parquet":
        _refuse_repeated(path, _parquet_columns(connection, pattern), columns)
        return connection.read_parquet(pattern)
    headers = [_header(connection, glob.escape(file)) for file in files]
    for file, header in zip(files, headers, strict=True):
        if not header:
            raise DataError(f"the log {file!r} is empty; it has no header and no rows.")
        _refuse_repeated(file, header, columns)
        if header != headers[0]:
            other = ", ".join(sorted({*header} ^ {*headers[0]})) or "the same in another order"
            raise DataError(f"the log {path!r} cannot be read: its files have different columns ({other}).")
    return _parsed_once(connection, pattern, path, columns)


def _checked(path: str) -> tuple[str, list[str]]:
    suffix = "".join(Path(path).suffixes[-2:]).lower()
    suffix = suffix if suffix in SUFFIXES else Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise DataError(f"the log {path!r} must be a {', '.join(SUFFIXES)} file; convert it, or pass a table.")
    if Path(path).is_dir():
        raise DataError(f"the log {path!r} is a folder; name its files, such as '{path}/*{suffix}'.")
    files = [path] if Path(path).exists() else sorted(glob.glob(path))  # noqa: PTH207 - an absolute pattern
    if not files:
        raise DataError(f"the log {path!r} does not exist; check the path.")
    return suffix, files


def _header(connection: duckdb.DuckDBPyConnection, pattern: str) -> list[str]:
    """The names in a CSV's first line, as they stand there."""
    first = connection.read_csv(pattern, header=False, all_varchar=True, sample_size=SAFE_GUESS).limit(1).fetchall()
    return [str(name) for name in first[0]] if first else []


def _parquet_columns(connection: duckdb.DuckDBPyConnection, pattern: str) -> list[str]:
    """The names of the first file's columns, without what is nested in them."""
    query = "select name, coalesce(num_children, 0), file_name from parquet_schema(?)"
    rows = connection.execute(query, [pattern]).fetchall()
    names, nested = [], 0
    for name, children, file in rows[1:]:
        if file != rows[0][2]:
            break
        if nested:
            nested += children - 1
        else:
            names.append(str(name))
            nested = children
    return names


def _refuse_repeated(file: str, found: list[str], columns: Sequence[str]) -> None:
    for column in columns:
        if found.count(column) > 1:
            raise DataError(f"the log {file!r} has the column `{column}` twice; rename or drop one.")


def _parsed_once(
    connection: duckdb.DuckDBPyConnection, pattern: str, path: str, columns: Sequence[str]
) -> duckdb.DuckDBPyRelation:
    import duckdb

    for rows_for_types in (SAFE_GUESS, WHOLE_FILE):  # from the first rows, and where that fails from all
        relation = connection.read_csv(pattern, header=True, skiprows=0, sample_size=rows_for_types)
        _refuse_ragged(path, relation.columns, columns)
        known = set(columns) <= {*relation.columns, ROWS} and ROWS not in relation.columns
        chosen = list(_chosen(columns)) if known else [duckdb.StarExpression()]
        try:
            relation.select(*chosen).create("log")
            break
        except duckdb.Error:
            if rows_for_types == WHOLE_FILE:
                raise
    table = connection.table("log")
    if not table.limit(1).shape[0]:  # of values with a time zone DuckDB would ask for pytz
        raise DataError(f"the log {path!r} has no rows; nothing can be compared.")
    return table


def _chosen(columns: Sequence[str]) -> Iterator[duckdb.Expression]:
    import duckdb

    return (duckdb.ColumnExpression(column) for column in columns if column != ROWS)


def _refuse_ragged(path: str, found: list[str], columns: Sequence[str]) -> None:
    """Where lines differ in length, all of the header is taken for one name."""
    if len(found) == 1 and sum(column in found[0] for column in columns) > 1:
        raise DataError(f"the log {path!r} cannot be read: its lines have not as many values as its header has names.")
    if found in ([], ["column0"]):
        raise DataError(f"the log {path!r} is empty; it has no header and no rows.")
