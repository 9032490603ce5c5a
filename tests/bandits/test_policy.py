"""What a person may hand to any policy: names, rewards and columns as they come out of arrays and tables."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest

import abkit as ab

UCB1 = ab.bandits.UCB1()


@pytest.mark.parametrize("arm", [1, np.int64(1), np.int8(1)])
def test_an_arms_number_may_come_from_an_array(arm: object) -> None:
    state = UCB1.update(UCB1.init(3), arm, 1.0)
    assert state.pulls.tolist() == [0, 1, 0]
    assert state.without_arm(arm).arms == (0, 2)  # type: ignore[arg-type]


def test_an_arms_name_may_come_from_an_array() -> None:
    names = np.array(["a", "b"])
    state = UCB1.update(UCB1.init(names), names[1], 1.0)
    assert UCB1.update(UCB1.init(names), names[1:], [1.0]).sums.tolist() == state.sums.tolist() == [0, 1]


@pytest.mark.parametrize("reward", [True, np.True_, 1, np.int64(1), np.float64(1), np.uint8(1)])
def test_a_success_may_be_a_truth_value(reward: object) -> None:
    one = UCB1.update(UCB1.init(2), 0, reward)
    assert one.sums.tolist() == [1, 0]
    assert UCB1.update(UCB1.init(2), [0, 1], [reward, False]).sums.tolist() == [1, 0]
    assert UCB1.update(UCB1.init(2), np.array([0, 1]), np.array([True, False])).sums.tolist() == [1, 0]


def test_columns_of_a_table_are_lists() -> None:
    table = pd.DataFrame({"arm": ["b", "a"], "reward": [1, 0]}, index=[7, 8])
    assert UCB1.update(UCB1.init(["a", "b"]), table["arm"], table["reward"]).sums.tolist() == [0, 1]


@pytest.mark.parametrize("arm", [None, 1.0, {"a": 1}, np.array("a"), object()])
def test_what_is_no_arm_is_refused_by_name(arm: object) -> None:
    with pytest.raises(TypeError, match="`arm` must be the name of an arm, or a list of names"):
        UCB1.update(UCB1.init(["a", "b"]), arm, 1.0)


@pytest.mark.parametrize("arm", [True, np.True_, np.float64(1.0), 3, "1"])
def test_another_arm_is_refused_by_name(arm: object) -> None:
    with pytest.raises(ValueError, match="`arm` must be one of 0, 1, 2"):
        UCB1.update(UCB1.init(3), arm, 1.0)


@pytest.mark.parametrize("reward", [1.0, "11", [1.0], None, np.array(1.0)])
def test_rewards_are_as_many_as_arms(reward: object) -> None:
    expected = TypeError if reward is None else ValueError
    with pytest.raises(expected, match="`reward` must"):
        UCB1.update(UCB1.init(2), [0, 1], reward)


def test_a_choice_finds_its_propensity_once_and_when_asked() -> None:
    asked: list[int] = []

    def find() -> float:
        asked.append(1)
        return 0.25

    choice = ab.bandits.Choice("a", find)
    assert choice.arm == "a"
    assert not asked
    assert choice == ab.bandits.Choice("a", 0.25) == pickle.loads(pickle.dumps(choice))
    assert (choice.propensity, len(asked)) == (0.25, 1)
    with pytest.raises(AttributeError):
        choice.arm = "b"  # type: ignore[misc]
