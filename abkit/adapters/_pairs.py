"""The grouped query where every unit is seen under every variant: co-moments of the two values of a unit."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from functools import reduce
from operator import and_, or_
from typing import TYPE_CHECKING, Any

import numpy as np

from abkit.adapters._query import (
    Aggregate,
    Query,
    all_present,
    flag,
    segment_names,
    unit_rows,
)
from abkit.adapters._unit_block import UnitBlock, UnitColumn, count_name
from abkit.logs import Block, Group, Variable, gaps_of
from abkit.suffstats import CoMoments
from abkit.types import ROWS

if TYPE_CHECKING:
    import narwhals as nw

    Frame = nw.LazyFrame[Any]

CONTROL, EVERY = "paired", "complete"


@dataclass(frozen=True, slots=True)
class Pairs:
    """One metric of the units that are compared under the control and under the treatment with this number."""

    code: int
    block: UnitBlock
    shifts: tuple[float, ...]

    def comoments(self, row: dict[str, Any]) -> CoMoments:
        """Of the control's and then the treatment's values, from values that were shifted row by row."""
        moments, k = self.block.comoments(row), 2 * len(self.shifts)
        if not any(self.shifts):
            return moments
        linear = np.hstack([np.eye(k), np.kron(np.eye(2), np.array([self.shifts]).T)])
        m2 = linear @ moments.m2 @ linear.T
        return CoMoments(moments.n, linear @ moments.mean, (m2 + m2.T) / 2, moments.names[:k])


@dataclass(frozen=True, slots=True)
class Sides:
    """Of one metric, by variant: the sums of its values, of the rows that have them, and of those that lack one."""

    block: Block
    values: list[list[str]]
    rows: list[str]
    gaps: list[str] | None
    shifts: tuple[float, ...]

    @property
    def pooled(self) -> bool:
        """Values with a denominator: a unit that lacks a variant adds nothing to it, and is not left out."""
        return len(self.shifts) > 1


def per_pair(query: Query, shifts: dict[str, float]) -> tuple[Query, Frame, list[Pairs]]:
    """One row a unit, with a sum for each variant."""
    prepared: dict[str, nw.Expr] = {}
    codes = range(len(query.labels))
    for code in codes:
        prepared[f"seen{code}"] = flag(_of(code))
    sides = [_sides(query, place, block, shifts, prepared) for place, block in enumerate(query.request.blocks)]
    binary = {name for side in sides if side.block.variables[0].binary for names in side.values for name in names}
    aggregates: dict[str, Aggregate] = {name: (name, "max" if name in binary else "sum") for name in prepared}
    return pairs_of(query, unit_rows(query, prepared, aggregates), sides)


def pairs_of(query: Query, units: Frame, sides: list[Sides]) -> tuple[Query, Frame, list[Pairs]]:
    """Which units are compared under each treatment, from a row a unit with its sums of both sides."""
    codes = range(len(query.labels))
    flags: dict[str, nw.Expr] = {}
    pairs = [pair for code in codes[1:] for side in sides for pair in _pairs(side, code, flags)]
    flags |= {f"pair{code}": _all_above_zero("seen0", f"seen{code}") for code in codes[1:]}
    either = reduce(or_, (_above_zero("seen0", f"seen{code}") for code in codes[1:]))
    flags |= {CONTROL: flag(either), EVERY: _all_above_zero(*(f"seen{code}" for code in codes))}
    counts = [_count(name) for name in (CONTROL, EVERY, *(f"pair{code}" for code in codes[1:]))]
    return replace(query, blocks=[*counts, *(pair.block for pair in pairs)]), units.with_columns(**flags), pairs


def pair_groups(query: Query, pairs: list[Pairs], rows: list[dict[str, Any]]) -> tuple[tuple[Group, ...], int]:
    """The groups, and how many units were seen under every variant; the control's units are those of any pair."""
    units: dict[tuple[int, tuple[str, ...]], int] = defaultdict(int)
    moments: dict[tuple[int, tuple[str, ...]], dict[str, CoMoments]] = defaultdict(dict)
    for row in rows:
        segments = segment_names(query.request, row)
        for code in range(len(query.labels)):
            units[code, segments] += int(row[count_name(_count(f"pair{code}" if code else CONTROL))] or 0)
        for pair in pairs:
            name, new = pair.block.block.metric, pair.comoments(row)
            held = moments[pair.code, segments]
            held[name] = held[name] + new if name in held else new
    groups = (
        Group(query.labels[key[0]].name, key[1], n, moments[key])
        for key, n in sorted(units.items())
        if n or any(found.n for found in moments[key].values())
    )
    return tuple(groups), sum(int(row[count_name(_count(EVERY))] or 0) for row in rows)


def _sides(query: Query, place: int, block: Block, shifts: dict[str, float], prepared: dict[str, nw.Expr]) -> Sides:
    import narwhals as nw

    codes, lost = range(len(query.labels)), [query.row_names[column] for column in block.gaps(query.profile.missing)]
    seen, measured = [f"seen{code}" for code in codes], [variable.column for variable in block.variables]
    rows, gaps = seen, [f"g{place}s{code}" for code in codes] if lost else None
    counted = {code: _of(code) for code in codes}
    if lost:
        prepared |= {f"g{place}s{code}": flag(_of(code) & ~all_present(lost)) for code in codes}
    if lost and block.missing == "drop":
        rows, counted = [f"r{place}s{code}" for code in codes], {c: _of(c) & all_present(lost) for c in codes}
        prepared |= {name: flag(counted[code]) for code, name in enumerate(rows)}
    for i, column in enumerate(measured):
        if column != ROWS:
            value = nw.col(query.row_names[column])
            value = value.fill_null(0.0) if lost and block.missing == "zero" else value
            value = value - shifts[column] if shifts.get(column) else value
            sides = {f"v{place}_{i}s{c}": nw.when(counted[c]).then(value).otherwise(nw.lit(0.0)) for c in codes}
            prepared |= sides
    values = [[rows[c] if column == ROWS else f"v{place}_{i}s{c}" for i, column in enumerate(measured)] for c in codes]
    return Sides(block, values, rows, gaps, tuple(shifts.get(column, 0.0) for column in measured))


def _pairs(side: Sides, code: int, flags: dict[str, nw.Expr]) -> list[Pairs]:
    """The values of a pair, with its rows where these were shifted; and its rows without a value, and all of them."""
    both = _any_above_zero if side.pooled else _all_above_zero
    present, kept = (f"{'either' if side.pooled else 'pair'}{code}_{rows}" for rows in (side.rows[0], "seen"))
    flags |= {present: both(side.rows[0], side.rows[code]), kept: both("seen0", f"seen{code}")}
    variables, rows = side.block.variables, Variable(ROWS, "sum")
    columns = [named for s in (0, code) for named in zip(side.values[s], variables, strict=True)]
    if any(side.shifts):
        columns += [(side.rows[0], rows), (side.rows[code], rows)]
    found = [Pairs(code, _block(side.block.metric, columns, present), side.shifts)]
    if side.gaps:
        lost = [(side.gaps[0], variables[0]), ("seen0", rows), (side.gaps[code], variables[0]), (f"seen{code}", rows)]
        found.append(Pairs(code, _block(gaps_of(side.block.metric), lost, kept), (0.0, 0.0)))
    return found


def _block(metric: str, columns: list[tuple[str, Variable]], present: str) -> UnitBlock:
    variables = tuple(variable for _, variable in columns)
    made = (UnitColumn(f"{present}_{aggregate}", aggregate, variable, 0.0, None) for aggregate, variable in columns)
    return UnitBlock(Block(metric, variables, "drop"), tuple(made), present, optional=True)


def _count(name: str) -> UnitBlock:
    return UnitBlock(Block(name, (), "drop"), (), name, optional=True)


def _of(code: int) -> nw.Expr:
    import narwhals as nw

    return nw.col("code") == code


def _above_zero(*names: str) -> nw.Expr:
    import narwhals as nw

    return reduce(and_, (nw.col(name) > 0 for name in names))


def _all_above_zero(*names: str) -> nw.Expr:
    return flag(_above_zero(*names))


def _any_above_zero(*names: str) -> nw.Expr:
    return flag(reduce(or_, (_above_zero(name) for name in names)))
