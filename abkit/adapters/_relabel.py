"""A log with its variants drawn anew, unit by unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from abkit.adapters._frames import engine_errors, open_log
from abkit.adapters._progress import progress
from abkit.errors import DataError
from abkit.logs import Request, label_name
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


def read_unlabelled(log: object, request: Request) -> UnlabelledLog:
    """Read a log into memory; the variants that it holds, if it holds any, only tell their names."""
    wanted = tuple(column for column in request.columns() if column not in (ROWS, request.variant))
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
    if request.unit == ROWS:
        return UnlabelledLog(rows, np.arange(len(rows)), len(rows), request.variant, labels)
    codes, units = rows[request.unit].factorize()
    # a row without a unit is left out by the analysis, whatever its label
    return UnlabelledLog(rows, np.where(codes < 0, 0, codes), max(len(units), 1), request.variant, labels)


def _to_pandas(frame: Any) -> pd.DataFrame:
    if frame.implementation.is_duckdb():
        return frame.to_native().df()  # type: ignore[no-any-return]
    return frame.collect(backend="pandas").to_native()  # type: ignore[no-any-return]
