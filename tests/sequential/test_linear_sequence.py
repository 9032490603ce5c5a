"""Anytime-valid linear models: t and F against densities, the limit, and the tuning."""

from __future__ import annotations

import math

import numpy as np
import pytest

import abkit as ab
from abkit.sequential._linear_sequence import f_log_evalue, optimal_g, t_multiplier
from tests.golden.read import cases


@pytest.mark.parametrize("case", cases("mixture_sequences", "linear"))
def test_golden(case):
    nu, n = np.array([case["df"]]), np.array([case["n"]])
    t = f_log_evalue(np.array([case["t"] ** 2]), 1, nu, n, case["g"])[0]
    assert t == pytest.approx(float(case["log_evalue"]), rel=1e-12)
    assert t_multiplier(nu, n, case["g"], case["alpha"])[0] == pytest.approx(float(case["radius"]), rel=1e-11)
    f = f_log_evalue(np.array([case["f"]]), 3, nu, n, case["g"])[0]
    assert f == pytest.approx(float(case["log_evalue_f"]), rel=1e-12)


def test_with_many_degrees_of_freedom_it_is_the_asymptotic_sequence():
    n = 10**12
    linear = ab.linear_sequence(3.0, 1.0, n, n - 4, tune_at=n)
    normal = ab.asymptotic_sequence(3.0, 1.0, n, tune_at=n)
    assert linear.high[0] == pytest.approx(normal.high[0], rel=1e-9)
    assert linear.pvalue(0) == pytest.approx(normal.pvalue(0), rel=1e-5)
    assert linear.validity == "exact"


def test_the_interval_leaves_out_what_the_e_value_rejects():
    linear = ab.linear_sequence([2.0, 2.5], [0.5, 0.3], [30, 90], [25, 85], alpha=0.01, tune_at=60)
    for end in (linear.low, linear.high):
        log_p = [linear.log_pvalue(float(null), running=False)[i] for i, null in enumerate(end)]
        np.testing.assert_allclose(log_p, math.log(0.01), rtol=1e-12)


def test_one_coefficient_of_f_is_t():
    linear = ab.linear_sequence(2.0, 0.5, 30, 25, tune_at=60)
    f = ab.anytime_f_test(16.0, 1, 25, 30, tune_at=60)
    np.testing.assert_allclose(f, linear.log_evalue(0.0), rtol=1e-12)


@pytest.mark.parametrize(("n", "coefficients", "alpha"), [(50.0, 3, 0.05), (1e4, 10, 0.01), (1e6, 2, 1e-6)])
def test_g_is_where_the_interval_is_narrowest(n, coefficients, alpha):
    g = optimal_g(n, coefficients, alpha)
    widths = t_multiplier(np.full(3, n - coefficients), np.full(3, n), g * np.array([0.95, 1.0, 1.05])[1], alpha)
    around = [float(t_multiplier(np.array(n - coefficients), np.array(n), g * k, alpha)) for k in (0.95, 1.05)]
    assert widths[0] < min(around)


def test_extremes():
    few = ab.linear_sequence(1e6, 1e-3, 2, 1, alpha=1e-6, tune_at=100)
    assert (few.low[0], few.high[0]) == (-math.inf, math.inf)
    huge = ab.linear_sequence(1e300, 1e-300, 1000, 990, alpha=1e-300, tune_at=1000)
    assert np.isfinite(huge.log_pvalue(0.0)[0])
    assert ab.anytime_f_test(0.0, 2, 10, 20)[0] < 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ab.linear_sequence(1.0, 0.0, 5, 3), "`stderr` must be greater than 0"),
        (lambda: ab.linear_sequence(1.0, 1.0, 5, 0), "`df` must be at least 1"),
        (lambda: ab.linear_sequence([1.0, 2.0], 1.0, 5, 3), "one number for each look"),
        (lambda: ab.linear_sequence(1.0, 1.0, [5, 4], [3, 2]), "cumulative"),
        (lambda: ab.anytime_f_test(-1.0, 2, 10, 20), "`statistic` must be at least 0"),
        (lambda: ab.anytime_f_test(1.0, 0, 10, 20), "`df_numerator` must be at least 1"),
    ],
)
def test_what_cannot_be_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
