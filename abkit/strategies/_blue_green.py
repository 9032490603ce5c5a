"""Blue-green: the preset of its plan, and what it can and cannot conclude."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from abkit import _check, _times
from abkit.strategies._before_after import BeforeAfter
from abkit.strategies._strategy import Words

if TYPE_CHECKING:
    from abkit.experiment import Experiment


@dataclass(frozen=True, kw_only=True)
class BlueGreen(BeforeAfter):
    """Blue-green: two whole environments, and all traffic switched from one to the other.

    Parameters
    ----------
    switch : str or datetime, optional
        When the traffic was switched. May be left out where `environment` is given: it is then the time of the first
        row that green served.
    settle : str or timedelta, optional
        How long after the switch rows do not count: connections drain, caches fill.
    environment : str, optional
        The column that says which environment served a row. Rows of the wrong one, green before the switch or blue
        after it, are left out and counted.
    blue, green : str
        Its values.
    smoke : str, optional
        A column that is filled for requests that tested green before the switch: whether they passed (true or 1). These
        rows are left out of the metrics.
    smoke_pass : float
        The share of these that must have passed, above 0, at most 1. With fewer, or none, nothing is promoted.
    bucket, controls, season
        See `BeforeAfter`.

    Examples
    --------
    >>> import abkit as ab
    >>> plan = ab.Experiment(
    ...     strategy=ab.BlueGreen(switch="2026-11-01T12:00Z", bucket="5m", season="1d"), time="time",
    ...     metrics={"latency": ab.Mean("ms", role="guardrail", direction="decrease", margin=ab.relative(0.1))})
    >>> plan.control, plan.rule.alpha_rollback, plan.guarantee
    ('before', 0.1, 'observational')
    """

    switch: str | None = None
    settle: str | None = None
    environment: str | None = None
    blue: str = "blue"
    green: str = "green"
    smoke: str | None = None
    smoke_pass: float = 1.0

    kind: ClassVar[str] = "blue-green"
    alpha_rollback: ClassVar[float] = 0.1  # a rollback is cheap
    words: ClassVar[Words] = Words(
        title="Blue-green",
        traffic="all at once, from one environment to the other",
        downtime="none",
        rollback="seconds, as long as the old environment is kept warm",
        cost="two whole environments",
        concludes="a jump of a series at the switch that exceeds what the series does by itself",
        cannot=(
            "that the release caused it, if anything else changed at the switch; small effects, since nobody has "
            "the old release meanwhile"
        ),
        choose="switching back must be instant, and harm would be large",
    )

    def _check_more(self) -> None:
        if self.switch is not None:
            object.__setattr__(self, "switch", _times.moment_text("strategy.switch", self.switch))
        self._set_times("settle")
        for name in ("environment", "smoke"):
            if getattr(self, name) is not None:
                _check.text(f"strategy.{name}", getattr(self, name))
        if _check.text("strategy.blue", self.blue) == _check.text("strategy.green", self.green):
            raise ValueError(f"`strategy.green` must differ from `strategy.blue`; got {self.green!r} twice.")
        share = _check.within("strategy.smoke_pass", self.smoke_pass, 0, float("inf"))
        if share > 1:
            raise ValueError(f"`strategy.smoke_pass` must be a share, at most 1; got {share:g}.")
        object.__setattr__(self, "smoke_pass", share)

    def check_plan(self, plan: Experiment) -> None:
        """Something must say when the switch was."""
        super().check_plan(plan)
        if self.switch is None and self.environment is None:
            raise ValueError("`strategy.switch` must be given, or `strategy.environment`, whose rows tell it.")
