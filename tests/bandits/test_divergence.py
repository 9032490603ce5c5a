"""Divergences of the families, their upper inverses, and the constant of Lai and Robbins."""

import math

import numpy as np
import pytest

import abkit as ab
from abkit.bandits._divergence import FAMILIES, kl, kl_upper
from tests.bandits.plays import GOLDEN


@pytest.mark.parametrize("case", GOLDEN["divergences"], ids=lambda case: f"{case['family']}-{case['p']}-{case['q']}")
def test_divergences_keep_their_digits_where_means_are_near(case):
    p, q, wanted = float(case["p"]), float(case["q"]), float(case["kl"])
    one, many = kl(case["family"], [p], q, GOLDEN["sd"]), kl(case["family"], [[p] * 40], [[q] * 40], GOLDEN["sd"])
    assert one.tolist() == pytest.approx([wanted], rel=1e-13)
    assert many.tolist() == [[pytest.approx(wanted, rel=1e-13)] * 40]


def test_edges_of_the_divergences():
    inf = math.inf
    bernoulli = [(0, 0, 0), (1, 1, 0), (0, 1, inf), (1, 0, inf), (0.3, 0, inf), (0.3, 1, inf)]
    poisson = [(0, 0, 0), (2, 0, inf), (0, 2, 2)]
    for family, values in [("bernoulli", bernoulli), ("poisson", poisson)]:
        for p, q, wanted in values:
            assert float(kl(family, p, q)) == pytest.approx(wanted)
            assert kl(family, [p], q).tolist() == pytest.approx([wanted])


@pytest.mark.parametrize("case", GOLDEN["uppers"], ids=lambda case: f"{case['family']}-{case['p']}")
def test_upper_inverses_equal_bisection_to_12_digits(case):
    most, wanted = (np.array(column, dtype=float) for column in zip(*case["most"], strict=True))
    means = np.full(len(most), float(case["p"]))
    close = pytest.approx(wanted, rel=1e-12, abs=1e-15)
    assert kl_upper(case["family"], means, most, GOLDEN["sd"]) == close
    many = kl_upper(case["family"], np.tile(means, (9, 1)), np.tile(most, (9, 1)), GOLDEN["sd"])
    assert many[4] == close
    assert many.shape == (9, len(most))


def test_two_of_halleys_steps_are_enough_everywhere():
    means, most = np.meshgrid(np.linspace(0.001, 0.999, 301), 10.0 ** np.linspace(-12, 1, 101))
    upper = kl_upper("bernoulli", means, most)
    inner = upper < 1 - 1e-9
    p, q = means[inner], upper[inner]
    # what is left over, as a distance from the root
    error = np.abs(kl("bernoulli", p, q) - most[inner]) * q * (1 - q) / (q - p)
    assert error.max() < 1e-14


@pytest.mark.parametrize("family", FAMILIES)
def test_no_divergence_allowed_leaves_the_mean(family):
    means = np.array([0.0, 0.25, 1.0])
    assert kl_upper(family, means, np.zeros(3)) == pytest.approx(means, abs=1e-14)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("copies", [1, 40])
def test_far_beyond_any_clock(family, copies):
    upper = kl_upper(
        family,
        np.repeat([0.0, 1e-300, 0.5, 1.0 if family == "bernoulli" else 1e150], copies),
        np.full(4 * copies, 1e13),
    )
    assert np.all(np.isfinite(upper))
    assert family != "bernoulli" or upper.max() <= 1


@pytest.mark.parametrize("case", GOLDEN["constants"], ids=lambda case: f"{case['family']}-{case['means'][:2]}")
def test_the_constant_of_lai_and_robbins(case):
    means = [float(mean) for mean in case["means"]]
    assert ab.bandits.lai_robbins(means, case["family"], GOLDEN["sd"]) == pytest.approx(float(case["c"]), rel=1e-12)


def test_published_constants():
    ten_low = [0.1, *[0.05] * 3, *[0.02] * 3, *[0.01] * 3]
    assert [round(ab.bandits.lai_robbins(means), 6) for means in ([0.9, 0.8], [0.25, 0.2], [0.2, 0.1], ten_low)] == [
        2.2521,
        7.140708,
        2.725537,
        17.445174,
    ]


def test_problems_without_a_limit():
    assert ab.bandits.lai_robbins([0.5]) == 0
    assert ab.bandits.lai_robbins([0.5, 0.5]) == 0
    assert ab.bandits.lai_robbins([1.0, 0.5, 0.0]) == 0
    assert ab.bandits.lai_robbins([0.5, 0.5 - 2**-54]) > 1e15


def test_means_that_cannot_be():
    for family, means, sentence in [
        ("bernoulli", [0.5, 1.5], "`means` must be from 0 to 1 in the family bernoulli; got 1.5."),
        ("bernoulli", [-0.5, 0.5], "`means` must be from 0 to 1 in the family bernoulli; got -0.5."),
        ("poisson", [-1, 1], "`means` must be at least 0 in the family poisson; got -1."),
        ("exponential", [0, 1], "`means` must be above 0 in the family exponential; got 0."),
        ("gaussian", [], "`means` must have at least one arm; got none."),
    ]:
        with pytest.raises(ValueError, match=r"^`means`") as caught:
            ab.bandits.lai_robbins(means, family)
        assert str(caught.value) == sentence
    with pytest.raises(ValueError, match="`family` must be one of"):
        ab.bandits.lai_robbins([0.5], "normal")
    with pytest.raises(ValueError, match="`sd` must be greater than 0; got 0"):
        ab.bandits.lai_robbins([0.5, 1], "gaussian", 0)
