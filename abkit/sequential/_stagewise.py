"""After stopping: p-value, interval and estimate in the stage-wise ordering of Tsiatis, Rosner and Mehta (1984).

An outcome is the more extreme the earlier the upper critical value was crossed, and at one look the larger its z.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri, ndtri_exp

from abkit import _check
from abkit._roots import secant
from abkit._sets import Interval
from abkit.sequential._canonical import Looks, walk

if TYPE_CHECKING:
    from abkit.sequential._analysis import Analysed

_WIDE = 8.0


@dataclass(frozen=True)
class Path:
    """The bounds up to the look of stopping, and the statistic there, in the direction of the upper bound.

    Parameters
    ----------
    information : tuple of float
        At the looks up to the last that was made.
    upper, lower : tuple of float
        At the looks before: where a path stops above and below.
    inner : tuple of float
        At the looks before: where it stops because |z| falls short; 0 where it does not.
    z : float
        At the last look.
    """

    information: tuple[float, ...]
    upper: tuple[float, ...]
    lower: tuple[float, ...]
    inner: tuple[float, ...]
    z: float

    @cached_property
    def null(self) -> tuple[Looks, ...]:
        """What stands before each look without an effect."""
        return self.looks(0.0, 0.0)

    @cached_property
    def nearby(self) -> tuple[float, float, tuple[Looks, ...]]:
        """The same for all effects that are not far from the observed."""
        middle, wide = self.z / math.sqrt(self.information[-1]), _WIDE / math.sqrt(self.information[-1])
        return middle - wide, middle + wide, self.looks(middle - wide, middle + wide)

    def looks(self, first: float, last: float) -> tuple[Looks, ...]:
        """What stands before each look, for any effect from the first to the last."""
        gaps = [(-bound, bound) if bound > 0 else None for bound in self.inner]
        ends = (*self.lower, self.z), (*self.upper, self.z)
        return walk(self.information, *ends, (first, last), [*gaps, None])

    def at(self, effect: float) -> tuple[Looks, ...]:
        """What stands before each look at one effect."""
        if effect == 0:
            return self.null
        first, last, looks = self.nearby
        return looks if first <= effect <= last else self.looks(effect, effect)

    def log_upper(self, effect: float) -> float:
        """Log P(an outcome at least as extreme upwards)."""
        looks = self.at(effect)
        parts = [here.log_above(bound, effect) for here, bound in zip(looks, (*self.upper, self.z), strict=True)]
        return min(float(np.logaddexp.reduce(parts)), 0.0)

    def log_lower(self, effect: float) -> float:
        """Log P(an outcome at most as extreme upwards), what stopped in the middle included."""
        looks = self.at(effect)
        parts = [here.log_below(bound, effect) for here, bound in zip(looks, (*self.lower, self.z), strict=True)]
        for here, inner in zip(looks, self.inner, strict=False):
            if inner > 0:
                below, within = (float(here.log_below(end, effect)) for end in (-inner, inner))
                if below < within:
                    parts.append(np.asarray(within + math.log(-math.expm1(below - within))))
        return min(float(np.logaddexp.reduce(parts)), 0.0)

    def effect_at(self, tail: float) -> float:
        """The effect at which an outcome at least as extreme upwards has probability `tail`."""
        root = math.sqrt(self.information[-1])
        goal = float(ndtri(tail))

        def lack(effect: float) -> float:
            if tail <= 0.5:
                return _deviate(self.log_upper(effect)) - goal
            return -_deviate(self.log_lower(effect)) - goal

        return secant(lack, (self.z + goal) / root, root)


def _deviate(log_probability: float) -> float:
    return float(ndtri_exp(min(log_probability, -1e-300)))


@dataclass(frozen=True, repr=False)
class StoppedResult:
    """What may be said of the effect once a group-sequential experiment has stopped.

    Parameters
    ----------
    look : int
        At which it stopped, from 1.
    statistic, information : float
        z there, and the information.
    crossed : {"efficacy", "harm", "futility", None}
        The bound that was crossed; None at a last look within the bounds, or where there was no bound to stop at.
    log_pvalue : float
        Log of the stage-wise p-value.
    estimate : float
        Median unbiased: too large as often as too small.
    naive : float
        z / sqrt(information), which is too far from zero on average after an early stop.
    level : float
        The level at which the interval leaves out zero (with one side: lies above zero) exactly when p < alpha.

    Examples
    --------
    >>> import abkit as ab
    >>> design = ab.group_sequential_design(alpha=0.05, sides=2, looks=3, boundary="ld-obrien-fleming")
    >>> result = design.stopped([1.2, 2.8], information=[400, 800])
    >>> result.look, round(result.pvalue, 4), round(result.estimate, 4)
    (2, 0.0052, 0.0989)
    """

    look: int
    statistic: float
    information: float
    crossed: str | None
    log_pvalue: float
    estimate: float
    naive: float
    level: float
    _path: Path
    _mirrored: bool

    @property
    def pvalue(self) -> float:
        """Stage-wise p-value: one-sided upwards, or twice the smaller side."""
        return math.exp(self.log_pvalue)

    def interval(self, level: float | None = None) -> Interval:
        """Effects that neither side of the stage-wise ordering rejects at (1 - level) / 2.

        Parameters
        ----------
        level : float, optional
            Confidence level; by default 1 - alpha of a design with two sides, 1 - 2 alpha of one with one.
        """
        level = self.level if level is None else _check.within("level", level, 0, 1)
        low, high = (self._path.effect_at(tail) for tail in ((1 - level) / 2, (1 + level) / 2))
        return Interval(-high, -low, level) if self._mirrored else Interval(low, high, level)

    def __str__(self) -> str:
        low, high = self.interval()
        why = f"crossed the {self.crossed} bound" if self.crossed else "crossed no bound"
        return (
            f"look {self.look}, z = {self.statistic:.4g}: {why}\n"
            f"p = {self.pvalue:.3g}, estimate {self.estimate:.4g} (naive {self.naive:.4g}), "
            f"[{low:.4g}, {high:.4g}] at level {self.level:g}"
        )

    def __repr__(self) -> str:
        return str(self)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        low, high = self.interval()
        return {
            "look": self.look,
            "statistic": self.statistic,
            "information": self.information,
            "crossed": self.crossed,
            "pvalue": self.pvalue,
            "estimate": self.estimate,
            "naive": self.naive,
            "low": low,
            "high": high,
            "level": self.level,
        }


def after_stopping(path: Path, sides: int, level: float, crossed: str | None) -> StoppedResult:
    """Stage-wise inference; with two sides an outcome below zero is turned over first."""
    mirrored = sides == 2 and path.z < 0
    used = path
    if mirrored:
        turned = tuple(-bound for bound in path.lower), tuple(-bound for bound in path.upper)
        used = Path(path.information, *turned, path.inner, -path.z)
    log_p = used.log_upper(0.0)
    if sides == 2:
        log_p = min(0.0, math.log(2) + min(log_p, used.log_lower(0.0)))
    middle = used.effect_at(0.5)
    return StoppedResult(
        look=len(path.information),
        statistic=path.z,
        information=path.information[-1],
        crossed=crossed,
        log_pvalue=log_p,
        estimate=-middle if mirrored else middle,
        naive=path.z / math.sqrt(path.information[-1]),
        level=level,
        _path=used,
        _mirrored=mirrored,
    )


def path_of(design: Analysed, information: tuple[float, ...], z: float) -> Path:
    """A design's bounds at the looks before the last that was made; futility that does not bind is left out."""
    seen = len(information) - 1
    inner = [0.0] * seen
    lower = [-math.inf] * seen
    futility = design.futility if design.binding else None
    for bounds in (design.lower_critical_values, design.harm, futility if design.sides == 1 else None):
        lower = [low if b is None else max(low, b) for low, b in zip(lower, bounds or lower, strict=False)]
    if design.sides == 2 and futility is not None:
        inner = [0.0 if bound is None else max(bound, 0.0) for bound in futility[:seen]]
    return Path(information, design.critical_values[:seen], tuple(lower), tuple(inner), z)


def bound_crossed(design: Analysed, look: int, z: float) -> str | None:
    """The bound that a statistic crosses at a look (from 0)."""
    lower = None if design.lower_critical_values is None else design.lower_critical_values[look]
    harm = None if design.harm is None else design.harm[look]
    futility = None if design.futility is None else design.futility[look]
    if z >= design.critical_values[look] or (lower is not None and z <= lower):
        return "efficacy"
    if harm is not None and z <= harm:
        return "harm"
    if futility is not None and (z if design.sides == 1 else abs(z)) <= futility:
        return "futility"
    return None


def stopped(design: Analysed, statistics: Sequence[float], information: Sequence[float] | None = None) -> StoppedResult:
    """See `Design.stopped`."""
    z, at = statistics_of(design, statistics, information)
    *before, last = (bound_crossed(design, k, value) for k, value in enumerate(z))
    for k, crossed in enumerate(before):
        if crossed in ("efficacy", "harm") or (crossed == "futility" and design.binding):
            raise ValueError(
                f"`statistics` must end where the test stopped; at look {k + 1}, {z[k]:g} crossed the {crossed} bound."
            )
    return after_stopping(path_of(design, at, z[-1]), design.sides, level_of(design), last)


def level_of(design: Analysed) -> float:
    """The level of the interval that leaves out zero exactly when p < alpha."""
    return 1 - design.alpha * (2 / design.sides)


def statistics_of(
    design: Analysed, statistics: Sequence[float], information: Sequence[float] | None
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The statistic and the information at the looks that were made, checked."""
    z = _check.sample("statistics", statistics)
    if not 1 <= z.size <= len(design.information):
        raise ValueError(f"`statistics` must have 1 to {len(design.information)} values, one a look; got {z.size}.")
    at = _check.sample("information", design.information[: z.size] if information is None else information)
    if at.size != z.size or not at[0] > 0 or any(late <= early for early, late in pairwise(at)):
        raise ValueError(f"`information` must rise from above 0, one value a look; got {_check.show(at.tolist())}.")
    return tuple(z.tolist()), tuple(at.tolist())
