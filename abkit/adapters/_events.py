"""Logs of feature flags, in whatever shape they come, as one table of events with the same columns.

The names are those of OpenFeature (specification, appendix D and section 6), today's and earlier ones.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from abkit import _check
from abkit.adapters._files import SUFFIXES, open_files
from abkit.errors import DataError

if TYPE_CHECKING:
    import duckdb

UNIT, VARIANT = "feature_flag.context.id", "feature_flag.result.variant"
#: Where a field may be: the names of today first. A slash parts the names of objects within each other.
NAMES: dict[str, tuple[str, ...]] = {
    "unit": (UNIT, "targetingKey", "targeting_key", "context/targetingKey"),
    "variant": (VARIANT, "feature_flag.variant"),
    "flag": ("feature_flag.key", "flag_key", "flagKey"),
    "flag_set": ("feature_flag.set.id",),
    "served": ("feature_flag.result.value",),
    "reason": ("feature_flag.result.reason", "feature_flag.evaluation.reason"),
    "version": ("feature_flag.version",),
    "error": ("error.type",),
    "event": ("event.name", "event_name", "eventName", "event", "name"),
    "track": ("feature_flag.tracking.event_name", "trackingEventName", "tracking_event_name"),
    "worth": ("value", "details/value", "trackingEventDetails/value"),
    "moment": ("timestamp", "time", "timeUnixNano", "@timestamp", "observedTimestamp"),
}
EVALUATIONS = ("feature_flag.evaluation", "feature_flag")
TRACKS = ("feature_flag.track", "openfeature.track", "track")
JSON_LINES = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")
#: The two logs of a mapping.
PARTS = ("evaluations", "tracks")


@dataclass(frozen=True, slots=True, eq=False)
class FlagEvents:
    """The evaluations of feature flags and what was tracked, where these are two logs.

    Each is a table of any engine, or the path of a Parquet, CSV or JSON-lines file.

    Parameters
    ----------
    evaluations : table or path
        One row an evaluation, with OpenFeature's attributes as columns ("feature_flag.key",
        "feature_flag.result.variant", ...) or within one column, `attributes`.
    tracks : table or path
        One row a tracked event: the unit, its name, perhaps a value, and when.

    Examples
    --------
    >>> import abkit as ab
    >>> ab.FlagEvents("evaluations.jsonl", "tracks.parquet").tracks
    'tracks.parquet'
    """

    evaluations: object
    tracks: object


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is read of each event besides the fields of OpenFeature; None is a field's own names."""

    unit: str | None
    variant: str | None
    time: str | None
    stage: str | None
    key: tuple[str, ...]
    segments: tuple[str, ...]
    covariates: tuple[str, ...]


@contextmanager
def open_events(log: object, wanted: Wanted) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that holds the log as the table `events`."""
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        parts = [_Table(_opened(connection, table), kind, wanted).select() for table, kind in _parts(log)]
        first, *others = parts
        for other in others:
            first = first.union(other)
        first.create("events")
        yield connection


def log_name(log: object) -> object:
    """What an error calls the log."""
    return log if isinstance(log, (str, os.PathLike)) else None


def _parts(log: object) -> list[tuple[object, str]]:
    if isinstance(log, Mapping):
        if set(log) != {*PARTS}:
            raise DataError(f"`log` must have evaluations and tracks; got {', '.join(map(str, log)) or 'nothing'}.")
        log = FlagEvents(log["evaluations"], log["tracks"])
    if isinstance(log, FlagEvents):
        return [(log.evaluations, "evaluations"), (log.tracks, "tracks")]
    return [(log, "both")]


def _opened(connection: duckdb.DuckDBPyConnection, table: Any) -> duckdb.DuckDBPyRelation:
    """One table, on this connection."""
    import duckdb

    if isinstance(table, (str, os.PathLike)):
        return _file(connection, str(table))
    if isinstance(table, duckdb.DuckDBPyRelation):
        return connection.from_df(_frame(table))
    import narwhals as nw

    try:
        frame = nw.from_native(table)
    except TypeError as error:
        raise DataError(
            "`log` must be a table of events, a path to one (Parquet, CSV or JSON lines), or FlagEvents(evaluations, "
            f"tracks); got {type(table).__name__}."
        ) from error
    if frame.implementation.is_pandas():
        return connection.from_df(table)
    if frame.implementation.is_pyarrow():
        return connection.from_arrow(table)
    collected = frame.lazy().collect(backend="pandas") if isinstance(frame, nw.LazyFrame) else frame
    return connection.from_df(collected.to_pandas())


def _frame(relation: duckdb.DuckDBPyRelation) -> Any:
    """A relation of another connection; what is nested comes over as JSON, and times in UTC."""
    chosen = []
    for column, dtype in zip(relation.columns, relation.types, strict=True):
        name, kind = quoted(column), str(dtype)
        if kind.startswith(("STRUCT", "MAP", "JSON")):
            chosen.append(f"cast(to_json({name}) as varchar) as {name}")
        elif kind == "TIMESTAMP WITH TIME ZONE":
            chosen.append(f"make_timestamp(epoch_us({name})) as {name}")
        else:
            chosen.append(name)
    return relation.select(", ".join(chosen)).df()


def _file(connection: duckdb.DuckDBPyConnection, path: str) -> duckdb.DuckDBPyRelation:
    if path.lower().endswith(".parquet"):
        return open_files(connection, path, ())
    files = [path] if Path(path).exists() else sorted(glob.glob(path))  # noqa: PTH207 - an absolute pattern
    if not files:
        raise DataError(f"the log {path!r} does not exist; check the path.")
    patterns = [glob.escape(file) for file in files]
    if path.lower().endswith(JSON_LINES):
        return connection.sql("select json from read_ndjson_objects($1)", params=[patterns])
    if path.lower().endswith(SUFFIXES):
        return connection.sql("select * from read_csv($1, header = true, all_varchar = true)", params=[patterns])
    raise DataError(
        f"the log {path!r} must be a {', '.join((*SUFFIXES, *JSON_LINES))} file; convert it, or pass a table."
    )


def quoted(name: str) -> str:
    """A name of a column in SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text in SQL."""
    return "'" + text.replace("'", "''") + "'"


class _Table:
    """One table and where its fields are."""

    def __init__(self, relation: duckdb.DuckDBPyRelation, kind: str, wanted: Wanted) -> None:
        self.relation, self.kind, self.wanted = relation, kind, wanted
        self.types = {name: str(dtype) for name, dtype in zip(relation.columns, relation.types, strict=True)}
        self.document: str | None = None
        if self.types == {"json": "JSON"}:
            self.types, self.document = {}, "json"
        elif "attributes" in self.types:
            text = self.types["attributes"] in ("VARCHAR", "JSON")
            self.document = "try_cast(attributes as json)" if text else "to_json(attributes)"

    def select(self) -> duckdb.DuckDBPyRelation:
        """The events, under the names that every table of them has."""
        wanted = self.wanted
        given = {"unit": wanted.unit, "variant": wanted.variant, "moment": wanted.time, "version": wanted.stage}
        said = {field: (name,) for field, name in given.items() if name}
        text = {field: self.text(said.get(field, names)) for field, names in NAMES.items()}
        text["moment"] = self.moment(said.get("moment", NAMES["moment"]))
        event, name = self._kind_and_name(text)
        columns = {field: text[field] for field in ("unit", "flag", "flag_set", "served", "version", "error", "moment")}
        columns |= {"variant": text["variant"], "reason": f"lower({text['reason']})", "evaluation": event, "name": name}
        columns |= {"worth": f"try_cast({text['worth']} as double)", "valued": f"{text['worth']} is not null"}
        columns |= {"whole": self._whole(), "k": self._key()}
        columns |= {f"s{i}": self.text([column]) for i, column in enumerate(wanted.segments)}
        columns |= {f"c{i}": f"try_cast({self.text([c])} as double)" for i, c in enumerate(wanted.covariates)}
        self._require()
        return self.relation.select(", ".join(f"{value} as {field}" for field, value in columns.items()))

    def text(self, names: Iterable[str]) -> str:
        """The first of these fields that a row has, as text."""
        found = [place for name in names for place in self._places(name)]
        return f"coalesce({', '.join(found)}, null)" if found else "cast(null as varchar)"

    def moment(self, names: Iterable[str]) -> str:
        """Microseconds since 1970; of a bare number its size says whether it counts seconds or parts of them."""
        listed = list(names)
        times = [name for name in listed if self.types.get(name, "").startswith(("TIMESTAMP", "DATE"))]
        parts = [f"epoch_us(cast({quoted(name)} as timestamptz))" for name in times]
        text = self.text([name for name in listed if name not in times])
        number = f"try_cast({text} as decimal(38, 6))"
        parts.append(
            f"cast(case when abs({number}) >= 1e17 then {number} / 1000 when abs({number}) >= 1e14 then {number} "
            f"when abs({number}) >= 1e11 then {number} * 1000 else {number} * 1000000 end as bigint)"
        )
        parts.append(f"epoch_us(try_cast({text} as timestamptz))")
        return f"coalesce({', '.join(parts)})"

    def _kind_and_name(self, text: dict[str, str]) -> tuple[str, str]:
        """Whether a row is an evaluation, and the name of what was tracked."""
        tracks, evaluations = (", ".join(map(literal, names)) for names in (TRACKS, EVALUATIONS))
        inner = self.text(["attributes/name"]) if self.document == "json" else self._attribute(("name",))
        named = f"case when lower({text['event']}) in ({tracks}) then {inner} else {text['event']} end"
        name = f"coalesce({text['track']}, {named})"
        is_evaluation = f"coalesce(lower({text['event']}) in ({evaluations}), {text['flag']} is not null)"
        known = {"evaluations": "true", "tracks": "false"}.get(self.kind, is_evaluation)
        return known, f"case when {known} then null else {name} end"

    def _places(self, name: str) -> Iterator[str]:
        if name in self.types:
            yield self._as_text(name)
        if self.document is None:
            return
        parts = tuple(name.split("/"))
        if self.document == "json":
            yield self._pointer(parts) if name in NAMES["event"] else self._attribute(parts)
            yield self._attribute(parts) if name in NAMES["event"] else self._pointer(parts)
            yield from [] if len(parts) == 1 else [self._pointer((name,))]
        else:
            yield self._attribute(parts)

    def _attribute(self, parts: tuple[str, ...]) -> str:
        if self.document is None:
            return "null"
        return self._pointer(("attributes", *parts) if self.document == "json" else parts)

    def _pointer(self, parts: tuple[str, ...]) -> str:
        path = "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts)
        return f"json_extract_string({self.document}, {literal(path)})"

    def _as_text(self, name: str) -> str:
        column, dtype = quoted(name), self.types[name]
        if dtype in ("DOUBLE", "FLOAT"):  # a whole number is one without a point, whatever its column's type
            whole = f"cast(try_cast({column} as hugeint) as varchar)"
            return f"case when {column} = trunc({column}) then {whole} else cast({column} as varchar) end"
        return f"cast({column} as varchar)"

    def _whole(self) -> str:
        """A digest of a row: two rows are copies where they agree in every column."""
        columns = [quoted(name) for name in self.types] or ["json"]
        return f"hash({', '.join(columns)})"

    def _key(self) -> str:
        if not self.wanted.key:
            return "cast(null as varchar)"
        parts = [self.text([column]) for column in self.wanted.key]
        return f"cast(to_json([{', '.join(parts)}]) as varchar)" if len(parts) > 1 else parts[0]

    def _require(self) -> None:
        """Name what a table lacks, where its columns are known."""
        if self.document is not None:
            return
        needed = {"unit": self.wanted.unit, "moment": self.wanted.time}
        if self.kind != "tracks":
            needed |= {"flag": None, "reason": None}
        for field, given in needed.items():
            names = [given] if given else NAMES[field]
            if not any(name in self.types for name in names):
                listed = ", ".join(sorted(self.types))
                hint = _check.suggest(names[0], self.types)
                raise DataError(f"the log has no column `{names[0]}`; it has {listed}.{hint}")
