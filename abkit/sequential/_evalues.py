"""e-values: from and to p-values, merged, and many at once. Logarithms in, logarithms out, where numbers overflow."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import gammainc, logsumexp

from abkit import _check
from abkit._check import Float64Array

BoolArray = npt.NDArray[np.bool_]
_ROUNDING = 1e-12


def e_bh(evalues: object, *, alpha: float = 0.05, log: bool = False) -> BoolArray:
    """Which of many hypotheses are rejected at a false discovery rate, by their e-values.

    Answers: in which of many metrics, segments or experiments is there an effect, when all are watched at any time?

    Parameters
    ----------
    evalues : array_like, shape (m,)
        One e-value a hypothesis, at least 0; infinite is certain evidence.
    alpha : float
        Expected share of false rejections among all rejections, between 0 and 1.
    log : bool
        Whether `evalues` are natural logarithms.

    Returns
    -------
    bool array, shape (m,)
        Whether each is rejected, in the order given.

    Raises
    ------
    ValueError
        A negative e-value or nan.

    Notes
    -----
    The k largest are rejected, k the largest number with k e_(k) / m >= 1 / alpha [1]_. Valid under any dependence and
    with each e-process stopped when one likes. Where p-values are independent and are looked at once, Benjamini and
    Hochberg's procedure finds more.

    References
    ----------
    .. [1] Wang and Ramdas 2022, JRSS B 84(3), definition 1.

    Examples
    --------
    >>> import abkit as ab
    >>> ab.e_bh([70, 3, 35, 0.2]).tolist()
    [False, False, False, False]
    >>> ab.e_bh([90, 3, 45, 0.2]).tolist()
    [True, False, True, False]
    """
    logs = _listed(evalues, log=log)
    m, level = logs.size, math.log(_check.within("alpha", alpha, 0, 1))
    order = np.sort(logs)[::-1]
    enough = order + np.log(np.arange(1, m + 1)) + level - math.log(m or 1) >= -_ROUNDING
    k = int(np.max(np.flatnonzero(enough), initial=-1)) + 1
    return logs >= order[k - 1] if k else np.zeros(m, dtype=np.bool_)


def e_lond(evalues: object, *, alpha: float = 0.05, log: bool = False) -> BoolArray:
    """Which of a stream of hypotheses are rejected at a false discovery rate, each when it comes.

    Answers: which experiments of a running programme had an effect, decided one after the other?

    Parameters
    ----------
    evalues : array_like, shape (m,)
        e-values in the order of the decisions, at least 0.
    alpha : float
        Expected share of false rejections among all rejections so far, between 0 and 1.
    log : bool
        Whether `evalues` are natural logarithms.

    Returns
    -------
    bool array, shape (m,)
        Whether each is rejected; what comes later changes no earlier one.

    Raises
    ------
    ValueError
        A negative e-value or nan.

    Notes
    -----
    The t-th is rejected where e_t >= 1 / alpha_t, alpha_t = alpha gamma_t (rejections before it + 1) [1]_ with
    gamma_t = 1 / (t (t + 1)), which add up to 1. Valid under any dependence. Where all are decided together, `e_bh`
    finds more.

    References
    ----------
    .. [1] Xu and Ramdas 2024, AISTATS, PMLR 238, "Online multiple testing with e-values", e-LOND.

    Examples
    --------
    >>> import abkit as ab
    >>> ab.e_lond([50, 10, 90, 500]).tolist()
    [True, False, False, True]
    """
    logs = _listed(evalues, log=log)
    level = math.log(_check.within("alpha", alpha, 0, 1))
    rejected = np.zeros(logs.size, dtype=np.bool_)
    before = 0
    for t, value in enumerate(logs.tolist(), 1):
        rejected[t - 1] = value + level + math.log((before + 1) / (t * (t + 1))) >= -_ROUNDING
        before += int(rejected[t - 1])
    return rejected


def p_to_e(pvalues: object, *, kappa: float | None = None, log: bool = False) -> Float64Array:
    """e-values from p-values.

    Answers: how much evidence is a p-value, on the scale on which evidence may be averaged and multiplied?

    Parameters
    ----------
    pvalues : float or array_like
        Valid p-values, from 0 to 1.
    kappa : float, optional
        Between 0 and 1: the calibrator kappa p^(kappa - 1). By default the mixture over all kappa,
        (1 - p + p log p) / (p log^2 p).
    log : bool
        Whether natural logarithms come in and go out.

    Returns
    -------
    float array
        In the shape that came.

    Raises
    ------
    ValueError
        A number that is not a p-value, or a kappa outside its domain.

    Notes
    -----
    Both integrate to 1 over p from 0 to 1, which makes them e-values [1]_. A p-value loses by the
    way: 0.05 becomes 1.8.

    References
    ----------
    .. [1] Vovk and Wang 2021, Annals of Statistics 49(3), sec. 2, eq. 1 and 2.

    Examples
    --------
    >>> import abkit as ab
    >>> ab.p_to_e([0.001, 0.05, 1.0]).round(2).tolist()
    [20.79, 1.78, 0.5]
    >>> ab.p_to_e(0.01, kappa=0.5).round(6).item()
    5.0
    """
    logs = _logs("pvalues", pvalues, log=log)
    if np.any(logs > 0):
        raise ValueError("`pvalues` must be at most 1.")
    u = -logs
    if kappa is not None:
        kappa = _check.within("kappa", kappa, 0, 1)
        result = math.log(kappa) + (1 - kappa) * u
    else:
        near, far = np.minimum(u, 1e-3), np.clip(u, 1e-3, 1e300)
        series = 0.5 + near * (1 / 6 + near * (1 / 24 + near * (1 / 120 + near / 720)))
        result = np.where(u < 1e-3, np.log(series), u + np.log(gammainc(2, far)) - 2 * np.log(far))
    return _as(result, log=log)


def e_to_p(evalues: object, *, log: bool = False) -> Float64Array:
    """p-values from e-values: min(1, 1 / e), the only admissible way.

    Answers: below what level does an e-value reject?

    Parameters
    ----------
    evalues : float or array_like
        At least 0.
    log : bool
        Whether natural logarithms come in and go out.

    Returns
    -------
    float array
        In the shape that came.

    Raises
    ------
    ValueError
        A negative e-value or nan.

    References
    ----------
    .. [1] Vovk and Wang 2021, Annals of Statistics 49(3), proposition 2.2.

    Examples
    --------
    >>> import abkit as ab
    >>> ab.e_to_p([0.5, 20]).tolist()
    [1.0, 0.05]
    """
    logs = _logs("evalues", evalues, log=log)
    if log:
        return np.minimum(0.0, -logs)
    with np.errstate(divide="ignore"):
        return np.minimum(1.0, 1 / np.asarray(evalues, dtype=np.float64))


def merge_evalues(
    evalues: object, *, how: Literal["mean", "product"] = "mean", axis: int = -1, log: bool = False
) -> Float64Array:
    """One e-value from several of the same hypothesis.

    Answers: how much evidence are several tests together?

    Parameters
    ----------
    evalues : array_like, shape (..., m)
        At least 0.
    how : {"mean", "product"}
        "mean" is valid under any dependence; "product" where each is an e-value given those before it, as
        of independent samples or of one stream's next stretches.
    axis : int
        Along which to merge.
    log : bool
        Whether natural logarithms come in and go out.

    Returns
    -------
    float array, shape (...)

    Raises
    ------
    ValueError
        A negative e-value or nan, none at all, or a product of zero and infinity.

    References
    ----------
    .. [1] Vovk and Wang 2021, Annals of Statistics 49(3), sec. 3 (the mean dominates every symmetric merging function)
       and sec. 4 (products).

    Examples
    --------
    >>> import abkit as ab
    >>> float(ab.merge_evalues([30, 2, 0.5]).round(4)), float(ab.merge_evalues([30, 2, 0.5], how="product").round(4))
    (10.8333, 30.0)
    """
    logs = _logs("evalues", evalues, log=log)
    _check.choice("how", how, ("mean", "product"))
    if logs.ndim == 0 or logs.size == 0:
        raise ValueError("`evalues` must hold at least one e-value, in an array.")
    if how == "mean":
        with np.errstate(divide="ignore", invalid="ignore"):
            return _as(np.asarray(logsumexp(logs, axis=axis)) - math.log(logs.shape[axis]), log=log)
    if np.any(np.any(logs == -np.inf, axis=axis) & np.any(logs == np.inf, axis=axis)):
        raise ValueError("`evalues` must not hold zero and infinity in one product.")
    return _as(np.sum(logs, axis=axis), log=log)


def _listed(evalues: object, *, log: bool) -> Float64Array:
    logs = _logs("evalues", evalues, log=log)
    if logs.ndim != 1:
        raise ValueError(f"`evalues` must have 1 dimension; got {logs.ndim}.")
    return logs


def _logs(name: str, values: object, *, log: bool) -> Float64Array:
    """Natural logarithms of numbers that are at least 0."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiu" or array.dtype in (np.float16, np.float32):
        raise TypeError(f"`{name}` must be numbers in 64-bit floating point; got an array of {array.dtype}.")
    result = array.astype(np.float64)
    if np.any(np.isnan(result)):
        raise ValueError(f"`{name}` must not be nan.")
    if log:
        return result
    if np.any(result < 0):
        raise ValueError(f"`{name}` must be at least 0; got {result.min():g}.")
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(result))


def _as(logs: npt.ArrayLike, *, log: bool) -> Float64Array:
    with np.errstate(over="ignore"):
        return np.asarray(logs if log else np.exp(logs))
