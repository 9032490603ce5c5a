"""What a group-sequential design was asked for, how its bounds follow, and how both change as looks are held."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from abkit import _check
from abkit.sequential._arguments import CLOSEST, rising_clock
from abkit.sequential._boundaries import Bounds, Side, both_sides
from abkit.sequential._spending import log_spent

_Given = tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Solved:
    """The bounds of a plan; `lower` with two sides, `alpha_spent` where a function of the time says it."""

    upper: Bounds
    lower: Bounds | None
    alpha_spent: Bounds | None
    futility: _Given | None
    harm: _Given | None


@dataclass(frozen=True, slots=True)
class Plan:
    """The arguments of `group_sequential_design`, checked; `clock` is alpha's, `calendar` whether it was given."""

    alpha: float
    alpha_lower: float
    sides: int
    information: Bounds
    clock: Bounds
    calendar: bool
    boundary: object
    shape: float | None
    boundary_lower: object
    shape_lower: float | None
    power: float
    futility: object
    futility_shape: float | None
    binding: bool
    harm: object
    harm_shape: float | None
    harm_alpha: float
    skip: frozenset[int]
    held: Bounds = ()  # futility bounds of looks gone by, which stay where they were

    @property
    def above(self) -> Side:
        """The upper side."""
        mine = self.alpha - self.alpha_lower
        return Side(self.boundary, self.shape, mine, self.alpha, self.information, self.clock, self.skip)

    @property
    def below(self) -> Side:
        """The lower side, mirrored."""
        family = self.boundary_lower, self.shape_lower
        return Side(*family, self.alpha_lower, self.alpha, self.information, self.clock, self.skip)

    def solved(self) -> Solved:
        """All bounds."""
        above, below = self.above, self.below
        if self.sides == 1:
            upper, lower = above.upper((-math.inf,) * len(self.information)), None
        else:
            upper, lower = both_sides(above, below)
        futility = None
        if self.futility is not None:
            upper, futility = self._futility(upper)
            lower = None if lower is None else tuple(-c for c in upper)
        spent = None
        if above.spends and (self.sides == 1 or below.spends):
            total = np.exp(above.log_spent()) + (np.exp(below.log_spent()) if self.sides == 2 else 0.0)
            spent = tuple(total.tolist())
        return Solved(upper, lower, spent, futility, self._harm(upper))

    def _futility(self, upper: Bounds) -> tuple[Bounds, _Given]:
        """Critical values and futility bounds; the former move only where the latter are binding."""
        from abkit.sequential import _futility

        above, information = self.above, self.information
        alpha = tuple(np.exp(above.log_spent()).tolist()) if above.spends else None
        if isinstance(self.futility, tuple):
            if self.binding:
                bounds = tuple(-math.inf if bound is None else bound for bound in self.futility)
                if alpha is None:
                    upper = _futility.shape_with(information, above.form(), bounds, self.sides, above.alpha)
                else:
                    upper = _futility.critical_values_with(information, bounds, self.sides, alpha)
            return upper, self.futility
        beta = 1 - self.power
        clock = np.array(self.clock)
        spent = np.exp(log_spent("futility", self.futility, self.futility_shape, (beta, beta), clock)).tolist()
        if self.binding and alpha is None:
            found = _futility.spend_beta_of_shape(information, above.form(), spent, self.sides, above.alpha)
        else:
            binding = alpha if self.binding else None
            found = _futility.spend_beta(information, upper, spent, self.sides, binding, held=self.held)
        return found.critical_values, found.futility

    def _harm(self, upper: Bounds) -> _Given | None:
        if self.harm is None or isinstance(self.harm, tuple):
            return self.harm
        from abkit.sequential import _futility

        error, clock = (self.harm_alpha, self.harm_alpha), np.array(self.clock)
        spent = np.exp(log_spent("harm", self.harm, self.harm_shape, error, clock))
        return _futility.harm_bounds(self.information, upper, spent.tolist())

    def updated(
        self,
        seen: Bounds,
        alpha_spent: Bounds,
        futility: Bounds,
        *,
        final: bool,
        maximum: float | None,
        clock: Sequence[float] | None,
    ) -> Plan:
        """The plan with the looks that were held, and those that are still to come."""
        if isinstance(self.futility, tuple) or isinstance(self.harm, tuple):
            raise ValueError("a design whose futility or harm bounds were given cannot be updated.")
        now, count = seen[-1], len(seen)
        end = max(self.information[-1], now) if maximum is None else _check.at_least("maximum", maximum, now)
        held = self._held(seen, clock)
        run_out = len(held) == count and held[-1] >= 1
        over = final or run_out or end <= now * (1 + CLOSEST)
        ahead = [] if over else self._ahead(now, count)
        information = (*seen, *(() if over else self._coming(now, count, end, ahead)))
        skip = {k for k in self.skip if k < count} | {count + i for i, j in enumerate(ahead) if j in self.skip}
        plan = replace(
            self,
            information=information,
            clock=self._clock(information, held, ahead),
            skip=frozenset(skip - {len(information) - 1}),
            held=futility[: count - 1],
        )
        fixed = not self.above.spends or isinstance(self.boundary, tuple)
        return self._interpolated(plan, alpha_spent) if fixed else plan

    def _ahead(self, now: float, count: int) -> list[int]:
        """Which of the planned looks are still to come."""
        later = range(count, len(self.information))
        return [j for j in later if self.calendar or self.information[j] > now * (1 + CLOSEST)]

    def _coming(self, now: float, count: int, end: float, ahead: list[int]) -> Bounds:
        """Their information: as planned, stretched to end where the last look now is."""
        if not ahead:
            return (end,)
        origin = self.information[count - 1] if self.calendar else now
        stretch = (end - now) / (self.information[-1] - origin)
        return (*(now + (self.information[j] - origin) * stretch for j in ahead[:-1]), end)

    def _held(self, seen: Bounds, clock: Sequence[float] | None) -> list[float]:
        """Alpha's clock at the looks before this one (and at this one, where there is a calendar)."""
        if clock is not None:
            return list(rising_clock(clock, len(seen)))
        if self.calendar:
            if len(seen) > len(self.clock):
                raise ValueError("`spending_time` must be given for more looks than were planned.")
            return list(self.clock[: len(seen)])
        planned = dict(zip(self.information, self.clock, strict=True))
        held = [planned.get(value, min(value / self.information[-1], 1.0)) for value in seen[:-1]]
        return np.maximum.accumulate(held).tolist() if held else []

    def _clock(self, information: Bounds, held: list[float], ahead: list[int]) -> Bounds:
        """From the last look held on, what is left of the clock runs with the information that is left."""
        if self.calendar:
            return (*[*held, *(self.clock[j] for j in ahead)][: len(information) - 1], 1.0)
        start, reached = (information[len(held) - 1], held[-1]) if held else (0.0, 0.0)
        if len(held) == len(information):
            return (*held[:-1], 1.0)
        left = [(value - start) / (information[-1] - start) for value in information[len(held) :]]
        return (*held, *(reached + (1 - reached) * share for share in left[:-1]), 1.0)

    def _interpolated(self, plan: Plan, alpha_spent: Bounds) -> Plan:
        """Alpha spent in straight lines between the looks at which it is known."""
        if self.boundary != self.boundary_lower or self.alpha_lower not in (0.0, self.alpha / 2):
            raise ValueError("`boundary` must be a spending function where sides differ, for a design to be updated.")
        shares = np.interp(plan.clock, (0.0, *self.clock), (0.0, *alpha_spent)) / alpha_spent[-1]
        points = tuple(shares.tolist())
        return replace(plan, boundary=points, shape=None, boundary_lower=points, shape_lower=None)
