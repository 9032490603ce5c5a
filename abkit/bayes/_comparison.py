"""What is known of the effect of a treatment after the data, and what follows from it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from abkit import _check
from abkit._check import Float64Array
from abkit._sets import ConfidenceSet, Interval, NoInterval, tail_of
from abkit.bayes._bayes_factor import EFFECT_SCALE, log_bayes_factor
from abkit.bayes._difference import PairLaw, natural_scale, pair_law
from abkit.bayes._effect import PosteriorEffect
from abkit.bayes._intervals import OwnValue, shortest, shortest_effects
from abkit.bayes._law import Law
from abkit.bayes._losses import best_of, losses_of, pair_losses
from abkit.bayes._planned_end import predicted
from abkit.evidence import TestResult, tested
from abkit.types import Alternative, Direction, Null, Relative, RelativeMethod

KINDS = ("equal-tailed", "hdi")


@dataclass(frozen=True, eq=False)
class Comparison:
    """The posterior of treatments against a control: plain numbers for one pair, arrays for arrays of pairs.

    Made by `compare`. With several treatments what is said of effects has them along its first axis, and
    `comparison[name]` is one of them alone.
    """

    method: str
    prior: str
    scale: str
    direction: Direction
    null: Null
    alternative: Alternative
    names: tuple[str, ...]
    statistics: tuple[Any, ...]
    #: The prior as an object; None where it is a limit, which has no distribution.
    prior_used: Any
    #: Posteriors of the variants' own values, shape (variants, pairs...); None with a prior of the effect.
    arms: Any
    #: The posteriors of the effects, and of the effects as shares of the control; flat.
    law: Law
    share: Law | None
    #: Posterior means of the variants.
    means: Float64Array
    #: Where there is no posterior, of each variant and of each effect.
    lost: npt.NDArray[np.bool_]
    undefined: npt.NDArray[np.bool_]
    why: str
    #: Whether there is one treatment that was given by itself, so that effects have no axis of treatments.
    alone: bool

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of what is said of effects; () for one pair."""
        return self.undefined.shape[1:] if self.alone else self.undefined.shape

    @property
    def reason(self) -> str | None:
        """Why there is no posterior, where there is none; of arrays, of the elements that are nan."""
        return self.why if self.undefined.any() else None

    @property
    def control(self) -> Any:
        """Posterior mean of the control."""
        return self._known(0, self.means[0])

    @property
    def treatment(self) -> Any:
        """Posterior mean of the treatment."""
        return self._effects(self.means[1:].ravel())

    @cached_property
    def _pair(self) -> PairLaw | None:
        """The effects on the scale on which no effect has the quickest answer."""
        return None if self.arms is None else pair_law(self.arms, natural_scale(self.arms))

    @cached_property
    def estimate(self) -> Any:
        """Posterior mean of the effect."""
        return self._effects(self.law.mean)

    @cached_property
    def stderr(self) -> Any:
        """Posterior standard deviation of the effect."""
        return self._effects(self.law.sd)

    @cached_property
    def probability_better(self) -> Any:
        """P(treatment is better than the control by more than `null`)."""
        if self._pair is not None and not self._at(self.null).any():
            below, above, _ = self._pair.at_zero
        else:
            below, above, _ = self._law_of(self.null).look(self._at(self.null))
        return self._effects(above if self.direction == "increase" else below)

    @cached_property
    def probability_best(self) -> Float64Array:
        """Of every variant, control first: the probability that it is the best."""
        if self.arms is not None and len(self.names) > 2:
            return self._of_variants(best_of(self.arms, self.direction))
        if self._pair is not None:
            return self._of_effect(self._pair.at_zero[:2])
        return self._of_effect(self.law.look(np.zeros(self.undefined.size))[:2])

    @cached_property
    def expected_loss(self) -> Float64Array:
        """Of every variant, control first: how much worse than the best it is, on average, were it chosen."""
        if self.arms is not None and len(self.names) > 2:
            return self._of_variants(losses_of(self.arms, self.direction))
        if self._pair is not None:
            return self._of_effect(pair_losses(self._pair))
        law: Any = self.law  # of a prior of the effect, since the variants have no posteriors of their own
        return self._of_effect(law.losses())

    def interval(self, level: float = 0.95, kind: str = "equal-tailed") -> Any:
        """The effects between which the effect lies with this probability.

        Parameters
        ----------
        level : float
            Probability, between 0 and 1.
        kind : {"equal-tailed", "hdi"}
            With the same probability on either side, or the shortest.
        """
        return self._interval(self.law, level, kind)

    def relative(self, level: float = 0.95, method: RelativeMethod | None = None, *, kind: str = "equal-tailed") -> Any:
        """The same of the lift: treatment minus control as a share of the control."""
        if method is not None:
            return NoInterval(level, f"a posterior is not by the method {method!r}; leave it out")
        if self.share is None or (self.shape == () and not math.isfinite(self.share.start[0][0])):
            return NoInterval(level, f"a {self.scale} with these data and this prior has no relative form")
        return self._interval(self.share, level, kind)

    def variant(self, name: str, level: float = 0.95, kind: str = "equal-tailed") -> Any:
        """The values between which the variant's own value lies with this probability."""
        level = _check.within("level", level, 0, 1)
        k = self.names.index(_check.choice("name", name, self.names))
        if self.arms is None:
            return NoInterval(level, "with a prior of the effect the variants have no posterior of their own")
        own = self.arms.take(lambda a: np.broadcast_to(a, self.arms.shape)[k].ravel())
        tail = np.full(self.means[k].size, tail_of(level, "two-sided"))
        _check.choice("kind", kind, KINDS)
        low, high = OwnValue(own).ends(tail) if kind == "equal-tailed" else shortest(OwnValue(own), 2 * tail)
        low, high = (self._known(k, end.reshape(self.means[k].shape)) for end in (low, high))
        return NoInterval(level, self.why) if np.ndim(low) == 0 and math.isnan(low) else Interval(low, high, level)

    def rope(self, low: float, high: float) -> tuple[Any, Any, Any]:
        """The probabilities of an effect below, within and above a region of practical equivalence."""
        low, high = _check.number("low", low), _check.number("high", high)
        if not low <= high:
            raise ValueError(f"`high` must be at least `low`; got {high:g} and {low:g}.")
        # an effect that is exactly `low`, as a mixture may have it, is within
        below, from_low, _ = self.law.look(np.nextafter(self._at(low), -np.inf))
        to_high, above, _ = self.law.look(self._at(high))
        # a region far out in a tail is the difference of two small tails
        within = np.where(to_high < 0.5, to_high - below, np.where(from_low < 0.5, from_low - above, 1 - below - above))
        return self._effects(below), self._effects(np.maximum(within, 0.0)), self._effects(above)

    def bayes_factor(
        self, alternative: Alternative = "two-sided", *, cauchy_scale: float = EFFECT_SCALE, log: bool = False
    ) -> Any:
        """How many times as probable the data are with an effect as without any.

        Parameters
        ----------
        alternative : {"two-sided", "greater", "less"}
            Which effects there may be: either side, or above, or below zero only. No effect stands against them.
        cauchy_scale : float
            For means without a prior: the median size of an effect, in standard deviations of the units.
        log : bool
            The natural logarithm instead, which never overflows.
        """
        found = log_bayes_factor(self, alternative, cauchy_scale)
        with np.errstate(over="ignore", under="ignore"):
            return self._effects(found if log else np.exp(found))

    def predictive_probability(self, n: Any, *, threshold: float = 0.975) -> Any:
        """The probability, given the data so far, that at the planned end P(better) exceeds the threshold.

        Parameters
        ----------
        n : int, or one for each variant
            Units of each variant at the end; of `Events`, exposure. At least what there is already.
        threshold : float
            Success at the end is a posterior probability to be better by more than `null` above this.
        """
        return self._effects(predicted(self, n, threshold))

    def test(self, alternative: Alternative | None = None) -> TestResult:
        """The same as the result of a test, which rules read: its p-value is the posterior probability of the null.

        Of one pair only.
        """
        if self.shape != ():
            raise ValueError(f"`test` must be asked of one pair; got {self.undefined.size}. Choose one by its index.")
        return tested(self.method, self.effect, alternative or self.alternative, self.null, None)

    @property
    def effect(self) -> PosteriorEffect:
        """The posterior as an effect, of one pair."""
        ends = float(np.ravel(self.means[0])[0]), float(np.ravel(self.means[1])[0])
        if self.undefined.any():
            return PosteriorEffect(None, None, *ends, self.scale, self.why)
        share = None if self.share is None or not math.isfinite(self.share.start[0][0]) else self.share
        return PosteriorEffect(self.law, share, *ends, self.scale)

    @property
    def pvalue(self) -> float:
        """Posterior probability of the null's side; twice the smaller where there are two sides."""
        return self.test().pvalue

    @property
    def statistic(self) -> float:
        """The normal deviate of the posterior probability above the null."""
        return self.test().statistic

    def with_null(self, null: Null, alternative: Alternative | None = None) -> TestResult:
        """The same posterior against another null."""
        return self.test().with_null(null, alternative)

    def __getitem__(self, name: str) -> Comparison:
        """One of several treatments alone."""
        k = self.names[1:].index(_check.choice("name", name, self.names[1:]))
        size = self.undefined[k].size
        rows = np.arange(k * size, (k + 1) * size)
        return replace(
            self,
            names=(self.names[0], name),
            statistics=(self.statistics[0], self.statistics[k + 1]),
            arms=None if self.arms is None else self.arms.take(lambda a: a[[0, k + 1]]),
            law=self.law.rows(rows),
            share=None if self.share is None else self.share.rows(rows),
            means=self.means[[0, k + 1]],
            lost=self.lost[[0, k + 1]],
            undefined=self.undefined[[k]],
            alone=True,
        )

    def to_dict(self, level: float = 0.95) -> dict[str, Any]:
        """Plain values for JSON; undefined and infinite numbers are None.

        Of several treatments with a prior of the effect there is no `probability_best` and no `expected_loss`.
        """
        numbers = {
            name: _json(getattr(self, name))
            for name in ("estimate", "stderr", "control", "treatment", "probability_better")
        }
        each = {"probability_best": self.probability_best, "expected_loss": self.expected_loss} if self._ranked else {}
        return {
            "method": self.method,
            "prior": self.prior,
            "scale": self.scale,
            "direction": self.direction,
            "null": {"relative": self.null.value} if isinstance(self.null, Relative) else self.null,
            "variants": list(self.names),
            **numbers,
            **{key: dict(zip(self.names, map(_json, value), strict=True)) for key, value in each.items()},
            "interval": _set_json(self.interval(level)),
            "relative_interval": _set_json(self.relative(level)),
            "reason": self.reason,
        }

    def __str__(self) -> str:
        """Two or three lines to read."""
        if self.shape != ():
            size = self.undefined.size
            return f"{self.method}, {size} effects ({self.scale}); prior: {self.prior}"
        if self.undefined.any():
            return f"{self.method}: no posterior, since {self.why}"
        low, high = self.interval(0.95)
        loss = self.expected_loss
        return (
            f"{self.method}: {self.scale} {self.estimate:.4g} (95% credible {low:.4g} to {high:.4g})\n"
            f"P({self.names[1]} better) = {self.probability_better:.4g}; expected loss of {self.names[1]} "
            f"{loss[1]:.3g}, of {self.names[0]} {loss[0]:.3g}\n"
            f"prior: {self.prior}"
        )

    def _law_of(self, null: Null) -> Law:
        if not isinstance(null, Relative):
            return self.law
        if self.share is None:
            raise ValueError(f"`null` must be a number; a {self.scale} with this prior has no relative form.")
        return self.share

    def _at(self, null: Null) -> Float64Array:
        return np.full(self.undefined.size, null.value if isinstance(null, Relative) else null)

    def _interval(self, law: Law, level: float, kind: str) -> ConfidenceSet | Interval:
        level = _check.within("level", level, 0, 1)
        _check.choice("kind", kind, KINDS)
        tail = np.full(self.undefined.size, tail_of(level, "two-sided"))
        low, high = law.ends(tail) if kind == "equal-tailed" else shortest_effects(law, 2 * tail)
        if self.shape == () and self.undefined.any():
            return NoInterval(level, self.why)
        return Interval(self._effects(low), self._effects(high), level)

    def _known(self, k: int, value: Any) -> Any:
        """Of one variant; nan where its own posterior is undefined."""
        return _plain(np.where(self.lost[k], np.nan, value))

    def _effects(self, flat: Any) -> Any:
        """What is said of effects, in their shape; nan where undefined."""
        found = np.where(self.undefined, np.nan, np.reshape(flat, self.undefined.shape))
        return _plain(found[0] if self.alone else found)

    def _of_variants(self, found: Float64Array) -> Float64Array:
        return np.where(self.undefined.any(axis=0), np.nan, found)

    @property
    def _ranked(self) -> bool:
        """Whether it can be said which variant is the best."""
        return self.arms is not None or len(self.names) <= 2

    def _of_effect(self, of_two: Any) -> Float64Array:
        """Of the control and of the treatment, from what is below and above no effect."""
        if not self._ranked:
            raise ValueError("the best of several treatments needs priors of their own values; got one of the effect.")
        first, second = of_two if self.direction == "increase" else of_two[::-1]
        shape = self.undefined.shape[1:]
        return np.where(self.undefined, np.nan, np.stack([np.reshape(part, shape) for part in (first, second)]))


def _plain(value: Any) -> Any:
    return float(value) if np.ndim(value) == 0 else value


def _json(value: Any) -> Any:
    if np.ndim(value):
        return [_json(part) for part in value]
    return float(value) if math.isfinite(value) else None


def _set_json(region: Any) -> dict[str, Any]:
    if isinstance(region, NoInterval):
        return {"shape": region.shape, "reason": region.reason, "level": region.level}
    return {"shape": region.shape, "low": _json(region.low), "high": _json(region.high), "level": region.level}
