"""A log of any engine into sufficient statistics."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from abkit.adapters._buckets import Spread, bucketed
from abkit.adapters._checkpoints import Checkpoints, read_checkpoints
from abkit.adapters._clock import Clock
from abkit.adapters._frames import collect, engine_errors, open_log
from abkit.adapters._pairs import Pairs, pair_groups, per_pair
from abkit.adapters._profile import (
    Label,
    Profile,
    check_columns,
    count_rows,
    find_labels,
    refuse_missing,
    shifts,
)
from abkit.adapters._progress import progress
from abkit.adapters._query import Query, clean_rows, per_group, per_unit, pooled_quantiles, segment_names
from abkit.adapters._side_log import notes_of, of_rows, open_sides, profile_of
from abkit.adapters._sides import read_sides
from abkit.adapters._span import clock_of, span_of, with_times
from abkit.adapters._stages import by_stage, with_stage
from abkit.errors import DataError
from abkit.logs import Audit, Capping, Group, LogStatistics, Request, Variable
from abkit.types import ROWS

if TYPE_CHECKING:
    import narwhals as nw

    Frame = nw.LazyFrame[Any]

MOST_GROUPS = 10_000


def read_statistics(log: object, request: Request) -> LogStatistics:
    """Everything that the request asks, from one look at the columns and one grouped query.

    A quantile, as a cap or as a metric, costs one more query before, since every unit must be known before it is.
    """
    if isinstance(log, Checkpoints):
        return read_checkpoints(log, request).statistics[-1]
    columns = (*request.columns(), *([request.time] if request.time else []))
    with engine_errors(log, columns), progress("reading the log"), open_log(log, columns) as frame:
        return frame_statistics(frame, request)


def frame_statistics(frame: Frame, request: Request) -> LogStatistics:
    """The same of a frame."""
    schema = dict(frame.collect_schema())
    if request.sides is not None or any(block.compare for block in request.blocks):
        return _of_sides(frame, schema, request)
    check_columns(schema, request)
    clock = clock_of(schema, request)
    timed, name = with_times(frame, schema, clock)
    used = timed.select(*(column for column in (*request.columns(), *name) if column != ROWS))
    profile = count_rows(used, schema, request, *name)
    return replace(_read(used, schema, request, profile, clock), span=span_of(clock, profile))


def _read(
    used: Frame, schema: dict[str, nw.dtypes.DType], request: Request, profile: Profile, clock: Clock | None
) -> LogStatistics:
    labels = find_labels(used, schema, request)
    refuse_missing(profile, request)
    if (ramp := request.ramp) is None:
        return _of_rows(clean_rows(used, schema, request, labels, profile))
    request = with_stage(request, ramp, schema, clock)
    query = clean_rows(used, schema, request, labels, profile, clock.name if clock else None)
    query, seen = by_stage(query, ramp, clock)
    return replace(_of_rows(query), stages=seen)


def _of_rows(query: Query) -> LogStatistics:
    request, centers = query.request, _shifts(query)
    if request.pairs:
        query, units, pairs = per_pair(query, centers)
        return _of_pairs(query, pairs, collect(per_group(query, units)))
    query, spreads = bucketed(query)
    thresholds = _thresholds(query, centers)
    query, units = per_unit(query, centers, thresholds)
    return _statistics(query, collect(per_group(query, units)), spreads)


def _shifts(query: Query) -> dict[str, float]:
    by_name = shifts(query.rows, list(query.row_names.values()))
    return {column: by_name[name] for column, name in query.row_names.items()}


def _thresholds(query: Query, centers: dict[str, float]) -> dict[Variable, float]:
    capped = [v for block in query.request.blocks for v in block.variables if v.cap is not None]
    thresholds = {v: v.cap.value for v in capped if v.cap is not None and v.cap.value is not None}
    unknown = [v for v in dict.fromkeys(capped) if v not in thresholds]
    if not unknown:
        return thresholds
    query, units = per_unit(query, {**centers, **{v.column: 0.0 for v in unknown}}, {})
    aliases = {c.variable: c.alias for block in query.blocks for c in block.columns}
    row = collect(pooled_quantiles(query, units, [(v, aliases[v]) for v in unknown]))[0]
    for i, variable in enumerate(unknown):
        value = row[str(i)]
        if value is None or (value == 0 and variable.cap is not None):
            quantile = variable.cap.quantile if variable.cap else None
            raise DataError(
                f"the {quantile} quantile of `{variable.column}` is {value or 0:g}, and a cap there would erase the "
                "metric; choose a higher quantile, or a value."
            )
        thresholds[variable] = float(value)
    return thresholds


def _statistics(query: Query, rows: list[dict[str, Any]], spreads: dict[str, Spread]) -> LogStatistics:
    known = [row for row in rows if row["low"] is not None and row["low"] == row["high"] < len(query.labels)]
    _refuse_many(query.request, len(known))
    _refuse_varying(query, known)
    known.sort(key=lambda row: (row["low"], segment_names(query.request, row)))
    groups = tuple(_group(query, row, spreads) for row in known)
    return LogStatistics(groups, _audit(query.labels, query.profile, rows), tuple(_cappings(query, known)))


def _group(query: Query, row: dict[str, Any], spreads: dict[str, Spread]) -> Group:
    code, segments = int(row["low"]), segment_names(query.request, row)
    moments = {
        block.block.metric: (
            spreads[block.block.metric].distribution(code, segments, block, row)
            if block.block.metric in spreads
            else block.comoments(row)
        )
        for block in query.blocks
    }
    return Group(query.labels[code].name, segments, int(row["units"]), moments)


def _of_sides(frame: Frame, schema: dict[str, nw.dtypes.DType], request: Request) -> LogStatistics:
    clock = clock_of(schema, request)
    timed, name = with_times(frame, schema, clock)
    log = open_sides(timed, schema, request)
    profile, side_effects = profile_of(log, *name)
    refuse_missing(profile, of_rows(log.request))
    query, units, pairs = read_sides(log, profile)
    found = _of_pairs(query, pairs, collect(per_group(query, units)))
    audit = replace(found.audit, rows_with_side_effects=side_effects)
    return replace(found, audit=audit, span=span_of(clock, profile), notes=notes_of(log, profile))


def _of_pairs(query: Query, pairs: list[Pairs], rows: list[dict[str, Any]]) -> LogStatistics:
    groups, complete = pair_groups(query, pairs, [row for row in rows if row["low"] is not None])
    _refuse_many(query.request, len(groups))
    audit = replace(_audit(query.labels, query.profile, rows), units_in_several_variants=0)  # as they all should be
    unpaired = audit.units - audit.units_in_unknown_variants - complete
    return LogStatistics(groups, audit, unpaired=unpaired)


def _refuse_many(request: Request, groups: int) -> None:
    if groups > MOST_GROUPS:
        raise DataError(
            f"the segments {', '.join(request.segments)} make {groups:,} groups; at most {MOST_GROUPS:,} "
            "can be reported. Choose columns with fewer values."
        )


def _audit(labels: list[Label], profile: Profile, rows: list[dict[str, Any]]) -> Audit:
    def total(column: str, chosen: Iterable[dict[str, Any]] = rows) -> int:
        return sum(int(row.get(column) or 0) for row in chosen)

    placed = [row for row in rows if row["low"] is not None]  # else all rows of the units contradict others
    crossed = [row for row in placed if row["low"] != row["high"]]
    unknown = [row for row in placed if row["low"] == row["high"] == len(labels)]
    return Audit(
        rows=profile.rows,
        rows_without_unit=profile.without_unit,
        rows_without_variant=profile.without_variant,
        rows_without_key=profile.without_key,
        rows_not_exposed=profile.not_exposed,
        rows_duplicated=total("copies"),
        rows_contradictory=total("differ"),
        units=total("units", placed),
        units_in_several_variants=total("units", crossed),
        units_in_unknown_variants=total("units", unknown),
        missing=profile.missing,
        rows_without_time=profile.without_time,
    )


def _cappings(query: Query, rows: list[dict[str, Any]]) -> Iterable[Capping]:
    for block in query.blocks:
        for column in block.columns:
            if column.threshold is not None:
                units = sum(int(row[f"capped {column.alias}"] or 0) for row in rows)
                yield Capping(block.block.metric, column.variable.column, column.threshold, units)


def _refuse_varying(query: Query, rows: list[dict[str, Any]]) -> None:
    for block in query.blocks:
        for column in block.columns:
            if column.variable.per_unit == "same":
                units = sum(int(row[f"vary {column.alias}"] or 0) for row in rows)
                if units:
                    raise DataError(
                        f"the covariate `{column.variable.column}` of `{block.block.metric}` has several values within "
                        f"{units:,} units; use Sum({column.variable.column!r}) if its rows are to be added up, or log "
                        "one value a unit."
                    )
