"""Policies around others: what they forget, hold back, and leave to chance."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import abkit as ab
from abkit.bandits import (
    UCB1,
    Batched,
    Discounted,
    EpsilonGreedy,
    Exp3,
    MeanState,
    Policy,
    SlidingWindow,
    Softmax,
    State,
    Thompson,
    WithFloor,
)

ARMS = ["a", "b", "c"]


def history(n: int, seed: int = 1) -> tuple[list[str], list[float]]:
    rng = np.random.default_rng(seed)
    return [ARMS[place] for place in rng.integers(3, size=n)], rng.normal(0.4, 0.2, size=n).clip(0, 1).tolist()


def learnt(policy: Policy[Any], n: int, seed: int = 1) -> Any:
    arms, rewards = history(n, seed)
    return policy.update(policy.init(ARMS), arms, rewards)


def weighted(n: int, weights: list[float]) -> dict[str, list[float]]:
    """The sums from their definition."""
    arms, rewards = history(n)
    found: dict[str, list[float]] = {"pulls": [], "sums": [], "m2": []}
    for arm in ARMS:
        rows = [(w, r) for a, r, w in zip(arms, rewards, weights, strict=True) if a == arm and w > 0]
        total = sum(w for w, _ in rows)
        mean = sum(w * r for w, r in rows) / total if total else 0.0
        found["pulls"].append(total)
        found["sums"].append(sum(w * r for w, r in rows))
        found["m2"].append(sum(w * (r - mean) ** 2 for w, r in rows))
    return found


@pytest.mark.parametrize("discount", [1.0, 0.99, 0.7, 0.1])
def test_discounted_sums_are_those_of_the_definition(discount: float) -> None:
    n = 60
    state = learnt(Discounted(UCB1(), discount), n)
    expected = weighted(n, [discount ** (n - 1 - s) for s in range(n)])
    for name, values in expected.items():
        kept = [value if pulls > 1e-12 else 0.0 for value, pulls in zip(values, expected["pulls"], strict=True)]
        np.testing.assert_allclose(getattr(state, name), kept, rtol=1e-11, atol=1e-15)


def test_around_ucb1_it_is_discounted_ucb() -> None:
    policy, bonus = Discounted(UCB1(bounds=(-1.0, 2.0)), 0.9), 3.0
    state = learnt(policy, 40)
    expected = weighted(40, [0.9 ** (39 - s) for s in range(40)])
    total = sum(expected["pulls"])
    index = [
        x / n + 2 * bonus * np.sqrt(0.5 * np.log(total) / n)
        for x, n in zip(expected["sums"], expected["pulls"], strict=True)
    ]
    np.testing.assert_allclose(policy.policy.index(state), index, rtol=1e-12)


def test_around_ucb1_it_is_sliding_window_ucb() -> None:
    policy = SlidingWindow(UCB1(), 25)
    for n in (20, 40):
        state = learnt(policy, n)
        expected = weighted(n, [1.0 * (s >= n - 25) for s in range(n)])
        index = [
            x / k + np.sqrt(2 * np.log(min(n, 25)) / k)
            for x, k in zip(expected["sums"], expected["pulls"], strict=True)
        ]
        np.testing.assert_allclose(policy.policy.index(state), index, rtol=1e-12)


def test_an_arm_that_was_forgotten_is_tried_again() -> None:
    for policy in (Discounted(EpsilonGreedy(0.0), 0.5), SlidingWindow(EpsilonGreedy(0.0), 45)):
        state = policy.update(policy.init(2), [0, *[1] * 45], [1.0] * 46)
        assert state.pulls[0] == state.sums[0] == 0
        assert policy.propensities(state).tolist() == [1.0, 0.0]


@pytest.mark.parametrize("window", [1, 2, 7, 50, 1000])
def test_a_window_holds_its_rewards(window: int) -> None:
    policy, n = SlidingWindow(UCB1(), window), 173
    state = learnt(policy, n)
    expected = weighted(n, [1.0 * (s >= n - window) for s in range(n)])
    for name, values in expected.items():
        np.testing.assert_allclose(getattr(state, name), values, rtol=1e-11, atol=1e-13)


def test_rounding_does_not_add_up_in_a_window() -> None:
    policy, runs, rng = SlidingWindow(Softmax(), 10), 2, np.random.default_rng(3)
    state = policy.empty((0, 1), (runs,))
    for _ in range(5_000):
        policy.absorb(state, rng.integers(2, size=runs) * runs + np.arange(runs), rng.normal(size=runs) * 1e6)
    for step in range(10):
        policy.absorb(state, np.array([step % 2] * runs) * runs + np.arange(runs), np.full(runs, 0.1 * step))
    np.testing.assert_allclose(state.sums, [[2.0] * 2, [2.5] * 2], atol=1e-8)
    assert np.all(state.m2 >= 0)


def test_arms_leave_a_window_with_their_rewards() -> None:
    policy = SlidingWindow(UCB1(), 4)
    state = policy.update(policy.init(ARMS), ["a", "b", "c", "b", "a"], [0.1, 0.2, 0.3, 0.4, 0.5])
    fewer = state.without_arm("b")
    assert fewer.arms == ("a", "c")
    assert fewer.pulls.tolist() == [1.0, 1.0]
    after = policy.update(fewer, ["c"] * 2, [0.6, 0.7])
    assert after.pulls.tolist() == [1.0, 2.0]
    assert after.sums.tolist() == pytest.approx([0.5, 1.3])
    assert State.from_json(after.to_json()) == after


@pytest.mark.parametrize("policy", [Discounted(Softmax(), 0.9), SlidingWindow(Softmax(), 5), Batched(Softmax(), 3)])
def test_rewards_of_some_runs_do_not_move_the_others(policy: Any) -> None:
    runs, rng = 4, np.random.default_rng(4)
    together = policy.empty(tuple(ARMS), (runs,))
    alone = [policy.init(ARMS) for _ in range(runs)]
    for _ in range(30):
        which = np.sort(rng.permutation(runs)[: rng.integers(1, runs + 1)])
        places, rewards = rng.integers(3, size=which.size), rng.random(which.size)
        policy.absorb(together, places * runs + which, rewards)
        for run, place, reward in zip(which.tolist(), places, rewards, strict=True):
            alone[run] = policy.update(alone[run], ARMS[place], reward)
    shares = policy.probabilities(together)
    for run, state in enumerate(alone):
        np.testing.assert_allclose(shares[:, run], policy.propensities(state), rtol=1e-12)


def test_a_floor_is_in_the_propensities_and_in_the_choices() -> None:
    policy, runs = WithFloor(UCB1(), 0.1), 100_000
    state = learnt(policy, 30)
    inner = UCB1().propensities(state)
    np.testing.assert_allclose(policy.propensities(state), 0.7 * inner + 0.1, rtol=1e-15)
    wide = MeanState(state.arms, *(np.repeat(a[:, None], runs, axis=1) for a in (state.pulls, state.sums, state.m2)))
    found = np.bincount(policy.pick(wide, np.random.default_rng(1)), minlength=3) / runs
    np.testing.assert_allclose(found, 0.7 * inner + 0.1, atol=5 * 0.5 / np.sqrt(runs))
    assert policy.randomised
    assert not UCB1().randomised


def test_floors_must_fit() -> None:
    policy = WithFloor(UCB1(), 1 / 3)
    assert policy.propensities(policy.init(3)).tolist() == pytest.approx([1 / 3] * 3, rel=1e-15)
    with pytest.raises(ValueError, match=r"`floor` must be at most 1 / 4 with 4 arms; got 0\.333333"):
        policy.init(4)
    with pytest.raises(ValueError, match="`floor` must be at most 1 / 4 with 4 arms"):
        policy.propensities(policy.init(3).with_arm(3))
    for wrong in (0.0, -0.1, 1.5, np.nan):
        with pytest.raises(ValueError, match="`floor` must be"):
            WithFloor(UCB1(), wrong)


def test_a_batch_teaches_when_it_is_full() -> None:
    policy, inner = Batched(EpsilonGreedy(0.3), 4), EpsilonGreedy(0.3)
    arms, rewards = history(11)
    state = policy.init(ARMS)
    for n, (arm, reward) in enumerate(zip(arms, rewards, strict=True), start=1):
        state = policy.update(state, arm, reward)
        full = n // 4 * 4
        assert state.known == inner.update(inner.init(ARMS), arms[:full], rewards[:full])
        assert state.waiting.tolist() == [n - full]
        assert State.from_json(state.to_json()) == state


def test_a_batch_hands_on_the_propensities() -> None:
    policy, inner = Batched(Exp3(0.2), 2), Exp3(0.2)
    rows = (["a", "b", "a", "c"], [1.0, 0.5, 0.0, 1.0])
    state = policy.update(policy.init(ARMS), *rows, propensity=[0.3, 0.2, 0.5, 0.9])
    assert state.known == inner.update(inner.init(ARMS), *rows, propensity=[0.3, 0.2, 0.5, 0.9])
    assert policy.needs_propensity
    with pytest.raises(ValueError, match="`propensity` must be given"):
        policy.update(state, "a", 1.0)


def test_an_arm_leaves_a_batch_with_its_rewards() -> None:
    policy = Batched(UCB1(), 3)
    state = policy.update(policy.init(ARMS), ["a", "c"], [1.0, 0.5]).without_arm("a")
    after = policy.update(state, "b", 0.25)
    assert after.known.arms == ("b", "c")
    assert after.known.sums.tolist() == [0.25, 0.5]
    assert policy.update(state.with_arm("d"), "d", 1.0).known.sums.tolist() == [0.0, 0.5, 1.0]


@pytest.mark.parametrize(
    "policy",
    [
        WithFloor(Discounted(UCB1(), 0.9), 0.1),
        Discounted(WithFloor(UCB1(), 0.1), 0.9),
        Batched(SlidingWindow(UCB1(), 3), 2),
        WithFloor(Batched(UCB1(), 2), 0.1),
        Batched(Batched(UCB1(), 2), 3),
    ],
)
def test_wrappers_nest(policy: Any) -> None:
    state = learnt(policy, 17)
    assert State.from_json(state.to_json()) == state
    assert Policy.from_dict(policy.to_dict()) == policy
    assert policy.propensities(state).sum() == pytest.approx(1.0, rel=1e-12)
    assert state.with_arm("d").without_arm("d") == state


def test_a_window_follows_a_change() -> None:
    before, after = ab.bandits.Bernoulli([0.9, 0.1]), ab.bandits.Bernoulli([0.1, 0.9])
    environment = ab.bandits.Abrupt([(0, before), (1_000, after)])
    regrets = [
        np.mean(ab.bandits.simulate(policy, environment, 2_000, runs=40, rng=1).final_regret)
        for policy in (Thompson(), SlidingWindow(Thompson(), 200), Discounted(Thompson(), 0.99))
    ]
    assert max(regrets[1:]) < 100
    assert regrets[0] > 200


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Discounted(UCB1(), 0.0), "`discount` must be greater than 0"),
        (lambda: Discounted(UCB1(), 1.1), "`discount` must be at most 1; got 1.1"),
        (lambda: SlidingWindow(UCB1(), 0), "`window` must be at least 1"),
        (lambda: Batched(UCB1(), 0), "`size` must be at least 1"),
        (lambda: Batched("ucb1", 3), "`policy` must be a policy such as UCB1"),
        (lambda: Discounted(Batched(UCB1(), 3)), "`policy` must learn from sums of rewards"),
        (lambda: Discounted(SlidingWindow(UCB1(), 3)), "`policy` must learn from sums of rewards"),
    ],
)
def test_parameters_that_cannot_be_are_refused(make: Any, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        make()


def test_states_that_cannot_be_are_refused() -> None:
    window = SlidingWindow(UCB1(), 2)
    data = window.update(window.init(2), 0, 1.0).to_dict()
    for change in (
        {"places": [5.0, -1.0]},
        {"places": [1.0, -1.0]},
        {"seen": [0.5]},
        {"rewards": [1.0]},
        {"pulls": [2.0, 0.0]},
    ):
        with pytest.raises(ValueError, match=r"`(places|pulls)`"):
            State.from_dict(data | change)
    batch = Batched(UCB1(), 2)
    data = batch.update(batch.init(2), 0, 1.0).to_dict()
    for change in (
        {"waiting": [2.0]},
        {"waiting": [0.5]},
        {"places": [9.0, 0.0]},
        {"propensities": [2.0, 0.0]},
        {"rewards": [1.0]},
        {"contexts": [[]]},
        {"contexts": 3.0},
        {"arms": [0, 2]},
    ):
        with pytest.raises(ValueError, match=r"`(waiting|places|propensities|contexts|known)`"):
            State.from_dict(data | change)
    with pytest.raises(ValueError, match="`data` must have kind 'batch'"):
        State.from_dict({**data, "extra": 1})


@pytest.mark.parametrize(("make", "rule"), [(Batched, "batches of 5"), (SlidingWindow, "a window of 5")])
def test_a_state_of_another_size_is_refused(make: Any, rule: str) -> None:
    with pytest.raises(ValueError, match=f"`state` must have {rule}; got .* of 2"):
        make(UCB1(), 5).update(make(UCB1(), 2).init(2), 0, 1.0)
