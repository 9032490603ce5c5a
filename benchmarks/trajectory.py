"""28 daily looks at 4 metrics of twenty million event rows: abkit beside one plain report, and beside tea-tasting.

Each contender is a process of its own over the same Parquet file, the contenders take turns, and the best of the
rounds counts, because a shared machine is only ever too slow. A unit has 20 rows. In the first log they fall in three
visits, in the second they are spread evenly over the four weeks, which is the worst case of open-ended totals: nearly
every row is a day of its own. tea-tasting has no step from events to units and none through time: it analyses the units
of the log up to a look, made by SQL. It is timed at the looks after 7, 14, 21 and 28 days, and 28 separate analyses are
said to take 7 times their sum: an estimate, not a run.

    python benchmarks/trajectory.py [rows] [rounds]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path

PLAN = {
    "unit": "user_id",
    "variant": "variant",
    "control": "control",
    "allocation": {"control": 1, "treatment": 1},
    "metrics": {
        "revenue": {"kind": "mean", "value": "revenue"},
        "orders per session": {"kind": "ratio", "numerator": "orders", "denominator": "sessions"},
        "sessions": {"kind": "mean", "value": "sessions"},
        "latency": {"kind": "ratio", "numerator": "latency", "denominator": "ROWS"},
    },
}
ROWS_A_UNIT, DAYS, LOOKS = 20, 28, (7, 14, 21, 28)
TIMES = {
    "in visits": "(hash(user_id, hash(i) % 3) % 28000 / 1000.0 + random() / 24)",
    "spread evenly": "(random() * 28)",
}
CAREFUL = "set memory_limit='6GB'"


def generate(path: Path, rows: int, day: str) -> None:
    import duckdb

    with duckdb.connect() as connection:
        connection.execute(f"{CAREFUL}; set preserve_insertion_order=false; select setseed(0.5)")
        connection.execute(
            f"""copy (select user_id,
                   case when hash(user_id + 7) % 2 = 0 then 'control' else 'treatment' end as variant,
                   timestamp '2024-03-01' + to_microseconds((least({day}, 27.999) * 86400e6)::bigint) as ts,
                   random() * 20 as revenue, (random() < 0.1)::int as orders, (random() * 5)::int as sessions,
                   random() * 300 as latency
            from (select i, (hash(i) % {rows // ROWS_A_UNIT})::bigint as user_id from range({rows}) t(i)))
            to '{path}' (format parquet)"""
        )


def run_plain(path: str) -> None:
    from abkit import Experiment

    Experiment.from_dict(PLAN).analyze(path)


def run_window(path: str) -> None:
    from abkit import Experiment
    from abkit.adapters._trajectory import read_trajectory

    read_trajectory(path, Experiment.from_dict(PLAN).request(), time="ts", every="1d", window="7d")


def run_open(path: str) -> None:
    from abkit import Experiment
    from abkit.adapters._trajectory import read_trajectory

    read_trajectory(path, Experiment.from_dict(PLAN).request(), time="ts", every="1d")


def run_tea_tasting(path: str) -> None:
    import duckdb
    import narwhals as nw
    import tea_tasting as tt

    experiment = tt.Experiment(
        revenue=tt.Mean("revenue"),
        orders_per_session=tt.RatioOfMeans("orders", "sessions"),
        sessions=tt.Mean("sessions"),
        latency=tt.RatioOfMeans("latency", "n_rows"),
    )
    with duckdb.connect() as connection:
        connection.execute(CAREFUL)
        for day in LOOKS:
            units = connection.sql(
                f"""select min(variant) as variant, count(*) as n_rows, sum(revenue) as revenue, sum(orders) as orders,
                    sum(sessions) as sessions, sum(latency) as latency
                    from '{path}' where ts < timestamp '2024-03-01' + interval {day} day group by user_id"""
            )
            experiment.analyze(nw.from_native(units), control="control")


CONTENDERS = {"one report": run_plain, "window": run_window, "open-ended": run_open, "tea-tasting": run_tea_tasting}


def measure(name: str, path: Path) -> float:
    """Seconds of one contender in a process of its own."""
    command = [sys.executable, __file__, "--one", name, str(path)]
    output = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ).stdout
    return float(json.loads(output.splitlines()[-1]))


def one(name: str, path: str) -> None:

    for library in ("abkit.adapters._trajectory", "narwhals", "tea_tasting"):
        import_module(library)  # loading them is not what is compared
    start = time.perf_counter()
    CONTENDERS[name](path)
    print(json.dumps(time.perf_counter() - start))
    sys.stdout.flush()
    os._exit(0)


def main(rows: int = 20_000_000, rounds: int = 3) -> None:
    print(
        f"{rows:,} rows, {rows // ROWS_A_UNIT:,} units, 4 metrics, {DAYS} looks, {os.cpu_count()} processors",
        flush=True,
    )
    for shape, day in TIMES.items():
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "log.parquet"
            generate(path, rows, day)
            runs: dict[str, list[float]] = {name: [] for name in CONTENDERS}
            for _ in range(rounds):
                for name, done in runs.items():
                    done.append(measure(name, path))
        best = {name: min(done) for name, done in runs.items()}
        peer = best["tea-tasting"] * DAYS / len(LOOKS)
        print(f"rows {shape}: one report {best['one report']:.2f} s")
        for name, bar in (("window", 2), ("open-ended", 3)):
            seconds = best[name]
            print(
                f"  28 looks, {name:<10} {seconds:6.2f} s   {seconds / best['one report']:.2f} x one report (bar {bar})"
                f"   1/{peer / seconds:.0f} of 28 analyses with tea-tasting, about {peer:.0f} s (bar 1/8)",
                flush=True,
            )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(sys.argv[2], sys.argv[3])
    else:
        main(*(int(float(argument)) for argument in sys.argv[1:]))
