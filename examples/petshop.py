"""Incidents with known onsets as if each were a blue-green switch, and how often calm stretches alarm.

    python examples/petshop.py ../shared/data --all

Amazon's PetShop dataset (CC BY 4.0): five-minute metrics of a front service, a calm baseline of two days, and 52
injected incidents of 25 minutes, of which the first two rows are before the alarm. The Numenta Anomaly Benchmark (MIT):
series with labelled incidents. With --all, which takes a few minutes, it prints the tables of
docs/guides/before-and-after.md; without, only some of the incidents and of the calm stretches are tried.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

import abkit as ab

BUCKET, LOOKS = pd.Timedelta("5min"), 12
SWITCH = pd.Timestamp("2026-01-01T00:00Z")


def plan(metrics: dict[str, ab.Metric], **strategy: object) -> ab.Experiment:
    """A switch at midnight."""
    return ab.Experiment(strategy=ab.BlueGreen(switch=SWITCH, **strategy), time="time", metrics=metrics)


def at_switch(rows: pd.DataFrame, switch: int) -> pd.DataFrame:
    """The rows one after the other, five minutes apart, so that the one at this place is the first after the switch."""
    return rows.assign(time=SWITCH + (np.arange(len(rows)) - switch) * BUCKET)


def alarm(plan: ab.Experiment, rows: pd.DataFrame, switch: int, looks: int) -> int | None:
    """The number of rows after the switch at which a rollback comes first."""
    for look in range(1, looks + 1):
        if ab.decide(plan, at_switch(rows.iloc[: switch + look], switch)).verdict == "rollback":
            return look
    return None


def petshop(folder: Path, step: int) -> None:
    """Both tables: incidents that are found, and alarms without any."""
    rows = pd.read_csv(folder / "petshop_petsite_metrics.csv.gz")
    incidents = pd.read_csv(folder / "petshop_incidents.csv.gz")
    latency = ab.Mean("latency_Average", role="guardrail", direction="decrease", margin=ab.relative(0.1))
    availability = ab.Mean("availability_Average", role="guardrail", margin=1.0)
    plans = {"latency": plan({"latency": latency}), "availability": plan({"availability": availability})}
    print("| scenario | incident of | found | after 5 / 10 / 15 minutes | alarms of calm switches |")
    print("|---|---|---|---|---|")
    for scenario in ("high_traffic", "low_traffic"):
        calm = rows[(rows.scenario == scenario) & (rows.split == "noissue")]
        for metric, chosen in plans.items():
            found = [
                alarm(chosen, pd.concat([calm, window]), len(calm) + 2, 3)
                for window in windows(rows, incidents[:: max(step // 4, 1)], scenario, metric)
            ]
            starts = range(288, len(calm) - LOOKS, LOOKS)[::step]
            false = [alarm(chosen, calm.iloc[: start + LOOKS], start, LOOKS) for start in starts]
            when = " / ".join(str(found.count(look)) for look in (1, 2, 3))
            print(
                f"| {scenario} | {metric} | {sum(look is not None for look in found)} of {len(found)} | {when} "
                f"| {sum(look is not None for look in false)} of {len(false)} |"
            )


def windows(rows: pd.DataFrame, incidents: pd.DataFrame, scenario: str, metric: str) -> Iterable[pd.DataFrame]:
    """The five rows of each incident of a metric."""
    chosen = incidents[(incidents.scenario == scenario) & (incidents.target_metric == metric)]
    for incident in chosen.itertuples():
        own = (rows.scenario == scenario) & (rows.split == incident.split) & (rows.issue == incident.issue)
        yield rows[own]


def numenta(folder: Path, step: int) -> None:
    """Labelled incidents, and pseudo switches on calm stretches."""
    every, labels = pd.read_csv(folder / "nab_series.csv.gz"), json.loads((folder / "nab_labels.json").read_text())
    watched = plan({"value": ab.Mean("value", role="deterioration", direction="decrease")})
    watched = replace(watched, strategy=replace(watched.strategy, season="1d"))
    print("\n| series | labelled incidents found | after minutes | alarms of calm switches |\n|---|---|---|---|")
    for name in (
        "ec2_request_latency_system_failure",
        "cpu_utilization_asg_misconfiguration",
        "ec2_cpu_utilization_c6585a",
    ):
        series = every[every.series == name].reset_index(drop=True)
        times = pd.to_datetime(series.timestamp)
        known = labels.get(name, {"labels": [], "windows": []})
        found = [alarm(watched, *past(series, int((times >= label).argmax()) - 1), LOOKS) for label in known["labels"]]
        ends = [(pd.Timestamp(a), pd.Timestamp(b)) for a, b in known["windows"]]
        starts = [i for i in range(7 * 288, len(series) - LOOKS, 211) if not near(times, i, ends)][:8:step]
        false = [alarm(watched, *past(series, i), LOOKS) for i in starts]
        minutes = ", ".join("never" if look is None else str(5 * (look - 1)) for look in found) or "-"
        print(
            f"| {name} | {sum(look is not None for look in found)} of {len(found)} | {minutes} "
            f"| {sum(look is not None for look in false)} of {len(false)} |"
        )


def past(series: pd.DataFrame, switch: int) -> tuple[pd.DataFrame, int]:
    """At most a week before a switch, and the looks after it."""
    first = max(switch - 7 * 288, 0)
    return series.iloc[first : switch + LOOKS], switch - first


def near(times: pd.Series, place: int, windows: list[tuple[pd.Timestamp, pd.Timestamp]]) -> bool:
    """Whether what follows a place is part of an incident."""
    return any(begin <= times[place + LOOKS - 1] and times[place] <= end for begin, end in windows)


if __name__ == "__main__":
    given = [argument for argument in sys.argv[1:] if argument != "--all"]
    data, step = Path(given[0] if given else "../shared/data"), 1 if "--all" in sys.argv else 24
    petshop(data, step)
    numenta(data, step)
