"""Estimates of effects from sufficient statistics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.errors import DataError
from abkit.mcmc._hierarchical_estimates import LOG_ODDS, Asked, Estimates, named, shared_part
from abkit.suffstats import Counts, Events, Moments

KINDS = (Counts, Moments, Events)
_FIELDS: dict[type, tuple[str, ...]] = {
    Counts: ("n", "successes"),
    Moments: ("n", "mean", "m2"),
    Events: ("events", "exposure"),
}
LOG_RATES = "log rate ratio"


def of_statistics(control: Any, treatment: Any, names: Sequence[str] | None, asked: Asked) -> Estimates:
    """Estimates of arrays of statistics; one control may serve several treatments."""
    if isinstance(treatment, Mapping):
        names, treatment = (tuple(map(str, treatment)) if names is None else names), list(treatment.values())
    treatment = _alike(control, treatment)
    first = _FIELDS[type(control)][0]
    size, of_control = np.shape(getattr(treatment, first)), np.shape(getattr(control, first))
    if len(size) != 1 or of_control not in {(), size}:
        raise ValueError(
            "the statistics of both variants must be arrays of one length, a value for each effect; a control that "
            "all effects share may be a single one."
        )
    labels, one_control = named(names, size[0]), not of_control
    if isinstance(control, Moments):
        return _of_means(control, treatment, labels, asked, one_control=one_control)
    scale = LOG_ODDS if isinstance(control, Counts) else LOG_RATES
    if asked.scale not in {None, scale}:
        raise ValueError(f"`scale` of {type(control).__name__} must be {scale!r}; got {asked.scale!r}.")
    return _of_ratios(control, treatment, labels, scale, one_control=one_control)


def _alike(control: Any, treatment: Any) -> Any:
    if isinstance(treatment, Sequence) and treatment and all(type(one) is type(control) for one in treatment):
        return stacked(treatment)
    if type(control) is not type(treatment):
        raise TypeError(
            f"the treatment's statistics must be {type(control).__name__} like the control's; "
            f"got {_check.show(treatment)}."
        )
    return treatment


def _of_ratios(control: Any, treatment: Any, labels: tuple[str, ...], scale: str, *, one_control: bool) -> Estimates:
    if isinstance(control, Events):
        if np.min(control.exposure) <= 0 or np.min(treatment.exposure) <= 0:
            raise DataError("every effect needs exposure of each variant; leave out those that have none.")
        return _of_logs(_log_rate(control), _log_rate(treatment), labels, scale, one_control=one_control)
    if np.min(control.n) < 1 or np.min(treatment.n) < 1:
        raise DataError("every effect needs a unit of each variant; leave out those that have none.")
    if one_control:
        sides = [_log_odds(side.successes, side.n) for side in (control, treatment)]
        return _of_logs(sides[0], sides[1], labels, scale, one_control=True)
    values, stderrs = log_odds(control.successes, control.n, treatment.successes, treatment.n)
    return Estimates(labels, values, stderrs, scale, (control, treatment))


def log_odds(control: Any, n_control: Any, treatment: Any, n_treatment: Any) -> tuple[Float64Array, Float64Array]:
    """Log odds ratios with a half added to every cell, and their standard errors."""
    (c, var_c), (t, var_t) = _log_odds(control, n_control), _log_odds(treatment, n_treatment)
    return t - c, np.sqrt(var_c + var_t)


def stacked(parts: Sequence[Any]) -> Any:
    """Statistics of one kind as arrays."""
    kind = type(parts[0])
    return kind(*(np.array([getattr(part, field) for part in parts]) for field in _FIELDS[kind]))


def _of_means(control: Any, treatment: Any, labels: tuple[str, ...], asked: Asked, *, one_control: bool) -> Estimates:
    if np.min(control.n) < 2 or np.min(treatment.n) < 2:
        raise DataError("every effect needs two units of each variant; leave out those that have fewer.")
    var_c, var_t = (
        np.asarray(side.m2) / (np.asarray(side.n) - 1) / np.asarray(side.n) for side in (control, treatment)
    )
    c, t = np.asarray(control.mean), np.asarray(treatment.mean)
    scale, values = asked.scaled(), t - c
    if scale == "relative":
        if np.any(c == 0):
            raise DataError("a control's mean is 0, so there is no relative effect; use `scale='difference'`.")
        values, var_c, var_t = values / np.abs(c), (t / c) ** 2 * var_c / c**2, var_t / c**2
    stderrs = np.sqrt(var_c + var_t)
    return Estimates(labels, values, stderrs, scale, None, _shared(one_control, var_c, stderrs))


def _of_logs(control: Any, treatment: Any, labels: tuple[str, ...], scale: str, *, one_control: bool) -> Estimates:
    (c, var_c), (t, var_t) = control, treatment
    stderrs = np.sqrt(var_c + var_t)
    return Estimates(labels, t - c, stderrs, scale, None, _shared(one_control, var_c, stderrs))


def _shared(one_control: bool, var_c: Any, stderrs: Float64Array) -> float:
    return shared_part(np.asarray(var_c), stderrs) if one_control and np.all(stderrs > 0) else 0.0


def _log_odds(successes: Any, n: Any) -> tuple[Float64Array, Float64Array]:
    yes = np.asarray(successes, dtype=np.float64) + 0.5
    no = np.asarray(n, dtype=np.float64) + 1.0 - yes
    return np.log(yes) - np.log(no), 1 / yes + 1 / no


def _log_rate(side: Any) -> tuple[Float64Array, Float64Array]:
    events = np.asarray(side.events, dtype=np.float64) + 0.5
    return np.log(events) - np.log(np.asarray(side.exposure, dtype=np.float64)), 1 / events
