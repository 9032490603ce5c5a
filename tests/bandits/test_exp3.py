"""Exp3 and Exp3-IX: steps by hand, no overflow, and the propensity that must come with a reward."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from abkit.bandits import Discounted, Exp3, State
from tests.golden.read import golden

GOLDEN = golden("bandit_contexts")
ROWS = [("abc"[place], reward, propensity) for place, reward, propensity in GOLDEN["lessons"]]


def learnt(policy: Exp3) -> State:
    arms, rewards, propensities = zip(*ROWS, strict=True)
    return policy.update(policy.init(["a", "b", "c"]), arms, rewards, propensity=propensities)


@pytest.mark.parametrize("variant", ["exp3", "ix"])
def test_steps_are_those_of_the_source(variant: Any) -> None:
    for case in GOLDEN[variant]:
        policy = Exp3(case["gamma"], variant=variant)
        np.testing.assert_allclose(policy.propensities(learnt(policy)), case["shares"], rtol=1e-12)


def test_bounds_scale_the_reward() -> None:
    plain, scaled = Exp3(0.2), Exp3(0.2, bounds=(-2.0, 6.0))
    one = plain.update(plain.init(2), 0, 0.75, propensity=0.5)
    other = scaled.update(scaled.init(2), 0, 4.0, propensity=0.5)
    assert one == other


def test_weights_do_not_overflow() -> None:
    # a peer's weights are infinite at step 2,840: two arms, gamma 0.5, one that always gives 1
    policy, runs = Exp3(0.5), 3
    state, rng = policy.empty((0, 1), (runs,)), np.random.default_rng(1)
    for _ in range(6_000):
        shares = policy.probabilities(state)
        place = policy.pick(state, rng)
        policy.absorb(state, place * runs + np.arange(runs), place * 1.0, shares[place, np.arange(runs)])
    np.testing.assert_allclose(policy.probabilities(state)[1], 0.75, rtol=1e-12)
    tiny = policy.update(policy.init(2), 1, 1.0, propensity=5e-324)
    assert policy.propensities(tiny).tolist() == [0.25, 0.75]
    assert all(map(math.isfinite, policy.update(tiny, 0, 1.0, propensity=5e-324).log_weights))


def test_the_propensity_must_be_given() -> None:
    policy = Exp3()
    with pytest.raises(ValueError, match=r"`propensity` must be given: Exp3 learns from .*; got None\."):
        policy.update(policy.init(2), 0, 1.0)
    assert policy.needs_propensity


def test_late_rewards_in_any_order_teach_the_same() -> None:
    policy = Exp3(0.2)
    state = policy.init(["a", "b", "c"])
    for arm, reward, propensity in reversed(ROWS):
        state = policy.update(state, arm, reward, propensity=propensity)
    np.testing.assert_allclose(policy.propensities(state), policy.propensities(learnt(policy)), rtol=1e-12)


def test_a_new_arm_has_its_share_and_the_others_keep_their_ratios() -> None:
    policy = Exp3(0.3, variant="ix")
    state = learnt(policy)
    more = policy.propensities(state.with_arm("d"))
    assert more[-1] == pytest.approx(0.25, rel=1e-12)
    np.testing.assert_allclose(more[:3], 0.75 * policy.propensities(state), rtol=1e-12)
    best = state.arms[int(np.argmax(policy.propensities(state)))]
    fewer = state.without_arm(best)
    assert fewer.log_weights.max() == 0
    assert State.from_json(fewer.to_json()) == fewer


def test_it_follows_a_change() -> None:
    policy, runs, rng = Exp3(0.1), 50, np.random.default_rng(3)
    state, late = policy.empty((0, 1), (runs,)), []
    for t in range(3_000):
        shares, place = policy.probabilities(state), policy.pick(state, rng)
        reward = (place == (t >= 1_000)) * 1.0
        policy.absorb(state, place * runs + np.arange(runs), reward, shares[place, np.arange(runs)])
        late.append(reward.mean())
    assert np.mean(late[900:1_000]) > 0.9
    assert np.mean(late[-100:]) > 0.9


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"gamma": 0}, "`gamma` must be greater than 0"),
        ({"gamma": 1.5}, "`gamma` must be at most 1"),
        ({"gamma": np.nan}, "`gamma`"),
        ({"variant": "exp4"}, "`variant` must be one of 'exp3', 'ix'"),
        ({"bounds": (1.0, 0.0)}, "`bounds` must be in order"),
    ],
)
def test_parameters_that_cannot_be_are_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Exp3(**arguments)  # type: ignore[arg-type]


def test_states_that_cannot_be_are_refused() -> None:
    data = Exp3().init(2).to_dict()
    with pytest.raises(ValueError, match="`log_weights` must have 0 as the largest; got 3"):
        State.from_dict(data | {"log_weights": [3.0, 0.0]})
    with pytest.raises(ValueError, match=r"`policy` must learn from sums of rewards.*got Exp3"):
        Discounted(Exp3())
