"""Which arm is the best, with a bound on the probability to be wrong, and how long that takes at least."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np
from scipy.special import zeta

from abkit import _check
from abkit._check import Float64Array
from abkit._roots import bisect
from abkit.bandits._divergence import check_family_reward, checked_family, kl
from abkit.bandits._state import Arm, MeanState

Threshold = Literal["proved", "practical"]
_EVERYTHING = (-math.inf, math.inf)


@dataclass(frozen=True, slots=True)
class BestArm:
    """What `best_arm` found.

    Parameters
    ----------
    arm : str or int
        The arm with the largest mean so far.
    stop : bool
        Whether the others are told apart from it.
    delta : float
        The probability, at most, that the arm is not the best, were one to stop when `stop` first holds.
    statistic, bound : float
        The smallest evidence against another arm, and what it must exceed; in nats.
    evidence : dict
        Of each other arm, the evidence that it is not the best.
    n : float
        Rewards so far.
    threshold : {"proved", "practical"}
        Which bound.
    """

    arm: Arm
    stop: bool
    delta: float
    statistic: float
    bound: float
    evidence: dict[Arm, float]
    n: float
    threshold: Threshold

    def __str__(self) -> str:
        nats = f"{self.statistic:.2f} nats of evidence in {self.n:g} rewards, {self.bound:.2f} needed"
        if not self.stop:
            return f"Continue: {self.arm!r} leads; {nats}."
        held = "" if self.threshold == "proved" else ", by a bound that is not proved"
        return f"Stop: {self.arm!r} is the best arm, with an error rate of at most {self.delta:g}{held}; {nats}."

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for strict JSON."""
        return {**asdict(self), "evidence": {str(arm): value for arm, value in self.evidence.items()}}


@dataclass(frozen=True, slots=True)
class CharacteristicTime:
    """What it takes to find the best of arms with these means.

    Parameters
    ----------
    time : float
        T*: no rule that is wrong with probability delta at most needs fewer rewards, on average, than
        T* (1 - 2 delta) ln((1 - delta) / delta); infinite where two arms are best.
    shares : tuple of float
        w*: the shares of the arms with which the best rules reach it, where it is finite.
    """

    time: float
    shares: tuple[float, ...]

    def rewards(self, delta: float) -> float:
        """The fewest rewards, on average, of any rule that errs with probability `delta` at most."""
        wrong = _check.within("delta", delta, 0, 1)
        return self.time * max((1 - 2 * wrong) * math.log((1 - wrong) / wrong), 0.0) if wrong < 0.5 else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for strict JSON."""
        return {"time": self.time if math.isfinite(self.time) else None, "shares": list(self.shares)}


def best_arm(
    state: MeanState,
    *,
    delta: float = 0.05,
    family: str = "bernoulli",
    sd: float = 1.0,
    threshold: Threshold = "proved",
) -> BestArm:
    """Whether the best arm is known: the stopping rule of best-arm identification.

    Answers: may I stop now and say which arm is best, however often I have looked?

    Parameters
    ----------
    state : MeanState
        What any policy learned of its arms; `TopTwoThompson` learns fastest.
    delta : float
        The probability, at most, to be wrong. Between 0 and 1.
    family : {"bernoulli", "gaussian", "poisson", "exponential"}
        What rewards are.
    sd : float
        Standard deviation of one reward, above 0; read with "gaussian" only.
    threshold : {"proved", "practical"}
        "practical" stops sooner; it has held in every published simulation and is not proved.

    Returns
    -------
    BestArm

    Raises
    ------
    ValueError
        An argument outside its domain, or means that the family cannot have.

    Notes
    -----
    The evidence that arm b is not better than the leader a is Z_ab = N_a kl(m_a, m_ab) + N_b kl(m_b, m_ab), with m_ab
    the mean of both together: the logarithm of a generalised likelihood ratio. It stops when the smallest exceeds a
    bound, with t rewards and K arms: ln(2 t (K - 1) / delta) for "bernoulli" [1]_ and the bounds of [2]_ for the other
    families are proved; ln((ln t + 1) / delta) is "practical". The guarantee is for looking after every reward and
    for every policy, since it is uniform in time. Rewards must be independent, and their means must not drift.
    Shares between 0 and 1 may be declared "bernoulli", which is careful.

    References
    ----------
    .. [1] Garivier and Kaufmann 2016, COLT, sec. 3.1, thm 10 and sec. 6.
    .. [2] Kaufmann and Koolen 2021, JMLR 22(246), sec. 5.1.

    Examples
    --------
    >>> import abkit as ab
    >>> policy = ab.bandits.TopTwoThompson()
    >>> state = policy.update(policy.init(["a", "b"]), ["a", "b"] * 60, [0, 1] * 50 + [1, 0] * 10)
    >>> print(ab.bandits.best_arm(state, delta=0.01))
    Stop: 'b' is the best arm, with an error rate of at most 0.01; 29.11 nats of evidence in 120 rewards, 10.09 needed.
    """
    delta, sd = _check.within("delta", delta, 0, 1), _check.within("sd", sd, 0, math.inf)
    checked_family(family)
    _check.choice("threshold", threshold, get_args(Threshold))
    n, means = _one_run(state, family)
    t, leader = float(n.sum()), int(np.where(n > 0, means, -np.inf).argmax())
    evidence = _evidence(n, means, leader, family, sd)
    del evidence[leader]
    statistic = min(evidence.values(), default=math.inf)
    bound = _bound(family, threshold, t, len(n), delta) if evidence else 0.0
    return BestArm(
        state.arms[leader],
        bool(statistic > bound),
        delta,
        min(statistic, _check.LARGEST),
        bound,
        {state.arms[place]: value for place, value in evidence.items()},
        t,
        threshold,
    )


def characteristic_time(means: object, family: str = "bernoulli", *, sd: float = 1.0) -> CharacteristicTime:
    """How hard it is to find the best of some arms, and the shares with which it is found fastest.

    Answers: how many rewards will it take to know the best arm, if its lead is so large?

    Parameters
    ----------
    means : array_like, shape (arms,)
        Mean reward of each arm, within what the family allows.
    family : {"bernoulli", "gaussian", "poisson", "exponential"}
        What rewards are.
    sd : float
        Standard deviation of one reward, above 0; read with "gaussian" only.

    Returns
    -------
    CharacteristicTime

    Raises
    ------
    ValueError
        Fewer than two means, or means that the family cannot have.

    Notes
    -----
    1 / T* is the largest, over shares w, of the smallest w_1 kl(m_1, m) + w_a kl(m_a, m) over the other arms, with m
    the mean of both in these shares; solved by two nested bisections [1]_.

    References
    ----------
    .. [1] Garivier and Kaufmann 2016, COLT, thm 1, lemma 4 and thm 5.

    Examples
    --------
    >>> import abkit as ab
    >>> hard = ab.bandits.characteristic_time([0.5, 0.45, 0.43, 0.4])
    >>> round(hard.time, 2), [round(share, 4) for share in hard.shares]
    (989.79, [0.4165, 0.3903, 0.1362, 0.057])
    >>> round(hard.rewards(0.05))  # on average, by any rule
    2623
    """
    values = _check.sample("means", means)
    if values.size < 2:
        raise ValueError(f"`means` must have at least 2 arms; got {values.size}.")
    check_means(checked_family(family), values)
    sd = _check.within("sd", sd, 0, math.inf)
    best = int(values.argmax())
    top = float(values[best])
    if np.count_nonzero(values == top) > 1:
        return CharacteristicTime(math.inf, ())
    rivals = _Rivals(top, np.delete(values, best), family, sd)
    common = bisect(rivals.slope, 0.0, float(kl(family, top, rivals.others, sd).min()))
    shares = np.insert(rivals.shares(common), best, 1.0)
    total = float(shares.sum())
    return CharacteristicTime(total / common, tuple((shares / total).tolist()))


@dataclass(frozen=True, slots=True)
class _Rivals:
    """The best arm and the others, which have x rewards for each of the best's."""

    best: float
    others: Float64Array
    family: str
    sd: float

    def divergences(self, x: Float64Array) -> tuple[Float64Array, Float64Array]:
        """Of the mean of both arms together from the best, and from the other."""
        mean = (self.best + x * self.others) / (1 + x)
        return kl(self.family, np.full_like(mean, self.best), mean, self.sd), kl(
            self.family, self.others, mean, self.sd
        )

    def shares(self, evidence: float) -> Float64Array:
        """How many rewards of each other arm there must be for this evidence a reward of the best."""
        low, high = np.zeros(self.others.size), np.full(self.others.size, 1 - 2.0**-40)
        for _ in range(54):
            middle = (low + high) / 2
            x = middle / (1 - middle)
            of_best, of_other = self.divergences(x)
            enough = of_best + x * of_other >= evidence
            low, high = np.where(enough, low, middle), np.where(enough, middle, high)
        return np.asarray(high / (1 - high))

    def slope(self, evidence: float) -> float:
        """What one more reward of the best arm gains, at the shares of this evidence; 0 at the best of them."""
        of_best, of_other = self.divergences(self.shares(evidence))
        return 1 - float(np.sum(of_best / np.maximum(of_other, 1e-300)))


def check_means(family: str, means: Float64Array) -> None:
    """Refuse means that a family cannot have."""
    try:
        check_family_reward(family, (0.0, 1.0) if family == "bernoulli" else _EVERYTHING, means)
    except ValueError as error:
        raise ValueError(str(error).replace("`reward`", "mean rewards")) from None


def _one_run(state: object, family: str) -> tuple[Float64Array, Float64Array]:
    """Pulls and means of the arms."""
    if not isinstance(state, MeanState):
        raise TypeError(f"`state` must be a MeanState; got {_check.show(state)}.")
    if state.pulls.ndim != 1:
        raise ValueError("`state` must be of one run; got several.")
    if np.any(state.pulls > 0):
        check_means(family, state.means[state.pulls > 0])
    return state.pulls, state.means


def _evidence(n: Float64Array, means: Float64Array, leader: int, family: str, sd: float) -> dict[int, float]:
    """The generalised log likelihood ratio of each arm against the leader; 0 where either has no reward."""
    both = n[leader] + n
    pooled = (n[leader] * means[leader] + n * means) / np.maximum(both, 1e-300)
    tried = (n > 0) & (n[leader] > 0)
    result = dict.fromkeys(range(len(n)), 0.0)
    for place in np.flatnonzero(tried).tolist():
        with_leader = float(kl(family, means[leader], pooled[place], sd))
        result[place] = float(n[leader]) * with_leader + float(n[place]) * float(
            kl(family, means[place], pooled[place], sd)
        )
    return result


def _bound(family: str, threshold: str, t: float, arms: int, delta: float) -> float:
    """What the smallest evidence must exceed."""
    t = max(t, 2.0)
    if threshold == "practical":
        return math.log((math.log(t) + 1) / delta)
    if family == "bernoulli":
        return math.log(2 * t * (arms - 1) / delta)
    half = math.log((arms - 1) / delta) / 2
    if family == "gaussian":
        return 2 * _gaussian_rate(half) + 4 * math.log(4 + math.log(t / 2))
    return 2 * _exponential_rate(half) + 6 * math.log(math.log(t / 2) + 1)


def _gaussian_rate(x: float) -> float:
    """The function C^{g_G} of Kaufmann and Koolen: the smallest (g(u) + x) / u for u between 1/2 and 1."""
    from scipy.optimize import minimize_scalar

    def rate(u: float) -> float:
        g = 2 * u - 2 * u * math.log(4 * u) + math.log(float(zeta(2 * u))) - math.log(1 - u) / 2
        return (g + x) / u

    found = minimize_scalar(rate, bounds=(0.5 + 1e-9, 1 - 1e-9), method="bounded", options={"xatol": 1e-10})
    return float(found.fun)


def _exponential_rate(x: float) -> float:
    """The function T of Kaufmann and Koolen."""
    z = 1.5
    inner = (_inverse_h(1 + x) + math.log(math.pi**2 / 3)) / 2
    if inner >= 1 / math.log(z) + math.log(math.log(z)):
        root = _inverse_h(inner)
        return 2 * math.exp(1 / root) * root
    return 2 * z * (inner - math.log(math.log(z)))


def _inverse_h(x: float) -> float:
    """The u >= 1 with u - ln u = x."""
    below: Callable[[float], float] = lambda u: x - (u - math.log(u))  # noqa: E731
    return bisect(below, 1.0, 2 * x + 2)
