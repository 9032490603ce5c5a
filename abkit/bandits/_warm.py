"""What a finished experiment tells a policy."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, cast

import numpy as np

from abkit import _check
from abkit.bandits._batched import Batched, BatchState
from abkit.bandits._policy import Policy
from abkit.bandits._state import MeanState, State, checked_arms, frozen
from abkit.bandits._wrapper import Wrapper
from abkit.suffstats import Moments

#: Metrics that give each unit one value, which can be a reward.
REWARDS = ("mean", "proportion", "count")


def warm_state(policy: Policy[Any], report: Any, metric: str | None, weight: float) -> State:
    """The state of a policy after the units of an experiment: its variants are the arms, the control the first."""
    if not hasattr(report, "statistics") or not hasattr(report, "experiment"):
        raise TypeError(f"`report` must be a Report, what an experiment's analysis returns; got {_check.show(report)}.")
    weight = _check.within("weight", weight, 0, np.inf)
    if weight > 1:
        raise ValueError(f"`weight` must be at most 1; got {weight:g}.")
    name = _chosen(report.experiment.metrics, metric)
    pooled = [_pooled(report.statistics.groups, variant, name) for variant in report.variants]
    return _filled(policy, checked_arms(report.variants), pooled, weight)


def _filled(policy: Policy[Any], arms: tuple[Any, ...], pooled: list[Moments], weight: float) -> State:
    state: State = policy.empty(arms)
    if isinstance(state, BatchState):
        known = _filled(cast("Wrapper", policy).policy, arms, pooled, weight)
        return frozen(replace(state, known=known)) if isinstance(policy, Batched) else known
    if type(state) is not MeanState:
        raise ValueError(
            f"`report` must not be given to {policy.kind}: a report has counts, means and variances, from which "
            f"its state, of the kind {state.kind!r}, cannot be made."
        )
    for moments in pooled:
        _refuse_other_rewards(policy, moments)
    n, mean, m2 = (np.array([float(getattr(moments, field)) for moments in pooled]) for field in ("n", "mean", "m2"))
    return frozen(MeanState(arms, weight * n, weight * n * mean, weight * m2))


def _chosen(metrics: Any, metric: str | None) -> str:
    success = [name for name, each in metrics.items() if each.role == "success"]
    if metric is None and len(success) != 1:
        listed = ", ".join(success) or "none"
        raise ValueError(f"`metric` must be given where there is not one success metric; those of the plan: {listed}.")
    name = str(_check.choice("metric", success[0] if metric is None else metric, tuple(metrics)))
    if metrics[name].kind not in REWARDS:
        raise ValueError(
            f"`metric` must give each unit one value, as a metric of kind {', '.join(REWARDS)} does; "
            f"got {name!r}, of kind {metrics[name].kind}."
        )
    if metrics[name].direction != "increase":
        raise ValueError(
            f"`metric` must be better when it is higher, as rewards are; got {name!r}, which should decrease."
        )
    return name


def _pooled(groups: Any, variant: str, metric: str) -> Moments:
    found = [group.moments[metric] for group in groups if group.variant == variant]
    parts = [moments.moments(moments.names[0]) for moments in found]
    return sum(parts[1:], parts[0]) if parts else Moments(n=0, mean=0.0, m2=0.0)


def _refuse_other_rewards(policy: Policy[Any], moments: Moments) -> None:
    """Rewards with this mean and variance, of which some are at least a standard deviation away from the mean."""
    if not moments.n:
        return
    mean, away = float(moments.mean), math.sqrt(float(moments.m2) / int(moments.n)) * (1 - 1e-9)
    refusals = [_refusal(policy, value) for value in (mean, mean + away, mean - away)]
    if refusals[0] or all(refusals[1:]):
        raise ValueError(
            f"`report` must be of rewards that {policy.kind} takes; the metric has a variant with mean {mean:g} and "
            f"standard deviation {away:g}. {next(filter(None, refusals))}"
        )


def _refusal(policy: Policy[Any], value: float) -> str:
    """Why the policy takes neither this value nor the whole numbers beside it, of which it may be a mean."""
    last = ""
    for values in ([value], [math.floor(value), math.ceil(value)]):
        try:
            policy.check_reward(np.array(values, dtype=np.float64))
        except ValueError as error:
            last = last or str(error)
        else:
            return ""
    return last
