"""abkit: from a logged experiment to a decision.

Every public name is here, and is loaded on first touch, so that importing abkit costs nothing.
"""

from typing import TYPE_CHECKING

from abkit._lazy import attach

if TYPE_CHECKING:
    from abkit.decision import Decision as Decision
    from abkit.decision import Reason as Reason
    from abkit.decision import decide as decide
    from abkit.errors import AbkitError as AbkitError
    from abkit.errors import AccuracyWarning as AccuracyWarning
    from abkit.errors import DataError as DataError
    from abkit.errors import MissingDependencyError as MissingDependencyError
    from abkit.errors import PlanError as PlanError
    from abkit.evidence import HalfLines as HalfLines
    from abkit.evidence import Interval as Interval
    from abkit.evidence import NoInterval as NoInterval
    from abkit.evidence import TestResult as TestResult
    from abkit.evidence import WholeLine as WholeLine
    from abkit.experiment import Experiment as Experiment
    from abkit.experiment import Quality as Quality
    from abkit.inference import balance_test as balance_test
    from abkit.inference import novelty_test as novelty_test
    from abkit.inference import proportion_test as proportion_test
    from abkit.inference import ratio_test as ratio_test
    from abkit.inference import srm_test as srm_test
    from abkit.inference import student_test as student_test
    from abkit.inference import welch_test as welch_test
    from abkit.inference import z_test as z_test
    from abkit.metrics import Mean as Mean
    from abkit.metrics import Metric as Metric
    from abkit.metrics import Proportion as Proportion
    from abkit.metrics import Ratio as Ratio
    from abkit.report import Report as Report
    from abkit.sequential import FixedHorizon as FixedHorizon
    from abkit.suffstats import CoMoments as CoMoments
    from abkit.suffstats import Counts as Counts
    from abkit.suffstats import Histogram as Histogram
    from abkit.suffstats import Moments as Moments
    from abkit.types import ROWS as ROWS
    from abkit.types import Cap as Cap
    from abkit.types import Sum as Sum
    from abkit.types import relative as relative

__version__ = "0.1.0"

_HOMES = {
    "abkit.decision": ("Decision", "Reason", "decide"),
    "abkit.errors": ("AbkitError", "AccuracyWarning", "DataError", "MissingDependencyError", "PlanError"),
    "abkit.evidence": ("HalfLines", "Interval", "NoInterval", "TestResult", "WholeLine"),
    "abkit.experiment": ("Experiment", "Quality"),
    "abkit.inference": (
        "balance_test",
        "novelty_test",
        "proportion_test",
        "ratio_test",
        "srm_test",
        "student_test",
        "welch_test",
        "z_test",
    ),
    "abkit.metrics": ("Mean", "Metric", "Proportion", "Ratio"),
    "abkit.report": ("Report",),
    "abkit.sequential": ("FixedHorizon",),
    "abkit.suffstats": ("CoMoments", "Counts", "Histogram", "Moments"),
    "abkit.types": ("ROWS", "Cap", "Sum", "relative"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [*sorted(_HOME_OF), "__version__"]  # noqa: PLE0604 - the names are text
__getattr__ = attach(__name__, _HOME_OF)


def __dir__() -> list[str]:
    return sorted(__all__)
