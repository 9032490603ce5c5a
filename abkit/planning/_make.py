"""From a plan and what is known to the answer."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from abkit import _check
from abkit.errors import PlanError
from abkit.experiment import Experiment
from abkit.inference import Arm, mean_arm, ratio_arm, variance_kept
from abkit.metrics import Metric, Paired, Proportion, Quantile, Rate, Ratio
from abkit.planning._more import more_units
from abkit.planning._planning import MetricPlan, Planning, RulePlan, both_scales
from abkit.planning._rule import in_words, missed_by, needed_of
from abkit.planning._sizing import Demand, Need, Sizer, asked_sizes, own_value
from abkit.planning._solve import MOST, Unanswerable
from abkit.planning._source import DAYS, read_source
from abkit.planning._tests import Looks
from abkit.rule import Node
from abkit.sequential import AnytimeValid, Bayesian, FixedHorizon, GroupSequential
from abkit.suffstats import CoMoments
from abkit.types import Relative

LOOKS = 20


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked of a plan; see `Experiment.plan`."""

    mde: object = None
    weeks: float | None = None
    power: float = 0.8
    time: str | None = None
    units_per_week: float | None = None
    looks: int | None = None


def make_planning(experiment: Experiment, history: object, wish: Wish | None = None) -> Planning:
    """The answer from a log, a summary, or the report of the running experiment; see `Experiment.plan`."""
    wish = wish or Wish()
    power, looks = _check.within("power", wish.power, 0, 1), wish.looks
    weeks = None if wish.weeks is None else _check.within("weeks", wish.weeks, 0, math.inf)
    if looks is not None and not isinstance(experiment.monitor, (AnytimeValid, Bayesian)):
        raise PlanError(
            "`looks` must be left out but for an anytime or a Bayesian monitor: the plan's monitor says when it looks."
        )
    usual = 1 if isinstance(experiment.monitor, Bayesian) else LOOKS
    count = usual if looks is None else _check.count("looks", looks, 1)
    asked = asked_sizes(experiment, wish.mde)
    source = read_source(experiment, history, wish.time, wish.units_per_week)
    sizer = Sizer(experiment, source, asked, power, Looks.of(experiment.monitor, count))
    if weeks is None and source.per_week is None and not _can_be_sized(sizer):
        raise PlanError(
            "`mde` must be given, or be in the plan: without one, and without a traffic, there is nothing to work out."
        )
    needs = {} if weeks is not None else {name: sizer.need(demand) for name, demand in sizer.demands.items()}
    rule = _rule_at(sizer, weeks) if weeks is not None else _rule(sizer, needs)
    rows = tuple(_row(sizer, name, needs.get(name), rule) for name in sizer.demands)
    more = () if source.report is None else tuple(more_units(sizer, source.report, asked))
    return Planning(experiment, rule, rows, tuple(_assumptions(sizer, rule)), more, sizer, weeks)


def _can_be_sized(sizer: Sizer) -> bool:
    return any(demand.asked is not None for demand in sizer.demands.values()) or sizer.source.report is not None


def _rule(sizer: Sizer, needs: dict[str, Need]) -> RulePlan:
    """The largest need of what a promotion depends on."""
    reason, tree = _why_not(sizer, needs), sizer.rule.tree
    names = None if tree is None else needed_of(tree, {name for name, need in needs.items() if need.units})
    if reason or not names:
        return _answer(sizer, {}, None, None, reason)
    sized = [demand for name, demand in sizer.demands.items() if name in names]
    decisive = max(sized, key=lambda demand: sizer.allocation.total(needs[demand.name].units or {}))
    need = sizer.together(sized)
    units, least = need.units or {}, sizer.experiment.timing.min_units
    if min(units.values()) >= least:
        return _answer(sizer, units, need.weeks, decisive.name, None)
    units = sizer.allocation.of_smallest(least)  # until then a promotion waits
    return _answer(sizer, units, sizer.source.weeks_for(sizer.allocation.total(units)), decisive.name, None)


def _rule_at(sizer: Sizer, weeks: float) -> RulePlan:
    """With the units that will have come by then."""
    arrived = sizer.source.units_at(weeks)
    if arrived > MOST:
        raise PlanError(f"`weeks` must be fewer; in {weeks:g} more units come than can be counted.")
    units = sizer.allocation.of_total(arrived)
    least = max(sizer.least(demand) for demand in sizer.demands.values())
    waits = sizer.experiment.timing.min_units
    if min(units.values()) < max(least, waits):
        what = "before a promotion (`timing.min_units`)" if waits > least else "for a test"
        reason = (
            f"{arrived:,.0f} unit(s) come in {weeks:g} week(s), and every variant needs at least {max(least, waits)} "
            f"{what}"
        )
        return _answer(sizer, {}, weeks, None, _nothing_to_show(sizer) or reason)
    return _answer(sizer, units, weeks, None, _nothing_to_show(sizer))


def _nothing_to_show(sizer: Sizer) -> str | None:
    return None if sizer.rule.tests else "the plan has neither a success metric nor a guardrail: it never promotes"


def _why_not(sizer: Sizer, needs: dict[str, Need]) -> str | None:
    """Why no number of units gives the power."""
    tree = sizer.rule.tree
    if tree is None:
        return _nothing_to_show(sizer)
    sized = {name for name, need in needs.items() if need.units}
    why = {name: f"`{name}`: {needs[name].reason}" for name in tree.metrics() if name not in sized}
    asked = {name for name in tree.metrics() if sizer.demands[name].asked is not None}
    found = _lacking(tree, sized, {name: reason for name, reason in why.items() if name in asked})
    if found is None and needed_of(tree, sized) is None and _has_success(sizer, asked):
        return _lacking(tree, sized, why)
    return found


def _has_success(sizer: Sizer, names: Collection[str]) -> bool:
    return any(sizer.demands[name].role == "success" for name in names)


def _lacking(node: Node, sized: Collection[str], why: Mapping[str, str]) -> str | None:
    """The first reason why a node cannot be met; none where it can, or where nobody said what to find."""
    if isinstance(node, str):
        return why.get(node)
    if needed_of(node, sized) is not None:
        return None
    return next(filter(None, (_lacking(part, sized, why) for part in node.nodes)), None)


def _answer(
    sizer: Sizer, units: dict[str, int], weeks: float | None, decisive: str | None, reason: str | None
) -> RulePlan:
    shares, infinite = sizer.rule, weeks is not None and math.isinf(weeks)
    if infinite:
        come = "came in the history's last period" if sizer.source.units else "come"
        reason = f"no units {come}, so it takes for ever: give `units_per_week`"
    known = None if weeks is None or infinite else weeks
    return RulePlan(
        _power(sizer, units, weeks) if units else None,
        sizer.power,
        sizer.allocation.total(units) if units else None,
        units,
        _expected(sizer, units, weeks) if units else None,
        known,
        None if known is None else known * DAYS,
        decisive,
        min(max(shares.each(sizer.power), 0.0), 1.0),
        shares.false_harms,
        shares.false_checks,
        reason,
    )


def _judged(sizer: Sizer) -> list[Demand]:
    """What a promotion depends on and has a size: guardrails, and the success metrics with an effect."""
    return [demand for demand in sizer.demands.values() if demand.promotes and (demand.size or 0) > 0]


def _missed(sizer: Sizer, units: dict[str, int], weeks: float | None) -> float | None:
    """The chance at most that the tests miss, whichever success metric has its effect; None if unknown."""
    when = math.inf if weeks is None else weeks
    chances: dict[str, float] = {}
    for demand in _judged(sizer):
        try:
            chances[demand.name] = 1 - sizer.power_of(demand, units, demand.size or 0.0, when)
        except Unanswerable:
            chances[demand.name] = 1.0
    found = None if sizer.rule.tree is None else missed_by(sizer.rule.tree, chances)
    return None if found is None else float(found)


def _power(sizer: Sizer, units: dict[str, int], weeks: float | None) -> float | None:
    missed = _missed(sizer, units, weeks)
    return None if missed is None or not sizer.rule.tests else sizer.rule.together(missed)


def _expected(sizer: Sizer, units: dict[str, int], weeks: float | None) -> float | None:
    """Units of all variants when the rule ends, on average; where several tests must succeed together, at most."""
    tree, shares = sizer.rule.tree, np.array(sizer.looks.shares)
    waits = sizer.experiment.timing.min_units > math.floor(min(units.values()) * shares[0])
    if len(shares) == 1 or tree is None or waits or _missed(sizer, units, weeks) is None:
        return None
    when, judged = math.inf if weeks is None else weeks, _judged(sizer)
    try:
        if sizer.rule.tests == 1:
            alone = [_stopping_units(sizer, demand, units, demand.size or 0.0, when) for demand in judged]
            return max(found for found in alone if found is not None)
        places = [sizer.place(demand, units, demand.size or 0.0, when) for demand in judged]
    except Unanswerable:
        return None
    missing = {d.name: sizer.test(d, when).open_after(place) for d, place in zip(judged, places, strict=True)}
    missed = missed_by(tree, missing)
    open_ = (np.ones(len(shares)) if missed is None else missed) + sizer.rule.false
    at_most = np.minimum.accumulate(np.minimum(open_, 1.0))
    return float(sizer.allocation.total(units) * (np.diff([0.0, *shares]) @ np.array([1.0, *at_most[:-1]])))


def _row(sizer: Sizer, name: str, need: Need | None, rule: RulePlan) -> MetricPlan:
    demand, when = sizer.demands[name], math.inf if rule.weeks is None else rule.weeks
    statistics = sizer.source.known_at(when)[name]
    value = own_value(demand.metric, statistics)
    baseline = None if math.isnan(value) else value
    detectable, why = sizer.detectable(demand, rule.allocation, when) if rule.allocation else (None, "")
    size, power, units, weeks, solved, reason = _solved(sizer, demand, need, rule, detectable, why)
    absolute, relative = both_scales(sizer, name, size, baseline)
    margin, margin_relative = _margin(demand.metric, baseline)
    is_guardrail = demand.role == "guardrail"
    found, found_relative = both_scales(sizer, name, detectable, baseline)
    return MetricPlan(
        name,
        demand.role,
        demand.metric.direction,
        sizer.allocation.treatment,
        baseline,
        _sd(demand.metric, statistics),
        _variance_kept(demand.metric, statistics),
        None if is_guardrail else absolute,
        None if is_guardrail else relative,
        margin,
        margin_relative,
        1 - 2 * demand.tail,
        power,
        solved,
        units[sizer.allocation.control] if units else None,
        units[sizer.allocation.treatment] if units else None,
        sizer.allocation.total(units) if units else None,
        _stopping_units(sizer, demand, units, size, need.at if need else when) if units and size and solved else None,
        None if weeks is None or math.isinf(weeks) else weeks,
        found,
        found_relative,
        reason,
    )


_Solved = tuple[float | None, float | None, dict[str, int] | None, float | None, str | None, str | None]


def _solved(
    sizer: Sizer, demand: Demand, need: Need | None, rule: RulePlan, detectable: float | None, why: str
) -> _Solved:
    """Size, power, units, weeks, which of them was solved, and why nothing was."""
    size, when = demand.size, math.inf if rule.weeks is None else rule.weeks
    if need is not None and size is not None:
        power = None
        if need.units:
            power = sizer.power_of(demand, need.units, size, need.at)
        return size, power, need.units, need.weeks, "units" if need.units else None, need.reason
    if not rule.allocation:
        return size, None, None, None, None, why or None
    if size is None:
        solved = None if detectable is None else "mde"
        power = None if detectable is None else demand.target
        return detectable, power, rule.allocation, rule.weeks, solved, why or None
    try:
        power = sizer.power_of(demand, rule.allocation, size, when)
    except Unanswerable as error:
        return size, None, rule.allocation, rule.weeks, None, str(error)
    return size, power, rule.allocation, rule.weeks, "power", None


def _stopping_units(sizer: Sizer, demand: Demand, units: dict[str, int], size: float, weeks: float) -> float | None:
    """Units of all variants when one metric alone is decided, on average."""
    if len(sizer.looks.shares) == 1:
        return None
    place = sizer.place(demand, units, size, weeks)
    stops = sizer.test(demand, weeks).stopping(place).total
    return float(sizer.allocation.total(units) * (stops @ np.array(sizer.looks.shares)))


def _margin(metric: Metric, baseline: float | None) -> tuple[float | None, float | None]:
    if metric.margin is None:
        return None, None
    if isinstance(metric.margin, Relative):
        return (None if baseline is None else metric.margin.value * abs(baseline)), metric.margin.value
    return metric.margin, (metric.margin / abs(baseline) if baseline else None)


def _sd(metric: Metric, statistics: CoMoments) -> float | None:
    """Standard deviation of a unit's value, of what it adds to a ratio, or of a pair's difference."""
    if isinstance(metric, Quantile) or (isinstance(metric, Paired) and metric.denominator):
        return None
    if isinstance(metric, Proportion):
        rate = float(statistics.mean[0])
        return math.sqrt(max(rate * (1 - rate), 0.0))
    weights = np.array([-1.0, 1.0]) if metric.pairs else _arm(metric, statistics).gradient
    k = len(weights)
    return math.sqrt(max(float(weights @ statistics.covariance[:k, :k] @ weights), 0.0))


def _arm(metric: Metric, statistics: CoMoments) -> Arm:
    return (ratio_arm if isinstance(metric, (Rate, Ratio)) else mean_arm)(statistics)


def _variance_kept(metric: Metric, statistics: CoMoments) -> float:
    arm = _arm(metric, statistics) if metric.covariates else None
    return variance_kept(arm, arm) if arm else 1.0


def _assumptions(sizer: Sizer, rule: RulePlan) -> Iterator[str]:
    if sizer.experiment.allocation is None:
        yield "the plan has no `allocation`: one treatment and equal shares are assumed"
    yield from _of_rule(sizer)
    yield from _of_looks(sizer, rule)
    yield "units are alike and independent, and the treatment changes what the history shows by its effect only"
    yield from sizer.source.notes
    if sizer.source.per_week is None:
        yield "nobody said how fast units come: for a duration give `units_per_week`, or a history with times"
    elif rule.weeks is not None and rule.weeks > sizer.source.ends > 0:
        yield f"beyond {sizer.source.ends:.3g} weeks traffic and variances are extrapolated"
    yield from _of_report(sizer)


def _of_looks(sizer: Sizer, rule: RulePlan) -> Iterator[str]:
    monitor, count = sizer.experiment.monitor, len(sizer.looks.shares)
    if isinstance(monitor, FixedHorizon):
        yield "one look, at the end"
    elif isinstance(monitor, Bayesian):
        yield from _of_beliefs(sizer, monitor, count)
    elif isinstance(monitor, GroupSequential):
        yield f"{count} looks at the planned shares of all units" + ", and nobody stops for futility" * bool(
            monitor.futility
        )
        if rule.units is not None and monitor.units != rule.units:
            yield f"the schedule counts units: set `monitor.units` to {rule.units}"
    else:
        yield f"{count} looks at equal distances; with more of them it ends earlier, and the error rate holds too"
        if any(isinstance(m, Proportion) and not m.covariates for m in sizer.source.measured.values()):
            yield "the bounds of proportions are those of the exact sequence at the expected counts"
    if sizer.rule.tests > 1 and count > 1:
        yield "a promotion needs all of its tests at one look, so each is sized to succeed at the last one"
    least = sizer.experiment.timing.min_units
    if least and rule.allocation:
        yield f"a promotion waits until each variant has {least:,} units (`timing.min_units`)"


def _of_beliefs(sizer: Sizer, monitor: Bayesian, count: int) -> Iterator[str]:
    once = f"power is the chance that the posterior probability comes to exceed {monitor.asked:g}, under a flat prior"
    if count == 1:
        yield f"one look, at the end: {once}"
    else:
        found = monitor.design([float(k + 1) for k in range(count)])
        yield (
            f"{count} looks at equal distances: {once}; without an effect one of them shows a gain in "
            f"{found.alpha / 2:.1%} of all experiments"
        )
    if any(isinstance(m, Proportion) and not m.covariates for m in sizer.source.measured.values()):
        yield "the exact posterior of proportions is planned as their score test, which it is close to"


def _of_rule(sizer: Sizer) -> Iterator[str]:
    shares, roles = sizer.rule, [demand.role for demand in sizer.demands.values()]
    if shares.tree is not None:
        guards = roles.count("guardrail")
        guardrails = f"{guards} guardrail{'s' * (guards > 1)} without a true effect" * (guards > 0)
        what = " and ".join(filter(None, ("one success metric" * ("success" in roles), guardrails)))
        if shares.shares:
            what = in_words(shares.tree)
        each = (
            f"{'each' if len(shares.tree.metrics()) > 1 else 'it'} has a power of {100 * shares.each(sizer.power):.6g}%"
        )
        bound = " whatever their correlation (a union bound)" * (shares.tests > 1)
        whichever = ", whichever side of an `or` is true" * ("or" in what.split())
        yield f"a promotion needs {what}: {each}, so that the rule has {100 * sizer.power:.6g}%{bound}{whichever}"
    if shares.false:
        causes = {"harms that are not there": shares.false_harms, "checks that fail on sound data": shares.false_checks}
        stops = (f"{cause} stop at most {100 * share:.4g}% of promotions" for cause, share in causes.items() if share)
        yield ", and ".join(stops)
    family = roles.count("success") * shares.treatments
    parts = [f"{name} {100 * part:.4g}%" for name, part in shares.shares.items() if part < 1]
    if parts:
        yield f"of alpha the rule's tree gives {', '.join(parts)}, and the others all of it"
    if sizer.experiment.rule.alpha_rollback is not None:
        judged = shares.treatments * sum(role != "quality" for role in roles)
        yield f"harms have an alpha of their own, {sizer.experiment.rule.alpha_rollback:g}, in {judged} equal shares"
    if shares.shares and sizer.experiment.adjust == "holm" and shares.treatments > 1 and "success" in roles:
        yield f"success metrics share theirs among {shares.treatments} treatments"
    elif sizer.experiment.adjust == "holm" and family > 1 and not shares.shares:
        yield f"alpha is shared among {family} tests: Bonferroni's share, below which Holm's never is"


def _of_report(sizer: Sizer) -> Iterator[str]:
    report = sizer.source.report
    if report is None:
        return
    seen = ", ".join(f"{name} {n:,}" for name, n in report.units.items())
    yield f"units seen so far: {seen}; the numbers of the plan are totals, with these among them"
    if isinstance(sizer.experiment.monitor, GroupSequential):
        yield "units more bring an interval to the width wanted at the last look of the schedule"
    if not isinstance(sizer.experiment.monitor, AnytimeValid):
        yield (
            "caution: where the number of units follows the estimates seen so far, the error rates change; it may "
            "follow the variances alone. Else use an anytime monitor, or `reestimate` with `combination_test`"
        )
