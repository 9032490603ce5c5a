"""What the grouped query adds up for a metric, and the co-moments that are made of what comes back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
import numpy.typing as npt

from abkit._check import Float64Array
from abkit.adapters._third_moments import third_moments, transformed
from abkit.errors import DataError
from abkit.logs import Block, ThirdMoments, Variable
from abkit.suffstats import CoMoments

ROUNDING = 1e-12
TINY = 1e-280  # what is smaller has lost digits to underflow
LAST_DIGITS = 1e-28  # square of the rounding of a sum whose parts cancel


@dataclass(frozen=True, slots=True)
class UnitColumn:
    """One number per unit: its name, the aggregate that it is made of, and how far rows were shifted before.

    `size` names the sum of the absolute values of a slope's parts, in the last digits of which it is rounding.
    """

    alias: str
    aggregate: str
    variable: Variable
    shift: float
    threshold: float | None
    size: str | None = None


@dataclass(frozen=True, slots=True)
class UnitBlock:
    """One metric's aggregates per unit, with the number of its rows where that is needed too."""

    block: Block
    columns: tuple[UnitColumn, ...]
    rows: str
    optional: bool

    @property
    def aliases(self) -> tuple[str, ...]:
        """The aggregates whose products are summed, each once; first those whose products of three are."""
        sizes = (column.size for column in self.columns if column.size)
        return tuple(dict.fromkeys([*self.cubed, *self._made_of(self.columns), *sizes]))

    @property
    def cubed(self) -> tuple[str, ...]:
        """The aggregates whose products of three are summed, each once."""
        return self._made_of(self.columns[: self.block.thirds])

    def _made_of(self, columns: tuple[UnitColumn, ...]) -> tuple[str, ...]:
        needs_rows = any(column.variable.per_unit == "sum" and column.shift for column in columns)
        return tuple(dict.fromkeys([*(column.alias for column in columns), *([self.rows] * needs_rows)]))

    def comoments(self, row: dict[str, Any]) -> CoMoments:
        """The block's statistics of one group, exact to rounding in what the engine summed."""
        n, aliases, leading = int(row[count_name(self)] or 0), self.aliases, self.block.thirds
        names = tuple(f"{i}:{column.variable.column}" for i, column in enumerate(self.columns))
        if n == 0:
            none = CoMoments(0, np.zeros(len(names)), np.zeros((len(names),) * 2), names)
            return ThirdMoments.of(none, np.zeros((leading,) * 3), 0) if leading else none
        self._refuse_overflow(row)
        totals = [Fraction(row[sum_name(alias)]) for alias in aliases]
        mean = np.array([float(total / n) for total in totals])
        products, m2 = np.empty((len(aliases),) * 2, dtype=object), np.zeros((len(aliases),) * 2)
        for i, j in combinations_with_replacement(range(len(aliases)), 2):
            products[i, j] = products[j, i] = Fraction(row[product_name(aliases[i], aliases[j])])
            m2[i, j] = m2[j, i] = float(products[i, j] - totals[i] * totals[j] / n)
        constant = self._constant(m2, np.diagonal(products))
        for i in constant:
            m2[i, :] = m2[:, i] = 0.0
        linear, offset = self._unshift(aliases)
        m2 = linear @ (m2 if n > 1 else 0 * m2) @ linear.T
        found = CoMoments(n, linear @ mean + offset, (m2 + m2.T) / 2, names)
        if not leading:
            return found
        m3 = third_moments(row, n, aliases[: len(self.cubed)], totals, products, constant)
        m3 = m3 if m3 is None else transformed(linear[:leading, : len(self.cubed)], m3)
        return ThirdMoments.of(found, m3, int(row[nonzero_name(self.columns[0])] or 0))

    def _constant(self, m2: Float64Array, squares: npt.NDArray[np.object_]) -> set[int]:
        """The aggregates of whose spread nothing is left but the rounding of the sums."""
        aliases, spreads = self.aliases, np.diagonal(m2)
        found = {i for i, spread in enumerate(spreads) if spread <= max(ROUNDING * squares[i], TINY)}
        sized = {aliases.index(c.alias): squares[aliases.index(c.size)] for c in self.columns if c.size}
        return found | {i for i, square in sized.items() if spreads[i] <= LAST_DIGITS * square}

    def _refuse_overflow(self, row: dict[str, Any]) -> None:
        for column in self.columns:
            sums = (row[sum_name(column.alias)], row[product_name(column.alias, column.alias)])
            if not all(math.isfinite(value or 0) for value in sums):
                raise DataError(
                    f"the column `{column.variable.column}` of the metric `{self.block.metric}` is too large to be "
                    "squared and added up in 64-bit floating point; divide it by a constant."
                )

    def _unshift(self, aliases: tuple[str, ...]) -> tuple[Float64Array, Float64Array]:
        linear, constant = np.zeros((len(self.columns), len(aliases))), np.zeros(len(self.columns))
        for i, column in enumerate(self.columns):
            days = column.variable.slope_over[1] if column.variable.slope_over else 0
            linear[i, aliases.index(column.alias)] = 6 / (days * (days * days - 1)) if days else 1.0
            if column.variable.per_unit != "sum":
                constant[i] = column.shift
            elif column.shift:
                linear[i, aliases.index(self.rows)] = column.shift
        return linear, constant


def count_name(block: UnitBlock) -> str:
    """The output that counts a block's units."""
    return f"n {block.rows}" if block.optional else "units"


def sum_name(alias: str) -> str:
    """The output that adds up an aggregate."""
    return f"sum {alias}"


def product_name(first: str, second: str) -> str:
    """The output that adds up a product of two aggregates."""
    return f"product {' '.join(sorted((first, second)))}"


def nonzero_name(column: UnitColumn) -> str:
    """The output that counts the units whose value is not zero."""
    return f"nonzero {column.alias}"
