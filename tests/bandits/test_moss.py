"""MOSS, with a horizon and without."""

import math

import numpy as np
import pytest

import abkit as ab
from tests.bandits.plays import GOLDEN, PLAYS, golden_index, in_runs, played

POLICIES = {"moss": ab.bandits.MOSS(horizon=1000), "moss_anytime": ab.bandits.MOSS()}


@pytest.mark.parametrize("case", GOLDEN["bounds"], ids=lambda case: case["play"])
@pytest.mark.parametrize("name", POLICIES)
def test_index_equals_the_definition_to_12_digits(name, case):
    policy = POLICIES[name]
    state = played(policy, PLAYS[case["play"]])
    assert policy.index(state).tolist() == golden_index(case[name])
    assert policy.index(in_runs(state, 3)).T.tolist() == [policy.index(state).tolist()] * 3


def test_an_arm_that_had_its_share_has_its_mean_as_index():
    policy = ab.bandits.MOSS(horizon=8)
    state = policy.update(policy.init(2), [0, 0, 0, 0, 0, 1], [0, 0, 1, 0, 0, 1])
    assert policy.index(state).tolist() == pytest.approx([0.2, 1 + math.sqrt(math.log(4))])


def test_bounds_scale_the_index():
    plain, scaled = ab.bandits.MOSS(100), ab.bandits.MOSS(100, bounds=(-2, 8))
    there = [[-2 + 10 * reward for reward in arm] for arm in PLAYS["bits"]]
    index = (scaled.index(played(scaled, there)) + 2) / 10
    assert index == pytest.approx(plain.index(played(plain, PLAYS["bits"])))


def test_zero_pulls_one_arm_and_ties():
    policy = ab.bandits.MOSS()
    assert policy.propensities(policy.init(4)).tolist() == [0.25] * 4
    state = policy.update(policy.init(1), 0, 0.5)
    assert policy.index(state).tolist() == [0.5]
    assert policy.select(state, rng=np.random.default_rng(1)).propensity == 1
    assert policy.propensities(policy.update(policy.init(2), [0, 1], [0.5, 0.5])).tolist() == [0.5, 0.5]


@pytest.mark.parametrize("horizon", [0, -5])
def test_a_horizon_must_have_a_decision(horizon):
    with pytest.raises(ValueError, match=f"`horizon` must be at least 1; got {horizon}."):
        ab.bandits.MOSS(horizon=horizon)


def test_a_horizon_is_a_whole_number():
    with pytest.raises(TypeError, match=r"`horizon` must be a whole number; got 1000\."):
        ab.bandits.MOSS(horizon=1e3)
    with pytest.raises(ValueError, match="`horizon` must be finite"):
        ab.bandits.MOSS(horizon=10**400)


def test_rewards_outside_the_bounds_are_refused():
    policy = ab.bandits.MOSS()
    with pytest.raises(ValueError, match=r"`reward` must be within the declared bounds 0 and 1; got 1\.5\."):
        policy.update(policy.init(2), 0, 1.5)
