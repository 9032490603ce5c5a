"""What tests of variants take for granted: that who got which did not depend on what others gave."""

from __future__ import annotations

from abkit import _check
from abkit.types import ASSIGNMENTS, Assignment


def need_randomised(test: str, assignment: Assignment, instead: str = "adaptive_test") -> None:
    """Refuse units that were assigned by earlier rewards, with what to use instead."""
    if _check.choice("assignment", assignment, ASSIGNMENTS) == "adaptive":
        raise ValueError(
            f"`assignment` must be 'randomised' for {test}; got 'adaptive'. After a bandit the variants' samples are "
            f"biased and their sizes depend on their values; use ab.bandits.{instead} with the logged propensities."
        )
