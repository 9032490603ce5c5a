"""What a hierarchical model is given: named estimates with their standard errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.errors import DataError
from abkit.suffstats import Counts

SCALES = ("difference", "relative")
LOG_ODDS = "log odds ratio"
#: The most of an estimate's variance that may be an error of the control that all share.
MOST_SHARED = 0.99


@dataclass(frozen=True, slots=True, eq=False)
class Estimates:
    """Named estimates with their standard errors.

    Parameters
    ----------
    names : tuple of str
    raw, stderrs : float array, shape (effects,)
        Estimates and their standard errors, all errors counted.
    scale : str
        What the estimates are.
    counts : tuple of two Counts, optional
        Control and treatment of each effect, where these are the evidence.
    shared : float
        Variance of an error that all estimates have in common, that of their one control.
    """

    names: tuple[str, ...]
    raw: Float64Array
    stderrs: Float64Array
    scale: str = "difference"
    counts: tuple[Counts, Counts] | None = None
    shared: float = 0.0

    def __post_init__(self) -> None:
        if len(self.raw) < 2:
            raise DataError(f"a hierarchical model needs two effects or more; got {len(self.raw)}.")
        if not len(self.names) == len(self.raw) == len(self.stderrs):
            raise ValueError(
                "`names`, estimates and standard errors must be as many as each other; "
                f"got {len(self.names)}, {len(self.raw)} and {len(self.stderrs)}."
            )
        if not np.all(self.stderrs > 0):
            at = self.names[int(np.argmin(self.stderrs > 0))]
            raise ValueError(f"standard errors must be above 0; got {self.stderrs.min():g} of {at!r}.")

    @property
    def own(self) -> Float64Array:
        """Standard errors of the estimates without the error that they share."""
        if not self.shared:
            return self.stderrs
        result: Float64Array = np.sqrt(self.stderrs**2 - self.shared)
        return result


@dataclass(frozen=True, slots=True)
class Asked:
    """Which effects of a report are meant, and on what scale."""

    over: str | None = None
    metric: str | None = None
    variant: str | None = None
    column: str | None = None
    scale: str | None = None

    def scaled(self, default: str = "difference") -> str:
        """The scale of means."""
        return _check.choice("scale", self.scale or default, SCALES)


def shared_part(of_control: Float64Array, stderrs: Float64Array) -> float:
    """The variance that all estimates have from one control, given what each says that it is."""
    return max(float(min(of_control.min(), MOST_SHARED * (stderrs**2).min())), 0.0)


def named(names: Sequence[str] | None, size: int) -> tuple[str, ...]:
    """The names given, or numbers from 1."""
    return tuple(map(str, range(1, size + 1))) if names is None else _check.names("names", names)
