"""How far a plan's effects move its statistics, from a log of before."""

from __future__ import annotations

import math
from collections.abc import Mapping

from abkit.experiment import Experiment
from abkit.metrics import Proportion
from abkit.planning._sizing import Demand, Sizer, asked_sizes, own_value
from abkit.planning._solve import Unanswerable
from abkit.planning._source import read_source
from abkit.planning._tests import Looks, Place
from abkit.simulate._drift import Drift
from abkit.types import Null, Relative


def drifts_of_history(
    plan: Experiment, history: object, units: tuple[int, ...], power: float, assumed: Mapping[str, Drift]
) -> tuple[dict[str, Drift], list[str]]:
    """The drifts that the history gives; where it cannot, those that are assumed without one, which is said."""
    sizer = Sizer(
        plan, read_source(plan, history, None, None), asked_sizes(plan, None), power, Looks.of(plan.monitor, len(units))
    )
    drifts, notes = {}, list(sizer.source.notes)
    for name, demand in sizer.demands.items():
        if demand.role == "quality":
            drifts[name] = assumed[name]
            continue
        try:
            drifts[name], said = _drift(sizer, demand, units[-1])
        except Unanswerable as error:
            drifts[name] = assumed[name]
            said = f"the history does not tell, an effect of 1 is assumed as without: {error}"
        notes.append(f"`{name}`: {said}")
    return drifts, notes


def _drift(sizer: Sizer, demand: Demand, last: int) -> tuple[Drift, str]:
    units, metric = sizer.allocation.of_total(last), demand.metric
    pair = units[sizer.allocation.control], units[sizer.allocation.treatment]
    test = sizer.test(demand, math.inf)
    margin = _size(test.place(*pair, 0.0, metric.null())) if metric.margin is not None else 0.0
    unit, said = margin, f"-1 is its margin, {_shown(metric.margin)}"
    if demand.role != "guardrail":
        size, why = (demand.size, "") if demand.size else sizer.detectable(demand, units)
        if size is None:
            raise Unanswerable(why)
        effect = Relative(demand.way * size) if isinstance(demand.asked, Relative) else demand.way * size
        unit = _size(test.place(*pair, effect, 0.0))
        source = "its `mde`" if demand.size else f"what is shown with probability {demand.target:.4g} by the last look"
        said = f"1 is {source}, {_shown(effect)}"
    sample = test.place(*pair, 0.0, 0.0).sample
    rate = own_value(metric, test.statistics) if isinstance(metric, Proportion) and not metric.covariates else None
    events = None if sample.events is None else min(sample.events / max(sample.smaller, 1), 1.0)
    found = Drift(unit, margin, rate if rate is None or 0 < rate < 1 else None, events, sample.skewness)
    return found, f"{said}, a z of {unit:.2f} on average at the last look"


def _size(place: Place) -> float:
    """The expected z of a test that lies so far from its null."""
    return abs(float(place.statistic.drift) / float(place.statistic.scale))


def _shown(size: Null | None) -> str:
    return f"{abs(size.value):.3g} of the control's" if isinstance(size, Relative) else f"{abs(size or 0.0):.4g}"
