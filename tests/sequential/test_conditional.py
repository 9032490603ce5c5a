"""Conditional and predictive power: against the exact trivariate normal, closed forms, rpact and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

import abkit as ab
from tests.golden.read import cases

EXACT = [case for case in cases("stopping_mvtnorm") if case["kind"] == "conditional"]


@pytest.mark.parametrize("case", EXACT)
def test_as_the_exact_trivariate_normal(case):
    design = ab.Design.from_bounds(case["information"], case["critical_values"], sides=case["sides"])
    look, z = case["look"], case["z"]
    assert design.conditional_power(look, z, case["effect"]) == pytest.approx(case["power"], abs=1e-13)
    assert design.conditional_power(look, z) == pytest.approx(case["at_estimate"], abs=1e-13)
    assert design.predictive_power(look, z) == pytest.approx(case["predictive_flat"], abs=1e-11)
    prior = case["prior_mean"], case["prior_sd"]
    assert design.predictive_power(look, z, prior) == pytest.approx(case["predictive_normal"], abs=1e-11)


def test_as_rpact():
    (case,) = [case for case in cases("stopping_rpact") if case["kind"] == "conditional"]
    design = ab.group_sequential_design(alpha=0.025, sides=1, information=case["information"])
    assert design.conditional_power(1, case["z"], case["effect"]) == pytest.approx(case["power"], abs=1e-6)


@settings(max_examples=30, deadline=None)
@given(z=st.floats(-4, 6), effect=st.floats(-0.5, 0.5), share=st.floats(0.05, 0.95))
def test_closed_forms_with_one_look_to_come(z, effect, share):
    design = ab.group_sequential_design(alpha=0.025, sides=1, information=[100 * share, 100])
    c = design.critical_values[1]
    way = (z * math.sqrt(share) - c + effect * 10 * (1 - share)) / math.sqrt(1 - share)
    assert design.conditional_power(1, z, effect) == pytest.approx(norm.cdf(way), abs=1e-13)
    flat = norm.cdf((z - c * math.sqrt(share)) / math.sqrt(1 - share))
    assert design.predictive_power(1, z) == pytest.approx(flat, abs=1e-13)


@pytest.mark.parametrize("sides", [1, 2])
def test_averaging_over_the_first_look_gives_power(sides):
    design = ab.group_sequential_design(
        alpha=0.05, sides=sides, looks=3, boundary="pocock", futility="ld-pocock", binding=True
    )
    effect = 2.0
    nodes, weights = np.polynomial.legendre.leggauss(40)
    low, high = (-8.0 if sides == 1 else -design.critical_values[0]), design.critical_values[0]
    gaps = [(low, high)] if sides == 2 else [(design.futility[0], high)]
    if sides == 2:
        gaps = [(low, -design.futility[0]), (design.futility[0], high)]
    total = 0.0
    for start, end in gaps:
        z = (start + end) / 2 + (end - start) / 2 * nodes
        density = norm.pdf(z - effect * math.sqrt(1 / 3)) * weights * (end - start) / 2
        total += sum(d * design.conditional_power(1, float(x), effect) for d, x in zip(density, z, strict=True))
    stops = design.stopping(effect)
    first = stops.up[0] + (stops.down[0] if sides == 2 else 0)
    rejected = stops.up.sum() + (stops.down.sum() if sides == 2 else 0)
    assert first + total == pytest.approx(rejected, abs=1e-10)


def test_a_sharp_prior_is_a_known_effect_and_a_wide_one_is_flat():
    design = ab.group_sequential_design(alpha=0.025, sides=1, looks=4)
    assert design.predictive_power(2, 1.0, prior=(1.5, 1e-9)) == pytest.approx(design.conditional_power(2, 1.0, 1.5))
    assert design.predictive_power(2, 1.0, prior=(1.5, 1e9)) == pytest.approx(design.predictive_power(2, 1.0))


def test_far_out():
    design = ab.group_sequential_design(alpha=0.025, sides=1, looks=3)
    assert design.conditional_power(1, 40.0) == pytest.approx(1.0)
    assert design.conditional_power(1, -40.0) == 0.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda d: d.conditional_power(3, 1.0), "`look` must leave a look to come"),
        (lambda d: d.conditional_power(0, 1.0), "`look` must be at least 1"),
        (lambda d: d.conditional_power(1, math.nan), "`z` must be finite"),
        (lambda d: d.conditional_power(1, 1.0, math.inf), "`effect` must be finite"),
        (lambda d: d.predictive_power(1, 1.0, (0.0, 0.0)), "`prior` must be greater than 0"),
    ],
)
def test_what_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(ab.group_sequential_design(looks=3))
