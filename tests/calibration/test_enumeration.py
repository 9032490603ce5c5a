"""Error rates of tests of counts, by enumeration of every outcome: what their rules of caution rest on."""

from __future__ import annotations

import functools
import warnings

import numpy as np
import pytest
from scipy.stats import binom, multinomial

import abkit as ab
from abkit.inference._proportion import _FEWEST as FEWEST

pytestmark = pytest.mark.calibration

SIZES = ((20, 20), (60, 60), (100, 100), (12, 108))
SHARES = np.arange(1, 100) / 100


@functools.cache
def rejected(method: str, n_control: int, n_treatment: int) -> np.ndarray:
    """Whether each table of counts is rejected at 5%."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ab.AccuracyWarning)
        return np.array(
            [
                [
                    ab.proportion_test(ab.Counts(n_control, c), ab.Counts(n_treatment, t), method=method).pvalue < 0.05
                    for t in range(n_treatment + 1)
                ]
                for c in range(n_control + 1)
            ]
        )


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("method", FEWEST)
def test_where_enough_are_expected_the_error_of_a_proportion_test_is_near_nominal(method, sizes):
    n_control, n_treatment = sizes
    for share in SHARES:
        if min(sizes) * min(share, 1 - share) >= FEWEST[method]:
            weights = [binom.pmf(np.arange(n + 1), n, share) for n in sizes]
            error = weights[0] @ rejected(method, n_control, n_treatment) @ weights[1]
            assert error <= 0.066, (method, sizes, share, error)


@pytest.mark.parametrize("discordant", [0.1, 0.25, 0.5, 0.9])
@pytest.mark.parametrize(("method", "limit"), [("score", 0.066), ("exact", 0.05), ("mid-p", 0.06)])
def test_mcnemars_error_where_enough_pairs_are_discordant(method, limit, discordant):
    pairs = 60
    error = 0.0
    for b in range(pairs + 1):
        for c in range(pairs + 1 - b):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ab.AccuracyWarning)
                result = ab.mcnemar_test(ab.PairedCounts(0, b, c, pairs - b - c), method=method)
            chance = multinomial.pmf([b, c, pairs - b - c], pairs, [discordant / 2, discordant / 2, 1 - discordant])
            error += chance * (result.pvalue < 0.05)
    assert error <= limit, error
