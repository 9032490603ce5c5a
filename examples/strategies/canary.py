"""A canary goes through its stages: one that harms nobody, one of which too little is known, one that fails requests.

    python examples/strategies/canary.py

The plan is examples/strategies/canary.yaml. Errors and latency rise from stage to stage for both releases, as traffic
does over a morning: added up raw, the canary would look worse than it is, since most of its requests are late ones.
"""

from pathlib import Path

import numpy as np
import pandas as pd

import abkit as ab

PLAN = Path(__file__).with_suffix(".yaml")
START = pd.Timestamp("2026-11-02T06:00:00Z")
HOUR = 3_600_000_000
WEIGHTS = (0.01, 0.05, 0.25, 0.5)
#: Of the old release, by stage.
ERRORS, LATENCY, CRASHES = (0.005, 0.008, 0.012, 0.016), (100.0, 110.0, 125.0, 140.0), 0.0005
#: What the canary adds to the share of errors, multiplies the latency with, and adds to the share of crashes.
TRUTHS = {
    "win": (-0.002, 0.95, 0.0),
    "undecided": (0.0, 1.0, 0.0),
    "harm": (0.03, 1.15, 0.01),
    "null": (0.0, 1.0, 0.0),
    "margin": (0.01, 1.0, 0.0),
}


def release(truth: str, rng: np.random.Generator, requests: int = 12_000, stages: int = 4) -> pd.DataFrame:
    """The requests of a release up to a stage; of one that is undecided, few of them and two stages only."""
    errors, slower, crashes = TRUTHS[truth]
    sizes = [4_000] * 2 if truth == "undecided" else [requests] * stages
    return pd.concat([_stage(i, size, errors, slower, crashes, rng) for i, size in enumerate(sizes)], ignore_index=True)


def _stage(i: int, size: int, errors: float, slower: float, crashes: float, rng: np.random.Generator) -> pd.DataFrame:
    canary = rng.random(size) < WEIGHTS[i]
    since = np.sort(rng.integers(0, HOUR, size)) + i * HOUR
    since[0] = i * HOUR
    return pd.DataFrame(
        {
            "at": START + pd.to_timedelta(since, unit="us"),
            "stage": i + 1,
            "release": np.where(canary, "canary", "stable"),
            "failed": (rng.random(size) < ERRORS[i] + errors * canary).astype(np.int8),
            "latency_ms": rng.lognormal(np.log(LATENCY[i]), 0.5, size) * np.where(canary, slower, 1.0),
            "crashed": (rng.random(size) < CRASHES + crashes * canary).astype(np.int8),
        }
    )


def ramp(truth: str, rng: np.random.Generator) -> None:
    """Decide at the end of every stage on all that was logged so far, each time with the state of the look before."""
    plan, log, state = ab.Experiment.from_file(PLAN), release(truth, rng), None
    for stage in range(1, int(log["stage"].max()) + 1):
        seen = log[log["stage"] <= stage]
        now = seen["at"].max() + pd.Timedelta("1m")
        decision = ab.decide(plan, seen, state=state, now=now.to_pydatetime())
        print("   ", str(decision).splitlines()[0])
        for reason in decision.reasons[:2]:
            print("       ", reason.message)
        if decision.verdict != "promote":
            break
        state = decision.state


def main() -> None:
    """A ramp of each truth."""
    rng = np.random.default_rng(7)
    for truth in ("win", "undecided", "harm"):
        print(truth)
        ramp(truth, rng)


if __name__ == "__main__":
    main()
