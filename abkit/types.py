"""The words of a plan: what a role, a direction, a margin and a cap are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from abkit import _check

Alternative = Literal["two-sided", "greater", "less"]
Role = Literal["success", "guardrail", "deterioration", "quality"]
Direction = Literal["increase", "decrease"]
Missing = Literal["error", "drop", "zero"]
Assignment = Literal["randomised", "adaptive"]
Adjust = Literal["holm", "none"]
Verdict = Literal["promote", "continue", "rollback"]
Shown = Literal["superior", "noninferior", "inferior", "inconclusive", "no_data"]
Guarantee = Literal["anytime", "at scheduled looks", "fixed horizon", "observational", "bayesian"]
RelativeMethod = Literal["fieller", "delta", "log"]

ALTERNATIVES: tuple[Alternative, ...] = get_args(Alternative)
ROLES: tuple[Role, ...] = get_args(Role)
DIRECTIONS: tuple[Direction, ...] = get_args(Direction)
MISSING: tuple[Missing, ...] = get_args(Missing)
ASSIGNMENTS: tuple[Assignment, ...] = get_args(Assignment)
RELATIVE_METHODS: tuple[RelativeMethod, ...] = get_args(RelativeMethod)

#: Stands for the number of rows of a unit, where a metric or a covariate names a column.
ROWS = "ROWS"


@dataclass(frozen=True, slots=True)
class Relative:
    """A difference stated as a share of the control's mean: 0.02 is two per cent of it.

    The share is of the mean's size, so that +0.02 always means a change upwards, also below zero.
    """

    value: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", _check.number("relative", self.value))


def relative(value: float) -> Relative:
    """A margin or a null as a share of the control's mean.

    Parameters
    ----------
    value : float
        The share; 0.02 is two per cent.

    Examples
    --------
    >>> import abkit as ab
    >>> ab.relative(0.02)
    Relative(value=0.02)
    """
    return Relative(value)


Null = float | Relative


@dataclass(frozen=True, slots=True)
class Cap:
    """Values of units above a threshold count as the threshold (winsorising, upper tail).

    Parameters
    ----------
    quantile : float, optional
        The threshold is this quantile of the units of all variants pooled (linear interpolation),
        so that every variant is measured with the same ruler. Between 0 and 1.
    value : float, optional
        The threshold itself, in the metric's unit. Exactly one of the two is given.

    Raises
    ------
    ValueError
        Both or neither are given, or the quantile is not between 0 and 1.

    Notes
    -----
    A capped metric answers a different question: it leaves out what the largest units add. The report
    therefore states the threshold and the share of units capped. A quantile costs the engine one more
    pass over the log.

    Examples
    --------
    >>> import abkit as ab
    >>> ab.Cap(quantile=0.99)
    Cap(quantile=0.99, value=None)
    """

    quantile: float | None = None
    value: float | None = None

    def __post_init__(self) -> None:
        if (self.quantile is None) == (self.value is None):
            raise ValueError("`cap` must have either a quantile or a value; got both or neither.")
        if self.quantile is not None:
            object.__setattr__(self, "quantile", _check.within("cap.quantile", self.quantile, 0, 1))
        if self.value is not None:
            object.__setattr__(self, "value", _check.number("cap.value", self.value))


@dataclass(frozen=True, slots=True)
class Sum:
    """A covariate whose rows are added up per unit; a plain column name must be constant within a unit.

    Examples
    --------
    >>> import abkit as ab
    >>> ab.Mean("revenue", covariates=["revenue_before", ab.Sum("visits_before")]).covariates
    ('revenue_before', Sum(column='visits_before'))
    """

    column: str

    def __post_init__(self) -> None:
        _check.text("sum", self.column)


Covariate = str | Sum


@dataclass(frozen=True, slots=True)
class Quality:
    """When the data count as broken.

    Parameters
    ----------
    alpha : float
        Level of the checks by a test: sample ratio, missing outcomes, quality metrics. Between 0 and 1; small,
        because a healthy experiment must hardly ever be stopped by them.
    contaminated : float
        Largest share of units seen in several variants, and of rows without a unit, a variant or a key. From 0 to 1.
        Rows that contradict their duplicates break the data however few they are.

    Examples
    --------
    >>> import abkit as ab
    >>> ab.Quality()
    Quality(alpha=0.001, contaminated=0.01)
    """

    alpha: float = 0.001
    contaminated: float = 0.01

    def __post_init__(self) -> None:
        object.__setattr__(self, "alpha", _check.within("quality.alpha", self.alpha, 0, 1))
        share = _check.at_least("quality.contaminated", self.contaminated, 0)
        if share > 1:
            raise ValueError(f"`quality.contaminated` must be at most 1; got {share:g}.")
        object.__setattr__(self, "contaminated", share)
