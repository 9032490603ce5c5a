"""Blocks of rows into a pandas DataFrame, or one by one into a Parquet file."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from abkit.adapters._progress import progress

if TYPE_CHECKING:
    import pandas as pd

MEMORY = "512MB"
Block = Mapping[str, Any]
CREATE, APPEND = "create table log as select * from block", "insert into log select * from block"


def frame_of(blocks: Iterable[Block], count: int) -> pd.DataFrame:
    """All blocks in memory."""
    with progress("drawing the log") as tell:
        parts = list(_told(blocks, count, tell))
        return _frame({name: _joined([part[name] for part in parts]) for name in parts[0]})


def write_parquet(path: str, blocks: Iterable[Block], count: int) -> None:
    """Stream the blocks through DuckDB's storage into one file; only one of them is in memory."""
    import duckdb

    target = Path(path)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        drawn, made = Path(folder) / "log.duckdb", Path(folder) / "log.parquet"
        with duckdb.connect(str(drawn), config={"memory_limit": MEMORY}) as connection:
            with progress("drawing the log") as tell:
                for number, block in enumerate(_told(blocks, count, tell)):
                    connection.register("block", _frame(block))
                    connection.execute(APPEND if number else CREATE)
                    connection.unregister("block")
            with progress("writing the log"):
                connection.execute(f"copy log to '{_quoted(made)}' (format parquet)")
        made.replace(target)


def _told(blocks: Iterable[Block], count: int, tell: Callable[[float], None]) -> Iterator[Block]:
    """The blocks, each announced once it is drawn."""
    for number, block in enumerate(blocks, 1):
        tell(number / count)
        yield block


def _frame(columns: Block) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame({name: _series(values) for name, values in columns.items()}, copy=False)


def _series(values: Any) -> Any:
    import pandas as pd

    if not hasattr(values, "codes"):
        return values
    return pd.Categorical.from_codes(values.codes, categories=pd.Index(values.names))


def _joined(parts: list[Any]) -> Any:
    if len(parts) == 1:
        return parts[0]
    if hasattr(parts[0], "codes"):
        return type(parts[0])(np.concatenate([part.codes for part in parts]), parts[0].names)
    return np.concatenate(parts)


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
