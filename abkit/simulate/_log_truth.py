"""What the metrics of a simulated log really are, and the factors on its columns that make them so."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from abkit._check import Float64Array
from abkit.metrics import Mean, Metric, Proportion, Quantile, Rate, Ratio, Trend
from abkit.simulate._log_model import Model, value_columns
from abkit.simulate._log_shapes import Shape, pooled_quantile
from abkit.types import ROWS, Cap


@dataclass(frozen=True, slots=True)
class Truth:
    """What one metric of one treatment really is.

    Parameters
    ----------
    metric, variant : str
        Which.
    control, treatment : float or None
        Expected values of the metric. None where there is no closed form.
    effect : float or None
        Treatment less control: what the report's `estimate` is an estimate of.
    relative : float or None
        The effect as a share of the size of the control's value.
    by_day : tuple of float
        The effect on each day since exposure, as `Experiment.exposure_days` estimates it; empty where a metric has no
        value a day.
    """

    metric: str
    variant: str
    control: float | None
    treatment: float | None
    effect: float | None
    relative: float | None
    by_day: tuple[float, ...] = ()


def truth_of(model: Model) -> dict[str, dict[str, Truth]]:
    """By metric and treatment."""
    return {
        name: {variant: _truth(model, name, place) for place, variant in enumerate(model.variants) if place}
        for name in model.plan.metrics
    }


def value(model: Model, metric: Metric, variant: int) -> float:
    """The expected value of a metric; nan where there is no closed form."""
    column, denominator = value_columns(metric)
    if isinstance(metric, Quantile):
        return _quantile(model, metric, variant)
    if isinstance(metric, Trend):
        return float(_slope_weights(metric, model) @ by_day(model, column, variant))
    total = expected_total(model, column, getattr(metric, "cap", None), variant)
    if denominator is None:
        return total
    return total / expected_total(model, denominator, getattr(metric, "denominator_cap", None), variant)


def effect_of(model: Model, metric: Metric, variant: int) -> float:
    """Treatment less control; nan where there is no closed form, unless the two are alike."""
    found = value(model, metric, variant) - value(model, metric, 0)
    return 0.0 if math.isnan(found) and _untouched(model, metric, variant) else found


def expected_total(model: Model, column: str, cap: Cap | None, variant: int) -> float:
    """The mean of units' totals, capped."""
    if cap is None:
        return float(by_day(model, column, variant).sum())
    if cap.value is not None:
        return _below(model, column, variant, cap.value)
    shapes = [total_shape(model, column, place) for place in range(len(model.variants))]
    if any(shape is None for shape, share in zip(shapes, model.shares, strict=True) if share):
        return math.nan
    known = [(shape, float(share)) for shape, share in zip(shapes, model.shares, strict=True) if share and shape]
    threshold = pooled_quantile([shape for shape, _ in known], [share for _, share in known], cap.quantile or 0.0)
    return _below(model, column, variant, threshold)


def by_day(model: Model, column: str, variant: int) -> Float64Array:
    """The expected total of a unit's rows on each day since exposure."""
    if column == ROWS:
        return model.rows_by_day(variant)
    known = model.columns[column]
    if known.kind == "covariate":
        covariate = model.covariates[column]
        each = model.shares_by_day(known, variant) if covariate.add else model.rows_by_day(variant)
        return model.covariate_mean(covariate) * each
    total = model.level(known, variant) * model.shares_by_day(known, variant)
    return np.asarray(total * model.factors[column][variant])


def total_shape(model: Model, column: str, variant: int) -> Shape | None:
    """The distribution of a unit's total where there is a closed form: one factor on all days, and totals spread."""
    if column == ROWS:
        return Shape("rows", float(model.rows[variant]))
    known, factors = model.columns[column], model.factors[column][variant]
    if known.kind == "covariate" or (known.per_row and not model.single) or np.any(factors != factors[0]):
        return None
    return known.shape.times(float(factors[0]))


def _below(model: Model, column: str, variant: int, threshold: float) -> float:
    shape = total_shape(model, column, variant)
    return math.nan if shape is None else shape.mean_below(threshold)


def _quantile(model: Model, metric: Quantile, variant: int) -> float:
    known = model.columns.get(metric.value)
    factors = np.ones(1) if known is None else model.factors[metric.value][variant]
    if known and (known.kind == "covariate" or np.any(factors != factors[0])):
        return math.nan
    if known and known.per_row and metric.per == "row":
        return known.shape.times(float(factors[0])).quantile(metric.q)
    shape = total_shape(model, metric.value, variant) if metric.per == "unit" or model.single else None
    return math.nan if shape is None else shape.quantile(metric.q)


def _slope_weights(metric: Trend, model: Model) -> Float64Array:
    """What each day adds to a least-squares slope over the first `days` days."""
    days = np.arange(metric.days) - (metric.days - 1) / 2
    weights = np.zeros(max(model.follow, metric.days))
    weights[: metric.days] = days / (days @ days)
    return weights[: model.follow]


def _truth(model: Model, name: str, variant: int) -> Truth:
    metric = model.plan.metrics[name]
    control, treatment = value(model, metric, 0), value(model, metric, variant)
    effect = effect_of(model, metric, variant)
    relative = effect / abs(control) if control else math.nan
    c, t, e, r = map(_rounded, (control, treatment, effect, relative))
    return Truth(name, model.variants[variant], c, t, e, r, _daily_effects(model, metric, variant))


def _rounded(number: float) -> float | None:
    """To twelve digits, as sums of days are not exact."""
    return None if math.isnan(number) else float(f"{number:.12g}")


def _untouched(model: Model, metric: Metric, variant: int) -> bool:
    """No column that the metric reads differs between the variants."""
    named = [column for column in value_columns(metric) if column and column != ROWS]
    same = all(np.array_equal(model.factors[c][0], model.factors[c][variant]) for c in named)
    return bool(same and model.rows[0] == model.rows[variant])


def _daily_effects(model: Model, metric: Metric, variant: int) -> tuple[float, ...]:
    if not isinstance(metric, (Mean, Rate, Ratio, Proportion)) or model.plan.unit == ROWS:
        return ()
    if any(getattr(metric, cap, None) for cap in ("cap", "denominator_cap")):
        return ()
    column, denominator = value_columns(metric)
    values = [by_day(model, column, place) for place in (0, variant)]
    if denominator:
        below = [by_day(model, denominator, place) for place in (0, variant)]
        days = int(np.all(np.array(below) > 0, axis=0).sum())  # where units have one row there is one day
        values = [y[:days] / m[:days] for y, m in zip(values, below, strict=True)]
    return tuple((values[1] - values[0]).tolist())
