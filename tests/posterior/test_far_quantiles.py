"""Quantiles so far out that the usual inverse gives none."""

from __future__ import annotations

import numpy as np
import pytest

from abkit.posterior import Beta


@pytest.mark.parametrize("q", [1e-300, 1e-200, 1e-50])
def test_a_far_quantile_of_a_beta_is_a_number(q: float) -> None:
    beta = Beta(np.array([3.5]), np.array([120.0]))
    # there the distribution function is x^a / (a B(a, b))
    log_cdf = 3.5 * np.log(beta.ppf(q)) - np.log(3.5) - (-15.591405651087396)  # ln B(3.5, 120), by mpmath
    assert log_cdf[0] == pytest.approx(np.log(q), rel=1e-10)
