"""What a simulation takes for granted: looks, units, and how large the effects of its scenarios are."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtri

from abkit import _check, _tails
from abkit.errors import PlanError
from abkit.experiment import Experiment
from abkit.planning._rule import promotion_of, tests_of
from abkit.sequential import AnytimeValid, Bayesian, Design, FixedHorizon, GroupSequential, Monitor
from abkit.simulate._course import Course, course_of
from abkit.simulate._drift import Drift
from abkit.simulate._rule import Rule
from abkit.simulate._scenario import Scenario, allocation_of
from abkit.strategies import Ramped
from abkit.types import Relative

ANYTIME_LOOKS = 20
DEFAULT_UNITS = 10_000
#: For each look.
FEWEST_UNITS = 4


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
    if isinstance(plan.monitor, Bayesian):
        plan.monitor.require_deviates("planning and simulation")
    shares, notes = _shares(plan.monitor, looks)
    last, said = _last(plan.monitor, units, FEWEST_UNITS * len(shares))
    at, notes = _units_at(shares, last), notes + said
    if isinstance(plan.monitor, GroupSequential) and plan.monitor.units not in (None, last):
        plan = replace(plan, monitor=replace(plan.monitor, units=None))
    if plan.allocation is None:
        variants = " : ".join(allocation_of(plan))
        notes.append(f"the plan has no `allocation`: one treatment with half of the units, {variants}")
    if any(metric.pairs for metric in plan.metrics.values()):
        notes.append("units are seen under every variant; here each counts under one, as where they are not pairs")
    if any((metric.missing or plan.missing) != "error" for metric in plan.metrics.values()):
        notes.append("the checks of missing values, which are of one look each, are not simulated")
    notes += _of_times(plan)
    margins, unknown = _margins(plan)
    drifts, sized = _drifts(plan, at, power, margins)
    if history is None:
        return Setting(plan, at, drifts, (*notes, *sized, *unknown))
    from abkit.simulate._from_history import drifts_of_history

    drifts, known = drifts_of_history(plan, history, at, power, drifts)
    return Setting(plan, at, drifts, (*notes, *known))


def _of_times(plan: Experiment) -> Iterator[str]:
    """What looks without times leave out, or take for granted."""
    stages = plan.strategy.stages if isinstance(plan.strategy, Ramped) else ()
    if plan.timing.min_time is not None or any(stage.min_time for stage in stages):
        yield "looks have no times: that a promotion waits for `min_time` is not simulated"
    if plan.timing.deadline is not None and plan.timing.at_deadline != "hold":
        yield f"the last look is taken to be at the deadline, where the plan then says {plan.timing.at_deadline}"


def _shares(monitor: Monitor, looks: int | None) -> tuple[tuple[float, ...], list[str]]:
    """The share of all units at each look."""
    if looks is not None:
        looks = _check.count("looks", looks, 1)
    if isinstance(monitor, GroupSequential):
        if looks not in (None, len(monitor.planned)):
            raise PlanError(f"`looks` must be left out: the plan has its own {len(monitor.planned)}; got {looks}.")
        return monitor.planned, []
    count = looks or (ANYTIME_LOOKS if isinstance(monitor, AnytimeValid) else 1)
    notes = []
    if isinstance(monitor, AnytimeValid) and looks is None:
        notes = [f"{count} looks at equal distances; `looks` sets another number"]
    elif isinstance(monitor, FixedHorizon) and count > 1:
        bounds = "each with the bounds of one look: the plan's statements are of one look and do not cover this"
        notes = [f"{count} looks at a fixed horizon, {bounds}"]
    elif isinstance(monitor, Bayesian):
        looked = f"{count} look{'s' * (count > 1)}, each decided by its posterior (`looks` sets another number)"
        stated = "what is stated is a probability, on average over effects from the prior and not for each of these"
        notes = [f"{looked}: {stated}"]
    return tuple((k + 1) / count for k in range(count)), notes


def _last(monitor: Monitor, units: int | None, least: int) -> tuple[int, list[str]]:
    """The units of all variants at the last look."""
    planned = getattr(monitor, "units", None)
    if units is not None:
        given = _check.count("units", units, least)
        if planned not in (None, given):
            raise PlanError(f"`units` must be left out: the plan's monitor has {planned:,}; got {given:,}.")
        return given, []
    if planned is not None:
        few = f"the plan's {planned:,} units are too few for its looks: {least:,} stand for them"
        return max(planned, least), [few] * (planned < least)
    tuned = isinstance(monitor, AnytimeValid)
    assumed = max(monitor.tune_at if isinstance(monitor, AnytimeValid) else DEFAULT_UNITS, least)
    why = "`tune_at`, or as many as the looks need" if tuned else "the plan names no number"
    return assumed, [f"{assumed:,} units of all variants at the last look ({why}); `units` sets another number"]


def _units_at(shares: tuple[float, ...], last: int) -> tuple[int, ...]:
    """Whole units at each look: rising, from the fewest that can be looked at."""
    at: list[int] = []
    for k, share in enumerate(shares):
        room = last - (len(shares) - 1 - k)
        at.append(min(max(round(share * last), at[-1] + 1 if at else FEWEST_UNITS), room))
    return tuple(at)


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
    course = course_of(plan, Scenario("as planned"), at)
    tests = tests_of(promotion_of(plan))
    power_of_each = 1 - (1 - power) / max(tests, 1)
    drifts, units = {}, dict[float, float]()
    for (name, metric), level in zip(plan.metrics.items(), _least_levels(plan, course), strict=True):
        if level not in units:
            units[level] = _drift(plan, course, power_of_each, level)
        # beyond the margin that a success must exceed, the effect is what is detected
        size = units[level] / (1 - margins[name]) if metric.role == "success" else units[level]
        drifts[name] = Drift(size, size * margins[name])
    note = f"an effect of 1 is what its metric's own test shows with probability {power_of_each:.4g} by the last look"
    if tests > 1:
        note += f" ({power:g} for all: beta is shared by {_of_whom(plan)})"
    return drifts, [f"{note}; `history` would say it in the metric's own mde and margin"]


def _of_whom(plan: Experiment) -> str:
    """What a promotion waits for."""
    if plan.rule.promote is not None:
        return "the tests that the rule's tree asks for"
    roles = [metric.role for metric in plan.metrics.values()]
    guardrails = roles.count("guardrail")
    return f"{guardrails} guardrail{'s' * (guardrails > 1)}" + " and the success metrics" * ("success" in roles)


def _least_levels(plan: Experiment, course: Course) -> Iterator[float]:
    """The smallest two-sided level at which each metric shows what it is for."""
    rule = Rule.of(plan, course.variants[1:])
    for metric, gains, harms in zip(plan.metrics.values(), rule.gains, rule.harms, strict=True):
        own = {"quality": plan.monitor.total, "deterioration": harms[-1]}
        yield own.get(metric.role, gains[-1])


def _drift(plan: Experiment, course: Course, power: float, level: float) -> float:
    """The expected z of the treatment that learns least where it crosses its bounds with this power."""
    least = int(np.argmin(course.information[-1]))
    monitor, tail = plan.monitor, level / 2
    look = course.look(len(getattr(monitor, "planned", ())))
    bounds = monitor.critical_values(tail, look, course.samples(least, None, None))
    at_one_look = _tails.critical(tail, math.inf) + float(ndtri(power))
    if not at_one_look > 0:
        raise PlanError(f"`power` must exceed what a test without any effect has; got {power:g} for each.")
    if math.isinf(bounds[-1]):  # a burn-in, or nothing that may be spent
        return at_one_look
    try:
        return math.sqrt(Design.from_bounds(course.total.tolist(), bounds, power=power).maximum_information(1.0))
    except ValueError:  # the looks reject more often than this without any effect
        return at_one_look
