"""The burn-in of an asymptotic sequence: each limit by itself, and the sentence that names it."""

from __future__ import annotations

import math

import pytest

from abkit.sequential import _guard
from abkit.sequential._guard import burn_in

FINE = {
    "units": 20.0 * _guard.FEWEST_UNITS,
    "smaller": 10.0 * _guard.FEWEST_UNITS,
    "events": float(_guard.FEWEST_EVENTS),
    "skewness": _guard.LARGEST_SKEWNESS,
}


def test_it_is_over_at_the_limits_themselves():
    assert burn_in(**FINE) is None
    assert burn_in(**FINE | {"skewness": -_guard.LARGEST_SKEWNESS}) is None


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("smaller", _guard.FEWEST_UNITS - 1, "units"),
        ("smaller", math.nan, "units"),
        ("events", _guard.FEWEST_EVENTS - 1, "with an event"),
        ("events", math.nan, "with an event"),
        ("skewness", 1.01 * _guard.LARGEST_SKEWNESS, "skewed"),
        ("skewness", -1.01 * _guard.LARGEST_SKEWNESS, "skewed"),
        ("skewness", math.nan, "skewed"),
    ],
)
def test_each_limit_by_itself_is_named_with_what_to_use_instead(name, value, says):
    sentence = burn_in(**FINE | {name: value})
    assert sentence is not None
    assert says in sentence
    assert "use" in sentence


def test_what_is_not_measured_is_not_judged():
    assert burn_in(**FINE | {"events": None, "skewness": None}) is None
