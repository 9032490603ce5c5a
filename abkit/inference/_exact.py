"""Two proportions, exactly."""

from __future__ import annotations

from typing import Literal, get_args

from abkit import _check
from abkit.evidence import Effect, TestResult, run_test
from abkit.inference._fisher_effect import FisherEffect
from abkit.inference._randomised import need_randomised
from abkit.inference._score_effect import ScoreEffect
from abkit.inference._two_counts import counts_of
from abkit.inference._unconditional_effect import UnconditionalEffect
from abkit.types import Alternative, Assignment, Null

Method = Literal["fisher", "boschloo", "barnard"]
TwoSided = Literal["central", "joint"]
MOST_UNCONDITIONAL, MOST = 4_000, 2_000_000_000


def exact_test(
    control: object,
    treatment: object,
    *,
    alternative: Alternative = "two-sided",
    null: Null = 0.0,
    method: Method = "fisher",
    two_sided: TwoSided = "central",
    assignment: Assignment = "randomised",
) -> TestResult:
    """Two proportions whose error rate holds at any number of units and any proportion.

    Answers: is the treatment's share of successes different from the control's, where there are too few successes
    or failures for `proportion_test`?

    Parameters
    ----------
    control, treatment : Counts, or array_like of 0 and 1, shape (n,)
        Per variant the units and their successes. Each needs n >= 1; both together at most 2e9 for "fisher", and
        4,000 for the others.
    alternative : {"two-sided", "greater", "less"}
        "greater": the treatment's effect is larger than `null`.
    null : float
        Effect under the null hypothesis: for "fisher" a log odds ratio, else a difference between -1 and 1.
    method : {"fisher", "boschloo", "barnard"}
        "fisher" conditions on the successes of both variants together; the effect is the log odds ratio. The others
        do not, and reject more often; the effect is the difference. "boschloo" orders the tables by Fisher's
        one-sided p-value, "barnard" by the score statistic.
    two_sided : {"central", "joint"}
        "central": twice the smaller one-sided p-value, whose interval has the same error on both sides. "joint":
        the probability of all tables that are as unlikely (fisher), or whose statistic is as far from zero
        (barnard), which is what R and SciPy print; its interval is the smallest that holds every value not rejected.
    assignment : {"randomised", "adaptive"}
        How units came to their variants. "adaptive", by earlier outcomes as in a bandit, is refused.

    Returns
    -------
    TestResult
        For "fisher" `odds_ratio` is the exact interval of the odds ratio, and `estimate` the logarithm of its
        conditional maximum-likelihood estimate, infinite where a count is as extreme as it can be.

    Raises
    ------
    ValueError
        An empty variant, values other than 0 and 1, a null out of range, too many units, or "joint" with "boschloo".

    Notes
    -----
    Fisher: P(X >= x) of the noncentral hypergeometric distribution [1]_, and the interval by its inversion [2]_.
    Barnard [3]_ and Boschloo [4]_: the largest probability, over the unknown proportion, of tables as extreme;
    Barnard's order is that of the score statistic at the null [5]_, or at the middle of the stretch of 0.1, 0.05 or
    0.01 (for few units and for many) that the null lies in, and the p-value is the largest of this null and those
    beyond it, so that it is monotone in the null and its inversion [6]_ is an interval.

    References
    ----------
    .. [1] Fisher 1935, JRSS 98(1), sec. 5; Cornfield 1956, Proc. 3rd Berkeley Symposium 4, eq. 2.
    .. [2] Mantel and Hankey 1971, American Statistician 25(2).
    .. [3] Barnard 1947, Biometrika 34(1-2).
    .. [4] Boschloo 1970, Statistica Neerlandica 24(1).
    .. [5] Chan 1998, Statistics in Medicine 17(12).
    .. [6] Chan and Zhang 1999, Biometrics 55(4).

    Examples
    --------
    >>> from abkit import Counts, exact_test
    >>> control, treatment = Counts(n=15, successes=7), Counts(n=15, successes=12)
    >>> round(exact_test(control, treatment, alternative="greater").pvalue, 4)
    0.0641
    >>> barnard = exact_test(control, treatment, alternative="greater", method="barnard")
    >>> round(barnard.estimate, 3), round(barnard.pvalue, 4)
    (0.333, 0.0341)
    """
    need_randomised("exact_test", assignment)
    _check.choice("method", method, get_args(Method))
    joint = _check.choice("two_sided", two_sided, get_args(TwoSided)) == "joint"
    c, t = counts_of("control", control), counts_of("treatment", treatment)
    counts = int(c.successes), int(c.n), int(t.successes), int(t.n)
    _refuse_many(method, counts[1] + counts[3])
    if method == "fisher":
        effect: Effect = FisherEffect(*counts, joint)
    else:
        if method == "boschloo" and joint:
            raise ValueError("`two_sided` must be 'central' with the method 'boschloo'; got 'joint'.")
        effect = UnconditionalEffect(ScoreEffect(*counts), method, joint)
    return run_test(f"{method}, joint" if joint else method, effect, alternative, null)


def _refuse_many(method: Method, units: int) -> None:
    if method == "fisher" and units > MOST:
        raise ValueError(f"`control` and `treatment` must have at most {MOST:,} units; use `proportion_test`.")
    if method != "fisher" and units > MOST_UNCONDITIONAL:
        raise ValueError(
            f"`control` and `treatment` must have at most {MOST_UNCONDITIONAL:,} units with the method {method!r}; "
            f"got {units:,}. Use 'fisher', or `proportion_test`."
        )
