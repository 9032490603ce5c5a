"""The Bayesian monitor against integrals, exact sums and the algebra of normal distributions by another way."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise
from typing import Any

import mpmath
import numpy as np
import pytest
from scipy import integrate, stats

import abkit as ab
from abkit.bayes import MixturePrior, NormalPrior, StudentPrior
from abkit.evidence import Sample, TestResult
from abkit.inference import linear_effect, mean_arm
from abkit.inference._mean_effect import MeanEffect
from abkit.sequential._belief import loss_of, probability_of, unit_loss
from abkit.suffstats import CoMoments
from abkit.types import Relative

EFFECT = MeanEffect(10.0, 10.6, 0.09, 0.16, 0.02, math.inf)
PLAIN = Sample(4000, 2000)


def posterior(monitor: ab.Bayesian, effect: Any = EFFECT, sample: Sample = PLAIN) -> Any:
    return monitor.monitored("z", effect, sample, ab.Look())[1]


def counts(*pairs: tuple[int, int]) -> Any:
    """A posterior of (successes, n) of control and treatment."""
    both = tuple(ab.Counts(n, successes) for successes, n in pairs)
    from abkit.inference._score_effect import ScoreEffect

    (c, n_c), (t, n_t) = pairs
    return posterior(ab.Bayesian(), ScoreEffect(c, n_c, t, n_t), Sample(n_c + n_t, min(n_c, n_t), counts=both))


def bivariate(mean: float, sd: float) -> tuple[Any, Any]:
    """Posterior mean and covariance of (control, treatment), by adding up precisions."""
    likelihood = np.linalg.inv([[0.09, 0.02], [0.02, 0.16]])
    prior = np.array([[1.0, -1.0], [-1.0, 1.0]]) / sd**2
    covariance = np.linalg.inv(likelihood + prior)
    return covariance @ (likelihood @ [10.0, 10.6] + prior @ [-mean / 2, mean / 2]), covariance


def test_a_flat_prior_gives_the_metrics_own_test() -> None:
    pair = (CoMoments(n, np.array([m]), np.array([[s * s * (n - 1)]]), ("x",)) for n, m, s in ((12, 5, 2), (9, 7, 3)))
    effect = linear_effect(*(mean_arm(moments) for moments in pair))
    found = posterior(ab.Bayesian(), effect, Sample(21, 9))
    worse = stats.t.cdf(0, df=effect.df, loc=2, scale=math.sqrt(4 / 12 + 1))
    assert found.pvalue(0.0, "greater") == pytest.approx(worse, rel=1e-12)
    assert probability_of(found, 0.0, 1.0) == pytest.approx(1 - worse, rel=1e-12)
    assert tuple(found.interval(0.9, "two-sided")) == pytest.approx(tuple(effect.interval(0.9, "two-sided")), rel=1e-12)
    assert found.validity == "posterior of a normal estimate"


@pytest.mark.parametrize(("mean", "sd"), [(0.0, 0.5), (0.2, 0.1), (-0.3, 5.0), (0.0, 0.01)])
def test_a_normal_prior_moves_both_means_as_precisions_add_up(mean: float, sd: float) -> None:
    found = posterior(ab.Bayesian(0.9999, prior=NormalPrior(mean=mean, sd=sd)))
    centre, covariance = bivariate(mean, sd)
    assert (found.control, found.treatment) == pytest.approx(tuple(centre), rel=1e-12)
    for null in (0.0, 0.3, Relative(0.02), Relative(-0.05)):
        share = null.value if isinstance(null, Relative) else 0.0
        contrast = np.array([-1 - share, 1.0])
        shift = 0.0 if isinstance(null, Relative) else null
        z = (contrast @ centre - shift) / math.sqrt(contrast @ covariance @ contrast)
        assert found.pvalue(null, "greater") == pytest.approx(stats.norm.sf(z), rel=1e-9)
        low, high = found.relative(0.9, "two-sided", None)
        assert found.pvalue(Relative(low), "greater") == pytest.approx(0.05, rel=1e-9)
        assert found.pvalue(Relative(high), "less") == pytest.approx(0.05, rel=1e-9)


def test_a_prior_on_shares_is_one_in_the_metrics_unit() -> None:
    share = posterior(ab.Bayesian(prior=NormalPrior(sd=0.02), prior_scale="relative"))
    plain = posterior(ab.Bayesian(prior=NormalPrior(sd=0.2)))
    assert share.pvalue(0.0, "greater") == plain.pvalue(0.0, "greater")
    with pytest.raises(ValueError, match="share of the control's mean, which is 0"):
        posterior(
            ab.Bayesian(prior=NormalPrior(sd=0.02), prior_scale="relative"),
            MeanEffect(0.0, 1.0, 1.0, 1.0, 0.0, math.inf),
        )


@pytest.mark.parametrize(
    "prior",
    [
        StudentPrior(df=3, scale=0.2),
        StudentPrior(df=1.5, mean=0.1, scale=0.05),
        MixturePrior(weights=[0.6, 0.4], means=[0, 0.1], sds=[0.05, 0.8]),
    ],
)
def test_other_priors_agree_with_quadrature(prior: Any) -> None:
    found = posterior(ab.Bayesian(0.99, prior=prior))
    stderr = math.sqrt(0.09 + 0.16 - 0.04)

    def density(x: float) -> float:
        return math.exp(float(prior.logpdf(x))) * stats.norm.pdf(0.6, x, stderr)

    def over(f: Any, low: float, high: float) -> float:
        points = sorted({low, high, *(p for p in (-1.0, -0.2, 0.0, 0.1, 0.3, 0.6, 1.5) if low < p < high)})
        return sum(integrate.quad(f, a, b, epsabs=0, epsrel=1e-11)[0] for a, b in pairwise(points))

    whole = over(density, -12, 12)
    for null in (0.0, 0.25):
        assert found.pvalue(null, "greater") == pytest.approx(over(density, -12, null) / whole, rel=1e-8)
        lost = over(lambda x, null=null: (null - x) * density(x), -12, null) / whole
        assert loss_of(found, null, 1.0) == pytest.approx(lost, rel=1e-7)
        missed = over(lambda x, null=null: (x - null) * density(x), null, 12) / whole
        assert loss_of(found, null, -1.0) == pytest.approx(missed, rel=1e-7)
    low, high = found.interval(0.8, "two-sided")
    assert found.pvalue(low, "greater") == pytest.approx(0.1, rel=1e-9)
    assert found.pvalue(high, "less") == pytest.approx(0.1, rel=1e-9)
    assert found.effect.estimate == pytest.approx(over(lambda x: x * density(x), -12, 12) / whole, rel=1e-7)
    # as a share of the control, by simulation of both
    rng = np.random.default_rng(3)
    kinds = rng.choice(len(found.effect.weights), 200_000, p=np.array(found.effect.weights))
    parts = found.effect.parts
    draws = np.empty((200_000, 2))
    for k in np.unique(kinds):
        cov = [[parts[k].var_control, parts[k].covariance], [parts[k].covariance, parts[k].var_treatment]]
        here = kinds == k
        draws[here] = rng.multivariate_normal([parts[k].control, parts[k].treatment], cov, int(here.sum()))
    below = float((draws[:, 1] - draws[:, 0] <= 0.03 * np.abs(draws[:, 0])).mean())
    assert found.pvalue(Relative(0.03), "greater") == pytest.approx(below, abs=5e-3)


def test_an_effect_that_may_be_nothing_at_all() -> None:
    prior = MixturePrior(weights=[0.8, 0.2], means=[0, 0], sds=[0, 0.5])
    found = posterior(ab.Bayesian(prior=prior))
    truth = prior.posterior(0.6, math.sqrt(0.21))
    assert found.pvalue(0.0, "greater") == pytest.approx(float(truth.cdf(0.0)), rel=1e-12)
    assert probability_of(found, 0.0, 1.0) == pytest.approx(float(truth.sf(0.0)), rel=1e-12)
    assert probability_of(found, 0.0, -1.0) == pytest.approx(float(truth.cdf(0.0) - truth.atom(0.0)), rel=1e-12)
    assert probability_of(found, 0.0, 1.0) + probability_of(found, 0.0, -1.0) < 0.5
    assert found.statistic(0.0) == 0.0
    for null in (0.0, Relative(0.0)):
        assert found.pvalue(null, "two-sided") == 1.0
    assert found.interval(0.9, "two-sided").contains(0.0)
    assert found.relative(0.9, "two-sided", None).contains(0.0)


def below_exactly(control: tuple[int, int], treatment: tuple[int, int]) -> Fraction:
    """P(T <= C) under uniform priors: 1 less a sum of ratios of beta functions of whole numbers."""
    (a_c, b_c), (a_t, b_t) = ((successes + 1, n - successes + 1) for successes, n in (control, treatment))

    def beta(a: int, b: int) -> Fraction:
        return Fraction(math.factorial(a - 1) * math.factorial(b - 1), math.factorial(a + b - 1))

    terms = (beta(a_c + i, b_t + b_c) / ((b_t + i) * beta(1 + i, b_t) * beta(a_c, b_c)) for i in range(a_t))
    return 1 - sum(terms, Fraction(0))


@pytest.mark.parametrize(("control", "treatment"), [((3, 40), (9, 41)), ((0, 25), (1, 30)), ((70, 200), (40, 180))])
def test_counts_are_exact(control: tuple[int, int], treatment: tuple[int, int]) -> None:
    found = counts(control, treatment)
    assert found.pvalue(0.0, "greater") == pytest.approx(float(below_exactly(control, treatment)), rel=1e-10)
    c, t = (stats.beta(x + 1, n - x + 1) for x, n in (control, treatment))
    for null in (0.0, 0.03):
        worth, _ = integrate.quad(
            lambda x, null=null: c.pdf(x) * lost_below(t, null + x), 0, 1, epsabs=1e-14, limit=300
        )
        assert loss_of(found, null, 1.0) == pytest.approx(worth, rel=1e-8)
    share, _ = integrate.quad(lambda x: c.pdf(x) * lost_below(t, 1.1 * x), 0, 1, epsabs=1e-14, limit=300)
    assert loss_of(found, Relative(0.1), 1.0) == pytest.approx(share, rel=1e-8)
    gap = loss_of(found, 0.0, -1.0) - loss_of(found, 0.0, 1.0)
    assert gap == pytest.approx(found.treatment - found.control, rel=1e-9)


def lost_below(t: Any, edge: float) -> float:
    """E max(edge - T, 0) of a beta: edge P(T < edge) less its mean below the edge."""
    a, b = t.args
    edge = min(max(edge, 0.0), 10.0)
    return float(edge * t.cdf(edge) - a / (a + b) * stats.beta(a + 1, b).cdf(edge))


@pytest.mark.parametrize("df", [2.5, 11.0, 400.0, 1e6, math.inf])
@pytest.mark.parametrize("z", [-6.0, -0.5, 0.0, 1.0, 4.0])
def test_the_expected_loss_is_an_integral(z: float, df: float) -> None:
    law = stats.norm() if math.isinf(df) else stats.t(df)
    tail, _ = integrate.quad(law.cdf, -math.inf, -z, epsabs=1e-15, epsrel=1e-11, limit=300)
    assert unit_loss(z, df) == pytest.approx(tail, rel=1e-7)


def test_the_expected_loss_keeps_its_digits_far_out() -> None:
    for z in (5.0, 12.0, 30.0):
        with mpmath.workdps(50):
            truth = mpmath.npdf(mpmath.mpf(z)) - z * mpmath.erfc(z / mpmath.sqrt(2)) / 2
        assert unit_loss(z, math.inf) == pytest.approx(float(truth), rel=1e-10)
    assert unit_loss(1.0, 1.0) == math.inf
    assert math.isnan(unit_loss(math.nan, 5.0))
    assert unit_loss(math.inf, 5.0) == 0.0


def test_the_loss_is_asked_in_the_metrics_unit_or_as_a_share() -> None:
    test = TestResult("z", posterior(ab.Bayesian()), "two-sided", 0.0, 0.6 / math.sqrt(0.21))
    lost = math.sqrt(0.21) * unit_loss(0.6 / math.sqrt(0.21), math.inf)
    assert ab.Bayesian(loss=lost * 1.001).passes(test, 0.0, 1.0, 0.1)
    assert not ab.Bayesian(loss=lost * 0.999).passes(test, 0.0, 1.0, 0.1)
    assert ab.Bayesian(loss=ab.relative(lost * 1.001 / 10)).passes(test, 0.0, 1.0, 0.1)
    assert not ab.Bayesian(loss=ab.relative(lost * 0.999 / 10)).passes(test, 0.0, 1.0, 0.1)
    assert not ab.Bayesian(0.95, loss=lost * 1.001).passes(test, 0.0, 1.0, 0.1)  # P(better) = 0.905


def test_a_design_says_what_looking_gives() -> None:
    one = ab.Bayesian(0.9, prior=NormalPrior(sd=0.03)).design([10_000], sd=2.0)
    ratio = (2 * 2.0 / 100) / 0.03
    assert one.alpha / 2 == pytest.approx(stats.norm.sf(stats.norm.ppf(0.9) * math.sqrt(1 + ratio**2)), rel=1e-9)
    flat = ab.Bayesian(0.9).design([10_000, 20_000])
    assert flat.critical_values == pytest.approx((stats.norm.ppf(0.9),) * 2, rel=1e-9)
    by_loss = ab.Bayesian(loss=0.01).design([10_000], sd=2.0).critical_values[0]
    assert 0.04 * unit_loss(by_loss, math.inf) == pytest.approx(0.01, rel=1e-9)
    assert ab.Bayesian(loss=1.0).design([10_000], sd=2.0).alpha == pytest.approx(1.0)  # whatever it is, it is accepted
    pulled = ab.Bayesian(0.9, prior=NormalPrior(mean=0.01, sd=0.03)).design([10_000], sd=2.0)
    assert pulled.critical_values[0] < one.critical_values[0] < -pulled.lower_critical_values[0]  # type: ignore[index]
    heavy = ab.Bayesian(0.9, prior=StudentPrior(df=3, scale=0.03)).design([10_000], sd=2.0).critical_values[0]
    assert StudentPrior(df=3, scale=0.03).posterior(heavy * 0.04, 0.04).sf(0.0) == pytest.approx(0.9, rel=1e-9)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"probability": 0.5}, "`probability` must be between 0.5 and 1"),
        ({"probability": 1 - 1e-12}, "at most 1 - 1e-9"),
        ({"probability": math.nan}, "`probability`"),
        ({"loss": 0}, "`loss` must be"),
        ({"loss": math.inf}, "`loss` must be"),
        ({"loss": ab.relative(-0.1)}, "`loss` must be"),
        ({"prior": 0.1}, "`prior` must be a prior such as NormalPrior"),
        ({"prior_scale": "relative"}, "`prior_scale` must be left out"),
        ({"prior": NormalPrior(sd=1.0), "prior_scale": "log"}, "`prior_scale` must be"),
        ({"prior": NormalPrior(mean=1.0, sd=0.1)}, "`prior` must leave a verdict to the data"),
        ({"prior": NormalPrior(mean=-1.0, sd=0.1)}, "`prior` must leave a verdict to the data"),
        ({"prior": StudentPrior(df=3, mean=1.0, scale=0.01)}, "`prior` must leave a verdict to the data"),
        ({"prior": NormalPrior(sd=0.001), "loss": 0.005}, "`loss` must be below what the prior alone expects"),
    ],
)
def test_what_cannot_be_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        ab.Bayesian(**fields)


def test_power_and_planning_know_a_flat_prior() -> None:
    found = ab.power.two_means(mde=0.1, sd=1.0, n=1000, monitor=ab.Bayesian(0.975))
    plain = ab.power.two_means(mde=0.1, sd=1.0, n=1000, test="z")
    assert float(found.power) == pytest.approx(float(plain.power), rel=1e-9)
    often = ab.power.two_means(mde=0.1, sd=1.0, n=1000, monitor=ab.Bayesian(0.975), looks=5)
    assert float(often.power) > float(found.power)
    with pytest.raises(ValueError, match=r"`monitor.prior` must be left out for power"):
        ab.power.two_means(mde=0.1, sd=1.0, n=1000, monitor=ab.Bayesian(prior=NormalPrior(sd=0.1)))
