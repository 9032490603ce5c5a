"""Logs of rows, one release a strategy and one small table, and what may go wrong with rows on their way.

Left out, because nothing in the rows tells them from good ones: outcomes of another sign or size where any number may
be one, swapped sides of a shadow's pairs, zeros in place of events, rows twice where nothing is a key.
"""

from __future__ import annotations

import decimal
import importlib.util
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd

import abkit as ab

EXAMPLES = Path(__file__).parents[2] / "examples" / "strategies"
TRUTHS = ("win", "win", "undecided", "harm")
START = pd.Timestamp("2026-11-02T00:00Z")


@dataclass(frozen=True)
class Kind:
    """What the columns of a strategy's log are.

    `numbers` may be any number, `flags` are 0 or 1, `needed` else must be there. `labels` names the column of variants
    where swapped ones can be seen, `key` says that rows logged twice can.
    """

    numbers: tuple[str, ...]
    flags: tuple[str, ...] = ()
    needed: tuple[str, ...] = ()
    variant: str = ""
    treatment: str = ""
    swaps: bool = True
    time: str = ""
    key: bool = False


KINDS = {
    "table": Kind(("paid", "ms"), ("failed",), ("user", "row"), "arm", "new", True, "at", True),
    "ab-test": Kind(
        ("revenue", "revenue_before", "seconds_to_pay"),
        ("ordered", "failed"),
        ("user",),
        "variant",
        "new",
        key=True,
    ),
    "canary": Kind(("latency_ms",), ("failed", "crashed"), ("stage", "row"), "release", "canary", True, "at", True),
    "bandit": Kind(("seconds",), ("clicked",), ("p_bold", "p_old", "decided_at"), "teaser", "bold"),
    "blue-green": Kind(("p95_ms", "requests", "errors", "neighbour_ms"), time="time"),
    "recreate": Kind(("p95_ms", "requests", "errors"), time="time"),
    "rolling": Kind(
        ("latency_ms", "requests", "orders", "errors"), (), ("instance",), "version", "v2", False, "at"
    ),
    "shadow": Kind(
        ("latency_old", "latency_new"), ("error_old", "error_new"), ("answer_old", "answer_new", "wrote")
    ),
    "feature-flag": Kind(
        (), (), ("event", "feature_flag.result.reason", "feature_flag.context.id", "timestamp"),
        "feature_flag.result.variant", "on", True, "timestamp", True,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A plan with its rows and the time and state of the look."""

    name: str
    plan: ab.Experiment
    log: pd.DataFrame
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> Kind:
        return KINDS[self.name]


@cache
def example(kind: str) -> ModuleType:
    name = kind.replace("-", "_")
    spec = importlib.util.spec_from_file_location(f"damaged_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


#: What the plans of the examples need, so that damage can be seen: keys, and shares that are not equal.
CHANGES: dict[str, dict[str, Any]] = {
    "ab-test": {"allocation": {"old": 3, "new": 1}, "key": "user"},
    "feature-flag": {"allocation": {"off": 3, "on": 1}},
    "canary": {"key": "row"},
}


@cache
def plan_of(name: str) -> ab.Experiment:
    if name == "table":
        return ab.Experiment(
            unit="user", variant="arm", control="old", allocation={"old": 3, "new": 1}, key="row", time="at",
            metrics={
                "paid": ab.Mean("paid"),
                "failed": ab.Proportion("failed", role="guardrail", direction="decrease", margin=0.1),
                "ms": ab.Mean("ms", role="guardrail", direction="decrease", margin=ab.relative(0.2)),
            },
            timing=ab.Timing(start=START.isoformat(), min_time="1d", stale="1h"),
        )  # fmt: skip
    plan = ab.Experiment.from_file(EXAMPLES / f"{name.replace('-', '_')}.yaml")
    return replace(plan, **CHANGES.get(name, {}))


def generated(name: str, rng: np.random.Generator) -> Case:
    """A release of a strategy, of any truth."""
    truth, more = TRUTHS[rng.integers(4)], {}
    if name == "table":
        log = table(truth, rng)
    elif name == "canary":
        log = example(name).release(truth, rng, requests=2_500, stages=3).assign(row=lambda rows: np.arange(len(rows)))
        more = {"state": ab.State(stage=int(log["stage"].max()))}
    elif name == "ab-test":
        log = example(name).release(truth, rng, users=6_000)
        log = log[(log["variant"] == "old") | (log["user"] % 3 == 0)].reset_index(drop=True)
    else:
        log = example(name).release(truth, rng)
    if name == "feature-flag":
        log = _fewer(log)
    if KINDS[name].time:
        more["now"] = (log[KINDS[name].time].max() + pd.Timedelta("1min")).isoformat()
    return Case(name, plan_of(name), log, more)


def table(truth: str, rng: np.random.Generator, n: int = 1_200) -> pd.DataFrame:
    """Rows of users, of which a quarter are treated; the effect is near where the verdict turns, or beyond."""
    effect = {"win": rng.choice([0.3, 0.5, 1.0]), "undecided": 0.1, "harm": rng.choice([-0.3, -1.0])}[truth]
    new = rng.random(n) < 0.25
    return pd.DataFrame(
        {
            "user": np.arange(n),
            "row": np.arange(n),
            "arm": np.where(new, "new", "old"),
            "paid": 10 + effect * new + 2 * rng.normal(size=n),
            "failed": (rng.random(n) < 0.05).astype("int64"),
            "ms": rng.gamma(4.0, 25.0, n),
            "at": START + pd.to_timedelta(np.sort(rng.uniform(0, 172_800, n)), unit="s"),
        }
    )


def _fewer(log: pd.DataFrame) -> pd.DataFrame:
    """A third of the users with the flag on, so that their share is a quarter."""
    user, shown = "feature_flag.context.id", log["feature_flag.result.variant"] == "on"
    left_out = set(log.loc[shown, user].iloc[::3]) | set(log.loc[shown, user].iloc[1::3])
    return log[~log[user].isin(left_out)].reset_index(drop=True)


Damage = Callable[[Case, np.random.Generator], Case | None]


def _rows(log: pd.DataFrame, rng: np.random.Generator) -> Any:
    """One row, or one in ten."""
    return rng.choice(len(log), 1 if rng.random() < 0.5 else max(len(log) // 10, 1), replace=False)


def _column(names: tuple[str, ...], rng: np.random.Generator) -> str:
    return str(names[rng.integers(len(names))])


def put(value: Any, *, dtype: str | None = None, where: str = "measured") -> Damage:
    """A value in some rows of a column."""

    def damage(case: Case, rng: np.random.Generator) -> Case | None:
        kind = case.kind
        columns = {
            "measured": kind.numbers + kind.flags,
            "flags": kind.flags,
            "numbers": kind.numbers,
            "variant": (kind.variant,) if kind.variant else (),
            "needed": kind.needed,
            "time": (kind.time,) if kind.time else (),
        }[where]
        if not columns:
            return None
        column, log = _column(columns, rng), case.log.copy()
        values = log[column].astype(dtype or "object").to_numpy(copy=True)
        for i in _rows(log, rng):
            values[i] = value
        log[column] = pd.Series(values, index=log.index, dtype=dtype or "object")
        return replace(case, log=log)

    return damage


def dropped_column(case: Case, rng: np.random.Generator) -> Case:
    kind = case.kind
    columns = (*kind.numbers, *kind.flags, *kind.needed, *((kind.variant,) if kind.variant else ()))
    return replace(case, log=case.log.drop(columns=_column(columns, rng)))


def absent_metric(case: Case, rng: np.random.Generator) -> Case | None:
    """A column without a value; of events, none of a kind that is not known to be logged."""
    kind = case.kind
    if case.name == "feature-flag":
        return replace(case, log=case.log[case.log["event"] != "purchase"].reset_index(drop=True))
    return replace(case, log=case.log.assign(**{_column(kind.numbers, rng): math.nan}))


def constant(case: Case, rng: np.random.Generator) -> Case | None:
    """The same number in all rows, or in all of one variant."""
    kind = case.kind
    if not kind.numbers:
        return None
    column, log = _column(kind.numbers, rng), case.log.copy()
    chosen = log[kind.variant] == kind.treatment if kind.variant and rng.random() < 0.5 else slice(None)
    log[column] = log[column].astype("float64")
    log.loc[chosen, column] = float(log.loc[chosen, column].mean())
    return replace(case, log=log)


def swapped(case: Case, rng: np.random.Generator) -> Case | None:
    kind = case.kind
    if not (kind.variant and kind.swaps):
        return None
    names = {case.plan.control: kind.treatment, kind.treatment: case.plan.control}
    return replace(case, log=case.log.assign(**{kind.variant: case.log[kind.variant].map(lambda v: names.get(v, v))}))


def shuffled(case: Case, rng: np.random.Generator) -> Case:
    return replace(case, log=case.log.iloc[rng.permutation(len(case.log))].reset_index(drop=True))


def future_rows(case: Case, rng: np.random.Generator) -> Case | None:
    """Clocks that run a month ahead."""
    time = case.kind.time
    if not time:
        return None
    log = case.log.copy()
    rows = log[time].notna().to_numpy().nonzero()[0]
    chosen = rng.choice(rows, 1 if rng.random() < 0.5 else max(len(rows) // 10, 1), replace=False)
    log.loc[chosen, time] += pd.Timedelta(30, "D")
    return replace(case, log=log)


def clock_behind(case: Case, rng: np.random.Generator) -> Case | None:
    if not case.kind.time:
        return None
    now = (case.log[case.kind.time].max() - pd.Timedelta("1h")).isoformat()
    return replace(case, more={**case.more, "now": now})


def clock_ahead(case: Case, rng: np.random.Generator) -> Case | None:
    """Where the plan says how old a log may be."""
    if case.plan.timing.stale is None:
        return None
    now = (case.log[case.kind.time].max() + pd.Timedelta(90, "D")).isoformat()
    return replace(case, more={**case.more, "now": now})


def duplicated(case: Case, rng: np.random.Generator) -> Case | None:
    """A batch, or the rows of one variant in it, twice."""
    kind = case.kind
    if not kind.key:
        return None
    first = int(rng.integers(len(case.log)))
    batch = case.log.iloc[first : first + len(case.log) // 3]
    if kind.variant and rng.random() < 0.5:
        batch = batch[batch[kind.variant] == kind.treatment]
    return replace(case, log=pd.concat([case.log, batch], ignore_index=True))


def empty_variant(case: Case, rng: np.random.Generator) -> Case | None:
    kind = case.kind
    if not kind.variant:
        return None
    gone = (kind.treatment, case.plan.control)[rng.integers(2)]
    return replace(case, log=case.log[case.log[kind.variant] != gone].reset_index(drop=True))


def no_rows(case: Case, rng: np.random.Generator) -> Case:
    return replace(case, log=case.log.iloc[:0])


DAMAGES: dict[str, Damage] = {
    "dropped column": dropped_column,
    "NaN": put(math.nan, dtype="float64"),
    "null": put(None),
    "null of a number": put(None, dtype="Float64"),
    "infinity": put(math.inf, dtype="float64"),
    "minus infinity": put(-math.inf, dtype="float64"),
    "negative": put(-1.0, dtype="float64", where="flags"),
    "text": put("broken"),
    "mixed types": put(decimal.Decimal("1.5")),
    "no number": put([1, 2]),
    "null variant": put(None, where="variant"),
    "misspelt variant": put("neww", where="variant"),
    "null of another column": put(None, where="needed"),
    "null time": put(None, where="time"),
    "zero variance": constant,
    "swapped arms": swapped,
    "shuffled": shuffled,
    "rows of the future": future_rows,
    "clock behind": clock_behind,
    "clock ahead": clock_ahead,
    "duplicated batch": duplicated,
    "absent metric": absent_metric,
    "empty variant": empty_variant,
    "no rows": no_rows,
}
#: What cannot be told from good data, but must not make a reply that is no JSON.
ODD: dict[str, Damage] = {
    "huge": put(1e300, dtype="float64", where="numbers"),
    "negative number": put(-50.0, dtype="float64", where="numbers"),
}
