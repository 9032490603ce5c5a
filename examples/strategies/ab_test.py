"""An A/B test of a checkout, and what is decided at its end: better, nothing to see, or worse.

    python examples/strategies/ab_test.py

The plan is examples/strategies/ab_test.yaml. `release` gives the log of one test whose truth is known.
"""

from pathlib import Path

import numpy as np
import pandas as pd

import abkit as ab

PLAN = Path(__file__).with_suffix(".yaml")
#: What the new checkout adds to the share of users who order, to what they pay, and to the share that meets an error.
TRUTHS = {
    "win": (0.02, 1.5, 0.0),
    "undecided": (0.0, 0.0, 0.0),
    "null": (0.0, 0.0, 0.0),
    "harm": (-0.02, 0.0, 0.015),
    "margin": (0.02, 1.5, 0.005),
}


def release(truth: str, rng: np.random.Generator, users: int = 40_000) -> pd.DataFrame:
    """One row a user, after two weeks."""
    orders, pays, errors = TRUTHS[truth]
    new = rng.random(users) < 0.5
    taste = rng.gamma(2.0, 15.0, users)  # what a user spends, before and during the test
    ordered = rng.random(users) < 0.2 + orders * new
    return pd.DataFrame(
        {
            "user": np.arange(users),
            "variant": np.where(new, "new", "old"),
            "ordered": ordered.astype(np.int8),
            "revenue": np.where(ordered, taste * rng.gamma(20.0, 0.05, users) + pays * new, 0.0),
            "revenue_before": np.where(rng.random(users) < 0.6, taste * rng.gamma(20.0, 0.05, users), 0.0),
            "failed": (rng.random(users) < 0.01 + errors * new).astype(np.int8),
            "seconds_to_pay": rng.gamma(4.0, 10.0, users),
        }
    )


def main() -> None:
    """One decision of each truth."""
    plan, rng = ab.Experiment.from_file(PLAN), np.random.default_rng(7)
    for truth in ("win", "undecided", "harm"):
        print(truth)
        print("\n".join(f"    {line}" for line in str(ab.decide(plan, release(truth, rng))).splitlines()[:6]))


if __name__ == "__main__":
    main()
