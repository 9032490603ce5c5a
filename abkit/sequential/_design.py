"""Group-sequential designs: when to look, what to reject at each look, and what that gives."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from abkit import _check
from abkit._check import Float64Array
from abkit._sets import finite_or_none
from abkit.sequential._analysis import Analysed
from abkit.sequential._arguments import (
    one_per_look,
    rising,
)
from abkit.sequential._boundaries import Bounds
from abkit.sequential._operating import Regions, Stopping
from abkit.sequential._plan import Plan


@dataclass(frozen=True)
class Design(Analysed):
    """A group-sequential test: its looks, its bounds for the z-statistic, and what they give.

    Made by `group_sequential_design`, or by `Design.from_bounds` from bounds that are known.

    Parameters
    ----------
    alpha, alpha_lower : float
        Type I error of both sides together, and what the lower side has of it.
    sides : {1, 2}
        One: only upwards. Two: either way.
    boundary : str, tuple of float, or callable
        The family, or what was given in its place.
    shape : float or None
        The family's parameter.
    information : tuple of float
        At each look. An effect times the square root of the information is its expected z.
    critical_values : tuple of float
        Reject upwards where z exceeds them; infinite at a look that rejects nothing.
    lower_critical_values : tuple of float or None
        With two sides, reject downwards where z falls short of them.
    alpha_spent : tuple of float
        Type I error up to each look, of both sides, as if nothing stopped for futility unless that is binding.
    futility : tuple of (float or None), or None
        Stop for futility where z, with two sides |z|, falls short of it.
    binding : bool
        Whether the critical values count on stopping for futility.
    harm : tuple of (float or None), or None
        With one side, conclude harm where z falls short of it.
    planned_power : float
        For which `inflation` is worked out.

    Examples
    --------
    >>> import abkit as ab
    >>> design = ab.group_sequential_design(looks=3, boundary="obrien-fleming")
    >>> [round(c, 3) for c in design.critical_values]
    [3.471, 2.454, 2.004]
    >>> round(design.inflation, 3), round(design.power(3.0), 3), round(design.expected_information(3.0), 3)
    (1.017, 0.845, 0.82)
    """

    alpha: float
    alpha_lower: float
    sides: int
    boundary: object
    shape: float | None
    information: Bounds
    critical_values: Bounds
    lower_critical_values: Bounds | None
    alpha_spent: Bounds
    futility: tuple[float | None, ...] | None = None
    binding: bool = False
    harm: tuple[float | None, ...] | None = None
    planned_power: float = 0.8
    plan: Plan | None = field(default=None, repr=False)

    @classmethod
    def from_bounds(
        cls,
        information: Sequence[float],
        critical_values: Sequence[float],
        *,
        sides: int = 2,
        lower_critical_values: Sequence[float] | None = None,
        power: float = 0.8,
        boundary: str = "given",
    ) -> Design:
        """The design that given bounds make: its real type I error, power and stopping times.

        Parameters
        ----------
        information : sequence of float, shape (looks,)
            At each look, rising.
        critical_values : sequence of float, shape (looks,)
            Reject upwards where z exceeds them; may be infinite.
        sides : {2, 1}
            Two: reject downwards, too.
        lower_critical_values : sequence of float, optional
            Where; by default the mirror image.
        power : float
            For which `inflation` is worked out.
        boundary : str
            What to call it.

        Raises
        ------
        ValueError
            Information that does not rise, or bounds that cross.

        Examples
        --------
        >>> import abkit as ab
        >>> five_peeks = ab.Design.from_bounds([0.2, 0.4, 0.6, 0.8, 1], [1.96] * 5)
        >>> round(five_peeks.alpha, 3)
        0.142
        """
        at = rising("information", information)
        upper = one_per_look("critical_values", critical_values, at)
        lower: Bounds | None = None
        if _check.choice("sides", sides, (1, 2)) == 2:
            given = [-c for c in upper] if lower_critical_values is None else lower_critical_values
            lower = one_per_look("lower_critical_values", given, at)
            if not all(low < high for low, high in zip(lower, upper, strict=True)):
                raise ValueError("`lower_critical_values` must be below `critical_values` at every look.")
        elif lower_critical_values is not None:
            raise ValueError("`lower_critical_values` must be left out where `sides` is 1.")
        power = _check.within("power", power, 0, 1)
        stops = _regions(at, upper, lower).stopping(np.zeros(()))
        spent = np.cumsum(stops.up + (stops.down if lower else 0.0))
        below = float(stops.down.sum()) if lower else 0.0
        alpha_spent = tuple(spent.tolist())
        return cls(float(spent[-1]), below, sides, boundary, None, at, upper, lower, alpha_spent, planned_power=power)

    def stopping(self, effect: npt.ArrayLike) -> Stopping:
        """The chance of stopping at each look, upwards, downwards and for futility.

        Parameters
        ----------
        effect : float or array
            In units of 1 / sqrt(information): with information 1 at the last look, the expected z there.
        """
        return self._regions.stopping(_check.sample("effect", effect, (0, 1, 2)))

    def power(self, effect: npt.ArrayLike) -> float | Float64Array:
        """The chance of rejecting: upwards, or with two sides either way. Futility stops are obeyed.

        Parameters
        ----------
        effect : float or array
            In units of 1 / sqrt(information).
        """
        stops = self.stopping(effect)
        rejected = stops.up + stops.down if self.sides == 2 else stops.up
        return _plain(np.minimum(rejected.sum(axis=-1), 1.0))

    def expected_information(self, effect: npt.ArrayLike) -> float | Float64Array:
        """The mean of the information at which the test stops.

        Parameters
        ----------
        effect : float or array
            In units of 1 / sqrt(information).
        """
        return _plain(self.stopping(effect).total @ np.array(self.information))

    @cached_property
    def inflation(self) -> float:
        """Information at the last look, over that of the test with one look of the same alpha, sides and power.

        With two sides, rejecting the wrong way is not counted as power here, as it is not in published tables.
        """
        return (self._drift / self._one_look) ** 2

    def maximum_information(self, effect: float) -> float:
        """Information at the last look with which the design has `planned_power` at an effect.

        Parameters
        ----------
        effect : float
            Not zero. The information is in units of 1 / effect^2.
        """
        size = abs(_check.number("effect", effect))
        if not size > 0:
            raise ValueError("`effect` must not be zero.")
        return (self._drift / size) ** 2

    def updated(
        self,
        information: Sequence[float],
        *,
        final: bool = False,
        maximum: float | None = None,
        spending_time: Sequence[float] | None = None,
    ) -> Design:
        """The design at looks as they were, and as they are planned from there; alpha spent stays spent.

        Call it on the design that the look before gave, or on the plan. The bounds at looks that were held do not
        move: what they spent depends on what was known at them only.

        Parameters
        ----------
        information : sequence of float
            At the looks held so far, this one last; on the scale of the plan.
        final : bool
            This look is the last, whatever was planned: it spends the rest of alpha.
        maximum : float, optional
            Information at the last look as planned now; by default as before. Looks to come move with it.
        spending_time : sequence of float, optional
            Alpha's clock at the looks held so far; by default the share of information, or that of the plan's clock.

        Raises
        ------
        ValueError
            Information that does not rise, or a design without a plan.

        Notes
        -----
        Between planned looks a boundary that is no spending function spends alpha in straight lines.

        Examples
        --------
        >>> import abkit as ab
        >>> plan = ab.group_sequential_design(alpha=0.025, sides=1, looks=3)
        >>> [round(c, 3) for c in plan.critical_values]
        [3.71, 2.511, 1.993]
        >>> late = plan.updated([0.4])  # the first look came late
        >>> [round(c, 3) for c in late.critical_values]
        [3.357, 2.517, 1.993]
        >>> [round(c, 3) for c in late.updated([0.4, 0.9], final=True).critical_values]  # the test ended early
        [3.357, 1.962]
        """
        if self.plan is None:
            raise ValueError("a design of given bounds has no plan that could be updated.")
        seen = rising("information", information)
        futility = tuple(-math.inf if bound is None else bound for bound in self.futility or ())
        return make(
            self.plan.updated(seen, self.alpha_spent, futility, final=final, maximum=maximum, clock=spending_time)
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; infinite numbers are None."""
        per_look = ("information", "critical_values", "lower_critical_values", "alpha_spent", "futility", "harm")
        columns = {name: getattr(self, name) for name in per_look}
        return {
            "alpha": self.alpha,
            "sides": self.sides,
            "boundary": self.boundary if isinstance(self.boundary, str) else "given",
            "shape": self.shape,
            "power": self.planned_power,
            "inflation": self._inflation,
            "binding": self.binding,
            **{key: None if values is None else [finite_or_none(v) for v in values] for key, values in columns.items()},
        }

    def __str__(self) -> str:
        name = self.boundary if isinstance(self.boundary, str) else "given"
        shape = "" if self.shape is None else f" ({self.shape:g})"
        title = f"{name}{shape}, alpha {self.alpha:g}, {'one side' if self.sides == 1 else 'two sides'}"
        rows = [[head for head, _ in self._columns()], *zip(*(cells for _, cells in self._columns()), strict=True)]
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
        cost = "out of reach" if self._inflation is None else f"{self._inflation:.4f}"
        return "\n".join([title, *lines, f"inflation {cost} at power {self.planned_power:g}"])

    def _columns(self) -> list[tuple[str, list[str]]]:
        columns = [
            ("look", [str(k + 1) for k in range(len(self.information))]),
            ("information", [f"{value:.4g}" for value in self.information]),
            ("reject above", [f"{value:.4f}" for value in self.critical_values]),
            ("p below", [f"{float(ndtr(-value)):.2g}" for value in self.critical_values]),
            ("alpha spent", [f"{value:.6g}" for value in self.alpha_spent]),
        ]
        lower = {"reject below": self.lower_critical_values, "futility": self.futility, "harm below": self.harm}
        for head, values in lower.items():
            if values is not None:
                columns.append((head, ["-" if value is None else f"{value:.4f}" for value in values]))
        return columns

    @property
    def _inflation(self) -> float | None:
        """None where no effect has the power, or every one."""
        try:
            return self.inflation
        except ValueError:
            return None

    @property
    def _regions(self) -> Regions:
        lower = self.harm if self.lower_critical_values is None else self.lower_critical_values
        return _regions(self.information, self.critical_values, lower, self.futility, self.sides)

    @cached_property
    def _drift(self) -> float:
        """Expected z at the last look at which the design has its power."""
        return self._regions.drift(self.planned_power, self._one_look)

    @property
    def _one_look(self) -> float:
        """The same for one look at the end."""
        if not self.planned_power > self.alpha:
            raise ValueError(f"`power` must exceed alpha ({self.alpha:g}); got {self.planned_power:g}.")
        return float(ndtri(self.planned_power)) - float(ndtri(self.alpha - self.alpha_lower))


def make(plan: Plan) -> Design:
    """The design of a plan."""
    found = plan.solved()
    spent = found.alpha_spent
    if spent is None:
        futility = found.futility if plan.binding else None
        stops = _regions(plan.information, found.upper, found.lower, futility, plan.sides).stopping(np.zeros(()))
        spent = tuple(np.cumsum(stops.up + stops.down).tolist())
    return Design(
        alpha=plan.alpha,
        alpha_lower=plan.alpha_lower,
        sides=plan.sides,
        boundary=plan.boundary,
        shape=plan.shape,
        information=plan.information,
        critical_values=found.upper,
        lower_critical_values=found.lower,
        alpha_spent=spent,
        futility=found.futility,
        binding=plan.binding,
        harm=found.harm,
        planned_power=plan.power,
        plan=plan,
    )


def _regions(
    information: Bounds,
    upper: Bounds,
    lower: Sequence[float | None] | None,
    futility: Sequence[float | None] | None = None,
    sides: int | None = None,
) -> Regions:
    sides = (1 if lower is None else 2) if sides is None else sides
    nothing = (-math.inf,) * len(information)
    below, idle = (
        nothing if bounds is None else tuple(-math.inf if bound is None else bound for bound in bounds)
        for bounds in (lower, futility)
    )
    return Regions(information, upper, below, idle, sides)


def _plain(values: Float64Array) -> float | Float64Array:
    return float(values) if np.ndim(values) == 0 else np.asarray(values)
