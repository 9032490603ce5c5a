"""Planning the Mann-Whitney test: Noether's formula, exact moments of U, and the test itself."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, stats

import abkit as ab
from abkit.power._ranks import _spreads


@pytest.mark.parametrize("superiority", [0.6, 0.7, 0.9])
@pytest.mark.parametrize("ratio", [1.0, 0.25])
def test_noethers_formula(superiority, ratio):
    """Noether 1987, eq. 2: N = (z_alpha + z_beta)^2 / (12 c (1 - c) (p - 1/2)^2)."""
    share = 1 / (1 + ratio)
    z = stats.norm.ppf(0.95) + stats.norm.ppf(0.9)
    expected = z**2 / (12 * share * (1 - share) * (superiority - 0.5) ** 2)
    found = ab.power.ranks(mde=superiority - 0.5, power=0.9, alternative="greater", shape="noether", ratio=ratio)
    assert found.n_total == pytest.approx(expected, rel=1e-10)


SHAPES = {
    "normal": (stats.norm(), stats.norm),
    "logistic": (stats.logistic(), lambda shift: stats.logistic(shift * math.pi / math.sqrt(3))),
    "exponential": (stats.expon(), lambda shift: stats.expon(scale=math.exp(shift))),
}


@pytest.mark.parametrize("shape", list(SHAPES))
@pytest.mark.parametrize("shift", [1e-6, 0.3, -1.2, 2.5])
def test_moments_by_quadrature(shape, shift):
    control, moved = SHAPES[shape][0], SHAPES[shape][1](shift)

    def mean(of, over):
        return integrate.quad(lambda u: of(over.ppf(u)), 0, 1, epsabs=1e-12, epsrel=1e-11, limit=400)[0]

    effect = ab.power.superiority(shift, shape)
    p = mean(moved.sf, control)
    assert effect == pytest.approx(p - 0.5, abs=1e-9)
    _, of_control, of_treatment = _spreads(shape, np.asarray(effect))
    assert float(of_control) == pytest.approx(mean(lambda x: (moved.sf(x) - p) ** 2, control), abs=1e-9)
    assert float(of_treatment) == pytest.approx(mean(lambda x: (control.cdf(x) - p) ** 2, moved), abs=1e-9)


def test_superiority_of_a_normal_shift():
    shifts = np.array([-8.0, -0.5, 0.0, 1e-9, 0.5])
    assert ab.power.superiority(shifts) == pytest.approx(stats.norm.cdf(shifts / math.sqrt(2)) - 0.5, abs=1e-15)


@pytest.mark.parametrize("shape", ["normal", "logistic", "exponential", "noether"])
@pytest.mark.parametrize(
    ("alternative", "margin"), [("two-sided", 0.0), ("greater", 0.0), ("less", 0.0), ("greater", 0.05), ("less", 0.05)]
)
def test_any_two_give_the_third(shape, alternative, margin):
    common = {"shape": shape, "alternative": alternative, "ratio": 0.5}
    if margin:
        common |= {"hypothesis": "non-inferiority", "margin": margin}
    mde = -0.1 if alternative == "less" else 0.1
    size = ab.power.ranks(mde=mde, power=0.8, **common)
    assert ab.power.ranks(n=size.n_control, mde=mde, **common).power == pytest.approx(0.8, abs=1e-10)
    effect = ab.power.ranks(n=300, power=0.8, **common)
    assert ab.power.ranks(n=300, mde=effect.mde, **common).power == pytest.approx(0.8, abs=1e-10)


@pytest.mark.parametrize(
    ("shape", "n", "n_t", "shift", "given", "null"),
    [
        ("normal", 80, 60, 0.45, {}, 0.0),
        ("exponential", 120, 60, 0.5, {"alternative": "greater"}, 0.0),
        ("logistic", 100, 100, 0.0, {"hypothesis": "non-inferiority", "margin": 0.1}, -0.1),
        ("normal", 60, 120, 0.8, {"hypothesis": "superiority", "margin": 0.08, "alternative": "greater"}, 0.08),
    ],
)
def test_simulated(shape, n, n_t, shift, given, null):
    """The rejections of `mann_whitney_test` itself."""
    control, moved, runs = SHAPES[shape][0], SHAPES[shape][1](shift), 2000
    planned = ab.power.ranks(n=n, ratio=n_t / n, mde=ab.power.superiority(shift, shape), shape=shape, **given)
    alternative = given.get("alternative") or ("greater" if given else "two-sided")
    rng = np.random.default_rng(4)
    c, t = control.rvs((runs, n), random_state=rng), moved.rvs((runs, n_t), random_state=rng)
    hits = sum(
        ab.mann_whitney_test(a, b, alternative=alternative, null=null).pvalue <= 0.05 for a, b in zip(c, t, strict=True)
    )
    assert hits / runs == pytest.approx(planned.power, abs=4 * 0.5 / math.sqrt(runs))


def test_the_best_allocation():
    even = ab.power.ranks(mde=0.1, power=0.8)
    best = ab.power.ranks(mde=0.1, power=0.8, ratio="best")
    assert best.n_total == pytest.approx(even.n_total, rel=1e-3)
    assert best.n_total <= even.n_total * (1 + 1e-6)
    uneven = [ab.power.ranks(mde=0.3, power=0.8, shape="exponential", ratio=r).n_total for r in (0.7, 1.0, 1.4)]
    assert ab.power.ranks(mde=0.3, power=0.8, shape="exponential", ratio="best").n_total <= min(uneven) * (1 + 1e-3)


def test_tiny_effects():
    found = ab.power.ranks(mde=1e-5, power=0.8)
    z = stats.norm.ppf(0.975) + stats.norm.ppf(0.8)
    assert found.n_total == pytest.approx(z**2 / 3e-10, rel=1e-5)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"mde": 0.5}, "`mde` must be between"),
        ({"mde": ab.relative(0.1)}, "`relative` must be left out"),
        ({"mde": 0.1, "shape": "cauchy"}, "`shape` must be one of"),
        ({"mde": 0.1, "hypothesis": "non-inferiority", "margin": 0.6}, "`margin` must be below 0.5"),
    ],
)
def test_refused(given, message):
    with pytest.raises(ValueError, match=message):
        ab.power.ranks(n=100, **given)


def test_too_few_units_for_the_exact_test():
    """Of 3 and 3 units the rarest order has a one-sided p-value of 1/20; of 4 and 4, 1/70."""
    assert ab.power.ranks(n=3, mde=0.49).power == 0
    assert ab.power.ranks(n=3, mde=0.49, alternative="greater").power > 0.5
    assert isinstance(ab.power.ranks(n=3, power=0.8), ab.power.NoSolution)
    assert ab.power.ranks(n=4, mde=0.49).power > 0.5
    raised = ab.power.ranks(mde=0.4999, power=0.8)
    assert ab.power.ranks(n=raised.n_control, mde=0.4999).power >= 0.8
