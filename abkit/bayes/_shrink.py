"""Estimates that were chosen for their size: what is left of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.special import log_ndtr

from abkit import _check, _tails
from abkit._check import Float64Array
from abkit._sets import Interval, tail_of
from abkit.bayes._comparison import Comparison
from abkit.bayes._effect_posterior import EffectPosterior
from abkit.bayes._effect_priors import EffectPrior
from abkit.bayes._history import EffectHistory, by_data, effect_prior
from abkit.evidence import TestResult
from abkit.posterior._series import LOG_ROOT_2PI
from abkit.types import ALTERNATIVES, Alternative

#: Effects farther than so many standard errors from the estimate are given as infinite.
FARTHEST = 1000.0


@dataclass(frozen=True)
class SelectedEffect:
    """An effect whose estimate was reported because of its size.

    Parameters
    ----------
    naive, stderr : float
        The estimate as it was reported, and its standard error.
    chosen : tuple of (float, float)
        The intervals in which an estimate is reported.

    Examples
    --------
    >>> from abkit.bayes import after_selection
    >>> effect = after_selection(0.025, 0.01)
    >>> round(effect.estimate, 4), round(effect.mle, 4)
    (0.0154, 0.0114)
    """

    naive: float
    stderr: float
    chosen: tuple[tuple[float, float], ...]

    @cached_property
    def estimate(self) -> float:
        """The median-unbiased estimate: that at which as many estimates among the reported ones would be larger."""
        return self._where(0.5)

    @cached_property
    def mle(self) -> float:
        """The conditional maximum likelihood estimate: that at which the reported estimates have this mean."""
        return self._root(lambda theta: self.naive - self._mean(theta))

    def interval(self, level: float = 0.95) -> Interval:
        """The effects at which the estimate, among the reported ones, is not in a tail: exact for normal estimates.

        All values, where the estimate is so near a threshold that both ends are beyond 1,000 standard errors.
        """
        level = _check.within("level", level, 0, 1)
        tail = tail_of(level, "two-sided")
        low, high = self._where(tail), self._where(1 - tail)
        return Interval(low, high, level) if low < high else Interval(-math.inf, math.inf, level)

    def _where(self, above: float) -> float:
        """The effect at which a larger estimate, among the reported ones, has this probability."""
        parts = [(max(low, self.naive), high) for low, high in self.chosen if high > self.naive]
        return self._root(
            lambda theta: above - math.exp(self._log_mass(parts, theta) - self._log_mass(self.chosen, theta))
        )

    def _log_mass(self, parts: Any, theta: float) -> float:
        logs = [_log_between((low - theta) / self.stderr, (high - theta) / self.stderr) for low, high in parts]
        top = max(logs, default=-math.inf)
        return top + math.log(math.fsum(math.exp(log - top) for log in logs)) if top > -math.inf else top

    def _mean(self, theta: float) -> float:
        ends = [((low - theta) / self.stderr, (high - theta) / self.stderr) for low, high in self.chosen]
        mass = self._log_mass(self.chosen, theta)
        pulls = (
            math.exp(-a * a / 2 - LOG_ROOT_2PI - mass) - math.exp(-b * b / 2 - LOG_ROOT_2PI - mass) for a, b in ends
        )
        return theta + self.stderr * math.fsum(pulls)

    def _root(self, decreasing: Callable[[float], float]) -> float:
        from scipy.optimize import brentq

        for reach in (4.0, 30.0, FARTHEST):
            low, high = self.naive - reach * self.stderr, self.naive + reach * self.stderr
            above, below = decreasing(low), decreasing(high)
            if above > 0 >= below:
                return float(brentq(decreasing, low, high, xtol=1e-15 * self.stderr, rtol=1e-15))
        return math.inf if above > 0 else -math.inf


def shrunk(estimate: Any, prior: EffectPrior | EffectHistory, *, stderr: Any = None) -> EffectPosterior:
    """The effect after its estimate, drawn towards what effects are like.

    Answers: what is the effect, knowing what experiments like this one have had?

    Parameters
    ----------
    estimate : TestResult, Comparison or array_like
        The estimate, with its standard error or with `stderr` beside it. A comparison must not have a prior of the
        effect already.
    prior : NormalPrior, StudentPrior, MixturePrior or EffectHistory
        What effects are like, on the same scale.
    stderr : array_like, optional
        Standard errors of estimates that are numbers.

    Returns
    -------
    EffectPosterior

    Raises
    ------
    ValueError
        A result without an estimate, on another scale than the history, or a standard error of 0 or less.
    TypeError
        Something that is not a prior, or a number without its standard error.

    Notes
    -----
    The posterior mean under a true prior needs no correction for selection: given the data, nothing more is learnt
    from the fact that they were found worth reporting [1]_. That is as true as the prior is: fit it to all experiments,
    and not to those that were launched. Without a prior, see `after_selection`. For segments of one experiment, which
    inform each other, use `abkit.shrink`.

    References
    ----------
    .. [1] Senn 2008, A note concerning a selection "paradox" of Dawid's, The American Statistician 62(3).

    Examples
    --------
    >>> from abkit import Moments, welch_test
    >>> from abkit.bayes import NormalPrior, shrunk
    >>> result = welch_test(Moments(10_000, 5.0, 40_000.0), Moments(10_000, 5.07, 40_000.0))
    >>> posterior = shrunk(result, NormalPrior(sd=0.03))
    >>> round(result.estimate, 3), round(posterior.mean, 3), round(posterior.sf(0.0), 3)
    (0.07, 0.037, 0.964)
    """
    y, s, own = _estimate(estimate, stderr)
    distribution = effect_prior(prior, own)
    if not isinstance(distribution, EffectPrior):
        raise TypeError(f"`prior` must be a prior of effects or a history; got {_check.show(prior)}.")
    return distribution.posterior(y, s)


def after_selection(
    estimate: Any, stderr: Any = None, *, alpha: float = 0.05, alternative: Alternative = "two-sided"
) -> SelectedEffect:
    """A significant estimate, corrected for having been reported because it was significant.

    Answers: this effect is known to us only because it was significant; how large is it?

    Parameters
    ----------
    estimate : TestResult, Comparison or float
        The significant estimate; a number needs `stderr` beside it.
    stderr : float, optional
        Its standard error.
    alpha : float
        The level at which estimates are reported, between 0 and 1.
    alternative : {"two-sided", "greater", "less"}
        On which side estimates are reported.

    Returns
    -------
    SelectedEffect

    Raises
    ------
    ValueError
        An estimate that is not significant at this level, or a standard error of 0 or less.

    Notes
    -----
    Given that it was reported, the estimate has a normal distribution truncated to the region of rejection [1]_. `mle`
    maximises that likelihood [1]_; `estimate` is the effect at which the truncated distribution has the estimate as its
    median, and the interval inverts its tails, which is exact: of the reported effects, 95% lie in their 95% intervals,
    whatever the effects are. Near the threshold the intervals are wide and the estimate may change its sign; one
    end may be infinite. Much of what is known of experiments like this one is not used: with a history, `shrunk` is
    shorter and better. Not for results of a plan that stopped early, whose estimates are chosen otherwise.

    References
    ----------
    .. [1] Zhong and Prentice 2008, Biostatistics 9(4), 621-634, sec. 2.

    Examples
    --------
    >>> from abkit.bayes import after_selection
    >>> effect = after_selection(0.035, 0.01)
    >>> round(effect.naive, 4), round(effect.estimate, 4), round(effect.mle, 4)
    (0.035, 0.0341, 0.0333)
    >>> [round(end, 4) for end in effect.interval(0.95)]
    [0.0073, 0.0546]
    """
    _check.choice("alternative", alternative, ALTERNATIVES)
    alpha = _check.within("alpha", alpha, 0, 1)
    y, s, _ = _one(estimate, stderr)
    cut = s * _tails.critical(alpha / 2 if alternative == "two-sided" else alpha, math.inf)
    below = ((-math.inf, -cut),) if alternative != "greater" else ()
    chosen = (*below, (cut, math.inf)) if alternative != "less" else below
    if not any(low <= y <= high for low, high in chosen):
        raise ValueError(
            f"`estimate` must be significant at {alpha:g} to have been chosen for it; got z = {y / s:.3g}."
        )
    return SelectedEffect(y, s, chosen)


def best_of_several(estimates: Any, covariance: Any) -> SelectedEffect:
    """The largest of several estimates, corrected for having been chosen because it is the largest.

    Answers: this variant won among several; how large is its effect?

    Parameters
    ----------
    estimates : array_like, shape (k,)
        The estimates of all variants, 2 or more.
    covariance : array_like, shape (k,) or (k, k)
        Their standard errors where they are independent, or their covariances: effects against one control share its
        variance.

    Returns
    -------
    SelectedEffect

    Raises
    ------
    ValueError
        Shapes that do not fit, variances of 0 or less, or covariances that cannot be.

    Notes
    -----
    Given what the others show, net of what they share with the winner, the winner's estimate is normal and truncated to
    where it is the largest: with Z_k = Y_k - c_k Y, c_k = Cov(Y_k, Y) / Var(Y), it lies above Z_k / (1 - c_k) for
    c_k < 1 and below it for c_k > 1 [1]_. Estimate and interval are median-unbiased and exact, given that this variant
    won. Where two are nearly equal the interval is very wide.

    References
    ----------
    .. [1] Andrews, Kitagawa and McCloskey 2024, Inference on winners, Quarterly J. of Economics 139(1), 305-358,
       sec. III.

    Examples
    --------
    >>> from abkit.bayes import best_of_several
    >>> winner = best_of_several([0.01, 0.012, 0.031], [0.01, 0.01, 0.01])
    >>> round(winner.naive, 4), round(winner.estimate, 4)
    (0.031, 0.0306)
    """
    y = _check.observations("estimates", estimates)
    if y.size < 2:
        raise ValueError(f"`estimates` must have 2 or more values; got {y.size}.")
    v = _covariance(covariance, y.size)
    best = int(np.argmax(y))
    share = v[best] / v[best, best]
    others = np.delete(np.arange(y.size), best)
    slope = 1 - share[others]
    ends = y[best] + (y[others] - y[best]) / np.where(slope != 0, slope, 1.0)
    low = float(np.max(ends[slope > 0], initial=-math.inf))
    high = float(np.min(ends[slope < 0], initial=math.inf))
    return SelectedEffect(float(y[best]), math.sqrt(v[best, best]), ((low, high),))


def _estimate(estimate: Any, stderr: Any) -> tuple[Any, Any, str | None]:
    """Estimates, standard errors, and their scale where that is known."""
    if not isinstance(estimate, Comparison | TestResult):
        if stderr is None:
            raise TypeError("`stderr` must be given beside estimates that are numbers.")
        return estimate, stderr, None
    if stderr is not None:
        raise TypeError("`stderr` must be left out: the result has its own.")
    if isinstance(estimate, Comparison) and isinstance(estimate.prior_used, EffectPrior):
        raise ValueError("`estimate` must not be drawn together already by a prior of the effect.")
    if estimate.reason is not None:
        raise ValueError(f"`estimate` must have an estimate with a standard error; it has none: {estimate.reason}.")
    seen = by_data(estimate)
    return seen.estimate, seen.stderr, estimate.scale


def _one(estimate: Any, stderr: Any) -> tuple[float, float, str | None]:
    y, s, scale = _estimate(estimate, stderr)
    return _check.number("estimate", y), _check.within("stderr", s, 0, math.inf), scale


def _covariance(covariance: Any, size: int) -> Float64Array:
    v = _check.observations("covariance", covariance, (1, 2))
    v = np.diag(v**2) if v.ndim == 1 else v
    if v.shape != (size, size):
        raise ValueError(f"`covariance` must have a row for each of {size} estimates; got {v.shape}.")
    if not (np.diag(v) > 0).all():
        raise ValueError(f"`covariance` must have variances greater than 0; got {np.diag(v).min():g}.")
    if not np.allclose(v, v.T, rtol=1e-9, atol=0):
        raise ValueError("`covariance` must be symmetric.")
    if not np.linalg.eigvalsh(v).min() >= -1e-9 * np.diag(v).max():
        raise ValueError("`covariance` must be positive semidefinite: correlations lie between -1 and 1.")
    return v


def _log_between(a: float, b: float) -> float:
    """The logarithm of P(a < Z < b)."""
    a, b = (-b, -a) if a > 0 else (a, b)
    upper, lower = float(log_ndtr(b)), float(log_ndtr(a))
    return upper + math.log1p(-math.exp(lower - upper)) if lower < upper else -math.inf
