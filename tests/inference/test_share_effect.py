"""One share against a bar: the numbers of R, and p-values and limits that agree."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abkit.inference._share_effect import ShareEffect
from tests.golden.read import cases


@pytest.mark.parametrize("case", cases("binom_test"), ids=lambda case: f"{case['successes']} of {case['n']}")
def test_the_numbers_of_r(case: dict[str, Any]) -> None:
    effect = ShareEffect(int(case["successes"]), int(case["n"]))
    for side in ("less", "greater"):
        assert effect.pvalue(case["null"], side) == pytest.approx(case[side], rel=1e-9)
    interval = effect.interval(0.95, "two-sided")
    assert (interval.low, interval.high) == pytest.approx((case["low"], case["high"]), rel=1e-9, abs=1e-15)


@given(st.integers(1, 3000), st.floats(0, 1), st.floats(0.001, 0.999), st.sampled_from([0.5, 0.95, 1 - 1e-9]))
@settings(max_examples=100, deadline=None)
def test_p_values_and_limits_agree(n: int, share: float, null: float, level: float) -> None:
    effect = ShareEffect(round(n * share), n)
    interval, pvalue = effect.interval(level, "two-sided"), effect.pvalue(null, "two-sided")
    if abs(pvalue / (1 - level) - 1) > 1e-6:
        assert interval.contains(null) == (pvalue > 1 - level)
    statistic = effect.statistic(null)
    assert statistic == 0 or (statistic > 0) == (effect.estimate > null)


def test_the_ends_of_the_line() -> None:
    assert ShareEffect(0, 10).statistic(0.0) == 0.0
    assert ShareEffect(1, 10).pvalue(0.0, "greater") == 0.0
    assert ShareEffect(10, 10).interval(0.95, "two-sided").high == 1.0
    assert 30 < ShareEffect(10**9, 10**9).statistic(0.5) < 40
