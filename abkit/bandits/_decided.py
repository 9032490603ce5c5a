"""From the decisions of a policy to what a report needs: contrasts of arms, and how arms were chosen."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from abkit._check import Float64Array
from abkit.adapters._adaptive_log import DecisionRows, read_decided
from abkit.bandits._adaptive import PARTS, moments_of, stable_weights
from abkit.bandits._contrast import lost_pvalue
from abkit.evidence import BaseEffect
from abkit.logs import Block, Choices, Contrast, Decided, Group, LogStatistics, Request
from abkit.suffstats import CoMoments
from abkit.suffstats._base import IntArray

#: How far the propensities of a decision may be from adding up to 1.
TOLERANCE = 1e-6
#: How many decisions are weighed at a time.
PIECE = 2**17

Flags = npt.NDArray[np.bool_]


def read_adaptive(log: object, request: Request, counts: Mapping[str, bool]) -> LogStatistics:
    """The statistics of a log whose variants a policy chose; `counts` says which metrics are of whole numbers."""
    return adaptive_statistics(read_decided(log, request), request, counts)


def adaptive_statistics(rows: DecisionRows, request: Request, counts: Mapping[str, bool]) -> LogStatistics:
    """The same of decisions that were read."""
    wrong = _impossible(rows)
    fine = ~np.logical_or.reduce(list(wrong.values()))
    rows_of = {block.metric: rows.outcomes[block.variables[0].column][fine] for block in request.blocks}
    arm, propensities = rows.arm[fine], rows.propensities[:, fine]
    start = np.searchsorted(rows.batch[fine], rows.batch[fine], "left")
    decisions = _Decisions(rows.arms, arm, propensities, start)
    contrasts, gaps = dict[tuple[str, str], Contrast | str](), dict[str, tuple[int, float]]()
    for block in request.blocks:
        outcome = rows_of[block.metric]
        missing = np.isnan(outcome)
        contrasts |= decisions.contrasts(block, outcome, missing, count=counts[block.metric])
        if missing.any():
            lost = lost_pvalue(arm[missing], propensities[:, missing])
            gaps[block.metric] = int(missing.sum()), lost
    pulls = np.bincount(arm, minlength=len(rows.arms))
    groups = tuple(Group(name, (), int(n), {}) for name, n in zip(rows.arms, pulls, strict=True) if n)
    impossible = {reason: int(found.sum()) for reason, found in wrong.items() if found.any()}
    if strangers := rows.audit.units_in_unknown_variants:
        impossible["of a variant without a propensity"] = strangers
    decided = Decided(contrasts, gaps, _choices(decisions), len(rows.arm) + strangers, impossible, _repeated(rows))
    return LogStatistics(groups, rows.audit, decided=decided, span=rows.span)


class _Outcome(NamedTuple):
    """One outcome of each decision, which of them count, and what was known of each arm before, where anything was."""

    value: Float64Array
    kept: Flags
    guesses: Float64Array
    known: Flags


class _Decisions:
    """Decisions in order, with what each arm had shown before."""

    def __init__(self, arms: tuple[str, ...], arm: IntArray, propensities: Float64Array, start: IntArray) -> None:
        self.arms, self.arm, self.propensities, self.start = arms, arm, propensities, start

    def contrasts(
        self, block: Block, outcome: Float64Array, missing: Flags, *, count: bool
    ) -> dict[tuple[str, str], Contrast | str]:
        """Every treatment against the control, in one metric."""
        zero = block.missing == "zero"
        value = np.where(missing, 0.0, outcome)
        kept = np.ones_like(missing) if zero else ~missing
        names = [(block.metric, name) for name in self.arms[1:]]
        if count and (bool(np.any(value < 0)) or not np.array_equal(value, np.floor(value))):
            return dict.fromkeys(names, f"`{block.variables[0].column}` has values that are not counts")
        if not kept.any():
            return dict.fromkeys(names, "no decision has a value")
        center, unit = _scale(value[kept])
        if not math.isfinite(center):
            return dict.fromkeys(names, f"`{block.variables[0].column}` has values whose sum overflows")
        scaled = _Outcome((value - center) / unit, kept, *self._guesses((value - center) / unit, kept))
        pulls = np.bincount(self.arm[kept], minlength=len(self.arms))
        eventful = kept & _eventful(value, kept)
        events = np.bincount(self.arm[eventful], minlength=len(self.arms))
        found = dict[tuple[str, str], Contrast | str]()
        for k, name in enumerate(names, start=1):
            if not (self._varies(value, kept, 0) or self._varies(value, kept, k)):
                found[name] = BaseEffect.undefined
                continue
            fewer = 0 if pulls[0] <= pulls[k] else k
            expected = float(pulls[fewer] * events[[0, k]].sum() / max(pulls[[0, k]].sum(), 1))
            counted = int(pulls[0]), int(pulls[k]), int(events[fewer]), expected
            moments, skewness = self._moments(scaled, k)
            found[name] = Contrast(moments, center, unit, *counted, skewness)
        return found

    def _varies(self, value: Float64Array, kept: Flags, k: int) -> bool:
        mine = value[kept & (self.arm == k)]
        return bool(np.any(mine != mine[:1]))

    def _guesses(self, value: Float64Array, kept: Flags) -> tuple[Float64Array, Flags]:
        """The mean of each arm at earlier times, or that of all arms where it has none; and whether there is any.

        Decisions of one time are a batch: none of them is another's past, so that their order does not matter.
        """
        sums, counts = self._before(np.where(kept, value, 0.0)), self._before(kept.astype(np.float64))
        all_sums, all_counts = sums.sum(axis=0), counts.sum(axis=0)
        pooled = all_sums / np.maximum(all_counts, 1)
        return np.where(counts > 0, sums / np.maximum(counts, 1), pooled), all_counts > 0

    def _before(self, value: Float64Array) -> Float64Array:
        """Sums by arm over all decisions of earlier times."""
        sums = np.zeros((len(self.arms), len(value) + 1))
        for k in range(len(self.arms)):
            np.cumsum(np.where(self.arm == k, value, 0.0), out=sums[k, 1:])
        return sums[:, self.start]

    def _moments(self, outcome: _Outcome, k: int) -> tuple[CoMoments, float]:
        """What `stable_moments` gives, with batches, and the skewness; in pieces, since a decision has many numbers."""
        pair, kept = np.array([0, k]), np.flatnonzero(outcome.kept)
        means = np.array([_mean(outcome.value[kept[self.arm[kept] == a]]) for a in pair])
        found, squares, cubes = list[CoMoments](), 0.0, 0.0
        for first in range(0, len(kept), PIECE):
            parts = self._parts(outcome, pair, means, kept[first : first + PIECE])
            gain = parts.pop("gain")
            found.append(moments_of(np.stack([parts[name] for name in PARTS], axis=1)))
            squares += float(np.sum(gain**2))
            cubes += float(np.sum(gain[1] ** 3) - np.sum(gain[0] ** 3))
        return functools.reduce(operator.add, found), cubes / squares**1.5 if squares > 0 else 0.0

    def _parts(self, outcome: _Outcome, pair: IntArray, means: Float64Array, at: IntArray) -> dict[str, Float64Array]:
        chosen = self.arm[at] == pair[:, None]
        propensity, guess = (values[np.ix_(pair, at)] for values in (self.propensities, outcome.guesses))
        weight = np.where(outcome.known[at], stable_weights(propensity), 0.0)
        value = outcome.value[at]
        share = weight / np.where(propensity > 0, propensity, 1.0)
        gain = share * np.where(chosen, value - guess, 0.0)
        return {
            "value": weight * guess + gain,
            "weight": weight,
            "square": gain**2,
            "pulls": chosen.astype(np.float64),
            "spread": np.where(chosen, (value - means[:, None]) ** 2, 0.0),
            "share": weight * share,
            "gain": gain,
        }


def _mean(values: Float64Array) -> float:
    return float(values.mean()) if len(values) else 0.0


def _eventful(value: Float64Array, kept: Flags) -> Flags:
    """Which outcomes are not zero; where there are two values only, those of the rarer one."""
    low, high = value[kept].min(), value[kept].max()
    at_high = value == high
    if not np.all((at_high | (value == low))[kept]):
        return np.asarray(value != 0, dtype=np.bool_)
    rare = 2 * np.count_nonzero(at_high & kept) <= np.count_nonzero(kept)
    return np.asarray(at_high if rare else ~at_high, dtype=np.bool_)


def _impossible(rows: DecisionRows) -> dict[str, Flags]:
    """What is wrong with the propensities, the first reason of each decision."""
    p = rows.propensities
    missing = np.isnan(p).any(axis=0)
    with np.errstate(invalid="ignore"):
        outside = ((p < 0) | (p > 1)).any(axis=0)
        never = p[rows.arm, np.arange(len(rows.arm))] == 0
        apart = np.abs(p.sum(axis=0) - 1) > TOLERANCE
    found, before = dict[str, Flags](), np.zeros(len(rows.arm), dtype=bool)
    reasons = {
        "without a propensity": missing,
        "with a propensity below 0 or above 1": outside,
        "with a propensity of 0 of the variant that was chosen": never,
        "with propensities that do not add up to 1": apart,
    }
    for reason, here in reasons.items():
        found[reason] = here & ~before
        before = before | here
    return found


def _repeated(rows: DecisionRows) -> int:
    """Decisions beyond the first of their time, where most times with several have the same one again and again."""
    values = np.vstack([rows.arm, rows.propensities, *rows.outcomes.values()])
    differ = np.zeros(int(rows.batch[-1]) + 1 if rows.batch.size else 0, dtype=bool)
    apart = (values[:, 1:] != values[:, :-1]) & ~(np.isnan(values[:, 1:]) & np.isnan(values[:, :-1]))
    inside = rows.batch[1:] == rows.batch[:-1]
    differ[rows.batch[1:][inside & apart.any(axis=0)]] = True
    several = np.bincount(rows.batch, minlength=differ.size) > 1
    copied = several & ~differ
    if 2 * np.count_nonzero(copied) <= np.count_nonzero(several):
        return 0
    return int(np.count_nonzero(copied[rows.batch])) - int(np.count_nonzero(copied))


def _choices(decisions: _Decisions) -> dict[str, Choices]:
    found = {}
    for k, name in enumerate(decisions.arms):
        e = decisions.propensities[k]
        chosen = decisions.arm == k
        way = 2 * e - 1
        excess, variance = chosen - e, e * (1 - e)
        inverse = float(np.sum(1 / e[chosen])) / max(len(e), 1)
        without = int(np.count_nonzero((e <= 0) | (decisions.propensities[0] <= 0)))
        both = (float(excess.sum()), float((excess * way).sum())), (float(variance.sum()), float(variance @ way**2))
        found[name] = Choices(*both, inverse, without)
    return found


def _scale(values: Float64Array) -> tuple[float, float]:
    """A place near the values and a power of two near their spread: sixth powers of what is left are numbers."""
    with np.errstate(over="ignore", invalid="ignore"):
        center = float(values.mean())
        largest = float(np.abs(values - center).max())
    if not math.isfinite(largest):
        return math.nan, 1.0
    return center, math.ldexp(1.0, math.frexp(largest)[1]) if largest else 1.0
