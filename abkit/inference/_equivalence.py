"""Equivalence: two one-sided tests against margins on either side of no effect."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from abkit import _check
from abkit._sets import ConfidenceSet, HalfLines, NoInterval, WholeLine, finite_or_none, set_to_dict
from abkit.evidence import TestResult
from abkit.inference._welch import welch_test
from abkit.types import Null, Relative, RelativeMethod


@dataclass(frozen=True, slots=True)
class EquivalenceResult(TestResult):
    """Whether the effect lies within its margins: the less sure of two one-sided tests, with both of them.

    Parameters
    ----------
    lower : TestResult
        Against the effect at the low margin or below it.
    upper : TestResult
        Against the effect at the high margin or above it.

    Notes
    -----
    The other fields are those of the test with the larger p-value, but for the sets: `interval` and `relative` are
    two-sided. p is below alpha exactly when the set at level 1 - 2 alpha, on the scale of the margins, lies within
    them; `within` looks. `with_null` gives the ordinary test of the same effect.

    Examples
    --------
    >>> from abkit import Moments, equivalence_test
    >>> result = equivalence_test(Moments(5000, 50.0, 500_000.0), Moments(5000, 50.1, 500_000.0), margin=0.5)
    >>> result.within(0.05), round(result.lower.pvalue, 4), round(result.upper.pvalue, 4)
    (True, 0.0014, 0.0228)
    """

    lower: TestResult = field(kw_only=True)
    upper: TestResult = field(kw_only=True)

    def interval(self, level: float = 0.95) -> ConfidenceSet:
        """The two-sided interval of the effect; at level 1 - 2 alpha it belongs to the test at alpha."""
        level = _check.within("level", level, 0, 1)
        return WholeLine(level) if self.reason else self.effect.interval(level, "two-sided")

    def relative(self, level: float = 0.95, method: RelativeMethod | None = None) -> ConfidenceSet:
        """The two-sided set of the effect as a share of the control's mean."""
        return self.with_null(self.null, "two-sided").relative(level, method)

    def odds_ratio(self, level: float = 0.95) -> ConfidenceSet:
        """The two-sided set of the odds ratio."""
        return self.with_null(self.null, "two-sided").odds_ratio(level)

    def within(self, alpha: float = 0.05) -> bool:
        """Whether the set at level 1 - 2 alpha lies within the margins: equivalence is shown at alpha."""
        alpha = _check.within("alpha", alpha, 0, 0.5)
        low, high = self.lower.null, self.upper.null
        if isinstance(low, Relative) and isinstance(high, Relative):
            return _inside(self.relative(1 - 2 * alpha), low.value, high.value)
        return _inside(self.interval(1 - 2 * alpha), float(low), float(high))  # type: ignore[arg-type]

    def to_dict(self, level: float = 0.95) -> dict[str, Any]:
        """Plain values for JSON; undefined and infinite numbers are None."""
        sides = {"lower": self.lower, "upper": self.upper}
        return {
            **TestResult.to_dict(self, level),
            "interval": set_to_dict(self.interval(level)),
            **{
                name: {
                    "null": {"relative": side.null.value} if isinstance(side.null, Relative) else side.null,
                    "statistic": finite_or_none(side.statistic),
                    "pvalue": finite_or_none(side.pvalue),
                }
                for name, side in sides.items()
            },
        }


def equivalence_test(
    control: object,
    treatment: object,
    *,
    margin: float | Relative | tuple[Null, Null],
    test: Callable[..., TestResult] = welch_test,
    **keywords: Any,
) -> EquivalenceResult:
    """Two one-sided tests of equivalence (TOST), over any test with a null.

    Answers: is the effect small enough not to matter, whichever way it goes?

    Parameters
    ----------
    control, treatment : what `test` takes
        Samples or sufficient statistics of the two variants.
    margin : float, Relative, or a pair of either
        The largest effect that does not matter, on the scale of `test`: d stands for (-d, d). A pair is (low, high)
        with low below zero and high above. `relative(0.02)` is two per cent of the control's mean, either way.
    test : callable
        Any test of this package: `welch_test`, `proportion_test`, `ratio_test`, ...
    **keywords
        Passed on to `test`; not `alternative` and `null`, which the margin sets.

    Returns
    -------
    EquivalenceResult
        A `TestResult` with both one-sided results. p is the larger of theirs.

    Raises
    ------
    ValueError
        A margin that does not have no effect inside it, an `alternative` or `null`, or what `test` refuses.
    TypeError
        A `test` that returns something else than a `TestResult`.

    Notes
    -----
    H0: effect <= low or effect >= high. Both one-sided tests must reject at alpha, with nothing to adjust [1]_ [2]_;
    that is so exactly when the interval at level 1 - 2 alpha lies within the margins. The margins belong in the plan,
    before there are data. A large p-value of an ordinary test shows no equivalence: with few units it is the rule.

    References
    ----------
    .. [1] Schuirmann 1987, J. Pharmacokinetics and Biopharmaceutics 15(6), 657-680.
    .. [2] Berger and Hsu 1996, Statistical Science 11(4), theorem 2.

    Examples
    --------
    >>> from abkit import Counts, equivalence_test, proportion_test
    >>> result = equivalence_test(Counts(8000, 800), Counts(8000, 812), margin=0.01, test=proportion_test)
    >>> round(result.pvalue, 4), [round(end, 4) for end in result.interval(0.90)]
    (0.0371, [-0.0063, 0.0093])
    """
    low, high = _margins(margin)
    for name in ("alternative", "null"):
        if name in keywords:
            raise ValueError(f"`{name}` must be left out: the margin sets it; got {_check.show(keywords[name])}.")
    if not callable(test):
        raise TypeError(f"`test` must be a test of this package, such as welch_test; got {_check.show(test)}.")
    result = test(control, treatment, **keywords)
    if not isinstance(result, TestResult):
        raise TypeError(f"`test` must return a TestResult; got {_check.show(result)}.")
    lower, upper = result.with_null(low, "greater"), result.with_null(high, "less")
    open_side = next((side for side in (lower, upper) if side.reason), None)
    worse = open_side or max(lower, upper, key=lambda side: side.pvalue)
    return EquivalenceResult(
        f"equivalence, {worse.method}",
        worse.effect,
        worse.alternative,
        worse.null,
        worse.statistic,
        worse.reason,
        worse.caution,
        lower=lower,
        upper=upper,
    )


def _margins(margin: object) -> tuple[Null, Null]:
    pair = tuple(margin) if isinstance(margin, (tuple, list)) else _around_zero(margin)
    if len(pair) != 2:
        raise ValueError(f"`margin` must be one value or a pair; got {len(pair)} values.")
    low, high = (end if isinstance(end, Relative) else _check.number("margin", end) for end in pair)
    if isinstance(low, Relative) != isinstance(high, Relative):
        raise ValueError("`margin` must have both ends absolute or both relative; got one of each.")
    below, above = (end.value if isinstance(end, Relative) else end for end in (low, high))
    if not below < 0 < above:
        raise ValueError(f"`margin` must have no effect, 0, inside it; got {below:g} to {above:g}.")
    return low, high


def _around_zero(margin: object) -> tuple[Null, Null]:
    if isinstance(margin, Relative):
        return Relative(0.0 - margin.value), margin
    value = _check.number("margin", margin)
    return 0.0 - value, value


def _inside(region: ConfidenceSet, low: float, high: float) -> bool:
    """Whether all of a set lies strictly between two values."""
    if isinstance(region, (HalfLines, NoInterval)):
        return False
    return low < region.low and region.high < high
