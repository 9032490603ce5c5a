"""Units that chance gave their variant, at the same time; or that were seen under every variant."""

from __future__ import annotations

from abkit.adapters._analyze import read_statistics
from abkit.experiment import Experiment
from abkit.report import Report, make_report
from abkit.sequential import Look


def analyze_concurrent(experiment: Experiment, log: object, look: int | Look | None) -> Report:
    """The report on a log of units."""
    return make_report(experiment, read_statistics(log, experiment.request()), look)
