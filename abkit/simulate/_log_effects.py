"""Effects as they are stated, and the factors on a log's columns that make them true."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.errors import PlanError
from abkit.experiment import Experiment
from abkit.metrics import Metric, Quantile, Trend
from abkit.simulate._log_model import Column, Model, value_columns
from abkit.simulate._log_truth import effect_of, value
from abkit.types import ROWS, Null, Relative

TOLERANCE, SETTLED, ROUNDS = 1e-8, 1e-13, 200
#: For each metric the effects of the treatments, as they were stated.
Effects = dict[str, dict[str, Null]]


@dataclass(frozen=True, slots=True)
class Knob:
    """What an effect turns: the size of a column's values in one variant, or with `slope` how they go with the days."""

    column: str
    variant: int
    slope: bool


@dataclass(frozen=True, slots=True)
class Stated:
    """An effect of one treatment on one metric."""

    metric: str
    variant: int
    effect: Null


def checked_effects(plan: Experiment, variants: tuple[str, ...], effects: object) -> Effects:
    """Effects by metric and treatment."""
    if effects is None:
        return {}
    if not isinstance(effects, Mapping):
        raise TypeError(f"`effects` must map metrics to effects; got {_check.show(effects)}.")
    found: Effects = {}
    for name, given in effects.items():
        _check.choice("effects", name, list(plan.metrics))
        by_variant = given if isinstance(given, Mapping) else dict.fromkeys(variants[1:], given)
        for variant in by_variant:
            _check.choice(f"effects.{name}", variant, variants[1:])
        found[name] = {variant: _effect(f"effects.{name}", effect) for variant, effect in by_variant.items()}
    return found


def with_effects(model: Model, effects: Effects, novelty: float | None) -> Model:
    """The model with the factors of its columns, so that these effects are the truth.

    Each effect turns the knob of its metric's column until it is right; as metrics share denominators and thresholds,
    this goes round until nothing changes.
    """
    stated = [Stated(m, model.variants.index(v), effect) for m, found in effects.items() for v, effect in found.items()]
    owners: dict[Knob, Stated] = {}
    for one in stated:
        owners.setdefault(_knob(model, one), one)
    turned = dict.fromkeys(owners, 0.0)
    for _ in range(ROUNDS):
        before = dict(turned)
        for knob, one in owners.items():
            turned[knob] = _turned(model, turned, knob, one, novelty)
        if all(abs(turned[knob] - before[knob]) <= SETTLED * (1 + abs(before[knob])) for knob in owners):
            break
    found = _applied(model, turned, novelty)
    _refuse_impossible(found)
    for one in stated:
        _refuse_contradiction(found, one, owners[_knob(model, one)])
    return found


def _knob(model: Model, one: Stated) -> Knob:
    metric = model.plan.metrics[one.metric]
    column = value_columns(metric)[0]
    size = one.effect.value if isinstance(one.effect, Relative) else one.effect
    if size and column != ROWS and model.columns[column].kind == "covariate":
        raise PlanError(f"`effects.{one.metric}` must be 0: `{column}` is a covariate, which no treatment changes.")
    if size and column == ROWS and model.plan.unit == ROWS:
        raise PlanError(f"`effects.{one.metric}` must be 0: each row is a unit of its own.")
    return Knob(column, one.variant, isinstance(metric, Trend))


def _turned(model: Model, turned: dict[Knob, float], knob: Knob, one: Stated, novelty: float | None) -> float:
    """Where the knob must be for this effect, the others being where they are."""
    metric = model.plan.metrics[one.metric]

    def gap(at: float) -> float:
        found = _applied(model, {**turned, knob: at}, novelty)
        return effect_of(found, metric, one.variant) - _asked(found, one)

    start = gap(0.0)
    if start == 0 or abs(gap(turned[knob])) <= SETTLED * abs(start):
        return turned[knob] if start else 0.0
    if math.isnan(start) or math.isnan(rise := gap(1.0) - start):
        raise PlanError(
            f"`effects.{one.metric}` cannot be had exactly: the metric has no closed form where an effect changes from "
            "day to day, or where other metrics take the values of rows. State the effect of another metric instead."
        )
    if rise == 0:
        raise PlanError(f"`effects.{one.metric}` cannot be had: the values that it changes do not move the metric.")
    return -start / rise if _is_linear(metric) else _root(gap, one.metric)


def _root(gap: Callable[[float], float], name: str) -> float:
    """Where an increasing function of a factor less 1 is zero."""
    from scipy import optimize

    low, high = -0.5, 1.0
    while gap(low) > 0 and low > -1 + 1e-9:
        low = -1 + (1 + low) / 4
    while gap(high) < 0 and high < 1e9:
        high *= 4
    if not gap(low) <= 0 <= gap(high):
        raise PlanError(f"`effects.{name}` is larger than any change of the column makes it.")
    return float(optimize.brentq(gap, low, high, xtol=1e-15, rtol=1e-14))


def _is_linear(metric: Metric) -> bool:
    return not (isinstance(metric, Quantile) or getattr(metric, "cap", None))


def _asked(model: Model, one: Stated) -> float:
    """The effect on the scale of the metric."""
    if not isinstance(one.effect, Relative):
        return one.effect
    return one.effect.value * abs(value(model, model.plan.metrics[one.metric], 0)) if one.effect.value else 0.0


def _applied(model: Model, turned: dict[Knob, float], novelty: float | None) -> Model:
    """The model with every knob where it is."""
    rows = model.rows.copy()
    for knob, at in turned.items():
        if knob.column == ROWS and not knob.slope:
            rows[knob.variant] *= 1 + at
    model = replace(model, rows=rows)
    factors = {name: np.ones((len(model.variants), model.follow)) for name in model.columns}
    for knob, at in turned.items():
        if knob.column != ROWS and at:
            column = model.columns[knob.column]
            weights = (
                _slope(model, column, knob.variant) if knob.slope else _decay(model, column, knob.variant, novelty)
            )
            factors[knob.column][knob.variant] += at * weights
    return replace(model, factors=factors)


def _decay(model: Model, column: Column, variant: int, novelty: float | None) -> Float64Array:
    """How an effect is spread over the days; over all of a column's total it is one."""
    if novelty is None:
        return np.ones(model.follow)
    weights = np.exp2(-np.arange(model.follow) / novelty)
    return weights / (model.shares_by_day(column, variant) @ weights)


def _slope(model: Model, column: Column, variant: int) -> Float64Array:
    """A change that goes up with the days and leaves the total as it is."""
    days = np.arange(model.follow, dtype=float)
    return (days - model.shares_by_day(column, variant) @ days) / model.follow


def _refuse_impossible(model: Model) -> None:
    for name, factors in model.factors.items():
        column = model.columns[name]
        if not np.all(factors >= 0):
            raise ValueError(f"`effects` must not make `{name}` negative; on one of the days they do.")
        if column.kind == "binary" and not np.all(factors * column.shape.mean <= 1):
            raise ValueError(f"`effects` must leave the share of `{name}` at most 1; on one of the days they do not.")
    if not np.all(model.rows >= 1):
        raise ValueError(f"`effects` must leave at least one row a unit; got {model.rows.min():g}.")


def _refuse_contradiction(model: Model, one: Stated, owner: Stated) -> None:
    metric = model.plan.metrics[one.metric]
    found, asked, control = effect_of(model, metric, one.variant), _asked(model, one), value(model, metric, 0)
    if abs(found - asked) <= TOLERANCE * max(abs(control), abs(asked)) or found == asked:
        return
    if one == owner:
        raise PlanError(
            f"`effects.{one.metric}` cannot be had: the others stand against it, or the metric, such as a quantile of "
            "whole numbers, moves in steps."
        )
    would = "is not known" if math.isnan(found) else f"is {found:.9g}"
    raise PlanError(
        f"`effects.{one.metric}` must agree with `effects.{owner.metric}`, which changes the same column; with it the "
        f"effect {would}."
    )


def _effect(name: str, effect: object) -> Null:
    return effect if isinstance(effect, Relative) else _check.number(name, effect)
