"""The rows of a log that say something of some arms, and whether their propensities are those they were chosen with."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from abkit import _check
from abkit._check import Float64Array
from abkit.adapters._bandit_log import read_decisions
from abkit.bandits._state import Arm
from abkit.logs import label_name

#: Standard errors by which an arm's share may miss its propensities before these are doubted.
LARGEST_GAP = 4.0
ROUNDING = 1e-6
#: An arm that is chosen with less probability than this was not chosen with that probability.
SMALLEST = 1e-12


@dataclass(frozen=True, slots=True)
class Decisions:
    """Decisions in order of time: which of the arms was chosen, what came, and how probable each arm was."""

    chosen: npt.NDArray[np.bool_]
    reward: Float64Array
    propensity: Float64Array

    @property
    def doubt(self) -> str | None:
        """Why the propensities cannot be those with which the arms were chosen; None where they may be."""
        for chosen, propensity in zip(self.chosen, self.propensity, strict=True):
            count, expected = int(chosen.sum()), float(propensity.sum())
            noise = math.sqrt(float((propensity * (1 - propensity)).sum()))
            if abs(count - expected) > LARGEST_GAP * noise + ROUNDING * chosen.size:
                return (
                    f"an arm was chosen {count:,} times, where the logged propensities make {expected:,.0f} likely: "
                    "they are not those with which arms were chosen, and the answer may be far off"
                )
        return None


def decisions_of(
    log: object,
    arms: tuple[Arm | None, ...],
    arm: str,
    reward: str,
    propensity: str | Mapping[Arm, str],
    order: str | None,
) -> Decisions:
    """Read the rows of a log for some arms, of which a last None stands for the only other one."""
    columns = _columns(propensity)
    rows = read_decisions(log, [arm, reward, *columns.values()], order, labels=[arm])
    seen = list(dict.fromkeys(rows[arm].tolist()))
    named = tuple(_arm(seen, arms, place) for place in range(len(arms)))
    if len(set(named)) < len(named):
        raise ValueError(f"`treatment` must be another arm than `control`; got {named[0]!r}.")
    chosen = np.array([rows[arm] == name for name in named])
    given = {key: _probabilities(column, rows[column]) for key, column in columns.items()}
    if None in given:
        if len(seen) > 2:
            raise ValueError(
                "`propensity` must map every arm to the column of its probabilities where a log has more than two; "
                f"got one column, and {len(seen)} arms."
            )
        own = given[None]
        _refuse_zero(propensity, own)
        shares = np.where(chosen, own, 1 - own)
    else:
        of_arm = {label_name(name): values for name, values in given.items()}
        for name in named:
            if label_name(name) not in of_arm:
                raise ValueError(f"`propensity` must have the column of {name!r}; got those of {list(given)}.")
        shares = np.array([of_arm[label_name(name)] for name in named])
        _refuse_zero(propensity, shares[chosen])
    total = float(np.max(sum(given.values())))
    if total > 1 + ROUNDING:
        raise ValueError(f"`propensity` must add up to at most 1 at every decision; got {total:g}.")
    return Decisions(chosen, _check.observations("reward", rows[reward]), shares)


def _columns(propensity: object) -> dict[Arm | None, str]:
    if isinstance(propensity, str):
        return {None: propensity}
    if not isinstance(propensity, Mapping) or not propensity:
        raise TypeError(
            f"`propensity` must be a column, or a mapping of arms to columns; got {_check.show(propensity)}."
        )
    return {arm: _check.text("propensity", column) for arm, column in propensity.items()}


def _arm(seen: list[Any], arms: tuple[Arm | None, ...], place: int) -> Arm:
    found: Arm
    wanted, name = arms[place], "name" if len(arms) == 1 else ("control", "treatment")[place]
    if wanted is None:
        others = {label_name(arm) for arm in arms if arm is not None}
        rest = [arm for arm in seen if label_name(arm) not in others]
        if len(rest) != 1:
            raise ValueError(
                f"`{name}` must be named where the log does not have just one other arm; got {_check.show(rest)}."
            )
        found = rest[0]
        return found
    same = [arm for arm in seen if type(arm) is type(wanted) and arm == wanted]
    same = same or [arm for arm in seen if label_name(arm) == label_name(wanted)]
    if len(same) == 1:
        found = same[0]
        return found
    listed = _check.short(", ".join(map(repr, seen)))
    raise ValueError(f"`{name}` must be an arm of the log, {listed}; got {wanted!r}.{_check.suggest(wanted, seen)}")


def _probabilities(column: str, values: Any) -> Float64Array:
    array = _check.sample("propensity", values)
    outside = int(np.count_nonzero((array < 0) | (array > 1 + ROUNDING)))
    if outside:
        raise ValueError(f"`propensity` must be from 0 to 1; got {outside} of {array.size} outside, in `{column}`.")
    return np.minimum(array, 1.0)


def _refuse_zero(propensity: object, own: Float64Array) -> None:
    small = int(np.count_nonzero(own < SMALLEST))
    if small:
        raise ValueError(
            f"`propensity` must be above 0 for the arm that was chosen, at least {SMALLEST:g}; got "
            f"{float(own.min()):g} and {small} decision{'s' * (small != 1)} of the kind, in {_check.show(propensity)}."
        )
