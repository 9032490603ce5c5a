"""Where a log lies: what the caller names, else what the plan does."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from abkit.errors import DataError, MissingDependencyError, PlanError
from abkit.source import Source

if TYPE_CHECKING:
    import duckdb

    from abkit.experiment import Experiment

QUERY = "abkit_log"
#: Where errors of a database come from, by their package: they are the log's, not abkit's.
DATABASES = ("ibis", "psycopg", "sqlglot", "sqlalchemy")


@contextmanager
def opened(experiment: Experiment, log: object) -> Iterator[object]:
    """The log itself: the one given, else the plan's own, whose paths are relative to the plan's file."""
    source = experiment.log if log is None else log
    if source is None:
        raise PlanError("`log` must be given, or the plan must say where it lies.")
    if not isinstance(source, Source):
        yield source
    else:
        with open_source(source, experiment.folder if log is None else Path()) as found:
            yield found


@contextmanager
def open_source(source: Source, folder: Path) -> Iterator[object]:
    """A table, or the path of files; what was connected to is closed afterwards."""
    if source.path is not None:
        yield files_of(source.path, folder)
    elif source.duckdb is not None:
        with _connected(folder / source.duckdb) as connection:
            yield _relation(connection, source)
    else:
        with _ibis_table(source) as table:
            yield table


def files_of(path: str, folder: Path) -> str:
    """One file, or a pattern for several, of which the folder is no part."""
    whole = folder / path
    if whole.exists():
        return str(whole)
    pattern = str(Path(glob.escape(str(folder))) / path)
    if not glob.glob(pattern):  # noqa: PTH207 - the folder may be absolute
        raise DataError(
            f"`log.path` must name files that exist; got {path!r}: there is no {str(folder.resolve() / path)!r}."
        )
    return pattern


@contextmanager
def _connected(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Read only, so that nothing that a plan asks can change the database."""
    import duckdb

    if not path.is_file():
        raise DataError(f"`log.duckdb` must name a file that exists; got {str(path)!r}.")
    try:
        connection = duckdb.connect(path, read_only=True)
    except duckdb.Error as error:
        raise DataError(f"`log.duckdb` must name a database that can be read: {_line(error)}") from error
    with connection:
        yield connection


def _relation(connection: duckdb.DuckDBPyConnection, source: Source) -> duckdb.DuckDBPyRelation:
    import duckdb

    try:
        if source.table is not None:
            return connection.table(source.table)
        statements = connection.extract_statements(str(source.query))
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise PlanError("`log.query` must be one SELECT.")
        return connection.sql(str(source.query))
    except duckdb.Error as error:
        raise DataError(f"`log.{_asked(source)}` cannot be read: {_line(error)}") from error


@contextmanager
def _ibis_table(source: Source) -> Iterator[object]:
    connection = _ibis_connection(_address(str(source.sql)))
    try:
        with _database_errors(f"log.{_asked(source)}"):
            yield _query(connection, source.query) if source.query is not None else _table(connection, source.table)
    finally:
        connection.disconnect()


def _ibis_connection(address: str) -> Any:
    missing = "`log.sql` needs Ibis: install abkit-experiments[sql], or ibis-framework with your database's extra"
    try:
        import ibis

        with _database_errors("log.sql"):
            return ibis.connect(address)
    except ImportError as error:
        raise MissingDependencyError(f"{missing} ({_line(error)}).") from error
    except ValueError as error:
        if isinstance(error, DataError):
            raise
        raise DataError("`log.sql` must be a database's address, such as 'postgresql://reader@host/name'.") from error


def _query(connection: Any, query: str) -> object:
    import sqlglot

    statements = sqlglot.parse(query, read=connection.dialect)
    if len(statements) != 1 or not isinstance(statements[0], sqlglot.exp.Query):
        raise PlanError("`log.query` must be one SELECT.")
    # a view of this session; Ibis' own route asks for the types by statements that some of its versions get wrong
    connection.raw_sql(f"create temporary view {QUERY} as {query.rstrip().rstrip(';')}").close()
    return connection.table(QUERY)


def _table(connection: Any, name: str | None) -> object:
    """A table, in a schema where one is named before a point."""
    if name in connection.list_tables():
        return connection.table(name)
    schema, point, table = str(name).rpartition(".")
    return connection.table(table, database=schema) if point else connection.table(name)


def _address(sql: str) -> str:
    """The address, which may hold a password: no message repeats it."""
    if not sql.startswith("$"):
        return sql
    found = os.environ.get(sql[1:])
    if not found:
        raise DataError(f"`log.sql` must name an environment variable that is set; got {sql!r}.")
    return found


@contextmanager
def _database_errors(field: str) -> Iterator[None]:
    """Errors of a database and of Ibis, as one sentence about the plan's field."""
    try:
        yield
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in DATABASES:
            raise
        raise DataError(f"`{field}` cannot be read: {_line(error)}") from error


def _asked(source: Source) -> str:
    return "table" if source.table is not None else "query"


def _line(error: Exception) -> str:
    """What an engine says, in one line."""
    return " ".join(str(error).split())[:300] or type(error).__name__
