"""What a deployer is answered."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer: its status, and its body as plain values.

    The body is strict JSON: consumers written in Go or Java take a bare NaN for no JSON at all, and one of them takes
    that for success.
    """

    status: int
    body: Mapping[str, Any] | Sequence[Any]

    def to_json(self) -> str:
        """The bytes of the body, as text."""
        return json.dumps(self.body, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
