"""A rolling update of 24 instances, and what the log of it says: better, nothing to see, or worse.

    python examples/strategies/rolling.py
    python examples/strategies/rolling.py log.csv   # also writes the last log

Every instance has a level of its own, all share the traffic of the day and its shocks, and each drifts by itself, as
real ones do. `release` gives the log of one release whose truth is known.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

import abkit as ab

PLAN = Path(__file__).with_name("rolling.yaml")
INSTANCES, BATCH, BUCKETS, FIRST, APART = 24, 4, 48, 10, 6
#: What the update does to the orders per request, the errors per request, and the latency.
TRUTHS = {
    "win": (0.010, 0.0, 1.00),
    "undecided": (0.0, 0.0, 1.00),
    "null": (0.0, 0.0, 1.00),
    "harm": (0.0, 0.012, 1.15),
    "margin": (0.010, 0.003, 1.00),
}


def release(truth: str, rng: np.random.Generator) -> pd.DataFrame:
    """One row for each instance and five minutes, from an hour before the first batch until after the last."""
    orders, errors, latency = TRUTHS[truth]
    shape = (INSTANCES, BUCKETS)
    updated = np.empty(INSTANCES, dtype=int)
    updated[rng.permutation(INSTANCES)] = FIRST + APART * (np.arange(INSTANCES) // BATCH)
    new = np.arange(BUCKETS) >= updated[:, None]
    day = 1 + 0.3 * np.sin(np.arange(BUCKETS) / 9) + 0.1 * rng.normal(size=BUCKETS)
    requests = rng.poisson(2_000 * np.clip(day, 0.2, None), size=shape)
    shocks = 0.002 * np.abs(_drift(rng, (1, BUCKETS)))  # a slow database is slow for all
    own = 0.001 * np.abs(rng.normal(size=(INSTANCES, 1)))
    log_latency = 4.6 + 0.05 * rng.normal(size=(INSTANCES, 1)) + 0.1 * _drift(rng, (1, BUCKETS))
    log_latency = log_latency + 0.03 * _drift(rng, shape) + np.log(latency) * new
    start = pd.Timestamp("2026-03-02 09:00", tz="UTC")
    return pd.DataFrame(
        {
            "at": np.tile(start + pd.to_timedelta(5 * np.arange(BUCKETS), unit="min"), INSTANCES),
            "instance": np.repeat([f"web-{i:02d}" for i in range(INSTANCES)], BUCKETS),
            "version": np.where(new, "v2", "v1").ravel(),
            "requests": requests.ravel(),
            "orders": rng.binomial(requests, 0.05 + orders * new).ravel(),
            "errors": rng.binomial(requests, 0.005 + shocks + own + errors * new).ravel(),
            "latency_ms": np.exp(log_latency).ravel(),
        }
    )


def _drift(rng: np.random.Generator, shape: tuple[int, int], keep: float = 0.7) -> np.ndarray:
    """Series of standard deviation 1 whose neighbours correlate by `keep` (AR(1))."""
    series = rng.normal(size=shape)
    for t in range(1, shape[1]):
        series[:, t] = keep * series[:, t - 1] + np.sqrt(1 - keep**2) * series[:, t]
    return series


def main() -> None:
    """A decision on each truth; of the harm, one after each batch too."""
    plan, rng = ab.Experiment.from_file(PLAN), np.random.default_rng(1)
    for truth in ("win", "undecided", "harm"):
        log = release(truth, rng)
        print(f"{truth}: " + str(ab.decide(plan, log)).split("\n\nchecks")[0], end="\n\n")
    print("harm, asked after each batch")
    for batch in range(6):
        until = log["at"].min() + pd.Timedelta(minutes=5 * (FIRST + APART * (batch + 1)))
        decision = ab.decide(plan, log[log["at"] < until])
        print(f"  {until:%H:%M} {str(decision).splitlines()[0]}")
        if decision.verdict == "rollback":
            break
    if len(sys.argv) > 1:
        log.to_csv(sys.argv[1], index=False)


if __name__ == "__main__":
    main()
