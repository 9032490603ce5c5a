"""Planning the test of two quantiles: the asymptotic variance, and the test itself."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

import abkit as ab
from abkit.power._quantile import density_at


@pytest.mark.parametrize(("q", "law"), [(0.5, stats.norm()), (0.9, stats.expon()), (0.05, stats.logistic())])
def test_closed_form(q, law):
    """N = (z_alpha + z_beta)^2 q (1 - q) / f^2 (1 + 1 / ratio) / mde^2."""
    density = law.pdf(law.ppf(q))
    found = ab.power.quantile(q=q, mde=0.03, density=density, power=0.8, alternative="greater", ratio=0.25)
    z = stats.norm.ppf(0.95) + stats.norm.ppf(0.8)
    assert found.n_control == pytest.approx(z**2 * q * (1 - q) / density**2 * 5 / 0.03**2, rel=1e-10)
    clustered = ab.power.quantile(
        q=q, mde=0.03, density=density, power=0.8, alternative="greater", ratio=0.25, design_effect=3.0
    )
    assert clustered.n_control == pytest.approx(3 * found.n_control, rel=1e-10)


@pytest.mark.parametrize(
    "given",
    [
        {"mde": 0.1},
        {"mde": ab.relative(0.05), "baseline": 2.0},
        {"mde": ab.relative(0.05), "baseline": -2.0},
        {"mde": 0.0, "hypothesis": "non-inferiority", "margin": ab.relative(0.1), "baseline": 2.0},
        {"mde": 0.01, "hypothesis": "equivalence", "margin": 0.2},
        {"mde": -0.1, "alternative": "less", "monitor": ab.GroupSequential(looks=3)},
    ],
)
def test_any_two_give_the_third(given):
    common = {"q": 0.8, "density": 0.3, "density_treatment": 0.25, "ratio": "best", **given}
    size = ab.power.quantile(power=0.8, **common)
    assert ab.power.quantile(n=size.n_control, **common).power == pytest.approx(0.8, abs=1e-10)


@pytest.mark.parametrize(
    ("q", "law", "n", "scale", "null"),
    [
        (0.5, stats.norm(10), 400, None, 0.0),
        (0.9, stats.lognorm(0.6), 800, 1.2, 0.0),
        (0.75, stats.expon(), 600, 1.0, ab.relative(-0.2)),
    ],
)
def test_simulated(q, law, n, scale, null):
    """The rejections of `quantile_test` itself."""
    runs, rng = 1000, np.random.default_rng(6)
    at = law.ppf(q)
    density = law.pdf(at)
    if scale is None:
        given = {"mde": 0.25}
        moved = [0.25, 1.0]
    else:
        given = {"mde": ab.relative(scale - 1), "baseline": at, "density_treatment": density / scale}
        moved = [0.0, scale]
    if null:
        given |= {"hypothesis": "non-inferiority", "margin": ab.relative(0.2)}
    planned = ab.power.quantile(q=q, n=n, density=density, **given)
    c = law.rvs((runs, n), random_state=rng)
    t = law.rvs((runs, n), random_state=rng) * moved[1] + moved[0]
    alternative = "greater" if null else "two-sided"
    hits = sum(
        ab.quantile_test(a, b, q=q, null=null, alternative=alternative).pvalue <= 0.05
        for a, b in zip(c, t, strict=True)
    )
    assert hits / runs == pytest.approx(planned.power, abs=4 * 0.5 / math.sqrt(runs))


@pytest.mark.parametrize(("q", "law"), [(0.5, stats.norm()), (0.9, stats.expon()), (0.99, stats.lognorm(1.0))])
def test_the_density_of_a_sample(q, law):
    values = law.rvs(200_000, random_state=np.random.default_rng(1))
    density, there = density_at(values, q)
    assert there == pytest.approx(law.ppf(q), rel=0.03, abs=0.02)
    assert density == pytest.approx(law.pdf(law.ppf(q)), rel=0.06)
    found = ab.power.quantile(q=q, sample=values, mde=ab.relative(0.05), power=0.8) if there > 0.1 else None
    assert found is None or found.n_control > 0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "`density` or `sample` must be given"),
        ({"density": 0.0}, "`density` must be above 0"),
        ({"density": 1.0, "q": 1.0}, "`q` must be between 0 and 1"),
        ({"density": 1.0, "design_effect": 0.0}, "`design_effect` must be above 0"),
        ({"density": 1.0, "relative": True}, "`baseline` must be given"),
        ({"sample": [1.0] * 30}, "`sample` must not have one value"),
        ({"sample": [1.0, 2.0]}, "`sample` must have at least 20"),
    ],
)
def test_refused(given, message):
    with pytest.raises(ValueError, match=message):
        ab.power.quantile(**{"n": 100, "mde": 0.5, **given})
