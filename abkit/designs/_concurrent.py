"""Units that chance gave their variant, at the same time; or that were seen under every variant."""

from __future__ import annotations

from abkit.adapters._analyze import read_statistics
from abkit.adapters._given import given_statistics
from abkit.designs._staged import analyze_ramp, staged_report
from abkit.experiment import Experiment
from abkit.report import Report, make_report
from abkit.sequential import Look
from abkit.strategies import Canary


def analyze_concurrent(experiment: Experiment, log: object, look: int | Look | None) -> Report:
    """The report on a log of units, or on statistics in place of one."""
    given = given_statistics(experiment, log)
    if given is not None:
        return (staged_report if given.stages else make_report)(experiment, given, look)
    if isinstance(experiment.strategy, Canary):
        return analyze_ramp(experiment, experiment.strategy, log, look)
    return make_report(experiment, read_statistics(log, experiment.request()), look)
