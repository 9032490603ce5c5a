"""Simulation: the same seed, the same result; each lane is a run of the policy; rewards that come when they come."""

from __future__ import annotations

import math
from contextlib import contextmanager

import numpy as np
import pytest
from scipy import stats

import abkit as ab
from abkit.bandits import _lanes
from abkit.bandits._beta_draws import BetaDraws
from abkit.bandits._course import Lesson, _Mail

b = ab.bandits
TWO = b.Bernoulli([0.9, 0.8])
TIED = b.Bernoulli([0.5, 0.5, 0.5, 0.4])
FAST = [b.EpsilonGreedy(0.2), b.EpsilonGreedy(1.0, gap=0.3, c=1.0), b.UCB1(), b.UCB1(bounds=(-1, 2)), b.Thompson()]
CHANGING = b.Abrupt([(0, TWO), (100, b.Bernoulli([0.1, 0.8]))])


@pytest.mark.parametrize("policy", [*FAST, b.Softmax(0.1), b.KLUCB()], ids=repr)
@pytest.mark.parametrize("environment", [TWO, CHANGING, b.Delayed(TWO, 3.0, "geometric")], ids=lambda e: e.kind)
def test_the_same_seed_gives_the_same_result_recorded_or_not(policy, environment):
    first = b.simulate(policy, environment, 120, 3, np.random.default_rng(5))
    again = b.simulate(policy, environment, 120, 3, 5, record=True)
    other = b.simulate(policy, environment, 120, 3, 6)
    assert np.array_equal(first.regrets, again.regrets)
    assert np.array_equal(first.pulls, again.pulls)
    assert not np.array_equal(first.pulls, other.pulls)


def test_one_generator_gives_other_runs_each_time():
    rng = np.random.default_rng(1)
    first, second = (b.simulate(b.EpsilonGreedy(), TWO, 100, 5, rng).pulls for _ in range(2))
    assert not np.array_equal(first, second)


def test_a_thousand_runs_are_the_first_of_more():
    few, many = (b.simulate(b.UCB1(), TWO, 30, runs, 3) for runs in (1000, 1300))
    assert np.array_equal(few.final_regret, many.final_regret[:1000])
    assert many.runs == many.final_regret.size == 1300


@pytest.mark.parametrize("policy", FAST, ids=repr)
@pytest.mark.parametrize("environment", [TIED, b.Bernoulli([0.3])], ids=["many", "one"])
def test_the_recorded_propensities_are_the_policys(policy, environment):
    """Replayed reward by reward through `update`, in every lane."""
    found = b.simulate(policy, environment, 30, 3, 1, record=True).kept
    for run in range(3):
        state = policy.init(environment.arms)
        for place, reward, every in zip(
            found.places[:, run], found.rewards[:, run], found.propensities[:, :, run], strict=True
        ):
            assert every == pytest.approx(policy.propensities(state), abs=1e-9)
            assert every[place] > 0
            state = policy.update(state, int(place), float(reward), propensity=float(every[place]))


@pytest.mark.parametrize("policy", FAST, ids=repr)
def test_arms_are_chosen_with_their_propensities(policy):
    found = b.simulate(policy, TIED, 25, 60 if isinstance(policy, b.Thompson) else 600, 1, record=True).kept
    chosen = found.places[:, None, :] == np.arange(4)[None, :, None]
    off = chosen - found.propensities
    spread = np.sqrt((found.propensities * (1 - found.propensities)).sum(axis=(0, 2)))
    assert np.all(np.abs(off.sum(axis=(0, 2))) <= 4.5 * np.maximum(spread, 1e-9))
    assert np.all(found.propensities[chosen] > 0)


@pytest.mark.parametrize("policy", [b.EpsilonGreedy(0.1), b.UCB1(), b.Thompson()], ids=repr)
def test_tables_have_the_distribution_of_the_hooks(policy, monkeypatch):
    fast = b.simulate(policy, TIED, 300, 1000, 1).final_regret
    monkeypatch.setattr("abkit.bandits._course.lanes_of", lambda policy, tables: _lanes.Lanes)
    slow = b.simulate(policy, TIED, 300, 1000, 2).final_regret
    assert stats.ks_2samp(fast, slow).pvalue > 1e-4


@pytest.mark.parametrize(("a", "b_"), [(1.0, 1.0), (1.0, 30.0), (2.5, 1.0), (400.0, 20.0), (1.5, 1e7)])
def test_betas_drawn_together_are_betas(a, b_):
    draws = BetaDraws(a, b_, (4, 500), np.random.default_rng(4))
    drawn = np.concatenate([draws.draw().reshape(-1).copy() for _ in range(10)])
    assert stats.kstest(drawn, stats.beta(a, b_).cdf).pvalue > 1e-4


def test_the_squeeze_lies_below_the_acceptance():
    for shape in [1.0, 1.0001, 1.3, 2.0, 5.0, 50.0, 1e4]:
        third = shape - 1 / 3
        c = 1 / math.sqrt(9 * third)
        x = np.concatenate([np.linspace(-min(1 / c, 12), -0.05, 20_001)[1:], np.linspace(0.05, 12, 20_001)])
        v = 1 + c * x
        chance = x * x / 2 + third * (1 - v**3 + 3 * np.log(v))
        assert np.all(1 - 0.1985 * c * c * x**4 <= np.exp(chance) + 1e-11)


def test_a_uniform_policy_costs_the_mean_gap():
    environment = b.Bernoulli([0.9, 0.5, 0.1])
    found = b.simulate(b.EpsilonGreedy(1.0), environment, 400, 500, 1)
    assert found.final_regret.mean() == pytest.approx(400 * 0.4, abs=4.5 * math.sqrt(400 * 0.32 / 3 / 500 * 2))


def test_regret_of_changing_means_is_against_the_best_of_the_moment():
    found = b.simulate(b.EpsilonGreedy(0.5), CHANGING, 200, 4, 1, record=True, checkpoints=[100])
    places, means = found.kept.places, np.array([CHANGING.expected(t) for t in range(200)])
    lost = means.max(axis=1)[:, None] - means[np.arange(200)[:, None], places]
    assert found.times.tolist() == [100, 200]
    assert found.regrets[0] == pytest.approx(lost[:100].sum(axis=0), abs=1e-9)
    assert found.final_regret == pytest.approx(lost.sum(axis=0), abs=1e-9)


def test_regret_in_contexts_is_against_the_best_arm_of_each():
    environment = b.LogisticContexts([[0.0, 2.0], [0.0, -2.0]])
    reader, blind = b.LogisticThompson(2), b.Thompson()
    seen = b.simulate(reader, environment, 300, 20, 1, record=True)
    expected = np.moveaxis([environment.expected(t, seen.kept.contexts[t]) for t in range(300)], 0, 1)
    lost = expected.max(axis=0) - np.take_along_axis(expected, seen.kept.places[None], 0)[0]
    assert seen.final_regret == pytest.approx(lost.sum(axis=0), abs=1e-9)
    assert b.simulate(blind, environment, 300, 20, 1).final_regret.mean() > 2 * seen.final_regret.mean()


def test_nothing_is_learnt_before_it_is_known():
    late = b.simulate(b.UCB1(), b.Delayed(TWO, 50), 51, 100, 1)
    assert late.pulls.mean(axis=1) == pytest.approx([25.5, 25.5], abs=2.5)
    never = b.simulate(b.KLUCB(), b.Delayed(b.Bernoulli([1.0, 0.0]), 1e6, "geometric"), 60, 300, 1)
    assert never.shares[-1, 0] == pytest.approx(0.5, abs=0.02)


def test_batches_are_learnt_at_their_end():
    environment = b.Delayed(b.Bernoulli([1.0, 0.0]), batch=20)
    places = b.simulate(b.EpsilonGreedy(0.0), environment, 60, 200, 1, record=True).kept.places
    assert 0.45 < places[:20].mean() < 0.55
    assert not places[20:].any()


@pytest.mark.parametrize("law", ["fixed", "geometric"])
def test_every_reward_is_delivered_once_and_never_two_of_a_run_at_once(law):
    environment, rng, mail = b.Delayed(TWO, 4.0, law, batch=3), np.random.default_rng(1), _Mail(6)
    seen: dict[tuple[int, float], int] = {}
    for t in range(400):
        for lesson in mail.open(t):
            assert np.unique(lesson.flat % 6).size == lesson.flat.size
            assert lesson.context is None
            for flat, reward in zip(lesson.flat, lesson.reward, strict=True):
                assert reward < t
                assert t % 3 == 0
                seen[int(flat % 6), float(reward)] = seen.get((int(flat % 6), float(reward)), 0) + 1
        if t < 100:
            flat = rng.integers(2, size=6) * 6 + np.arange(6)
            mail.post(environment.arrivals(t, 6, rng), Lesson(flat, np.full(6, float(t)), None, None), 400)
    assert set(seen.values()) == {1}
    assert len(seen) == 600


def test_exp3_learns_from_the_propensity_of_its_time():
    found = b.simulate(b.Exp3(0.2), b.Delayed(b.Bernoulli([0.9, 0.1]), 10), 1500, 20, 1)
    assert found.shares[-1, 0] > 0.7


def test_what_comes_after_the_end_is_not_kept():
    mail, lesson = _Mail(2), Lesson(np.arange(2), np.zeros(2), None, None)
    mail.post(10, lesson, 10)
    mail.post(np.array([9, 10]), lesson, 10)
    assert list(mail.due) == [9]


def test_huge_and_tiny_rewards_leave_no_warning():
    for environment in (b.Gaussian([1e100, -1e100], 1e100), b.Exponential([1e-100, 1e100]), b.Poisson([0, 1e15])):
        found = b.simulate(b.EpsilonGreedy(), environment, 200, 5, 1)
        assert np.all(np.isfinite(found.regret.mean))
        assert np.isfinite(found.slope_stderr)
        assert str(found)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((b.UCB1(), TWO, 0, 1, 1), "`horizon` must be at least 1; got 0."),
        ((b.UCB1(), TWO, 1, 0, 1), "`runs` must be at least 1; got 0."),
        ((b.UCB1(), TWO, 1.5, 1, 1), "`horizon` must be a whole number; got 1.5."),
        ((b.UCB1(), TWO, 1, 1, None), "`rng` must be a numpy.random.Generator or a whole number; got None."),
        ((b.UCB1(), TWO, 1, 1, -1), "`rng` must be at least 0; got -1."),
        (("ucb1", TWO, 1, 1, 1), "`policy` must be one of ab.bandits; got 'ucb1'."),
        ((b.UCB1(), [0.9, 0.8], 1, 1, 1), "`environment` must be one of ab.bandits"),
        ((b.UCB1((0.0, 0.5)), TWO, 1, 1, 1), "`reward` must be within the declared bounds 0 and 0.5; got 1."),
        ((b.UCB1(), b.Gaussian([0.0, 9.0]), 50, 1, 1), "`reward` must be within the declared bounds"),
        ((b.LinUCB(2), TWO, 1, 1, 1), "`context` must be given"),
        ((b.LinUCB(3), b.LinearContexts([[0.0, 1.0]]), 1, 1, 1), "`context` must have 3 numbers"),
    ],
)
def test_what_cannot_be_simulated_is_refused(arguments, sentence):
    with pytest.raises((ValueError, TypeError), match=sentence):
        b.simulate(*arguments)


@pytest.mark.parametrize("checkpoints", [[0], [11], [1.5], [float("nan")], "late", [[1]]])
def test_checkpoints_are_decisions_of_the_run(checkpoints):
    with pytest.raises((ValueError, TypeError), match="`checkpoints` must"):
        b.simulate(b.UCB1(), TWO, 10, 1, 1, checkpoints=checkpoints)


def test_a_long_simulation_tells_how_far_it_is(monkeypatch):
    told = []

    @contextmanager
    def progress(what):
        told.append(what)
        yield told.append

    monkeypatch.setattr("abkit.bandits._simulate.progress", progress)
    ab.bandits.simulate(ab.bandits.UCB1(), ab.bandits.Bernoulli([0.9, 0.8]), 50, 1001, 1)
    what, *shares = told
    assert what == "simulating 50,050 decisions"
    assert shares == sorted(shares)
    assert shares[-1] == 1
