"""Logistic Thompson sampling, against modes and integrals to 40 digits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.special import expit

import abkit as ab
from abkit.bandits import LogisticThompson, Policy, State
from abkit.bandits._logistic import mode
from tests.golden.read import golden

GOLDEN = golden("bandit_contexts")
ARMS = ["a", "b", "c"]
PLACES, REWARDS, CONTEXTS = zip(*GOLDEN["decisions"], strict=True)


def learnt(policy: Policy[Any]) -> Any:
    return policy.update(policy.init(ARMS), [ARMS[place] for place in PLACES], REWARDS, context=CONTEXTS)


@pytest.mark.parametrize("case", GOLDEN["logistic"])
def test_modes_and_propensities_are_those_of_the_definition(case: Any) -> None:
    policy = LogisticThompson(3, GOLDEN["v"], case["ridge"])
    state = learnt(policy)
    np.testing.assert_allclose(state.centres, case["centres"], rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(state.precisions, case["precisions"], rtol=1e-12)
    for context, shares in zip(GOLDEN["queries"], case["shares"], strict=True):
        np.testing.assert_allclose(policy.propensities(state, context), shares, atol=1e-11)


def test_the_mode_solves_its_equation_wherever_it_is() -> None:
    rng = np.random.default_rng(1)
    u0 = rng.normal(size=20_000) * 10 ** rng.uniform(-3, 9, 20_000)
    k = 10 ** rng.uniform(-15, 15, 20_000)
    k[:5_000] = 2 * np.abs(u0[:5_000]) * (1 + rng.normal(size=5_000) * 1e-3)
    u = mode(u0, k)
    # in u, the equation holds to the rounding of its largest term, over its slope
    slope = 1 + k * expit(u) * expit(-u)
    assert np.all(np.abs(u - u0 - k * expit(-u)) / slope <= 1e-14 * np.maximum(1, (np.abs(u0) + k) / slope))
    assert mode(np.array([0.0, 5.0, -3.0]), np.zeros(3)).tolist() == [0.0, 5.0, -3.0]


def test_runs_side_by_side_are_runs_alone() -> None:
    policy, runs, rng = LogisticThompson(3), 4, np.random.default_rng(2)
    together = policy.empty(tuple(ARMS), (runs,))
    alone = [policy.init(ARMS) for _ in range(runs)]
    for _ in range(8):
        places, rewards = rng.integers(3, size=runs), rng.integers(2, size=runs) * 1.0
        contexts = rng.normal(size=(runs, 3))
        policy.absorb(together, places * runs + np.arange(runs), rewards, None, contexts)
        for run in range(runs):
            alone[run] = policy.update(alone[run], ARMS[places[run]], rewards[run], context=contexts[run])
    shares = policy.probabilities(together, contexts)
    for run, state in enumerate(alone):
        np.testing.assert_allclose(together.centres[:, run], state.centres, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(shares[:, run], policy.propensities(state, contexts[run]), atol=1e-11)


def test_a_new_arm_begins_with_the_ridge() -> None:
    policy = LogisticThompson(3, ridge=0.25)
    state = learnt(policy)
    more = state.with_arm("d")
    assert more.precisions[3].tolist() == [0.25] * 3
    assert more.without_arm("d") == state
    assert State.from_json(more.to_json()) == more


def test_it_reads_the_context() -> None:
    environment = ab.bandits.LogisticContexts([[0.0, 2.0], [0.0, -2.0]])
    result = ab.bandits.simulate(LogisticThompson(2), environment, 400, runs=40, rng=1)
    assert np.mean(result.final_regret) < 40  # whoever does not look loses 0.5 a decision


def test_extreme_contexts_leave_numbers() -> None:
    policy = LogisticThompson(2, ridge=1e-9)
    state = policy.init(2)
    for reward, context in ((1, [1e70, 0.0]), (0, [1e70, 1e-70]), (1, [0.0, 0.0]), (0, [-1e70, 5.0])):
        state = policy.update(state, 0, reward, context=context)
    assert State.from_json(state.to_json()) == state
    assert policy.propensities(state, [1.0, 1.0]).sum() == pytest.approx(1.0, abs=1e-9)


def test_what_cannot_be_is_refused() -> None:
    policy = LogisticThompson(2)
    with pytest.raises(ValueError, match=r"`reward` must be 0 or 1; got 0\.5"):
        policy.update(policy.init(2), 0, 0.5, context=[1.0, 0.0])
    with pytest.raises(ValueError, match="`context` must be given"):
        policy.update(policy.init(2), 0, 1)
    for wrong in ({"v": 0}, {"ridge": np.inf}, {"dimension": 0}):
        with pytest.raises(ValueError, match=f"`{next(iter(wrong))}` must be"):
            LogisticThompson(**({"dimension": 2} | wrong))
    data = policy.init(2).to_dict()
    with pytest.raises(ValueError, match="`precisions` must be above 0"):
        State.from_dict(data | {"precisions": [[0.0, 1.0]] * 2})
