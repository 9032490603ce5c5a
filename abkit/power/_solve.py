"""Any two of n, effect and power give the third: one root of a monotone function, for whole arrays at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from abkit._check import Float64Array
from abkit.power._question import Question, numbers
from abkit.power._result import NoSolution, Number, PowerResult
from abkit.power._root import passes
from abkit.power._statistic import Statistic, critical
from abkit.power._task import Model, Task, turned
from abkit.sequential import AnytimeValid

#: How many times the first guess an effect may be.
_LARGEST = 1e60
#: Units of the control, beyond which numbers overflow or vanish.
_FEWEST_UNITS, _MOST_UNITS = 1e-100, 1e100


def answer(
    name: str, asked: Question, model: Model, *, n: object, mde: object, power: object
) -> PowerResult | NoSolution:
    """The missing one of `n`, `mde` and `power`."""
    solved = _missing(asked, n, mde, power)
    mde = 0.0 if mde is None and solved != "mde" else mde
    given = [
        numbers("n", n, model.fewest, _MOST_UNITS, open_low=model.fewest == 0) if n is not None else np.nan,
        numbers("mde", mde) if mde is not None else np.nan,
        numbers("power", power, 0, 1) if power is not None else np.nan,
    ]
    ratio = 1.0 if asked.ratio is None else asked.ratio
    bounds = (model.lowest, model.highest)
    every = _broadcast(*given, *bounds, asked.tail, asked.margin, ratio, *model.parameters)
    flat = [np.array(value, dtype=np.float64).ravel() for value in every]
    _check_effects(flat[1], flat[3], flat[4])
    task = Task(name, asked, model, tuple(flat), every[0].shape)
    values, why = {"n": _solve_n, "mde": _solve_mde, "power": _solve_power}[solved](task)
    return _result(task, solved, values, why)


def _broadcast(*arrays: Float64Array | float) -> tuple[Float64Array, ...]:
    try:
        return np.broadcast_arrays(*arrays)
    except ValueError:
        shapes = sorted({np.shape(array) for array in arrays} - {()})
        raise ValueError(f"Arguments must have shapes that broadcast; got {', '.join(map(str, shapes))}.") from None


def _missing(asked: Question, n: object, mde: object, power: object) -> str:
    given = {"n": n, "mde": mde, "power": power}
    missing = [name for name, value in given.items() if value is None]
    if len(missing) == 2 and "mde" in missing and asked.hypothesis != "superiority":
        missing.remove("mde")  # that there is no difference is what is planned for
    if len(missing) != 1:
        named = ", ".join(name for name in given if given[name] is not None) or "none"
        raise ValueError(f"two of `n`, `mde` and `power` must be given, and the third is the answer; got {named}.")
    return missing[0]


def _check_effects(mde: Float64Array, lowest: Float64Array, highest: Float64Array) -> None:
    outside = (mde <= lowest) | (mde >= highest)
    if outside.any():
        i = int(np.flatnonzero(outside)[0])
        raise ValueError(f"`mde` must be between {lowest[i]:g} and {highest[i]:g} here; got {mde[i]:g}.")


_Why = dict[Any, str]
_Answers = tuple[Float64Array, _Why]


def _solve_power(task: Task) -> _Answers:
    n, mde, _, _, _, *rest = task.arrays
    why = _too_few(task)
    open_ = _others(why, n.size)
    result = np.full(n.size, np.nan)
    result[open_] = task.power(n[open_], mde[open_], *(value[open_] for value in rest))
    return result, why


def _too_few(task: Task) -> _Why:
    """Where the treatment has not the units that the test needs."""
    n, ratio, least = task.arrays[0], task.arrays[7], task.model.fewest
    if task.asked.ratio is None:
        return {}
    few = np.flatnonzero(n * ratio < least * (1 - 1e-12))
    return {i: f"the treatment would have {n[i] * ratio[i]:g} units, and the test needs {least:g}" for i in few}


def _others(why: _Why, size: int) -> NDArray[np.bool_]:
    open_ = np.ones(size, dtype=bool)
    open_[list(why)] = False
    return open_


def _solve_n(task: Task) -> _Answers:
    _, mde, target, _, _, *rest = task.arrays
    why = _why_no_n(task)
    fewest = np.full(mde.size, task.model.fewest or _FEWEST_UNITS)
    if task.asked.ratio is not None:
        fewest = fewest * np.maximum(1.0, 1 / rest[2])
    open_ = _others(why, mde.size)
    result = np.full(mde.size, np.nan)
    if open_.any():
        least, goal, *args = (value[open_] for value in (fewest, target, mde, *rest))

        def at(root: Float64Array) -> Statistic:
            return _nearer(task, root * root, *args)

        def chance(root: Float64Array, mde: Float64Array, *rest: Float64Array) -> Float64Array:
            return task.power(root * root, mde, *rest)

        start = np.full(goal.size, math.sqrt(max(1000.0, 10 * task.model.fewest)))
        low, high = np.sqrt(least), np.full(goal.size, math.sqrt(_MOST_UNITS))
        guess, drift = _guess(at, goal, args[1], start, low, high)
        result[open_] = passes(chance, goal, guess, drift, low, high, tuple(args)) ** 2
    return result, why | _out_of_reach(task, np.flatnonzero(open_ & np.isnan(result)), fewest)


def _out_of_reach(task: Task, missed: NDArray[np.intp], fewest: Float64Array) -> _Why:
    """Why no number of units was found: the fewest have the power already, or it needs too many."""
    _, mde, target, _, _, *rest = task.arrays
    at_least = task.power(fewest[missed], *(value[missed] for value in (mde, *rest))) if missed.size else ()
    return {
        i: f"{fewest[i]:g} units of the control, the fewest that the test can have, find an effect of {mde[i]:g} with "
        f"a power of {power:.6g} already, above {target[i]:g}"
        if power > target[i]
        else f"an effect of {mde[i]:g} needs more than {_MOST_UNITS:g} units of the control"
        for i, power in zip(missed, at_least, strict=True)
    }


def _why_no_n(task: Task) -> _Why:
    mde, margin = task.arrays[1], task.arrays[6]
    if task.asked.between:
        no_room = np.flatnonzero(np.abs(mde) >= margin)
        why = {i: f"a true difference of {mde[i]:g} is not within the margin of {margin[i]:g}" for i in no_room}
    else:
        null = margin * task.edge
        gap = (mde - null) * task.asked.way
        no_room = np.flatnonzero(gap == 0 if task.asked.alternative == "two-sided" else gap <= 0)
        why = {
            i: f"an effect of {mde[i]:g} is not beyond the null of {null[i] + 0.0:g} in the direction of the test, "
            "so no number of units has more power than alpha"
            for i in no_room
        }
        why |= _needless(task, why, None, "data")
    return why


def _needless(task: Task, why: _Why, n: Float64Array | None, what: str) -> _Why:
    """Where the test has the power without an effect, of any number of units where none is given."""
    target, tail = task.arrays[2], task.arrays[5]
    if task.model.chance is None and task.asked.monitor is None:
        needless = np.flatnonzero(target <= task.sides * tail)
        return {
            i: f"a power of {target[i]:g} is not above alpha, and needs no {what}" for i in needless if i not in why
        }
    level = _without_effect(task, why, n)
    return {
        i: f"a power of {target[i]:g} is not above the {level[i]:.6g} without any effect, and needs no {what}"
        for i in np.flatnonzero(target <= level)
    }


def _without_effect(task: Task, why: _Why, n: Float64Array | None) -> Float64Array:
    """The power under the null; 0 where the null cannot be, or the power of ever fewer units goes to zero."""
    _, _, _, lowest, highest, *rest = task.arrays
    null = rest[1] * task.edge
    level = np.zeros(null.size)
    if n is None and (task.model.fewest or isinstance(task.asked.monitor, AnytimeValid)):
        return level
    some = _others(why, null.size) & (lowest < null) & (null < highest)
    if some.any():
        units = np.ones(null.size) if n is None else n
        level[some] = task.power(units[some], null[some], *(value[some] for value in rest))
    return level


def _guess(
    at: Callable[[Float64Array], Statistic],
    target: Float64Array,
    tail: Float64Array,
    start: Float64Array,
    low: Float64Array,
    high: Float64Array,
) -> tuple[Float64Array, Float64Array]:
    """Where the drift, which is in proportion to x, is about large enough; and that drift."""
    x, drift = start, _wanted(Statistic(target), target, tail)
    with np.errstate(divide="ignore", over="ignore"):
        here = at(x)
        x = np.clip(x * drift / np.abs(here.drift), low, high)
        if np.any(np.isfinite(here.df)) or np.any(here.scale != 1):
            here = at(x)
            drift = _wanted(here, target, tail)
            x = np.clip(x * drift / np.abs(here.drift), low, high)
    return x, drift


def _wanted(at: Statistic, target: Float64Array, tail: Float64Array) -> Float64Array:
    """The drift that the power needs, nearly; of a t statistic by its normal approximation."""
    bound, noise = critical(tail, at.df) * at.scale, 1 / np.asarray(at.df)
    drift = bound * (1 - noise / 4) + ndtri(target) * np.sqrt(1 + bound**2 * noise / 2)
    return np.asarray(np.maximum(drift, 0.1))


def _nearer(task: Task, n: Float64Array, mde: Float64Array, *rest: Float64Array) -> Statistic:
    """The statistic against the nearer null."""
    margin, parameters = rest[1], rest[3:]
    null = np.where(mde > 0, margin, -margin) if task.asked.between else margin * task.edge
    return task.model.at(n, task.treated(n, mde, *rest), mde, null, *parameters)


def _solve_mde(task: Task) -> _Answers:
    why = _too_few(task)
    if task.asked.between:
        return _solve_within(task, why)
    return _solve_beyond(task, why | _needless(task, why, task.arrays[0], "effect"))


def _solve_within(task: Task, why: _Why) -> _Answers:
    """The largest difference from zero with which equivalence is still shown."""
    n, _, target, _, highest, *rest = task.arrays
    least = np.maximum(rest[1] - highest * (1 - 1e-12), 0.0)  # from the margin to what there can be
    some = np.flatnonzero(_others(why, n.size))
    at_best, at_most = (
        task.power(n[some], effect[some], *(value[some] for value in rest)) for effect in (0 * n, rest[1] - least)
    )
    why |= {
        i: f"where there is no difference at all the power is {best:.6g}, below {target[i]:g}"
        if best < target[i]
        else f"every effect within the margin is found with a power of at least {most:.6g}, not below {target[i]:g}"
        for i, best, most in zip(some, at_best, at_most, strict=True)
        if best < target[i] or most >= target[i]
    }
    open_ = _others(why, n.size)
    result = np.full(n.size, np.nan)
    if open_.any():
        goal, low, *args = (value[open_] for value in (target, least, n, *rest))
        margin = args[2]

        def at(room: Float64Array) -> Statistic:
            return _nearer(task, args[0], margin - room, *args[1:])

        def chance(room: Float64Array, n: Float64Array, *rest: Float64Array) -> Float64Array:
            return task.power(n, rest[1] - room, *rest)

        guess, drift = _guess(at, goal, args[1], margin, low, margin)
        result[open_] = margin - passes(chance, goal, guess, drift, low, margin, tuple(args))
    return result, why


def _solve_beyond(task: Task, why: _Why) -> _Answers:
    """The smallest effect beyond the null, in the direction of the test; upwards where it has both."""
    n, _, target, lowest, highest, *rest = task.arrays
    way, null = task.asked.way, rest[1] * task.edge
    room = ((highest - null) if way > 0 else (null - lowest)) * (1 - 1e-12)
    why |= {i: "no effect lies beyond the null" for i in np.flatnonzero(~(room > 0)) if i not in why}
    beyond = (lowest - null) if way > 0 else (null - highest)  # a margin may reach further than what there can be
    least = np.where(beyond > 0, beyond + 1e-12 * np.abs(null), 0.0)
    some = np.flatnonzero(_others(why, n.size) & (least > 0))
    if some.size:
        at_least = task.power(n[some], (null + way * least)[some], *(value[some] for value in rest))
        why |= {
            i: f"every effect that there can be is found with a power of at least {fewest:.6g}, above {target[i]:g}"
            for i, fewest in zip(some, at_least, strict=True)
            if not fewest < target[i]
        }
    some = np.flatnonzero(_others(why, n.size) & np.isfinite(room))
    if some.size:
        at_most = task.power(n[some], (null + way * room)[some], *(value[some] for value in rest))
        why |= {
            i: f"the largest effect that there can be is found with a power of {best:.6g}, below {target[i]:g}"
            for i, best in zip(some, at_most, strict=True)
            if not best > target[i]
        }
    open_ = _others(why, n.size)
    result = np.full(n.size, np.nan)
    if open_.any():
        goal, low, left, edge, *args = (value[open_] for value in (target, least, room, null, n, *rest))

        def at(size: Float64Array) -> Statistic:
            return _nearer(task, args[0], edge + way * size, *args[1:])

        def chance(size: Float64Array, n: Float64Array, edge: Float64Array, *rest: Float64Array) -> Float64Array:
            return task.power(n, edge + way * size, *rest)

        start = np.where(np.isfinite(left), low + (left - low) / 100, 1.0)
        guess, drift = _guess(at, goal, args[1], start, np.maximum(low, 1e-290), np.minimum(left, 1e290))
        most = np.minimum(left, np.minimum(guess, 1e240) * _LARGEST)
        with_edge = (args[0], edge, *args[1:])
        result[open_] = edge + way * passes(chance, goal, guess, drift, low, most, with_edge)
    why |= dict.fromkeys(np.flatnonzero(open_ & np.isnan(result)).tolist(), "no effect is found with this power")
    return result, why


def _result(task: Task, solved: str, values: Float64Array, why: _Why) -> PowerResult | NoSolution:
    n, mde, power, _, _, *rest = task.arrays
    n, mde, power = (values if solved == name else old for name, old in (("n", n), ("mde", mde), ("power", power)))
    n_t = task.treated(n, mde, *rest)
    alpha = np.broadcast_to(task.asked.alpha, task.shape)
    assumptions = (*task.asked.describe(), *task.model.assumptions)
    if task.shape == () and why:
        none_or = [None if math.isnan(value[0]) else float(value[0]) for value in (n, n_t, mde, power)]
        n_c, treated, size, chance = none_or
        return NoSolution(task.name, solved, n_c, treated, size, chance, float(alpha), assumptions, why[0])
    expected = [None if part is None else _shaped(part, task.shape) for part in _expected(task, n, n_t, mde)]
    return PowerResult(
        task.name,
        solved,
        n_control=_shaped(n, task.shape),
        n_treatment=_shaped(n_t, task.shape),
        mde=_shaped(mde, task.shape),
        power=_shaped(power, task.shape),
        alpha=_shaped(alpha, task.shape),
        assumptions=assumptions,
        n_expected=expected[0],
        n_expected_null=expected[1],
        relative=task.asked.relative,
        reasons=_listed(why, task.shape) if why else None,
    )


def _expected(
    task: Task, n: Float64Array, n_t: Float64Array, mde: Float64Array
) -> tuple[Float64Array | None, Float64Array | None]:
    """Units of all variants on average, under the effect and under the null; None where nothing can stop early."""
    asked = task.asked
    if asked.monitor is None:
        everyone = n + n_t if asked.horizon else None
        return everyone, everyone
    from abkit.power._monitored import expected_units

    _, margin, _, *parameters = task.arrays[5:]
    null = margin * task.edge
    there, at_null = (task.model.at(n, n_t, effect, null, *parameters) for effect in (mde, null + 0 * mde))
    if asked.alternative == "less":
        there, at_null = turned(there), turned(at_null)
    return expected_units(asked, there, n, n_t), expected_units(asked, at_null, n, n_t)


def _shaped(values: Float64Array, shape: tuple[int, ...]) -> Number:
    shaped = np.reshape(values, shape)
    return shaped if shape else float(shaped.item())


def _listed(why: _Why, shape: tuple[int, ...]) -> NDArray[np.object_]:
    reasons = np.full(math.prod(shape), "", dtype=object)
    for i, reason in why.items():
        reasons[i] = reason
    return reasons.reshape(shape)
