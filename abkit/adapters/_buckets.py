"""Histograms of logarithmic buckets by one grouped query each, and which rows lie below a variant's quantile."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any

import numpy as np

from abkit.adapters._frames import collect, logarithm
from abkit.adapters._query import Query, agreed_segments, flag, per_unit, segment_names, unit_rows
from abkit.adapters._unit_block import UnitBlock
from abkit.errors import DataError
from abkit.logs import Block, Buckets, Distribution, Variable
from abkit.suffstats import Histogram
from abkit.types import ROWS

if TYPE_CHECKING:
    import narwhals as nw

    Frame = nw.LazyFrame[Any]

MOST_BUCKETS = 1_000_000


@dataclass(frozen=True, slots=True)
class Source:
    """What a histogram is made of; metrics that agree in it share one."""

    column: str
    accuracy: float
    per_unit: bool
    zero: bool


@dataclass(frozen=True, slots=True)
class Spread:
    """The histograms of a metric by variant and segments, and the bucket of each variant's quantile."""

    histograms: dict[tuple[int, tuple[str, ...]], Histogram]
    bounds: dict[int, int]
    accuracy: float
    per_unit: bool

    def distribution(self, code: int, segments: tuple[str, ...], block: UnitBlock, row: dict[str, Any]) -> Distribution:
        """The histogram of a group, with the co-moments that tell how its values cluster."""
        histogram = self.histograms.get((code, segments), Histogram.from_sample([], self.accuracy))
        if self.per_unit:
            return of_units(histogram, self.bounds.get(code, 0))
        moments = block.comoments(row)
        return Distribution(moments.n, moments.mean, moments.m2, NAMES, histogram)


NAMES = ("below", "upto", "values")


def bucketed(query: Query) -> tuple[Query, dict[str, Spread]]:
    """Read the histograms of all quantiles; the query then counts, per unit, the rows at or below them.

    One grouped query for each column (and accuracy) of which a quantile is asked, whatever the number of quantiles.
    """
    chosen = {block.metric: (block, block.buckets) for block in query.request.blocks if block.buckets}
    if not chosen:
        return query, {}
    sources = {metric: _source(query, block, buckets) for metric, (block, buckets) in chosen.items()}
    counted = {source: _histograms(query, source) for source in dict.fromkeys(sources.values())}
    spreads, rows, names, blocks = {}, query.rows, dict(query.row_names), list(query.request.blocks)
    for place, source in enumerate(counted):
        rows = rows if source.per_unit else _with_keys(rows, _value(query, source), source.accuracy, f"place{place}")
    for i, (metric, (block, buckets)) in enumerate(chosen.items()):
        source = sources[metric]
        bounds = _bounds(counted[source], buckets.q)
        spreads[metric] = Spread(counted[source], bounds, buckets.accuracy, source.per_unit)
        columns = (
            () if source.per_unit else tuple(_free(names, f"{source.column} {what}") for what in ("below", "upto"))
        )
        if columns:
            names |= {column: f"rank{i}_{j}" for j, column in enumerate(columns)}
            rows = _with_ranks(rows, f"place{list(counted).index(source)}", bounds, f"rank{i}")
        blocks[blocks.index(block)] = _counting(block, columns)
    request = replace(query.request, blocks=tuple(blocks))
    return replace(query, request=request, rows=rows, row_names=names), spreads


def _source(query: Query, block: Block, buckets: Buckets) -> Source:
    column = block.variables[0].column
    zero = block.missing == "zero" and column in query.profile.missing
    return Source(column, buckets.accuracy, buckets.per == "unit" or query.request.unit == ROWS, zero)


def _histograms(query: Query, source: Source) -> dict[tuple[int, tuple[str, ...]], Histogram]:
    """One grouped query: how many values each bucket of each variant and segment holds."""
    import narwhals as nw

    values = (_unit_values if source.per_unit else _row_values)(query, source)
    keyed = _with_keys(values.filter(~nw.col("value").is_null()), nw.col("value"), source.accuracy, "key")
    groups = ["low", *(f"segment{i}" for i in range(len(query.request.segments)))]
    found = collect(keyed.group_by(*groups, "key").agg(nw.len().alias("values")).head(MOST_BUCKETS + 1))
    if len(found) > MOST_BUCKETS:
        raise DataError(
            f"the column `{source.column}` falls into more than {MOST_BUCKETS:,} buckets of accuracy "
            f"{source.accuracy:g}; choose a larger `accuracy`, or fewer segments."
        )
    counts: dict[tuple[int, tuple[str, ...]], list[tuple[int, int]]] = defaultdict(list)
    for row in found:
        counts[int(row["low"]), segment_names(query.request, row)].append((int(row["key"]), int(row["values"])))
    return {group: _histogram(pairs, source.accuracy) for group, pairs in counts.items()}


def _histogram(pairs: list[tuple[int, int]], accuracy: float) -> Histogram:
    keys, counts = np.array(pairs, dtype=np.int64).T
    return Histogram.from_keys(keys, counts, accuracy)


def _unit_values(query: Query, source: Source) -> Frame:
    """The total of each unit of a known variant."""
    import narwhals as nw

    block = Block("", (Variable(source.column, "sum"),), "zero" if source.zero else "drop")
    totals, units = per_unit(replace(query, request=replace(query.request, blocks=(block,))), {}, {})
    block_of_units = totals.blocks[0]
    if block_of_units.optional:
        units = units.filter(nw.col(block_of_units.rows) > 0)
    total = nw.col(block_of_units.columns[0].aggregate).cast(nw.Float64)
    return _known(query, units).with_columns(value=total)


def _row_values(query: Query, source: Source) -> Frame:
    """The value of each row of a unit of a known variant; what a unit's variant is, only all of its rows tell."""
    import narwhals as nw

    units = _known(query, unit_rows(query, {}, {}))
    units = units.select("unit", "low", *(f"segment{i}" for i in range(len(query.request.segments))))
    rows = query.rows.filter(~nw.col("code").is_null()).select("unit", _value(query, source).alias("value"))
    return rows.join(units, on="unit", how="inner")


def _known(query: Query, units: Frame) -> Frame:
    import narwhals as nw

    known = units.filter((nw.col("low") == nw.col("high")) & (nw.col("high") < len(query.labels)))
    segments = agreed_segments(query)
    return known.with_columns(**segments) if segments else known


def _value(query: Query, source: Source) -> nw.Expr:
    import narwhals as nw

    value = nw.col(query.row_names[source.column])
    return value.fill_null(0.0) if source.zero else value


def _with_keys(frame: Frame, value: nw.Expr, accuracy: float, name: str) -> Frame:
    """A column of keys, as `Histogram.key_of` has it; PostgreSQL knows no logarithm of zero."""
    import narwhals as nw

    log_gamma, offset = Histogram.scale(accuracy)
    frame = frame.with_columns(size=nw.when(value == 0).then(nw.lit(1.0)).otherwise(value.abs()))
    place = (nw.col("log") / log_gamma).ceil().cast(nw.Float64) + offset
    signed = nw.when(value > 0).then(place).otherwise(nw.when(value < 0).then(-place).otherwise(nw.lit(0.0)))
    return logarithm(frame, "size", "log").with_columns(signed.alias(name))


def _with_ranks(rows: Frame, key: str, bounds: dict[int, int], name: str) -> Frame:
    """Whether each row is before the bucket of its variant's quantile, and whether it is not after it."""
    import narwhals as nw

    def any_variant(within: Callable[[int], nw.Expr]) -> nw.Expr:
        reached = ((nw.col("code") == code) & within(bound) for code, bound in (bounds or {0: 0}).items())
        return flag(reduce(or_, reached)).cast(nw.Float64)

    below, upto = any_variant(lambda bound: nw.col(key) < bound), any_variant(lambda bound: nw.col(key) <= bound)
    return rows.with_columns(below.alias(f"{name}_0"), upto.alias(f"{name}_1"))


def _bounds(histograms: dict[tuple[int, tuple[str, ...]], Histogram], q: float) -> dict[int, int]:
    """For each variant the key of its quantile's bucket."""
    totals: dict[int, Histogram] = {}
    for (code, _), histogram in histograms.items():
        totals[code] = totals[code] + histogram if code in totals else histogram
    return {code: bucket_of(total, q) for code, total in totals.items()}


def bucket_of(histogram: Histogram, q: float) -> int:
    """The key of a quantile's bucket; 0 without values."""
    if not histogram.n:
        return 0
    return int(histogram.keys[np.searchsorted(np.cumsum(histogram.counts), math.ceil(histogram.n * q))])


def _counting(block: Block, ranks: tuple[str, ...]) -> Block:
    column = block.variables[0].column
    counted = (*(Variable(rank, "sum") for rank in ranks), *([Variable(ROWS, "sum")] * bool(ranks)))
    return Block(block.metric, counted, block.missing, present=(column,))


def _free(names: dict[str, str], wanted: str) -> str:
    """A name that no column of the log has."""
    while wanted in names:
        wanted += "_"
    return wanted


def of_units(histogram: Histogram, bound: int) -> Distribution:
    """Units as the values: each has one, so that they do not cluster."""
    n = histogram.n
    below, upto = (int(count) for count in histogram.below([bound, bound + 1]))
    share, m2 = np.array([below, upto]) / max(n, 1), np.zeros((3, 3))
    m2[0, :2] = m2[:2, 0] = share[0] * np.array([n - below, n - upto])
    m2[1, 1] = share[1] * (n - upto)
    return Distribution(n, np.array([*share, min(n, 1)]), m2, NAMES, histogram)
