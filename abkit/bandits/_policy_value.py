"""The answer of an off-policy evaluation: a policy's value, and how far the log can be trusted with it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from scipy.special import ndtr, ndtri

from abkit import _check
from abkit._sets import Interval, finite_or_none


@dataclass(frozen=True)
class Check:
    """A mean that is known beforehand, and what the log gave.

    Parameters
    ----------
    value, stderr : float
        The mean in the log and its standard error.
    expected : float
        What it is where the logged propensities are right.
    """

    value: float
    stderr: float
    expected: float

    @property
    def z(self) -> float:
        """How many standard errors lie between them; 0 where both are equal."""
        gap = self.value - self.expected
        if abs(gap) <= 1e-9 * abs(self.expected):
            return 0.0
        return gap / self.stderr if self.stderr > 1e-12 * abs(self.expected) else math.copysign(math.inf, gap)

    @property
    def pvalue(self) -> float:
        """Of the normal test that they are the same."""
        return float(2 * ndtr(-abs(self.z)))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        numbers = {"value": self.value, "stderr": self.stderr, "expected": self.expected}
        return {**numbers, "z": finite_or_none(self.z), "pvalue": self.pvalue}


@dataclass(frozen=True)
class Period:
    """A tenth of the log's time.

    Parameters
    ----------
    start : str
        When it begins.
    n : int
        Rows in it.
    reward, propensity : float
        The mean reward and the mean propensity of the logged arms.
    weight, weight_stderr : float
        The mean weight, which is 1 in every period where the propensities are right, and its standard error.
    """

    start: str
    n: int
    reward: float
    propensity: float
    weight: float
    weight_stderr: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {name: finite_or_none(getattr(self, name)) for name in self.__dataclass_fields__}


@dataclass(frozen=True)
class Diagnostics:
    """What the log says of its own propensities, and of how much of it the target uses.

    Parameters
    ----------
    weight : Check
        The mean of target over logged propensity, which must be 1.
    inverse_propensity : Check
        The mean of 1 over the logged propensity, which must be the number of arms where each has a chance.
    ess : float
        Effective sample size, (sum w)^2 / sum w^2.
    largest_weight, smallest_propensity : float
        The extremes of the log.
    cut : float
        Share of rows whose weight was cut at the threshold.
    drift : float or None
        p-value of the test that the mean propensity of the logged arms is the same in every period; with `order`.
    periods : tuple of Period
        With `order`: the log's time in tenths.
    """

    weight: Check
    inverse_propensity: Check
    ess: float
    largest_weight: float
    smallest_propensity: float
    cut: float = 0.0
    drift: float | None = None
    periods: tuple[Period, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "weight": self.weight.to_dict(),
            "inverse_propensity": self.inverse_propensity.to_dict(),
            "ess": self.ess,
            "largest_weight": self.largest_weight,
            "smallest_propensity": self.smallest_propensity,
            "cut": self.cut,
            "drift": self.drift,
            "periods": [period.to_dict() for period in self.periods],
        }


@dataclass(frozen=True)
class PolicyValue:
    """The mean reward that a policy would have had, from a log of another.

    Parameters
    ----------
    method : str
        The estimator.
    value, stderr : float
        Mean reward of a decision by the target, and its standard error.
    level : float
        The default of `interval`.
    n : int
        Rows of the log.
    on_policy, on_policy_stderr : float
        Mean reward of the log itself.
    difference, difference_stderr : float
        `value` less `on_policy`; both come from the same rows, and the standard error knows it.
    unsupported : float or None
        The share of the target's probability on arms that the log does not have in the same cell, or that could not be
        chosen then; None where it cannot be known.
    threshold : float or None
        Where weights were cut.
    bounds : tuple or None
        What no reward lies outside of.
    diagnostics : Diagnostics or None
        None where there are no propensities.
    warnings : tuple of str
        What speaks against trusting the value, one sentence each.
    """

    method: str
    value: float
    stderr: float
    level: float
    n: int
    on_policy: float
    on_policy_stderr: float
    difference: float
    difference_stderr: float
    unsupported: float | None
    threshold: float | None
    bounds: tuple[float, float] | None
    diagnostics: Diagnostics | None
    warnings: tuple[str, ...]

    @property
    def ess(self) -> float | None:
        """Effective sample size; None where there are no propensities."""
        return self.diagnostics.ess if self.diagnostics else None

    @property
    def effective_sample_size(self) -> float | None:
        """The same in words."""
        return self.ess

    def interval(self, level: float | None = None) -> Interval:
        """The normal interval of the value, within `bounds` where these are known."""
        low, high = _normal(self.value, self.stderr, self.level if level is None else level)
        if self.bounds is not None:
            low, high = max(low, self.bounds[0]), min(high, self.bounds[1])
        return Interval(low, high, self.level if level is None else level)

    def difference_interval(self, level: float | None = None) -> Interval:
        """The normal interval of the difference from the log's own mean reward."""
        used = self.level if level is None else level
        return Interval(*_normal(self.difference, self.difference_stderr, used), used)

    def __str__(self) -> str:
        now, apart = self.interval(), self.difference_interval()
        own = f"the log's own {self.on_policy:.4g}"
        side = "above" if self.difference > 0 else "below"
        same = apart.contains(0.0)
        verdict = f"not shown to differ from {own}" if same else f"{side} {own} by {abs(self.difference):.4g}"
        shown = f"{100 * now.level:g}% interval [{now.low:.4g}, {now.high:.4g}]"
        beside = f"difference {self.difference:.4g} [{apart.low:.4g}, {apart.high:.4g}]"
        lines = [
            f"The target's mean reward is {self.value:.4g}, {shown}: {verdict}.",
            f"{self.method}, {self.n:,} rows, standard error {self.stderr:.3g}; {beside}",
        ]
        seen = self.diagnostics
        if seen:
            weight, inverse = seen.weight, seen.inverse_propensity
            means = f"mean weight {weight.value:.4g} +- {weight.stderr:.2g} (must be 1)"
            means += f"; mean inverse propensity {inverse.value:.4g} +- {inverse.stderr:.2g}"
            lines += [
                f"effective sample size {seen.ess:,.1f}; {means} for {inverse.expected:g} arms",
                f"largest weight {seen.largest_weight:.4g}, smallest propensity {seen.smallest_propensity:.3g}",
            ]
        return "\n".join([*lines, *(f"warning: {sentence}" for sentence in self.warnings)])

    def __repr__(self) -> str:
        return str(self)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; infinite and undefined numbers are None."""
        now, apart = self.interval(), self.difference_interval()
        return {
            "method": self.method,
            "value": self.value,
            "stderr": self.stderr,
            "level": self.level,
            "interval": [now.low, now.high],
            "n": self.n,
            "on_policy": self.on_policy,
            "on_policy_stderr": self.on_policy_stderr,
            "difference": self.difference,
            "difference_stderr": self.difference_stderr,
            "difference_interval": [apart.low, apart.high],
            "unsupported": self.unsupported,
            "threshold": None if self.threshold is None else finite_or_none(self.threshold),
            "bounds": None if self.bounds is None else list(self.bounds),
            "diagnostics": self.diagnostics.to_dict() if self.diagnostics else None,
            "warnings": list(self.warnings),
        }


def _normal(value: float, stderr: float, level: float) -> tuple[float, float]:
    half = float(-ndtri((1 - _check.within("level", level, 0, 1)) / 2)) * stderr
    return value - half, value + half
