"""Bandits: policies, what they cost, what their logs say, and what may be concluded from them."""

from typing import TYPE_CHECKING

from abkit._lazy import attach

if TYPE_CHECKING:
    from abkit.bandits._epsilon_greedy import EpsilonGreedy as EpsilonGreedy
    from abkit.bandits._policy import Choice as Choice
    from abkit.bandits._policy import Policy as Policy
    from abkit.bandits._state import MeanState as MeanState
    from abkit.bandits._state import State as State
    from abkit.bandits._ucb import UCB1 as UCB1

_HOMES = {
    "abkit.bandits._epsilon_greedy": ("EpsilonGreedy",),
    "abkit.bandits._policy": ("Choice", "Policy"),
    "abkit.bandits._state": ("MeanState", "State"),
    "abkit.bandits._ucb": ("UCB1",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)  # noqa: PLE0605 - the names are text
__getattr__ = attach(__name__, _HOME_OF)


def __dir__() -> list[str]:
    return __all__
