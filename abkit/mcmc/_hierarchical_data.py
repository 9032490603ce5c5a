"""What the effects of a hierarchical model are read from: a report, a plan with rows, results, statistics or arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from abkit import _check
from abkit.experiment import Experiment
from abkit.mcmc._hierarchical_estimates import SCALES, Asked, Estimates, named
from abkit.mcmc._hierarchical_report import of_report, of_results
from abkit.mcmc._hierarchical_statistics import KINDS, of_statistics, stacked
from abkit.report import Report


def read(source: Any, second: Any, names: Sequence[str] | None, asked: Asked) -> Estimates:
    """Estimates of whatever was given."""
    if isinstance(source, (Experiment, Report)):
        return of_report(source.analyze(second) if isinstance(source, Experiment) else source, asked)
    if isinstance(source, KINDS):
        return of_statistics(source, second, names, asked)
    if second is not None:
        return _of_arrays(source, second, names, asked)
    return _of_one(source, names, asked)


def _of_one(source: Any, names: Sequence[str] | None, asked: Asked) -> Estimates:
    if _has(source, "estimate") and _has(source, "stderr"):
        if names is None and _has(source, "name"):
            names = [str(name) for name in source["name"]]
        return _of_arrays(source["estimate"], source["stderr"], names, asked)
    if hasattr(source, "estimate") and hasattr(source, "stderr"):
        return _of_arrays(source.estimate, source.stderr, names, asked)
    if isinstance(source, Mapping):
        return _of_mapping(source, asked)
    if isinstance(source, Sequence) and not isinstance(source, str):
        return _of_mapping(dict(zip(named(names, len(source)), source, strict=True)), asked)
    if hasattr(source, "columns"):
        columns = getattr(source, "column_names", source.columns)
        raise TypeError(
            "`source` must have the columns estimate and stderr; rows of units go with their plan, "
            f"`hierarchical(experiment, rows)`; got {', '.join(map(str, columns))}."
        )
    raise TypeError(f"`source` must be a report, results, statistics or estimates; got {_check.show(source)}.")


def _of_mapping(source: Mapping[Any, Any], asked: Asked) -> Estimates:
    entries = {str(name): value for name, value in source.items()}
    if entries and all(isinstance(value, Report) for value in entries.values()):
        results = {name: report.result(*report.chosen(asked.metric, asked.variant)) for name, report in entries.items()}
        return of_results(results, asked.scaled())
    if entries and all(isinstance(value, (tuple, list)) and len(value) == 2 for value in entries.values()):
        kinds = {type(part) for pair in entries.values() for part in pair}
        if len(kinds) == 1 and next(iter(kinds)) in KINDS:
            sides = [stacked([pair[side] for pair in entries.values()]) for side in (0, 1)]
            return of_statistics(sides[0], sides[1], tuple(entries), asked)
        if kinds & set(KINDS):
            raise TypeError(
                "`source` must hold pairs of statistics that are all of one class, Counts, Moments or Events; "
                f"got {', '.join(sorted(kind.__name__ for kind in kinds))}."
            )
    return of_results(entries, asked.scaled(), one_control=asked.over == "variant")


def _of_arrays(source: Any, stderrs: Any, names: Sequence[str] | None, asked: Asked) -> Estimates:
    values, errors = _check.sample("estimates", source), _check.sample("stderrs", stderrs)
    scale = _check.text("scale", asked.scale) if asked.scale is not None else SCALES[0]
    return Estimates(named(names, len(values)), values, errors, scale)


def _has(source: Any, name: str) -> bool:
    columns = getattr(source, "columns", None)
    listed = getattr(source, "column_names", columns) if columns is not None else source
    return (isinstance(source, Mapping) or columns is not None) and name in list(listed)
