"""LinUCB and linear Thompson sampling, against inverses and integrals to 40 digits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import abkit as ab
from abkit.bandits import Batched, LinearState, LinThompson, LinUCB, Policy, SlidingWindow, State, WithFloor
from tests.golden.read import golden

GOLDEN = golden("bandit_contexts")
ARMS = ["a", "b", "c"]
PLACES, REWARDS, CONTEXTS = zip(*GOLDEN["decisions"], strict=True)


def learnt(policy: Policy[Any]) -> Any:
    return policy.update(policy.init(ARMS), [ARMS[place] for place in PLACES], REWARDS, context=CONTEXTS)


@pytest.mark.parametrize("case", GOLDEN["linear"])
def test_index_and_propensities_are_those_of_the_definition(case: Any) -> None:
    policy = LinUCB(3, GOLDEN["alpha"], case["ridge"])
    np.testing.assert_allclose(policy.index(learnt(policy), case["context"]), case["index"], rtol=1e-12)
    thompson = LinThompson(3, GOLDEN["v"], case["ridge"])
    np.testing.assert_allclose(thompson.propensities(learnt(thompson), case["context"]), case["shares"], atol=1e-11)


def test_a_cold_arm_is_as_wide_as_its_ridge_says() -> None:
    # a peer begins with the inverse ridge I, where it is I / ridge: width 10 for 0.1
    policy = LinUCB(2, alpha=1.0, ridge=10.0)
    assert policy.index(policy.init(2), [1.0, 0.0]).tolist() == pytest.approx([0.1**0.5] * 2, rel=1e-15)
    more = policy.update(policy.init(2), 0, 1.0, context=[1.0, 2.0]).with_arm(2)
    assert policy.index(more, [1.0, 0.0])[2] == pytest.approx(0.1**0.5, rel=1e-15)


def test_the_root_stays_exact_over_many_rewards() -> None:
    rng = np.random.default_rng(1)
    contexts, rewards = rng.normal(size=(2_000, 4)), rng.random(2_000)
    for ridge in (1.0, 1e-9, 1e6):
        policy = LinUCB(4, ridge=ridge)
        state = policy.update(policy.init(1), [0] * 2_000, rewards, context=contexts)
        matrix = ridge * np.eye(4) + contexts.T @ contexts
        np.testing.assert_allclose(state.root[0] @ state.root[0].T @ matrix, np.eye(4), atol=1e-11)
        np.testing.assert_allclose(state.coefficients[0], np.linalg.solve(matrix, contexts.T @ rewards), rtol=1e-11)


def test_contexts_may_have_a_row_an_arm() -> None:
    policy = LinUCB(3, GOLDEN["alpha"])
    state, rows = learnt(policy), np.array(GOLDEN["queries"])
    found = policy.index(state, rows)
    assert found.tolist() == pytest.approx([policy.index(state, row)[k] for k, row in enumerate(rows)], rel=1e-14)
    assert policy.update(state, "b", 1.0, context=rows) == policy.update(state, "b", 1.0, context=rows[1])


@pytest.mark.parametrize("make", [LinUCB, LinThompson])
def test_runs_side_by_side_are_runs_alone(make: Any) -> None:
    policy, runs, rng = make(3), 4, np.random.default_rng(2)
    together = policy.empty(tuple(ARMS), (runs,))
    alone = [policy.init(ARMS) for _ in range(runs)]
    for _ in range(8):
        which = rng.permutation(runs)[: rng.integers(1, runs + 1)]
        places, rewards, contexts = (
            rng.integers(3, size=which.size),
            rng.random(which.size),
            rng.normal(size=(which.size, 3)),
        )
        policy.absorb(together, places * runs + which, rewards, None, contexts)
        for run, place, reward, context in zip(which, places, rewards, contexts, strict=True):
            alone[run] = policy.update(alone[run], ARMS[place], reward, context=context)
    contexts = rng.normal(size=(runs, 3))
    shares = policy.probabilities(together, contexts)
    for run, state in enumerate(alone):
        np.testing.assert_allclose(together.root[:, run], state.root, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(shares[:, run], policy.propensities(state, contexts[run]), atol=1e-11)
    assert policy.pick(together, rng, contexts).shape == (runs,)


def test_draws_are_as_frequent_as_propensities() -> None:
    policy, runs = LinThompson(3, 0.5), 100_000
    state = learnt(policy)
    wide = LinearState(
        state.arms,
        *(np.repeat(array[:, None], runs, axis=1) for array in (state.root, state.sums)),
        ridge=state.ridge,
    )
    context = np.array(GOLDEN["queries"][1])
    places = policy.pick(wide, np.random.default_rng(4), np.broadcast_to(context, (runs, 3)))
    found = np.bincount(places, minlength=3) / runs
    expected = policy.propensities(state, context)
    assert np.all(np.abs(found - expected) <= 5 * np.sqrt(expected * (1 - expected) / runs))


def test_scores_known_for_certain_tie() -> None:
    policy = LinThompson(2)
    assert policy.propensities(policy.init(4), [0.0, 0.0]).tolist() == [0.25] * 4
    one_certain = policy.propensities(policy.init(2), [[0.0, 0.0], [1.0, 0.0]])
    assert one_certain.tolist() == pytest.approx([0.5, 0.5], abs=1e-6)


@pytest.mark.parametrize(
    "policy",
    [
        LinUCB(3, 0.5),
        LinThompson(3, 0.5),
        WithFloor(LinThompson(3), 0.1),
        Batched(LinUCB(3), 4),
        Batched(WithFloor(LinThompson(3), 0.1), 2),
    ],
)
def test_states_and_policies_come_back(policy: Policy[Any]) -> None:
    state = learnt(policy)
    assert State.from_json(state.to_json()) == state
    assert Policy.from_dict(policy.to_dict()) == policy
    assert state.with_arm("d").without_arm("d") == state


def test_a_linear_policy_reads_the_context() -> None:
    environment = ab.bandits.LinearContexts([[0.0, 1.0], [0.0, -1.0]])
    for policy in (LinUCB(2), LinThompson(2), Batched(LinThompson(2), 10)):
        result = ab.bandits.simulate(policy, environment, 300, runs=40, rng=1)
        # whoever does not look loses |x| on average, 0.8 a decision
        assert np.mean(result.final_regret) < 40


@pytest.mark.parametrize("policy", [LinUCB(2), LinThompson(2), WithFloor(LinUCB(2), 0.1), Batched(LinUCB(2), 3)])
def test_contexts_that_cannot_be_are_refused(policy: Policy[Any]) -> None:
    state, rng = policy.init(3), np.random.default_rng(1)
    for context, message in (
        (None, "`context` must be given"),
        ([1.0], "`context` must have 2 numbers, or as many an arm"),
        (np.ones((2, 2)), "`context` must have one row, or one for each of 3 arms; got 2"),
        ([np.nan, 1.0], "`context` must be finite"),
        (np.array([np.inf, 1.0]), "`context` must be finite"),
        (np.array([1e200, 1.0]), "`context` must be at most 1e"),
        (1.0, "`context` must have 1 or 2 dimension"),
    ):
        with pytest.raises(ValueError, match=message):
            policy.select(state, rng=rng, context=context).propensity  # noqa: B018
        with pytest.raises(ValueError, match=message):
            policy.update(state, 0, 1.0, context=context)
    with pytest.raises(TypeError, match="`context`"):
        policy.select(state, rng=rng, context="ab")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LinUCB(0), "`dimension` must be at least 1"),
        (lambda: LinUCB(2, alpha=0), "`alpha` must be greater than 0"),
        (lambda: LinUCB(2, ridge=-1), "`ridge` must be greater than 0"),
        (lambda: LinThompson(2, v=np.nan), "`v` must be greater than 0"),
        (lambda: SlidingWindow(LinUCB(2), 5), "`policy` must learn from sums of rewards"),
        (lambda: LinUCB(2).warm_start(None), "`report`"),
    ],
)
def test_parameters_that_cannot_be_are_refused(make: Any, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        make()


def test_states_that_cannot_be_are_refused() -> None:
    data = LinUCB(2).init(2).to_dict()
    for change in ({"ridge": [0.0]}, {"ridge": [1.0, 1.0]}, {"sums": [[0.0], [0.0]]}, {"root": [[1.0, 0.0]] * 2}):
        with pytest.raises(ValueError, match=r"`(root|ridge)` must"):
            State.from_dict(data | change)
