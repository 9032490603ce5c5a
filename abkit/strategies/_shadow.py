"""Shadow: the preset of its plan, and what it can and cannot conclude."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from abkit.sequential import AnytimeValid
from abkit.strategies._strategy import Strategy, Words


@dataclass(frozen=True, kw_only=True)
class Shadow(Strategy):
    """Shadow."""

    kind: ClassVar[str] = "shadow"
    design: ClassVar = "paired"
    words: ClassVar[Words] = Words(
        title="Shadow",
        traffic="none: a copy of each request goes to the new release, and its answer is thrown away",
        downtime="none",
        rollback="nothing to undo: no user was exposed",
        cost="twice the computing",
        concludes="whether the new release answers as the old one does, as fast, without more errors",
        cannot=(
            "what users do with the answers: revenue, feedback, caches that fill, writes (which must be stubbed); "
            "so it promotes to a canary, never to everybody"
        ),
        choose="answers can be compared request by request, as those of models can",
    )

    def _check(self) -> None:
        """Nothing but its kind."""

    def preset(self) -> Mapping[str, Any]:
        """The monitor."""
        return {"monitor": AnytimeValid()}
