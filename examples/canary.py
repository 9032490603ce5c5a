"""How often is a release that harms nobody rolled back, when it is looked at 20 times?

    python examples/canary.py
    python examples/canary.py --runs 100000

The plan is examples/canary.yaml: one success metric, three guardrails. The release is as bad as the margins allow, and
no worse, so that every rollback is a mistake.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

import abkit as ab

PLAN = Path(__file__).with_name("canary.yaml")
LOOKS, SEED = 20, 1
CORRELATIONS = (0.0, 0.5, 0.8)
MONITORS = {
    "fixed horizon, peeked at": ab.FixedHorizon,
    "group-sequential": lambda alpha: ab.GroupSequential(alpha, looks=LOOKS),
    "anytime-valid": ab.AnytimeValid,
}


def main() -> None:
    """A table for the whole plan, and one for its guardrails alone at a larger alpha."""
    parser = argparse.ArgumentParser(description="Rollbacks of harmless releases.")
    parser.add_argument("--runs", type=int, default=20_000)
    runs = parser.parse_args().runs
    plan = ab.Experiment.from_file(PLAN)
    guardrails = {name: metric for name, metric in plan.metrics.items() if metric.role == "guardrail"}
    print(f"Harmless releases that are rolled back: {LOOKS} looks, {runs:,} runs each\n")
    show("one success metric and three guardrails", plan, 0.05, runs)
    show("the guardrails alone", replace(plan, metrics=guardrails), 0.1, runs)


def show(what: str, plan: ab.Experiment, alpha: float, runs: int) -> None:
    """A row a monitor, a column a correlation between the metrics."""
    print(f"{what}, each at {alpha / 2:g} per direction")
    print(f"  {'correlation of metrics':<26}" + "".join(f"{r:>8g}" for r in CORRELATIONS) + "  stated, at most")
    edge = {name: -1.0 for name, metric in plan.metrics.items() if metric.role == "guardrail"}
    scenarios = [ab.simulate.Scenario(f"correlation {r:g}", edge, correlation=r) for r in CORRELATIONS]
    for name, monitor in MONITORS.items():
        found = ab.simulate.operating_characteristics(
            replace(plan, monitor=monitor(alpha)), scenarios, runs, np.random.default_rng(SEED), looks=LOOKS
        )
        rates = "".join(f"{row.rollback:8.1%}" for row in found.rows)
        print(f"  {name:<26}{rates}{found.risk.false_rollback_max:17.1%}")
    print()


if __name__ == "__main__":
    main()
