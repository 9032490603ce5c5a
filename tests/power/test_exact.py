"""The exact power of exact tests of two proportions."""

from __future__ import annotations

import math

import numpy as np
import pytest

import abkit as ab
from abkit.power import NoSolution, two_proportions
from abkit.power._exact import _frontier
from tests.golden.read import cases


@pytest.mark.parametrize("case", cases("power_fisher"), ids=lambda c: f"{c['n_control']}-{c['control']}-{c['alpha']}")
def test_fisher_as_r_enumerates_it(case):
    asked = {
        "baseline": case["control"],
        "mde": case["treatment"] - case["control"],
        "n": case["n_control"],
        "ratio": case["n_treatment"] / case["n_control"],
        "alpha": case["alpha"],
        "test": "fisher",
    }
    assert two_proportions(**asked).power == pytest.approx(case["two_sided"], rel=1e-10)
    for way in ("greater", "less"):
        assert two_proportions(alternative=way, **asked).power == pytest.approx(case[way], rel=1e-10)


@pytest.mark.parametrize(
    "case", cases("power_unconditional"), ids=lambda c: f"{c['test']}-{c['n_control']}-{c['control']}-{c['alpha']}"
)
def test_barnard_and_boschloo_as_scipy_has_them(case):
    result = two_proportions(
        baseline=case["control"],
        mde=case["treatment"] - case["control"],
        n=case["n_control"],
        ratio=case["n_treatment"] / case["n_control"],
        alpha=case["alpha"],
        alternative="greater",
        test=case["test"],
    )
    assert result.power == pytest.approx(case["power"], rel=1e-9)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("test", ["fisher", "boschloo", "barnard"])
@pytest.mark.parametrize(("n_c", "n_t"), [(3, 3), (10, 6), (4, 20), (2, 40), (12, 12)])
@pytest.mark.parametrize("tail", [0.025, 0.1, 0.3])
def test_the_region_is_that_of_the_test(test, n_c, n_t, tail):
    frontier = _frontier(test, n_c, n_t, tail, (0, n_c + n_t))
    for c in range(n_c + 1):
        for t in range(max(frontier[c] - 1, 0), min(frontier[c] + 1, n_t + 1)):
            counts = ab.Counts(n=n_c, successes=c), ab.Counts(n=n_t, successes=t)
            pvalue = ab.exact_test(*counts, alternative="greater", method=test).pvalue
            assert (pvalue <= tail * (1 + 1e-9)) == (t >= frontier[c]), (c, t)


@pytest.mark.parametrize("test", ["fisher", "boschloo", "barnard"])
def test_the_fewest_units_from_which_on_the_power_is_enough(test):
    asked = {"baseline": 0.1, "mde": 0.3, "test": test}
    found = two_proportions(power=0.8, **asked)
    n = int(found.n_control)
    powers = two_proportions(n=np.arange(n - 1, n + 24), **asked).power
    assert powers[0] < 0.8
    assert np.all(powers[1:] >= 0.8)
    assert found.power == powers[1]


def test_the_power_is_a_sawtooth():
    powers = two_proportions(baseline=0.5, mde=0.2, n=np.arange(5, 60), test="boschloo").power
    assert np.any(np.diff(powers) < 0)


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
@pytest.mark.parametrize("test", ["fisher", "boschloo", "barnard"])
def test_the_power_at_the_effect_found(test, alternative):
    asked = {"baseline": 0.4, "n": 60, "ratio": 0.5, "test": test, "alternative": alternative}
    mde = two_proportions(power=0.7, **asked).mde
    assert (mde < 0) == (alternative == "less")
    assert two_proportions(mde=mde, **asked).power == pytest.approx(0.7, abs=1e-10)


def test_fisher_of_thousands_of_units_is_near_the_score_test():
    asked = {"baseline": 0.1, "mde": 0.02, "power": 0.8}
    exact, score = two_proportions(test="fisher", **asked), two_proportions(**asked)
    # Casagrande, Pike and Smith 1978: about 2 / |difference| units more
    assert exact.n_control == pytest.approx(score.n_control + 100, abs=12)


def test_two_units_never_reject():
    assert two_proportions(baseline=0.2, mde=0.5, n=2, test="fisher").power == 0.0
    assert isinstance(two_proportions(baseline=0.2, n=2, power=0.8, test="barnard"), NoSolution)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"n": 12.5, "mde": 0.1}, "`n` must be a whole number"),
        ({"n": 15_000, "mde": 0.1}, "at most 20,000 units"),
        ({"mde": 0.001, "power": 0.8}, "at most 20,000 units"),
        ({"power": 0.8, "hypothesis": "non-inferiority", "margin": 0.1}, "planned for superiority"),
        ({"mde": 0.1, "power": 0.8, "ratio": "best"}, "planned for superiority"),
    ],
)
def test_refused(asked, message):
    with pytest.raises(ValueError, match=message):
        two_proportions(baseline=0.1, test="fisher", **asked)


def test_arrays_have_their_own_reasons():
    result = two_proportions(baseline=0.1, mde=np.array([0.3, -0.05]), power=0.8, alternative="greater", test="fisher")
    assert result.n_control[0] == 30
    assert math.isnan(result.n_control[1])
    assert "not beyond the null" in result.reasons[1]
