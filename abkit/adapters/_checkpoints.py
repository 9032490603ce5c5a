"""Cumulative statistics as a log: counts, means and variances that another system has added up."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

import numpy as np

from abkit import _check
from abkit.adapters._frames import collect, engine_errors, open_log
from abkit.errors import DataError, PlanError
from abkit.logs import Audit, Block, Group, Late, LogStatistics, Request, TimedStatistics, label_name
from abkit.suffstats import CoMoments

#: How far a number of successes, n times their share, may be from a whole number.
WHOLE = 1e-3
Row = dict[str, Any]


@dataclass(frozen=True)
class Checkpoints:
    """A table of cumulative statistics, in place of a log of rows: one row a metric, variant and time.

    Parameters
    ----------
    table : table, path, or list of dicts
        As for `Experiment.analyze`. The plan says which column holds the variants.
    time : str, optional
        The column of the checkpoints' times: times, dates or numbers. Without it, there is one checkpoint.
    metric : str
        The column that names metrics as the plan does; it may be absent where the plan has one.
    n, mean, variance : str
        The columns of the number of units so far, of their mean, and of their variance (that with n - 1). A
        `Proportion` reads no variance: its successes, n times the mean, must be whole.

    Notes
    -----
    `experiment.analyze` reports the last checkpoint of every metric; `experiment.trajectory` all of them, each with
    what is known by then: where a metric has no row at a time it keeps its last. `Mean`, `Count` and `Proportion`
    without covariates, caps or segments can be read; ratios need a covariance that is not there.

    Rows that cannot be are an error: a count that is negative or not whole, a negative variance, two rows of one
    metric, variant and time. So are rows with a gap, and a count below an earlier one, unless the plan has
    ``missing="drop"``: then they are left out and counted.

    Examples
    --------
    >>> import abkit as ab
    >>> table = [
    ...     {"variant": "control", "day": 1, "n": 900, "mean": 2.00, "variance": 9.0},
    ...     {"variant": "control", "day": 2, "n": 1700, "mean": 2.02, "variance": 9.1},
    ...     {"variant": "new", "day": 1, "n": 910, "mean": 2.21, "variance": 9.3},
    ...     {"variant": "new", "day": 2, "n": 1720, "mean": 2.31, "variance": 9.2},
    ... ]
    >>> plan = ab.Experiment(unit="user", variant="variant", control="control", metrics={"spend": ab.Mean("spend")})
    >>> report = plan.analyze(ab.Checkpoints(table, time="day"))
    >>> round(report.result("spend").estimate, 2), report.units
    (0.29, {'control': 1700, 'new': 1720})
    """

    table: Any
    time: str | None = None
    metric: str = "metric"
    n: str = "n"
    mean: str = "mean"
    variance: str = "variance"

    def __post_init__(self) -> None:
        for name in ("metric", "n", "mean", "variance"):
            _check.text(name, getattr(self, name))
        if self.time is not None:
            _check.text("time", self.time)

    @classmethod
    def from_wide(
        cls, table: Any, *, control: str = "_c", treatment: str = "_t", by: str | Sequence[str] = (), **columns: str
    ) -> Any:
        """Checkpoints of a table with both variants in a row, in columns such as `n_c` and `n_t`.

        Parameters
        ----------
        table : table, path, or list of dicts
            One row a metric and time.
        control, treatment : str
            What the names of the columns end with. The plan knows the variants as "control" and "treatment", in the
            column "variant".
        by : str or list of str, optional
            Columns that tell several experiments in one table apart.
        **columns : str
            `time`, `metric`, `n`, `mean` and `variance` as for `Checkpoints`; the last three without their endings.

        Returns
        -------
        Checkpoints, or where `by` is given a dict of them
            With the values of `by` as keys: tuples where there are several columns.

        Examples
        --------
        >>> import abkit as ab
        >>> rows = [{"day": 1, "count_c": 100, "count_t": 99, "mean_c": 0.11, "mean_t": 15 / 99}]
        >>> ab.Checkpoints.from_wide(rows, n="count", time="day").table[1]["count"]
        99
        """
        empty, keys = cls([], **columns), _check.names("by", by)
        numbers = (empty.n, empty.mean, empty.variance)
        kept = [*keys, *([empty.time] if empty.time else []), empty.metric]
        ends = {"control": control, "treatment": treatment}
        wide = [f"{name}{end}" for name in numbers for end in ends.values()]
        found: dict[Any, list[Row]] = defaultdict(list)
        for row in _read(table, [*kept, *wide], {empty.metric, *(f"{empty.variance}{end}" for end in ends.values())}):
            key = tuple(row[name] for name in keys)
            for label, end in ends.items():
                long = {name: row[name] for name in kept if name in row}
                long |= {name: row[f"{name}{end}"] for name in numbers if f"{name}{end}" in row}
                found[key[0] if len(key) == 1 else key].append({**long, "variant": label})
        series = {key: replace(empty, table=rows) for key, rows in found.items()}
        return series if keys else series.get((), empty)


def read_checkpoints(checkpoints: Checkpoints, request: Request, *, pooled: bool = False) -> TimedStatistics:
    """The statistics at every checkpoint from the first that has two variants; `pooled`, one is enough.

    To be pooled, rows that name no variant are the control's, and variants need not be planned.
    """
    for block in request.blocks:
        _refuse_metric(block, request)
    columns = [request.variant, checkpoints.n, checkpoints.mean]
    columns += [checkpoints.time] if checkpoints.time else []
    optional = {checkpoints.metric, checkpoints.variance, *([request.variant] if pooled else [])}
    rows = _read(checkpoints.table, [*columns, *optional], optional)
    if pooled:
        request = replace(request, labels=None)
        rows = [{request.variant: request.control, **row} for row in rows]
    if not rows:
        raise DataError("the checkpoints have no rows; nothing can be compared.")
    series = _series(rows, checkpoints, request)
    blocks = {block.metric: block for block in request.blocks}
    entries: dict[Any, list[tuple[str, str, CoMoments]]] = defaultdict(list)
    lost: dict[str, int] = defaultdict(int)
    contradictory = 0
    for (metric, variant), found in series.items():
        largest = 0
        for moment in sorted(found):
            moments = _moments(found[moment], checkpoints, blocks[metric], f"{metric!r} of {variant!r}{_when(moment)}")
            if moments is None:
                lost[metric] += 1
            elif int(moments.n) < largest:
                contradictory += 1
            else:
                largest = int(moments.n)
                entries[moment].append((metric, variant, moments))
    _refuse_losses(lost, contradictory, blocks)
    looks = sorted({moment for found in series.values() for moment in found})
    audit = Audit(rows=len(rows), rows_contradictory=contradictory, missing=dict(lost))
    return _timed(looks, entries, _order(request, series), audit, least=1 if pooled else 2)


def _timed(
    looks: list[Any],
    entries: Mapping[Any, list[tuple[str, str, CoMoments]]],
    variants: list[str],
    audit: Audit,
    least: int,
) -> TimedStatistics:
    """From the first time that has so many variants, each with what it had last."""
    last: dict[str, dict[str, CoMoments]] = {variant: {} for variant in variants}
    times, statistics = [], []
    for moment in looks:
        for metric, variant, moments in entries.get(moment, ()):
            last[variant][metric] = moments
        units = {variant: max((int(m.n) for m in held.values()), default=0) for variant, held in last.items()}
        groups = tuple(Group(v, (), units[v], dict(held)) for v, held in last.items() if units[v])
        if len(groups) >= least:
            here = Audit(audit.rows, units=sum(units.values()), rows_contradictory=audit.rows_contradictory)
            here.missing.update(audit.missing)
            times.append(moment)
            statistics.append(LogStatistics(groups, here))
    if not times:
        raise DataError("the checkpoints never have units of two variants; nothing can be compared.")
    return TimedStatistics(tuple(times), tuple(statistics), Late(), None, None)


def _refuse_metric(block: Block, request: Request) -> None:
    plain = len(block.variables) == 1 and block.buckets is None and not request.pairs
    if not plain or block.variables[0].cap is not None or block.variables[0].slope_over:
        raise PlanError(
            f"`metrics.{block.metric}` must be a mean, a count or a proportion, without covariates or a cap, where the "
            "log is Checkpoints: they hold a mean and a variance, and nothing else."
        )
    for name in ("segments", "key", "exposure"):
        if getattr(request, name):
            raise PlanError(f"`{name}` must be empty where the log is Checkpoints, which have no rows of units.")


def _read(table: Any, columns: Iterable[str], optional: Iterable[str] = ()) -> list[Row]:
    """The rows of a table as dicts, of these columns as far as they are there."""
    wanted = list(dict.fromkeys(columns))
    if isinstance(table, list):
        there = {name for row in table for name in row}
        _require(wanted, there, optional)
        return [{name: row.get(name) for name in wanted if name in there} for row in table]
    with engine_errors(table, wanted), open_log(table, wanted) as frame:
        there = set(frame.collect_schema())
        _require(wanted, there, optional)
        return collect(frame.select(*(name for name in wanted if name in there)))


def _require(wanted: Iterable[str], there: set[str], optional: Iterable[str]) -> None:
    for name in wanted:
        if name not in there and name not in optional:
            hint = _check.suggest(name, there)
            raise DataError(f"the checkpoints have no column `{name}`; they have {', '.join(sorted(there))}.{hint}")


def _series(rows: list[Row], checkpoints: Checkpoints, request: Request) -> dict[tuple[str, str], dict[Any, Row]]:
    """The rows by metric and variant, and then by time."""
    metrics = [block.metric for block in request.blocks]
    named = checkpoints.metric in rows[0]
    if not named and len(metrics) > 1:
        raise DataError(f"the checkpoints have no column `{checkpoints.metric}` to tell the plan's metrics apart.")
    series: dict[tuple[str, str], dict[Any, Row]] = defaultdict(dict)
    for row in rows:
        metric = label_name(row[checkpoints.metric]) if named else metrics[0]
        variant = row[request.variant]
        if metric not in metrics or variant is None or not _planned(label_name(variant), request):
            continue
        found, moment = series[metric, label_name(variant)], _moment(row, checkpoints.time)
        if moment in found:
            where = f"{metric!r} of {label_name(variant)!r}{_when(moment)}"
            hint = "" if checkpoints.time else "; name their `time`"
            raise DataError(f"the checkpoints have two rows of {where}{hint}.")
        found[moment] = row
    absent = [name for name in metrics if not any(metric == name for metric, _ in series)]
    if absent:
        raise DataError(f"the checkpoints have no metric {absent[0]!r} in `{checkpoints.metric}`.")
    if not any(variant == request.control for _, variant in series):
        raise DataError(f"the checkpoints have no control {request.control!r} in `{request.variant}`.")
    return series


def _planned(variant: str, request: Request) -> bool:
    return request.labels is None or variant in request.labels


def _order(request: Request, series: Iterable[tuple[str, str]]) -> list[str]:
    """The control first."""
    found = {variant for _, variant in series}
    return [request.control, *sorted(found - {request.control})]


def _moment(row: Row, column: str | None) -> Any:
    """When a checkpoint was, without the last digits of decimal times that were added up."""
    value = row[column] if column else 0.0
    if isinstance(value, date):
        return value.to_pydatetime() if hasattr(value, "to_pydatetime") else value
    if not isinstance(value, (int, float, np.number)) or not math.isfinite(value):
        raise DataError(f"the time `{column}` of a checkpoint must be a time or a number; got {_check.show(value)}.")
    return float(f"{float(value):.12g}")


def _when(moment: Any) -> str:
    return f" at {moment.isoformat() if isinstance(moment, (date, datetime)) else f'{moment:g}'}"


def _moments(row: Row, checkpoints: Checkpoints, block: Block, where: str) -> CoMoments | None:
    """The co-moments of a row; None where it has a gap."""
    n, mean, variance = (_number(row.get(name)) for name in (checkpoints.n, checkpoints.mean, checkpoints.variance))
    if n is None or (mean is None and n):
        return None
    if n < 0 or n != int(n):
        raise DataError(f"`{checkpoints.n}` of {where} must be a whole number of units; got {n:g}.")
    variable = block.variables[0]
    names = (f"0:{variable.column}",)
    if n == 0:
        return CoMoments(0, np.zeros(1), np.zeros((1, 1)), names)
    if variable.binary:
        successes = _successes(n, mean or 0.0, checkpoints.mean, where)
        return CoMoments(int(n), np.array([successes / n]), np.array([[successes * (n - successes) / n]]), names)
    if variance is None:
        return None
    if variance < 0:
        raise DataError(f"`{checkpoints.variance}` of {where} must be at least 0; got {variance:g}.")
    return CoMoments(int(n), np.array([mean]), np.array([[variance * (n - 1)]]), names)


def _successes(n: float, share: float, column: str, where: str) -> int:
    count = n * share
    if not (0 <= share <= 1 and abs(count - round(count)) <= WHOLE):
        raise DataError(
            f"`{column}` of {where} must be the share of a whole number of the {n:.0f} units; got {share:g}."
        )
    return round(count)


def _number(value: object) -> float | None:
    """A number as float; None for a gap."""
    if value is None:
        return None
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise DataError(f"a checkpoint must hold numbers; got {_check.show(value)}.") from None
    return number if math.isfinite(number) else None


def _refuse_losses(lost: Mapping[str, int], contradictory: int, blocks: Mapping[str, Block]) -> None:
    if all(block.missing == "drop" for block in blocks.values()):
        return
    hint = 'correct them, or leave them out by `missing="drop"` in the plan'
    for metric, count in lost.items():
        if blocks[metric].missing != "drop":
            raise DataError(f"{count:,} checkpoints of {metric!r} have no count, mean or variance; {hint}.")
    if contradictory:
        raise DataError(f"{contradictory:,} checkpoints have fewer units than an earlier one; {hint}.")
