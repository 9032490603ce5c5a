"""What every release strategy says: how its log came about, what its plan is unless told otherwise, and in words."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from abkit import _check, _times
from abkit.types import Guarantee

if TYPE_CHECKING:
    from abkit.experiment import Experiment
    from abkit.logs import Sides

#: How the log came about, which decides how it is analyzed.
Design = Literal["concurrent", "paired", "adaptive", "events", "staggered", "before-after"]
OBSERVATIONAL: Guarantee = "observational"


@dataclass(frozen=True, slots=True)
class Words:
    """A strategy in words: what it costs, how fast it is undone, what follows from it and what does not."""

    title: str
    traffic: str
    downtime: str
    rollback: str
    cost: str
    concludes: str
    cannot: str
    choose: str


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of a ramp.

    Parameters
    ----------
    weight : float
        Percent of the traffic that the treatment has. Above 0, at most 100.
    control : float, optional
        Percent that the control has; by default the rest. Smaller where the control is a baseline of the same age and
        size as the canary, and what is left goes to the old release.
    min_units : int
        Of each variant, before the stage may be left.
    min_time : str or timedelta, optional
        Likewise, since the stage began: "1h".
    advance : {"evidence", "no-harm"}
        What leaving the stage upwards takes: all that the rule asks of a promotion; or only that nothing is shown to
        be worse and every metric of the rule has data. The last stage takes evidence.
    """

    weight: float
    control: float | None = None
    min_units: int = 0
    min_time: str | None = None
    advance: Literal["evidence", "no-harm"] = "evidence"

    def __post_init__(self) -> None:
        weight = _share("stages.weight", self.weight)
        object.__setattr__(self, "weight", weight)
        if self.control is not None:
            object.__setattr__(self, "control", _share("stages.control", self.control))
        if weight + (self.control or 0) > 100:
            raise ValueError(f"`stages.control` must leave {weight:g} percent for the treatment; got {self.control}.")
        object.__setattr__(self, "min_units", _check.count("stages.min_units", self.min_units))
        if self.min_time is not None:
            object.__setattr__(self, "min_time", _times.duration_text("stages.min_time", self.min_time))
        _check.choice("stages.advance", self.advance, ("evidence", "no-harm"))

    @property
    def split(self) -> tuple[float, float]:
        """Weights of the control and of the treatment; with all traffic in the treatment there is no control."""
        return (100 - self.weight if self.control is None else self.control), self.weight


@dataclass(frozen=True, kw_only=True)
class Strategy(ABC):
    """How a release reaches its users, as far as it matters to what can be concluded."""

    kind: ClassVar[str]
    design: ClassVar[Design]
    words: ClassVar[Words]
    #: Whether each segment of the plan gets a verdict of its own.
    segment_verdicts: ClassVar[bool] = False

    def __post_init__(self) -> None:
        self._check()

    @abstractmethod
    def _check(self) -> None:
        """Check the fields of this strategy."""

    @abstractmethod
    def preset(self) -> Mapping[str, Any]:
        """Fields of a plan, where it does not say them itself."""

    def check_plan(self, plan: Experiment) -> None:  # noqa: B027
        """Refuse a plan that this strategy cannot be analyzed under; the message names the field."""

    def sides(self) -> Sides | None:
        """How the log holds pairs, where every unit is seen under every variant."""
        return None

    @property
    def guarantee(self) -> Guarantee | None:
        """When the stated error rates hold, where the strategy and not the monitor decides it."""
        return None

    @property
    def observational(self) -> bool:
        """Whether chance did not decide who got what, so that something else may be behind a difference."""
        return self.design in ("staggered", "before-after")


@dataclass(frozen=True, kw_only=True)
class Ramped(Strategy):
    """A strategy that gives the treatment more traffic stage by stage.

    Parameters
    ----------
    stages : list of Stage, or of weights
        In the order in which they are gone through; their weights rise. None is one stage, at the plan's allocation.
    stage : str, optional
        The column of the log with the number of the stage, from 1, in which a row was logged. Needed where the split
        between control and treatment changes from stage to stage: raw means of such stages together are biased.
    """

    stages: tuple[Stage, ...] = ()
    stage: str | None = None

    def _check(self) -> None:
        object.__setattr__(self, "stages", _checked_stages(self.stages))
        if self.stage is not None:
            _check.text("strategy.stage", self.stage)
            if not self.stages:
                raise ValueError("`stages` must be given with `stage`, the column of their numbers.")
        self._check_more()

    def _check_more(self) -> None:
        """Check the further fields of this strategy."""

    @property
    def steady(self) -> bool:
        """Whether control and treatment have the same ratio in every stage, so that their rows may be added up."""
        return len({stage.split[0] / stage.split[1] for stage in self.stages}) <= 1


def _checked_stages(stages: object) -> tuple[Stage, ...]:
    """Stages whose weights rise; a bare number is a weight."""
    if isinstance(stages, (str, Mapping)) or not isinstance(stages, Iterable):
        raise TypeError(f"`stages` must be a list of stages or of weights; got {_check.show(stages)}.")
    made = tuple(stage if isinstance(stage, Stage) else Stage(stage) for stage in stages)
    weights = [stage.weight for stage in made]
    if any(late <= early for early, late in pairwise(weights)):
        raise ValueError(f"`stages` must rise in weight; got {', '.join(f'{weight:g}' for weight in weights)}.")
    if made and made[-1].advance != "evidence":
        raise ValueError("`stages` must end with one that takes evidence; got 'no-harm' for the last.")
    return made


def _share(name: str, value: object) -> float:
    share = _check.within(name, value, 0, float("inf"))
    if share > 100:
        raise ValueError(f"`{name}` must be percent, at most 100; got {share:g}.")
    return share
