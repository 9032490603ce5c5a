"""Exp3: exponential weights where rewards may be chosen by an adversary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.bandits._index import checked_bounds
from abkit.bandits._policy import IntArray, Policy, check_bounds, checked_propensity, drawn
from abkit.bandits._state import Arm, State

#: A quotient of a reward and a propensity beyond this is taken as this: logarithms of weights must stay finite.
LARGEST_ESTIMATE = 1e300


@State.register
@dataclass(frozen=True, slots=True, eq=False)
class WeightState(State):
    """A weight of each arm.

    Parameters
    ----------
    log_weights : float array, shape (arms,)
        Logarithms of the weights, of which the largest is 0.
    """

    arms: tuple[Arm, ...]
    log_weights: Float64Array
    kind: ClassVar[str] = "weights"

    @classmethod
    def empty(cls, arms: tuple[Arm, ...], runs: tuple[int, ...] = ()) -> WeightState:
        """Equal weights."""
        return cls(arms, np.zeros((len(arms), *runs)))

    def check(self) -> None:
        """Refuse weights that were not scaled."""
        if np.any(self.log_weights.max(axis=0) != 0):
            raise ValueError(f"`log_weights` must have 0 as the largest; got {self.log_weights.max():g}.")

    def cold(self, name: str) -> Float64Array:
        """The mean weight: the new arm has one share of K + 1."""
        return np.asarray(np.log(np.exp(self.log_weights).mean(axis=0, keepdims=True)))

    def without_arm(self, arm: Arm) -> WeightState:
        """The same without an arm; the others keep their ratios."""
        fewer = State.without_arm(self, arm).copy()
        fewer.scale()
        fewer.log_weights.setflags(write=False)
        return fewer

    def scale(self) -> None:
        """Take the largest weight as 1, in place."""
        self.log_weights[...] -= self.log_weights.max(axis=0)


@dataclass(frozen=True)
class Exp3(Policy[WeightState]):
    """Exp3: exponential weights of what each arm is estimated to have given, whatever made the rewards.

    Answers: which arm next, where rewards may drift in any way, even against the policy?

    Parameters
    ----------
    gamma : float
        The share of choices at random, above 0 and at most 1; with "ix" what is added to the propensity, above 0.
    variant : {"exp3", "ix"}
        "ix" estimates losses with implicit exploration, which keeps regret low with high probability and not only on
        average.
    bounds : (float, float)
        What no reward can lie below and above.

    Raises
    ------
    ValueError
        A gamma outside its domain, or an unknown variant.

    Notes
    -----
    With rewards r scaled to [0, 1] and K arms, "exp3" chooses with p_a = (1 - gamma) w_a / sum w + gamma / K, and
    multiplies the weight of the chosen arm by exp(gamma r / (p_a K)) [1]_. "ix" chooses with p_a = w_a / sum w, and
    multiplies by exp(-2 gamma (1 - r) / (p_a + gamma)) [2]_. `update` needs the `propensity` that was logged with
    the decision, so that rewards may come in late. Weights are kept as logarithms and cannot overflow. An arm that is
    added has the mean weight. Where rewards do not drift, stochastic policies such as `KLUCB` have far less regret.

    References
    ----------
    .. [1] Auer, Cesa-Bianchi, Freund and Schapire 2002, SIAM J. Computing 32(1), fig. 1.
    .. [2] Neu 2015, NeurIPS 28, algorithm 1, with eta = 2 gamma.

    Examples
    --------
    >>> import abkit as ab
    >>> policy = ab.bandits.Exp3(0.5)
    >>> state = policy.update(policy.init(["a", "b"]), "a", 1.0, propensity=0.5)
    >>> policy.propensities(state).round(4).tolist()
    [0.5612, 0.4388]
    """

    gamma: float = 0.1
    variant: Literal["exp3", "ix"] = "exp3"
    bounds: tuple[float, float] = (0.0, 1.0)
    kind: ClassVar[str] = "exp3"
    needs_propensity: ClassVar[bool] = True

    def __post_init__(self) -> None:
        gamma = _check.within("gamma", self.gamma, 0, np.inf)
        _check.choice("variant", self.variant, ("exp3", "ix"))
        if gamma > 1 and self.variant == "exp3":
            raise ValueError(f"`gamma` must be at most 1; got {gamma:g}.")
        object.__setattr__(self, "gamma", gamma)
        object.__setattr__(self, "bounds", checked_bounds(self.bounds))

    def empty(self, arms: tuple[Arm, ...], runs: tuple[int, ...] = ()) -> WeightState:
        """What is known before any reward."""
        return WeightState.empty(arms, runs)

    def pick(self, state: WeightState, rng: np.random.Generator, context: Float64Array | None = None) -> IntArray:
        """The place of the arm to choose, in each run."""
        return drawn(self.probabilities(state), rng)

    def probabilities(self, state: WeightState, context: Float64Array | None = None) -> Float64Array:
        """The probability of each arm, in each run."""
        weights = np.exp(state.log_weights)
        shares = weights / weights.sum(axis=0)
        return np.asarray(shares if self.variant == "ix" else (1 - self.gamma) * shares + self.gamma / len(state.arms))

    def absorb(
        self, state: WeightState, place: Any, reward: Any, propensity: Any = None, context: Float64Array | None = None
    ) -> None:
        """Learn rewards in place."""
        low, high = self.bounds
        gain = (reward - low) / (high - low)
        if self.variant == "ix":
            step = -2 * (self.gamma / (propensity + self.gamma)) * (1 - gain)
        else:
            arms = len(state.arms)
            # gamma / K first: the quotient is at most 1 with a propensity of this policy
            step = gain * np.minimum(self.gamma / arms / np.maximum(propensity, 1 / LARGEST_ESTIMATE), LARGEST_ESTIMATE)
        state.log_weights.reshape(-1)[place] += step
        state.scale()

    def check_reward(self, reward: Float64Array) -> None:
        """Refuse rewards outside the bounds."""
        check_bounds(self.bounds, reward)

    def check_propensity(self, propensity: object) -> float:
        """The propensity, which must be there."""
        if propensity is None:
            raise ValueError(
                "`propensity` must be given: Exp3 learns from the probability with which the arm was chosen; got None."
            )
        return checked_propensity(propensity)
