"""Recreate: the preset of its plan, and what it can and cannot conclude."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from abkit.sequential import FixedHorizon
from abkit.strategies._strategy import Strategy, Words


@dataclass(frozen=True, kw_only=True)
class Recreate(Strategy):
    """Recreate."""

    kind: ClassVar[str] = "recreate"
    design: ClassVar = "before-after"
    words: ClassVar[Words] = Words(
        title="Recreate",
        traffic="all at once, after a stop",
        downtime="from the stop to the start: a metric of its own",
        rollback="a second outage",
        cost="one environment",
        concludes=(
            "a jump of a series across the outage that exceeds what the series does by itself, and how long the "
            "outage was"
        ),
        cannot=(
            "causes, since before and after differ in more than the release; anything inside the outage; small effects"
        ),
        choose="two releases cannot run side by side",
    )

    def _check(self) -> None:
        """Nothing but its kind."""

    def preset(self) -> Mapping[str, Any]:
        """The monitor."""
        return {"monitor": FixedHorizon()}
