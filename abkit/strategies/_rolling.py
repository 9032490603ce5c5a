"""Rolling: the preset of its plan, and what it can and cannot conclude."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from abkit.sequential import FixedHorizon
from abkit.strategies._strategy import Strategy, Words


@dataclass(frozen=True, kw_only=True)
class Rolling(Strategy):
    """Rolling."""

    kind: ClassVar[str] = "rolling"
    design: ClassVar = "staggered"
    words: ClassVar[Words] = Words(
        title="Rolling",
        traffic="instance by instance",
        downtime="none, if capacity suffices",
        rollback="minutes: the updated instances go back one by one",
        cost="none beyond the usual instances",
        concludes="whether instances change when they are updated, beside those that are not yet",
        cannot=(
            "small effects with few instances: the smallest p is one over the number of possible orders; causes, "
            "where the operator chose the order and not chance; effects on users who meet both releases"
        ),
        choose="there are a dozen instances or more, and no second environment",
    )

    def _check(self) -> None:
        """Nothing but its kind."""

    def preset(self) -> Mapping[str, Any]:
        """The monitor."""
        return {"monitor": FixedHorizon()}
