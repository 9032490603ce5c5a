"""A first experiment: a simulated log, a plan, a report and a decision.

    python examples/first_experiment.py
    python examples/first_experiment.py log.csv      # also writes the log, to try the command line on it

The log is simulated, so the truth is known: the new checkout brings 6 % more revenue a session, and pages load
1 % slower. Some sessions are logged twice, some users see both variants, and some load times are lost.
The plan, with a comment on every field, is examples/revenue_and_latency.yaml.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

import abkit as ab

USERS, SEED = 20_000, 2026
PLAN = Path(__file__).with_name("revenue_and_latency.yaml")


def simulate(rng: np.random.Generator) -> pd.DataFrame:
    """One row a session, about three sessions a user."""
    treated = rng.random(USERS) < 0.5
    taste = rng.gamma(4.0, 5.0, USERS)  # what a user tends to spend at a purchase
    before = 1 + rng.poisson(2.0, USERS)  # sessions in the weeks before the experiment
    country = rng.choice(["DE", "FR", "SE"], USERS, p=[0.5, 0.3, 0.2])
    user = np.repeat(np.arange(USERS), 1 + rng.poisson(2.0, USERS))  # a user's rows
    size, new = len(user), treated[user]
    bought = rng.random(size) < np.where(new, 0.53, 0.50)  # 6 % more purchases
    load_ms = 800 * np.where(new, 1.01, 1.0) * rng.lognormal(0.0, 0.4, size)
    log = pd.DataFrame(
        {
            "session": np.arange(size),
            "user": user,
            "variant": np.where(new, "new checkout", "control"),
            "country": country[user],
            "reached_checkout": rng.random(size) < 0.9,
            "bought": bought.astype(int),
            "revenue": np.where(bought, taste[user] * rng.gamma(4.0, 0.25, size), 0.0).round(2),
            "load_ms": np.where(rng.random(size) < 0.01, np.nan, load_ms.round(1)),
            "errors": rng.poisson(0.02, size),
            "revenue_before": (taste * rng.gamma(4.0 * before, 0.125, USERS)).round(2)[user],
            "sessions_before": before[user],
        }
    )
    log.loc[rng.choice(size, 40, replace=False), "variant"] = "control"  # users who see both variants
    return pd.concat([log, log.iloc[rng.choice(size, 300, replace=False)]], ignore_index=True)  # logged twice


def main() -> None:
    """Analyse, decide, print."""
    log = simulate(np.random.default_rng(SEED))
    for path in sys.argv[1:]:
        log.to_csv(path, index=False)
    plan = ab.Experiment.from_file(PLAN)
    report = plan.analyze(log)
    print(report)
    print()
    print(ab.decide(plan, report))


if __name__ == "__main__":
    main()
