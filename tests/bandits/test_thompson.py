"""Thompson sampling: propensities against mpmath and counts, ties, priors, and what peers get wrong."""

from __future__ import annotations

import time

import numpy as np
import pytest

import abkit as ab
from abkit.bandits import MeanState, Thompson, TopTwoThompson
from abkit.bandits._thompson import top_two


def state_of(pulls, sums, m2=None):
    pulls, sums = np.asarray(pulls, float), np.asarray(sums, float)
    return MeanState(
        tuple(range(len(pulls))), pulls, sums, np.zeros_like(pulls) if m2 is None else np.asarray(m2, float)
    )


def shares(policy, state, draws=5_000, seed=3):
    """How often each arm is chosen, in many runs of one state."""
    many = MeanState(state.arms, *(np.repeat(getattr(state, name)[:, None], draws, 1) for name in state.arrays()))
    return np.bincount(policy.pick(many, np.random.default_rng(seed)), minlength=len(state.arms)) / draws


@pytest.mark.parametrize(
    ("policy", "state"),
    [
        (Thompson(), state_of([5, 9, 3], [2, 4, 0])),
        (Thompson(prior=(0.01, 0.01)), state_of([0, 0, 1], [0, 0, 0])),
        (Thompson("gaussian", sd=2.0), state_of([5, 9], [2, 9])),
        (Thompson("gaussian", prior=(1.0, 0.5)), state_of([0, 2], [0, 1])),
        (Thompson("gaussian-unknown"), state_of([5, 9], [2, 9], [3, 4])),
        (Thompson("gaussian-unknown"), state_of([3, 0, 9], [2, 0, 9], [3, 0, 4])),
        (Thompson("poisson"), state_of([3, 2], [6, 9])),
        (Thompson("poisson"), state_of([3, 0, 0], [6, 0, 0])),
        (TopTwoThompson(), state_of([5, 9, 3], [2, 4, 0])),
        (TopTwoThompson(beta=0.7), state_of([50, 90, 30, 5], [40, 4, 0, 2])),
        (TopTwoThompson("poisson"), state_of([50, 90, 0], [40, 4, 0])),
        (TopTwoThompson(), state_of([4000, 4000, 4000], [400, 2000, 420])),
    ],
    ids=str,
)
def test_arms_are_chosen_as_often_as_their_propensities_say(policy, state):
    p, draws = policy.propensities(state), 300 if state.pulls.max() > 1000 else 5_000
    seen = shares(policy, state, draws)
    assert p.sum() == pytest.approx(1, abs=1e-12)
    assert np.all(np.abs(seen - p) <= 5 * np.sqrt(p * (1 - p) / draws) + 1e-9)


def test_the_posterior_of_the_mean_is_sampled_and_not_that_of_rewards():
    # arms N(0, 1) and N(1, 1): a policy that samples rewards gives the worse arm 24% for ever
    state = state_of([5000, 5000], [0, 5000], [5000, 5000])
    assert Thompson("gaussian").propensities(state)[0] < 1e-100
    assert shares(Thompson("gaussian-unknown"), state, 2000)[0] == 0


def test_of_counts_the_larger_mean_wins_and_not_the_smaller_rate():
    assert Thompson("poisson").propensities(state_of([100, 100], [20, 80]))[1] > 0.999


def test_a_gaussian_posterior_has_a_standard_deviation_of_one_over_root_n():
    state = state_of([100, 100], [0.0, 10.0])
    z = 0.1 / np.sqrt(2 / 100)
    from scipy.special import ndtr

    assert Thompson("gaussian").propensities(state)[1] == pytest.approx(ndtr(z), abs=1e-13)


def test_exact_ties_are_broken_at_random():
    policy = Thompson(prior=(0.01, 0.01))
    seen = shares(policy, state_of([0, 0, 0, 0], [0, 0, 0, 0]), 8000)
    np.testing.assert_allclose(seen, 0.25, atol=0.025)


def test_a_propensity_is_exact_and_not_the_share_of_pulls():
    policy = Thompson()
    state = policy.update(policy.init(2), [0, 0, 1], [0, 0, 1])
    np.testing.assert_allclose(policy.propensities(state), [0.1, 0.9], rtol=1e-12)


def test_propensities_are_never_zero():
    state = state_of([1e6, 1e6], [10, 9e5])
    assert 0 < Thompson().propensities(state)[0] < 1e-250
    assert 0 < TopTwoThompson().propensities(state)[0] <= 0.5


def test_top_two_of_two_arms_is_a_coin_and_one_arm_is_certain():
    np.testing.assert_allclose(TopTwoThompson().propensities(state_of([900, 10], [800, 1])), 0.5, rtol=1e-12)
    assert TopTwoThompson().propensities(state_of([3], [1])).tolist() == [1.0]
    assert Thompson().propensities(state_of([3], [1])).tolist() == [1.0]
    assert TopTwoThompson().select(state_of([3], [1]), rng=np.random.default_rng(0)).propensity == 1.0


def test_top_two_is_russos_resampling_and_not_the_second_of_the_same_draw():
    p = np.array([0.6, 0.3, 0.1])
    expected = [p[i] * (0.5 + 0.5 * sum(p[j] / (1 - p[j]) for j in range(3) if j != i)) for i in range(3)]
    np.testing.assert_allclose(top_two(p, 0.5), expected, rtol=1e-14)


def test_top_two_holds_where_one_arm_is_almost_certain():
    p = np.array([1e-200, 1.0, 3e-200])
    np.testing.assert_allclose(top_two(p, 0.5), [0.125, 0.5, 0.375], rtol=1e-14)


def test_arms_without_a_posterior_come_first():
    policy = Thompson("gaussian")
    state = policy.init(3)
    rng = np.random.default_rng(1)
    seen = []
    for _ in range(3):
        choice = policy.select(state, rng=rng)
        assert choice.propensity == pytest.approx(1 / (3 - len(seen)))
        seen.append(choice.arm)
        state = policy.update(state, choice.arm, 1.5)
    assert sorted(seen) == [0, 1, 2]
    unknown = Thompson("gaussian-unknown")
    assert unknown.propensities(state_of([4, 3], [4, 1], [1, 1])).tolist() == [0.0, 1.0]


def test_constant_rewards_are_no_error():
    state = state_of([9, 9, 9], [0, 9, 9])
    p = Thompson("gaussian-unknown").propensities(state)
    np.testing.assert_allclose(p, [0, 0.5, 0.5], atol=1e-9)
    assert Thompson("gaussian-unknown").select(state, rng=np.random.default_rng(1)).arm in (1, 2)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Thompson("beta"), "`family` must be one of"),
        (lambda: Thompson(prior=(1, 0)), "`prior b` must be greater than 0"),
        (lambda: Thompson(prior=(1, 1, 1)), r"`prior` must be \(a, b\)"),
        (lambda: Thompson("gaussian", sd=0), "`sd` must be"),
        (lambda: Thompson("gaussian", prior=(0.0, float("nan"))), "`prior sd` must be"),
        (lambda: Thompson("poisson", prior=(-1, 0)), "`prior shape` must be at least 0"),
        (lambda: TopTwoThompson(beta=1), "`beta` must be between 0 and 1"),
        (lambda: Thompson().update(Thompson().init(2), 0, 1.5), "`reward` must be 0 or 1, or between; got 1.5"),
        (lambda: Thompson("poisson").update(Thompson().init(2), 0, -1), "`reward` must be a count"),
        (lambda: Thompson().update(Thompson().init(2), 0, float("nan")), "`reward` must be finite"),
    ],
)
def test_what_cannot_be_is_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_policies_survive_their_dicts():
    for policy in (Thompson("gaussian", (0.0, 1.0), 2.0), TopTwoThompson(beta=0.3), Thompson()):
        assert ab.bandits.Policy.from_dict(policy.to_dict()) == policy


def test_choosing_does_not_compute_the_propensity():
    policy, rng = Thompson(), np.random.default_rng(1)
    state = state_of(range(10, 20), range(10))
    quick = min(timed(lambda: policy.select(state, rng=rng)) for _ in range(50))
    slow = min(timed(lambda: policy.select(state, rng=rng).propensity) for _ in range(5))
    assert quick < slow / 3


def timed(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
