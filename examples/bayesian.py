"""Probability and loss in the place of p-values: a history of releases, a prior, a plan, and what daily looks do.

    python examples/bayesian.py

The past experiments and the log are simulated, so the truth is known: the new page earns 4% more and loads as before.
The plan, with a comment on every field, is examples/bayesian.yaml.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

import abkit as ab

USERS, DAYS, SEED = 60_000, 14, 1
PLAN = Path(__file__).with_name("bayesian.yaml")


def simulate(rng: np.random.Generator) -> pd.DataFrame:
    """One row a user, in the order in which they came."""
    new = rng.random(USERS) < 0.5
    bought = rng.random(USERS) < np.where(new, 0.208, 0.2)
    return pd.DataFrame(
        {
            "user": np.arange(USERS),
            "variant": np.where(new, "new", "old"),
            "day": np.arange(USERS) * DAYS // USERS,
            "bought": bought,
            "revenue": bought * rng.gamma(4.0, 10.0, USERS),
            "load_ms": rng.lognormal(6.0, 0.3, USERS),
        }
    )


def main() -> None:
    """The prior of past lifts, then the verdict of each week, then what daily looks do to the error rate."""
    rng = np.random.default_rng(SEED)
    stderrs = rng.uniform(0.008, 0.02, 60)
    estimates = rng.normal(0.0, 0.02, 60) + stderrs * rng.standard_normal(60)
    history = ab.bayes.fit_effects((estimates, stderrs), kind="normal", mean=0.0)
    print(
        f"60 past lifts have a standard deviation of {estimates.std():.2%}, noise included. {history.prior.describe()}"
    )

    plan, log = ab.Experiment.from_file(PLAN), simulate(rng)
    print(f"the plan: {plan.monitor.demands()}\n")
    for days in (7, DAYS):
        decision = ab.decide(plan, log[log.day < days])
        print(f"after {days} days: {decision.verdict}")
        for metric in decision.metrics:
            print(f"  {metric.metric}: {metric.status}, probability {metric.probability:.3f}, loss {metric.loss:.3g}")
    print()
    print(plan.analyze(log))

    print("\nwithout any effect, looked at daily for a fortnight, revenue alone is promoted in")
    spread = float(log.revenue.std() / log.revenue.mean())
    daily = [USERS * (day + 1) / DAYS for day in range(DAYS)]
    flat = ab.Bayesian(0.9)
    for name, monitor in (
        ("probability 0.9, flat prior", flat),
        ("the same with the plan's prior", replace(flat, prior=plan.monitor.prior, prior_scale="relative")),
        ("the plan", plan.monitor),
    ):
        design = monitor.design(daily, sd=spread)
        print(f"  {design.alpha / 2:.1%} of experiments: {name}")


if __name__ == "__main__":
    main()
