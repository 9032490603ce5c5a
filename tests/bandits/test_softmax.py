"""Softmax: its probabilities, and that arms are drawn with just these."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import abkit as ab
from abkit.bandits import MeanState, Softmax
from tests.golden.read import golden


def state_of(means: list[float], pulls: list[float] | None = None) -> MeanState:
    n = np.ones(len(means)) if pulls is None else np.array(pulls)
    return MeanState(tuple(range(len(means))), n, n * np.array(means), np.zeros(len(means)))


@pytest.mark.parametrize("case", golden("bandit_contexts")["softmax"])
def test_probabilities_are_those_of_the_formula(case: Any) -> None:
    found = Softmax(case["temperature"]).propensities(state_of(case["means"]))
    np.testing.assert_allclose(found, case["shares"], rtol=1e-12)


def test_arms_are_drawn_as_often_as_the_propensities_say() -> None:
    # a peer draws from a Dirichlet with these probabilities and takes the largest: 0.6966 where softmax says 0.6682
    policy = Softmax(0.5)
    runs = 200_000
    state = policy.empty((0, 1), (runs,))
    state.pulls[...] = 1
    state.sums[1] = 0.35
    share = policy.pick(state, np.random.default_rng(1)).mean()
    assert share == pytest.approx(0.6681877721681662, abs=5 * np.sqrt(0.668 * 0.332 / runs))


def test_arms_without_a_reward_come_first() -> None:
    policy = Softmax()
    state = state_of([0.0, 5.0, 0.0], [0.0, 3.0, 0.0])
    assert policy.propensities(state).tolist() == [0.5, 0.0, 0.5]
    rng = np.random.default_rng(2)
    assert {policy.select(state, rng=rng).arm for _ in range(40)} == {0, 2}


def test_cold_and_hot_neither_overflow_nor_divide_by_nothing() -> None:
    assert Softmax(1e-300).propensities(state_of([0.1, 0.2, 0.2])).tolist() == [0.0, 0.5, 0.5]
    assert Softmax(1e300).propensities(state_of([-1e100, 1e100])).tolist() == [0.5, 0.5]
    assert Softmax(1e-300).propensities(state_of([-1e100, 1e100])).tolist() == [0.0, 1.0]


@pytest.mark.parametrize("wrong", [0, -1.0, np.nan, np.inf])
def test_a_temperature_that_cannot_be_is_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="`temperature` must be greater than 0"):
        Softmax(wrong)


def test_it_finds_the_better_arm() -> None:
    result = ab.bandits.simulate(Softmax(0.1), ab.bandits.Bernoulli([0.9, 0.4]), 500, runs=100, rng=1)
    assert np.mean(result.final_regret) < 25
