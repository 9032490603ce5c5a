"""Multi-armed bandit: the preset of its plan, and what it can and cannot conclude."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from abkit.sequential import AnytimeValid
from abkit.strategies._strategy import Strategy, Words


@dataclass(frozen=True, kw_only=True)
class Bandit(Strategy):
    """Multi-armed bandit."""

    kind: ClassVar[str] = "bandit"
    design: ClassVar = "adaptive"
    words: ClassVar[Words] = Words(
        title="Multi-armed bandit",
        traffic="shifts to what seems better while it runs",
        downtime="none",
        rollback="at once: the old arm still runs",
        cost="the policy must log its propensities",
        concludes="which arm is better, from decisions weighted by their propensities",
        cannot=(
            "the arms' own means, which are biased; anything, where the policy did not log its propensities or "
            "never explored"
        ),
        choose="choices are many and cheap, and regret while learning matters more than precision",
    )

    def _check(self) -> None:
        """Nothing but its kind."""

    def preset(self) -> Mapping[str, Any]:
        """The monitor."""
        return {"monitor": AnytimeValid(), "assignment": "adaptive"}
