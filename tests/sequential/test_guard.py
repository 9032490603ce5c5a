"""The burn-in of an asymptotic sequence: each limit by itself, and the sentence that names it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from abkit.sequential import _guard
from abkit.sequential._guard import Shape, burn_in, skewness

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


def shape(values):
    deviations = np.asarray(values, dtype=float) - np.mean(values)
    return Shape.of(len(deviations), np.mean(deviations**2), np.mean(deviations**3))


def test_own_skewness_is_that_of_the_difference_of_two_resampled_means():
    """Resampling a variant from itself has its shape for a distribution: the skewness can be simulated."""
    control, treatment = [0, 0, 1, 5, 1, 0, 2, 1, 3, 1], [0.0] * 7 + [1.0, 2.0, 9.0]
    rng = np.random.default_rng(1)
    means = [rng.choice(values, (400_000, len(values))).mean(axis=1) for values in (control, treatment)]
    difference = means[1] - means[0]
    simulated = np.mean((difference - difference.mean()) ** 3) / difference.std() ** 3
    assert skewness(shape(control), shape(treatment)) == pytest.approx(simulated, abs=0.02)


def test_the_larger_variant_lends_its_shape():
    """A smaller variant that has not seen the tail yet is judged by what the larger one has seen."""
    larger, smaller = Shape.of(9_500, 1.0, 10.0), Shape.of(500, 1.0, 0.0)
    assert skewness(larger, smaller) == pytest.approx(10 * (1 / 500**2 - 1 / 9_500**2) / (1 / 500 + 1 / 9_500) ** 1.5)
    assert skewness(smaller, larger) == pytest.approx(-skewness(larger, smaller))


def test_equal_variants_cancel():
    assert skewness(Shape.of(50, 2.0, 90.0), Shape.of(50, 2.0, 90.0)) == pytest.approx(0, abs=1e-15)


def test_a_constant_variant_adds_nothing_and_two_have_no_skewness():
    assert math.isnan(skewness(Shape.of(50, 0.0, 0.0), Shape.of(50, 0.0, 0.0)))
    assert skewness(Shape.of(200, 0.0, 0.0), Shape.of(100, 1.0, 2.0)) == pytest.approx(0.2)
    assert skewness(Shape.of(1e6, 1e300, 0.0), Shape.of(1e3, 1e300, 0.0)) == 0


def test_looks_are_answered_each_by_itself():
    looks = ((90, 1.0, 2.0), (10, 1.0, 0.0)), ((900, 1.0, 2.5), (100, 0.9, 1.5))
    each = [float(skewness(Shape.of(*control), Shape.of(*treatment))) for control, treatment in looks]
    control, treatment = (
        Shape.of(*(np.array(values) for values in zip(*side, strict=True))) for side in zip(*looks, strict=True)
    )
    assert skewness(control, treatment).tolist() == pytest.approx(each, rel=1e-14)
