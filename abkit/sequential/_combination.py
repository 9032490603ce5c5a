"""Sizes of later stages chosen from earlier ones: the inverse-normal combination keeps alpha whatever was chosen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtr, ndtri

from abkit import _check
from abkit._sets import Interval

if TYPE_CHECKING:
    from abkit.sequential._design import Design


@dataclass(frozen=True, slots=True)
class CombinationResult:
    """Independent stages joined with the weights that were planned.

    Parameters
    ----------
    look : int
        The last that was made, from 1.
    statistics : tuple of float
        The combined z at each look.
    crossed : {"efficacy", "harm", "futility", None}
        The bound that the last of them crossed.
    pvalue : float
        Stage-wise p-value of a stop at this look.
    repeated_pvalue : float
        Valid whether or not one stops here: the smallest alpha whose bound at this look is crossed.
    estimate, low, high : float
        The effect at which the combined statistic is zero, and the repeated interval.
    level : float
        Of the interval: 1 - alpha of a design with two sides, 1 - 2 alpha of one with one.
    """

    look: int
    statistics: tuple[float, ...]
    crossed: str | None
    pvalue: float
    repeated_pvalue: float
    estimate: float
    low: float
    high: float
    level: float

    def interval(self) -> Interval:
        """The repeated confidence interval: right at all looks together, however the sizes were chosen."""
        return Interval(self.low, self.high, self.level)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "look": self.look,
            "statistics": list(self.statistics),
            "crossed": self.crossed,
            "pvalue": self.pvalue,
            "repeated_pvalue": self.repeated_pvalue,
            "estimate": self.estimate,
            "low": self.low,
            "high": self.high,
            "level": self.level,
        }


@dataclass(frozen=True, slots=True)
class Reestimate:
    """How much information the next stage needs for a wanted conditional power.

    Parameters
    ----------
    information, planned : float
        Of the next stage alone: what gives the wanted power, within the limit, and what was planned.
    conditional_power, planned_power : float
        Probability of crossing the next critical value with the one and with the other.
    zone : {"unfavourable", "promising", "favourable"}
        Where `planned_power` is: below 1/2, between, or already as wanted. Only in the promising zone does a larger
        stage leave the level of an ordinary test, without the combination, at most alpha.
    """

    information: float
    planned: float
    conditional_power: float
    planned_power: float
    zone: str


def combination_test(
    design: Design, stages: Sequence[float], information: Sequence[float] | None = None
) -> CombinationResult:
    """Joins independent stages whose sizes may have been changed on the way.

    Answers: is there an effect, when later stages were made larger or smaller after looking at earlier ones?

    Parameters
    ----------
    design : Design
        The plan; its critical values stay as they are.
    stages : array_like, shape (stages,)
        z of each stage's own units alone, in order; independent of each other where there is no effect.
    information : array_like, shape (stages,), optional
        1/stderr^2 at each look, all stages so far together, as it came out; by default as planned. It matters for the
        estimate and the interval, not for the test.

    Returns
    -------
    CombinationResult

    Raises
    ------
    ValueError
        More stages than the design has looks, or information that does not rise.

    Notes
    -----
    z_k* = sum w_i z_i / sqrt(sum w_i^2) over the stages so far, w_i^2 the information planned for stage i [1]_ [2]_.
    Without an effect it has the joint distribution that the critical values were made for, whatever decided on the
    sizes. The price is that units of a stage that was enlarged count for less than others; where the sizes were not
    changed, it is the ordinary statistic. The interval holds the effects whose combined statistic lies within the
    critical values. Weights must come from the plan, never from the sizes that came out.

    References
    ----------
    .. [1] Lehmacher and Wassmer 1999, Biometrics 55(4), sec. 2.
    .. [2] Cui, Hung and Wang 1999, Biometrics 55(3).

    Examples
    --------
    >>> import abkit as ab
    >>> design = ab.group_sequential_design(alpha=0.025, sides=1, information=[200, 400], boundary="ld-obrien-fleming")
    >>> result = ab.combination_test(design, [1.1, 2.4], information=[200, 700])
    >>> round(result.statistics[-1], 3), result.crossed
    (2.475, 'efficacy')
    """
    z, seen = _stages(design, stages, information)
    k = z.size
    planned = np.array(design.information[:k])
    weights = np.sqrt(np.diff(planned, prepend=0.0))
    sums = np.cumsum(weights * z)
    statistics = tuple((sums / np.sqrt(planned)).tolist())
    stopped, repeated = design.stopped(statistics), design.repeated(statistics)
    spread = float(weights @ np.sqrt(np.diff(seen, prepend=0.0)))
    estimate, factor = float(sums[-1]) / spread, float(planned[-1]) / spread
    planned_estimate = repeated.estimate[-1]
    return CombinationResult(
        look=k,
        statistics=statistics,
        crossed=stopped.crossed,
        pvalue=stopped.pvalue,
        repeated_pvalue=repeated.pvalues[-1],
        estimate=estimate,
        low=estimate + (repeated.low[-1] - planned_estimate) * factor,
        high=estimate + (repeated.high[-1] - planned_estimate) * factor,
        level=repeated.level,
    )


def reestimate(
    design: Design,
    stages: Sequence[float],
    information: Sequence[float] | None = None,
    *,
    effect: float | None = None,
    power: float = 0.8,
    largest: float = math.inf,
) -> Reestimate:
    """How large the next stage should be, given the stages so far.

    Answers: how much information must the next stage bring for a wanted chance of crossing its critical value?

    Parameters
    ----------
    design : Design
        The plan.
    stages, information
        As in `combination_test`; `information` is on the scale of the design's.
    effect : float, optional
        Under which the chance is meant, on the scale of 1 / sqrt(design.information); by default the current estimate.
    power : float
        The wanted conditional power, between 0 and 1.
    largest : float
        The most that the next stage may bring.

    Returns
    -------
    Reestimate

    Raises
    ------
    ValueError
        No stage is left, the next look rejects nothing, or an effect of zero.

    Notes
    -----
    With W^2 the information planned so far and w^2 that of the next stage, the next combined statistic exceeds c when
    the stage's own z exceeds b = (c sqrt(W^2 + w^2) - W z*) / w, which at information J has probability
    Phi(effect sqrt(J) - b). The answer is J = ((b + z_power) / effect)^2. Judge the result by `combination_test`, which
    keeps alpha under any rule [1]_; an ordinary test does so when stages are enlarged only where the planned
    conditional power is at least 1/2 [2]_.

    References
    ----------
    .. [1] Mehta and Pocock 2011, Statistics in Medicine 30(28).
    .. [2] Chen, DeMets and Lan 2004, Statistics in Medicine 23(7).

    Examples
    --------
    >>> import abkit as ab
    >>> design = ab.group_sequential_design(alpha=0.025, sides=1, information=[200, 400], boundary="ld-obrien-fleming")
    >>> plan = ab.reestimate(design, [1.5], effect=0.12, power=0.9)
    >>> round(plan.planned_power, 2), round(plan.information), plan.zone
    (0.66, 457, 'promising')
    """
    power, largest = _check.within("power", power, 0, 1), _limit(largest)
    z, seen = _stages(design, stages, information)
    k = z.size
    if k >= len(design.information):
        raise ValueError(f"`stages` must leave a look to come; got {k} of {len(design.information)}.")
    planned = np.diff(np.array(design.information[: k + 1]), prepend=0.0)
    score = float(np.sqrt(planned[:k]) @ z)
    current = score / float(np.sqrt(planned[:k]) @ np.sqrt(np.diff(seen, prepend=0.0)))
    effect = current if effect is None else _check.number("effect", effect)
    if effect == 0:
        raise ValueError("`effect` must not be zero: no size gives power against it.")
    if effect < 0 and design.sides == 1:
        raise ValueError(f"`effect` must be positive with one side; got {effect:g}.")
    lower = design.lower_critical_values
    critical = -lower[k] if effect < 0 and lower is not None else design.critical_values[k]
    if math.isinf(critical):
        raise ValueError(f"`stages` must be followed by a look that can reject; look {k + 1} is skipped.")
    sign = math.copysign(1.0, effect)
    bound = (critical * math.sqrt(design.information[k]) - sign * score) / math.sqrt(planned[k])

    def chance(size: float) -> float:
        return float(ndtr(abs(effect) * math.sqrt(size) - bound))

    wanted = (max(bound + float(ndtri(power)), 0.0) / effect) ** 2
    needed = min(wanted, largest)
    before = chance(float(planned[k]))
    zone = "favourable" if before >= power else "promising" if before >= 0.5 else "unfavourable"
    return Reestimate(needed, float(planned[k]), chance(needed), before, zone)


def _stages(
    design: Design, stages: Sequence[float], information: Sequence[float] | None
) -> tuple[_check.Float64Array, _check.Float64Array]:
    z = _check.sample("stages", stages)
    if not 1 <= z.size <= len(design.information):
        raise ValueError(f"`stages` must have 1 to {len(design.information)} values; got {z.size}.")
    seen = _check.sample("information", design.information[: z.size] if information is None else information)
    if seen.size != z.size or not seen[0] > 0 or any(late <= early for early, late in pairwise(seen)):
        raise ValueError(f"`information` must rise from above 0, one value a stage; got {_check.show(seen.tolist())}.")
    return z, seen


def _limit(largest: float) -> float:
    return largest if largest == math.inf else _check.within("largest", largest, 0, math.inf)
