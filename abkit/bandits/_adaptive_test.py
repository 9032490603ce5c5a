"""What two arms gave, from the log of a policy that learned: tests, intervals and sequences that allow for it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, overload

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.bandits._adaptive import (
    adaptive_caution,
    adaptive_effect,
    estimates,
    moments_of,
    pulls_of,
    refuse_few,
    score,
    stable_weights,
    two_point_weights,
)
from abkit.bandits._adaptive_log import decisions_of
from abkit.bandits._contrast_sequence import arm_sequence, contrast_sequence
from abkit.bandits._state import Arm
from abkit.bandits._weighted_sequence import Bets
from abkit.evidence import TestResult, run_test
from abkit.inference._paired import OneMeanEffect
from abkit.sequential._sequence import ConfidenceSequence
from abkit.types import Alternative, Null

Weights = Literal["stable", "constant", "two-point", "uniform"]
WEIGHTS: tuple[Weights, ...] = ("stable", "constant", "two-point", "uniform")
METHODS = ("aw-aipw", "anytime")


@overload
def adaptive_test(
    log: object,
    *,
    control: Arm,
    treatment: Arm | None = ...,
    arm: str = ...,
    reward: str = ...,
    propensity: str | Mapping[Arm, str] = ...,
    order: str | None = ...,
    method: Literal["aw-aipw"] = ...,
    weights: Weights = ...,
    decay: float | None = ...,
    alternative: Alternative = ...,
    null: Null = ...,
) -> TestResult: ...


@overload
def adaptive_test(
    log: object,
    *,
    control: Arm,
    treatment: Arm | None = ...,
    arm: str = ...,
    reward: str = ...,
    propensity: str | Mapping[Arm, str] = ...,
    order: str | None = ...,
    method: Literal["anytime"],
    alternative: Alternative = ...,
    alpha: float = ...,
    bounds: tuple[float, float] = ...,
    looks: object = ...,
    bets: Bets = ...,
) -> ConfidenceSequence: ...


def adaptive_test(  # noqa: PLR0913 - the columns of a log and the choices of two methods
    log: object,
    *,
    control: Arm,
    treatment: Arm | None = None,
    arm: str = "arm",
    reward: str = "reward",
    propensity: str | Mapping[Arm, str] = "propensity",
    order: str | None = None,
    method: str = "aw-aipw",
    weights: Weights = "stable",
    decay: float | None = None,
    alternative: Alternative = "two-sided",
    null: Null = 0.0,
    alpha: float | None = None,
    bounds: tuple[float, float] | None = None,
    looks: object = None,
    bets: Bets | None = None,
) -> TestResult | ConfidenceSequence:
    """Difference of two arms' mean rewards, from the log of a policy that chose by earlier rewards.

    Answers: how much better is one arm than another, when a bandit decided which of them each unit got?

    Parameters
    ----------
    log : table, path or mapping of names to arrays
        One row a decision: of any table that a plan can read, or the path of Parquet or CSV files.
    control, treatment : str or int
        The two arms. `treatment` may be left out where the log has one other arm.
    arm, reward, propensity : str
        The columns of the arm that was chosen, of what it gave, and of the probability with which it was chosen, as
        it was at that decision. Of two arms the other's is 1 less it. With more arms `propensity` is a mapping of
        arms to columns, which hold every arm's probability at every decision.
    order : str, optional
        The column by which the decisions are in order of time; by default the rows are.
    method : {"aw-aipw", "anytime"}
        "aw-aipw": one look, after the last row, for any rewards. "anytime": a sequence that holds however often one
        looks and whatever made the experiment stop, at any sample size, for rewards within `bounds`.
    weights : {"stable", "constant", "two-point", "uniform"}
        Of "aw-aipw": see Notes.
    decay : float, optional
        Of "two-point", between 0 and 1: the least propensity falls as t to the power -decay. 0.7 unless given.
    alternative : {"two-sided", "greater", "less"}
        "greater": the treatment's mean exceeds the control's by more than `null`.
    null : float or Relative
        Of "aw-aipw": the difference under the null hypothesis. A sequence is asked: `pvalue(null)`.
    alpha : float, optional
        Of "anytime": the probability that the difference is ever left out, 0.05 unless given.
    bounds : (float, float), optional
        Of "anytime": what no reward can lie below and above, (0, 1) unless given.
    looks : array of int, optional
        Of "anytime": after how many decisions to answer; by default after each.
    bets : {"betting", "empirical-bernstein"}, optional
        Of "anytime": the narrower, or the quicker.

    Returns
    -------
    TestResult or ConfidenceSequence
        Of treatment minus control. `relative` is Fieller's set.

    Raises
    ------
    ValueError
        Propensities outside (0, 1] or that add up to more than 1, an arm that the log does not have, fewer than two
        rewards of one, no decision in which either could have come, an option of the other method, rewards outside
        `bounds`.
    DataError
        A column that the log does not have, or values that are missing.

    Notes
    -----
    The mean of the rewards of an arm that was chosen by its rewards is biased, mostly downwards, and its standard error
    is not that of a sample. In their place each decision t gives each arm a the score G_t(a) = m_t(a) +
    1{chosen} (Y_t - m_t(a)) / e_t(a), with the propensity e_t and a guess m_t from rewards before t (the arm's mean,
    or that of all arms): its mean is the arm's mean, whatever the past was. The estimate is sum h G / sum h with
    weights h_t from the past [1]_, its variance sum h^2 (G - estimate)^2 / (sum h)^2, jointly for both arms.

    "stable" has one weight for both arms, h_t = (1/e_t(control) + 1/e_t(treatment))^(-1/2), with which every decision
    adds about the same variance to the contrast [2]_ [3]_: what a normal limit needs. "constant" is h = sqrt(e) for
    each arm, "two-point" eq. 18 of [1]_, "uniform" the plain mean of scores, which is not normal where propensities
    become small. Decisions in which an arm had propensity 0 have no weight, and the first one gives the first guess.

    With few rewards of the worse arm that variance is too small as often as not. So each arm's is the larger of it and
    of what propensities and the arm's rewards, with two of all arms' variance among them, lead one to expect; and the
    reference is Student's t with the least of Satterthwaite's degrees of freedom by rewards and by weighted squares.
    Coverage is near nominal with some thirty rewards of either arm that differ; with rarer events, or propensities
    near zero, it is not (a caution says so): use "anytime". `docs/calibration-bandits.md` has the numbers.

    "anytime" bets, for every difference d, on scores of it: 1 + bet (score - d), with a bet that is known beforehand,
    inverse to the expected variance and too small to lose more than half [4]_ [5]_. With 1,000 decisions it is about
    half as wide again as "aw-aipw".

    Both need the propensities with which arms were chosen, after any floor, and rewards whose mean does not change
    with time. A log of a deterministic policy (UCB) has no answer. Rewards that came late must be in the rows of their
    decisions. Where the means change, the estimate is a mean weighted by h.

    References
    ----------
    .. [1] Hadad, Hirshberg, Zhan, Wager and Athey 2021, PNAS 118(15), eq. 5, 9, 16 and 18.
    .. [2] Zhan, Hadad, Hirshberg and Athey 2021, KDD, sec. 3.
    .. [3] Bibaut, Chambaz, Dimakopoulou, Kallus and van der Laan 2021, NeurIPS 34, sec. 3.
    .. [4] Waudby-Smith, Wu, Ramdas, Karampatziakis and Mineiro 2022, arXiv:2210.10768, sec. 2.
    .. [5] Waudby-Smith and Ramdas 2024, JRSS B 86(1), sec. 4.

    Examples
    --------
    >>> import numpy as np
    >>> import abkit as ab
    >>> rng = np.random.default_rng(1)
    >>> log = {"arm": [], "reward": [], "propensity": []}
    >>> sums, pulls = np.zeros(2), np.zeros(2)
    >>> for _ in range(2_000):  # epsilon-greedy, with a tenth of the traffic at random
    ...     share = 0.95 if sums[1] * pulls[0] > sums[0] * pulls[1] else 0.05
    ...     chosen = int(rng.random() < share)
    ...     reward = float(rng.random() < (0.3, 0.4)[chosen])
    ...     sums[chosen], pulls[chosen] = sums[chosen] + reward, pulls[chosen] + 1
    ...     for name, value in (("arm", "ab"[chosen]), ("reward", reward)):
    ...         log[name].append(value)
    ...     log["propensity"].append(share if chosen else 1 - share)
    >>> result = ab.bandits.adaptive_test(log, control="a")
    >>> round(result.estimate, 3), [round(end, 3) for end in result.interval(0.95)]
    (0.147, [0.051, 0.244])
    >>> sequence = ab.bandits.adaptive_test(log, control="a", method="anytime", looks=[500, 2_000])
    >>> [round(end, 3) for end in sequence.interval()]
    [0.011, 0.314]
    """
    anytime = {"alpha": alpha, "bounds": bounds, "looks": looks, "bets": bets}
    once = {"weights": None if weights == "stable" else weights, "decay": decay, "null": null or None}
    options = _options(method, anytime, once)
    rows = decisions_of(log, (control, treatment), arm, reward, propensity, order)
    if method == "anytime":
        data = rows.chosen, rows.reward, rows.propensity
        return contrast_sequence(*data, alternative=alternative, caution=rows.doubt, **options)
    weight = _weights(weights, rows.propensity, decay)
    y, origin, unit = _scaled(rows.reward)
    moments = moments_of(score(rows.chosen, y, rows.propensity, weight))
    effect = adaptive_effect(moments, origin, unit)
    caution = rows.doubt or adaptive_caution(float(pulls_of(moments).min()), effect.df)
    return run_test(f"aw-aipw, {weights}", effect, alternative, null, caution)


def arm_value(  # noqa: PLR0913 - the columns of a log and the choices of two methods
    log: object,
    name: Arm,
    *,
    arm: str = "arm",
    reward: str = "reward",
    propensity: str | Mapping[Arm, str] = "propensity",
    order: str | None = None,
    method: str = "aw-aipw",
    weights: Weights = "constant",
    decay: float | None = None,
    alternative: Alternative = "two-sided",
    null: float = 0.0,
    alpha: float | None = None,
    bounds: tuple[float, float] | None = None,
    looks: object = None,
    bets: Bets | None = None,
) -> TestResult | ConfidenceSequence:
    """Mean reward of one arm, from the log of a policy that chose by earlier rewards.

    Answers: what does this arm give, when a bandit decided how often it was tried?

    Parameters
    ----------
    log, arm, reward, propensity, order, method, decay, alternative, alpha, bounds, looks, bets
        As of `adaptive_test`.
    name : str or int
        The arm.
    weights : {"constant", "stable", "two-point", "uniform"}
        As of `adaptive_test`; "stable" is that of the contrast with all other arms.
    null : float
        The mean under the null hypothesis.

    Returns
    -------
    TestResult or ConfidenceSequence
        Of the mean; `scale` is "mean".

    Raises
    ------
    ValueError, DataError
        As `adaptive_test`.

    Notes
    -----
    The estimate of `adaptive_test` for one arm, with h_t = sqrt(e_t): every decision adds about the same variance
    (Hadad et al. 2021, PNAS 118(15), sec. 3).

    Examples
    --------
    >>> import abkit as ab
    >>> log = {"arm": ["a", "b"] * 40, "reward": [0, 1, 1, 0, 1, 1, 0, 0] * 10, "propensity": [0.5] * 80}
    >>> result = ab.bandits.arm_value(log, "b")
    >>> round(result.estimate, 3), [round(end, 3) for end in result.interval(0.95)]
    (0.506, [0.335, 0.678])
    """
    anytime = {"alpha": alpha, "bounds": bounds, "looks": looks, "bets": bets}
    once = {"weights": None if weights == "constant" else weights, "decay": decay, "null": null or None}
    options = _options(method, anytime, once)
    rows = decisions_of(log, (name,), arm, reward, propensity, order)
    if method == "anytime":
        own = rows.chosen[0], rows.reward, rows.propensity[0]
        return arm_sequence(*own, alternative=alternative, caution=rows.doubt, **options)
    # all other arms as one: their rewards say how far rewards spread where the arm has few
    chosen = np.concatenate([rows.chosen, ~rows.chosen])
    share = np.concatenate([rows.propensity, 1 - rows.propensity])
    y, origin, unit = _scaled(rows.reward)
    moments = moments_of(score(chosen, y, share, _weights(weights, share, decay)))
    refuse_few(moments, (repr(name),))
    values, covariance, df = estimates(moments, 0)
    effect = OneMeanEffect(unit * float(values[0]) + origin, unit * math.sqrt(float(covariance[0, 0])), float(df))
    caution = rows.doubt or adaptive_caution(float(pulls_of(moments)[0]), effect.df)
    return run_test(f"aw-aipw value, {weights}", effect, alternative, null, caution)


def _scaled(reward: Float64Array) -> tuple[Float64Array, float, float]:
    """Rewards less the first one, in a unit (a power of two) in which their sixth powers can be added up."""
    origin = float(reward[0])
    off = reward - origin
    unit = math.ldexp(1.0, math.frexp(float(np.abs(off).max()))[1])
    return off / unit, origin, unit


def _weights(kind: Weights, propensity: Float64Array, decay: float | None) -> Float64Array:
    """Weights of each decision for each arm, from what was known before it."""
    _check.choice("weights", kind, WEIGHTS)
    if decay is not None and kind != "two-point":
        raise ValueError(f"`decay` must be left out: the weights {kind!r} have no use for it.")
    if kind == "two-point":
        return two_point_weights(propensity, 0.7 if decay is None else _check.within("decay", decay, 0, 1))
    if kind == "stable":
        return stable_weights(propensity)
    return np.sqrt(propensity) if kind == "constant" else np.ones_like(propensity)


def _options(method: str, anytime: dict[str, Any], once: dict[str, Any]) -> dict[str, Any]:
    """What was given of a method's own options; those of the other are refused."""
    _check.choice("method", method, METHODS)
    own, other = (anytime, once) if method == "anytime" else (once, anytime)
    for name, value in other.items():
        if value is not None:
            use = ", ".join(f"`{option}`" for option in own)
            raise ValueError(f"`{name}` must be left out: the method {method!r} has no use for it. It takes {use}.")
    return {name: value for name, value in own.items() if value is not None}
