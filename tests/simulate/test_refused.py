"""What a simulation on sums would get wrong is refused, by its field."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import abkit as ab

METRICS = {"x": ab.Mean("x"), "y": ab.Mean("y", role="guardrail", margin=0.1)}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"strategy": ab.Canary(stages=(ab.Stage(5), ab.Stage(50)))}, "`strategy.stages`"),
        ({"strategy": ab.Canary(stages=(ab.Stage(50),), stage="stage")}, "`strategy.stages`"),
    ],
)
def test_it_is_named(changes: dict[str, Any], named: str) -> None:
    plan = ab.Experiment(unit="u", variant="v", control="old", metrics=METRICS, **changes)
    with pytest.raises(ab.PlanError, match=named):
        ab.simulate.operating_characteristics(plan, runs=10, rng=np.random.default_rng(1), units=1000)
