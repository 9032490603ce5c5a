"""One log in several engines: the same plan, the same numbers, the same bytes of the decision.

    python examples/engines.py

pandas and DuckDB come with abkit; Polars and PyArrow are tried where they are installed. Ibis, PySpark and Dask
frames are read in the same way.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

import abkit as ab

try:
    import polars as pl
except ImportError:
    pl = None
try:
    import pyarrow as pa
except ImportError:
    pa = None

PLAN = ab.Experiment(
    unit="user",
    variant="variant",
    control="control",
    allocation={"control": 1, "new ranking": 1},
    metrics={
        "clicks per view": ab.Ratio("clicks", "views"),
        "revenue": ab.Mean("revenue", role="deterioration", cap=ab.Cap(quantile=0.999)),
    },
)


def simulate(rng: np.random.Generator, users: int = 5_000) -> pd.DataFrame:
    """One row a day, ten days a user."""
    user = np.repeat(np.arange(users), 10)
    new = (user % 2).astype(bool)
    views = 1 + rng.poisson(8.0, user.size)
    return pd.DataFrame(
        {
            "user": user,
            "variant": np.where(new, "new ranking", "control"),
            "views": views,
            "clicks": rng.binomial(views, np.where(new, 0.105, 0.1)),
            "revenue": rng.gamma(0.2, 5.0, user.size).round(2),
        }
    )


def logs(frame: pd.DataFrame, folder: Path) -> Iterator[tuple[str, object]]:
    """The same rows as each engine holds them."""
    yield "pandas", frame
    relation = duckdb.from_df(frame)
    yield "DuckDB relation", relation
    relation.write_parquet(str(folder / "log.parquet"))
    yield "Parquet file", folder / "log.parquet"
    relation.write_csv(str(folder / "log.csv"))
    yield "CSV file", folder / "log.csv"
    if pa:
        yield "PyArrow", pa.Table.from_pandas(frame)
    if pl:
        yield "Polars", pl.read_parquet(folder / "log.parquet")
        yield "Polars, lazy", pl.scan_parquet(folder / "log.parquet")


def main() -> None:
    """One line an engine."""
    frame = simulate(np.random.default_rng(11))
    print(f"{'engine':<18}{'clicks per view':>16}  {'95% interval':<22}{'verdict':<9} decision")
    with tempfile.TemporaryDirectory() as folder:
        for engine, log in logs(frame, Path(folder)):
            report = PLAN.analyze(log)
            result = report.result("clicks per view")
            low, high = result.interval(0.95)
            decision = ab.decide(PLAN, report)
            row = f"{engine:<18}{result.estimate:>+16.5f}  [{low:+.5f}, {high:+.5f}]  "
            print(f"{row}{decision.verdict:<9} {decision.decision_id[:12]}")


if __name__ == "__main__":
    main()
