from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import ndtr
from scipy.stats import chi, norm

from abkit.power._statistic import Statistic, critical, rejection, rejection_of_both


def over_chi(drift: float, bound: float, df: float, other: float = math.inf) -> float:
    """The same integral by adaptive quadrature over s itself."""

    def inside(s: float) -> float:
        z = s * bound / df**0.5
        return max(float(ndtr(drift - z) - ndtr(z - other)), 0.0) * float(chi.pdf(s, df))

    root = df**0.5
    falls = [(at + k) * root / bound for at in {drift, min(other, drift)} for k in range(-9, 10, 3)]
    points = sorted({0.0, *(min(max(point, 0.0), root + 9) for point in [*falls, *(root + k for k in range(-9, 10))])})
    return math.fsum(quad(inside, a, b, epsabs=1e-15, epsrel=1e-13, limit=200)[0] for a, b in pairwise(points))


@pytest.mark.parametrize("df", [1.0, 2.0, 3.7, 40.0, 5e3])
@pytest.mark.parametrize("alpha", [0.025, 0.45, 1e-4])
@pytest.mark.parametrize("drift", [-1.0, 0.0, 2.5, 20.0, 60.0])
def test_t_statistics(df, alpha, drift):
    bound = float(critical(alpha, df))
    expected = over_chi(drift, bound, df)
    found = rejection(Statistic(np.array([drift]), 1.0, np.array([df])), alpha)
    assert found[0] == pytest.approx(expected, abs=1e-11)
    both = rejection_of_both(Statistic(np.array([drift + 3]), 1.0, np.array([df])), Statistic(np.array([drift])), alpha)
    assert both[0] == pytest.approx(over_chi(drift, bound, df, drift + 3), abs=1e-10)


def test_many_degrees_of_freedom_lead_to_the_normal():
    drift = np.array([2.8])
    normal = rejection(Statistic(drift), 0.025)[0]
    assert normal == pytest.approx(norm.sf(norm.isf(0.025) - 2.8), rel=1e-14)
    gaps = [normal - rejection(Statistic(drift, 1.0, np.array([df])), 0.025)[0] for df in (9.9e5, 1.1e6, 1e9, 9e11)]
    # the first order term, -z (1 + z^2 + ...) / (4 df), is the same before and after the methods change
    assert gaps[0] * 9.9e5 == pytest.approx(gaps[1] * 1.1e6, rel=1e-4)
    assert gaps[0] * 9.9e5 == pytest.approx(gaps[2] * 1e9, rel=1e-4)
    assert abs(gaps[3]) < 1e-11
    assert rejection(Statistic(drift, 1.0, np.array([1e300])), 0.025)[0] == normal
