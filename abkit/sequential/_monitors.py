"""When the evidence is looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from abkit import _check


@dataclass(frozen=True, slots=True)
class FixedHorizon:
    """One look, at the end.

    Parameters
    ----------
    alpha : float
        Total error of the two-sided tests, between 0 and 1; each direction has half of it.

    Raises
    ------
    ValueError
        `alpha` is not between 0 and 1.

    Notes
    -----
    Looking again as data come in, and stopping when a result appears, makes false conclusions several times as
    frequent as `alpha` says.

    Examples
    --------
    >>> import abkit as ab
    >>> ab.FixedHorizon(alpha=0.01)
    FixedHorizon(alpha=0.01)
    """

    alpha: float = 0.05
    kind: ClassVar[str] = "fixed-horizon"
    guarantee: ClassVar[str] = "fixed horizon"

    def __post_init__(self) -> None:
        object.__setattr__(self, "alpha", _check.within("alpha", self.alpha, 0, 1))


Monitor = FixedHorizon
