"""A bandit over three teasers: which arm to drop, which to promote, and when to go on exploring.

    python examples/strategies/bandit.py
    python examples/strategies/bandit.py log.csv   # also writes the last log

An epsilon-greedy policy learns from batches of 200 decisions. `release` gives one log whose truth is known: one arm
better, all alike, or both new arms worse.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

import abkit as ab

PLAN = Path(__file__).with_name("bandit.yaml")
ARMS, BATCHES, BATCH = ("old", "bold", "short"), 60, 200
#: Click rates of the arms, and what their reading time is multiplied by.
TRUTHS = {
    "win": ((0.10, 0.17, 0.10), (1.0, 1.0, 1.0)),
    "undecided": ((0.10, 0.10, 0.10), (1.0, 1.0, 1.0)),
    "null": ((0.10, 0.10, 0.10), (1.0, 1.0, 1.0)),
    "harm": ((0.10, 0.04, 0.04), (1.0, 1.0, 1.0)),
    "margin": ((0.10, 0.17, 0.17), (1.0, 0.9, 0.9)),
}


def release(truth: str, rng: np.random.Generator) -> pd.DataFrame:
    """The log of a policy that learns between batches: one row a decision, with the probability of every arm."""
    rates, factors = (np.array(values) for values in TRUTHS[truth])
    policy = ab.bandits.EpsilonGreedy(0.3)
    state = policy.init(ARMS)
    arms, clicks, chances = [], [], []
    for _ in range(BATCHES):
        chance = policy.propensities(state)
        arm = rng.choice(len(ARMS), p=chance, size=BATCH)
        clicked = (rng.random(BATCH) < rates[arm]).astype(float)
        state = policy.update(state, [ARMS[chosen] for chosen in arm], clicked.tolist())
        arms.append(arm)
        clicks.append(clicked)
        chances.append(np.tile(chance, (BATCH, 1)))
    arm, chance = np.concatenate(arms), np.concatenate(chances)
    log = {"decided_at": np.repeat(np.arange(BATCHES), BATCH), "teaser": np.array(ARMS)[arm]}
    log |= {f"p_{name}": chance[:, i] for i, name in enumerate(ARMS)}
    seconds = rng.gamma(4.0, 10.0, size=len(arm)) * factors[arm]
    return pd.DataFrame({**log, "clicked": np.concatenate(clicks), "seconds": seconds})


def main() -> None:
    """A decision on each truth."""
    plan, rng = ab.Experiment.from_file(PLAN), np.random.default_rng(2)
    words = {"promote": "promote", "continue": "keep exploring", "rollback": "drop"}
    for truth in ("win", "undecided", "harm"):
        log = release(truth, rng)
        decision = ab.decide(plan, log)
        shares = log.teaser.value_counts(normalize=True)
        print(f"{truth}: " + ", ".join(f"{arm} had {shares[arm]:.0%}" for arm in ARMS))
        print("  " + ", ".join(f"{arm}: {words[verdict]}" for arm, verdict in decision.variants.items()))
        print(str(decision).split("\n\nchecks")[0], end="\n\n")
    if len(sys.argv) > 1:
        log.to_csv(sys.argv[1], index=False)


if __name__ == "__main__":
    main()
