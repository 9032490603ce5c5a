"""The designs of the cases that rpact was asked about."""

from __future__ import annotations

from typing import Any

import abkit as ab


def design_of(case: dict[str, Any], information: Any) -> ab.Design:
    """The design of a case at this information."""
    given_bounds = case["user_futility"] != [None]
    return ab.group_sequential_design(
        alpha=case["alpha"],
        sides=case["sides"],
        information=information,
        boundary=case["boundary"],
        shape=case["shape"] or None,
        futility=[*case["user_futility"], None] if given_bounds else None,
        binding=given_bounds,
    )
