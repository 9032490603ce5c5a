"""A plan's demands, and what they cost in units and weeks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from abkit import _check, _tails
from abkit.errors import PlanError
from abkit.evidence import Effect
from abkit.experiment import Experiment
from abkit.metrics import Metric, Quantile
from abkit.metrics._metric import units_needed
from abkit.planning._rule import RuleShares, rule_shares, weights_of
from abkit.planning._solve import Unanswerable, fewest, probit, smallest
from abkit.planning._source import Source
from abkit.planning._tests import Looks, Place, PlannedTest
from abkit.suffstats import CoMoments
from abkit.types import Null, Relative

_TYPICAL = 10_000  # units from which the first guess is scaled


@dataclass(frozen=True, slots=True)
class Allocation:
    """How units are shared out among the variants; of pairs every variant has every unit."""

    control: str
    weights: Mapping[str, float]
    pairs: bool

    @classmethod
    def of(cls, experiment: Experiment) -> Allocation:
        """The plan's, or equal shares."""
        pairs = any(metric.pairs for metric in experiment.metrics.values())
        return cls(experiment.control, weights_of(experiment), pairs)

    @property
    def treatment(self) -> str:
        """The one with the fewest units, which takes longest."""
        return min((name for name in self.weights if name != self.control), key=lambda name: self.weights[name])

    def of_smallest(self, k: int) -> dict[str, int]:
        """Units of every variant where the smallest one has k."""
        least = min(self.weights.values())
        if self.pairs:
            return dict.fromkeys(self.weights, k)
        return {name: math.ceil(round(weight / least * k, 6)) for name, weight in self.weights.items()}

    def of_total(self, units: float) -> dict[str, int]:
        """Units of every variant where all of them have so many."""
        if self.pairs:
            return dict.fromkeys(self.weights, math.floor(units))
        total = sum(self.weights.values())
        return {name: math.floor(weight / total * units + 1e-9) for name, weight in self.weights.items()}

    def total(self, units: Mapping[str, int]) -> int:
        """Units of all variants."""
        return max(units.values()) if self.pairs else sum(units.values())


@dataclass(frozen=True, slots=True)
class Demand:
    """What a metric is to show, and how surely.

    `asked` is the size of the effect, of a guardrail the margin; None where nobody said. `target` is the test's power.
    `promotes` is whether a promotion depends on it.
    """

    name: str
    metric: Metric
    tail: float
    target: float
    at_any: bool
    asked: Null | None
    promotes: bool

    @property
    def role(self) -> str:
        """The metric's."""
        return self.metric.role

    @property
    def way(self) -> float:
        """The side on which it is to be shown: the bad one for harms that are watched."""
        return -self.metric.sign if self.role == "deterioration" else self.metric.sign

    @property
    def size(self) -> float | None:
        """What was asked, as a number."""
        return self.asked.value if isinstance(self.asked, Relative) else self.asked

    def truth(self, size: float) -> tuple[Null, Null]:
        """The effect of the treatment and the null, where the size that was asked is this."""
        signed = Relative(self.way * size) if isinstance(self.asked, Relative) else self.way * size
        if self.role == "guardrail":
            return 0.0, Relative(-signed.value) if isinstance(signed, Relative) else -signed
        return signed, 0.0 if self.role == "quality" else self.metric.null()


@dataclass(frozen=True, slots=True)
class Need:
    """The fewest units of each variant, and when they have come; or why there are none.

    `at` is the time, in weeks, whose statistics they were worked out from.
    """

    units: dict[str, int] | None
    weeks: float | None
    at: float = math.inf
    reason: str | None = None


@dataclass(frozen=True, eq=False)
class Sizer:
    """A plan, what is known, and what is asked."""

    experiment: Experiment
    source: Source
    asked: Mapping[str, Null]
    power: float
    looks: Looks

    @cached_property
    def allocation(self) -> Allocation:
        """How units are shared out."""
        return Allocation.of(self.experiment)

    @cached_property
    def rule(self) -> RuleShares:
        """How errors are shared out."""
        return rule_shares(self.experiment, self.source.measured, len(self.looks.shares))

    @cached_property
    def demands(self) -> dict[str, Demand]:
        """What each metric is to show."""
        return {name: self._demand(name, metric) for name, metric in self.source.measured.items()}

    def _demand(self, name: str, metric: Metric) -> Demand:
        rule = self.rule
        tail = self.experiment.quality.alpha / 2 if metric.role == "quality" else rule.tail(name, metric.role)
        promotes = rule.tree is not None and name in rule.tree.metrics()
        target = rule.each(self.power) if promotes else self.power
        at_any = rule.tests <= 1 or not promotes
        asked = metric.margin if metric.role == "guardrail" else self.asked.get(name)
        return Demand(name, metric, tail, target, at_any, asked, promotes)

    def test(self, demand: Demand, weeks: float) -> PlannedTest:
        """The test of a demand on what units are like after so many weeks."""
        key = demand.name, self.source.period(weeks)
        if key not in self._tests:
            statistics = self.source.known_at(weeks)[demand.name]
            shared = demand.way, demand.tail, self.looks, demand.at_any
            valued = self.source.valued_at(weeks).get(demand.name, 1.0)
            self._tests[key] = PlannedTest(demand.name, demand.metric, statistics, *shared, valued)
        return self._tests[key]

    @cached_property
    def _tests(self) -> dict[tuple[str, int], PlannedTest]:
        return {}

    def place(self, demand: Demand, units: Mapping[str, int], size: float, weeks: float = math.inf) -> Place:
        """Where the statistic of a demand lies with these units."""
        pair = units[self.allocation.control], units[self.allocation.treatment]
        return self.test(demand, weeks).place(*pair, *demand.truth(size))

    def power_of(self, demand: Demand, units: Mapping[str, int], size: float, weeks: float = math.inf) -> float:
        """The chance that a demand is met with these units."""
        test = self.test(demand, weeks)
        return test.power(self.place(demand, units, size, weeks))

    def need(self, demand: Demand) -> Need:
        """The fewest units with which a demand is met."""
        try:
            return self.together([demand])
        except Unanswerable as error:
            return Need(None, None, reason=str(error))

    def together(self, demands: Sequence[Demand]) -> Need:
        """The fewest units with which each of several demands is met: the largest need, on the same statistics.

        Raises
        ------
        Unanswerable
            One of them cannot be met.
        """
        for weeks in self.periods():
            units = self.allocation.of_total(self.source.units_at(weeks))
            if all(self._is_met(demand, units, weeks) for demand in demands):
                return self._at(demands, weeks)
        return self._at(demands, math.inf)

    def _is_met(self, demand: Demand, units: Mapping[str, int], weeks: float) -> bool:
        if min(units.values()) < self.least(demand, weeks) or not (demand.size or 0) > 0:
            return False
        return self.power_of(demand, units, demand.size or 0.0, weeks) >= demand.target

    def _at(self, demands: Sequence[Demand], weeks: float) -> Need:
        k = max(self._known_fewest(demand, weeks) for demand in demands)
        units = self.allocation.of_smallest(k)
        when = self.source.weeks_for(self.allocation.total(units))
        if when is not None and math.isfinite(weeks) and self.source.every:
            when = max(when, weeks - self.source.every)  # until then units were of another kind
        return Need(units, when, weeks)

    def _known_fewest(self, demand: Demand, weeks: float) -> int:
        key = demand.name, self.source.period(weeks)
        if key not in self._found:
            self._found[key] = self._fewest(demand, weeks)
        return self._found[key]

    @cached_property
    def _found(self) -> dict[tuple[str, int], int]:
        return {}

    def _fewest(self, demand: Demand, weeks: float) -> int:
        """Units of the smallest variant.

        Raises
        ------
        Unanswerable
            No number of them is enough; the message says why.
        """
        size = demand.size
        if size is None:
            raise Unanswerable("no effect is named that it should find")
        if not size > 0:
            side = "never shown, however many units there are" if size == 0 else "on the wrong side: sizes are above 0"
            raise Unanswerable(f"{'a margin' if demand.role == 'guardrail' else 'an effect'} of {size:g} is {side}")
        if not demand.target < 1:
            raise Unanswerable(_too_much(self))
        many = max(_TYPICAL, self.least(demand, weeks))
        typical = self.place(demand, self.allocation.of_smallest(many), size, weeks)
        drift = float(typical.statistic.drift)
        if not drift > 0 or typical.apart == 0:
            raise Unanswerable(self._never(demand, size, typical))
        if not self.test(demand, weeks).can_reject:
            raise Unanswerable(f"at its share of alpha, {2 * demand.tail:.3g}, the monitor's bounds are never passed")
        bound = _tails.critical(demand.tail, math.inf) * float(typical.statistic.scale)
        guess = many * ((bound + max(probit(demand.target), 0.0)) / drift) ** 2

        def power_of(k: int) -> float:
            return self.power_of(demand, self.allocation.of_smallest(k), size, weeks)

        k = fewest(power_of, demand.target, self.least(demand, weeks), guess)
        if k is None:
            raise Unanswerable("more units than can be counted would be needed")
        return k

    def _never(self, demand: Demand, size: float, at: Place) -> str:
        """Why no number of units is enough."""
        if at.apart == 0:
            return "the control's mean is zero, of which nothing is a share"
        if float(at.statistic.drift) == 0:
            return f"an effect of {size:g} lies on the edge of what is tested, and is never shown"
        return f"an effect of {size:g} does not exceed the smallest gain that counts, the margin of {demand.name!r}"

    def least(self, demand: Demand, weeks: float = math.inf) -> int:
        """The fewest units of a variant that the test can have."""
        alike = demand.metric.pairs or isinstance(demand.metric, Quantile)
        with_value = 2 if alike else units_needed(self.source.statistics[-1][demand.name])
        return math.ceil(with_value / self.test(demand, weeks).valued)

    def periods(self) -> Iterator[float]:
        """When the periods of the history end, in weeks, where it is known how many units have come by then."""
        if self.source.every and self.source.per_week is not None and len(self.source.statistics) > 1:
            yield from ((period + 1) * self.source.every for period in range(len(self.source.statistics)))

    def detectable(self, demand: Demand, units: Mapping[str, int], weeks: float = math.inf) -> tuple[float | None, str]:
        """The smallest effect (of a guardrail, margin) that these units show with the power asked, or why none."""
        if not demand.target < 1:
            return None, _too_much(self)
        if min(units.values()) < self.least(demand, weeks):
            return None, f"a variant has {min(units.values())} unit(s), which is too few for a test"

        def power_of(size: float) -> float:
            return self.power_of(demand, units, size, weeks)

        try:
            guess = self._guess_size(demand, units, weeks)
            found = smallest(power_of, demand.target, guess)
        except Unanswerable as error:
            return None, str(error)
        return found, "" if found is not None else "no effect that there can be is found with this power by these units"

    def _guess_size(self, demand: Demand, units: Mapping[str, int], weeks: float) -> float:
        test = self.test(demand, weeks)
        found = test.effect(units[self.allocation.control], units[self.allocation.treatment])
        reach = (_tails.critical(demand.tail, math.inf) + max(probit(demand.target), 0.0)) * found.stderr
        if isinstance(demand.asked, Relative):
            reach /= abs(found.control) or math.nan
        beyond = 0.0 if demand.role == "guardrail" else self._edge(demand, found)
        if not 0 < reach + beyond < math.inf:
            raise Unanswerable(
                found.undefined.rstrip(".")
                if not reach > 0
                else "the control's mean is zero, of which nothing is a share"
            )
        return reach + beyond

    def _edge(self, demand: Demand, found: Effect) -> float:
        """The null's size in the scale of the effect that is looked for."""
        null = demand.truth(0.0)[1]
        size = abs(null.value * found.control) if isinstance(null, Relative) else abs(null)
        return size / (abs(found.control) or math.nan) if isinstance(demand.asked, Relative) else size


def _too_much(sizer: Sizer) -> str:
    return (
        f"harms and checks that are not there may stop {sizer.rule.false:.3g} of all promotions, so a power of "
        f"{sizer.power:g} is out of reach"
    )


def asked_sizes(experiment: Experiment, mde: object) -> dict[str, Null]:
    """The effects to find: those that are given, else the plan's own."""
    own = {name: metric.mde for name, metric in experiment.metrics.items() if metric.mde is not None}
    if mde is None:
        return own
    if not isinstance(mde, Mapping):
        success = [name for name, metric in experiment.metrics.items() if metric.role == "success"]
        return {**own, **dict.fromkeys(success, _size("mde", mde))}
    for name in mde:
        if name not in experiment.metrics:
            hint = _check.suggest(name, experiment.metrics)
            raise PlanError(f"`mde` must name metrics of the plan; got {_check.show(name)}.{hint}")
        if experiment.metrics[name].role in ("guardrail", "quality"):
            raise PlanError(f"`mde` must not name {name!r}: a {experiment.metrics[name].role} metric has none.")
    return {**own, **{name: _size(f"mde.{name}", value) for name, value in mde.items()}}


def _size(name: str, value: object) -> Null:
    if isinstance(value, Relative):
        return value
    if isinstance(value, str):
        raise TypeError(f"`{name}` must be a number, or relative(0.02) for a share of the baseline; got {value!r}.")
    return _check.number(name, value)


def own_value(metric: Metric, statistics: CoMoments) -> float:
    """The metric's value without a treatment."""
    return metric.values(statistics, statistics)[0]
