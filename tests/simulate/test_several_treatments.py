"""What a plan of several treatments states of its errors, and what it does."""

from __future__ import annotations

import numpy as np

import abkit as ab
from abkit.simulate import Scenario, operating_characteristics


def test_each_treatment_may_pass_a_guardrail_at_its_margin() -> None:
    """With a large gain a promotion is wrong where any of four guardrails passes; that no metric is better is rarer."""
    metrics = {"m": ab.Mean("m"), "g": ab.Mean("g", role="guardrail", margin=0.1)}
    allocation = dict.fromkeys(("c", "t1", "t2", "t3", "t4"), 1.0)
    plan = ab.Experiment(unit="u", variant="v", control="c", metrics=metrics, allocation=allocation)
    worlds = [Scenario("harmful", {"m": 5.0, "g": -1.0}), Scenario("useless")]
    found = operating_characteristics(plan, worlds, 20_000, np.random.default_rng(1))
    z = np.random.default_rng(2).normal(size=(100_000, 5))
    passed = (((z[:, 1:] - z[:, :1]) / np.sqrt(2)).max(axis=1) > 1.959964).mean()
    assert abs(float(found["harmful"].promote) - passed) < 0.008
    assert 0.06 < passed <= 4 * 0.025
    assert found.risk.false_promote_max == 0.1
    assert found["useless"].promote < 0.025
    assert not found.excesses
