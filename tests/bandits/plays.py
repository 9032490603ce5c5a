"""States of the golden plays, made by a policy itself, one reward at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.golden.read import golden

GOLDEN = golden("bandit_indices")
PLAYS: dict[str, list[list[float]]] = GOLDEN["plays"]


def played(policy: Any, rewards: list[list[float]]) -> Any:
    """The state after the rewards of each arm."""
    rows = [(arm, reward) for arm, listed in enumerate(rewards) for reward in listed]
    return policy.update(policy.init(len(rewards)), [arm for arm, _ in rows], [reward for _, reward in rows])


def golden_index(values: list[str | None]) -> Any:
    """Values of a golden index, minus infinity where there is none, to 1e-12."""
    return pytest.approx([-np.inf if value is None else float(value) for value in values], rel=1e-12, abs=1e-12)


def in_runs(state: Any, runs: int) -> Any:
    """The same state in several runs side by side."""
    arrays = [np.repeat(getattr(state, name)[:, None], runs, axis=1) for name in state.arrays()]
    return type(state)(state.arms, *arrays)
