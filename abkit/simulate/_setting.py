"""What a simulation takes for granted: looks, units, and how large the effects of its scenarios are."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from abkit import _check, _tails
from abkit.errors import PlanError
from abkit.experiment import Experiment
from abkit.sequential import AnytimeValid, Design, GroupSequential, Monitor
from abkit.sequential._anytime_valid import MixtureBound
from abkit.sequential._group_sequential import BoundaryBound
from abkit.sequential._guard import burn_in
from abkit.simulate._scenario import allocation_of
from abkit.types import Relative

ANYTIME_LOOKS = 20
DEFAULT_UNITS = 10_000
FEWEST_UNITS = 20


@dataclass(frozen=True)
class Setting:
    """A plan with looks and units, and its effects on the scale of a z-statistic.

    `units` are those of all variants at each look. `drifts` are the z that one unit of effect gives on average at the
    last look, between the control and the treatment with the smallest share; `nulls` where each metric's null lies, in
    units of effect, signed so that + is better. `notes` say what was assumed.
    """

    plan: Experiment
    shares: Mapping[str, float]
    units: tuple[int, ...]
    drifts: Mapping[str, float]
    nulls: Mapping[str, float]
    notes: tuple[str, ...]

    @property
    def treatments(self) -> tuple[str, ...]:
        """Every variant but the control."""
        return tuple(variant for variant in self.shares if variant != self.plan.control)

    @property
    def reference(self) -> float:
        """Information that one unit of all variants gives on the treatment of `drifts`."""
        return min(self.information(variant) for variant in self.treatments)

    def information(self, treatment: str) -> float:
        """Information, in units of one over the variance of a unit, that one unit of all variants gives."""
        c, t = self.shares[self.plan.control], self.shares[treatment]
        return c * t / (c + t)


def make_setting(plan: Experiment, units: int | None, looks: int | None, power: float) -> Setting:
    """The looks, units and effects of a plan for which there is no history."""
    power = _check.within("power", power, 0, 1)
    shares = allocation_of(plan)
    at, notes = _looks(plan, units, looks)
    if plan.allocation is None:
        notes.append(f"the plan has no `allocation`: one treatment with half of the units, {' : '.join(shares)}")
    nulls, unknown = _nulls(plan)
    drifts, sized = _drifts(plan, shares, at, power, nulls)
    return Setting(plan, shares, at, drifts, nulls, (*notes, *sized, *unknown))


def critical_values(monitor: Monitor, units: tuple[float, ...], smaller: float, tail: float) -> tuple[float, ...]:
    """The deviate that has this one-sided p-value at each look; `smaller` is the share of the smaller variant."""
    if isinstance(monitor, GroupSequential):
        planned = monitor.planned
        bounds = (BoundaryBound(monitor, planned[: k + 1], k + 1 == len(planned)) for k in range(len(planned)))
        return tuple(bound.critical(tail) for bound in bounds)
    if isinstance(monitor, AnytimeValid):
        return tuple(
            math.inf
            if burn_in(n, n * smaller, None, None)
            else MixtureBound(monitor.at(n), monitor.sides).critical(tail)
            for n in units
        )
    return (_tails.critical(tail, math.inf),) * len(units)


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


def _nulls(plan: Experiment) -> tuple[dict[str, float], list[str]]:
    """Where each metric's null lies, in units of effect."""
    nulls, notes = {}, []
    for name, metric in plan.metrics.items():
        if metric.role == "guardrail":
            nulls[name] = -1.0
            continue
        share = _share_of_mde(metric.margin, getattr(metric, "mde", None))
        if share is None or share >= 1:
            notes.append(f"`{name}`: its margin is taken as 0, since the plan has no larger `mde` to compare it with")
        known = share if share is not None and share < 1 else 0.0
        nulls[name] = known if metric.role == "success" else -known
    return nulls, notes


def _share_of_mde(margin: float | Relative | None, mde: float | Relative | None) -> float | None:
    """A margin as a share of the effect worth detecting; None where they cannot be compared."""
    size, of = ((v.value if isinstance(v, Relative) else v) for v in (margin, mde))
    if not size:
        return 0.0
    return size / of if of and isinstance(margin, Relative) == isinstance(mde, Relative) else None


def _drifts(
    plan: Experiment, shares: Mapping[str, float], at: tuple[int, ...], power: float, nulls: Mapping[str, float]
) -> tuple[dict[str, float], list[str]]:
    """The z of one unit of effect where it is what the plan detects with this power by its last look."""
    roles = [metric.role for metric in plan.metrics.values()]
    guardrails, families = roles.count("guardrail"), roles.count("success") * (len(shares) - 1)
    beta = (1 - power) / max(guardrails + ("success" in roles), 1)
    sized = {
        role: _drift(plan, shares, at, 1 - beta, families if role == "success" and plan.adjust == "holm" else 1)
        for role in set(roles)
    }
    drifts = {
        name: sized[metric.role] / ((1 - nulls[name]) if metric.role == "success" else 1)
        for name, metric in plan.metrics.items()
    }
    note = (
        f"an effect of 1 is the one that its metric's own test shows with probability {1 - beta:.4g} by the last look"
    )
    if guardrails and "success" in roles:
        note += f" ({power:g} for all of them: beta shared by {guardrails} guardrails and one success metric)"
    return drifts, [f"{note}, for there is no history to say how large margins and effects are"]


def _drift(plan: Experiment, shares: Mapping[str, float], at: tuple[int, ...], power: float, tests: int) -> float:
    """The expected z at the last look at which a test at alpha's share crosses its bounds with this power."""
    monitor, control = plan.monitor, shares[plan.control]
    treated = min(share for variant, share in shares.items() if variant != plan.control)
    pair = tuple(n * (control + treated) for n in at)
    smaller = min(control, treated) / (control + treated)
    tail = monitor.total / 2 / tests
    bounds = critical_values(monitor, pair, smaller, tail)
    if math.isinf(bounds[-1]):
        bounds = (_tails.critical(tail, math.inf),) * len(bounds)
    try:
        return math.sqrt(Design.from_bounds(pair, bounds, power=power).maximum_information(1.0))
    except ValueError as error:
        raise PlanError(f"`power` must exceed what no effect at all gives: {error}") from error
