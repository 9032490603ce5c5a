"""Effects over segments: whether they differ, what each is with the others' help, and whether they hide a reversal."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from abkit import _check, _tails
from abkit._check import Float64Array
from abkit._roots import bisect
from abkit._sets import Interval, WholeLine
from abkit.evidence import TestResult

Between = Literal["reml", "dl", "pm"]
_TOO_FEW = "fewer than two segments have an estimate with a standard error"


@dataclass(frozen=True, slots=True)
class HeterogeneityResult:
    """Whether the effects of segments differ by more than chance.

    Parameters
    ----------
    statistic : float
        Cochran's Q: the weighted squared distances from the pooled effect. nan where the test is undefined.
    df : int
        Degrees of freedom, one less than the segments that have an answer.
    pvalue : float
        Of the hypothesis that all segments have one effect.
    i_squared : float
        Share of the variation of the estimates that is not chance, 0 to 1.
    tau_squared : float
        Variance of the segments' true effects, in the unit of the effect squared.
    estimate, stderr : float
        The pooled effect, each segment weighted by 1 / stderr^2, and its standard error.
    skipped : tuple of int
        Positions of the results that have no estimate or no standard error.
    reason : str or None
        Why the test is undefined.

    Examples
    --------
    >>> from abkit import Moments, heterogeneity_test, welch_test
    >>> new = welch_test(Moments(1000, 5.0, 4000.0), Moments(1000, 5.6, 4000.0))
    >>> old = welch_test(Moments(4000, 7.0, 16_000.0), Moments(4000, 7.1, 16_000.0))
    >>> [round(end, 2) for end in heterogeneity_test([new, old]).interval()]
    [0.12, 0.28]
    """

    statistic: float
    df: int
    pvalue: float
    i_squared: float
    tau_squared: float
    estimate: float
    stderr: float
    skipped: tuple[int, ...] = ()
    reason: str | None = None

    def interval(self, level: float = 0.95) -> Interval | WholeLine:
        """Normal interval of the pooled effect, which is that of every segment if they have one effect."""
        level = _check.within("level", level, 0, 1)
        return _normal(self.estimate, self.stderr, level)


@dataclass(frozen=True, slots=True)
class ShrunkEffect:
    """The effect of a segment, drawn towards that of all by as much as chance has moved it.

    Parameters
    ----------
    estimate, stderr : float
        Mean and standard deviation of the segment's effect given all segments.
    shrinkage : float
        The share of the way from the segment's own estimate to the pooled one: 0 is its own, 1 the pooled one.
    reason : str or None
        Why the segment has no estimate of its own, where it has none.

    Examples
    --------
    >>> from abkit.inference import ShrunkEffect
    >>> [round(end, 2) for end in ShrunkEffect(0.4, 0.1, 0.5).interval(0.95)]
    [0.2, 0.6]
    """

    estimate: float
    stderr: float
    shrinkage: float
    reason: str | None = None

    def interval(self, level: float = 0.95) -> Interval | WholeLine:
        """Morris's interval: normal, with the uncertainty of the mean and variance of the segments' effects."""
        level = _check.within("level", level, 0, 1)
        return _normal(self.estimate, self.stderr, level)


def heterogeneity_test(results: Iterable[TestResult], *, method: Between = "reml") -> HeterogeneityResult:
    """Whether effects differ between segments: Cochran's Q; the interaction test where there are two.

    Answers: do these segments respond differently, or is it chance?

    Parameters
    ----------
    results : iterable of TestResult
        One for each segment, all of one test. No unit is in two segments, and none was moved into a segment by the
        treatment. Those without an estimate and standard error are left out and listed in `skipped`.
    method : {"reml", "dl", "pm"}
        How `tau_squared` is estimated: restricted maximum likelihood, DerSimonian and Laird, or Paule and Mandel. Q
        and its p-value do not depend on it.

    Returns
    -------
    HeterogeneityResult
        With fewer than two segments left pvalue is nan and `reason` says so.

    Raises
    ------
    ValueError
        Results on different scales, or no result that has an estimate.
    TypeError
        Something that is not a `TestResult`.

    Notes
    -----
    Q = sum w_i (y_i - ybar)^2 with w_i = 1 / stderr_i^2 and ybar the weighted mean, against chi-square with k - 1
    degrees of freedom [1]_; I^2 = max(0, 1 - (k - 1) / Q) [2]_. With two segments Q = (y_1 - y_2)^2 / (v_1 + v_2).
    tau^2: [3]_, [4]_ eq. 8, or [5]_. The standard errors are taken as known: with under some 50 units in a segment Q
    rejects too often. A segment whose own effect is significant where another's is not is no evidence that they
    differ; this test is.

    References
    ----------
    .. [1] Cochran 1954, Biometrics 10(1), 101-129.
    .. [2] Higgins and Thompson 2002, Statistics in Medicine 21(11), sec. 3.3.
    .. [3] Viechtbauer 2005, J. Educational and Behavioral Statistics 30(3), eq. 14.
    .. [4] DerSimonian and Laird 1986, Controlled Clinical Trials 7(3).
    .. [5] Paule and Mandel 1982, J. Research of the National Bureau of Standards 87(5).

    Examples
    --------
    >>> from abkit import Moments, heterogeneity_test, welch_test
    >>> new = welch_test(Moments(1000, 5.0, 4000.0), Moments(1000, 5.6, 4000.0))
    >>> old = welch_test(Moments(4000, 7.0, 16_000.0), Moments(4000, 7.1, 16_000.0))
    >>> result = heterogeneity_test([new, old])
    >>> round(result.statistic, 2), result.df, f"{result.pvalue:.1e}", round(result.i_squared, 3)
    (24.98, 1, '5.8e-07', 0.96)
    """
    _check.choice("method", method, get_args(Between))
    listed = checked_results(results)
    kept = segment_answers(listed)
    y, v, scale = scaled([listed[i] for i in kept])
    mean, weights = pooled(y, v, 0.0)
    skipped = tuple(sorted(set(range(len(listed))) - set(kept)))
    df, estimate, stderr = len(kept) - 1, scale * mean, scale / math.sqrt(weights.sum())
    if df < 1:
        return HeterogeneityResult(math.nan, df, math.nan, 0.0, 0.0, estimate, stderr, skipped, _TOO_FEW)
    q = float(weights @ (y - mean) ** 2)
    excess = max(0.0, 1 - df / q) if q > 0 else 0.0
    tau2 = ESTIMATORS[method](y, v) * scale * scale
    return HeterogeneityResult(q, df, _tails.chi_square_survival(q, df), excess, tau2, estimate, stderr, skipped, None)


def shrink(results: Iterable[TestResult]) -> tuple[ShrunkEffect, ...]:
    """Empirical-Bayes effects of segments: each is drawn towards that of all.

    Answers: what is the effect in this segment, knowing what it is in the others?

    Parameters
    ----------
    results : iterable of TestResult
        One for each segment, all of one test. No unit is in two segments.

    Returns
    -------
    tuple of ShrunkEffect
        In the order given, never nan. A segment without an estimate of its own has that of all. With fewer than four
        segments nothing is known of how effects vary, and each keeps its own.

    Raises
    ------
    ValueError
        Results on different scales, or no result that has an estimate.
    TypeError
        Something that is not a `TestResult`.

    Notes
    -----
    Normal effects around a common mean, normal estimates around the effects. With A the variance of the effects by
    the equation sum (y_i - mu)^2 / (v_i + A) = k - 1 (Paule and Mandel's), w_i = 1 / (v_i + A) and mu the weighted
    mean, the estimate is (1 - B_i) y_i + B_i mu, B_i = (k - 3) / (k - 1) v_i / (v_i + A); its variance [1]_

        v_i (1 - (1 - w_i / sum w) B_i) + 2 / (k - 3) B_i^2 (vbar + A) / (v_i + A) (y_i - mu)^2

    counts the uncertainty of mu and of A. The intervals cover on average over segments, not each segment given its
    true effect: one that is truly exceptional is drawn too far. For equal v_i it is the estimator of James and Stein,
    towards the mean [2]_.

    References
    ----------
    .. [1] Morris 1983, JASA 78(381), 47-55.
    .. [2] Efron and Morris 1975, JASA 70(350), 311-319.

    Examples
    --------
    >>> from abkit import Moments, shrink, welch_test
    >>> means = [(5.0, 5.0), (6.0, 6.1), (4.0, 4.2), (7.0, 7.1), (5.0, 5.5)]  # control and treatment in each segment
    >>> results = [welch_test(Moments(1000, c, 4000.0), Moments(1000, t, 4000.0)) for c, t in means]
    >>> [round(effect.estimate, 2) for effect in shrink(results)]
    [0.02, 0.11, 0.2, 0.11, 0.47]
    """
    listed = checked_results(results)
    kept = segment_answers(listed)
    y, v, scale = scaled([listed[i] for i in kept])
    k = len(kept)
    between = paule_mandel(y, v)
    mu, w = pooled(y, v, between)
    # beyond the own estimates there is the prior alone
    spread = scale * math.sqrt(between + 1 / w.sum()) if k > 3 else math.inf
    shrunk = [ShrunkEffect(scale * mu, spread, 1.0, result.reason or "no standard error") for result in listed]
    b = max(k - 3, 0) / max(k - 1, 1) * v * w
    average = float(w @ v / w.sum())
    variance = v * (1 - (1 - w / w.sum()) * b)
    if k > 3:
        variance += 2 / (k - 3) * b * b * (average + between) * w * (y - mu) ** 2
    estimates, stderrs = scale * (y - b * (y - mu)), scale * np.sqrt(variance)
    for i, estimate, stderr, share in zip(kept, estimates.tolist(), stderrs.tolist(), b.tolist(), strict=True):
        shrunk[i] = ShrunkEffect(estimate, stderr, share)
    return tuple(shrunk)


def dersimonian_laird(y: Float64Array, v: Float64Array) -> float:
    """Variance between by the moments of Q."""
    mean, w = pooled(y, v, 0.0)
    excess = float(w @ (y - mean) ** 2) - (y.size - 1)
    return max(0.0, excess / float(w.sum() - w @ w / w.sum()))


def paule_mandel(y: Float64Array, v: Float64Array) -> float:
    """Variance between at which Q, weighted with it, is its degrees of freedom."""
    if y.size < 2:
        return 0.0

    def excess(between: float) -> float:
        mean, w = pooled(y, v, between)
        return float(w @ (y - mean) ** 2) - (y.size - 1)

    return bisect(excess, 0.0, float(np.sum((y - y.mean()) ** 2)) / (y.size - 1))


def restricted_likelihood(y: Float64Array, v: Float64Array) -> float:
    """Variance between of highest restricted likelihood, by Fisher scoring, halved where it would leave zero."""
    between = dersimonian_laird(y, v)
    for _ in range(1000):
        mean, w = pooled(y, v, between)
        total = w.sum()
        trace = total - w @ w / total
        information = w @ w - 2 * (w**3).sum() / total + (w @ w / total) ** 2
        step = float((w * w) @ (y - mean) ** 2 - trace) / float(information)
        before, between = between, max(0.0, between + step)
        if abs(between - before) <= 1e-14 * (1 + between):
            break
    return between


ESTIMATORS = {"reml": restricted_likelihood, "dl": dersimonian_laird, "pm": paule_mandel}


def segment_answers(results: list[TestResult]) -> list[int]:
    """Positions of the results that have an estimate and a standard error; all must be on one scale."""
    scales = sorted({result.scale for result in results})
    if len(scales) > 1:
        raise ValueError(f"`results` must be on one scale; got {', '.join(scales)}.")
    kept = [i for i, result in enumerate(results) if _has_answer(result)]
    if not kept:
        raise ValueError(f"`results` must have an estimate with a standard error; got none among {len(results)}.")
    return kept


def checked_results(results: Iterable[TestResult]) -> list[TestResult]:
    """Results of tests as a list, and nothing else."""
    if not isinstance(results, Iterable):
        raise TypeError(f"`results` must be a list of results of tests; got {_check.show(results)}.")
    listed = list(results)
    for result in listed:
        if not isinstance(result, TestResult):
            raise TypeError(f"`results` must hold results of tests; got {_check.show(result)}.")
    return listed


def scaled(results: list[TestResult]) -> tuple[Float64Array, Float64Array, float]:
    """Estimates and variances in units of the largest standard error, and that unit."""
    scale = max(result.stderr for result in results)
    y = np.array([result.estimate / scale for result in results])
    return y, np.array([(result.stderr / scale) ** 2 for result in results]), scale


def pooled(y: Float64Array, v: Float64Array, between: float) -> tuple[float, Float64Array]:
    """The weighted mean, and the weights."""
    weights = 1 / (v + between)
    return float(weights @ y / weights.sum()), weights


def _has_answer(result: TestResult) -> bool:
    return result.reason is None and math.isfinite(result.estimate) and 0 < result.stderr < math.inf


def _normal(estimate: float, stderr: float, level: float) -> Interval | WholeLine:
    if math.isinf(stderr):
        return WholeLine(level)
    margin = _tails.critical((1 - level) / 2, math.inf) * stderr
    return Interval(estimate - margin, estimate + margin, level)
