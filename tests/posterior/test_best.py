"""Which of several is best: against mpmath's quadrature, Miller's finite sum, SciPy, and each other."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from abkit.posterior import (
    Beta,
    Gamma,
    Normal,
    NormalInverseGamma,
    Student,
    expected_loss,
    probability_best,
    probability_within,
    value_remaining,
)
from tests.golden.read import cases

FAMILIES = {"beta": Beta, "normal": Normal, "student": Student, "gamma": Gamma}


def posterior(family, parameters):
    return FAMILIES[family](*np.array(parameters, dtype=float).T)


@pytest.mark.parametrize("case", cases("posterior"), ids=lambda case: f"{case['family']} {case['parameters']}")
def test_probabilities_losses_and_values_are_those_of_mpmath(case):
    made = posterior(case["family"], case["parameters"])
    np.testing.assert_allclose(probability_best(made), case["best"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(expected_loss(made), case["loss"], rtol=1e-9)
    champion = int(np.argmax(case["best"]))
    relative = case["family"] in ("beta", "gamma")
    assert probability_within(made, champion, 0.05, relative=relative) == pytest.approx(case["within"], abs=1e-12)


@pytest.mark.parametrize("case", cases("posterior", "sums"), ids=lambda case: str(case["parameters"]))
def test_two_betas_are_the_finite_sum_in_their_tails_too(case):
    a1, b1, a2, b2 = case["parameters"]
    made = Beta(np.array([a1, a2], float), np.array([b1, b2], float))
    expected = [case["first"], case["second"]]
    np.testing.assert_allclose(probability_best(made), expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(probability_best(made, 38.0), expected, rtol=1e-9)


def test_normal_tails_hold_their_digits_down_to_1e_300():
    for apart in (1.0, 10.0, 30.0, 37.0):
        made = Normal(np.array([0.0, apart]), np.array([0.6, 0.8]))
        assert probability_best(made, 38.0)[0] == pytest.approx(stats.norm.sf(apart), rel=1e-8)


def test_no_peak_is_missed():
    clicks = Beta(np.array([5001.0, 5011.0]), np.array([95001.0, 94991.0]))
    np.testing.assert_allclose(probability_best(clicks), [0.4592, 0.5408], atol=5e-5)
    for gap in (0.0, 1e-9, 1e-3, 1.0, 1e6):
        narrow = Normal(np.array([gap, 0.0]), np.array([1e-7, 1.0]))
        assert probability_best(narrow)[0] == pytest.approx(stats.norm.cdf(gap), abs=1e-7)


@pytest.mark.parametrize(
    "made",
    [
        Beta(np.full(4, 0.01), np.full(4, 0.01)),
        Beta(np.full(3, 1e9), np.full(3, 3e9)),
        Beta(np.full(5, 1e-3), np.full(5, 1e3)),
        Gamma(np.full(3, 0.01), np.full(3, 1e-6)),
        Gamma(np.full(3, 1e12), np.full(3, 1.0)),
        Student(np.full(3, -5.0), np.full(3, 1e-5), np.full(3, 1.0)),
        Student(np.full(2, 0.0), np.full(2, 1.0), np.full(2, 1e9)),
        Normal(np.full(20, 1e6), np.full(20, 1e-3)),
    ],
    ids=lambda made: type(made).__name__,
)
def test_equal_posteriors_share_alike(made):
    arms = made.shape[0]
    np.testing.assert_allclose(probability_best(made), np.full(arms, 1 / arms), rtol=1e-12)
    assert np.isfinite(probability_best(made, 38.0)).all()


def test_runs_side_by_side_are_the_runs_alone():
    rng = np.random.default_rng(5)
    made = Beta(rng.integers(1, 900, (4, 130)) * 1.0, rng.integers(1, 900, (4, 130)) * 1.0)
    together = probability_best(made)
    alone = [probability_best(Beta(made.a[:, run], made.b[:, run])) for run in range(0, 130, 10)]
    np.testing.assert_allclose(together[:, ::10], np.array(alone).T, atol=1e-12)
    np.testing.assert_allclose(together.sum(axis=0), 1, rtol=1e-13)
    assert expected_loss(made).shape == (4, 130)


def test_one_arm_is_the_best_and_loses_nothing():
    alone = Beta(np.array([2.0]), np.array([5.0]))
    assert probability_best(alone).tolist() == [1.0]
    assert expected_loss(alone).tolist() == [0.0]
    assert value_remaining(alone, 0, relative=True) == 0.0


def test_losses_of_two_normals_are_the_closed_form():
    z = 0.3 / np.hypot(0.1, 0.2)
    closed = np.hypot(0.1, 0.2) * (stats.norm.pdf(z) - z * stats.norm.sf(z))
    made = Normal(np.array([1.3, 1.0]), np.array([0.1, 0.2]))
    np.testing.assert_allclose(expected_loss(made), [closed, closed + 0.3], rtol=1e-11)
    certain = Normal(np.array([1.0, 0.0]), np.array([0.02, 0.02]))
    z = 1 / np.hypot(0.02, 0.02)
    assert expected_loss(certain)[0] == pytest.approx(
        0.02 * 2**0.5 * (stats.norm.pdf(z) - z * stats.norm.sf(z)), rel=1e-2
    )


def test_a_loss_without_a_mean_is_infinite():
    assert np.isinf(expected_loss(Student(np.zeros(2), np.ones(2), np.array([1.0, 5.0])))).all()


def test_value_remaining_without_data_is_the_known_quantile():
    nothing = Beta(np.ones(3), np.ones(3))
    assert value_remaining(nothing, 0, relative=True) == pytest.approx(12 + 1 / 3, rel=1e-9)


@pytest.mark.parametrize("relative", [True, False])
def test_value_remaining_is_where_the_probability_within_is_the_level(relative):
    made = Beta(np.array([20.0, 30.0, 25.0]), np.array([80.0, 75.0, 90.0]))
    for level in (0.9, 0.95, 0.9999):
        value = value_remaining(made, 1, level, relative=relative)
        assert probability_within(made, 1, value, relative=relative) == pytest.approx(level, abs=1e-10)
    assert value_remaining(made, 1, 0.3, relative=relative) == 0.0
    assert probability_within(made, 1, 0.0, relative=relative) == pytest.approx(probability_best(made)[1], abs=1e-12)


@pytest.mark.parametrize(
    ("made", "other"),
    [
        (
            Beta(np.array([0.01, 2.5, 3e5]), np.array([0.2, 9.0, 1e5])),
            lambda: stats.beta([0.01, 2.5, 3e5], [0.2, 9.0, 1e5]),
        ),
        (Normal(np.array([1.0, -2.0]), np.array([0.1, 3.0])), lambda: stats.norm([1.0, -2.0], [0.1, 3.0])),
        (
            Student(np.array([1.0, -2.0]), np.array([0.1, 3.0]), np.array([1.5, 1e5])),
            lambda: stats.t([1.5, 1e5], [1.0, -2.0], [0.1, 3.0]),
        ),
        (
            Gamma(np.array([0.02, 7.0, 1e6]), np.array([0.5, 2.0, 3.0])),
            lambda: stats.gamma([0.02, 7.0, 1e6], scale=1 / np.array([0.5, 2.0, 3.0])),
        ),
    ],
    ids=["beta", "normal", "student", "gamma"],
)
def test_each_family_is_scipys(made, other):
    frozen = other()
    for q in (1e-6, 0.2, 0.5, 0.9):
        x = frozen.ppf(q)
        np.testing.assert_allclose(made.ppf(q), x, rtol=1e-6, atol=1e-300)
        np.testing.assert_allclose(made.cdf(x), frozen.cdf(x), rtol=1e-8)
        np.testing.assert_allclose(made.sf(x), frozen.sf(x), rtol=1e-8)
        usual = (x > 1e-200) | (x < 0)
        np.testing.assert_allclose(made.logpdf(x)[usual], frozen.logpdf(x)[usual], rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(made.isf(0.1), frozen.isf(0.1), rtol=1e-8)
    np.testing.assert_allclose(made.mean, frozen.mean(), rtol=1e-12)
    draws = made.take(lambda array: np.broadcast_to(array, (4000, *array.shape))).sample(np.random.default_rng(2))
    assert stats.kstest(draws[:, 1], lambda x: made.take(lambda array: array[1]).cdf(x)).pvalue > 1e-4


def test_conjugate_updates_are_those_of_the_books():
    beta = Beta.after((2.0, 3.0), np.array([10.0]), np.array([4.0]))
    assert (beta.a[0], beta.b[0]) == (6.0, 9.0)
    gamma = Gamma.after((0.5, 0.0), np.array([4.0]), np.array([10.0]))
    assert (gamma.k[0], gamma.rate[0]) == (10.5, 4.0)
    normal = Normal.after((1.0, 2.0), np.array([5.0]), np.array([10.0]), 3.0)
    precision = 1 / 4 + 5 / 9
    assert normal.location[0] == pytest.approx((1 / 4 + 10 / 9) / precision)
    assert normal.sd[0] == pytest.approx(precision**-0.5)
    flat = Normal.after((0.0, np.inf), np.array([4.0]), np.array([10.0]), 3.0)
    assert (flat.location[0], flat.sd[0]) == (2.5, 1.5)
    x = np.array([1.0, 4.0, 2.0, 2.5])
    joint = NormalInverseGamma.after(
        (1.0, 2.0, 3.0, 0.5), np.array([4.0]), np.array([x.sum()]), np.array([4 * x.var()])
    )
    location = (2 * 1.0 + x.sum()) / 6
    spread = 1.0 + ((x - x.mean()) ** 2).sum() + 2 * 4 / 6 * (x.mean() - 1) ** 2
    mean = joint.marginal()
    assert (mean.location[0], mean.df[0]) == (pytest.approx(location), 10.0)
    assert mean.scale[0] == pytest.approx((spread / (10 * 6)) ** 0.5)
    reference = NormalInverseGamma.after(
        (0.0, 0.0, -0.5, 0.0), np.array([4.0]), np.array([x.sum()]), np.array([4 * x.var()])
    )
    assert reference.marginal().df[0] == 3.0
    assert reference.marginal().scale[0] == pytest.approx(x.std(ddof=1) / 2)


@pytest.mark.parametrize("reach", [12.0, 38.0])
def test_heavy_tails_keep_the_digits_of_light_ones_beside_them(reach):
    """Against sums over a grid that is even in arcsinh of the values, so that tails are as finely seen as peaks."""
    location, scale, df = np.array([0.1, 1.1, 1.2, -0.1]), np.array([0.55, 0.15, 0.05, 0.06]), np.array([1, 9, 7, 51])
    u = np.linspace(-60, 60, 20_001)
    z = (1 + 0.1 * np.sinh(u) - location[:, None]) / scale[:, None]
    below = stats.t.cdf(z, df[:, None])
    rest = np.array([np.delete(below, k, axis=0).prod(axis=0) for k in range(4)])
    density = stats.t.pdf(z, df[:, None]) / scale[:, None] * 0.1 * np.cosh(u) * (u[1] - u[0])
    expected = (density * rest).sum(axis=1)
    np.testing.assert_allclose(probability_best(Student(location, scale, df), reach), expected, rtol=1e-10)
