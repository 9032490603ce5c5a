"""What each variant had shown at each look: cumulative statistics, whichever way the data came."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from abkit import _check
from abkit._check import Float64Array
from abkit.suffstats import Counts, Moments
from abkit.suffstats._base import IntArray, Statistics

_BINARY = 1e-9
_EPSILON = 2.0**-52


@dataclass(frozen=True, slots=True, eq=False)
class Cumulative:
    """Units, mean, squared and cubed deviations and events at each look; None where the data do not show them.

    Events are units that are not zero, or of two outcomes those with the rarer one.
    """

    n: IntArray
    mean: Float64Array
    m2: Float64Array
    m3: Float64Array | None
    events: Float64Array | None

    @property
    def squared_stderr(self) -> Float64Array:
        """Variance of the mean; infinite where the sample shows no spread, which is then unknown rather than zero."""
        variance = self.m2 / np.maximum(self.n - 1, 1) / np.maximum(self.n, 1)
        return np.where(variance > (4 * _EPSILON * self.mean) ** 2, variance, np.inf)

    def at(self, counts: IntArray) -> Cumulative:
        """From answers at every observation, those at some numbers of them; before the first, nothing."""

        def chosen(values: Float64Array | None) -> Float64Array | None:
            return None if values is None else np.where(counts > 0, values[counts - 1], 0.0)

        mean, m2 = (np.where(counts > 0, values[counts - 1], 0.0) for values in (self.mean, self.m2))
        return Cumulative(counts, mean, m2, chosen(self.m3), chosen(self.events))

    def only(self, looks: IntArray) -> Cumulative:
        """Some of the looks."""
        m3, events = (None if values is None else values[looks] for values in (self.m3, self.events))
        return Cumulative(self.n[looks], self.mean[looks], self.m2[looks], m3, events)


def cumulative(
    data: object, treatment: object = None, *, assigned: object = None, looks: object = None
) -> list[Cumulative]:
    """One variant, or control and treatment, at each look.

    Statistics have their looks. Rows of one variant, or of two by `assigned`, are looked at after each, a sample of
    each variant only at the end, unless `looks` says otherwise.
    """
    if isinstance(data, Statistics) or isinstance(treatment, Statistics):
        return _of_statistics(data, treatment, assigned, looks)
    x = _check.observations("data", data)
    if treatment is not None:
        if assigned is not None:
            raise ValueError("`assigned` must be left out where `treatment` is given: it says the same.")
        y = _check.observations("treatment", treatment)
        each = pairs_of_looks(looks, len(x), len(y))
        return [_of_sample(sample).at(each[:, i]) for i, sample in enumerate((x, y))]
    each = numbers_of_looks(looks, len(x))
    if assigned is None:
        return [_of_sample(x).at(each)]
    treated = _assigned(assigned, len(x))
    return [_of_sample(x[arm]).at(np.cumsum(arm, dtype=np.int64)[each - 1]) for arm in (~treated, treated)]


def numbers_of_looks(looks: object, n: int) -> IntArray:
    """How many observations each look has: by default 1, 2, ..., n."""
    if n == 0:
        raise ValueError("`data` must have at least one observation; got none.")
    if looks is None:
        return np.arange(1, n + 1)
    numbers = _whole(looks)
    if numbers.ndim != 1 or numbers.size == 0 or np.any(np.diff(numbers, prepend=0) <= 0) or numbers[-1] > n:
        raise ValueError(f"`looks` must be rising numbers of observations from 1 to {n}; got {_check.show(looks)}.")
    return numbers


def pairs_of_looks(looks: object, n_control: int, n_treatment: int) -> IntArray:
    """How many observations of each variant each look has: by default all, once; one number is of each of the two."""
    if looks is None:
        looks = [(n_control, n_treatment)]
    numbers = _whole(looks)
    numbers = np.column_stack([numbers, numbers]) if numbers.ndim == 1 else numbers
    fits = numbers.ndim == 2 and numbers.size > 0 and numbers.shape[1] == 2
    if not fits or np.any(np.diff(numbers, axis=0, prepend=0) < 0) or np.any(numbers[-1] > (n_control, n_treatment)):
        raise ValueError(
            "`looks` must be numbers of observations of each variant that do not fall, at most "
            f"({n_control}, {n_treatment}); got {_check.show(looks)}."
        )
    return numbers


def in_order(name: str, *counts: object) -> list[IntArray]:
    """Counts at each look, which may not fall."""
    arrays = [np.atleast_1d(np.asarray(count, dtype=np.int64)) for count in counts]
    if arrays[0].ndim > 1 or arrays[0].size == 0:
        raise ValueError(f"`{name}` must have one look or more, in one dimension; got shape {arrays[0].shape}.")
    if any(np.any(np.diff(array) < 0) for array in arrays):
        raise ValueError(f"`{name}` must be cumulative: all that was seen up to each look; got counts that fall.")
    return arrays


def _of_statistics(data: object, treatment: object, assigned: object, looks: object) -> list[Cumulative]:
    for name, value in (("assigned", assigned), ("looks", looks)):
        if value is not None:
            raise ValueError(
                f"`{name}` must be left out with statistics, which have their looks; got {_check.show(value)}."
            )
    arms = [_of_one("data", data), *([] if treatment is None else [_of_one("treatment", treatment)])]
    if arms[0].n.size != arms[-1].n.size:
        raise ValueError(f"`treatment` must have as many looks as `data`; got {arms[-1].n.size} and {arms[0].n.size}.")
    return arms


def _of_one(name: str, data: object) -> Cumulative:
    if isinstance(data, Counts):
        n, _, _ = in_order(name, data.n, data.successes, np.asarray(data.n) - np.asarray(data.successes))
        data = data.moments()
    if not isinstance(data, Moments):
        raise TypeError(
            f"`{name}` must be Moments or Counts where statistics are given, of both variants; got {_check.show(data)}."
        )
    (n,) = in_order(name, data.n)
    mean, m2 = np.atleast_1d(np.asarray(data.mean)), np.atleast_1d(np.asarray(data.m2))
    if np.all(np.abs(m2 - n * mean * (1 - mean)) <= _BINARY * m2):  # zeros and ones, and nothing else, have this
        return Cumulative(n, mean, m2, m2 * (1 - 2 * mean), np.rint(n * np.minimum(mean, 1 - mean)))
    return Cumulative(n, mean, m2, None, None)


def _of_sample(x: Float64Array) -> Cumulative:
    """At every observation, by Welford's steps from the first one: what comes later changes nothing that was said."""
    if x.size == 0:
        nothing = np.zeros(1)
        return Cumulative(np.zeros(1, np.int64), nothing, nothing, nothing, nothing)
    n = np.arange(1, x.size + 1)
    distance = x - x[0]
    mean = np.cumsum(distance) / n
    before = np.concatenate([[0.0], mean[:-1]])
    step = distance - before
    m2 = np.cumsum(step * step * ((n - 1) / n))
    events = np.cumsum(x != 0).astype(np.float64)
    if np.all((x == 0) | (x == 1)):
        events = np.minimum(events, n - events)
    return Cumulative(n, x[0] + mean, m2, _cubes(n, step, m2), events)


def _cubes(n: IntArray, step: Float64Array, m2: Float64Array) -> Float64Array:
    """Sums of cubed deviations, one observation after another (Pebay 2008, SAND2008-6212, eq. 2.2)."""
    before = np.concatenate([[0.0], m2[:-1]])
    with np.errstate(over="ignore", invalid="ignore"):
        return np.cumsum(step**3 * ((n - 1) / n) * ((n - 2) / n) - 3 * step * before / n)


def _assigned(assigned: object, n: int) -> npt.NDArray[np.bool_]:
    values = _check.sample("assigned", assigned)
    if len(values) != n or np.any((values != 0) & (values != 1)):
        raise ValueError(f"`assigned` must be 0 (control) or 1 (treatment) for each of the {n} rows of `data`.")
    treated: npt.NDArray[np.bool_] = values == 1
    return treated


def _whole(looks: object) -> IntArray:
    try:
        numbers = np.asarray(looks)
    except ValueError:
        numbers = np.asarray("ragged")
    if numbers.dtype.kind not in "iu":
        raise TypeError(f"`looks` must be whole numbers; got {_check.show(looks)}.")
    return numbers.astype(np.int64)
