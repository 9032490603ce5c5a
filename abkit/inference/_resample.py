"""Draws with replacement: sums, or any statistic, of resamples of rows.

How often each of n rows occurs in a resample is multinomial with n trials. That is all a sum needs, so counts are
drawn in place of positions wherever that is cheaper. Every way of drawing them has exactly the same distribution.
No product of matrices is a call of BLAS, whose own threads would wait for those that draw.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

from abkit import _check
from abkit._check import Float64Array

#: A row that occurs this often is drawn as one count; below it, drawing its occurrences costs less.
ATOM = 64
#: Below this many rows that are no atoms, positions cost less than counts.
FEW = 2048
#: Elements of a block: what stays in a processor's cache.
BLOCK = 2**18
#: Terms of a sum of products: longer ones are BLAS's affair.
TERMS = 4096
#: Resamples of a task. Tasks, not threads, have generators, so that a seed has one answer on any machine.
TASK = 50

Task = Callable[[np.random.Generator, int], Float64Array]
IntArray = npt.NDArray[np.int64]


def resampled_sums(rows: Float64Array, resamples: int, rng: np.random.Generator) -> Float64Array:
    """Sums of each column over n rows drawn with replacement from n, shape (resamples, columns)."""
    return in_tasks(partial(_sums, len(rows), *_atoms(rows)), resamples, rng)


def resampled(
    values: Float64Array, statistic: Callable[..., Any], resamples: int, rng: np.random.Generator
) -> Float64Array:
    """A statistic, vectorised over its axis, of n values drawn with replacement from n."""
    n, at_once = len(values), max(1, BLOCK // len(values))

    def task(child: np.random.Generator, size: int) -> Float64Array:
        sizes = [min(at_once, size - start) for start in range(0, size, at_once)]
        return np.concatenate([evaluated(statistic, values[child.integers(n, size=(k, n))]) for k in sizes])

    return in_tasks(task, resamples, rng)


def evaluated(statistic: Callable[..., Any], samples: Float64Array) -> Float64Array:
    """A statistic of each row of a matrix of samples."""
    answer = np.asarray(statistic(samples, axis=-1), dtype=np.float64)
    if answer.shape != samples.shape[:-1]:
        raise ValueError(
            f"`statistic` must give one number for each sample along its axis; got shape {answer.shape} "
            f"of samples of shape {samples.shape}."
        )
    if not np.isfinite(answer).all():
        raise ValueError("`statistic` must be finite for every resample; got nan or an infinity.")
    return answer


def generator(rng: object) -> np.random.Generator:
    """The generator that a random method must be given."""
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"`rng` must be a numpy.random.Generator; got {_check.show(rng)}.")
    return rng


def in_tasks(task: Task, resamples: int, rng: np.random.Generator) -> Float64Array:
    """The results of a task for so many resamples, by as many threads as there are processors."""
    sizes = [min(TASK, resamples - start) for start in range(0, resamples, TASK)]
    seeds = rng.integers(2**32, size=(len(sizes), 4), dtype=np.uint32)
    children = [np.random.Generator(np.random.SFC64(seed)) for seed in seeds]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return np.concatenate(list(pool.map(task, children, sizes)))


def distinct(rows: Float64Array) -> tuple[Float64Array, IntArray]:
    """The rows in order, and how often each different one occurs."""
    ordered = np.sort(rows, axis=0) if rows.shape[1] == 1 else rows[np.lexsort(rows.T)]
    changes = np.flatnonzero((ordered[1:] != ordered[:-1]).any(axis=1)) + 1
    return ordered, np.diff(np.concatenate([[0], changes, [len(rows)]]))


def _atoms(rows: Float64Array) -> tuple[Float64Array, IntArray, Float64Array]:
    """The rows that occur often, how often, and all the others."""
    ordered, multiplicity = distinct(rows)
    often = multiplicity >= ATOM
    firsts = np.cumsum(multiplicity) - multiplicity
    return ordered[firsts[often]], multiplicity[often], ordered[np.repeat(~often, multiplicity)]


def _sums(
    n: int, atoms: Float64Array, multiplicity: IntArray, rest: Float64Array, rng: np.random.Generator, size: int
) -> Float64Array:
    counts = rng.multinomial(n, np.append(multiplicity, len(rest)) / n, size=size)
    sums: Float64Array = np.einsum("ij,jk->ik", counts[:, :-1], atoms)
    if len(rest) >= FEW:
        sums += _by_count(rest, counts[:, -1], rng)
    elif len(rest):
        sums += _by_position(rest, counts[:, -1], rng)
    return sums


def _by_position(rest: Float64Array, trials: IntArray, rng: np.random.Generator) -> Float64Array:
    """Sums of so many rows, drawn one by one, for each resample."""
    drawn = rest[rng.integers(len(rest), size=int(trials.sum()))]
    owner = np.repeat(np.arange(len(trials)), trials)
    return np.stack([np.bincount(owner, column, len(trials)) for column in drawn.T], axis=1)


def _by_count(rest: Float64Array, trials: IntArray, rng: np.random.Generator) -> Float64Array:
    """The same from counts: independent Poisson counts are multinomial given their total, and few draws are missing.

    The rate leaves the total eight standard deviations short of the trials: it exceeds them once in 1e15.
    """
    least = int(trials.min())
    poisson = Poisson.of_rate((least - 8 * math.sqrt(least)) / len(rest))
    width = min(len(rest), BLOCK)
    rows = BLOCK // width
    sums, total = np.zeros((len(trials), rest.shape[1])), np.zeros(len(trials), dtype=np.int64)
    scratch = np.empty(rows * width)
    for left in range(0, len(rest), width):
        columns = [np.ascontiguousarray(column) for column in rest[left : left + width].T]
        for top in range(0, len(trials), rows):
            lines = slice(top, min(top + rows, len(trials)))
            counts = poisson.counts(rng, (lines.stop - top, len(columns[0])))
            total[lines] += counts.sum(axis=1, dtype=np.int64)
            weights = scratch[: counts.size].reshape(counts.shape)
            np.copyto(weights, counts)
            for k, column in enumerate(columns):
                sums[lines, k] += products(weights, column)
    return sums + _by_position(rest, np.maximum(trials - total, 0), rng)


def products(weights: Float64Array, column: Float64Array) -> Float64Array:
    """A matrix times a vector, in pieces that BLAS does in one thread."""
    whole = len(column) // TERMS * TERMS
    parts = np.vecdot(weights[:, :whole].reshape(len(weights), -1, TERMS), column[:whole].reshape(-1, TERMS))
    return np.asarray(parts.sum(axis=1) + np.vecdot(weights[:, whole:], column[whole:]))


@dataclass(frozen=True, slots=True)
class Poisson:
    """Poisson counts from one random byte each.

    Byte values below the first of `cuts` are zeros, below the second ones, and so on. What a byte cannot say, since
    256 times a probability is no whole number, is left to the few bytes from the last cut on: their counts are drawn
    from `remainder`, the distribution function of the rest, so that the whole has the exact probabilities.
    """

    cuts: tuple[int, ...]
    remainder: Float64Array

    @classmethod
    def of_rate(cls, rate: float) -> Poisson:
        """Counts of a mean of at most about 1."""
        k = np.arange(40)
        probability = np.exp(k * math.log(rate) - rate - gammaln(k + 1))
        whole = np.floor(256 * probability)
        rest = np.cumsum(probability - whole / 256)
        return cls(tuple(int(cut) for cut in np.cumsum(whole[whole > 0])), rest / rest[-1])

    def counts(self, rng: np.random.Generator, shape: tuple[int, int]) -> npt.NDArray[np.uint8]:
        """Independent counts."""
        size = shape[0] * shape[1]
        words = np.asarray(rng.bit_generator.random_raw(size // 8 + 1))
        random = words.view(np.uint8)[:size]
        counts, above = np.zeros(size, np.uint8), np.empty(size, bool)
        for cut, following in pairwise((*self.cuts, 256)):
            np.greater_equal(random, np.uint8(cut), out=above)
            if following < 256:
                np.add(counts, above.view(np.uint8), out=counts)
        undecided = np.flatnonzero(above)
        counts[undecided] = np.searchsorted(self.remainder, rng.random(len(undecided)), "right")
        return counts.reshape(shape)
