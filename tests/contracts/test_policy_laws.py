"""Laws that every bandit policy obeys: found by its kind, and built with its defaults where it has them all.

A new policy is held to them without a line here, unless it needs parameters, a context, or rewards other than 0 and 1.
"""

from __future__ import annotations

import json
import math
from dataclasses import MISSING, dataclass, fields
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import abkit as ab
from abkit.bandits import Policy, State

for _name in ab.bandits.__all__:
    getattr(ab.bandits, _name)

ARMS = ["a", "b", "c"]
DIMENSION = 2
#: Largest error of a propensity that is found by quadrature.
QUADRATURE = 1e-6


@dataclass(frozen=True)
class Example:
    """A policy; whether it reads a context; rewards that it refuses; and the lower of two that it takes."""

    policy: Policy[Any]
    contextual: bool = False
    refused: tuple[float, ...] = ()
    low: float = 0.0

    def context(self, seed: int) -> dict[str, Any]:
        """What to hand over with a decision."""
        return {"context": np.random.default_rng(seed).normal(size=DIMENSION)} if self.contextual else {}


B = ab.bandits
#: Policies whose defaults say too little; all others are built with their defaults.
SPECIAL: dict[str, list[Example]] = {
    "batched": [
        Example(B.Batched(B.EpsilonGreedy(0.2), 3)),
        Example(B.Batched(B.Exp3(0.2), 2)),
        Example(B.Batched(B.UCB1(), 4), refused=(-0.1, 1.1)),
    ],
    "discounted": [Example(B.Discounted(B.UCB1(), 0.9), refused=(1.1,)), Example(B.Discounted(B.EpsilonGreedy(), 0.5))],
    "sliding-window": [Example(B.SlidingWindow(B.UCB1(), 4)), Example(B.SlidingWindow(B.EpsilonGreedy(), 1))],
    "with-floor": [
        Example(B.WithFloor(B.UCB1(), 0.1)),
        Example(B.WithFloor(B.Exp3(), 0.05)),
        Example(B.WithFloor(B.Discounted(B.UCB1(), 0.9), 0.2)),
    ],
    "lin-ucb": [Example(B.LinUCB(DIMENSION, alpha=0.7, ridge=2.0), contextual=True)],
    "lin-thompson": [Example(B.LinThompson(DIMENSION, v=0.5), contextual=True)],
    "logistic-thompson": [Example(B.LogisticThompson(DIMENSION), contextual=True, refused=(2.0, -1.0))],
    "thompson": [
        Example(B.Thompson(), refused=(-0.5, 1.5)),
        Example(B.Thompson("gaussian")),
        Example(B.Thompson("poisson"), refused=(-1.0,)),
        Example(B.Thompson("gaussian", (0.5, 2.0), 0.5)),
        Example(B.Thompson("gaussian", (0.5, np.inf), 0.5)),
        Example(B.Thompson("gaussian-unknown")),
    ],
    "top-two-thompson": [
        Example(B.TopTwoThompson(beta=0.9)),
        Example(B.TopTwoThompson("gaussian", sd=0.3)),
    ],
    "kl-ucb": [
        Example(B.KLUCB(), refused=(-0.1, 1.1)),
        Example(B.KLUCB("gaussian")),
        Example(B.KLUCB("poisson"), refused=(-1.0,)),
        Example(B.KLUCB("exponential"), refused=(-1.0,), low=0.25),
    ],
    "epsilon-greedy": [Example(B.EpsilonGreedy(0.3)), Example(B.EpsilonGreedy(1.0, gap=0.5, c=1.0))],
    "ucb1": [
        Example(B.UCB1(), refused=(-0.1, 1.1)),
        Example(B.UCB1(bounds=(-1.0, 2.0)), refused=(-2.0, 3.0)),
    ],
}
KINDS = {kind: cls for kind, cls in Policy.kinds.items() if cls.__module__.startswith("abkit.")}


def has_defaults(kind: type[Policy[Any]]) -> bool:
    return all(
        field.default is not MISSING or field.default_factory is not MISSING
        for field in fields(kind)  # type: ignore[arg-type]
    )


EXAMPLES = [
    pytest.param(example, id=f"{kind}-{place}")
    for kind, cls in sorted(KINDS.items())
    for place, example in enumerate(SPECIAL.get(kind, [Example(cls())] if has_defaults(cls) else []))
]
every_policy = pytest.mark.parametrize("example", EXAMPLES)
few = settings(max_examples=5)

#: Place of the arm, whether the reward is the higher one, propensity.
ROWS = st.lists(st.tuples(st.integers(0, 2), st.booleans(), st.sampled_from([0.2, 0.5, 1.0])), max_size=15)


def played(example: Example, rows: list[tuple[int, bool, float]], arms: list[str] = ARMS) -> Any:
    """The state after rewards, one at a time."""
    state = example.policy.init(arms)
    for seed, (place, high, propensity) in enumerate(rows):
        reward = 1.0 if high else example.low
        state = example.policy.update(state, ARMS[place], reward, propensity=propensity, **example.context(seed))
    return state


def tolerance(example: Example) -> float:
    """A closed form rounds; a quadrature has its stated error."""
    return QUADRATURE if "thompson" in str(example.policy.to_dict()) else 1e-9


def test_every_kind_has_an_example() -> None:
    missing = [kind for kind, cls in KINDS.items() if kind not in SPECIAL and not has_defaults(cls)]
    assert missing == []
    assert set(SPECIAL) <= set(KINDS)


@every_policy
@few
@given(rows=ROWS, seed=st.integers(0, 9))
def test_propensities_are_probabilities(example: Example, rows: Any, seed: int) -> None:
    state = played(example, rows)
    shares = example.policy.propensities(state, **example.context(seed))
    assert shares.shape == (3,)
    assert shares.dtype == np.float64
    assert np.all((shares >= 0) & (shares <= 1))
    assert math.isclose(shares.sum(), 1.0, rel_tol=0, abs_tol=3 * tolerance(example))


@every_policy
@few
@given(rows=ROWS, seed=st.integers(0, 9))
def test_the_choice_says_the_probability_of_its_arm(example: Example, rows: Any, seed: int) -> None:
    state = played(example, rows)
    context = example.context(seed)
    choice = example.policy.select(state, rng=np.random.default_rng(seed), **context)
    again = example.policy.select(state, rng=np.random.default_rng(seed), **context)
    assert choice == again
    assert choice.propensity > 0
    shares = example.policy.propensities(state, **context)
    assert choice.propensity == pytest.approx(shares[ARMS.index(choice.arm)], abs=tolerance(example))
    if not example.policy.randomised:
        assert set(shares[shares > 0].tolist()) == {1 / np.count_nonzero(shares)}


@every_policy
@settings(max_examples=3)
@given(rows=ROWS, seed=st.integers(0, 9))
def test_arms_are_chosen_as_often_as_their_propensities_say(example: Example, rows: Any, seed: int) -> None:
    state = played(example, rows)
    context, rng, times = example.context(seed), np.random.default_rng(seed), 250
    shares = example.policy.propensities(state, **context)
    found = [example.policy.select(state, rng=rng, **context).arm for _ in range(times)]
    for arm, share in zip(ARMS, shares, strict=True):
        spread = math.sqrt(max(share * (1 - share), 0.0) / times)
        assert abs(found.count(arm) / times - share) <= 5 * spread + 4 / times


@every_policy
@few
@given(rows=ROWS)
def test_rewards_in_one_list_teach_the_same(example: Example, rows: Any) -> None:
    one_by_one = played(example, rows)
    if not rows:
        return
    places, highs, propensities = zip(*rows, strict=True)
    rewards = [1.0 if high else example.low for high in highs]
    contexts = (
        {"context": [example.context(seed)["context"] for seed in range(len(rows))]} if example.contextual else {}
    )
    at_once = example.policy.update(
        example.policy.init(ARMS), [ARMS[place] for place in places], rewards, propensity=propensities, **contexts
    )
    assert at_once == one_by_one


@every_policy
@few
@given(rows=ROWS, seed=st.integers(0, 9))
def test_states_and_policies_come_back_from_json(example: Example, rows: Any, seed: int) -> None:
    state = played(example, rows)
    back = State.from_json(state.to_json())
    assert type(back) is type(state)
    assert back == state
    assert back.to_json() == state.to_json()
    policy = Policy.from_dict(json.loads(json.dumps(example.policy.to_dict(), allow_nan=False)))
    assert policy == example.policy
    context = example.context(seed)
    assert policy.propensities(back, **context).tolist() == example.policy.propensities(state, **context).tolist()
    pair = [
        p.select(s, rng=np.random.default_rng(seed), **context) for p, s in ((policy, back), (example.policy, state))
    ]
    assert pair[0] == pair[1]


@every_policy
@few
@given(rows=ROWS, order=st.permutations(ARMS), seed=st.integers(0, 9))
def test_the_order_of_arms_has_no_say(example: Example, rows: Any, order: list[str], seed: int) -> None:
    context = example.context(seed)
    here = example.policy.propensities(played(example, rows), **context)
    there = example.policy.propensities(played(example, rows, order), **context)
    close = tolerance(example)
    assert [here[ARMS.index(arm)] for arm in order] == pytest.approx(there.tolist(), rel=1e-9, abs=close)


@every_policy
@few
@given(rows=ROWS)
def test_a_state_is_never_changed(example: Example, rows: Any) -> None:
    state = played(example, rows)
    before = state.to_json()
    after = example.policy.update(state, "b", 1.0, propensity=0.5, **example.context(0))
    assert state.to_json() == before
    for each in (state, after, example.policy.init(ARMS), State.from_json(before)):
        for name in each.arrays():
            assert not getattr(each, name).flags.writeable
    with pytest.raises(AttributeError):
        state.arms = ("x",)


@every_policy
@few
@given(rows=ROWS, seed=st.integers(0, 9))
def test_arms_come_and_go(example: Example, rows: Any, seed: int) -> None:
    state = played(example, rows)
    context = example.context(seed)
    more = state.with_arm("d")
    assert more.arms == ("a", "b", "c", "d")
    assert more.without_arm("d") == state
    fewer = state.without_arm("b")
    assert fewer.arms == ("a", "c")
    for changed in (more, fewer):
        assert State.from_json(changed.to_json()) == changed
        shares = example.policy.propensities(changed, **context)
        assert shares.sum() == pytest.approx(1.0, abs=4 * tolerance(example))
        choice = example.policy.select(changed, rng=np.random.default_rng(seed), **context)
        assert choice.arm in changed.arms
        after = example.policy.update(changed, changed.arms[-1], 1.0, propensity=0.5, **context)
        assert after.arms == changed.arms


@every_policy
def test_one_arm_is_chosen_for_certain(example: Example) -> None:
    state = example.policy.init(["only"])
    for reward in (1.0, example.low, 1.0):
        choice = example.policy.select(state, rng=np.random.default_rng(1), **example.context(1))
        assert choice.arm == "only"
        assert choice.propensity == pytest.approx(1.0, abs=tolerance(example))
        state = example.policy.update(state, "only", reward, propensity=choice.propensity, **example.context(1))


@every_policy
def test_what_cannot_be_is_refused_by_name(example: Example) -> None:
    policy, state = example.policy, example.policy.init(ARMS)
    good: dict[str, Any] = {"propensity": 0.5, **example.context(0)}
    for reward in (math.nan, math.inf, -math.inf, *example.refused):
        with pytest.raises(ValueError, match="`reward`"):
            policy.update(state, "a", reward, **good)
    for wrong in ("1", None, 1j):
        with pytest.raises(TypeError, match="`reward`"):
            policy.update(state, "a", wrong, **good)
    for propensity in (0.0, -0.1, 1.0000001, math.nan, math.inf):
        with pytest.raises(ValueError, match="`propensity`"):
            policy.update(state, "a", 1.0, **(good | {"propensity": propensity}))
    with pytest.raises(ValueError, match="`arm` must be one of 'a', 'b', 'c'; got 'd'"):
        policy.update(state, "d", 1.0, **good)
    with pytest.raises(ValueError, match="`reward` must have one value for each of 2 arms"):
        policy.update(state, ["a", "b"], [1.0])
    for arms in ([], ["a", "a"], 0, [1, "1"]):
        with pytest.raises(ValueError, match="`arms`"):
            policy.init(arms)
    for unnamed in ("ab", [None], [1.5], {"a": 1}, True):
        with pytest.raises(TypeError, match="`arms`"):
            policy.init(unnamed)
    if not example.contextual:
        with pytest.raises(ValueError, match="`context` must be left out"):
            policy.select(state, rng=np.random.default_rng(1), context=[1.0])


@every_policy
@settings(max_examples=3)
@given(
    runs=st.lists(
        st.lists(st.tuples(st.integers(0, 2), st.booleans()), min_size=7, max_size=7),
        min_size=2,
        max_size=4,
    )
)
def test_runs_side_by_side_are_runs_alone(example: Example, runs: Any) -> None:
    """The form of a simulation, arms by runs, knows and does what the live form does in each run."""
    policy, width = example.policy, len(runs)
    together = policy.empty(tuple(ARMS), (width,))
    alone = [policy.init(ARMS) for _ in runs]
    rng = np.random.default_rng(width)
    for step in range(7):
        places = np.array([run[step][0] for run in runs])
        rewards = np.array([1.0 if run[step][1] else example.low for run in runs])
        contexts = rng.normal(size=(width, DIMENSION)) if example.contextual else None
        policy.absorb(together, places * width + np.arange(width), rewards, np.full(width, 0.5), contexts)
        for run, place in enumerate(places.tolist()):
            own = {} if contexts is None else {"context": contexts[run]}
            alone[run] = policy.update(alone[run], ARMS[place], rewards[run].item(), propensity=0.5, **own)
    contexts = rng.normal(size=(width, DIMENSION)) if example.contextual else None
    shares = policy.probabilities(together, contexts)
    picked = policy.pick(together, np.random.default_rng(1), contexts)
    assert shares.shape == (3, width)
    assert picked.shape == (width,)
    for run, state in enumerate(alone):
        for name in state.arrays():
            kept, expected = getattr(together, name), getattr(state, name)
            found = kept[:, run] if kept.ndim > expected.ndim else kept
            np.testing.assert_allclose(found, expected, rtol=1e-12 if example.contextual else 0, err_msg=name)
        live = policy.propensities(state, None if contexts is None else contexts[run])
        np.testing.assert_allclose(shares[:, run], live, rtol=1e-9, atol=tolerance(example))
        assert shares[picked[run], run] > 0
