"""CoMoments: exact at any offset, mergeable, strict in and out."""

from __future__ import annotations

import json
import math
import re
import struct
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abkit import CoMoments, Moments

NAMES = ("visits", "revenue", "before")
OFFSETS = st.tuples(*[st.sampled_from([0.0, 1e3, -1e9, 1e9])] * 3)
GRID = st.integers(-4000, 4000).map(lambda i: i / 8)
ROWS = st.lists(st.tuples(GRID, GRID, GRID), max_size=8)
FINITE = st.floats(allow_nan=False, allow_infinity=False)


def table(rows, offsets=(0.0, 0.0, 0.0)):
    return np.asarray(rows, dtype=np.float64).reshape(-1, 3) + np.asarray(offsets)


def from_rows(rows, offsets=(0.0, 0.0, 0.0)):
    return CoMoments.from_sample(table(rows, offsets), NAMES)


def exact(rows):
    """Means and m2 as fractions."""
    columns = [[Fraction(value) for value in column] for column in rows.T]
    n = len(columns[0])
    means = [sum(column) / n for column in columns]
    m2 = [
        [sum((a - ma) * (b - mb) for a, b in zip(x, y, strict=True)) for y, mb in zip(columns, means, strict=True)]
        for x, ma in zip(columns, means, strict=True)
    ]
    return means, m2


def last_digits(rows):
    return np.array([math.ulp(value) for value in np.abs(rows).max(axis=0, initial=0.0)])


def close(a, b, rows):
    """Equal but for what the rounding of the parts' means can lose."""
    ulp = last_digits(rows)
    reach = (np.ptp(rows, axis=0) if len(rows) else np.zeros(3)) + ulp
    slack = 4 * len(rows) * (np.outer(ulp, reach) + np.outer(reach, ulp))
    scale = np.sqrt(np.outer(np.diagonal(a.m2), np.diagonal(a.m2)))
    return (
        a.n == b.n
        and bool(np.all(np.abs(a.mean - b.mean) <= 4 * ulp))
        and bool(np.all(np.abs(a.m2 - b.m2) <= 1e-13 * scale + slack))
    )


def same_bits(a, b):
    def packed(s):
        return [struct.pack("<d", value) for value in (*np.ravel(s.mean), *np.ravel(s.m2))]

    return np.array_equal(a.n, b.n) and a.names == b.names and packed(a) == packed(b)


@given(ROWS.filter(bool), OFFSETS)
def test_a_sample_gives_its_exact_means_and_products_at_any_offset(rows, offsets):
    values = table(rows, offsets)
    result = CoMoments.from_sample(values, NAMES)
    means, m2 = exact(values)
    digits = last_digits(values)
    for i in range(3):
        assert abs(Fraction(float(result.mean[i])) - means[i]) <= Fraction(digits[i])
        for j in range(3):
            scale = math.sqrt(m2[i][i] * m2[j][j])
            assert abs(Fraction(float(result.m2[i, j])) - m2[i][j]) <= Fraction(scale) / 10**13


def test_covariance_survives_an_offset_of_1e9():
    result = CoMoments.from_sample(1e9 + np.array([[0, 6], [1, 4], [2, 2], [3, 0]]), ["a", "b"])
    assert result.m2.tolist() == [[5.0, -10.0], [-10.0, 20.0]]
    assert result.covariance == pytest.approx(np.array([[5.0, -10.0], [-10.0, 20.0]]) / 3, rel=1e-15)


@given(ROWS, ROWS, OFFSETS)
def test_parts_pool_to_the_whole(first, second, offsets):
    pooled = from_rows(first, offsets) + from_rows(second, offsets)
    assert close(pooled, from_rows(first + second, offsets), table(first + second, offsets))


@given(ROWS, ROWS, OFFSETS)
def test_pooling_is_commutative(first, second, offsets):
    a, b = from_rows(first, offsets), from_rows(second, offsets)
    assert close(a + b, b + a, table(first + second, offsets))


@given(ROWS, ROWS, ROWS, OFFSETS)
def test_pooling_is_associative(first, second, third, offsets):
    a, b, c = (from_rows(rows, offsets) for rows in (first, second, third))
    assert close((a + b) + c, a + (b + c), table(first + second + third, offsets))


@given(ROWS, OFFSETS)
def test_the_empty_sample_changes_nothing(rows, offsets):
    a, empty = from_rows(rows, offsets), from_rows([])
    assert same_bits(a + empty, a)
    assert same_bits(empty + a, a)


@given(ROWS, st.tuples(*[st.integers(-(10**9), 10**9)] * 3))
def test_a_shift_moves_only_the_means(rows, shift):
    a, b = from_rows(rows), from_rows(rows, shift)
    scale = np.sqrt(np.outer(np.diagonal(a.m2), np.diagonal(a.m2)))
    assert b.n == a.n
    assert np.all(np.abs(b.m2 - a.m2) <= 1e-13 * scale)
    if rows:
        assert np.allclose(b.mean, a.mean + shift, rtol=1e-15, atol=1e-12)


@given(ROWS, ROWS)
def test_m2_is_symmetric_to_the_last_bit(first, second):
    m2 = (from_rows(first) + from_rows(second)).m2
    assert np.array_equal(m2, m2.T)


@given(ROWS, ROWS, OFFSETS, st.sampled_from(NAMES))
def test_each_variable_pools_as_its_own_moments(first, second, offsets, name):
    a, b = from_rows(first, offsets), from_rows(second, offsets)
    pooled, alone = (a + b).moments(name), a.moments(name) + b.moments(name)
    assert pooled.n == alone.n
    assert pooled.mean == pytest.approx(alone.mean, rel=1e-15)
    assert pooled.m2 == pytest.approx(alone.m2, rel=1e-14)


@given(ROWS, OFFSETS, st.sampled_from(NAMES))
def test_each_variable_has_the_moments_of_its_column(rows, offsets, name):
    values = table(rows, offsets)
    a = CoMoments.from_sample(values, NAMES).moments(name)
    b = Moments.from_sample(values[:, NAMES.index(name)])
    assert a.n == b.n
    assert a.mean == pytest.approx(b.mean, rel=1e-15, abs=1e-12)
    assert a.m2 == pytest.approx(b.m2, rel=1e-13)


@given(st.lists(ROWS, min_size=3, max_size=3), st.lists(ROWS, min_size=3, max_size=3))
def test_many_groups_at_once_pool_as_each_would_alone(first, second):
    a, b = [from_rows(rows) for rows in first], [from_rows(rows) for rows in second]
    together = stacked(a) + stacked(b)
    for i in range(3):
        alone = a[i] + b[i]
        assert together.n[i] == alone.n
        assert np.array_equal(together.mean[i], alone.mean)
        assert np.allclose(together.m2[i], alone.m2, rtol=1e-15, atol=0)


def stacked(parts):
    fields = (np.array([p.n for p in parts]), np.array([p.mean for p in parts]), np.array([p.m2 for p in parts]))
    return CoMoments(*fields, NAMES)


@given(st.integers(2, 2**53), FINITE, FINITE, FINITE.map(abs), FINITE, FINITE.map(abs))
def test_json_gives_the_same_bits_back(n, mean_a, mean_b, m2_a, product, m2_b):
    a = CoMoments(n, [mean_a, mean_b], [[m2_a, product], [product, m2_b]], ["a", "b"])
    text = a.to_json()
    assert same_bits(CoMoments.from_json(text), a)
    assert json.loads(text)["names"] == ["a", "b"]


@pytest.mark.parametrize("groups", [0, 1, 3])
def test_json_gives_any_number_of_groups_back(groups):
    a = CoMoments(np.full(groups, 4), np.full((groups, 2), 0.1), np.full((groups, 2, 2), 0.3), ("a", "b"))
    assert same_bits(CoMoments.from_json(a.to_json()), a)


def test_statistics_cannot_be_changed():
    a = from_rows([(1, 2, 3), (2, 3, 5)])
    with pytest.raises(ValueError, match="read-only"):
        a.mean[0] = 9.0
    with pytest.raises(ValueError, match="read-only"):
        a.m2[0, 0] = 9.0


def test_the_covariance_is_undefined_below_two_units():
    assert np.isnan(from_rows([(1, 2, 3)]).covariance).all()


SYMMETRIC = [[1.0, 0.5], [0.5, 1.0]]
REFUSED = [
    ((5, [1.0, 1.0], [[1.0, 0.5], [0.4, 1.0]], ["a", "b"]), ValueError, "`m2` must be symmetric."),
    ((5, [1.0, 1.0], [[-1.0, 0.0], [0.0, 1.0]], ["a", "b"]), ValueError, "`m2` must have a diagonal of at least 0."),
    ((5, [1.0], SYMMETRIC, ["a", "b"]), ValueError, "`mean` must have shape (2,); got (1,)."),
    ((5, [1.0, 1.0], [1.0, 1.0], ["a", "b"]), ValueError, "`m2` must have shape (2, 2); got (2,)."),
    (([5], [1.0, 1.0], SYMMETRIC, ["a", "b"]), ValueError, "`mean` must have shape (1, 2); got (2,)."),
    ((5, [1.0, 1.0], SYMMETRIC, ["a", "a"]), ValueError, "`names` must not repeat a name; got ['a', 'a']."),
    ((5, [1.0, 1.0], SYMMETRIC, ["a"]), ValueError, "`mean` must have shape (1,); got (2,)."),
    ((5, [1.0, 1.0], SYMMETRIC, ["a", ""]), ValueError, "`names` must not be empty; got ''."),
    ((5, [1.0, 1.0], SYMMETRIC, ["a", 2]), TypeError, "`names` must be text; got 2."),
    ((5, [1.0, math.nan], SYMMETRIC, ["a", "b"]), ValueError, "`mean` must be finite; got 1 of 2 values"),
    ((5, [1.0, 1.0], [[math.inf, 0.0], [0.0, 1.0]], ["a", "b"]), ValueError, "`m2` must be finite; got 1 of 4 values"),
    ((5, np.ones(2, dtype=np.float32), SYMMETRIC, ["a", "b"]), TypeError, "`mean` must be 64-bit floating point; got"),
    ((5, [Decimal(1), Decimal(1)], SYMMETRIC, ["a", "b"]), TypeError, "`mean` must hold numbers; got an array of obj"),
    ((5, [2**53 + 1, 1], SYMMETRIC, ["a", "b"]), TypeError, "`mean` must be exact in 64-bit floating point"),
    ((True, [1.0, 1.0], SYMMETRIC, ["a", "b"]), TypeError, "`n` must be a whole number; got True."),
    ((-1, [1.0, 1.0], SYMMETRIC, ["a", "b"]), ValueError, "`n` must be at least 0; got -1."),
    ((1, [1.0, 1.0], SYMMETRIC, ["a", "b"]), ValueError, "`m2` must be 0 where `n` is below 2."),
    ((0, [1.0, 1.0], np.zeros((2, 2)), ["a", "b"]), ValueError, "`mean` must be 0 where `n` is 0."),
]


@pytest.mark.parametrize(("fields", "error", "message"), REFUSED)
def test_fields_that_are_wrong_are_refused(fields, error, message):
    with pytest.raises(error, match=re.escape(message)):
        CoMoments(*fields)


REFUSED_SAMPLES = [
    ([1.0, 2.0], ["a"], ValueError, "`values` must have 2 dimension(s); got 1."),
    ([[1.0, math.inf]], ["a", "b"], ValueError, "`values` must be finite; got 1 of 2 values"),
    (np.ones((2, 2), dtype=np.float32), ["a", "b"], TypeError, "`values` must be 64-bit floating point; got float32"),
    ([[Decimal(1), Decimal(2)]], ["a", "b"], TypeError, "`values` must hold numbers; got an array of object."),
    ([[2**53 + 1, 1]], ["a", "b"], TypeError, "`values` must be exact in 64-bit floating point"),
    ([[1.0, 2.0]], ["a"], ValueError, "must have shape"),
    ([[1.0, 2.0]], ["a", "a"], ValueError, "`names` must not repeat a name; got ['a', 'a']."),
]


@pytest.mark.parametrize(("values", "names", "error", "message"), REFUSED_SAMPLES)
def test_samples_that_are_wrong_are_refused(values, names, error, message):
    with pytest.raises(error, match=re.escape(message)):
        CoMoments.from_sample(values, names)


def test_other_variables_do_not_pool():
    a, b = (CoMoments.from_sample([[1, 2], [3, 4]], names) for names in (["a", "b"], ["b", "a"]))
    with pytest.raises(ValueError, match=re.escape("`other` must hold the variables ('a', 'b'); got ('b', 'a').")):
        a + b


def test_an_unknown_variable_is_refused_with_the_nearest_name():
    message = "`name` must be one of 'visits', 'revenue', 'before'; got 'revenu'. Did you mean 'revenue'?"
    with pytest.raises(ValueError, match=re.escape(message)):
        from_rows([(1, 2, 3)]).moments("revenu")
