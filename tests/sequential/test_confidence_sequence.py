"""The face: dispatch, options that a method has no use for, looks, and the plain values."""

from __future__ import annotations

import json

import numpy as np
import pytest

import abkit as ab
from abkit.sequential._confidence_sequence import METHODS

X = np.random.default_rng(5).normal(size=300)


def test_an_unknown_method_is_refused_with_a_suggestion():
    with pytest.raises(ValueError, match=r"Did you mean 'beta-binomial'\?"):
        ab.confidence_sequence([0, 1], method="beta-binomal")


@pytest.mark.parametrize(
    ("method", "option"),
    [
        ("asymptotic", {"variance": 1.0}),
        ("asymptotic", {"bounds": (0, 1)}),
        ("normal-mixture", {"q": 0.5}),
        ("beta-binomial", {"assigned": [0, 1]}),
        ("gamma-poisson", {"treatment": [0, 1]}),
        ("gamma-poisson", {"prior": (1, 1)}),
    ],
)
def test_an_option_that_a_method_has_no_use_for_is_refused_by_name(method, option):
    with pytest.raises(ValueError, match=f"`{next(iter(option))}` must be left out: the method '{method}'"):
        ab.confidence_sequence([0, 1], method=method, **option)


@pytest.mark.parametrize(
    ("name", "value"), [("alpha", 0.0), ("alpha", 1.0), ("alternative", "smaller"), ("tune_at", -1)]
)
def test_numbers_outside_their_domain_are_refused(name, value):
    with pytest.raises(ValueError, match=f"`{name}` must be"):
        ab.confidence_sequence(X, **{"method": "asymptotic", name: value})


def test_every_method_is_there():
    from importlib import import_module

    for module, function in METHODS.values():
        assert callable(getattr(import_module(f"abkit.sequential.{module}"), function))


def test_looks_are_those_of_every_observation():
    each = ab.confidence_sequence(X, method="asymptotic")
    some = ab.confidence_sequence(X, method="asymptotic", looks=[10, 200, 300])
    np.testing.assert_array_equal(some.low, each.low[[9, 199, 299]])
    assert some.n.tolist() == [10, 200, 300]


def test_two_samples_are_looked_at_once_or_where_one_says():
    y = X[:100] + 1
    once = ab.confidence_sequence(X, y, method="asymptotic")
    assert once.n.tolist() == [400]
    twice = ab.confidence_sequence(X, y, method="asymptotic", looks=[[150, 50], [300, 100]])
    assert twice.n.tolist() == [200, 400]
    assert twice.low[1] == once.low[0]
    equal = ab.confidence_sequence(X, y, method="asymptotic", looks=[50, 100])
    assert equal.n.tolist() == [100, 200]


def test_rows_of_two_variants():
    assigned = np.arange(300) % 3 == 0
    rows = ab.confidence_sequence(X, method="asymptotic", assigned=assigned)
    both = ab.confidence_sequence(X[~assigned], X[assigned], method="asymptotic")
    assert rows.low[-1] == pytest.approx(both.low[0], rel=1e-12)
    assert rows.n.tolist() == list(range(1, 301))


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((X,), {"looks": [5, 5]}, "`looks` must be rising"),
        ((X,), {"looks": [0, 5]}, "`looks` must be rising"),
        ((X,), {"looks": [301]}, "`looks` must be rising"),
        ((X, X), {"looks": [301]}, "do not fall, at most"),
        ((X, X), {"assigned": [0, 1]}, "`assigned` must be left out"),
        ((X,), {"assigned": [0, 1]}, "`assigned` must be 0"),
        ((ab.Moments(3, 0.0, 1.0),), {"looks": [3]}, "`looks` must be left out"),
        (([],), {}, "at least one observation"),
        (([1.0, np.nan],), {}, "`data` must be finite"),
    ],
)
def test_looks_and_rows_that_cannot_be_are_refused(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        ab.confidence_sequence(*arguments, method="asymptotic", **options)


def test_plain_values_hold_no_nan():
    sequence = ab.confidence_sequence(ab.Counts([0, 50], [0, 3]), ab.Counts([0, 60], [0, 9]), method="asymptotic")
    data = json.loads(json.dumps(sequence.to_dict(), allow_nan=False))
    assert data["low"][0] is None
    assert data["validity"] == "asymptotic"
    assert data["caution"]


def test_false_alarms_stay_below_alpha_when_looking_after_every_observation():
    rng = np.random.default_rng(11)
    alarms = 0
    for _ in range(400):
        sequence = ab.confidence_sequence(rng.normal(size=500), variance=1.0, alpha=0.1, tune_at=100)
        alarms += bool(sequence.log_pvalue(0.0)[-1] < np.log(0.1))
    assert alarms <= 40 + 3 * 6
