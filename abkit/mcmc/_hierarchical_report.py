"""Estimates of effects from reports and results: what the data alone say, whatever decides by them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from abkit import _check
from abkit.errors import DataError
from abkit.mcmc._hierarchical_estimates import LOG_ODDS, Asked, Estimates, shared_part
from abkit.mcmc._hierarchical_statistics import of_statistics, stacked
from abkit.metrics import Proportion
from abkit.report import MetricResult, Report
from abkit.suffstats import Counts

OVER = ("segment", "variant", "metric")


def of_report(report: Report, asked: Asked) -> Estimates:
    """Effects of one report over its segments, treatments or metrics."""
    over = _check.choice("over", asked.over, OVER)
    rows = _rows(report, asked, over)
    if asked.scale == LOG_ODDS:
        return _of_counts(report, rows, asked, over)
    # an empty or constant segment has no estimate, and so says nothing about the others
    usable = {name: row for name, row in rows.items() if row.test is not None and 0 < row.test.stderr < math.inf}
    if len(usable) < 2:
        raise DataError(f"the report has {len(usable)} {over}s with an estimate; two are needed.")
    units = {name: (row.n_control, row.n_treatment) for name, row in usable.items()}
    scale = asked.scaled("relative" if over == "metric" else "difference")
    results = {name: row.test for name, row in usable.items()}
    return of_results(results, scale, one_control=over == "variant", units=units)


def of_results(
    results: Mapping[str, Any],
    scale: str,
    *,
    one_control: bool = False,
    units: Mapping[str, tuple[int, int]] | None = None,
) -> Estimates:
    """Effects of named results; `one_control`: the same control was compared with every treatment."""
    found = np.array(
        [_seen(name, result, scale, (units or {}).get(name, (1, 1))) for name, result in results.items()]
    ).reshape(-1, 3)
    bad = [name for name, row in zip(results, found, strict=True) if not np.isfinite(row[:2]).all()]
    if bad:
        raise DataError(f"{bad[0]!r} has an estimate or a standard error that is not finite; leave it out.")
    kinds = {getattr(result, "scale", "difference") for result in results.values()}
    if len(kinds) > 1:
        raise DataError(f"effects on one scale are needed; got {', '.join(sorted(kinds))}.")
    label = "relative" if scale == "relative" else next(iter(kinds), "difference")
    stderrs = found[:, 1].copy()
    shared = shared_part(found[:, 2], stderrs) if one_control and len(found) else 0.0
    return Estimates(tuple(results), found[:, 0].copy(), stderrs, label, None, shared)


def _seen(name: str, result: Any, scale: str, units: tuple[int, int]) -> tuple[float, float, float]:
    """The estimate, its standard error, and the part of its variance that is the control's."""
    if not hasattr(result, "estimate") or not hasattr(result, "stderr"):
        raise TypeError(f"`source` must hold results with an estimate; got {_check.show(result)} for {name!r}.")
    if getattr(result, "reason", None):
        raise DataError(f"{name!r} has no estimate: {result.reason}; leave it out.")
    effect: Any = getattr(result, "effect", result)
    # neither a monitor's own bound nor a plan's prior is part of the likelihood
    effect = getattr(effect, "likelihood", None) or getattr(effect, "effect", effect)
    var_c, var_t, covariance = _variances(effect, units)
    if scale != "relative":
        return effect.estimate, effect.stderr, var_c - covariance
    control = getattr(effect, "control", math.nan)
    if getattr(effect, "scale", "difference") != "difference" or not (control and math.isfinite(control)):
        raise DataError(
            f"{name!r} has no relative effect with a standard error; use `scale='difference'`, or leave it out."
        )
    ratio, size = effect.treatment / control, abs(control)
    of_control = ratio * (ratio * var_c - covariance)
    stderr = math.sqrt(max(var_t - ratio * covariance + of_control, 0.0)) / size
    return effect.estimate / size, stderr, of_control / size**2


def _variances(effect: Any, units: tuple[int, int]) -> tuple[float, float, float]:
    """Variances of control and treatment and their covariance."""
    if hasattr(effect, "var_control"):
        return effect.var_control, effect.var_treatment, effect.covariance
    share = units[1] / sum(units)  # as if units of both varied alike
    return share * effect.stderr**2, (1 - share) * effect.stderr**2, 0.0


def _rows(report: Report, asked: Asked, over: str) -> dict[str, MetricResult]:
    if over == "segment":
        metric, variant = report.chosen(asked.metric, asked.variant)
        start = f"{_column(report, asked.column)}="
        return {
            str(row.segment).removeprefix(start): row
            for row in report.segments
            if (row.metric, row.variant) == (metric, variant) and str(row.segment).startswith(start)
        }
    if over == "variant":
        metric = report.chosen(asked.metric, report.variants[1])[0]
        return {row.variant: row for row in report.results if row.metric == metric}
    variant = report.chosen(next(iter(report.experiment.metrics)), asked.variant)[1]
    return {row.metric: row for row in report.results if row.variant == variant}


def _column(report: Report, column: str | None) -> str:
    known = list(report.experiment.segments)
    if not known:
        raise DataError("the report has no segments; name their columns in the plan's `segments`.")
    if column is None and len(known) > 1:
        raise ValueError(f"`column` must be one of {', '.join(known)}.")
    return _check.choice("column", known[0] if column is None else column, known)


def _of_counts(report: Report, rows: Mapping[str, MetricResult], asked: Asked, over: str) -> Estimates:
    """By the counts of a proportion, so that also a segment without any success counts."""
    kinds = {row.metric: report.experiment.metrics[row.metric] for row in rows.values()}
    for name, metric in kinds.items():
        if not isinstance(metric, Proportion):
            raise ValueError(f"`scale` must not be {LOG_ODDS!r} for {name!r}: it is no proportion.")
    kept = {name: row for name, row in rows.items() if min(row.n_control, row.n_treatment) > 0}
    if len(kept) < 2:
        raise DataError(f"the report has {len(kept)} {over}s with units of both variants; two are needed.")
    controls = [_counts(row.n_control, row.control) for row in kept.values()]
    treatments = [_counts(row.n_treatment, row.treatment) for row in kept.values()]
    control = controls[0] if over == "variant" else stacked(controls)
    return of_statistics(control, stacked(treatments), tuple(kept), asked)


def _counts(n: int, share: float) -> Counts:
    return Counts(n, round(n * share))
