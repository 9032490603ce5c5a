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
    lower_alpha,
    named_or_given,
    one_per_look,
    own_shape,
    rising,
    rising_clock,
    skipped_looks,
    stopping_bounds,
    where,
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


def group_sequential_design(  # noqa: PLR0913 - the choices of a design
    *,
    alpha: float = 0.05,
    sides: int = 2,
    looks: int | None = None,
    information: Sequence[float] | None = None,
    boundary: object = "ld-obrien-fleming",
    shape: float | None = None,
    power: float = 0.8,
    futility: object = None,
    futility_shape: float | None = None,
    binding: bool = False,
    harm: object = None,
    harm_shape: float | None = None,
    harm_alpha: float | None = None,
    spending_time: Sequence[float] | None = None,
    skip: Sequence[int] = (),
    alpha_lower: float | None = None,
    boundary_lower: object = None,
    shape_lower: float | None = None,
) -> Design:
    """A test with several planned looks, any of which may reject.

    Answers: what must z exceed at each look, so that all looks together err with probability alpha; and what does that
    cost and save?

    Parameters
    ----------
    alpha : float
        Type I error of all looks, and of both sides, together. One side has at most 0.5 of it.
    sides : {2, 1}
        Two: either way, each side with half of alpha. One: upwards only.
    looks : int, optional
        How many, at equal steps of information up to 1. Either this or `information`.
    information : sequence of float, shape (looks,), optional
        At each look, rising: shares that end with 1, or 1 / stderr^2.
    boundary : str, sequence of float, or callable
        Of fixed form: "obrien-fleming", "pocock", "wang-tsiatis" (`shape`: Delta, the power of information plus 1/2),
        "haybittle-peto" (`shape`: the value at all looks but the last, by default 3). Spending functions:
        "ld-obrien-fleming", "ld-pocock", "kim-demets" (`shape`: the power, above 0), "hwang-shih-decani" (`shape`:
        gamma, any number). Or alpha spent up to each look, or a function of the time that says it: of alpha in all, or
        shares of it if they end with 1.
    shape : float, optional
        The family's parameter.
    power : float
        1 minus the error that `futility` spends, and the power for which `inflation` is worked out. Above alpha.
    futility : str, callable, or sequence of (float or None), optional
        A spending function of 1 - power [6]_, with `futility_shape`; or the bounds themselves, one a look, None where
        there is none. With two sides they bound |z|.
    futility_shape : float, optional
        The parameter of that family.
    binding : bool
        Whether the critical values may count on stopping for futility. If they do, and a test goes on nonetheless,
        alpha is exceeded.
    harm : str, callable, or sequence of (float or None), optional
        With one side: a spending function, with `harm_shape`, of the probability `harm_alpha` of concluding harm
        where there is no effect; or the bounds.
    harm_shape, harm_alpha : float, optional
        Its parameter, and that probability; by default alpha.
    spending_time : sequence of float, shape (looks,), optional
        Alpha's clock, in place of the share of information: the calendar, say. From above 0 to 1, not falling. A look
        at which it stands still spends nothing, and its critical value is infinite.
    skip : sequence of int
        Looks, the first being 1, that reject nothing; what they would have spent is left to the next.
    alpha_lower : float, optional
        With two sides, what the lower one has of alpha; by default half.
    boundary_lower : str, sequence of float, or callable, optional
        The lower side's boundary; by default that of the upper, mirrored.
    shape_lower : float, optional
        The parameter of that family.

    Returns
    -------
    Design

    Raises
    ------
    ValueError
        An argument outside its domain, or one that the family does not have.

    Notes
    -----
    Z_k ~ N(effect sqrt(I_k), 1) with Cov(Z_j, Z_k) = sqrt(I_j / I_k) [1]_, by numerical integration from look to look,
    with an error below 1e-10 in every critical value. Any estimate whose stderr^2 is 1 / I_k and whose increments are
    independent has this distribution in large samples.

    Not for looks whose times depend on the results seen so far, nor for estimates with few or heavily skewed units.

    References
    ----------
    .. [1] Jennison and Turnbull 2000, Group Sequential Methods, ch. 2, 3, 7 and 19.
    .. [2] Pocock 1977, Biometrika 64(2); O'Brien and Fleming 1979, Biometrics 35(3).
    .. [3] Wang and Tsiatis 1987, Biometrics 43(1).
    .. [4] Lan and DeMets 1983, Biometrika 70(3); Kim and DeMets 1987, Biometrika 74(1).
    .. [5] Hwang, Shih and De Cani 1990, Statistics in Medicine 9(12).
    .. [6] Pampallona, Tsiatis and Kim 2001, Drug Information Journal 35(4).

    Examples
    --------
    >>> import abkit as ab
    >>> design = ab.group_sequential_design(alpha=0.05, looks=5)
    >>> [round(c, 3) for c in design.critical_values]
    [4.877, 3.357, 2.68, 2.29, 2.031]
    >>> round(design.inflation, 4)  # the price of looking: 2.5% more units at most
    1.0247
    """
    sides = _check.choice("sides", sides, (1, 2))
    alpha = _check.within("alpha", alpha, 0, 1)
    at = where(looks, information)
    below = lower_alpha(alpha, sides, alpha_lower, boundary_lower, shape_lower)
    if max(alpha - below, below) > 0.5:
        raise ValueError(f"`alpha` must leave each side at most 0.5; got {alpha:g}.")
    power = _check.within("power", power, 0, 1)
    if not power > alpha and futility is not None:
        raise ValueError(f"`power` must exceed alpha ({alpha:g}); got {power:g}.")
    if harm is not None and sides == 2:
        raise ValueError("`harm` must be left out where `sides` is 2: the lower side is a bound for harm.")
    if futility is not None and (below not in (0.0, alpha / 2) or boundary_lower is not None):
        raise ValueError("`futility` must be left out where the two sides differ.")
    clock = tuple(i / at[-1] for i in at) if spending_time is None else rising_clock(spending_time, len(at))
    return make(
        Plan(
            alpha=alpha,
            alpha_lower=below,
            sides=sides,
            information=at,
            clock=clock,
            calendar=spending_time is not None,
            boundary=named_or_given("boundary", boundary),
            shape=None if shape is None else _check.number("shape", shape),
            boundary_lower=named_or_given("boundary", boundary if boundary_lower is None else boundary_lower),
            shape_lower=shape if boundary_lower is None else shape_lower,
            power=power,
            futility=stopping_bounds("futility", futility, len(at)),
            futility_shape=own_shape("futility", futility, futility_shape),
            binding=bool(binding) and futility is not None,
            harm=stopping_bounds("harm", harm, len(at)),
            harm_shape=own_shape("harm", harm, harm_shape),
            harm_alpha=alpha if harm_alpha is None else _check.within("harm_alpha", harm_alpha, 0, 1),
            skip=skipped_looks(skip, len(at)),
        )
    )


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
