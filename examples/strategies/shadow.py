"""A shadow release of a classifier, and what its log says: go on to a canary, wait, or repair it first.

    python examples/strategies/shadow.py
    python examples/strategies/shadow.py log.csv   # also writes the last log

Most errors are those of a request, which fails whoever answers it, and a slow request is slow for both. `release` gives
the log of one release whose truth is known; a release and its decision take about 0.15 seconds.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

import abkit as ab

PLAN = Path(__file__).with_name("shadow.yaml")
LABELS = np.array(["invoice", "offer", "order", "complaint", "other"])
#: Requests, the share that is answered differently, further errors, and the latency as a factor.
TRUTHS = {
    "win": (12_000, 0.002, 0.0, 0.95),
    "null": (12_000, 0.002, 0.0, 1.0),
    "undecided": (250, 0.002, 0.0, 0.95),
    "harm": (8_000, 0.03, 0.01, 1.15),
    "margin": (8_000, 0.01, 0.0, 0.95),
}


def release(truth: str, rng: np.random.Generator) -> pd.DataFrame:
    """One row for each request, with what both releases did."""
    n, differ, errors, latency = TRUTHS[truth]
    answer = rng.integers(0, len(LABELS), n)
    other = np.where(rng.random(n) < differ, (answer + rng.integers(1, len(LABELS), n)) % len(LABELS), answer)
    broken = rng.random(n) < 0.002
    own = rng.random((2, n)) < np.array([[0.0003], [0.0003 + errors]])
    slow = rng.gamma(3.0, 30.0, n)
    return pd.DataFrame(
        {
            "request": np.arange(n),
            "answer_old": LABELS[answer],
            "answer_new": LABELS[other],
            "error_old": broken | own[0],
            "error_new": broken | own[1],
            "latency_old": 20 + slow + rng.gamma(2.0, 3.0, n),
            "latency_new": (20 + slow + rng.gamma(2.0, 3.0, n)) * latency,
            "wrote": False,
        }
    )


def main() -> None:
    """A decision on each truth."""
    plan, rng = ab.Experiment.from_file(PLAN), np.random.default_rng(1)
    for truth in ("win", "undecided", "harm"):
        log = release(truth, rng)
        print(f"{truth}\n{ab.decide(plan, log)}\n")
    if len(sys.argv) > 1:
        log.to_csv(sys.argv[1], index=False)


if __name__ == "__main__":
    main()
