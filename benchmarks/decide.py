"""A decision on statistics of four metrics, beside SciPy's Welch test of one of them; and end to end from Parquet.

Time is the processor's, not the clock's, so that other work on the machine counts for little; all are of one run.

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
from abkit.metrics import Metric

MEANS: dict[str, Metric] = {
    "revenue": ab.Mean("revenue"),
    "visits": ab.Mean("visits"),
    "orders": ab.Mean("orders", role="guardrail", margin=ab.relative(0.05)),
    "latency": ab.Mean("latency", role="guardrail", direction="decrease", margin=ab.relative(0.05)),
}
ERRORS: dict[str, Metric] = {"errors": ab.Proportion("errors", role="guardrail", direction="decrease", margin=0.01)}
#: The same number of metrics, the last of which an anytime-valid plan compares exactly.
PLANS: dict[str, dict[str, Metric]] = {
    "four means": MEANS,
    "three means and a proportion": {**dict(list(MEANS.items())[:3]), **ERRORS},
}
MONITORS = (ab.FixedHorizon(), ab.GroupSequential(looks=4, units=40_000), ab.AnytimeValid())


def plan(monitor: ab.FixedHorizon | ab.GroupSequential | ab.AnytimeValid, metrics: str) -> ab.Experiment:
    allocation = {"control": 1, "new": 1}
    return ab.Experiment("unit", "variant", "control", PLANS[metrics], monitor, allocation)


def sums(n: int, revenue: float, metrics: str) -> dict[str, object]:
    found = {
        "revenue": ab.Moments(n, revenue, n * 25.0),
        "visits": ab.Moments(n, 5.0, n * 5.0),
        "orders": ab.Moments(n, 2.0, n * 2.0),
        "errors": ab.Counts(n, n // 100),
        "latency": ab.Moments(n, 100.0, n * 400.0),
    }
    return {name: found[name] for name in PLANS[metrics]}


def milliseconds(run: Callable[[], object], repeats: int) -> tuple[float, float]:
    """The least processor time, which other work on the machine disturbs least, and the median."""
    run()
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        run()
        taken.append(1e3 * (time.process_time() - start))
    return min(taken), float(np.median(taken))


def log_file(folder: Path, rows: int = 100_000) -> Path:
    rng = np.random.default_rng(1)
    columns = {"revenue": rng.normal(10, 5, rows), "orders": rng.poisson(2, rows)}
    columns |= {"visits": rng.poisson(5, rows), "latency": rng.normal(100, 20, rows)}
    variant = np.where(rng.random(rows) < 0.5, "control", "new")
    log = pd.DataFrame({"unit": np.arange(rows), "variant": variant, **columns, "errors": rng.binomial(1, 0.01, rows)})
    log.to_parquet(folder / "log.parquet")
    return folder / "log.parquet"


def main() -> None:
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    peer = milliseconds(
        lambda: stats.ttest_ind_from_stats(10.0, 5.0, 10_000, 10.5, 5.0, 10_020, equal_var=False), repeats
    )
    print(json.dumps({"what": "SciPy Welch test", "fastest_ms": round(peer[0], 4), "median_ms": round(peer[1], 4)}))
    for monitor, metrics in [(monitor, metrics) for monitor in MONITORS for metrics in PLANS]:
        asked = plan(monitor, metrics)
        log = {"control": sums(10_000, 10.0, metrics), "new": sums(10_020, 10.5, metrics)}
        fastest, median = milliseconds(lambda asked=asked, log=log: ab.decide(asked, log), repeats)  # type: ignore[misc]
        print(
            json.dumps(
                {
                    "what": f"decide, {monitor.kind}, {metrics}",
                    "fastest_ms": round(fastest, 3),
                    "median_ms": round(median, 3),
                    "welch_tests": round(fastest / peer[0], 1),
                }
            )
        )
    with tempfile.TemporaryDirectory() as folder:
        path, asked = log_file(Path(folder)), plan(MONITORS[0], "four means")
        fastest, median = milliseconds(lambda: ab.decide(asked, path), max(repeats // 50, 3))
        print(json.dumps({"what": "decide, 100,000 rows of Parquet", "fastest_ms": fastest, "median_ms": median}))


if __name__ == "__main__":
    main()
