"""How fast the server answers about a log that it has read: 8 clients, over loopback, with the decision made once.

Run: python benchmarks/server.py
"""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import numpy as np
import pandas as pd

PLAN = {
    "unit": "user",
    "variant": "variant",
    "control": "control",
    "monitor": {"kind": "anytime-valid"},
    "log": {"path": "checkout.parquet"},
    "metrics": {
        name: {"kind": "mean", "value": name, "role": role, "direction": direction, "margin": margin}
        for name, role, direction, margin in [
            ("orders", "success", "increase", None),
            ("latency", "guardrail", "decrease", {"relative": 0.05}),
            ("errors", "guardrail", "decrease", 0.02),
        ]
    },
}
CLIENTS, REQUESTS = 8, 125


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder))
        line = [sys.executable, "-m", "abkit", "serve", folder, "--port", "0"]
        with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as program:
            assert program.stdout
            address = program.stdout.readline().split()[3].rstrip(";")
            start = time.perf_counter()
            httpx.get(f"{address}/argo/checkout", timeout=60).raise_for_status()
            print(f"the first request, which reads 100,000 rows: {1e3 * (time.perf_counter() - start):.0f} ms")
            for path in ("/healthz", "/argo/checkout", "/v1/plans/checkout/decision"):
                for clients in (1, CLIENTS):
                    report(path, clients, address, program.pid)
            program.terminate()


def write(folder: Path) -> None:
    rng = np.random.default_rng(1)
    variant = np.where(rng.random(100_000) < 0.5, "treatment", "control")
    columns = {"orders": rng.poisson(1, 100_000), "latency": rng.gamma(4, 50, 100_000), "errors": rng.random(100_000)}
    pd.DataFrame({"user": np.arange(100_000), "variant": variant, **columns}).to_parquet(folder / "checkout.parquet")
    plan = {**PLAN, "metrics": {n: {k: v for k, v in m.items() if v} for n, m in PLAN["metrics"].items()}}  # type: ignore[attr-defined]
    (folder / "checkout.json").write_text(json.dumps(plan))


def report(path: str, clients: int, address: str, server: int) -> None:
    start, before = time.perf_counter(), processor(server)
    with multiprocessing.Pool(clients) as pool:
        found = np.concatenate(pool.starmap(times, [(address + path, REQUESTS)] * clients))
    rate = len(found) / (time.perf_counter() - start)
    spent = 1e3 * (processor(server) - before) / len(found)
    shown = ", ".join(f"{name} {1e3 * np.quantile(found, q):.1f}" for name, q in (("p50", 0.5), ("p99", 0.99)))
    print(f"{path:<30} {clients} at a time: {shown} ms; {rate:,.0f} a second; {spent:.2f} ms of processor")


def processor(pid: int) -> float:
    """Seconds of processor that a process has taken, as Linux counts them."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def times(address: str, requests: int) -> list[float]:
    with httpx.Client() as http:
        return [timed(http, address) for _ in range(requests)]


def timed(http: httpx.Client, address: str) -> float:
    start = time.perf_counter()
    http.get(address).raise_for_status()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
