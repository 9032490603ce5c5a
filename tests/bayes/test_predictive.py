"""Predictive probabilities of success: against sums and integrals by definition in R, simulation, and limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from abkit import CoMoments, Counts, Events, Moments, relative
from abkit.bayes import (
    GammaPrior,
    MeanPrior,
    MixturePrior,
    NormalInverseGammaPrior,
    NormalPrior,
    StudentPrior,
    compare,
    predictive_probability,
)
from tests.golden.read import cases

EFFECTS = {
    "normal": NormalPrior(mean=0.01, sd=0.02),
    "student": StudentPrior(df=4, scale=0.01),
    "mixture": MixturePrior(weights=[0.7, 0.3], means=[0, 0.01], sds=[0.003, 0.04]),
}


@pytest.mark.parametrize(
    "case", cases("predictive", "counts"), ids=lambda case: f"{case['control']} {case['treatment']}"
)
def test_shares_are_the_exact_sum(case):
    control, treatment = (Counts(*(int(v) for v in case[name])) for name in ("control", "treatment"))
    for direction in ("increase", "decrease"):
        found = predictive_probability(control, treatment, case["n"], threshold=case["threshold"], direction=direction)
        assert found == pytest.approx(case[direction], rel=1e-11, abs=1e-13)


@pytest.mark.parametrize(
    "case", cases("predictive", "events"), ids=lambda case: f"{case['control']} {case['treatment']}"
)
def test_rates_are_the_exact_sum(case):
    control, treatment = (Events(*case[name]) for name in ("control", "treatment"))
    prior = GammaPrior(2, 10)
    found = predictive_probability(control, treatment, case["n"], threshold=case["threshold"], prior=prior)
    assert found == pytest.approx(case["increase"], rel=1e-10)


@pytest.mark.parametrize(
    "case", cases("predictive", "means"), ids=lambda case: f"{case['control']} {case['treatment']}"
)
def test_means_are_the_integral_over_what_may_come(case):
    control, treatment = (Moments(int(n), mean, m2) for n, mean, m2 in (case["control"], case["treatment"]))
    found = predictive_probability(control, treatment, case["n"], threshold=case["threshold"])
    # with one unit to come success begins abruptly along the nodes
    assert found == pytest.approx(case["increase"], abs=1e-5 if case["n"][0] - control.n == 1 else 1e-7)
    mirrored = predictive_probability(
        *(Moments(s.n, -s.mean, s.m2) for s in (control, treatment)),
        case["n"],
        threshold=case["threshold"],
        direction="decrease",
    )
    assert mirrored == pytest.approx(found, abs=1e-12)


@pytest.mark.parametrize("case", cases("predictive", "effects"), ids=lambda case: case["prior"])
def test_with_a_prior_of_the_effect_it_is_the_integral_over_the_effect(case):
    pair, prior = (Counts(1000, 100), Counts(1000, 125)), EFFECTS[case["prior"]]
    found = predictive_probability(*pair, 4000, threshold=0.95, prior=prior)
    assert found == pytest.approx(case["increase"], rel=1e-5 if case["prior"] == "student" else 1e-9)


def test_two_means_that_both_go_on_agree_with_simulation():
    rng = np.random.default_rng(5)
    control, treatment, draws = Moments(8, 10.0, 9.0), Moments(12, 11.0, 20.0), 40_000
    ends = []
    for s in (control, treatment):
        more = 40 - s.n
        variance = s.m2 / rng.chisquare(s.n - 1, draws)
        mean = rng.normal(s.mean, np.sqrt(variance / s.n))
        new = mean + np.sqrt(variance / more) * rng.standard_normal(draws)
        m2 = s.m2 + variance * rng.chisquare(more - 1, draws) + s.n * more / 40 * (new - s.mean) ** 2
        ends.append(Moments(np.full(draws, 40), (s.n * s.mean + more * new) / 40, m2))
    truth = np.mean(compare(*ends).probability_better > 0.95)
    found = predictive_probability(control, treatment, 40, threshold=0.95)
    assert found == pytest.approx(truth, abs=4 * math.sqrt(truth * (1 - truth) / draws))


def test_the_conjugate_prior_is_worth_units():
    prior = NormalInverseGammaPrior(mean=10, weight=4, shape=3, scale=8)
    rng, draws = np.random.default_rng(6), 40_000
    control, treatment = Moments(8, 10.0, 9.0), Moments(12, 11.0, 20.0)
    ends = []
    for s in (control, treatment):
        weight, shape = 4 + s.n, 3 + s.n / 2
        location = (40 + s.n * s.mean) / weight
        scale = 8 + s.m2 / 2 + 4 * s.n * (s.mean - 10) ** 2 / 2 / weight
        variance = scale / rng.gamma(shape, size=draws)
        rows = rng.normal(rng.normal(location, np.sqrt(variance / weight)), np.sqrt(variance), (20, draws))
        new = rows.mean(axis=0)
        mean = (s.n * s.mean + 20 * new) / (s.n + 20)
        m2 = s.m2 + ((rows - new) ** 2).sum(axis=0) + s.n * 20 / (s.n + 20) * (new - s.mean) ** 2
        ends.append(Moments(np.full(draws, s.n + 20), mean, m2))
    truth = np.mean(compare(*ends, prior=prior).probability_better > 0.9)
    found = predictive_probability(control, treatment, [28, 32], threshold=0.9, prior=prior)
    assert found == pytest.approx(truth, abs=4 * math.sqrt(truth * (1 - truth) / draws))


def test_a_known_spread_has_a_closed_form():
    control, treatment, n, z = Moments(50, 0.0, 49.0), Moments(50, 0.3, 49.0), 150, stats.norm.ppf(0.975)
    found = predictive_probability(control, treatment, n, sd=1.0)
    # Spiegelhalter, Abrams and Myles (2004), eq. 6.6 with a flat prior
    away = 0.3 - z * math.sqrt(2 / n)
    assert found == pytest.approx(stats.norm.cdf(away / math.sqrt(2 / 50 - 2 / 150)), rel=1e-12)
    many = [Moments(s.n * 10**5, s.mean / 316.0, s.m2 * 10**5) for s in (control, treatment)]
    unknown, known = (predictive_probability(*many, n * 10**5, **given) for given in ({}, {"sd": math.sqrt(0.98)}))
    assert unknown == pytest.approx(known, abs=1e-5)
    informed = predictive_probability(control, treatment, n, sd=1.0, prior=MeanPrior(mean=0, sd=1e6))
    assert informed == pytest.approx(found, rel=1e-9)


PAIRS = {
    "counts": (Counts(100, 30), Counts(100, 50)),
    "moments": (Moments(50, 0.0, 49.0), Moments(50, 0.7, 49.0)),
    "events": (Events(20, 100.0), Events(60, 100.0)),
}
PRIORS = [None, NormalPrior(sd=0.3), StudentPrior(df=4, scale=0.2)]


@pytest.mark.parametrize("prior", PRIORS, ids=str)
@pytest.mark.parametrize("kind", PAIRS)
def test_at_the_planned_end_it_is_known(kind, prior):
    control, treatment = PAIRS[kind]
    now = compare(control, treatment, prior=prior)
    assert now.predictive_probability(100 if kind != "moments" else 50) == 1
    assert now.predictive_probability(100 if kind != "moments" else 50, threshold=1 - 1e-9) == 0
    for threshold in (now.probability_better * (1 - 1e-6), now.probability_better * (1 + 1e-9)):
        if threshold < 1:
            expected = float(now.probability_better > threshold)
            assert now.predictive_probability(100 if kind != "moments" else 50, threshold=threshold) == expected


@pytest.mark.parametrize("kind", PAIRS)
def test_far_ahead_it_is_the_probability_now(kind):
    control = PAIRS[kind][0]
    weak = {"counts": Counts(100, 36), "moments": Moments(50, 0.2, 49.0), "events": Events(26, 100.0)}[kind]
    now = compare(control, weak)
    far = now.predictive_probability(10**8, threshold=0.9)
    assert far == pytest.approx(now.probability_better, abs=2e-3)


@pytest.mark.parametrize("kind", PAIRS)
def test_nulls_and_directions(kind):
    control, treatment = PAIRS[kind]
    n = 150
    plain = predictive_probability(control, treatment, n)
    harder = predictive_probability(control, treatment, n, null=0.1)
    assert 0 < harder < plain < 1.0 + 1e-12
    either = plain + predictive_probability(control, treatment, n, direction="decrease")
    assert either <= 1
    swapped = predictive_probability(treatment, control, n, direction="decrease")
    assert swapped == pytest.approx(plain, rel=1e-9)
    if kind != "moments":
        share = predictive_probability(control, treatment, n, null=relative(0.2))
        assert share == pytest.approx(predictive_probability(control, treatment, n, null=0.2, scale="relative"))
        assert share < plain


def test_many_pairs_and_several_variants_are_each_alone():
    many = predictive_probability(Counts([100, 100], [30, 40]), Counts([100, 100], [50, 44]), 300)
    alone = [predictive_probability(Counts(100, c), Counts(100, t), 300) for c, t in ((30, 50), (40, 44))]
    np.testing.assert_allclose(many, alone, rtol=1e-12)
    several = predictive_probability(Counts(100, 30), {"a": Counts(100, 50), "b": Counts(90, 33)}, [200, 200, 150])
    np.testing.assert_allclose(several[0], predictive_probability(Counts(100, 30), Counts(100, 50), 200), rtol=1e-12)
    np.testing.assert_allclose(
        several[1], predictive_probability(Counts(100, 30), Counts(90, 33), [200, 150]), rtol=1e-12
    )
    lost = predictive_probability(
        Moments([50, 1], [0.0, 0.0], [49.0, 0.0]), Moments([50, 50], [0.5, 0.5], [49.0, 49.0]), 90
    )
    assert 0 < lost[0] < 1
    assert math.isnan(lost[1])


@pytest.mark.parametrize(
    ("control", "treatment", "n"),
    [
        (Counts(0, 0), Counts(0, 0), 1),
        (Counts(0, 0), Counts(0, 0), 10**9),
        (Counts(10**9, 0), Counts(10**9, 3), 2 * 10**9),
        (Counts(10, 10), Counts(10, 0), 11),
        (Counts(10**12, 10**11), Counts(10**12, 10**11 + 10**6), 10**13),
        (Events(0, 1e-3), Events(3, 1e-3), 1e-3),
        (Events(0, 1.0), Events(0, 1.0), 1e9),
        (Moments(2, 1.0, 1e-9), Moments(2, 1.0, 1e9), 3),
        (Moments(2, 1.0, 0.5), Moments(10**6, 1.0, 1e6), 10**7),
    ],
    ids=str,
)
def test_extreme_data_have_an_answer(control, treatment, n):
    for threshold in (0.5, 0.975):
        assert 0 <= predictive_probability(control, treatment, n, threshold=threshold) <= 1


def test_symmetric_data_are_as_likely_to_end_either_way():
    for pair in ((Counts(50, 10),) * 2, (Moments(9, 1.0, 4.0),) * 2, (Events(5, 3.0),) * 2):
        up, down = (predictive_probability(*pair, 60, direction=d, threshold=0.9) for d in ("increase", "decrease"))
        assert up == pytest.approx(down, rel=1e-9)
        assert 0 < up < 0.5


def test_what_does_not_fit_is_refused():
    pair = PAIRS["counts"]
    for n, message in (
        (99, "`n` must be at least what there is already, 100; got 99"),
        ([200, 200, 200], "`n` must be one number, or one for each of 2 variants; got 3"),
        (math.nan, "`n` must"),
        (-5, "`n` must"),
        (200.5, "`n` must"),
    ):
        with pytest.raises((ValueError, TypeError), match=message):
            predictive_probability(*pair, n)
    for threshold in (0, 1, math.nan, 2):
        with pytest.raises(ValueError, match="`threshold` must be"):
            predictive_probability(*pair, 200, threshold=threshold)
    with pytest.raises(ValueError, match="`null` must be a difference"):
        predictive_probability(*PAIRS["moments"], 200, null=relative(0.1))


def test_a_ratio_is_predicted_as_a_normal_estimate():
    rows = np.random.default_rng(3).gamma(4, 1, (400, 2))
    control = CoMoments.from_sample(rows[:200], ["a", "b"])
    treatment = CoMoments.from_sample(rows[200:] * [1.05, 1], ["a", "b"])
    found = compare(control, treatment)
    now, end = found.stderr, found.stderr / 2
    away = found.estimate - stats.norm.ppf(0.975) * end
    assert found.predictive_probability(800) == pytest.approx(
        stats.norm.cdf(away / math.sqrt(now**2 - end**2)), rel=1e-9
    )
