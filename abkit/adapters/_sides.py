"""Requests that several releases answered, as pairs: a row has the values of all releases, or of one.

Rows of one release become columns by release, so that one text serves both. Copies count once; rows of one request (and
release) that contradict each other are left out, and counted.
"""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any

from abkit.adapters._frames import collect
from abkit.adapters._pairs import Pairs, pairs_of
from abkit.adapters._pairs import Sides as Summed
from abkit.adapters._profile import Profile, keep_rows, shifts
from abkit.adapters._query import Query, all_present, flag
from abkit.adapters._side_log import SideLog, of_rows, value_of
from abkit.errors import DataError
from abkit.logs import Block, Compare, Variable
from abkit.types import ROWS, Relative

if TYPE_CHECKING:
    import narwhals as nw

    Frame = nw.LazyFrame[Any]
    Schema = dict[str, nw.dtypes.DType]


def read_sides(log: SideLog, profile: Profile) -> tuple[Query, Frame, list[Pairs]]:
    """One row a pair, and the pairs of every metric."""
    rows = _rows(log, profile)
    request, binary = log.request, {v.column for b in log.request.blocks for v in b.variables if v.binary}
    plain = [column for column in log.measured if not (log.compared(column) or column in binary)]
    found = shifts(rows, [log.name(column, 0) for column in plain]) if log.wide else {}
    centers = {column: found.get(log.name(column, 0), 0.0) for column in plain}
    pairs = _gathered(log, rows) if _grouped(log) else _single(log, rows)
    flags: dict[str, nw.Expr] = {}
    summed = [_summed(log, profile, place, block, centers, flags) for place, block in enumerate(request.blocks)]
    pairs = pairs.with_columns(**flags) if flags else pairs
    _refuse_unanswered(log, pairs, [name for name in flags if name.startswith("lost")])
    if request.sides and request.sides.cluster:
        pairs, summed = _clusters(log, pairs, list(flags)), [_per_row(one) for one in summed]
    query = Query(replace(request, key=("pair",)), log.labels, profile, rows, {})
    return pairs_of(query, pairs, summed)


def _refuse_unanswered(log: SideLog, pairs: Frame, names: list[str]) -> None:
    """Answers that both releases lack are an error until the plan says what they mean."""
    import narwhals as nw

    if not names:
        return
    found = collect(pairs.select(*(nw.col(name).sum() for name in names)))[0]
    for name, lost in found.items():
        if lost:
            block = log.request.blocks[int(name.removeprefix("lost").split("s")[0])]
            raise DataError(
                f"the column `{block.variables[0].column}` of the metric `{block.metric}` is null in both releases for "
                f"{int(lost):,} requests; say what that means with `missing`: drop (leave these requests out of the "
                "metric), zero (they agree), or error (as now)."
            )


def _grouped(log: SideLog) -> bool:
    """Whether rows must be put together: those of a release, or those of one request."""
    return not log.wide or log.request.unit != ROWS or bool(log.request.key)


def _rows(log: SideLog, profile: Profile) -> Frame:
    """The rows that count, with the columns that are read, under plain names."""
    import narwhals as nw

    request, schema = log.request, log.schema
    code: nw.Expr = nw.lit(len(log.labels))
    if not log.wide:
        for number, label in reversed(list(enumerate(log.labels))):
            if label.value is not None:
                code = nw.when(nw.col(request.variant) == nw.lit(label.value)).then(nw.lit(number)).otherwise(code)
    columns = [] if log.wide else [code.alias("code")]
    columns += [nw.col(request.unit).alias("unit")] if request.unit != ROWS else []
    columns += [nw.col(c).alias(f"key{i}") for i, c in enumerate(request.key)]
    columns += [_text(nw.col(c), schema[c]).alias(f"segment{i}") for i, c in enumerate(request.segments)]
    cluster = request.sides.cluster if request.sides else None
    columns += [nw.col(cluster).alias("cluster")] if cluster else []
    for column in log.measured:
        for c in log.codes if log.wide else (0,):
            source = log.source(column, c)
            columns.append(_cleaned(log, column, source).alias(log.name(column, c)))
    kept = keep_rows(schema, of_rows(request))
    filters = profile.without_unit + profile.without_variant + profile.without_key + profile.not_exposed
    rows = log.frame.filter(kept) if filters else log.frame
    rows = rows.filter(~nw.col(cluster).is_null()) if cluster else rows
    return rows.select(*columns)


def _cleaned(log: SideLog, column: str, source: str) -> nw.Expr:
    """Numbers for metrics, and what is only compared as it is."""
    import narwhals as nw

    value, dtype = value_of(source, log.schema[source]), log.schema[source]
    return value if log.compared(column) and not dtype.is_boolean() else value.cast(nw.Float64)


def _text(value: nw.Expr, dtype: nw.dtypes.DType) -> nw.Expr:
    import narwhals as nw

    if not dtype.is_boolean():
        return value
    return nw.when(~value.is_null()).then(nw.when(value).then(nw.lit("true")).otherwise(nw.lit("false")))


def _single(log: SideLog, rows: Frame) -> Frame:
    """Each row is a pair."""
    import narwhals as nw

    places = range(len(log.request.segments))
    ends = {f"{end}{i}": nw.col(f"segment{i}") for i in places for end in ("low", "high")}
    seen = {f"seen{c}": nw.lit(1) for c in log.codes}
    fixed = {"low": nw.lit(0), "high": nw.lit(log.codes[-1]), "rows": nw.lit(1), "copies": nw.lit(0)}
    return rows.with_columns(**seen, **ends, **fixed, differ=nw.lit(0))


def _gathered(log: SideLog, rows: Frame) -> Frame:
    """One row a request: each release's values, and whether rows contradict each other."""
    import narwhals as nw

    by = [f"key{i}" for i in range(len(log.request.key))] if log.wide and log.request.key else ["unit"]
    names = [log.name(column, c) for column in log.measured for c in log.codes]
    if not log.wide:
        split = {
            log.name(column, c): nw.when(nw.col("code") == c).then(nw.col(log.name(column, 0)))
            for column in log.measured
            for c in log.codes
        }
        rows = rows.with_columns(**split, **{f"seen{c}": flag(nw.col("code") == c) for c in log.codes})
    else:
        rows = rows.with_columns(code=nw.lit(0), **{f"seen{c}": nw.lit(1) for c in log.codes})
    rest = [*(["cluster"] if log.request.sides and log.request.sides.cluster else [])]
    ends = [nw.col(f"segment{i}").min().alias(f"low{i}") for i in range(len(log.request.segments))]
    ends += [nw.col(f"segment{i}").max().alias(f"high{i}") for i in range(len(log.request.segments))]
    grouped = rows.group_by(*by).agg(
        nw.len().alias("rows"),
        nw.col("code").min().alias("low"),
        nw.col("code").max().alias("high"),
        *(nw.col(f"seen{c}").sum() for c in log.codes),
        *(nw.col(name).max() for name in (*names, *rest)),
        *(nw.col(name).min().alias(f"{name}_low") for name in (*names, *rest)),
        *ends,
    )
    return _agreed(log, grouped, [*names, *rest])


def _agreed(log: SideLog, grouped: Frame, names: list[str]) -> Frame:
    """Copies counted; requests whose rows contradict each other belong to no release."""
    import narwhals as nw

    differs = reduce(or_, ((nw.col(name) != nw.col(f"{name}_low")) & ~nw.col(name).is_null() for name in names))
    counted = [nw.col("rows")] if log.wide else [nw.col(f"seen{c}") for c in log.codes]
    copies = sum((nw.when(n > 1).then(n - 1).otherwise(nw.lit(0)) for n in counted), start=nw.lit(0))
    marked = grouped.with_columns(differ=flag(differs), copies=copies)
    same = nw.col("differ") == 0
    high = nw.lit(log.codes[-1]) if log.wide else nw.col("high")
    seen = {f"seen{c}": flag(same & (nw.col(f"seen{c}") > 0)) for c in log.codes}
    return marked.with_columns(low=nw.when(same).then(nw.col("low")), high=nw.when(same).then(high), **seen)


def _summed(
    log: SideLog, profile: Profile, place: int, block: Block, centers: dict[str, float], flags: dict[str, nw.Expr]
) -> Summed:
    """The columns of a metric in the row of a pair: values, which of them there are, and which are missing."""
    import narwhals as nw

    if block.compare is not None:
        return _comparison(log, profile, place, block, block.compare, flags)
    columns = [variable.column for variable in block.variables]
    measured = [column for column in columns if column != ROWS]
    lost = any(log.source(column, c) in profile.missing for column in measured for c in log.codes)
    values, rows = [], []
    for c in log.codes:
        seen = nw.col(f"seen{c}") > 0
        held = seen & all_present([log.name(column, c) for column in measured]) if lost else seen
        counted = held if lost and block.missing == "drop" else seen
        rows.append(f"r{place}s{c}" if lost and block.missing == "drop" else f"seen{c}")
        if rows[-1] != f"seen{c}":
            flags[rows[-1]] = flag(counted)
        if lost:
            flags[f"g{place}s{c}"] = flag(seen & ~held)
        mine = []
        for i, column in enumerate(columns):
            mine.append(rows[-1] if column == ROWS else f"v{place}_{i}s{c}")
            if column != ROWS:
                value = nw.col(log.name(column, c)).cast(nw.Float64)
                value = value.fill_null(0.0) if lost and block.missing == "zero" else value
                value = value - centers[column] if centers.get(column) else value
                flags[mine[-1]] = nw.when(counted).then(value).otherwise(nw.lit(0.0))
        values.append(mine)
    gaps = [f"g{place}s{c}" for c in log.codes] if lost else None
    offsets = tuple(centers.get(column, 0.0) for column in columns)
    return Summed(block, values, rows, gaps, offsets)


def _comparison(
    log: SideLog, profile: Profile, place: int, block: Block, compare: Compare, flags: dict[str, nw.Expr]
) -> Summed:
    """Whether each release's answer differs from that of the control; the control's own column holds zeros."""
    import narwhals as nw

    column = block.variables[0].column
    old, lacks = nw.col(log.name(column, 0)), [nw.col(log.name(column, c)).is_null() for c in log.codes]
    lost = any(log.source(column, c) in profile.missing for c in log.codes)
    flags[f"v{place}_0s0"] = nw.lit(0.0)
    rows = ["seen0"]
    for c in log.codes[1:]:
        new, seen = nw.col(log.name(column, c)), (nw.col("seen0") > 0) & (nw.col(f"seen{c}") > 0)
        one, neither = lacks[0] | lacks[c], lacks[0] & lacks[c]
        differs = _differs(log, column, c, old, new, compare)
        different = nw.when(one).then(flag(~neither)).otherwise(flag(differs)) if lost else flag(differs)
        # without an answer on either side there is nothing to compare, unless that too is an answer
        left_out = one if block.missing == "drop" else neither
        counted = seen & ~left_out if lost and block.missing != "zero" else seen
        rows.append(f"r{place}s{c}")
        flags[rows[-1]] = flag(counted)
        flags[f"v{place}_0s{c}"] = nw.when(counted).then(different.cast(nw.Float64)).otherwise(nw.lit(0.0))
        if lost and block.missing == "error":
            flags[f"lost{place}s{c}"] = flag(seen & neither)
    gaps = [f"g{place}s{c}" for c in log.codes] if lost and block.missing == "drop" else None
    if gaps:
        flags |= {f"g{place}s{c}": flag((nw.col(f"seen{c}") > 0) & lacks[c]) for c in log.codes}
    return Summed(block, [[f"v{place}_0s{c}"] for c in log.codes], rows, gaps, (0.0,))


def _differs(log: SideLog, column: str, code: int, old: nw.Expr, new: nw.Expr, compare: Compare) -> nw.Expr:
    import narwhals as nw

    kinds = [log.schema[log.source(column, c)] for c in (0, code)]
    numbers = [kind.is_numeric() or kind.is_boolean() for kind in kinds]
    share = isinstance(compare.tolerance, Relative)
    size = compare.tolerance.value if isinstance(compare.tolerance, Relative) else compare.tolerance
    if numbers[0] != numbers[1] or (size and not all(numbers)):
        raise DataError(
            f"the column `{column}` must hold numbers in every release to be compared"
            + (" with a `tolerance`" if size else ", or in none")
            + f"; it holds {kinds[0]} and {kinds[1]}."
        )
    if not size:
        return old != new
    old, new = old.cast(nw.Float64), new.cast(nw.Float64)
    return (new - old).abs() > (old.abs() * size if share else nw.lit(size))


def _clusters(log: SideLog, pairs: Frame, names: list[str]) -> Frame:
    """One row a cluster: all of these added up."""
    import narwhals as nw

    summed = dict.fromkeys([*names, *(f"seen{c}" for c in log.codes), "rows", "copies", "differ"])
    places = range(len(log.request.segments))
    ends = [nw.col(f"low{i}").min() for i in places] + [nw.col(f"high{i}").max() for i in places]
    placed = [nw.col("low").min(), nw.col("high").max()]
    return pairs.group_by("cluster").agg(*placed, *ends, *(nw.col(name).sum() for name in summed))


def _per_row(one: Summed) -> Summed:
    """Totals of a cluster, and its rows, whose ratio is the mean of a row."""
    values = [[names[0], rows] for names, rows in zip(one.values, one.rows, strict=True)]
    block = replace(one.block, variables=(one.block.variables[0], Variable(ROWS, "sum")))
    return Summed(block, values, one.rows, one.gaps, (one.shifts[0], 0.0))
