"""Two proportions of the same pairs."""

from __future__ import annotations

from typing import Literal

from abkit import _check
from abkit.evidence import TestResult, run_test
from abkit.inference._discordant_effect import DiscordantEffect
from abkit.inference._paired_effect import PairedScoreEffect
from abkit.suffstats import PairedCounts
from abkit.types import Alternative, Null

#: Fewer discordant pairs than this, and the error is off by over a percentage point; "exact" is never too high.
_FEWEST = {"score": 4, "exact": 0, "mid-p": 10}


def mcnemar_test(
    control: object,
    treatment: object = None,
    *,
    alternative: Alternative = "two-sided",
    null: Null = 0.0,
    method: Literal["score", "exact", "mid-p"] = "score",
) -> TestResult:
    """Two proportions of the same pairs: McNemar's test, and Tango's with a margin.

    Answers: where each unit was seen under control and under treatment, do the shares of successes differ?

    Parameters
    ----------
    control : PairedCounts, or array_like of 0 and 1, shape (n,)
        The pairs by outcome, or each unit's outcome under control; n >= 1.
    treatment : array_like of 0 and 1, shape (n,), optional
        The same units' outcomes under treatment, in the same order. Left out where `control` holds the pairs.
    alternative : {"two-sided", "greater", "less"}
        "greater": the treatment exceeds the control by more than `null`.
    null : float or Relative
        With method "score" the difference of the proportions under the null hypothesis, between -1 and 1, or as a
        share of the control's proportion: minus a margin tests non-inferiority. Otherwise a log odds ratio.
    method : {"score", "exact", "mid-p"}
        score: the variance is estimated under the null hypothesis. exact: the binomial distribution of the discordant
        pairs. mid-p: the same, counting half of the probability of what was observed.

    Returns
    -------
    TestResult
        score: a difference; `relative` inverts the score test of the ratio. exact, mid-p: the log of the odds that a
        discordant pair favours the treatment, with its `odds_ratio`; without a discordant pair the test is undefined.

    Raises
    ------
    ValueError
        No pairs, sides of different length, values other than 0 and 1, or a null outside its range.
    TypeError
        Pairs and a treatment besides, or no treatment.

    Warns
    -----
    AccuracyWarning
        So few pairs are discordant that the method's error is off by over a percentage point.

    Notes
    -----
    score: z = (estimate - null) / sqrt((p_t + p_c - null^2) / n) with p_t and p_c the maximum-likelihood shares of
    treatment-only and control-only pairs under the null [1]_; at a null of zero its square is McNemar's chi-square
    without continuity correction [2]_. The ratio is tested alike [3]_. exact: given the number of discordant pairs,
    those with the treatment's success are binomial; the interval is Clopper and Pearson's [4]_, and the two-sided
    p-value twice the smaller one. mid-p is much less cautious, and hardly ever above its level [5]_.
    Pairs must be independent of each other. For independent variants use `proportion_test`.

    References
    ----------
    .. [1] Tango 1998, Statistics in Medicine 17(8), 891-908, eq. 4-6.
    .. [2] McNemar 1947, Psychometrika 12(2), 153-157.
    .. [3] Nam and Blackwelder 2002, Statistics in Medicine 21(5), 689-699.
    .. [4] Clopper and Pearson 1934, Biometrika 26(4), 404-413.
    .. [5] Fagerland, Lydersen and Laake 2013, BMC Medical Research Methodology 13:91.

    Examples
    --------
    >>> from abkit import PairedCounts, mcnemar_test
    >>> pairs = PairedCounts(both=43, control_only=1, treatment_only=9, neither=7)
    >>> result = mcnemar_test(pairs)
    >>> round(result.estimate, 4), round(result.pvalue, 4)
    (0.1333, 0.0114)
    >>> [round(end, 4) for end in result.interval(0.95)]
    [0.0373, 0.2483]
    >>> round(mcnemar_test(pairs, method="exact").pvalue, 4)
    0.0215
    """
    _check.choice("method", method, tuple(_FEWEST))
    pairs = _pairs(control, treatment)
    cells = int(pairs.both), int(pairs.control_only), int(pairs.treatment_only), int(pairs.neither)
    score = PairedScoreEffect(*cells)
    if method == "score":
        return run_test("mcnemar, score", score, alternative, null, _caution(score, method))
    effect = DiscordantEffect(cells[1], cells[2], score.control, score.treatment, method == "mid-p")
    return run_test(f"mcnemar, {method}", effect, alternative, null, _caution(score, method))


def _caution(pairs: PairedScoreEffect, method: str) -> str | None:
    discordant = pairs.control_only + pairs.treatment_only
    if discordant >= _FEWEST[method]:
        return None
    return (
        f"only {discordant} pair(s) are discordant, and `method` {method!r} needs {_FEWEST[method]}: its error may be "
        "off by over a percentage point. Use method 'exact', whose error is never above its level."
    )


def _pairs(control: object, treatment: object) -> PairedCounts:
    if isinstance(control, PairedCounts) != (treatment is None):
        raise TypeError(
            "`treatment` must be left out where `control` is PairedCounts, and given where it is not; "
            f"got {_check.show(treatment)}."
        )
    pairs = control if isinstance(control, PairedCounts) else PairedCounts.from_sample(control, treatment)
    if not isinstance(pairs.n, int):
        raise ValueError("`control` must describe one group; got statistics of many.")
    if pairs.n < 1:
        raise ValueError("`control` must have at least 1 pair; got 0.")
    return pairs
