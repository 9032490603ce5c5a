"""Third moments of a metric's outcomes: what the grouped query adds up for them, and what is made of the sums."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from fractions import Fraction
from itertools import combinations_with_replacement, permutations
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from abkit._check import Float64Array

if TYPE_CHECKING:
    import narwhals as nw

#: Cubes of what is larger overflow sums, those of deviations that are smaller vanish, and tiny values are zero in them.
LARGEST, SMALLEST, TINY = 1e98, 1e-90, 1e-100
#: Rounding of a sum, and how much of it a skewness may hold.
ROUNDING, TOLERATED = 1e-15, 1e-3


def cube_name(*aliases: str) -> str:
    """The output that adds up a product of three aggregates."""
    return f"cube {' '.join(sorted(aliases))}"


def cube_sums(aliases: Sequence[str], products: dict[str, nw.Expr], *, guarded: bool) -> dict[str, nw.Expr]:
    """Sums of all products of three; where they overflow or vanish, which `guarded` prevents, squares tell."""
    import narwhals as nw

    sums = {}
    for chosen in combinations_with_replacement(aliases, 3):
        name = cube_name(*chosen)
        products[name] = nw.col(chosen[0]) * nw.col(chosen[1]) * nw.col(chosen[2])
        if guarded:
            sizes = [nw.col(alias).abs() for alias in dict.fromkeys(chosen)]
            fits = nw.all_horizontal(*((size > TINY) & (size < LARGEST) for size in sizes), ignore_nulls=False)
            products[name] = nw.when(fits).then(products[name])
        sums[name] = nw.col(name).sum()
    return sums


def third_moments(
    row: dict[str, Any],
    n: int,
    aliases: Sequence[str],
    totals: Sequence[Fraction],
    products: npt.NDArray[np.object_],
    constant: Collection[int],
) -> Float64Array | None:
    """Sums of products of three deviations, exact to rounding in what the engine summed; None where that is too much.

    `totals` and `products` are the sums of the aggregates and of products of two, `constant` those without a spread.
    """
    varying = [i for i in range(len(aliases)) if i not in constant]
    if not all(_known(n, totals[i], products[i, i]) for i in varying):
        return None
    m3 = np.zeros((len(aliases),) * 3)
    for i, j, k in combinations_with_replacement(varying, 3):
        a, b, c = totals[i], totals[j], totals[k]
        cubes = Fraction(row[cube_name(aliases[i], aliases[j], aliases[k])])
        central = cubes - (a * products[j, k] + b * products[i, k] + c * products[i, j]) / n + 2 * a * b * c / n**2
        for place in permutations((i, j, k)):
            m3[place] = float(central)
    return m3


def transformed(linear: Float64Array, m3: Float64Array) -> Float64Array | None:
    """The same of linear combinations."""
    with np.errstate(over="ignore", invalid="ignore"):
        found = np.einsum("ai,bj,ck,ijk->abc", linear, linear, linear, m3)
    return found if np.all(np.isfinite(found)) else None


def _known(n: int, total: Fraction, squares: Fraction) -> bool:
    """Cubes neither overflow nor vanish, and the mean is not so far from zero that they have lost their digits."""
    spread = float((squares - total * total / n) / n)
    if not (squares < LARGEST**2 and spread > SMALLEST**2):
        return False
    farthest: float = (TOLERATED * math.sqrt(n) / ROUNDING) ** (2 / 3)
    return float(squares / n) / spread < farthest
