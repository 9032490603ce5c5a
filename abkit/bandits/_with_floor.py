"""A policy under which every arm keeps some traffic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.bandits._policy import IntArray
from abkit.bandits._state import Arm
from abkit.bandits._wrapper import Wrapper


@dataclass(frozen=True)
class WithFloor(Wrapper):
    """A policy with a minimum of traffic for every arm.

    Answers: which arm next, where every arm must stay measurable whatever the policy would do?

    Parameters
    ----------
    policy : Policy
        The inner policy.
    floor : float
        Smallest probability of any arm, above 0; with K arms at most 1 / K.

    Raises
    ------
    ValueError
        A floor that is not above 0, or that K arms cannot all have.

    Notes
    -----
    With K arms, any arm is chosen with probability K floor, and what the inner policy chooses otherwise: an arm that
    has the probability p there is chosen with (1 - K floor) p + floor. This is the propensity of the choice, which must
    be logged, not p. The state is the inner policy's own. The floor costs K floor of the best arm's traffic for ever;
    it buys logs from which every arm can be estimated, also around deterministic policies.

    Examples
    --------
    >>> import abkit as ab
    >>> policy = ab.bandits.WithFloor(ab.bandits.UCB1(), 0.05)
    >>> state = policy.update(policy.init(["a", "b"]), ["a", "b"], [1, 0])
    >>> policy.propensities(state).round(12).tolist()
    [0.95, 0.05]
    """

    floor: float = 0.05
    kind: ClassVar[str] = "with-floor"

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "floor", _check.within("floor", self.floor, 0, np.inf))
        self._share(1)

    @property
    def randomised(self) -> bool:  # type: ignore[override]
        """Whether arms are chosen at random: always."""
        return True

    def empty(self, arms: tuple[Arm, ...], runs: tuple[int, ...] = ()) -> Any:
        """What is known before any reward."""
        self._share(len(arms))
        return super().empty(arms, runs)

    def pick(self, state: Any, rng: np.random.Generator, context: Float64Array | None = None) -> IntArray:
        """The place of the arm to choose, in each run."""
        share = self._share(len(state.arms))
        chosen = super().pick(state, rng, context)
        if not chosen.ndim:
            return np.asarray(rng.integers(len(state.arms))) if rng.random() < share else chosen
        anyone = rng.integers(len(state.arms), size=chosen.shape)
        return np.where(rng.random(chosen.shape) < share, anyone, chosen)

    def probabilities(self, state: Any, context: Float64Array | None = None) -> Float64Array:
        """The probability of each arm, in each run."""
        share = self._share(len(state.arms))
        return (1 - share) * super().probabilities(state, context) + self.floor

    def _share(self, arms: int) -> float:
        """The probability of an arm at random."""
        # 1 / 3 three times, 0.1 ten times: a share that is 1 but for rounding is 1
        share = self.floor * arms
        if not share <= 1 + 1e-12:
            raise ValueError(
                f"`floor` must be at most 1 / {arms} with {arms} arm{'s' * (arms > 1)}; got {self.floor:g}."
            )
        return min(share, 1.0)
