"""The log of a plan whose variants a policy chose: one row a decision, in the order in which they were made."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from abkit._check import Float64Array
from abkit.adapters._clock import Clock, with_clock
from abkit.adapters._frames import collect, distinct, engine_errors, open_log
from abkit.adapters._profile import Label, Profile, check_columns, count_rows, find_labels, refuse_missing
from abkit.adapters._progress import progress
from abkit.adapters._query import clean_rows
from abkit.adapters._span import clock_of, span_of, with_times
from abkit.errors import DataError
from abkit.logs import Audit, Block, Decisions, Request, Span, Variable
from abkit.suffstats._base import IntArray
from abkit.types import ROWS

if TYPE_CHECKING:
    import narwhals as nw

    Frame = nw.LazyFrame[Any]
    Schema = dict[str, nw.dtypes.DType]


@dataclass(frozen=True, slots=True, eq=False)
class DecisionRows:
    """Decisions in order, one entry each.

    `arm` numbers `arms`, of which the first is the control; `batch` counts the different times before a decision's own.
    `propensities`, of shape (arms, decisions), and `outcomes` by column are nan where the log has none.
    """

    arms: tuple[str, ...]
    arm: IntArray
    batch: IntArray
    propensities: Float64Array
    outcomes: dict[str, Float64Array]
    audit: Audit
    span: Span | None = None


def read_decided(log: object, request: Request) -> DecisionRows:
    """The decisions that count, and the audit of the log; duplicates of a key are left out as in any plan."""
    columns = (*request.columns(), *([request.time] if request.time else []))
    with engine_errors(log, columns), progress("reading the log"), open_log(log, columns) as frame:
        return _rows(frame, request)


def _rows(frame: Frame, request: Request) -> DecisionRows:
    decisions = request.decisions
    assert decisions is not None  # noqa: S101 - the caller's plan is adaptive
    schema = dict(frame.collect_schema())
    check_columns(schema, request)
    clock = _clock(schema, decisions)
    taken = {**schema, clock.name: schema[decisions.order]}
    dated = clock_of(taken, replace(request, time=request.time or decisions.order))
    timed, name = with_times(frame, schema, dated)
    # propensities are read as outcomes are: as float64, and null where they are nan
    columns = Block("propensities", tuple(Variable(c, "same") for c in decisions.propensities), "drop")
    request = replace(request, blocks=(*request.blocks, columns))
    _check_propensities(schema, decisions)
    used = timed.select(*(column for column in (*request.columns(), *name) if column != ROWS))
    profile = count_rows(used, schema, request, *name)
    labels = find_labels(used, schema, request)
    _refuse_arms(labels, decisions)
    refuse_missing(profile, request)
    query = clean_rows(with_clock(used, clock, schema), {**schema}, request, labels, profile, clock.name)
    if request.unit != ROWS:
        _refuse_repeated(query.rows, request)
    wanted = ["code", "time", *query.row_names.values(), *(["copies", "differ"] if request.key else [])]
    read = _arrays(query.rows.select(*wanted))
    outcomes = {column: read[name] for column, name in query.row_names.items()}
    rows = _ordered(read, outcomes, labels, profile, decisions)
    return replace(rows, span=span_of(dated, profile))


def _ordered(
    read: dict[str, Float64Array],
    outcomes: dict[str, Float64Array],
    labels: list[Label],
    profile: Profile,
    decisions: Decisions,
) -> DecisionRows:
    agreed = ~np.isnan(read["code"])  # rows of a key that contradict each other have no variant any more
    known = agreed & (read["code"] < len(labels))
    if gaps := int(np.count_nonzero(np.isnan(read["time"][known]))):
        raise DataError(
            f"the order `{decisions.order}` is null or nan in {gaps:,} of {profile.rows:,} rows; log when each "
            "decision was made, since what was known before it decides how it is weighed."
        )
    # rows of one time in an order that the log's own does not change
    kept = np.flatnonzero(known)
    kept = kept[np.lexsort([*(values[kept] for values in outcomes.values()), read["code"][kept], read["time"][kept]])]
    batch = np.unique(read["time"][kept], return_inverse=True)[1]
    arm = read["code"][kept].astype(np.int64)
    outcomes = {column: values[kept] for column, values in outcomes.items()}
    names = tuple(label.name for label in labels)
    audit = Audit(
        rows=profile.rows,
        rows_without_unit=profile.without_unit,
        rows_without_variant=profile.without_variant,
        rows_without_key=profile.without_key,
        rows_not_exposed=profile.not_exposed,
        rows_duplicated=int(read["copies"].sum()) if "copies" in read else 0,
        rows_contradictory=int(read["differ"].sum()) if "differ" in read else 0,
        units=int(np.count_nonzero(agreed)),
        units_in_unknown_variants=int(np.count_nonzero(agreed & ~known)),
        missing=profile.missing,
        rows_without_time=profile.without_time,
    )
    return DecisionRows(names, arm, batch, _propensities(names, arm, outcomes, decisions), outcomes, audit)


def _propensities(
    names: tuple[str, ...], arm: IntArray, columns: dict[str, Float64Array], decisions: Decisions
) -> Float64Array:
    if not isinstance(decisions.propensity, str):
        return np.stack([columns[decisions.propensity[name]] for name in names])
    chosen = columns[decisions.propensity]
    return np.where(arm == np.arange(2)[:, None], chosen, 1 - chosen)


def _clock(schema: Schema, decisions: Decisions) -> Clock:
    """The order as numbers that every engine compares alike."""
    import narwhals as nw

    dtype, name = schema[decisions.order], "time"
    while name in schema:
        name += "_"
    if dtype in (nw.Date, nw.Datetime):
        return Clock(decisions.order, name, 1, None, "date" if dtype == nw.Date else "plain", whole=True)
    if dtype.is_numeric():
        return Clock(decisions.order, name, 1, None, "number", whole=dtype.is_integer())
    raise DataError(f"`order` must name a column of times, dates or numbers; `{decisions.order}` holds {dtype}.")


def _check_propensities(schema: Schema, decisions: Decisions) -> None:
    for column in decisions.propensities:
        if not schema[column].is_numeric():
            raise DataError(f"`propensity` must name columns of numbers; `{column}` holds {schema[column]}.")


def _refuse_arms(labels: list[Label], decisions: Decisions) -> None:
    if isinstance(decisions.propensity, str) and len(labels) != 2:
        raise DataError(
            f"the log has {len(labels)} variants ({', '.join(label.name for label in labels)}), for which one column "
            "of propensities is not enough; log the probability of each variant with every decision, and give "
            "`propensity` as a mapping of variant to column."
        )


def _refuse_repeated(rows: Frame, request: Request) -> None:
    import narwhals as nw

    units = rows.filter(~nw.col("code").is_null()).select("unit")
    (found,), (different,) = (collect(frame.select(nw.len().alias("n"))) for frame in (units, distinct(units)))
    if found["n"] != different["n"]:
        raise DataError(
            f"`{request.unit}` has {different['n']:,} values in {found['n']:,} rows, and of an adaptive plan each row "
            "is one decision; set `unit` to ROWS if every row is one, or name in `key` what tells duplicates."
        )


def _arrays(frame: Frame) -> dict[str, Float64Array]:
    """Columns of numbers, nan where they are null."""
    if frame.implementation.is_duckdb():
        return {name: _filled(values) for name, values in frame.to_native().fetchnumpy().items()}
    eager = frame.collect()
    return {name: eager.get_column(name).to_numpy().astype(np.float64) for name in eager.columns}


def _filled(values: Any) -> Float64Array:
    found = np.ma.getdata(values).astype(np.float64)
    gaps = np.ma.getmaskarray(values)
    return np.where(gaps, np.nan, found) if gaps.any() else found
