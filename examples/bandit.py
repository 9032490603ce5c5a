"""Promote the arm, go on exploring, or drop it: what follows from a bandit's log.

    python examples/bandit.py
    python examples/bandit.py log.csv      # also writes the last log: abkit decide examples/bandit.yaml log.csv

An epsilon-greedy policy chooses between two teasers, whose true click rates are known. Above each report stand the
plain means of the two arms: they are biased, since the policy turns away from an arm after bad luck.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

import abkit as ab

PLAN = Path(__file__).with_name("bandit.yaml")
DECISIONS, SEED = 8_000, 1
WORLDS = {"a clear win": (0.10, 0.16), "no difference": (0.10, 0.10), "a clear harm": (0.10, 0.05)}


def play(rates: tuple[float, float], rng: np.random.Generator) -> pd.DataFrame:
    """The log of a policy that learns while it chooses: one row a decision, with the probability of the choice."""
    policy = ab.bandits.EpsilonGreedy(0.3)
    state = policy.init(["old", "new"])
    true_rate = dict(zip(("old", "new"), rates, strict=True))
    rows = []
    for moment in range(DECISIONS):
        choice = policy.select(state, rng=rng)
        clicked = float(rng.random() < true_rate[choice.arm])
        state = policy.update(state, choice.arm, clicked)
        rows.append((moment, choice.arm, choice.propensity, clicked, rng.gamma(4.0, 10.0)))
    return pd.DataFrame(rows, columns=["decided_at", "teaser", "propensity", "clicked", "seconds"])


def main() -> None:
    """A decision in each world."""
    plan, rng = ab.Experiment.from_file(PLAN), np.random.default_rng(SEED)
    for world, rates in WORLDS.items():
        log = play(rates, rng)
        naive = log.groupby("teaser").clicked.mean()
        print(f"{world}: true click rates {rates[0]:.0%} and {rates[1]:.0%}")
        print(f"plain means (biased, not used): {naive['old']:.2%} and {naive['new']:.2%}\n")
        print(plan.analyze(log), "\n")
        print(ab.decide(plan, log), "\n\n")
    if len(sys.argv) > 1:
        log.to_csv(sys.argv[1], index=False)


if __name__ == "__main__":
    main()
