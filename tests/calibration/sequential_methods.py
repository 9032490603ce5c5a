"""Where each sequential method first excludes a null, stream by stream: its own kernel at every look, all at once.

The public functions take one stream, and find the ends of intervals besides; `test_sequential_kernels.py` holds what
stands here against them on some streams.
"""

from __future__ import annotations

import functools
import math

import numpy as np
from scipy.special import logsumexp

from abkit.sequential import _mixture
from abkit.sequential._betting import Wager
from abkit.sequential._bounded import Bernstein, _scores
from abkit.sequential._cdf_band import _radius, constant
from abkit.sequential._conjugate_sequences import _beta_evidence, _gamma_evidence
from abkit.sequential._counts_sequence import count_sequence
from abkit.sequential._dirichlet import log_jeffreys
from abkit.sequential._quantile_sequence import Ranks
from abkit.sequential._srm_sequence import srm_sequence
from abkit.sequential._two_proportions import BOUNDING, _tilts
from tests.calibration.sequential_designs import ALPHA, Array, Data, burnt_in, cumulative, deviates

#: What the log of an e-process must reach for an alarm.
GOAL = -math.log(ALPHA)


def first(crossed: Array) -> Array:
    """Units at the first look that is crossed; one more than there are where none is."""
    return np.where(crossed.any(axis=1), np.argmax(crossed, axis=1) + 1, crossed.shape[1] + 1)


@functools.cache
def multipliers(n: int, tune_at: int, sides: int = 2) -> Array:
    """Half-widths in standard errors at 1, ..., n units; `sides=1`: of one side at the same alpha."""
    x = np.arange(1.0, n + 1) / _mixture.tuning(tune_at, ALPHA, sides)
    return _mixture.multiplier(x, ALPHA) if sides == 2 else _mixture.multiplier_greater(x, ALPHA)


def unguarded(values: Array, treated: Array, data: Data, tune_at: int) -> Array:
    """The asymptotic sequence of a difference of means from the first unit on."""
    return first(np.abs(deviates(values, treated, data.mean)) > multipliers(values.shape[1], tune_at))


def guarded(values: Array, treated: Array, data: Data, tune_at: int) -> dict[str, Array]:
    """The asymptotic sequence: unguarded, with its burn-in, and with that in each direction of one side."""
    n, z = values.shape[1], deviates(values, treated, data.mean)
    both, one = (multipliers(n, tune_at, sides) for sides in (2, 1))
    beyond = {"two-sided": np.abs(z) > both, "greater": z > one, "less": z < -one}
    some = np.any([crossed.any(axis=1) for crossed in beyond.values()], axis=0)
    over = burnt_in(values[some], treated[some], data, cumulative)
    result = {"unguarded": first(beyond["two-sided"])}
    for name, crossed in beyond.items():
        result[name] = np.full(len(values), n + 1)
        result[name][some] = first(crossed[some] & over)
    return result


def known_variance(values: Array, treated: Array) -> tuple[Array, Array]:
    """Difference over its standard error, and that squared, where a unit's variance is known to be 1."""
    n_t = np.cumsum(treated, axis=1, dtype=float)
    n_c = np.arange(1.0, values.shape[1] + 1) - n_t
    sum_t = np.cumsum(values * treated, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        square = 1 / n_t + 1 / n_c
        z = (sum_t / n_t - (np.cumsum(values, axis=1) - sum_t) / n_c) / np.sqrt(square)
    return np.where(np.isfinite(z), z, 0.0), square


def normal_mixture(values: Array, treated: Array, tune_at: int) -> Array:
    """The normal mixture of a difference whose variance is known."""
    z, square = known_variance(values, treated)
    x = 4 / (square * _mixture.tuning(tune_at, ALPHA, 2))
    return first(_mixture.log_evalue(z, x) >= GOAL)


def msprt(values: Array, treated: Array, tau: float) -> Array:
    """The mixture sequential probability ratio test of a difference whose variance is known."""
    z, square = known_variance(values, treated)
    return first(_mixture.log_evalue(z, tau * tau / square) >= GOAL)


def bounded(values: Array, treated: Array, capital: type[Bernstein | Wager], share: float) -> Array:
    """A difference of bounded values, by the score of each unit in order of arrival: one stream after another."""
    n, goal = values.shape[1], math.log(2 / ALPHA)
    looks, null = np.arange(1, n + 1), np.full(n, 0.5)
    result = []
    for x, arm in zip(values, treated, strict=True):
        scores = _scores(x, arm.astype(float), share)[0]
        gains = [capital(side, goal).log_capital(null, looks) for side in (scores, 1 - scores)]
        result.append(np.maximum(*gains) > goal)
    return first(np.array(result))


def beta_binomial(values: Array, rate: float, tune_at: int) -> Array:
    """A proportion, against the true one."""
    weight = max(_mixture.tuning(tune_at, ALPHA, 2) - 1, 1e-3)
    ones = np.cumsum(values, axis=1)
    zeros = np.arange(1.0, values.shape[1] + 1) - ones
    null = np.full(ones.shape, math.log(rate) - math.log1p(-rate))
    return first(_beta_evidence(null, ones, zeros, 0.0, 0.0, weight=weight, one_sided=False) >= GOAL)


def gamma_poisson(values: Array, rate: float, tune_at: int) -> Array:
    """An event rate, against the true one; `tune_at` in events."""
    shape = _mixture.tuning(tune_at, ALPHA, 2)
    expected = np.broadcast_to(rate * np.arange(1.0, values.shape[1] + 1), values.shape)
    return first(_gamma_evidence(expected, np.cumsum(values, axis=1), shape=shape, alternative="two-sided") >= GOAL)


def conditional(values: Array, treated: Array, share: float, tune_at: int) -> Array:
    """Which variant each event fell in; nothing changes between events."""
    result = np.full(len(values), values.shape[1] + 1)
    for i in np.flatnonzero(values.any(axis=1)):
        events, arm = values[i], treated[i]
        at = np.flatnonzero(events)
        of_treatment = np.cumsum((events * arm)[at])
        counts = np.column_stack([np.cumsum(events[at]) - of_treatment, of_treatment]).astype(int)
        beyond = np.flatnonzero(count_sequence(counts, (1 - share, share), tune_at=tune_at).log_evalue >= GOAL)
        if beyond.size:
            result[i] = at[beyond[0]] + 1
    return result


def srm(values: Array, treated: Array, share: float) -> Array:
    """The numbers of units of two variants, against the allocation."""
    n_t = np.cumsum(treated, axis=1)
    counts = np.stack([np.arange(1, treated.shape[1] + 1) - n_t, n_t], axis=-1)
    return first(np.array([srm_sequence(each, (1 - share, share)).log_evalue for each in counts]) >= GOAL)


def two_proportions(values: Array, treated: Array, rate: float, share: float, tune_at: int) -> Array:
    """Two proportions, against the true pair: a bound of the alarms of their equality, whose evidence is the least.

    At each event and just before it: between events the evidence is next to linear in the units.
    """
    n = values.shape[1]
    result = np.full(len(values), n + 1)
    for i, (events, arm) in enumerate(zip(values, treated, strict=True)):
        at = np.flatnonzero(events)
        looks = np.union1d(at, np.append(at[at > 0] - 1, n - 1))
        x, n_t, x_t = (np.cumsum(what)[looks] for what in (events, arm.astype(float), events * arm))
        counts = np.column_stack([x - x_t, x_t, looks + 1 - n_t, n_t])
        beyond = np.flatnonzero(log_evidence(counts, rate, share, tune_at) >= GOAL)
        if beyond.size:
            result[i] = looks[beyond[0]] + 1
    return result


def two_proportions_at_pooled(values: Array, treated: Array, share: float, tune_at: int, every: int) -> Array:
    """The same against both proportions being that of all units, where the evidence is next to its least."""
    n = values.shape[1]
    looks = np.arange(every, n + 1, every)
    result = np.full(len(values), n + 1)
    for i, (events, arm) in enumerate(zip(values, treated, strict=True)):
        x, n_t, x_t = (np.cumsum(what)[looks - 1] for what in (events, arm.astype(float), events * arm))
        counts = np.column_stack([x - x_t, x_t, looks - n_t, n_t])
        beyond = np.flatnonzero(log_evidence(counts, (x + 0.5) / (looks + 1), share, tune_at) >= GOAL)
        if beyond.size:
            result[i] = looks[beyond[0]]
    return result


def log_evidence(counts: Array, rate: float | Array, share: float, tune_at: int) -> Array:
    """Log E of two proportions against both being `rate`; columns: events, then units, of control and treatment."""
    tilts, rate = _tilts(share, tune_at, 2, "two-sided"), np.broadcast_to(rate, len(counts))[:, None]
    tilted = tilts.log_weight + rate * tilts.lean + counts[:, :2] @ tilts.log_odds
    for k in (0, 1):
        tilted -= counts[:, 2 + k, None] * np.log1p(rate * np.expm1(tilts.log_odds[k]))
    cells = [np.column_stack([counts[:, k], counts[:, 2 + k] - counts[:, k]]).astype(float) for k in (0, 1)]
    shares = np.log(np.column_stack([rate, 1 - rate]))
    bounding = math.log(BOUNDING) + sum(log_jeffreys(cell, shares) for cell in cells)
    return np.logaddexp(logsumexp(tilted, axis=1), bounding)


def quantile(values: Array, q: float, tune_at: int) -> Array:
    """A quantile of uniform values, which is q: from the number of values below it."""
    return first(_ranks_reached(np.cumsum(values <= q, axis=1), np.arange(1, values.shape[1] + 1), q, ALPHA, tune_at))


def two_quantiles(values: Array, treated: Array, q: float, tune_at: int) -> Array:
    """Two variants' quantiles, each at half of alpha: a bound of the alarms of their difference."""
    below, arms = values <= q, (treated, ~treated)
    reached = [
        _ranks_reached(np.cumsum(below & arm, axis=1), np.cumsum(arm, axis=1), q, ALPHA / 2, tune_at) for arm in arms
    ]
    return first(reached[0] | reached[1])


def _ranks_reached(count: Array, n: Array, q: float, alpha: float, tune_at: int) -> Array:
    fewest, most = _allowed(q, alpha, tune_at, int(count.shape[1]))
    return (count < fewest[n]) | (count > most[n])


@functools.cache
def _allowed(q: float, alpha: float, tune_at: int, n: int) -> tuple[Array, Array]:
    """Of 0, 1, ..., n values, the fewest and the most below the quantile that do not exclude it."""
    fewest, most = Ranks.tuned(q, alpha, "two-sided", tune_at).allowed(np.arange(1, n + 1))
    return np.insert(fewest, 0, 0), np.insert(most, 0, 0)


def cdf_band(values: Array) -> Array:
    """The whole distribution of uniform values: the largest distance to it, at every value and just before it."""
    n = values.shape[1]
    units = np.arange(1, n + 1)
    radius, result = _radius(units, constant(ALPHA)), []
    for x in values:
        place, at = np.argsort(x), np.sort(x)
        share = np.cumsum(place < units[:, None], axis=1) / units[:, None]
        distance = np.maximum(share - at, at - np.column_stack([np.zeros(n), share[:, :-1]])).max(axis=1)
        result.append(distance > radius)
    return first(np.array(result))


def planned(values: Array, treated: Array, critical: tuple[float, ...]) -> Array:
    """Looks at which the z of so many equal pieces of information exceeds its critical value; the values are those."""
    z = np.cumsum(values, axis=1) / np.sqrt(np.arange(1.0, values.shape[1] + 1))
    return first(np.abs(z) >= critical)
