"""Four weeks, looked at every day: one query, every look's report, and a plot of what each monitor would have said.

    python examples/daily_looks.py
    python examples/daily_looks.py --plot orders.png      # the effect over time, and the boundary beside the statistic
    python examples/daily_looks.py --log log.csv          # also writes the log, to try `abkit trajectory` on it

The log is simulated, so the truth is known: users of the new search place 5 % more orders, and pages load as before.
The plan, with a comment on every field, is examples/daily_looks.yaml.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

import abkit as ab

USERS, DAYS, SEED = 15_000, 28, 11
PLAN = Path(__file__).with_name("daily_looks.yaml")


def simulate(rng: np.random.Generator) -> pd.DataFrame:
    """One row a visit: users come during four weeks, and visit over the two weeks after their first visit."""
    new = rng.random(USERS) < 0.5
    came = np.sort(rng.uniform(0, DAYS, USERS))
    user = np.repeat(np.arange(USERS), 1 + rng.poisson(3.0, USERS))
    first = np.append(True, np.diff(user) > 0)
    day = came[user] + np.where(first, 0.0, rng.exponential(5.0, user.size))
    orders = rng.poisson(np.where(new[user], 0.315, 0.3))
    log = pd.DataFrame(
        {
            "user": user,
            "variant": np.where(new[user], "new search", "old search"),
            "ts": pd.Timestamp("2026-03-02") + pd.to_timedelta((day * 86_400).astype(int), unit="s"),
            "orders": orders,
            "bought": (orders > 0).astype(int),
            "load_ms": rng.lognormal(6.0, 0.5, user.size).round(1),
        }
    )
    return log[day < DAYS]


def main() -> None:
    """The trajectory under the plan's schedule, then under the other monitors."""
    parser = argparse.ArgumentParser(description="Four weeks, looked at every day.")
    parser.add_argument("--log", help="where to write the log, a CSV file")
    parser.add_argument("--plot", help="where to draw `orders`: .png, .svg or .pdf")
    options = parser.parse_args()

    log = simulate(np.random.default_rng(SEED))
    if options.log:
        log.to_csv(options.log, index=False)
    plan = ab.Experiment.from_file(PLAN)
    story = plan.trajectory(log, time="ts", every="1d", window="7d")
    print(story)

    print("\n`orders` under each monitor, at its first look that leaves out zero")
    for monitor in (plan.monitor, ab.AnytimeValid(alpha=0.05, tune_at=6_000)):
        rows = story.under(monitor).rows("orders", "new search")
        shown = (row.test is not None and row.test.pvalue < 0.05 for row in rows)
        found = next((k for k, yes in enumerate(shown) if yes), None)
        if found is None:
            print(f"  {monitor.kind}: at none")
        else:
            low, high = rows[found].test.interval(0.95)
            print(f"  {monitor.kind}: {story.times[found]:%d %B}, [{low:.3f}, {high:.3f}]")
    if options.plot:
        draw(story, options.plot)


def draw(story: ab.Trajectory, file: str) -> None:
    """The effect with its bands, beside the boundary; needs Matplotlib."""
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(13, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    story.plot("orders", ax=left)
    story.plot_boundary("orders", ax=right)
    figure.savefig(file)


if __name__ == "__main__":
    main()
