"""A log with its variants drawn anew, unit by unit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from abkit._check import Float64Array
from abkit.adapters._clock import make_clock
from abkit.adapters._frames import engine_errors, open_log
from abkit.adapters._profile import Label
from abkit.adapters._progress import progress
from abkit.adapters._trajectory import Arrivals, arrivals, refuse_metrics, timed_rows
from abkit.errors import DataError
from abkit.logs import Request, TimedStatistics, label_name
from abkit.types import ROWS

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class UnlabelledLog:
    """The columns that a plan reads, in memory, and the number of the unit that each row belongs to."""

    rows: pd.DataFrame
    unit_of_row: npt.NDArray[np.intp]
    units: int
    variant: str
    labels: tuple[str, ...]

    def labelled(self, label_of_unit: npt.NDArray[np.intp]) -> pd.DataFrame:
        """The log with the variants of the numbers given, one a unit."""
        names = np.array(self.labels, dtype=object)
        return self.rows.assign(**{self.variant: names[label_of_unit[self.unit_of_row]]})


@dataclass(frozen=True)
class UnitArrivals:
    """What each unit adds to the sums of its variant at each look, so that another variant costs no query."""

    of_units: Arrivals
    unit: npt.NDArray[np.intp]
    look: npt.NDArray[np.intp]
    sums: dict[str, Float64Array]
    labels: tuple[str, ...]

    def labelled(self, label_of_unit: npt.NDArray[np.intp]) -> TimedStatistics:
        """The statistics at every look with the variants of the numbers given, one a unit."""
        looks = self.of_units.calendar.count + 2
        cell = label_of_unit[self.unit] * looks + self.look
        totals = {name: np.bincount(cell, values, len(self.labels) * looks) for name, values in self.sums.items()}
        rows = [
            {"low": i // looks, "high": i // looks, "look": i % looks} | {name: t[i] for name, t in totals.items()}
            for i in np.unique(cell).tolist()
        ]
        query = replace(self.of_units.query, labels=[Label(name, name) for name in self.labels])
        return replace(self.of_units, query=query, rows=rows).timed()


def read_arrivals(log: UnlabelledLog, request: Request, time: str, every: object, window: object) -> UnitArrivals:
    """Each unit as a variant of its own, through the queries of a trajectory."""
    import narwhals as nw

    lost = log.rows[request.unit].isna() if request.unit != ROWS else False
    request = replace(request, segments=(), labels=(request.control,), unit=_free(log.rows, "unit"))
    refuse_metrics(request, window)
    number = np.where(lost, np.nan, log.unit_of_row)
    rows = log.rows.copy(deep=False)
    rows[request.unit], rows[request.variant] = number, request.control
    with engine_errors(rows, request.columns()), progress("reading the log"), open_log(rows, ()) as frame:
        clock = make_clock(dict(frame.collect_schema()), time, every, window)
        query, calendar = timed_rows(frame, request, clock, None)
        of_unit = nw.when(~nw.col("code").is_null()).then(nw.col("unit").cast(nw.Int64))
        found = arrivals(replace(query, rows=query.rows.with_columns(code=of_unit)), calendar)
    return _columns(found, log.labels)


def _columns(found: Arrivals, labels: tuple[str, ...]) -> UnitArrivals:
    rows = [row for row in found.rows if row["low"] is not None]  # else all rows of the unit contradict others
    names = [name for name in rows[0] if name not in ("low", "high", "look")]
    sums = {name: np.array([row[name] or 0 for row in rows], dtype=np.float64) for name in names}
    unit, look = (np.array([row[name] for row in rows], dtype=np.intp) for name in ("low", "look"))
    return UnitArrivals(replace(found, rows=[]), unit, look, sums, labels)


def _free(rows: pd.DataFrame, wanted: str) -> str:
    """A name that no column has."""
    while wanted in map(str.lower, rows.columns):
        wanted += "_"
    return wanted


def read_unlabelled(log: object, request: Request, also: tuple[str, ...] = ()) -> UnlabelledLog:
    """Read a log into memory; the variants that it holds, if it holds any, only tell their names.

    `also` names columns that are read besides what the request asks.
    """
    asked = tuple(column for column in request.columns() if column not in (ROWS, request.variant))
    wanted = tuple(dict.fromkeys((*asked, *also)))
    with engine_errors(log, wanted), progress("reading the log"), open_log(log, wanted) as frame:
        schema = frame.collect_schema()
        missing = [column for column in wanted if column not in schema]
        if missing:
            raise DataError(f"the log has no column `{missing[0]}`; it has {', '.join(sorted(schema))}.")
        labelled = request.labels is None and request.variant in schema
        rows = _to_pandas(frame.select(*wanted, *([request.variant] * labelled)))
    labels = request.labels
    if labels is None:
        found = {label_name(value) for value in rows.pop(request.variant).dropna().unique()} if labelled else set()
        labels = (request.control, *sorted(found - {request.control})) if len(found) > 1 else (request.control, "other")
    # a row without a unit or a key is left out by the analysis, whatever its label
    codes = np.maximum(_units(rows, request), 0)
    return UnlabelledLog(rows, codes, int(codes.max(initial=0)) + 1, request.variant, labels)


def _units(rows: pd.DataFrame, request: Request) -> npt.NDArray[np.intp]:
    """The number of each row's unit, -1 where it has none; of rows as units the duplicates are one."""
    if request.unit != ROWS:
        return np.asarray(rows[request.unit].factorize()[0], dtype=np.intp)
    if request.key:
        groups = rows.groupby(list(request.key), sort=False).ngroup()
        return np.asarray(groups.fillna(-1), dtype=np.intp)
    return np.arange(len(rows), dtype=np.intp)


def _to_pandas(frame: Any) -> pd.DataFrame:
    if frame.implementation.is_duckdb():
        return frame.to_native().df()  # type: ignore[no-any-return]
    return frame.collect(backend="pandas").to_native()  # type: ignore[no-any-return]
