"""Priors of effects and their posteriors: against integrals in many places, and at the ends of what can be asked."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from abkit import Counts
from abkit.bayes import MixturePrior, NormalPrior, StudentPrior, compare, shrunk

CASES = json.loads((Path(__file__).parents[1] / "golden" / "effect_priors.json").read_text(encoding="utf-8"))["cases"]
SPIKE = MixturePrior(weights=[0.8, 0.2], means=[0, 0], sds=[0, 0.02])
PRIORS = [NormalPrior(sd=0.02), StudentPrior(df=3, scale=0.02), SPIKE]


def prior_of(case: dict[str, Any]) -> Any:
    if case["kind"] == "student":
        return StudentPrior(**dict(zip(("df", "mean", "scale"), case["parameters"], strict=True)))
    return MixturePrior(**dict(zip(("weights", "means", "sds"), case["parameters"], strict=True)))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['kind']} {case['parameters'][0]}")
def test_posteriors_are_the_integrals(case: dict[str, Any]) -> None:
    posterior = prior_of(case).posterior(case["estimate"], case["stderr"])
    assert posterior.log_marginal == pytest.approx(case["log_marginal"], rel=1e-11, abs=1e-11)
    assert posterior.mean == pytest.approx(case["mean"], rel=1e-10, abs=1e-10 * case["sd"])
    assert posterior.sd == pytest.approx(case["sd"], rel=1e-10)
    functions = ("cdf", "sf", "logpdf", "mean_above", "mean_below")
    for point in case["points"]:
        for name, expected in zip(functions, point["log"], strict=True):
            found = getattr(posterior, name)(point["x"])
            if name == "logpdf":
                assert found == pytest.approx(expected, rel=1e-11, abs=1e-10)
            elif expected > math.log(1e-300):
                assert found == pytest.approx(math.exp(expected), rel=2e-10, abs=0)
        side = posterior.ppf if point["log"][0] < point["log"][1] else posterior.isf
        tail = min(point["log"][:2])
        if tail > math.log(1e-300):
            assert side(math.exp(tail)) == pytest.approx(point["x"], rel=1e-9, abs=1e-9 * case["sd"])


def test_some_of_the_integrals_lie_far_out() -> None:
    assert min(min(point["log"][:2]) for case in CASES for point in case["points"]) < math.log(1e-250)


def test_the_normal_prior_is_the_textbook_formula() -> None:
    posterior = NormalPrior(mean=0.01, sd=0.02).posterior(0.03, 0.01)
    assert posterior.mean == pytest.approx(0.026, rel=1e-14)
    assert posterior.sd == pytest.approx(math.sqrt(1 / (1 / 0.02**2 + 1 / 0.01**2)), rel=1e-14)
    assert posterior.log_marginal == pytest.approx(
        -0.5 * 0.02**2 / 5e-4 - 0.5 * math.log(2 * math.pi * 5e-4), rel=1e-14
    )


@pytest.mark.parametrize("prior", PRIORS)
def test_one_and_many_agree(prior: Any) -> None:
    y, s = np.array([[0.03, -0.01], [0.5, 0.0]]), np.array([0.01, 0.02])
    many = prior.posterior(y, s)
    assert many.mean.shape == (2, 2)
    one = prior.posterior(0.5, 0.01)
    for name, at in (("cdf", 0.4), ("sf", 0.5), ("ppf", 0.3), ("isf", 1e-9), ("mean_above", 0.1), ("logpdf", 0.3)):
        assert getattr(many, name)(at)[1, 0] == pytest.approx(getattr(one, name)(at), rel=1e-12)
        assert type(getattr(one, name)(at)) is float
    assert many.cdf(np.array([0.1, 0.2])[:, None, None]).shape == (2, 2, 2)
    assert prior.posterior([], []).mean.shape == (0,)
    for kind in ("equal-tailed", "hdi"):
        ends = many.interval(0.9, kind)
        assert [ends.low[1, 0], ends.high[1, 0]] == pytest.approx(list(one.interval(0.9, kind)), rel=1e-9)


@pytest.mark.parametrize("prior", PRIORS)
def test_quantiles_invert_tails(prior: Any) -> None:
    posterior = prior.posterior(0.03, 0.02)
    for q in (1e-300, 1e-12, 0.01, 0.2, 0.8, 0.999):
        for there, back in ((posterior.ppf, posterior.cdf), (posterior.isf, posterior.sf)):
            x = there(q)
            if x != 0:
                assert back(x) == pytest.approx(q, rel=1e-10, abs=0)
    assert posterior.ppf([0.0, 1.0]).tolist() == [-math.inf, math.inf]
    assert posterior.isf([0.0, 1.0]).tolist() == [math.inf, -math.inf]
    assert math.isnan(posterior.ppf(1.5))


def test_a_component_of_one_value_is_an_atom() -> None:
    posterior = SPIKE.posterior(0.03, 0.01)
    at, below, above = posterior.atom(0.0), posterior.cdf(-1e-12), posterior.sf(0.0)
    assert at + below + above == pytest.approx(1, rel=1e-10)
    # Bayes' rule of two densities of the estimate
    nothing, something = 0.8 * math.exp(-4.5) / 0.01, 0.2 * math.exp(-0.9) / math.sqrt(5e-4)
    assert at == pytest.approx(nothing / (nothing + something), rel=1e-13)
    assert posterior.cdf(0.0) == pytest.approx(at + below, rel=1e-10)
    assert posterior.ppf(below + at / 2) == 0.0
    assert posterior.isf(above + at / 2) == 0.0
    assert posterior.logpdf(0.0) == math.inf
    assert posterior.mean_above(0.0) - posterior.mean_below(0.0) == pytest.approx(posterior.mean, rel=1e-13)
    assert list(posterior.interval(0.1, "hdi")) == [0.0, 0.0]
    assert posterior.interval(0.95, "hdi").low == pytest.approx(0.0, abs=1e-12)
    all_of_it = MixturePrior(weights=[1.0], means=[0.0], sds=[0.0]).posterior(5.0, 1.0)
    assert (all_of_it.mean, all_of_it.sd, all_of_it.ppf(0.3), all_of_it.sf(0.0)) == (0.0, 0.0, 0.0, 0.0)


def test_the_shortest_interval_is_shortest() -> None:
    two = MixturePrior(weights=[0.5, 0.5], means=[-3, 3], sds=[1, 1]).posterior(0.1, 5.0)
    for level in (0.3, 0.8, 0.95):
        ends = two.interval(level, "hdi")
        assert two.cdf(ends.high) - two.cdf(ends.low) == pytest.approx(level, rel=1e-10)
        lows = np.linspace(1e-6, 1 - level - 1e-6, 4001)
        assert ends.high - ends.low <= (two.ppf(lows + level) - two.ppf(lows)).min() + 1e-9
    skewed = StudentPrior(df=2, scale=0.01).posterior([0.03, 0.05], 0.01)
    ends = skewed.interval(0.95, "hdi")
    assert skewed.logpdf(ends.low) == pytest.approx(skewed.logpdf(ends.high), abs=1e-8)


def test_the_shortest_interval_ends_at_a_value_of_its_own_probability() -> None:
    prior = MixturePrior(weights=[0.766, 0.234], means=[0, 0.00133], sds=[0, 0.00292])
    control, treatment = Counts(340_000, 26_001), Counts(340_000, 25_893)
    found = compare(control, treatment, prior=prior)
    own = shrunk(compare(control, treatment), prior).interval(0.95, "hdi")
    for ends in (found.interval(0.95, "hdi"), own):
        assert -0.0004 < ends.low < -0.0001
        assert ends.high == 0.0
    lift = compare(control, treatment, prior=prior).relative(0.95, kind="hdi")
    assert lift.low == pytest.approx(ends.low / (26_001 / 340_000), rel=0.02)
    apart = MixturePrior(weights=[0.5, 0.5], means=[-0.01, 0.01], sds=[0.001, 0.001])
    two = compare(Counts(10_000, 765), Counts(10_000, 761), prior=apart)
    shortest = two.interval(0.95, "hdi")
    assert two.law.posterior.cdf(shortest.high)[0] - two.law.posterior.cdf(shortest.low)[0] == pytest.approx(0.95)
    assert shortest.high - shortest.low <= two.interval(0.95).high - two.interval(0.95).low


@pytest.mark.parametrize("prior", PRIORS)
def test_draws_are_from_it(prior: Any) -> None:
    rng = np.random.default_rng(5)
    posterior = prior.posterior(np.full(10_000, 0.03), 0.02)
    draws = posterior.sample(rng)
    one = prior.posterior(0.03, 0.02)
    assert draws.mean() == pytest.approx(one.mean, abs=5 * one.sd / 100)
    assert draws.std() == pytest.approx(one.sd, rel=0.04)
    assert prior.sample(rng, 3).shape == (3,)


def test_prior_densities() -> None:
    from scipy import stats

    x = np.array([-3.0, 0.1, 40.0])
    assert NormalPrior(mean=0.5, sd=2).logpdf(x) == pytest.approx(stats.norm.logpdf(x, 0.5, 2), rel=1e-13)
    for df in (0.7, 3, 9000):
        assert StudentPrior(df=df, mean=0.5, scale=2).logpdf(x) == pytest.approx(
            stats.t.logpdf(x, df, 0.5, 2), rel=1e-11
        )
    both = 0.3 * stats.norm.pdf(x, 0, 1) + 0.7 * stats.norm.pdf(x, 1, 5)
    assert np.exp(MixturePrior(weights=[0.3, 0.7], means=[0, 1], sds=[1, 5]).logpdf(x)) == pytest.approx(
        both, rel=1e-12
    )
    assert SPIKE.logpdf(0.0) == math.inf


def test_extremes() -> None:
    for prior in PRIORS:
        sharp, blunt = prior.posterior(1.0, 1e-100), prior.posterior(0.1, 1e100)
        assert sharp.mean == pytest.approx(1.0, rel=1e-13)
        assert abs(blunt.mean) < 1e-12
        assert sharp.sf(0.0) == pytest.approx(1.0, abs=1e-13)
        for part in (sharp, blunt, prior.posterior(-1e100, 1e-100), prior.posterior(1e-100, 1e90)):
            assert np.isfinite([part.mean, part.sd, part.log_marginal, part.ppf(0.01), part.mean_above(0.0)]).all()


def test_words() -> None:
    assert [prior.describe() for prior in PRIORS] == [
        "Effects are normal with mean 0 and standard deviation 0.02: 95% of them lie between -0.0392 and 0.0392.",
        (
            "Effects have Student's t distribution with 3 degrees of freedom around 0, scale 0.02: 95% of them lie "
            "between -0.06365 and 0.06365."
        ),
        "Effects are of 2 kinds: 0.8 of them are 0; 0.2 of them are normal with mean 0 and standard deviation 0.02.",
    ]


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: NormalPrior(sd=0), "`sd` must be greater than 0; got 0."),
        (lambda: NormalPrior(sd=math.inf), "`sd` must be greater than 0; got inf."),
        (lambda: NormalPrior(mean=math.nan, sd=1), "`mean` must be finite; got nan."),
        (lambda: StudentPrior(df=0, scale=1), "`df` must be greater than 0; got 0."),
        (lambda: StudentPrior(df=1e5, scale=1), "`df` must be at most 10000: use NormalPrior; got 100000."),
        (lambda: MixturePrior(weights=[0.5, 0.4], means=[0, 0], sds=[0, 1]), "`weights` must add up to 1; got 0.9."),
        (
            lambda: MixturePrior(weights=[1.0], means=[0, 0], sds=[0, 1]),
            "must have one number a component; got 1, 2 and 2",
        ),
        (lambda: MixturePrior(weights=[1.5, -0.5], means=[0, 0], sds=[0, 1]), "`weights` must be greater than 0"),
        (lambda: MixturePrior(weights=[], means=[], sds=[]), "must have one number a component"),
        (lambda: NormalPrior(sd=1).posterior(1.0, 0.0), "`stderr` must be greater than 0; got 0."),
        (lambda: NormalPrior(sd=1).posterior(math.nan, 1.0), "`estimate` must be finite"),
        (
            lambda: NormalPrior(sd=1).posterior([1.0, 2.0], [1.0, 2.0, 3.0]),
            "`estimate` and `stderr` must have one shape",
        ),
    ],
)
def test_what_is_no_prior_is_refused(make: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=re.escape(sentence)):
        make()
