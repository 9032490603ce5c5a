"""A small event log with every kind of trouble, and its statistics by an independent, slow, exact route."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
import pandas as pd

import abkit as ab
from abkit.logs import Request

ROWS = 4_000


def event_log(seed: int = 1) -> pd.DataFrame:
    """Rows with duplicates, nulls, contaminated units, an unknown variant, and a column with a large offset."""
    rng = np.random.default_rng(seed)
    units = 600
    user = rng.integers(0, units, ROWS)
    variant = np.array(["control", "new", "newer", "old"])[np.searchsorted([0.45, 0.8, 0.97], rng.random(units))][user]
    log = pd.DataFrame(
        {
            "event": np.arange(ROWS),
            "user": user.astype("int64"),
            "variant": variant,
            "revenue": rng.gamma(1.0, 20.0, ROWS),
            "orders": rng.poisson(0.7, ROWS).astype("int64"),
            "views": (1 + rng.poisson(3, ROWS)).astype("int64"),
            "bought": rng.random(ROWS) < 0.1,
            "clock": 1e9 + rng.normal(0, 1, ROWS),
            "before": np.round(rng.gamma(2.0, 10.0, units), 3)[user],
            "seen": rng.random(ROWS) < 0.95,
            "country": np.array(["DE", "FR", "US"])[rng.integers(0, 3, units)][user],
        }
    )
    log["profit"] = np.where(log["orders"] == 0, 0.0, log["revenue"] - 15.0)
    crossed = rng.choice(ROWS, 12, replace=False)
    log.loc[crossed, "variant"] = "newer"
    log.loc[rng.choice(ROWS, 25, replace=False), "revenue"] = np.nan
    log.loc[rng.choice(ROWS, 7, replace=False), "variant"] = None
    return pd.concat([log, log.iloc[rng.choice(ROWS, 60, replace=False)]], ignore_index=True)


def experiment() -> ab.Experiment:
    """A plan that uses every feature that a log can have."""
    return ab.Experiment(
        unit="user",
        variant="variant",
        control="control",
        metrics={
            "revenue": ab.Mean("revenue", missing="drop"),
            "revenue or nothing": ab.Mean("revenue", missing="zero", covariates="before"),
            "orders per view": ab.Ratio("orders", "views", covariates=[ab.Sum("orders")]),
            "capped": ab.Mean("orders", cap=ab.Cap(quantile=0.9)),
            "clock": ab.Mean("clock"),
            "clock per row": ab.Ratio("clock", ab.ROWS),
            "conversion": ab.Proportion("bought"),
        },
        allocation={"control": 45, "new": 35, "newer": 17},
        segments=["country"],
        exposure="seen",
        key="event",
    )


def expected(log: pd.DataFrame) -> dict[str, dict[str, dict[str, Any]]]:
    """Per variant and metric: n, means and co-moments, in rational arithmetic from plain loops."""
    kept = log[log["seen"] & log["variant"].notna()].drop_duplicates("event")
    by_user = dict(iter(kept.groupby("user")))
    known = {"control", "new", "newer"}
    clean = {u: r for u, r in by_user.items() if r["variant"].nunique() == 1 and r["variant"].iloc[0] in known}
    threshold = float(np.quantile([r["orders"].sum() for r in clean.values()], 0.9))
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for variant in sorted(known):
        mine = [rows for rows in clean.values() if rows["variant"].iloc[0] == variant]
        priced = [rows["revenue"].dropna() for rows in mine]
        found[variant] = {
            "revenue": exact([[total(p)] for p in priced if len(p)]),
            "revenue or nothing": exact([[total(p), r["before"].iloc[0]] for p, r in zip(priced, mine, strict=True)]),
            "orders per view": exact(
                [[int(r["orders"].sum()), int(r["views"].sum()), int(r["orders"].sum())] for r in mine]
            ),
            "capped": exact([[min(int(r["orders"].sum()), threshold)] for r in mine]),
            "clock": exact([[total(r["clock"])] for r in mine]),
            "clock per row": exact([[total(r["clock"]), len(r)] for r in mine]),
            "conversion": exact([[int(r["bought"].any())] for r in mine]),
        }
    return found


def total(values: pd.Series) -> Fraction:
    """The exact sum of floats."""
    return sum((Fraction(float(value)) for value in values), Fraction(0))


def exact(rows: list[list[Any]]) -> dict[str, Any]:
    """Exact mean vector, co-moments, and third co-moments of the first two columns, of rows of numbers."""
    n, k = len(rows), len(rows[0])
    values = [[Fraction(value) for value in row] for row in rows]
    mean = [sum(row[i] for row in values) / n for i in range(k)]
    m2 = [[sum((row[i] - mean[i]) * (row[j] - mean[j]) for row in values) for j in range(k)] for i in range(k)]
    far = [[row[i] - mean[i] for i in range(min(k, 2))] for row in values]
    places = range(min(k, 2))
    cubes = {
        key: sum(math.prod(row[i] for i in key) for row in far) for key in combinations_with_replacement(places, 3)
    }
    m3 = [[[float(cubes[tuple(sorted((a, b, c)))]) for c in places] for b in places] for a in places]
    return {
        "n": n,
        "mean": [float(x) for x in mean],
        "m2": [[float(x) for x in row] for row in m2],
        "m3": m3,
        "nonzero": sum(row[0] != 0 for row in values),
    }


def request() -> Request:
    """What the plan asks."""
    return experiment().request()
