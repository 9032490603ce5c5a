"""Looks on a schedule."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import ClassVar

import numpy as np
from scipy.special import ndtr, ndtri

from abkit import _check
from abkit.errors import PlanError
from abkit.evidence import PLANNED, Effect, Sample
from abkit.sequential._boundaries import SPENDING, NothingLeftError
from abkit.sequential._design import Design
from abkit.sequential._group_sequential_design import group_sequential_design
from abkit.sequential._look import Look
from abkit.sequential._monitored import MonitoredEffect
from abkit.types import Guarantee

#: Two looks at less than this distance, as a share of all information, are one.
CLOSEST = 1e-6
LARGEST_TAIL = 0.4999
FARTHEST = 37.0


@dataclass(frozen=True, slots=True)
class GroupSequential:
    """A planned number of looks, each with its own critical value.

    Parameters
    ----------
    alpha : float
        Probability of a false conclusion at any of the looks: with two sides the total, each direction having half of
        it; with one side each direction's own. Between 0 and 1; with one side below 0.5.
    looks : int, optional
        How many, at equal distances of information. Either this or `information`.
    information : list of float, optional
        The share of all information at each look, rising, the last one 1.
    boundary : str, or list of float
        "obrien-fleming", "pocock", "wang-tsiatis", "haybittle-peto"; the spending functions "ld-obrien-fleming" (the
        default), "ld-pocock", "kim-demets", "hwang-shih-decani"; or the alpha spent up to each look, at last alpha.
    shape : float, optional
        The parameter of "wang-tsiatis", "haybittle-peto", "kim-demets" or "hwang-shih-decani".
    futility : str, optional
        A spending function of beta. Below its bounds success is no longer likely, and the report says so; stopping
        there is not required (non-binding), so alpha holds either way.
    futility_shape : float, optional
        The parameter of that family.
    power : float
        1 minus the beta that `futility` spends. Between 0 and 1.
    units : int, optional
        How many units all variants together are planned to have at the last look. With it, a look's information is the
        share of them that was seen; without it, looks are taken to be where they were planned.
    sides : {2, 1}
        Whether `alpha` is shared by the two directions or held in each.

    Raises
    ------
    ValueError
        A field outside its domain.

    Notes
    -----
    See `group_sequential_design` for the boundaries and their sources. Any effect can be monitored: its normal deviate
    is held against the critical value [1]_, so the interval shown is the repeated confidence interval [2]_, estimate
    -+ critical value x standard error, and p the smallest alpha whose boundary is crossed at this look.

    At another share of information than planned, a spending function spends what it says, another boundary in straight
    lines between the planned looks. Alpha that was spent stays spent, and the last look spends the rest. Looks before
    this one are taken to have been at their planned distances unless a `Look` names their units.

    References
    ----------
    .. [1] Jennison and Turnbull 2000, Group Sequential Methods, ch. 3 and 7.
    .. [2] The same, ch. 9.

    Examples
    --------
    >>> import abkit as ab
    >>> monitor = ab.GroupSequential(alpha=0.05, looks=3, boundary="obrien-fleming")
    >>> [round(c, 3) for c in monitor.design().critical_values]
    [3.471, 2.454, 2.004]
    """

    alpha: float = 0.05
    looks: int | None = None
    information: tuple[float, ...] | None = None
    boundary: str | tuple[float, ...] = "ld-obrien-fleming"
    shape: float | None = None
    futility: str | None = None
    futility_shape: float | None = None
    power: float = 0.8
    units: int | None = None
    sides: int = 2
    kind: ClassVar[str] = "group-sequential"
    guarantee: ClassVar[Guarantee] = "at scheduled looks"

    def __post_init__(self) -> None:
        set_field = object.__setattr__
        set_field(self, "sides", _check.choice("sides", self.sides, (1, 2)))
        set_field(self, "alpha", _check.within("alpha", self.alpha, 0, 1 if self.sides == 2 else 0.5))
        set_field(self, "power", _check.within("power", self.power, 0, 1))
        if (self.looks is None) == (self.information is None):
            raise ValueError("`looks` or `information` must be given, one of them: how many looks, or where they are.")
        if self.looks is not None:
            set_field(self, "looks", _check.count("looks", self.looks, 1))
        else:
            set_field(self, "information", _shares(self.information))
        if self.units is not None:
            set_field(self, "units", _check.count("units", self.units, 2))
        if not isinstance(self.boundary, str):
            set_field(self, "boundary", tuple(self.boundary))
        if self.futility is not None:
            _check.choice("futility", self.futility, SPENDING)
        self.design()

    @property
    def total(self) -> float:
        """Alpha of both directions together."""
        return self.alpha * (2 / self.sides)

    @property
    def planned(self) -> tuple[float, ...]:
        """The share of all information at each look."""
        return self.information or tuple((k + 1) / (self.looks or 1) for k in range(self.looks or 1))

    def design(self) -> Design:
        """The boundaries at the planned looks."""
        return _design(self, self.alpha, self.planned, None, self.futility)

    def look(self, number: int | Look | None, units: int) -> Look:
        """The look that is meant: with `units` in the plan, the planned one that is nearest."""
        if isinstance(number, Look):
            self.seen(number)
            return number
        count = len(self.planned)
        if number is None and count > 1 and self.units is None:
            raise PlanError(
                f"`look` must say which of the {count} planned looks this is, or `monitor.units` how many units "
                "are planned."
            )
        if number is None:
            seen = units / (self.units or max(units, 1))
            number = 1 + min(range(count), key=lambda k: abs(self.planned[k] - seen))
        if not 1 <= number <= count:
            raise PlanError(f"`look` must be from 1 to {count}, the looks that were planned; got {number}.")
        return Look(number, (units,))

    def monitored(self, method: str, effect: Effect, _sample: object, look: Look) -> tuple[str, Effect]:
        """The effect against the boundary of this look."""
        return method, MonitoredEffect(effect.normal(), BoundaryBound(self, self.seen(look), self.is_last(look)))

    def critical_values(self, tail: float, look: Look, samples: Sequence[Sample]) -> tuple[float, ...]:
        """The normal deviate whose one-sided p-value is `tail`, at each look up to this one.

        Raises
        ------
        PlanError
            Looks that add nothing, which are one for this monitor.
        """
        seen = self.seen(look)
        if len(seen) != len(samples):
            raise PlanError(f"`units` must rise from look to look; got {len(samples)} looks, of which {len(seen)} do.")
        return BoundaryBound(self, seen, self.is_last(look)).critical_values(tail)

    def seen(self, look: Look) -> tuple[float, ...]:
        """The share of all information at each look so far; looks without new units in between are one."""
        planned, k = self.planned, look.number
        if self.units is None and k > len(planned):
            raise PlanError(
                f"`monitor.units` must say how many units are planned where there are more looks than the plan's "
                f"{len(planned)}."
            )
        if self.units is None or not look.units:
            return planned[:k]
        now = look.units[-1] / self.units
        if len(look.units) == k:
            return _with_new(tuple(n / self.units for n in look.units))
        return (*(share * now / planned[k - 1] for share in planned[: k - 1]), now)

    def is_last(self, look: Look) -> bool:
        """Whether this look spends all that is left of alpha."""
        return look.number == len(self.planned) if look.last is None else look.last

    def futility_bound(self, look: Look) -> float | None:
        """Below it, success is no longer likely; None where there is no such bound."""
        return self.futility_bounds(look)[-1]

    def futility_bounds(self, look: Look) -> tuple[float | None, ...]:
        """The bound at each of the looks seen, with those that are planned after them; None where there is none."""
        seen = self.seen(look)
        early = tuple(share for share in seen if share < 1 - CLOSEST)
        if self.futility is None or not early:
            return (None,) * len(seen)
        on_plan = early == self.planned[: len(early)]
        bounds = (self if on_plan else self._moved(early)).design().futility or ()
        return (*bounds[: len(early)], *(None,) * (len(seen) - len(early)))

    def _moved(self, seen: tuple[float, ...]) -> GroupSequential:
        """The schedule with the looks that were held in the place of those planned up to then."""
        information = (*seen, *(share for share in self.planned if share > seen[-1] * (1 + CLOSEST)))
        boundary = self.boundary
        if not isinstance(boundary, str):
            boundary = tuple(np.interp(information, (0.0, *self.planned), (0.0, *boundary)).tolist())
        return replace(self, looks=None, information=information, boundary=boundary)

    def describe(self, look: Look) -> str:
        """The look in words."""
        seen = self.seen(look)[-1]
        c = BoundaryBound(self, self.seen(look), self.is_last(look)).critical(self.alpha / self.sides)
        name = self.boundary if isinstance(self.boundary, str) else "given alpha"
        count = len(self.planned)
        which = f"{look.number} of {count}" if look.last is None else f"{look.number}, where {count} were planned"
        return (
            f"{which}, at {seen:.1%} of the planned information: critical value {c:.4g} "
            f"({name}, alpha {self.alpha:g}, {self.sides} side{'s' * (self.sides == 2)})"
        )


@dataclass(frozen=True, slots=True)
class BoundaryBound:
    """The boundary at the last of the looks seen, at any alpha."""

    monitor: GroupSequential
    seen: tuple[float, ...]
    is_last: bool
    validity: ClassVar[str] = PLANNED
    reason: ClassVar[None] = None

    def critical(self, tail: float) -> float:
        """The critical value of the design whose alpha is `tail` in each direction."""
        return self.critical_values(tail)[-1]

    def critical_values(self, tail: float) -> tuple[float, ...]:
        """Those of the looks before, too: they do not move when another look is held."""
        count = len(self.seen)
        if not tail > 0:
            return (math.inf,) * count
        tail = min(tail, LARGEST_TAIL)  # a smaller deviate has p = 1
        try:
            design = _held(self.monitor, tail * self.monitor.sides, self.seen, is_last=self.is_last)
        except NothingLeftError:  # the fixed values of Haybittle and Peto alone err more often than this
            return (math.inf,) * count
        return design.critical_values[:count]

    def tail(self, deviate: float) -> float:
        """The smallest alpha, of one direction, whose boundary this deviate crosses at this look."""
        from scipy.optimize import brentq

        if not self.critical(LARGEST_TAIL) < deviate:
            return 1.0

        def excess(normal: float) -> float:
            return min(self.critical(float(ndtr(-normal))) - deviate, FARTHEST)

        low, high = -float(ndtri(LARGEST_TAIL)), min(deviate, FARTHEST)
        return float(ndtr(-brentq(excess, low, high, xtol=1e-12))) if excess(high) > 0 else float(ndtr(-high))


@lru_cache(maxsize=4096)
def _held(monitor: GroupSequential, alpha: float, seen: tuple[float, ...], *, is_last: bool) -> Design:
    """The design at another alpha, with looks as they were held so far and as they are planned from there."""
    planned = monitor.planned
    if seen == planned[: len(seen)]:
        return _design(monitor, alpha, planned, None)
    if monitor.boundary in SPENDING:
        # what a look may spend does not depend on the looks after it, so one at the end stands for all of them
        information = seen if is_last or seen[-1] > 1 - CLOSEST else (*seen, 1.0)
        return _design(monitor, alpha, information, (*(min(share, 1.0) for share in information[:-1]), 1.0))
    before = (
        _held(monitor, alpha, seen[:-1], is_last=False) if len(seen) > 1 else _design(monitor, alpha, planned, None)
    )
    return before.updated(seen, final=is_last)


@lru_cache(maxsize=4096)
def _design(
    monitor: GroupSequential,
    alpha: float,
    information: tuple[float, ...],
    clock: tuple[float, ...] | None,
    futility: str | None = None,
) -> Design:
    points = monitor.boundary
    return group_sequential_design(
        alpha=alpha,
        sides=monitor.sides,
        information=information,
        boundary=points if isinstance(points, str) else [alpha / monitor.alpha * spent for spent in points],
        shape=monitor.shape,
        spending_time=clock,
        futility=futility,
        futility_shape=monitor.futility_shape if futility else None,
        power=monitor.power,
    )


def _with_new(seen: tuple[float, ...]) -> tuple[float, ...]:
    """Looks that added nothing to the one before are that one."""
    return tuple(share for k, share in enumerate(seen) if k + 1 == len(seen) or share < seen[k + 1] * (1 - CLOSEST))


def _shares(information: object) -> tuple[float, ...]:
    shares = tuple(float(share) for share in _check.sample("information", information))
    if not shares or not shares[0] > 0 or any(late <= early for early, late in pairwise(shares)):
        raise ValueError(f"`information` must rise from above 0 to 1; got {list(shares)}.")
    if shares[-1] != 1:
        raise ValueError(f"`information` must end with 1, all of it; got {shares[-1]:g}.")
    return shares
