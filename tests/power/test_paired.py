from __future__ import annotations

import numpy as np
import pytest

import abkit as ab

paired = ab.power.paired


def test_the_differences_of_correlated_values():
    by_values = paired(mde=0.5, sd=2.0, sd_treatment=1.5, correlation=0.4, power=0.9)
    of_differences = (4 + 2.25 - 2 * 0.4 * 3) ** 0.5
    assert by_values.n_control == pytest.approx(paired(mde=0.5, sd=of_differences, power=0.9).n_control, rel=1e-12)
    assert by_values.n_treatment == by_values.n_control


@pytest.mark.parametrize("baseline", [10.0, -10.0])
@pytest.mark.parametrize("mde", [0.0, 0.05])
def test_a_relative_margin_is_that_of_paired_test(mde, baseline):
    """Simulated: the very test, against a margin of a tenth of the baseline."""
    rng, runs, n = np.random.default_rng(4), 1500, 25
    planned = paired(
        n=n, mde=mde, sd=2.0, correlation=0.7, baseline=baseline, hypothesis="non-inferiority", margin=ab.relative(0.1)
    ).power
    covariance = 4 * np.array([[1, 0.7], [0.7, 1]])
    pairs = rng.multivariate_normal([baseline, baseline + 10 * mde], covariance, (runs, n))
    null = ab.relative(-0.1)
    found = [ab.paired_test(*draw.T, alternative="greater", null=null).pvalue <= 0.05 for draw in pairs]
    assert np.mean(found) == pytest.approx(planned, abs=4 * (planned * (1 - planned) / runs) ** 0.5)


def test_what_is_refused():
    with pytest.raises(ValueError, match="`ratio` must be left out"):
        paired(mde=0.5, sd=1.0, power=0.8, ratio=2)
    with pytest.raises(ValueError, match="`correlation` must be given with a relative margin"):
        paired(n=9, sd=1.0, power=0.8, hypothesis="equivalence", margin=ab.relative(0.1), baseline=3)
    with pytest.raises(ValueError, match="`correlation` must be given with `sd_treatment`"):
        paired(n=9, sd=1.0, sd_treatment=2.0, power=0.8)
    with pytest.raises(ValueError, match="`correlation` must be above -1 and below 1"):
        paired(n=9, sd=1.0, correlation=1, power=0.8)
