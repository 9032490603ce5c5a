"""A warm start: what a policy knows after an experiment."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

import abkit as ab
from abkit.bandits import UCB1, Batched, Discounted, Exp3, LinUCB, MeanState, SlidingWindow, Thompson, WithFloor


@cache
def log() -> pd.DataFrame:
    """Two rows a user: a unit's reward is the sum of both, or whether either converted."""
    rng = np.random.default_rng(1)
    user = np.repeat(np.arange(300), 2)
    variant = np.array(["blue", "green", "red"])[user % 3]
    spent = rng.integers(0, 50, user.size) * 0.5
    bought = rng.random(user.size) < 0.1 + 0.2 * (variant == "red")
    country = np.array(["DE", "FR"])[(user // 3) % 2]
    return pd.DataFrame(
        {"user": user, "variant": variant, "spent": spent, "bought": bought, "country": country, "one": 1.0}
    )


METRICS = {
    "conversion": ab.Proportion("bought"),
    "spent": ab.Mean("spent", role="deterioration"),
    "orders": ab.Count("bought", role="deterioration"),
    "complaints": ab.Mean("spent", role="deterioration", direction="decrease"),
    "per row": ab.Ratio("spent", ab.ROWS, role="deterioration"),
}


@cache
def report(**changes: Any) -> Any:
    return ab.Experiment(unit="user", variant="variant", control="green", metrics=METRICS, **changes).analyze(log())


def units(column: str, how: str) -> dict[str, pd.Series]:
    totals = log().groupby(["variant", "user"])[column].agg(how).astype(float)
    return {variant: totals[variant] for variant in ("green", "blue", "red")}


@pytest.mark.parametrize(
    ("metric", "column", "how"), [(None, "bought", "max"), ("spent", "spent", "sum"), ("orders", "bought", "sum")]
)
@pytest.mark.parametrize("segments", [None, "country"])
@pytest.mark.parametrize("weight", [1.0, 0.25])
def test_units_of_the_experiment_are_rewards(
    metric: str | None, column: str, how: str, segments: str | None, weight: float
) -> None:
    policy = UCB1(bounds=(0.0, 100.0))
    state = policy.warm_start(report(**({"segments": segments} if segments else {})), metric, weight=weight)
    assert state.arms == ("green", "blue", "red")
    for place, values in enumerate(units(column, how).values()):
        assert state.pulls[place] == weight * len(values)
        assert state.sums[place] == pytest.approx(weight * values.sum(), rel=1e-12)
        assert state.m2[place] == pytest.approx(weight * ((values - values.mean()) ** 2).sum(), rel=1e-12)
    assert not state.pulls.flags.writeable
    assert ab.bandits.State.from_json(state.to_json()) == state


def test_it_is_the_state_after_these_rewards() -> None:
    policy, rows = Thompson(), units("bought", "max")
    taught = policy.update(
        policy.init(list(rows)),
        [arm for arm, values in rows.items() for _ in values],
        np.concatenate([values.to_numpy() for values in rows.values()]),
    )
    warm = policy.warm_start(report())
    np.testing.assert_allclose(policy.propensities(warm), policy.propensities(taught), atol=1e-9)
    choice = policy.select(warm, rng=np.random.default_rng(1))
    assert policy.update(warm, choice.arm, 1.0, propensity=choice.propensity).t == 301


def test_wrappers_hand_the_report_on() -> None:
    plain = UCB1().warm_start(report())
    assert WithFloor(UCB1(), 0.1).warm_start(report()) == plain
    assert Discounted(UCB1(), 0.9).warm_start(report()) == plain
    for policy in (Batched(UCB1(), 10), WithFloor(Batched(UCB1(), 10), 0.1), Batched(WithFloor(UCB1(), 0.1), 10)):
        assert policy.warm_start(report()).known == plain
    twice = Batched(Batched(UCB1(), 2), 10).warm_start(report())
    assert twice.known.known == plain
    assert isinstance(plain, MeanState)


@pytest.mark.parametrize("policy", [Exp3(), LinUCB(2), SlidingWindow(UCB1(), 5), Batched(Exp3(), 3)])
def test_states_that_a_report_cannot_fill_are_refused(policy: Any) -> None:
    with pytest.raises(ValueError, match=r"`report` must not be given to .*: a report has counts, means and variances"):
        policy.warm_start(report())


@pytest.mark.parametrize(
    ("policy", "metric", "message"),
    [
        (UCB1(), "spent", "`report` must be of rewards that ucb1 takes"),
        (UCB1(bounds=(0.0, 49.0)), "spent", None),
        (Thompson("poisson"), "orders", None),
        (Thompson(), "orders", r"standard deviation 0\.60.*`reward` must be 0 or 1, or between"),
        (UCB1(bounds=(0.2, 0.9)), None, "`report` must be of rewards that ucb1 takes"),
        (UCB1(), "per row", "`metric` must give each unit one value"),
        (UCB1(), "complaints", "`metric` must be better when it is higher"),
        (UCB1(), "profit", "`metric` must be one of 'conversion'"),
        (WithFloor(UCB1(), 0.4), None, "`floor` must be at most 1 / 3 with 3 arms"),
    ],
)
def test_metrics_that_are_no_rewards_are_refused(policy: Any, metric: str | None, message: str | None) -> None:
    if message is None:
        assert policy.warm_start(report(), metric).t == 300
        return
    with pytest.raises(ValueError, match=message):
        policy.warm_start(report(), metric)


def test_what_cannot_be_is_refused() -> None:
    for weight in (0.0, -1.0, 1.01, np.nan):
        with pytest.raises(ValueError, match="`weight` must be"):
            UCB1().warm_start(report(), weight=weight)
    with pytest.raises(TypeError, match="`report` must be a Report"):
        UCB1().warm_start({"blue": 3})
    several = ab.Experiment(
        unit="user",
        variant="variant",
        control="green",
        metrics={"a": ab.Mean("spent"), "b": ab.Proportion("bought")},
    ).analyze(log())
    with pytest.raises(ValueError, match=r"`metric` must be given where there is not one success metric.*: a, b"):
        UCB1().warm_start(several)
