"""Sequences of a quantile, and the band about the whole distribution."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

import abkit as ab
from abkit.sequential._cdf_band import CdfBand, cdf_band_sequence, constant, log_error
from abkit.sequential._quantile_sequence import Ranks, quantile_sequence
from tests.golden.read import cases

SIDES = ["two-sided", "greater", "less"]


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("case", cases("quantile_sequence"), ids=lambda case: f"q {case['q']}")
def test_the_ends_of_every_rank(case, side):
    options = {name: case[name] for name in ("q", "alpha", "tune_at")}
    result = quantile_sequence(case["values"], alternative=side, **options)
    expected = [[-math.inf if low is None else low, math.inf if high is None else high] for low, high in case[side]]
    assert np.column_stack([result.low, result.high]).tolist() == expected
    if side == "two-sided":
        np.testing.assert_allclose(result.log_evalue(1), case["log_evalue_at_1"], rtol=0, atol=1e-12)


@pytest.mark.parametrize("case", cases("quantile_sequence", "band"), ids=lambda case: f"alpha {case['alpha']}")
def test_the_constant_of_the_band(case):
    assert constant(case["alpha"]) == pytest.approx(case["constant"], abs=1e-11)
    assert log_error(np.array([case["constant"]]))[0] == pytest.approx(math.log(case["alpha"]), abs=1e-11)


def test_the_published_band():
    """Howard and Ramdas 2022, eq. 12: 0.85 sqrt((log log(e t) + 8.12) / t) at 5%."""
    radius = CdfBand.of(_arm(1_000), 0.05).radius
    t = np.arange(1, 1_001)
    np.testing.assert_allclose(radius, 0.85 * np.sqrt((np.log(np.log(math.e * t)) + 8.12) / t), rtol=2e-4)
    assert constant(0.05) == pytest.approx(8.12, abs=0.005)


def test_the_band_has_no_smallest_level():
    for alpha in (1e-300, 1e-6, 0.5, 0.999):
        assert log_error(np.array([constant(alpha)]))[0] == pytest.approx(math.log(alpha), rel=1e-12)


@pytest.mark.parametrize("side", SIDES)
def test_a_value_is_left_out_exactly_when_its_evidence_is_enough(side):
    values = np.random.default_rng(1).integers(0, 6, 300).astype(float)
    result = quantile_sequence(values, q=0.6, alternative=side, tune_at=80)
    for x in np.arange(-0.5, 6, 0.5):
        inside = (result.low <= x) & (x <= result.high)
        np.testing.assert_array_equal(result.log_evalue(x) < math.log(20), inside)


@pytest.mark.parametrize("side", SIDES)
def test_two_variants_leave_a_difference_out_exactly_when_its_evidence_is_enough(side):
    rng = np.random.default_rng(2)
    control, treatment = rng.normal(size=200), rng.normal(1, 2, 150)
    result = quantile_sequence(control, treatment, q=0.4, alternative=side, tune_at=80, looks=[(50, 20), (200, 150)])
    for end in (result.low, result.high):
        for k in range(2):
            if np.isfinite(end[k]):
                outwards = -1e-9 if end is result.low else 1e-9
                assert result.log_evalue(end[k] - outwards)[k] < math.log(20)
                assert result.log_evalue(end[k] + outwards)[k] >= math.log(20)
    assert result.n.tolist() == [70, 350]


def test_two_variants_are_the_difference_of_one_each():
    rng = np.random.default_rng(3)
    control, treatment = rng.normal(size=2_000), rng.normal(1, 2, 3_000)
    result = quantile_sequence(control, treatment, q=0.5, alpha=0.1)
    c, t = (quantile_sequence(x, q=0.5, alpha=0.05, looks=[x.size]) for x in (control, treatment))
    assert result.low[0] == t.low[0] - c.high[0]
    assert result.high[0] == t.high[0] - c.low[0]
    swapped = quantile_sequence(treatment, control, q=0.5, alpha=0.1)
    assert (swapped.low[0], swapped.high[0]) == (-result.high[0], -result.low[0])


def test_every_look_is_that_of_its_values_alone():
    values = np.random.default_rng(4).exponential(size=400)
    result = quantile_sequence(values, q=0.3, tune_at=50)
    for n in (1, 2, 3, 57, 399, 400):
        alone = quantile_sequence(np.sort(values[:n]), q=0.3, tune_at=50, looks=[n])
        assert (result.low[n - 1], result.high[n - 1]) == (alone.low[0], alone.high[0])
        assert result.estimate[n - 1] == pytest.approx(np.quantile(values[:n], 0.3, method="median_unbiased"))


@pytest.mark.parametrize("alpha", [1e-6, 0.5, 0.999])
@pytest.mark.parametrize("side", SIDES)
def test_extremes(side, alpha):
    for q in (1e-9, 0.5, 1 - 1e-9):
        for values in ([0.0], [1.0] * 300, [1e300, -1e300, 5e-324]):
            result = quantile_sequence(values, q=q, alpha=alpha, alternative=side)
            assert np.all(result.low <= result.high)
            assert not np.any(np.isnan(result.log_evalue(0.0)))
            assert result.to_dict()["low"][0] is None or side != "less"


@pytest.mark.parametrize("side", SIDES)
def test_evidence_far_out_has_its_digits(side):
    ranks = Ranks.tuned(0.5, 0.05, side, 10_000)
    n = np.full(3, 100_000)
    log = ranks.log(np.array([0, 50_000, 100_000]), n)
    assert log[0] == pytest.approx(100_000 * math.log(2) + log[0] - 100_000 * math.log(2))
    assert np.all(np.isfinite(log))
    assert log[1] < math.log(20)
    assert {"two-sided": min(log[0], log[2]), "greater": log[0], "less": log[2]}[side] > 50_000
    assert {"two-sided": -1, "greater": log[2], "less": log[0]}[side] < 0


def test_histograms_hold_what_their_values_do():
    rng = np.random.default_rng(5)
    control, treatment = rng.lognormal(3, 1, 4_000) - 10, rng.lognormal(3.2, 1, 5_000) - 10
    for sequence, q in ((quantile_sequence, 0.2), (quantile_sequence, 0.9), (cdf_band_sequence, 0.5)):
        exact = sequence(control, treatment, q=q, looks=[(1_000, 2_000), (4_000, 5_000)])
        counted = sequence(_histograms(control, [1_000, 4_000]), _histograms(treatment, [2_000, 5_000]), q=q)
        assert np.all(counted.low <= exact.low)
        assert np.all(counted.high >= exact.high)
        np.testing.assert_allclose(counted.low, exact.low, atol=0.3)
        assert np.all(counted.log_evalue(5.0) <= exact.log_evalue(5.0) + 1e-12)
        np.testing.assert_allclose(counted.estimate, exact.estimate, atol=0.2)


def test_one_histogram():
    values = np.random.default_rng(6).normal(0, 5, 3_000)
    exact, counted = (
        quantile_sequence(values, q=0.5, looks=[3_000]),
        quantile_sequence(_histograms(values, [3_000]), q=0.5),
    )
    assert counted.low[0] <= exact.low[0] <= exact.high[0] <= counted.high[0]
    assert quantile_sequence(ab.Histogram.from_sample([0.0] * 300), q=0.5, tune_at=100).interval().high == 0.0


def test_a_quantile_is_seldom_left_out():
    """The median of ties and of none, always watched: the errors of 300 runs, at a level of 10%."""
    rng = np.random.default_rng(7)
    for draw, median in ((lambda: rng.normal(size=400), 0.0), (lambda: rng.integers(0, 3, 400).astype(float), 1.0)):
        lost = 0
        for _ in range(300):
            low, high = quantile_sequence(draw(), q=0.5, alpha=0.1, tune_at=100).running
            lost += not low[-1] <= median <= high[-1]
        assert lost <= 30 + 3 * math.sqrt(27)


def test_the_band_of_one_variant():
    values = np.random.default_rng(8).normal(size=2_000)
    band = cdf_band_sequence(values, looks=[100, 2_000])
    assert isinstance(band, CdfBand)
    share = band.at(0.5)
    np.testing.assert_allclose(share.estimate, [np.mean(values[:100] <= 0.5), np.mean(values <= 0.5)])
    np.testing.assert_allclose(share.high - share.estimate, band.radius)
    median = cdf_band_sequence(values, q=0.5, looks=[100, 2_000])
    ordered, r = np.sort(values), band.radius[1]
    assert median.low[1] == ordered[math.ceil(2_000 * (0.5 - r)) - 1]
    assert median.high[1] == ordered[math.floor(2_000 * (0.5 + r))]
    assert median.low[1] < quantile_sequence(values, q=0.5, looks=[2_000]).low[0]


def test_a_null_at_an_end_has_the_pvalue_alpha():
    rng = np.random.default_rng(9)
    control, treatment = rng.normal(size=3_000), rng.normal(0.3, 2, 4_000)
    share = cdf_band_sequence(control, looks=[3_000]).at(0.2)
    assert share.pvalue(share.low[0]) == pytest.approx(0.05)
    assert share.pvalue(share.high[0]) == pytest.approx(0.05)
    assert share.pvalue(share.estimate[0]) == 1
    for side in SIDES:
        apart = cdf_band_sequence(control, treatment, alternative=side, alpha=0.01)
        for end in (apart.low[0], apart.high[0]):
            if 0 < abs(end) < 1:
                assert apart.pvalue(end) == pytest.approx(0.01)
    for q in (0.2, 0.9):
        difference = cdf_band_sequence(control, treatment, q=q, alpha=0.1)
        assert difference.pvalue(difference.low[0] - 1e-9) <= 0.1 < difference.pvalue(difference.low[0] + 1e-9)
        assert difference.pvalue(difference.high[0] + 1e-9) <= 0.1 < difference.pvalue(difference.high[0] - 1e-9)


def test_the_evalue_of_a_band_is_calibrated():
    share = cdf_band_sequence(np.random.default_rng(10).normal(size=500)).at(0.0)
    np.testing.assert_allclose(share.log_evalue(0.9), -math.log(2) - share.log_pvalue(0.9) / 2)
    assert share.log_evalue(0.9)[-1] > 5


def test_two_distributions_of_one_mean_are_told_apart():
    rng = np.random.default_rng(11)
    control, treatment = rng.normal(0, 1, 5_000), rng.normal(0, 2, 5_000)
    apart = cdf_band_sequence(control, treatment, looks=[50, 5_000])
    assert apart.low[0] == 0 < apart.low[1]
    assert apart.estimate[1] == pytest.approx(_distance(control, treatment), abs=1e-12)
    assert apart.pvalue() < 0.05
    assert cdf_band_sequence(control, rng.normal(0, 1, 5_000)).low[0] == 0


def test_order_in_one_direction():
    rng = np.random.default_rng(12)
    control, slower = rng.exponential(1, 5_000), rng.exponential(1.3, 5_000)
    greater = cdf_band_sequence(control, slower, alternative="greater")
    less = cdf_band_sequence(slower, control, alternative="less")
    assert greater.low[0] > 0
    assert greater.high[0] == math.inf
    assert less.high[0] == -greater.low[0]
    assert cdf_band_sequence(slower, control, alternative="greater").low[0] < 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"data": []}, "`data` must hold at least 1 value"),
        ({"data": [1.0, math.nan]}, "`data` must be finite"),
        ({"data": ab.Counts(10, 3)}, "`data` must be values or Histogram"),
        ({"data": [1.0], "treatment": ab.Moments(3, 1.0, 1.0)}, "`treatment` must be values or Histogram"),
        ({"data": [1.0], "treatment": ab.Histogram.from_sample([1])}, "`data` must be a Histogram"),
        ({"data": ab.Histogram.from_sample([])}, "`data` must hold all that was seen"),
        ({"data": [ab.Histogram.from_sample([1, 2]), ab.Histogram.from_sample([1])]}, "`data` must hold all"),
        ({"data": ab.Histogram.from_sample([1]), "looks": [1]}, "`looks` must be left out"),
        ({"data": [1.0], "looks": [2]}, "`looks` must"),
        ({"data": [1.0], "treatment": [1.0], "looks": [(0, 1)]}, "`looks` must be at least 1"),
        ({"data": [1.0], "q": 1.0}, "`q` must be between 0 and 1"),
        ({"data": [1.0], "alpha": 1.0}, "`alpha` must be between 0 and 1"),
        ({"data": [1.0], "alternative": "up"}, "`alternative` must be one of"),
    ],
)
@pytest.mark.parametrize("sequence", [quantile_sequence, cdf_band_sequence])
def test_refusals(sequence, arguments, message):
    with pytest.raises((ValueError, TypeError), match=message):
        sequence(**{"q": 0.5, **arguments})


def test_a_band_of_one_variant_has_two_sides():
    with pytest.raises(ValueError, match="`alternative` must be"):
        cdf_band_sequence([1.0], alternative="greater")


def test_the_face():
    assert ab.confidence_sequence([1.0, 2.0], method="quantile", q=0.5).method == "quantile"
    assert ab.confidence_sequence([1.0, 2.0], [1.0], method="cdf-band").method == "cdf-band"
    with pytest.raises(ValueError, match="`bounds` must be left out"):
        ab.confidence_sequence([1.0, 2.0], method="quantile", q=0.5, bounds=(0, 1))


def _histograms(values, counts):
    return [ab.Histogram.from_sample(values[:n]) for n in counts]


def _arm(n):
    from abkit.sequential._ordered import Values

    return Values(np.arange(n, dtype=float), np.arange(1, n + 1))


def _distance(one, other):
    points = np.concatenate([one, other])
    shares = [np.searchsorted(np.sort(x), points, side="right") / x.size for x in (one, other)]
    return np.abs(shares[0] - shares[1]).max()


def test_a_band_is_printed_in_two_lines_and_written_as_plain_values():
    band = ab.confidence_sequence(np.arange(50.0), method="cdf-band")
    assert repr(band).startswith(
        "cdf-band, exact, level 0.95: 50 looks, the last at 50\nevery share of values is within"
    )
    assert json.loads(json.dumps(band.to_dict(), allow_nan=False))["n"][-1] == 50
    both = ab.confidence_sequence(np.arange(50.0), np.arange(40.0), method="cdf-band")
    assert repr(both).startswith("cdf-band, exact, level 0.95, two-sided: 1 look, the last at 90")
