"""A/B test: the preset of its plan, and what it can and cannot conclude."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from abkit.sequential import FixedHorizon
from abkit.strategies._strategy import Strategy, Words


@dataclass(frozen=True, kw_only=True)
class ABTest(Strategy):
    """Half of the users see the new release for days or weeks, as chance has it.

    Answers: is the new release better for users than the old one, by the metrics that the plan names, and does it harm
    none of the others by more than their margins?

    Notes
    -----
    One look, at the end, unless the plan names a monitor made for more (`GroupSequential`, `AnytimeValid`). Success
    metrics share alpha; guardrails need no share, since all of them must hold [1]_. Units that were assigned otherwise
    than planned block the promotion, however good the metrics look [2]_.

    What it cannot conclude: effects that outlast the experiment, as novelty does not (a `Trend` metric shows whether an
    effect wears off); effects that pass from user to user, in networks and markets; segments that the plan
    does not name.

    References
    ----------
    .. [1] Schultzberg, Ankargren and Franberg 2024, arXiv 2402.11609, sec. 3.
    .. [2] Fabijan et al. 2019, KDD, sec. 3: Diagnosing Sample Ratio Mismatch in Online Controlled Experiments.

    Examples
    --------
    >>> import abkit as ab
    >>> plan = ab.Experiment(unit="user", variant="variant", control="control", strategy=ab.ABTest(),
    ...                      metrics={"revenue": ab.Mean("revenue")})
    >>> plan.monitor.kind
    'fixed-horizon'
    """

    kind: ClassVar[str] = "ab-test"
    design: ClassVar = "concurrent"
    words: ClassVar[Words] = Words(
        title="A/B test",
        traffic="half of the users see the new release, for days or weeks",
        downtime="none",
        rollback="at once: the old release still runs",
        cost="both releases run for the whole experiment",
        concludes="effects on what users do, at the stated error rates",
        cannot=(
            "effects that outlast the experiment or that pass from user to user; segments that the plan does not name"
        ),
        choose="the question is whether the change is better, and there is time to find out",
    )

    def _check(self) -> None:
        """Nothing but its kind."""

    def preset(self) -> Mapping[str, Any]:
        """One look."""
        return {"monitor": FixedHorizon()}
