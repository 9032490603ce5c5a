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
from abkit.bandits._adaptive import moments_of, stable_weights
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
    rows = read_decided(log, request)
    wrong = _impossible(rows)
    fine = ~np.logical_or.reduce(list(wrong.values()))
    rows_of = {block.metric: rows.outcomes[block.variables[0].column][fine] for block in request.blocks}
    arm, propensities = rows.arm[fine], rows.propensities[:, fine]
    start = np.searchsorted(rows.batch[fine], rows.batch[fine], "left")
    decisions = _Decisions(rows.arms, arm, propensities, start)
    contrasts, gaps = dict[tuple[str, str], Contrast | str](), dict[tuple[str, str], Contrast | str]()
    for block in request.blocks:
        outcome = rows_of[block.metric]
        missing = np.isnan(outcome)
        contrasts |= decisions.contrasts(block, outcome, missing, count=counts[block.metric])
        if missing.any():
            gaps |= decisions.contrasts(block, missing.astype(np.float64), ~fine[fine], count=False)
    pulls = np.bincount(arm, minlength=len(rows.arms))
    groups = tuple(Group(name, (), int(n), {}) for name, n in zip(rows.arms, pulls, strict=True) if n)
    impossible = {reason: int(found.sum()) for reason, found in wrong.items() if found.any()}
    decided = Decided(contrasts, gaps, _choices(decisions), len(rows.arm), impossible)
    return LogStatistics(groups, rows.audit, decided=decided)


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
        events = self._events(value, kept, binary=block.variables[0].binary)
        found = dict[tuple[str, str], Contrast | str]()
        for k, name in enumerate(names, start=1):
            fewer = 0 if pulls[0] <= pulls[k] else k
            counted = int(pulls[0]), int(pulls[k]), int(events[fewer])
            found[name] = Contrast(self._moments(scaled, k), center, unit, *counted)
        return found

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

    def _moments(self, outcome: _Outcome, k: int) -> CoMoments:
        """What `stable_moments` gives, with batches; in pieces, since there are many numbers a decision."""
        pair = np.array([0, k])
        kept = np.flatnonzero(outcome.kept)
        means = [
            float(outcome.value[kept[self.arm[kept] == a]].mean()) if np.any(self.arm[kept] == a) else 0.0 for a in pair
        ]
        pieces = (kept[i : i + PIECE] for i in range(0, len(kept), PIECE))
        return functools.reduce(operator.add, (moments_of(self._parts(outcome, pair, means, at)) for at in pieces))

    def _parts(self, outcome: _Outcome, pair: IntArray, means: list[float], at: IntArray) -> Float64Array:
        chosen = self.arm[at] == pair[:, None]
        propensity, guess = (values[np.ix_(pair, at)] for values in (self.propensities, outcome.guesses))
        weight = np.where(outcome.known[at], stable_weights(propensity), 0.0)
        off = np.where(chosen, outcome.value[at] - guess, 0.0)
        possible = np.where(propensity > 0, propensity, 1.0)
        gain = weight / possible * off
        spread = np.where(chosen, (outcome.value[at] - np.array(means)[:, None]) ** 2, 0.0)
        parts = (weight * guess + gain, weight, gain**2, gain**3, chosen, spread, weight * (weight / possible))
        return np.stack(parts, axis=1)

    def _events(self, value: Float64Array, kept: Flags, *, binary: bool) -> IntArray:
        """By arm, outcomes that are not zero; of a proportion, those of the rarer kind."""
        size = len(self.arms)
        other = np.bincount(self.arm[kept & (value != 0)], minlength=size)
        return np.minimum(other, np.bincount(self.arm[kept], minlength=size) - other) if binary else other


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
