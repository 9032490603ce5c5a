"""Martingales of Bernoulli and categorical draws against stated probabilities, on the log scale.

Each is written as departures from its expectation, so that a hundred million draws cost no digits.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

from abkit._check import Float64Array

_HALF_LOG_TAU = 0.5 * math.log(2 * math.pi)
_LARGE = 20.0


def log_dirichlet(counts: Float64Array, shares: Float64Array, concentration: npt.ArrayLike) -> Float64Array:
    """Log Bayes factor of a Dirichlet prior of this concentration about `shares` against the shares themselves.

    Categories are the last axis (Lindon and Malek 2022, NeurIPS 35); shares are above 0 and add up to 1. Of several
    concentrations each has a row.
    """
    concentration = np.atleast_1d(concentration)
    total = counts.sum(axis=-1, keepdims=True)
    prior = concentration * shares
    whole = (concentration + total) * shares
    excess = (counts - total * shares) / whole
    departure = np.sum(whole * ((1 + excess) * np.log1p(excess) - excess), axis=-1)
    grown = np.log1p(total / concentration) - np.sum(np.log1p(counts / prior), axis=-1, keepdims=True)
    rest = np.sum(_remainder(prior + counts) - _remainder(prior), axis=-1)
    whole_rest = _remainder(concentration + total) - _remainder(concentration)
    return np.asarray(departure + rest + (0.5 * grown - whole_rest)[..., 0])


def log_jeffreys(counts: Float64Array, log_shares: Float64Array) -> Float64Array:
    """Log Bayes factor of the Dirichlet prior with 1/2 everywhere against the shares."""
    others = counts.sum(axis=-1, keepdims=True) - counts
    total = np.maximum(counts + others, 1)
    observed = np.where(
        counts < others, np.log(np.maximum(counts, 1) / total), np.log1p(-np.minimum(others / total, 0.75))
    )
    return np.asarray(jeffreys_at_best(counts) + np.sum(counts * (observed - log_shares), axis=-1))


def jeffreys_at_best(counts: Float64Array) -> Float64Array:
    """The same against the observed shares, where it is smallest."""
    half = counts.shape[-1] / 2
    each = _gamma_beyond(counts, 0.5) - 0.5 * math.log(math.pi)
    return np.asarray(math.lgamma(half) - _gamma_beyond(counts.sum(axis=-1), half) + each.sum(axis=-1))


def _remainder(z: Float64Array) -> Float64Array:
    """What Stirling's formula for log gamma leaves out."""
    far = np.maximum(z, _LARGE)
    square = 1 / np.square(far)
    series = np.asarray((1 / 12 - square * (1 / 360 - square * (1 / 1260 - square / 1680))) / far)
    if not (z < _LARGE).any():
        return series
    near = np.minimum(z, _LARGE)
    return np.where(z < _LARGE, gammaln(near) - (near - 0.5) * np.log(near) + near - _HALF_LOG_TAU, series)


def _gamma_beyond(count: Float64Array, more: float) -> Float64Array:
    """Log gamma(count + more) - count log count + count."""
    z = count + more
    growth = count * np.log1p(more / np.maximum(count, 0.25))  # 0 log 0 is 0
    return np.asarray(growth + (more - 0.5) * np.log(z) - more + _HALF_LOG_TAU + _remainder(z))
