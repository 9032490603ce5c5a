"""From a question in words to a plan file, its duration and its error rates.

    python examples/planning.py
    python examples/planning.py --history before.parquet   # also writes the log, to try `abkit plan` on it
    python examples/planning.py --plot plan.svg             # effects by week, and the power curve

The plan, with a comment on what each field is for, is examples/checkout.yaml. The log of the weeks before is simulated.
"""

import argparse
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np

import abkit as ab

PLAN = Path(__file__).with_name("checkout.yaml")
USERS, WEEKS, SEED = 120_000, 4, 1


def main() -> None:
    """The duration under one look and under the plan's schedule, then what the plan will really do."""
    parser = argparse.ArgumentParser(description="How long, and with which risks?")
    parser.add_argument("--history", help="where to write the log of the weeks before, a Parquet file")
    parser.add_argument("--plot", help="where to draw the planning: .png, .svg or .pdf")
    options = parser.parse_args()
    plan = ab.Experiment.from_file(PLAN)
    drawn = ab.simulate.log(
        plan,
        USERS,
        rng=np.random.default_rng(SEED),
        means={"revenue": 12.0, "load_ms": 800.0, "error": 0.03},
        sds={"revenue": 30.0, "load_ms": 400.0},
        zeros={"revenue": 0.7},
        covariate_correlation=0.6,
        days=7 * WEEKS,
    )
    history = drawn.log[drawn.log.time < drawn.start + timedelta(weeks=WEEKS)].drop(columns="variant")
    if options.history:
        history.to_parquet(options.history)

    print("With one look, at the end:\n")
    print(replace(plan, monitor=ab.FixedHorizon()).plan(history))
    print("\nWith the looks of the plan:\n")
    planning = plan.plan(history)
    print(planning)
    print("\nWhat the plan will really do:\n")
    print(ab.simulate.operating_characteristics(plan, history=history, rng=np.random.default_rng(SEED)))
    if options.plot:
        planning.plot().figure.savefig(options.plot)


if __name__ == "__main__":
    main()
