"""Which columns a plan's log has, and from which distributions their values come."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy import special

from abkit import _check
from abkit._check import Float64Array
from abkit.errors import PlanError
from abkit.experiment import Experiment
from abkit.metrics import Count, Metric, Paired, Proportion, Quantile, Rate, Ratio
from abkit.simulate._log_shapes import Kind, Shape
from abkit.types import ROWS

DEFAULT_MEAN = {"real": 10.0, "count": 2.0, "binary": 0.1, "covariate": 10.0}
#: Of the logarithm: a standard deviation as large as the mean, and half of that.
DEFAULT_SIGMA = {"real": math.sqrt(math.log(2)), "count": math.sqrt(math.log(1.25)), "binary": 0.0, "covariate": 0.0}


@dataclass(frozen=True, slots=True)
class Column:
    """A measured column: the distribution of a unit's total, or with `per_row` of a row's value.

    `within` is the deviation of the logarithm that the rows of a unit share, `alike` the share of a unit's normal
    deviate that the units of a cluster, or the two sides of a pair, have in common.
    """

    name: str
    shape: Shape
    per_row: bool = False
    within: float = 0.0
    alike: float = 0.0

    @property
    def kind(self) -> Kind:
        """What kind of values it has."""
        return self.shape.kind


@dataclass(frozen=True, slots=True)
class CovariateColumn:
    """A pre-period column, correlated with the untreated total of an outcome column; `add` is for rows to add up."""

    name: str
    outcome: str
    add: bool


@dataclass(frozen=True, slots=True)
class Likeness:
    """Correlations: of what belongs together (rows, pairs, clusters), of columns, and of covariates with outcomes."""

    icc: float
    columns: float
    covariate: float


@dataclass(frozen=True)
class Model:
    """All that is needed to draw the rows of a log, and to know their truth.

    `factors` has, by column, the multiple of each variant's values on each day since exposure.
    """

    plan: Experiment
    variants: tuple[str, ...]
    shares: Float64Array
    columns: Mapping[str, Column]
    covariates: Mapping[str, CovariateColumn]
    rows: Float64Array
    follow: int
    likeness: Likeness
    cluster: tuple[str, int] | None = None
    factors: Mapping[str, Float64Array] = field(default_factory=dict)

    @property
    def single(self) -> bool:
        """Whether every unit has one row."""
        return bool(np.all(self.rows == 1))

    def rows_by_day(self, variant: int) -> Float64Array:
        """Expected rows of a unit on each day: its first row is on the first one."""
        found = np.full(self.follow, (self.rows[variant] - 1) / self.follow)
        found[0] += 1
        return found

    def shares_by_day(self, column: Column, variant: int) -> Float64Array:
        """What shares of a column's total are expected on each day, without any effect."""
        if column.per_row:
            return np.asarray(self.rows_by_day(variant) / self.rows[variant])
        more = self.rows[variant] - 1
        alone = -math.expm1(-more) / more if more else 1.0  # E[1 / (1 + Poisson)]
        found = np.full(self.follow, (1 - alone) / self.follow)
        found[0] += alone
        return found

    def level(self, column: Column, variant: int) -> float:
        """The expected total of a unit, without an effect on the column."""
        return column.shape.mean * (self.rows[variant] if column.per_row else 1.0)

    def untreated(self, column: Column) -> tuple[float, float]:
        """Mean and standard deviation of a unit's total in the control."""
        mean, m = self.level(column, 0), self.rows[0]
        square = column.shape.second_moment
        if column.per_row:
            together = column.shape.mean**2 * math.exp(column.within**2)
            square = m * square + ((m - 1) ** 2 + 2 * (m - 1)) * together  # E[M (M - 1)] of M = 1 + Poisson
        return mean, math.sqrt(max(square - mean**2, 0.0))

    def covariate_mean(self, covariate: CovariateColumn) -> float:
        """The mean of a covariate, one value a unit."""
        mean, sd = self.untreated_of(covariate)
        return self.likeness.covariate * mean + math.sqrt(1 - self.likeness.covariate**2) * sd

    def untreated_of(self, covariate: CovariateColumn) -> tuple[float, float]:
        """Mean and standard deviation of the untreated total that a covariate goes with; else 0 and 1."""
        column = self.columns.get(covariate.outcome)
        return self.untreated(column) if column and column.kind != "covariate" else (0.0, 1.0)


def value_columns(metric: Metric) -> tuple[str, str | None]:
    """The column that a metric's effect acts on, and the one that it is divided by."""
    if isinstance(metric, Ratio):
        return metric.numerator, metric.denominator
    if isinstance(metric, Rate):
        return metric.value, metric.exposure
    if isinstance(metric, Paired):
        return metric.value, metric.denominator
    return metric.value, None  # type: ignore[attr-defined]


def measured_columns(
    plan: Experiment,
    means: Mapping[str, float],
    sds: Mapping[str, float],
    zeros: Mapping[str, float],
    icc: float,
) -> dict[str, Column]:
    """The columns that metrics measure, each with a distribution."""
    kinds = _kinds(plan)
    per_row = set(_per_row(plan)) if plan.unit != ROWS else set()
    for name, given in (("means", means), ("sds", sds), ("zeros", zeros)):
        for column in given:
            _check.choice(name, column, list(kinds))
    return {
        name: _column(name, kind, name in per_row and kind != "binary", (means, sds, zeros), icc)
        for name, kind in kinds.items()
    }


def covariate_columns(plan: Experiment) -> dict[str, CovariateColumn]:
    """Each pre-period column, with the outcome of the first metric that names it."""
    found: dict[str, CovariateColumn] = {}
    for name, metric in plan.metrics.items():
        outcome = value_columns(metric)[0]
        for variable in metric.block(name, plan.missing).variables[len(metric.outcomes()) :]:
            found.setdefault(variable.column, CovariateColumn(variable.column, outcome, variable.per_unit == "sum"))
    return found


def _kinds(plan: Experiment) -> dict[str, Kind]:
    """What each measured column holds; a column of counts or of 0 and 1 is so for every metric."""
    covariates = covariate_columns(plan)
    kinds: dict[str, Kind] = {}
    for name, metric in plan.metrics.items():
        for i, column in enumerate(column for column in value_columns(metric) if column and column != ROWS):
            kind = _kind(metric) if i == 0 else "real"
            if column in covariates:
                if kind != "real":
                    raise PlanError(
                        f"`metrics.{name}` measures the covariate `{column}`, which is simulated as a real number."
                    )
                kind = "covariate"
            if {kind, kinds.get(column, kind)} == {"binary", "count"}:
                raise PlanError(
                    f"`metrics.{name}` needs another column than `{column}`: it cannot be a count and 0 or 1."
                )
            kinds[column] = kind if kinds.get(column, "real") == "real" else kinds[column]
    return kinds


def _kind(metric: Metric) -> Kind:
    if isinstance(metric, Proportion):
        return "binary"
    return "count" if isinstance(metric, (Count, Rate)) else "real"


def _per_row(plan: Experiment) -> Iterator[str]:
    """Columns that have a value a row, not a total to be spread over the rows."""
    for metric in plan.metrics.values():
        column, denominator = value_columns(metric)
        if denominator == ROWS or (isinstance(metric, Quantile) and metric.per == "row"):
            yield column


def _column(
    name: str,
    kind: Kind,
    per_row: bool,
    given: tuple[Mapping[str, float], ...],
    icc: float,
) -> Column:
    means, sds, zeros = given
    if kind == "covariate" and name in means:
        raise ValueError(f"`means.{name}` must not be given: a covariate is like the outcome that it goes with.")
    mean = _check.within(f"means.{name}", means.get(name, DEFAULT_MEAN[kind]), 0, 1 if kind == "binary" else math.inf)
    none = _check.at_least(f"zeros.{name}", zeros.get(name, 0.0), 0)
    if not none < 1 or (none and kind != "real"):
        raise ValueError(f"`zeros.{name}` must be a share below 1 of a column of real numbers; got {none:g}.")
    sigma = DEFAULT_SIGMA[kind]
    if name in sds:
        sigma = _sigma(name, kind, mean, none, _check.within(f"sds.{name}", sds[name], 0, math.inf))
    shape = Shape(kind, mean, sigma, none)
    return Column(name, shape, per_row, _within(shape, icc) if per_row else 0.0, icc if per_row else _alike(shape, icc))


def _sigma(name: str, kind: Kind, mean: float, zeros: float, sd: float) -> float:
    """The deviation of the logarithm that gives this standard deviation."""
    if kind not in ("real", "count"):
        raise ValueError(f"`sds.{name}` must not be given: the column holds 0 and 1, or is a covariate.")
    least = mean * math.sqrt(zeros / (1 - zeros)) if kind == "real" else math.sqrt(mean)
    if not sd >= least:
        what = f"of which {zeros:g} are zeros" if kind == "real" else "of counts"
        raise ValueError(f"`sds.{name}` must be at least {least:g} for values with mean {mean:g}, {what}; got {sd:g}.")
    square = (1 + (sd / mean) ** 2) * (1 - zeros) if kind == "real" else 1 + (sd**2 - mean) / mean**2
    return math.sqrt(math.log(max(square, 1.0)))


def _within(shape: Shape, icc: float) -> float:
    """The part of the logarithm's deviation that rows of a unit share, for this correlation of their values."""
    if shape.kind == "count":
        return shape.sigma
    excess = icc * (shape.second_moment / shape.mean**2 - 1)
    return min(math.sqrt(math.log1p(excess)), shape.sigma)


def _alike(shape: Shape, icc: float) -> float:
    """The correlation of two normal deviates that gives their totals this one, as far as it can be had."""
    if shape.kind == "binary":
        return _tetrachoric(shape.mean, icc)
    if not shape.sigma:
        return 0.0
    excess = icc * (shape.second_moment / shape.mean**2 - 1)
    return min(math.log1p(excess) / shape.sigma**2, 1.0)


def _tetrachoric(p: float, icc: float) -> float:
    """P(both below the threshold) is p - 2 T(h, sqrt((1 - r) / (1 + r))), T being Owen's function."""
    place, wanted = float(special.ndtri(p)), p * p + icc * p * (1 - p)
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        both = p - 2 * float(special.owens_t(place, math.sqrt((1 - middle) / (1 + middle))))
        low, high = (middle, high) if both < wanted else (low, middle)
    return high
