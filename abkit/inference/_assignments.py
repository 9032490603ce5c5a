"""Which units the randomisation could have treated: all assignments of a design, or a random choice of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, combinations

import numpy as np
import numpy.typing as npt

from abkit._check import Float64Array
from abkit.inference._resample import BLOCK, IntArray, distinct, in_tasks, products

Masks = npt.NDArray[np.bool_]
#: Strata from this size on are permuted one by one; the smaller ones together.
LARGE = 512
#: From this size on a random subset is one of random size, corrected.
VAST = 4096
#: A count of equal units costs as much as so many units.
COUNT = 8


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """Units in the order of their strata, and which were treated: in every assignment as many of each stratum."""

    stratum: IntArray
    treated: Masks

    @property
    def parts(self) -> list[slice]:
        """The units of each stratum."""
        ends = np.append(np.flatnonzero(np.diff(self.stratum)) + 1, len(self.stratum))
        return [slice(int(a), int(b)) for a, b in zip(np.append(0, ends[:-1]), ends, strict=True)]

    def assignments(self, most: int) -> float:
        """How many assignments there are; infinite where there are more than `most`."""
        total = 1
        for part in self.parts:
            n, k = part.stop - part.start, int(self.treated[part].sum())
            # n over k is at least (n / k) ** k: a number of a million digits is not worked out
            fewer = min(k, n - k)
            if fewer * math.log(n / max(fewer, 1)) > math.log(most):
                return math.inf
            total *= math.comb(n, k)
            if total > most:
                return math.inf
        return total

    def every(self) -> Iterator[Masks]:
        """All assignments, in blocks of rows."""
        chosen = [_subsets(self.treated[part]) for part in self.parts]
        shape = tuple(len(subsets) for subsets, _ in chosen)
        for lines in _blocks(math.prod(shape), len(self.treated)):
            masks = np.empty((len(lines), len(self.treated)), dtype=bool)
            picks = np.unravel_index(lines, shape)
            for part, (subsets, value), pick in zip(self.parts, chosen, picks, strict=True):
                block = np.full((len(lines), part.stop - part.start), not value)
                np.put_along_axis(block, subsets[pick], value, axis=1)
                masks[:, part] = block
            yield masks

    def random(self, rng: np.random.Generator, size: int) -> Masks:
        """So many independent random assignments."""
        masks = np.empty((size, len(self.treated)), dtype=bool)
        small = np.ones(len(self.treated), dtype=bool)
        for part in self.parts:
            if part.stop - part.start >= LARGE:
                masks[:, part] = _random_subsets(rng, size, self.treated[part])
                small[part] = False
        if small.any():
            # random keys within a stratum, so that sorting permutes each stratum within itself
            keys = self.stratum[small] + rng.random((size, int(small.sum())))
            masks[:, small] = self.treated[small][np.argsort(keys, axis=1)]
        return masks

    def sums(self, columns: Float64Array, resamples: int, rng: np.random.Generator) -> Float64Array:
        """Sums of each column over the treated units of random assignments, shape (resamples, columns)."""
        urns, drawn = [], np.ones(len(self.treated), dtype=bool)
        for part in self.parts:
            ordered, multiplicity = distinct(columns[part])
            if len(multiplicity) * COUNT <= part.stop - part.start:
                kinds = ordered[np.cumsum(multiplicity) - 1]
                urns.append((kinds, multiplicity, int(self.treated[part].sum())))
                drawn[part] = False
        rest, of_rest = Design(self.stratum[drawn], self.treated[drawn]), columns[drawn]

        def task(child: np.random.Generator, size: int) -> Float64Array:
            sums = np.zeros((size, columns.shape[1]))
            for kinds, multiplicity, k in urns:
                counts = child.multivariate_hypergeometric(multiplicity, k, size=size, method="marginals")
                sums += np.einsum("ij,jk->ik", counts, kinds)
            for lines in _blocks(size, len(of_rest)) if len(of_rest) else ():
                sums[lines] += sums_over(rest.random(child, len(lines)), of_rest)
            return sums

        return in_tasks(task, resamples, rng)

    def every_sums(self, columns: Float64Array) -> Float64Array:
        """The same over all assignments."""
        return np.concatenate([sums_over(masks, columns) for masks in self.every()])


def sums_over(masks: Masks, columns: Float64Array) -> Float64Array:
    """Sums of each column over the chosen units of each row of masks."""
    weights = masks.astype(np.float64)
    return np.stack([products(weights, np.ascontiguousarray(column)) for column in columns.T], axis=1)


def _blocks(size: int, units: int) -> Iterator[IntArray]:
    rows = max(1, BLOCK // units)
    for start in range(0, size, rows):
        yield np.arange(start, min(start + rows, size))


def _subsets(treated: Masks) -> tuple[IntArray, bool]:
    """All subsets of as many as were treated, or all those of as many as were not where these are fewer."""
    n, k = len(treated), int(treated.sum())
    fewer = min(k, n - k)
    flat = np.fromiter(chain.from_iterable(combinations(range(n), fewer)), dtype=np.int64)
    return flat.reshape(math.comb(n, fewer), fewer), k <= n - k


def _random_subsets(rng: np.random.Generator, size: int, treated: Masks) -> Masks:
    """Uniform random subsets of as many units as were treated."""
    n, k = len(treated), int(treated.sum())
    if n < VAST:
        return rng.permuted(np.broadcast_to(treated, (size, n)), axis=1)
    # each unit by a chance of its own; given its size, such a subset is uniform, and stays so when units that are
    # chosen at random are taken out or added until the size is right
    words = np.asarray(rng.bit_generator.random_raw(size * n // 8 + 1))
    masks = (words.view(np.uint8)[: size * n] < round(256 * k / n)).reshape(size, n)
    for mask, excess in zip(masks, np.count_nonzero(masks, axis=1) - k, strict=True):
        if excess:
            units = np.flatnonzero(mask == (excess > 0))
            mask[rng.choice(units, abs(int(excess)), replace=False, shuffle=False)] = excess < 0
    return masks
