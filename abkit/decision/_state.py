"""What one look at a release tells the next: the stage it is in, since when, and which looks there were."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from abkit import _check, _times
from abkit.errors import PlanError


@dataclass(frozen=True, slots=True)
class State:
    """Where a release stands before a look.

    Parameters
    ----------
    stage : int
        The stage of its ramp, from 1.
    started : str or datetime, optional
        When the release began.
    stage_started : str or datetime, optional
        When this stage began.
    looks : tuple of int
        The units of all variants together at each look so far.
    stage_units : mapping of variant to int, optional
        The units of each variant when this stage began, where the log does not say which rows are of which stage.

    Examples
    --------
    >>> import abkit as ab
    >>> ab.State(stage=2, looks=(1000, 2500)).to_dict()["looks"]
    [1000, 2500]
    """

    stage: int = 1
    started: str | None = None
    stage_started: str | None = None
    looks: tuple[int, ...] = ()
    stage_units: dict[str, int] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "stage", _check.count("state.stage", self.stage, 1))
        for name in ("started", "stage_started"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, _times.moment_text(f"state.{name}", getattr(self, name)))
        object.__setattr__(self, "looks", tuple(_check.count("state.looks", units) for units in self.looks))
        if self.stage_units is not None:
            if not isinstance(self.stage_units, Mapping):
                raise TypeError(f"`state.stage_units` must map variants to units; got {_check.show(self.stage_units)}.")
            counts = {str(name): _check.count("state.stage_units", n) for name, n in self.stage_units.items()}
            object.__setattr__(self, "stage_units", counts)

    @classmethod
    def of(cls, value: object) -> Self:
        """A state given as such, as its plain values, or as the decision (or the JSON of one) that holds it.

        Raises
        ------
        PlanError
            It is none of these.
        """
        if isinstance(value, cls):
            return value
        held = getattr(value, "state", value)
        if isinstance(held, cls):
            return held
        try:
            plain = json.loads(held) if isinstance(held, (str, bytes)) else held
            plain = plain["state"] if isinstance(plain, Mapping) and "state" in plain else plain
            if isinstance(plain, Mapping) and set(plain) <= {field.name for field in fields(cls)}:
                return cls(**{**plain, "looks": _listed(plain.get("looks", ()))})
        except (TypeError, ValueError) as error:
            raise PlanError(f"`state` must be a State, or the decision before: {error}") from error
        raise PlanError(f"`state` must be a State, or the decision before; got {_check.show(value)}.")

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "looks": list(self.looks)}


def _listed(looks: object) -> tuple[Any, ...]:
    if not isinstance(looks, (list, tuple)):
        raise TypeError(f"`state.looks` must be a list of whole numbers; got {_check.show(looks)}.")
    return tuple(looks)
