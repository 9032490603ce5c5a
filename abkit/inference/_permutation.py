"""Permutation tests: what the randomisation alone would have given."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit._sets import ConfidenceSet, NoInterval
from abkit.evidence import BaseEffect, TestResult, run_test
from abkit.inference._assignments import Design, Masks
from abkit.inference._caution import mean_caution
from abkit.inference._labels import grouped
from abkit.inference._randomised import need_randomised
from abkit.inference._resample import BLOCK, IntArray, generator, in_tasks
from abkit.inference._thresholds import Thresholds
from abkit.types import Alternative, Assignment, Null, Relative, RelativeMethod

Statistic = Literal["mean"] | Callable[..., Any]
Labels = tuple[object, object]
NOT_SHIFTED = "only the mean's permutation test is inverted; for medians and other quantiles use `quantile_test`"


SHIFT = "the p-value of no effect on any unit is exact, but the interval is of a shift that all units share"


def permutation_test(  # noqa: PLR0913
    control: object,
    treatment: object,
    *,
    alternative: Alternative = "two-sided",
    null: Null = 0.0,
    statistic: Statistic = "mean",
    strata: Labels | None = None,
    clusters: Labels | None = None,
    resamples: int = 9_999,
    rng: np.random.Generator,
    assignment: Assignment = "randomised",
) -> TestResult:
    """Difference of two variants against all that the random assignment could have given.

    Answers: would the assignment alone, without an effect on any unit, give a difference as large as this?

    Parameters
    ----------
    control, treatment : array_like, shape (n,)
        One value per row. Each needs n >= 1.
    alternative : {"two-sided", "greater", "less"}
        "greater": the treatment raises every unit's value by more than `null`.
    null : float
        The shift of every unit under the null hypothesis. 0 with a callable.
    statistic : "mean" or callable
        The difference of means, or `(control, treatment, axis=-1)`, large where the treatment is large, which reduces
        that axis of both.
    strata : pair of array_like, optional
        For each row of control and treatment its stratum: units were assigned within strata.
    clusters : pair of array_like, optional
        For each row its cluster: whole clusters were assigned. A cluster is in one variant and one stratum.
    resamples : int
        Random assignments, at least 100; where there are no more than so many, each is taken once, and p is exact.
    rng : numpy.random.Generator
        Where random assignments come from; not used where p is exact.
    assignment : {"randomised", "adaptive"}
        How units came to their variants. "adaptive", by earlier outcomes as in a bandit, is refused.

    Returns
    -------
    TestResult
        `stderr` is the standard deviation over assignments with the estimated effect taken out.

    Raises
    ------
    ValueError
        An empty variant, a cluster in both variants or in two strata, or a null other than 0 with a callable.
    TypeError
        Observations that are not 64-bit numbers, or `rng` is no Generator.

    Notes
    -----
    p = assignments with a difference at least that large / all assignments, or (1 + those) / (1 + resamples) of random
    ones [1]_; two-sided: twice the smaller. Under a shift by d an assignment's difference is at least the one seen
    exactly when d is at least (D - A) / (1 - c), with its difference of means A and the difference c of the shares of
    treated units: without clusters, the difference between the units that left treatment and those that came. These
    thresholds, sorted, are every p-value and every interval [2]_.
    Exact, without any assumption on the distribution, for the hypothesis of no effect on any unit. As a test of equal
    means it rejects too often where the smaller variant has the larger variance: use `welch_test`.

    References
    ----------
    .. [1] Phipson and Smyth 2010, Statistical Applications in Genetics and Molecular Biology 9(1), sec. 3 and 4.
    .. [2] Garthwaite 1996, Biometrics 52(4), sec. 2.

    Examples
    --------
    >>> import numpy as np
    >>> from abkit import permutation_test
    >>> control, treatment = [19, 22, 25, 26], [23, 33, 40]
    >>> result = permutation_test(control, treatment, alternative="greater", rng=np.random.default_rng(1))
    >>> round(result.estimate, 2), round(result.pvalue, 4)  # 3 of 35 assignments
    (9.0, 0.0857)
    >>> [round(end, 2) for end in result.interval(0.9)]
    [1.0, inf]
    """
    need_randomised("permutation_test", assignment)
    resamples, rng = _check.count("resamples", resamples, 100), generator(rng)
    if not callable(statistic):
        _check.choice("statistic", statistic, ("mean",))
    rows = _rows(control, treatment, strata, clusters)
    effect = _of_means(rows, resamples, rng) if not callable(statistic) else _of(rows, statistic, resamples, rng)
    plain = not callable(statistic) and strata is None and clusters is None
    caution = mean_caution(control, treatment, SHIFT) if plain else None
    return run_test("permutation", effect, alternative, null, caution)


@dataclass(frozen=True, slots=True, eq=False)
class PermutationEffect(BaseEffect):
    """The statistic, what the assignments make of it, and the shift at which each of them is as large.

    `centre` and `spread`: mean and covariance matrix, over assignments, of the statistic and of what a unit of shift
    takes from it.
    """

    control: float
    treatment: float
    estimate: float
    centre: tuple[float, float]
    spread: tuple[float, float, float]
    thresholds: Thresholds
    scale: str = "difference"
    undefined: str = "every assignment gives the same statistic"

    @property
    def stderr(self) -> float:
        """Standard deviation over assignments, the estimated effect taken out."""
        return self._error(self.estimate if self._shifts else 0.0)

    @property
    def df(self) -> float:
        """Infinite: there is no t reference."""
        return math.inf

    @property
    def _shifts(self) -> bool:
        return self.scale == "difference"

    def statistic(self, null: Null) -> float:
        """Distance from what assignments give under the null in standard deviations: for display."""
        if isinstance(null, Relative):
            raise ValueError("`null` must be a number: the null of a permutation test is a shift of every unit.")
        if null != 0 and not self._shifts:
            raise ValueError(f"`null` must be 0 for a callable; got {null:g}.")
        if not self.spread[0] > 0:
            return math.nan
        gap = self.estimate - null - (self.centre[0] - null * self.centre[1])
        error = self._error(null)
        return gap / error if error > 0 else 0.0

    def pvalue(self, null: Null, alternative: Alternative) -> float:
        """Share of assignments."""
        return self.thresholds.pvalue(self.absolute(null), alternative)

    def interval(self, level: float, alternative: Alternative) -> ConfidenceSet:
        """Shifts that the test does not reject."""
        return self.thresholds.interval(level, alternative) if self._shifts else NoInterval(level, NOT_SHIFTED)

    def relative(self, level: float, alternative: Alternative, method: RelativeMethod | None) -> ConfidenceSet:  # noqa: ARG002
        """None: every unit is shifted alike, whatever the control's mean."""
        return NoInterval(level, "the null of a permutation test is a shift of every unit, not a share of a mean")

    def _error(self, null: float) -> float:
        variance, covariance, of_shift = self.spread
        square = variance - 2 * null * covariance + null * null * of_shift
        return math.sqrt(square) if square > 1e-13 * variance else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """Values of control and treatment, the unit that each belongs to, and the units' design."""

    control: Float64Array
    treatment: Float64Array
    unit: IntArray
    design: Design

    @property
    def values(self) -> Float64Array:
        return np.concatenate([self.control, self.treatment])


def _rows(control: object, treatment: object, strata: Labels | None, clusters: Labels | None) -> _Rows:
    c, t = _check.observations("control", control), _check.observations("treatment", treatment)
    for name, values in (("control", c), ("treatment", t)):
        if not len(values):
            raise ValueError(f"`{name}` must have at least 1 unit; got 0.")
    sizes, n = (len(c), len(t)), len(c) + len(t)
    treated = np.arange(n) >= len(c)
    stratum = np.zeros(n, dtype=np.int64) if strata is None else grouped("strata", strata, sizes).codes
    unit = np.arange(n) if clusters is None else grouped("clusters", clusters, sizes).codes
    first = np.unique(unit, return_index=True)[1]
    for what, label in (("variant", treated), ("stratum", stratum)):
        if (label[first][unit] != label).any():
            raise ValueError(f"`clusters` must each be in one {what}; got one that is in two.")
    order = np.argsort(stratum[first], kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return _Rows(c, t, place[unit], Design(stratum[first][order], treated[first][order]))


def _of_means(rows: _Rows, resamples: int, rng: np.random.Generator) -> PermutationEffect:
    values, design = rows.values, rows.design
    units = len(design.treated)
    size = np.bincount(rows.unit, minlength=units).astype(np.float64)
    columns = np.stack([np.bincount(rows.unit, values - values.mean()), size, size * design.treated], axis=1)
    exact = design.assignments(resamples) <= resamples
    sums = design.every_sums(columns) if exact else design.sums(columns, resamples, rng)
    total, seen = columns.sum(axis=0), columns[design.treated].sum(axis=0)
    differences, shifts = _differences(sums, total)
    estimate = float(_differences(seen[None], total)[0][0])
    same = sums[:, 2] == sums[:, 1]  # the very assignment that was made
    rounding = 8 * float(np.spacing(np.abs(values).max()))
    thresholds = (estimate - differences[~same]) / (1 - shifts[~same])
    own = int(same.sum()) + (not exact)
    return _effect(rows, estimate, differences, shifts, Thresholds.of(thresholds, rounding, own), "difference")


def _differences(sums: Float64Array, total: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Differences of means, and what of a shift of the units that were treated each of them shows."""
    others = total - sums
    y, shifted = sums[:, [0, 2]].T / sums[:, 1] - others[:, [0, 2]].T / others[:, 1]
    return y, shifted


def _of(rows: _Rows, statistic: Callable[..., Any], resamples: int, rng: np.random.Generator) -> PermutationEffect:
    design, values, n = rows.design, rows.values, len(rows.unit)

    def of_masks(masks: Masks) -> Float64Array:
        treated = masks[:, rows.unit]
        if (treated.sum(axis=1) == len(rows.treatment)).all():
            wide = np.broadcast_to(values, treated.shape)
            return _evaluated(statistic, wide[~treated].reshape(len(masks), -1), wide[treated].reshape(len(masks), -1))
        pairs = ((values[None, ~line], values[None, line]) for line in treated)
        return np.concatenate([_evaluated(statistic, *pair) for pair in pairs])

    def task(child: np.random.Generator, size: int) -> Float64Array:
        at_once = max(1, BLOCK // n)
        sizes = [min(at_once, size - start) for start in range(0, size, at_once)]
        return np.concatenate([of_masks(design.random(child, k)) for k in sizes])

    estimate = float(_evaluated(statistic, rows.control[None], rows.treatment[None])[0])
    exact = design.assignments(resamples) <= resamples
    drawn = np.concatenate([of_masks(m) for m in design.every()]) if exact else in_tasks(task, resamples, rng)
    rounding = 8 * float(np.spacing(np.abs(drawn).max()))
    thresholds = Thresholds.of(estimate - drawn, rounding, 0 if exact else 1)
    return _effect(rows, estimate, drawn, np.zeros_like(drawn), thresholds, "statistic")


def _evaluated(statistic: Callable[..., Any], control: Float64Array, treatment: Float64Array) -> Float64Array:
    answer = np.asarray(statistic(control, treatment, axis=-1), dtype=np.float64)
    if answer.shape != control.shape[:-1]:
        raise ValueError(
            f"`statistic` must give one number for each pair of samples along their axis; got shape {answer.shape} "
            f"for {len(control)} pair(s)."
        )
    if not np.isfinite(answer).all():
        raise ValueError("`statistic` must be finite for every assignment; got nan or an infinity.")
    return answer


def _effect(
    rows: _Rows,
    estimate: float,
    drawn: Float64Array,
    shifts: Float64Array,
    thresholds: Thresholds,
    scale: str,
) -> PermutationEffect:
    centre = (float(drawn.mean()), float(shifts.mean()))
    a, b = drawn - centre[0], shifts - centre[1]
    flat = np.ptp(drawn) <= 1e-13 * np.abs(rows.values).max()
    spread = (0.0 if flat else float((a * a).mean()), float((a * b).mean()), float((b * b).mean()))
    means = float(rows.control.mean()), float(rows.treatment.mean())
    return PermutationEffect(*means, estimate, centre, spread, thresholds, scale)
