"""The order of update as what chance gave: every p-value against brute force, and the laws that it must keep."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from abkit.evidence import run_test
from abkit.inference._update_order import NO_COMPARISON, UpdateOrderEffect, count_orders, update_order_effect
from abkit.types import Relative

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "update_order.json").read_text())
UPDATED = np.repeat([6, 11, 16, 21], 2)


def fleet(effect: float = 0.0, seed: int = 1, level: float = 10.0) -> tuple[Any, Any]:
    """Eight instances, two of them updated at each of four times."""
    rng = np.random.default_rng(seed)
    exposed = (np.arange(26) >= UPDATED[:, None]).astype(float)
    values = level + rng.normal(size=(8, 26)) + 3 * rng.normal(size=(8, 1)) + 2 * rng.normal(size=26)
    return values + effect * exposed, exposed


def effect_of(size: float = 0.0, **options: Any) -> UpdateOrderEffect:
    return update_order_effect(*fleet(size), UPDATED, **options)


@pytest.mark.parametrize("case", GOLDEN["cases"])
def test_every_order_and_every_null(case: dict[str, Any]) -> None:
    values, exposed = np.array(case["values"]), np.array(case["exposed"])
    found = update_order_effect(values, exposed, np.array(case["updated"]), case["settle"])
    assert found.estimate == pytest.approx(case["estimate"], rel=1e-9)
    assert count_orders(np.unique(np.minimum(case["updated"], values.shape[1]), return_counts=True)[1]) <= 5040
    for tail in case["tails"]:
        assert found.pvalue(tail["null"], "greater") == pytest.approx(tail["greater"], abs=1e-12)
        assert found.pvalue(tail["null"], "less") == pytest.approx(tail["less"], abs=1e-12)


def test_instances_of_their_own_level_and_shocks_for_all_do_not_matter() -> None:
    values, exposed = fleet(0.5)
    moved = values + 100 * np.arange(8)[:, None] + np.arange(26) ** 2
    plain, other = (update_order_effect(v, exposed, UPDATED) for v in (values, moved))
    assert other.estimate == pytest.approx(plain.estimate, abs=1e-9)
    assert other.pvalue(0.0, "two-sided") == plain.pvalue(0.0, "two-sided")


def test_a_shift_moves_everything_by_itself() -> None:
    plain, shifted = effect_of(0.0), effect_of(2.5)
    assert shifted.estimate == pytest.approx(plain.estimate + 2.5)
    assert shifted.pvalue(2.5, "two-sided") == plain.pvalue(0.0, "two-sided")
    ends = zip(shifted.interval(0.9, "two-sided"), plain.interval(0.9, "two-sided"), strict=True)  # type: ignore[arg-type]
    assert all(a == pytest.approx(b + 2.5) for a, b in ends)


@pytest.mark.parametrize("level", [10.0, -10.0])
@pytest.mark.parametrize("size", [-1.0, 0.0, 2.0])
def test_a_share_is_what_the_updated_would_have_had(level: float, size: float) -> None:
    found = update_order_effect(*fleet(size, level=level), UPDATED)
    test = run_test("update order", found, "two-sided", 0.0)
    share = test.relative_estimate
    assert found.control == pytest.approx(found.treatment - found.estimate)
    assert found.statistic(Relative(share)) == pytest.approx(0, abs=1e-9)
    for null in (-0.3, -0.05, 0.04, 0.2):
        inside = test.relative(0.9).contains(null)
        assert inside == (found.pvalue(Relative(null), "two-sided") >= 0.1 - 1e-12)
        assert (found.statistic(Relative(null)) > 0) == (share > null)


def test_interval_and_test_agree() -> None:
    found = effect_of(1.0)
    low, high = found.interval(0.95, "two-sided")  # type: ignore[misc]
    for null, inside in ((low + 1e-6, True), (low - 1e-6, False), (high - 1e-6, True), (high + 1e-6, False)):
        assert (found.pvalue(null, "two-sided") >= 0.05) == inside


def test_a_share_of_alpha_costs_its_own_side_only() -> None:
    whole, shared = effect_of(0.8), effect_of(0.8, shares=(1.0, 0.2))
    assert shared.pvalue(0.0, "greater") == whole.pvalue(0.0, "greater")
    assert shared.pvalue(2.0, "less") == pytest.approx(min(1, 5 * whole.pvalue(2.0, "less")))
    assert effect_of(0.8, shares=(0.0, 1.0)).pvalue(0.0, "greater") == 1.0


def test_the_smallest_p_is_the_order_itself() -> None:
    values, exposed = fleet(1e6)
    found = update_order_effect(values, exposed, UPDATED)
    assert found.pvalue(0.0, "greater") == found.floor
    two = np.array([2, 4])
    exposed = (np.arange(5) >= two[:, None]).astype(float)
    few = update_order_effect(np.arange(10.0).reshape(2, 5) ** 2, exposed, two)
    assert few.floor == 0.5
    assert few.interval(0.95, "two-sided").low == -math.inf  # type: ignore[union-attr]


def test_the_same_bytes_for_the_same_input() -> None:
    rng = np.random.default_rng(3)
    values, updated = rng.normal(size=(30, 20)), np.arange(30) // 3 + 5
    exposed = (np.arange(20) >= updated[:, None]).astype(float)
    first, second = (update_order_effect(values, exposed, updated).pvalue(0.0, "two-sided") for _ in range(2))
    assert first == second


@pytest.mark.parametrize("updated", [[0, 0, 5], [9, 9, 9], [3, 3, 3], [4, 9, 9]])
def test_nothing_to_compare(updated: list[int]) -> None:
    with pytest.raises(ValueError, match=NO_COMPARISON):
        update_order_effect(np.ones((3, 5)), np.zeros((3, 5)), np.array(updated))


def test_values_without_any_spread_are_undefined() -> None:
    values, exposed = np.full((8, 26), 7.0), fleet()[1]
    test = run_test("update order", update_order_effect(values, exposed, UPDATED), "two-sided", 0.0)
    assert test.reason == "every order of update gives the same statistic"


def test_huge_and_tiny_values_keep_their_orders() -> None:
    values, exposed = fleet(0.7)
    plain = update_order_effect(values, exposed, UPDATED).pvalue(0.0, "two-sided")
    for scale in (1e-200, 1e140):
        assert update_order_effect(values * scale, exposed, UPDATED).pvalue(0.0, "two-sided") == plain


def test_values_whose_squares_overflow_are_refused() -> None:
    with pytest.raises(ValueError, match="too large"):
        update_order_effect(np.full((8, 26), 1e300), fleet()[1], UPDATED)
