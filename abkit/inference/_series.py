"""The level of one series against that of another, bucket by bucket."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.evidence import TestResult, run_test
from abkit.inference._series_effect import SeriesEffect, SeriesRateEffect, level_effect, rate_effect
from abkit.suffstats import count_rows
from abkit.types import Alternative, Null

Method = Literal["auto", "level", "counts"]
Absent = Literal["error", "drop"]

#: Share of buckets without an event from which whole numbers are taken for counts of rare events.
RARE = 0.25
#: Share of the buckets that may be missing before the answer is doubtful: they are rarely missing at random.
MANY = 0.1


def series_test(
    control: object,
    treatment: object,
    *,
    alternative: Alternative = "two-sided",
    null: Null = 0.0,
    method: Method = "auto",
    missing: Absent = "error",
) -> TestResult:
    """Level of one time series against another of the same time buckets: a canary and its baseline, minute by minute.

    Answers: did the level of the treatment's series differ from the control's, where neighbouring values resemble each
    other?

    Parameters
    ----------
    control, treatment : array_like, shape (n,) or (n, 2)
        One value per time bucket, in order and at equal steps, in the metric's own unit; both series have the same
        buckets, n >= 2. For counts with an exposure, (events, exposure) of each bucket, exposures above 0.
    alternative : {"two-sided", "greater", "less"}
        "greater": the treatment's effect is larger than `null`.
    null : float or Relative
        Effect under the null hypothesis: a difference of levels for "level", a log rate ratio for "counts", or for
        either a share of the control's level.
    method : {"auto", "level", "counts"}
        level: difference of the means. counts: ratio of the rates of events, exact where these are independent. auto:
        counts where the values are (events, exposure), or whole numbers, none negative and a quarter of them zero;
        else level.
    missing : {"error", "drop"}
        What nan means: by default it is refused. "drop": a bucket that is nan in either series enters neither.

    Returns
    -------
    TestResult
        `effect.n` and `effect.missing` count the buckets. Where the series are too short for the persistence that they
        show, or shorter than 8 buckets, pvalue is nan and `reason` says so: no answer is an answer.

    Raises
    ------
    ValueError
        Fewer than two buckets, series of different length, a value that is infinite, or events below 0.
    TypeError
        Observations that are not 64-bit numbers.

    Notes
    -----
    level: t = (mean of the differences - null) / sqrt(V / n), V the long-run variance of the differences. They are
    freed of first-order persistence, corrected for its bias [1]_ and rounded up by 0.2 standard errors; V is the mean
    square of the 0.6 n^(2/3) lowest cosines of the rest [2]_, over (1 - persistence)^2 [3]_. The degrees of freedom
    are 2 over the variance of log V. counts: `rate_test` by "exact" on the events and exposures divided by the
    dispersion (V over the Poisson variance, at least 1), with a t in place of the normal where it is above 1.
    Not valid under repeated looks: share alpha among them. The two series must have been there at the same time: a
    series against its own past is observational. A trend of the difference is taken for persistence.

    References
    ----------
    .. [1] Kendall 1954, Biometrika 41(3-4).
    .. [2] Lazarus, Lewis, Stock and Watson 2018, Journal of Business and Economic Statistics 36(4), sec. 3.
    .. [3] Andrews and Monahan 1992, Econometrica 60(4), eq. 2.4.

    Examples
    --------
    >>> import numpy as np
    >>> from abkit import series_test
    >>> baseline = np.array([31, 33, 30, 32, 34, 33, 31, 30, 32, 33, 31, 32], dtype=float)  # ms, each minute
    >>> canary = baseline + np.array([4, 6, 5, 3, 5, 6, 4, 5, 4, 6, 5, 4], dtype=float)
    >>> result = series_test(baseline, canary, alternative="greater")
    >>> result.estimate, round(result.pvalue, 4)
    (4.75, 0.0007)
    """
    effect = series_effect(control, treatment, method=method, missing=missing)
    return run_test("series", effect, alternative, null, series_caution(effect))


def series_effect(
    control: object, treatment: object, *, method: Method = "auto", missing: Absent = "error"
) -> SeriesEffect | SeriesRateEffect:
    """The effect that `series_test` tests."""
    _check.choice("method", method, get_args(Method))
    _check.choice("missing", missing, get_args(Absent))
    c, t = _series("control", control, missing), _series("treatment", treatment, missing)
    if c.shape != t.shape:
        raise ValueError(f"`treatment` must have as many values as `control`, {c.shape}; got {t.shape}.")
    if len(c) < 2:
        raise ValueError(f"`control` must have at least 2 time buckets; got {len(c)}.")
    return _effect(c, t, method)


def _series(name: str, values: object, missing: Absent) -> Float64Array:
    """A series; where nan is allowed, it stays."""
    if missing == "error":
        return _check.observations(name, values, (1, 2))
    try:
        array = np.asarray(values)
    except ValueError:
        raise ValueError(f"`{name}` must have rows of one length.") from None
    if array.dtype.kind != "f" or isinstance(values, np.ma.MaskedArray):
        return _check.observations(name, values, (1, 2))
    absent = np.isnan(array)
    present = _check.observations(name, np.where(absent, 0, array), (1, 2))
    return np.where(absent, np.nan, present)


def _effect(control: Float64Array, treatment: Float64Array, method: Method) -> SeriesEffect | SeriesRateEffect:
    absent = (np.isnan(control) | np.isnan(treatment)).reshape(len(control), -1).any(axis=1)
    missing, c, t = int(absent.sum()), control[~absent], treatment[~absent]
    if method == "counts" or (method == "auto" and _of_rare_events(c, t)):
        return rate_effect(_rows("control", c), _rows("treatment", t), missing)
    if c.ndim > 1:
        raise ValueError("`control` must have one value per time bucket for the method 'level'; got pairs.")
    return level_effect(c, t, missing)


def _rows(name: str, values: Float64Array) -> Float64Array:
    return count_rows(name, values) if len(values) else np.empty((0, 2))


def _of_rare_events(control: Float64Array, treatment: Float64Array) -> bool:
    values = np.concatenate([control, treatment])
    if values.ndim > 1:
        return True
    whole = bool((values >= 0).all() and (values == np.floor(values)).all())
    return whole and float((values == 0).mean() if values.size else 0.0) >= RARE


def series_caution(effect: SeriesEffect | SeriesRateEffect) -> str | None:
    """A caution where many buckets are missing."""
    buckets = effect.n + effect.missing
    if effect.missing <= MANY * buckets:
        return None
    return (
        f"{effect.missing} of {buckets} time buckets have no value in one of the series and are left out; if they are "
        "missing because of the treatment, the rest cannot be compared"
    )
