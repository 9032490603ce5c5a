"""Fifty million event rows, ten a unit, four metrics: abkit beside hand-written SQL and tea-tasting.

Each contender is a process of its own over the same DuckDB table, the contenders take turns, and the best of the
rounds counts, because a shared machine is only ever too slow. The SQL is what an analyst who knows this engine writes
for the same statistics: counts, means, variances and covariances per variant, with the units that are in two variants
and the rows without an outcome counted. tea-tasting analyses the units, made by that SQL's inner query, since it has no
step from events to units; it leaves out neither contaminated units nor nulls.

    python benchmarks/event_log.py [rows] [rounds]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

PLAN = {
    "unit": "user_id",
    "variant": "variant",
    "control": "control",
    "allocation": {"control": 1, "treatment": 1},
    "metrics": {
        "revenue": {"kind": "mean", "value": "revenue"},
        "orders per session": {"kind": "ratio", "numerator": "orders", "denominator": "sessions"},
        "sessions": {"kind": "mean", "value": "sessions", "role": "guardrail", "margin": {"relative": 0.01}},
        "latency": {
            "kind": "ratio",
            "numerator": "latency",
            "denominator": "ROWS",
            "role": "guardrail",
            "direction": "decrease",
            "margin": {"relative": 0.01},
        },
    },
}
CODE = "case variant when 'control' then 0::tinyint when 'treatment' then 1::tinyint else 2::tinyint end"
UNITS = f"""
    select user_id, min({CODE}) as low, max({CODE}) as high, count(*) as n_rows,
           sum(revenue) as revenue, sum(orders) as orders, sum(sessions) as sessions, sum(latency) as latency,
           count(revenue) as n_revenue, count(orders) as n_orders,
           count(sessions) as n_sessions, count(latency) as n_latency
    from log group by user_id
"""
HAND_WRITTEN = f"""
    select low, high, count(*) as units, avg(revenue), var_samp(revenue), avg(orders), avg(sessions), var_samp(orders),
           var_samp(sessions), covar_samp(orders, sessions), avg(latency), avg(n_rows), var_samp(latency),
           var_samp(n_rows), covar_samp(latency, n_rows), sum(n_rows), sum(n_revenue), sum(n_orders), sum(n_sessions),
           sum(n_latency)
    from ({UNITS}) group by low, high
"""


def generate(path: Path, rows: int) -> None:
    import duckdb

    with duckdb.connect(str(path)) as connection:
        connection.execute("select setseed(0.5)")
        connection.execute(
            f"""create table log as
            select user_id, case when hash(user_id + 7) % 2 = 0 then 'control' else 'treatment' end as variant,
                   random() * 20 as revenue, (random() < 0.1)::int as orders, (random() * 5)::int as sessions,
                   random() * 300 as latency
            from (select (hash(i) % {rows // 10})::bigint as user_id from range({rows}) t(i))"""
        )


def run_sql(path: str) -> Any:
    import duckdb

    with duckdb.connect(path, read_only=True) as connection:
        return [row[2] for row in connection.execute(HAND_WRITTEN).fetchall()]


def run_abkit(path: str) -> Any:
    import duckdb

    import abkit as ab

    with duckdb.connect(path, read_only=True) as connection:
        report = ab.Experiment.from_dict(PLAN).analyze(connection.table("log"))
        return [ab.decide(report.experiment, report).verdict, report.units]


def run_tea_tasting(path: str) -> Any:
    import duckdb
    import narwhals as nw
    import tea_tasting as tt

    experiment = tt.Experiment(
        revenue=tt.Mean("revenue"),
        orders_per_session=tt.RatioOfMeans("orders", "sessions"),
        sessions=tt.Mean("sessions"),
        latency=tt.RatioOfMeans("latency", "n_rows"),
    )
    with duckdb.connect(path, read_only=True) as connection:
        units = connection.sql(f"select *, low as variant from ({UNITS})")
        return len(experiment.analyze(nw.from_native(units), control=0))


CONTENDERS = {"sql": run_sql, "abkit": run_abkit, "tea-tasting": run_tea_tasting}


def measure(name: str, path: Path) -> dict[str, float]:
    """Seconds of the analysis, and the peak memory of its process in bytes."""
    command = [sys.executable, __file__, "--one", name, str(path)]
    output = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ).stdout
    return json.loads(output.splitlines()[-1])


def one(name: str, path: str) -> None:
    import resource

    start = time.perf_counter()
    CONTENDERS[name](path)
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))
    sys.stdout.flush()
    os._exit(0)


def main(rows: int = 50_000_000, rounds: int = 3) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.duckdb"
        print(f"{rows:,} rows, {rows // 10:,} units, 4 metrics, {os.cpu_count()} processors", flush=True)
        generate(path, rows)
        runs: dict[str, list[dict[str, float]]] = {name: [] for name in CONTENDERS}
        for _ in range(rounds):
            for name, done in runs.items():
                done.append(measure(name, path))
                print(f"  {name:<12} {done[-1]['seconds']:6.2f} s", flush=True)
    best = {name: min(run["seconds"] for run in done) for name, done in runs.items()}
    peak = {name: max(run["bytes"] for run in done) for name, done in runs.items()}
    for name, seconds in best.items():
        ratio = seconds / best["sql"]
        print(f"{name:<12} best {seconds:6.2f} s   {ratio:5.2f} x the SQL   peak memory {peak[name] / 1e9:.2f} GB")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(sys.argv[2], sys.argv[3])
    else:
        main(*(int(float(argument)) for argument in sys.argv[1:]))
