"""UCB1, UCB1-tuned and UCB-V."""

import math

import numpy as np
import pytest

import abkit as ab
from tests.bandits.plays import GOLDEN, PLAYS, golden_index, in_runs, played

POLICIES = {
    "ucb1": ab.bandits.UCB1(),
    "ucb1_tuned": ab.bandits.UCB1Tuned(),
    "ucb_v": ab.bandits.UCBV(),
    "ucb_v_practical": ab.bandits.UCBV(zeta=1, c=0.25),
}
KINDS = [ab.bandits.UCB1, ab.bandits.UCB1Tuned, ab.bandits.UCBV]
every_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.mark.parametrize("case", GOLDEN["bounds"], ids=lambda case: case["play"])
@pytest.mark.parametrize("name", POLICIES)
def test_index_equals_the_definition_to_12_digits(name, case):
    state = played(POLICIES[name], PLAYS[case["play"]])
    assert POLICIES[name].index(state).tolist() == golden_index(case[name])


@pytest.mark.parametrize("name", POLICIES)
def test_runs_side_by_side_have_the_index_of_each(name):
    policy = POLICIES[name]
    state = played(policy, PLAYS["bits"])
    assert policy.index(in_runs(state, 40)).T.tolist() == [policy.index(state).tolist()] * 40


@every_kind
@pytest.mark.parametrize("bounds", [(-50.0, 150.0), (0.0, 1e-6), (1e9, 1e9 + 2)])
def test_scaled_rewards_have_scaled_indices(kind, bounds):
    low, width = bounds[0], bounds[1] - bounds[0]
    plain, scaled = kind(), kind(bounds=bounds)
    there = [[low + width * reward for reward in arm] for arm in PLAYS["bits"]]
    index = (scaled.index(played(scaled, there)) - low) / width
    assert index == pytest.approx(plain.index(played(plain, PLAYS["bits"])), rel=1e-6)


@every_kind
def test_an_arm_without_rewards_comes_first(kind):
    # MABWiser 2.7.4 leaves its expectation at 0, and in 3,000 steps never pulls it
    policy, rng = kind(), np.random.default_rng(1)
    state = policy.update(policy.init(["a", "b", "c"]), ["a", "b"], [1, 1])
    assert policy.index(state)[2] == math.inf
    assert policy.propensities(state).tolist() == [0, 0, 1]
    assert {policy.select(state, rng=rng).arm for _ in range(20)} == {"c"}


@every_kind
def test_arms_without_rewards_tie(kind):
    policy, rng = kind(), np.random.default_rng(1)
    state = policy.init(["a", "b", "c"])
    assert policy.propensities(state) == pytest.approx([1 / 3] * 3)
    assert {policy.select(state, rng=rng).arm for _ in range(60)} == {"a", "b", "c"}


@every_kind
def test_equal_rewards_in_another_order_tie(kind):
    policy = kind()
    state = policy.update(policy.init(2), [0, 0, 0, 1, 1, 1], [0.1, 0.7, 0.2, 0.1, 0.7, 0.2])
    assert policy.propensities(state).tolist() == [0.5, 0.5]


@every_kind
def test_one_arm_and_one_reward(kind):
    policy = kind()
    state = policy.update(policy.init(["only"]), "only", 0.25)
    assert policy.index(state).tolist() == [0.25]  # ln 1 = 0: no bonus at the first reward
    assert tuple(policy.select(state, rng=np.random.default_rng(1))) == ("only", 1)


@every_kind
def test_rewards_outside_the_bounds_are_refused(kind):
    policy = kind(bounds=(0, 5))
    for reward in (-1e-9, 5.000001):
        with pytest.raises(ValueError, match="`reward` must be within the declared bounds 0 and 5; got"):
            policy.update(policy.init(2), 0, reward)


@every_kind
@pytest.mark.parametrize(
    ("bounds", "sentence"),
    [
        ((1, 0), "`bounds` must be in order, the lower first; got 1 and 0."),
        ((1, 1), "`bounds` must be in order, the lower first; got 1 and 1."),
        ((0, math.inf), "`bounds` must be finite; got inf."),
        ((-1e308, 1e308), "`bounds` must be at most 1e+150 apart; got -1e+308 and 1e+308."),
    ],
)
def test_bounds_that_are_none(kind, bounds, sentence):
    with pytest.raises(ValueError, match=r"^`bounds`") as caught:
        kind(bounds=bounds)
    assert str(caught.value) == sentence


@every_kind
def test_bounds_of_another_shape(kind):
    with pytest.raises(TypeError, match=r"`bounds` must be two numbers \(low, high\)"):
        kind(bounds=3)
    with pytest.raises(TypeError, match=r"`bounds` must be two numbers \(low, high\)"):
        kind(bounds=(0, 1, 2))


@pytest.mark.parametrize(("name", "value"), [("zeta", 0), ("zeta", math.nan), ("c", -0.1), ("c", math.inf)])
def test_parameters_of_ucb_v(name, value):
    with pytest.raises(ValueError, match=f"`{name}` must be"):
        ab.bandits.UCBV(**{name: value})


def test_a_constant_reward_has_no_variance_to_lose_digits_with():
    # sumsq/n - mean^2 of three rewards of 0.1 is -1.7e-18, whose root is nan
    policy = ab.bandits.UCBV()
    state = policy.update(policy.init(2), [0, 0, 0, 1], [0.1, 0.1, 0.1, 0.1])
    assert policy.index(state)[0] == pytest.approx(0.1 + 3 * 1.2 * math.log(4) / 3, rel=1e-12)


def test_variance_far_from_zero_keeps_its_digits():
    policy = ab.bandits.UCBV(bounds=(1e8, 1e8 + 1))
    state = policy.update(policy.init(1), [0] * 4, [1e8 + r for r in (0.0, 0.0, 0.5, 1.0)])
    assert state.variances[0] == pytest.approx(0.171875, rel=1e-6)


def test_the_clock_counts_the_rewards_so_far():
    # ln(t + 1) for ln t would change the bonus at t = 16 by 1.1%
    policy = ab.bandits.UCB1()
    state = policy.update(policy.init(2), [0, 1] * 8, [0.5] * 16)
    assert policy.index(state) == pytest.approx([0.5 + math.sqrt(2 * math.log(16) / 8)] * 2, rel=1e-14)
