"""Empirical Bernstein sequences, and what both bounded methods ask of values, bounds, looks and variants."""

from __future__ import annotations

import math

import numpy as np
import pytest

import abkit as ab
from abkit.sequential._betting import betting_sequence
from abkit.sequential._bounded import empirical_bernstein_sequence
from tests.golden.read import cases

BOTH = pytest.mark.parametrize("sequence", [empirical_bernstein_sequence, betting_sequence])


@pytest.mark.parametrize("case", cases("bounded"), ids=lambda case: f"{len(case['values'])} values")
def test_the_formula_as_printed(case):
    result = empirical_bernstein_sequence(case["values"], alpha=case["alpha"])
    np.testing.assert_allclose(np.column_stack([result.low, result.high]), case["bernstein"], rtol=0, atol=1e-13)
    above = empirical_bernstein_sequence(case["values"], alpha=case["alpha"], alternative="greater")
    np.testing.assert_allclose(above.low, case["bernstein_greater"], rtol=0, atol=1e-13)
    assert np.all(above.high == math.inf)


@BOTH
def test_an_end_is_where_the_evidence_is_one_over_alpha(sequence):
    values = np.random.default_rng(3).beta(2, 3, 400)
    for alternative in ("two-sided", "greater", "less"):
        result = sequence(values, alpha=0.02, alternative=alternative, looks=[7, 100, 400])
        for k in range(3):
            for end in (result.low[k], result.high[k]):
                if 0 < end < 1:
                    assert result.log_evalue(end)[k] == pytest.approx(-math.log(0.02), abs=1e-9)


@BOTH
def test_other_bounds_only_change_the_unit(sequence):
    values = np.random.default_rng(4).random(300)
    unit, scaled = sequence(values), sequence(40 * values - 10, bounds=(-10, 30))
    np.testing.assert_allclose(scaled.low, 40 * unit.low - 10, atol=1e-12)
    np.testing.assert_allclose(scaled.high, 40 * unit.high - 10, atol=1e-12)
    np.testing.assert_allclose(scaled.log_evalue(8.0), unit.log_evalue(0.45), atol=1e-10)


@BOTH
def test_mirrored_values_have_mirrored_ends(sequence):
    values = np.random.default_rng(5).random(300)
    result, mirror = sequence(values), sequence(1 - values)
    np.testing.assert_allclose(1 - mirror.high, result.low, atol=1e-13)
    less = sequence(values, alternative="less")
    np.testing.assert_allclose(less.high, 1 - sequence(1 - values, alternative="greater").low, atol=1e-13)
    assert np.all(less.low == -math.inf)


@BOTH
def test_looks_are_some_of_the_answers(sequence):
    values = np.random.default_rng(6).random(900)
    every, some = sequence(values), sequence(values, looks=[1, 2, 300, 900])
    assert every.n.tolist() == list(range(1, 901))
    for name in ("low", "high", "estimate"):
        np.testing.assert_allclose(getattr(some, name), getattr(every, name)[some.n - 1], atol=1e-12)
    np.testing.assert_allclose(some.log_evalue(0.4), every.log_evalue(0.4)[some.n - 1], atol=1e-12)


@BOTH
@pytest.mark.parametrize("alpha", [1e-6, 0.5, 0.999])
@pytest.mark.parametrize("value", [0.0, 1.0, 0.3, 1e-300])
def test_constant_values(sequence, alpha, value):
    result = sequence(np.full(500, value), alpha=alpha)
    assert np.all((result.low <= value) & (value <= result.high + 1e-15))
    assert result.high[-1] - result.low[-1] < (0.3 if alpha == 1e-6 else 0.1)
    assert np.all(np.isfinite(result.log_evalue(0.7)))
    assert np.all(np.isfinite(result.log_evalue(0.0)))
    assert np.all(np.isfinite(result.log_evalue(1.0)))


@BOTH
def test_one_value(sequence):
    result = sequence([0.5])
    assert (result.low[0], result.high[0]) == (0.0, 1.0)
    assert result.pvalue(0.5) == 1.0
    assert result.order_matters
    assert result.validity == "exact"
    assert result.to_dict()["order_matters"] is True


@BOTH
def test_a_mean_that_moves_leaves_nothing(sequence):
    result = sequence(np.repeat([1.0, 0.0], 3_000))
    low, high = result.running
    assert low[-1] > high[-1]


@BOTH
def test_two_variants_in_one_order(sequence):
    rng = np.random.default_rng(7)
    assigned = (rng.random(4_000) < 0.3).astype(int)
    values = (rng.random(4_000) < np.where(assigned == 1, 0.9, 0.1)).astype(float)
    result = sequence(5 * values, bounds=(0, 5), assigned=assigned, share=0.3)
    assert 2 < result.low[-1] < 4 < result.high[-1] <= 5
    assert result.pvalue(0) < 1e-6
    assert np.all((result.low >= -5) & (result.high <= 5))


@BOTH
def test_swapped_variants_have_the_opposite_difference(sequence):
    rng = np.random.default_rng(8)
    assigned, values = (rng.random(500) < 0.3).astype(int), rng.random(500)
    one = sequence(values, assigned=assigned, share=0.3)
    other = sequence(values, assigned=1 - assigned, share=0.7)
    np.testing.assert_allclose(one.low, -other.high, atol=1e-12)


@BOTH
def test_the_score_by_hand(sequence):
    values, assigned = np.array([0.5, 1.0, 0.0, 0.25]), [1, 0, 1, 0]
    before = [0.5, (0.5 + 0.5) / 2, (0.5 + 1.5) / 3, (0.5 + 1.5) / 4]
    scores = [(x - m) * (4 if a else -4 / 3) for x, m, a in zip(values, before, assigned, strict=True)]
    result = sequence(values, assigned=assigned, share=0.25)
    plain = sequence(scores, bounds=(-4, 4))
    np.testing.assert_allclose(result.estimate, plain.estimate, atol=1e-14)
    np.testing.assert_allclose(result.low, np.maximum(plain.low, -1), atol=1e-14)


@BOTH
def test_two_samples_share_alpha(sequence):
    rng = np.random.default_rng(9)
    control, treatment = rng.beta(2, 5, 300), rng.beta(3, 4, 500)
    result = sequence(control, treatment, looks=[(20, 30), (300, 500)])
    c, t = (sequence(x, alpha=0.025, looks=[n]) for x, n in ((control, 300), (treatment, 500)))
    assert result.low[-1] == pytest.approx(t.low[0] - c.high[0], abs=1e-13)
    assert result.high[-1] == pytest.approx(t.high[0] - c.low[0], abs=1e-13)
    assert result.n.tolist() == [50, 800]
    for end in (result.low[-1], result.high[-1]):
        assert result.log_evalue(end)[-1] == pytest.approx(-math.log(0.05), abs=1e-9)
    assert result.log_evalue((result.low[-1] + result.high[-1]) / 2)[-1] < -math.log(0.05)


@BOTH
def test_two_samples_on_one_side(sequence):
    rng = np.random.default_rng(10)
    control, treatment = rng.beta(2, 5, 300), rng.beta(3, 4, 500)
    result = sequence(control, treatment, alternative="greater")
    c = sequence(control, alpha=0.025, alternative="less")
    t = sequence(treatment, alpha=0.025, alternative="greater")
    assert result.low[0] == pytest.approx(t.low[-1] - c.high[-1], abs=1e-13)
    assert result.high[0] == math.inf
    assert result.log_evalue(result.low[0])[0] == pytest.approx(-math.log(0.05), abs=1e-9)
    swapped = sequence(treatment, control, alternative="less")
    assert swapped.high[0] == pytest.approx(-result.low[0], abs=1e-13)


@BOTH
@pytest.mark.parametrize("null", [-1.0, 1.0, 0.0])
def test_the_furthest_differences_have_evidence_too(sequence, null):
    assert np.isfinite(sequence([0.5, 0.1], [0.5, 0.9]).log_evalue(null)).all()


@BOTH
def test_the_mean_is_seldom_left_out(sequence):
    """Bernoulli 2%, always watched: the errors of 100 runs, at a level of 10%."""
    rng = np.random.default_rng(11)
    lost = 0
    for _ in range(100):
        low, high = sequence((rng.random(250) < 0.02).astype(float), alpha=0.1).running
        lost += not low[-1] <= 0.02 <= high[-1]
    assert lost <= 10 + 3 * 3


@BOTH
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"data": [0.5, 1.5]}, "`data` must lie within `bounds`, 0 to 1; got 1 value.* 1.5"),
        ({"data": [0.5], "treatment": [-0.5]}, "`treatment` must lie within `bounds`"),
        ({"data": []}, "`data` must hold at least 1 value"),
        ({"data": [0.5, math.nan]}, "`data` must be finite"),
        ({"data": ab.Counts(10, 3)}, "order of arrival; got Counts. The order matters"),
        ({"data": [0.5], "bounds": (1, 0)}, "`bounds` must be a lower and a higher number"),
        ({"data": [0.5], "looks": [2]}, "`looks` must"),
        ({"data": [0.5], "looks": []}, "`looks` must"),
        ({"data": [0.5, 0.1], "looks": [2, 1]}, "`looks` must"),
        ({"data": [0.5], "treatment": [0.5], "looks": [(0, 1)]}, "`looks` must be at least 1"),
        ({"data": [0.5], "alpha": 0.0}, "`alpha` must be between 0 and 1"),
        ({"data": [0.5], "alternative": "both"}, "`alternative` must be one of"),
        ({"data": [0.5], "assigned": [1]}, "`assigned` and `share` must be given together"),
        ({"data": [0.5], "assigned": [2], "share": 0.5}, "`assigned` must hold 0"),
        ({"data": [0.5], "assigned": [1, 0], "share": 0.5}, "`assigned` must have one entry a value"),
        ({"data": [0.5], "assigned": [1], "share": 1.0}, "`share` must be between 0 and 1"),
        ({"data": [0.5], "treatment": [0.5], "assigned": [1], "share": 0.5}, "must not come with `treatment`"),
    ],
)
def test_refusals(sequence, arguments, message):
    with pytest.raises((ValueError, TypeError), match=message):
        sequence(**arguments)


@BOTH
def test_a_null_that_no_mean_can_be(sequence):
    with pytest.raises(ValueError, match="`null` must be from 5 to 10; got 0"):
        sequence([6.0, 7.0], bounds=(5, 10)).pvalue(0)


def test_the_face():
    result = ab.confidence_sequence([0.1, 0.9], method="empirical-bernstein", bounds=[0, 2])
    assert result.method == "empirical-bernstein"
    with pytest.raises(ValueError, match="`q` must be left out"):
        ab.confidence_sequence([0.1, 0.9], method="betting", q=0.5)
