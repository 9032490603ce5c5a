"""The measured values of rows: what each unit is like, spread over its rows, and changed by the treatment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from abkit._check import Float64Array
from abkit.simulate._log_model import Column, CovariateColumn, Model

Codes = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Seats:
    """Who has rows: a unit, or of pairs a unit under each variant.

    `group` is what seats belong to together: a cluster, or the unit of a pair. From `seat` on, values are of rows.
    """

    unit: Codes
    variant: Codes
    group: Codes | None
    counts: Codes
    first: Codes
    seat: Codes
    row_variant: Codes
    offset: Float64Array
    day: Codes

    def totals(self, values: Any) -> Float64Array:
        """The sum of the rows' values of each seat."""
        return np.bincount(self.seat, np.asarray(values, dtype=float), len(self.unit)).astype(float)


def measured_values(
    model: Model, seats: Seats, missing: float, rng: np.random.Generator, units: int
) -> dict[str, npt.NDArray[Any]]:
    """Every column that is measured or a covariate."""
    sizes = [len(seats.unit), *([] if seats.group is None else [int(seats.group[-1]) + 1])]
    activity = [rng.standard_normal(size) for size in sizes]
    wanted = {covariate.outcome for covariate in model.covariates.values()}
    found: dict[str, npt.NDArray[Any]] = {}
    untreated: dict[str, Float64Array] = {}
    for name, column in model.columns.items():
        if column.kind == "covariate":
            continue
        values, before = DRAWS[column.kind](model, column, seats, _latent(model, column, seats, activity, rng), rng)
        if name in wanted:
            untreated[name] = before if len(before) == len(seats.unit) else seats.totals(before)
        found[name] = _with_gaps(values, missing, seats, rng, units)
    for covariate in model.covariates.values():
        found[covariate.name] = _covariate(model, covariate, seats, untreated, rng)
    return found


def _latent(
    model: Model, column: Column, seats: Seats, activity: list[Float64Array], rng: np.random.Generator
) -> Float64Array:
    """A standard normal deviate of each seat: correlated with those of other columns, and within groups."""
    own, *together = (_mixed(levels, rng.standard_normal(len(levels)), model.likeness.columns) for levels in activity)
    return own if seats.group is None else _mixed(together[0][seats.group], own, column.alike)


def _mixed(first: Float64Array, second: Float64Array, share: float) -> Float64Array:
    return np.asarray(np.sqrt(share) * first + np.sqrt(1 - share) * second)


def _factor(model: Model, column: Column, variant: Codes, day: Codes) -> Float64Array | None:
    """What the treatment multiplies values by; None where it is one everywhere."""
    factors = model.factors[column.name]
    return None if np.all(factors == 1) else factors[variant, day]


def _real(
    model: Model, column: Column, seats: Seats, z: Float64Array, rng: np.random.Generator
) -> tuple[npt.NDArray[Any], Float64Array]:
    shape, rows = column.shape, len(seats.seat)
    if column.per_row:
        rest = np.sqrt(shape.sigma**2 - column.within**2)
        values = np.exp(column.within * z[seats.seat] + rest * rng.standard_normal(rows) - shape.sigma**2 / 2)
        values *= shape.mean / (1 - shape.zeros)
        before = values if not shape.zeros else values * (rng.random(rows) >= shape.zeros)
        values = before
    else:
        before = shape.mean / (1 - shape.zeros) * np.exp(shape.sigma * z - shape.sigma**2 / 2)
        before = before if not shape.zeros else before * (rng.random(len(z)) >= shape.zeros)
        parts = 0.5 + rng.random(rows)
        values = parts * (before / np.add.reduceat(parts, seats.first))[seats.seat]
    factor = _factor(model, column, seats.row_variant, seats.day)
    return values if factor is None else values * factor, before


def _count(
    model: Model, column: Column, seats: Seats, z: Float64Array, rng: np.random.Generator
) -> tuple[npt.NDArray[Any], Float64Array]:
    """Poisson counts: a treatment adds some, or takes each away with a probability."""
    shape = column.shape
    means = shape.mean * np.exp(shape.sigma * z - shape.sigma**2 / 2)
    means = (means if column.per_row else means / seats.counts)[seats.seat]
    before = values = rng.poisson(means)
    factor = _factor(model, column, seats.row_variant, seats.day)
    if factor is not None:
        more, fewer = factor > 1, factor < 1
        values = before.copy()
        values[more] += rng.poisson(means[more] * (factor[more] - 1))
        values[fewer] = rng.binomial(before[fewer], factor[fewer])
    return values, before.astype(float)


def _binary(
    model: Model, column: Column, seats: Seats, z: Float64Array, rng: np.random.Generator
) -> tuple[npt.NDArray[Any], Float64Array]:
    """A unit has its one in one of its rows, if at all."""
    picked = seats.first + (rng.random(len(z)) * seats.counts).astype(np.intp)
    place = special.ndtr(z)
    before = place < column.shape.mean
    factor = _factor(model, column, seats.row_variant[picked], seats.day[picked])
    values = np.zeros(len(seats.seat), dtype=np.int64)
    values[picked] = before if factor is None else place < column.shape.mean * factor
    return values, before.astype(float)


DRAWS = {"real": _real, "count": _count, "binary": _binary}


def _with_gaps(
    values: npt.NDArray[Any], missing: float, seats: Seats, rng: np.random.Generator, units: int
) -> npt.NDArray[Any]:
    if not missing:
        return values
    lost = rng.random(units) < missing
    return np.where(lost[seats.unit][seats.seat], np.nan, values)


def _covariate(
    model: Model,
    covariate: CovariateColumn,
    seats: Seats,
    untreated: dict[str, Float64Array],
    rng: np.random.Generator,
) -> Float64Array:
    """Of the untreated total y with deviation s, and an exponential e: r y + sqrt(1 - r^2) s e."""
    r, sd = model.likeness.covariate, model.untreated_of(covariate)[1]
    values = np.sqrt(1 - r * r) * sd * rng.exponential(size=len(seats.unit))
    if covariate.outcome in untreated:
        values += r * untreated[covariate.outcome]
    values = values / seats.counts if covariate.add else values
    return np.asarray(values[seats.seat])
