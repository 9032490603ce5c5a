"""Sequences of inverse-propensity scores: by hand, at every look, and beside those of randomised units."""

from __future__ import annotations

import math

import numpy as np
import pytest

import abkit as ab
from abkit.bandits._contrast_sequence import arm_sequence, contrast_sequence
from abkit.bandits._weighted_sequence import Bernstein, Betting, Scores, bets_on, weighted_sequence

BETS = ("betting", "empirical-bernstein")


def drawn(seed=1, n=600, means=(0.3, 0.5), floor=0.05):
    rng = np.random.default_rng(seed)
    share = np.where(rng.random(n) < 0.5, floor, 1 - floor)
    second = rng.random(n) < share
    reward = (rng.random(n) < np.where(second, means[1], means[0])).astype(float)
    return np.stack([~second, second]), reward, np.stack([1 - share, share])


def test_two_bets_by_hand():
    """x = 0.2 then 0.9, spreads 1 and 4, goal log 20."""
    goal = math.log(20)
    scores = Scores(np.array([0.2, 0.9]), np.array([0.0, 3.0]), np.array([1.0, 4.0]))
    first = min(0.5, math.sqrt(2 * goal / (0.25 * 1 * math.log(2))))
    variance = (0.25 + (0.2 - 0.5) ** 2) / 2
    second = min(0.125, math.sqrt(2 * goal / (variance * 1.25 * math.log(3))) / 4)
    assert bets_on(scores, goal) == pytest.approx([first, second], rel=1e-14)
    looks = np.array([1, 2])
    m = np.full(2, 0.4)
    gains = [math.log1p(first * (0.2 - 0.4)), math.log1p(second * (0.9 - 0.4))]
    assert Betting(scores, goal).log_capital(m, looks) == pytest.approx(np.cumsum(gains), rel=1e-13)
    cost = [
        (0.2 - 0.5) ** 2 * (-math.log1p(-first) - first),
        ((0.9 - 0.7 / 2) / 4) ** 2 * (-math.log1p(-4 * second) - 4 * second),
    ]
    expected = np.cumsum([first * (0.2 - 0.4) - cost[0], second * (0.9 - 0.4) - cost[1]])
    assert Bernstein(scores, goal).log_capital(m, looks) == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("bets", BETS)
def test_ends_are_where_the_evidence_is_one_over_alpha(bets):
    sequence = contrast_sequence(*drawn(), bets=bets, looks=[50, 200, 600])
    assert sequence.validity == "exact"
    assert sequence.order_matters
    for end in (sequence.low, sequence.high):
        for look, value in enumerate(end):
            if -1 < value < 1:
                assert sequence.log_evalue(value)[look] == pytest.approx(math.log(20), abs=1e-8)


@pytest.mark.parametrize("bets", BETS)
def test_looks_change_nothing_at_other_looks(bets):
    every = contrast_sequence(*drawn(n=80), bets=bets)
    some = contrast_sequence(*drawn(n=80), bets=bets, looks=[7, 80])
    assert some.low == pytest.approx(every.low[[6, 79]], abs=1e-9)
    assert some.high == pytest.approx(every.high[[6, 79]], abs=1e-9)


def test_no_capital_can_be_lost_whatever_comes():
    """The worst score at each step leaves capital, for every mean, with propensities as small as they like."""
    rng = np.random.default_rng(4)
    share = 10.0 ** rng.uniform(-9, -0.1, 300)
    for reward in (0.0, 1.0):
        for second in (True, False):
            chosen = np.stack([np.full(300, not second), np.full(300, second)])
            sequence = contrast_sequence(chosen, np.full(300, reward), np.stack([1 - share, share]))
            for null in (-1.0, -0.3, 0.0, 1.0):
                assert np.all(np.isfinite(sequence.log_evalue(null)))


@pytest.mark.parametrize("bets", BETS)
def test_swapping_arms_and_sides(bets):
    chosen, reward, propensity = drawn()
    a = contrast_sequence(chosen, reward, propensity, bets=bets, looks=[300, 600])
    b = contrast_sequence(chosen[::-1], reward, propensity[::-1], bets=bets, looks=[300, 600])
    assert b.low == pytest.approx(-a.high, abs=1e-9)
    assert b.estimate == pytest.approx(-a.estimate, abs=1e-9)
    wide = contrast_sequence(chosen, 50 * reward - 7, propensity, bounds=(-7, 43), bets=bets, looks=[300, 600])
    assert wide.low == pytest.approx(50 * a.low, abs=1e-7)
    up = contrast_sequence(chosen, reward, propensity, alternative="greater", alpha=0.025, bets=bets, looks=[300, 600])
    assert up.low == pytest.approx(a.low, abs=1e-12)
    assert np.all(np.isinf(up.high))


def test_randomised_units_are_answered_about_as_by_the_sequences_of_bounded_values():
    rng = np.random.default_rng(5)
    second = rng.random(3_000) < 0.5
    reward = rng.beta(2, 3, 3_000)
    ours = contrast_sequence(np.stack([~second, second]), reward, np.full((2, 3_000), 0.5), looks=[3_000])
    theirs = ab.confidence_sequence(reward, method="betting", assigned=second, share=0.5, looks=[3_000])
    assert ours.interval().high - ours.interval().low < 1.1 * (theirs.interval().high - theirs.interval().low)


def test_one_arm_that_is_always_chosen_is_a_mean_of_bounded_values():
    rng = np.random.default_rng(6)
    reward = rng.beta(2, 6, 2_000)
    ours = arm_sequence(np.ones(2_000, dtype=bool), reward, np.ones(2_000), looks=[2_000])
    theirs = ab.confidence_sequence(reward, method="betting", looks=[2_000])
    assert ours.low == pytest.approx(theirs.low, abs=4e-3)
    assert ours.high == pytest.approx(theirs.high, abs=4e-3)


def test_decisions_that_say_nothing_change_nothing():
    chosen, reward, propensity = drawn(n=200)
    a = contrast_sequence(chosen, reward, propensity, looks=[200])
    sure = np.concatenate([chosen, np.tile([[False], [True]], 100)], axis=1)
    share = np.concatenate([propensity, np.tile([[0.0], [1.0]], 100)], axis=1)
    b = contrast_sequence(sure, np.concatenate([reward, np.ones(100)]), share, looks=[300])
    assert b.low == pytest.approx(a.low, abs=1e-9)
    assert b.high == pytest.approx(a.high, abs=1e-9)


def test_it_rarely_misses_at_any_look_under_a_learning_policy():
    missed = 0
    for seed in range(60):
        rng = np.random.default_rng([9, seed])
        sums, pulls = np.zeros(2), np.zeros(2)
        log = {"arm": [], "reward": [], "propensity": []}
        for _ in range(150):
            share = 0.9 if sums[1] * pulls[0] > sums[0] * pulls[1] else 0.1
            arm = int(rng.random() < share)
            sums[arm] += (reward := float(rng.random() < 0.5))
            pulls[arm] += 1
            for name, value in (("arm", arm), ("reward", reward), ("propensity", share if arm else 1 - share)):
                log[name].append(value)
        chosen = np.array([[arm == k for arm in log["arm"]] for k in (0, 1)])
        own = np.array(log["propensity"])
        found = contrast_sequence(chosen, np.array(log["reward"]), np.where(chosen, own, 1 - own), alpha=0.2)
        missed += not found.running[0][-1] <= 0 <= found.running[1][-1]
    assert missed / 60 <= 0.2


def test_refusals():
    chosen, reward, propensity = drawn(n=50)
    with pytest.raises(ValueError, match="`reward` must lie within `bounds`, 0 to 1; got 50 outside, the first 2"):
        contrast_sequence(chosen, np.full(50, 2.0), propensity)
    with pytest.raises(ValueError, match="`alpha` must be between 0 and 1; got 0"):
        contrast_sequence(chosen, reward, propensity, alpha=0.0)
    with pytest.raises(ValueError, match="`null` must be from -1 to 1; got 2"):
        contrast_sequence(chosen, reward, propensity).pvalue(2.0)
    with pytest.raises(ValueError, match="`looks` must be rising"):
        contrast_sequence(chosen, reward, propensity, looks=[60])
    with pytest.raises(ValueError, match="`bets` must be one of"):
        contrast_sequence(chosen, reward, propensity, bets="kelly")


def test_scores_without_any_information_leave_everything_possible():
    scores = Scores(np.full(5, 0.5), 0.0, np.inf)
    for bets in BETS:
        found = weighted_sequence(scores, scores, possible=(-1, 1), alpha=0.05, alternative="two-sided", bets=bets)
        assert found.low.tolist() == [-1.0] * 5
        assert found.high.tolist() == [1.0] * 5
