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
    UnitBlock,
    UnitColumn,
    all_present,
    count_name,
    flag,
    segment_names,
    unit_rows,
)
from abkit.logs import Block, Group, Variable, gaps_of
from abkit.suffstats import CoMoments
from abkit.types import ROWS

if TYPE_CHECKING:
    import narwhals as nw

    Frame = nw.LazyFrame[Any]

CONTROL, EVERY = "paired", "complete"


@dataclass(frozen=True, slots=True)
class Pairs:
    """One metric of the units that have both the control and the treatment with this number."""

    code: int
    block: UnitBlock
    shift: float = 0.0

    def comoments(self, row: dict[str, Any]) -> CoMoments:
        """Of (control's, treatment's) value, from values that were shifted row by row."""
        moments = self.block.comoments(row)
        if not self.shift:
            return moments
        linear = np.hstack([np.eye(2), self.shift * np.eye(2)])
        m2 = linear @ moments.m2 @ linear.T
        return CoMoments(moments.n, linear @ moments.mean, (m2 + m2.T) / 2, moments.names[:2])


@dataclass(frozen=True, slots=True)
class Sides:
    """Of one metric, by variant: the sums of its values, of the rows that have one, and of those that lack it."""

    block: Block
    values: list[str]
    rows: list[str]
    gaps: list[str] | None
    shift: float


def per_pair(query: Query, shifts: dict[str, float]) -> tuple[Query, Frame, list[Pairs]]:
    """One row a unit, with a sum for each variant."""
    prepared: dict[str, nw.Expr] = {}
    codes = range(len(query.labels))
    for code in codes:
        prepared[f"seen{code}"] = flag(_of(code))
    sides = [_sides(query, place, block, shifts, prepared) for place, block in enumerate(query.request.blocks)]
    aggregates: dict[str, Aggregate] = {name: (name, "sum") for name in prepared}
    units = unit_rows(query, prepared, aggregates)
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
    groups = (Group(query.labels[key[0]].name, key[1], n, moments[key]) for key, n in sorted(units.items()) if n)
    return tuple(groups), sum(int(row[count_name(_count(EVERY))] or 0) for row in rows)


def _sides(query: Query, place: int, block: Block, shifts: dict[str, float], prepared: dict[str, nw.Expr]) -> Sides:
    import narwhals as nw

    codes, column = range(len(query.labels)), block.variables[0].column
    seen = [f"seen{code}" for code in codes]
    if column == ROWS:
        return Sides(block, seen, seen, None, 0.0)
    name, lost = query.row_names[column], bool(block.gaps(query.profile.missing))
    shift = shifts.get(column, 0.0)
    value = nw.col(name).fill_null(0.0) if lost and block.missing == "zero" else nw.col(name)
    for code in codes:
        prepared[f"v{place}s{code}"] = nw.when(_of(code)).then(value - shift if shift else value)
        if lost:
            prepared[f"r{place}s{code}"] = flag(_of(code) & all_present([name]))
            prepared[f"g{place}s{code}"] = flag(_of(code) & ~all_present([name]))
    rows = [f"r{place}s{code}" for code in codes] if lost and block.missing == "drop" else seen
    gaps = [f"g{place}s{code}" for code in codes] if lost else None
    return Sides(block, [f"v{place}s{code}" for code in codes], rows, gaps, shift)


def _pairs(side: Sides, code: int, flags: dict[str, nw.Expr]) -> list[Pairs]:
    """The values of a pair, with its rows where these were shifted; and its rows without a value, and all of them."""
    present = f"pair{code}_{side.rows[0]}"
    flags[present] = _all_above_zero(side.rows[0], side.rows[code])
    variable, rows = side.block.variables[0], Variable(ROWS, "sum")
    columns = [(side.values[0], variable), (side.values[code], variable)]
    if side.shift:
        columns += [(side.rows[0], rows), (side.rows[code], rows)]
    found = [Pairs(code, _block(side.block.metric, columns, present), side.shift)]
    if side.gaps:
        lost = [(side.gaps[0], variable), ("seen0", rows), (side.gaps[code], variable), (f"seen{code}", rows)]
        found.append(Pairs(code, _block(gaps_of(side.block.metric), lost, f"pair{code}")))
    return found


def _block(metric: str, columns: list[tuple[str, Variable]], present: str) -> UnitBlock:
    variables = tuple(variable for _, variable in columns)
    made = (
        UnitColumn(f"{present}_{aggregate}", aggregate, variable, 0.0, None)
        for i, (aggregate, variable) in enumerate(columns)
    )
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
