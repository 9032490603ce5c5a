"""What a question about power is answered with."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from abkit._check import Float64Array

Number = float | Float64Array
#: So many answers of arrays are printed.
_SHOWN = 10
#: A size that is above a whole number by so little, as a share of it, is that number.
_ROUNDING = 1e-14


@dataclass(frozen=True, eq=False)
class PowerResult:
    """How many units, how large an effect, how much power: the two that were given, and the third.

    Parameters
    ----------
    question : str
        The name of the function.
    solved : {"n", "mde", "power"}
        Which of the three was not given.
    n_control, n_treatment : float or float array
        Units of each variant (at most, with a monitor); not rounded. Print rounds them up.
    mde : float or float array
        The true effect that the power is for, in the metric's unit or, where `relative`, as a share of the baseline.
    power : float or float array
        The chance that the test rejects.
    alpha : float or float array
        Of the test; with two sides of both together.
    assumptions : tuple of str
        What was taken to be so, one sentence each.
    n_expected, n_expected_null : float or float array, optional
        With a monitor that may stop early: units of all variants, on average, under `mde` and under the null.
    relative : bool
        Whether `mde` is a share of the baseline.
    reasons : array of str, optional
        Of arrays: why an element has no answer, else "".
    treatments : int
        How many treatments there are, of `n_treatment` units each.

    Examples
    --------
    >>> import abkit as ab
    >>> result = ab.power.two_means(mde=0.5, sd=1.0, power=0.8)
    >>> round(result.n_control, 4), result.solved
    (63.7656, 'n')
    """

    question: str
    solved: str
    n_control: Number
    n_treatment: Number
    mde: Number
    power: Number
    alpha: Number
    assumptions: tuple[str, ...]
    n_expected: Number | None = None
    n_expected_null: Number | None = None
    relative: bool = False
    reasons: Any = None
    treatments: int = 1

    @property
    def n_total(self) -> Number:
        """Units of all variants."""
        return self.n_control + self.treatments * self.n_treatment

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; what has no answer is None."""
        return {name: _plain(value) for name, value in asdict(self).items()}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PowerResult):
            return NotImplemented
        return all(_same(getattr(self, field.name), getattr(other, field.name)) for field in fields(self))

    def __hash__(self) -> int:
        return hash((self.question, self.solved, self.assumptions, self.relative, self.treatments))

    def __str__(self) -> str:
        if isinstance(self.n_control, np.ndarray) or isinstance(self.power, np.ndarray):
            return "\n".join([*self._table(), *(f"  {sentence}" for sentence in self.assumptions)])
        size = f"{self.mde:.4g}" if not self.relative else f"{100 * self.mde:.4g}% of the baseline"
        n_c, n_t = (math.ceil(n * (1 - _ROUNDING)) for n in (self.n_control, self.n_treatment))
        of_treatment = "the treatment" if self.treatments == 1 else f"each of {self.treatments} treatments"
        found = f"{n_c:,} units of the control and {n_t:,} of {of_treatment} find an effect of {size}"
        lines = [f"{found} with a chance of {100 * self.power:.6g}% (alpha {self.alpha:g}); solved for `{self.solved}`"]
        if self.n_expected is not None:
            lines.append(
                f"  stopping early, {math.ceil(self.n_expected):,} units of all variants on average under this effect, "
                f"{math.ceil(self.n_expected_null or 0):,} under the null"
            )
        return "\n".join([*lines, *(f"  {sentence}" for sentence in self.assumptions)])

    def _table(self) -> list[str]:
        """The first answers, a row each; "-" where there is none."""
        columns = np.broadcast_arrays(self.n_control, self.n_treatment, self.mde, self.power, self.alpha)
        count = columns[0].size
        shown = [[f"{value:.6g}" if math.isfinite(value) else "-" for value in row.ravel()[:_SHOWN]] for row in columns]
        head = ("n_control", "n_treatment", "mde" + " (share)" * self.relative, "power", "alpha")
        widths = [max(map(len, column)) for column in ([name, *cells] for name, cells in zip(head, shown, strict=True))]
        rows = (
            "  " + "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
            for row in (head, *zip(*shown, strict=True))
        )
        more = f", the first {_SHOWN} of them here; `to_dict()` has all" if count > _SHOWN else ""
        reasons = () if self.reasons is None else np.ravel(self.reasons)[:_SHOWN]
        why = dict.fromkeys(reason for reason in reasons if reason)
        return [f"{count:,} answers, solved for `{self.solved}`{more}", *rows, *(f"  -: {reason}" for reason in why)]


@dataclass(frozen=True)
class NoSolution:
    """A request that no number answers, and why.

    It has the fields of `PowerResult`, so that what was given can be read; what was asked is None.

    Examples
    --------
    >>> import abkit as ab
    >>> impossible = ab.power.two_means(mde=-0.5, sd=1.0, power=0.8, alternative="greater")
    >>> print(impossible)
    no `n`: an effect of -0.5 is not beyond the null of 0 in the direction of the test, so no number of units ...
    """

    question: str
    solved: str
    n_control: float | None
    n_treatment: float | None
    mde: float | None
    power: float | None
    alpha: float
    assumptions: tuple[str, ...]
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**asdict(self), "assumptions": list(self.assumptions)}

    def __str__(self) -> str:
        return f"no `{self.solved}`: {self.reason}"


def _same(value: Any, other: Any) -> bool:
    if isinstance(value, np.ndarray) or isinstance(other, np.ndarray):
        numbers = np.asarray(value).dtype.kind == np.asarray(other).dtype.kind == "f"
        return np.array_equal(value, other, equal_nan=numbers)
    return bool(value == other)


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return [_plain(item) for item in value.tolist()] if value.ndim else _plain(value.item())
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
