"""Histogram: one whole number a value, a stated relative error, and counts that add up."""

from __future__ import annotations

import json
import math
import re
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abkit import Histogram

ACCURACIES = st.sampled_from([1e-6, 1e-3, 0.01, 0.1, 0.4999])
NUMBERS = st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=True)
SAMPLES = st.lists(NUMBERS, max_size=20)


@given(NUMBERS, ACCURACIES)
def test_a_representative_is_within_the_accuracy_of_its_value(x, accuracy):
    value = Histogram.from_sample([x], accuracy).values[0]
    if x == 0 or abs(x) >= sys.float_info.min:
        assert abs(value - x) <= accuracy * abs(x) * (1 + 1e-9) + 1e-12 * abs(x)
    else:
        assert math.copysign(1, value) == math.copysign(1, x)
        assert 0 < abs(value) <= sys.float_info.min * (1 + accuracy)


@given(SAMPLES, ACCURACIES)
def test_keys_are_in_the_order_of_the_values(values, accuracy):
    keys = Histogram.key_of(sorted(values), accuracy)
    assert np.all(np.diff(keys) >= 0)
    assert np.array_equal(np.sign(keys), np.sign(sorted(values)))
    assert np.all(np.diff(Histogram.from_sample(values, accuracy).values) > 0) or accuracy == 1e-6


@given(SAMPLES, ACCURACIES)
def test_turning_the_sign_turns_keys_and_values(values, accuracy):
    a, b = Histogram.from_sample(values, accuracy), Histogram.from_sample([-x for x in values], accuracy)
    assert np.array_equal(a.keys, -b.keys[::-1])
    assert np.array_equal(a.values, -b.values[::-1])


@given(SAMPLES, SAMPLES, ACCURACIES)
def test_parts_pool_to_the_whole(first, second, accuracy):
    a, b = Histogram.from_sample(first, accuracy), Histogram.from_sample(second, accuracy)
    assert a + b == b + a == Histogram.from_sample(first + second, accuracy)
    assert (a + b).n == len(first) + len(second)


@given(SAMPLES, ACCURACIES)
def test_json_gives_the_same_histogram_back(values, accuracy):
    a = Histogram.from_sample(values, accuracy)
    b = Histogram.from_json(a.to_json())
    assert b == a
    assert (b.keys.dtype, b.counts.dtype) == (np.int64, np.int64)
    assert json.loads(a.to_json())["kind"] == "histogram"


@given(SAMPLES, ACCURACIES)
def test_keys_counted_elsewhere_give_the_same_histogram_in_any_order(values, accuracy):
    keys = Histogram.key_of(values, accuracy)
    assert Histogram.from_keys(keys, np.ones(keys.size, dtype=int), accuracy) == Histogram.from_sample(values, accuracy)
    assert Histogram.from_keys(keys[::-1], [1] * keys.size, accuracy) == Histogram.from_sample(values, accuracy)


@given(st.lists(NUMBERS, min_size=1, max_size=20), st.floats(0.01, 0.99))
def test_a_quantile_is_within_the_accuracy_of_the_samples(values, q):
    lower, upper = (np.quantile(values, q, method=method) for method in ("lower", "higher"))
    allowed = 0.001001 * max(map(abs, values)) + 1e-300
    exact = (
        np.quantile(np.array(values) / 4, q, method="median_unbiased") * 4
    )  # quarters: differences of two may overflow
    assert abs(Histogram.from_sample(values).quantile(q) / 4 - exact / 4) <= allowed
    assert lower <= upper


def test_the_formula_is_the_one_that_an_engine_computes():
    log_gamma, offset = Histogram.scale(0.001)
    assert log_gamma == pytest.approx(math.log(1.001 / 0.999), rel=1e-12)
    for x in (1e-300, 0.02, 1.0, 17.5, 1e300):
        assert Histogram.key_of([x, -x]).tolist() == [
            s * (math.ceil(math.log(x) / log_gamma) + offset) for s in (1, -1)
        ]


def test_every_64_bit_number_has_a_key_of_its_sign_and_a_finite_value():
    extremes = [-sys.float_info.max, -5e-324, -0.0, 5e-324, sys.float_info.max]
    for accuracy in (2e-9, 1e-3, 0.499999):
        h = Histogram.from_sample(extremes, accuracy)
        assert np.sign(h.keys).tolist() == [-1, -1, 0, 1, 1]
        assert np.all(np.isfinite(h.values))


def test_counts_below_a_key():
    h = Histogram(0.01, [-5, 0, 7], [2, 3, 4])
    assert h.below([-6, -5, -4, 0, 1, 7, 8]).tolist() == [0, 0, 2, 2, 5, 5, 9]
    assert h.below(8) == h.n == 9


def test_a_hundred_million_values_are_a_few_numbers():
    h = Histogram.from_keys([400_000, 380_000], [10**8, 1])
    assert (h.n, h.keys.tolist()) == (10**8 + 1, [380_000, 400_000])
    assert h.quantile(0.5) == h.values[1]


def test_a_histogram_cannot_be_changed():
    h = Histogram.from_sample([1.0])
    with pytest.raises(ValueError, match="read-only"):
        h.counts[0] = 2
    with pytest.raises(ValueError, match="read-only"):
        h.keys[0] = 2


REFUSED = [
    ((0.5, [1], [1]), ValueError, "`accuracy` must be between 1e-09 and 0.5; got 0.5."),
    ((0.0, [1], [1]), ValueError, "`accuracy` must be between 1e-09 and 0.5; got 0."),
    ((math.nan, [1], [1]), ValueError, "`accuracy` must be between"),
    (("a", [1], [1]), TypeError, "`accuracy` must be a number; got 'a'."),
    ((0.1, [2, 1], [1, 1]), ValueError, "`keys` must be in ascending order, each once."),
    ((0.1, [1, 1], [1, 1]), ValueError, "`keys` must be in ascending order, each once."),
    ((0.1, [1.0], [1]), TypeError, "`keys` must be a list of whole numbers"),
    ((0.1, [10**6], [1]), ValueError, "`keys` must be from -7251 to 7251"),
    ((0.1, [[1]], [[1]]), TypeError, "`keys` must be a list of whole numbers"),
    ((0.1, [1], [0]), ValueError, "`counts` must be at least 1; got 0."),
    ((0.1, [1], [-1]), ValueError, "`counts` must be at least 0; got -1."),
    ((0.1, [1], [1.0]), TypeError, "`counts` must be whole numbers"),
    ((0.1, [1, 2], [1]), ValueError, "`counts` must have shape (2,); got (1,)."),
    ((0.1, [1, 2], [2**53, 2]), ValueError, "`counts` must add up to at most 2**53."),
]


@pytest.mark.parametrize(("fields", "error", "message"), REFUSED)
def test_fields_that_are_wrong_are_refused(fields, error, message):
    with pytest.raises(error, match=re.escape(message)):
        Histogram(*fields)


def test_histograms_of_two_accuracies_cannot_be_added():
    with pytest.raises(ValueError, match=re.escape("`other` must have the accuracy 0.001; got 0.01.")):
        Histogram.from_sample([1.0]) + Histogram.from_sample([1.0], 0.01)
    with pytest.raises(TypeError):
        Histogram.from_sample([1.0]) + 1


def test_values_that_are_not_finite_and_quantiles_of_nothing_are_refused():
    with pytest.raises(ValueError, match=re.escape("`values` must be finite; got 1 of 2")):
        Histogram.from_sample([1.0, math.inf])
    with pytest.raises(ValueError, match="`q` must be asked of at least 1 value"):
        Histogram.from_sample([]).quantile(0.5)
    with pytest.raises(ValueError, match="`q` must be between 0 and 1; got 1"):
        Histogram.from_sample([1.0]).quantile(1)
