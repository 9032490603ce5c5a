"""Two proportions."""

from __future__ import annotations

from typing import Literal

from abkit import _check
from abkit.evidence import TestResult, run_test
from abkit.inference._score_effect import ScoreEffect
from abkit.suffstats import Counts
from abkit.types import Alternative, Null


def proportion_test(
    control: object,
    treatment: object,
    *,
    alternative: Alternative = "two-sided",
    null: Null = 0.0,
    method: Literal["score"] = "score",
) -> TestResult:
    """Difference, or ratio, of two proportions by the score test.

    Answers: is the treatment's share of successes different from the control's, and by how much?

    Parameters
    ----------
    control, treatment : Counts, or array_like of 0 and 1, shape (n,)
        Per variant the units and their successes. Each needs n >= 1. Zero successes are data.
    alternative : {"two-sided", "greater", "less"}
        "greater": the treatment's proportion exceeds the control's by more than `null`.
    null : float or Relative
        Difference under the null hypothesis, between -1 and 1, or as a share of the control's proportion.
    method : {"score"}
        The variance is estimated under the null hypothesis.

    Returns
    -------
    TestResult
        `interval` inverts the test of the difference, `relative` that of the ratio. `stderr` is the unpooled
        standard error, for display.

    Raises
    ------
    ValueError
        An empty variant, values other than 0 and 1, or a null outside its range.

    Notes
    -----
    z = (estimate - null) / sqrt(p_t q_t / n_t + p_c q_c / n_c) with p_c, p_t the maximum-likelihood
    proportions under the null [1]_ [2]_; at a null of zero its square is Pearson's chi-square without continuity
    correction. For the ratio, Koopman's statistic [3]_. Units must be independent and binary. With under about
    five expected successes or failures in a variant an exact test keeps its level more surely.

    References
    ----------
    .. [1] Mee 1984, Biometrics 40(4), 1175-1176.
    .. [2] Farrington and Manning 1990, Statistics in Medicine 9(12), eq. 3 and appendix.
    .. [3] Koopman 1984, Biometrics 40(2), eq. 2.

    Examples
    --------
    >>> from abkit import Counts, proportion_test
    >>> result = proportion_test(Counts(n=1000, successes=100), Counts(n=1000, successes=130))
    >>> round(result.estimate, 3), round(result.pvalue, 4)
    (0.03, 0.0355)
    >>> [round(end, 4) for end in result.interval(0.95)]
    [0.002, 0.0582]
    """
    _check.choice("method", method, ("score",))
    c, t = _counts("control", control), _counts("treatment", treatment)
    effect = ScoreEffect(int(c.successes), int(c.n), int(t.successes), int(t.n))
    return run_test("score", effect, alternative, null)


def _counts(name: str, data: object) -> Counts:
    counts = data if isinstance(data, Counts) else Counts.from_sample(data)
    if not isinstance(counts.n, int):
        raise ValueError(f"`{name}` must describe one group; got statistics of many.")
    if counts.n < 1:
        raise ValueError(f"`{name}` must have at least 1 unit; got 0.")
    return counts
