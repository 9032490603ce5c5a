"""Moments: exact at any offset, mergeable, strict in and out."""

from __future__ import annotations

import json
import math
import re
import struct
from dataclasses import FrozenInstanceError
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abkit import CoMoments, Counts, Moments

OFFSETS = st.sampled_from([0.0, 1.0, -1e3, 1e6, 1e9, -1e9])
GRID = st.integers(-4000, 4000).map(lambda i: i / 8)  # exact in binary, also at an offset of 1e9
FINITE = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def samples(draw, min_size=0, max_size=12):
    offset = draw(OFFSETS)
    return [offset + value for value in draw(st.lists(GRID, min_size=min_size, max_size=max_size))]


def exact(values):
    """Count, mean and m2 as fractions."""
    fractions = [Fraction(value) for value in values]
    if not fractions:
        return 0, Fraction(0), Fraction(0)
    mean = sum(fractions) / len(fractions)
    return len(fractions), mean, sum((value - mean) ** 2 for value in fractions)


def slack(values):
    """What pooling may lose: the means of the parts are known to half of their last digit, no better."""
    last_digit = math.ulp(max(map(abs, values), default=0.0))
    spread = max(values, default=0.0) - min(values, default=0.0)
    return 4 * len(values) * last_digit * (spread + last_digit)


def close(a, b, values):
    last_digit = math.ulp(max(map(abs, values), default=0.0))
    return (
        a.n == b.n
        and abs(a.mean - b.mean) <= 4 * last_digit
        and abs(a.m2 - b.m2) <= 1e-13 * max(a.m2, b.m2) + slack(values)
    )


def bits(*values):
    return [struct.pack("<d", value) for value in values]


def same_bits(a, b):
    return a.n == b.n and bits(*np.ravel(a.mean), *np.ravel(a.m2)) == bits(*np.ravel(b.mean), *np.ravel(b.m2))


@given(samples(min_size=1))
def test_a_sample_gives_its_exact_mean_and_second_moment_at_any_offset(values):
    n, mean, m2 = exact(values)
    result = Moments.from_sample(values)
    assert result.n == n
    assert abs(Fraction(result.mean) - mean) <= Fraction(math.ulp(max(map(abs, values))))
    assert abs(Fraction(result.m2) - m2) <= m2 / 10**14


def test_the_variance_survives_an_offset_of_1e9():
    result = Moments.from_sample([1e9, 1e9 + 1, 1e9 + 2, 1e9 + 3])
    assert (result.n, result.mean, result.m2, result.variance) == (4, 1e9 + 1.5, 5.0, 5 / 3)


def test_a_million_values_at_an_offset_of_1e9_keep_fourteen_digits():
    deviations = np.random.default_rng(20260101).integers(-1000, 1000, 1_000_000) / 64
    whole = [int(value) for value in deviations * 64]
    n, total = len(whole), sum(whole)
    m2 = Fraction(sum(value * value for value in whole) * n - total * total, n * 64 * 64)
    assert Moments.from_sample(1e9 + deviations).m2 == pytest.approx(float(m2), rel=1e-14)


@given(st.floats(-1e12, 1e12, allow_subnormal=False), st.integers(1, 50))
def test_equal_values_have_no_second_moment_and_their_own_mean(value, n):
    assert Moments.from_sample([value] * n) == Moments(n, value, 0.0)


@given(samples(), samples())
def test_parts_pool_to_the_whole(first, second):
    pooled = Moments.from_sample(first) + Moments.from_sample(second)
    assert close(pooled, Moments.from_sample(first + second), first + second)


@given(samples(), samples())
def test_pooling_is_commutative(first, second):
    a, b = Moments.from_sample(first), Moments.from_sample(second)
    assert close(a + b, b + a, first + second)


@given(samples(), samples(), samples())
def test_pooling_is_associative(first, second, third):
    a, b, c = (Moments.from_sample(values) for values in (first, second, third))
    assert close((a + b) + c, a + (b + c), first + second + third)


@given(samples())
def test_the_empty_sample_changes_nothing(values):
    a, empty = Moments.from_sample(values), Moments.from_sample([])
    assert same_bits(a + empty, a)
    assert same_bits(empty + a, a)


def test_a_thousand_parts_pool_to_the_whole_at_an_offset_of_1e9():
    values = 1e9 + np.random.default_rng(7).normal(size=100_000)
    parts = [Moments.from_sample(part) for part in np.split(values, 1000)]
    pooled = parts[0]
    for part in parts[1:]:
        pooled = pooled + part
    whole = Moments.from_sample(values)
    assert pooled.n == whole.n
    assert pooled.mean == pytest.approx(whole.mean, rel=1e-14)
    assert pooled.m2 == pytest.approx(whole.m2, rel=1e-7)  # a mean near 1e9 keeps seven decimals, a thousand times


@given(st.lists(GRID, max_size=12), st.integers(-(10**9), 10**9))
def test_a_shift_moves_only_the_mean(values, shift):
    a, b = Moments.from_sample(values), Moments.from_sample([value + shift for value in values])
    assert b.n == a.n
    assert b.m2 == pytest.approx(a.m2, rel=1e-14)
    if values:
        assert b.mean == pytest.approx(a.mean + shift, rel=1e-15, abs=1e-13)


@given(st.lists(GRID, min_size=1, max_size=12), st.integers(-20, 20))
def test_a_scale_multiplies_the_mean_and_squares_into_m2(values, exponent):
    scale = 2.0**exponent
    a, b = Moments.from_sample(values), Moments.from_sample([value * scale for value in values])
    assert (b.n, b.mean, b.m2) == (a.n, a.mean * scale, a.m2 * scale * scale)


@given(st.lists(samples(max_size=5), min_size=1, max_size=4), st.lists(samples(max_size=5), min_size=4, max_size=4))
def test_many_groups_at_once_pool_as_each_would_alone(first, second):
    pairs = [(Moments.from_sample(a), Moments.from_sample(b)) for a, b in zip(first, second[: len(first)], strict=True)]
    together = stacked([a for a, _ in pairs]) + stacked([b for _, b in pairs])
    for i, (a, b) in enumerate(pairs):
        alone = a + b
        assert (together.n[i], together.mean[i]) == (alone.n, alone.mean)
        assert together.m2[i] == pytest.approx(alone.m2, rel=1e-15)


def stacked(parts):
    return Moments(np.array([p.n for p in parts]), np.array([p.mean for p in parts]), np.array([p.m2 for p in parts]))


def test_groups_may_have_any_shape():
    grid = Moments(np.full((2, 3), 5), np.arange(6.0).reshape(2, 3), np.full((2, 3), 8.0))
    assert np.shape((grid + grid).n) == (2, 3)
    assert np.array_equal(grid.variance, np.full((2, 3), 2.0))


def test_the_variance_is_undefined_below_two_units():
    assert math.isnan(Moments(1, 3.0, 0.0).variance)
    many = Moments(np.array([0, 1, 2]), np.array([0.0, 1.0, 1.0]), np.array([0.0, 0.0, 2.0]))
    assert np.isnan(many.variance).tolist() == [True, True, False]


@given(st.integers(2, 2**53), FINITE, FINITE.map(abs))
def test_json_gives_the_same_bits_back(n, mean, m2):
    a = Moments(n, mean, m2)
    text = a.to_json()
    assert same_bits(Moments.from_json(text), a)
    assert json.loads(text)["kind"] == "moments"


@given(st.lists(st.tuples(st.integers(2, 10**9), FINITE, FINITE.map(abs)), max_size=5))
def test_json_gives_the_same_bits_of_many_groups_back(groups):
    n, mean, m2 = (np.array([group[i] for group in groups], dtype=kind) for i, kind in enumerate((int, float, float)))
    a = Moments(n, mean, m2)
    b = Moments.from_json(a.to_json())
    assert np.array_equal(a.n, b.n)
    assert b.n.dtype == np.int64
    assert bits(*a.mean, *a.m2) == bits(*b.mean, *b.m2)


def test_the_dict_holds_plain_numbers():
    data = Moments(np.int64(3), np.float64(2.0), np.float64(1.0)).to_dict()
    assert data == {"kind": "moments", "n": 3, "mean": 2.0, "m2": 1.0}
    assert [type(value) for value in data.values()] == [str, int, float, float]


def test_equality_is_by_value_and_kind():
    assert Moments(2, 1.0, 0.5) == Moments(2, 1.0, 0.5)
    assert Moments(2, 1.0, 0.5) != Moments(2, 1.0, 0.25)
    assert Moments(2, 1.0, 0.5) != Counts(2, 1)
    assert Moments(np.array([2]), np.array([1.0]), np.array([0.5])) != Moments(2, 1.0, 0.5)


def test_statistics_cannot_be_changed():
    a = Moments(np.array([5]), np.array([1.0]), np.array([2.0]))
    with pytest.raises(FrozenInstanceError):
        a.n = np.array([6])
    with pytest.raises(ValueError, match="read-only"):
        a.m2[0] = 0.0


def test_statistics_keep_their_own_copy():
    n, mean, m2 = np.array([5]), np.array([1.0]), np.array([2.0])
    a = Moments(n, mean, m2)
    n[0], mean[0], m2[0] = 7, 8.0, 9.0
    assert a == Moments(np.array([5]), np.array([1.0]), np.array([2.0]))


def test_a_zero_dimensional_array_is_one_group():
    a = Moments(np.array(5), np.array(1.0), np.array(2.0))
    assert a == Moments(5, 1.0, 2.0)
    assert isinstance(a.n, int)


REFUSED = [
    ((5, np.float32(0.53), 1.0), TypeError, "`mean` must be 64-bit floating point; got float32"),
    ((5, np.float16(0.53), 1.0), TypeError, "`mean` must be 64-bit floating point; got float16"),
    ((5, 0.5, np.float32(1.0)), TypeError, "`m2` must be 64-bit floating point; got float32"),
    ((5, Decimal("0.53"), 1.0), TypeError, "`mean` must be a number; got Decimal('0.53') (Decimal). Convert it"),
    ((5, 0.5, Decimal(1)), TypeError, "`m2` must be a number; got Decimal('1') (Decimal)"),
    ((5, 1j, 1.0), TypeError, "`mean` must be a number; got 1j (complex)."),
    ((5, "1", 1.0), TypeError, "`mean` must be a number; got '1'."),
    ((5, None, 1.0), TypeError, "`mean` must be a number; got None."),
    ((5, True, 1.0), TypeError, "`mean` must be a number; got True."),
    ((5, 2**53 + 1, 1.0), TypeError, "`mean` must be exact in 64-bit floating point; got 9007199254740993."),
    ((5, math.nan, 1.0), ValueError, "`mean` must be finite; got nan."),
    ((5, 1.0, math.inf), ValueError, "`m2` must be finite; got inf."),
    ((5, 1.0, -1e-9), ValueError, "`m2` must be at least 0; got -1e-09."),
    ((-1, 0.0, 0.0), ValueError, "`n` must be at least 0; got -1."),
    ((True, 1.0, 0.0), TypeError, "`n` must be a whole number; got True."),
    ((np.True_, 1.0, 0.0), TypeError, "`n` must be a whole number; got"),
    ((5.0, 1.0, 0.0), TypeError, "`n` must be a whole number; got 5."),
    ((Decimal(5), 1.0, 0.0), TypeError, "`n` must be a whole number; got Decimal('5') (Decimal)."),
    ((1, 1.0, 0.5), ValueError, "`m2` must be 0 where `n` is below 2."),
    ((0, 1.0, 0.0), ValueError, "`mean` must be 0 where `n` is 0."),
    (([5, 5], [1.0], [1.0, 1.0]), ValueError, "`mean` must have shape (2,); got (1,)."),
    (([5, 5], [1.0, 1.0], 1.0), ValueError, "`m2` must have shape (2,); got ()."),
    ((5, [1.0], 1.0), ValueError, "`mean` must have shape (); got (1,)."),
    (([5.0], [1.0], [1.0]), TypeError, "`n` must be whole numbers; got an array of float64."),
    ((np.array([True]), [1.0], [0.0]), TypeError, "`n` must be whole numbers; got an array of bool."),
    (([-5], [1.0], [1.0]), ValueError, "`n` must be at least 0; got -5."),
    (([5], np.array([1.0], dtype=np.float32), [1.0]), TypeError, "`mean` must be 64-bit floating point; got float32"),
    (([5], [Decimal(1)], [1.0]), TypeError, "`mean` must hold numbers; got an array of object."),
    (([5], [math.nan], [1.0]), ValueError, "`mean` must be finite; got 1 of 1 values that are nan or infinite."),
    (([5], [2**53 + 1], [1.0]), TypeError, "`mean` must be exact in 64-bit floating point; got integers beyond"),
    (([5], [1.0], [-1.0]), ValueError, "`m2` must be at least 0; got -1."),
]


@pytest.mark.parametrize(("fields", "error", "message"), REFUSED)
def test_fields_that_are_wrong_are_refused(fields, error, message):
    with pytest.raises(error, match=re.escape(message)):
        Moments(*fields)


@pytest.mark.parametrize(
    "n", [np.array([2**63], dtype=np.uint64), np.array([2**64 - 1], dtype=np.uint64)], ids=["2**63", "2**64-1"]
)
def test_a_count_beyond_the_integers_is_refused_not_wrapped(n):
    with pytest.raises((TypeError, ValueError), match="`n` must be"):
        Moments(n, np.zeros(1), np.zeros(1))


def test_a_number_too_large_for_a_float_is_refused_by_name():
    with pytest.raises((TypeError, ValueError), match="`mean` must be"):
        Moments(5, 10**400, 1.0)


REFUSED_SAMPLES = [
    (np.array([0.1, 0.2], dtype=np.float32), TypeError, "`values` must be 64-bit floating point; got float32"),
    ([np.float32(0.1)], TypeError, "`values` must be 64-bit floating point; got float32"),
    ([Decimal("0.1")], TypeError, "`values` must hold numbers; got an array of object."),
    (["1", "2"], TypeError, "`values` must hold numbers; got an array of"),
    ([1.0, None], TypeError, "`values` must hold numbers; got an array of object."),
    ([1j], TypeError, "`values` must hold numbers; got an array of complex128."),
    ([1.0, math.nan, math.inf], ValueError, "`values` must be finite; got 2 of 3 values that are nan or infinite."),
    ([[1.0, 2.0]], ValueError, "`values` must have 1 dimension(s); got 2."),
    (5.0, ValueError, "`values` must have 1 dimension(s); got 0."),
    ([2**53 + 1, 0], TypeError, "`values` must be exact in 64-bit floating point; got integers beyond 2**53."),
    ([2**63 - 1, 0], TypeError, "`values` must be exact in 64-bit floating point; got integers beyond 2**53."),
    (np.array([2**64 - 1], dtype=np.uint64), TypeError, "`values` must be exact in 64-bit floating point"),
]


@pytest.mark.parametrize(("values", "error", "message"), REFUSED_SAMPLES)
def test_samples_that_would_lose_digits_are_refused(values, error, message):
    with pytest.raises(error, match=re.escape(message)):
        Moments.from_sample(values)


@pytest.mark.parametrize("kind", [np.int8, np.int32, np.int64, np.uint8, bool])
def test_integers_and_booleans_are_exact(kind):
    assert Moments.from_sample(np.array([0, 1, 1, 1], dtype=kind)) == Moments(4, 0.75, 0.75)


def test_other_shapes_do_not_pool():
    with pytest.raises(ValueError, match=re.escape("`other` must have shape (); got (1,).")):
        Moments(2, 1.0, 1.0) + Moments([2], [1.0], [1.0])


def test_other_kinds_do_not_pool():
    with pytest.raises(TypeError, match="unsupported operand"):
        Moments(2, 1.0, 1.0) + Counts(2, 1)


REFUSED_DATA = [
    ({"kind": "counts", "n": 2, "mean": 1.0, "m2": 0.5}, ValueError, "`data` must have kind 'moments'"),
    ({"n": 2, "mean": 1.0, "m2": 0.5}, ValueError, "got kind None"),
    ({"kind": "moments", "n": 2, "mean": 1.0}, ValueError, "exactly the fields ['kind', 'm2', 'mean', 'n']"),
    ({"kind": "moments", "n": 2, "mean": 1.0, "m2": 0.5, "sum": 2.0}, ValueError, "exactly the fields"),
    ({"kind": "moments", "n": 2, "mean": "1", "m2": 0.5}, TypeError, "`mean` must be a number; got '1'."),
    ({"kind": "moments", "n": 2.0, "mean": 1.0, "m2": 0.5}, TypeError, "`n` must be a whole number; got 2."),
    ([2, 1.0, 0.5], TypeError, "`data` must be a dict; got [2, 1.0, 0.5] (list)."),
]


@pytest.mark.parametrize(("data", "error", "message"), REFUSED_DATA)
def test_data_that_is_not_what_to_dict_writes_is_refused(data, error, message):
    with pytest.raises(error, match=re.escape(message)):
        Moments.from_dict(data)


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_json_with_a_constant_that_json_lacks_is_refused(constant):
    with pytest.raises(ValueError, match=f"strict JSON has no {constant}"):
        Moments.from_json(f'{{"kind": "moments", "n": 2, "mean": {constant}, "m2": 0.5}}')


@pytest.mark.parametrize(
    ("unit", "rule"), [(1e160, "be at most 1e+150 in size"), (1e-170, "spread over at least 1e-152")]
)
def test_values_whose_squares_64_bits_do_not_hold_are_refused(unit, rule):
    for refused in (Moments.from_sample, lambda values: CoMoments.from_sample([[v, 1] for v in values], ["a", "b"])):
        with pytest.raises(ValueError, match=re.escape(f"`values` must {rule}")):
            refused([unit, 2 * unit, 4 * unit])


def test_values_whose_squares_64_bits_hold_have_them():
    for unit in (2.0**-504, 2.0**496):
        assert Moments.from_sample([unit, 2 * unit, 3 * unit]) == Moments(3, 2 * unit, 2 * unit * unit)
    assert Moments.from_sample([1e-200, 1e-200]).m2 == 0
