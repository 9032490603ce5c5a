"""A decision on statistics of four metrics, beside SciPy's Welch test of one of them; and end to end from a CSV file.

python benchmarks/decide.py [repeats]
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

import abkit as ab

METRICS = {
    "revenue": ab.Mean("revenue"),
    "orders": ab.Mean("orders", role="guardrail", margin=ab.relative(0.05)),
    "errors": ab.Proportion("errors", role="guardrail", direction="decrease", margin=0.01),
    "latency": ab.Mean("latency", role="deterioration", direction="decrease"),
}
MONITORS = (ab.FixedHorizon(), ab.GroupSequential(looks=4, units=40_000), ab.AnytimeValid())


def plan(monitor: ab.FixedHorizon | ab.GroupSequential | ab.AnytimeValid) -> ab.Experiment:
    allocation = {"control": 1, "new": 1}
    return ab.Experiment("unit", "variant", "control", METRICS, monitor, allocation)


def sums(n: int, revenue: float) -> dict[str, object]:
    return {
        "revenue": ab.Moments(n, revenue, n * 25.0),
        "orders": ab.Moments(n, 2.0, n * 2.0),
        "errors": ab.Counts(n, n // 100),
        "latency": ab.Moments(n, 100.0, n * 400.0),
    }


def milliseconds(run: Callable[[], object], repeats: int) -> tuple[float, float]:
    """The fastest, which other work on the machine disturbs least, and the median."""
    run()
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        taken.append(1e3 * (time.perf_counter() - start))
    return min(taken), float(np.median(taken))


def log_file(folder: Path, rows: int = 100_000) -> Path:
    rng = np.random.default_rng(1)
    columns = {"revenue": rng.normal(10, 5, rows), "orders": rng.poisson(2, rows), "latency": rng.normal(100, 20, rows)}
    variant = np.where(rng.random(rows) < 0.5, "control", "new")
    log = pd.DataFrame({"unit": np.arange(rows), "variant": variant, **columns, "errors": rng.binomial(1, 0.01, rows)})
    log.to_parquet(folder / "log.parquet")
    return folder / "log.parquet"


def main() -> None:
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    log = {"control": sums(10_000, 10.0), "new": sums(10_020, 10.5)}
    peer = milliseconds(
        lambda: stats.ttest_ind_from_stats(10.0, 5.0, 10_000, 10.5, 5.0, 10_020, equal_var=False), repeats
    )
    print(json.dumps({"what": "SciPy Welch test", "fastest_ms": peer[0], "median_ms": peer[1]}))
    for monitor in MONITORS:
        asked = plan(monitor)
        fastest, median = milliseconds(lambda asked=asked: ab.decide(asked, log), repeats)  # type: ignore[misc]
        print(
            json.dumps(
                {
                    "what": f"decide, {monitor.kind}",
                    "fastest_ms": round(fastest, 3),
                    "median_ms": round(median, 3),
                    "welch_tests": round(fastest / peer[0], 1),
                }
            )
        )
    with tempfile.TemporaryDirectory() as folder:
        path, asked = log_file(Path(folder)), plan(MONITORS[0])
        fastest, median = milliseconds(lambda: ab.decide(asked, path), max(repeats // 50, 3))
        print(json.dumps({"what": "decide, 100,000 rows of Parquet", "fastest_ms": fastest, "median_ms": median}))


if __name__ == "__main__":
    main()
