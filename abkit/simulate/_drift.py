"""How far a metric's effects move its statistic."""

from __future__ import annotations

from dataclasses import dataclass

from abkit import _check


@dataclass(frozen=True, slots=True)
class Drift:
    """What the data of a metric have to do with its statistic.

    Parameters
    ----------
    unit : float
        The expected z of an effect of one unit at the last look, at the planned shares, for the treatment with the
        smallest. At least 0.
    margin : float
        The same of an effect as large as the metric's margin; 0 without one.
    rate : float, optional
        The control's share of units with an outcome, of a `Proportion`.
    events : float, optional
        The share of units that have an event, as a burn-in counts them. From 0 to 1.
    skewness : float, optional
        That of the estimate at the last look, as a burn-in asks for it.
    """

    unit: float
    margin: float = 0.0
    rate: float | None = None
    events: float | None = None
    skewness: float | None = None

    def __post_init__(self) -> None:
        for name in ("unit", "margin"):
            object.__setattr__(self, name, _check.at_least(name, getattr(self, name), 0))
        if self.rate is not None:
            object.__setattr__(self, "rate", _check.within("rate", self.rate, 0, 1))
        if self.events is not None and not 0 <= self.events <= 1:
            raise ValueError(f"`events` must be from 0 to 1; got {_check.show(self.events)}.")
        if self.skewness is not None:
            object.__setattr__(self, "skewness", _check.number("skewness", self.skewness))
