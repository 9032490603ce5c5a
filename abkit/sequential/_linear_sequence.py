"""Anytime-valid linear models: exact for normal errors, from t or F and degrees of freedom."""

from __future__ import annotations

import math

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.sequential import _mixture
from abkit.sequential._cumulative import in_order
from abkit.sequential._sequence import ConfidenceSequence
from abkit.suffstats._base import IntArray


def linear_sequence(
    estimate: object, stderr: object, n: object, df: object, *, alpha: float = 0.05, tune_at: float | None = None
) -> ConfidenceSequence:
    """Confidence sequence of a coefficient of a linear model.

    Answers: which effects, adjusted for covariates, do the data allow at each look, however often one looks?

    Parameters
    ----------
    estimate, stderr : float, or float array of shape (looks,)
        The coefficient by least squares and its classical standard error at each look, refitted to all that came in;
        `stderr` above 0.
    n : int, or int array of shape (looks,)
        Observations at each look, never falling.
    df : int, or int array of shape (looks,)
        Residual degrees of freedom, n less the number of coefficients; at least 1.
    alpha : float
        Probability that the coefficient is ever left out, between 0 and 1.
    tune_at : float, optional
        Number of observations at which the sequence is narrowest; 10,000 unless given. It must not come from the same
        data.

    Returns
    -------
    ConfidenceSequence
        Two-sided; infinite while there are too few observations to exclude anything.

    Raises
    ------
    ValueError
        Numbers outside their domain, or shapes that differ.

    Notes
    -----
    With r = g / (g + n), nu = df and q = (r alpha^2)^(1 / (nu + 1)) the radius is stderr sqrt(nu (1 - q) / (q - r))
    [1]_, and g the number for which it is smallest at `tune_at`. Exact for independent normal errors of one variance,
    from the first observation on; with a large `df` it is the asymptotic sequence. With other errors, or a robust
    standard error, it is asymptotic too.

    References
    ----------
    .. [1] Lindon, Ham, Tingley and Bojinov 2022, arXiv:2210.08589, theorem 3.2.

    Examples
    --------
    >>> import abkit as ab
    >>> sequence = ab.linear_sequence([1.9, 1.6], [0.9, 0.4], [20, 100], [17, 97], tune_at=100)
    >>> [round(end, 3) for end in sequence.interval()]
    [0.36, 2.84]
    """
    d, se = (
        np.atleast_1d(_check.sample(name, values, (0, 1)))
        for name, values in (("estimate", estimate), ("stderr", stderr))
    )
    units, nu = _counts("n", n), _counts("df", df)
    if not (d.size > 0 and d.size == se.size == units.size == nu.size):
        raise ValueError("`estimate`, `stderr`, `n` and `df` must have one number for each look.")
    if not np.all(se > 0):
        raise ValueError(f"`stderr` must be greater than 0; got {se.min():g}.")
    alpha = _check.within("alpha", alpha, 0, 1)
    g = optimal_g(_tuned(tune_at), int(units[-1] - nu[-1]), alpha)
    radius = se * t_multiplier(nu, units, g, alpha)

    def log_evalue(null: float) -> Float64Array:
        with np.errstate(over="ignore"):
            return f_log_evalue(((d - null) / se) ** 2, 1, nu, units, g)

    return ConfidenceSequence("linear", "exact", alpha, "two-sided", units, d, d - radius, d + radius, log_evalue)


def anytime_f_test(
    statistic: object, df_numerator: int, df: object, n: object, *, tune_at: float | None = None, alpha: float = 0.05
) -> Float64Array:
    """Log e-values of the F statistic of several coefficients of a linear model at once.

    Answers: do any of several variants, or of several covariates, matter, at whatever moment one looks?

    Parameters
    ----------
    statistic : float, or float array of shape (looks,)
        The classical F statistic at each look, at least 0.
    df_numerator : int
        How many coefficients it tests, at least 1.
    df : int, or int array of shape (looks,)
        Residual degrees of freedom, at least 1.
    n : int, or int array of shape (looks,)
        Observations at each look, never falling.
    tune_at : float, optional
        Number of observations for which the mixture is chosen, as in `linear_sequence`; 10,000 unless given.
    alpha : float
        The level for which it is chosen.

    Returns
    -------
    float array, shape (looks,)
        log E at each look: reject when it reaches log(1 / alpha); the smallest exp(-log E) so far, at most 1, is the
        anytime-valid p-value.

    Raises
    ------
    ValueError
        Numbers outside their domain, or shapes that differ.

    Notes
    -----
    log E = d/2 log r + (nu + d)/2 (log(1 + d F / nu) - log(1 + r d F / nu)) with r = g / (g + n) [1]_, exact for
    independent normal errors of one variance. For one coefficient F = t^2.

    References
    ----------
    .. [1] Lindon, Ham, Tingley and Bojinov 2022, arXiv:2210.08589, theorem 3.3.

    Examples
    --------
    >>> import abkit as ab
    >>> [round(float(value), 3) for value in ab.anytime_f_test([9.5, 12.0], 2, [97, 197], [100, 200], tune_at=200)]
    [5.376, 7.917]
    """
    f = _numbers("statistic", statistic)
    units, nu = _counts("n", n), _counts("df", df)
    d = _check.count("df_numerator", df_numerator, 1)
    if not (f.size > 0 and f.size == units.size == nu.size and np.all(f >= 0)):
        raise ValueError("`statistic` must be at least 0, with one number for each of `n` and of `df`.")
    g = optimal_g(_tuned(tune_at), int(units[-1] - nu[-1]), _check.within("alpha", alpha, 0, 1))
    return f_log_evalue(f, d, nu, units, g)


def f_log_evalue(f: Float64Array, d: int, nu: IntArray, n: IntArray, g: float) -> Float64Array:
    """The log of the mixture of F; no difference of two large logarithms."""
    r = g / (g + n)
    a = d / nu * f
    with np.errstate(divide="ignore"):
        share = 1 / (1 + 1 / a)  # a / (1 + a), 1 where a is infinite
    return np.asarray(0.5 * d * np.log(r) - 0.5 * (nu + d) * np.log1p(-(1 - r) * share))


def t_multiplier(nu: Float64Array | IntArray, n: Float64Array | IntArray, g: float, alpha: float) -> Float64Array:
    """Radius of the interval in standard errors; infinite where nothing is excluded."""
    log_r = -np.log1p(np.asarray(n) / g)
    log_q = (log_r + 2 * math.log(alpha)) / (np.asarray(nu) + 1)
    above = np.maximum(np.expm1(log_q - log_r), 0.0)  # q / r - 1
    with np.errstate(divide="ignore", over="ignore"):
        return np.asarray(np.sqrt(nu * -np.expm1(log_q) / above * np.exp(-log_r)))


def optimal_g(n: float, coefficients: int, alpha: float) -> float:
    """The g for which the interval after n observations is narrowest; near it is that of a normal."""
    from scipy.optimize import minimize_scalar

    nu = max(n - coefficients, 1.0)
    start = math.log(_mixture.tuning(n, alpha, 2))

    def width(log_g: float) -> float:
        return float(t_multiplier(np.asarray(nu), np.asarray(n), math.exp(log_g), alpha))

    if not math.isfinite(width(start)):
        return math.exp(start)
    found = minimize_scalar(width, bounds=(start - 3, start + 3), method="bounded", options={"xatol": 1e-9})
    return math.exp(float(found.x))


def _numbers(name: str, values: object) -> Float64Array:
    return np.atleast_1d(_check.sample(name, values, ndim=(0, 1)))


def _counts(name: str, values: object) -> IntArray:
    array = np.asarray(values)
    if array.dtype.kind not in "iu":
        raise TypeError(f"`{name}` must be whole numbers; got {_check.show(values)}.")
    (counts,) = in_order(name, array)
    if counts[0] < 1:
        raise ValueError(f"`{name}` must be at least 1; got {counts[0]}.")
    return counts


def _tuned(tune_at: float | None) -> float:
    return _mixture.TUNE_AT if tune_at is None else _check.within("tune_at", tune_at, 0, np.inf)
