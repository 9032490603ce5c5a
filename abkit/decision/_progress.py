"""Where a release stands in time and in its ramp: what a promotion must still wait for, and what runs out."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator
from dataclasses import dataclass

from abkit import _times
from abkit._checks import Check
from abkit.decision._decision import Reason, StageStatus
from abkit.decision._state import State
from abkit.errors import PlanError
from abkit.report import Report
from abkit.sequential import FixedHorizon
from abkit.strategies import Ramped, Stage

#: How far clocks of servers differ.
SKEW = dt.timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Progress:
    """A release at one look."""

    number: int
    stage: Stage | None
    count: int
    unmet: tuple[Reason, ...]
    expired: bool
    checks: tuple[Check, ...]
    started: dt.datetime | None
    stage_started: dt.datetime | None
    now: dt.datetime | None
    next_look: str | None
    deadline: str | None

    @property
    def last(self) -> bool:
        """Whether there is no later stage."""
        return self.number >= self.count

    @property
    def unharmed(self) -> bool:
        """Whether this stage may be left upwards as soon as nothing is shown to be worse."""
        return self.stage is not None and not self.last and self.stage.advance == "no-harm"


def progress_of(report: Report, state: State | None, now: dt.datetime | None) -> Progress:
    """Where the release stands; `now` is by default the time of the log's last row."""
    plan, held, span = report.experiment, state or State(), report.statistics.span
    timing, strategy = plan.timing, plan.strategy
    stages = strategy.stages if isinstance(strategy, Ramped) else ()
    number = state.stage if state else max(report.stages, default=1)
    if number > max(len(stages), 1):
        raise PlanError(f"`state.stage` must be one of the plan's {max(len(stages), 1)} stages; got {number}.")
    at = now or (span.last if span else None)
    started = _first(timing.start, held.started, span.first if span else None)
    in_log = report.stages[number].first if number in report.stages else None
    since = _first(held.stage_started, in_log, started if number == 1 else at)
    stage = stages[number - 1] if stages else None
    reasons = (*_short_of_time(plan.timing.min_time, started, at, "the release"), *_few(report, timing.min_units, None))
    if stage is not None:
        reasons += tuple(_short_of_time(stage.min_time, since, at, f"stage {number}"))
        # a stage of which the log holds nothing has shown nothing, whatever the stages before it did
        in_stage = _units_of(report, number, held)
        reasons += tuple(_few(report, max(stage.min_units, 1), in_stage, f" of stage {number}", stage.split))
    deadline = _after("timing.deadline", timing.deadline, started, at)
    return Progress(
        number,
        stage,
        max(len(stages), 1),
        reasons,
        bool(deadline and at and at >= deadline),
        tuple(_checks(report, held, now, number)),
        started,
        since,
        at,
        _next_look(report, started, since, stage, at),
        None if deadline is None else _times.moment_text("deadline", deadline),
    )


def status_of_stage(report: Report, progress: Progress, verdict: str) -> StageStatus:
    """The stage, and the treatment's share of the traffic that the verdict leads to."""
    strategy = report.experiment.strategy
    stages = strategy.stages if isinstance(strategy, Ramped) else ()
    if report.experiment.design == "paired":  # no user meets a shadow, and a promotion is one to a canary
        return StageStatus(progress.number, progress.count, 0.0, None if verdict == "promote" else 0.0)
    weight = progress.stage.weight if progress.stage else _planned(report)
    after = stages[progress.number].weight if not progress.last else 100.0
    following = {"promote": after, "continue": weight, "rollback": 0.0}[verdict]
    return StageStatus(progress.number, progress.count, weight, following)


def next_state(report: Report, progress: Progress, state: State | None, verdict: str) -> State:
    """What the next look must know."""
    looks, units = (state or State()).looks, sum(report.units.values())
    looks = looks if looks and looks[-1] == units else (*looks, units)
    started, since, now = (
        None if moment is None else _times.moment_text("state", moment)
        for moment in (progress.started, progress.stage_started, progress.now)
    )
    if verdict == "promote" and not progress.last:
        return State(progress.number + 1, started, now, looks, None if report.stages else dict(report.units))
    return State(progress.number, started, since, looks, state.stage_units if state else None)


def _planned(report: Report) -> float | None:
    weights = report.experiment.allocation
    if weights is None or report.experiment.design in ("before-after", "paired"):
        return None
    treated = sum(weight for variant, weight in weights.items() if variant != report.experiment.control)
    return 100 * treated / (treated + weights[report.experiment.control])


def _first(*moments: object) -> dt.datetime | None:
    return next((_times.moment("state", moment) for moment in moments if moment is not None), None)


def _after(name: str, length: str | None, start: dt.datetime | None, now: dt.datetime | None) -> dt.datetime | None:
    if length is None:
        return None
    if start is None or now is None:
        raise PlanError(f"`{name}` must come with `time`, the log's column of times; or with `timing.start` and `now`.")
    return start + _times.duration(name, length)


def _short_of_time(
    length: str | None, start: dt.datetime | None, now: dt.datetime | None, what: str
) -> Iterator[Reason]:
    if length is None:
        return
    if start is None or now is None:
        raise PlanError(
            f"`min_time` of {what} must come with `time`, the log's column of times; or with `now`, and the start in "
            "`timing.start` or in `state`."
        )
    if now < start + _times.duration("min_time", length):
        until = _times.moment_text("min_time", start + _times.duration("min_time", length))
        yield Reason("TOO_EARLY", f"{what} must run for {length}: until {until}")


def _few(
    report: Report, least: int, units: dict[str, int] | None, where: str = "", split: tuple[float, float] = (1, 1)
) -> Iterator[Reason]:
    asked = report.variants if split[0] else report.variants[1:]  # at 100% there is no control
    seen = report.units if units is None else {variant: units.get(variant, 0) for variant in asked}
    few = {variant: n for variant, n in seen.items() if n < least}
    if few:
        listed = ", ".join(f"{variant} has {n:,}" for variant, n in few.items())
        yield Reason("TOO_FEW_UNITS", f"each variant{where} must have {least:,} units; {listed}")


def _units_of(report: Report, number: int, state: State) -> dict[str, int]:
    """The units of a stage: as the log says, else those that came since it began."""
    if report.stages:
        return report.stages[number].units if number in report.stages else {}
    begun = state.stage_units or {}
    return {variant: max(0, n - begun.get(variant, 0)) for variant, n in report.units.items()}


def _checks(report: Report, state: State, now: dt.datetime | None, number: int) -> Iterator[Check]:
    plan, span, units = report.experiment, report.statistics.span, sum(report.units.values())
    if plan.timing.stale is not None or (now and span and span.last > now + SKEW):
        yield _fresh(plan.timing.stale, span.last if span else None, now)
    one_look = isinstance(plan.monitor, FixedHorizon) and plan.design != "staggered"  # whose batches share its alpha
    if one_look and any(seen != units for seen in state.looks):
        looks = len({*state.looks, units})
        yield Check("looks", "fail", f"this is look {looks}, and a fixed horizon has one: its error rates hold no more")
    if report.stages and max(report.stages) > number:
        yield Check("stage", "fail", f"the log holds rows of stage {max(report.stages)}; the state says {number}")


def _fresh(stale: str | None, last: dt.datetime | None, now: dt.datetime | None) -> Check:
    if last is None or now is None:
        return Check("clock", "unknown", "whether the log is up to date needs `time`, its column of times, and `now`")
    if last > now + SKEW:
        return Check("clock", "fail", f"the log's last row, of {_times.moment_text('last', last)}, is in the future")
    old = stale is not None and now - last > _times.duration("timing.stale", stale)
    message = f"the log's last row is of {_times.moment_text('last', last)}, which may be {stale} ago"
    return Check("clock", "fail" if old else "pass", message)


def _next_look(
    report: Report, started: dt.datetime | None, since: dt.datetime | None, stage: Stage | None, now: dt.datetime | None
) -> str | None:
    """The next of the planned times, and not before what must be waited for."""
    timing = report.experiment.timing
    if started is None or now is None:
        return None
    waits = [
        start + _times.duration("min_time", length)
        for start, length in ((started, timing.min_time), (since, stage.min_time if stage else None))
        if start and length
    ]
    if timing.every:
        every = _times.duration("timing.every", timing.every)
        waits.append(started + every * (math.floor((now - started) / every) + 1))
    later = [moment for moment in waits if moment > now]
    return _times.moment_text("next look", max(later)) if later else None
