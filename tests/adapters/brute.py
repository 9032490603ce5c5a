"""Statistics of quantiles and pairs by plain loops over the rows: slow, and without any query."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from abkit import Histogram
from abkit.logs import label_name
from tests.adapters.logs import exact


@dataclass(frozen=True)
class Unit:
    """The rows of a unit that count, its variants, and its one segment."""

    rows: list[dict[str, Any]]
    variants: set[Any]
    segment: str


def kept(log: pd.DataFrame, segment: str | None, key: str | None, exposure: str | None) -> dict[Any, Unit]:
    """Units by their name: rows with a unit, a variant and a key that were exposed, each key once."""
    rows = [{k: None if pd.isna(v) else v for k, v in row.items()} for row in log.to_dict("records")]
    rows = [row for row in rows if row["user"] is not None and row["variant"] is not None]
    rows = [row for row in rows if exposure is None or row[exposure]]
    if key is not None:
        copies = defaultdict(list)
        for row in rows:
            copies[row[key]].append(row)
        merged = (_agreed(same, {"seen"}) for same in copies.values())
        rows = [row for row in merged if row is not None]
    units = defaultdict(list)
    for row in rows:
        units[row["user"]].append(row)
    return {name: Unit(mine, {row["variant"] for row in mine}, _segment(mine, segment)) for name, mine in units.items()}


def _agreed(copies: list[dict[str, Any]], unread: set[str]) -> dict[str, Any] | None:
    """One row of several copies, which say nothing where they contradict each other; a gap contradicts nothing."""
    found = {name: {row[name] for row in copies} - {None} for name in copies[0]}
    if any(len(values) > 1 for name, values in found.items() if name not in unread):
        return None
    return {name: next(iter(values), None) for name, values in found.items()}


def _segment(rows: Iterable[dict[str, Any]], column: str | None) -> str:
    found = {row[column] for row in rows} - {None} if column else set()
    return label_name(found.pop()) if len(found) == 1 else "(none)"


def values_of(unit: Unit, column: str, missing: str, variant: Any = None) -> list[float]:
    """The unit's values: those that are there, or with zeros where they are not."""
    rows = [row for row in unit.rows if variant is None or row["variant"] == variant]
    if column == "ROWS":
        return [1.0] * len(rows)
    found = [0.0 if row[column] is None and missing == "zero" else row[column] for row in rows]
    return [float(value) for value in found if value is not None]


@dataclass(frozen=True)
class Expected:
    """One group's histogram, and the exact co-moments of its units."""

    histogram: Counter[int]
    comoments: dict[str, Any]


def quantiles(
    units: dict[Any, Unit], variants: list[Any], column: str, q: float, per: str, missing: str, accuracy: float
) -> dict[tuple[str, str], Expected]:
    """By variant and segment: the histogram, and per unit how many values are below the quantile, and how many are."""
    found: dict[tuple[str, str], Expected] = {}
    for variant in variants:
        mine = {}
        for name, unit in units.items():
            values = values_of(unit, column, missing)
            if unit.variants == {variant} and values:
                mine[name] = [math.fsum(values)] if per == "unit" else values
        keys = {name: Histogram.key_of(values, accuracy).tolist() for name, values in mine.items()}
        pooled = sorted(key for listed in keys.values() for key in listed)
        bound = pooled[math.ceil(len(pooled) * q) - 1] if pooled else 0
        for segment in sorted({units[name].segment for name in mine}):
            here = [listed for name, listed in keys.items() if units[name].segment == segment]
            rows = [[_count(listed, bound), _count(listed, bound + 1), len(listed)] for listed in here]
            counts = Counter(key for listed in here for key in listed)
            found[label_name(variant), segment] = Expected(counts, exact(rows))
    return found


def _count(keys: list[int], end: int) -> int:
    return sum(key < end for key in keys)


def pairs(
    units: dict[Any, Unit], control: Any, treatments: list[Any], column: str, missing: str
) -> dict[tuple[str, str], dict[str, Any]]:
    """By treatment and segment: the exact co-moments of the two totals of the units that have both."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for treatment in treatments:
        by_segment = defaultdict(list)
        for unit in units.values():
            sides = [values_of(unit, column, missing, variant) for variant in (control, treatment)]
            if all(sides):
                by_segment[unit.segment].append([math.fsum(side) for side in sides])
        found |= {(label_name(treatment), segment): exact(rows) for segment, rows in by_segment.items()}
    return found


def pooled_pairs(
    units: dict[Any, Unit], control: Any, treatments: list[Any], columns: tuple[str, str], missing: str
) -> dict[tuple[str, str], dict[str, Any]]:
    """By treatment and segment: the exact co-moments of both totals under both variants, of units that have either."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for treatment in treatments:
        by_segment = defaultdict(list)
        for unit in units.values():
            sides = [_counted(unit, columns, missing, variant) for variant in (control, treatment)]
            if any(sides):
                totals = [math.fsum(row[i] for row in side) for side in sides for i in range(2)]
                by_segment[unit.segment].append(totals)
        found |= {(label_name(treatment), segment): exact(rows) for segment, rows in by_segment.items()}
    return found


def _counted(unit: Unit, columns: tuple[str, str], missing: str, variant: Any) -> list[tuple[float, float]]:
    """Both numbers of each row that has them."""
    found = []
    for row in unit.rows:
        both = [1.0 if c == "ROWS" else 0.0 if row[c] is None and missing == "zero" else row[c] for c in columns]
        if row["variant"] == variant and None not in both:
            found.append((float(both[0]), float(both[1])))
    return found


def check(moments: Any, truth: dict[str, Any], what: object) -> None:
    """The same co-moments, but for the engine's rounding."""
    assert moments.n == truth["n"], what
    scale = np.sqrt(np.diagonal(truth["m2"]))
    size = np.abs(truth["mean"]) + scale
    np.testing.assert_array_less(np.abs(moments.mean - truth["mean"]), 1e-12 * size + 1e-300, str(what))
    np.testing.assert_array_less(
        np.abs(moments.m2 - truth["m2"]), 1e-11 * np.outer(size, size) * truth["n"] + 1e-300, str(what)
    )
