"""How many times as probable the data are where the variants differ as where they are the same.

All functions are of arrays and give natural logarithms, since a factor may be beyond any float. Logarithms of beta and
gamma functions of large numbers are never subtracted: what is left of them is a relative entropy, the logarithm of the
peaks, and Stirling's corrections.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from scipy.special import betaln, gammaln, log1p, stdtr

from abkit._check import Float64Array
from abkit.posterior._beta import Beta
from abkit.posterior._gamma import Gamma
from abkit.posterior._normal import Student
from abkit.posterior._quadrature import laid, nodes, panels_upto
from abkit.posterior._series import LOG_ROOT_2PI, less_log1p, stirling

#: Standard deviations of the observations: half of the effects are smaller under the Cauchy prior.
EFFECT_SCALE = 0.5**0.5
#: Steps of the logarithm of a variance, in which the integrand is analytic: the error is below 1e-13.
_STEP = 0.25
_BLOCK = 1_000_000
_ROOTS = np.linspace(-38.0, 38.0, 41)
_NATS = 50.0


def log_factor_of_shares(prior: tuple[float, float], control: Beta, treatment: Beta) -> Float64Array:
    """Two shares, each with this beta prior, against one with it, from both posteriors."""
    a, b = prior
    return np.asarray(log_betas(control, treatment, a, b) - betaln(a, b))


def log_betas(one: Beta, other: Beta, a: Any, b: Any) -> Any:
    """The logarithm of the beta functions of two, less that of their sums less a and b."""
    both_a, both_b = one.a + other.a - a, one.b + other.b - b
    p, q = both_a / (both_a + both_b), both_b / (both_a + both_b)
    apart = _share_deviance(one, p, q) + _share_deviance(other, p, q)
    peaks = _beta_peak(one.a, one.b) + _beta_peak(other.a, other.b) - _beta_peak(both_a, both_b)
    return apart - peaks + a * np.log(p) + b * np.log(q)


def _beta_peak(a: Any, b: Any) -> Any:
    """Less the logarithm of beta(a, b), but for its entropy."""
    return 0.5 * (np.log(a) + np.log(b) - np.log(a + b)) - LOG_ROOT_2PI - stirling(a) - stirling(b) + stirling(a + b)


def _share_deviance(posterior: Beta, p: Any, q: Any) -> Any:
    """(a + b) times the relative entropy of the posterior's mean to a share p = 1 - q."""
    a, b = posterior.a, posterior.b
    n = a + b
    u = np.where(p < 0.5, n * p - a, b - n * q)
    return a * _less_log(u / a, n * p / a) + b * _less_log(-u / b, n * q / b)


def _less_log(u: Any, ratio: Any) -> Any:
    """The value of u - ln(ratio), where the ratio is 1 + u: each has digits that the other has not."""
    near = np.abs(u) < 0.3
    return np.where(near, less_log1p(np.where(near, u, 0.0)), u - np.log(ratio))


def log_factor_of_rates(prior: tuple[Any, Any], control: Gamma, treatment: Gamma) -> Float64Array:
    """Two rates, each with this gamma prior (shape, rate), against one with it, from both posteriors."""
    shape, rate = prior
    both = Gamma(control.k + treatment.k - shape, control.rate + treatment.rate - rate)
    return np.asarray(log_gammas(control, treatment, both, shape, rate) + shape * np.log(rate) - gammaln(shape))


def log_gammas(one: Gamma, other: Gamma, both: Gamma, shape: Any, rate: Any = 0.0) -> Any:
    """The logarithm of gamma(k) / rate^k of two, less that of both, whose k and rate lack a shape and a rate."""
    common = both.k / both.rate
    apart = _rate_deviance(one, common) + _rate_deviance(other, common)
    peaks = _gamma_peak(one.k) + _gamma_peak(other.k) - _gamma_peak(both.k)
    return apart - peaks + shape * np.log(common) - rate * common


def _gamma_peak(k: Any) -> Any:
    """Less the logarithm of gamma(k), but for its entropy."""
    return 0.5 * np.log(k) - LOG_ROOT_2PI - stirling(k)


def _rate_deviance(posterior: Gamma, rate: Any) -> Any:
    """The relative entropy of the posterior's mean to another rate, k times."""
    expected = posterior.rate * rate
    return posterior.k * _less_log((expected - posterior.k) / posterior.k, expected / posterior.k)


def log_factor_of_means(t: Any, df: Any, size: Any, *, scale: float = EFFECT_SCALE, side: int = 0) -> Float64Array:
    """A Cauchy prior of the standardised effect against no effect, from a t statistic.

    The `size` is that of one sample of the same precision, n_c n_t / (n_c + n_t). With `side` 1 or -1 only effects
    above or below zero are possible, with twice the density.
    """
    t, df, size = (np.asarray(array, dtype=np.float64) for array in np.broadcast_arrays(t, df, size))
    rows = [array.reshape(-1, 1) for array in (t, df, size * scale * scale)]
    found = np.empty(t.size)
    low, high = -5.0, 43.0 + np.log(np.maximum(rows[0] ** 2 / rows[2], 1.0)).max(initial=0.0)
    y = np.arange(low, high, _STEP)
    step = max(1, _BLOCK // y.size)
    for start in range(0, t.size, step):
        t_rows, df_rows, size_rows = (array[start : start + step] for array in rows)
        found[start : start + step] = _log_mixture(y, t_rows, df_rows, size_rows, side)
    return found.reshape(t.shape)


def _log_mixture(y: Float64Array, t: Any, df: Any, size: Any, side: int) -> Float64Array:
    """The integral over the logarithm y of the prior's variance, which is inverse-gamma, by the trapezoidal rule."""
    wider = size * np.exp(y)
    share = wider / (1 + wider)
    x = t * t / df
    rest = x / (1 + wider)
    log_likelihood = 0.5 * (df + 1) * log1p(x * share / (1 + rest)) - 0.5 * log1p(wider)
    log_prior = -0.5 * y - 0.5 * np.exp(-y) - LOG_ROOT_2PI
    values = log_likelihood + log_prior
    top = values.max(axis=-1, keepdims=True)
    weight = np.exp(values - top)
    if side:  # the effect's posterior given its prior's variance is Student's
        with np.errstate(divide="ignore"):
            weight = weight * 2 * stdtr(df + 1, side * t * np.sqrt(share * (df + 1) / df / (1 + rest)))
    with np.errstate(divide="ignore"):
        return np.asarray(top[:, 0] + np.log(weight.sum(axis=-1)) + np.log(_STEP))


def log_density_of_equal(control: Student, treatment: Student) -> Float64Array:
    """The density of the difference of two independent posteriors at 0: the integral of the product of theirs."""
    control, treatment = (replace(p, location=p.location - control.location) for p in (control, treatment))
    found = [_log_product(*pair) for pair in _row_blocks(control, treatment)]
    return np.concatenate(found).reshape(control.shape)


def _row_blocks(control: Any, treatment: Any, size: int = 500) -> Any:
    for start in range(0, int(np.prod(control.shape)), size):
        yield (
            p.take(lambda a, start=start: np.asarray(a, dtype=np.float64).reshape(-1, 1)[start : start + size])
            for p in (control, treatment)
        )


def _log_product(c: Any, t: Any) -> Float64Array:
    marks = [p.reached(_ROOTS) for p in (c, t)]
    points = np.sort(np.concatenate(marks, axis=-1), axis=-1)
    product = -c.deviance(points) - t.deviance(points)
    kept = product > product.max(axis=-1, keepdims=True) - _NATS
    last = points.shape[1] - 1
    first = np.maximum(kept.argmax(axis=-1) - 1, 0)[:, None]
    final = np.minimum(last - kept[:, ::-1].argmax(axis=-1) + 1, last)[:, None]
    points = np.clip(points, np.take_along_axis(points, first, -1), np.take_along_axis(points, final, -1))
    needed = np.stack([panels_upto(p, points, mark) for p, mark in zip((c, t), marks, strict=True)])
    y, weight = nodes(laid(points, needed, fine=1.5))
    values = -c.deviance(y) - t.deviance(y)
    top = values.max(axis=-1, keepdims=True)
    total = np.log((np.exp(values - top) * weight).sum(axis=-1))
    return np.asarray((c.log_peak() + t.log_peak() + top)[:, 0] + total)
