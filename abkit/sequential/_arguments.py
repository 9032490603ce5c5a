"""The arguments of a group-sequential design, at the door."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, cast

import numpy as np

from abkit import _check
from abkit.sequential._boundaries import SHAPES, SPENDING, Bounds

#: Two looks nearer to each other than this, as a share of the later one's information, are one.
CLOSEST = 1e-7
#: The least information of a first look, as a share of that at the last.
EARLIEST = 1e-8


def rising(name: str, values: object) -> Bounds:
    """Information at successive looks."""
    found = tuple(_check.sample(name, values).tolist())
    if not found or not found[0] > EARLIEST * found[-1]:
        raise ValueError(f"`{name}` must begin above {EARLIEST:g} of its end; got {_check.show(list(found))}.")
    if not all(early < late * (1 - CLOSEST) for early, late in pairwise(found)):
        raise ValueError(
            f"`{name}` must rise from look to look, by more than {CLOSEST:g} of itself; got {_check.show(list(found))}."
        )
    return found


def rising_clock(values: object, looks: int) -> Bounds:
    """Alpha's clock at each look: shares that do not fall."""
    found = tuple(_check.sample("spending_time", values).tolist())
    if len(found) != looks:
        raise ValueError(f"`spending_time` must have one value per look ({looks}); got {len(found)}.")
    if not (found[0] > 0 and found[-1] <= 1 and all(early <= late for early, late in pairwise(found))):
        raise ValueError(f"`spending_time` must not fall, from above 0 to 1; got {_check.show(list(found))}.")
    return found


def where(looks: int | None, information: Sequence[float] | None) -> Bounds:
    if (looks is None) == (information is None):
        raise ValueError("`looks` or `information` must be given, one of them: how many looks, or where they are.")
    if information is not None:
        return rising("information", information)
    number = _check.count("looks", looks, 1)
    return tuple((k + 1) / number for k in range(number))


def lower_alpha(alpha: float, sides: int, given: float | None, boundary: object, shape: float | None) -> float:
    if sides == 1:
        for name, value in {"alpha_lower": given, "boundary_lower": boundary, "shape_lower": shape}.items():
            if value is not None:
                raise ValueError(f"`{name}` must be left out where `sides` is 1.")
        return 0.0
    return alpha / 2 if given is None else _check.within("alpha_lower", given, 0, alpha)


def named_or_given(name: str, boundary: object) -> object:
    """A boundary in a form that does not change: a name, a function, or points."""
    if isinstance(boundary, str):
        return _check.choice(name, boundary, (*SHAPES, *SPENDING))
    return boundary if callable(boundary) else tuple(_check.sample(name, boundary).tolist())


def stopping_bounds(name: str, bounds: object, looks: int) -> object:
    """Futility or harm: a spending function, or one bound a look."""
    if bounds is None or callable(bounds):
        return bounds
    if isinstance(bounds, str):
        return _check.choice(name, bounds, SPENDING)
    given = tuple(cast(Iterable[Any], bounds))
    if len(given) != looks:
        raise ValueError(f"`{name}` must have one bound per look ({looks}); got {len(given)}.")
    return tuple(None if bound is None else _check.number(name, bound) for bound in given)


def own_shape(name: str, family: object, shape: float | None) -> float | None:
    if shape is not None and not isinstance(family, str):
        raise ValueError(f"`{name}_shape` must be left out where `{name}` is no named function.")
    return None if shape is None else _check.number(f"{name}_shape", shape)


def skipped_looks(skip: Sequence[int], looks: int) -> frozenset[int]:
    numbers = [_check.count("skip", number, 1) for number in skip]
    if any(number >= looks for number in numbers):
        raise ValueError(f"`skip` must name looks before the last, which is {looks}; got {numbers}.")
    return frozenset(number - 1 for number in numbers)


def one_per_look(name: str, values: object, information: Bounds) -> Bounds:
    """One bound a look; infinite where there is none."""
    found = np.asarray(values, dtype=np.float64)
    if found.shape != (len(information),) or np.isnan(found).any():
        raise ValueError(f"`{name}` must have one number per look ({len(information)}); got {_check.show(values)}.")
    return tuple(found.tolist())
