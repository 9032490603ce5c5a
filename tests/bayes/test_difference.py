"""Posteriors of effects: against mpmath and exact sums, SciPy, and one way of computing against another."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats

from abkit.bayes._contour import log_odds
from abkit.bayes._difference import PairLaw, pair_law, tail_product
from abkit.bayes._lines import on_lines
from abkit.bayes._losses import best_of, losses_of, pair_losses
from abkit.bayes._share import ShareLaw
from abkit.bayes._uneven import uneven_looks, uneven_losses
from abkit.posterior import Beta, Gamma, Normal, Student, expected_loss, probability_best
from tests.golden.read import cases

FAMILIES = {"beta": Beta, "gamma": Gamma, "normal": Normal, "student": Student}


def one(family, parameters):
    return FAMILIES[family](*(np.array([value], dtype=float) for value in parameters))


def law_of(case):
    control, treatment = (one(case["family"], case[name]) for name in ("control", "treatment"))
    if case["scale"] == "relative" and case["family"] in ("beta", "gamma"):
        return ShareLaw(PairLaw(control, treatment, "log ratio"))
    return PairLaw(control, treatment, case["scale"])


@pytest.mark.parametrize("case", cases("bayes_compare"), ids=lambda case: f"{case['family']} {case['scale']}")
def test_probabilities_are_those_of_mpmath(case):
    below, above, _ = law_of(case).look(np.array([case["null"]], dtype=float))
    expected = [float(tail) for tail in case["tails"]]
    np.testing.assert_allclose([below[0], above[0]], expected, rtol=1e-10, atol=0)


@pytest.mark.parametrize("case", cases("bayes_compare", "sums"), ids=lambda case: str(case["parameters"]))
def test_two_betas_are_the_finite_sum_in_their_tails_too(case):
    a1, b1, a2, b2 = case["parameters"]
    law = PairLaw(one("beta", (a1, b1)), one("beta", (a2, b2)), "log odds ratio")
    below, above, of_control, of_treatment = (float(value) for value in case["values"])
    for found in (law.at_zero, law.integrated(np.zeros(1))):
        np.testing.assert_allclose([found[0][0], found[1][0]], [below, above], rtol=2e-12, atol=0)
    np.testing.assert_allclose(np.ravel(pair_losses(law)), [of_control, of_treatment], rtol=1e-9, atol=0)


def pairs_of_betas(rng, number):
    n = 10 ** rng.uniform(0.3, 7, (2, number))
    share = rng.beta(1, 5, number)
    a = rng.binomial(n.astype(int), share) + 1.0
    return Beta(a[0], n[0] + 2 - a[0]), Beta(a[1], n[1] + 2 - a[1])


def test_the_contour_and_the_panels_agree():
    control, treatment = pairs_of_betas(np.random.default_rng(8), 100)
    law = PairLaw(control, treatment, "log odds ratio")
    for x in (0.0, 0.3, -2.0):
        at = np.full(100, x)
        found, lost = log_odds(control, treatment, at)
        assert lost.mean() < 0.2
        for one_way, another in zip(found, law.integrated(at), strict=True):
            seen = ~lost & (another > 1e-290)
            np.testing.assert_allclose(one_way[seen], another[seen], rtol=1e-9)


@pytest.mark.parametrize("scale", ["difference", "log ratio"])
def test_the_lines_and_the_panels_agree(scale):
    rng = np.random.default_rng(3)
    control, treatment = pairs_of_betas(rng, 15)
    few = [rng.integers(1, 12, 15) * 1.0 for _ in range(4)]
    gammas = Gamma(few[0] - 0.5, few[1]), Gamma(few[2] - 0.5, few[3])
    for pair in ((control, treatment), (Beta(*few[:2]), Beta(*few[2:])), gammas):
        if scale == "log ratio" and pair is gammas:
            continue
        law = PairLaw(*pair, scale)
        for deviate in (-2.0, 0.0, 2.0):
            at = np.clip(law.mean + deviate * law.sd, law.support[0], law.support[1]) * 0.999
            found, lost = on_lines(*pair, scale, at)
            exact = law.integrated(at)
            inside = np.minimum(exact[0], exact[1]) > 1e-5
            assert (lost & inside).mean() < 0.15
            for one_way, another, digits in zip(found, exact, (1e-10, 1e-10, 1e-6), strict=True):
                np.testing.assert_allclose(one_way[~lost], another[~lost], rtol=digits)


@pytest.mark.parametrize("control", [(10.0, 0.5), (-10.0, 0.5), (0.3, 0.5), (-2.5, 0.4)])
@pytest.mark.parametrize("family", ["normal", "student"])
def test_the_share_of_a_control_is_that_of_the_panels(family, control):
    df = (400.0,) if family == "student" else ()
    law = PairLaw(one(family, (*control, *df)), one(family, (control[0] + 0.3, 0.7, *df)), "relative")
    for x in (-0.9, -0.1, 0.0, 0.05, 2.0):
        at = np.array([x])
        np.testing.assert_allclose(np.ravel(law.look(at)), np.ravel(law.integrated(at)), rtol=1e-9)


@pytest.mark.parametrize("apart", [0.0, 1.0, 9.0, 30.0, 37.0])
def test_two_normals_hold_their_digits_down_to_1e_300(apart):
    law = PairLaw(one("normal", (0.0, 0.6)), one("normal", (apart, 0.8)), "difference")
    closed = [stats.norm.cdf(-apart), stats.norm.sf(-apart)]
    np.testing.assert_allclose(np.ravel(law.look(np.zeros(1))[:2]), closed, rtol=1e-12)
    np.testing.assert_allclose(np.ravel(law.integrated(np.zeros(1))[:2]), closed, rtol=1e-9)
    loss = np.exp(-apart * apart / 2) / np.sqrt(2 * np.pi) - apart * stats.norm.sf(apart)
    assert pair_losses(law)[1][0] == pytest.approx(loss, rel=1e-9)


@pytest.mark.parametrize(
    "parameters", [((17.5, 1200.5), (30.5, 1300.0)), ((0.5, 1.0), (400.0, 3.0)), ((3.0, 9e5), (9.0, 1e4))]
)
def test_the_ratio_of_two_gammas_is_that_of_the_panels(parameters):
    law = PairLaw(*(one("gamma", p) for p in parameters), "log ratio")
    for x in (-1.0, 0.0, 0.5, 4.0):
        at = np.array([x])
        np.testing.assert_allclose(np.ravel(law.look(at)), np.ravel(law.integrated(at)), rtol=1e-9)
    other = PairLaw(law.control, law.treatment, "difference")
    np.testing.assert_allclose(np.ravel(other.look(np.zeros(1))[:2]), np.ravel(law.at_zero[:2]), rtol=1e-10)
    arms = Gamma(*(np.array(column) for column in zip(*parameters, strict=True)))
    np.testing.assert_allclose(np.ravel(pair_losses(law))[::1], expected_loss(arms), rtol=1e-8, atol=1e-13)


@pytest.mark.parametrize("scales", [(1.0, 1.0, 0.0), (1.0, 3.0, 2.0), (1e-3, 1.0, -4.0)])
def test_two_of_cauchys_are_one(scales):
    law = PairLaw(one("student", (1.0, scales[0], 1.0)), one("student", (1 + scales[2], scales[1], 1.0)), "difference")
    whole = stats.cauchy(scales[2], scales[0] + scales[1])
    for x in (0.0, 1.0, -20.0, 1e4):
        found = [float(part[0]) for part in law.look(np.array([x]))]
        assert found == pytest.approx([whole.cdf(x), whole.sf(x), whole.pdf(x)], rel=1e-10)
    assert law.mean[0] == pytest.approx(scales[2])


def test_two_students_with_one_centre_share_alike():
    law = PairLaw(one("student", (3.0, 1.0, 4.0)), one("student", (3.0, 0.01, 1.0)), "difference")
    assert law.look(np.zeros(1))[0][0] == pytest.approx(0.5, abs=1e-13)


def test_no_observations_are_two_uniforms():
    law = PairLaw(one("beta", (1, 1)), one("beta", (1, 1)), "difference")
    for x in (0.0, 0.1, 0.5, 0.999):
        assert law.sf(np.array([x]))[0] == pytest.approx((1 - x) ** 2 / 2, rel=1e-11)
        assert law.pdf(np.array([-x]))[0] == pytest.approx(1 - x, rel=1e-11)
    np.testing.assert_allclose(
        np.ravel(pair_losses(PairLaw(law.control, law.treatment, "log odds ratio"))), 1 / 6, rtol=1e-12
    )
    assert law.mean[0] == 0
    assert law.sd[0] == pytest.approx(6**-0.5)


LAWS = [
    PairLaw(one("beta", (101, 901)), one("beta", (131, 871)), "difference"),
    PairLaw(one("beta", (0.5, 20.5)), one("beta", (3.5, 17.5)), "difference"),
    PairLaw(one("beta", (3, 40)), one("beta", (9, 20)), "log odds ratio"),
    ShareLaw(PairLaw(one("beta", (3, 40)), one("beta", (9, 20)), "log ratio")),
    PairLaw(one("gamma", (3, 40)), one("gamma", (9, 20)), "difference"),
    ShareLaw(PairLaw(one("gamma", (3, 40)), one("gamma", (9, 20)), "log ratio")),
    PairLaw(one("normal", (1, 0.5)), one("normal", (2, 0.3)), "relative"),
    PairLaw(one("student", (10.8, 0.4, 4)), one("student", (12.2, 0.33, 4)), "difference"),
    PairLaw(one("student", (10.8, 0.4, 4)), one("student", (12.2, 0.33, 4)), "relative"),
]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: f"{type(law).__name__} {law.scale}")
@pytest.mark.parametrize("tail", [0.4, 0.025, 1e-12, 1e-100])
def test_quantiles_have_their_probabilities(law, tail):
    low, high = law.ends(np.array([tail]))
    assert law.cdf(low)[0] == pytest.approx(tail, rel=1e-7)
    assert law.sf(high)[0] == pytest.approx(tail, rel=1e-7)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: f"{type(law).__name__} {law.scale}")
def test_the_density_is_the_slope_of_the_probability(law):
    low, high = (float(end[0]) for end in law.ends(np.array([0.1])))
    step = (high - low) * 1e-4
    for x in np.linspace(low, high, 5):
        slope = (law.cdf(np.array([x + step])) - law.cdf(np.array([x - step]))) / (2 * step)
        assert law.pdf(np.array([x]))[0] == pytest.approx(slope[0], rel=1e-5)


def test_many_pairs_at_once_are_the_pairs_alone():
    control, treatment = pairs_of_betas(np.random.default_rng(2), 40)
    law = PairLaw(control, treatment, "difference")
    x = np.linspace(-0.1, 0.1, 40)
    together = law.look(x)
    for k in range(0, 40, 13):
        alone = law.rows([k]).look(x[[k]])
        np.testing.assert_allclose([part[k] for part in together], np.ravel(alone), rtol=1e-9, atol=1e-290)


def test_the_smallest_is_the_best_where_lower_is_better():
    arms = Gamma(np.array([20.0, 30.0, 3.0]), np.array([10.0, 12.0, 2.0]))
    draws = np.random.default_rng(4).gamma(arms.k, 1 / arms.rate, (400_000, 3))
    smallest = draws.min(axis=1, keepdims=True)
    np.testing.assert_allclose(best_of(arms, "decrease"), (draws == smallest).mean(axis=0), atol=4e-3)
    np.testing.assert_allclose(losses_of(arms, "decrease"), (draws - smallest).mean(axis=0), atol=6e-3)
    shares = Beta(np.array([20.0, 30.0, 3.0]), np.array([80.0, 75.0, 9.0]))
    np.testing.assert_allclose(best_of(shares, "decrease"), probability_best(Beta(shares.b, shares.a)), atol=1e-12)
    np.testing.assert_allclose(losses_of(shares, "decrease"), expected_loss(Beta(shares.b, shares.a)), rtol=1e-9)


def test_a_control_is_held_against_each_treatment():
    arms = Beta(np.array([20.0, 30.0, 3.0]), np.array([80.0, 75.0, 9.0]))
    law = pair_law(arms, "log odds ratio")
    assert law.control.a.tolist() == [20.0, 20.0]
    assert law.treatment.b.tolist() == [75.0, 9.0]
    assert law.mean[0] == pytest.approx(special.digamma([30, 75, 20, 80]) @ [1, -1, -1, 1])


@pytest.mark.parametrize("df", [(200.0, 9000.0), (40.0, 3.0), (30000.0, 30.0)], ids=str)
def test_students_of_unlike_widths_and_tails_have_the_same_answer_quickly(df):
    scales, gaps = np.array([0.03, 1.0, 40.0]), np.array([0.0, 0.5, -4.0, 9.0])
    scale, gap = (np.ravel(a) for a in np.meshgrid(scales, gaps))
    gap = gap * np.hypot(scale, 1)
    control = Student(np.zeros(12), np.ones(12), np.full(12, df[0]))
    treatment = Student(gap, scale, np.full(12, df[1]))
    law = PairLaw(control, treatment, "difference")
    found, of_tails = law.integrated(np.zeros(12)), tail_product(control, treatment, gap > 0)
    known = 0
    for quick, expected in (
        (uneven_looks(control, treatment, gap), found),
        (uneven_losses(control, treatment, gap), [of_tails + np.maximum(gap, 0), of_tails + np.maximum(-gap, 0)]),
    ):
        there = ~np.isnan(quick[0])
        known += there.sum()
        np.testing.assert_allclose(quick[:, there], np.array(expected)[:, there], rtol=1e-9)
    assert known >= 8
