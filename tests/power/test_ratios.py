"""Two ratios of means: as Welch's test of the linearised values has it."""

from __future__ import annotations

import math

import numpy as np
import pytest

import abkit as ab
from abkit.power import two_means, two_ratios

VIEWS = {"mean_denominator": 20.0, "sd_denominator": 15.0, "sd_numerator": 2.5, "correlation": 0.7}


def spread(ratio: float) -> float:
    """Of a unit's linearised value, as Deng, Knoblich and Lu write it."""
    variance = 2.5**2 + ratio**2 * 15.0**2 - 2 * ratio * 0.7 * 2.5 * 15.0
    return math.sqrt(variance) / 20.0


@pytest.mark.parametrize("asked", [{}, {"alternative": "less"}, {"ratio": 1 / 99}, {"ratio": "best"}], ids=str)
def test_it_is_a_test_of_two_means(asked):
    mde = -0.01 if asked.get("alternative") == "less" else 0.01
    result = two_ratios(baseline=0.1, mde=mde, power=0.8, **VIEWS, **asked)
    means = two_means(mde=mde, sd=spread(0.1), sd_treatment=spread(0.1 + mde), power=0.8, **asked)
    assert result.n_control == pytest.approx(means.n_control, rel=1e-12)
    assert result.n_treatment == pytest.approx(means.n_treatment, rel=1e-12)


def test_a_relative_margin_counts_the_noise_of_the_baseline():
    asked = {"hypothesis": "non-inferiority", "margin": ab.relative(0.05), "power": 0.9}
    result = two_ratios(baseline=0.1, **VIEWS, **asked)
    assert result.n_control == pytest.approx(two_means(baseline=0.1, sd=spread(0.1), **asked).n_control, rel=1e-12)


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"relative": True},
        {"alternative": "less"},
        {"hypothesis": "equivalence", "margin": ab.relative(0.1)},
        {"hypothesis": "non-inferiority", "margin": 0.005, "alternative": "less"},
    ],
    ids=str,
)
def test_the_power_at_what_was_solved_is_the_one_asked(asked):
    found = two_ratios(baseline=0.1, n=4_000, power=0.83, **VIEWS, **asked)
    again = two_ratios(baseline=0.1, n=4_000, mde=found.mde, **VIEWS, **asked)
    assert again.power == pytest.approx(0.83, abs=1e-10)
    assert two_ratios(baseline=0.1, power=0.83, mde=found.mde, **VIEWS, **asked).n_control == pytest.approx(4_000)


def test_a_denominator_that_does_not_vary_is_a_mean():
    fixed = {"mean_denominator": 4.0, "sd_denominator": 0.0, "sd_numerator": 2.0, "correlation": 0.0}
    result = two_ratios(baseline=0.5, mde=0.1, power=0.8, **fixed)
    assert result.n_control == pytest.approx(two_means(mde=0.1, sd=0.5, power=0.8).n_control, rel=1e-12)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"mean_denominator": 0.0}, "`mean_denominator` must not be 0"),
        ({"correlation": 1.0}, "`correlation` must be above -1 and below 1"),
        ({"sd_numerator": 0.0}, "`sd_numerator` must be above 0"),
        ({"sd_denominator": -1.0}, "`sd_denominator` must be at least 0"),
    ],
)
def test_refused(changed, message):
    with pytest.raises(ValueError, match=message):
        two_ratios(baseline=0.1, mde=0.01, power=0.8, **{**VIEWS, **changed})


def test_the_test_itself_rejects_as_often():
    plan = two_ratios(
        baseline=0.5, mde=0.1, power=0.8, mean_denominator=10, sd_denominator=2, sd_numerator=2, correlation=0.6
    )
    n, runs = math.ceil(plan.n_control), 2_000
    rng = np.random.default_rng(3)
    covariance = np.array([[4.0, 2.4], [2.4, 4.0]])
    rejected = sum(
        ab.ratio_test(
            rng.multivariate_normal((5.0, 10.0), covariance, n), rng.multivariate_normal((6.0, 10.0), covariance, n)
        ).pvalue
        <= 0.05
        for _ in range(runs)
    )
    assert rejected / runs == pytest.approx(0.8, abs=4 * math.sqrt(0.16 / runs) + 0.01)
