"""Exact sequences of a proportion and of an event rate: conjugate mixtures, centred at each null."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt
from scipy.special import betaincc, expit, gammainc, gammaincc, gammaln, logit

from abkit import _check
from abkit._check import Float64Array
from abkit.sequential import _mixture
from abkit.sequential._cumulative import in_order, numbers_of_looks
from abkit.sequential._proportions_sequence import proportions_sequence
from abkit.sequential._sequence import ConfidenceSequence
from abkit.suffstats import Counts, Events
from abkit.suffstats._base import IntArray, Statistics
from abkit.suffstats._events import count_rows
from abkit.types import Alternative

#: The logit beyond which a proportion is 0 or 1.
_FURTHEST = 700.0
_SMALLEST_WEIGHT = 1e-3


def beta_binomial_sequence(  # noqa: PLR0913
    data: object,
    treatment: object = None,
    *,
    alpha: float,
    alternative: Alternative,
    tune_at: float | None = None,
    prior: object = None,
    looks: object = None,
    share: float | None = None,
) -> ConfidenceSequence:
    """A proportion, exactly: a beta mixture centred at each null, of the weight for `tune_at`; or one given prior.

    Its log e-value is convex in the null's logit, so that the set is an interval; one-sided, with the mixture cut off
    at the null, it falls. With a treatment: the difference of two proportions, exact at any allocation.
    """
    if treatment is not None:
        if prior is not None:
            raise ValueError("`prior` must be left out with `treatment`: two proportions have no one prior.")
        tuned, planned = _tuned(tune_at, _mixture.TUNE_AT), 0.5 if share is None else share
        return proportions_sequence(
            data, treatment, alpha=alpha, alternative=alternative, tune_at=tuned, share=planned, looks=looks
        )
    if share is not None:
        raise ValueError("`share` must be left out without `treatment`, whose share of the units it is.")
    n, ones = _ones(data, looks)
    one_sided = alternative != "two-sided"
    weight, a, b = _beta_weights(tune_at, prior, alpha, one_sided=one_sided)
    evidence = partial(_beta_evidence, weight=weight, one_sided=one_sided)

    def log_evalue(null: float) -> Float64Array:
        if not 0 <= null <= 1:
            raise ValueError(f"`null` must be a proportion, from 0 to 1; got {null:g}.")
        t = np.clip(np.full(n.shape, logit(null)), -_FURTHEST, _FURTHEST)
        return evidence(-t, n - ones, ones, b, a) if alternative == "less" else evidence(t, ones, n - ones, a, b)

    low, high = np.full(n.shape, -np.inf), np.full(n.shape, np.inf)
    if alternative != "less":
        low = expit(_lowest_logit(evidence, ones, n - ones, a, b, alpha))
    if alternative != "greater":
        high = expit(-_lowest_logit(evidence, n - ones, ones, b, a, alpha))
    estimate = np.where(n > 0, ones / np.maximum(n, 1), np.nan)
    return ConfidenceSequence("beta-binomial", "exact", alpha, alternative, n, estimate, low, high, log_evalue)


def gamma_poisson_sequence(
    data: object,
    *,
    alpha: float,
    alternative: Alternative,
    tune_at: float | None = None,
    looks: object = None,
) -> ConfidenceSequence:
    """A Poisson rate per exposure, exactly: a gamma mixture with each null as its mean.

    Its shape is the tuning constant in events, so that the unit of exposure changes nothing: the set for the expected
    number of events depends on the number of events alone.
    """
    events, exposure = _events(data, looks)
    shape = _mixture.tuning(_tuned(tune_at, _mixture.TUNE_AT_EVENTS), alpha, 2 if alternative == "two-sided" else 1)
    evidence = partial(_gamma_evidence, shape=shape, alternative=alternative)

    def log_evalue(null: float) -> Float64Array:
        return evidence(_check.at_least("null", null, 0) * exposure, events.astype(np.float64))

    y, at = np.unique(events, return_inverse=True)
    low, high = (ends[at] for ends in _expected(evidence, y.astype(np.float64), alpha, alternative))
    known = np.maximum(exposure, np.finfo(np.float64).tiny)
    estimate = np.where(exposure > 0, events / known, np.nan)
    with np.errstate(over="ignore"):
        low, high = low / known, np.where(exposure > 0, high / known, np.inf)
    return ConfidenceSequence("gamma-poisson", "exact", alpha, alternative, events, estimate, low, high, log_evalue)


def _beta_evidence(
    t: Float64Array, ones: IntArray, zeros: IntArray, a: float, b: float, *, weight: float, one_sided: bool
) -> Float64Array:
    """Log B(A + ones, B + zeros) / B(A, B) - ones log p - zeros log q, with A = a + weight p and B = b + weight q.

    As divergences of what is from what the null expects: no large logarithms cancel. One-sided, both mixtures hold only
    proportions above p.
    """
    p, q = expit(t), expit(-t)
    prior_a, prior_b, prior_n = a + weight * p, b + weight * q, a + b + weight
    after_a, after_b, after_n = prior_a + ones, prior_b + zeros, prior_n + ones + zeros
    off, prior_off = (ones + a) * q - (zeros + b) * p, a * q - b * p  # how far from the null
    divergence = _divergence(after_a, after_n * p, -off) + _divergence(after_b, after_n * q, off)
    divergence -= _divergence(prior_a, prior_n * p, -prior_off) + _divergence(prior_b, prior_n * q, prior_off)
    scale = np.log(after_a) + np.log(after_b) - np.log(after_n) - np.log(prior_a) - np.log(prior_b) + np.log(prior_n)
    rest = _remainder(after_a) + _remainder(after_b) - _remainder(after_n)
    rest -= _remainder(prior_a) + _remainder(prior_b) - _remainder(prior_n)
    result = np.asarray(divergence - 0.5 * scale + rest)
    if not one_sided:
        return result
    with np.errstate(divide="ignore"):
        return np.asarray(result + np.log(betaincc(after_a, after_b, p)) - np.log(betaincc(prior_a, prior_b, p)))


def _gamma_evidence(
    expected: Float64Array, events: Float64Array, *, shape: float, alternative: Alternative
) -> Float64Array:
    """Log a^a G(a + y) / (G(a) (a + m)^(a + y)) + m for y events where the null expects m, a the prior's shape."""
    after, null = shape + events, shape + expected
    result = _divergence(after, null, expected - events) - 0.5 * np.log(after / shape)
    result = np.asarray(result + _remainder(after) - _remainder(shape))
    if alternative == "two-sided":
        return result
    tail = gammaincc if alternative == "greater" else gammainc
    with np.errstate(divide="ignore"):
        return np.asarray(result + np.log(tail(after, null)) - math.log(tail(shape, shape)))


def _divergence(x: Float64Array, y: Float64Array, gap: Float64Array) -> Float64Array:
    """X log(x / y) - x + y, at least 0, given the gap y - x."""
    near = np.maximum(gap / x, -0.5)
    return np.asarray(np.where(gap > -0.5 * x, x * (near - np.log1p(near)), gap + x * np.log(x / y)))


def _remainder(values: npt.ArrayLike) -> Float64Array:
    """Log of the gamma function less Stirling's (x - 1/2) log x - x + log(2 pi) / 2."""
    x: Float64Array = np.asarray(values, dtype=np.float64)
    large, small = np.maximum(x, 16.0), np.minimum(x, 16.0)
    square = 1 / (large * large)
    series = (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square * (1 / 1680 - square / 1188)))) / large
    direct = gammaln(small) - (small - 0.5) * np.log(small) + small - 0.5 * math.log(2 * math.pi)
    return np.where(x >= 16.0, series, direct)


def _lowest_logit(
    evidence: Callable[..., Float64Array], ones: IntArray, zeros: IntArray, a: float, b: float, alpha: float
) -> Float64Array:
    """The smallest null not rejected, at or below the estimate: first steps out from there until one is rejected."""
    none = np.where(zeros == 0, -1e-3 * math.log(alpha), zeros)  # where all are ones, this likely is nearly 1 anyway
    top = np.clip(np.log(np.maximum(ones, 1) / none), -_FURTHEST, _FURTHEST)
    reach = 4 * np.sqrt(1 / (ones + 0.5) + 1 / (zeros + 0.5))
    counts = ones.astype(np.float64), zeros.astype(np.float64)

    def above(t: Float64Array, ones: Float64Array, zeros: Float64Array) -> Float64Array:
        return evidence(t, ones, zeros, a, b) + math.log(alpha)

    low = np.maximum(top - reach, -_FURTHEST)
    while np.any(short := (above(low, *counts) <= 0) & (low > -_FURTHEST) & (ones > 0)):
        reach = np.where(short, 2 * reach, reach)
        low = np.maximum(top - reach, -_FURTHEST)
    return np.where(ones > 0, _roots(above, low, top, counts), -np.inf)


def _expected(
    evidence: Callable[..., Float64Array], events: Float64Array, alpha: float, alternative: Alternative
) -> tuple[Float64Array, Float64Array]:
    """Smallest and largest expected number of events that is not rejected."""
    low, high = np.full(events.shape, -np.inf), np.full(events.shape, np.inf)

    def above(expected: Float64Array, events: Float64Array) -> Float64Array:
        return evidence(expected, events) + math.log(alpha)

    if alternative != "less":
        low = _roots(above, np.zeros(events.shape), np.where(events > 0, events, 0.0), (events,), below=0.0)
    if alternative != "greater":
        top = events + 1 + np.sqrt(events)
        while np.any(short := above(top, events) <= 0):
            top = np.where(short, events + 2 * (top - events), top)
        high = -_roots(lambda m, y: above(-m, y), -top, -events, (events,))
    return low, high


def _roots(
    decreasing: Callable[..., Float64Array],
    low: Float64Array,
    high: Float64Array,
    args: tuple[Float64Array, ...],
    below: float = -np.inf,
) -> Float64Array:
    """Where a function falls below zero; `below` where it never was above."""
    from scipy.optimize.elementwise import find_root

    start = decreasing(low, *args) > 0
    result = np.full(low.shape, below)
    if np.any(start):
        chosen = tuple(arg[start] for arg in args)
        fine: dict[str, float] = {"xatol": 1e-15, "xrtol": 2e-15, "fatol": 0.0, "frtol": 0.0}
        with np.errstate(all="ignore"):
            found = find_root(decreasing, (low[start], high[start]), args=chosen, tolerances=fine, maxiter=200)  # type: ignore[call-overload]
        result[start] = found.x
    return result


def _beta_weights(tune_at: float | None, prior: object, alpha: float, *, one_sided: bool) -> tuple[float, float, float]:
    """Weight of the centred prior, and a and b of the given one."""
    if prior is None:
        tuning = _mixture.tuning(_tuned(tune_at, _mixture.TUNE_AT), alpha, 1 if one_sided else 2)
        return max(tuning - 1, _SMALLEST_WEIGHT), 0.0, 0.0
    if tune_at is not None or one_sided:
        raise ValueError("`prior` must be left out with `tune_at`, in place of which it stands, and with one side.")
    given = _check.sample("prior", prior)
    if given.size != 2 or not np.all(given > 0):
        raise ValueError(f"`prior` must be (a, b) of a beta distribution, both above 0; got {_check.show(prior)}.")
    return 0.0, float(given[0]), float(given[1])


def _ones(data: object, looks: object) -> tuple[IntArray, IntArray]:
    """Observations and ones at each look."""
    if isinstance(data, Statistics):
        if not isinstance(data, Counts):
            raise TypeError(f"`data` must be Counts, or zeros and ones; got {_check.show(data)}.")
        _no_looks(looks)
        n, ones, _ = in_order("data", data.n, data.successes, np.asarray(data.n) - np.asarray(data.successes))
        return n, ones
    sample = _check.sample("data", data)
    if np.any((sample != 0) & (sample != 1)):
        raise ValueError('`data` must be 0 or 1; for other values use "betting" with `bounds`, or "asymptotic".')
    n = numbers_of_looks(looks, len(sample))
    return n, np.cumsum(sample, dtype=np.float64).astype(np.int64)[n - 1]


def _events(data: object, looks: object) -> tuple[IntArray, Float64Array]:
    """Events and exposure at each look."""
    if isinstance(data, Statistics):
        if not isinstance(data, Events):
            raise TypeError(f"`data` must be Events, or counts of events; got {_check.show(data)}.")
        _no_looks(looks)
        (events,) = in_order("data", data.events)
        exposure = np.atleast_1d(np.asarray(data.exposure, dtype=np.float64))
        if np.any(np.diff(exposure) < 0):
            raise ValueError("`data` must be cumulative: all that was seen up to each look; got exposures that fall.")
        return events, exposure
    rows = count_rows("data", data)
    n = numbers_of_looks(looks, len(rows))
    return np.cumsum(rows[:, 0])[n - 1].astype(np.int64), np.cumsum(rows[:, 1])[n - 1]


def _no_looks(looks: object) -> None:
    if looks is not None:
        raise ValueError("`looks` must be left out with statistics, which have their looks.")


def _tuned(tune_at: float | None, default: float) -> float:
    return default if tune_at is None else _check.within("tune_at", tune_at, 0, np.inf)
