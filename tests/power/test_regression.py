from __future__ import annotations

import numpy as np
import pytest

import abkit as ab
from abkit.suffstats import CoMoments

regression = ab.power.regression


def test_many_units_need_what_is_not_explained():
    plain = ab.power.two_means(mde=0.01, sd=1, power=0.8, test="z").n_control
    for r in (0.0, 0.5, -0.9):
        found = regression(mde=0.01, sd=1, power=0.8, correlation=r, test="z").n_control
        assert found == pytest.approx(plain * (1 - r * r), rel=1e-12)
    assert regression(mde=0.01, sd=1, power=0.8, r2=0.25).n_control == pytest.approx(plain * 0.75, abs=4)


@pytest.mark.parametrize(
    ("n_c", "n_t", "k", "r2", "baseline"),
    [(8, 8, 1, 0.5, 0), (12, 40, 3, 0.7, 0), (60, 30, 2, 0.8, 1), (400, 400, 1, 0.3, 1), (60, 30, 2, 0.8, -1)],
)
def test_what_is_planned_is_what_is_tested(n_c, n_t, k, r2, baseline):
    """Without a baseline a difference, else a relative margin."""
    rng, runs, relative = np.random.default_rng(11), 1200, baseline != 0
    margin = 0.3 if relative else 0.0
    size = 3.0 * ((1 - r2) * (1 / n_c + 1 / n_t)) ** 0.5
    mde = size - margin
    given = {"hypothesis": "non-inferiority", "margin": ab.relative(margin), "baseline": baseline} if relative else {}
    asked = {"ratio": n_t / n_c, "r2": r2, "covariates": k, "sd": 1.0, **given}
    planned = regression(n=n_c, mde=mde, **asked).power
    metric = ab.Mean("y", covariates=[f"x{i}" for i in range(k)])

    def statistics(n: int, mean: float) -> CoMoments:
        x = rng.standard_normal((n, k))
        y = mean + (r2 / k) ** 0.5 * x.sum(axis=1) + (1 - r2) ** 0.5 * rng.standard_normal(n)
        return CoMoments.from_sample(np.column_stack([y, x]), ["y", *metric.covariates], "units")

    def rejects() -> bool:
        effect = metric.effect(statistics(n_c, baseline), statistics(n_t, baseline + mde))[1]
        null, way = (ab.relative(-margin), "greater") if relative else (0.0, "two-sided")
        return effect.pvalue(null, way) <= 0.05

    share = np.mean([rejects() for _ in range(runs)])
    # with eight units the t distribution is approximate
    assert share == pytest.approx(planned, abs=0.02 * (n_c < 20) + 4 * (planned * (1 - planned) / runs) ** 0.5)


def test_what_is_refused():
    with pytest.raises(ValueError, match="`r2` must be given, or for one covariate `correlation`"):
        regression(n=9, sd=1.0, power=0.8)
    with pytest.raises(ValueError, match="`correlation` must be of one covariate"):
        regression(n=9, sd=1.0, power=0.8, correlation=0.5, covariates=2)
    with pytest.raises(ValueError, match="`r2` must be at least 0 and below 1"):
        regression(n=9, sd=1.0, power=0.8, r2=1)
    with pytest.raises(ValueError, match="`n` must be at least 6"):
        regression(n=5, sd=1.0, power=0.8, r2=0.5, covariates=3)
