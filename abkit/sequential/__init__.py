"""Monitors: when evidence is looked at, and what that costs; and what stays right however often one looks."""

from abkit.sequential._anytime_valid import AnytimeValid as AnytimeValid
from abkit.sequential._fixed_horizon import FixedHorizon as FixedHorizon
from abkit.sequential._look import Look as Look

Monitor = FixedHorizon | AnytimeValid

#: Every kind of monitor that a plan can name.
KINDS: dict[str, type[Monitor]] = {kind.kind: kind for kind in (FixedHorizon, AnytimeValid)}
