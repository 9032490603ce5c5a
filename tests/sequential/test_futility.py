"""Futility and harm bounds: against the exact trivariate normal, rpact, and what they are defined by."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import abkit as ab
from tests.golden.read import cases

EXACT = [case for case in cases("stopping_mvtnorm") if case["kind"] == "futility"]
RPACT = [case for case in cases("stopping_rpact") if case["kind"] == "futility"]


def design_of(case):
    return ab.group_sequential_design(
        alpha=case["alpha"],
        sides=case["sides"],
        information=case["information"],
        boundary=case["boundary"],
        shape=case["shape"] or None,
        power=1 - case["beta"],
        futility=case["spending"],
        futility_shape=case["spending_shape"] or None,
        binding=bool(case["binding"]),
    )


def drift_of(design):
    """Where the type II error, futility and a last look within the bounds together, is beta."""
    stops = lambda d: design.stopping(d / math.sqrt(design.information[-1]))  # noqa: E731
    low, high = 0.5, 12.0
    for _ in range(60):
        middle = (low + high) / 2
        rejected = stops(middle).up.sum() + (stops(middle).down.sum() if design.sides == 2 else 0)
        low, high = (middle, high) if rejected < design.planned_power else (low, middle)
    return low


@pytest.mark.parametrize("case", EXACT)
def test_bounds_are_those_of_the_exact_trivariate_normal(case):
    design = design_of(case)
    assert design.critical_values == pytest.approx(case["critical_values"], abs=1e-12)
    assert design.futility == pytest.approx(case["futility"], abs=1e-12)


@pytest.mark.parametrize("case", RPACT)
def test_bounds_agree_with_rpact_as_far_as_it_is_right(case):
    design = design_of(case)
    assert design.critical_values == pytest.approx(case["critical_values"], abs=2e-6)
    assert design.futility == pytest.approx(case["futility"], abs=2e-6)
    assert drift_of(design) == pytest.approx(case["drift"], abs=2e-6)


@pytest.mark.parametrize("binding", [True, False])
@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("boundary", ["obrien-fleming", "pocock", "ld-obrien-fleming", "haybittle-peto"])
def test_beta_and_alpha_are_spent_as_asked(boundary, sides, binding):
    design = ab.group_sequential_design(
        alpha=0.05, sides=sides, looks=4, boundary=boundary, power=0.85, futility="ld-pocock", binding=binding
    )
    stops = design.stopping(drift_of(design))
    spent = 0.15 * np.log1p((math.e - 1) * np.arange(1, 5) / 4)
    assert np.cumsum(stops.futility) == pytest.approx(spent, abs=1e-9)
    assert design.futility[-1] == design.critical_values[-1]
    null = design.stopping(0.0)
    rejected = null.up.sum() + (null.down.sum() if sides == 2 else 0)
    assert rejected == pytest.approx(0.05, abs=1e-11) if binding else rejected < 0.05


def test_futility_that_does_not_bind_leaves_the_critical_values():
    plain = ab.group_sequential_design(alpha=0.025, sides=1, looks=5)
    design = ab.group_sequential_design(alpha=0.025, sides=1, looks=5, futility="kim-demets", futility_shape=2)
    assert design.critical_values == plain.critical_values


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("boundary", ["pocock", "ld-pocock"])
def test_given_bounds_that_bind(boundary, sides):
    design = ab.group_sequential_design(
        alpha=0.025, sides=sides, looks=3, boundary=boundary, futility=[0.3, None, 1.0], binding=True
    )
    null = design.stopping(0.0)
    assert null.up.sum() + (null.down.sum() if sides == 2 else 0) == pytest.approx(0.025, abs=1e-12)
    assert null.futility[1] == 0
    assert null.futility[0] > 0


@pytest.mark.parametrize("futility", [None, "ld-obrien-fleming"])
def test_a_harm_bound_spends_its_own_alpha(futility):
    design = ab.group_sequential_design(
        alpha=0.025, sides=1, looks=4, futility=futility, harm="ld-pocock", harm_alpha=0.1
    )
    plain = ab.group_sequential_design(alpha=0.025, sides=1, looks=4, harm="ld-pocock", harm_alpha=0.1)
    down = np.cumsum(plain.stopping(0.0).down)
    assert down == pytest.approx(0.1 * np.log1p((math.e - 1) * np.arange(1, 5) / 4), abs=1e-12)
    assert design.harm == pytest.approx(plain.harm)
    assert all(harm < upper for harm, upper in zip(design.harm, design.critical_values, strict=True))


def test_a_last_look_close_to_the_one_before():
    design = ab.group_sequential_design(
        alpha=0.001,
        sides=2,
        information=[47, 150, 231, 306, 314],
        boundary="ld-obrien-fleming",
        futility="ld-pocock",
        binding=True,
    )
    null = design.stopping(0.0)
    assert null.up.sum() + null.down.sum() == pytest.approx(0.001, rel=1e-9)


def test_one_look_has_its_futility_at_the_critical_value():
    design = ab.group_sequential_design(alpha=0.025, sides=1, looks=1, power=0.9, futility="ld-pocock")
    assert design.futility == pytest.approx(design.critical_values)
    assert design.critical_values[0] == pytest.approx(1.959963984540054, abs=1e-13)


@settings(max_examples=10, deadline=None)
@given(
    alpha=st.sampled_from([1e-6, 0.001, 0.025, 0.3]),
    power=st.sampled_from([0.5, 0.8, 0.999]),
    looks=st.integers(2, 4),
    sides=st.sampled_from([1, 2]),
    binding=st.booleans(),
    gap=st.floats(0.002, 0.3),
)
def test_any_design_keeps_its_errors(alpha, power, looks, sides, binding, gap):
    information = [*(0.3 + gap * np.arange(looks - 1)), 1.0 + gap * looks]
    design = ab.group_sequential_design(
        alpha=alpha, sides=sides, information=information, power=power, futility="ld-obrien-fleming", binding=binding
    )
    drift = drift_of(design) / math.sqrt(design.information[-1])
    assert design.stopping(drift).futility.sum() == pytest.approx(1 - power, abs=1e-8)
    null = design.stopping(0.0)
    rejected = null.up.sum() + (null.down.sum() if sides == 2 else 0)
    assert rejected <= alpha * (1 + 1e-9)
    assert all(low <= high + 1e-12 for low, high in zip(design.futility, design.critical_values, strict=True))


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("boundary", ["ld-pocock", "pocock"])
def test_bounds_of_looks_that_were_held_do_not_move(boundary, sides):
    plan = ab.group_sequential_design(
        alpha=0.025 * sides,
        sides=sides,
        looks=4,
        boundary=boundary,
        futility="hwang-shih-decani",
        futility_shape=-3.0,
        binding=True,
        power=0.9,
    )
    seen = [0.2, 0.31, 0.64, 0.7]
    designs = [plan]
    for k in range(4):
        designs.append(designs[-1].updated(seen[: k + 1], final=k == 3))
        before, now = designs[-2:]
        assert now.critical_values[:k] == pytest.approx(before.critical_values[:k], abs=1e-9)
        assert now.futility[:k] == pytest.approx(before.futility[:k], abs=1e-12)
    last = designs[-1]
    stops = last.stopping(0.0)
    assert float(stops.up.sum() + (stops.down.sum() if sides == 2 else 0.0)) == pytest.approx(plan.alpha, abs=1e-10)
    assert last.futility[-1] == last.critical_values[-1]
    drift = drift_of(last)
    missed = last.stopping(drift / math.sqrt(0.7)).futility.sum()
    assert float(missed) == pytest.approx(0.1, abs=1e-3 if sides == 2 else 1e-9)


def test_futility_needs_alpha_at_the_last_look():
    with pytest.raises(ValueError, match="`futility` must have alpha left at the last look"):
        ab.group_sequential_design(looks=3, spending_time=[0.5, 1, 1], futility="ld-pocock", binding=True)
