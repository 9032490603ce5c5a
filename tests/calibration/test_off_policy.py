"""Off-policy values: coverage at one look, and how often the sequence is ever wrong."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from abkit.bandits import evaluate, value_sequence

TARGET = {"a": 0.25, "b": 0.75}
TRUTH = 0.25 * 0.3 + 0.75 * 0.6


def drawn(n: int, rng: np.random.Generator) -> dict[str, Any]:
    """Two arms and a logging policy that changes at every row."""
    first = np.where(rng.random(n) < 0.5, 0.9, 0.1)
    a = rng.random(n) < first
    reward = (rng.random(n) < np.where(a, 0.3, 0.6)).astype(float)
    chosen = np.where(a, first, 1 - first)
    return {"arm": np.where(a, "a", "b"), "reward": reward, "propensity": chosen, "pa": first, "pb": 1 - first}


@pytest.mark.calibration
@pytest.mark.parametrize("method", ["ips", "snips", "dr"])
def test_coverage_at_one_look(method: Any) -> None:
    rng, runs = np.random.default_rng(5), 1_000
    inside = sum(evaluate(drawn(2_000, rng), TARGET, method).interval().contains(TRUTH) for _ in range(runs))
    assert abs(inside / runs - 0.95) < 4 * math.sqrt(0.95 * 0.05 / runs)


@pytest.mark.calibration
@pytest.mark.parametrize("method", ["ips", "dr"])
def test_ever_wrong_at_most_alpha(method: Any) -> None:
    rng, runs, wrong = np.random.default_rng(6), 1_000, 0
    columns = {"a": "pa", "b": "pb"} if method == "dr" else None
    for _ in range(runs):
        found = value_sequence(drawn(2_000, rng), TARGET, method=method, propensities=columns)
        wrong += bool(np.any((found.low > TRUTH) | (found.high < TRUTH)))
    assert wrong / runs <= 0.05 + 4 * math.sqrt(0.05 * 0.95 / runs)
