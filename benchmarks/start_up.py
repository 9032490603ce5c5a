"""`abkit decide` on a Parquet file of 100,000 rows as a whole process, beside importing tea-tasting.

python benchmarks/start_up.py [rounds]
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PLAN = {
    "unit": "user",
    "variant": "variant",
    "control": "control",
    "metrics": {
        "revenue": {"kind": "mean", "value": "revenue", "covariates": "before"},
        "conversion": {"kind": "proportion", "value": "bought"},
        "latency": {
            "kind": "ratio",
            "numerator": "latency",
            "denominator": "ROWS",
            "role": "guardrail",
            "direction": "decrease",
            "margin": {"relative": 0.02},
        },
    },
}


def seconds(command: list[str]) -> float:
    start = time.perf_counter()
    done = subprocess.run(command, check=False, capture_output=True)
    elapsed = time.perf_counter() - start
    if done.returncode not in (0, 10, 75):
        raise SystemExit(done.stderr.decode())
    return elapsed


def main(rounds: int = 7) -> None:
    import duckdb

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "plan.json").write_text(json.dumps(PLAN))
        duckdb.execute(
            f"""copy (select i as user, case when hash(i) % 2 = 0 then 'control' else 'new' end as variant,
                random() * 20 as revenue, random() as before, random() < 0.1 as bought, random() * 300 as latency
                from range(100000) t(i)) to '{folder / "log.parquet"}' (format parquet)"""
        )
        commands = {
            "abkit decide": [
                sys.executable, "-m", "abkit", "decide", str(folder / "plan.json"), str(folder / "log.parquet"),
            ],
            "import tea_tasting": [sys.executable, "-c", "import tea_tasting"],
            "import numpy": [sys.executable, "-c", "import numpy"],
        }  # fmt: skip
        runs = {
            label: [seconds(command) for label_, command in commands.items() if label_ == label] for label in commands
        }
        for _ in range(rounds):
            for label, command in commands.items():
                runs[label].append(seconds(command))
    for label, times in runs.items():
        counted = sorted(times[1:])  # the first run warms the disk's cache
        print(f"{label:<20} best {counted[0]:.2f} s   median {counted[len(counted) // 2]:.2f} s")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
