"""Units with all of their rows so far, at every look: what a look adds to the sums of products of running totals.

A unit's totals are Y before a look and Y + y after it, so that a product of two of them grows by y (Z + z) + Y z.
These gains, added up over units and then over looks, are the sums at each look: nothing is as wide as there are looks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Any

from abkit.adapters._calendar import Calendar
from abkit.adapters._clock import floor_of
from abkit.adapters._frames import collect, refuses_overflow
from abkit.adapters._query import Aggregate, Query, flag
from abkit.adapters._third_moments import LARGEST, TINY, cube_name
from abkit.adapters._unit_block import UnitBlock, UnitColumn, count_name, nonzero_name, product_name, sum_name
from abkit.errors import DataError

if TYPE_CHECKING:
    import narwhals as nw

    Frame = nw.LazyFrame[Any]

#: Rows are grouped by unit and look where that leaves fewer than one in this many.
WORTH_GROUPING = 2.0


@dataclass(frozen=True, slots=True)
class Running:
    """The columns of a number per unit before a cell, after it, and their difference."""

    name: str

    @property
    def now(self) -> nw.Expr:
        import narwhals as nw

        return nw.col(f"{self.name} now")

    @property
    def before(self) -> nw.Expr:
        import narwhals as nw

        return nw.col(f"{self.name} before")

    @property
    def gain(self) -> nw.Expr:
        import narwhals as nw

        return nw.col(f"{self.name} gain")


def open_ended(
    query: Query, prepared: dict[str, nw.Expr], aggregates: dict[str, Aggregate], calendar: Calendar
) -> list[dict[str, Any]]:
    """One row a variant and look, with what the look adds to the sums of `per_group`."""
    import narwhals as nw

    if query.rows.implementation.is_dask():
        raise DataError(
            "Dask cannot add up the rows of a unit in the order of time; give a `window`, or the files by their path."
        )
    look = floor_of(nw.col("time") - calendar.start, calendar.clock.every) + 1
    rows = query.rows.with_columns(look=look, **prepared)
    rows = rows.filter(nw.col("look") <= calendar.count) if calendar.rows_after else rows
    aggregates = aggregates | {"low": ("code", "min"), "high": ("code", "max")}
    if query.request.key:
        aggregates |= {"copies": ("copies", "sum"), "differ": ("differ", "sum")}
    cells = (_grouped if _worth_grouping(rows, calendar) else _single)(rows, aggregates)
    found = collect(_gains(query, _with_totals(cells, query, aggregates)))
    if all(row["low"] == row["high"] for row in found):
        return found
    agreeing = [row for row in found if row["low"] == row["high"]]
    return agreeing + list(_of_mixed_units(query, rows, aggregates))


def _worth_grouping(rows: Frame, calendar: Calendar) -> bool:
    """Whether units have several rows in one period, by one of the middle."""
    import narwhals as nw

    middle = rows.filter(nw.col("look") == (calendar.count + 1) // 2)
    units = middle.group_by("unit").agg(nw.len().alias("rows"))
    found = collect(units.select(nw.col("rows").sum(), nw.len().alias("units")))[0]
    return int(found["rows"] or 0) >= WORTH_GROUPING * int(found["units"])


def _single(rows: Frame, aggregates: dict[str, Aggregate]) -> Frame:
    import narwhals as nw

    each = (nw.col(source).alias(name) for name, (source, _) in aggregates.items())
    return rows.select("unit", "look", flag(~nw.col("code").is_null()).cast(nw.Float64).alias("rows"), *each)


def _grouped(rows: Frame, aggregates: dict[str, Aggregate]) -> Frame:
    import narwhals as nw

    each = (getattr(nw.col(source), how)().alias(name) for name, (source, how) in aggregates.items())
    return rows.group_by("unit", "look").agg(nw.col("code").count().cast(nw.Float64).alias("rows"), *each)


def _with_totals(cells: Frame, query: Query, aggregates: dict[str, Aggregate], *, mixed: bool = False) -> Frame:
    """Each unit's running totals, and what all of its rows agree in."""
    import narwhals as nw

    same = {c.aggregate for block in query.blocks for c in block.columns if c.variable.per_unit == "same"}
    sums = ["rows", *(n for n, (_, how) in aggregates.items() if n not in UNSUMMED and n not in same and how != "min")]
    cells = cells.with_columns(**{name: nw.col(name).cast(nw.Float64).fill_null(0.0) for name in sums})
    totals = {f"{name} total": nw.col(name).cum_sum().over("unit", order_by="look") for name in sums}
    agreed = {name: nw.col(name).max().over("unit") for name in same}
    agreed |= {f"{name}_low": nw.col(f"{name}_low").min().over("unit") for name in same}
    if not mixed:
        return cells.with_columns(
            low=nw.col("low").min().over("unit"), high=nw.col("high").max().over("unit"), **totals, **agreed
        )
    cells = cells.with_columns(
        low=nw.col("low").cum_min().over("unit", order_by="look"),
        high=nw.col("high").cum_max().over("unit", order_by="look"),
        **totals,
        **agreed,
    )
    earlier = (nw.col(name).shift(1).over("unit", order_by="look").alias(f"{name}_before") for name in ("low", "high"))
    return cells.with_columns(*earlier)


UNSUMMED = ("low", "high", "copies", "differ")


def _of_mixed_units(query: Query, rows: Frame, aggregates: dict[str, Aggregate]) -> Iterator[dict[str, Any]]:
    """The same for units seen in several variants, which count until they are."""
    import narwhals as nw

    units = rows.group_by("unit").agg(low=nw.col("code").min(), high=nw.col("code").max())
    mixed = units.filter(nw.col("low") != nw.col("high")).select("unit")
    cells = _with_totals(_grouped(rows.join(mixed, on="unit", how="inner"), aggregates), query, aggregates, mixed=True)
    clean = nw.col("low") == nw.col("high")
    earlier = (nw.col("low_before") == nw.col("high_before")) & ~nw.col("low_before").is_null()
    new = nw.col("low_before").is_null()
    cells = cells.with_columns(clean=flag(clean), earlier=flag(earlier), crossing=flag(~clean & (earlier | new)))
    place = nw.when(nw.col("clean") == 1).then(nw.col("low")).otherwise(nw.col("low_before"))
    cells = cells.with_columns(place=place).with_columns(low=nw.col("place"), high=nw.col("place"))
    for row in collect(_gains(query, cells, mixed=True)):
        if row["low"] is not None:
            yield row
        lost = {name: row[name] for name in ("copies", "differ") if row["low"] is None and query.request.key}
        yield {"low": 0, "high": len(query.labels), "look": row["look"], "units": row["crossing"], **lost}


def _gains(query: Query, cells: Frame, *, mixed: bool = False) -> Frame:
    """What the cells of a variant and look add to each sum; a unit that is not clean now has nothing any more."""
    import narwhals as nw

    columns = {c.alias: c for block in query.blocks for c in block.columns}
    steps: list[dict[str, nw.Expr]] = [{}, {}, {}]
    for name in dict.fromkeys(["rows", *(b.rows for b in query.blocks), *(a for b in query.blocks for a in b.aliases)]):
        column = columns.get(name)
        rows = next((b.rows for b in query.blocks if column in b.columns), "rows")
        values = _values(name, column, rows)
        for when, mask, value in zip(("now", "before"), ("clean", "earlier"), values, strict=True):
            steps[0][f"{name} {when}"] = value * nw.col(mask) if mixed else value
        plain = column is None or (column.variable.per_unit == "sum" and column.threshold is None)
        state = Running(name)
        steps[1][f"{name} gain"] = nw.col(name) if plain and not mixed else state.now - state.before
    sums: dict[str, nw.Expr] = {"units": _count("rows")}
    for block in query.blocks:
        sums |= _block_gains(block, guarded=refuses_overflow(cells), mixed=mixed)
    steps[2] = {f"d {name}": gain for name, gain in sums.items()}
    for step in steps:
        cells = cells.with_columns(**step)
    counts = [nw.col(name).sum().alias(name) for name in ("copies", "differ") if query.request.key]
    counts += [nw.col("crossing").sum().alias("crossing")] if mixed else []
    return cells.group_by("low", "high", "look").agg(*(nw.col(f"d {name}").sum().alias(name) for name in sums), *counts)


def _values(name: str, column: UnitColumn | None, rows: str) -> tuple[nw.Expr, nw.Expr]:
    """A number per unit after a cell and before it."""
    import narwhals as nw

    total, cell = (f"{name} total", name) if column is None else (f"{column.aggregate} total", column.aggregate)
    if column is not None and column.variable.per_unit == "same":
        seen = nw.col(f"{rows} total"), nw.col(f"{rows} total") - nw.col(rows)
        after, earlier = (nw.when(n > 0).then(nw.col(cell)).otherwise(nw.lit(0.0)) for n in seen)
        return after, earlier
    after, earlier = nw.col(total), nw.col(total) - nw.col(cell)
    if column is not None and column.variable.per_unit == "max":  # of zeros and ones
        return flag(after > 0).cast(nw.Float64), flag(earlier > 0).cast(nw.Float64)
    if column is not None and column.threshold is not None:
        cap = nw.lit(column.threshold)
        return nw.when(after > cap).then(cap).otherwise(after), nw.when(earlier > cap).then(cap).otherwise(earlier)
    return after, earlier


def _block_gains(block: UnitBlock, *, guarded: bool, mixed: bool) -> dict[str, nw.Expr]:
    import narwhals as nw

    gains = {count_name(block): _count(block.rows)} if block.optional else {}
    for name in block.aliases:
        gains[sum_name(name)] = Running(name).gain
    for first, second in combinations_with_replacement(block.aliases, 2):
        gains[product_name(first, second)] = _growth([Running(first), Running(second)])
    for chosen in combinations_with_replacement(block.cubed, 3) if block.block.thirds else ():
        gains[cube_name(*chosen)] = (_guarded_growth if guarded else _growth)([Running(name) for name in chosen])
    if block.block.thirds:
        gains[nonzero_name(block.columns[0])] = _nonzero_gain(block)
    for column in block.columns:
        if column.variable.per_unit == "same":
            varies = nw.col(column.aggregate) != nw.col(f"{column.aggregate}_low")
            gains[f"vary {column.alias}"] = flag(varies) * _count("rows")
        if column.threshold is not None:
            total, cell, cap = nw.col(f"{column.aggregate} total"), nw.col(column.aggregate), column.threshold
            now, before = (flag(value > cap).cast(nw.Float64) for value in (total, total - cell))
            if mixed:
                now, before = now * nw.col("clean"), before * nw.col("earlier")
            gains[f"capped {column.alias}"] = now - before
    return gains


def _growth(factors: list[Running], size: Callable[[nw.Expr], nw.Expr] = lambda value: value) -> nw.Expr:
    """What a product grows by: each factor's gain, times earlier factors as they were and later ones as they are."""
    terms = []
    for i, factor in enumerate(factors):
        term = size(factor.gain)
        for earlier in factors[:i]:
            term = size(earlier.before) * term
        for later in factors[i + 1 :]:
            term = term * size(later.now)
        terms.append(term)
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def _guarded_growth(factors: list[Running]) -> nw.Expr:
    """The same of a product of three where overflow and underflow are errors; squares tell what that leaves out."""
    import narwhals as nw

    sizes = (value.abs() < LARGEST for factor in factors for value in (factor.now, factor.before))
    growth = _growth(factors, lambda value: nw.when(value.abs() > TINY).then(value).otherwise(nw.lit(0.0)))
    return nw.when(nw.all_horizontal(*sizes, ignore_nulls=False)).then(growth)


def _count(rows: str) -> nw.Expr:
    """Whether a unit has rows now, less whether it had any."""
    import narwhals as nw

    state = Running(rows)
    return flag(state.now > 0).cast(nw.Float64) - flag(state.before > 0).cast(nw.Float64)


def _nonzero_gain(block: UnitBlock) -> nw.Expr:
    import narwhals as nw

    column = block.columns[0]
    state, rows = Running(column.alias), Running(block.rows)
    now, before = (
        flag(value != (-column.shift * count if column.shift else nw.lit(0.0))).cast(nw.Float64)
        for value, count in ((state.now, rows.now), (state.before, rows.before))
    )
    return now - before
