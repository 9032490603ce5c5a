"""Multi-armed bandit: the preset of its plan, and what it can and cannot conclude."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from abkit.sequential import AnytimeValid
from abkit.strategies._strategy import Strategy, Words
from abkit.types import ROWS

if TYPE_CHECKING:
    from abkit.experiment import Experiment


@dataclass(frozen=True, kw_only=True)
class Bandit(Strategy):
    """Multi-armed bandit: a policy chooses the arm of each decision, and learns from what came of it.

    The plan says in `propensity` with which probability each arm was chosen, and in `order` when. An arm shown to be
    worse is dropped (rollback), one shown to be better with every guardrail held is promoted, and else the policy goes
    on exploring; each arm has its own verdict in `Decision.variants`.
    """

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
        """Looks at any time, at rows of which each is a decision of a policy."""
        return {"monitor": AnytimeValid(), "assignment": "adaptive", "unit": ROWS}

    def check_plan(self, plan: Experiment) -> None:
        """A bandit's log is never one of units that were drawn once and for all."""
        if plan.assignment != "adaptive":
            raise ValueError(f"`assignment` must be adaptive for a bandit; got {plan.assignment}.")
