"""How a log of requests that several releases answered is laid out, what it lacks, and what is said of that."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from abkit.adapters._frames import collect
from abkit.adapters._profile import (
    Label,
    Profile,
    check_columns,
    check_names,
    count_rows,
    find_labels,
    is_missing,
    keep_rows,
)
from abkit.adapters._query import flag
from abkit.errors import DataError
from abkit.logs import Request, Variable
from abkit.types import ROWS

if TYPE_CHECKING:
    import narwhals as nw

    Frame = nw.LazyFrame[Any]
    Schema = dict[str, nw.dtypes.DType]


@dataclass(frozen=True, slots=True)
class SideLog:
    """A log of pairs, and how its columns are called: one name a measured column and release."""

    frame: Frame
    schema: Schema
    request: Request
    labels: list[Label]

    @property
    def wide(self) -> bool:
        """Whether a row has the values of every release."""
        return bool(self.request.sides and self.request.sides.suffixes)

    @property
    def codes(self) -> range:
        """The releases, the control first."""
        return range(len(self.labels))

    @property
    def measured(self) -> list[str]:
        """The columns of the metrics, once."""
        blocks = self.request.blocks
        return list(dict.fromkeys(v.column for block in blocks for v in block.variables if v.column != ROWS))

    def source(self, column: str, code: int) -> str:
        """The log's own column with the values of a release."""
        suffixes = self.request.sides.suffixes if self.request.sides else None
        return f"{column}{suffixes[self.labels[code].name]}" if suffixes else column

    def name(self, column: str, code: int) -> str:
        """What that column is called in the row of a pair."""
        return f"x{self.measured.index(column)}s{code}"

    def compared(self, column: str) -> bool:
        """Whether no metric needs it as a number."""
        needed = [b for b in self.request.blocks if any(v.column == column for v in b.variables)]
        return all(block.compare is not None for block in needed)


def of_rows(request: Request) -> Request:
    """The request as it is asked of rows: the metrics that need numbers, of every release's column."""
    suffixes = request.sides.suffixes if request.sides else None
    endings = list(suffixes.values()) if suffixes else [""]
    blocks = tuple(
        replace(block, variables=tuple(_renamed(v, ending) for v in block.variables for ending in endings))
        for block in request.blocks
        if block.compare is None
    )
    return replace(request, blocks=blocks, sides=None)


def _renamed(variable: Variable, ending: str) -> Variable:
    return variable if variable.column == ROWS else replace(variable, column=f"{variable.column}{ending}")


def profile_of(log: SideLog, *clock: str) -> tuple[Profile, int]:
    """Counts of rows and of values that are missing, and of rows in which a release changed something."""
    rows = of_rows(log.request)
    check_columns(log.schema, rows)
    profile, found = count_rows(log.frame, log.schema, rows, *clock), _more_counts(log)
    missing = {name.removeprefix("null "): lost for name, lost in found.items() if name.startswith("null ") and lost}
    unplaced = profile.without_unit + found.get("without_cluster", 0)
    return replace(profile, missing=profile.missing | missing, without_unit=unplaced), found.get("side_effects", 0)


def _more_counts(log: SideLog) -> dict[str, int]:
    """How many rows lack an answer, by column; lack a cluster; and have a side effect."""
    import narwhals as nw

    schema, sides = log.schema, log.request.sides
    compared = [block.variables[0].column for block in log.request.blocks if block.compare is not None]
    counts: dict[str, nw.Expr] = {}
    for column in dict.fromkeys(log.source(c, code) for c in compared for code in log.codes):
        _refuse_kind(column, schema[column])
        counts[f"null {column}"] = value_of(column, schema[column]).is_null()
    if sides and sides.cluster:
        counts["without_cluster"] = is_missing(schema, sides.cluster)
    if sides and sides.side_effect:
        if not (schema[sides.side_effect].is_boolean() or schema[sides.side_effect].is_numeric()):
            raise DataError(
                f"`side_effect` must name a column of booleans or of 0 and 1; `{sides.side_effect}` is not."
            )
        effect = nw.col(sides.side_effect)
        counts["side_effects"] = effect if schema[sides.side_effect].is_boolean() else effect != 0
    if not counts:
        return {}
    kept = log.frame.filter(keep_rows(schema, of_rows(log.request)))
    found = collect(kept.select(*(flag(condition).sum().alias(name) for name, condition in counts.items())))[0]
    return {name: int(value or 0) for name, value in found.items()}


def open_sides(frame: Frame, schema: Schema, request: Request) -> SideLog:
    """The log with its releases, the control first."""
    import narwhals as nw

    check_names(schema, request)
    suffixes = request.sides.suffixes if request.sides else None
    if suffixes is None:
        return SideLog(frame, schema, request, find_labels(frame, schema, request))
    marker = "(release)"
    labels = [Label(name, None) for name in (request.control, *(n for n in suffixes if n != request.control))]
    wide = replace(request, variant=marker)
    return SideLog(frame.with_columns(nw.lit("all").alias(marker)), {**schema, marker: nw.String()}, wide, labels)


def _refuse_kind(column: str, dtype: nw.dtypes.DType) -> None:
    text = str(dtype)
    if dtype.is_nested() or text in ("Object", "Unknown"):
        raise DataError(
            f"the column `{column}` holds {text} values, which are not compared; log them as text, such as JSON."
        )


def value_of(column: str, dtype: nw.dtypes.DType) -> nw.Expr:
    """A column in which what is missing is null, and categories are text."""
    import narwhals as nw

    value = nw.col(column)
    if dtype.is_boolean():
        return nw.when(~value.is_null()).then(nw.when(value).then(nw.lit(1)).otherwise(nw.lit(0)))
    if dtype.is_float():
        return nw.when(value.is_finite()).then(value)
    return value.cast(nw.String) if "Categorical" in str(dtype) or "Enum" in str(dtype) else value


def notes_of(log: SideLog, profile: Profile) -> tuple[str, ...]:
    """What became of values that are missing, and are not noted under the metric's own column."""
    compared = {
        "error": "one that only one release lacks counts as a difference",
        "zero": "one that only one release lacks counts as a difference, one that both lack as none",
        "drop": "these requests are left out of it",
    }
    measured = {"drop": "these requests are left out of it", "zero": "they count as zero"}
    found = []
    for block in log.request.blocks:
        sources = dict.fromkeys(log.source(v.column, code) for v in block.variables for code in log.codes)
        lost = [f"`{column}` in {profile.missing[column]:,} rows" for column in sources if column in profile.missing]
        if lost and (log.wide or block.compare is not None):
            said = (compared if block.compare else measured)[block.missing]
            found.append(f"`{block.metric}` lacks values, {' and '.join(lost)}; {said}")
    return tuple(found)
