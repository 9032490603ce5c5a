"""Bayes factors: against R's BayesFactor, ratios of marginal likelihoods by mpmath, and what they must be like."""

from __future__ import annotations

import math

import numpy as np
import pytest

from abkit import CoMoments, Counts, Events, Moments
from abkit.bayes import (
    BetaPrior,
    GammaPrior,
    MeanPrior,
    MixturePrior,
    NormalInverseGammaPrior,
    NormalPrior,
    StudentPrior,
    compare,
)
from abkit.bayes._log_factors import log_factor_of_means
from tests.golden.read import cases

OF_EFFECT = {
    "normal": (NormalPrior, ("mean", "sd")),
    "student": (StudentPrior, ("df", "mean", "scale")),
    "mixture": (MixturePrior, ("weights", "means", "sds")),
}
SIDES = {"two_sided": 0, "greater": 1, "less": -1}


@pytest.mark.parametrize(
    "case", cases("jzs"), ids=lambda case: f"t {case['t']} df {case['df']} scale {case['scale']:.2g}"
)
def test_a_cauchy_prior_of_the_standardised_effect_is_that_of_mpmath(case):
    for name, side in SIDES.items():
        found = log_factor_of_means(case["t"], case["df"], case["size"], scale=case["scale"], side=side)
        assert found == pytest.approx(case[name], rel=1e-11, abs=1e-11), name


@pytest.mark.parametrize("case", cases("bayes_factor", "means"), ids=lambda case: f"t {case['t']} {case['scale']:.2f}")
def test_two_means_are_those_of_the_package_bayesfactor(case):
    n_c, n_t = case["n_control"], case["n_treatment"]
    control = Moments(n_c, 0.0, n_c - 1.0)
    treatment = Moments(n_t, case["t"] * math.sqrt(1 / n_c + 1 / n_t), n_t - 1.0)
    for side, name, error in (("two-sided", "log_factor", "error"), ("greater", "log_greater", "error_greater")):
        if case[error] is None:
            continue
        found = compare(control, treatment).bayes_factor(side, cauchy_scale=case["scale"], log=True)
        assert found == pytest.approx(case[name], abs=max(1e-7, 2 * case[error]))


@pytest.mark.parametrize(
    "case", cases("bayes_factor", "counts"), ids=lambda case: f"{case['control']} {case['treatment']}"
)
def test_two_shares_are_those_of_the_package_bayesfactor(case):
    pair = (Counts(n, successes) for successes, n in (case["control"], case["treatment"]))
    assert compare(*pair).bayes_factor(log=True) == pytest.approx(case["log_factor"], rel=1e-8)


@pytest.mark.parametrize("case", cases("bayes_factor_exact", "shares"), ids=lambda case: str(case["treatment"]))
def test_shares_are_the_ratio_of_marginal_likelihoods(case):
    control, treatment = (Counts(n, y) for y, n in (case["control"], case["treatment"]))
    found = compare(control, treatment, prior=BetaPrior(*case["prior"])).bayes_factor(log=True)
    assert found == pytest.approx(float(case["log_factor"]), rel=1e-10, abs=1e-10)


@pytest.mark.parametrize("case", cases("bayes_factor_exact", "rates"), ids=lambda case: str(case["treatment"]))
def test_rates_are_the_ratio_of_marginal_likelihoods(case):
    control, treatment = (Events(*case[name]) for name in ("control", "treatment"))
    found = compare(control, treatment, prior=GammaPrior(*case["prior"])).bayes_factor(log=True)
    assert found == pytest.approx(float(case["log_factor"]), rel=1e-10, abs=1e-10)


@pytest.mark.parametrize("case", cases("bayes_factor_exact", "means"), ids=lambda case: str(case["treatment"]))
def test_means_with_a_prior_are_the_densities_of_equal_means(case):
    control, treatment = (Moments(*case[name]) for name in ("control", "treatment"))
    found = compare(control, treatment, prior=NormalInverseGammaPrior(*case["prior"])).bayes_factor(log=True)
    assert found == pytest.approx(float(case["log_factor"]), rel=1e-10, abs=1e-10)


@pytest.mark.parametrize(
    "case", cases("bayes_factor_exact", "effects"), ids=lambda case: f"{case['kind']} {case['prior']}"
)
def test_a_prior_of_the_effect_gives_the_mean_of_the_likelihood(case):
    kind, names = OF_EFFECT[case["kind"]]
    prior = kind(**dict(zip(names, case["prior"], strict=True)))
    result = compare(Counts(1000, 100), Counts(1000, 130), prior=prior)
    for side in ("two-sided", "greater", "less"):
        found = result.bayes_factor(side, log=True)
        assert found == pytest.approx(float(case[side]), rel=1e-10), side


def test_a_mean_of_known_spread_is_a_ratio_of_two_normal_densities():
    control, treatment = Moments(40, 10.2, 90.0), Moments(50, 11.0, 110.0)
    found = compare(control, treatment, sd=1.5, prior=MeanPrior(10, 0.8)).bayes_factor()

    def density(x, variance):
        return math.exp(-x * x / 2 / variance) / math.sqrt(2 * math.pi * variance)

    own = [1 / (1 / 0.8**2 + n / 1.5**2) for n in (40, 50)]
    mean = [v * (10 / 0.64 + n * m / 2.25) for v, n, m in zip(own, (40, 50), (10.2, 11.0), strict=True)]
    assert found == pytest.approx(density(0, 1.28) / density(mean[1] - mean[0], sum(own)), rel=1e-12)


PAIRS = {
    "counts": (Counts(1000, 100), Counts(900, 130), {}),
    "events": (Events(17, 1200.5), Events(30, 1300.0), {}),
    "moments": (Moments(20, 10.8, 33.8), Moments(25, 12.2, 22.2), {}),
    "conjugate": (
        Moments(20, 10.8, 33.8),
        Moments(25, 12.2, 22.2),
        {"prior": NormalInverseGammaPrior(mean=11, weight=1, shape=2, scale=2)},
    ),
    "of the effect": (Moments(20, 10.8, 33.8), Moments(25, 12.2, 22.2), {"prior": NormalPrior(sd=1.0)}),
}


@pytest.mark.parametrize("kind", PAIRS)
def test_the_two_sides_add_up_and_change_places(kind):
    control, treatment, keywords = PAIRS[kind]
    one, other = compare(control, treatment, **keywords), compare(treatment, control, **keywords)
    two, greater, less = (one.bayes_factor(side) for side in ("two-sided", "greater", "less"))
    assert (greater + less) / 2 == pytest.approx(two, rel=1e-9)
    assert other.bayes_factor() == pytest.approx(two, rel=1e-9)
    assert other.bayes_factor("less") == pytest.approx(greater, rel=1e-8)
    assert one.bayes_factor(log=True) == pytest.approx(math.log(two))


def test_many_pairs_are_each_pair_alone_and_nan_where_there_is_no_posterior():
    control, treatment = (
        Moments([20, 1, 9], [10.8, 1.0, 0.0], [33.8, 0.0, 4.0]),
        Moments([25] * 3, [12.2] * 3, [22.2] * 3),
    )
    many = compare(control, treatment).bayes_factor(log=True)
    assert many.shape == (3,)
    assert math.isnan(many[1])
    assert many[0] == pytest.approx(compare(*PAIRS["moments"][:2]).bayes_factor(log=True), rel=1e-12)
    several = compare(Counts(1000, 100), {"a": Counts(900, 130), "b": Counts(1000, 90)})
    assert several.bayes_factor()[0] == pytest.approx(compare(*PAIRS["counts"][:2]).bayes_factor(), rel=1e-12)


@pytest.mark.parametrize("n", [10**4, 10**8, 10**12])
def test_without_an_effect_the_evidence_for_none_grows_as_the_root_of_n(n):
    found = compare(Counts(n, n // 10), Counts(n, n // 10)).bayes_factor(log=True)
    # Laplace: the density of no effect under the prior, against that of an estimate of this precision
    density = 1.0 / math.sqrt(2 * math.pi * 2 * 0.1 * 0.9 / n)
    assert found == pytest.approx(-math.log(density), abs=4 / math.sqrt(n) + 1e-9)


def test_no_factor_overflows_in_logarithms():
    huge = compare(Counts(10**12, 10**11), Counts(10**12, 2 * 10**11))
    assert 1e9 < huge.bayes_factor(log=True) < 1e11
    assert huge.bayes_factor() == math.inf
    assert huge.bayes_factor("less") == 0
    for side in ("two-sided", "greater"):
        far = compare(Moments(10**6, 0.0, 1e6), Moments(10**6, 5.0, 1e6)).bayes_factor(side, log=True)
        assert far == pytest.approx(5e5 * math.log1p(25 / 4) * 2, rel=1e-3)


def test_no_data_say_nothing():
    assert compare(Counts(0, 0), Counts(0, 0)).bayes_factor() == pytest.approx(1)
    assert compare(Counts(0, 0), Counts(50, 5)).bayes_factor() == pytest.approx(1)


def test_what_has_no_factor_is_refused():
    rows = np.random.default_rng(1).gamma(2, 1, (50, 2))
    ratio = compare(CoMoments.from_sample(rows, ["a", "b"]), CoMoments.from_sample(rows[::-1] * 1.01, ["a", "b"]))
    with pytest.raises(ValueError, match="`bayes_factor` must have a proper prior, and that of a ratio is flat"):
        ratio.bayes_factor()
    with pytest.raises(ValueError, match="`alternative` must be one of"):
        compare(*PAIRS["counts"][:2]).bayes_factor("both")
    for scale in (0, -1, math.nan, math.inf):
        with pytest.raises(ValueError, match="`cauchy_scale` must be"):
            compare(*PAIRS["moments"][:2]).bayes_factor(cauchy_scale=scale)
    flat = compare(Moments(20, 10.8, 33.8), Moments(25, 12.2, 22.2), sd=1.0)
    assert math.isfinite(flat.bayes_factor())
