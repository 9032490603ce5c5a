"""Two rates: the numbers of R and statsmodels, and what must hold whatever is asked."""

from __future__ import annotations

import math

import numpy as np
import pytest

import abkit as ab
from abkit.power import NoSolution, two_rates
from tests.golden.read import cases


def test_the_exact_test_of_more_events_than_can_be_counted_is_the_score_test():
    for n in (1.9e15, 0.9e20, 1e40):
        exact, score = (ab.power.two_rates(n=n, baseline=0.5, power=0.8, test=test).mde for test in ("exact", "score"))
        assert exact == pytest.approx(score, rel=2e-8)


@pytest.mark.parametrize("case", cases("power_poisson"), ids=lambda c: f"{c['control']}-{c['null']}-{c['alpha']}")
def test_the_exact_test_as_r_enumerates_it(case):
    treatment, n = case["treatment"] / case["ratio"] / case["control"] - 1, 4
    asked = {"baseline": case["control"] / n, "mde": ab.relative(treatment), "n": n, "ratio": case["ratio"]}
    asked |= {"alpha": case["alpha"], "test": "exact"}
    if case["null"] != 1:
        margin = {"margin": 1 - case["null"], "hypothesis": "non-inferiority"}
        assert two_rates(**asked, **margin).power == pytest.approx(case["greater"], rel=1e-10)
        return
    assert two_rates(**asked).power == pytest.approx(case["two_sided"], rel=1e-10)
    for way in ("greater", "less"):
        assert two_rates(alternative=way, **asked).power == pytest.approx(case[way], rel=1e-10)


@pytest.mark.parametrize("case", cases("power_rates"), ids=lambda c: f"{c['test']}-{c['control']}-{c['n']}")
def test_power_as_in_statsmodels(case):
    names = ("n", "ratio", "alternative", "test", "alpha", "exposure", "dispersion")
    given = {name: case[name] for name in names if name in case}
    result = two_rates(baseline=case["control"], mde=case["treatment"] - case["control"], **given)
    assert result.power == pytest.approx(case["power"], rel=1e-9, abs=1e-14)


def test_zhu_and_lakkis_2014_by_their_formula():
    """Rates of 0.8 and 0.68, 0.75 years, a dispersion of 0.7, two-sided 5%: method 2, for a power of 90%."""
    z = 1.959963984540054 + 1.2815515655446004
    variance = (1 / 0.8 + 1 / 0.68) / 0.75 + 2 * 0.7
    n = z * z * variance / math.log(0.85) ** 2
    result = two_rates(baseline=0.8, mde=-0.12, exposure=0.75, dispersion=0.7, power=0.9)
    assert result.n_control == pytest.approx(n, rel=1e-6)  # which leaves out rejections on the wrong side


ASKED = [
    {},
    {"alternative": "less"},
    {"hypothesis": "non-inferiority", "margin": ab.relative(0.1)},
    {"hypothesis": "non-inferiority", "margin": ab.relative(0.1), "alternative": "less"},
    {"alternative": "greater", "margin": 0.02, "relative": True},
    {"ratio": 1 / 99},
    {"ratio": "best"},
    {"alpha": 1e-9},
]


@pytest.mark.parametrize("test", ["exact", "score", "quasi", "negative-binomial"])
@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_the_power_at_what_was_solved_is_the_one_asked(asked, test):
    asked = {"baseline": 2.0, "test": test, **asked}
    found = two_rates(n=900, power=0.83, **asked)
    relative = {"relative": True} if found.relative else {}
    asked = {**asked, **relative, "mde": found.mde}
    assert two_rates(n=900, **asked).power == pytest.approx(0.83, abs=1e-10)
    n = two_rates(power=0.83, **asked).n_control
    assert n == pytest.approx(900, rel=1e-9)


@pytest.mark.parametrize("test", ["exact", "score", "quasi", "negative-binomial"])
def test_equivalence(test):
    asked = {"baseline": 2.0, "hypothesis": "equivalence", "margin": ab.relative(0.1), "test": test}
    n = two_rates(power=0.9, **asked).n_control
    assert two_rates(n=n, **asked).power == pytest.approx(0.9, abs=1e-10)
    widest = two_rates(n=1.2 * n, power=0.9, **asked).mde
    assert two_rates(n=1.2 * n, mde=widest, **asked).power == pytest.approx(0.9, abs=1e-10)


def test_absolute_margins_of_the_score_test():
    asked = {"baseline": 2.0, "hypothesis": "non-inferiority", "margin": 0.1, "test": "score", "power": 0.8}
    z = 1.6448536269514722 + 0.8416212335729143
    # both variances are near 2 x 2 events
    assert two_rates(**asked).n_control == pytest.approx(z * z * 4 / 0.01, rel=0.001)


@pytest.mark.parametrize(("baseline", "mde"), [(1e-6, 1e-8), (0.5, 1e-5), (1000.0, 1.0)])
def test_very_many_events(baseline, mde):
    asked = {"baseline": baseline, "mde": mde, "power": 0.8}
    exact, score = two_rates(**asked).n_control, two_rates(test="score", **asked).n_control
    # as with proportions, an exact test needs about two events more for each event of the difference
    assert exact == pytest.approx(score + 2 / mde, rel=2e-5)


def test_two_million_and_one_more_event_are_not_told_apart_by_the_sample():
    here = two_rates(baseline=1.0, mde=0.01, n=49_000).power
    there = two_rates(baseline=1.0, mde=0.01, n=50_000).power  # from 100,000 events on a sample
    score = [two_rates(baseline=1.0, mde=0.01, n=n, test="score").power for n in (49_000, 50_000)]
    assert there - here == pytest.approx(score[1] - score[0], abs=1e-4)


def test_impossible_requests_say_why():
    none = two_rates(baseline=0.1, n=20, power=0.8, alternative="less")
    assert isinstance(none, NoSolution)
    assert "the largest effect" in none.reason
    assert isinstance(two_rates(baseline=0.1, mde=-0.01, power=0.8, alternative="greater"), NoSolution)
    many = two_rates(baseline=np.array([0.1, 5.0]), n=20, power=0.8, alternative="less")
    assert math.isnan(many.mde[0])
    assert "the largest effect" in many.reasons[0]
    assert many.mde[1] < 0


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"mde": -0.1, "power": 0.8}, "`mde` must be"),
        ({"mde": 0.1, "power": 0.8, "dispersion": 1.0, "test": "exact"}, "`test` must be 'negative-binomial'"),
        ({"mde": 0.1, "power": 0.8, "exposure": 0.0}, "`exposure` must be above 0"),
        ({"power": 0.8, "hypothesis": "non-inferiority", "margin": 0.1}, "`margin` must be a share"),
        ({"power": 0.8, "hypothesis": "non-inferiority", "margin": ab.relative(1.0)}, "`margin` must be below 1"),
        ({"mde": 0.1, "power": 0.8, "test": "poisson"}, "`test` must be one of"),
    ],
)
def test_refused(asked, message):
    with pytest.raises(ValueError, match=message):
        two_rates(**{"baseline": 0.1, **asked})


@pytest.mark.parametrize("test", ["exact", "score"])
def test_the_test_itself_rejects_as_often(test):
    plan = two_rates(baseline=0.4, mde=0.2, power=0.8, test=test)
    n = math.ceil(plan.n_control)
    rng = np.random.default_rng(5)
    runs = 2_000
    pairs = zip(rng.poisson(0.4 * n, runs).tolist(), rng.poisson(0.6 * n, runs).tolist(), strict=True)
    rejected = sum(
        ab.rate_test(ab.Events(events=c, exposure=float(n)), ab.Events(events=t, exposure=float(n)), method=test).pvalue
        <= 0.05
        for c, t in pairs
    )
    assert rejected / runs == pytest.approx(0.8, abs=4 * math.sqrt(0.16 / runs))
