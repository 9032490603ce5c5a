"""Rolling: the preset of its plan, and what it can and cannot conclude."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from abkit import _check, _times
from abkit.sequential import FixedHorizon
from abkit.strategies._strategy import Ramped, Stage, Words
from abkit.types import ROWS, Guarantee

if TYPE_CHECKING:
    from abkit.experiment import Experiment

#: What a rolling update measures of an instance in a bucket.
METRICS = ("mean", "proportion", "count", "rate", "ratio")


@dataclass(frozen=True, kw_only=True)
class Rolling(Ramped):
    """Rolling: instances are updated in batches, and compared with those not yet updated at the same time.

    The plan's `unit` is the column of the instance, `variant` that of the version that the row came from, and `time` is
    needed. When each instance was updated follows from the log.

    Parameters
    ----------
    bucket : str, timedelta or number
        How long a bucket of time is: "5m"; in the column's own unit where it holds numbers.
    batches : int
        After how many batches the evidence is looked at: the chance of a false rollback is shared by all looks. Equal
        batches, each but the last left as soon as nothing is shown to be worse, unless `stages` says otherwise.
    stages : list of Stage, or of weights
        Percent of the instances that are updated after each batch.
    order : {"operator", "random"}
        How the order of the instances was chosen. Only of a random order do the error rates follow from the design;
        else the result is observational.
    settle : int
        Buckets from its update on in which an instance does not count, since it restarts: at least 1.
    watch : int
        Buckets after a batch has settled until it is looked at: at least 1.
    """

    bucket: str | float = "5m"
    batches: int = 0
    order: Literal["operator", "random"] = "operator"
    settle: int = 1
    watch: int = 3
    kind: ClassVar[str] = "rolling"
    design: ClassVar = "staggered"
    words: ClassVar[Words] = Words(
        title="Rolling",
        traffic="instance by instance",
        downtime="none, if capacity suffices",
        rollback="minutes: the updated instances go back one by one",
        cost="none beyond the usual instances",
        concludes="whether instances change when they are updated, beside those that are not yet",
        cannot=(
            "small effects with few instances: the smallest p is one over the number of possible orders; causes, "
            "where the operator chose the order and not chance; effects on users who meet both releases"
        ),
        choose="there are a dozen instances or more, and no second environment",
    )

    def _check(self) -> None:
        given: object = self.stages
        if isinstance(given, Iterable) and not isinstance(given, (str, Mapping)):
            object.__setattr__(self, "stages", _careful(tuple(given)))
        super()._check()

    def _check_more(self) -> None:
        if self.stage is not None:
            raise ValueError("`stage` must not be given for rolling: the batch follows from the log.")
        object.__setattr__(self, "batches", _check.count("batches", self.batches))
        if self.stages and self.batches not in (0, len(self.stages)):
            raise ValueError(f"`batches` must be as many as the stages, {len(self.stages)}; got {self.batches}.")
        if not self.stages:
            count = self.batches or 5
            object.__setattr__(self, "stages", _careful(tuple(100 * (k + 1) / count for k in range(count))))
        object.__setattr__(self, "batches", len(self.stages))
        if isinstance(self.bucket, (int, float)) and not isinstance(self.bucket, bool):
            object.__setattr__(self, "bucket", _check.within("bucket", self.bucket, 0, float("inf")))
        else:
            object.__setattr__(self, "bucket", _times.duration_text("bucket", self.bucket))
        _check.choice("order", self.order, ("operator", "random"))
        for name in ("settle", "watch"):
            object.__setattr__(self, name, _check.count(name, getattr(self, name), 1))

    def preset(self) -> Mapping[str, Any]:
        """One look's tests, whose alpha the batches share."""
        return {"monitor": FixedHorizon()}

    @property
    def observational(self) -> bool:
        """Whether the operator chose the order."""
        return self.order == "operator"

    @property
    def guarantee(self) -> Guarantee:
        """One look after each batch."""
        return "at scheduled looks"

    def check_plan(self, plan: Experiment) -> None:
        """Instances over time, and metrics that have a value in each bucket."""
        if plan.time is None:
            raise ValueError("`time` must be given for rolling: the column that says when a row was logged.")
        if plan.unit == ROWS:
            raise ValueError("`unit` must be the column of the instance for rolling; got ROWS.")
        if not isinstance(plan.monitor, FixedHorizon):
            raise ValueError(
                f"`monitor` must be fixed-horizon for rolling, whose batches share its alpha; got {plan.monitor.kind}."
            )
        if plan.assignment == "adaptive" or plan.segments:
            name = "segments" if plan.segments else "assignment"
            raise ValueError(f"`{name}` must be left out for rolling: what is updated is whole instances.")
        for name, metric in plan.metrics.items():
            if metric.kind not in METRICS:
                raise ValueError(
                    f"`metrics.{name}` must be one of {', '.join(METRICS)} for rolling; got {metric.kind}."
                )
            for field in ("covariates", "cap", "denominator_cap"):
                if getattr(metric, field, None):
                    raise ValueError(
                        f"`metrics.{name}.{field}` must be left out for rolling: an instance's own past "
                        "takes its place."
                    )


def _careful(stages: tuple[Any, ...]) -> tuple[Any, ...]:
    """Bare weights as stages that are left as soon as nothing is shown to be worse; the last takes evidence."""
    last = len(stages) - 1
    return tuple(
        stage if isinstance(stage, Stage) else Stage(stage, min_units=1, advance="evidence" if k == last else "no-harm")
        for k, stage in enumerate(stages)
    )
