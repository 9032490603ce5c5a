"""Counts: whole numbers in, whole numbers out."""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abkit import Counts, Moments


@st.composite
def counts(draw, most=10**12):
    n = draw(st.integers(0, most))
    return Counts(n, draw(st.integers(0, n)))


BINARY = st.lists(st.sampled_from([0, 1]), max_size=20)


@given(BINARY)
def test_a_sample_gives_its_length_and_its_ones(values):
    assert Counts.from_sample(values) == Counts(len(values), sum(values))


@given(BINARY, BINARY)
def test_parts_pool_to_the_whole(first, second):
    assert Counts.from_sample(first) + Counts.from_sample(second) == Counts.from_sample(first + second)


@given(counts(), counts(), counts())
def test_pooling_is_commutative_and_associative_without_rounding(a, b, c):
    assert a + b == b + a
    assert (a + b) + c == a + (b + c)


@given(counts())
def test_no_units_change_nothing(a):
    assert a + Counts(0, 0) == a == Counts(0, 0) + a


@given(st.lists(st.tuples(counts(10**6), counts(10**6)), min_size=1, max_size=5))
def test_many_groups_at_once_pool_as_each_would_alone(pairs):
    first, second = (
        Counts(np.array([p[i].n for p in pairs]), np.array([p[i].successes for p in pairs])) for i in (0, 1)
    )
    together = first + second
    for i, (a, b) in enumerate(pairs):
        assert (together.n[i], together.successes[i]) == ((a + b).n, (a + b).successes)


@given(counts(2**53))
def test_json_gives_the_same_counts_back(a):
    assert Counts.from_json(a.to_json()) == a
    assert json.loads(a.to_json()) == {"kind": "counts", "n": a.n, "successes": a.successes}


def test_json_gives_many_groups_back():
    a = Counts(np.array([[3, 0], [9, 1]]), np.array([[1, 0], [9, 0]]))
    b = Counts.from_json(a.to_json())
    assert b == a
    assert b.n.dtype == np.int64


@given(BINARY)
def test_moments_are_those_of_the_zeros_and_ones(values):
    a, b = Counts.from_sample(values).moments(), Moments.from_sample(values)
    assert a.n == b.n
    assert a.mean == pytest.approx(b.mean, rel=1e-15)
    assert a.m2 == pytest.approx(b.m2, rel=1e-14)


def test_moments_of_many_groups():
    a = Counts(np.array([0, 4]), np.array([0, 1])).moments()
    assert a == Moments(np.array([0, 4]), np.array([0.0, 0.25]), np.array([0.0, 0.75]))


def test_counts_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        Counts(np.array([5]), np.array([1])).successes[0] = 2


REFUSED = [
    ((5, 6), ValueError, "`successes` must be at most `n`; got 6 of 5."),
    ((-1, 0), ValueError, "`n` must be at least 0; got -1."),
    ((5, -1), ValueError, "`successes` must be at least 0; got -1."),
    ((True, True), TypeError, "`n` must be a whole number; got True."),
    ((5, True), TypeError, "`successes` must be a whole number; got True."),
    ((np.array([True]), np.array([True])), TypeError, "`n` must be whole numbers; got an array of bool."),
    ((5.0, 1), TypeError, "`n` must be a whole number; got 5."),
    ((5, math.nan), TypeError, "`successes` must be a whole number; got nan."),
    ((5, np.float32(1)), TypeError, "`successes` must be a whole number; got 1."),
    ((5, Decimal(1)), TypeError, "`successes` must be a whole number; got Decimal('1') (Decimal)."),
    ((5, "1"), TypeError, "`successes` must be a whole number; got '1'."),
    (([5, 5], [1]), ValueError, "`successes` must have shape (2,); got (1,)."),
    ((5, [1]), ValueError, "`successes` must have shape (); got (1,)."),
    (([5], [-1]), ValueError, "`successes` must be at least 0; got -1."),
    (([5], [0.5]), TypeError, "`successes` must be whole numbers; got an array of float64."),
    (([5, 1], [1, 2]), ValueError, "`successes` must be at most `n`"),
]


@pytest.mark.parametrize(("fields", "error", "message"), REFUSED)
def test_fields_that_are_wrong_are_refused(fields, error, message):
    with pytest.raises(error, match=re.escape(message)):
        Counts(*fields)


REFUSED_SAMPLES = [
    ([0, 1, 2], ValueError, "`values` must be 0 or 1; got 2."),
    ([0, 0.5], ValueError, "`values` must be 0 or 1; got 0.5."),
    ([0, -1], ValueError, "`values` must be 0 or 1; got -1."),
    ([0, math.nan], ValueError, "`values` must be finite; got 1 of 2"),
    (np.array([0, 1], dtype=np.float32), TypeError, "`values` must be 64-bit floating point; got float32"),
    (["0"], TypeError, "`values` must hold numbers"),
    ([[0, 1]], ValueError, "`values` must have 1 dimension(s); got 2."),
]


@pytest.mark.parametrize(("values", "error", "message"), REFUSED_SAMPLES)
def test_samples_that_are_not_zeros_and_ones_are_refused(values, error, message):
    with pytest.raises(error, match=re.escape(message)):
        Counts.from_sample(values)


def test_booleans_are_zeros_and_ones_in_a_sample():
    assert Counts.from_sample([True, False, True]) == Counts(3, 2)


def test_a_count_beyond_the_integers_is_refused_not_wrapped():
    with pytest.raises((TypeError, ValueError), match="`n` must be"):
        Counts(np.array([2**63], dtype=np.uint64), np.array([0]))
