"""Logs whose truth is known, and what a plan really does with them."""

from typing import TYPE_CHECKING

from abkit._lazy import attach

if TYPE_CHECKING:
    from abkit.simulate._characteristics import Characteristics as Characteristics
    from abkit.simulate._characteristics import OperatingCharacteristics as OperatingCharacteristics
    from abkit.simulate._log import SimulatedLog as SimulatedLog
    from abkit.simulate._log import log as log
    from abkit.simulate._log_truth import Truth as Truth
    from abkit.simulate._operating import operating_characteristics as operating_characteristics
    from abkit.simulate._rates import Average as Average
    from abkit.simulate._rates import Rate as Rate
    from abkit.simulate._scenario import Scenario as Scenario
    from abkit.simulate._scenario import default_scenarios as default_scenarios

_HOME_OF = {
    "Characteristics": "abkit.simulate._characteristics",
    "OperatingCharacteristics": "abkit.simulate._characteristics",
    "operating_characteristics": "abkit.simulate._operating",
    "Average": "abkit.simulate._rates",
    "Rate": "abkit.simulate._rates",
    "SimulatedLog": "abkit.simulate._log",
    "Truth": "abkit.simulate._log_truth",
    "log": "abkit.simulate._log",
    "Scenario": "abkit.simulate._scenario",
    "default_scenarios": "abkit.simulate._scenario",
}

__all__ = sorted(_HOME_OF)  # noqa: PLE0605 - the names are text
__getattr__ = attach(__name__, _HOME_OF)


def __dir__() -> list[str]:
    return __all__
