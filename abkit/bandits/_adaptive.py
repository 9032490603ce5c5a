"""Means of arms from decisions that depended on earlier rewards: weighted, augmented inverse propensities.

The decision layer builds on this file: `stable_moments` turns rows into co-moments, which add up over stretches of one
log (score the whole log with `stable_rows` and cut, since a stretch is scored with what came before it), and
`adaptive_effect` turns co-moments into the effect that every monitor can look at; their clock is decisions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from abkit._check import Float64Array
from abkit.inference._mean_effect import MeanEffect
from abkit.suffstats import CoMoments

#: What a decision says of one arm. `value` is weight x score and its mean over that of `weight` the estimate; `square`
#: is that of what the reward added to it; `pulls` counts, and `spread` is what adds up to the squared
#: deviations of the arm's own rewards from their mean; `share` is weight squared over propensity.
PARTS = ("value", "weight", "square", "pulls", "spread", "share")
#: Rewards with the variance of all arms that each arm's variance is given beside its own.
BORROWED = 2
FEWEST_PULLS = 2
#: What is left of variances that cancel to this share of them is rounding.
ROUNDING = 1e-12
#: Fewer rewards, or degrees of freedom, than these and the error rate was found to miss 5% by more than a point.
FEWEST = 30
#: No reward is larger, and its square is a number yet.
LARGEST = 1e100

Chosen = npt.NDArray[np.bool_]


def stable_moments(arm: npt.ArrayLike, reward: Float64Array, propensities: Float64Array) -> CoMoments:
    """Co-moments of what each decision says of two arms, under the one weight that keeps their variance steady.

    Parameters
    ----------
    arm : int array, shape (n,) or (n, runs)
        0 where the control was chosen, 1 the treatment, anything else another arm; in the order of the decisions.
    reward : float array, shape (n,) or (n, runs)
        What it gave, whichever arm; less a constant near the mean where that is far from zero (see `adaptive_effect`).
    propensities : float array, shape (n, 2) or (n, 2, runs)
        The probabilities with which control and treatment would have been chosen at each decision.

    Returns
    -------
    CoMoments
        Of `PARTS` of "control" and of "treatment"; over runs, of shape (runs,).
    """
    rows = stable_rows(arm, reward, propensities)
    return moments_of(rows)


def stable_rows(arm: npt.ArrayLike, reward: Float64Array, propensities: Float64Array) -> Float64Array:
    """The rows of `stable_moments`, shape (2, parts, n) or (2, parts, n, runs), to be cut into looks."""
    chosen = np.asarray(arm) == np.arange(2).reshape(2, *[1] * np.ndim(arm))
    propensity = np.moveaxis(propensities, 1, 0)
    return score(chosen, reward, propensity, stable_weights(propensity))


def stable_weights(propensity: Float64Array) -> Float64Array:
    """(sum of 1 / propensity) to the power -1/2, the same for every arm; 0 where one of the arms could not come."""
    with np.errstate(divide="ignore"):
        weight = 1 / np.sqrt(np.sum(1 / propensity, axis=0))
    return np.asarray(np.broadcast_to(weight, propensity.shape))


def two_point_weights(propensity: Float64Array, decay: float) -> Float64Array:
    """Weights that share the variance evenly over decisions still to come (Hadad et al. 2021, eq. 16 and 18).

    `decay`: the floor of the propensities falls as t to the power -decay.
    """
    n = propensity.shape[1]
    t = np.arange(1, n + 1).reshape(-1, *[1] * (propensity.ndim - 2))
    rate = (1 - propensity) * (1 - decay) / ((1 - decay) + n * (t / n) ** decay - t) + propensity / (1 + n - t)
    left = np.cumprod(1 - np.minimum(rate, 1.0), axis=1)
    left = np.concatenate([np.ones_like(left[:, :1]), left[:, :-1]], axis=1)
    return np.asarray(np.sqrt(rate * left * propensity))


def score(chosen: Chosen, reward: Float64Array, propensity: Float64Array, weight: Float64Array) -> Float64Array:
    """What each decision says of each arm: shape (arms, parts, n, ...), arms and decisions along the first axes.

    The first decision has no weight: its reward is the first guess of every arm's mean.
    """
    guess, before = _guesses(chosen, reward)
    weight = np.where(propensity > 0, weight, 0.0)
    weight[:, 0] = 0.0
    off = np.where(chosen, reward - guess, 0.0)
    possible = np.where(propensity > 0, propensity, 1.0)
    gain = weight / possible * off
    parts = (weight * guess + gain, weight, gain**2, chosen, off * off * (before / (before + 1)))
    return np.stack([*parts, weight * (weight / possible)], axis=1)


def _guesses(chosen: Chosen, reward: Float64Array) -> tuple[Float64Array, Float64Array]:
    """The mean of each arm's rewards before each decision, that of all rewards where it has none; and how many."""
    none = np.zeros_like(chosen[:, :1], dtype=np.float64)
    pulls = np.concatenate([none, np.cumsum(chosen, axis=1, dtype=np.float64)[:, :-1]], axis=1)
    sums = np.concatenate([none, np.cumsum(np.where(chosen, reward, 0.0), axis=1)[:, :-1]], axis=1)
    seen = np.arange(1, len(reward)).reshape(-1, *[1] * (reward.ndim - 1))
    overall = np.concatenate([reward[:1], np.cumsum(reward, axis=0)[:-1] / seen])
    return np.where(pulls > 0, sums / np.maximum(pulls, 1.0), overall), pulls


def moments_of(rows: Float64Array, arms: tuple[str, ...] = ("control", "treatment")) -> CoMoments:
    """Co-moments of scored decisions; runs come first."""
    n = rows.shape[2]
    table = np.moveaxis(rows.reshape(-1, *rows.shape[2:]), (0, 1), (-2, -1))
    mean = table.mean(axis=-1)
    off = table - mean[..., None]
    m2 = off @ np.swapaxes(off, -1, -2)
    m2 = (m2 + np.swapaxes(m2, -1, -2)) / 2 if n > 1 else np.zeros_like(m2)
    counts: Any = n if mean.ndim == 1 else np.full(mean.shape[:-1], n)
    return CoMoments(counts, mean, m2, tuple(f"{arm} {part}" for arm in arms for part in PARTS))


def adaptive_effect(moments: CoMoments, origin: float = 0.0, unit: float = 1.0) -> MeanEffect:
    """The effect of treatment over control, from co-moments of `stable_moments`.

    `origin` is what had been taken from every reward, and `unit` what the rest had then been divided by. Needs two
    rewards of each arm, and a decision in which either could have come.
    """
    refuse_few(moments, ("`control`", "`treatment`"))
    if max(abs(origin), unit) > LARGEST:
        raise ValueError(f"rewards must be at most {LARGEST:g} in size.")
    values, covariance, df = estimates(moments)
    (var_c, both), (_, var_t) = (covariance * unit * unit).tolist()
    control, treatment = (values * unit + origin).tolist()
    return MeanEffect(control, treatment, var_c, var_t, both, float(df))


def refuse_few(moments: CoMoments, arms: tuple[str, ...]) -> None:
    """Refuse to answer for arms with hardly a reward, or that a deterministic policy chose or left."""
    for arm, pulls, weight in zip(arms, pulls_of(moments), _part(moments, "weight"), strict=False):
        if pulls < FEWEST_PULLS:
            raise ValueError(f"{arm} must have at least {FEWEST_PULLS} rewards; got {pulls:.0f}.")
        if not weight > 0:
            raise ValueError(
                f"`propensity` must leave {arm} and what it is compared with a chance in some decision after the "
                "first; got 0 or 1 in every one. What a deterministic policy would have got its log does not say."
            )


def estimates(moments: CoMoments, only: int | None = None) -> tuple[Float64Array, Float64Array, Float64Array]:
    """Values of the arms, their covariance matrix, and degrees of freedom: of all arms, or of one; each over runs too.

    A variance is the larger of two: of the weighted scores as they came, and as it is expected from the propensities
    and the spread of the arm's rewards, which does not miss what a few rewards of large weight failed to show.
    """
    n = np.asarray(moments.n, dtype=np.float64)[..., None]
    value, weight, pulls, spread, share = (_part(moments, p) for p in ("value", "weight", "pulls", "spread", "share"))
    values = value / weight
    covariance = _realised(moments, values, weight) / (n * (n - 1))[..., None]
    own, pooled = n * spread, np.sum(n * spread, axis=-1) / np.maximum(np.sum(n * pulls - 1, axis=-1), 1.0)
    variance = (own + BORROWED * pooled[..., None]) / (n * pulls - 1 + BORROWED)
    expected = share * variance / weight**2 / n
    at = np.arange(values.shape[-1])
    covariance[..., at, at] = np.maximum(covariance[..., at, at], expected)
    asked = np.ones(values.shape[-1]) if only is None else np.eye(values.shape[-1])[only]
    by_squares = _df_of_squares(moments, asked / weight**2)
    return values, covariance, np.minimum(by_squares, _df_of_pulls(asked * expected, n * pulls - 1))


def adaptive_caution(pulls: float, df: float) -> str | None:
    """Why the error rate may miss its nominal level: an estimate that rests on few rewards."""
    if pulls >= FEWEST and df >= FEWEST:
        return None
    few = f"an arm has {pulls:.0f} rewards only" if pulls < FEWEST else f"few rewards carry most of it (df {df:.0f})"
    return (
        f"{few}, so the error rate may miss its nominal level; give every arm a floor (WithFloor), or use method "
        "'anytime' where rewards are bounded"
    )


def pulls_of(moments: CoMoments) -> Float64Array:
    """How often each arm was chosen."""
    return np.rint(np.asarray(moments.n)[..., None] * _part(moments, "pulls"))


def _realised(moments: CoMoments, values: Float64Array, weight: Float64Array) -> Float64Array:
    """Sums of products of weight x (score - value), over the mean weights."""
    arms = values.shape[-1]
    slopes = np.zeros((*values.shape, arms, len(PARTS)))
    at = np.arange(arms)
    slopes[..., at, at, PARTS.index("value")] = 1 / weight
    slopes[..., at, at, PARTS.index("weight")] = -values / weight
    slopes = slopes.reshape(*values.shape, -1)
    turned = np.swapaxes(slopes, -1, -2)
    products = np.asarray(slopes @ moments.m2 @ turned)
    sizes = np.abs(slopes) @ np.abs(moments.m2) @ np.abs(turned)
    return np.where(np.abs(products) > ROUNDING * sizes, products, 0.0)


def _df_of_squares(moments: CoMoments, unit: Float64Array) -> Float64Array:
    """Degrees of freedom of a sum of unequal squares: twice its square over the variance of the sum (Satterthwaite)."""
    n = np.asarray(moments.n, dtype=np.float64)
    at = len(PARTS) * np.arange(unit.shape[-1]) + PARTS.index("square")
    total = n * np.sum(_part(moments, "square") * unit, axis=-1)
    noise = np.einsum("...i,...ij,...j->...", unit, moments.m2[..., at[:, None], at], unit)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.where(noise > 0, 2 * total * total / noise, np.inf)


def _df_of_pulls(expected: Float64Array, df: Float64Array) -> Float64Array:
    """Satterthwaite's degrees of freedom of a sum of the arms' variances, each with those of its rewards."""
    largest = np.max(expected, axis=-1, keepdims=True)
    part = expected / np.where(largest > 0, largest, 1.0)
    below = np.sum(part**2 / np.maximum(df, 1.0), axis=-1)
    return np.where(below > 0, np.sum(part, axis=-1) ** 2 / np.where(below > 0, below, 1.0), np.inf)


def _part(moments: CoMoments, part: str) -> Float64Array:
    """The mean of one part, for each arm."""
    return np.asarray(moments.mean[..., PARTS.index(part) :: len(PARTS)])
