"""The e-process over strata: that of two proportions where there is one, a minimum, a martingale, and its own sets."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import binom

from abkit.inference._by_stage import stage_weights
from abkit.sequential._stage_proportions import (
    StageCounts,
    StageProportionsEffect,
    _Joint,
    _of_difference,
    _of_log_ratio,
)
from abkit.sequential._two_proportions import two_proportions_effect
from abkit.types import Relative

RAMP = ((100, 9900, 2, 100, 0.01), (120, 9500, 8, 500, 0.05), (80, 7500, 25, 2500, 0.25), (20, 5000, 21, 5000, 0.5))
ONES = [
    (50, 1000, 70, 1000, 0.5),
    (0, 5000, 0, 50, 0.01),
    (5, 100_000, 3, 1000, 0.01),
    (0, 10, 10, 10, 0.5),
    (3, 20_000, 0, 200, 0.01),
    (10, 10, 10, 10, 0.5),
]


def effect(*cells: Any, sides: int = 2) -> StageProportionsEffect:
    strata = tuple(StageCounts(*cell) for cell in cells)
    weights = stage_weights([s.n_control for s in strata], [s.n_treatment for s in strata])
    return StageProportionsEffect(strata, tuple(weights.tolist()), 10_000, sides)


@pytest.mark.parametrize("cell", ONES)
@pytest.mark.parametrize("sides", [1, 2])
def test_one_stratum_is_two_proportions(cell: Any, sides: int) -> None:
    one, ours = two_proportions_effect(*cell, tune_at=10_000, sides=sides), effect(cell, sides=sides)
    for alternative in ("two-sided", "greater", "less"):
        for null in (0.0, 0.01, -0.02, Relative(0.5), Relative(-0.5), Relative(-1.0)):
            assert ours.pvalue(null, alternative) == pytest.approx(one.pvalue(null, alternative), rel=1e-9)
        for here, there in (
            (ours.interval(0.95, alternative), one.interval(0.95, alternative)),
            (ours.relative(0.95, alternative, None), one.relative(0.95, alternative, None)),
        ):
            for found, known in ((here.low, there.low), (here.high, there.high)):
                assert found == known or found == pytest.approx(known, abs=1e-8, rel=1e-8)


@pytest.mark.parametrize(
    "line", [_of_difference(0.001), _of_difference(-0.004), _of_log_ratio(0.4), _of_log_ratio(-1.0)]
)
def test_the_least_is_what_another_search_finds(line: Any) -> None:
    joint = _Joint(effect(*RAMP).strata, 10_000, 2, "two-sided")
    value, place = joint.least(line, np.full(4, 0.01))
    options = {"xatol": 1e-13, "fatol": 1e-13, "maxiter": 20_000, "maxfev": 20_000}
    other = minimize(lambda q: joint.value(line, np.abs(q)), place * 1.2, method="Nelder-Mead", options=options)
    assert value == pytest.approx(other.fun, abs=1e-8)
    step = 1e-6 * place
    gradient, hessian = joint.derivatives(line, place + step)
    for i, moved in enumerate(np.diag(1e-4 * step)):
        up, down = (joint.value(line, place + step + sign * moved) for sign in (1, -1))
        assert gradient[i] == pytest.approx((up - down) / (2 * moved[i]), rel=0.05, abs=1e-2 * math.sqrt(hessian[i, i]))


def test_the_order_of_strata_after_the_first_does_not_matter() -> None:
    here, there = effect(*RAMP), effect(RAMP[0], *RAMP[:0:-1])
    assert here.pvalue(0.004, "two-sided") == pytest.approx(there.pvalue(0.004, "two-sided"), rel=1e-10)
    assert list(here.interval(0.9, "two-sided")) == pytest.approx(list(there.interval(0.9, "two-sided")), abs=1e-9)


def test_a_stratum_without_units_of_weight_changes_little_and_evidence_grows_with_strata() -> None:
    """Alike strata add up: the set is narrower than that of each of them."""
    widths = []
    for count in (1, 2, 4):
        low, high = effect(*[(100, 5000, 110, 5000, 0.5)] * count).interval(0.95, "two-sided")
        assert low < 0.002 < high
        widths.append(high - low)
    assert widths[0] > 1.2 * widths[1] > 1.4 * widths[2]


def test_strata_that_contradict_each_other_keep_the_estimate_in_the_set() -> None:
    torn = effect((1000, 20_000, 2000, 20_000, 0.5), (2000, 20_000, 1000, 20_000, 0.5))
    assert torn.estimate == pytest.approx(0)
    assert torn.pvalue(0.0, "two-sided") == 1
    low, high = torn.interval(0.95, "two-sided")
    assert low < 0 < high
    assert torn.pvalue(0.5, "two-sided") < 1e-9


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_it_is_a_martingale_under_the_null_as_strata_come(alternative: Any) -> None:
    """At the null's proportions the mean of E over all outcomes is what the weights add up to, at most 1.

    Whatever the first stage showed, which here decides how large the second is.
    """
    true = np.array([[0.3, 0.3], [0.6, 0.6]])
    means = [0.0, 0.0]
    for x, y in product(range(5), range(3)):
        chance = binom.pmf(x, 4, 0.3) * binom.pmf(y, 2, 0.3)
        first = StageCounts(x, 4, y, 2, 0.3)
        means[0] += chance * math.exp(_Joint((first,), 100, 2, alternative).value(_of_difference(0.0), true[:1, 0]))
        n = (3, 2) if y else (1, 4)
        for v, w in product(range(n[0] + 1), range(n[1] + 1)):
            joint = _Joint((first, StageCounts(v, n[0], w, n[1], 0.5)), 100, 2, alternative)
            also = binom.pmf(v, n[0], 0.6) * binom.pmf(w, n[1], 0.6)
            means[1] += chance * also * math.exp(joint.value(_of_difference(0.0), true[:, 0]))
    assert means[1] == pytest.approx(means[0], rel=1e-12)
    assert 0.8 < means[0] <= 1


def test_the_variants_change_places_and_sets_invert_their_test() -> None:
    here = effect(*RAMP)
    low, high = here.interval(0.95, "two-sided")
    assert here.swapped.interval(0.95, "two-sided").high == pytest.approx(-low, abs=1e-10)
    for end in (low, high):
        assert here.pvalue(end, "two-sided") == pytest.approx(0.05, rel=1e-6)
    share_low, share_high = here.relative(0.95, "two-sided", None)
    for end in (share_low, share_high):
        assert here.pvalue(Relative(end), "two-sided") == pytest.approx(0.05, rel=1e-6)
    one_sided = here.interval(0.975, "greater")
    assert (one_sided.low <= here.estimate, one_sided.high) == (True, math.inf)


@pytest.mark.parametrize("n", [1, 2, 10_000_000])
def test_extreme_counts(n: int) -> None:
    for x_c, x_t in ((0, n), (n, n), (n // 2, n // 3)):
        found = effect((x_c, n, x_t, n, 0.5), (0, n, 0, max(n // 100, 1), 0.01))
        low, high = found.interval(1 - 1e-9, "two-sided")
        assert -1 <= low <= found.estimate <= high <= 1
        assert 0 <= found.pvalue(0.0, "two-sided") <= 1
        relative = found.relative(0.95, "two-sided", None)
        assert relative.low >= -1
