from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm

import abkit as ab

clusters = ab.power.clusters


def test_closed_form_of_donner_and_klar():
    """Units of a variant: (z_a + z_b)^2 2 sd^2 (1 + (m - 1) icc) / difference^2, one side of the two left out."""
    z = norm.ppf(0.975) + norm.ppf(0.8)
    for m, icc, difference in ((20, 0.05, 0.2), (100, 0.01, 0.1), (1, 0.3, 0.4)):
        rows = z**2 * 2 * 3**2 * (1 + (m - 1) * icc) / difference**2
        found = clusters(mde=difference, sd=3, icc=icc, cluster_size=m, power=0.8, test="z")
        assert found.n_control * m == pytest.approx(rows, rel=1e-5)


def test_published_design_effects():
    # Eldridge, Ashby and Kerry 2006: 1 + ((cv^2 + 1) m - 1) icc
    independent = clusters(mde=0.1, sd=1, icc=0, cluster_size=1, power=0.8, test="z").n_control
    for m, cv, icc, effect in ((29, 0.0, 0.05, 2.4), (29, 0.65, 0.05, 3.012625), (10, 1.0, 0.01, 1.19)):
        found = clusters(mde=0.1, sd=1, icc=icc, cluster_size=m, cv=cv, power=0.8, test="z")
        assert found.n_control * m / independent == pytest.approx(effect, rel=1e-12)


def test_clusters_of_one_row_are_units():
    given = {"mde": 0.4, "sd": 1.3, "sd_treatment": 0.9, "power": 0.8, "ratio": 2, "alternative": "greater"}
    alone = clusters(icc=0.9, cluster_size=1, **given)
    assert alone.n_control == pytest.approx(ab.power.two_means(**given).n_control, rel=1e-13)


@pytest.mark.parametrize("unequal", [False, True])
def test_what_is_planned_is_what_is_tested(unequal):
    rng, runs, n, icc = np.random.default_rng(6), 1200, 30, 0.1
    sizes = np.array([2, 6, 10, 22]) if unequal else np.full(4, 10)
    cv = float(sizes.std() / sizes.mean())
    planned = clusters(n=n, mde=0.35, sd=1.0, icc=icc, cluster_size=10, cv=cv).power

    def sums(mean: float) -> np.ndarray:
        m = rng.choice(sizes, n)
        shared = rng.normal(0, icc**0.5, n) * m
        return np.column_stack([mean * m + shared + rng.normal(0, np.sqrt((1 - icc) * m)), m])

    share = np.mean([ab.ratio_test(sums(1.0), sums(1.35)).pvalue <= 0.05 for _ in range(runs)])
    assert share == pytest.approx(planned, abs=0.01 * unequal + 4 * math.sqrt(planned * (1 - planned) / runs))


def test_few_clusters_have_few_degrees_of_freedom():
    by_t, by_z = (clusters(mde=1.0, sd=1, icc=0.5, cluster_size=50, power=0.8, test=test).n_control for test in "tz")
    assert by_z + 0.9 < by_t < by_z + 1.5  # about z^2 / 4 more


def test_what_is_refused_and_what_is_impossible():
    with pytest.raises(ValueError, match="`icc` must be at least 0 and below 1"):
        clusters(n=9, sd=1.0, power=0.8, icc=-0.1, cluster_size=3)
    with pytest.raises(ValueError, match="`cluster_size` must be at least 1"):
        clusters(n=9, sd=1.0, power=0.8, icc=0.1, cluster_size=0.5)
    assert isinstance(clusters(mde=0.0, sd=1, icc=0.1, cluster_size=9, power=0.8), ab.power.NoSolution)
