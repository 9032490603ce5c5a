"""The other arm of top-two sampling, where waiting for it would take for ever."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import abkit as ab
from abkit.bandits._challengers import challengers
from abkit.posterior import Beta, Gamma, Normal, probability_best

DRAWS = 20_000


@pytest.mark.parametrize(
    ("posterior", "leader"),
    [
        (Beta(np.array([5.0, 6, 3]), np.array([3.0, 3, 4])), 2),
        (Beta(np.array([900.0, 820, 815, 3]), np.array([600.0, 650, 646, 40])), 0),
        (Beta(np.array([2e5, 1.9e5, 1.8999e5]), np.array([2e5, 2.1e5, 2.1001e5])), 0),
        (Gamma(np.array([500.0, 380, 100]), np.array([100.0, 100, 30])), 0),
        (Normal(np.array([0.0, 1.0, 0.2, 0.21]), np.array([0.1, 0.02, 0.05, 0.05])), 1),
        (Normal(np.array([0.0, 0.5, 0.4, 0.45]), np.array([0.1, 0.3, 0.3, 0.5])), 0),
    ],
)
def test_challengers_are_as_frequent_as_quadrature_says(posterior: Any, leader: int) -> None:
    expected = probability_best(posterior.take(lambda array: array[:, None]), 38.0)[:, 0]
    expected[leader] = 0
    expected /= expected.sum()
    many = posterior.take(lambda array: np.repeat(array[:, None], DRAWS, axis=1))
    found = challengers(many, np.full(DRAWS, leader), np.random.default_rng(8))
    share = np.bincount(found, minlength=len(expected)) / DRAWS
    np.testing.assert_array_less(np.abs(share - expected), 4.5 * np.sqrt(expected * (1 - expected) / DRAWS) + 3 / DRAWS)


def test_where_every_rival_is_below_the_floor_any_of_them_comes() -> None:
    policy, n = ab.bandits.TopTwoThompson(), np.full((3, 1), 4000.0)
    one = ab.bandits.MeanState((0, 1, 2), n, np.array([[400.0], [2000], [420]]), 0 * n)
    assert policy.probabilities(one)[:, 0].tolist() == pytest.approx([0.25, 0.5, 0.25])
    many = ab.bandits.MeanState((0, 1, 2), *(np.repeat(getattr(one, f), 4000, axis=1) for f in one.arrays()))
    picked = np.bincount(policy.pick(many, np.random.default_rng(5))) / 4000
    np.testing.assert_allclose(picked, [0.25, 0.5, 0.25], atol=0.035)


@pytest.mark.parametrize("family", ["bernoulli", "gaussian", "poisson", "gaussian-unknown"])
def test_top_two_picks_as_often_as_it_says_where_one_arm_leads_far(family: str) -> None:
    policy = ab.bandits.TopTwoThompson(family)  # type: ignore[arg-type]
    n = np.array([[90.0], [80], [70]])
    state = ab.bandits.MeanState((0, 1, 2), n, n * [[0.9], [0.4], [0.42]], n * 0.2)
    runs = 1 if family == "gaussian-unknown" else 4000
    many = ab.bandits.MeanState((0, 1, 2), *(np.repeat(getattr(state, f), runs, axis=1) for f in state.arrays()))
    picked = np.bincount(policy.pick(many, np.random.default_rng(5)), minlength=3) / runs
    expected = policy.probabilities(state)[:, 0]
    assert picked.sum() == pytest.approx(1)
    if runs > 1:
        np.testing.assert_array_less(np.abs(picked - expected), 4.5 * np.sqrt(expected * (1 - expected) / runs) + 1e-3)


def test_two_arms_are_never_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("a quadrature in a simulation")

    monkeypatch.setattr(ab.bandits.TopTwoThompson, "_best", refuse)
    for means in ([0.9, 0.1], [0.9, 0.1, 0.2]):
        found = ab.bandits.simulate(ab.bandits.TopTwoThompson(), ab.bandits.Bernoulli(means), 300, 20, 1)
        np.testing.assert_allclose(found.shares[-1, 0], 0.5, atol=0.06)
