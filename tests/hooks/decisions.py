"""Decisions of every kind, made from logs whose truth is known."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import abkit as ab

N = 200
TREATED = np.arange(N) % 2
EFFECTS = {"promote": 2.0, "continue": 0.0, "rollback": -2.0, "blocked": 2.0}
PLAN: dict[str, Any] = {
    "unit": "user",
    "variant": "variant",
    "control": "control",
    "metrics": {"revenue": {"kind": "mean", "value": "revenue"}},
    "monitor": {"kind": "anytime-valid"},
}
STAGES = [{"weight": weight, "control": weight} for weight in (5, 25, 50)]
RAMP = {"kind": "canary", "stages": STAGES, "stage": "stage"}
BROKEN = {"allocation": {"control": 9, "treatment": 1}}


def log_of(outcome: str, treatment: str = "treatment") -> pd.DataFrame:
    variant = np.where(TREATED, treatment, "control")
    revenue = 10 + EFFECTS[outcome] * TREATED + np.arange(N) % 5
    return pd.DataFrame({"user": np.arange(N), "variant": variant, "revenue": revenue})


def plan_of(outcome: str, **more: Any) -> dict[str, Any]:
    return {**PLAN, **(BROKEN if outcome == "blocked" else {}), **more}


@cache
def decision_of(outcome: str) -> ab.Decision:
    """A decision whose outcome is promote, continue, rollback or blocked."""
    return ab.decide(plan_of(outcome), log_of(outcome))


@cache
def staged(stage: int, effect: float = 2.0) -> ab.Decision:
    plan = plan_of("promote", strategy=RAMP)
    log = log_of("promote").assign(revenue=lambda frame: frame.revenue + (effect - 2.0) * TREATED, stage=stage)
    return ab.decide(plan, log, state=ab.State(stage=stage))


def hostile(name: str) -> ab.Decision:
    """A promotion of a variant whose name is an attack."""
    return ab.decide(plan_of("promote"), log_of("promote", name))


def write(folder: Path, name: str, outcome: str, **more: Any) -> Path:
    """A plan's file whose log lies beside it."""
    log_of(outcome).assign(stage=1).to_parquet(folder / f"{name}.parquet")
    plan = plan_of(outcome, **{"log": {"path": f"{name}.parquet"}, **more})
    (folder / f"{name}.json").write_text(json.dumps(plan), encoding="utf-8")
    return folder / f"{name}.json"
