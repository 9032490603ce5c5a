"""Two proportions: the numbers of R, rpact and statsmodels, and what must hold whatever is asked."""

from __future__ import annotations

import math

import numpy as np
import pytest

import abkit as ab
from abkit.power import NoSolution, two_proportions
from tests.golden.read import cases


@pytest.mark.parametrize("case", cases("power_prop_test"), ids=lambda c: f"{c['p1']}-{c['p2']}-{c['alpha']}")
def test_no_margin_as_in_r(case):
    asked = {"baseline": case["p1"], "mde": case["p2"] - case["p1"], "alpha": case["alpha"]}
    way = "greater" if case["p2"] > case["p1"] else "less"
    assert two_proportions(power=case["power"], **asked).n_control == pytest.approx(case["two_sided"], rel=1e-9)
    one = two_proportions(power=case["power"], alternative=way, **asked)
    assert one.n_control == pytest.approx(case["one_sided"], rel=1e-9)
    assert two_proportions(n=37, **asked).power == pytest.approx(case["power_two_sided"], rel=1e-11)
    one = two_proportions(n=37, alternative=way, **asked)
    assert one.power == pytest.approx(case["power_one_sided"], rel=1e-11)


@pytest.mark.parametrize(
    "case", cases("power_rates_rpact"), ids=lambda c: f"{c['control']}-{c['treatment']}-{c['null']}-{c['ratio']:g}"
)
def test_margins_and_allocations_as_in_rpact(case):
    null, up = case["null"], case["alternative"] == "greater"
    relative = bool(case["relative"])
    mde = case["treatment"] / case["control"] - 1 if relative else case["treatment"] - case["control"]
    result = two_proportions(
        baseline=case["control"],
        mde=mde,
        power=0.8,
        alpha=0.025,
        alternative=case["alternative"],
        hypothesis="superiority" if (null >= 0 if up else null <= 0) else "non-inferiority",
        margin=abs(null),
        relative=relative,
        ratio=case["ratio"] or "best",
    )
    assert result.n_total == pytest.approx(case["n_control"] + case["n_treatment"], rel=1e-9)
    if case["ratio"] == 0:  # rpact's search for the best one stops at the fourth digit
        assert result.n_treatment / result.n_control == pytest.approx(case["best"], rel=2e-3)


@pytest.mark.parametrize("case", cases("power_proportions"), ids=lambda c: f"{c['control']}-{c['n']}-{c['alpha']}")
def test_power_as_in_statsmodels(case):
    names = ("mde", "n", "ratio", "alpha", "alternative")
    result = two_proportions(baseline=case["control"], **{name: case[name] for name in names})
    assert result.power == pytest.approx(case["power"], rel=1e-9, abs=1e-15)


def test_farrington_and_manning_1990_table_1():
    """Their first row: proportions of 0.1, a ratio of 0.1 or a difference of -0.2 excluded, 2 to 3, alpha 5%, 90%."""
    asked = {"baseline": 0.1, "hypothesis": "non-inferiority", "ratio": 1.5, "power": 0.9}
    ratio = two_proportions(margin=ab.relative(0.9), **asked)
    assert (round(ratio.n_treatment), round(ratio.n_control)) == (49, 33)
    difference = two_proportions(margin=0.2, **asked)
    assert (round(difference.n_treatment), round(difference.n_control)) == (63, 42)


ASKED = [
    {},
    {"alternative": "less"},
    {"alternative": "greater", "margin": 0.01},
    {"hypothesis": "non-inferiority", "margin": 0.01},
    {"hypothesis": "non-inferiority", "alternative": "less", "margin": 0.05},
    {"hypothesis": "non-inferiority", "margin": 0.1, "relative": True},
    {"alternative": "less", "relative": True, "margin": 0.05},
    {"ratio": 1 / 99},
    {"ratio": "best"},
    {"alpha": 1e-9},
    {"alpha": 0.5},
]


@pytest.mark.parametrize("test", ["score", "miettinen-nurminen", "wald"])
@pytest.mark.parametrize("asked", ASKED, ids=str)
@pytest.mark.parametrize("baseline", [0.02, 0.5, 0.93])
def test_the_power_at_what_was_solved_is_the_one_asked(baseline, asked, test):
    found = two_proportions(baseline=baseline, n=30_000, power=0.83, test=test, **asked)
    again = two_proportions(baseline=baseline, n=30_000, mde=found.mde, test=test, **asked)
    assert again.power == pytest.approx(0.83, abs=1e-10)
    n = two_proportions(baseline=baseline, mde=found.mde, power=0.83, test=test, **asked)
    assert n.n_control == pytest.approx(30_000, rel=1e-9)
    assert two_proportions(baseline=baseline, n=n.n_control, mde=found.mde, test=test, **asked).power == pytest.approx(
        0.83, abs=1e-10
    )


@pytest.mark.parametrize("relative", [False, True])
def test_equivalence_round_trip(relative):
    asked = {"baseline": 0.2, "hypothesis": "equivalence", "margin": 0.1 if relative else 0.02, "relative": relative}
    n = two_proportions(power=0.9, **asked).n_control
    assert two_proportions(n=n, **asked).power == pytest.approx(0.9, abs=1e-12)
    widest = two_proportions(n=1.2 * n, power=0.9, **asked).mde
    assert two_proportions(n=1.2 * n, mde=widest, **asked).power == pytest.approx(0.9, abs=1e-10)


@pytest.mark.parametrize("baseline", [1e-9, 1 - 1e-9])
@pytest.mark.parametrize("margin", [1e-10, 1e-12, 0.1])
def test_a_restricted_variance_near_0_and_1_mirrors_itself(baseline, margin):
    asked = {"power": 0.8, "margin": margin, "hypothesis": "non-inferiority"}
    here = two_proportions(baseline=baseline, **asked).n_control
    there = two_proportions(baseline=1 - baseline, alternative="less", **asked).n_control
    assert here == pytest.approx(there, rel=1e-7)  # 1 - 1e-9 has seven digits of 1e-9


def test_rare_events_and_hundreds_of_millions_of_units():
    assert two_proportions(baseline=0.5, mde=1e-5, power=0.8).n_control == pytest.approx(3.924430e10, rel=1e-6)
    lopsided = two_proportions(baseline=0.1, mde=0.01, power=0.8, ratio=1 / 99)
    assert lopsided.n_control == pytest.approx(99 * lopsided.n_treatment)
    assert lopsided.n_total > 20 * two_proportions(baseline=0.1, mde=0.01, power=0.8).n_total


def test_the_best_ratio_is_the_best():
    asked = {"baseline": 0.1, "mde": 0.1, "power": 0.8, "alpha": 0.01}
    best = two_proportions(ratio="best", **asked)
    around = best.n_treatment / best.n_control * np.array([0.9, 0.99, 1.01, 1.1])
    assert np.all(two_proportions(ratio=around, **asked).n_total > best.n_total)


def test_impossible_requests_say_why():
    none = two_proportions(baseline=0.1, n=50, power=0.8, alternative="less")
    assert isinstance(none, NoSolution)
    assert "the largest effect that there can be" in none.reason
    assert isinstance(two_proportions(baseline=0.1, mde=-0.01, power=0.8, alternative="greater"), NoSolution)
    every = two_proportions(baseline=0.02, n=30_000, power=0.8, hypothesis="non-inferiority", margin=0.05)
    assert "every effect that there can be" in every.reason
    many = two_proportions(baseline=np.array([0.1, 0.5]), n=50, power=0.8, alternative="less")
    assert math.isnan(many.mde[0])
    assert many.reasons[0]
    assert many.mde[1] < 0
    assert not many.reasons[1]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"mde": 0.95, "power": 0.8}, "`mde` must be between -0.1 and 0.9"),
        ({"mde": -0.1, "power": 0.8}, "`mde` must be between"),
        ({"mde": ab.relative(9.5), "power": 0.8}, "`mde` must be between -1 and 9"),
        ({"baseline": 1.0, "mde": -0.1, "power": 0.8}, "`baseline` must be above 0 and below 1"),
        ({"baseline": math.nan, "mde": 0.1, "power": 0.8}, "`baseline` must be"),
        ({"power": 0.8, "hypothesis": "non-inferiority", "margin": 1.0}, "`margin` must be below 1"),
        ({"mde": 0.1, "power": 0.8, "test": "fischer"}, "Did you mean 'fisher'"),
    ],
)
def test_refused(asked, message):
    with pytest.raises(ValueError, match=message):
        two_proportions(**{"baseline": 0.1, **asked})


@pytest.mark.parametrize(
    ("asked", "null"),
    [
        ({"baseline": 0.1, "mde": 0.05}, 0.0),
        ({"baseline": 0.1, "hypothesis": "non-inferiority", "margin": 0.04}, -0.04),
        ({"baseline": 0.3, "hypothesis": "non-inferiority", "margin": ab.relative(0.15)}, ab.relative(-0.15)),
        ({"baseline": 0.3, "mde": -0.1, "alternative": "less", "ratio": 0.5}, 0.0),
    ],
)
def test_the_test_itself_rejects_as_often(asked, null):
    plan = two_proportions(power=0.8, **asked)
    n_c, n_t = math.ceil(plan.n_control), math.ceil(plan.n_treatment)
    moved = plan.mde * (asked["baseline"] if plan.relative else 1)
    rng = np.random.default_rng(20)
    runs = 2_000
    counts = rng.binomial(n_c, asked["baseline"], runs), rng.binomial(n_t, asked["baseline"] + moved, runs)
    inferior = asked.get("hypothesis") == "non-inferiority"
    alternative = asked.get("alternative", "greater" if inferior else "two-sided")
    rejected = sum(
        ab.proportion_test(
            ab.Counts(n=n_c, successes=int(c)), ab.Counts(n=n_t, successes=int(t)), null=null, alternative=alternative
        ).pvalue
        <= 0.05
        for c, t in zip(*counts, strict=True)
    )
    assert rejected / runs == pytest.approx(0.8, abs=4 * math.sqrt(0.16 / runs) + 0.01)
