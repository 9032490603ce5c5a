"""A release behind a feature flag, decided on the events that OpenFeature logs.

    python examples/strategies/feature_flag.py

The plan is examples/strategies/feature_flag.yaml. Three logs whose truth is known are written as JSON lines, one event
a line, and decided on.
"""

import json
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

import abkit as ab

PLAN = Path(__file__).with_suffix(".yaml")
FLAG = "new-checkout"
START = pd.Timestamp("2026-11-02T08:00Z")
COUNTRIES, SHARES = ("DE", "FR", "US"), (0.4, 0.35, 0.25)
#: Per truth: users, and the rates of purchases and of errors under the new checkout. Under the old, 10% and 2%.
TRUTHS = {
    "win": (6_000, 0.16, 0.02),
    "undecided": (1_500, 0.11, 0.02),
    "harm": (6_000, 0.10, 0.10),
    "null": (6_000, 0.10, 0.02),
    "margin": (6_000, 0.16, 0.045),
}


def release(truth: str, rng: np.random.Generator) -> pd.DataFrame:
    """The events of one release: a row an event, its attributes as columns."""
    users, buys, errors = TRUTHS[truth]
    on = rng.random(users) < 0.5
    user = pd.Series(np.arange(users)).astype(str).to_numpy()
    seen = START + pd.to_timedelta(rng.uniform(0, 3 * 86_400, users), unit="s")
    evaluations = pd.DataFrame(
        {
            "event": "feature_flag.evaluation",
            "feature_flag.key": FLAG,
            "feature_flag.context.id": user,
            "feature_flag.result.variant": np.where(on, "on", "off"),
            "feature_flag.result.reason": "split",
            "feature_flag.version": "7",
            "country": rng.choice(COUNTRIES, users, p=SHARES),
            "timestamp": seen,
        }
    )
    parts = [evaluations]
    for name, old, new in (("purchase", 0.1, buys), ("checkout_error", 0.02, errors), ("support_contact", 0.05, 0.05)):
        did = rng.random(users) < np.where(on, new, old)
        later = seen[did] + pd.to_timedelta(rng.uniform(5, 600, did.sum()), unit="s")
        parts.append(pd.DataFrame({"event": name, "feature_flag.context.id": user[did], "timestamp": later}))
    return pd.concat(parts, ignore_index=True)


def as_json_lines(log: pd.DataFrame, path: Path) -> None:
    """The same as a telemetry hook writes it."""
    whole = ("event", "timestamp")
    with path.open("w", encoding="utf-8") as file:
        for row in log.to_dict("records"):
            attributes = {name: value for name, value in row.items() if name not in whole and not pd.isna(value)}
            event = {"timestamp": row["timestamp"].isoformat(), "name": row["event"], "attributes": attributes}
            file.write(json.dumps(event) + "\n")


def main() -> None:
    """Decide on one log of each truth."""
    plan = ab.Experiment.from_file(PLAN)
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        for truth in ("win", "undecided", "harm"):
            path = Path(folder) / f"{truth}.jsonl"
            as_json_lines(release(truth, rng), path)
            decision = ab.decide(plan, path)
            print(f"{truth}: {str(decision).splitlines()[0]}")
            for segment, variants in decision.segments.items():
                print(f"    {segment}: {variants['on'].verdict}")
            print(f"    {decision.reasons[0].message}\n")


if __name__ == "__main__":
    main()
