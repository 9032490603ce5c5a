"""The one grouped query: rows to units to groups, with sums of products instead of units coming back.

Each step is an expression that every engine has (sums, minima, maxima, counts), so one text serves all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from abkit.adapters._frames import one_partition, refuses_overflow
from abkit.adapters._profile import Label, Profile, keep_rows
from abkit.adapters._third_moments import cube_sums
from abkit.adapters._unit_block import UnitBlock, UnitColumn, count_name, nonzero_name, product_name, sum_name
from abkit.logs import NO_SEGMENT, Block, Request, Variable, gaps_of, label_name
from abkit.types import ROWS

if TYPE_CHECKING:
    import narwhals as nw

    Frame = nw.LazyFrame[Any]
    Schema = dict[str, nw.dtypes.DType]

#: What a unit's first time says about when it is looked at.
Entry = Callable[["nw.Expr"], "nw.Expr"]
#: A column of the rows, and what is made of its values within a unit.
Aggregate = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Query:
    """The log as rows of clean columns, and what to make of them.

    With an `entry`, the last segment of a unit is made of its first `time`, not of a column.
    """

    request: Request
    labels: list[Label]
    profile: Profile
    rows: Frame
    row_names: dict[str, str]
    blocks: list[UnitBlock] = field(default_factory=list)
    entry: Entry | None = None


def clean_rows(
    frame: Frame, schema: Schema, request: Request, labels: list[Label], profile: Profile, clock: str | None = None
) -> Query:
    """Keep the rows that count, number the variants, and turn every measured column into float64.

    `clock` names a column of numbers that comes along as `time`; of duplicates the earliest is kept.
    """
    import narwhals as nw

    code: nw.Expr = nw.lit(len(labels))
    for number, label in reversed(list(enumerate(labels))):
        if label.value is not None:
            code = nw.when(nw.col(request.variant) == nw.lit(label.value)).then(nw.lit(number)).otherwise(code)
    measured = dict.fromkeys(c for b in request.blocks for v in b.variables for c in v.columns if c != ROWS)
    row_names = {column: f"x{i}" for i, column in enumerate(measured)}
    columns = [code.alias("code")]
    columns += [nw.col(request.unit).alias("unit")] if request.unit != ROWS else []
    columns += [_plain(nw.col(c), schema[c]).alias(f"segment{i}") for i, c in enumerate(request.segments)]
    columns += [nw.col(c).alias(f"key{i}") for i, c in enumerate(request.key)]
    columns += [_float(nw.col(c), schema[c], c in profile.missing).alias(name) for c, name in row_names.items()]
    columns += [nw.col(clock).alias("time")] if clock else []
    filters = profile.without_unit + profile.without_variant + profile.without_key + profile.not_exposed
    rows = (frame.filter(keep_rows(schema, request)) if filters else frame).select(*columns)
    if request.key:
        kept = ["code", *(["unit"] if request.unit != ROWS else []), *row_names.values()]
        kept += [f"segment{i}" for i in range(len(request.segments))]
        rows = _without_duplicates(rows, [f"key{i}" for i in range(len(request.key))], kept, ["time"] if clock else [])
    return Query(request, labels, profile, rows, row_names)


def per_unit(query: Query, shifts: dict[str, float], thresholds: dict[Variable, float]) -> tuple[Query, Frame]:
    """One row a unit."""
    aggregates: dict[str, Aggregate] = {}
    prepared: dict[str, nw.Expr] = {}
    blocks = unit_blocks(query, shifts, thresholds, prepared, aggregates)
    units = unit_rows(query, prepared, aggregates)
    return replace(query, blocks=blocks), units


def unit_blocks(
    query: Query,
    shifts: dict[str, float],
    thresholds: dict[Variable, float],
    prepared: dict[str, nw.Expr],
    aggregates: dict[str, Aggregate],
) -> list[UnitBlock]:
    """The blocks of all metrics and of their gaps; what they need is added to what rows and units are made of."""
    blocks = [_unit_block(query, block, shifts, thresholds, prepared, aggregates) for block in query.request.blocks]
    return blocks + [gaps for block in blocks for gaps in _gaps(query, block.block, prepared, aggregates)]


def unit_rows(query: Query, prepared: dict[str, nw.Expr], aggregates: dict[str, Aggregate]) -> Frame:
    """One row a unit: these aggregates, the lowest and highest variant and segments, and how many rows there are."""
    import narwhals as nw

    aggregates = aggregates | {"low": ("code", "min"), "high": ("code", "max")}
    if query.request.key:
        aggregates |= {"copies": ("copies", "sum"), "differ": ("differ", "sum")}
    last = len(query.request.segments) - bool(query.entry)
    for i in range(last):
        aggregates |= {f"low{i}": (f"segment{i}", "min"), f"high{i}": (f"segment{i}", "max")}
    aggregates |= {"first": ("time", "min")} if query.entry else {}
    rows = query.rows.with_columns(**prepared) if prepared else query.rows
    if query.request.unit == ROWS:
        each = (nw.col(source).alias(name) for name, (source, _) in aggregates.items())
        units = rows.select((1 - nw.col("differ") if query.request.key else nw.lit(1)).alias("rows"), *each)
        return _with_entry(units, query.entry, last)
    each = (getattr(nw.col(source), how)().alias(name) for name, (source, how) in aggregates.items())
    # a null in `code` marks rows that contradict others
    units = rows.group_by("unit").agg(nw.col("code").count().alias("rows"), *each)
    return _with_entry(units, query.entry, last)


def _with_entry(units: Frame, entry: Entry | None, place: int) -> Frame:
    import narwhals as nw

    if entry is None:
        return units
    return units.with_columns(entry(nw.col("first")).alias(f"low{place}")).with_columns(
        nw.col(f"low{place}").alias(f"high{place}")
    )


def per_group(query: Query, units: Frame) -> Frame:
    """One row a group: counts, sums, and sums of products."""
    import narwhals as nw

    derived = agreed_segments(query)
    derived |= {"rows": nw.col("rows").cast(nw.Float64)}
    steps: list[dict[str, nw.Expr]] = [derived, {}, {}]
    sums: dict[str, nw.Expr] = {}
    for block in query.blocks:
        _finish_units(block, steps[0], steps[1])
        sums |= _group_sums(block, steps[2], guarded=refuses_overflow(units))
    for step in steps:
        units = units.with_columns(**step) if step else units
    keys = ["low", "high", *(f"segment{i}" for i in range(len(query.request.segments)))]
    counts = [nw.len().alias("units")]
    if query.request.key:
        counts += [nw.col("copies").sum().alias("copies"), nw.col("differ").sum().alias("differ")]
    varying = {f"vary {c.alias}" for b in query.blocks for c in b.columns if c.variable.per_unit == "same"}
    capped = {f"capped {c.alias}" for b in query.blocks for c in b.columns if c.threshold is not None}
    counts += [nw.col(name).sum().alias(name) for name in sorted(varying | capped)]
    return units.group_by(*keys).agg(*counts, *(expr.alias(name) for name, expr in sums.items()))


def pooled_quantiles(query: Query, units: Frame, wanted: Iterable[tuple[Variable, str]]) -> Frame:
    """The quantiles of capped variables over the units of all known variants together."""
    import narwhals as nw

    known = one_partition(units.filter((nw.col("low") == nw.col("high")) & (nw.col("high") < len(query.labels))))
    return known.select(
        *(
            nw.col(alias).quantile(variable.cap.quantile, interpolation="linear").alias(str(i))
            for i, (variable, alias) in enumerate(wanted)
            if variable.cap is not None and variable.cap.quantile is not None
        )
    )


def segment_names(request: Request, row: dict[str, Any]) -> tuple[str, ...]:
    """The segments of a group."""
    values = [row[f"segment{i}"] for i in range(len(request.segments))]
    return tuple(NO_SEGMENT if value is None else label_name(value) for value in values)


def _unit_block(
    query: Query,
    block: Block,
    shifts: dict[str, float],
    thresholds: dict[Variable, float],
    prepared: dict[str, nw.Expr],
    aggregates: dict[str, Aggregate],
) -> UnitBlock:
    import narwhals as nw

    gaps = block.gaps(query.profile.missing)
    drop = bool(gaps) and block.missing == "drop"
    mask = "_".join(query.row_names[column] for column in gaps) if drop else ""
    rows = f"rows_{mask}" if drop else "rows"
    if drop:
        present = all_present([query.row_names[column] for column in gaps])
        prepared[f"ok_{mask}"] = flag(present)
        aggregates[rows] = (f"ok_{mask}", "sum")
    columns = []
    for variable in block.variables:
        cap = f"_cap{list(thresholds).index(variable)}" if variable in thresholds else ""
        if variable.column == ROWS and not variable.slope_over:
            columns.append(UnitColumn(rows + cap, rows, variable, 0.0, thresholds.get(variable)))
            continue
        zero = block.missing == "zero" and bool(set(variable.columns) & set(query.profile.missing))
        plain = not (cap or variable.binary or variable.slope_over)
        shift = shifts.get(variable.column, 0.0) if plain else 0.0
        name = "_".join(query.row_names.get(column, "rows") for column in variable.columns)
        days = str(variable.slope_over[1]) if variable.slope_over else ""
        alias = "_".join(filter(None, (variable.per_unit, name, days, mask, "zero" * zero, "shifted" * bool(shift))))
        source = name
        if shift or drop or zero or variable.slope_over:
            source = f"{alias}_row"
            value = _row_value(query, variable, shift, zero=zero)
            prepared[source] = nw.when(all_present([query.row_names[c] for c in gaps])).then(value) if drop else value
        aggregates[alias] = (source, "sum" if variable.per_unit == "sum" else "max")
        if variable.per_unit == "same":
            aggregates[f"{alias}_low"] = (source, "min")
        size = f"{alias}_size" if variable.slope_over else None
        if size:
            prepared[f"{size}_row"] = prepared[source].abs()
            aggregates[size] = (f"{size}_row", "sum")
        columns.append(UnitColumn(alias + cap, alias, variable, shift, thresholds.get(variable), size))
    return UnitBlock(block, tuple(columns), rows, drop)


def _row_value(query: Query, variable: Variable, shift: float, *, zero: bool) -> nw.Expr:
    """What a row adds to its unit."""
    import narwhals as nw

    value = nw.lit(1.0) if variable.column == ROWS else nw.col(query.row_names[variable.column])
    value = value.fill_null(0.0) if zero and variable.column != ROWS else value
    if variable.slope_over:
        value = _weighted(value, nw.col(query.row_names[variable.slope_over[0]]), variable.slope_over[1])
    value = nw.when(nw.col("differ") == 0).then(value) if zero and query.request.key else value
    return value - shift if shift else value


def _weighted(value: nw.Expr, day: nw.Expr, days: int) -> nw.Expr:
    """A row's part in the least-squares slope of its unit's daily totals: days without a row are zeros in it.

    Times days (days^2 - 1) / 6, so that it is a whole multiple of the value, and equal days cancel exactly.
    """
    import narwhals as nw

    within = (day >= 0) & (day < days)
    weight = 2 * day.floor().cast(nw.Float64) - (days - 1)  # in some SQL a floor is whole, and 2.0 then a decimal
    return nw.when(within).then(value * weight).otherwise(nw.lit(0.0))


def _gaps(
    query: Query, block: Block, prepared: dict[str, nw.Expr], aggregates: dict[str, Aggregate]
) -> Iterable[UnitBlock]:
    """Rows without a value, and all rows, per unit: whether variants lose their values equally often."""
    missing = block.gaps(query.profile.missing)
    if not missing:
        return
    names = [query.row_names[column] for column in missing]
    alias = f"gaps_{'_'.join(names)}"
    prepared[alias] = flag(~all_present(names))
    aggregates[alias] = (alias, "sum")
    lost, rows = Variable(missing[0], "sum"), Variable(ROWS, "sum")
    columns = (UnitColumn(alias, alias, lost, 0.0, None), UnitColumn("rows", "rows", rows, 0.0, None))
    yield UnitBlock(Block(gaps_of(block.metric), (lost, rows), "error"), columns, "rows", optional=False)


def _finish_units(block: UnitBlock, first: dict[str, nw.Expr], second: dict[str, nw.Expr]) -> None:
    """Leave units without a row out of an optional block, mark disagreement, and cap."""
    import narwhals as nw

    for column in block.columns:
        value = nw.col(column.aggregate)
        if column.variable.per_unit == "same":
            first[f"vary {column.alias}"] = flag(_differs(column.aggregate, f"{column.aggregate}_low"))
        if column.threshold is not None:
            above = value > column.threshold
            first[f"capped {column.alias}"] = flag(above)
            value = nw.when(above).then(nw.lit(column.threshold)).otherwise(value)
        if block.optional:
            value = nw.when(nw.col(block.rows) > 0).then(value)
        if column.threshold is not None or block.optional:
            second[column.alias] = value.cast(nw.Float64)
    if block.optional:
        second[block.rows] = nw.when(nw.col(block.rows) > 0).then(nw.col(block.rows)).cast(nw.Float64)


def _group_sums(block: UnitBlock, products: dict[str, nw.Expr], *, guarded: bool) -> dict[str, nw.Expr]:
    import narwhals as nw

    sums = {count_name(block): nw.col(block.rows).count()} if block.optional else {}
    for i, first in enumerate(block.aliases):
        sums[sum_name(first)] = nw.col(first).sum()
        for second in block.aliases[i:]:
            name = product_name(first, second)
            products[name] = nw.col(first) * nw.col(second)
            sums[name] = nw.col(name).sum()
    if block.block.thirds:
        outcome = block.columns[0]
        products[nonzero_name(outcome)] = _is_not_zero(block, outcome).cast(nw.Int32).cast(nw.Float64)
        sums[nonzero_name(outcome)] = nw.col(nonzero_name(outcome)).sum()
        sums |= cube_sums(block.cubed, products, guarded=guarded)
    return sums


def _is_not_zero(block: UnitBlock, column: UnitColumn) -> nw.Expr:
    import narwhals as nw

    differs = nw.col(column.alias) != (-column.shift * nw.col(block.rows) if column.shift else nw.lit(0.0))
    return differs & ~nw.col(column.alias).is_null() if block.optional else differs  # for dask, a gap is not zero


def _without_duplicates(rows: Frame, by: list[str], rest: list[str], earliest: list[str]) -> Frame:
    """One row a key; `copies` counts the others, `differ` those keys whose rows contradict each other."""
    import narwhals as nw

    lows = [nw.col(c).min().alias(f"{c}_low") for c in rest] + [nw.col(c).min() for c in earliest]
    grouped = rows.group_by(*by).agg(nw.len().alias("copies"), *(nw.col(c).max() for c in rest), *lows)
    differs = nw.any_horizontal(*(_differs(c, f"{c}_low") for c in rest), ignore_nulls=True)
    marked = grouped.with_columns(copies=nw.col("copies") - 1, differ=flag(differs))
    # rows that contradict each other say nothing: their values and their variant are unknown
    return marked.with_columns(*(nw.when(nw.col("differ") == 0).then(nw.col(c)).alias(c) for c in rest if c != "unit"))


def _differs(first: str, second: str) -> nw.Expr:
    """Two columns have values that are not equal; dask says that of two gaps too."""
    import narwhals as nw

    return (nw.col(first) != nw.col(second)) & ~nw.col(first).is_null()


def flag(condition: nw.Expr) -> nw.Expr:
    """1 where a condition holds, 0 where it does not or is null."""
    import narwhals as nw

    return nw.when(condition).then(nw.lit(1)).otherwise(nw.lit(0))


def agreed_segments(query: Query) -> dict[str, nw.Expr]:
    """Per unit the one value that its rows have in each segment column, else null."""
    import narwhals as nw

    places = range(len(query.request.segments))
    return {f"segment{i}": nw.when(nw.col(f"low{i}") == nw.col(f"high{i}")).then(nw.col(f"low{i}")) for i in places}


def all_present(columns: list[str]) -> nw.Expr:
    """None of the columns is null."""
    import narwhals as nw

    present = ~nw.col(columns[0]).is_null()
    for column in columns[1:]:
        present = present & ~nw.col(column).is_null()
    return present


def _float(value: nw.Expr, dtype: nw.dtypes.DType, gaps: bool) -> nw.Expr:
    import narwhals as nw

    if dtype.is_boolean():
        number = nw.when(value).then(nw.lit(1)).otherwise(nw.lit(0)).cast(nw.Float64)  # in some SQL 1.0 is a decimal
        return nw.when(~value.is_null()).then(number)
    number = value.cast(nw.Float64)
    return nw.when(value.is_finite()).then(number) if gaps and dtype.is_float() else number


def _plain(value: nw.Expr, dtype: nw.dtypes.DType) -> nw.Expr:
    import narwhals as nw

    # min and max of booleans are not SQL everywhere
    if not dtype.is_boolean():
        return value
    return nw.when(~value.is_null()).then(nw.when(value).then(nw.lit("true")).otherwise(nw.lit("false")))
