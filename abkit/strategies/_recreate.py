"""Recreate: the preset of its plan, and what it can and cannot conclude."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from abkit import _times
from abkit.strategies._before_after import BeforeAfter
from abkit.strategies._strategy import Words


@dataclass(frozen=True, kw_only=True)
class Recreate(BeforeAfter):
    """Recreate: the old release is stopped, and then the new one started.

    Parameters
    ----------
    stop, start : str or datetime, optional
        When the old release was stopped and the new one started. Both or neither: without them, the longest gap between
        two rows of the log is the outage.
    warm_up : str or timedelta, optional
        How long after the start rows do not count.
    max_outage : str or timedelta, optional
        How long the outage may be; longer, and a person must look. It does not roll back: that would be another outage.
    bucket, controls, season
        See `BeforeAfter`.

    Examples
    --------
    >>> import abkit as ab
    >>> strategy = ab.Recreate(stop="2026-11-01T02:00Z", start="2026-11-01T02:20Z", warm_up="10m", max_outage="30m")
    >>> strategy.preset()["rule"].alpha_rollback
    0.02
    """

    stop: str | None = None
    start: str | None = None
    warm_up: str | None = None
    max_outage: str | None = None

    kind: ClassVar[str] = "recreate"
    alpha_rollback: ClassVar[float] = 0.02  # a rollback is a second outage, and takes more evidence
    words: ClassVar[Words] = Words(
        title="Recreate",
        traffic="all at once, after a stop",
        downtime="from the stop to the start: a metric of its own",
        rollback="a second outage",
        cost="one environment",
        concludes=(
            "a jump of a series across the outage that exceeds what the series does by itself, and how long the "
            "outage was"
        ),
        cannot=(
            "causes, since before and after differ in more than the release; anything inside the outage; small effects"
        ),
        choose="two releases cannot run side by side",
    )

    def _check_more(self) -> None:
        if (self.stop is None) != (self.start is None):
            raise ValueError("`strategy.stop` and `strategy.start` must both be given, or neither.")
        for name in ("stop", "start"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, _times.moment_text(f"strategy.{name}", getattr(self, name)))
        if self.stop and self.start and _times.moment("stop", self.stop) > _times.moment("start", self.start):
            raise ValueError(f"`strategy.start` must not be before the stop, {self.stop}; got {self.start}.")
        self._set_times("warm_up", "max_outage")
