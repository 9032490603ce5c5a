"""Repeated p-values and intervals: valid at every look, whether or not one stops there (Jennison and Turnbull 1989)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import log_ndtr, ndtri_exp

from abkit._roots import secant
from abkit._sets import Interval, finite_or_none
from abkit.sequential._boundaries import Side
from abkit.sequential._canonical import NEAR, Looks, point_above, start
from abkit.sequential._futility import go_on, log_type_one_error
from abkit.sequential._spending import log_steps
from abkit.sequential._stagewise import level_of, statistics_of

if TYPE_CHECKING:
    from abkit.sequential._analysis import Analysed

Bounds = tuple[float, ...]
#: The alphas of one side that are searched: from 1e-300 to 1/2.
_SMALLEST, _LARGEST = -37.0, 0.0


@dataclass(frozen=True, slots=True)
class RepeatedResult:
    """Answers at every look that was made, right at all of them together.

    Parameters
    ----------
    estimate, low, high : tuple of float
        z / sqrt(information), and the repeated confidence interval, at each look.
    pvalues : tuple of float
        At each look, the smallest alpha whose bound at this look is crossed; 1 where that is above 1/2 a side.
    level : float
        Of the intervals: 1 - alpha of a design with two sides, 1 - 2 alpha of one with one.

    Examples
    --------
    >>> import abkit as ab
    >>> design = ab.group_sequential_design(alpha=0.05, sides=2, looks=3, boundary="ld-obrien-fleming")
    >>> result = design.repeated([1.2, 2.8])
    >>> [round(p, 4) for p in result.pvalues], round(result.sequential_pvalue, 4)
    ([0.7259, 0.0276], 0.0276)
    """

    estimate: Bounds
    low: Bounds
    high: Bounds
    pvalues: Bounds
    level: float

    @property
    def sequential_pvalue(self) -> float:
        """The smallest alpha at which any bound so far is crossed (Liu and Anderson 2008)."""
        return min(self.pvalues)

    def interval(self) -> Interval:
        """The repeated confidence interval at the last look."""
        return Interval(self.low[-1], self.high[-1], self.level)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; infinite ends are None."""
        columns = {"estimate": self.estimate, "low": self.low, "high": self.high, "pvalues": self.pvalues}
        return {
            **{name: [finite_or_none(value) for value in values] for name, values in columns.items()},
            "sequential_pvalue": self.sequential_pvalue,
            "level": self.level,
        }


def repeated(design: Analysed, statistics: Sequence[float], information: Sequence[float] | None) -> RepeatedResult:
    """See `Design.repeated`."""
    z, at = statistics_of(design, statistics, information)
    root = np.sqrt(at)
    upper = np.array(design.critical_values[: len(z)])
    lower = -upper if design.lower_critical_values is None else np.array(design.lower_critical_values[: len(z)])
    return RepeatedResult(
        estimate=tuple((z / root).tolist()),
        low=tuple(((z - upper) / root).tolist()),
        high=tuple(((z - lower) / root).tolist()),
        pvalues=tuple(_pvalue(design, k, value) for k, value in enumerate(z)),
        level=level_of(design),
    )


@dataclass(frozen=True, slots=True)
class _Bounded:
    """One side of a design, upwards: what it spends, and where paths stop otherwise."""

    side: Side
    lower: Bounds | None
    inner: Bounds

    def go_on(self, here: Looks, look: int, upper: float) -> Looks:
        """After a look: between the bounds; without a `lower` of its own, its mirror image."""
        if self.lower is None:
            return go_on(here, self.inner[look], upper, 2)
        return here.advance(self.lower[look], upper)


def _pvalue(design: Analysed, look: int, z: float) -> float:
    turned = design.sides == 2 and z < 0
    bounded = _bounded(design, turned)
    side = bounded.side
    log_p = (_log_spending if side.spends else _log_form)(bounded, look, -z if turned else z)
    if log_p > math.log(0.5):
        return 1.0
    return min(1.0, math.exp(log_p + math.log(side.total / side.alpha)))


def _bounded(design: Analysed, turned: bool) -> _Bounded:
    plan, none = design.plan, (-math.inf,) * len(design.information)
    if plan is None:
        raise ValueError("a design of given bounds has no other alpha, so no repeated p-value; ask it for `stopped`.")
    futility = none
    if design.binding and design.futility is not None:
        futility = tuple(-math.inf if bound is None else bound for bound in design.futility)
    if design.lower_critical_values is None:
        return _Bounded(plan.above, futility, none)
    if plan.above == plan.below:
        return _Bounded(plan.above, None, futility)
    if turned:
        return _Bounded(plan.below, tuple(-bound for bound in design.critical_values), none)
    return _Bounded(plan.above, design.lower_critical_values, none)


def _log_spending(bounded: _Bounded, look: int, z: float) -> float:
    """Log of the alpha, of one side, whose bound at a look (from 0) is z: bounds before it are solved at each alpha."""
    side = bounded.side
    if look in side.skip:
        return 0.0
    boundary = _shares(side.boundary)

    def excess(normal: float) -> float:
        alpha = math.exp(float(log_ndtr(normal)))
        at = replace(side, boundary=boundary, alpha=alpha, total=alpha)
        steps = log_steps(at.log_spent()).tolist()
        if steps[look] == -math.inf:
            return -math.inf
        far = max(-float(ndtri_exp(step)) for step in (*steps[:look], math.log(0.5)) if step > -math.inf)
        reach = math.hypot(max(far, z), NEAR)
        here = start(side.information, reach=(reach if bounded.lower is None else NEAR, reach))
        for k in range(look):
            here = bounded.go_on(here, k, point_above(here, steps[k]))
        return float(ndtri_exp(steps[look])) - float(ndtri_exp(here.log_above(z)))

    if not excess(_LARGEST) > 0:
        return 0.0
    if excess(_SMALLEST) > 0:
        return float(log_ndtr(_SMALLEST))
    guess = min(max(-z, _SMALLEST + 1), -0.01)
    return float(log_ndtr(secant(excess, guess, 1.0, _SMALLEST, _LARGEST)))


def _log_form(bounded: _Bounded, look: int, z: float) -> float:
    """The same where the bounds are a form: the alpha of the form that is z at a look."""
    side = bounded.side
    unit = side.form()(1.0)[look]
    if unit == math.inf:
        return 0.0
    constant = z / unit
    if side.boundary == "haybittle-peto":
        if look + 1 < len(side.information) and z < unit:
            return 0.0
        constant = z if look + 1 == len(side.information) else math.inf
    upper = side.form()(constant)
    if bounded.lower is None:
        return log_type_one_error(side.information, upper, bounded.inner, 2)
    return log_type_one_error(side.information, upper, bounded.lower, 1)


def _shares(boundary: object) -> object:
    """A boundary of one's own as shares of the whole, so that it can be asked at any alpha."""
    if callable(boundary):
        whole = boundary(1.0)
        return lambda time: boundary(time) / whole
    return tuple(value / boundary[-1] for value in boundary) if isinstance(boundary, tuple) else boundary
