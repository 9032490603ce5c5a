"""Monitors: when evidence is looked at, and what that costs."""

from abkit.sequential._monitors import FixedHorizon as FixedHorizon
from abkit.sequential._monitors import Monitor as Monitor

#: Every kind of monitor that a plan can name.
KINDS: dict[str, type[Monitor]] = {kind.kind: kind for kind in (FixedHorizon,)}
