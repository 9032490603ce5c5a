"""Thompson sampling: an arm as often as it is probably the best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import numpy as np
import numpy.typing as npt

from abkit import _check
from abkit._check import Float64Array
from abkit.bandits._challengers import MOVABLE, NOBODY, challengers
from abkit.bandits._policy import IntArray, MeanPolicy, drawn, largest, shares_of_largest
from abkit.bandits._state import MeanState
from abkit.posterior import Beta, Gamma, Normal, NormalInverseGamma, Posterior, probability_best

BoolArray = npt.NDArray[np.bool_]
Family = Literal["bernoulli", "gaussian", "gaussian-unknown", "poisson"]

#: What each family's prior consists of, which of that must be above 0, and what it is unless said otherwise.
PRIORS: dict[str, tuple[tuple[str, ...], tuple[float, ...]]] = {
    "bernoulli": (("a", "b"), (1.0, 1.0)),
    "gaussian": (("mean", "sd"), (0.0, np.inf)),
    "gaussian-unknown": (("mean", "weight", "shape", "scale"), (0.0, 0.0, -1.0, 0.0)),
    "poisson": (("shape", "rate"), (0.5, 0.0)),
}
_POSITIVE = {"a", "b", "sd"}
_FREE = {"mean"}
#: What an IPS weight may at most be divided by.
SMALLEST = 1e-300
#: 31 draws in all: after them another arm wins less than one in ten. One run takes them in fewer steps.
_REDRAWS, _REDRAWS_OF_ONE = (1, 2, 4, 8, 16), (7, 24)
_PAIR = 2
_DEGREES = 2


@dataclass(frozen=True)
class _Conjugate(MeanPolicy):
    """A policy that draws from conjugate posteriors of each arm's mean reward."""

    family: Family = "bernoulli"
    prior: tuple[float, ...] | None = None
    sd: float = 1.0

    def __post_init__(self) -> None:
        _check.choice("family", self.family, get_args(Family))
        object.__setattr__(self, "sd", _check.within("sd", self.sd, 0, np.inf))
        if self.prior is not None:
            prior = checked_prior(self.family, self.prior)
            # a flat prior is the default, whatever its mean; and JSON has no infinity
            object.__setattr__(self, "prior", None if np.inf in prior else prior)

    def check_reward(self, reward: Float64Array) -> None:
        """Refuse rewards that the family cannot give."""
        check_family_reward(self.family, reward)

    def posterior(self, state: MeanState) -> Posterior:
        """The posterior of each arm's mean reward; of an arm that must be tried first, one without meaning."""
        prior = PRIORS[self.family][1] if self.prior is None else self.prior
        return posterior_of(self.family, prior, self.sd, state)

    def lacking(self, state: MeanState) -> BoolArray | None:
        """Which arms have no posterior yet; None where all have."""
        prior = PRIORS[self.family][1] if self.prior is None else self.prior
        return lacking_of(self.family, prior, state)

    def _draws(self, state: MeanState, rng: np.random.Generator) -> Float64Array:
        """One draw of each arm's posterior; infinity of an arm without one."""
        missing = self.lacking(state)
        if missing is not None:
            ready = self.posterior(state if not missing.any() else _filled(state, missing))
            return np.where(missing, np.inf, ready.sample(rng))
        return self.posterior(state).sample(rng)

    def _best(self, state: MeanState, reach: float) -> Float64Array:
        """The probability of each arm to have the largest mean; of arms without a posterior, each the same."""
        missing = self.lacking(state)
        if missing is None or not missing.any():
            return np.asarray(np.maximum(probability_best(self.posterior(state), reach), SMALLEST))
        found = probability_best(self.posterior(_filled(state, missing)), reach)
        untried = shares_of_largest(missing.astype(np.float64))
        return np.where(missing.any(axis=0), untried, np.maximum(found, SMALLEST))


@dataclass(frozen=True)
class Thompson(_Conjugate):
    """Thompson sampling: each arm with the probability that it is the best, given what is known.

    Answers: which arm next, where what is known of the arms before, and the shape of rewards, can be said?

    Parameters
    ----------
    family : {"bernoulli", "gaussian", "gaussian-unknown", "poisson"}
        What rewards are: 0 or 1, or between; real numbers of known or of unknown variance; or counts.
    prior : tuple of float, optional
        What is known of an arm's mean reward before its first:

        - bernoulli: (a, b) of a beta, both above 0; by default (1, 1), every share equally likely.
        - gaussian: (mean, sd) of a normal; by default (0, inf), where each arm is tried once first.
        - gaussian-unknown: (mean, weight, shape, scale) of a normal-inverse-gamma, the mean worth `weight` rewards; by
          default the flat (0, 0, -1, 0), where each arm is tried four times first.
        - poisson: (shape, rate) of a gamma; by default (0.5, 0), Jeffreys', where each arm is tried once first.
    sd : float
        Standard deviation of one reward, above 0; read with "gaussian" only.

    Raises
    ------
    ValueError
        An unknown family, or a prior that is not one.

    Notes
    -----
    An arm's mean is drawn from its posterior, and the arm with the largest draw is chosen [1]_. So the propensity of
    arm i is the probability that it is the best, the integral of f_i times the product of the other arms' F_j. It is
    computed by quadrature to 1e-12, without simulation, when it is asked for; it is never below 1e-300. Draws that
    are equal, as happens with a + b far below 1, are broken at random.

    Flat priors of a variance keep regret logarithmic only where they lean to large variances, which the reference prior
    (shape -1/2) does not [2]_. Rewards between 0 and 1 count as parts of successes, which is careful: the posterior is
    wider than it need be. Not for rewards that drift: wrap it in `Discounted` or `SlidingWindow`. Not for finding the
    best arm soon: `TopTwoThompson`.

    References
    ----------
    .. [1] Thompson 1933, Biometrika 25(3-4); Chapelle and Li 2011, NIPS 24, algorithm 2.
    .. [2] Honda and Takemura 2014, AISTATS, theorems 1 and 2.

    Examples
    --------
    >>> import numpy as np
    >>> import abkit as ab
    >>> policy = ab.bandits.Thompson()
    >>> state = policy.update(policy.init(["a", "b"]), ["a", "a", "b"], [0, 0, 1])
    >>> choice = policy.select(state, rng=np.random.default_rng(1))
    >>> choice.arm, round(choice.propensity, 12)  # 9/10: P(Beta(2, 1) > Beta(1, 3))
    ('b', 0.9)
    """

    kind: ClassVar[str] = "thompson"

    def pick(self, state: MeanState, rng: np.random.Generator, context: Float64Array | None = None) -> IntArray:
        """The place of the arm to choose, in each run."""
        return largest(self._draws(state, rng), rng)

    def probabilities(self, state: MeanState, context: Float64Array | None = None) -> Float64Array:
        """The probability of each arm, in each run."""
        return self._best(state, 9.0)


@dataclass(frozen=True)
class TopTwoThompson(_Conjugate):
    """Top-two Thompson sampling: the best arm of a draw, or the best of another draw in which another arm wins.

    Answers: which arm next, where the best arm is to be known soon, and not to be used meanwhile?

    Parameters
    ----------
    family, prior, sd
        As those of `Thompson`.
    beta : float
        The probability of the first draw's best arm, above 0 and below 1.

    Raises
    ------
    ValueError
        An unknown family, a prior that is not one, or a `beta` outside its domain.

    Notes
    -----
    With p_i the probability that arm i is the best, arm i is chosen with probability
    p_i [beta + (1 - beta) sum over j != i of p_j / (1 - p_j)] [1]_; p is computed by quadrature and the sum
    without cancellation, so that it holds where one arm is almost certainly the best. Draws are repeated until
    another arm wins, at most 31 times; from then on the other arm is drawn as it would be in the end, by rejection
    from posteriors that are moved together, or with an unknown variance from p itself. With two arms and beta = 1/2
    each is chosen half the time, whatever is known.

    A best arm that is chosen half the time costs reward: not where the experiment is itself the use; `Thompson`.

    References
    ----------
    .. [1] Russo 2020, Operations Research 68(6), sec. 3.3.

    Examples
    --------
    >>> import abkit as ab
    >>> policy = ab.bandits.TopTwoThompson()
    >>> state = policy.update(policy.init(["a", "b", "c"]), ["a", "b", "b", "c", "c"], [0, 1, 0, 1, 1])
    >>> policy.propensities(state).round(4).tolist()
    [0.1506, 0.364, 0.4854]
    """

    beta: float = 0.5
    kind: ClassVar[str] = "top-two-thompson"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "beta", _check.within("beta", self.beta, 0, 1))

    def pick(self, state: MeanState, rng: np.random.Generator, context: Float64Array | None = None) -> IntArray:
        """The place of the arm to choose, in each run."""
        first = largest(self._draws(state, rng), rng)
        second = rng.random(first.shape) >= self.beta
        if len(state.arms) == 1 or not second.any():
            return first
        flat, leader = _runs(state), first.reshape(-1)
        open_ = np.flatnonzero(second.reshape(-1))
        missing = self.lacking(flat)
        if missing is not None:  # arms without a posterior come first, by one draw
            open_ = open_[~missing[:, open_].any(axis=0)]
        if len(state.arms) == _PAIR:
            leader[open_] = 1 - leader[open_]
            return leader.reshape(first.shape)
        for times in _REDRAWS if first.ndim else _REDRAWS_OF_ONE:
            open_ = self._redrawn(flat, leader, open_, times, rng)
            if not open_.size:
                return leader.reshape(first.shape)
        some, others = _of_runs(flat, open_), np.full(open_.size, NOBODY, dtype=np.intp)
        posterior = self.posterior(some)
        if isinstance(posterior, MOVABLE):
            others = challengers(posterior, leader[open_], rng)
        left = np.flatnonzero(others == NOBODY)
        if left.size:
            p = self._best(_of_runs(some, left), _FAR)
            p[leader[open_[left]], np.arange(left.size)] = 0.0
            others[left] = drawn(p, rng)
        leader[open_] = others
        return leader.reshape(first.shape)

    def probabilities(self, state: MeanState, context: Float64Array | None = None) -> Float64Array:
        """The probability of each arm, in each run."""
        p = self._best(state, _FAR)
        missing = self.lacking(state)
        if len(p) == 1:
            return np.ones_like(p)
        chosen = top_two(p, self.beta)
        return chosen if missing is None else np.where(missing.any(axis=0), p, chosen)

    def _redrawn(
        self, state: MeanState, leader: IntArray, open_: IntArray, times: int, rng: np.random.Generator
    ) -> IntArray:
        """Draw again for the open runs, and return those in which the leader won every time."""
        some = _of_runs(state, np.repeat(open_, times))
        winners = largest(self._draws(some, rng), rng).reshape(-1, times)
        other = winners != leader[open_][:, None]
        found = other.any(axis=1)
        leader[open_[found]] = winners[found, other[found].argmax(axis=1)]
        return np.asarray(open_[~found])


_FAR = 38.0


def top_two(p: Float64Array, beta: float) -> Float64Array:
    """The propensities of top-two sampling, from the probabilities of being the best."""
    with np.errstate(divide="ignore", invalid="ignore"):  # where arms come first that have no posterior
        second = p * _rest(p / _rest(p))
    # the leader's own odds may be infinite in size; p_i sum_j p_j/(1 - p_j) is then p_i/(1 - p_leader)
    chosen = beta * p + (1 - beta) * second
    return np.asarray(chosen / chosen.sum(axis=0))


def _rest(values: Float64Array) -> Float64Array:
    """The sum over all arms but this one, by adding only."""
    before = np.concatenate([np.zeros_like(values[:1]), values[:-1].cumsum(axis=0)])
    after = np.concatenate([values[:0:-1].cumsum(axis=0)[::-1], np.zeros_like(values[:1])])
    return np.asarray(before + after)


def posterior_of(family: str, prior: tuple[float, ...], sd: float, state: MeanState) -> Posterior:
    """The posterior of each arm's mean reward."""
    n, total = state.pulls, state.sums
    if family == "bernoulli":
        return Beta.after((prior[0], prior[1]), n, total)
    if family == "gaussian":
        return Normal.after((prior[0], prior[1]), n, total, sd)
    if family == "poisson":
        return Gamma.after((prior[0], prior[1]), n, total)
    mean, weight, shape, scale = prior
    return NormalInverseGamma.after((mean, weight, shape, scale), n, total, state.m2).marginal()


def lacking_of(family: str, prior: tuple[float, ...], state: MeanState) -> BoolArray | None:
    """Which arms have no posterior yet; None where a prior is enough."""
    if family == "gaussian":
        return np.asarray(state.pulls <= 0) if np.isinf(prior[1]) else None
    if family == "poisson":
        return np.asarray(state.pulls <= 0) if 0 in prior else None
    if family == "gaussian-unknown":
        _, weight, shape, scale = prior
        proper = weight > 0 and 2 * shape >= _DEGREES and scale > 0
        return None if proper else np.asarray(2 * shape + state.pulls < _DEGREES)
    return None


def checked_prior(family: str, prior: object) -> tuple[float, ...]:
    """The numbers of a family's prior."""
    names, flat = PRIORS[family]
    listed = ", ".join(names)
    if not isinstance(prior, (tuple, list)) or len(prior) != len(names):
        raise ValueError(f"`prior` must be ({listed}) for the family {family!r}; got {_check.show(prior)}.")
    values = []
    for name, value, lowest in zip(names, prior, flat, strict=True):
        label = f"prior {name}"
        if name in _FREE:
            values.append(_check.number(label, value))
        elif name == "sd" and isinstance(value, float) and value == np.inf:
            values.append(value)
        elif name in _POSITIVE:
            values.append(_check.within(label, value, 0, np.inf))
        else:
            values.append(_check.at_least(label, value, min(lowest, 0.0)))
    return tuple(values)


def check_family_reward(family: str, reward: Float64Array) -> None:
    """Refuse rewards that a family cannot give."""
    low, high = (reward.item(),) * 2 if reward.size == 1 else (float(reward.min()), float(reward.max()))
    if family == "bernoulli" and not (low >= 0 and high <= 1):
        raise ValueError(
            f"`reward` must be 0 or 1, or between; got {low if not low >= 0 else high:g}. "
            "Other rewards have another family, such as 'gaussian'."
        )
    if family == "poisson" and not low >= 0:
        raise ValueError(f"`reward` must be a count, at least 0; got {low:g}.")
    if not max(high, -low) <= _check.LARGEST:
        raise ValueError(f"`reward` must be at most {_check.LARGEST:g} in size; got {max(high, -low):g}.")


def _filled(state: MeanState, missing: BoolArray) -> MeanState:
    """The same where arms without a posterior have one, which nobody will read."""
    pulls = np.where(missing, 9.0, state.pulls)
    return MeanState(state.arms, pulls, np.where(missing, 0.0, state.sums), np.where(missing, 1.0, state.m2))


def _runs(state: MeanState) -> MeanState:
    """The same with one axis of runs."""
    arms = len(state.arms)
    return MeanState(state.arms, *(getattr(state, name).reshape(arms, -1) for name in state.arrays()))


def _of_runs(state: MeanState, runs: IntArray) -> MeanState:
    """Some runs."""
    return MeanState(state.arms, *(getattr(state, name)[:, runs] for name in state.arrays()))
