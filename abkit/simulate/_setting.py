"""What a simulation takes for granted: looks, units, and how large the effects of its scenarios are."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from abkit import _check, _tails
from abkit.errors import PlanError
from abkit.experiment import Experiment
from abkit.sequential import AnytimeValid, Design, GroupSequential, Monitor
from abkit.simulate._course import Course, course_of
from abkit.simulate._drift import Drift
from abkit.simulate._rule import Rule
from abkit.simulate._scenario import Scenario, allocation_of
from abkit.types import Relative

ANYTIME_LOOKS = 20
DEFAULT_UNITS = 10_000
FEWEST_UNITS = 20


@dataclass(frozen=True)
class Setting:
    """A plan with looks and units, and its effects on the scale of a z-statistic.

    `units` are those of all variants at each look; `notes` say what was assumed.
    """

    plan: Experiment
    units: tuple[int, ...]
    drifts: Mapping[str, Drift]
    notes: tuple[str, ...]

    @property
    def last(self) -> int:
        """The units of all variants at the last look."""
        return self.units[-1]


def make_setting(
    plan: Experiment, units: int | None, looks: int | None, power: float, history: object = None
) -> Setting:
    """The looks, units and effects of a plan; without a history, effects are what the plan would detect."""
    power = _check.within("power", power, 0, 1)
    at, notes = _looks(plan, units, looks)
    if plan.allocation is None:
        variants = " : ".join(allocation_of(plan))
        notes.append(f"the plan has no `allocation`: one treatment with half of the units, {variants}")
    margins, unknown = _margins(plan)
    drifts, sized = _drifts(plan, at, power, margins)
    return Setting(plan, at, drifts, (*notes, *sized, *unknown))


def _looks(plan: Experiment, units: int | None, looks: int | None) -> tuple[tuple[int, ...], list[str]]:
    """The units of all variants at each look."""
    monitor = plan.monitor
    last, notes = _last(monitor, units)
    if looks is not None:
        looks = _check.count("looks", looks, 1)
    if isinstance(monitor, GroupSequential):
        shares = monitor.planned
        if looks not in (None, len(shares)):
            raise PlanError(f"`looks` must be left out: the plan has its own {len(shares)}; got {looks}.")
    elif isinstance(monitor, AnytimeValid):
        count = looks or ANYTIME_LOOKS
        shares = tuple((k + 1) / count for k in range(count))
        if looks is None:
            notes.append(f"{count} looks at equal distances; `looks` sets another number")
    else:
        count = looks or 1
        shares = tuple((k + 1) / count for k in range(count))
        if count > 1:
            notes.append(
                f"{count} looks at a fixed horizon: it is peeked at with the bounds of one look, so the rates "
                "measured are not those that the plan states"
            )
    at = tuple(round(share * last) for share in shares)
    if at[0] < FEWEST_UNITS or any(late <= early for early, late in pairwise(at)):
        raise PlanError(
            f"`units` must leave {FEWEST_UNITS} for the first of {len(at)} looks, and some for each; got {last:,}."
        )
    return at, notes


def _last(monitor: Monitor, units: int | None) -> tuple[int, list[str]]:
    """The units of all variants at the last look."""
    given = None if units is None else _check.count("units", units, FEWEST_UNITS)
    planned = getattr(monitor, "units", None)
    if planned is not None:
        if given not in (None, planned):
            raise PlanError(f"`units` must be left out: the plan's monitor has {planned:,}; got {given:,}.")
        return int(planned), []
    if given is not None:
        return given, []
    if isinstance(monitor, AnytimeValid):
        assumed, why = max(monitor.tune_at, FEWEST_UNITS * ANYTIME_LOOKS), "the plan's `tune_at`"
    else:
        assumed, why = DEFAULT_UNITS, "the plan names no number"
    return assumed, [f"{assumed:,} units of all variants at the last look ({why}); `units` sets another number"]


def _margins(plan: Experiment) -> tuple[dict[str, float], list[str]]:
    """How large each metric's margin is, in units of effect."""
    margins, notes = {}, []
    for name, metric in plan.metrics.items():
        share = 1.0 if metric.role == "guardrail" else _share_of_mde(metric.margin, metric.mde)
        if share is None or (share >= 1 and metric.role == "success"):
            notes.append(f"`{name}`: its margin is taken as 0, since the plan has no larger `mde` to compare it with")
            share = 0.0
        margins[name] = share
    return margins, notes


def _share_of_mde(margin: float | Relative | None, mde: float | Relative | None) -> float | None:
    """A margin as a share of the effect worth detecting; None where they cannot be compared."""
    size, of = ((v.value if isinstance(v, Relative) else v) for v in (margin, mde))
    if not size:
        return 0.0
    return size / of if of and isinstance(margin, Relative) == isinstance(mde, Relative) else None


def _drifts(
    plan: Experiment, at: tuple[int, ...], power: float, margins: Mapping[str, float]
) -> tuple[dict[str, Drift], list[str]]:
    """The z of one unit of effect where it is what the plan detects with this power by its last look."""
    roles = [metric.role for metric in plan.metrics.values()]
    course = course_of(plan, Scenario("as planned"), at)
    guardrails = roles.count("guardrail")
    power_of_each = 1 - (1 - power) / max(guardrails + ("success" in roles), 1)
    drifts = {}
    for role in dict.fromkeys(roles):
        tests = Rule.of(plan, course.variants[1:]).shares if role == "success" else 1
        unit = _drift(plan, course, power_of_each, tests)
        for name, metric in plan.metrics.items():
            if metric.role == role:  # beyond the margin that a success must exceed, the effect is what is detected
                size = unit / (1 - margins[name]) if role == "success" else unit
                drifts[name] = Drift(size, size * margins[name])
    note = f"an effect of 1 is what its metric's own test shows with probability {power_of_each:.4g} by the last look"
    if guardrails and "success" in roles:
        note += f" ({power:g} for all: beta is shared by {guardrails} guardrail(s) and the success metrics)"
    return drifts, [f"{note}; `history` would say it in the metric's own mde and margin"]


def _drift(plan: Experiment, course: Course, power: float, tests: int) -> float:
    """The expected z of the treatment that learns least where it crosses its bounds with this power."""
    least = int(np.argmin(course.information[-1]))
    monitor, tail = plan.monitor, plan.monitor.total / 2 / tests
    look = course.look(len(getattr(monitor, "planned", ())))
    bounds = monitor.critical_values(tail, look, course.samples(least, None, None))
    if math.isinf(bounds[-1]):  # a burn-in, or nothing that may be spent: as large as for one look
        bounds = (_tails.critical(tail, math.inf),) * len(bounds)
    try:
        design = Design.from_bounds(course.total.tolist(), bounds, power=power)
        return math.sqrt(design.maximum_information(1.0))
    except ValueError as error:
        raise PlanError(f"`power` must be within what the plan's looks can reach: {error}") from error
