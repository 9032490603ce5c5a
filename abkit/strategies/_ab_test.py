"""A/B test: the preset of its plan, and what it can and cannot conclude."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from abkit.sequential import FixedHorizon
from abkit.strategies._strategy import Strategy, Words


@dataclass(frozen=True, kw_only=True)
class ABTest(Strategy):
    """A/B test."""

    kind: ClassVar[str] = "ab-test"
    design: ClassVar = "concurrent"
    words: ClassVar[Words] = Words(
        title="A/B test",
        traffic="half of the users see the new release, for days or weeks",
        downtime="none",
        rollback="at once: the old release still runs",
        cost="both releases run for the whole experiment",
        concludes="effects on what users do, at the stated error rates",
        cannot=(
            "effects that outlast the experiment or that pass from user to user; segments that the plan does not name"
        ),
        choose="the question is whether the change is better, and there is time to find out",
    )

    def _check(self) -> None:
        """Nothing but its kind."""

    def preset(self) -> Mapping[str, Any]:
        """The monitor."""
        return {"monitor": FixedHorizon()}
