"""What is wrong with a log of decisions: refused by name, or said in a sentence."""

from __future__ import annotations

import math
from collections.abc import Collection

import numpy as np
from scipy.special import chdtrc

from abkit.adapters._bandit_log import refuse_gaps
from abkit.adapters._bandit_query import DecisionQuery, DecisionSums
from abkit.bandits._policy_value import Check, Diagnostics, Period
from abkit.errors import DataError

#: A test of the propensities speaks at this p-value: a log is evaluated more than once.
ALARM = 0.001
FEW = 50
#: Sums of squares beyond this cannot be squared again and subtracted.
LARGEST_SUM = 1e150


def refuse_bad_rows(found: DecisionSums, query: DecisionQuery, bounds: tuple[float, float] | None) -> None:
    """Missing values, impossible propensities, and rewards out of bounds."""
    n = int(found.n.sum())
    names = {"gap reward": query.reward, "gap propensity": query.propensity, "gap order": query.order}
    names |= {"gap target": query.target if isinstance(query.target, str) else "target", "gap model": "model"}
    gaps = {str(column): _sum(found, name) for name, column in names.items() if name in found.sums}
    if "gap target" in found.sums and query.by and not isinstance(query.target, str):
        _refuse_unknown_cells(found, query)
    refuse_gaps(gaps, n)
    for name, rule in (("low", "above 0"), ("high", "at most 1, not a percentage")):
        if _sum(found, name):
            raise DataError(
                f"`{query.propensity}` must be the probability with which the logged arm was chosen, {rule}; it is "
                f"not in {_sum(found, name):,} of {n:,} rows."
            )
    if _sum(found, "odd target"):
        raise DataError(f"`target` must be probabilities; {_sum(found, 'odd target'):,} of {n:,} rows have others.")
    if _sum(found, "odd total"):
        raise DataError(
            f"`target` must have probabilities that make 1 together; in {_sum(found, 'odd total'):,} of {n:,} rows "
            "they do not."
        )
    if "(none)" in found.arms:
        raise DataError(f"`{query.arm}` must name the arm of every row; it does not in some of {n:,}.")
    if n < 2:
        raise DataError("the log has one row only; a standard error needs at least two.")
    if bounds is not None:
        _refuse_outside(found, query, bounds)
    largest = max(float(np.abs(values).max()) for values in found.sums.values())
    refuse_overflow([largest if largest < LARGEST_SUM else math.inf])


def refuse_overflow(values: Collection[float]) -> None:
    """Weights or rewards whose squares do not add up."""
    if not all(math.isfinite(value) for value in values):
        raise DataError("the log has weights or rewards so large that their squares do not add up.")


def refuse_deterministic(found: DecisionSums, query: DecisionQuery, method: str) -> None:
    """A log of choices without chance says nothing of arms that were not chosen."""
    if query.propensity is None or not _sum(found, "ones"):
        return
    n = int(found.n.sum())
    if _sum(found, "ties") == n and found.sums["certain"].sum() > 1e-9 * n:
        raise DataError(
            f"the log is of a deterministic policy: `{query.propensity}` is 1 in {_sum(found, 'ones'):,} of {n:,} rows "
            f"and elsewhere a tie, so that other arms had no chance, and {method!r} is not defined for this target. "
            "Log a policy with chance (such as WithFloor), or use 'dm', which needs a model to be right."
        )


def diagnostics_of(found: DecisionSums) -> Diagnostics:
    """What the propensities and weights of a log look like."""
    n = float(found.n.sum())
    u, square = (math.fsum(found.sums[name]) for name in ("uw", "uw uw"))
    total, of_squares = n + u, n + 2 * u + square
    arms = len(set(found.arms))
    return Diagnostics(
        _check_of(1 + u / n, square - u * u / n, n, 1.0),
        _check_of(
            math.fsum(found.sums["h"]) / n,
            math.fsum(found.sums["h h"]) - math.fsum(found.sums["h"]) ** 2 / n,
            n,
            float(arms),
        ),
        total**2 / of_squares if of_squares > 0 else 0.0,
        float(found.sums["largest weight"].max()),
        float(found.sums["smallest propensity"].min()),
        float(found.sums["cut"].sum()) / n,
        *_drift(found),
    )


def warnings_of(
    method: str, seen: Diagnostics | None, unsupported: float | None, *, given_model: bool, lone: float
) -> list[str]:
    """What speaks against trusting the value."""
    said = []
    if seen and seen.weight.pvalue < ALARM:
        said.append(
            f"the mean weight is {seen.weight.value:.4g} and not 1 (z = {seen.weight.z:.1f}): the propensities are "
            "wrong, or the log lacks what the target does."
        )
    if seen and seen.inverse_propensity.pvalue < ALARM:
        said.append(
            f"the mean inverse propensity is {seen.inverse_propensity.value:.4g} with "
            f"{seen.inverse_propensity.expected:g} arms (z = {seen.inverse_propensity.z:.1f}): the propensities are "
            "wrong, or not every arm could be chosen every time."
        )
    if seen and seen.ess < FEW and method != "dm":
        said.append(
            f"the effective sample size is {seen.ess:.3g}: a few rows (largest weight {seen.largest_weight:.4g}) "
            "decide, and the normal interval is too short; use value_sequence, whose lower end holds."
        )
    if unsupported is not None and unsupported > 1e-6:
        said.append(
            f"{100 * unsupported:.3g}% of the target's probability is on arms that the log could not show: "
            + ("their value is the model's alone." if method in ("dm", "dr", "switch-dr") else "they count as 0.")
        )
    if seen and seen.cut > 0:
        said.append(
            f"{100 * seen.cut:.3g}% of the weights were cut at the threshold, which makes the value biased; the "
            "standard error does not know it."
        )
    if given_model and method == "dm":
        said.append("the standard error leaves out the error of the model, which is given.")
    if lone > 0.01:
        said.append(
            f"{100 * lone:.3g}% of the target's probability is on means of one row each, whose error is a guess."
        )
    changing = [period for period in seen.periods if _apart(period)] if seen else []
    if changing:
        said.append(
            f"the mean weight is not 1 in {len(changing)} of the log's periods, first from {changing[0].start}."
        )
    if seen and seen.drift is not None and seen.drift < ALARM:
        said.append("the logged propensities drift: the policy changed while it was logged.")
    return said


def _apart(period: Period) -> bool:
    return Check(period.weight, period.weight_stderr, 1.0).pvalue < ALARM / 10 and period.n > 1


def _sum(found: DecisionSums, name: str) -> int:
    return int(np.nansum(found.sums[name])) if name in found.sums else 0


def _check_of(mean: float, square: float, n: float, expected: float) -> Check:
    return Check(mean, math.sqrt(max(square, 0.0) / (n * (n - 1))), expected)


def _refuse_outside(found: DecisionSums, query: DecisionQuery, bounds: tuple[float, float]) -> None:
    low, high = float(found.sums["smallest reward"].min()), float(found.sums["largest reward"].max())
    if not (bounds[0] <= low and high <= bounds[1]):
        worst = low if not bounds[0] <= low else high
        raise DataError(
            f"`{query.reward}` must be within the declared bounds {bounds[0]:g} and {bounds[1]:g}; got {worst:g}."
        )


def _refuse_unknown_cells(found: DecisionSums, query: DecisionQuery) -> None:
    gone = [cell for cell, gaps in zip(found.cells, found.sums["gap target"], strict=True) if gaps]
    if gone:
        raise DataError(
            f"`target` must have every cell of {', '.join(query.by)} that the log has; it lacks {', '.join(gone[0])}."
        )


def _drift(found: DecisionSums) -> tuple[float | None, tuple[Period, ...]]:
    if not found.starts:
        return None, ()
    where = np.array(found.periods)

    def per_period(values: np.ndarray) -> np.ndarray:
        return np.bincount(where, values, len(found.starts))

    n = per_period(found.n)
    kept = n > 1
    u, e = per_period(found.sums["uw"]), per_period(found.sums["e"])
    rewards = per_period(found.sums["r"])
    spread_u = np.maximum(per_period(found.sums["uw uw"]) - u * u / np.maximum(n, 1), 0)
    spread_e = np.maximum(per_period(found.sums["e e"]) - e * e / np.maximum(n, 1), 0)
    periods = tuple(
        Period(
            start,
            int(n[i]),
            float(rewards[i] / n[i]),
            float(e[i] / n[i]),
            float(1 + u[i] / n[i]),
            math.sqrt(spread_u[i] / (n[i] * (n[i] - 1))) if n[i] > 1 else math.nan,
        )
        for i, start in enumerate(found.starts)
        if n[i]
    )
    variance = spread_e[kept] / (n[kept] * (n[kept] - 1))
    means = e[kept] / n[kept]
    floor = 1e-18 * float(np.max(means, initial=0.0)) ** 2
    weights = 1 / np.maximum(variance, floor)
    centre = (weights * means).sum() / weights.sum() if weights.size else 0.0
    gaps = np.where(np.abs(means - centre) > 1e-9 * centre, means - centre, 0.0)
    return float(chdtrc(max(int(kept.sum()) - 1, 1), (weights * gaps**2).sum())), periods
