"""Requests that every release answered: a shadow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from abkit._checks import Check
from abkit.adapters._analyze import read_statistics
from abkit.experiment import Experiment
from abkit.logs import Audit
from abkit.report import Report, make_report
from abkit.sequential import Look
from abkit.strategies import Shadow


def analyze_paired(experiment: Experiment, log: object, look: int | Look | None) -> Report:
    """The report on a log of requests and their answers."""
    report = make_report(experiment, read_statistics(log, experiment.request()), look)
    return replace(report, checks=(*report.checks, *_checks(experiment, report.statistics.audit)))


def _checks(experiment: Experiment, audit: Audit) -> Iterator[Check]:
    """Whether rows of one request contradict each other, and whether the shadow changed anything."""
    if not experiment.key:  # with a key the report has it
        contradict = audit.rows_contradictory
        message = f"{audit.rows_duplicated:,} copies left out, {contradict:,} requests whose rows contradict each other"
        yield Check("duplicates", "fail" if contradict else "pass", message, contradict / max(audit.rows, 1))
    strategy = experiment.strategy
    if isinstance(strategy, Shadow) and strategy.side_effect:
        rows = audit.rows_with_side_effects
        message = f"the shadow changed something in {rows:,} of {audit.rows:,} rows (`{strategy.side_effect}`)"
        yield Check("side_effects", "fail" if rows else "pass", message, rows / max(audit.rows, 1))
