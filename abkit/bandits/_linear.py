"""Linear models of the reward, one an arm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from abkit._check import Float64Array
from abkit.bandits._contextual import Contextual, ScoreThompson, of_the_chosen, one_row_an_arm
from abkit.bandits._policy import IntArray, largest, shares_of_largest
from abkit.bandits._state import Arm, State


@State.register
@dataclass(frozen=True, slots=True, eq=False)
class LinearState(State):
    """A ridge regression for each arm.

    Parameters
    ----------
    root : float array, shape (arms, dimension, dimension)
        S with S S' the inverse of A = ridge I + sum of x x', over the contexts x in which the arm was chosen.
    sums : float array, shape (arms, dimension)
        Sum of reward times x.
    ridge : float array, shape (1,)
        What A begins with.
    """

    arms: tuple[Arm, ...]
    root: Float64Array
    sums: Float64Array
    ridge: Float64Array
    kind: ClassVar[str] = "linear"
    shared: ClassVar[tuple[str, ...]] = ("ridge",)

    @classmethod
    def of(cls, dimension: int, ridge: float, arms: tuple[Arm, ...], runs: tuple[int, ...]) -> LinearState:
        """Before any reward."""
        root = np.broadcast_to(np.eye(dimension) / np.sqrt(ridge), (len(arms), *runs, dimension, dimension)).copy()
        return cls(arms, root, np.zeros((len(arms), *runs, dimension)), np.full(1, ridge))

    def check(self) -> None:
        """Refuse what no rewards could have given."""
        if self.root.shape != (*self.sums.shape, self.sums.shape[-1]) or self.sums.ndim != 2:
            raise ValueError("`root` must have shape (arms, dimension, dimension), and `sums` (arms, dimension).")
        if self.ridge.shape != (1,) or not self.ridge[0] > 0:
            raise ValueError("`ridge` must hold one number above 0.")

    def cold(self, name: str) -> Float64Array:
        """The row of an array for an arm of which nothing is known."""
        row = np.zeros_like(getattr(self, name)[:1])
        return np.asarray(row + np.eye(row.shape[-1]) / np.sqrt(self.ridge[0]) if name == "root" else row)

    @property
    def coefficients(self) -> Float64Array:
        """The estimated coefficients of each arm."""
        inner = np.matmul(self.sums[..., None, :], self.root)[..., 0, :]
        return np.asarray(np.matmul(self.root, inner[..., None])[..., 0])

    def absorb(self, place: Any, reward: Any, context: Float64Array) -> None:
        """Add rewards in place, each with the context of its arm."""
        dimension = self.sums.shape[-1]
        roots, sums = self.root.reshape(-1, dimension, dimension), self.sums.reshape(-1, dimension)
        root = roots[place]
        f = np.matmul(context[..., None, :], root)
        # Potter's step, with f = S'x: the root after x is S (I - c f f'), and what it is the root of cannot be negative
        s = 1 + np.matmul(f, f.swapaxes(-1, -2))
        roots[place] = root - np.matmul(root, f.swapaxes(-1, -2)) * (f / (s + np.sqrt(s)))
        sums[place] += np.asarray(reward)[..., None] * context


class Linear(Contextual[LinearState]):
    """A policy that knows a ridge regression for each arm."""

    ridge: float

    def empty(self, arms: tuple[Arm, ...], runs: tuple[int, ...] = ()) -> LinearState:
        """What is known before any reward."""
        return LinearState.of(self.dimension, self.ridge, arms, runs)

    def scores(self, state: LinearState, context: Float64Array) -> tuple[Float64Array, Float64Array]:
        """Estimated reward of each arm in this context, and its standard deviation for a noise of 1."""
        x = one_row_an_arm(state, context) if state.sums.ndim == 2 else context
        f = np.matmul(x[..., None, :], state.root)[..., 0, :]
        b = np.matmul(state.sums[..., None, :], state.root)[..., 0, :]
        return (f * b).sum(axis=-1), np.sqrt((f * f).sum(axis=-1))

    def absorb(
        self, state: LinearState, place: Any, reward: Any, propensity: Any = None, context: Float64Array | None = None
    ) -> None:
        """Learn rewards in place."""
        state.absorb(place, reward, of_the_chosen(state, place, context))


@dataclass(frozen=True)
class LinUCB(Linear):
    """LinUCB: the arm whose reward in this context could be the largest, by a linear model of each arm.

    Answers: which arm for this visitor, where the reward is nearly linear in what is known of him?

    Parameters
    ----------
    dimension : int
        How many numbers a context has. A constant among them gives each arm an intercept.
    alpha : float
        Width of the confidence bound in standard deviations, above 0.
    ridge : float
        Precision of the coefficients before any reward, above 0.

    Raises
    ------
    ValueError
        A dimension below 1, or a number that is not above 0.

    Notes
    -----
    With A = ridge I + sum x x' and b = sum r x over the decisions in which an arm was chosen, its index is
    x'A^-1 b + alpha sqrt(x'A^-1 x) [1]_, the disjoint model. The inverse is kept as a square root, updated at each
    reward [2]_. Contexts are one row that all arms share, or one row an arm. An arm without a reward has the index
    alpha |x| / sqrt(ridge). Choices are deterministic but for ties. Scale contexts to a size near 1: ridge has the same
    unit for all of them.

    References
    ----------
    .. [1] Li, Chu, Langford and Schapire 2010, WWW, algorithm 1.
    .. [2] Potter's square root: Bierman 1977, Factorization Methods for Discrete Sequential Estimation, sec. II.3.

    Examples
    --------
    >>> import abkit as ab
    >>> policy = ab.bandits.LinUCB(2, alpha=1.0)
    >>> state = policy.update(policy.init(["a", "b"]), "a", 1.0, context=[1.0, 0.0])
    >>> policy.index(state, [1.0, 1.0]).round(4).tolist()
    [1.7247, 1.4142]
    """

    dimension: int
    alpha: float = 1.0
    ridge: float = 1.0
    kind: ClassVar[str] = "lin-ucb"
    randomised: ClassVar[bool] = False

    def __post_init__(self) -> None:
        self.check_numbers("alpha", "ridge")

    def index(self, state: LinearState, context: object) -> Float64Array:
        """The index of each arm in this context."""
        return self._index(state, self.check_context(context))

    def pick(self, state: LinearState, rng: np.random.Generator, context: Float64Array | None = None) -> IntArray:
        """The place of the arm to choose, in each run."""
        return largest(self._index(state, np.asarray(context)), rng)

    def probabilities(self, state: LinearState, context: Float64Array | None = None) -> Float64Array:
        """The probability of each arm, in each run."""
        return shares_of_largest(self._index(state, np.asarray(context)))

    def _index(self, state: LinearState, context: Float64Array) -> Float64Array:
        mean, sd = self.scores(state, context)
        return np.asarray(mean + self.alpha * sd)


@dataclass(frozen=True)
class LinThompson(ScoreThompson[LinearState], Linear):
    """Thompson sampling with a linear model of each arm.

    Answers: which arm for this visitor, where the reward is nearly linear in what is known of him, and the log must
    serve for estimates afterwards?

    Parameters
    ----------
    dimension : int
        How many numbers a context has. A constant among them gives each arm an intercept.
    v : float
        Standard deviation of a reward about its model, above 0; larger explores more.
    ridge : float
        Precision of the coefficients before any reward, in units of 1 / v^2, above 0.

    Raises
    ------
    ValueError
        A dimension below 1, or a number that is not above 0.

    Notes
    -----
    The coefficients of an arm are drawn from N(A^-1 b, v^2 A^-1) [1]_, with A and b as in `LinUCB`. Only the scores
    x'theta are needed: they are independent normal numbers, with mean x'A^-1 b and standard deviation
    v sqrt(x'A^-1 x), so that no matrix is drawn from, and the propensity of an arm is the probability that its score is
    the largest, by quadrature. The theorem's v grows with the dimension and log t; in practice v is the rewards'
    standard deviation.

    References
    ----------
    .. [1] Agrawal and Goyal 2013, ICML, algorithm 1, with a model of each arm.

    Examples
    --------
    >>> import abkit as ab
    >>> policy = ab.bandits.LinThompson(2, v=0.5)
    >>> state = policy.update(policy.init(["a", "b"]), "a", 1.0, context=[1.0, 0.0])
    >>> policy.propensities(state, [1.0, 1.0]).round(4).tolist()
    [0.7035, 0.2965]
    """

    dimension: int
    v: float = 1.0
    ridge: float = 1.0
    kind: ClassVar[str] = "lin-thompson"

    def __post_init__(self) -> None:
        self.check_numbers("v", "ridge")
