"""When to stop: the evidence by hand, characteristic times of the literature, error rates, and Bayesian rules."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from abkit.bandits import MeanState, Thompson, best_arm, characteristic_time, stopping


def state_of(pulls, sums, m2=None, arms=None):
    pulls, sums = np.asarray(pulls, float), np.asarray(sums, float)
    named = tuple("abcdefgh"[: len(pulls)]) if arms is None else arms
    return MeanState(named, pulls, sums, np.zeros_like(pulls) if m2 is None else np.asarray(m2, float))


@pytest.mark.parametrize(
    ("means", "family", "time", "shares"),
    [
        ((0.5, 0.45, 0.43, 0.4), "bernoulli", 989.792, (0.4165, 0.3903, 0.1362, 0.0570)),
        ((0.3, 0.21, 0.2, 0.19, 0.18), "bernoulli", 326.642, (0.3359, 0.2515, 0.1766, 0.1324, 0.1036)),
        ((1.0, 0.5), "gaussian", 32.0, (0.5, 0.5)),
        ((0.0, 1.0, 0.0, 0.0), "gaussian", 2 * (1 + 3**0.5) ** 2, (0.2113, 0.3660, 0.2113, 0.2113)),
    ],
)
def test_characteristic_times_are_the_published_ones(means, family, time, shares):
    found = characteristic_time(means, family)
    assert found.time == pytest.approx(time, rel=1e-6)
    np.testing.assert_allclose(found.shares, shares, atol=6e-5)


@pytest.mark.parametrize("family", ["bernoulli", "poisson", "exponential"])
def test_no_other_shares_are_faster(family):
    from abkit.bandits._divergence import kl

    means = np.array([0.3, 0.55, 0.5, 0.2])
    found, rng = characteristic_time(means, family), np.random.default_rng(4)

    def rate(w):
        best, rates = 1, []
        for a in (0, 2, 3):
            m = (w[best] * means[best] + w[a] * means[a]) / (w[best] + w[a])
            rates.append(w[best] * float(kl(family, means[best], m)) + w[a] * float(kl(family, means[a], m)))
        return min(rates)

    assert rate(found.shares) == pytest.approx(1 / found.time, rel=1e-9)
    for _ in range(40):
        other = np.array(found.shares) * np.exp(0.1 * rng.normal(size=4))
        assert rate(other / other.sum()) <= 1 / found.time


def test_arms_at_the_edge_and_equal_arms_have_their_times():
    assert math.isfinite(characteristic_time([1.0, 0.5]).time)
    assert characteristic_time([0.5, 0.5, 0.1]).time == math.inf
    assert characteristic_time([0.5, 0.5]).to_dict()["time"] is None
    assert characteristic_time([0.5, 0.4]).rewards(0.5) == 0.0


def test_the_evidence_is_the_log_likelihood_ratio():
    def log_likelihood(n, s, p):
        return s * math.log(p) + (n - s) * math.log(1 - p)

    found = best_arm(state_of([100, 80, 60], [60, 40, 12]))
    pooled = 100 / 180
    expected = log_likelihood(100, 60, 0.6) + log_likelihood(80, 40, 0.5)
    expected -= log_likelihood(100, 60, pooled) + log_likelihood(80, 40, pooled)
    assert found.evidence["b"] == pytest.approx(expected, rel=1e-12)
    assert found.bound == pytest.approx(math.log(2 * 240 * 2 / 0.05))
    assert best_arm(state_of([100, 80, 60], [60, 40, 12]), threshold="practical").bound == pytest.approx(
        math.log((math.log(240) + 1) / 0.05)
    )
    assert not found.stop
    assert str(found).startswith("Continue: 'a' leads; 0.9")


@pytest.mark.parametrize("family", ["bernoulli", "gaussian", "poisson"])
def test_it_is_seldom_wrong_however_often_one_looks(family):
    rng, wrong, delta = np.random.default_rng(8), 0, 0.1
    for _ in range(25):
        draws = {
            "bernoulli": lambda: rng.random((2, 400)) < np.array([[0.5], [0.55]]),
            "gaussian": lambda: rng.normal([[0.0], [0.1]], 1.0, (2, 400)),
            "poisson": lambda: rng.poisson([[1.0], [1.1]], (2, 400)),
        }[family]()
        sums = draws.cumsum(axis=1).astype(float)
        for n in range(40, 400, 60):
            found = best_arm(state_of([n, n], sums[:, n - 1]), delta=delta, family=family, threshold="proved")
            if found.stop:
                wrong += found.arm == "a"
                break
    assert wrong <= 3


def test_one_arm_is_known_and_an_untried_one_is_not():
    assert best_arm(state_of([3], [1])).stop
    assert not best_arm(state_of([300, 0], [200, 0])).stop
    assert not best_arm(state_of([0, 0], [0, 0])).stop
    assert not best_arm(state_of([50, 50], [25, 25])).stop


def test_results_are_strict_json_and_sentences():
    result = stopping(state_of([1000, 1000], [100, 140]))
    assert json.loads(json.dumps(result.to_dict(), allow_nan=False))["arm"] == "b"
    assert str(result).startswith(
        "Stop: no arm is better than the champion by more than 1.00% of its mean, with probability"
    )
    assert "no frequentist error rate" in str(result)
    found = best_arm(state_of([1000, 1000], [100, 240]))
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["stop"] is True
    assert json.dumps(best_arm(state_of([3], [1])).to_dict(), allow_nan=False)
    numbered = stopping(state_of([1000, 1000], [100, 140], arms=(0, 1)))
    assert list(numbered.to_dict()["probability_best"]) == ["0", "1"]


def test_few_rewards_never_stop():
    result = stopping(state_of([5000, 20], [500, 0]), rule="probability-best")
    assert not result.stop
    assert result.reason == "'b' has 20 rewards of the 100 that every arm must have"


def test_the_rule_of_google_analytics_waits_two_weeks():
    state = state_of([1000, 1000], [100, 160])
    early, late = (stopping(state, rule="google-analytics", days=days) for days in (13, 14))
    assert (early.stop, late.stop) == (False, True)
    assert early.reason == "it has run for 13 days of 14"
    with pytest.raises((ValueError, TypeError), match="`days`"):
        stopping(state, rule="google-analytics")


def test_equal_arms_stop_by_value_and_not_by_probability():
    state = state_of([4e5, 4e5], [2e5, 2e5])
    assert stopping(state).stop
    assert not stopping(state, rule="probability-best").stop
    assert stopping(state).value_remaining < 0.01


@pytest.mark.parametrize("family", ["gaussian", "gaussian-unknown"])
def test_gaussian_rewards_have_a_worth_in_rewards(family):
    state = state_of([400, 400], [0.0, 100.0], [400.0, 400.0])
    with pytest.raises(ValueError, match="`worth` must be stated"):
        stopping(state, family)
    result = stopping(state, Thompson(family), worth=0.05)
    assert result.stop
    assert not result.relative
    assert result.expected_loss["a"] == pytest.approx(0.25, abs=0.001)


def test_what_cannot_be_is_refused():
    with pytest.raises(TypeError, match="`state` must be a MeanState"):
        best_arm([1, 2])
    with pytest.raises(ValueError, match="mean rewards must be"):
        best_arm(state_of([3, 3], [9, 1]))
    with pytest.raises(ValueError, match="`delta` must be between 0 and 1"):
        best_arm(state_of([3, 3], [1, 1]), delta=1)
    with pytest.raises(ValueError, match="at least 2 arms"):
        characteristic_time([0.5])
    with pytest.raises(ValueError, match="more rewards of 'b'"):
        stopping(state_of([500, 0], [400, 0]), "poisson")
