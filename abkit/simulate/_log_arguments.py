"""The arguments of a simulated log, checked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.errors import PlanError
from abkit.experiment import Experiment
from abkit.logs import label_name
from abkit.metrics import Disagreement, PairedProportion, Trend
from abkit.planning._rule import planned_weights
from abkit.simulate._log_model import Column, Likeness, Model, covariate_columns
from abkit.simulate._log_rows import DAY, Flaws, Times
from abkit.types import ROWS

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Numbers = Mapping[str, float]


def model_of(
    plan: Experiment,
    columns: dict[str, Column],
    likeness: Likeness,
    allocation: Numbers | None,
    rows: float,
    follow: int | None,
) -> Model:
    """The model without effects."""
    variants, shares = _shares(plan, allocation)
    each = 1.0 if plan.unit == ROWS else _check.at_least("rows", rows, 1)
    longest = max((metric.days for metric in plan.metrics.values() if isinstance(metric, Trend)), default=7)
    days = longest if follow is None else _check.count("follow", follow, 1)
    return Model(plan, variants, shares, columns, covariate_columns(plan), np.full(len(variants), each), days, likeness)


def refuse_compared(plan: Experiment) -> None:
    """Answers of two releases to one request are not drawn."""
    for name, metric in plan.metrics.items():
        if isinstance(metric, (Disagreement, PairedProportion)):
            raise PlanError(
                f"`metrics.{name}` must not be a {metric.kind} metric where logs are simulated: what two releases "
                "answer to one request is not drawn."
            )


def cluster_of(plan: Experiment, column: str, size: int) -> tuple[str, int]:
    """The column of clusters and how many units each has."""
    if plan.request().pairs:
        raise PlanError("`cluster` must not be given for a plan of pairs: each unit is compared with itself.")
    if _check.text("cluster", column) in plan.request().columns():
        raise ValueError(f"`cluster` must name a column that the plan does not use; got {column!r}.")
    return column, _check.count("cluster_size", size, 1)


def likeness_of(icc: float, correlation: float, covariate_correlation: float) -> Likeness:
    """The correlations, checked."""
    explained = _check.number("covariate_correlation", covariate_correlation)
    if not -1 <= explained <= 1:
        raise ValueError(f"`covariate_correlation` must be from -1 to 1; got {explained:g}.")
    return Likeness(_share("icc", icc), _share("correlation", correlation), explained)


def _shares(plan: Experiment, allocation: Numbers | None) -> tuple[tuple[str, ...], Float64Array]:
    """The variants, the control first, and the shares of units that are drawn into each."""
    planned = planned_weights(plan)
    given = planned if allocation is None else {label_name(name): weight for name, weight in allocation.items()}
    variants = tuple(planned) if plan.allocation else (plan.control, *(name for name in given if name != plan.control))
    for name in given:
        _check.choice("allocation", name, variants)
    weights = np.array([_check.at_least(f"allocation.{name}", given.get(name, 0.0), 0) for name in variants])
    if not weights.sum() > 0:
        raise ValueError("`allocation` must give some variant a weight above 0.")
    return variants, weights / weights.sum()


def flaws_of(plan: Experiment, contaminated: float, duplicates: float, late: float, missing: float) -> Flaws:
    """The shares of what is wrong, checked."""
    found = Flaws(
        _share("contaminated", contaminated),
        _share("duplicates", duplicates),
        _share("late", late),
        _share("missing", missing),
    )
    if found.contaminated and (plan.unit == ROWS or plan.request().pairs):
        raise PlanError("`contaminated` must be 0 for this plan: its units are rows, or are seen under every variant.")
    if found.missing and any(
        metric.block(name, plan.missing).missing != "drop" for name, metric in plan.metrics.items()
    ):
        raise PlanError("`missing` must be 0 unless the plan leaves values out that are missing (missing: drop).")
    return found


def times_of(plan: Experiment, start: datetime, days: float, follow: int, time: str) -> Times:
    """When rows may be, and what the columns of times are called."""
    used = {*plan.request().columns()} - set(plan.request().key)
    if _check.text("time", time) in used:
        raise ValueError(f"`time` must name a column that the plan does not use for anything else; got {time!r}.")
    if not isinstance(start, datetime):
        raise TypeError(f"`start` must be a datetime; got {_check.show(start)}.")
    begin = start.replace(tzinfo=UTC) if start.tzinfo is None else start
    length = _check.within("days", days, 0, 1e5)
    first, enrolment = (begin - EPOCH) // timedelta(microseconds=1), int(length * DAY)
    return Times(time, f"{time}_arrived", first, enrolment, first + enrolment + follow * DAY)


def _share(name: str, value: object) -> float:
    found = _check.at_least(name, value, 0)
    if found > 1:
        raise ValueError(f"`{name}` must be a share, at most 1; got {found:g}.")
    return found
