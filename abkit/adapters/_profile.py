"""A first look at a log: its columns' types, its variants, and how many values are missing or not finite."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from abkit import _check
from abkit.adapters._frames import collect, distinct
from abkit.errors import DataError
from abkit.logs import Request, label_name
from abkit.types import ROWS

if TYPE_CHECKING:
    import narwhals as nw

MOST_VARIANTS = 100
ROWS_FOR_SHIFT = 10_000


@dataclass(frozen=True, slots=True)
class Label:
    """A variant by its name in the plan and by its value in the log."""

    name: str
    value: Any


@dataclass(frozen=True, slots=True)
class Profile:
    """Counts of rows: all of them, what the filters drop, and values that are missing in what they keep.

    `ends` are the first and last time of the rows that are kept, as the clock counts.
    """

    rows: int
    without_unit: int
    without_variant: int
    without_key: int
    not_exposed: int
    missing: dict[str, int]
    without_time: int = 0
    ends: tuple[int, int] | None = None


def check_columns(schema: dict[str, nw.dtypes.DType], request: Request) -> None:
    """Every column must be there, and what is measured must be a number."""
    check_names(schema, request)
    for block in request.blocks:
        for column in (column for variable in block.variables for column in variable.columns):
            dtype = schema.get(column)
            if dtype is not None and not (dtype.is_numeric() or dtype.is_boolean()):
                raise DataError(
                    f"the metric `{block.metric}` needs numbers, and the column `{column}` holds "
                    f"{_kind(dtype)}; convert it or measure another column."
                )
    if request.exposure:
        dtype = schema[request.exposure]
        if not (dtype.is_boolean() or dtype.is_integer()):
            raise DataError(f"`exposure` must name a column of booleans or of 0 and 1; `{request.exposure}` is not.")


def check_names(schema: dict[str, nw.dtypes.DType], request: Request) -> None:
    """Every column must be there, under a name that engines take as it is."""
    if ROWS in schema:
        raise DataError(f"the log has a column named {ROWS}, which stands for the number of rows; rename it.")
    for column in request.columns():
        if column in ("*", "**") or (column.startswith("^") and column.endswith("$")):
            raise DataError(f"the column {column!r} has a name that engines take for a pattern; rename it.")
        if column != ROWS and column not in schema:
            hint = _check.suggest(column, schema)
            raise DataError(f"the log has no column `{column}`; it has {', '.join(sorted(schema))}.{hint}")


def find_labels(frame: nw.LazyFrame[Any], schema: dict[str, nw.dtypes.DType], request: Request) -> list[Label]:
    """The variants to compare, the control first: those that the plan names, else those that the log holds."""
    if request.labels is None:
        found = _distinct(frame, schema, request)
        control = parse(request.control, schema[request.variant])
        names = sorted(name for name, value in found.items() if value != control)
        if len(names) == len(found):
            listed = ", ".join(map(repr, names)) or "none at all"
            hint = _check.suggest(request.control, names)
            raise DataError(
                f"the log has no control {request.control!r} in `{request.variant}`; it has {listed}.{hint}"
            )
        if not names:
            raise DataError(f"the log has one variant only, {request.control!r}; nothing can be compared.")
        return [Label(request.control, control), *(Label(name, found[name]) for name in names)]
    others = [name for name in request.labels if name != request.control]
    return [Label(name, parse(name, schema[request.variant])) for name in (request.control, *others)]


def count_rows(
    frame: nw.LazyFrame[Any], schema: dict[str, nw.dtypes.DType], request: Request, clock: str | None = None
) -> Profile:
    """Count what is dropped, and what is missing among the rows that are kept; `clock` is a column of whole numbers."""
    import narwhals as nw

    measured = list(dict.fromkeys(c for b in request.blocks for v in b.variables for c in v.columns if c != ROWS))
    binary = {v.column for b in request.blocks for v in b.variables if v.binary and not schema[v.column].is_boolean()}
    kept = keep_rows(schema, request)
    drops = dropped(schema, request)

    def looks(columns: Iterable[str]) -> list[nw.Expr]:
        counts = [(nw.len() - nw.col(c).count()).alias(f"null {c}") for c in columns]
        floats = [c for c in columns if schema[c].is_float()]
        # not is_nan: DuckDB 2.0 believes a Parquet file's minimum and maximum that there is none
        counts += [
            _count(~nw.col(c).is_finite() & ~nw.col(c).is_null() & ~_infinite(c)).alias(f"nan {c}") for c in floats
        ]
        counts += [_count(_infinite(c)).alias(f"infinite {c}") for c in floats]
        numbers = [c for c in columns if c in binary]
        return counts + [_count((nw.col(c) != 0) & (nw.col(c) != 1)).alias(f"other {c}") for c in numbers]

    if request.exposure and not schema[request.exposure].is_boolean():
        exposed = nw.col(request.exposure)
        drops["odd_exposure"] = (exposed != 0) & (exposed != 1)
    everything = [nw.len().alias("rows"), *(_count(drop).alias(name) for name, drop in drops.items())]
    if clock is not None:
        everything += _times(clock, kept)
    found = collect(frame.select(*everything, *looks(measured)))[0]
    counts = {key: int(value or 0) for key, value in found.items()}
    troubled = [c for c in measured if any(counts.get(f"{kind} {c}") for kind in ("null", "nan", "infinite", "other"))]
    if troubled and any(counts[name] for name in drops):
        precise = collect(frame.filter(kept).select(*looks(troubled)))[0]
        counts |= {key: int(value or 0) for key, value in precise.items()}
    _refuse_nothing_kept(counts, request)
    _refuse_values(counts, troubled)
    missing = {c: counts[f"null {c}"] + counts.get(f"nan {c}", 0) for c in troubled}
    return Profile(
        counts["rows"],
        counts.get("without_unit", 0),
        counts["without_variant"],
        counts.get("without_key", 0),
        counts.get("not_exposed", 0),
        {column: rows for column, rows in missing.items() if rows},
        counts.get("without_time", 0),
        None if found.get("first") is None else (counts["first"], counts["last"]),
    )


def _times(clock: str, kept: nw.Expr) -> list[nw.Expr]:
    import narwhals as nw

    time = nw.when(kept).then(nw.col(clock))
    return [
        time.min().alias("first"),
        time.max().alias("last"),
        _count(kept & nw.col(clock).is_null()).alias("without_time"),
    ]


def dropped(schema: dict[str, nw.dtypes.DType], request: Request) -> dict[str, nw.Expr]:
    """The rows that are left out, by the reason for it."""
    import narwhals as nw

    drops = {"without_variant": is_missing(schema, request.variant)}
    if request.unit != ROWS:
        drops = {
            "without_unit": is_missing(schema, request.unit),
            "without_variant": ~is_missing(schema, request.unit) & is_missing(schema, request.variant),
        }
    if request.key:
        drops["without_key"] = nw.any_horizontal(*(is_missing(schema, c) for c in request.key), ignore_nulls=False)
    if request.exposure:
        drops["not_exposed"] = ~_exposed(schema, request.exposure)
    return drops


def refuse_missing(profile: Profile, request: Request) -> None:
    """A null outcome is an error until the plan says what it means."""
    for block in request.blocks:
        for column in (column for variable in block.variables for column in variable.columns):
            rows = profile.missing.get(column, 0)
            if rows and block.missing == "error":
                raise DataError(
                    f"the column `{column}` of the metric `{block.metric}` is null or nan in {rows:,} of "
                    f"{profile.rows:,} rows; say what that means with `missing`: drop (leave these rows out of the "
                    "metric), zero (count them as 0), or error (as now)."
                )


def keep_rows(schema: dict[str, nw.dtypes.DType], request: Request) -> nw.Expr:
    """The rows that have a unit, a variant and every key, and were exposed."""
    kept = ~is_missing(schema, request.variant)
    for column in (*request.key, *([request.unit] if request.unit != ROWS else [])):
        kept = kept & ~is_missing(schema, column)
    return kept & _exposed(schema, request.exposure) if request.exposure else kept


def is_missing(schema: dict[str, nw.dtypes.DType], column: str) -> nw.Expr:
    """Null, or nan: engines differ in which of the two a gap is."""
    import narwhals as nw

    null = nw.col(column).is_null()
    return null | ~nw.col(column).is_finite() if schema[column].is_float() else null


def shifts(frame: nw.LazyFrame[Any], columns: list[str]) -> dict[str, float]:
    """A round number near each column's mean, where the mean is far from zero for its spread, else 0.

    Sums of squares of what is left keep their digits, and whole numbers stay whole.
    """
    import narwhals as nw

    if not columns:
        return {}
    head = frame.head(ROWS_FOR_SHIFT)
    means = [nw.col(c).mean().alias(f"mean {c}") for c in columns]
    spreads = [nw.col(c).std().alias(f"std {c}") for c in columns]
    row = collect(head.select(*means, *spreads))[0]
    return {c: round_center(row[f"mean {c}"], row[f"std {c}"]) for c in columns}


def round_center(mean: float | None, spread: float | None) -> float:
    """The mean rounded to a power of two of about the spread; 0 where the mean is within three spreads of 0."""
    if mean is None or not math.isfinite(mean):
        return 0.0
    spread = spread if spread is not None and math.isfinite(spread) else 0.0
    if abs(mean) <= 3 * spread:
        return 0.0
    if spread <= abs(mean) * 2**-50:
        return float(mean)
    unit = 2.0 ** math.floor(math.log2(spread))
    return round(mean / unit) * unit


def _distinct(frame: nw.LazyFrame[Any], schema: dict[str, nw.dtypes.DType], request: Request) -> dict[str, Any]:
    import narwhals as nw

    rows = frame.filter(keep_rows(schema, request)).select(nw.col(request.variant).alias("v"))
    values = [row["v"] for row in collect(distinct(rows).head(MOST_VARIANTS + 1))]
    if len(values) > MOST_VARIANTS:
        raise DataError(
            f"the column `{request.variant}` has more than {MOST_VARIANTS} different values; is it the variant?"
        )
    return {label_name(value): value for value in values}


def parse(name: str, dtype: nw.dtypes.DType) -> Any:
    """A variant's name as a value of the column's type; None where it cannot be one."""
    if dtype.is_boolean():
        return {"true": True, "false": False, "1": True, "0": False}.get(name.lower())
    if not (dtype.is_numeric() or dtype.is_temporal()):
        return name
    read: Callable[[str], Any] = date.fromisoformat if dtype.is_temporal() else float
    try:
        return (int if dtype.is_integer() else read)({"true": "1", "false": "0"}.get(name, name))
    except ValueError:
        return None


def _refuse_nothing_kept(counts: dict[str, int], request: Request) -> None:
    if counts["rows"] == 0:
        raise DataError("the log has no rows; nothing can be compared.")
    if counts.get("odd_exposure"):
        raise DataError(
            f"`exposure` must name a column of booleans or of 0 and 1; `{request.exposure}` is neither 0 nor 1 in "
            f"{counts['odd_exposure']:,} of {counts['rows']:,} rows."
        )
    reasons = {
        "without_unit": f"the unit `{request.unit}` is null",
        "without_variant": f"the variant `{request.variant}` is null",
        "without_key": f"a key ({', '.join(f'`{column}`' for column in request.key)}) is null",
        "not_exposed": f"`{request.exposure}` is not true",
    }
    for name, reason in reasons.items():
        if counts.get(name) == counts["rows"]:
            raise DataError(f"{reason} in all of {counts['rows']:,} rows; nothing is left to compare.")


def _refuse_values(counts: dict[str, int], columns: list[str]) -> None:
    for column in columns:
        if counts.get(f"infinite {column}"):
            raise DataError(
                f"the column `{column}` is infinite in {counts[f'infinite {column}']:,} of {counts['rows']:,} rows; "
                "correct the log, or make them null and say what that means with `missing`."
            )
        if counts.get(f"other {column}"):
            raise DataError(
                f"the column `{column}` of a proportion must be 0 or 1; {counts[f'other {column}']:,} of "
                f"{counts['rows']:,} rows are not. Use a mean for other numbers."
            )


def _exposed(schema: dict[str, nw.dtypes.DType], column: str) -> nw.Expr:
    import narwhals as nw

    yes = nw.col(column) if schema[column].is_boolean() else nw.col(column) != 0
    return nw.when(yes).then(nw.lit(1)).otherwise(nw.lit(0)) == 1


def _infinite(column: str) -> nw.Expr:
    import narwhals as nw

    return ((nw.col(column) == math.inf) | (nw.col(column) == -math.inf)) & ~nw.col(column).is_null()


def _count(condition: nw.Expr) -> nw.Expr:
    import narwhals as nw

    return nw.when(condition).then(nw.lit(1)).otherwise(nw.lit(0)).sum()


def _kind(dtype: nw.dtypes.DType) -> str:
    if dtype.is_temporal():
        return "times"
    return "text" if str(dtype) in ("String", "Categorical", "Enum") or "Enum" in str(dtype) else f"{dtype} values"
