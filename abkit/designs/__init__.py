"""How a log is analyzed, by the way in which it came about: one design a file."""

from collections.abc import Callable

from abkit.designs._adaptive import analyze_adaptive as analyze_adaptive
from abkit.designs._before_after import analyze_before_after as analyze_before_after
from abkit.designs._concurrent import analyze_concurrent as analyze_concurrent
from abkit.designs._events import analyze_events as analyze_events
from abkit.designs._paired import analyze_paired as analyze_paired
from abkit.designs._staggered import analyze_staggered as analyze_staggered
from abkit.experiment import Experiment
from abkit.report import Report
from abkit.sequential import Look
from abkit.strategies import Design

#: From a plan, a log and a look to the report.
DESIGNS: dict[Design, Callable[[Experiment, object, int | Look | None], Report]] = {
    "concurrent": analyze_concurrent,
    "paired": analyze_paired,
    "adaptive": analyze_adaptive,
    "staggered": analyze_staggered,
    "events": analyze_events,
    "before-after": analyze_before_after,
}
