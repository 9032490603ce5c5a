"""Ratio of two means per variant, compared between variants."""

from __future__ import annotations

import numpy as np

from abkit import _check
from abkit.evidence import TestResult, run_test
from abkit.inference._linear import linear_effect, ratio_arm
from abkit.inference._randomised import need_randomised
from abkit.suffstats import CoMoments
from abkit.types import Alternative, Assignment, Null

FEWEST = 10


def ratio_test(
    control: object,
    treatment: object,
    *,
    alternative: Alternative = "two-sided",
    null: Null = 0.0,
    assignment: Assignment = "randomised",
) -> TestResult:
    """Difference of two ratios of means, such as clicks per view or events per row, by the delta method.

    Answers: is the treatment's total numerator over its total denominator different from the control's,
    where both vary from unit to unit?

    Parameters
    ----------
    control, treatment : CoMoments of (numerator, denominator), or array_like, shape (n, 2)
        Per randomised unit its numerator and its denominator. Each needs n >= 2.
    alternative : {"two-sided", "greater", "less"}
        "greater": the treatment's ratio exceeds the control's by more than `null`.
    null : float or Relative
        Difference of the ratios under the null hypothesis, or as a share of the control's ratio.
    assignment : {"randomised", "adaptive"}
        How units came to their variants. "adaptive", by earlier outcomes as in a bandit, is refused.

    Returns
    -------
    TestResult

    Raises
    ------
    ValueError
        Fewer than two units, not two variables, a denominator whose mean is zero, or values not finite.
    TypeError
        Observations that are not 64-bit numbers.

    Notes
    -----
    Per variant R = mean(y) / mean(d) and Var(R) = Var(y - R d) / (n mean(d)^2) [1]_; with rows as the
    denominator this is the cluster-robust variance of the mean of rows, times n / (n - 1) [2]_. Degrees of
    freedom by Satterthwaite. The denominator's mean must be well away from zero: several standard errors.
    Not valid when the treatment changes the denominator and the ratio is read as a rate per row.

    References
    ----------
    .. [1] Deng, Knoblich and Lu 2018, KDD, eq. 3 and 4.
    .. [2] Liang and Zeger 1986, Biometrika 73(1).

    Examples
    --------
    >>> import abkit as ab
    >>> control = [[1, 4], [0, 2], [2, 5], [1, 3]]      # clicks and views of four users
    >>> treatment = [[2, 4], [1, 2], [2, 4], [2, 5]]
    >>> result = ab.ratio_test(control, treatment)
    >>> round(result.control, 3), round(result.treatment, 3), round(result.stderr, 3)
    (0.286, 0.467, 0.075)
    """
    need_randomised("ratio_test", assignment)
    c, t = _pair("control", control), _pair("treatment", treatment)
    effect = linear_effect(ratio_arm(c), ratio_arm(t))
    return run_test("ratio", effect, alternative, null, few_for_delta(int(c.n), int(t.n)))


def few_for_delta(control: int, treatment: int) -> str | None:
    """A caution where there are too few units for the delta method."""
    fewest = min(control, treatment)
    if fewest >= FEWEST:
        return None
    return f"a variant has {fewest} units only, too few for the delta method; compare with permutation_test"


def _pair(name: str, data: object) -> CoMoments:
    if not isinstance(data, CoMoments):
        sample = _check.sample(name, data, ndim=2)
        if sample.shape[1] != 2:
            raise ValueError(f"`{name}` must have two columns, numerator and denominator; got {sample.shape[1]}.")
        data = CoMoments.from_sample(sample, ["numerator", "denominator"], name)
    if np.ndim(data.n) or len(data.names) != 2:
        raise ValueError(f"`{name}` must be one group's co-moments of two variables; got {data.names}.")
    if data.n < 2:
        raise ValueError(f"`{name}` must have at least 2 units; got {data.n}.")
    if data.mean[1] == 0:
        raise ValueError(f"`{name}` must have a denominator whose mean is not zero.")
    return data
