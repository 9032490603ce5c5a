"""From events to units: who was exposed to what by chance, and what each then did; and counts of all that was left out.

Every name that a log or a plan brings is a parameter of the query, or a quoted name of a column; none becomes SQL.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from abkit.adapters._events import Wanted, quoted
from abkit.errors import DataError

if TYPE_CHECKING:
    import duckdb

CACHED, ERROR = "cached", "error"
#: Units whose times are this near to their first exposure, before it, may have a clock that is behind.
SKEW = 300_000_000


@dataclass(frozen=True, slots=True)
class Flag:
    """Which evaluations count: of this flag, of its set, for reasons that are chance; by how far clocks may differ."""

    key: str
    flag_set: str | None
    reasons: tuple[str, ...]
    control: str
    skew: int = 0


@dataclass(frozen=True, slots=True)
class Tracked:
    """Something tracked by its name: how often, of exposed units, without a value, and whether values are meant."""

    events: int
    exposed: int
    without_value: int
    valued: bool


@dataclass(frozen=True, slots=True)
class Stratum:
    """The units whose first exposure was under one version of the flag, by variant, and how many of them are odd."""

    version: str | None
    first: int
    units: dict[str, int]
    mixed: dict[str, int]
    errors: dict[str, int]
    before: dict[str, int]


@dataclass(frozen=True, slots=True)
class EventCounts:
    """What the log held; counts of events, or where the name says so of units."""

    events: int
    evaluations: int
    copies: int
    contradictory: int
    without_key: int
    reasons: dict[str, int]
    randomised: int
    incomplete: dict[str, int]
    from_value: bool
    units: int
    units_changed: int
    units_changed_within_version: int
    units_also_targeted: int
    tracks: int
    tracks_incomplete: int
    tracks_unexposed: int
    tracks_before: int
    tracks_just_before: int
    tracked: dict[str, Tracked]
    strata: tuple[Stratum, ...]
    ends: tuple[int, int] | None
    others: dict[str, dict[tuple[str | None, str], dict[str, int]]]


def read_events(
    connection: duckdb.DuckDBPyConnection,
    flag: Flag,
    wanted: Wanted,
    names: tuple[str, ...],
    others: tuple[str, ...] | None,
) -> EventCounts:
    """Make the tables `exposed` (one row a unit) and `outcomes` (one row an event that counts), and count the rest."""
    events = _one(connection, "select count(*) from events")
    copies, contradictory = _without_copies(connection, wanted.key)
    connection.execute(
        "create temp table measured as select unnest($1) as name, unnest($2) as place",
        [list(names), list(range(len(names)))],
    )
    reasons, from_value = _evaluations(connection, flag)
    _exposed(connection, wanted)
    _refuse_unsaid(connection, flag, wanted)
    _odd(connection, flag)
    _outcomes(connection, flag)
    row = _row(connection, _COUNTS)
    return EventCounts(
        events=events,
        copies=copies,
        contradictory=contradictory,
        without_key=_one(connection, "select count(*) from events where k is null") if wanted.key else 0,
        reasons=reasons,
        from_value=from_value,
        tracked=_tracked(connection, names),
        strata=tuple(_strata(connection)),
        ends=_ends(connection),
        others=_others(connection, flag, others),
        incomplete={name: row.pop(f"without_{name}") for name in ("unit", "variant", "time")},
        **row,
    )


def create_rows(
    connection: duckdb.DuckDBPyConnection, tracked: dict[str, str], known: dict[str, str], other: str | None = None
) -> duckdb.DuckDBPyRelation:
    """One row a unit: what was known at its exposure, and what it then did.

    `known` are columns by the fields of the unit that they hold; `tracked` by how the events of a name are put together
    ("sum", "any" or "count") and that name's place.
    """
    chosen = [f"{field} as {quoted(name)}" for name, field in known.items()]
    for name, what in tracked.items():
        how, _, place = what.partition(" ")
        chosen.append(f"{_HOW[how].format(int(place))} as {quoted(name)}")
    source = "(select *, null as other from exposed)"
    if other is not None:
        source = "(select exposed.*, e.variant as other from exposed join elsewhere e using (unit) where e.flag = $1)"
    fields = ", ".join(dict.fromkeys(["x.unit", *known.values()]))
    sql = f"select {', '.join(chosen)} from {source} x left join outcomes o on x.unit = o.unit group by {fields}"  # noqa: S608
    connection.execute(f"create or replace temp table rows as {sql}", [] if other is None else [other])
    return connection.table("rows")


#: What a unit's events of one name come to; without a value where one is missing.
_HOW = {
    "sum": "case when bool_or(place = {0} and amount is null) then null "
    "else coalesce(sum(amount) filter (where place = {0}), 0) end",
    "any": "case when bool_or(place = {0} and amount <> 0) then 1.0 "
    "when bool_or(place = {0} and amount is null) then null else 0.0 end",
    "count": "cast(count(*) filter (where place = {0}) as double)",
}


def _without_copies(connection: duckdb.DuckDBPyConnection, key: tuple[str, ...]) -> tuple[int, int]:
    """One row of rows that are the same in every column, or in their key; keys that contradict themselves are out."""
    total = _one(connection, "select count(*) from events")
    if key and not _one(connection, "select count(k) from events"):
        raise DataError(f"no event has the key {' and '.join(f'`{name}`' for name in key)}; correct its name.")
    if not key:
        if _one(connection, f"select count(distinct hash(whole, {_SAID})) from events") == total:  # noqa: S608
            connection.execute("create temp view clean as select * from events")
            return 0, 0
        connection.execute(f"create temp table clean as select distinct on (whole, {_SAID}) * from events")  # noqa: S608
        return total - _one(connection, "select count(*) from clean"), 0
    connection.execute(
        f"create temp table keys as select k, count(*) as n, count(distinct hash({_SAID})) as versions from events "  # noqa: S608
        "where k is not null group by k"
    )
    connection.execute(
        "create temp table clean as select distinct on (k) events.* from events join keys using (k) where versions = 1"
    )
    copies = _one(connection, "select coalesce(sum(n - 1), 0) from keys where versions = 1")
    return copies, _one(connection, "select count(*) from keys where versions > 1")


def _evaluations(connection: duckdb.DuckDBPyConnection, flag: Flag) -> tuple[dict[str, int], bool]:
    """The evaluations of the flag, by reason; where none has a variant, its value stands for it."""
    where = "evaluation and flag = $1" + (" and flag_set = $2" if flag.flag_set is not None else "")
    given = [flag.key] if flag.flag_set is None else [flag.key, flag.flag_set]
    connection.execute(
        f"create temp table evaluations as select * exclude (evaluation, name, worth, valued, whole, k) "  # noqa: S608
        f"from clean where {where}",
        given,
    )
    _refuse_nothing(connection, flag)
    reasons = connection.execute("select coalesce(reason, '(none)'), count(*) from evaluations group by 1 order by 1")
    found = {str(reason): int(n) for reason, n in reasons.fetchall()}
    connection.execute("alter table evaluations add column randomised boolean")
    connection.execute(
        "update evaluations set randomised = coalesce(list_contains($1, reason), false)",
        [[reason.lower() for reason in flag.reasons]],
    )
    named = _one(connection, "select count(*) from evaluations where randomised and variant is not null")
    served = _one(connection, "select count(*) from evaluations where randomised and served is not null")
    if not named and served:
        connection.execute("update evaluations set variant = served")
    return found, bool(not named and served)


def _refuse_nothing(connection: duckdb.DuckDBPyConnection, flag: Flag) -> None:
    if not _one(connection, "select count(*) from evaluations"):
        flags = connection.execute(
            "select distinct flag from clean where evaluation and flag is not null order by 1 limit 8"
        ).fetchall()
        listed = ", ".join(repr(name) for (name,) in flags) or "none at all"
        within = "" if flag.flag_set is None else f" in the set {flag.flag_set!r}"
        raise DataError(f"the log has no evaluation of the flag {flag.key!r}{within}; it has {listed}.")
    sets = connection.execute(
        "select distinct flag_set from evaluations where flag_set is not null order by 1"
    ).fetchall()
    if len(sets) > 1:
        listed = ", ".join(repr(name) for (name,) in sets[:8])
        raise DataError(f"the flag {flag.key!r} is in several sets ({listed}); name one in `strategy.flag_set`.")


def _exposed(connection: duckdb.DuckDBPyConnection, wanted: Wanted) -> None:
    """Every unit that chance gave a variant, at its first such evaluation; of two at one moment the same one always."""
    known = [*(f"s{i}" for i in range(len(wanted.segments))), *(f"c{i}" for i in range(len(wanted.covariates)))]
    fields = ", ".join(f"'{name}': {name}" for name in ("moment", "variant", "version", *known))
    out = ", ".join(f"first.{name} as {name}" for name in ("moment", "variant", "version", *known))
    connection.execute(
        f"create temp table exposed as select unit, {out} from (select unit, min({{{fields}}}) as first "  # noqa: S608
        "from evaluations where randomised and unit is not null and variant is not null and moment is not null "
        "group by unit)"
    )


def _refuse_unsaid(connection: duckdb.DuckDBPyConnection, flag: Flag, wanted: Wanted) -> None:
    """A field that no evaluation has is more likely a wrong name than missing everywhere."""
    named = {f"s{i}": name for i, name in enumerate(wanted.segments)}
    named |= {f"c{i}": name for i, name in enumerate(wanted.covariates)}
    for field, name in named.items():
        units, known = connection.execute(f"select count(*), count({field}) from exposed").fetchall()[0]  # noqa: S608
        if units and not known:
            raise DataError(f"no evaluation by chance of the flag {flag.key!r} has `{name}`; correct its name.")


def _odd(connection: duckdb.DuckDBPyConnection, flag: Flag) -> None:
    """Per exposed unit what else it was given: other variants, for other reasons, or errors."""
    chance = "(e.randomised or e.reason = $2)"  # what was cached is no exposure, and shows a change all the same
    rule = "(not e.randomised and e.reason is distinct from $2 and e.reason is distinct from $3 and e.error is null)"
    served = (  # before exposure the control, or nothing, is what units had anyway
        "case when e.moment < x.moment then e.variant is not null and e.variant <> $1 "
        "else e.variant is distinct from x.variant end"
    )
    connection.execute(
        f"create temp table odd as select x.unit, "  # noqa: S608
        f"count(distinct case when {chance} then e.variant end) > 1 as changed, "
        f"coalesce(bool_or({chance} and e.variant <> x.variant and e.version is not distinct from x.version), false) "
        f"as within, coalesce(bool_or({rule}), false) as targeted, "
        f"coalesce(bool_or({rule} and {served}), false) as mixed, "
        "coalesce(bool_or(e.reason = $3 or e.error is not null), false) as failed "
        "from exposed x join evaluations e using (unit) group by x.unit",
        [flag.control, CACHED, ERROR],
    )


def _outcomes(connection: duckdb.DuckDBPyConnection, flag: Flag) -> None:
    """Tracked events of exposed units, from exposure on; an event counts 1 where no event of its name has a value."""
    connection.execute(
        "create temp table tracks as select t.unit, t.moment, m.place, t.worth, t.valued, x.unit as known, "
        "x.moment - $1 as since from (select * from clean where not evaluation) t join measured m using (name) "
        "left join exposed x on t.unit = x.unit",
        [flag.skew],
    )
    connection.execute(
        "create temp table outcomes as select t.unit, t.place, "
        "case when not v.valued then 1.0 when isnan(t.worth) then null else t.worth end as amount "
        "from tracks t join (select place, bool_or(valued) as valued from tracks group by "
        "place) v using (place) where t.known is not null and t.moment >= t.since"
    )


#: What an event says: two with one key that differ in this contradict each other.
_SAID = "unit, flag, flag_set, variant, served, reason, version, error, moment, evaluation, name, worth, valued"
_COUNTS = """
select
  (select count(*) from evaluations) as evaluations,
  (select count(*) from evaluations where randomised) as randomised,
  (select count(*) from evaluations where randomised and unit is null) as without_unit,
  (select count(*) from evaluations where randomised and unit is not null and variant is null) as without_variant,
  (select count(*) from evaluations where randomised and unit is not null and variant is not null and moment is null)
    as without_time,
  (select count(*) from exposed) as units,
  (select count(*) from odd where changed) as units_changed,
  (select count(*) from odd where within) as units_changed_within_version,
  (select count(*) from odd where targeted) as units_also_targeted,
  (select count(*) from tracks) as tracks,
  (select count(*) from tracks where unit is null or moment is null) as tracks_incomplete,
  (select count(*) from tracks where unit is not null and moment is not null and known is null) as tracks_unexposed,
  (select count(*) from tracks where moment < since) as tracks_before,
  (select count(*) from tracks where moment < since and moment >= since - 300000000) as tracks_just_before
"""


def _tracked(connection: duckdb.DuckDBPyConnection, names: tuple[str, ...]) -> dict[str, Tracked]:
    found = connection.execute(
        "select place, count(*), count(known), count(*) filter (where worth is null or isnan(worth)), bool_or(valued) "
        "from tracks group by place"
    ).fetchall()
    by_place = {int(row[0]): Tracked(int(row[1]), int(row[2]), int(row[3]), bool(row[4])) for row in found}
    return {name: by_place.get(place, Tracked(0, 0, 0, valued=False)) for place, name in enumerate(names)}


def _strata(connection: duckdb.DuckDBPyConnection) -> list[Stratum]:
    """By version in the order in which they began."""
    rows = connection.execute(
        "select x.version, x.variant, min(x.moment), count(*), count(*) filter (where o.mixed), count(*) filter (where "
        "o.failed), count(b.unit) from exposed x join odd o using (unit) left join (select distinct unit from tracks "
        "where moment < since) b using (unit) group by 1, 2 order by 1, 2"
    ).fetchall()
    versions = dict.fromkeys(row[0] for row in rows)
    made = []
    for version in versions:
        mine = [row for row in rows if row[0] == version]
        counts = [{row[1]: int(row[i]) for row in mine} for i in (3, 4, 5, 6)]
        made.append(Stratum(version, min(row[2] for row in mine), *counts))
    return sorted(made, key=lambda stratum: (stratum.first, str(stratum.version)))


def _ends(connection: duckdb.DuckDBPyConnection) -> tuple[int, int] | None:
    row = connection.execute(
        "select min(moment), max(moment) from "
        "(select moment from evaluations where randomised union all select moment from tracks)"
    ).fetchone()
    return None if row is None or row[0] is None else (int(row[0]), int(row[1]))


def _others(
    connection: duckdb.DuckDBPyConnection, flag: Flag, named: tuple[str, ...] | None
) -> dict[str, dict[tuple[str | None, str], dict[str, int]]]:
    """Per other flag, its variants among exposed units, each at its first evaluation: by version of ours and theirs."""
    connection.execute(
        "create temp table elsewhere as select unit, flag, min({'moment': e.moment, 'variant': e.variant}).variant as "
        "variant from clean e join exposed using (unit) where evaluation and flag <> $1 and e.variant is not null and "
        "e.moment is not null and ($2 is null or list_contains($2, flag)) group by unit, flag",
        [flag.key, None if named is None else list(named)],
    )
    rows = connection.execute(
        "select o.flag, x.version, o.variant, x.variant, count(*) from elsewhere o join exposed x using (unit) "
        "group by all order by all"
    ).fetchall()
    found: dict[str, dict[tuple[str | None, str], dict[str, int]]] = {}
    for other, version, theirs, ours, n in rows:
        found.setdefault(other, {}).setdefault((version, theirs), {})[ours] = int(n)
    return found


def _one(connection: duckdb.DuckDBPyConnection, sql: str) -> int:
    row = connection.execute(sql).fetchone()
    return int(row[0]) if row else 0


def _row(connection: duckdb.DuckDBPyConnection, sql: str) -> dict[str, Any]:
    relation = connection.sql(sql)
    (row,) = relation.fetchall()
    return dict(zip(relation.columns, map(int, row), strict=True))
