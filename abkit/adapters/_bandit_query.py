"""The one grouped query of an off-policy estimate: rows of decisions to sums by cell and arm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from abkit._check import Float64Array
from abkit.adapters._bandit_log import number, open_decisions
from abkit.adapters._clock import make_clock, with_clock
from abkit.adapters._frames import collect, engine_errors, open_log
from abkit.adapters._profile import parse
from abkit.adapters._query import flag
from abkit.errors import DataError
from abkit.logs import NO_SEGMENT, label_name

if TYPE_CHECKING:
    import narwhals as nw

    Frame = nw.LazyFrame[Any]
    Schema = dict[str, nw.dtypes.DType]

Cell = tuple[str, ...]
#: A number, or the name of a column of them, for each arm within each cell; the cell () stands for every cell.
Table = Mapping[Cell, Mapping[str, float | str]]
PERIODS = 10


@dataclass(frozen=True)
class DecisionQuery:
    """Which columns to read, and what a row's weight and score are made of.

    `target` gives the probability of each arm; where it is a name, the column that has that of the logged arm; where it
    is a number, that of every arm.
    `model` gives the predicted reward of each arm; with it the row's score is computed in the query: what the model
    has, and unless it is `direct`, `stretch` times what the model leaves, weighted. `shift` is taken from rewards and
    `origin` from scores before they are squared.
    """

    arm: str
    reward: str
    propensity: str | None
    by: tuple[str, ...] = ()
    order: str | None = None
    target: Table | str | float | None = None
    model: Table | None = None
    stretch: Table | None = None
    direct: bool = False
    cut: Literal["none", "clip", "switch"] = "none"
    threshold: float | None = None
    shift: float = 0.0
    origin: float = 0.0

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is read, once."""
        named = [self.arm, self.reward, self.propensity, *self.by, self.order, *self.shares]
        named += [self.target] if isinstance(self.target, str) else []
        named += _columns_of(self.model)
        return tuple(dict.fromkeys(name for name in named if name is not None))

    @property
    def shares(self) -> list[str]:
        """The columns that hold the target's probability of an arm each."""
        return _columns_of(self.target) if isinstance(self.target, Mapping) else []

    @property
    def features(self) -> tuple[str, ...]:
        """What is added up, squared and multiplied."""
        if self.model is not None:
            return ("x", "score")
        return ("x", "u", "ux") if self.propensity is not None else ("x",)


@dataclass(frozen=True, eq=False)
class DecisionSums:
    """What came back, one entry a cell, arm and period: its labels, its number of rows, and sums by name."""

    cells: list[Cell]
    arms: list[str]
    periods: list[int]
    sums: dict[str, Float64Array]
    starts: tuple[str, ...] = ()

    @property
    def n(self) -> Float64Array:
        """Rows."""
        return self.sums["n"]


def has_column(log: object, column: str) -> bool:
    """Whether a log has a column of this name."""
    if isinstance(log, Mapping):
        return column in log
    with engine_errors(log, ()), open_log(log, (column,)) as frame:
        return column in frame.collect_schema()


def row_count(log: object, column: str) -> int:
    """How many rows a log has, which files know without being read."""
    import narwhals as nw

    with open_decisions(log, (column,)) as (frame, _):
        return int(collect(frame.select(nw.len().alias("n")))[0]["n"])


def add_up(log: object, query: DecisionQuery) -> DecisionSums:
    """Run the query."""
    import narwhals as nw

    with open_decisions(log, query.columns) as (frame, schema):
        _refuse_no_numbers(schema, query)
        timed, starts = _with_period(frame, schema, query)
        rows = _rows(timed, schema, query)
        keys = ["arm", *(f"by{i}" for i in range(len(query.by))), *(["period"] if query.order else [])]
        summed = _summands(query)
        # a column of its own each: some engines add up columns only
        groups = rows.with_columns(**{f"sum {name}": expr for name, expr in summed.items()}).group_by(*keys)
        sums = [nw.col(f"sum {name}").sum().alias(name) for name in summed]
        found = collect(groups.agg(nw.len().alias("n"), *sums, *_extremes(query)))
    names = [name for name in found[0] if name not in keys] if found else []
    if not found:
        raise DataError("the log has no rows; nothing can be said of it.")
    ordered = sorted(found, key=lambda row: [str(row[key]) for key in keys])
    return DecisionSums(
        [tuple(_label(row[f"by{i}"]) for i in range(len(query.by))) for row in ordered],
        [_label(row["arm"]) for row in ordered],
        [int(row["period"] or 0) if query.order else 0 for row in ordered],
        {name: np.array([np.nan if row[name] is None else row[name] for row in ordered], float) for name in names},
        starts,
    )


def _columns_of(table: Table | None) -> list[str]:
    return [value for arms in (table or {}).values() for value in arms.values() if isinstance(value, str)]


def _label(value: object) -> str:
    missing = value is None or (isinstance(value, float) and value != value)  # noqa: PLR0124 - nan
    return NO_SEGMENT if missing else label_name(value)


def _refuse_no_numbers(schema: Schema, query: DecisionQuery) -> None:
    for column in query.columns:
        dtype = schema[column]
        measured = column not in (query.arm, *query.by, query.order)
        if measured and not (dtype.is_numeric() or dtype.is_boolean()):
            raise DataError(f"the column `{column}` must hold numbers; it holds {dtype}.")


def _with_period(frame: Frame, schema: Schema, query: DecisionQuery) -> tuple[Frame, tuple[str, ...]]:
    """Which tenth of the log's time a row is in, and when each tenth begins."""
    import narwhals as nw

    if query.order is None:
        return frame, ()
    temporal = schema[query.order].is_temporal()
    clock = make_clock(schema, query.order, "1d" if temporal else 1, None)
    timed = with_clock(frame, clock, schema)
    ends = collect(timed.select(nw.col(clock.name).min().alias("low"), nw.col(clock.name).max().alias("high")))[0]
    if ends["low"] is None:
        raise DataError(f"`order` must name a column with values; `{query.order}` has none.")
    low, width = float(ends["low"]), (float(ends["high"]) - float(ends["low"])) / PERIODS or 1.0
    place = ((nw.col(clock.name).cast(nw.Float64) - low) / width).floor()
    last = nw.when(place >= PERIODS).then(nw.lit(float(PERIODS - 1))).otherwise(place)
    starts = tuple(str(clock.at(low + width * i)) for i in range(PERIODS))
    return timed.with_columns(last.alias("abkit_period")), starts


def _rows(frame: Frame, schema: Schema, query: DecisionQuery) -> Frame:
    """Rows of clean columns, then their weights, then what is added up."""
    import narwhals as nw

    columns = {"arm": nw.col(query.arm)} | {f"by{i}": nw.col(name) for i, name in enumerate(query.by)}
    columns |= {"r": number(query.reward, schema[query.reward])}
    columns |= {"period": nw.col("abkit_period")} if query.order else {}
    columns |= {"e": number(query.propensity, schema[query.propensity])} if query.propensity is not None else {}
    columns |= {"p": _target(query, schema)} if query.target is not None else {}
    columns |= {f"share{i}": number(name, schema[name]) for i, name in enumerate(query.shares)}
    if query.model is not None:
        columns |= {"q": _of_row(query.model, query, schema), "d": _direct(query, schema)}
        columns |= {"k": _of_row(query.stretch, query, schema)} if query.stretch is not None else {}
    rows = frame.select(*(expr.alias(name) for name, expr in columns.items()))
    for step in _steps(query):
        rows = rows.with_columns(**step)
    return rows


def _steps(query: DecisionQuery) -> list[dict[str, nw.Expr]]:
    import narwhals as nw

    first: dict[str, nw.Expr] = {"x": nw.col("r") - query.shift if query.shift else nw.col("r")}
    steps = [first]
    if query.propensity is not None:
        usable = nw.when((nw.col("e") > 0) & (nw.col("e") <= 1)).then(nw.col("e"))
        steps += [{"usable": usable}, {"h": 1 / nw.col("usable"), "w": nw.col("p") / nw.col("usable")}]
        steps += [{"u": _cut(query) - 1, "uw": nw.col("w") - 1}]
        steps += [{"ux": nw.col("u") * nw.col("x")}]
    if query.model is not None:
        left = nw.col("r") - nw.col("q")
        if query.stretch is not None:  # the row's own reward is left out of the mean that predicts it
            stretched = nw.col("k") * left
            own = nw.col("p") * (left - stretched)
            steps += [{"left": stretched, "base": nw.col("d") + own}]
        else:
            steps += [{"left": left, "base": nw.col("d")}]
        weighted = nw.col("base")
        if not query.direct:
            weighted = weighted + (nw.col("u") + 1) * nw.col("left")
        steps += [{"score": weighted - query.origin}]
    pairs = combinations_with_replacement(query.features, 2)
    return [*steps, {f"{a} {b}": nw.col(a) * nw.col(b) for a, b in pairs}]


def _cut(query: DecisionQuery) -> nw.Expr:
    """The weight as the estimator uses it."""
    import narwhals as nw

    w = nw.col("w")
    if query.cut == "none" or query.threshold is None:
        return w
    above = nw.lit(query.threshold if query.cut == "clip" else 0.0)
    return nw.when(w > query.threshold).then(above).otherwise(w)


def _summands(query: DecisionQuery) -> dict[str, nw.Expr]:
    """What is added up, by its name."""
    import narwhals as nw

    r, e, p = (nw.col(name) for name in ("r", "e", "p"))
    pairs = [f"{a} {b}" for a, b in combinations_with_replacement(query.features, 2)]
    sums = {name: nw.col(name) for name in (*query.features, *pairs)}
    sums |= {"gap reward": flag(_gap(r))}
    if query.order:
        sums |= {"r": r, "gap order": flag(nw.col("period").is_null())}
    if query.target is not None:
        sums |= {"gap target": flag(_gap(p)), "odd target": flag((p < 0) | (p > 1 + 1e-9))}
    if query.model is not None:
        sums |= {"gap model": flag(_gap(nw.col("q")) | _gap(nw.col("d")))}
    if query.propensity is not None:
        certain = nw.when(e == 1).then(1 - p).otherwise(nw.lit(0.0))
        nearest = (nw.col("h") + 0.5).floor()
        sums |= {"gap propensity": flag(_gap(e)), "low": flag(e <= 0), "high": flag(e > 1), "certain": certain}
        sums |= {"ones": flag(e == 1), "ties": flag((nw.col("h") - nearest).abs() < 1e-9)}
        sums |= {"uw": nw.col("uw"), "uw uw": nw.col("uw") * nw.col("uw"), "h": nw.col("h")}
        sums |= {"h h": nw.col("h") * nw.col("h"), "cut": flag(nw.col("u") != nw.col("uw"))}
        sums |= {"e": e, "e e": e * e} if query.order else {}
    sums |= {name: nw.col(name) for name in (f"share{i}" for i in range(len(query.shares)))}
    if query.shares:
        total = sum((nw.col(f"share{i}") for i in range(1, len(query.shares))), start=nw.col("share0"))
        odd = (total - 1).abs() > 1e-6
        sums |= {"odd total": flag(odd | total.is_null())}
    return sums


def _extremes(query: DecisionQuery) -> list[nw.Expr]:
    import narwhals as nw

    found = [nw.col("r").min().alias("smallest reward"), nw.col("r").max().alias("largest reward")]
    if query.propensity is not None:
        found += [nw.col("e").min().alias("smallest propensity"), nw.col("w").max().alias("largest weight")]
    return found


def _gap(value: nw.Expr) -> nw.Expr:
    """Null, nan or infinite."""
    return value.is_null() | ~value.is_finite()


def _target(query: DecisionQuery, schema: Schema) -> nw.Expr:
    import narwhals as nw

    if isinstance(query.target, str):
        return number(query.target, schema[query.target])
    if isinstance(query.target, Mapping):
        return _of_row(query.target, query, schema)
    return nw.lit(float(query.target or 0.0))


def _of_row(table: Table, query: DecisionQuery, schema: Schema) -> nw.Expr:
    """The entry of the row's own cell and arm."""
    return _of_cell({cell: _of_arm(arms, query, schema) for cell, arms in table.items()}, query, schema)


def _of_arm(arms: Mapping[str, float | str], query: DecisionQuery, schema: Schema) -> nw.Expr:
    import narwhals as nw

    rest = nw.lit(0.0)
    for arm, value in arms.items():
        known = parse(arm, schema[query.arm])
        if known is not None and value != 0:
            rest = nw.when(nw.col(query.arm) == nw.lit(known)).then(_entry(value, schema)).otherwise(rest)
    return rest


def _of_cell(exprs: Mapping[Cell, nw.Expr], query: DecisionQuery, schema: Schema) -> nw.Expr:
    import narwhals as nw

    if () in exprs:
        return exprs[()]
    rest = nw.lit(None, dtype=nw.Float64)
    for cell, expr in exprs.items():
        rest = nw.when(_is_cell(cell, query, schema)).then(expr).otherwise(rest)
    return rest


def _is_cell(cell: Cell, query: DecisionQuery, schema: Schema) -> nw.Expr:
    import narwhals as nw

    conditions = []
    for column, label in zip(query.by, cell, strict=True):
        value = parse(label, schema[column])
        missing = label == NO_SEGMENT or value is None
        conditions.append(nw.col(column).is_null() if missing else nw.col(column) == nw.lit(value))
    return nw.all_horizontal(*conditions, ignore_nulls=False)


def _direct(query: DecisionQuery, schema: Schema) -> nw.Expr:
    """The reward that the model predicts of the target: over all arms, not that of the row only."""
    import narwhals as nw

    target, model = query.target, query.model or {}
    if not isinstance(target, Mapping):
        raise DataError("a model needs the target's probability of every arm.")
    sums = {}
    for cell in dict.fromkeys((*target, *model)):
        shares, values = target.get(cell, target.get((), {})), model.get(cell, model.get((), {}))
        terms = [
            _entry(share, schema) * _entry(values.get(arm, np.nan), schema)
            for arm, share in shares.items()
            if share != 0
        ]
        sums[cell] = sum(terms[1:], start=terms[0]) if terms else nw.lit(0.0)
    if len(sums) > 1:
        sums.pop((), None)
    return _of_cell(sums, query, schema)


def _entry(value: float | str, schema: Schema) -> nw.Expr:
    import narwhals as nw

    return number(value, schema[value]) if isinstance(value, str) else nw.lit(float(value))
