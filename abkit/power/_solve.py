"""Any two of n, effect and power give the third: one root of a monotone function, for whole arrays at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtri

from abkit._check import Float64Array
from abkit.power._question import Question, numbers
from abkit.power._result import NoSolution, Number, PowerResult
from abkit.power._statistic import Statistic, critical, rejection, rejection_of_both

_LEAST, _MOST = 1e-300, 1 - 2.0**-53
#: Between two looks at what is unbounded; the bracket grows from there.
_STEP = 0.1
_LARGEST_LOG = 230.0


@dataclass(frozen=True, eq=False)
class Model:
    """How a test's statistic behaves: what a family of tests says of itself.

    Parameters
    ----------
    at : callable
        `at(n_control, n_treatment, mde, null, *parameters) -> Statistic`, for arrays of one shape. The drift is
        positive where the effect lies above the null.
    parameters : tuple of float array
        What else the test depends on: standard deviations, baselines, ...
    best_ratio : callable
        `best_ratio(n_control, mde, null, *parameters)`: the units of the treatment for one of the control that need
        the fewest units of both.
    assumptions : tuple of str
        What is taken to be so.
    fewest : float
        Units of each variant that the test must have more than.
    lowest, highest : float array
        Effects that are possible; infinite where nothing bounds them.
    """

    at: Callable[..., Statistic]
    parameters: tuple[Float64Array, ...]
    best_ratio: Callable[..., Float64Array]
    assumptions: tuple[str, ...]
    fewest: float = 0.0
    lowest: Float64Array | float = -math.inf
    highest: Float64Array | float = math.inf


@dataclass(frozen=True, eq=False, slots=True)
class _Task:
    """A question about a model, with every argument of one shape."""

    name: str
    asked: Question
    model: Model
    arrays: tuple[Float64Array, ...]
    shape: tuple[int, ...]

    def power(self, n: Float64Array, mde: Float64Array, *rest: Float64Array) -> Float64Array:
        """The chance of rejection; `rest` is alpha of one side, the margin, the ratio, and the parameters."""
        tail, margin, ratio, *parameters = rest
        asked, at = self.asked, self.model.at
        null = margin * self.edge
        n_t = n * (ratio if asked.ratio is not None else self.model.best_ratio(n, mde, null, *parameters))
        here = at(n, n_t, mde, null, *parameters)
        if asked.between:
            return rejection_of_both(here, _turned(at(n, n_t, mde, margin, *parameters)), tail)
        here = _turned(here) if asked.alternative == "less" else here
        if asked.monitor is not None:
            from abkit.power._monitored import monitored_power

            return monitored_power(asked, here, n, n_t)
        power = rejection(here, tail)
        return np.asarray(power + rejection(_turned(here), tail)) if asked.alternative == "two-sided" else power

    @property
    def edge(self) -> float:
        """The null for a margin of 1: the lower one of an equivalence."""
        inside = self.asked.hypothesis != "superiority"
        return (-1.0 if inside else 1.0) * self.asked.way


def answer(
    name: str, asked: Question, model: Model, *, n: object, mde: object, power: object
) -> PowerResult | NoSolution:
    """The missing one of `n`, `mde` and `power`."""
    solved = _missing(asked, n, mde, power)
    mde = 0.0 if mde is None and solved != "mde" else mde
    given = [
        numbers("n", n, model.fewest) if n is not None else np.nan,
        numbers("mde", mde) if mde is not None else np.nan,
        numbers("power", power, 0, 1) if power is not None else np.nan,
    ]
    ratio = 1.0 if asked.ratio is None else asked.ratio
    bounds = (model.lowest, model.highest)
    every = np.broadcast_arrays(*given, *bounds, asked.tail, asked.margin, ratio, *model.parameters)
    flat = [np.array(value, dtype=np.float64).ravel() for value in every]
    _check_effects(flat[1], flat[3], flat[4])
    task = _Task(name, asked, model, tuple(flat), every[0].shape)
    values, reasons = {"n": _solve_n, "mde": _solve_mde, "power": _solve_power}[solved](task)
    return _result(task, solved, values, reasons)


def _missing(asked: Question, n: object, mde: object, power: object) -> str:
    given = {"n": n, "mde": mde, "power": power}
    missing = [name for name, value in given.items() if value is None]
    if len(missing) == 2 and "mde" in missing and asked.hypothesis != "superiority":
        missing.remove("mde")  # that there is no difference is what is planned for
    if len(missing) != 1:
        raise ValueError(
            "`n`, `mde` and `power` must be given but for the one that is asked; got "
            + (", ".join(name for name in given if given[name] is not None) or "none of them")
            + "."
        )
    return missing[0]


def _check_effects(mde: Float64Array, lowest: Float64Array, highest: Float64Array) -> None:
    outside = (mde <= lowest) | (mde >= highest)
    if outside.any():
        i = int(np.flatnonzero(outside)[0])
        raise ValueError(f"`mde` must be between {lowest[i]:g} and {highest[i]:g} here; got {mde[i]:g}.")


_Answers = tuple[Float64Array, list[str]]


def _solve_power(task: _Task) -> _Answers:
    n, mde, _, _, _, *rest = task.arrays
    return task.power(n, mde, *rest), [""] * n.size


def _solve_n(task: _Task) -> _Answers:
    _, mde, target, _, _, *rest = task.arrays
    tail, margin = rest[0], rest[1]
    reasons = [_why_no_n(task.asked, *values) for values in zip(mde, target, tail, margin, strict=True)]
    open_ = np.array([not reason for reason in reasons])
    result = np.full(mde.size, np.nan)
    if open_.any():
        args = [value[open_] for value in (mde, target, *rest)]
        least = math.log(task.model.fewest) if task.model.fewest else -_LARGEST_LOG

        def lack(log_n: Float64Array, mde: Float64Array, target: Float64Array, *rest: Float64Array) -> Float64Array:
            return _probit(task.power(np.exp(log_n), mde, *rest)) - ndtri(target)

        start = _guess_log_n(task, least, *args)
        result[open_] = np.exp(_root(lack, start, tuple(args), least, _LARGEST_LOG))
    for i in np.flatnonzero(open_ & np.isnan(result)):
        reasons[i] = (
            f"an effect of {mde[i]:g} is found with more power than {target[i]:g} by the fewest units the test can have"
        )
    return result, reasons


def _why_no_n(asked: Question, mde: float, target: float, tail: float, margin: float) -> str:
    if asked.between:
        return "" if abs(mde) < margin else f"a true difference of {mde:g} is not within the margin of {margin:g}"
    null = float(margin * (-1 if asked.hypothesis == "non-inferiority" else 1) * asked.way)
    gap = (mde - null) * asked.way
    if gap == 0 or (gap < 0 and asked.alternative != "two-sided"):
        return (
            f"an effect of {mde:g} is not beyond the null of {null:g} in the direction of the test, so no number of "
            "units has more power than alpha"
        )
    sides = 2 if asked.alternative == "two-sided" else 1
    return f"a power of {target:g} is not above alpha, and needs no data" if target <= sides * tail else ""


def _guess_log_n(task: _Task, least: float, mde: Float64Array, target: Float64Array, *rest: Float64Array) -> Any:
    """From the drift at some n, which grows with its root."""
    start = np.full(mde.size, max(1000.0, 10 * task.model.fewest))
    here = _drift(task, start, mde, *rest)
    wanted = critical(rest[0], math.inf) * here.scale + np.maximum(ndtri(target), 0.0)
    with np.errstate(divide="ignore"):
        log_n = np.log(start) + 2 * np.log(wanted / np.abs(here.drift))
    return np.clip(log_n, least + 2 * _STEP, _LARGEST_LOG - 2 * _STEP)


def _drift(task: _Task, n: Float64Array, mde: Float64Array, *rest: Float64Array) -> Statistic:
    """The statistic against the nearer null."""
    _, margin, ratio, *parameters = rest
    null = margin * task.edge
    if task.asked.between:
        null = np.where(mde > 0, margin, -margin)
    n_t = n * (ratio if task.asked.ratio is not None else task.model.best_ratio(n, mde, null, *parameters))
    return task.model.at(n, n_t, mde, null, *parameters)


def _solve_mde(task: _Task) -> _Answers:
    return _solve_within(task) if task.asked.between else _solve_beyond(task)


def _solve_within(task: _Task) -> _Answers:
    """The largest difference from zero with which equivalence is still shown."""
    n, _, target, _, _, *rest = task.arrays
    at_best = task.power(n, np.zeros(n.size), *rest)
    open_ = at_best >= target
    result = np.full(n.size, np.nan)
    if open_.any():
        args = tuple(value[open_] for value in (n, target, *rest))

        def lack(mde: Float64Array, n: Float64Array, target: Float64Array, *rest: Float64Array) -> Float64Array:
            return ndtri(target) - _probit(task.power(n, mde, *rest))

        result[open_] = _find(lack, np.zeros(open_.sum()), args[3], args)
    reasons = [
        "" if fine else f"where there is no difference at all the power is {best:.6g}, below {wanted:g}"
        for fine, best, wanted in zip(open_, at_best, target, strict=True)
    ]
    return result, reasons


def _solve_beyond(task: _Task) -> _Answers:
    """The smallest effect beyond the null, in the direction of the test; upwards where it has both."""
    n, _, target, lowest, highest, *rest = task.arrays
    way, null = task.asked.way, rest[1] * task.edge
    room = (highest - null) if way > 0 else (null - lowest)
    at_most = np.ones(n.size)
    bounded = np.isfinite(room)
    if bounded.any():
        inner = [value[bounded] for value in (n, null + way * room * (1 - 1e-12), *rest)]
        at_most[bounded] = task.power(*inner)
    sides = 2 if task.asked.alternative == "two-sided" else 1
    open_ = (at_most > target) & (target > sides * rest[0]) & (room > 0)
    result = np.full(n.size, np.nan)
    if open_.any():
        args = tuple(value[open_] for value in (n, target, *rest))
        high = np.log(np.where(bounded, room * (1 - 1e-12), np.exp(_LARGEST_LOG))[open_])
        edge = null[open_]

        def lack(
            size: Float64Array, edge: Float64Array, n: Float64Array, target: Float64Array, *rest: Float64Array
        ) -> Float64Array:
            return _probit(task.power(n, edge + way * np.exp(size), *rest)) - ndtri(target)

        start = _guess_log_size(task, room[open_], edge, *args)
        size = _root(lack, np.minimum(start, high - 2 * _STEP), (edge, *args), -_LARGEST_LOG, high)
        result[open_] = edge + way * np.exp(size)
    values = zip(open_, at_most, target, room, strict=True)
    return result, ["" if fine else _why_no_mde(best, wanted, left) for fine, best, wanted, left in values]


def _why_no_mde(best: float, wanted: float, room: float) -> str:
    if not room > 0:
        return "no effect lies beyond the null"
    if best > wanted:
        return f"a power of {wanted:g} is not above alpha, and needs no effect"
    return f"the largest effect that there can be is found with a power of {best:.6g}, below {wanted:g}"


def _guess_log_size(
    task: _Task, room: Float64Array, edge: Float64Array, n: Float64Array, target: Float64Array, *rest: Float64Array
) -> Float64Array:
    step = np.where(np.isfinite(room), room / 100, 1.0)
    here = _drift(task, n, edge + task.asked.way * step, *rest)
    wanted = critical(rest[0], math.inf) * here.scale + np.maximum(ndtri(target), 0.0)
    with np.errstate(divide="ignore"):
        size = np.log(step) + np.log(wanted / np.abs(here.drift))
    return np.clip(size, -_LARGEST_LOG + 1, _LARGEST_LOG - 1)


def _root(
    lack: Callable[..., Float64Array], start: Float64Array, args: tuple[Float64Array, ...], low: Any, high: Any
) -> Float64Array:
    """Where a rising function passes zero, between bounds; nan where it does not."""
    from scipy.optimize.elementwise import bracket_root

    found = bracket_root(lack, start - _STEP, start + _STEP, xmin=low, xmax=high, args=args)
    fine = np.asarray(found.success)
    result = np.full(start.shape, np.nan)
    if fine.any():
        chosen = tuple(value[fine] for value in args)
        result[fine] = _find(lack, found.bracket[0][fine], found.bracket[1][fine], chosen)
    return result


def _find(
    lack: Callable[..., Float64Array], low: Float64Array, high: Float64Array, args: tuple[Float64Array, ...]
) -> Float64Array:
    from scipy.optimize.elementwise import find_root

    found = find_root(lack, (low, high), args=args, tolerances={"xatol": 1e-15, "xrtol": 1e-15, "fatol": 0, "frtol": 0})
    return np.where(found.success, found.x, np.nan)


def _probit(power: Float64Array) -> Float64Array:
    return np.asarray(ndtri(np.clip(power, _LEAST, _MOST)))


def _turned(at: Statistic) -> Statistic:
    return at._replace(drift=-at.drift)


def _result(task: _Task, solved: str, values: Float64Array, reasons: list[str]) -> PowerResult | NoSolution:
    n, mde, power, _, _, *rest = task.arrays
    n, mde, power = (values if solved == name else old for name, old in (("n", n), ("mde", mde), ("power", power)))
    _, margin, ratio, *parameters = rest
    if task.asked.ratio is None:
        ratio = task.model.best_ratio(n, mde, margin * task.edge, *parameters)
    alpha = np.broadcast_to(task.asked.alpha, task.shape)
    assumptions = (*task.asked.describe(), *task.model.assumptions)
    if task.shape == () and reasons[0]:
        none_or = [None if math.isnan(value[0]) else float(value[0]) for value in (n, n * ratio, mde, power)]
        n_c, n_t, size, chance = none_or
        return NoSolution(task.name, solved, n_c, n_t, size, chance, float(alpha), assumptions, reasons[0])
    expected = [None if part is None else _shaped(part, task.shape) for part in _expected(task, n, mde, ratio)]
    return PowerResult(
        task.name,
        solved,
        n_control=_shaped(n, task.shape),
        n_treatment=_shaped(n * ratio, task.shape),
        mde=_shaped(mde, task.shape),
        power=_shaped(power, task.shape),
        alpha=_shaped(alpha, task.shape),
        assumptions=assumptions,
        n_expected=expected[0],
        n_expected_null=expected[1],
        relative=task.asked.relative,
        reasons=np.array(reasons, dtype=object).reshape(task.shape) if any(reasons) else None,
    )


def _expected(
    task: _Task, n: Float64Array, mde: Float64Array, ratio: Float64Array
) -> tuple[Float64Array | None, Float64Array | None]:
    """Units of all variants on average, under the effect and under the null; None where nothing can stop early."""
    asked = task.asked
    if asked.monitor is None:
        everyone = n * (1 + ratio) if asked.horizon else None
        return everyone, everyone
    from abkit.power._monitored import expected_units

    _, margin, _, *parameters = task.arrays[5:]
    null = margin * task.edge
    n_t = n * ratio
    there, at_null = (task.model.at(n, n_t, effect, null, *parameters) for effect in (mde, null + 0 * mde))
    if asked.alternative == "less":
        there, at_null = _turned(there), _turned(at_null)
    return expected_units(asked, there, n, n_t), expected_units(asked, at_null, n, n_t)


def _shaped(values: Float64Array, shape: tuple[int, ...]) -> Number:
    shaped = np.reshape(values, shape)
    return shaped if shape else float(shaped.item())
