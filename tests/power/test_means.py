from __future__ import annotations

import math

import numpy as np
import pytest

import abkit as ab
from tests.golden.read import cases

two_means = ab.power.two_means


@pytest.mark.parametrize("case", cases("power_t_test"), ids=lambda case: f"{case['call']} {case['type']}")
def test_r_and_pwr(case):
    ask = ab.power.paired if case["type"] == "paired" else two_means
    extra = {} if case["type"] == "paired" else {"test": "student", "ratio": case["ratio"]}
    given = {"sd": case["sd"], "alpha": case["alpha"], "alternative": case["alternative"], **extra}
    assert ask(n=case["n"], mde=case["mde"], **given).power == pytest.approx(case["power"], rel=1e-9, abs=1e-12)
    towards = case["alternative"] == "two-sided" or (case["mde"] > 0) == (case["alternative"] == "greater")
    if towards and 1e-2 < case["power"] < 1 - 1e-9:  # R has twelve decimals
        assert ask(mde=case["mde"], power=case["power"], **given).n_control == pytest.approx(case["n"], rel=1e-9)
        size = ask(n=case["n"], power=case["power"], **given).mde
        assert abs(size) == pytest.approx(abs(case["mde"]), rel=1e-9)


@pytest.mark.parametrize("case", cases("power_statsmodels"))
def test_statsmodels(case):
    given = {name: case[name] for name in ("test", "alternative", "mde", "ratio", "alpha")}
    found = two_means(n=case["n"], sd=1.0, **given)
    assert found.power == pytest.approx(case["power"], rel=1e-9, abs=1e-14)
    if case["solved"] == "n":
        assert two_means(power=case["power"], sd=1.0, **given).n_control == pytest.approx(case["n"], rel=1e-9)


@pytest.mark.parametrize("case", cases("power_means_rpact"))
def test_rpact(case):
    given = {"sd": case["sd"], "alpha": 0.025, "power": 0.85, "ratio": case["ratio"], "mde": case["mde"]}
    given["test"] = "z" if case["normal"] else "student"
    given |= {"relative": True, "baseline": 1.0} if case["relative"] else {}
    if case["sided"] == 1:
        hypothesis = "superiority" if case["null"] >= 0 else "non-inferiority"
        given |= {"alternative": "greater", "hypothesis": hypothesis, "margin": abs(case["null"])}
    found = two_means(**given)
    if case["sided"] == 2:  # rpact leaves out rejections on the wrong side
        at_theirs = two_means(**(given | {"n": case["n_control"], "power": None}))
        assert at_theirs.power == pytest.approx(0.85, abs=2e-6)
        return
    # its roots of t designs have six digits
    assert found.n_control == pytest.approx(case["n_control"], rel=1e-9 if case["normal"] else 1e-6)
    assert found.n_treatment == pytest.approx(case["n_treatment"], rel=1e-9 if case["normal"] else 1e-6)


def test_published_numbers():
    # Cohen 1988, table 2.4.1: n for two-sided 0.05, power 0.80
    for d, n in ((0.2, 393), (0.5, 64), (0.8, 26), (1.0, 17)):
        assert abs(math.ceil(two_means(mde=d, sd=1, power=0.8, test="student").n_control) - n) <= 1
    # Chow, Shao and Wang 2008, sec. 3.2.3: 2 (z_a + z_{b/2})^2 sd^2 / margin^2 where there is no difference
    exact = two_means(hypothesis="equivalence", margin=0.05, sd=0.1, alpha=0.05, power=0.8, test="z")
    assert exact.n_control == pytest.approx(2 * (1.6448536269514722 + 1.2815515655446004) ** 2 * 4, rel=1e-13)


def test_equal_variances_and_sizes_make_welch_and_student_one():
    n = np.array([2.0, 7.0, 300.0])
    welch, student = (two_means(n=n, mde=0.9, sd=1.3, test=test).power for test in ("welch", "student"))
    np.testing.assert_allclose(welch, student, rtol=1e-13)


def test_units_do_not_matter():
    plain = two_means(mde=0.5, sd=1.2, sd_treatment=1.7, power=0.8, ratio=2)
    for unit in (1e-290, 1e-12, 1e12, 1e290):
        scaled = two_means(mde=0.5 * unit, sd=1.2 * unit, sd_treatment=1.7 * unit, power=0.8, ratio=2)
        assert scaled.n_control == pytest.approx(plain.n_control, rel=1e-12)
        back = two_means(n=plain.n_control, sd=1.2 * unit, sd_treatment=1.7 * unit, power=0.8, ratio=2)
        assert back.mde == pytest.approx(0.5 * unit, rel=1e-12)


@pytest.mark.parametrize("test", ["welch", "z"])
@pytest.mark.parametrize("sd_treatment", [0.2, 1.0, 9.0])
def test_the_best_ratio_needs_the_fewest_units(test, sd_treatment):
    given = {"mde": 0.1, "sd": 1.0, "sd_treatment": sd_treatment, "power": 0.9, "test": test}
    best = two_means(ratio="best", **given)
    assert best.n_treatment / best.n_control == pytest.approx(sd_treatment)
    others = two_means(ratio=np.array([0.05, 0.2, 0.5, 1, 2, 5, 20]) * sd_treatment, **given)
    assert np.all(best.n_total <= others.n_total * (1 + (0 if test == "z" else 1e-3)))


def test_relative_margins_count_the_noise_of_the_baseline():
    # rpact's meanRatio, in closed form
    found = two_means(
        hypothesis="non-inferiority", margin=ab.relative(0.2), baseline=50, sd=35, power=0.85, alpha=0.025, test="z"
    )
    from scipy.stats import norm

    expected = 0.7**2 * (1 + 0.8**2) * (norm.ppf(0.975) + norm.ppf(0.85)) ** 2 / 0.2**2
    assert found.n_control == pytest.approx(expected, rel=1e-12)


def test_relative_margins_below_zero_are_shares_of_the_size():
    # T - C > -0.2 |C| is T - 1.2 C > 0 where C is below zero, which has more noise than T - 0.8 C
    asked = {"hypothesis": "non-inferiority", "margin": ab.relative(0.2), "sd": 35, "power": 0.85, "test": "z"}
    below, upwards = two_means(baseline=-50, **asked), two_means(baseline=50, **asked)
    assert below.n_control == pytest.approx(upwards.n_control * (1 + 1.2**2) / (1 + 0.8**2), rel=1e-12)
    both = two_means(baseline=[-50, 50], **asked)
    np.testing.assert_allclose(both.n_control, [below.n_control, upwards.n_control], rtol=1e-12)
    best = two_means(baseline=-50, ratio="best", **asked)
    assert best.n_treatment / best.n_control == pytest.approx(1 / 1.2)
    assert ab.power.clusters(baseline=-50, icc=0, cluster_size=1, **asked).n_control == below.n_control


def test_equivalence_is_owens_q():
    """By the joint law of two t statistics, another way: simulated with a million draws."""
    rng = np.random.default_rng(5)
    n, sd, margin, mde = 8, 1.0, 1.4, 0.2
    s = np.sqrt(rng.chisquare(2 * n - 2, 1_000_000) / (2 * n - 2))
    difference = mde + rng.standard_normal(s.size) * sd * (2 / n) ** 0.5
    from scipy.special import stdtrit

    room = margin - stdtrit(2 * n - 2, 0.95) * s * sd * (2 / n) ** 0.5
    planned = two_means(hypothesis="equivalence", margin=margin, mde=mde, sd=sd, n=n, test="student").power
    assert np.mean(np.abs(difference) < room) == pytest.approx(planned, abs=0.002)


@pytest.mark.parametrize(("n_c", "n_t", "sd_t"), [(6, 6, 1.0), (12, 30, 2.0)])
def test_what_is_planned_is_what_is_tested(n_c, n_t, sd_t):
    from tests.calibration.power_means import normal_moments

    rng, runs, mde = np.random.default_rng(8), 1500, 1.3
    planned = two_means(n=n_c, ratio=n_t / n_c, mde=mde, sd=1, sd_treatment=sd_t).power
    draw = normal_moments(n_c, n_t, mde, sd_t)
    share = np.mean([ab.welch_test(*draw(rng)).pvalue <= 0.05 for _ in range(runs)])
    assert share == pytest.approx(planned, abs=4 * (planned * (1 - planned) / runs) ** 0.5)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"sd": 0.0, "n": 5, "power": 0.8}, "`sd` must be above 0"),
        ({"sd": 1.0, "n": 1, "power": 0.8}, "`n` must be at least 2"),
        ({"sd": 1.0, "n": 5}, "two of `n`, `mde` and `power` must be given"),
        ({"sd": 1.0, "n": 5, "power": 1.0}, "`power` must be above 0 and below 1"),
        ({"sd": 1.0, "n": math.inf, "power": 0.8}, "`n` must be at least 2"),
        ({"sd": math.nan, "n": 5, "power": 0.8}, "`sd` must be above 0"),
        ({"sd": 1.0, "n": 5, "power": 0.8, "relative": True}, "`baseline` must be given"),
        ({"sd": 1.0, "n": 5, "power": 0.8, "relative": True, "baseline": 0}, "`baseline` must not be 0"),
        ({"sd": 1.0, "n": 5, "power": 0.8, "ratio": 0}, "`ratio` must be above 0"),
        ({"sd": 1.0, "n": 5, "power": 0.8, "alpha": 1.0}, "`alpha` must be above 0 and below 1"),
        ({"sd": 1.0, "n": 5, "power": 0.8, "hypothesis": "equivalence"}, "`margin` must be above 0"),
    ],
)
def test_what_is_refused(given, sentence):
    with pytest.raises(ValueError, match=sentence.replace("(", r"\(")):
        two_means(**given)


def test_a_word_that_is_no_argument():
    with pytest.raises(TypeError, match="Did you mean 'alternative'"):
        two_means(n=5, sd=1.0, power=0.8, alternativ="greater")
