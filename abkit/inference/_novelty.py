"""Novelty and primacy: whether the effect changes with the days since a unit was first exposed."""

from __future__ import annotations

import numpy as np

from abkit import _check
from abkit.evidence import TestResult, run_test
from abkit.inference._linear import linear_effect, mean_arm
from abkit.inference._randomised import need_randomised
from abkit.suffstats import CoMoments
from abkit.types import Alternative, Assignment, Null


def novelty_test(
    control: object,
    treatment: object,
    *,
    alternative: Alternative = "two-sided",
    null: Null = 0.0,
    assignment: Assignment = "randomised",
) -> TestResult:
    """Trend of the effect by days since exposure.

    Answers: does the effect wear off (novelty), or does it grow as units learn (primacy)?

    Parameters
    ----------
    control, treatment : CoMoments of k days, or array_like, shape (n, k)
        Per unit the metric on each of its first k days since exposure, in order; k >= 2. Only units that were
        followed for all k days: one that left the experiment's window early would look like a trend.
    alternative : {"two-sided", "greater", "less"}
        "greater": the effect grows by more than `null` a day.
    null : float or Relative
        Change of the effect per day under the null hypothesis, in the metric's unit.
    assignment : {"randomised", "adaptive"}
        How units came to their variants. "adaptive", by earlier outcomes as in a bandit, is refused.

    Returns
    -------
    TestResult
        `estimate` is the change of the effect per day; `control` and `treatment` are the variants' own trends.

    Raises
    ------
    ValueError
        Fewer than two days or units, or another number of days in the treatment.
    TypeError
        Observations that are not 64-bit numbers.

    Notes
    -----
    The least-squares slope of a unit's days is a weighted sum of them, and the trend of the effect is the effect on
    that slope [1]_, so this is Welch's test of the units' slopes: valid whatever the correlation of a unit's days, and
    blind to a weekday pattern that both variants share. An effect that comes and goes without a trend is not seen.

    References
    ----------
    .. [1] Matthews, Altman, Campbell and Royston 1990, BMJ 300, 230-235: analysis of serial measurements by summary
       measures. Novelty and primacy: Kohavi, Tang and Xu 2020, Trustworthy Online Controlled Experiments, sec. 23.

    Examples
    --------
    >>> import numpy as np
    >>> from abkit import novelty_test
    >>> rng = np.random.default_rng(3)
    >>> days = np.arange(7)
    >>> control = rng.normal(10, 1, (2000, 7))
    >>> treatment = rng.normal(10 + 0.5 * 0.7**days, 1, (2000, 7))  # an effect that wears off
    >>> result = novelty_test(control, treatment)
    >>> round(result.estimate, 3), result.pvalue < 0.001
    (-0.067, True)
    """
    need_randomised("novelty_test", assignment)
    c, t = _days("control", control), _days("treatment", treatment)
    if len(c.names) != len(t.names):
        raise ValueError(f"`treatment` must have {len(c.names)} days as the control; got {len(t.names)}.")
    return run_test("novelty", linear_effect(mean_arm(slope(c)), mean_arm(slope(t))), alternative, null)


def slope(days: CoMoments) -> CoMoments:
    """The least-squares slope over the variables, taken as days 0, 1, 2, ..., of each unit."""
    centred = np.arange(len(days.names)) - (len(days.names) - 1) / 2
    weights = centred / float(centred @ centred)
    spread = max(float(weights @ days.m2 @ weights), 0.0)
    return CoMoments(days.n, np.array([float(weights @ days.mean)]), np.array([[spread]]), ("slope",))


def _days(name: str, data: object) -> CoMoments:
    if not isinstance(data, CoMoments):
        sample = _check.sample(name, data, ndim=2)
        data = CoMoments.from_sample(sample, [f"day {i}" for i in range(sample.shape[1])], name)
    if np.ndim(data.n) or len(data.names) < 2:
        raise ValueError(f"`{name}` must be one group's values on at least 2 days; got {len(data.names)}.")
    if data.n < 2:
        raise ValueError(f"`{name}` must have at least 2 units; got {data.n}.")
    return data
