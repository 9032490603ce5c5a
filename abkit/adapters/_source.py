"""Where a log lies: what the caller names, else what the plan does."""

from __future__ import annotations

import os
from pathlib import Path

from abkit.errors import PlanError
from abkit.experiment import Experiment
from abkit.source import Source


def located(experiment: Experiment, log: object, plan: object) -> object:
    """The log itself: the one given, else the plan's own, whose paths are relative to the plan's file."""
    if log is not None:
        return log
    if experiment.log is None:
        raise PlanError("`log` must be given, or the plan must say where it lies.")
    base = Path(plan).parent if isinstance(plan, (str, os.PathLike)) else Path()
    return opened(experiment.log, base)


def opened(source: Source, base: Path) -> object:
    """A table, or a path."""
    if source.path is not None:
        return str(base / source.path)
    raise PlanError("`log` in a database cannot be read yet.")
