"""A flag's log, opened: its counts, and the statistics of its units by the same query as every other log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from abkit.adapters._analyze import frame_statistics
from abkit.adapters._events import Wanted, log_name, open_events
from abkit.adapters._events_query import EventCounts, Flag, create_rows, read_events
from abkit.adapters._frames import engine_errors
from abkit.adapters._progress import progress
from abkit.errors import DataError
from abkit.logs import LogStatistics, Request

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, slots=True, eq=False)
class FlagLog:
    """The tables of a flag's log, and what they hold."""

    connection: duckdb.DuckDBPyConnection
    counts: EventCounts
    names: tuple[str, ...]

    def number(self, stages: dict[str | None, int]) -> None:
        """Give every unit the number of the stage of the flag's version at its exposure."""
        self.connection.execute(
            "create temp table stages as select unnest($1) as version, unnest($2) as stage",
            [list(stages), list(stages.values())],
        )
        self.connection.execute(
            "create or replace temp table exposed as select x.*, s.stage from exposed x join stages s "
            "on x.version is not distinct from s.version"
        )

    def statistics(
        self, request: Request, known: dict[str, str], tracked: dict[str, str], other: str | None = None
    ) -> LogStatistics:
        """What the request asks of the units; of those only that met another flag, where one is named.

        `known` are columns by what they hold since exposure, `tracked` by what they add up.
        """
        import narwhals as nw

        columns = [*known, *tracked]
        alike = sorted({a for a in columns for b in columns if a != b and a.lower() == b.lower()})
        if alike:
            raise DataError(f"{' and '.join(map(repr, alike))} differ in upper and lower case only; rename one.")
        rows = create_rows(self.connection, tracked, known, other)
        return frame_statistics(nw.from_native(rows), request)


@contextmanager
def open_flag_log(
    log: object, flag: Flag, wanted: Wanted, names: tuple[str, ...], others: tuple[str, ...] | None
) -> Iterator[FlagLog]:
    """The log of a flag."""
    with engine_errors(log_name(log), ()), progress("reading the log"), open_events(log, wanted) as connection:
        yield FlagLog(connection, read_events(connection, flag, wanted, names, others), names)
