"""`strategy: bandit`: what it fills in, what it refuses, and what comes of each truth."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import abkit as ab
from abkit.sequential import AnytimeValid

EXAMPLES = Path(__file__).parents[2] / "examples" / "strategies"
_spec = importlib.util.spec_from_file_location("bandit_example", EXAMPLES / "bandit.py")
assert _spec is not None
assert _spec.loader is not None
example = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(example)

BASE = {
    "variant": "arm",
    "control": "old",
    "propensity": "p",
    "order": "at",
    "metrics": {"clicks": {"kind": "proportion", "value": "clicked"}},
}


def test_what_it_fills_in() -> None:
    plan = ab.Experiment.from_dict({**BASE, "strategy": "bandit"})
    assert (plan.unit, plan.assignment, plan.design) == (ab.ROWS, "adaptive", "adaptive")
    assert isinstance(plan.monitor, AnytimeValid)
    assert plan.guarantee == "anytime"
    assert ab.Experiment.from_dict(plan.to_dict()) == plan


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"assignment": "randomised", "propensity": None, "order": None}, "`assignment` must be adaptive for a bandit"),
        ({"propensity": None}, "`propensity` must be given"),
        ({"order": None}, "`order` must be given"),
        ({"allocation": {"old": 1, "new": 1}}, "`allocation` must be left out"),
    ],
)
def test_what_it_refuses(change: dict[str, object], message: str) -> None:
    with pytest.raises(ab.PlanError, match=message):
        ab.Experiment.from_dict({**BASE, "strategy": "bandit", **change})


@pytest.mark.parametrize(
    ("truth", "variants"),
    [
        ("win", {"bold": "promote", "short": "continue"}),
        ("undecided", {"bold": "continue", "short": "continue"}),
        ("harm", {"bold": "rollback", "short": "rollback"}),
    ],
)
def test_each_arm_has_its_verdict(truth: str, variants: dict[str, str]) -> None:
    plan = ab.Experiment.from_file(EXAMPLES / "bandit.yaml")
    decision = ab.decide(plan, example.release(truth, np.random.default_rng(1)))
    assert decision.variants == variants
    assert decision.risk.guarantee == "anytime"
    assert decision.strategy == "bandit"
