"""Fifty million logged decisions in one Parquet file: every estimator, its time and the largest memory.

    python benchmarks/off_policy.py [rows]

Beside it the same arithmetic by hand in NumPy, as libraries of off-policy evaluation do it, on columns in memory.
"""

import resource
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import numpy as np

import abkit as ab

TARGET = {str(i): (20 - i) / 210 for i in range(20)}


def write(path: str, rows: int) -> None:
    """Twenty arms, of which a log of three positions chooses each with its own probability; 1 in 200 is a click."""
    duckdb.sql(
        f"""
        copy (
            select arm, position, ((arm + position) % 20 + 1) / 210 as propensity,
                (hash(i, 3) % 10000 < 30 + 2 * arm)::int as reward
            from (
                select i, (hash(i, 1) % 3)::int as position,
                    ((floor((sqrt(8.0 * (hash(i, 2) % 210) + 1) - 1) / 2)::int + 20 - position) % 20)::int as arm
                from range({rows}) t(i)
            )
        ) to '{path}' (format parquet)
        """
    )


def by_hand(path: str) -> tuple[float, float]:
    """Reading and two estimates."""
    columns = duckdb.sql(f"select arm, reward, propensity from '{path}'").fetchnumpy()
    shares = np.array(list(TARGET.values()))
    w = shares[columns["arm"]] / columns["propensity"]
    scores = w * columns["reward"]
    return float(scores.mean()), float(scores.std(ddof=1) / np.sqrt(len(scores)))


def memory() -> float:
    """Largest resident memory so far, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000_000
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "log.parquet")
        start = time.perf_counter()
        write(path, rows)
        size = Path(path).stat().st_size / 1e9
        print(f"{rows:,} rows, {size:.2f} GB, written in {time.perf_counter() - start:.1f} s; {memory():.2f} GB so far")
        for method in ("ips", "snips", "dm", "dr", "clipped", "switch-dr"):
            start = time.perf_counter()
            cut = {"threshold": 10.0} if method in ("clipped", "switch-dr") else {}
            result = ab.bandits.evaluate(path, TARGET, method, by="position", **cut)
            took = time.perf_counter() - start
            print(f"{method:10} {took:6.1f} s  {result.value:.7f} +- {result.stderr:.7f}  {memory():.2f} GB so far")
        start = time.perf_counter()
        value, stderr = by_hand(path)
        took = time.perf_counter() - start
        print(f"{'by hand':10} {took:6.1f} s  {value:.7f} +- {stderr:.7f}  {memory():.2f} GB so far (ips only)")


if __name__ == "__main__":
    main()
