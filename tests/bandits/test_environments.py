"""Environments: what they expect, what they draw, what they refuse, and their form in files."""

from __future__ import annotations

import json

import numpy as np
import pytest

import abkit as ab

b = ab.bandits
BEFORE, AFTER = b.Bernoulli([0.9, 0.1]), b.Bernoulli([0.1, 0.9])
ALL = [
    b.Bernoulli([0.9, 0.8], arms=["x", "y"]),
    b.Gaussian([0.5, -0.2], 0.3),
    b.Poisson([1, 0]),
    b.Exponential([1, 2]),
    b.Drifting(BEFORE, [0.1, 0.9], 200, returns=True),
    b.Abrupt([(0, BEFORE), (100, AFTER)]),
    b.Delayed(BEFORE, 10),
    b.Delayed(b.Drifting(BEFORE, [0.1, 0.9], 200), 2.5, "geometric", batch=20),
    b.LinearContexts([[0, 1], [0.5, 0]], 0.5),
    b.Delayed(b.LogisticContexts([[0, 1, 2], [0.5, 0, 1]], arms=["x", "y"]), 3),
]


@pytest.mark.parametrize("environment", ALL, ids=lambda environment: environment.kind)
def test_files_give_the_same_environment_back(environment):
    text = json.dumps(environment.to_dict(), allow_nan=False)
    assert b.Environment.from_dict(json.loads(text)) == environment
    assert len(environment.arms) == 2


@pytest.mark.parametrize(
    ("environment", "variance"),
    [
        (b.Bernoulli([0.2, 0.9]), lambda m: m * (1 - m)),
        (b.Gaussian([-3.0, 5.0], 2.0), lambda m: 4.0),
        (b.Poisson([0.5, 7.0]), lambda m: m),
        (b.Exponential([0.1, 30.0]), lambda m: m * m),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_rewards_have_the_mean_and_variance_of_their_law(environment, variance):
    rng = np.random.default_rng(1)
    for mean in environment.means:
        drawn = environment.around(np.full(40_000, mean), 0, rng)
        assert drawn.mean() == pytest.approx(mean, abs=4.5 * np.sqrt(variance(mean) / 40_000))
        assert drawn.var() == pytest.approx(variance(mean), rel=0.06)


def test_extremes_of_probability_are_certain():
    rng = np.random.default_rng(1)
    drawn = b.Bernoulli([0, 1]).around(np.repeat([0.0, 1.0], 1000), 0, rng)
    assert drawn.tolist() == [0.0] * 1000 + [1.0] * 1000


@pytest.mark.parametrize(
    ("environment", "constant"),
    [
        # sum of gaps / divergences, to six digits, from mpmath
        (b.Bernoulli([0.9, 0.8]), 2.252100),
        (b.Bernoulli([0.25, 0.2]), 7.140708),
        (b.Bernoulli([0.1, *[0.05] * 3, *[0.02] * 3, *[0.01] * 3]), 17.445174),
        (b.Gaussian([1.0, 0.0, 0.0], 2.0), 16.0),
        (b.Bernoulli([0.5, 0.5]), 0.0),
    ],
)
def test_the_constant_of_lai_and_robbins(environment, constant):
    assert environment.lai_robbins == pytest.approx(constant, abs=5e-7)
    assert b.Delayed(environment, 5).lai_robbins == environment.lai_robbins


def test_where_no_constant_is_known():
    assert all(e.lai_robbins is None for e in ALL if e.changes or e.dimension)


def test_drifting_means_go_there_and_stay_or_come_back():
    there = b.Drifting(BEFORE, [0.1, 0.5], 100)
    back = b.Drifting(BEFORE, [0.1, 0.5], 100, returns=True)
    for environment, at, expected in (
        (there, 0, [0.9, 0.1]),
        (there, 25, [0.7, 0.2]),
        (there, 1000, [0.1, 0.5]),
        (back, 150, [0.5, 0.3]),
        (back, 200, [0.9, 0.1]),
        (back, 10**9 + 100, [0.1, 0.5]),
    ):
        assert environment.expected(at).tolist() == pytest.approx(expected, abs=1e-9)


def test_the_spread_of_a_phase_is_its_own():
    quiet, loud = b.Gaussian([0.0, 1.0], 0.01), b.Gaussian([0.0, 1.0], 10.0)
    environment = b.Abrupt([(0, quiet), (5, loud)])
    rng = np.random.default_rng(1)
    assert environment.around(np.zeros(1000), 4, rng).std() < 0.02
    assert environment.around(np.zeros(1000), 5, rng).std() > 8


def test_when_rewards_arrive():
    rng = np.random.default_rng(1)
    assert b.Delayed(BEFORE).arrivals(7, 3, rng) == 8
    assert b.Delayed(BEFORE, 10).arrivals(7, 3, rng) == 18
    assert [b.Delayed(BEFORE, batch=10).arrivals(t, 3, rng) for t in (0, 8, 9, 10)] == [10, 10, 10, 20]
    late = b.Delayed(BEFORE, 4.0, "geometric").arrivals(7, 50_000, rng) - 8
    assert late.min() == 0
    assert late.mean() == pytest.approx(4.0, abs=0.1)
    assert np.mean(late == 0) == pytest.approx(1 / 5, abs=0.01)
    assert not np.any(b.Delayed(BEFORE, 4.0, "geometric", batch=6).arrivals(7, 100, rng) % 6)


def test_contexts_and_what_is_expected_in_them():
    environment = b.LogisticContexts([[0.0, 2.0], [1.0, 0.0]])
    context = environment.contexts(0, 5000, np.random.default_rng(1))
    assert context.shape == (5000, 2)
    assert np.all(context[:, 0] == 1)
    expected = environment.expected(0, context)
    assert expected[0] == pytest.approx(1 / (1 + np.exp(-2 * context[:, 1])), abs=1e-12)
    assert expected[1] == pytest.approx(1 / (1 + np.exp(-1)), abs=1e-12)
    assert environment.expected().tolist() == pytest.approx([0.5, 1 / (1 + np.exp(-1))])


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: b.Bernoulli([0.5, 1.1]), "`means` must be within 0 and 1; got 1.1."),
        (lambda: b.Bernoulli([0.5, float("nan")]), "`means` must be finite"),
        (lambda: b.Bernoulli([]), "`means` must have one value an arm; got none."),
        (lambda: b.Bernoulli([0.5], arms=["a", "b"]), "`arms` must name each of 1 arms; got 2 names."),
        (lambda: b.Bernoulli([0.5, 0.6], arms=["a", "a"]), "`arms` must not repeat a name"),
        (lambda: b.Gaussian([0.5], 0), "`sd` must be greater than 0; got 0."),
        (lambda: b.Gaussian([0.5], 1e101), "`sd` must be at most 1e\\+100"),
        (lambda: b.LinearContexts([[1e101]]), "`coefficients` must be at most 1e\\+100"),
        (lambda: b.Poisson([-1]), "`means` must be within 0 and 1e\\+15; got -1."),
        (lambda: b.Exponential([0.0]), "`means` must be within 1e-100"),
        (lambda: b.Drifting(BEFORE, [0.5], 10), "`to` must have one mean for each of 2 arms; got 1."),
        (lambda: b.Drifting(BEFORE, [0.5, 2], 10), "`to` must be within 0 and 1; got 2."),
        (lambda: b.Drifting(BEFORE, [0.5, 0.5], 0), "`steps` must be at least 1; got 0."),
        (lambda: b.Drifting(ALL[4], [0.5, 0.5], 1), "`environment` must be one of Bernoulli, Exponential"),
        (lambda: b.Abrupt([(5, BEFORE)]), "`phases` must begin with decision 0"),
        (lambda: b.Abrupt([(0, BEFORE), (0, AFTER)]), "`phases` must begin with decision 0"),
        (lambda: b.Abrupt([]), "`phases` must be a list"),
        (lambda: b.Abrupt([(0, BEFORE), (5, ALL[0])]), "`phases` must be of one kind"),
        (lambda: b.Delayed(BEFORE, 1.5), "`delay` must be a whole number"),
        (lambda: b.Delayed(BEFORE, -1), "`delay` must be at least 0; got -1."),
        (lambda: b.Delayed(BEFORE, 1, "weekly"), "`law` must be one of 'fixed', 'geometric'; got 'weekly'."),
        (lambda: b.Delayed(BEFORE, batch=0), "`batch` must be at least 1; got 0."),
        (lambda: b.Delayed(b.Delayed(BEFORE, 1), 1), "`environment` must not be delayed already"),
        (lambda: b.Delayed("bernoulli"), "`environment` must be one of ab.bandits; got 'bernoulli'."),
        (lambda: b.LinearContexts([[1.0], [1.0, 2.0]]), "`coefficients` must have rows of one length."),
        (lambda: b.LinearContexts([]), "`coefficients` must have"),
        (lambda: b.Environment.from_dict({"kind": "bernouli"}), "Did you mean 'bernoulli'"),
        (lambda: b.Environment.from_dict([]), "`environment` must be a mapping with a kind"),
        (lambda: b.Environment.from_dict({"kind": "bernoulli"}), "`environment` of kind bernoulli must have means"),
        (lambda: b.Environment.from_dict({"kind": "bernoulli", "mean": [1]}), "Did you mean 'means'"),
    ],
)
def test_what_cannot_be_is_refused(make, sentence):
    with pytest.raises((ValueError, TypeError), match=sentence):
        make()
