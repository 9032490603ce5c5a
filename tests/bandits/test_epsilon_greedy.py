"""Epsilon-greedy, fixed and decaying."""

import math

import numpy as np
import pytest

import abkit as ab
from tests.bandits.plays import in_runs


def after(policy, *rewards):
    """The state after lists of rewards, one an arm."""
    rows = [(arm, reward) for arm, listed in enumerate(rewards) for reward in listed]
    return policy.update(policy.init(len(rewards)), [arm for arm, _ in rows], [reward for _, reward in rows])


def test_propensities_by_hand():
    policy = ab.bandits.EpsilonGreedy(0.2)
    state = after(policy, [1, 0], [1], [0, 0], [1, 1, 1])
    assert policy.propensities(state) == pytest.approx([0.05, 0.45, 0.05, 0.45], rel=1e-15)
    assert policy.propensities(after(policy, [1], [], [], [])) == pytest.approx([0.05] + [0.05 + 0.8 / 3] * 3)
    assert policy.propensities(policy.init(5)) == pytest.approx([0.2] * 5)
    assert policy.propensities(policy.init(1)).tolist() == [1]


def test_the_best_mean_and_not_the_largest_sum_is_exploited():
    # SMPyBandits 0.9.7 takes the largest sum of rewards, and stays with whatever was pulled most
    policy = ab.bandits.EpsilonGreedy(0)
    state = after(policy, [1, 0, 0, 1, 0, 0, 1], [1, 0])
    assert policy.propensities(state).tolist() == [0, 1]
    assert policy.select(state, rng=np.random.default_rng(1)).arm == 1


def test_negative_rewards_and_an_arm_without_any():
    policy = ab.bandits.EpsilonGreedy(0)
    assert policy.propensities(after(policy, [-3], [-2], [])).tolist() == [0, 0, 1]


def test_choices_have_their_propensities():
    policy, rng = ab.bandits.EpsilonGreedy(0.4), np.random.default_rng(5)
    state = after(policy, [1, 0], [1], [0, 0], [1, 1, 1])
    wanted = policy.propensities(state)
    counts = np.bincount([policy.select(state, rng=rng).arm for _ in range(4000)], minlength=4)
    assert np.abs(counts / 4000 - wanted) == pytest.approx(0, abs=5 * math.sqrt(0.25 / 4000))
    picks = policy.pick(in_runs(state, 40_000), rng)
    shares = np.bincount(picks, minlength=4) / 40_000
    assert np.abs(shares - wanted).max() < 5 * math.sqrt(0.25 / 40_000)


@pytest.mark.parametrize("t", [1, 7, 100, 5000])
def test_a_decaying_epsilon(t):
    policy = ab.bandits.EpsilonGreedy(1.0, gap=0.2, c=0.5)
    state = ab.bandits.MeanState((0, 1, 2), np.array([t - 0.0, 0, 0]), np.zeros(3), np.zeros(3))
    epsilon = min(1.0, 0.5 * 3 / (0.2**2 * t))
    assert policy.propensities(state) == pytest.approx(
        [epsilon / 3, epsilon / 3 + (1 - epsilon) / 2, epsilon / 3 + (1 - epsilon) / 2], rel=1e-12
    )


def test_epsilon_decays_in_each_run_by_its_own_clock():
    policy = ab.bandits.EpsilonGreedy(1.0, gap=0.5, c=1.0)
    state = ab.bandits.MeanState(
        (0, 1), np.array([[8.0, 400.0], [8, 400]]), np.array([[8.0, 0], [0, 8]]), np.zeros((2, 2))
    )
    shares = policy.probabilities(state)
    assert shares[1, 0] == pytest.approx(0.25)
    assert shares[0, 1] == pytest.approx(0.005)
    picks = [policy.pick(state, np.random.default_rng(seed)) for seed in range(400)]
    assert np.mean(picks, axis=0) == pytest.approx([0.25, 0.995], abs=0.1)


@pytest.mark.parametrize("gap", [1e-200, 1e200])
def test_gaps_of_any_size(gap):
    policy = ab.bandits.EpsilonGreedy(0.3, gap=gap)
    state = after(policy, [1.0], [0.0])
    assert policy.propensities(state)[1] == pytest.approx(0.15 if gap < 1 else 0, abs=1e-300)


@pytest.mark.parametrize(
    ("name", "value"),
    [("epsilon", -0.1), ("epsilon", 1.01), ("epsilon", math.nan), ("gap", 0), ("gap", -1), ("c", 0), ("c", math.inf)],
)
def test_parameters(name, value):
    with pytest.raises(ValueError, match=f"`{name}` must be"):
        ab.bandits.EpsilonGreedy(**{name: value})


def test_choices_do_not_change_the_state_of_a_simulation():
    policy, rng = ab.bandits.EpsilonGreedy(1.0), np.random.default_rng(1)
    state = in_runs(after(policy, [1, 0], [1]), 50)
    before = state.pulls.copy()
    assert set(policy.pick(state, rng)) == {0, 1}
    assert np.array_equal(state.pulls, before)
