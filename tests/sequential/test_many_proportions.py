"""The evidence of many pairs of counts is that of each."""

import numpy as np
import pytest

from abkit.sequential._many_proportions import log_evidence
from abkit.sequential._two_proportions import TwoProportionsEffect
from abkit.types import Relative

NULLS = [0.0, 0.01, -0.004, 0.3, -0.9, *map(Relative, (0.0, 0.2, -0.5, -1.0, -1.5, 30.0))]


@pytest.mark.parametrize("n", [(1, 1), (5, 3), (400, 300), (190_000, 10_000), (10**8, 10**7)])
@pytest.mark.parametrize("sides", [1, 2])
def test_the_evidence_of_many_is_that_of_each(n, sides):
    rng = np.random.default_rng(sides)
    drawn = np.stack([rng.binomial(units, [0, 1e-4, 0.01, 0.02, 0.3, 0.9, 1]) for units in n], axis=1)
    pairs = np.concatenate([drawn, [[0, 0], n, [0, n[1]], [n[0], 0], [n[0] / 3, n[1] / 7]]])
    for null in NULLS:
        for alternative in ("two-sided", "greater", "less"):
            found = log_evidence(pairs, n, null, alternative, share=0.2, tune_at=1_000, sides=sides)
            each = [
                TwoProportionsEffect(c, n[0], t, n[1], 0.2, 1_000, sides).log_evalue(null, alternative)
                for c, t in pairs.tolist()
            ]
            assert found == pytest.approx(each, rel=1e-10, abs=1e-8)
