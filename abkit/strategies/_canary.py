"""Canary: the preset of its plan, and what it can and cannot conclude."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from abkit import _times
from abkit.sequential import AnytimeValid, GroupSequential
from abkit.strategies._strategy import Ramped, Words

if TYPE_CHECKING:
    from abkit.experiment import Experiment


@dataclass(frozen=True, kw_only=True)
class Canary(Ramped):
    """Canary."""

    kind: ClassVar[str] = "canary"
    design: ClassVar = "concurrent"
    words: ClassVar[Words] = Words(
        title="Canary",
        traffic="a small share first, raised in stages",
        downtime="none",
        rollback="seconds: the share goes back to zero",
        cost="a few more instances while it lasts",
        concludes="harm beyond the margins, early; and that there is none, at any time that one looks",
        cannot=(
            "effects at full load from stages at low load; errors rarer than about 3 in the requests of the "
            "canary; an instance's own faults, where the canary is one instance"
        ),
        choose="harm must be found on few users, and requests are many",
    )

    warm_up: str | None = None

    def _check_more(self) -> None:
        if self.stage is None and not self.steady:
            object.__setattr__(self, "stage", "stage")
        if self.warm_up is not None:
            object.__setattr__(self, "warm_up", _times.duration_text("strategy.warm_up", self.warm_up))

    def preset(self) -> Mapping[str, Any]:
        """Looks at any time."""
        return {"monitor": AnytimeValid()}

    def check_plan(self, plan: Experiment) -> None:
        """Refuse a plan whose stages cannot be compared one by one."""
        if plan.design != "concurrent":
            raise ValueError("`assignment` must be randomised in a canary; for a policy there is `Bandit()`.")
        if self.warm_up is not None and plan.time is None:
            raise ValueError("`time` must name the column of times where the strategy has a `warm_up`.")
        if self.stage is None:
            return
        if any(metric.pairs for metric in plan.metrics.values()):
            raise ValueError("`metrics` must not be paired in a ramp: a unit has one variant. Use `Shadow()`.")
        if isinstance(plan.monitor, GroupSequential):
            raise ValueError(
                "`monitor` must be AnytimeValid() or FixedHorizon() in a ramp by stages: a schedule counts units, and "
                "those of a stage at 1% tell less than those of one at 50%."
            )
        if self.stage in (plan.unit, plan.variant, *plan.segments):
            raise ValueError(f"`strategy.stage` must be a column of its own; got {self.stage!r}.")
