"""Bandits: policies, what they cost, what their logs say, and what may be concluded from them."""

from typing import TYPE_CHECKING

from abkit._lazy import attach

if TYPE_CHECKING:
    from abkit.bandits._adaptive_test import adaptive_test as adaptive_test
    from abkit.bandits._adaptive_test import arm_value as arm_value
    from abkit.bandits._batched import Batched as Batched
    from abkit.bandits._batched import BatchState as BatchState
    from abkit.bandits._best_arm import BestArm as BestArm
    from abkit.bandits._best_arm import CharacteristicTime as CharacteristicTime
    from abkit.bandits._best_arm import best_arm as best_arm
    from abkit.bandits._best_arm import characteristic_time as characteristic_time
    from abkit.bandits._changing import Abrupt as Abrupt
    from abkit.bandits._changing import Drifting as Drifting
    from abkit.bandits._contexts import LinearContexts as LinearContexts
    from abkit.bandits._contexts import LogisticContexts as LogisticContexts
    from abkit.bandits._delayed import Delayed as Delayed
    from abkit.bandits._discounted import Discounted as Discounted
    from abkit.bandits._environment import Environment as Environment
    from abkit.bandits._environments import Bernoulli as Bernoulli
    from abkit.bandits._environments import Exponential as Exponential
    from abkit.bandits._environments import Gaussian as Gaussian
    from abkit.bandits._environments import Poisson as Poisson
    from abkit.bandits._epsilon_greedy import EpsilonGreedy as EpsilonGreedy
    from abkit.bandits._evaluate import evaluate as evaluate
    from abkit.bandits._exp3 import Exp3 as Exp3
    from abkit.bandits._exp3 import WeightState as WeightState
    from abkit.bandits._imed import IMED as IMED
    from abkit.bandits._kl_ucb import KLUCB as KLUCB
    from abkit.bandits._lai_robbins import lai_robbins as lai_robbins
    from abkit.bandits._linear import LinearState as LinearState
    from abkit.bandits._linear import LinThompson as LinThompson
    from abkit.bandits._linear import LinUCB as LinUCB
    from abkit.bandits._logistic import LogisticState as LogisticState
    from abkit.bandits._logistic import LogisticThompson as LogisticThompson
    from abkit.bandits._moss import MOSS as MOSS
    from abkit.bandits._policy import Choice as Choice
    from abkit.bandits._policy import Policy as Policy
    from abkit.bandits._policy_value import Diagnostics as Diagnostics
    from abkit.bandits._policy_value import PolicyValue as PolicyValue
    from abkit.bandits._records import Records as Records
    from abkit.bandits._replay import Replayed as Replayed
    from abkit.bandits._replay import replay as replay
    from abkit.bandits._simulate import simulate as simulate
    from abkit.bandits._simulation import Regret as Regret
    from abkit.bandits._simulation import Simulation as Simulation
    from abkit.bandits._sliding_window import SlidingWindow as SlidingWindow
    from abkit.bandits._sliding_window import WindowState as WindowState
    from abkit.bandits._softmax import Softmax as Softmax
    from abkit.bandits._state import MeanState as MeanState
    from abkit.bandits._state import State as State
    from abkit.bandits._stopping import Stopping as Stopping
    from abkit.bandits._stopping import stopping as stopping
    from abkit.bandits._thompson import Thompson as Thompson
    from abkit.bandits._thompson import TopTwoThompson as TopTwoThompson
    from abkit.bandits._ucb import UCB1 as UCB1
    from abkit.bandits._ucb import UCBV as UCBV
    from abkit.bandits._ucb import UCB1Tuned as UCB1Tuned
    from abkit.bandits._value_sequence import value_sequence as value_sequence
    from abkit.bandits._with_floor import WithFloor as WithFloor

_HOMES = {
    "abkit.bandits._adaptive_test": ("adaptive_test", "arm_value"),
    "abkit.bandits._batched": ("Batched", "BatchState"),
    "abkit.bandits._best_arm": ("BestArm", "CharacteristicTime", "best_arm", "characteristic_time"),
    "abkit.bandits._changing": ("Abrupt", "Drifting"),
    "abkit.bandits._contexts": ("LinearContexts", "LogisticContexts"),
    "abkit.bandits._delayed": ("Delayed",),
    "abkit.bandits._discounted": ("Discounted",),
    "abkit.bandits._environment": ("Environment",),
    "abkit.bandits._environments": ("Bernoulli", "Exponential", "Gaussian", "Poisson"),
    "abkit.bandits._epsilon_greedy": ("EpsilonGreedy",),
    "abkit.bandits._evaluate": ("evaluate",),
    "abkit.bandits._exp3": ("Exp3", "WeightState"),
    "abkit.bandits._imed": ("IMED",),
    "abkit.bandits._kl_ucb": ("KLUCB",),
    "abkit.bandits._lai_robbins": ("lai_robbins",),
    "abkit.bandits._linear": ("LinUCB", "LinThompson", "LinearState"),
    "abkit.bandits._logistic": ("LogisticThompson", "LogisticState"),
    "abkit.bandits._moss": ("MOSS",),
    "abkit.bandits._policy": ("Choice", "Policy"),
    "abkit.bandits._policy_value": ("Diagnostics", "PolicyValue"),
    "abkit.bandits._records": ("Records",),
    "abkit.bandits._replay": ("Replayed", "replay"),
    "abkit.bandits._simulate": ("simulate",),
    "abkit.bandits._simulation": ("Regret", "Simulation"),
    "abkit.bandits._sliding_window": ("SlidingWindow", "WindowState"),
    "abkit.bandits._softmax": ("Softmax",),
    "abkit.bandits._state": ("MeanState", "State"),
    "abkit.bandits._stopping": ("Stopping", "stopping"),
    "abkit.bandits._thompson": ("Thompson", "TopTwoThompson"),
    "abkit.bandits._ucb": ("UCB1", "UCB1Tuned", "UCBV"),
    "abkit.bandits._value_sequence": ("value_sequence",),
    "abkit.bandits._with_floor": ("WithFloor",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)  # noqa: PLE0605 - the names are text
__getattr__ = attach(__name__, _HOME_OF)


def __dir__() -> list[str]:
    return __all__
