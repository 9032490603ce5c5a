"""IMED in its four families."""

import math

import numpy as np
import pytest

import abkit as ab
from tests.bandits.plays import GOLDEN, PLAYS, golden_index, in_runs, played

FAMILIES = ["bernoulli", "gaussian", "poisson", "exponential"]


@pytest.mark.parametrize("case", GOLDEN["families"], ids=lambda case: f"{case['family']}-{case['play']}")
def test_index_equals_the_definition_to_12_digits(case):
    policy = ab.bandits.IMED(case["family"], sd=GOLDEN["sd"])
    state = played(policy, PLAYS[case["play"]])
    assert policy.index(state).tolist() == golden_index(case["imed"])
    assert policy.index(in_runs(state, 30))[:, 7].tolist() == golden_index(case["imed"])


@pytest.mark.parametrize("family", FAMILIES)
def test_zero_pulls_one_reward_and_ties(family):
    policy, rng = ab.bandits.IMED(family), np.random.default_rng(1)
    assert policy.propensities(policy.init(4)).tolist() == [0.25] * 4
    one = policy.update(policy.init(3), 1, 1.0)
    assert policy.index(one).tolist() == [math.inf, 0, math.inf]
    assert policy.propensities(one).tolist() == [0.5, 0, 0.5]
    same = policy.update(one, [0, 2], [1.0, 1.0])
    assert policy.propensities(same) == pytest.approx([1 / 3] * 3)
    assert policy.select(policy.init(["only"]), rng=rng).propensity == 1


def test_negative_means_beside_an_arm_without_rewards():
    policy = ab.bandits.IMED("gaussian")
    state = policy.update(policy.init(3), [0, 1], [-5.0, -3.0])
    assert policy.index(state).tolist() == [-2, 0, math.inf]


def test_runs_of_which_some_have_arms_without_rewards():
    policy = ab.bandits.IMED("gaussian")
    pulls, sums = np.array([[2.0, 0, 0], [1, 4, 0]]), np.array([[-4.0, 0, 0], [-1, -4, 0]])
    index = policy.index(ab.bandits.MeanState((0, 1), pulls, sums, np.zeros((2, 3))))
    assert index.tolist() == [[-1 - math.log(2), math.inf, math.inf], [0, -math.log(4), math.inf]]


def test_bounds_scale_the_means():
    plain, scaled = ab.bandits.IMED(), ab.bandits.IMED(bounds=(-3, 5))
    there = [[-3 + 8 * reward for reward in arm] for arm in PLAYS["parts"]]
    index = scaled.index(played(scaled, there))
    assert index == pytest.approx(plain.index(played(plain, PLAYS["parts"])), rel=1e-12)


def test_nothing_beats_an_arm_that_always_gives_the_most():
    policy = ab.bandits.IMED()
    state = policy.update(policy.init(2), [0, 0, 0, 1, 1], [1, 1, 1, 1, 0])
    assert policy.index(state).tolist() == [-math.log(3), -math.inf]
    assert policy.propensities(state).tolist() == [1, 0]


def test_a_tiny_sd_has_no_overflow():
    policy = ab.bandits.IMED("gaussian", sd=1e-200)
    state = policy.update(policy.init(2), [0, 1], [1e100, -1e100])
    assert policy.index(state).tolist() == [0, -math.inf]


def test_it_learns():
    # SMPyBandits 0.9.7 puts the minimiser where the divergence belongs, and plays at random
    policy, rng = ab.bandits.IMED(), np.random.default_rng(7)
    state = policy.empty((0, 1), (200,))
    lanes, means = np.arange(200), np.array([0.2, 0.6])
    for _ in range(300):
        arm = policy.pick(state, rng)
        policy.absorb(state, arm * 200 + lanes, (rng.random(200) < means[arm]).astype(float))
    assert state.pulls[1].mean() > 280


def test_rewards_and_parameters():
    for family, reward in [("bernoulli", -0.5), ("poisson", -1), ("exponential", 0)]:
        policy = ab.bandits.IMED(family)
        with pytest.raises(ValueError, match=r"^`reward` must be"):
            policy.update(policy.init(2), 0, reward)
    for name, value in [("family", "beta"), ("sd", -1), ("bounds", (2, 2))]:
        with pytest.raises(ValueError, match=f"`{name}` must be"):
            ab.bandits.IMED(**{name: value})
