"""Canary: the preset of its plan, and what it can and cannot conclude."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from abkit import _times
from abkit.sequential import AnytimeValid, GroupSequential
from abkit.strategies._strategy import Ramped, Words

if TYPE_CHECKING:
    from abkit.experiment import Experiment


@dataclass(frozen=True, kw_only=True)
class Canary(Ramped):
    """A small share of the traffic goes to the new release, and more of it stage by stage.

    Answers: is the canary harming anybody, so that it must go back; or is it shown not to, so that it may have more?

    Parameters
    ----------
    stages : list of Stage, or of weights
        Percent of the traffic that the canary has in each, rising; a `Stage` also says how long it lasts at least, what
        leaving it takes, and the percent of a baseline of the canary's own size and age. None is one stage, at the
        plan's allocation.
    stage : str, optional
        The column with the number of the stage, from 1, in which a row was logged; "stage" where the split between
        control and canary changes from stage to stage. Where it does not, no column is needed.
    warm_up : str or timedelta, optional
        For how long after a stage's first row the rows of both variants do not count, while caches fill: "10m". The
        plan's `time` must be given.

    Notes
    -----
    Raw means over stages are biased as soon as split and level both change [1]_: most of the control was seen in early
    stages, most of the canary in late ones. Here each stage is compared within itself, and stages count by n_c n_t /
    (n_c + n_t), what they know of a difference, whatever came out. Means, ratios, rates and trends are standardised by
    these weights, and then tested as ever; proportions have one exact e-process over all stages [2]_; of quantiles the
    stages' deviates are combined. A unit belongs to the stage of its first row, so that users who move to the canary as
    its share rises are in one variant; their later rows are left out and counted. The monitor's clock counts what units
    tell, p (1 - p) for a share p: 25 units at 1% are as one at 50%.

    The sample ratio is checked within each stage, against the stage's split, at any time; the stages share the level.

    What it cannot conclude: what happens at full load, from stages at low load; errors that meet fewer than 3 in n of
    the canary's n requests, since none of them may have occurred yet (the rule of three [3]_, which the decision's
    notes work out); how much of a difference is the instance's and not the release's, where the canary is one instance:
    give it a baseline of the same age, and units that chance assigns.

    References
    ----------
    .. [1] Crook, Frasca, Kohavi and Longbotham 2009, KDD, sec. 4: Seven Pitfalls to Avoid when Running Controlled
       Experiments on the Web.
    .. [2] Lindon, Ham, Tingley and Bojinov 2022, arXiv 2205.14762; Turner, Ly and Grunwald 2024, Statistics and
       Probability Letters 210, 110118.
    .. [3] Hanley and Lippman-Hand 1983, JAMA 249(13), 1743-1745.

    Examples
    --------
    >>> import abkit as ab
    >>> plan = ab.Experiment(
    ...     unit="request", variant="release", control="stable", strategy=ab.Canary(stages=[1, 5, 25, 50]),
    ...     metrics={"errors": ab.Proportion("failed", role="guardrail", direction="decrease", margin=0.002)},
    ... )
    >>> plan.strategy.stage, plan.monitor.kind
    ('stage', 'anytime-valid')
    """

    kind: ClassVar[str] = "canary"
    design: ClassVar = "concurrent"
    words: ClassVar[Words] = Words(
        title="Canary",
        traffic="a small share first, raised in stages",
        downtime="none",
        rollback="seconds: the share goes back to zero",
        cost="a few more instances while it lasts",
        concludes="harm beyond the margins, early; and that there is none, at any time that one looks",
        cannot=(
            "effects at full load from stages at low load; errors rarer than about 3 in the requests of the "
            "canary; an instance's own faults, where the canary is one instance"
        ),
        choose="harm must be found on few users, and requests are many",
    )

    warm_up: str | None = None

    def _check_more(self) -> None:
        if self.stage is None and not self.steady:
            object.__setattr__(self, "stage", "stage")
        if self.warm_up is not None:
            object.__setattr__(self, "warm_up", _times.duration_text("strategy.warm_up", self.warm_up))

    def preset(self) -> Mapping[str, Any]:
        """Looks at any time."""
        return {"monitor": AnytimeValid()}

    def check_plan(self, plan: Experiment) -> None:
        """Refuse a plan whose stages cannot be compared one by one."""
        if plan.design != "concurrent":
            raise ValueError("`assignment` must be randomised in a canary; for a policy there is `Bandit()`.")
        if self.warm_up is not None and plan.time is None:
            raise ValueError("`time` must name the column of times where the strategy has a `warm_up`.")
        if self.stage is None:
            return
        if any(metric.pairs for metric in plan.metrics.values()):
            raise ValueError("`metrics` must not be paired in a ramp: a unit has one variant. Use `Shadow()`.")
        if isinstance(plan.monitor, GroupSequential):
            raise ValueError(
                "`monitor` must be AnytimeValid() or FixedHorizon() in a ramp by stages: a schedule counts units, and "
                "those of a stage at 1% tell less than those of one at 50%."
            )
        if self.stage in (plan.unit, plan.variant, *plan.segments):
            raise ValueError(f"`strategy.stage` must be a column of its own; got {self.stage!r}.")
