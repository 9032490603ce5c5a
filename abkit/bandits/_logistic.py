"""Logistic models of a reward of 0 or 1, one an arm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.special import expit, wrightomega

from abkit._check import Float64Array
from abkit.bandits._contextual import ScoreThompson, of_the_chosen, one_row_an_arm
from abkit.bandits._state import Arm, State

#: Five of Newton's steps gave all digits, with u0 up to 1e9 and k from 1e-15 to 1e15.
STEPS = 6
SMALLEST = 1e-300


@State.register
@dataclass(frozen=True, slots=True, eq=False)
class LogisticState(State):
    """A logistic regression for each arm, with independent normal coefficients.

    Parameters
    ----------
    centres, precisions : float array, shape (arms, dimension)
        Mean and reciprocal variance of each coefficient.
    ridge : float array, shape (1,)
        What precisions begin with.
    """

    arms: tuple[Arm, ...]
    centres: Float64Array
    precisions: Float64Array
    ridge: Float64Array
    kind: ClassVar[str] = "logistic"
    shared: ClassVar[tuple[str, ...]] = ("ridge",)

    def check(self) -> None:
        """Refuse what no rewards could have given."""
        if self.centres.shape != self.precisions.shape or self.centres.ndim != 2:
            raise ValueError("`centres` and `precisions` must have shape (arms, dimension).")
        if not self.precisions.min() > 0 or self.ridge.shape != (1,) or not self.ridge[0] > 0:
            raise ValueError("`precisions` must be above 0, and `ridge` must hold one number above 0.")

    def cold(self, name: str) -> Float64Array:
        """The row of an array for an arm of which nothing is known."""
        return np.full_like(getattr(self, name)[:1], self.ridge[0] if name == "precisions" else 0.0)

    def absorb(self, place: Any, reward: Any, context: Float64Array) -> None:
        """Add rewards in place, each with the context of its arm."""
        dimension = self.centres.shape[-1]
        centres, precisions = self.centres.reshape(-1, dimension), self.precisions.reshape(-1, dimension)
        step = context / precisions[place]
        # the coefficients move along one line, so that the mode is one number: the score u that it has
        sign = 2 * np.asarray(reward) - 1
        u = mode(sign * (centres[place] * context).sum(axis=-1), (step * context).sum(axis=-1))
        missed = expit(-u)
        centres[place] += (sign * missed)[..., None] * step
        precisions[place] += (missed * expit(u))[..., None] * context**2


@dataclass(frozen=True)
class LogisticThompson(ScoreThompson[LogisticState]):
    """Thompson sampling with a logistic model of each arm, for rewards of 0 and 1.

    Answers: which arm for this visitor, where a reward is a click or none, and its log odds are nearly linear in what
    is known of him?

    Parameters
    ----------
    dimension : int
        How many numbers a context has. A constant among them gives each arm an intercept.
    v : float
        Factor on the posterior's standard deviations, above 0; below 1 explores less.
    ridge : float
        Precision of the coefficients before any reward, above 0.

    Raises
    ------
    ValueError
        A dimension below 1, or a number that is not above 0.

    Notes
    -----
    Coefficients are independent normal numbers with means m and precisions q. A reward moves m to the mode of
    sum q (w - m)^2 / 2 + ln(1 + exp(-y x'w)), y = 1 or -1, and adds x^2 p (1 - p) to q, with p at the new mode [1]_.
    This is the source's algorithm with batches of one reward. The mode lies on the line m + c x / q, so that one number
    is solved for, to the last digits. Scores x'w are drawn from N(x'm, v^2 sum x^2 / q), and the propensity of
    an arm is the probability that its score is the largest, by quadrature. Because the posterior is approximated, and
    its correlations are left out, it is too narrow where contexts are strongly correlated: centre and scale them, or
    take `LinThompson`.

    References
    ----------
    .. [1] Chapelle and Li 2011, NeurIPS 24, algorithm 3.

    Examples
    --------
    >>> import abkit as ab
    >>> policy = ab.bandits.LogisticThompson(2)
    >>> state = policy.update(policy.init(["a", "b"]), "a", 1, context=[1.0, 0.0])
    >>> state.centres.round(4).tolist()
    [[0.4011, 0.0], [0.0, 0.0]]
    >>> policy.propensities(state, [1.0, 1.0]).round(4).tolist()
    [0.5814, 0.4186]
    """

    dimension: int
    v: float = 1.0
    ridge: float = 1.0
    kind: ClassVar[str] = "logistic-thompson"

    def __post_init__(self) -> None:
        self.check_numbers("v", "ridge")

    def empty(self, arms: tuple[Arm, ...], runs: tuple[int, ...] = ()) -> LogisticState:
        """What is known before any reward."""
        shape = (len(arms), *runs, self.dimension)
        return LogisticState(arms, np.zeros(shape), np.full(shape, self.ridge), np.full(1, self.ridge))

    def scores(self, state: LogisticState, context: Float64Array) -> tuple[Float64Array, Float64Array]:
        """Mean and standard deviation of each arm's log odds in this context."""
        x = one_row_an_arm(state, context) if state.centres.ndim == 2 else context
        return (state.centres * x).sum(axis=-1), np.sqrt((x * x / state.precisions).sum(axis=-1))

    def absorb(
        self, state: LogisticState, place: Any, reward: Any, propensity: Any = None, context: Float64Array | None = None
    ) -> None:
        """Learn rewards in place."""
        state.absorb(place, reward, of_the_chosen(state, place, context))

    def check_reward(self, reward: Float64Array) -> None:
        """Refuse rewards other than 0 and 1."""
        wrong = reward[(reward != 0) & (reward != 1)]
        if wrong.size:
            raise ValueError(f"`reward` must be 0 or 1; got {wrong.flat[0]:g}.")


def mode(u0: Float64Array, k: Float64Array) -> Float64Array:
    """The u with u = u0 + k expit(-u), by Newton's method.

    It is below 0 where u0 + k / 2 is; there -u solves the same equation with -(u0 + k) for u0. Above 0 the difference
    of both sides rises and is concave, so that from below Newton's steps go one way; a lower bound is the root with
    exp(-u) / 2 for expit(-u), a Wright omega function.
    """
    down = u0 + k / 2 < 0
    start = np.where(down, -(u0 + k), u0)
    u = np.maximum(start + wrightomega(np.log(np.maximum(k, SMALLEST) / 2) - start), 0.0)
    for _ in range(STEPS):
        missed = expit(-u)
        u = u - (u - start - k * missed) / (1 + k * missed * (1 - missed))
    return np.asarray(np.where(down, -u, u))
