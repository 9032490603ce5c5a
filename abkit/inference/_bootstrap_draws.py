"""The bootstrap draws of one variant."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, get_args

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.inference._poisson_bootstrap import PoissonBootstrap
from abkit.inference._resample import BLOCK, evaluated, in_tasks, resampled, resampled_sums

Method = Literal["percentile", "basic", "bca", "studentised", "little"]
Statistic = Literal["mean", "ratio"] | Callable[..., Any]
METHODS: tuple[Method, ...] = get_args(Method)
#: The jackknife of any statistic takes as many samples of as many units.
JACKKNIFE = 10_000
#: Little bootstraps are of n ** LITTLE units (Kleiner et al. 2014 find 0.6 to 0.9 to serve).
LITTLE = 0.6


@dataclass(frozen=True, slots=True)
class Plan:
    """What is drawn, and how."""

    statistic: Statistic
    method: Method
    resamples: int
    rng: np.random.Generator


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """A variant's statistic and its draws.

    `influence`: what each unit adds to the estimate, for BCa; `variance` and `variances`: the squared standard error
    of the statistic and of each draw, for the studentised bootstrap; `rounding`: no difference below it is one.
    """

    value: float
    draws: Float64Array
    rounding: float
    influence: Float64Array = field(default_factory=partial(np.zeros, 0))
    variance: float = math.nan
    variances: Float64Array = field(default_factory=partial(np.zeros, 0))


def draws_of(name: str, data: object, clusters: object, plan: Plan) -> Draws:
    """Draw one variant."""
    if isinstance(data, PoissonBootstrap):
        return _of_poisson(data, clusters, plan)
    if callable(plan.statistic):
        return _of_callable(name, data, clusters, plan, plan.statistic)
    y, d = _sums_per_unit(name, data, clusters, _check.choice("statistic", plan.statistic, ("mean", "ratio")))
    return _of_ratio(name, y, d, plan)


def _of_poisson(data: PoissonBootstrap, clusters: object, plan: Plan) -> Draws:
    if plan.method not in ("percentile", "basic") or plan.statistic != "mean" or clusters is not None:
        raise ValueError(
            "`method` must be 'percentile' or 'basic', of means without `clusters`, for a PoissonBootstrap."
        )
    if data.n < 50:
        raise ValueError(
            f"`rows` of a PoissonBootstrap must be at least 50: else a resample may be empty; got {data.n}."
        )
    return Draws(data.mean, data.means, 8 * float(np.spacing(abs(data.mean))))


def _of_callable(name: str, data: object, clusters: object, plan: Plan, statistic: Callable[..., Any]) -> Draws:
    if clusters is not None:
        raise ValueError("`clusters` must be None for a callable: sums per cluster are of a mean or a ratio only.")
    if plan.method in ("studentised", "little"):
        raise ValueError(f"`method` must be 'percentile', 'basic' or 'bca' for a callable; got {plan.method!r}.")
    values = _check.observations(name, data)
    _enough(name, len(values), "units")
    value = float(evaluated(statistic, values[None])[0])
    draws = resampled(values, statistic, plan.resamples, plan.rng)
    influence = _jackknife(name, values, statistic) if plan.method == "bca" else np.zeros(0)
    return Draws(value, draws, 8 * float(np.spacing(np.abs(values).max())), influence)


def _jackknife(name: str, values: Float64Array, statistic: Callable[..., Any]) -> Float64Array:
    n = len(values)
    if n > JACKKNIFE:
        raise ValueError(f"`{name}` must have at most {JACKKNIFE} units for 'bca' of a callable; got {n}.")
    rows, without = max(1, BLOCK // n), []
    for start in range(0, n, rows):
        left_out = np.arange(start, min(start + rows, n))
        kept = np.arange(n - 1) + (np.arange(n - 1) >= left_out[:, None])
        without.append(evaluated(statistic, values[kept]))
    each = np.concatenate(without)
    return np.asarray((n - 1) / n * (each.mean() - each))


def _sums_per_unit(name: str, data: object, clusters: object, statistic: str) -> tuple[Float64Array, Float64Array]:
    """Numerators and denominators of the units that are drawn; those of a mean are counts of rows."""
    rows = _check.observations(name, data, ndim=2 if statistic == "ratio" else 1)
    if rows.ndim == 2 and rows.shape[1] != 2:
        raise ValueError(f"`{name}` must have 2 columns, numerator and denominator; got {rows.shape[1]}.")
    y, d = (rows[:, 0], rows[:, 1]) if rows.ndim == 2 else (rows, np.ones(len(rows)))
    if clusters is not None:
        labels = np.asarray(clusters)
        if labels.shape != (len(y),):
            raise ValueError(
                f"`clusters` must have a label for each row of {name}; got {labels.shape} for {len(y)} rows."
            )
        unit = np.unique(labels, return_inverse=True)[1]
        y, d = np.bincount(unit, y).astype(np.float64), np.bincount(unit, d).astype(np.float64)
    _enough(name, len(y), "units" if clusters is None else "clusters")
    if d.min() < 0 or d.max() == 0:
        raise ValueError(
            f"`{name}` must have denominators of at least 0, and one above; got {d.min():g} to {d.max():g}."
        )
    return y, d


def _enough(name: str, n: int, what: str) -> None:
    if n < 2:
        raise ValueError(f"`{name}` must have at least 2 {what}; got {n}.")


def _of_ratio(name: str, y: Float64Array, d: Float64Array, plan: Plan) -> Draws:
    """Draws of sum(y) / sum(d), from residuals, so that an offset costs no digits."""
    value = float(y.mean() / d.mean())
    residual = y - value * d
    value += float(residual.mean() / d.mean())
    residual -= residual.mean() / d.mean() * d
    rounding = 8 * float(np.spacing(abs(value) + np.abs(y).max() / d.mean()))
    influence = residual / d.sum()
    if plan.method == "studentised":
        return _studentised(name, value, residual, d, rounding, plan)
    plain = bool((d == d[0]).all())
    columns = residual[:, None] if plain else np.stack([residual, d], axis=1)
    if plan.method == "little":
        sums = in_tasks(partial(_little, columns), plan.resamples, plan.rng)
        half = columns.shape[1]
        drawn = _over(name, sums[:, :half], d) - _over(name, sums[:, half:], d)
    else:
        drawn = _over(name, resampled_sums(columns, plan.resamples, plan.rng), d)
    return Draws(value, value + drawn, rounding, influence)


def _over(name: str, sums: Float64Array, d: Float64Array) -> Float64Array:
    """Sums of residuals over sums of denominators, where the latter vary."""
    below = sums[:, 1] if sums.shape[1] > 1 else d.sum()
    if np.min(below) <= 0:
        raise ValueError(f"`{name}` must have more units with a denominator: a resample has none.")
    return np.asarray(sums[:, 0] / below)


def _studentised(
    name: str, value: float, residual: Float64Array, d: Float64Array, rounding: float, plan: Plan
) -> Draws:
    n = len(d)
    columns = np.stack([residual, d, residual * residual, residual * d, d * d], axis=1)
    if (d == d[0]).all():
        r, rr = resampled_sums(columns[:, [0, 2]], plan.resamples, plan.rng).T
        sums = np.stack([r, np.full_like(r, n * d[0]), rr, r * d[0], np.full_like(r, n * d[0] * d[0])], axis=1)
    else:
        sums = resampled_sums(columns, plan.resamples, plan.rng)
    drawn = _over(name, sums[:, :2], d)
    _, below, rr, rd, dd = sums.T
    squares = rr - 2 * drawn * rd + drawn * drawn * dd
    squares[squares <= 1e-12 * (rr + drawn * drawn * dd)] = 0.0  # what rounding left of nothing
    variance = float(residual @ residual) * n / (n - 1) / d.sum() ** 2
    return Draws(value, value + drawn, rounding, variance=variance, variances=squares * n / (n - 1) / below**2)


def _little(rows: Float64Array, rng: np.random.Generator, size: int) -> Float64Array:
    """Sums of n rows drawn from a small part of n rows, beside what that part would give itself."""
    n = len(rows)
    part = rows[rng.choice(n, max(2, math.ceil(n**LITTLE)), replace=False)]
    counts = rng.multinomial(n, np.full(len(part), 1 / len(part)), size=size)
    sums = np.einsum("ij,jk->ik", counts, part)
    return np.concatenate([sums, np.broadcast_to(part.mean(axis=0) * n, sums.shape)], axis=1)
