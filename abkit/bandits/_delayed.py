"""An environment whose rewards come late, or in batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, cast

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.bandits._environment import Environment, inner
from abkit.bandits._policy import IntArray
from abkit.bandits._state import Arm


@dataclass(frozen=True)
class Delayed(Environment):
    """Rewards that come late, or in batches: purchases days after the click, a nightly job.

    Answers: what does it cost a policy that rewards are known only later?

    Parameters
    ----------
    environment : environment
        What the arms give; any, but not one that is delayed itself.
    delay : float
        How many further decisions are made, on average, before a reward is known, at least 0; a whole number where
        `law` is "fixed".
    law : str
        "fixed", or "geometric": known before each later decision with the same probability, independently.
    batch : int
        Rewards come in before every decision whose number is a multiple of this only; 1 is at once.

    Raises
    ------
    ValueError
        A delay below 0, or that no fixed one can be.

    Examples
    --------
    >>> import abkit as ab
    >>> import numpy as np
    >>> environment = ab.bandits.Delayed(ab.bandits.Bernoulli([0.9, 0.8]), delay=10, batch=100)
    >>> environment.arrivals(0, 1, np.random.default_rng(1))
    100
    """

    environment: Environment
    delay: float = 0.0
    law: str = "fixed"
    batch: int = 1
    kind: ClassVar[str] = "delayed"

    def __post_init__(self) -> None:
        object.__setattr__(self, "environment", inner(self.environment))
        if isinstance(self.environment, Delayed):
            raise TypeError("`environment` must not be delayed already; add the delays up.")
        object.__setattr__(self, "delay", _check.at_least("delay", self.delay, 0))
        _check.choice("law", self.law, ("fixed", "geometric"))
        object.__setattr__(self, "batch", _check.count("batch", self.batch, 1))
        if self.delay > 1e15 or (self.law == "fixed" and not self.delay.is_integer()):
            raise ValueError(f"`delay` must be a whole number of decisions, at most 1e15; got {self.delay:g}.")

    @property
    def arms(self) -> tuple[Arm, ...]:
        """The names of the arms."""
        return cast("tuple[Arm, ...]", self.environment.arms)

    @property
    def changes(self) -> bool:  # type: ignore[override]
        """Whether the expected rewards of a decision depend on when it is made."""
        return self.environment.changes

    @property
    def dimension(self) -> int:  # type: ignore[override]
        """The number of values in a context, 0 without contexts."""
        return self.environment.dimension

    @property
    def extremes(self) -> tuple[float, float] | None:  # type: ignore[override]
        """Rewards at the ends of what can come."""
        return self.environment.extremes

    @property
    def lai_robbins(self) -> float | None:
        """That of the environment: a delay changes nothing in the end."""
        return self.environment.lai_robbins

    def contexts(self, t: int, runs: int, rng: np.random.Generator) -> Float64Array | None:
        """What is known of decision `t` before it is made, one row a run."""
        return self.environment.contexts(t, runs, rng)

    def expected(self, t: int = 0, context: Float64Array | None = None) -> Float64Array:
        """The expected reward of each arm at decision `t`; given contexts, of each arm and run."""
        return self.environment.expected(t, context)

    def around(self, means: Float64Array, t: int, rng: np.random.Generator) -> Float64Array:
        """A reward of decision `t` around each of these expected rewards."""
        return self.environment.around(means, t, rng)

    def arrivals(self, t: int, runs: int, rng: np.random.Generator) -> int | IntArray:
        """Before which decision the rewards of decision `t` are known: of all runs, or of each."""
        if self.law == "fixed":
            return int(_rounded_up(t + 1 + int(self.delay), self.batch))
        late = rng.geometric(1 / (1 + self.delay), size=runs)
        return np.asarray(_rounded_up(t + late, self.batch), dtype=np.intp)


def _rounded_up(value: Any, multiple: int) -> Any:
    return -(-value // multiple) * multiple
