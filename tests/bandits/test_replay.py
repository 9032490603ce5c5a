"""Replay: against a plain loop, against what the policy earns when it runs itself, and on a real log."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import abkit as ab
from abkit.bandits._replay import _own, _play
from abkit.errors import DataError

MEANS = np.array([0.1, 0.5, 0.3])
REAL = Path(__file__).parents[3] / "shared" / "data"


def made(n: int, seed: int, shares: object = None) -> dict[str, object]:
    """A log of `n` decisions, uniform or with these shares."""
    rng = np.random.default_rng(seed)
    p = np.full(3, 1 / 3) if shares is None else np.asarray(shares)
    arm = rng.choice(3, size=n, p=p)
    return {"arm": arm, "reward": (rng.random(n) < MEANS[arm]).astype(float), "propensity": p[arm]}


def test_a_policy_without_chance_matches_as_worked_by_hand() -> None:
    # only "b" is known to be good: UCB1 takes it at once, then "a", whose bonus is the larger, then ...
    policy = ab.bandits.UCB1()
    state = policy.update(policy.init(["a", "b"]), ["a", "b", "b"], [0, 1, 1])
    log = {"arm": ["a", "b", "a", "b", "b", "a"], "reward": [1, 1, 1, 0, 1, 1], "when": [1, 2, 3, 4, 5, 6]}
    found = ab.bandits.replay(log, policy, state=state)
    arms, rewards, expected = [], [], state
    for arm, reward in zip(log["arm"], log["reward"], strict=True):
        if policy.index(expected).argmax() == expected.index(arm):
            arms.append(arm)
            rewards.append(reward)
            expected = policy.update(expected, arm, reward)
    assert [found.state.arms[place] for place in found.places] == arms
    assert found.rewards.tolist() == rewards
    assert found.state == expected
    assert found.matches == len(arms) < found.n == found.kept == 6
    assert found.value == pytest.approx(np.mean(rewards), abs=1e-15)


@pytest.mark.parametrize("policy", [ab.bandits.EpsilonGreedy(0.2), ab.bandits.UCB1()], ids=lambda policy: policy.kind)
def test_the_state_has_learnt_the_matches_and_nothing_else(policy: ab.bandits.Policy) -> None:
    found = ab.bandits.replay(made(600, 1), policy)
    arms = [found.state.arms[place] for place in found.places]
    assert policy.update(policy.init(3), arms, found.rewards.tolist()) == found.state
    assert sum(row["matches"] for row in found.arms()) == found.matches
    for row in found.arms():
        own = found.rewards[found.places == row["arm"]]
        assert row["mean"] == (pytest.approx(own.mean()) if own.size else None)


B = ab.bandits


@pytest.mark.parametrize(
    "policy",
    [
        B.Exp3(0.3),
        B.Thompson(),
        B.Batched(B.Exp3(0.3), 7),
        B.Batched(B.LinThompson(2), 5),
        B.SlidingWindow(B.UCB1(), 20),
        B.WithFloor(B.Thompson(), 0.1),
        B.LinUCB(2),
        B.LogisticThompson(2),
    ],
    ids=lambda policy: policy.kind,
)
def test_every_kind_of_policy_learns_as_it_would_live(policy: ab.bandits.Policy) -> None:
    """What it is told at a match: the reward, its own propensity, and the context of that row."""
    log = made(150, 8)
    log |= {"x": np.ones(150), "y": np.random.default_rng(1).normal(size=150), "row": np.arange(150)}
    contextual = "Lin" in repr(policy) or "Logistic" in repr(policy)
    found = B.replay(log, policy, context=["x", "y"] if contextual else None)
    arms, rewards = np.asarray(log["arm"]), np.asarray(log["reward"])
    state = policy.init(3)
    _, matched = _play(
        policy, state, arms, rewards, np.stack([log["x"], log["y"]], axis=1) if contextual else None, _own(None)
    )
    assert rewards[matched].tolist() == found.rewards.tolist()
    for row in matched.tolist():
        known = {"context": [log["x"][row], log["y"][row]]} if contextual else {}
        share = policy.propensities(state, **known)[arms[row]]
        assert share > 0
        state = policy.update(state, int(arms[row]), rewards[row].item(), propensity=share, **known)
    assert found.matches > 20
    assert type(found.state) is type(state)
    for name in state.arrays():
        # of a batch what waits is told with the propensity only where it is learnt from
        if name != "propensities" or policy.needs_propensity:
            np.testing.assert_allclose(getattr(found.state, name), getattr(state, name), rtol=1e-10, err_msg=name)
    assert ab.bandits.State.from_json(found.state.to_json()) == found.state


def test_matches_are_distributed_as_the_policy_itself() -> None:
    """Theorem 1 of Li et al.: the first 40 matches are the first 40 decisions of the policy."""
    policy, runs, decisions = ab.bandits.EpsilonGreedy(0.3), 150, 40
    rng = np.random.default_rng(5)
    alone, replayed = [], []
    for run in range(runs):
        state, total = policy.init(3), 0.0
        for _ in range(decisions):
            arm = policy.select(state, rng=rng).arm
            reward = float(rng.random() < MEANS[arm])
            state, total = policy.update(state, arm, reward), total + reward
        alone.append(total / decisions)
        log = made(250, 1000 + run)
        rewards = np.asarray(log["reward"])
        _, matched = _play(policy, policy.init(3), np.asarray(log["arm"]), rewards, None, rng)
        replayed.append(rewards[matched][:decisions].mean())
    difference = np.mean(replayed) - np.mean(alone)
    assert abs(difference) < 4 * math.sqrt((np.var(alone) + np.var(replayed)) / runs)
    assert np.mean(alone) > 0.35  # it learns: uniform choice has 0.3


def test_a_log_that_is_not_uniform_is_made_so() -> None:
    policy, shares = ab.bandits.EpsilonGreedy(1.0), [0.1, 0.3, 0.6]  # the policy is uniform, worth 0.3
    values, naive, kept = [], [], []
    for seed in range(12):
        log = made(2000, seed, shares)
        found = ab.bandits.replay(log, policy, rng=np.random.default_rng(seed))
        values.append(found.value)
        kept.append(found.kept)
        naive.append(np.mean(log["reward"]))
    assert abs(np.mean(values) - 0.3) < 4 * np.std(values) / math.sqrt(12)
    assert abs(np.mean(naive) - 0.34) < 0.01
    assert np.mean(kept) == pytest.approx(600, abs=30)  # 2000 K p_min


def test_a_log_simulated_with_the_same_generator_is_no_trap() -> None:
    """Draws that repeat those of the log would choose arms by what they gave."""
    values = []
    for seed in range(12):
        log = made(2000, seed)
        values.append(ab.bandits.replay(log, ab.bandits.EpsilonGreedy(1.0), rng=np.random.default_rng(seed)).value)
    assert abs(np.mean(values) - 0.3) < 4 * np.std(values) / math.sqrt(12)


def test_the_same_generator_gives_the_same_replay() -> None:
    policy, log = ab.bandits.EpsilonGreedy(0.5), made(500, 2)
    first, again, other = (
        ab.bandits.replay(log, policy, rng=np.random.default_rng(seed)).to_dict() for seed in (1, 1, 2)
    )
    assert first == again != other
    assert ab.bandits.replay(log, policy).to_dict() == ab.bandits.replay(log, policy.to_dict()).to_dict()


def test_order_sorts_the_decisions() -> None:
    log = made(300, 3)
    log["when"] = np.arange(300)
    turned = {name: np.asarray(values)[::-1] for name, values in log.items()}
    ordered, plain = (
        ab.bandits.replay(turned, ab.bandits.UCB1(), order="when"),
        ab.bandits.replay(log, ab.bandits.UCB1()),
    )
    assert ordered.to_dict() == plain.to_dict()


def test_intervals_are_exact_for_zeros_and_ones_and_students_otherwise() -> None:
    log = made(900, 4)
    found = ab.bandits.replay(log, ab.bandits.EpsilonGreedy(0.1))
    exact = stats.binomtest(int(found.rewards.sum()), found.matches).proportion_ci(0.9, "exact")
    assert tuple(found.interval(0.9)) == pytest.approx((exact.low, exact.high), rel=1e-9)
    assert found.stderr == pytest.approx(stats.sem(found.rewards), rel=1e-12)
    log["reward"] = np.asarray(log["reward"]) + np.random.default_rng(1).normal(size=900)
    found = ab.bandits.replay(log, ab.bandits.EpsilonGreedy(0.1))
    expected = stats.t.interval(0.95, found.matches - 1, found.value, found.stderr)
    assert tuple(found.interval()) == pytest.approx(expected, rel=1e-9)


def test_rewards_that_are_all_the_same_have_no_interval() -> None:
    found = ab.bandits.replay({"arm": ["a", "b"] * 9, "reward": [2.5] * 18}, ab.bandits.EpsilonGreedy())
    assert found.interval().shape == "none"
    assert found.to_dict()["interval"] is None
    one = ab.bandits.replay({"arm": ["a"], "reward": [1]}, ab.bandits.EpsilonGreedy())
    assert (one.matches, one.to_dict()["stderr"]) == (1, None)
    assert one.interval().high == 1.0


def test_the_random_log_of_the_open_bandit_data_set() -> None:
    """10,000 decisions among 80 arms: about 125 match, and the uniform policy is worth the log's click rate, 0.38%."""
    columns = {"arm": "item_id", "reward": "click", "propensity": "propensity_score", "order": "timestamp"}
    found = ab.bandits.replay(str(REAL / "obd_all_random.parquet"), ab.bandits.EpsilonGreedy(1.0), **columns)
    assert found.n == found.kept == 10_000
    assert len(found.state.arms) == 80
    assert abs(found.matches - 125) < 4 * math.sqrt(125)
    assert found.interval().contains(0.0038)


def test_nothing_is_said_where_nothing_matches() -> None:
    policy = ab.bandits.UCB1()
    state = policy.update(policy.init(["a", "b"]), ["a", "b"] * 50, [0, 1] * 50)
    log = {"arm": ["a", "b"], "reward": [1, 1], "propensity": [1e-9, 1 - 1e-9]}
    with pytest.raises(DataError, match=r"none of 2 decisions .* \(1 were compared with it\)"):
        ab.bandits.replay(log, policy, state=state)


@pytest.mark.parametrize(
    ("change", "options", "says"),
    [
        ({"propensity": [0.5, 0.5, 1.5, 0.5]}, {}, "`propensity` must be probabilities.*got 1.5"),
        ({"propensity": [0.5, 0.5, 0.0, 0.5]}, {}, "`propensity` must be probabilities.*got 0"),
        ({"propensity": [1.0, 1.0, 1.0, 1.0]}, {}, "at most 1/2 where 2 arms have the same; got 1"),
        ({"propensity": ["a"] * 4}, {}, "`propensity` must be probabilities"),
        ({"reward": [0.0, 1.0, 2.0, 0.0]}, {}, "`reward` must be within the declared bounds 0 and 1; got 2"),
        ({"reward": [0.0, 1.0, math.nan, 0.0]}, {}, "1 of 4 in `reward`"),
        ({"reward": list("abcd")}, {}, "`reward` must hold numbers"),
        ({"arm": ["a", "b", None, "a"]}, {}, "1 of 4 in `arm`"),
        ({}, {"propensity": "p"}, "no column `p`"),
        ({}, {"order": "when"}, "no column `when`"),
        ({}, {"state": ab.bandits.UCB1().init(["a", "b", "c"])}, "never chose 'c'"),
        ({"arm": ["a"] * 100 + ["b"] * 10, "reward": [1] * 110}, {}, "not chosen uniformly: 10 to 100 times each"),
    ],
)
def test_what_cannot_be_replayed_is_refused(change: dict, options: dict, says: str) -> None:
    log = {"arm": ["a", "b", "b", "a"], "reward": [0.0, 1.0, 1.0, 0.0]} | change
    with pytest.raises(DataError, match=says):
        ab.bandits.replay(log, ab.bandits.UCB1(), **options)


def test_wrong_arguments_are_named() -> None:
    log = made(9, 1)
    with pytest.raises(TypeError, match="`rng`"):
        ab.bandits.replay(log, ab.bandits.UCB1(), rng=1)
    with pytest.raises(TypeError, match="`state`"):
        ab.bandits.replay(log, ab.bandits.UCB1(), state={})
    with pytest.raises(ValueError, match="`policy`"):
        ab.bandits.replay(log, "ucb1")


def test_it_prints_a_sentence() -> None:
    found = ab.bandits.replay(made(900, 1, [0.2, 0.3, 0.5]), ab.bandits.EpsilonGreedy(0.1))
    lines = str(found).splitlines()
    assert lines[0].startswith("epsilon-greedy would have earned 0.")
    assert " a decision, 95% interval 0." in lines[0]
    assert lines[1].endswith(f"of 900 decisions match; {found.kept} were kept, so that arms are as if chosen uniformly")
    assert repr(found) == f"Replayed(epsilon-greedy, value={found.value:.6g}, matches={found.matches}, n=900)"


def test_the_log_of_a_policy_with_a_few_ties_is_refused() -> None:
    rng = np.random.default_rng(3)
    log = {"arm": ["a", "b", "a"] + ["b"] * 400, "reward": rng.integers(2, size=403)}
    log["propensity"] = [0.5, 0.5, 0.5] + [1.0] * 400
    with pytest.raises(DataError, match=r"a chance in every row.*2 on average; it is 1\.01"):
        ab.bandits.replay(log, ab.bandits.EpsilonGreedy(0.1))
