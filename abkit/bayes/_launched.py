"""What all launched experiments brought together."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from abkit import _check, _tails
from abkit._check import Float64Array
from abkit._sets import Interval, tail_of
from abkit.posterior._series import LOG_ROOT_2PI

_ROOT_PI = math.sqrt(math.pi)


@dataclass(frozen=True)
class LaunchedTotal:
    """The effects of all launched experiments together.

    Parameters
    ----------
    naive : float
        The sum of their estimates.
    bias : float
        By how much that sum exceeds the sum of their effects, on average.
    stderr : float
        Standard error of the corrected sum.
    launched : tuple of int
        Positions of the launched experiments.

    Examples
    --------
    >>> from abkit.bayes import launched_total
    >>> total = launched_total([0.021, -0.004, 0.003, 0.034], [0.01] * 4)
    >>> total.launched, round(total.naive, 3), round(total.estimate, 4)
    ((0, 3), 0.055, 0.0484)
    """

    naive: float
    bias: float
    stderr: float
    launched: tuple[int, ...]

    @property
    def estimate(self) -> float:
        """The corrected sum."""
        return self.naive - self.bias

    def interval(self, level: float = 0.95) -> Interval:
        """Normal interval of the sum of the effects."""
        level = _check.within("level", level, 0, 1)
        margin = -float(ndtri(tail_of(level, "two-sided"))) * self.stderr
        return Interval(self.estimate - margin, self.estimate + margin, level)


def launched_total(estimates: Any, stderrs: Any, *, alpha: float = 0.05) -> LaunchedTotal:
    """The effects of all launched experiments together, corrected for their having been launched.

    Answers: how much did all that we launched bring?

    Parameters
    ----------
    estimates, stderrs : array_like, shape (experiments,)
        Of all experiments of the period, launched or not, in one unit in which effects add up; independent.
    alpha : float
        An experiment was launched if its estimate was significantly above 0, two-sided at this level.

    Returns
    -------
    LaunchedTotal

    Raises
    ------
    ValueError
        Arrays of different lengths, or a standard error of 0 or less.

    Notes
    -----
    With thresholds b_i the sum of the launched estimates exceeds that of their effects a_i by
    sum_i s_i phi((b_i - a_i) / s_i) on average, over all experiments; `bias` has the estimates in place of the effects
    [1]_, which spread wider than they: where most effects are far smaller than their standard errors that takes off
    too much, up to twice the bias, and where they lie near the thresholds too little, by up to 30%. The standard error
    is that of the corrected sum around the sum of the effects of what was launched, in closed form, also with estimates
    for effects. With some 10 experiments or more, the sum of the means of `shrunk` with the prior that `fit_effects`
    makes of all of them, launched or not, is closer.

    References
    ----------
    .. [1] Lee and Shen 2018, Winner's curse: bias estimation for total effects of features in online controlled
       experiments, KDD '18, sec. 3.

    Examples
    --------
    >>> from abkit.bayes import launched_total
    >>> total = launched_total([0.021, -0.004, 0.003, 0.034], [0.01] * 4)
    >>> total.launched, round(total.naive, 3), round(total.estimate, 4), round(total.stderr, 4)
    ((0, 3), 0.055, 0.0484, 0.0127)
    """
    alpha = _check.within("alpha", alpha, 0, 1)
    y, s = _check.observations("estimates", estimates), _check.observations("stderrs", stderrs)
    if y.shape != s.shape:
        raise ValueError(f"`stderrs` must have one value for each of {y.size} estimates; got {s.size}.")
    if y.size and not s.min() > 0:
        raise ValueError(f"`stderrs` must be greater than 0; got {s.min():g}.")
    t = _tails.critical(alpha / 2, math.inf) - y / s
    launched = np.flatnonzero(t <= 0)
    bias = float(s @ np.exp(-t * t / 2 - LOG_ROOT_2PI))
    return LaunchedTotal(float(y[launched].sum()), bias, math.sqrt(float(s**2 @ _spread(t))), tuple(launched.tolist()))


def _spread(t: Float64Array) -> Float64Array:
    """Variance of 1(z > t) z - phi(t - z) for a standard normal z."""
    density = np.exp(-t * t / 2 - LOG_ROOT_2PI)
    above = ndtr(-t) + t * density
    both = np.exp(-t * t / 4) / (4 * math.pi) * (np.exp(-t * t / 4) + t * _ROOT_PI * ndtr(-t / math.sqrt(2)))
    correction = np.exp(-t * t / 3) / (2 * math.pi * math.sqrt(3))
    mean = density - np.exp(-t * t / 4 - LOG_ROOT_2PI) / math.sqrt(2)
    return np.asarray(above - 2 * both + correction - mean**2)
