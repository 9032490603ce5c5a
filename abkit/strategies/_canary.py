"""Canary: the preset of its plan, and what it can and cannot conclude."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from abkit.sequential import AnytimeValid
from abkit.strategies._strategy import Ramped, Words


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

    def preset(self) -> Mapping[str, Any]:
        """The monitor."""
        return {"monitor": AnytimeValid()}
