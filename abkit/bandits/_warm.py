"""What a finished experiment tells a policy."""

from __future__ import annotations

from typing import Any

from abkit.bandits._policy import Policy
from abkit.bandits._state import MeanState


def warm_state(policy: Policy[Any], report: Any, metric: str | None, weight: float) -> MeanState:
    """The state of a policy after the units of an experiment."""
    raise NotImplementedError
