"""An event log on which a plan runs as it is, and whose truth is known."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from abkit import _check
from abkit.errors import PlanError
from abkit.experiment import Experiment, as_experiment
from abkit.logs import label_name
from abkit.metrics import Trend
from abkit.simulate._log_effects import checked_effects, with_effects
from abkit.simulate._log_model import Column, Likeness, Model, covariate_columns, measured_columns
from abkit.simulate._log_rows import DAY, Block, Flaws, Times, draw_block, units_a_block
from abkit.simulate._log_truth import Truth, truth_of
from abkit.types import ROWS

if TYPE_CHECKING:
    import pandas as pd

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TREATMENT = "treatment"
Numbers = Mapping[str, float]


@dataclass(frozen=True, repr=False)
class SimulatedLog:
    """A log, and what is known about it.

    Parameters
    ----------
    log : DataFrame or str
        The rows, or the path of the Parquet file that holds them: what `Experiment.analyze` takes.
    plan : Experiment
        The plan that the log was made for.
    truth : dict
        By metric and treatment, the `Truth`: what the metric is in the control and in the treatment, and the effect.
    units, rows : int
        How many units were drawn, and how many rows the log has, repeated ones included.
    duplicates, late : int
        Rows that repeat another one; rows that arrive after `end`.
    contaminated : int
        Units with rows in several variants.
    start, end : datetime
        When the first unit may enter, and when every unit has been followed for as long as it is. In UTC, without a
        zone, as the times of the log are.
    """

    log: pd.DataFrame | str
    plan: Experiment
    truth: dict[str, dict[str, Truth]]
    units: int
    rows: int
    duplicates: int
    contaminated: int
    late: int
    start: datetime
    end: datetime

    def __repr__(self) -> str:
        where = f" in {self.log}" if isinstance(self.log, str) else ""
        flaws = f"{self.duplicates:,} repeated, {self.late:,} late; {self.contaminated:,} units in several variants"
        lines = [f"{self.rows:,} rows of {self.units:,} units{where}; {flaws}"]
        for truth in (truth for found in self.truth.values() for truth in found.values()):
            effect, share = (f"{n:+.6g}" if n is not None else "unknown" for n in (truth.effect, truth.relative))
            lines.append(f"  {truth.metric}, {truth.variant}: the true effect is {effect} (relative {share})")
        return "\n".join(lines)


def log(  # noqa: PLR0913 - what a log may be like, one plain word each
    plan: object,
    units: int,
    *,
    rng: np.random.Generator,
    effects: Mapping[str, object] | None = None,
    means: Numbers | None = None,
    sds: Numbers | None = None,
    zeros: Numbers | None = None,
    rows: float = 3.0,
    icc: float = 0.3,
    cluster: str | None = None,
    cluster_size: int = 5,
    correlation: float = 0.3,
    covariate_correlation: float = 0.5,
    novelty: float | None = None,
    allocation: Numbers | None = None,
    contaminated: float = 0.0,
    duplicates: float = 0.0,
    late: float = 0.0,
    missing: float = 0.0,
    days: float = 14.0,
    follow: int | None = None,
    start: datetime = datetime(2026, 1, 1),
    time: str = "time",
    path: str | os.PathLike[str] | None = None,
) -> SimulatedLog:
    """Draw an event log on which a plan runs as it is, and whose true effects are known."""
    experiment = as_experiment(plan)
    count = _check.count("units", units, 2)
    if not isinstance(rng, np.random.Generator):
        raise TypeError(
            f"`rng` must be a NumPy generator, such as numpy.random.default_rng(1); got {_check.show(rng)}."
        )
    flaws = _flaws(experiment, contaminated, duplicates, late, missing)
    likeness = _likeness(icc, correlation, covariate_correlation)
    columns = measured_columns(experiment, means or {}, sds or {}, zeros or {}, likeness.icc)
    model = _model(experiment, columns, likeness, allocation, rows, follow)
    decay = None if novelty is None else _check.within("novelty", novelty, 0, math.inf)
    if cluster is not None:
        model = replace(model, cluster=_cluster(experiment, cluster, cluster_size))
    model = with_effects(model, checked_effects(experiment, model.variants, effects), decay)
    times = _times(experiment, start, _check.within("days", days, 0, math.inf), model.follow, time)
    drawn: list[Block] = []
    blocks = _blocks(model, flaws, times, rng, count, drawn)
    made = _made(blocks, path)
    sums = {
        name: sum(getattr(block, name) for block in drawn) for name in ("rows", "duplicates", "contaminated", "late")
    }
    span = _moment(times.start), _moment(times.end)
    return SimulatedLog(made, experiment, truth_of(model), count, **sums, start=span[0], end=span[1])


def _blocks(
    model: Model, flaws: Flaws, times: Times, rng: np.random.Generator, units: int, drawn: list[Block]
) -> Iterator[dict[str, Any]]:
    """The columns of each block; what is counted of it is left in `drawn`. Each has a generator of its own."""
    size, before = units_a_block(model), 0
    for first in range(0, units, size):
        block = draw_block(model, flaws, times, rng.spawn(1)[0], first, min(size, units - first), before)
        before += block.rows - block.duplicates
        drawn.append(replace(block, columns={}))
        yield block.columns


def _made(blocks: Iterator[dict[str, Any]], path: str | os.PathLike[str] | None) -> pd.DataFrame | str:
    from abkit.adapters._log_writer import frame_of, write_parquet

    if path is None:
        return frame_of(blocks)
    name = os.fspath(path)
    if not name.endswith(".parquet"):
        raise ValueError(f"`path` must end in .parquet; got {name!r}.")
    write_parquet(name, blocks)
    return name


def _model(
    plan: Experiment,
    columns: dict[str, Column],
    likeness: Likeness,
    allocation: Numbers | None,
    rows: float,
    follow: int | None,
) -> Model:
    variants, shares = _shares(plan, allocation)
    each = 1.0 if plan.unit == ROWS else _check.at_least("rows", rows, 1)
    longest = max((metric.days for metric in plan.metrics.values() if isinstance(metric, Trend)), default=7)
    days = longest if follow is None else _check.count("follow", follow, 1)
    return Model(plan, variants, shares, columns, covariate_columns(plan), np.full(len(variants), each), days, likeness)


def _cluster(plan: Experiment, column: str, size: int) -> tuple[str, int]:
    if plan.request().pairs:
        raise PlanError("`cluster` must not be given for a plan of pairs: each unit is compared with itself.")
    if _check.text("cluster", column) in plan.request().columns():
        raise ValueError(f"`cluster` must name a column that the plan does not use; got {column!r}.")
    return column, _check.count("cluster_size", size, 1)


def _likeness(icc: float, correlation: float, covariate_correlation: float) -> Likeness:
    explained = _check.number("covariate_correlation", covariate_correlation)
    if not -1 <= explained <= 1:
        raise ValueError(f"`covariate_correlation` must be from -1 to 1; got {explained:g}.")
    return Likeness(_share("icc", icc), _share("correlation", correlation), explained)


def _shares(plan: Experiment, allocation: Numbers | None) -> tuple[tuple[str, ...], np.ndarray]:
    """The variants, the control first, and the shares of units that are drawn into each."""
    planned = dict(plan.allocation or {plan.control: 1.0, TREATMENT if plan.control != TREATMENT else "other": 1.0})
    given = planned if allocation is None else {label_name(name): weight for name, weight in allocation.items()}
    variants = (plan.control, *(name for name in (planned if plan.allocation else given) if name != plan.control))
    for name in given:
        _check.choice("allocation", name, variants)
    weights = np.array([_check.at_least(f"allocation.{name}", given.get(name, 0.0), 0) for name in variants])
    if not weights.sum() > 0:
        raise ValueError("`allocation` must give some variant a weight above 0.")
    return variants, weights / weights.sum()


def _flaws(plan: Experiment, contaminated: float, duplicates: float, late: float, missing: float) -> Flaws:
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


def _times(plan: Experiment, start: datetime, days: float, follow: int, time: str) -> Times:
    used = {*plan.request().columns()} - set(plan.request().key)
    if _check.text("time", time) in used:
        raise ValueError(f"`time` must name a column that the plan does not use for anything else; got {time!r}.")
    begin = start.replace(tzinfo=UTC) if start.tzinfo is None else start
    first, enrolment = (begin - EPOCH) // timedelta(microseconds=1), int(days * DAY)
    return Times(time, f"{time}_arrived", first, enrolment, first + enrolment + follow * DAY)


def _moment(at: int) -> datetime:
    return (EPOCH + timedelta(microseconds=at)).replace(tzinfo=None)


def _share(name: str, value: object) -> float:
    found = _check.at_least(name, value, 0)
    if found > 1:
        raise ValueError(f"`{name}` must be a share, at most 1; got {found:g}.")
    return found
