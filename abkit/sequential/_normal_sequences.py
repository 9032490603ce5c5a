"""Sequences of a mean by the normal mixture: with known variance, with an estimated one, and as mSPRT."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from abkit import _check
from abkit._check import Float64Array
from abkit.errors import AccuracyWarning
from abkit.sequential import _mixture
from abkit.sequential._cumulative import Cumulative, cumulative, in_order
from abkit.sequential._guard import Shape, burn_in, skewness
from abkit.sequential._sequence import ConfidenceSequence
from abkit.suffstats._base import IntArray
from abkit.types import ALTERNATIVES, Alternative

#: The burn-in is looked for at this many looks at most.
_PROBES = 200


def asymptotic_sequence(
    estimate: object,
    stderr: object,
    n: object,
    *,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
    tune_at: float | None = None,
) -> ConfidenceSequence:
    """Asymptotic confidence sequence of any estimate that is linear to first order, from its standard errors.

    Answers: which values of a parameter do the data allow at each look, however often one looks?

    Parameters
    ----------
    estimate : float, or float array of shape (looks,)
        A mean, a difference, a ratio, an adjusted effect, ... at each look, in its own unit.
    stderr : float, or float array of shape (looks,)
        Its standard error at each look; above 0.
    n : int, or int array of shape (looks,)
        Independent units that it is made of, of all variants together; at least 1, never falling.
    alpha : float
        Probability that the parameter is ever left out, between 0 and 1.
    alternative : {"two-sided", "greater", "less"}
        "greater" bounds the parameter from below, by the one-sided mixture.
    tune_at : float, optional
        Number of units at which the sequence is narrowest; 10,000 unless given. It must not come from the same data.

    Returns
    -------
    ConfidenceSequence

    Raises
    ------
    ValueError
        A standard error of zero, numbers of units that fall, or shapes that differ.

    Notes
    -----
    estimate -+ stderr sqrt(2 (N r^2 + 1) / (N r^2) log(sqrt(N r^2 + 1) / alpha)) [1]_, 1/r^2 the tuning constant of
    the normal mixture [2]_. It holds from a late enough start on: look first when the estimate is nearly normal, which
    nothing in these three numbers shows. `confidence_sequence` sees the data, and says when it is too early.

    References
    ----------
    .. [1] Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas 2024, Annals of Statistics 52(6), eq. 9.
    .. [2] Howard, Ramdas, McAuliffe and Sekhon 2021, Annals of Statistics 49(2), eq. 14 and sec. 3.5.

    Examples
    --------
    >>> import abkit as ab
    >>> sequence = ab.asymptotic_sequence([0.5, 0.31], [0.2, 0.1], [2_500, 10_000], tune_at=10_000)
    >>> [round(end, 3) for end in sequence.interval()]
    [0.006, 0.614]
    >>> round(sequence.pvalue(0), 4)
    0.0419
    """
    d, se, units = _triple(estimate, stderr, n)
    tails = _tails_of(alpha, alternative)
    x = units / _mixture.tuning(_tune_at(tune_at), *tails)
    return _sequence("asymptotic", "asymptotic", _Looks(units, d, se), x, alpha, alternative)


def asymptotic_means(
    data: object,
    treatment: object = None,
    *,
    alpha: float,
    alternative: Alternative,
    tune_at: float | None = None,
    assigned: object = None,
    looks: object = None,
) -> ConfidenceSequence:
    """The asymptotic sequence of a mean, or of treatment minus control, with the burn-in that the data show."""
    seen = _Looks.of(cumulative(data, treatment, assigned=assigned, looks=looks))
    x = seen.n / _mixture.tuning(_tune_at(tune_at), *_tails_of(alpha, alternative))
    return _sequence("asymptotic", "asymptotic", seen, x, alpha, alternative)


def normal_mixture_sequence(  # noqa: PLR0913
    data: object,
    treatment: object = None,
    *,
    alpha: float,
    alternative: Alternative,
    tune_at: float | None = None,
    variance: object = None,
    assigned: object = None,
    looks: object = None,
) -> ConfidenceSequence:
    """The normal mixture; with the variance of one unit, or of a control's and a treatment's, exact for normal data.

    Two variants' clock is the information, 1 / stderr^2, and `tune_at` stands for that of as many units in equal
    halves, so that it comes from no data. Without a variance that of the sample takes its place, as in "asymptotic".
    """
    arms = cumulative(data, treatment, assigned=assigned, looks=looks)
    tuning = _mixture.tuning(_tune_at(tune_at), *_tails_of(alpha, alternative))
    if variance is None:
        seen = _Looks.of(arms)
        return _sequence("normal-mixture", "asymptotic", seen, seen.n / tuning, alpha, alternative)
    known = _variances(variance, len(arms))
    seen = _Looks.known(arms, known)
    unit = sum(known) * len(arms)  # a unit's, in an estimate from equal variants
    with np.errstate(divide="ignore"):
        x = unit / (seen.stderr**2 * tuning)
    return _sequence("normal-mixture", "exact", seen, x, alpha, alternative)


def msprt_test(
    control: object,
    treatment: object,
    *,
    tau: float,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
    variance: object = None,
    looks: object = None,
) -> ConfidenceSequence:
    """Mixture sequential probability ratio test (mSPRT) of two means or proportions.

    Answers: do two variants differ, at whatever moment one looks?

    Parameters
    ----------
    control, treatment : Moments, Counts or array_like, shape (n,)
        One value per randomised unit; statistics with arrays are cumulative, one number a look.
    tau : float
        Standard deviation of the true differences that one expects over many experiments, in the metric's unit;
        above 0. It must not come from the same data.
    alpha : float
        Probability of ever rejecting a true null, between 0 and 1.
    alternative : {"two-sided", "greater", "less"}
        "greater": the treatment's mean exceeds the control's.
    variance : float or pair of float, optional
        The variance of one unit, or the control's and the treatment's, where known; else the sample's.
    looks : array of int, shape (looks,) or (looks, 2), optional
        For arrays: how many observations of each variant each look has; by default one look, at the end.

    Returns
    -------
    ConfidenceSequence
        `pvalue(null)` and `log_pvalue(null)` are the always-valid p-values, smallest so far; `interval()` inverts them.

    Raises
    ------
    ValueError
        A number outside its domain, or statistics that are not cumulative.

    Notes
    -----
    With V the variance of a pair's difference and n pairs, the statistic is
    sqrt(V / (V + n tau^2)) exp(n^2 tau^2 d^2 / (2 V (V + n tau^2))) [1]_, the normal mixture in z = d / stderr with
    x = (tau / stderr)^2, which says what n is when variants differ in size. Exact for normal data of known variance.
    With the sample's variance it is asymptotic, and fails early with a small or skewed variant: the result's `caution`
    then says so; use `confidence_sequence` with an exact method.

    References
    ----------
    .. [1] Johari, Koomen, Pekelis and Walsh 2022, Operations Research 70(3), sec. 5.

    Examples
    --------
    >>> import abkit as ab
    >>> control, treatment = ab.Counts(10_000, 1_000), ab.Counts(10_000, 1_180)
    >>> result = ab.msprt_test(control, treatment, tau=0.01)
    >>> round(result.pvalue(0), 4), [round(end, 4) for end in result.interval()]
    (0.0023, [0.0045, 0.0315])
    """
    _tails_of(alpha, alternative)
    tau = _check.within("tau", tau, 0, np.inf)
    arms = cumulative(control, treatment, looks=looks)
    known = None if variance is None else _variances(variance, 2)
    seen = _Looks.of(arms) if known is None else _Looks.known(arms, known)
    with np.errstate(over="ignore"):
        x = np.minimum(tau / seen.stderr, 1e150) ** 2
    return _sequence("msprt", "asymptotic" if known is None else "exact", seen, x, alpha, alternative)


@dataclass(frozen=True, slots=True, eq=False)
class _Looks:
    """Estimate and standard error at each look, infinite where there is no evidence yet; a caution about them."""

    n: IntArray
    estimate: Float64Array
    stderr: Float64Array
    caution: str | None = None

    @classmethod
    def of(cls, arms: list[Cumulative]) -> _Looks:
        """With the sample's variances."""
        stderr = np.sqrt(np.sum([arm.squared_stderr for arm in arms], axis=0))
        return cls(_units(arms), _estimate(arms), stderr, _caution(arms, stderr))

    @classmethod
    def known(cls, arms: list[Cumulative], variances: tuple[float, ...]) -> _Looks:
        """With known variances of one unit."""
        with np.errstate(divide="ignore"):
            of_means = [variance / arm.n for arm, variance in zip(arms, variances, strict=True)]
        return cls(_units(arms), _estimate(arms), np.sqrt(np.sum(of_means, axis=0)))


def _sequence(
    method: str, validity: str, seen: _Looks, x: npt.ArrayLike, alpha: float, alternative: Alternative
) -> ConfidenceSequence:
    if seen.caution is not None:
        warnings.warn(seen.caution, AccuracyWarning, stacklevel=4)
    x = np.minimum(x, 1e300)  # beyond, x / (1 + x) is not a number
    one_sided = alternative != "two-sided"
    critical = _mixture.multiplier_greater if one_sided else _mixture.multiplier
    radius = critical(x, alpha) * seen.stderr
    centre = np.where(np.isfinite(radius), seen.estimate, 0.0)
    low = np.full_like(centre, -np.inf) if alternative == "less" else centre - radius
    high = np.full_like(centre, np.inf) if alternative == "greater" else centre + radius
    martingale = _mixture.log_evalue_greater if one_sided else _mixture.log_evalue
    sign = -1 if alternative == "less" else 1

    def log_evalue(null: float) -> Float64Array:
        with np.errstate(over="ignore", invalid="ignore"):
            z = np.where(np.isfinite(seen.stderr), sign * (seen.estimate - null) / seen.stderr, 0.0)
            return martingale(z, x)

    return ConfidenceSequence(
        method, validity, alpha, alternative, seen.n, seen.estimate, low, high, log_evalue, caution=seen.caution
    )


def _caution(arms: list[Cumulative], stderr: Float64Array) -> str | None:
    """Why the first look that says something comes too early, and from where on none does."""
    spoke = np.flatnonzero(np.isfinite(stderr))
    probes = spoke[np.unique(np.geomspace(1, spoke.size, _PROBES).astype(np.int64)) - 1] if spoke.size else spoke
    seen = [arm.only(probes) for arm in arms]
    units, smaller, skewed = _units(seen), np.min([arm.n for arm in seen], axis=0), _skewness(seen)
    counted = [arm.events for arm in seen if arm.events is not None]
    events = np.min(counted, axis=0) if len(counted) == len(arms) else None

    def reason(i: int) -> str | None:
        measured = (None if values is None else float(values[i]) for values in (events, skewed))
        return burn_in(float(units[i]), float(smaller[i]), *measured)

    reasons = [reason(i) for i in range(len(probes))]
    early = [i for i, sentence in enumerate(reasons) if sentence is not None]
    if not early:
        return None
    after = early[-1] + 1
    over = f". From {units[after]:,} units on that is over" if after < len(probes) else ""
    return f"{reasons[early[0]]}{over}"


def _skewness(arms: list[Cumulative]) -> Float64Array | None:
    """Skewness of the estimate at each look, where the data show it."""
    shapes = [Shape.of(arm.n, arm.m2 / arm.n, arm.m3 / arm.n) for arm in arms if arm.m3 is not None]
    if len(shapes) < len(arms):
        return None
    return skewness(*shapes) if len(shapes) == 2 else np.asarray(shapes[0].skewness)


def _units(arms: list[Cumulative]) -> IntArray:
    return np.asarray(np.sum([arm.n for arm in arms], axis=0))


def _estimate(arms: list[Cumulative]) -> Float64Array:
    """The mean, or treatment minus control; nan where a variant has no unit."""
    difference = arms[-1].mean - arms[0].mean if len(arms) == 2 else arms[0].mean
    return np.where(np.min([arm.n for arm in arms], axis=0) > 0, difference, np.nan)


def _variances(variance: object, arms: int) -> tuple[float, ...]:
    given = np.atleast_1d(_check.sample("variance", variance, ndim=(0, 1)))
    if given.size not in (1, arms) or not np.all(given > 0):
        raise ValueError(
            f"`variance` must be above 0, one number or one for each variant; got {_check.show(variance)}."
        )
    return tuple(np.broadcast_to(given, arms).tolist())


def _triple(estimate: object, stderr: object, n: object) -> tuple[Float64Array, Float64Array, IntArray]:
    d = np.atleast_1d(_check.sample("estimate", estimate, ndim=(0, 1)))
    se = np.atleast_1d(_check.sample("stderr", stderr, ndim=(0, 1)))
    if not np.all(se > 0):
        raise ValueError(f"`stderr` must be greater than 0; got {se.min():g}.")
    counted = np.asarray(n)
    if counted.dtype.kind not in "iu":
        raise TypeError(f"`n` must be whole numbers; got {_check.show(n)}.")
    (units,) = in_order("n", counted)
    if not (d.size and d.size == se.size == units.size and units[0] >= 1):
        raise ValueError(f"`n` must be at least 1, one number for each of {d.size} estimates and {se.size} stderrs.")
    return d, se, units


def _tails_of(alpha: float, alternative: Alternative) -> tuple[float, int]:
    _check.choice("alternative", alternative, ALTERNATIVES)
    return _check.within("alpha", alpha, 0, 1), 2 if alternative == "two-sided" else 1


def _tune_at(tune_at: float | None) -> float:
    return _mixture.TUNE_AT if tune_at is None else _check.within("tune_at", tune_at, 0, np.inf)
