"""Recreated releases whose truth is known, and what the plan beside this file decides on them.

A service with a daily cycle, whose latency and errors are autocorrelated. It is down for twenty minutes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

import abkit as ab

PLAN = Path(__file__).with_suffix(".yaml")
START = pd.Timestamp("2026-11-01T02:20Z")
BUCKET, DAY, BEFORE, OUTAGE, AFTER = pd.Timedelta("5min"), 288, 7 * 288, 4, 26
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
    """A log of a week before the stop and two hours after the start; twice as slow while it warms up."""
    factor, more = TRUTHS[truth]
    place = np.arange(-BEFORE - OUTAGE, after)
    cycle = np.sin(2 * np.pi * place / DAY)
    requests = rng.poisson(1000 * (1 + 0.3 * cycle))
    latency = 200 * (1 + 0.1 * cycle) + 8 * persistent(rng, place.size, phi)
    latency *= np.where(place < 0, 1.0, factor) * np.where((place >= 0) & (place < 2), 2.0, 1.0)
    rate = 0.01 * np.exp(0.2 * persistent(rng, place.size, phi)) + np.where(place < 0, 0.0, more)
    log = pd.DataFrame(
        {
            "time": START + place * BUCKET,
            "p95_ms": latency,
            "requests": requests,
            "errors": rng.binomial(requests, rate),
        }
    )
    return log[(place < -OUTAGE) | (place >= 0)].reset_index(drop=True)


if __name__ == "__main__":
    for truth in ("win", "undecided", "harm"):
        decision = ab.decide(PLAN, release(truth, np.random.default_rng(7)))
        print(f"{truth}: {str(decision).split(chr(10) + 'checks')[0]}")
