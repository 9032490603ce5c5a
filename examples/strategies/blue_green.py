"""Blue-green releases whose truth is known, and what the plan beside this file decides on them.

A service with a daily cycle, whose latency and errors are autocorrelated, and a neighbour that shares some of
its moves.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

import abkit as ab

PLAN = Path(__file__).with_suffix(".yaml")
SWITCH = pd.Timestamp("2026-11-01T12:00Z")
BUCKET, DAY, BEFORE, AFTER = pd.Timedelta("5min"), 288, 7 * 288, 25
#: By what factor latency changes, and by how much the share of errors.
TRUTHS = {
    "win": (1.0, 0.0),
    "undecided": (1.10, 0.0),
    "harm": (1.4, 0.02),
    "null": (1.0, 0.0),
    "margin": (1.10, 0.0),
}


def persistent(rng: np.random.Generator, n: int, phi: float = 0.5) -> np.ndarray:
    """A series of variance 1 of which each value keeps a share of the one before."""
    values = rng.normal(size=n)
    for i in range(1, n):
        values[i] = phi * values[i - 1] + (1 - phi * phi) ** 0.5 * values[i]
    return values


def release(truth: str, rng: np.random.Generator, phi: float = 0.5, after: int = AFTER) -> pd.DataFrame:
    """A log of a week before the switch and two hours after it."""
    factor, more = TRUTHS[truth]
    place = np.arange(-BEFORE, after)
    cycle, shared = np.sin(2 * np.pi * place / DAY), persistent(rng, place.size, phi)
    requests = rng.poisson(1000 * (1 + 0.3 * cycle))
    latency = 200 * (1 + 0.1 * cycle) + 6 * persistent(rng, place.size, phi) + 6 * shared
    rate = 0.01 * np.exp(0.2 * persistent(rng, place.size, phi))
    return pd.DataFrame(
        {
            "time": SWITCH + place * BUCKET,
            "p95_ms": np.where(place < 0, latency, factor * latency),
            "requests": requests,
            "errors": rng.binomial(requests, rate + np.where(place < 0, 0.0, more)),
            "neighbour_ms": 80 + 4 * shared + rng.normal(0, 2, place.size),
        }
    )


if __name__ == "__main__":
    for truth in ("win", "undecided", "harm"):
        decision = ab.decide(PLAN, release(truth, np.random.default_rng(7)))
        print(f"{truth}: {str(decision).split(chr(10) + 'checks')[0]}")
