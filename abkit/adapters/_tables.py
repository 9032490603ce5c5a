"""Results as tables of other libraries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def to_pandas(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """A DataFrame of the rows; undefined numbers are NaN."""
    import pandas as pd

    return pd.DataFrame(rows)


def to_pandas_columns(columns: dict[str, Any]) -> pd.DataFrame:
    """A DataFrame of the columns."""
    import pandas as pd

    return pd.DataFrame(columns)
