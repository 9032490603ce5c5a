"""What every metric has: a role, a direction, a margin, covariates, and a rule for missing values."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from abkit import _check
from abkit.evidence import Effect, Sample
from abkit.inference import Arm, linear_caution
from abkit.inference._caution import Shape
from abkit.logs import Block, ThirdMoments, Variable
from abkit.metrics._shifted import size_of
from abkit.sequential import _guard
from abkit.suffstats import CoMoments
from abkit.types import DIRECTIONS, MISSING, ROLES, ROWS, Cap, Covariate, Direction, Missing, Null, Relative, Role, Sum

INSTEAD = "cap the largest values, or see with aa_replay how often the plan finds what is not there"


@dataclass(frozen=True, kw_only=True)
class Metric(ABC):
    """What is measured on each unit, and what is asked of it.

    Parameters
    ----------
    role : {"success", "guardrail", "deterioration", "quality"}
        success: at least one must improve for a promotion. guardrail: must be shown not to be worse by more than
        `margin`. deterioration: must not be shown to be worse. quality: must not differ at all, because
        treatment cannot touch it; a difference means that the experiment is broken.
    direction : {"increase", "decrease"}
        Which way is better.
    margin : float or Relative, optional
        A size, at least 0, in the metric's unit or as a share of the control's mean: the largest harm that a
        guardrail tolerates (required there), or the smallest gain that counts for a success (0 by default).
    mde : float or Relative, optional
        A size, above 0, in the metric's unit or as a share of the control's mean: the gain of a success metric, or the
        harm of a deterioration metric, that is worth detecting. Used by planning only. A guardrail's is its margin.
    covariates : str, Sum, or a list of them
        Pre-period columns that explain the metric; what the treatment may have changed must not be among them.
        A name is a column with one value per unit, `Sum(name)` one whose rows are added up.
    missing : {"error", "drop", "zero"}, optional
        What to do with rows whose value is null or nan: refuse the log, leave the row out of this metric, or
        count it as zero. By default what the plan says.
    """

    role: Role = "success"
    direction: Direction = "increase"
    margin: float | Relative | None = None
    mde: float | Relative | None = None
    covariates: Covariate | Sequence[Covariate] = ()
    missing: Missing | None = None

    kind: ClassVar[str]
    pairs: ClassVar[bool] = False
    #: Of how many of the outcomes a log's third moments are wanted.
    thirds: ClassVar[int] = 0

    def __post_init__(self) -> None:
        _check.choice("role", self.role, ROLES)
        _check.choice("direction", self.direction, DIRECTIONS)
        if self.missing is not None:
            _check.choice("missing", self.missing, MISSING)
        object.__setattr__(self, "margin", self._checked_margin())
        object.__setattr__(self, "mde", self._checked_mde())
        object.__setattr__(self, "covariates", _checked_covariates(self.covariates))
        self._check()

    @abstractmethod
    def _check(self) -> None:
        """Check the fields of this kind of metric."""

    @abstractmethod
    def outcomes(self) -> tuple[Variable, ...]:
        """The outcome variables per unit, without covariates."""

    @abstractmethod
    def effect(self, control: CoMoments, treatment: CoMoments) -> tuple[str, Effect]:
        """The name of the test, and the effect, from the block's statistics of two variants.

        Raises
        ------
        ValueError
            The statistics are too few or too degenerate for an effect; the message says why.
        """

    def check_values(self, control: CoMoments, treatment: CoMoments) -> None:  # noqa: B027
        """Refuse statistics that no values of this kind of metric have; hypothetical ones need not be of values.

        Raises
        ------
        ValueError
            The message says what is impossible.
        """

    def shifted(self, moments: CoMoments, effect: Null) -> CoMoments:
        """The statistics of as many units under a treatment with this true effect.

        Parameters
        ----------
        moments : CoMoments
            One variant's statistics of this metric's block; of a paired metric those of the pairs.
        effect : float or Relative
            On the scale of the estimate, or as a share of the size of the variant's own value.

        Returns
        -------
        CoMoments
            Of the same class. Covariates stay as they are, and so do the shape and the correlations of the outcome.

        Raises
        ------
        ValueError
            An effect that this kind of metric cannot have: a rate outside 0 to 1, a share of zero, an infinite mean.
        """
        return self._shifted(moments, size_of(effect, self.values(moments, moments)[0]))

    @abstractmethod
    def _shifted(self, moments: CoMoments, size: float) -> CoMoments:
        """The statistics with the variant's value moved by this size."""

    def caution(self, control: CoMoments, treatment: CoMoments) -> str | None:
        """Why the test's error rate may miss its nominal level with statistics like these, where they show it."""
        c, t = self._arm(control), self._arm(treatment)
        return linear_caution(c, t, INSTEAD) if c and t else None

    def skewness(self, control: CoMoments, treatment: CoMoments) -> float | None:
        """Skewness of the estimate before any adjustment, as a burn-in asks for it; None where it is not known."""
        c, t = self._arm(control), self._arm(treatment)
        return lent_skewness(c.shape(), t.shape()) if c and t else None

    def sample(self, control: CoMoments, treatment: CoMoments) -> Sample:
        """How much the variants hold: what decides whether the estimate is near enough to normal."""
        smaller = min(int(control.n), int(treatment.n))
        events = [found for m in (control, treatment) if m.n == smaller and (found := self._events(m)) is not None]
        skewness = self.skewness(control, treatment)
        return Sample(int(control.n) + int(treatment.n), smaller, min(events, default=None), skewness)

    def _events(self, moments: CoMoments) -> int | None:
        """The units with an outcome, where the statistics show how many there are."""
        return moments.nonzero if isinstance(moments, ThirdMoments) else None

    def _arm(self, moments: CoMoments) -> Arm | None:  # noqa: ARG002
        """The variant's value as a linear one of its means, where that can be."""
        return None

    def block(self, name: str, missing: Missing) -> Block:
        """What this metric asks of a log, under the name that the plan gives it."""
        variables = self.outcomes() + tuple(map(_variable, _checked_covariates(self.covariates)))
        return Block(name, variables, self.missing or missing, thirds=self.thirds)

    def values(self, control: CoMoments | None, treatment: CoMoments | None) -> tuple[float, float]:
        """The two variants' own values, before any adjustment; nan where there are no units."""
        c, t = (self.of(moments) if moments is not None and moments.n else math.nan for moments in (control, treatment))
        return c, t

    def of(self, moments: CoMoments) -> float:
        """One variant's own value: the mean of its first variable."""
        return float(moments.mean[0])

    @property
    def sign(self) -> float:
        """1 where higher is better, -1 where lower is."""
        return 1.0 if self.direction == "increase" else -1.0

    def null(self) -> Null:
        """The effect on the edge: the tolerated harm of a guardrail, the smallest gain of a success."""
        size = 0.0 if self.margin is None else self.margin
        sign = -self.sign if self.role in ("guardrail", "deterioration") else self.sign
        return Relative(sign * size.value) if isinstance(size, Relative) else sign * size

    def _refuse_covariates(self, why: str) -> None:
        if self.covariates:
            raise ValueError(f"`covariates` must not be given for a {self.kind} metric: {why}.")

    def _checked_margin(self) -> float | Relative | None:
        if self.margin is None:
            if self.role == "guardrail":
                raise ValueError(
                    "`margin` must be given for a guardrail: the largest harm that is tolerated, such as "
                    "relative(0.01). To only watch for harm, use the role 'deterioration'."
                )
            return None
        if self.role == "quality":
            raise ValueError("`margin` must not be given for a quality metric, which must not differ at all.")
        if isinstance(self.margin, Relative):
            _check.at_least("margin", self.margin.value, 0)
            return self.margin
        return _check.at_least("margin", self.margin, 0)

    def _checked_mde(self) -> float | Relative | None:
        if self.mde is None:
            return None
        if self.role in ("guardrail", "quality"):
            instead = "its margin is the harm to detect" if self.role == "guardrail" else "it must not differ at all"
            raise ValueError(f"`mde` must not be given for a {self.role} metric: {instead}.")
        size, margin = (value.value if isinstance(value, Relative) else value for value in (self.mde, self.margin))
        size = _check.within("mde", size, 0, math.inf)
        alike = isinstance(self.mde, Relative) == isinstance(self.margin, Relative)
        if margin is not None and alike and not size > margin:
            raise ValueError(f"`mde` must be above the margin, {margin:g}; got {size:g}: no test finds less.")
        return Relative(size) if isinstance(self.mde, Relative) else size


def require_units(control: CoMoments, treatment: CoMoments) -> None:
    """Refuse variants too small for a variance, and for the slopes of the covariates."""
    needed = units_needed(control)
    for variant, n in (("control", control.n), ("treatment", treatment.n)):
        if n < needed:
            raise ValueError(f"the {variant} has {n} unit(s), and at least {needed} are needed")


def units_needed(moments: CoMoments) -> int:
    """The fewest units of a variant with which these statistics can be compared."""
    return 1 + max(len(moments.names), 1)


def _variable(covariate: Covariate) -> Variable:
    return Variable(covariate.column, "sum") if isinstance(covariate, Sum) else Variable(covariate, "same")


def _checked_covariates(value: object) -> tuple[Covariate, ...]:
    listed = (value,) if isinstance(value, (str, Sum)) else value
    if not isinstance(listed, Iterable):
        raise TypeError(f"`covariates` must be a column or a list of columns; got {_check.show(value)}.")
    result = tuple(item if isinstance(item, Sum) else _check.text("covariates", item) for item in listed)
    if ROWS in result:
        raise ValueError("`covariates` must be pre-period columns; got ROWS, a number that the treatment may change.")
    if len(set(result)) != len(result):
        raise ValueError("`covariates` must not repeat a column.")
    return result


def lent_skewness(control: Shape, treatment: Shape) -> float | None:
    """Skewness of the difference, the larger variant's shape lent to the smaller; None where it is not known."""
    if control.skewness is None or treatment.skewness is None:
        return None
    c = _guard.Shape(control.n, control.stderr, control.skewness)
    found = float(_guard.skewness(c, _guard.Shape(treatment.n, treatment.stderr, treatment.skewness)))
    return None if math.isnan(found) else found


def checked_cap(name: str, cap: object) -> None:
    """A cap must be a `Cap`, so that it is plain whether a number is a quantile or a value."""
    if cap is not None and not isinstance(cap, Cap):
        raise TypeError(f"`{name}` must be Cap(quantile=...) or Cap(value=...); got {_check.show(cap)}.")


def checked_metrics(metrics: object) -> Mapping[str, Metric]:
    """Metrics by their names, which nobody can change any more."""
    if not isinstance(metrics, Mapping):
        raise TypeError(f"`metrics` must map names to metrics; got {_check.show(metrics)}.")
    if not metrics:
        raise ValueError("`metrics` must have at least one metric.")
    for name, metric in metrics.items():
        _check.text("metrics", name)
        if not isinstance(metric, Metric):
            raise TypeError(f"`metrics.{name}` must be a metric such as Mean(...); got {_check.show(metric)}.")
    return MappingProxyType(dict(metrics))
