"""A/A replay: what a plan decides where there is nothing to find."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from abkit import _check
from abkit._sets import Interval, binomial_interval
from abkit.decision._progress import progress_of
from abkit.decision._rule import findings, overall, verdicts
from abkit.errors import PlanError
from abkit.experiment import Experiment, as_experiment
from abkit.logs import TimedStatistics
from abkit.report import Report
from abkit.sequential import GroupSequential, Monitor
from abkit.trajectory import make_trajectory

if TYPE_CHECKING:
    from abkit.adapters._relabel import UnlabelledLog

ROUNDING = 1e-9
_Labels = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Replay:
    """How often a plan promoted, rolled back, or found its data broken, in experiments without an effect.

    `rejected` counts, per metric, the experiments in which its two-sided test of no difference has p < alpha for any
    treatment; `blocked` those in which a check of the data failed. Through time both count what happens at any look,
    and an experiment is promoted or rolled back as the first look says that does either; `promoted_by` and
    `rolled_back_by` count these by each look.
    """

    times: int
    alpha: float
    treatments: int
    promoted: int
    rolled_back: int
    blocked: int
    rejected: dict[str, int]
    promoted_by: tuple[int, ...] = ()
    rolled_back_by: tuple[int, ...] = ()

    def rate(self, count: int, level: float = 0.95) -> Interval:
        """The rate behind one of the counts: its exact binomial interval (Clopper and Pearson 1934, Biometrika 26)."""
        count, level = _check.count("count", count), _check.within("level", level, 0, 1)
        if count > self.times:
            raise ValueError(f"`count` must be at most {self.times}, the number of replays; got {count}.")
        return binomial_interval(count, self.times, level)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON: the counts, and their rates with exact 95% intervals."""
        rates: dict[str, Any] = {
            name: self._rate(getattr(self, name)) for name in ("promoted", "rolled_back", "blocked")
        }
        rates["rejected"] = {metric: self._rate(count) for metric, count in self.rejected.items()}
        return asdict(self) | {"rates": rates}

    def _rate(self, count: int) -> dict[str, float]:
        low, high = self.rate(count)
        return {"value": count / self.times, "low": low, "high": high}

    def __str__(self) -> str:
        counts = {"promoted": self.promoted, "rolled back": self.rolled_back, "blocked by a check": self.blocked}
        counts |= {f"p < {self.alpha:g} in {metric}": count for metric, count in self.rejected.items()}
        width = max(map(len, counts))
        looks = f", {len(self.promoted_by)} looks at each" if len(self.promoted_by) > 1 else ""
        lines = [f"{self.times:,} replays without an effect, {self.treatments + 1} variants each{looks}"]
        for what, count in counts.items():
            low, high = self.rate(count)
            lines.append(f"  {what:<{width}}  {count / self.times:7.2%}  [{low:.2%}, {high:.2%}]")
        return "\n".join(lines)


def aa_replay(
    plan: object,
    log: object,
    *,
    times: int = 200,
    rng: np.random.Generator,
    time: str | None = None,
    every: object = None,
    window: object = None,
) -> Replay:
    """Run a plan many times over a historical log whose units are given variants at random.

    Answers: how often would this very plan raise a false alarm, or promote nothing, on data like mine?

    Parameters
    ----------
    plan : Experiment, dict, or path of a plan file
        The plan as it would be run. Its `allocation` gives the shares; without one, they are equal.
    log : table or path
        A log with the plan's columns. A variant column may be absent; the variants that it holds are ignored, so that
        a finished experiment can be replayed. It is held in memory.
    times : int
        How many experiments, at least 1. Each costs one analysis of the log; through time, one of its sums.
    rng : numpy.random.Generator
        Draws the variants. The same generator state gives the same replays.
    time, every, window : optional
        As for `Experiment.trajectory`: with them each experiment is looked at through time, as the plan's monitor is.
        Without, once at its end. A `GroupSequential` that does not say how many units are planned has its looks at the
        first ends of periods with the planned shares of all units.

    Returns
    -------
    Replay

    Raises
    ------
    ValueError, TypeError
        `times` below 1, or `rng` that is no generator.
    DataError
        The log cannot answer what the plan asks.
    PlanError
        `every` or `window` without `time`; looks that the monitor does not have.

    Notes
    -----
    Each unit is given a variant independently, so that the null hypothesis of no effect on any unit holds by
    construction, with the real correlations, tails and gaps of the log; this is the A/A test of Kohavi, Tang and Xu
    [1]_ by re-randomisation. It says nothing of power, and nothing of faults of the real assignment, which it
    replaces. Replays of one log are not independent experiments: they tell the rates on data like these.

    References
    ----------
    .. [1] Kohavi, Tang and Xu 2020, Trustworthy Online Controlled Experiments, ch. 19.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> import abkit as ab
    >>> rng = np.random.default_rng(1)
    >>> log = pd.DataFrame({"user": range(400), "revenue": rng.exponential(10, 400)})
    >>> plan = ab.Experiment(unit="user", variant="variant", control="old", metrics={"revenue": ab.Mean("revenue")})
    >>> replay = ab.aa_replay(plan, log, times=50, rng=rng)
    >>> replay.times, replay.promoted + replay.rolled_back == replay.rejected["revenue"]
    (50, True)
    """
    from abkit.adapters._progress import progress
    from abkit.adapters._relabel import read_unlabelled

    times = _check.count("times", times, 1)
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"`rng` must be a numpy.random.Generator; got {_check.show(rng)}.")
    if time is None and not (every is None and window is None):
        raise PlanError("`time` must name the column of times where looks are `every` so long.")
    if time is not None and every is None:
        raise PlanError("`every` must say how far looks are apart where there is a `time`.")
    experiment = as_experiment(plan)
    experiment.require_randomised("a replay")
    times_of = tuple(column for column in (time, experiment.time) if column is not None)
    unlabelled = read_unlabelled(log, experiment.request(), times_of)
    allocation = experiment.allocation or dict.fromkeys(unlabelled.labels, 1.0)
    experiment = replace(experiment, allocation=allocation)
    run = _one_look(experiment, unlabelled) if time is None else _through(experiment, unlabelled, time, every, window)
    weights = np.array([allocation[label] for label in unlabelled.labels])
    with progress(f"replaying {times:,} times"):
        draws = (rng.choice(len(weights), unlabelled.units, p=weights / weights.sum()) for _ in range(times))
        return _counted(experiment, [_judged(run(labels)) for labels in draws])


@dataclass(frozen=True, slots=True)
class _Run:
    """What a plan said at each look, and whether at any of them a check failed or a metric differed."""

    verdicts: tuple[str, ...]
    blocked: bool
    rejected: frozenset[str]

    @property
    def first(self) -> tuple[str, int] | None:
        """The first verdict that ends an experiment, and how many looks before the last one it came."""
        found = next((k for k, verdict in enumerate(self.verdicts) if verdict != "continue"), None)
        return None if found is None else (self.verdicts[found], len(self.verdicts) - 1 - found)


def _judged(reports: Iterable[Report]) -> _Run:
    reports = list(reports)
    said = [_verdict(report) for report in reports]
    alpha = reports[0].experiment.monitor.total
    rows = (row for report in reports for row in report.results)
    differ = frozenset(row.metric for row in rows if row.test and row.test.pvalue < alpha)
    return _Run(tuple(verdict for verdict, _ in said), any(blocked for _, blocked in said), differ)


def _verdict(report: Report) -> tuple[str, bool]:
    """What `decide` says of a report, and whether broken data block it; without the rest of a decision."""
    judged = findings(report)
    decided, _, blocked = verdicts(report, judged, progress_of(report, None, None))
    return overall(decided, judged)[0], blocked


def _counted(experiment: Experiment, runs: list[_Run]) -> Replay:
    """Counts of runs; where the first looks lack units, a run has fewer looks, and the last ones are the same."""
    first, looks = Counter(run.first for run in runs), max(len(run.verdicts) for run in runs)
    promoted, rolled_back = (
        tuple(np.cumsum([first[verdict, looks - 1 - k] for k in range(looks)]).tolist())
        for verdict in ("promote", "rollback")
    )
    return Replay(
        len(runs),
        experiment.monitor.total,
        len(experiment.allocation or ()) - 1,
        promoted[-1],
        rolled_back[-1],
        sum(run.blocked for run in runs),
        {metric: sum(metric in run.rejected for run in runs) for metric in experiment.metrics},
        promoted,
        rolled_back,
    )


def _one_look(experiment: Experiment, log: UnlabelledLog) -> Callable[[_Labels], Iterable[Report]]:
    return lambda labels: (experiment.analyze(log.labelled(labels)),)


def _through(
    experiment: Experiment, log: UnlabelledLog, time: str, every: object, window: object
) -> Callable[[_Labels], Iterable[Report]]:
    """The reports at every look; the log is read once, except for quantiles, which are not sums over units."""
    from abkit.adapters._relabel import read_arrivals
    from abkit.adapters._trajectory import read_trajectory

    experiment = replace(experiment, segments=())  # no verdict is of a segment
    request = experiment.request()

    def anew(labels: _Labels) -> TimedStatistics:
        return read_trajectory(log.labelled(labels), request, time=time, every=every, window=window)

    quantiles = any(block.buckets for block in request.blocks)
    timed = anew if quantiles else read_arrivals(log, request, time, every, window).labelled
    return lambda labels: make_trajectory(experiment, _planned_looks(timed(labels), experiment.monitor)).reports


def _planned_looks(timed: TimedStatistics, monitor: Monitor) -> TimedStatistics:
    """All looks, or for a schedule that does not know how many units come, the first ones with its shares of them."""
    if not isinstance(monitor, GroupSequential) or monitor.units is not None:
        return timed
    units = [sum(group.units for group in statistics.groups) for statistics in timed.statistics]
    chosen = np.searchsorted(units, np.array(monitor.planned) * units[-1] * (1 - ROUNDING))
    if len(set(chosen.tolist())) < len(monitor.planned):
        raise PlanError(
            f"`every` must be shorter: of the {len(monitor.planned)} planned looks, several come at one end of a "
            "period; or `monitor.units` must say how many units are planned."
        )
    statistics = tuple(timed.statistics[k] for k in chosen)
    return replace(timed, looks=tuple(timed.looks[k] for k in chosen), statistics=statistics)
