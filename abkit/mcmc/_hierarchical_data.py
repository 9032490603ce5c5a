"""What the effects of a hierarchical model are read from: a report, results, statistics or arrays."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit._sets import Interval
from abkit.errors import DataError
from abkit.report import Report
from abkit.suffstats import Counts, Moments

OVER = ("segment", "variant", "metric", "experiment")
SCALES = ("difference", "relative")
LOG_ODDS = "log odds ratio"
#: Deviates at the ends of the central half of a normal.
_QUARTILE = 0.6744897501960817


@dataclass(frozen=True, slots=True, eq=False)
class Estimates:
    """Named estimates with their standard errors; `counts` of control and treatment where these are the evidence."""

    names: tuple[str, ...]
    raw: Float64Array
    stderrs: Float64Array
    scale: str = "difference"
    counts: tuple[Counts, Counts] | None = None

    def __post_init__(self) -> None:
        if len(self.raw) < 2:
            raise DataError(f"a hierarchical model needs two effects or more; got {len(self.raw)}.")
        if not len(self.names) == len(self.raw) == len(self.stderrs):
            raise ValueError("`names`, estimates and standard errors must be as many as each other.")
        if not np.all(self.stderrs > 0):
            at = self.names[int(np.argmin(self.stderrs > 0))]
            raise ValueError(f"standard errors must be above 0; got {self.stderrs.min():g} of {at!r}.")


@dataclass(frozen=True, slots=True)
class Asked:
    """Which effects of a report are meant."""

    over: str | None
    metric: str | None
    variant: str | None
    column: str | None
    scale: str | None


def read(source: Any, second: Any, names: Sequence[str] | None, asked: Asked) -> Estimates:
    """Estimates of whatever was given."""
    if isinstance(source, Report):
        return _of_results(_of_report(source, asked), _scale(asked, "relative" if asked.over == "metric" else None))
    if isinstance(source, (Counts, Moments)):
        return _of_statistics(source, second, names, asked)
    if second is not None or (hasattr(source, "__getitem__") and _has(source, "estimate") and _has(source, "stderr")):
        return _of_arrays(source, second, names)
    if hasattr(source, "estimate") and hasattr(source, "stderr"):
        return _of_arrays(source.estimate, source.stderr, names)
    if isinstance(source, Mapping):
        return _of_mapping(source, asked)
    if isinstance(source, Sequence) and not isinstance(source, str):
        labels = _names(names, len(source))
        return _of_mapping(dict(zip(labels, source, strict=True)), asked)
    raise TypeError(f"`source` must be a report, results, statistics or estimates; got {_check.show(source)}.")


def _of_mapping(source: Mapping[Any, Any], asked: Asked) -> Estimates:
    entries = {str(name): value for name, value in source.items()}
    if entries and all(isinstance(value, Report) for value in entries.values()):
        over = {name: report.result(*report.chosen(asked.metric, asked.variant)) for name, report in entries.items()}
        return _of_results(over, _scale(asked, None))
    if entries and all(isinstance(value, tuple) and len(value) == 2 for value in entries.values()):
        kinds = {type(part) for pair in entries.values() for part in pair}
        if kinds in ({Counts}, {Moments}):
            sides = [_stacked([pair[side] for pair in entries.values()]) for side in (0, 1)]
            return _of_statistics(sides[0], sides[1], tuple(entries), asked)
    return _of_results(entries, _scale(asked, None))


def _of_results(results: Mapping[str, Any], scale: str) -> Estimates:
    values = []
    for name, result in results.items():
        if not hasattr(result, "estimate") or not hasattr(result, "stderr"):
            raise TypeError(f"`source` must hold results with an estimate; got {_check.show(result)} for {name!r}.")
        if getattr(result, "reason", None):
            raise DataError(f"{name!r} has no estimate: {result.reason}; leave it out.")
        values.append(_relative(name, result) if scale == "relative" else (result.estimate, result.stderr))
    found = np.array(values, dtype=np.float64).reshape(-1, 2)
    bad = [name for name, row in zip(results, found, strict=True) if not np.isfinite(row).all()]
    if bad:
        raise DataError(f"{bad[0]!r} has an estimate or a standard error that is not finite; leave it out.")
    kinds = {getattr(result, "scale", "difference") for result in results.values()}
    if len(kinds) > 1:
        raise DataError(f"effects on one scale are needed; got {', '.join(sorted(kinds))}.")
    label = "relative" if scale == "relative" else next(iter(kinds), "difference")
    return Estimates(tuple(results), found[:, 0].copy(), found[:, 1].copy(), label)


def _relative(name: str, result: Any) -> tuple[float, float]:
    """The relative estimate and its standard error, by the delta method or from the central half of its set."""
    effect = getattr(result.effect, "effect", result.effect)  # a monitor's own bound is no part of the likelihood
    for method in ("delta", None):
        try:
            found = effect.normal().relative(0.5, "two-sided", method)
        except ValueError:
            continue
        if isinstance(found, Interval) and math.isfinite(result.relative_estimate):
            return result.relative_estimate, (found.high - found.low) / (2 * _QUARTILE)
    raise DataError(
        f"{name!r} has no relative effect with a standard error; use `scale='difference'`, or leave it out."
    )


def _of_report(report: Report, asked: Asked) -> dict[str, Any]:
    over = _check.choice("over", asked.over, OVER[:3])
    if over == "segment":
        metric, variant = report.chosen(asked.metric, asked.variant)
        column = _column(report, asked.column)
        found = {
            row.segment.removeprefix(f"{column}="): row.test
            for row in report.segments
            if (row.metric, row.variant) == (metric, variant)
            and str(row.segment).startswith(f"{column}=")
            and row.segment
        }
    elif over == "variant":
        metric = report.chosen(asked.metric, report.variants[1])[0]
        found = {row.variant: row.test for row in report.results if row.metric == metric}
    else:
        variant = report.chosen(next(iter(report.experiment.metrics)), asked.variant)[1]
        found = {row.metric: row.test for row in report.results if row.variant == variant}
    # an empty or constant segment has no estimate, and so says nothing about the others
    usable = {name: test for name, test in found.items() if test is not None and 0 < test.stderr < math.inf}
    if len(usable) < 2:
        raise DataError(f"the report has {len(usable)} {over}s with an estimate; two are needed.")
    return usable


def _column(report: Report, column: str | None) -> str:
    known = list(report.experiment.segments)
    if not known:
        raise DataError("the report has no segments; name their columns in the plan's `segments`.")
    if column is None and len(known) > 1:
        raise ValueError(f"`column` must be one of {', '.join(known)}.")
    return _check.choice("column", known[0] if column is None else column, known)


def _of_statistics(control: Any, treatment: Any, names: Sequence[str] | None, asked: Asked) -> Estimates:
    if type(control) is not type(treatment):
        raise TypeError(
            f"the treatment's statistics must be {type(control).__name__} like the control's; "
            f"got {_check.show(treatment)}."
        )
    size = np.shape(control.n)
    if len(size) != 1 or np.shape(treatment.n) != size:
        raise ValueError("the statistics of both variants must be arrays of one length, a value for each effect.")
    labels = _names(names, size[0])
    if isinstance(control, Counts):
        if asked.scale not in (None, LOG_ODDS):
            raise ValueError(f"`scale` of counts must be {LOG_ODDS!r}; got {asked.scale!r}.")
        values, stderrs = log_odds(control.successes, control.n, treatment.successes, treatment.n)
        if np.any(np.minimum(control.n, treatment.n) < 1):
            raise DataError("every effect needs a unit of each variant; leave out those that have none.")
        return Estimates(labels, values, stderrs, LOG_ODDS, (control, treatment))
    if np.any(np.minimum(control.n, treatment.n) < 2):
        raise DataError("every effect needs two units of each variant; leave out those that have fewer.")
    variances = [np.asarray(side.m2) / (np.asarray(side.n) - 1) / np.asarray(side.n) for side in (control, treatment)]
    c, t = np.asarray(control.mean), np.asarray(treatment.mean)
    if _scale(asked, None) == "difference":
        return Estimates(labels, t - c, np.sqrt(variances[0] + variances[1]))
    if np.any(c == 0):
        raise DataError("a control's mean is 0, so there is no relative effect; use `scale='difference'`.")
    return Estimates(
        labels, (t - c) / np.abs(c), np.sqrt(variances[1] + (t / c) ** 2 * variances[0]) / np.abs(c), "relative"
    )


def log_odds(control: Any, n_control: Any, treatment: Any, n_treatment: Any) -> tuple[Float64Array, Float64Array]:
    """Log odds ratios with a half added to every cell, and their standard errors."""
    cells = [
        np.asarray(part, dtype=np.float64) + 0.5
        for part in (treatment, n_treatment - treatment, control, n_control - control)
    ]
    value = np.log(cells[0]) - np.log(cells[1]) - np.log(cells[2]) + np.log(cells[3])
    return value, np.sqrt(sum(1 / cell for cell in cells))


def _of_arrays(source: Any, stderrs: Any, names: Sequence[str] | None) -> Estimates:
    if stderrs is None:
        if names is None and _has(source, "name"):
            names = [str(name) for name in source["name"]]
        source, stderrs = np.asarray(source["estimate"]), np.asarray(source["stderr"])
    values, errors = _check.sample("estimates", source), _check.sample("stderrs", stderrs)
    return Estimates(_names(names, len(values)), values, errors)


def _stacked(parts: Sequence[Any]) -> Any:
    kind = type(parts[0])
    fields = ("n", "successes") if kind is Counts else ("n", "mean", "m2")
    return kind(*(np.array([getattr(part, field) for part in parts]) for field in fields))


def _names(names: Sequence[str] | None, size: int) -> tuple[str, ...]:
    return tuple(map(str, range(1, size + 1))) if names is None else _check.names("names", names)


def _has(source: Any, name: str) -> bool:
    columns = getattr(source, "columns", None)
    listed = getattr(source, "column_names", columns) if columns is not None else source
    return (isinstance(source, Mapping) or columns is not None) and name in list(listed)


def _scale(asked: Asked, default: str | None) -> str:
    return _check.choice("scale", asked.scale or default or "difference", SCALES)
