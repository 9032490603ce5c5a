"""Feature flag: the preset of its plan, and what it can and cannot conclude."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from abkit import _check, _times
from abkit.metrics import Quantile
from abkit.sequential import AnytimeValid
from abkit.strategies._strategy import Ramped, Words
from abkit.types import ROWS

if TYPE_CHECKING:
    from abkit.experiment import Experiment


@dataclass(frozen=True, kw_only=True)
class FeatureFlag(Ramped):
    """A flag that gives each user a variant by chance; its log is that of OpenFeature.

    The log holds the flag's evaluations and what was tracked. A unit enters at its first evaluation whose reason is
    chance, and keeps the variant that it got then. Each event of a name, such as `purchase`, from then on adds to
    the column of that name; `count(purchase)` is how many, `any(purchase)` whether there was any.

    Parameters
    ----------
    flag : str
        The key of the flag.
    flag_set : str, optional
        The set of flags that it belongs to, where the log has its key in several.
    reasons : list of str
        The reasons of evaluations that chance decided, in upper or lower case. "CACHED" belongs there only if whatever
        fills the cache is chance alone.
    tracked : list of str
        Names of events that are known to be tracked, so that a log without one of them shows that none happened.
    others : list of str, optional
        Other flags, whose variants must have nothing to do with this one's. By default the five with the most units.
    skew : str or timedelta, optional
        How far clocks may differ: events that much before exposure count as after it. By default none.
    every_segment : bool
        Whether the whole is promoted only once every guardrail is shown to be within its margin in each segment of the
        plan. Else only a segment that is shown to be harmed stands in its way.
    stages, stage
        As for every ramp. Without `stage` each version of the flag is a stage, in the order in which they began.

    Examples
    --------
    >>> import abkit as ab
    >>> plan = ab.Experiment(strategy=ab.FeatureFlag(flag="new-checkout"), control="off", segments="country",
    ...                      metrics={"revenue": ab.Mean("purchase")})
    >>> plan.unit, plan.variant
    ('feature_flag.context.id', 'feature_flag.result.variant')
    """

    kind: ClassVar[str] = "feature-flag"
    design: ClassVar = "events"
    segment_verdicts: ClassVar[bool] = True
    words: ClassVar[Words] = Words(
        title="Feature flag",
        traffic="the users for whom the flag's own split says so",
        downtime="none",
        rollback="seconds: the flag goes off",
        cost="old code stays until the flag is cleaned up",
        concludes="effects on the users whom chance assigned, as a whole and in the segments that the plan names",
        cannot="anything about users whom a targeting rule chose; effects that pass from user to user",
        choose="releases are switched per user, and segments differ",
    )
    flag: str = ""
    flag_set: str | None = None
    reasons: tuple[str, ...] = ("SPLIT",)
    tracked: tuple[str, ...] = ()
    others: tuple[str, ...] | None = None
    skew: str | None = None
    every_segment: bool = False

    def _check_more(self) -> None:
        if self.flag:
            _check.text("strategy.flag", self.flag)
        if self.flag_set is not None:
            _check.text("strategy.flag_set", self.flag_set)
        for name in ("reasons", "tracked", "others"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, _check.names(f"strategy.{name}", getattr(self, name)))
        if not self.reasons:
            raise ValueError("`strategy.reasons` must name at least one reason that is chance, such as 'SPLIT'.")
        if not isinstance(self.every_segment, bool):
            raise TypeError(f"`strategy.every_segment` must be true or false; got {_check.show(self.every_segment)}.")
        if self.skew is not None:
            object.__setattr__(self, "skew", _times.duration_text("strategy.skew", self.skew))

    def preset(self) -> Mapping[str, Any]:
        """The monitor, and the names of OpenFeature."""
        return {
            "monitor": AnytimeValid(),
            "unit": "feature_flag.context.id",
            "variant": "feature_flag.result.variant",
        }

    def check_plan(self, plan: Experiment) -> None:
        """Its metrics are totals of a unit, and the flag itself says who was exposed."""
        if not self.flag:
            raise ValueError("`strategy.flag` must be given: the key of the flag.")
        if plan.assignment == "adaptive":
            raise ValueError("`assignment` must be randomised for a feature flag; for a policy's log use a bandit.")
        if plan.exposure is not None:
            raise ValueError("`exposure` must be left out: a unit is exposed from its first evaluation by chance on.")
        if plan.unit == ROWS:
            raise ValueError(f"`unit` must name the targeting key of the log; got {ROWS}.")
        for name, metric in plan.metrics.items():
            if metric.pairs or (isinstance(metric, Quantile) and metric.per == "row"):
                hint = "a quantile needs per: unit" if isinstance(metric, Quantile) else "use a mean"
                raise ValueError(f"`metrics.{name}` must be of totals per unit under a feature flag; {hint}.")
            for variable in metric.outcomes():
                if variable.column == ROWS or variable.slope_over is not None:
                    raise ValueError(
                        f"`metrics.{name}` must name tracked events under a feature flag, such as purchase, "
                        f"count(purchase) or any(purchase); got {variable.column!r}."
                    )
