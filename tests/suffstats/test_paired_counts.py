"""PairedCounts: whole numbers in, whole numbers out."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abkit import Counts, PairedCounts

CELLS = st.tuples(*[st.integers(0, 10**12)] * 4)
ROWS = st.lists(st.tuples(st.sampled_from([0, 1]), st.sampled_from([0, 1])), max_size=20)


def pairs(rows):
    return PairedCounts.from_sample([c for c, _ in rows], [t for _, t in rows])


@given(ROWS)
def test_a_sample_is_counted_by_both_outcomes(rows):
    count = rows.count
    assert pairs(rows) == PairedCounts(count((1, 1)), count((1, 0)), count((0, 1)), count((0, 0)))


@given(ROWS, ROWS)
def test_parts_pool_to_the_whole(first, second):
    assert pairs(first) + pairs(second) == pairs(first + second)


@given(CELLS, CELLS, CELLS)
def test_pooling_is_commutative_and_associative_without_rounding(a, b, c):
    a, b, c = (PairedCounts(*cells) for cells in (a, b, c))
    assert a + b == b + a
    assert (a + b) + c == a + (b + c)
    assert a + PairedCounts(0, 0, 0, 0) == a


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=5))
def test_many_groups_at_once_pool_as_each_would_alone(groups):
    first, second = (PairedCounts(*np.array([group[i] for group in groups]).T) for i in (0, 1))
    together = first + second
    for i, (a, b) in enumerate(groups):
        alone = PairedCounts(*a) + PairedCounts(*b)
        assert together.treatment_only[i] == alone.treatment_only
        assert together.n[i] == alone.n


@given(CELLS)
def test_json_gives_the_same_pairs_back(cells):
    a = PairedCounts(*cells)
    assert PairedCounts.from_json(a.to_json()) == a
    names = ("both", "control_only", "treatment_only", "neither")
    assert json.loads(a.to_json()) == {"kind": "paired_counts", **dict(zip(names, cells, strict=True))}


def test_json_gives_many_groups_back():
    a = PairedCounts([[1, 2]], [[3, 4]], [[5, 6]], [[7, 8]])
    b = PairedCounts.from_json(a.to_json())
    assert b == a
    assert b.both.dtype == np.int64


def test_each_side_alone_is_counts():
    a = PairedCounts(both=80, control_only=7, treatment_only=12, neither=1)
    assert (a.n, a.control, a.treatment) == (100, Counts(100, 87), Counts(100, 92))


def test_pairs_cannot_be_changed():
    a = PairedCounts([1], [2], [3], [4])
    with pytest.raises(ValueError, match="read-only"):
        a.both[0] = 2
    with pytest.raises(AttributeError):
        a.both = 2


def test_pairs_add_to_pairs_only():
    with pytest.raises(TypeError):
        PairedCounts(1, 1, 1, 1) + Counts(4, 1)


REFUSED = [
    ((-1, 0, 0, 0), ValueError, "`both` must be at least 0; got -1."),
    ((0, 0, 0.5, 0), TypeError, "`treatment_only` must be a whole number; got 0.5."),
    ((0, True, 0, 0), TypeError, "`control_only` must be a whole number; got True."),
    ((0, 0, 0, math.nan), TypeError, "`neither` must be a whole number; got nan."),
    (([1, 2], [1], [1, 2], [1, 2]), ValueError, "`control_only` must have shape (2,); got (1,)."),
    ((2**53, 1, 0, 0), ValueError, "`n` must be at most 2**53"),
]


@pytest.mark.parametrize(("fields", "error", "message"), REFUSED)
def test_fields_that_are_wrong_are_refused(fields, error, message):
    with pytest.raises(error, match=re.escape(message)):
        PairedCounts(*fields)


def test_another_kind_is_refused():
    with pytest.raises(ValueError, match="kind 'paired_counts'"):
        PairedCounts.from_dict(Counts(5, 1).to_dict())
