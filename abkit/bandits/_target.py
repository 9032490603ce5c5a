"""What is to be evaluated, and what predicts rewards: every form in which a person may say it, as one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from abkit import _check
from abkit.adapters._bandit_log import read_decisions
from abkit.adapters._bandit_query import Cell, Table, has_column
from abkit.bandits._policy import Policy
from abkit.bandits._state import State
from abkit.errors import DataError
from abkit.logs import label_name

#: By how much the probabilities of all arms together may miss 1.
TOLERANCE = 1e-6
FORMS = (
    "a mapping of arms to probabilities or to columns of them, the name of an arm or of a column, 'uniform', "
    "(policy, state), a table, or an array"
)


@dataclass(frozen=True)
class Columns:
    """Which columns of a log are what."""

    arm: str
    reward: str
    propensity: str | None
    by: tuple[str, ...]
    order: str | None

    def __post_init__(self) -> None:
        named = [name for name in (self.arm, self.reward, self.propensity, *self.by) if name is not None]
        for name in named:
            _check.text("arm, reward, propensity and by", name)
        if len(set(named)) < len(named):
            raise ValueError(f"`arm`, `reward`, `propensity` and `by` must be different columns; got {named}.")

    @property
    def all(self) -> tuple[str, ...]:
        """Every column, once."""
        named = (self.arm, self.reward, self.propensity, *self.by, self.order)
        return tuple(dict.fromkeys(name for name in named if name is not None))


def with_arrays(log: object, columns: Columns, target: Any, model: Any) -> tuple[Any, Any, Any]:
    """The log with arrays as further columns of it, and the target and the model by the names of these."""
    given = {"target": _as_array(target), "model": _as_array(model)}
    if all(array is None for array in given.values()):
        return log, target, model
    also = [name for value in (target, model) for name in _names(log, value)]
    rows = read_decisions(log, (*columns.all, *also), labels=(columns.arm, *columns.by))
    n, arms = len(rows[columns.arm]), rows[columns.arm]
    named: dict[str, Any] = {"target": target, "model": model}
    table: dict[str, Any] = dict(rows)
    for name, array in given.items():
        if array is None:
            continue
        if array.shape[0] != n:
            raise ValueError(f"`{name}` must have one row for each of {n:,} rows of the log; got {array.shape[0]:,}.")
        if array.ndim == 1:
            table[f"{name} of the row"] = array
            named[name] = f"{name} of the row"
            continue
        keys = _arms_of_columns(name, arms, array.shape[1])
        named[name] = {key: f"{name} of {key}" for key in keys}
        table |= {f"{name} of {key}": array[:, i] for i, key in enumerate(keys)}
    return table, named["target"], named["model"]


def read_target(target: Any, log: object, columns: Columns) -> Table | str | float:
    """The target as a table, as the name of a column, or as one number for every arm, which stands for "uniform"."""
    if isinstance(target, str):
        if has_column(log, target):
            return target
        return 1.0 if target == "uniform" else {(): {target: 1.0}}
    if isinstance(target, (int, np.integer)) and not isinstance(target, bool):
        return {(): {str(int(target)): 1.0}}
    if isinstance(target, tuple) and len(target) == 2 and isinstance(target[0], Policy):
        return _policy_table(*target)
    if isinstance(target, Mapping):
        return {(): _checked_shares("target", {label_name(arm): value for arm, value in target.items()})}
    if isinstance(target, Policy):
        raise TypeError("`target` must be (policy, state): a policy alone does not say what it has learnt.")
    if target is None or isinstance(target, (bool, float, State, Sequence)):
        raise TypeError(f"`target` must be {FORMS}; got {_check.show(target)}.")
    table = _read_table("target", target, columns, "probability")
    return {cell: _checked_shares(_place("target", cell), arms) for cell, arms in table.items()}


def read_model(model: Any, columns: Columns) -> Table | None:
    """The model as a table, or None where the log's own means are the model."""
    if model is None:
        return None
    if isinstance(model, Mapping):
        values = {label_name(arm): value for arm, value in model.items()}
        _one_kind("model", values)
        return {(): {a: v if isinstance(v, str) else _check.number(f"model[{a!r}]", v) for a, v in values.items()}}
    if isinstance(model, (str, bool, int, float, tuple, list)):
        raise TypeError(
            "`model` must be a mapping of arms to rewards or to columns of them, a table, or an array with a column "
            f"an arm; got {_check.show(model)}."
        )
    return _read_table("model", model, columns, "value")


def _as_array(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return _check.sample("target and model", value, (1, 2))
    return None


def _names(log: object, value: Any) -> list[str]:
    """Columns of the log that a target or a model names."""
    if isinstance(value, str):
        return [value] if has_column(log, value) else []
    return [name for name in value.values() if isinstance(name, str)] if isinstance(value, Mapping) else []


def _arms_of_columns(name: str, arms: Any, width: int) -> list[str]:
    """Which arm each column of an array belongs to: 0, 1, ... where the arms are such, else in the order of names."""
    found = set(arms.tolist())
    if all(isinstance(arm, int) and 0 <= arm < width for arm in found):
        return [str(i) for i in range(width)]
    if len(found) != width:
        raise ValueError(f"`{name}` must have one column for each of {len(found)} arms of the log; got {width}.")
    return [label_name(arm) for arm in sorted(found)]


def _policy_table(policy: Policy[Any], state: Any) -> Table:
    if not isinstance(state, State):
        raise TypeError(f"`target` must be (policy, state); got a state that is {_check.show(state)}.")
    shares = np.asarray(policy.propensities(state), dtype=float)
    return {(): {label_name(arm): float(share) for arm, share in zip(state.arms, shares, strict=True)}}


def _one_kind(name: str, values: Mapping[str, Any]) -> None:
    if not values:
        raise ValueError(f"`{name}` must have at least one arm; got none.")
    if 0 < sum(isinstance(value, str) for value in values.values()) < len(values):
        raise TypeError(f"`{name}` must give all arms numbers, or all of them columns; got both.")


def _checked_shares(name: str, values: Mapping[str, Any]) -> dict[str, float | str]:
    """Probabilities of all arms, which make 1 together; or columns of them, which are looked at row by row."""
    _one_kind(name, values)
    if all(isinstance(value, str) for value in values.values()):
        return dict(values)
    shares = {arm: _check.at_least(f"{name}[{arm!r}]", value, 0) for arm, value in values.items()}
    total = sum(shares.values())
    if not abs(total - 1) <= TOLERANCE:
        raise ValueError(f"`{name}` must have probabilities that make 1 together; got {total:.9g}.")
    return dict(shares)


def _read_table(name: str, table: object, columns: Columns, value: str) -> dict[Cell, dict[str, float | str]]:
    keys = (*columns.by, columns.arm)
    try:
        rows = read_decisions(table, (*keys, value), labels=keys)
    except DataError as error:
        wanted = ", ".join((*keys, value))
        raise DataError(f"`{name}` must be {FORMS}; read as a table with the columns {wanted}: {error}") from error
    found: dict[Cell, dict[str, float | str]] = {}
    for *cell, arm, number in zip(*(rows[key] for key in keys), rows[value], strict=True):
        arms = found.setdefault(tuple(label_name(part) for part in cell), {})
        if label_name(arm) in arms:
            raise DataError(f"`{name}` must have one row a cell and arm; it has several of {arm!r} in {tuple(cell)}.")
        arms[label_name(arm)] = float(number)
    return found


def _place(name: str, cell: Cell) -> str:
    return f"{name} in {', '.join(cell)}" if cell else name
