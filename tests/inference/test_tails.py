"""Tails and quantiles against mpmath, 60 digits: relative accuracy down to 1e-300, one degree of freedom to 1e12."""

from __future__ import annotations

import math

import mpmath as mp
import pytest

from abkit._tails import chi_square_survival, critical, pvalue, survival

mp.mp.dps = 60
DF = [1.25, 2.0, 3.7, 5.0, 10.0, 30.3, 100.0, 1000.0, 12345.6, 1e6, 1e8, 1e12]


def normal_tail(z):
    return mp.erfc(mp.mpf(z) / mp.sqrt(2)) / 2


def t_tail(t, df):
    """P(T > t) for t > 0, from the hypergeometric form of the incomplete beta function."""
    t, df = mp.mpf(t), mp.mpf(df)
    a, b, x = df / 2, mp.mpf("0.5"), df / (df + t * t)
    log_beta = mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(a + b)
    return mp.exp(a * mp.log(x) + b * mp.log(1 - x) - mp.log(a) - log_beta) * mp.hyp2f1(a + b, 1, a + 1, x) / 2


@pytest.mark.parametrize("z", [1e-8, 0.3, 1.0, 1.959963984540054, 5.0, 10.0, 20.0, 30.0, 36.0, 37.0, 37.5])
def test_the_normal_tail_keeps_its_digits_down_to_1e_300(z):
    assert survival(z, math.inf) == pytest.approx(float(normal_tail(z)), rel=1e-12)
    assert pvalue(z, math.inf, "two-sided") == pytest.approx(float(2 * normal_tail(z)), rel=1e-12)


@pytest.mark.parametrize("df", DF)
@pytest.mark.parametrize("t", [1e-6, 0.1, 1.0, 2.0, 5.0, 10.0, 36.0])
def test_the_t_tail_keeps_its_digits(t, df):
    assert survival(t, df) == pytest.approx(float(t_tail(t, df)), rel=1e-12)


@pytest.mark.parametrize(("t", "df"), [(5000.0, 100.0), (80.0, 500.0), (1e30, 10.0), (1e100, 3.0), (38.0, 4000.0)])
def test_the_t_tail_keeps_its_digits_far_out(t, df):
    expected = t_tail(t, df)
    assert 1e-305 < expected < 1e-100
    assert survival(t, df) == pytest.approx(float(expected), rel=1e-11)


@pytest.mark.parametrize("t", [1e-8, 1e-3, 1.0, 12.7, 1e6, 1e300])
def test_one_degree_of_freedom_is_the_cauchy_distribution(t):
    assert survival(t, 1.0) == pytest.approx(float(mp.atan(1 / mp.mpf(t)) / mp.pi), rel=1e-8)


@pytest.mark.parametrize("df", [*DF, math.inf])
@pytest.mark.parametrize("tail", [1e-300, 1e-50, 1e-15, 1e-4, 0.005, 0.025, 0.05, 0.25, 0.4999])
def test_quantiles_have_the_tail_that_was_asked_for(tail, df):
    if df < 10:
        tail = max(tail, 1e-15)  # below it the quantile of few degrees of freedom leaves the range of floats
    point = critical(tail, df)
    reached = normal_tail(point) if math.isinf(df) else t_tail(point, df)
    # the tail moves by about point^2 times the relative error of the point, which has 16 digits
    assert float(reached) == pytest.approx(tail, rel=1e-11)


@pytest.mark.parametrize("df", [1.0, 5.5, 1e6, math.inf])
@pytest.mark.parametrize("tail", [0.025, 0.3, 0.5])
def test_quantiles_are_symmetric(tail, df):
    assert critical(1 - tail, df) == pytest.approx(-critical(tail, df), rel=1e-12, abs=1e-15)


def test_a_tail_of_one_has_the_point_at_minus_infinity():
    assert critical(1.0, 7.0) == critical(1.0, math.inf) == -math.inf


def test_the_published_quantiles():
    # Student's table: 2.5% and 0.5% points
    assert critical(0.025, 10.0) == pytest.approx(2.228138852, abs=5e-10)
    assert critical(0.005, 30.0) == pytest.approx(2.749995654, abs=5e-10)
    assert critical(0.025, math.inf) == pytest.approx(1.959963984540054, rel=1e-15)


@pytest.mark.parametrize("statistic", [-3.2, -0.1, 0.0, 0.7, 8.5])
@pytest.mark.parametrize("df", [1.0, 12.5, math.inf])
def test_the_three_alternatives_share_one_distribution(statistic, df):
    greater, less = pvalue(statistic, df, "greater"), pvalue(statistic, df, "less")
    assert greater + less == pytest.approx(1, rel=1e-14)
    assert pvalue(statistic, df, "two-sided") == pytest.approx(min(1, 2 * min(greater, less)), rel=1e-14)
    assert pvalue(-statistic, df, "less") == greater


def test_infinite_statistics_have_certain_answers_and_nan_stays_nan():
    assert pvalue(math.inf, 5.0, "greater") == pvalue(-math.inf, 5.0, "two-sided") == 0
    assert pvalue(-math.inf, math.inf, "greater") == 1
    assert math.isnan(pvalue(math.nan, 5.0, "less"))


@pytest.mark.parametrize("df", [1, 2, 3, 5, 10, 40])
@pytest.mark.parametrize("statistic", [1e-3, 0.5, 5.0, 50.0, 500.0, 1300.0])
def test_the_chi_square_tail_keeps_its_digits(statistic, df):
    expected = mp.gammainc(mp.mpf(df) / 2, mp.mpf(statistic) / 2, regularized=True)
    assert chi_square_survival(statistic, df) == pytest.approx(float(expected), rel=1e-12)
