"""Two proportions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

from abkit import _check
from abkit.evidence import Effect, TestResult, run_test
from abkit.inference._inverted import checked_difference
from abkit.inference._log_odds import LogOddsEffect
from abkit.inference._mean_effect import MeanEffect
from abkit.inference._newcombe import NewcombeEffect
from abkit.inference._randomised import need_randomised
from abkit.inference._score_effect import ScoreEffect
from abkit.inference._two_counts import counts_of
from abkit.suffstats import Counts
from abkit.types import Alternative, Assignment, Null, Relative


def proportion_test(
    control: object,
    treatment: object,
    *,
    alternative: Alternative = "two-sided",
    null: Null = 0.0,
    method: Literal["score", "miettinen-nurminen", "newcombe", "agresti-caffo", "wald", "logit"] = "score",
    assignment: Assignment = "randomised",
) -> TestResult:
    """Difference, ratio and odds ratio of two proportions.

    Answers: is the treatment's share of successes different from the control's, and by how much?

    Parameters
    ----------
    control, treatment : Counts, or array_like of 0 and 1, shape (n,)
        Per variant the units and their successes. Each needs n >= 1. Zero successes are data.
    alternative : {"two-sided", "greater", "less"}
        "greater": the treatment's proportion exceeds the control's by more than `null`.
    null : float or Relative
        Difference under the null hypothesis, between -1 and 1, or as a share of the control's proportion. With
        method "logit" a log odds ratio.
    method : {"score", "miettinen-nurminen", "newcombe", "agresti-caffo", "wald", "logit"}
        score: the variance is estimated under the null hypothesis. miettinen-nurminen: the same, times N / (N - 1).
        newcombe: the hybrid of two Wilson intervals. agresti-caffo: Wald after one success and one failure more in
        each variant. wald: each variant's own variance. logit: the log odds ratio.
    assignment : {"randomised", "adaptive"}
        How units came to their variants. "adaptive", by earlier outcomes as in a bandit, is refused.

    Returns
    -------
    TestResult
        `interval` inverts the test of the difference, `relative` that of the ratio, `odds_ratio` that of the odds
        ratio (score, miettinen-nurminen and logit). `stderr` is the unpooled standard error; the score and
        hybrid methods have one of their own for each null.

    Raises
    ------
    ValueError
        An empty variant, values other than 0 and 1, or a null outside its range.

    Warns
    -----
    AccuracyWarning
        So few successes or failures are expected that the method's error is off by over a percentage point.

    Notes
    -----
    score: z = (estimate - null) / sqrt(p_t q_t / n_t + p_c q_c / n_c) with p_c, p_t the maximum-likelihood
    proportions under the null [1]_ [2]_; at a null of zero its square is Pearson's chi-square without continuity
    correction. The ratio and the odds ratio are tested alike [3]_ [4]_. newcombe: the end of the interval lies
    sqrt((p_t - l_t)^2 + (u_c - p_c)^2) below the estimate, with Wilson's limits l and u [5]_, that of the ratio by
    the same hybrid [6]_; the p-value is the level at which an end touches the null. agresti-caffo [7]_ and wald:
    z = (estimate - null) / sqrt(p_t q_t / n_t + p_c q_c / n_c) at the estimates; the ratio by Fieller. logit:
    log(p_t q_c / (p_c q_t)) with variance the sum of 1 / count [8]_, after half a unit is added to each count if
    one of them is zero [9]_. Units must be independent and binary.

    References
    ----------
    .. [1] Mee 1984, Biometrics 40(4), 1175-1176.
    .. [2] Farrington and Manning 1990, Statistics in Medicine 9(12), eq. 3 and appendix.
    .. [3] Koopman 1984, Biometrics 40(2), eq. 2.
    .. [4] Miettinen and Nurminen 1985, Statistics in Medicine 4(2), eq. 8-13.
    .. [5] Newcombe 1998, Statistics in Medicine 17(8), 873-890, method 10.
    .. [6] Donner and Zou 2012, Statistical Methods in Medical Research 21(4), eq. 9.
    .. [7] Agresti and Caffo 2000, The American Statistician 54(4), 280-288.
    .. [8] Woolf 1955, Annals of Human Genetics 19(4), 251-253.
    .. [9] Gart 1966, Biometrika 53(1-2), 47-57.

    Examples
    --------
    >>> from abkit import Counts, proportion_test
    >>> result = proportion_test(Counts(n=1000, successes=100), Counts(n=1000, successes=130))
    >>> round(result.estimate, 3), round(result.pvalue, 4)
    (0.03, 0.0355)
    >>> [round(end, 4) for end in result.interval(0.95)]
    [0.002, 0.0582]
    >>> [round(end, 2) for end in result.odds_ratio(0.95)]  # the odds are 1.02 to 1.77 times the control's
    [1.02, 1.77]
    """
    need_randomised("proportion_test", assignment)
    _check.choice("method", method, tuple(_EFFECTS))
    c, t = counts_of("control", control), counts_of("treatment", treatment)
    effect = _EFFECTS[method](int(c.successes), int(c.n), int(t.successes), int(t.n))
    return run_test(method, effect, alternative, null, proportion_caution(c, t, method))


class WaldEffect(MeanEffect):
    """Two proportions, each with its own variance."""

    __slots__ = ()

    def statistic(self, null: Null) -> float:
        """(estimate - null) / its standard error."""
        return MeanEffect.statistic(self, null if isinstance(null, Relative) else checked_difference(null))


def _miettinen_nurminen(c: int, n_c: int, t: int, n_t: int) -> Effect:
    n = n_c + n_t
    return ScoreEffect(c, n_c, t, n_t, n / (n - 1))


def _wald(c: int, n_c: int, t: int, n_t: int) -> Effect:
    return WaldEffect(c / n_c, t / n_t, c * (n_c - c) / n_c**3, t * (n_t - t) / n_t**3, 0.0, math.inf)


def _agresti_caffo(c: int, n_c: int, t: int, n_t: int) -> Effect:
    return _wald(c + 1, n_c + 2, t + 1, n_t + 2)


def _logit(c: int, n_c: int, t: int, n_t: int) -> Effect:
    cells = (t, n_t - t, c, n_c - c)
    a, b, d, e = cells if all(cells) else (cell + 0.5 for cell in cells)
    return LogOddsEffect(math.log(a / b) - math.log(d / e), math.sqrt(1 / a + 1 / b + 1 / d + 1 / e), c / n_c, t / n_t)


_EFFECTS: dict[str, Callable[[int, int, int, int], Effect]] = {
    "score": ScoreEffect,
    "miettinen-nurminen": _miettinen_nurminen,
    "newcombe": NewcombeEffect,
    "agresti-caffo": _agresti_caffo,
    "wald": _wald,
    "logit": _logit,
}


#: With fewer successes or failures expected in the smaller variant, a method warns. With more, no outcome of the tables
#: enumerated in tests/calibration/test_enumeration.py has an error of a 5% test above 6.6%.
_FEWEST = {"score": 4, "miettinen-nurminen": 4, "newcombe": 12, "agresti-caffo": 12, "wald": 20, "logit": 12}


def proportion_caution(control: Counts, treatment: Counts, method: str) -> str | None:
    """A caution where a method has too few successes or failures to hold its level."""
    n = int(control.n + treatment.n)
    successes = int(control.successes + treatment.successes)
    expected = min(int(control.n), int(treatment.n)) * min(successes, n - successes) / n
    if expected >= _FEWEST[method]:
        return None
    instead = "method 'score'" if expected >= _FEWEST["score"] else "exact_test"
    return (
        f"successes or failures expected in the smaller variant: {expected:.3g}, and `method` {method!r} needs "
        f"{_FEWEST[method]}: its error may be off by over a percentage point. Use {instead}."
    )
