"""Feature flag: the preset of its plan, and what it can and cannot conclude."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from abkit.sequential import AnytimeValid
from abkit.strategies._strategy import Ramped, Words


@dataclass(frozen=True, kw_only=True)
class FeatureFlag(Ramped):
    """Feature flag."""

    kind: ClassVar[str] = "feature-flag"
    design: ClassVar = "events"
    words: ClassVar[Words] = Words(
        title="Feature flag",
        traffic="the users for whom the flag's own split says so",
        downtime="none",
        rollback="seconds: the flag goes off",
        cost="old code stays until the flag is cleaned up",
        concludes="effects on the users whom chance assigned, as a whole and in the segments that the plan names",
        cannot="anything about users whom a targeting rule chose; effects that pass from user to user",
        choose="releases are switched per user, and segments differ",
    )

    def preset(self) -> Mapping[str, Any]:
        """The monitor."""
        return {"monitor": AnytimeValid()}
