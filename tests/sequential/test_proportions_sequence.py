"""Two proportions at every look, by the face: the evidence of one look, look after look."""

from __future__ import annotations

import numpy as np
import pytest

import abkit as ab
from abkit._sets import Level
from abkit.sequential._two_proportions import two_proportions_effect

CONTROL, TREATMENT = ab.Counts([0, 90, 1000], [0, 9, 100]), ab.Counts([7, 110, 1200], [1, 20, 170])
ALTERNATIVES = ["two-sided", "greater", "less"]


@pytest.mark.parametrize("alternative", ALTERNATIVES)
@pytest.mark.parametrize("alpha", [1e-300, 0.05, 0.9])
def test_every_look_is_the_effect_there(alternative, alpha):
    found = ab.confidence_sequence(
        CONTROL, TREATMENT, method="beta-binomial", alpha=alpha, alternative=alternative, share=0.6, tune_at=5000
    )
    sides = 2 if alternative == "two-sided" else 1
    effect = two_proportions_effect(100, 1000, 170, 1200, share=0.6, tune_at=5000, sides=sides)
    assert (found.low[-1], found.high[-1]) == tuple(effect.interval(Level(alpha), alternative))
    assert found.pvalue(0.01, running=False) == pytest.approx(effect.pvalue(0.01, alternative), rel=1e-12)
    assert found.n.tolist() == [7, 200, 2200]
    assert found.validity == "exact"
    assert not found.order_matters


@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_before_both_variants_have_units_everything_is_possible(alternative):
    found = ab.confidence_sequence(CONTROL, TREATMENT, method="beta-binomial", alternative=alternative)
    assert found.low[0] in (-1, -np.inf)
    assert found.high[0] in (1, np.inf)
    assert found.log_pvalue(0.5)[0] == 0
    assert found.to_dict()["estimate"][0] is None


@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_the_interval_leaves_out_what_the_test_rejects(alternative):
    found = ab.confidence_sequence(CONTROL, TREATMENT, method="beta-binomial", alternative=alternative)
    for null in np.linspace(-0.4, 0.4, 41):
        outside = (null < found.low) | (null > found.high)
        assert np.all((np.exp(found.log_pvalue(null, running=False)) < 0.05) == outside)


def test_rows_are_counts():
    rng = np.random.default_rng(3)
    x, y = rng.binomial(1, 0.1, 500), rng.binomial(1, 0.2, 400)
    rows = ab.confidence_sequence(x, y, method="beta-binomial", looks=[[0, 5], [250, 200], [500, 400]])
    counts = [
        ab.Counts([0, 250, 500], [0, x[:250].sum(), x.sum()]),
        ab.Counts([5, 200, 400], np.cumsum(y)[[4, 199, 399]]),
    ]
    assert rows.to_dict() == ab.confidence_sequence(*counts, method="beta-binomial").to_dict()
    assert ab.confidence_sequence(x, y, method="beta-binomial").n.tolist() == [900]


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (([0, 1],), {"share": 0.5}, "`share` must be left out without `treatment`"),
        (([0, 1], [0, 2]), {}, "`treatment` must be 0 or 1"),
        (([0, 1], [0, 1]), {"prior": (1, 1)}, "`prior` must be left out with `treatment`"),
        ((ab.Counts(9, 1), ab.Counts([9, 9], [1, 1])), {}, "`treatment` must have as many looks"),
        ((ab.Counts([9, 8], [1, 1]), ab.Counts([9, 9], [1, 1])), {}, "`data` must be cumulative"),
        ((ab.Counts([9, 9], [1, 1]), ab.Counts([9, 9], [1, 0])), {}, "`treatment` must be cumulative"),
        ((ab.Counts(9, 1), ab.Counts(9, 1)), {"looks": [9]}, "`looks` must be left out with statistics"),
        ((ab.Counts(9, 1), ab.Counts(9, 1)), {"share": 1.0}, "`share` must be between"),
    ],
)
def test_what_is_no_comparison_is_refused(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        ab.confidence_sequence(*arguments, method="beta-binomial", **options)


def test_statistics_of_another_kind_are_refused():
    with pytest.raises(TypeError, match="must both be Counts"):
        ab.confidence_sequence(ab.Counts(9, 1), [0, 1], method="beta-binomial")
