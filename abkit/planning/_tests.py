"""One test of the rule as it will be run: where its statistic will lie, and the chance that it shows what it is for."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.special import ndtr

from abkit._check import Float64Array
from abkit.errors import DataError
from abkit.evidence import Effect, Sample
from abkit.inference import quantile_effect
from abkit.inference._mean_effect import MeanEffect
from abkit.inference._quantile_effect import QuantileEffect
from abkit.logs import Distribution
from abkit.metrics import Metric, Quantile
from abkit.metrics._quantile import design_effect
from abkit.metrics._shifted import size_of
from abkit.planning._solve import Unanswerable
from abkit.planning._source import resized
from abkit.power._exact_looks import Counts, bounds_one_way
from abkit.power._statistic import Statistic, rejection
from abkit.sequential import AnytimeValid, Bayesian, FixedHorizon, GroupSequential, Look, Monitor
from abkit.sequential._guard import FEWEST_UNITS
from abkit.sequential._operating import Regions, Stopping
from abkit.suffstats import CoMoments
from abkit.types import Alternative, Null, Relative

#: A statistic whose mean lies so far beyond a bound passes it in any run.
CERTAIN = 40.0

#: How far from a quantile, as a share of the ranks beyond it, its density is taken.
NEAR = 0.1


@dataclass(frozen=True, slots=True)
class Looks:
    """When a plan is looked at: at these shares of its units, under this monitor."""

    monitor: Monitor
    shares: tuple[float, ...]

    @classmethod
    def of(cls, monitor: Monitor, looks: int) -> Looks:
        """Those that the monitor plans; of one that plans none, as many at equal distances."""
        if isinstance(monitor, FixedHorizon):
            return cls(monitor, (1.0,))
        if isinstance(monitor, GroupSequential):
            return cls(replace(monitor, units=None), monitor.planned)
        if isinstance(monitor, Bayesian):
            monitor.require_deviates("planning and simulation")
        return cls(monitor, tuple((k + 1) / looks for k in range(looks)))

    def critical_values(self, tail: float, at_end: Sample) -> tuple[float, ...]:
        """The deviate that must be passed at each look, of a test whose sample at the end is this one."""
        samples = [_part(at_end, share) for share in self.shares]
        return self.monitor.critical_values(tail, Look(len(samples)), samples)


def _part(sample: Sample, share: float) -> Sample:
    """The sample at an earlier look; counts are compared exactly, without a burn-in."""
    if sample.counts is not None:
        units = max(math.floor(sample.units * share), 1)
        return Sample(units, max(units, FEWEST_UNITS))
    return replace(
        sample,
        units=max(math.floor(sample.units * share), 1),
        smaller=math.floor(sample.smaller * share),
        events=None if sample.events is None else math.floor(sample.events * share),
        skewness=None if sample.skewness is None else sample.skewness / math.sqrt(share),
    )


@dataclass(frozen=True, slots=True)
class ExactLooks:
    """The bounds of the exact comparison of two proportions, towards one side, at the expected counts."""

    monitor: AnytimeValid
    units: tuple[int, int]
    counts: Counts
    way: float
    tail: float

    def upper(self, shares: tuple[float, ...], *, all_looks: bool) -> tuple[float, ...]:
        """At each look; where only the last one counts, infinite before it."""
        wanted = shares if all_looks else shares[-1:]
        way: Alternative = "greater" if self.way > 0 else "less"
        found = bounds_one_way(self.monitor, wanted, self.units, self.counts, way, self.tail)
        return (*(math.inf,) * (len(shares) - len(wanted)), *found)


def _as_number(null: Null) -> tuple[float, bool]:
    return (null.value, True) if isinstance(null, Relative) else (null, False)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a test's statistic lies, towards what it is to show, with given units and a given truth.

    `apart` is how many standard errors the control's mean lies from zero, where the null is a share of it. `exact`
    are the bounds of counts, where the monitor compares them exactly.
    """

    statistic: Statistic
    sample: Sample
    apart: float = math.inf
    exact: ExactLooks | None = None


@dataclass(frozen=True, eq=False)
class PlannedTest:
    """A metric's test against its null, at the share of alpha that it has.

    Parameters
    ----------
    name : str
        The metric.
    metric : Metric
        As the statistics can answer it.
    statistics : CoMoments
        Of one variant without the treatment.
    way : float
        1 where larger values are to be shown, -1 where smaller ones are.
    tail : float
        Alpha towards that side, over all looks.
    looks : Looks
        When it is looked at.
    at_any : bool
        Whether it is enough at any of the looks; else it must be shown at the last one.
    valued : float
        The share of units of which there is a value; what units are counted in is all of them.
    """

    name: str
    metric: Metric
    statistics: CoMoments
    way: float
    tail: float
    looks: Looks
    at_any: bool
    valued: float = 1.0

    def place(self, n_control: int, n_treatment: int, effect: Null, null: Null) -> Place:
        """Where the statistic lies.

        Raises
        ------
        Unanswerable
            An effect that the metric cannot have, or statistics that cannot be tested.
        """
        pair = self._with_value(n_control), self._with_value(n_treatment)
        found, sample = self._effect(*pair, effect)
        reference = found if isinstance(self.looks.monitor, FixedHorizon) else found.normal()
        statistic = _located(reference, null, self.way)
        apart = math.inf
        if isinstance(null, Relative) and isinstance(found, MeanEffect):
            apart = abs(found.control) / math.sqrt(found.var_control) if found.var_control > 0 else math.inf
        apart = apart if not isinstance(null, Relative) or found.control else 0.0
        if sample.counts is None or not isinstance(self.looks.monitor, AnytimeValid):
            return Place(statistic, sample, apart)
        counts = Counts(found.control, found.treatment, *_as_number(null))
        exact = ExactLooks(self.looks.monitor, pair, counts, self.way, self.tail)
        return Place(statistic, sample, apart, exact)

    def effect(self, n_control: int, n_treatment: int) -> Effect:
        """What the test is of where there is no treatment effect."""
        return self._effect(self._with_value(n_control), self._with_value(n_treatment), 0.0)[0]

    def _with_value(self, n: int) -> int:
        return n if self.valued == 1 else math.floor(n * self.valued + 1e-9)

    def _effect(self, n_control: int, n_treatment: int, effect: Null) -> tuple[Effect, Sample]:
        metric, moments = self.metric, self.statistics
        if isinstance(moments, Distribution):
            return self._of_quantiles(n_control, n_treatment, effect), Sample(
                n_control + n_treatment, min(n_control, n_treatment)
            )
        control = resized(moments, n_control)
        try:
            treatment = metric.shifted(resized(moments, n_treatment), effect)
            found = metric.effect(control, treatment)[1]
        except (ValueError, DataError) as error:
            raise Unanswerable(str(error).rstrip(".")) from error
        return found, metric.sample(control, treatment)

    def _of_quantiles(self, n_control: int, n_treatment: int, effect: Null) -> MeanEffect:
        """Two quantiles as normal estimates, with the standard errors that the history's units give."""
        value, variance = self._quantile
        moved = value + size_of(effect, value)
        return MeanEffect(value, moved, variance / n_control, variance / n_treatment, 0.0, math.inf)

    @cached_property
    def _quantile(self) -> tuple[float, float]:
        """The quantile, and the variance of its estimate for one unit.

        In a long history the values within one standard error may be in one bucket: those of fewer units are taken, and
        over several such numbers the rounding averages out.
        """
        found, metric = self.statistics, self.metric
        exact = metric.effect(found, found)[1]
        if not (isinstance(exact, QuantileEffect) and isinstance(found, Distribution) and isinstance(metric, Quantile)):
            raise Unanswerable(f"the history has too few values beyond the quantile of `{self.name}`")
        values, q, apart = found.histogram, metric.q, design_effect(found)
        widest = max(NEAR * min(q, 1 - q) / math.sqrt(q * (1 - q) * apart / values.n), 1.0)
        spans = np.geomspace(max(widest / 2, 1.0), widest, 9 if widest > 1 else 1)
        errors = [
            quantile_effect(values, values, q, apart * s * s, apart * s * s).of_control.stderr / s
            for s in spans.tolist()
        ]
        error = float(np.mean(errors))
        if math.isinf(error):
            raise Unanswerable(f"the history has too few values beyond the quantile of `{self.name}`")
        return exact.control, error * error * int(found.n)

    def power(self, place: Place) -> float:
        """The chance that the test shows what it is for, however its errors are correlated with the control's mean."""
        if self._is_fixed:
            chance = self._at_one_look(place)
        else:
            chance = self._at_any_look(place) if self.at_any else self._at_last_look(place)
        if math.isinf(place.apart):
            return chance
        return max(chance - float(ndtr(self._last(place) - place.apart)), 0.0)

    def _at_one_look(self, place: Place) -> float:
        at = place.statistic
        return float(rejection(Statistic(np.atleast_1d(at.drift), at.scale, np.array([at.df])), self.tail)[0])

    def _at_any_look(self, place: Place) -> float:
        return min(float(self.stopping(place).up.sum()), 1.0)

    def _at_last_look(self, place: Place) -> float:
        """At least: shown there, less the contrary at a look before."""
        bounds, means = self.bounds(place, all_looks=False), float(place.statistic.drift) * np.sqrt(self.looks.shares)
        return max(float(ndtr(means[-1] - bounds[-1])) - float(ndtr(-bounds[:-1] - means[:-1]).sum()), 0.0)

    def stopping(self, place: Place) -> Stopping:
        """The chance of being shown, or the contrary, at each look."""
        bounds, shares = self.bounds(place), self.looks.shares
        if not math.isfinite(bounds[-1]):
            none = np.zeros(len(bounds))
            return Stopping(none, none, none)
        first = int(np.argmax(np.isfinite(bounds)))
        certain = (bounds[first] + CERTAIN) / math.sqrt(shares[first])
        upper, idle = tuple(bounds.tolist()), (-math.inf,) * len(bounds)
        regions = Regions(shares, upper, tuple(-bound for bound in upper), idle, 2)
        return regions.stopping(np.clip(place.statistic.drift, -certain, certain))

    def bounds(self, place: Place, *, all_looks: bool = True) -> Float64Array:
        """What the statistic, in units of the estimate's own standard error, must exceed at each look."""
        if place.exact is not None:
            return np.array(place.exact.upper(self.looks.shares, all_looks=all_looks))
        return np.array(self.critical_values(place)) * float(place.statistic.scale)

    def open_after(self, place: Place) -> Float64Array:
        """At each look, the chance that the test does not show what it is for there."""
        if self._is_fixed:
            return np.array([1 - self.power(place)])
        return np.asarray(ndtr(self.bounds(place) - float(place.statistic.drift) * np.sqrt(self.looks.shares)))

    def critical_values(self, place: Place) -> tuple[float, ...]:
        """The deviates that must be passed at the looks."""
        if isinstance(self.looks.monitor, AnytimeValid):  # whose bounds depend on how many units there are
            return self.looks.critical_values(self.tail, place.sample)
        return self._known_bounds

    @cached_property
    def _known_bounds(self) -> tuple[float, ...]:
        return self.looks.critical_values(self.tail, Sample(0, 0))

    @property
    def can_reject(self) -> bool:
        """Whether the bounds that are known beforehand leave anything to reject."""
        return isinstance(self.looks.monitor, AnytimeValid) or math.isfinite(self._known_bounds[-1])

    @property
    def _is_fixed(self) -> bool:
        return isinstance(self.looks.monitor, FixedHorizon)

    def _last(self, place: Place) -> float:
        return self.critical_values(place)[-1]


def _located(effect: Effect, null: Null, way: float) -> Statistic:
    """The statistic in units of the estimate's own standard error, with that under the null as its scale."""
    drift = effect.statistic(null)
    if math.isnan(drift):
        raise Unanswerable(effect.undefined.rstrip("."))
    true = getattr(effect, "unpooled", None)
    scale = 1.0
    if true is not None and drift:
        wald = true.statistic(null)
        scale = wald / drift if math.isfinite(wald) and wald else 1.0
    return Statistic(np.array(way * drift * scale), scale, effect.df)
