"""Where a log lies, as a plan says it."""

from __future__ import annotations

from dataclasses import dataclass

from abkit import _check


@dataclass(frozen=True, slots=True)
class Source:
    """Where the log of a plan lies, so that it need not be named at every look.

    Exactly one of `path`, `duckdb` and `sql` is given.

    Parameters
    ----------
    path : str, optional
        A Parquet or CSV file, or a pattern for several; relative to the plan's own file.
    duckdb : str, optional
        A DuckDB database file, relative to the plan's own file; with `table` or `query`.
    sql : str, optional
        A database's address such as "postgresql://reader@host/name", or the name of an environment variable that holds
        it, as "$NAME"; with `table` or `query`.
    table : str, optional
        The table or view that is the log.
    query : str, optional
        A SELECT whose rows are the log.

    Examples
    --------
    >>> import abkit as ab
    >>> ab.Source(duckdb="events.duckdb", table="checkout").table
    'checkout'
    """

    path: str | None = None
    duckdb: str | None = None
    sql: str | None = None
    table: str | None = None
    query: str | None = None

    def __post_init__(self) -> None:
        given = [name for name in ("path", "duckdb", "sql") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"`log` must have one of path, duckdb and sql; got {' and '.join(given) or 'none'}.")
        for name in ("path", "duckdb", "sql", "table", "query"):
            if getattr(self, name) is not None:
                _check.text(f"log.{name}", getattr(self, name))
        asked = [name for name in ("table", "query") if getattr(self, name) is not None]
        if len(asked) != (0 if self.path is not None else 1):
            rule = "no table and no query with a path" if self.path is not None else "either a table or a query"
            raise ValueError(f"`log` must have {rule}; got {' and '.join(asked) or 'none'}.")
