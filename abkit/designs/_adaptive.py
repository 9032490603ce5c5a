"""Decisions of a policy, which chose each variant with a probability that followed the data so far."""

from __future__ import annotations

from abkit.bandits._decided import read_adaptive
from abkit.experiment import Experiment
from abkit.metrics import Count
from abkit.report import Report, make_report
from abkit.sequential import Look


def analyze_adaptive(experiment: Experiment, log: object, look: int | Look | None) -> Report:
    """The report on a log of decisions."""
    counts = {name: isinstance(metric, Count) for name, metric in experiment.metrics.items()}
    return make_report(experiment, read_adaptive(log, experiment.request(), counts), look)
