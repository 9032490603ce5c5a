"""What every test returns and every rule reads: effects and `TestResult`.

A p-value, an interval and a relative interval of one result come from one inverted test, so that the set
leaves out the null exactly when p < 1 - level.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, Self

from abkit import _check, _tails
from abkit._sets import ConfidenceSet, NoInterval, WholeLine, finite_or_none, set_to_dict
from abkit.errors import AccuracyWarning
from abkit.types import ALTERNATIVES, RELATIVE_METHODS, Alternative, Null, Relative, RelativeMethod

if TYPE_CHECKING:
    from abkit.suffstats import Counts


#: When an error rate holds: the last three are of answers at any time.
ONE_LOOK, PLANNED, EXACT, ASYMPTOTIC, BURN_IN = (
    "one look",
    "needs planned looks",
    "exact",
    "asymptotic",
    "burn-in",
)


@dataclass(frozen=True, slots=True)
class Sample:
    """How much two variants hold of what makes an estimate near enough to normal.

    `units` are those of both variants, `smaller` those of the smaller one. `events` are the units with an outcome in
    the smaller variant: those that are not zero, or of a proportion those of the rarer kind. `skewness` is that of the
    estimate. None is unknown. `counts` are those of both variants where they are the whole evidence, and
    `share` is the planned share of the treatment among the units of both. `anytime` is the same evidence as an effect
    whose answers are exact at any time, where a metric has one of its own.
    """

    units: int
    smaller: int
    events: int | None = None
    skewness: float | None = None
    counts: tuple[Counts, Counts] | None = None
    share: float = 0.5
    anytime: Effect | None = None


class Effect(Protocol):
    """An estimate that can test any null and invert that test."""

    @property
    def scale(self) -> str:
        """What the estimate is: a difference, a log odds ratio, ..."""

    @property
    def validity(self) -> str:
        """When the error rate holds: at one look, at planned looks, at any time exactly or asymptotically."""

    @property
    def undefined(self) -> str:
        """Why the statistic is undefined, where it is."""

    @property
    def caution(self) -> str | None:
        """Why the error rate may miss its nominal level, where the effect knows."""

    @property
    def estimate(self) -> float:
        """Treatment minus control."""

    @property
    def stderr(self) -> float:
        """Standard error of the estimate."""

    @property
    def df(self) -> float:
        """Degrees of freedom of the reference; infinite for the normal."""

    @property
    def control(self) -> float:
        """The control's mean."""

    @property
    def treatment(self) -> float:
        """The treatment's mean."""

    def statistic(self, null: Null) -> float:
        """How far the estimate lies above a null; its sign is the side, and nan is undefined."""

    def pvalue(self, null: Null, alternative: Alternative) -> float:
        """p-value of the test of a null."""

    def interval(self, level: float, alternative: Alternative) -> ConfidenceSet:
        """Differences that the test does not reject."""

    def relative(self, level: float, alternative: Alternative, method: RelativeMethod | None) -> ConfidenceSet:
        """Differences, as shares of the control's mean, that the test does not reject."""

    def odds_ratio(self, level: float, alternative: Alternative) -> ConfidenceSet:
        """Odds ratios that the test does not reject."""

    def normal(self) -> Effect:
        """The same effect with a normal reference."""


class BaseEffect:
    """What effects have unless they say otherwise: a t or normal reference, and no other scale than their own."""

    __slots__ = ()

    scale = "difference"
    validity = ONE_LOOK
    caution: str | None = None
    undefined = "the variance is zero: every unit has the same value, or they differ in rounding only"

    def pvalue(self: Effect, null: Null, alternative: Alternative) -> float:
        """p-value of the statistic's t or normal reference."""
        return _tails.pvalue(self.statistic(null), self.df, alternative)

    def normal(self) -> Self:
        """The same effect with a normal reference in place of Student's t."""
        has_df = any(field.name == "df" for field in fields(self))  # type: ignore[arg-type]
        return replace(self, df=math.inf) if has_df else self  # type: ignore[type-var]

    def relative(self, level: float, alternative: Alternative, method: RelativeMethod | None) -> ConfidenceSet:  # noqa: ARG002
        """None: this effect is not a share of anything."""
        return NoInterval(level, f"a {self.scale} has no relative form")

    def odds_ratio(self, level: float, alternative: Alternative) -> ConfidenceSet:  # noqa: ARG002
        """None: this effect is not of odds."""
        return NoInterval(level, f"a {self.scale} has no odds ratio")

    def absolute(self, null: Null) -> float:
        """A null on this effect's own scale; a relative one is refused by name."""
        if isinstance(null, Relative):
            raise ValueError(f"`null` must be a number; a {self.scale} is not a share of the control's mean.")
        return null


@dataclass(frozen=True)
class TestResult:
    """The answer of a hypothesis test of treatment minus control.

    Parameters
    ----------
    method : str
        The name of the test.
    effect : Effect
        The estimate with what is needed to test another null or to change the level.
    alternative : {"two-sided", "greater", "less"}
        What the p-value is against; "greater": the treatment exceeds the control by more than `null`.
    null : float or Relative
        The difference under the null hypothesis, absolute or as a share of the control's mean.
    statistic : float
        nan where the test is undefined; `reason` then says why.
    reason : str or None
        Why the test is undefined.
    caution : str or None
        Why the error rate may miss its nominal level with data like these, and what to use instead.

    Examples
    --------
    >>> import abkit as ab
    >>> result = ab.welch_test([10, 12, 11, 10, 11], [12, 13, 12, 11, 13])
    >>> round(result.estimate, 2), round(result.pvalue, 4)
    (1.4, 0.0294)
    >>> [round(end, 2) for end in result.interval(0.95)]
    [0.18, 2.62]
    >>> [round(end, 3) for end in result.relative(0.95)]
    [0.016, 0.258]
    """

    __test__ = False  # pytest would take the name for a test

    method: str
    effect: Effect
    alternative: Alternative
    null: Null
    statistic: float
    reason: str | None = None
    caution: str | None = None

    @cached_property
    def pvalue(self) -> float:
        """p-value of the null; nan where the test is undefined."""
        return math.nan if self.reason else self.effect.pvalue(self.null, self.alternative)

    @property
    def validity(self) -> str:
        """When the error rate holds: at one look, at planned looks, or at any time, exactly or asymptotically."""
        return self.effect.validity

    @property
    def scale(self) -> str:
        """What the estimate, the null and the interval are: "difference", "log odds ratio", ..."""
        return self.effect.scale

    @property
    def estimate(self) -> float:
        """Treatment minus control, on the test's own scale."""
        return self.effect.estimate

    @property
    def stderr(self) -> float:
        """Standard error of the estimate."""
        return self.effect.stderr

    @property
    def df(self) -> float:
        """Degrees of freedom; infinite for a normal reference."""
        return self.effect.df

    @property
    def control(self) -> float:
        """The control's mean."""
        return self.effect.control

    @property
    def treatment(self) -> float:
        """The treatment's mean."""
        return self.effect.treatment

    @property
    def relative_estimate(self) -> float:
        """The estimate as a share of the size of the control's mean; nan where that is zero, or on another scale."""
        return self.estimate / abs(self.control) if self.control and self.scale == "difference" else math.nan

    def interval(self, level: float = 0.95) -> ConfidenceSet:
        """Every difference that the test, in this alternative, does not reject at 1 - level.

        Parameters
        ----------
        level : float
            Confidence level, between 0 and 1.
        """
        level = _check.within("level", level, 0, 1)
        return WholeLine(level) if self.reason else self.effect.interval(level, self.alternative)

    def relative(self, level: float = 0.95, method: RelativeMethod | None = None) -> ConfidenceSet:
        """Every difference, as a share of the control's mean, that the test does not reject at 1 - level.

        Parameters
        ----------
        level : float
            Confidence level, between 0 and 1.
        method : {"fieller", "delta", "log"}, optional
            By default the inversion of the test itself: Fieller's set for means, the score set for
            proportions. Its shape depends on how surely the control's mean differs from zero: an `Interval`,
            two `HalfLines`, or the `WholeLine`. "delta" and "log" are first-order approximations that can
            contradict the test; "log" needs two means of the same sign.

        Raises
        ------
        ValueError
            An unknown method, or "log" with means that differ in sign.
        """
        level = _check.within("level", level, 0, 1)
        if method is not None:
            _check.choice("method", method, RELATIVE_METHODS)
        return WholeLine(level) if self.reason else self.effect.relative(level, self.alternative, method)

    def odds_ratio(self, level: float = 0.95) -> ConfidenceSet:
        """Every odds ratio that the test does not reject at 1 - level; a `NoInterval` where the effect has none."""
        level = _check.within("level", level, 0, 1)
        return WholeLine(level) if self.reason else self.effect.odds_ratio(level, self.alternative)

    def with_null(self, null: Null, alternative: Alternative | None = None) -> TestResult:
        """The same effect tested against another null."""
        chosen = self.alternative if alternative is None else alternative
        return tested(self.method, self.effect, chosen, null, self.caution)

    def to_dict(self, level: float = 0.95) -> dict[str, Any]:
        """Plain values for JSON; undefined and infinite numbers are None."""
        values = {
            "method": self.method,
            "scale": self.scale,
            "validity": self.validity,
            "estimate": self.estimate,
            "stderr": self.stderr,
            "df": self.df,
            "statistic": self.statistic,
            "pvalue": self.pvalue,
            "control": self.control,
            "treatment": self.treatment,
            "relative": self.relative_estimate,
        }
        return {
            **{key: finite_or_none(value) for key, value in values.items()},
            "alternative": self.alternative,
            "null": {"relative": self.null.value} if isinstance(self.null, Relative) else self.null,
            "interval": set_to_dict(self.interval(level)),
            "relative_interval": set_to_dict(self.relative(level)),
            "reason": self.reason,
            "caution": self.caution,
        }


def run_test(
    method: str, effect: Effect, alternative: Alternative, null: Null, caution: str | None = None
) -> TestResult:
    """Test an effect against a null; a caution is warned of, and kept with the result."""
    if caution is not None:
        warnings.warn(caution, AccuracyWarning, stacklevel=3)
    return tested(method, effect, alternative, null, caution)


def tested(method: str, effect: Effect, alternative: Alternative, null: Null, caution: str | None) -> TestResult:
    """The same without the warning, for what shows cautions itself."""
    _check.choice("alternative", alternative, ALTERNATIVES)
    null = null if isinstance(null, Relative) else _check.number("null", null)
    statistic = effect.statistic(null)
    if math.isnan(statistic):
        return TestResult(method, effect, alternative, null, math.nan, effect.undefined, caution)
    return TestResult(method, effect, alternative, null, statistic, None, caution)
