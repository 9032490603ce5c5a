"""What a plan asks of a log, and the statistics that come back: the contract between metrics and engines."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Self

import numpy as np

from abkit._check import Float64Array
from abkit.suffstats import CoMoments, Histogram
from abkit.types import ROWS, Cap, Missing, Relative

#: The segment of units that have several values of a segment column, or none.
NO_SEGMENT = "(none)"


def label_name(value: object) -> str:
    """The name of a variant or a segment: true and false, whole numbers without a point, else its text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


@dataclass(frozen=True, slots=True)
class Variable:
    """One number per unit: its rows added up, their largest value, or the one value that they all have.

    `slope_over` names a column of days and how many: the sum is then weighted so that it is the slope over these days.
    """

    column: str
    per_unit: Literal["sum", "max", "same"]
    cap: Cap | None = None
    binary: bool = False
    slope_over: tuple[str, int] | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it reads."""
        return (self.column, self.slope_over[0]) if self.slope_over else (self.column,)


@dataclass(frozen=True, slots=True)
class Buckets:
    """Which quantile of a block's one variable is asked: of its rows, clustered by unit, or of its units."""

    q: float
    accuracy: float
    per: Literal["unit", "row"]


@dataclass(frozen=True, slots=True)
class Compare:
    """That a block's column is compared between the sides of a pair, and by how much two numbers may differ."""

    tolerance: float | Relative = 0.0


@dataclass(frozen=True, slots=True)
class Block:
    """The variables of one metric: a unit has all of them or is not in the block.

    `present` names further columns that a row must have to count. `thirds` is how many of the first variables
    `ThirdMoments` are wanted of.
    """

    metric: str
    variables: tuple[Variable, ...]
    missing: Missing
    buckets: Buckets | None = None
    present: tuple[str, ...] = ()
    thirds: int = 0
    compare: Compare | None = None

    def gaps(self, missing: Collection[str]) -> list[str]:
        """The columns of this metric that are among those with missing values, in order."""
        return sorted({*self.present, *(c for variable in self.variables for c in variable.columns)} & set(missing))


def gaps_of(metric: str) -> str:
    """The name under which a metric's rows without a value, and all its rows, come back where there are any."""
    return f"gaps of {metric}"


@dataclass(frozen=True, slots=True)
class Decisions:
    """How a log says with what probability each variant was chosen (one column of the chosen one, or one a variant).

    `order` is the column that says when.
    """

    propensity: str | Mapping[str, str]
    order: str

    @property
    def propensities(self) -> tuple[str, ...]:
        """The columns of probabilities."""
        return (self.propensity,) if isinstance(self.propensity, str) else tuple(self.propensity.values())


@dataclass(frozen=True, slots=True)
class Sides:
    """How a shadow's log holds pairs: the endings of column names by variant, where a row has the values of all.

    Without them a row is of one variant. `cluster` names the column of what is independent, where pairs are not.
    `side_effect` names the column that says that a treatment changed something.
    """

    suffixes: Mapping[str, str] | None = None
    cluster: str | None = None
    side_effect: str | None = None


@dataclass(frozen=True, slots=True)
class Ramp:
    """How a log tells the stages of a release apart.

    `column` holds their numbers, from 1 to `count`; None: there is one. Rows of the first `warm_up` microseconds of a
    stage do not count.
    """

    column: str | None
    count: int = 1
    warm_up: int | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """All that one analysis needs from a log; with `pairs`, each unit is seen under every variant.

    With `decisions`, a policy chose the variants, and each row is a unit.
    """

    unit: str
    variant: str
    control: str
    blocks: tuple[Block, ...]
    labels: tuple[str, ...] | None = None
    segments: tuple[str, ...] = ()
    exposure: str | None = None
    key: tuple[str, ...] = ()
    pairs: bool = False
    decisions: Decisions | None = None
    time: str | None = None
    sides: Sides | None = None
    ramp: Ramp | None = None

    def columns(self) -> tuple[str, ...]:
        """Every column that is read, once, in order."""
        wide = self.sides.suffixes if self.sides else None
        named = [*([self.unit] if self.unit != ROWS else []), *([] if wide else [self.variant])]
        named += [*self.segments, *self.key, *([self.ramp.column] if self.ramp and self.ramp.column else [])]
        named += [self.exposure] if self.exposure else []
        named += [*self.decisions.propensities, self.decisions.order] if self.decisions else []
        named += [c for c in (self.sides.cluster, self.sides.side_effect) if c] if self.sides else []
        measured = [c for block in self.blocks for variable in block.variables for c in variable.columns]
        named += [c if c == ROWS else f"{c}{end}" for c in measured for end in wide.values()] if wide else measured
        return tuple(dict.fromkeys(named))


@dataclass(frozen=True, slots=True, eq=False)
class Distribution(CoMoments):
    """How the values of one variant are spread, and how they cluster within its units.

    The co-moments are of three numbers per unit: its values before the bucket of a quantile, those up to its end, and
    all of them. The quantile is that of the whole variant, within segments too, so that their co-moments add up to
    those of the variant: a segment's design effect is that of its values below this one place, wherever its own
    quantile is.

    `moved` is by how much the values exceed those of the histogram, as a treatment that is planned for moves them.
    """

    histogram: Histogram
    moved: float = 0.0

    def __add__(self, other: CoMoments) -> CoMoments:
        if not isinstance(other, Distribution):
            return NotImplemented
        if other.moved != self.moved:
            raise ValueError(f"`other` must have its values moved by {self.moved:g}; got {other.moved:g}.")
        both = CoMoments.__add__(self, other)
        return Distribution(both.n, both.mean, both.m2, both.names, self.histogram + other.histogram, self.moved)


@dataclass(frozen=True, slots=True, eq=False)
class ThirdMoments(CoMoments):
    """Co-moments that show how skewed the first variables are, and how many units have a first one other than zero.

    `m3`, of shape (k, k, k), holds the sums of products of three deviations of the first k variables; None is unknown,
    as where cubes overflow. `+` pools them too (Pebay 2008, SAND2008-6212, sec. 2 and 3).
    """

    m3: Float64Array | None
    nonzero: int

    @classmethod
    def of(cls, moments: CoMoments, m3: Float64Array | None, nonzero: int) -> Self:
        """The co-moments with what they lack."""
        return cls(moments.n, moments.mean, moments.m2, moments.names, m3, nonzero)

    def __add__(self, other: CoMoments) -> CoMoments:
        if not isinstance(other, ThirdMoments):
            return NotImplemented
        both, nonzero = CoMoments.__add__(self, other), self.nonzero + other.nonzero
        if self.m3 is None or other.m3 is None:
            return ThirdMoments.of(both, None, nonzero)
        k = len(self.m3)
        share = int(other.n) / max(int(both.n), 1)
        with np.errstate(over="ignore", invalid="ignore"):
            distance = (other.mean - self.mean)[:k]
            between = int(self.n) * share * (1 - 2 * share) * np.einsum("i,j,k->ijk", distance, distance, distance)
            within = np.multiply.outer((1 - share) * other.m2[:k, :k] - share * self.m2[:k, :k], distance)
            m3 = self.m3 + other.m3 + between + within + within.transpose(0, 2, 1) + within.transpose(2, 0, 1)
        return ThirdMoments.of(both, m3 if np.all(np.isfinite(m3)) else None, nonzero)


@dataclass(frozen=True, slots=True)
class Group:
    """The units of one variant, within one combination of segments.

    With pairs, the units that have the control too; a treatment's co-moments are of (control's, treatment's) value.
    """

    variant: str
    segments: tuple[str, ...]
    units: int
    moments: dict[str, CoMoments]


@dataclass(frozen=True, slots=True)
class Capping:
    """Where a variable was capped, and how many units that changed."""

    metric: str
    column: str
    threshold: float
    units: int


@dataclass(frozen=True, slots=True)
class Audit:
    """What the log held and what was left out of it; every number is a count of rows or of units."""

    rows: int
    rows_without_unit: int = 0
    rows_without_variant: int = 0
    rows_without_key: int = 0
    rows_not_exposed: int = 0
    rows_duplicated: int = 0
    rows_contradictory: int = 0
    units: int = 0
    units_in_several_variants: int = 0
    units_in_unknown_variants: int = 0
    missing: dict[str, int] = field(default_factory=dict)
    rows_without_time: int = 0
    rows_with_side_effects: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Contrast:
    """A treatment against the control, over the decisions of a policy.

    `moments` are those of the bandits' contrasts, of outcomes less `center`, in units of `unit`. `n_control` and
    `n_treatment` are how often each was chosen. `events` is how many outcomes of the variant chosen less often are not
    zero, or where there are two values only, of the rarer kind; `expected` how many, were they alike in both.
    `skewness` is that of the difference.
    """

    moments: CoMoments
    center: float
    unit: float
    n_control: int
    n_treatment: int
    events: int
    expected: float
    skewness: float


@dataclass(frozen=True, slots=True)
class Choices:
    """How often a variant was chosen, against how often the propensities say.

    `excess` are sums over decisions of (1 if chosen, else 0) - propensity, of all as they are and weighted by 2 x
    propensity - 1; `variance` are theirs, if the propensities are right. `inverse` is the mean of 1 / propensity where
    it was chosen and 0 elsewhere, and `without_chance` counts decisions at which it, or the control, had none.
    """

    excess: tuple[float, float]
    variance: tuple[float, float]
    inverse: float
    without_chance: int


@dataclass(frozen=True, slots=True, eq=False)
class Decided:
    """What the decisions of a policy say: contrasts by metric and treatment, and by variant how it was chosen.

    A text in place of a contrast says why there is none. `gaps` are by metric how many decisions have no value, and the
    p-value of that having nothing to do with the variant. `impossible`
    counts decisions by what is wrong with their propensities; they are left out. `repeated` counts those that may be
    copies of another.
    """

    contrasts: dict[tuple[str, str], Contrast | str]
    gaps: dict[str, tuple[int, float]]
    choices: dict[str, Choices]
    decisions: int
    impossible: dict[str, int]
    repeated: int = 0


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when rows were logged, in UTC."""

    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class StageLog:
    """The units of each variant in one stage of a ramp, and when its first row was logged."""

    units: dict[str, int]
    first: datetime | None = None


@dataclass(frozen=True, slots=True)
class StagesSeen:
    """What the stages of a log hold, and what was left out of them; counts are of rows.

    `rows` and `first`, the time of the first one, are by stage, before anything is left out. A unit belongs to the
    first stage that it was seen in: `later` rows are of other stages. `without_stage` have none of the plan's.
    """

    rows: dict[int, int]
    first: dict[int, datetime]
    later: int = 0
    without_stage: int = 0
    warming_up: int = 0


@dataclass(frozen=True, slots=True)
class LogStatistics:
    """What comes back from a log: groups, the audit, caps, and with pairs how many units lack a variant.

    `decided` is there where a policy chose the variants; groups then hold no moments. `span` is there where the request
    names a column of times that are times. `stages` is there where the request has a ramp; with its column the last
    segment of each group is the number of the stage. `notes` are sentences on how the log was read. `given` says that
    another system added it up, so that nothing is known of rows.
    """

    groups: tuple[Group, ...]
    audit: Audit
    cappings: tuple[Capping, ...] = ()
    unpaired: int | None = None
    decided: Decided | None = None
    span: Span | None = None
    stages: StagesSeen | None = None
    notes: tuple[str, ...] = ()
    given: bool = False


@dataclass(frozen=True, slots=True)
class Late:
    """What the looks did not use, or used with reserve; every number is a count of rows or of units.

    Of rows: without a time, logged when the unit's window was closed, at or after the last look. Of units: those whose
    window is still open at the last look; and those in the last look whose window ends after the last row, which
    are complete only if the log holds all of its last period.
    """

    rows_without_time: int = 0
    rows_after_window: int = 0
    rows_after_last_look: int = 0
    units_incomplete: int = 0
    units_ending_after_last_row: int = 0


@dataclass(frozen=True, slots=True)
class TimedStatistics:
    """The statistics of a log at several looks, each of all that came before it.

    With a `window`, a look holds the units whose window had ended, each with the rows of its window: looks are sums of
    the same statistics. Without one (None), it holds all units seen so far with all of their rows so far: later looks
    see longer exposure, which is another estimand at every look. `every` and `window` are in seconds where the times
    are times, else in the numbers of the column; of Checkpoints `every` is None, and looks are what they are.
    """

    looks: tuple[datetime | float, ...]
    statistics: tuple[LogStatistics, ...]
    late: Late
    every: float | None
    window: float | None


@dataclass(frozen=True, slots=True)
class DailyStatistics:
    """The statistics of each day since a unit's first row, over the units that are followed for all days.

    A day is as long as `every`, and there are `window` / `every` of them; both as in `TimedStatistics`.
    """

    statistics: tuple[LogStatistics, ...]
    every: float
    window: float


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """What units were like before an experiment, all of them pooled: the statistics of each metric by its name.

    With times, one entry for the end of each period, of all units seen so far with all of their rows so far, as an
    experiment of that length measures them; `every` is how many days a period has, or numbers of the column. Without,
    one entry, and `every` is None. A metric that has no statistics through time is in the last entry only.
    """

    units: tuple[int, ...]
    statistics: tuple[dict[str, CoMoments], ...]
    every: float | None
    notes: tuple[str, ...] = ()
