"""An event log on which a plan runs as it is, and whose truth is known."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from abkit import _check
from abkit.experiment import Experiment, as_experiment
from abkit.simulate._log_arguments import (
    EPOCH,
    Numbers,
    cluster_of,
    flaws_of,
    likeness_of,
    model_of,
    refuse_compared,
    times_of,
)
from abkit.simulate._log_effects import checked_effects, with_effects
from abkit.simulate._log_model import Model, measured_columns
from abkit.simulate._log_rows import Block, Flaws, Times, draw_block, units_a_block
from abkit.simulate._log_truth import Truth, truth_of

if TYPE_CHECKING:
    import pandas as pd

COUNTED = ("rows", "duplicates", "contaminated", "late")


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
    """Draw an event log on which a plan runs as it is, and whose truth is known.

    Answers: does this analysis find what is there, and only that; and what do repeated, late or misplaced rows do to
    it?

    Parameters
    ----------
    plan : Experiment, dict, or path of a plan file
        Its columns are those of the log. Without an `allocation` there is one treatment, called "treatment".
    units : int
        How many are drawn, at least 2. Of paired metrics each is seen under every variant.
    rng : numpy.random.Generator
        The same state gives the same rows.
    effects : mapping of metric to number or Relative, optional
        The true effect on the metric, on the scale of the report's `estimate`; by default none. A mapping of treatment
        to effect where treatments differ. An effect changes the column that the metric is the value or numerator of,
        so that other metrics of that column change with it: `truth` says how much.
    means, sds, zeros : mapping of column to number, optional
        In the control: the mean, the standard deviation and the share of zeros of a unit's total; or of a row's value,
        where a metric divides the column by `ROWS` or takes a quantile of its rows. By default real numbers have mean
        10 and deviation 10, counts mean 2, and a tenth of the units has an outcome that is 0 or 1.
    rows : float
        Expected rows of a unit, at least 1: one, and a Poisson number more.
    icc : float
        Intraclass correlation, from 0 to 1, of what belongs together: the rows of a unit, in columns with a value a
        row; the values of a pair; the totals of a cluster's units. Of counts, as far as their deviation allows it.
    cluster : str, optional
        A further column of clusters of `cluster_size` units each, all of which are in one variant.
    cluster_size : int
        At least 1; the last cluster may be smaller.
    correlation : float
        From 0 to 1, between the normal deviates of a unit's columns, such as numerator and denominator of a ratio.
    covariate_correlation : float
        From -1 to 1, of a covariate with the unit's untreated total of the first metric that names it.
    novelty : float, optional
        The half-life, in days since exposure, of effects that wear off. Over all days the effect is the stated one.
        Effects on the number of rows do not wear off.
    allocation : mapping of variant to weight, optional
        The shares that variants really get; by default those of the plan.
    contaminated, duplicates, late, missing : float
        Shares, from 0 to 1: of units whose last row is in another variant; of rows that are there twice, with the same
        key; of rows that arrive after the end, where another column says when each row arrived; of units that lack a
        column's value in all of their rows, drawn anew for each column.
    days : float
        Over how many days units enter.
    follow : int, optional
        For how many days from its first row a unit has rows: by default 7, or as many as a `Trend` needs.
    start : datetime
        When the first unit may enter, in UTC.
    time : str
        The column that says when a row was logged; that of arrivals has `_arrived` behind it.
    path : str or path, optional
        A Parquet file to write, of any size: only some rows at a time are in memory. By default a DataFrame is made.

    Returns
    -------
    SimulatedLog

    Raises
    ------
    ValueError, TypeError
        An argument outside its domain, or an effect that makes values negative or a share larger than 1.
    PlanError
        Effects that contradict each other, or that have no closed form.

    Notes
    -----
    A unit's total of a real column is log-normal, or zero; of a count, Poisson with a log-normal mean; an outcome of 0
    or 1 is in one of the unit's rows. Totals are spread over the rows: the first is at exposure, the others on any of
    the days that the unit is followed. The normal deviates behind the columns of a unit are correlated. An effect
    multiplies values by 1 + d w on a day of weight w, where the weights average to one over what is expected of each
    day; of counts it adds some, or takes some away. So means, ratios and trends have closed forms, and without novelty
    quantiles and capped means too: the truth is of the distribution, not of the units that happened to be drawn.

    Not covered are values below zero, effects that differ between units or segments, units that are lost, and
    outcomes that depend on when a unit enters.

    Examples
    --------
    >>> import numpy as np
    >>> import abkit as ab
    >>> plan = ab.Experiment(unit="user", variant="variant", control="control", key="id",
    ...                      metrics={"revenue": ab.Mean("revenue"), "latency": ab.Ratio("ms", ab.ROWS)})
    >>> simulated = ab.simulate.log(plan, 20_000, rng=np.random.default_rng(1), effects={"revenue": ab.relative(0.05)},
    ...                             duplicates=0.01)
    >>> list(simulated.log.columns)
    ['user', 'variant', 'time', 'revenue', 'ms', 'id']
    >>> truth = simulated.truth["revenue"]["treatment"]
    >>> round(truth.effect, 9), round(truth.relative, 9)
    (0.5, 0.05)
    >>> report = plan.analyze(simulated.log)
    >>> low, high = report.result("revenue").interval(0.95)
    >>> bool(low < truth.effect < high), report.statistics.audit.rows_duplicated == simulated.duplicates
    (True, True)
    """
    experiment = as_experiment(plan)
    experiment.require_randomised("a simulated log")
    refuse_compared(experiment)
    count = _check.count("units", units, 2)
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"`rng` must be a numpy.random.Generator; got {_check.show(rng)}.")
    flaws = flaws_of(experiment, contaminated, duplicates, late, missing)
    likeness = likeness_of(icc, correlation, covariate_correlation)
    columns = measured_columns(experiment, means or {}, sds or {}, zeros or {}, likeness.icc)
    model = model_of(experiment, columns, likeness, allocation, rows, follow)
    if cluster is not None:
        model = replace(model, cluster=cluster_of(experiment, cluster, cluster_size))
    decay = None if novelty is None else _check.within("novelty", novelty, 0, math.inf)
    model = with_effects(model, checked_effects(experiment, model.variants, effects), decay)
    times = times_of(experiment, start, days, model.follow, time)
    drawn: list[Block] = []
    made = _made(_blocks(model, flaws, times, rng, count, drawn), -(-count // units_a_block(model)), path)
    sums = {name: sum(getattr(block, name) for block in drawn) for name in COUNTED}
    return SimulatedLog(
        made, experiment, truth_of(model), count, **sums, start=_moment(times.start), end=_moment(times.end)
    )


def _blocks(
    model: Model, flaws: Flaws, times: Times, rng: np.random.Generator, units: int, drawn: list[Block]
) -> Iterator[dict[str, Any]]:
    """The columns of each block; what is counted of it is left in `drawn`. Each has a generator of its own."""
    size, before = units_a_block(model), 0
    seeds = np.random.SeedSequence(rng.integers(2**32, size=4).tolist())
    for first in range(0, units, size):
        child = np.random.default_rng(seeds.spawn(1)[0])
        block = draw_block(model, flaws, times, child, first, min(size, units - first), before)
        before += block.rows - block.duplicates
        drawn.append(replace(block, columns={}))
        yield block.columns


def _made(blocks: Iterator[dict[str, Any]], count: int, path: str | os.PathLike[str] | None) -> pd.DataFrame | str:
    from abkit.adapters._log_writer import frame_of, write_parquet

    if path is None:
        return frame_of(blocks, count)
    name = os.fspath(path)
    if not name.endswith(".parquet"):
        raise ValueError(f"`path` must end in .parquet; got {name!r}.")
    if not Path(name).parent.is_dir():
        raise ValueError(f"`path` must be in a folder that exists; got {name!r}.")
    write_parquet(name, blocks, count)
    return name


def _moment(at: int) -> datetime:
    return (EPOCH + timedelta(microseconds=at)).replace(tzinfo=None)
