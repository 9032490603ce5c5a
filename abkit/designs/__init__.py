"""How a log is analyzed, by the way in which it came about: one design a file."""

from collections.abc import Callable

from abkit.designs._adaptive import analyze_adaptive as analyze_adaptive
from abkit.designs._concurrent import analyze_concurrent as analyze_concurrent
from abkit.experiment import Experiment
from abkit.report import Report
from abkit.sequential import Look
from abkit.strategies import Design

#: From a plan, a log and a look to the report.
DESIGNS: dict[Design, Callable[[Experiment, object, int | Look | None], Report]] = {
    "concurrent": analyze_concurrent,
    "paired": analyze_concurrent,
    "adaptive": analyze_adaptive,
}
