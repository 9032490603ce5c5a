"""From a request to a decision, and from a reply to a response."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from abkit.errors import AbkitError, DataError
from abkit.hooks._answer import answer_of
from abkit.hooks._looks import Looks
from abkit.hooks._meter import Meter
from abkit.hooks._reply import Reply
from abkit.hooks._served import Served

if TYPE_CHECKING:
    from fastapi import Response

    from abkit.decision import Decision


@dataclass(frozen=True, slots=True)
class Desk:
    """What the routes share: it takes a request to a decision, and counts it."""

    looks: Looks
    meter: Meter

    @property
    def plans(self) -> Mapping[str, Served]:
        """The plans that may be asked for."""
        return self.looks.plans

    def known(self, name: str) -> str:
        """The name of a plan, which there is; else a 404."""
        from fastapi import HTTPException

        if name not in self.plans:
            raise HTTPException(404, f"there is no plan {name!r}; GET /v1/plans lists them.")
        return name

    async def judge(self, name: str, stage: int | None = None, look: int | None = None) -> Decision | AbkitError:
        """The decision on a plan, or why there is none."""
        judged = await self.looks.judge(self.known(name), stage, look)
        outcome = answer_of(judged).outcome
        self.meter.decided(name, "no_data" if isinstance(judged, DataError) else outcome)
        return judged


def http(reply: Reply) -> Response:
    """A reply as the framework sends it."""
    from fastapi import Response

    headers = {"retry-after": "1"} if reply.status == 503 else None
    return Response(reply.to_json(), reply.status, headers, "application/json")
