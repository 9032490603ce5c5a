"""Sufficient statistics as a log: by variant and metric, in place of rows."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from abkit import _check
from abkit.adapters._buckets import bucket_of, of_units
from abkit.adapters._plan_file import read_mapping
from abkit.errors import DataError, PlanError
from abkit.experiment import Experiment
from abkit.logs import Audit, Block, Group, LogStatistics, StagesSeen, label_name
from abkit.strategies import Canary
from abkit.suffstats import CoMoments, Counts, Histogram, Moments

KINDS: dict[str, type[Counts | Moments | CoMoments | Histogram]] = {
    kind.kind: kind for kind in (Counts, Moments, CoMoments, Histogram)
}
#: How far a sum of zeros and ones may be from a whole number, and a correlation beyond 1, by rounding.
ROUNDING = 1e-6
#: No quantity is larger, and the square of its square is a number yet.
LARGEST = 1e75


def given_statistics(experiment: Experiment, log: object) -> LogStatistics | None:
    """What a mapping of variant to metric to statistics holds, or a JSON file of it; None where the log is no such."""
    if isinstance(log, (str, os.PathLike)) and Path(log).suffix.lower() == ".json":
        log = read_mapping(log, "log")
    if not isinstance(log, Mapping):
        return None
    request = experiment.request()
    if request.segments or request.pairs:
        what = "`segments` must be empty" if request.segments else "`metrics` must not be of pairs"
        raise PlanError(f"{what} where the log is statistics: they are of whole variants.")
    blocks = {block.metric: block for block in request.blocks}
    count = _stages(experiment)
    if not count:
        found = _groups(log, blocks, ())
    else:
        found = [
            group for stage, variants in _by_stage(log, count) for group in _groups(variants, blocks, (str(stage),))
        ]
    known = [group for group in found if request.labels is None or group.variant in request.labels]
    known.sort(key=lambda group: (group.variant != experiment.control, group.variant, group.segments))
    units = sum(group.units for group in found)
    audit = Audit(rows=0, units=units, units_in_unknown_variants=units - sum(group.units for group in known))
    return LogStatistics(tuple(known), audit, given=True, stages=_seen(known) if count else None)


def _stages(experiment: Experiment) -> int:
    """How many stages the statistics must tell apart; 0 where they need not."""
    strategy = experiment.strategy
    told = isinstance(strategy, Canary) and strategy.stage is not None
    return max(len(strategy.stages), 1) if isinstance(strategy, Canary) and told else 0


def _by_stage(log: Mapping[Any, Any], count: int) -> Iterator[tuple[int, Mapping[Any, Any]]]:
    """The statistics of each stage, by its number, which JSON has as text."""
    numbers = {str(stage): stage for stage in range(1, count + 1)}
    for key, variants in log.items():
        if label_name(key) not in numbers or not isinstance(variants, Mapping):
            raise DataError(
                f"`log` must map each stage, from 1 to {count}, to the statistics of its variants, as the plan tells "
                f"stages apart; got {_check.show(key)}."
            )
        yield numbers[label_name(key)], variants


def _seen(groups: Iterable[Group]) -> StagesSeen:
    rows: dict[int, int] = {}
    for group in groups:
        stage = int(group.segments[-1])
        rows[stage] = rows.get(stage, 0) + group.units
    return StagesSeen(rows, {})


def _groups(variants: Mapping[Any, Any], blocks: Mapping[str, Block], segments: tuple[str, ...]) -> list[Group]:
    return [_group(label_name(variant), metrics, blocks, segments) for variant, metrics in variants.items()]


def _group(variant: str, metrics: object, blocks: Mapping[str, Block], segments: tuple[str, ...]) -> Group:
    if not isinstance(metrics, Mapping):
        raise DataError(
            "`log` must be a table, or a dict of variants to the statistics of their metrics; "
            f"got a dict with {_check.show(metrics)} for {_check.show(variant)}."
        )
    for name in metrics:
        if name not in blocks:
            hint = _check.suggest(str(name), blocks)
            raise DataError(f"`log.{variant}` has {_check.show(name)}, which is no metric of the plan.{hint}")
    moments: dict[str, CoMoments] = {}
    for name, given in metrics.items():
        try:
            moments[name] = _moments(blocks[name], _read(given))
        except (TypeError, ValueError) as error:
            raise DataError(f"`log.{variant}.{name}` is impossible: {error}") from error
    return Group(variant, segments, max((int(held.n) for held in moments.values()), default=0), moments)


def _read(given: object) -> Counts | Moments | CoMoments | Histogram:
    if isinstance(given, Mapping):
        kind = _check.choice("kind", given.get("kind"), tuple(KINDS))
        given = KINDS[kind].from_dict(dict(given))
    if not isinstance(given, (Counts, Moments, CoMoments, Histogram)):
        raise TypeError(
            f"it must be {', '.join(sorted(k.__name__ for k in KINDS.values()))}; got {_check.show(given)}."
        )
    if not isinstance(given.n, int):
        raise ValueError("it must be the statistics of one group.")
    return given


def _moments(block: Block, given: Counts | Moments | CoMoments | Histogram) -> CoMoments:
    """The statistics as a log's query would have them."""
    if block.buckets is not None:
        if not isinstance(given, Histogram) or block.buckets.per != "unit":
            raise ValueError("a quantile must be `per` unit, and have a Histogram of its units.")
        _same("accuracy", given.accuracy, block.buckets.accuracy)
        return of_units(given, bucket_of(given, block.buckets.q))
    if isinstance(given, Histogram):
        raise ValueError("a Histogram is for quantiles; give Moments, Counts or CoMoments.")
    names = tuple(variable.column for variable in block.variables)
    if isinstance(given, (Counts, Moments)):
        one = given.moments() if isinstance(given, Counts) else given
        given = CoMoments.of_one(one, "value")
    if len(given.names) != len(names):
        raise ValueError(
            f"it must be of {len(names)} variables, {', '.join(names)}, in this order; got {len(given.names)}."
        )
    _refuse_impossible(given)
    if block.variables[0].binary:
        _refuse_no_counts(given)
    return given


def _refuse_impossible(moments: CoMoments) -> None:
    """No number is beyond all quantities, and variables cannot vary together more than each does."""
    if max(np.abs(moments.mean).max(), np.sqrt(np.abs(moments.m2).max())) > LARGEST * max(int(moments.n), 1):
        raise ValueError(f"numbers must be at most {LARGEST:g} in size.")
    if len(moments.names) > 1:
        size = np.sqrt(np.diagonal(moments.m2))
        scale = np.where(size > 0, size, 1.0)
        if float(np.linalg.eigvalsh(moments.m2 / np.outer(scale, scale)).min()) < -ROUNDING:
            raise ValueError("`m2` must be a sum of products: no correlation may be beyond 1.")


def _refuse_no_counts(moments: CoMoments) -> None:
    """Zeros and ones have a whole sum and the spread n p (1 - p)."""
    n, share, m2 = int(moments.n), float(moments.mean[0]), float(moments.m2[0, 0])
    successes = round(n * share)
    if not (0 <= share <= 1 and abs(n * share - successes) <= ROUNDING * max(1.0, n * 2**-30)):
        raise ValueError(f"the mean must be the share of a whole number of the {n:,} units; got {share:g}.")
    expected = share * (n - successes)
    if abs(m2 - expected) > ROUNDING * max(expected, 1.0):
        raise ValueError(f"zeros and ones of this mean have an m2 of {expected:g}; got {m2:g}.")


def _same(name: str, given: float, planned: float) -> None:
    if given != planned:
        raise ValueError(f"its `{name}` must be the plan's, {planned:g}; got {given:g}.")
