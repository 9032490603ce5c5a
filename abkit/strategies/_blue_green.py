"""Blue-green: the preset of its plan, and what it can and cannot conclude."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from abkit.sequential import FixedHorizon
from abkit.strategies._strategy import Strategy, Words


@dataclass(frozen=True, kw_only=True)
class BlueGreen(Strategy):
    """Blue-green."""

    kind: ClassVar[str] = "blue-green"
    design: ClassVar = "before-after"
    words: ClassVar[Words] = Words(
        title="Blue-green",
        traffic="all at once, from one environment to the other",
        downtime="none",
        rollback="seconds, as long as the old environment is kept warm",
        cost="two whole environments",
        concludes="a jump of a series at the switch that exceeds what the series does by itself",
        cannot=(
            "that the release caused it, if anything else changed at the switch; small effects, since nobody has "
            "the old release meanwhile"
        ),
        choose="switching back must be instant, and harm would be large",
    )

    def _check(self) -> None:
        """Nothing but its kind."""

    def preset(self) -> Mapping[str, Any]:
        """The monitor."""
        return {"monitor": FixedHorizon()}
