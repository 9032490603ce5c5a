"""Logs of feature flags in every shape: the same events, the same units."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

import abkit as ab
from abkit.adapters._events import Wanted
from abkit.adapters._events_log import open_flag_log
from abkit.adapters._events_query import EventCounts, Flag

FLAG = 'it\'s "new"; drop table events --'
Event = dict[str, Any]
START = 1_793_491_200  # 2026-11-01T00:00:00Z


def at(second: float) -> str:
    return pd.Timestamp(START + second, unit="s", tz="UTC").isoformat()


def evaluation(unit: Any, variant: Any, second: float, reason: Any = "SPLIT", flag: Any = FLAG, **more: Any) -> Event:
    attributes = {
        "feature_flag.key": flag,
        "feature_flag.context.id": unit,
        "feature_flag.result.variant": variant,
        "feature_flag.result.reason": reason,
        "feature_flag.version": "1",
    }
    return {"timestamp": at(second), "event": "feature_flag.evaluation", "attributes": {**attributes, **more}}


def track(unit: Any, name: str, second: float, value: Any = None) -> Event:
    worth = {} if value is None else {"value": value}
    return {"timestamp": at(second), "event": name, "attributes": {"feature_flag.context.id": unit, **worth}}


#: Units a to d are exposed; e is targeted only, f never evaluated.
EVENTS = [
    evaluation("a", "off", 10, country="DE"),
    evaluation("a", "off", 20, country="FR"),  # later: neither the exposure nor its country
    evaluation("b", "on", 11, "split", country="DE"),
    evaluation("c", "on", 12, country="FR"),
    evaluation("c", "off", 30, country="FR"),  # changed
    evaluation("d", "off", 13, country="FR"),
    evaluation("d", "on", 40, "TARGETING_MATCH", country="FR"),  # given another variant by a rule
    evaluation("e", "on", 14, "TARGETING_MATCH", country="FR"),
    evaluation("a", "on", 15, "CACHED", flag="other"),
    evaluation("b", "off", 16, "SPLIT", flag="other"),
    track("a", "purchase", 15, 10.0),
    track("a", "purchase", 25, 2.5),
    track("b", "purchase", 5, 99.0),  # before exposure
    track("b", "purchase", 11, 4.0),  # at exposure
    track("c", "error", 50),
    track("c", "error", 51),
    track("e", "purchase", 60, 7.0),
    track("f", "purchase", 61, 8.0),
    track("a", "never asked", 62, 1.0),
]


def flat(events: list[Event]) -> pd.DataFrame:
    rows = [{"timestamp": e["timestamp"], "event": e["event"], **e["attributes"]} for e in events]
    return pd.DataFrame(rows)


def as_lines(events: list[Event], folder: Path) -> str:
    path = folder / "events.jsonl"
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    return str(path)


def as_flat_lines(events: list[Event], folder: Path) -> str:
    path = folder / "flat.ndjson"
    path.write_text(
        "".join(json.dumps({**e["attributes"], **{k: e[k] for k in ("timestamp", "event")}}) + "\n" for e in events)
    )
    return str(path)


def as_parquet(events: list[Event], folder: Path) -> str:
    flat(events).to_parquet(folder / "events.parquet")
    return str(folder / "events.parquet")


def as_csv(events: list[Event], folder: Path) -> str:
    flat(events).to_csv(folder / "events.csv", index=False)
    return str(folder / "events.csv")


def as_relation(events: list[Event], _: Path) -> Any:
    connection = duckdb.connect()
    CONNECTIONS.append(connection)
    connection.register("frame", flat(events))
    connection.execute("create table log as select * from frame")
    return connection.table("log")


def as_nested_relation(events: list[Event], folder: Path) -> Any:
    connection = duckdb.connect()
    CONNECTIONS.append(connection)
    path = as_lines(events, folder)
    connection.execute("create table log as select * from read_json($1, format = 'newline_delimited')", [path])
    return connection.table("log")


def as_arrow(events: list[Event], _: Path) -> Any:
    import pyarrow as pa

    return pa.Table.from_pandas(flat(events), preserve_index=False)


def as_polars(events: list[Event], _: Path) -> Any:
    import polars as pl

    return pl.from_pandas(flat(events)).lazy()


def as_two(events: list[Event], folder: Path) -> Any:
    evaluations = [e for e in events if e["event"] == "feature_flag.evaluation"]
    tracks = [e for e in events if e["event"] != "feature_flag.evaluation"]
    return ab.FlagEvents(flat(evaluations).drop(columns="event"), as_lines(tracks, folder))


def with_times(events: list[Event], _: Path) -> pd.DataFrame:
    log = flat(events)
    return log.assign(timestamp=pd.to_datetime(log["timestamp"]))


def with_numbers(size: float) -> Callable[[list[Event], Path], pd.DataFrame]:
    def numbered(events: list[Event], _: Path) -> pd.DataFrame:
        log = flat(events)
        seconds = pd.to_datetime(log["timestamp"]).map(lambda moment: moment.timestamp())
        return log.assign(timestamp=(seconds * size).astype("int64"))

    return numbered


def with_old_names(events: list[Event], _: Path) -> pd.DataFrame:
    old = {
        "feature_flag.result.variant": "feature_flag.variant",
        "feature_flag.result.reason": "feature_flag.evaluation.reason",
    }
    return flat(events).rename(columns={**old, "feature_flag.context.id": "targetingKey"})


CONNECTIONS: list[Any] = []
SHAPES: dict[str, Callable[[list[Event], Path], Any]] = {
    "pandas": lambda events, _: flat(events),
    "arrow": as_arrow,
    "polars": as_polars,
    "duckdb": as_relation,
    "nested duckdb": as_nested_relation,
    "nested pandas": lambda events, _: pd.DataFrame(events),
    "json lines": as_lines,
    "flat json lines": as_flat_lines,
    "parquet": as_parquet,
    "csv": as_csv,
    "two tables": as_two,
    "mapping": lambda events, folder: dict(
        zip(("evaluations", "tracks"), (as_two(events, folder).evaluations, as_two(events, folder).tracks), strict=True)
    ),
    "times": with_times,
    "seconds": with_numbers(1),
    "milliseconds": with_numbers(1e3),
    "nanoseconds": with_numbers(1e9),
    "old names": with_old_names,
}
NAMES = ("purchase", "error")
COLUMNS = {"revenue": "sum 0", 'any("x")': "any 0", "count": "count 0", "errors": "sum 1"}
KNOWN = {"unit": "x.unit", "variant": "x.variant", "country": "x.s0"}
WANTED = Wanted(None, None, None, None, (), ("country",), ())
IN_SETS: dict[str, Event] = {name: {"feature_flag.set.id": name} for name in "xy"}
FLAGGED = Flag(FLAG, None, ("SPLIT",), "off")


def read(
    log: Any, wanted: Wanted = WANTED, flag: Flag = FLAGGED, others: Any = None
) -> tuple[EventCounts, list[tuple[Any, ...]]]:
    """What was counted, and the units."""
    from abkit.adapters._events_query import create_rows

    with open_flag_log(log, flag, wanted, NAMES, others) as found:
        rows = create_rows(found.connection, COLUMNS, KNOWN).fetchall()
        return found.counts, sorted(rows)


@pytest.fixture(params=list(SHAPES))
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    yield SHAPES[request.param](EVENTS, tmp_path)
    while CONNECTIONS:
        CONNECTIONS.pop().close()


UNITS = [
    ("a", "off", "DE", 12.5, 1.0, 2.0, 0.0),
    ("b", "on", "DE", 4.0, 1.0, 1.0, 0.0),
    ("c", "on", "FR", 0.0, 0.0, 0.0, 2.0),
    ("d", "off", "FR", 0.0, 0.0, 0.0, 0.0),
]


def test_every_shape_is_the_same_log(log: Any) -> None:
    counts, units = read(log)
    assert units == UNITS
    assert (counts.evaluations, counts.randomised, counts.units) == (8, 6, 4)
    assert counts.reasons == {"split": 6, "targeting_match": 2}
    assert (counts.units_changed, counts.units_changed_within_version, counts.units_also_targeted) == (1, 1, 1)
    assert (counts.tracks, counts.tracks_unexposed, counts.tracks_before, counts.tracks_just_before) == (8, 2, 1, 1)
    (stratum,) = counts.strata
    assert (stratum.version, stratum.units) == ("1", {"off": 2, "on": 2})
    assert stratum.mixed == {"off": 1, "on": 0}
    assert stratum.before == {"off": 0, "on": 1}
    assert counts.others == {"other": {("1", "off"): {"on": 1}, ("1", "on"): {"off": 1}}}
    assert counts.ends == ((START + 5) * 1_000_000, (START + 61) * 1_000_000)


def test_the_order_of_rows_and_duplicated_batches_change_nothing() -> None:
    rng = np.random.default_rng(5)
    for _ in range(4):
        order = [*rng.permutation(len(EVENTS)), *rng.integers(0, len(EVENTS), 7)]
        counts, units = read(flat([EVENTS[i] for i in order]))
        assert units == UNITS
        assert counts.copies == 7


def test_a_key_says_what_is_a_copy() -> None:
    events = [track("a", "purchase", 15, 1.0), track("a", "purchase", 15, 1.0), *EVENTS]
    keyed = flat(events).assign(id=[f"e{i}" for i in range(len(events))])
    wanted = Wanted(None, None, None, None, ("id",), ("country",), ())
    counts, units = read(pd.concat([keyed, keyed.assign(received="later")]), wanted)
    assert (counts.copies, counts.contradictory) == (len(events), 0)
    assert units[0][3:6] == (14.5, 1.0, 4.0)
    changed = keyed.copy()
    changed.loc[0, "value"] = 50.0  # the first is said twice, with different values: neither is believed
    counts, units = read(pd.concat([keyed, changed]), wanted)
    assert counts.contradictory == 1
    assert units[0][3:6] == (13.5, 1.0, 3.0)


def test_values_that_are_missing_are_not_zero() -> None:
    counts, units = read(flat([*EVENTS, track("a", "purchase", 70, float("nan")), track("c", "purchase", 70)]))
    by_unit = {unit[0]: unit[3:6] for unit in units}
    assert by_unit["a"] == (None, 1.0, 3.0)
    assert by_unit["c"] == (None, None, 1.0)
    assert by_unit["d"] == (0.0, 0.0, 0.0)
    assert counts.tracked["purchase"].without_value == 2
    assert not counts.tracked["error"].valued


def test_events_without_a_unit_a_variant_or_a_time_are_counted() -> None:
    odd = [evaluation(None, "on", 1), evaluation("g", None, 1), track(None, "purchase", 1, 2.0)]
    timeless = {**evaluation("h", "on", 1), "timestamp": None}
    counts, units = read(flat([*EVENTS, *odd, timeless, {**track("a", "purchase", 1, 3.0), "timestamp": "soon"}]))
    assert units == UNITS
    assert counts.incomplete == {"unit": 1, "variant": 1, "time": 1}
    assert counts.tracks_incomplete == 2


def test_clocks_may_differ() -> None:
    flag = Flag(FLAG, None, ("SPLIT",), "off", skew=6_000_000)
    counts, units = read(flat(EVENTS), flag=flag)
    assert counts.tracks_before == 0
    assert units[1][3] == 103.0


def test_a_rule_before_exposure_counts_if_it_gave_the_treatment() -> None:
    before = [
        evaluation("a", "on", 1, "TARGETING_MATCH"),
        evaluation("b", "off", 1, "DEFAULT"),
        evaluation("c", None, 1, "STATIC"),
    ]
    counts, _ = read(flat([*EVENTS, *before]))
    assert counts.strata[0].mixed == {"off": 2, "on": 0}
    assert counts.units_also_targeted == 4


def test_cached_evaluations_expose_nobody_and_show_a_change() -> None:
    counts, units = read(flat([*EVENTS, evaluation("b", "off", 50, "CACHED"), evaluation("z", "on", 50, "CACHED")]))
    assert len(units) == 4
    assert counts.units_changed == 2


def test_errors_of_the_flag_are_by_variant() -> None:
    failed = [
        evaluation("a", None, 60, "ERROR", **{"error.type": "flag_not_found"}),
        evaluation("q", None, 60, "ERROR"),
    ]
    counts, _ = read(flat([*EVENTS, *failed]))
    assert counts.strata[0].errors == {"off": 1, "on": 0}
    assert counts.strata[0].mixed == {"off": 1, "on": 0}


def test_versions_are_strata_in_their_order() -> None:
    later = [
        evaluation("x", "on", 90, **{"feature_flag.version": "0"}),
        evaluation("a", "on", 91, **{"feature_flag.version": "0"}),
    ]
    counts, _ = read(flat([*EVENTS, *later]))
    assert [(s.version, s.units) for s in counts.strata] == [("1", {"off": 2, "on": 2}), ("0", {"on": 1})]
    assert (counts.units_changed, counts.units_changed_within_version) == (2, 1)


def test_values_stand_for_variants_where_there_are_none() -> None:
    served = {"a": True, "b": False}
    values: dict[str, Event] = {unit: {"feature_flag.result.value": value} for unit, value in served.items()}
    events = [evaluation(unit, None, 1, country="DE", **value) for unit, value in values.items()]
    counts, units = read(flat([*events, track("a", "error", 2)]))
    assert counts.from_value
    assert [unit[1] for unit in units] == ["true", "false"]


def test_whole_numbers_name_the_same_unit_in_any_type() -> None:
    evaluations = flat([evaluation(7, "on", 1, country="DE"), evaluation(8, "off", 1, country="DE")])
    tracks = flat([track(7.0, "purchase", 2, 3.0), track(None, "purchase", 2, 3.0)])
    _, units = read({"evaluations": evaluations, "tracks": tracks})
    assert [(unit[0], unit[3]) for unit in units] == [("7", 3.0), ("8", 0.0)]


@pytest.mark.parametrize(
    ("log", "flag", "message"),
    [
        (flat(EVENTS), Flag("none such", None, ("SPLIT",), "off"), "no evaluation of the flag 'none such'; it has"),
        (
            flat([*EVENTS, *(evaluation("a", "on", 1, **IN_SETS[name]) for name in "xy")]),
            FLAGGED,
            "is in several sets \\('x', 'y'\\)",
        ),
        (flat(EVENTS).drop(columns="timestamp"), FLAGGED, "no column `timestamp`"),
        (flat(EVENTS).drop(columns="feature_flag.context.id"), FLAGGED, "no column `feature_flag.context.id`"),
        (3, FLAGGED, "`log` must be a table of events"),
        ({"evaluations": flat(EVENTS)}, FLAGGED, "`log` must have evaluations and tracks; got evaluations"),
        ("nowhere.jsonl", FLAGGED, "'nowhere.jsonl' does not exist"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said(log: Any, flag: Flag, message: str) -> None:
    with pytest.raises(ab.DataError, match=message):
        read(log, flag=flag)


def test_broken_lines_are_an_error(tmp_path: Path) -> None:
    path = tmp_path / "broken.jsonl"
    path.write_text('{"event": "feature_flag.evaluation"\n{"a": 1}\n')
    with pytest.raises(ab.DataError, match="cannot be read"):
        read(str(path))
