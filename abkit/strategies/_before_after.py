"""What strategies share that replace a release for everybody at once: a series before and after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from abkit import _check, _times
from abkit.metrics import Count, Mean, Proportion, Rate, Ratio
from abkit.rule import Rule
from abkit.sequential import AnytimeValid, FixedHorizon
from abkit.strategies._strategy import Design, Strategy
from abkit.types import ROWS

if TYPE_CHECKING:
    from abkit.experiment import Experiment
    from abkit.metrics import Metric

METRICS = (Mean, Count, Proportion, Rate, Ratio)
#: The names of the two variants.
BEFORE, AFTER = "before", "after"
#: What the log is read without.
UNUSED = ("segments", "exposure", "key", "allocation", "propensity", "order")


@dataclass(frozen=True, kw_only=True)
class BeforeAfter(Strategy):
    """A strategy of which only the time before and the time after can be compared.

    Parameters
    ----------
    bucket : str or timedelta
        The length of the time buckets that are the units of the analysis: "5m". Both a row a bucket and a row a request
        will do.
    controls : list of str
        Columns of series that the release cannot touch, such as the traffic of another service. What they explain of a
        metric before the switch is taken off.
    season : str or timedelta, optional
        How long a season of the series is, a whole number of buckets: "1d". The baseline is then the same clock window
        of the earlier seasons, of which the log must hold at least two.
    """

    bucket: str = "5m"
    controls: tuple[str, ...] = ()
    season: str | None = None

    design: ClassVar[Design] = "before-after"
    #: The chance of rolling back a harmless release, unless the plan says otherwise.
    alpha_rollback: ClassVar[float]

    def _check(self) -> None:
        self._set_times("bucket", "season")
        object.__setattr__(self, "controls", _check.names("controls", self.controls))
        if self.season is not None and (not self.buckets("season").is_integer() or self.buckets("season") < 2):
            raise ValueError(
                f"`season` must be a whole number of buckets of {self.bucket}, 2 or more; got {self.season}."
            )
        self._check_more()

    def _check_more(self) -> None:
        """Check the further fields of this strategy."""

    def preset(self) -> Mapping[str, Any]:
        """Looks at any time, narrowest an hour of five-minute buckets after the switch."""
        return {
            "unit": ROWS,
            "variant": "period",
            "control": BEFORE,
            "monitor": AnytimeValid(tune_at=12),
            "rule": Rule(alpha_rollback=self.alpha_rollback),
        }

    def _set_times(self, *names: str) -> None:
        for name in names:
            if getattr(self, name) is not None:
                object.__setattr__(self, name, _times.duration_text(f"strategy.{name}", getattr(self, name)))

    @property
    def width(self) -> timedelta:
        """The length of a bucket."""
        return _times.duration("bucket", self.bucket)

    def buckets(self, name: str) -> float:
        """How many buckets a length of time among the fields is; 0 where it is not given."""
        length = getattr(self, name)
        return 0.0 if length is None else _times.duration(name, length) / self.width

    def check_plan(self, plan: Experiment) -> None:
        """Refuse what a series cannot answer."""
        if plan.time is None:
            raise ValueError(f"`time` must name the log's column of times for a {self.kind} release.")
        if not isinstance(plan.monitor, (AnytimeValid, FixedHorizon)):
            raise ValueError(
                f"`monitor` must be anytime-valid or fixed-horizon for a {self.kind}; got {plan.monitor.kind}."
            )
        if plan.control != BEFORE:
            raise ValueError(
                f"`control` must be {BEFORE!r} or left out for a {self.kind} release; got {plan.control!r}."
            )
        for name in UNUSED:
            if getattr(plan, name):
                raise ValueError(f"`{name}` must be left out for a {self.kind} release, whose units are time buckets.")
        for name, metric in plan.metrics.items():
            self._check_metric(name, metric)

    def _check_metric(self, name: str, metric: Metric) -> None:
        if type(metric) not in METRICS:
            known = ", ".join(kind.kind for kind in METRICS)
            raise ValueError(f"`metrics.{name}` must be one of {known} for a {self.kind} release; got {metric.kind}.")
        if metric.covariates:
            raise ValueError(f"`metrics.{name}.covariates` must be left out: the strategy has `controls`.")
        if getattr(metric, "cap", None) or getattr(metric, "denominator_cap", None):
            raise ValueError(f"`metrics.{name}.cap` must be left out for a {self.kind} release.")
