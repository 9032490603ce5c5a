"""The plan of an experiment: what is measured, when it is looked at, and what must hold."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from abkit import _check
from abkit._fields import (
    check_beliefs,
    check_given,
    check_kinds,
    check_pairs,
    check_rule,
    check_stages,
    check_words,
    checked_allocation,
)
from abkit.errors import PlanError
from abkit.logs import Decisions, Request, label_name
from abkit.metrics import Metric, checked_metrics, checked_propensity
from abkit.rule import Rule, Timing
from abkit.sequential import Bayesian, Look, Monitor
from abkit.source import Source
from abkit.strategies import OBSERVATIONAL, ABTest, Design, Ramped, Strategy
from abkit.types import ROWS, Adjust, Assignment, Guarantee, Missing
from abkit.types import Quality as Quality  # noqa: PLC0414 - it is part of a plan

if TYPE_CHECKING:
    import os

    from abkit.exposure import ExposureDays
    from abkit.planning import Planning
    from abkit.report import Report
    from abkit.trajectory import Trajectory


@dataclass(frozen=True)
class Experiment:
    """A plan: made before the data are seen, digested, and the same in Python and in a file.

    Parameters
    ----------
    unit : str
        The column of the randomised unit. Several rows of a unit are added up. `ROWS`: each row is a unit.
    variant : str
        The column that says which variant a unit was given.
    control : str, int or bool
        The variant that the others are compared with.
    metrics : mapping of name to Metric
        What is measured, and what is asked of it.
    monitor : Monitor
        When the evidence is looked at.
    allocation : mapping of variant to weight, optional
        The variants and their intended shares. By default equal shares of the variants that the log holds.
        Named, other variants are left out and counted, absent ones are noticed, and the log is read once less.
    segments : list of str
        Columns whose values, one per unit, also get results of their own.
    exposure : str, optional
        A column of booleans (or 0 and 1); rows where it is not true are left out and counted.
    key : list of str
        Columns that identify a row; further rows with the same key are duplicates, left out and counted.
    missing : {"error", "drop", "zero"}
        What null outcomes mean, for metrics that do not say it themselves.
    adjust : {"holm", "none"}
        How alpha is shared among success metrics and treatments. By default holm, but none where the monitor is
        `Bayesian`: a posterior says what it says of each effect, whatever else was looked at.
    quality : Quality
        When the data count as broken, which blocks a promotion.
    assignment : {"randomised", "adaptive"}
        adaptive: a policy (a bandit) chose each variant, with probabilities that followed the data so far. Each row of
        the log is then one decision, and `unit` may be `ROWS`.
    propensity : str, or mapping of variant to str; adaptive plans only
        The column with the probability that the policy gave the chosen variant, where there are two; else one column
        a variant.
    order : str; adaptive plans only
        The column that says when each decision was made: times, dates or numbers.
    strategy : Strategy
        How the release reaches its users: `Shadow`, `ABTest` (the default), `Canary`, `BlueGreen`, `Bandit`,
        `FeatureFlag`, `Rolling` or `Recreate`. It says the monitor and other fields that the plan leaves out.
    time : str, optional
        The column that says when a row was logged.
    timing : Timing
        When a verdict may come, and what happens if none does.
    rule : Rule
        What a promotion takes, how false rollbacks are bounded, and what verdicts cost.
    log : Source, optional
        Where the log lies.

    Raises
    ------
    ValueError, TypeError
        A field outside its domain; the message names it. From a file or dict, a `PlanError`.

    Examples
    --------
    >>> import abkit as ab
    >>> experiment = ab.Experiment(
    ...     unit="user", variant="variant", control="control",
    ...     metrics={"revenue": ab.Mean("revenue"), "crashes": ab.Mean(
    ...         "crashes", role="guardrail", direction="decrease", margin=ab.relative(0.05))},
    ... )
    >>> ab.Experiment.from_dict(experiment.to_dict()) == experiment
    True
    """

    unit: str = ""
    variant: str = ""
    control: str = ""
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    monitor: Monitor = None  # type: ignore[assignment]  # until the strategy has said it
    allocation: Mapping[str, float] | None = None
    segments: str | Sequence[str] = ()
    exposure: str | None = None
    key: str | Sequence[str] = ()
    missing: Missing = "error"
    adjust: Adjust = None  # type: ignore[assignment]  # likewise
    quality: Quality = field(default_factory=Quality)
    assignment: Assignment = None  # type: ignore[assignment]  # likewise
    propensity: str | Mapping[str, str] | None = None
    order: str | None = None
    strategy: Strategy = field(default_factory=ABTest)
    time: str | None = None
    timing: Timing = field(default_factory=Timing)
    rule: Rule = field(default_factory=Rule)
    log: Source | None = None

    #: Where the plan's file lies, to which the paths of its `log` are relative; no part of the plan.
    folder: ClassVar[Path] = Path()

    def __post_init__(self) -> None:
        check_kinds(self)
        for name, value in {"assignment": "randomised", **self.strategy.preset()}.items():
            given = getattr(self, name)
            if isinstance(given, Rule):
                object.__setattr__(self, name, given.filled(value))
            elif given in (None, ""):
                object.__setattr__(self, name, value)
        adjust: object = self.adjust
        if adjust is None:
            object.__setattr__(self, "adjust", "none" if isinstance(self.monitor, Bayesian) else "holm")
        check_given(self)
        check_words(self)
        values = {
            "control": _check.text("control", label_name(self.control)),
            "metrics": checked_metrics(self.metrics),
            "segments": _check.names("segments", self.segments),
            "key": _check.names("key", self.key),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)
        for name in ("variant", "exposure", "segments", "key"):
            if ROWS in (getattr(self, name), *values.get(name, ())):
                raise ValueError(f"`{name}` must name a column; {ROWS} stands for the rows themselves.")
        object.__setattr__(self, "allocation", checked_allocation(self.allocation, self.control))
        object.__setattr__(self, "propensity", checked_propensity(self))
        check_pairs(self.metrics, self.unit, self.strategy.sides())
        self._check_release()

    def _check_release(self) -> None:
        check_rule(self.rule, self.metrics)
        check_stages(self, self.strategy)
        check_beliefs(self)
        self.strategy.check_plan(self)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Experiment:
        """Read a plan from a YAML or JSON file; a `PlanError` says in one sentence what is wrong with it."""
        from abkit.adapters._plan_file import read_mapping

        experiment = cls.from_dict(read_mapping(path))
        object.__setattr__(experiment, "folder", Path(path).parent)
        return experiment

    @classmethod
    def from_dict(cls, data: object) -> Experiment:
        """Read what `to_dict` wrote; a `PlanError` says in one sentence what is wrong with it."""
        from abkit._plan import read_plan

        return read_plan(data)

    def to_dict(self) -> dict[str, Any]:
        """The plan as plain values, every field named; the content of a plan file."""
        from abkit._plan import write_plan

        return write_plan(self)

    def __reduce__(self) -> tuple[Any, tuple[dict[str, Any]]]:
        return Experiment.from_dict, (self.to_dict(),)

    @cached_property
    def sha256(self) -> str:
        """Digest of the plan; the order of its fields and metrics does not matter."""
        text = json.dumps(self.to_dict(), sort_keys=True, allow_nan=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def request(self) -> Request:
        """What this plan asks of a log."""
        return self._request

    @cached_property
    def _request(self) -> Request:
        return Request(
            self.unit,
            self.variant,
            self.control,
            tuple(metric.block(name, self.missing) for name, metric in self.metrics.items()),
            self._labels(),
            _check.names("segments", self.segments),
            self.exposure,
            _check.names("key", self.key),
            any(metric.pairs for metric in self.metrics.values()),
            None if self.propensity is None or self.order is None else Decisions(self.propensity, self.order),
            self.time,
            self.strategy.sides(),
        )

    def _labels(self) -> tuple[str, ...] | None:
        """The variants that the plan names."""
        named = self.propensity if isinstance(self.propensity, Mapping) else self.allocation
        return None if named is None else tuple(named)

    @property
    def design(self) -> Design:
        """How the log came about, which decides how it is analyzed."""
        return "adaptive" if self.assignment == "adaptive" else self.strategy.design

    @property
    def guarantee(self) -> Guarantee:
        """When the stated error rates hold."""
        return OBSERVATIONAL if self.strategy.observational else self.strategy.guarantee or self.monitor.guarantee

    def monitor_of(self, metric: Metric) -> Monitor:
        """How this metric is looked at: what must not get worse is judged by the data alone, without a prior."""
        monitor = self.monitor
        if isinstance(monitor, Bayesian) and monitor.prior is not None and metric.role != "success":
            return replace(monitor, prior=None, prior_scale="difference")
        return monitor

    def require_randomised(self, what: str) -> None:
        """Refuse a plan whose variants chance did not draw; the message says what was asked."""
        if self.strategy.observational or self.design in ("events", "staggered", "paired"):
            raise PlanError(
                f"{what} must have a plan whose units chance gave their variant; a {self.strategy.kind} has `analyze` "
                "and `decide`."
            )
        if self.assignment == "adaptive":
            raise PlanError(
                f"{what} must have a plan with `assignment` randomised; of an adaptive one there are `analyze` and "
                "`decide`, on the log so far."
            )

    def _require_one_stage(self, what: str) -> None:
        """Refuse stages too: what adds their rows up is biased."""
        self.require_randomised(what)
        if isinstance(self.strategy, Ramped) and self.strategy.stage is not None:
            raise PlanError(
                f"{what} must have a plan without a column of stages, whose rows cannot be added up; of one with it "
                "there are `analyze` and `decide`, on the log so far."
            )

    def analyze(self, log: object = None, *, look: int | Look | None = None) -> Report:
        """Estimate every metric, check the data, and report.

        Parameters
        ----------
        log : table or path
            pandas, Polars (eager or lazy), PyArrow, DuckDB relation, Ibis table, PySpark or Dask frame; or the
            path of a Parquet or CSV file, or a pattern for several; or a `Source`; or `Checkpoints`; or statistics, as
            a dict of variants to metrics to `Moments`, `Counts`, `CoMoments` or `Histogram`. By default the plan's own.
        look : int or Look, optional
            Which look at the experiment this is, from 1: needed where the monitor has a schedule and does not say how
            many units are planned. A `Look` names the units seen at the earlier ones too.

        Returns
        -------
        Report

        Raises
        ------
        DataError
            The log cannot answer what the plan asks; the message names the column and what to do.
        PlanError
            A look that the monitor does not have.
        """
        from abkit.report import analyze_log

        return analyze_log(self, log, look)

    def trajectory(
        self, log: object, *, time: str | None = None, every: object = None, window: object = None, until: object = None
    ) -> Trajectory:
        """The report at every look of an experiment, from one grouped query however many looks there are.

        Parameters
        ----------
        log : table, path, or Checkpoints
            As for `analyze`; of `Checkpoints` every one is a look.
        time : str
            The column that says when a row was logged: times, dates, or numbers (in any unit).
        every : str, timedelta or number
            How far looks are apart: "1d", "12h", "30m", "1w"; in the column's own unit where it holds numbers.
        window : same as `every`, optional
            How long after its first row a unit's outcomes count. A unit enters at the first look at which its window
            has ended, so that every look measures the same effect on more units. Without it, totals are open-ended:
            each look has all rows so far, and as exposure grows the effect that is measured changes.
        until : time, optional
            To when the log is complete; by default its last row. Looks go on until then as long as windows are open.

        Returns
        -------
        Trajectory

        Raises
        ------
        DataError
            The log cannot answer what the plan asks.
        PlanError
            Looks that the monitor does not have.
        """
        from abkit.adapters._trajectory import read_trajectory
        from abkit.trajectory import make_trajectory

        self._require_one_stage("a trajectory")
        timed = read_trajectory(log, self.request(), time=time, every=every, window=window, until=until)
        return make_trajectory(self, timed)

    def exposure_days(
        self,
        log: object,
        *,
        time: str,
        every: object,
        window: object,
        until: object = None,
        metrics: str | Sequence[str] | None = None,
    ) -> ExposureDays:
        """The effect on each day since a unit's first row: whether it wears off, or grows.

        Parameters
        ----------
        log : table or path
            As for `analyze`.
        time : str
            The column that says when a row was logged: times, dates, or numbers (in any unit).
        every : str, timedelta or number
            How long a day is: "1d", or any other length of time, as for `trajectory`.
        window : same as `every`
            For how many days units are followed: a whole multiple of `every`. A unit counts on all of these days or,
            where its window is still open at the last look of `trajectory`, on none; a day without a row is a zero.
        until : time, optional
            To when the log is complete; by default its last row.
        metrics : str or list of str, optional
            Which; by default all. Each must be a total of a day's rows, or a ratio of two: `Mean`, `Count`, `Rate`,
            `Ratio`, `Proportion` (any row of the day), and have no cap. Covariates are not used.

        Returns
        -------
        ExposureDays
            Each day has the interval of a test for one look, at the level of the plan.

        Raises
        ------
        DataError
            The log cannot answer what the plan asks.
        PlanError
            A metric that has no value a day.
        """
        from abkit.adapters._exposure_days import read_exposure_days
        from abkit.exposure import daily_plan, make_exposure_days

        self._require_one_stage("days since exposure")
        plan = daily_plan(self, metrics)
        daily = read_exposure_days(log, plan.request(), time=time, every=every, window=window, until=until)
        return make_exposure_days(plan, daily)

    def plan(
        self,
        history: object,
        *,
        mde: object = None,
        weeks: float | None = None,
        power: float = 0.8,
        time: str | None = None,
        units_per_week: float | None = None,
        looks: int | None = None,
    ) -> Planning:
        """How many units and how long this plan needs, for each metric and for its rule as a whole.

        Parameters
        ----------
        history : table, path, mapping or Report
            A log of before, as for `analyze`, whose variants do not matter; or a summary, statistics of each metric by
            its name (`Moments`, `Counts`, `CoMoments`, or the path of a YAML file); or the report of the running plan.
        mde : float, Relative, or mapping of metric to them, optional
            The gain of each success metric that is worth detecting; by default what the metrics say.
        weeks : float, optional
            How long it may take: the answer is then the power, and the smallest effect that is detectable.
        power : float
            The chance of a promotion, where one success metric has its effect and no guardrail has any.
        time : str, optional
            A log's column of times; by default the only one that there is. It tells how fast units come.
        units_per_week : float, optional
            How fast units come, of all variants together.
        looks : int, optional
            With an anytime monitor, how often it is looked at, at equal distances; 20 by default.

        Returns
        -------
        Planning
        """
        from abkit.planning import Wish, make_planning

        if self.design != "paired":  # pairs are planned as they are, by the covariance of their sides
            self.require_randomised("planning")
        return make_planning(self, history, Wish(mde, weeks, power, time, units_per_week, looks))


def as_experiment(plan: object) -> Experiment:
    """A plan given as an Experiment, as plain values, or as the path of a file."""
    import os

    if isinstance(plan, Experiment):
        return plan
    if isinstance(plan, Mapping):
        return Experiment.from_dict(plan)
    if isinstance(plan, (str, os.PathLike)):
        return Experiment.from_file(plan)
    raise PlanError(f"`plan` must be an Experiment, a dict, or the path of a plan file; got {_check.show(plan)}.")
