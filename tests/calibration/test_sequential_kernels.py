"""What the calibration of sequential methods asks of their kernels is what their public functions answer."""

from __future__ import annotations

import numpy as np
import pytest

import abkit as ab
from abkit.sequential import _guard
from abkit.sequential._betting import Wager
from abkit.sequential._bounded import Bernstein
from abkit.sequential._two_proportions import two_proportions_effect
from tests.calibration import sequential_methods as methods
from tests.calibration.sequential_designs import (
    ALPHA,
    LOGNORMAL,
    NORMAL,
    RARE_COUNTS,
    UNIFORM,
    ZEROS,
    bernoulli,
    burnt_in,
    cumulative,
    streams,
)

pytestmark = [pytest.mark.calibration, pytest.mark.filterwarnings("ignore::abkit.errors.AccuracyWarning")]
SHARE, N = 0.2, 1_500
COMMON = bernoulli(0.3, "Bernoulli 30%")


def drawn(data, shift=0.0):
    """A few streams; with a shift most are crossed at some look."""
    rng = np.random.default_rng(7)
    values, treated = next(iter(streams(rng, data, SHARE, 6, N)))
    return values + shift * treated, treated


def first_outside(sequence, null):
    """The first look that leaves out the null, by its interval; one more than there are where none does."""
    outside = (sequence.low > null) | (sequence.high < null)
    return int(sequence.n[np.argmax(outside)]) if outside.any() else N + 1


@pytest.mark.parametrize("shift", [0.0, 0.4])
def test_means_with_known_and_with_estimated_variance(shift):
    values, treated = drawn(NORMAL, shift)
    known = methods.normal_mixture(values, treated, tune_at=500)
    estimated = methods.unguarded(values, treated, NORMAL, tune_at=500)
    for i, (y, arm) in enumerate(zip(values, treated, strict=True)):
        options = {"tune_at": 500, "assigned": arm}
        sequence = ab.confidence_sequence(y, method="normal-mixture", variance=1.0, **options)
        assert known[i] == first_outside(sequence, 0)
        assert estimated[i] == first_outside(ab.confidence_sequence(y, method="asymptotic", **options), 0)


def test_msprt():
    values, treated = drawn(NORMAL, 0.4)
    ends = methods.msprt(values, treated, tau=0.2)
    for i, (y, arm) in enumerate(zip(values, treated, strict=True)):
        looks = np.column_stack([np.cumsum(~arm), np.cumsum(arm)])
        some = looks.min(axis=1) > 0
        sequence = ab.msprt_test(y[~arm], y[arm], tau=0.2, variance=1.0, looks=looks[some])
        assert ends[i] == first_outside(sequence, 0)


@pytest.mark.parametrize("data", [LOGNORMAL, ZEROS, COMMON])
def test_the_burn_in(data):
    values, treated = drawn(data)
    over = burnt_in(values, treated, data, cumulative)
    for i, units in np.ndindex(len(values), 3):
        n = (300, 900, N)[units]
        y, arm = values[i, :n], treated[i, :n]
        shapes, events = [], []
        for sample in (y[~arm], y[arm]):
            deviations = sample - sample.mean()
            shapes.append(_guard.Shape.of(len(sample), np.mean(deviations**2), np.mean(deviations**3)))
            events.append(np.count_nonzero(sample != data.common))
        smaller = int(np.argmin([shape.n for shape in shapes]))
        says = _guard.burn_in(n, shapes[smaller].n, events[smaller], float(_guard.skewness(*shapes)))
        assert over[i, n - 1] == (says is None)


@pytest.mark.parametrize(("name", "capital"), [("empirical-bernstein", Bernstein), ("betting", Wager)])
def test_bounded_values(name, capital):
    values, treated = drawn(UNIFORM, 0.5)
    values /= 1.5
    ends = methods.bounded(values, treated, capital, SHARE)
    for i, (y, arm) in enumerate(zip(values, treated, strict=True)):
        sequence = ab.confidence_sequence(y, method=name, bounds=(0.0, 1.0), assigned=arm.astype(int), share=SHARE)
        assert ends[i] == first_outside(sequence, 0)


def test_a_proportion_and_a_rate():
    """Against values that are not the truth, so that the streams are crossed."""
    values, _ = drawn(COMMON)
    proportion, rate = methods.beta_binomial(values, 0.2, 500), methods.gamma_poisson(values, 0.2, 50)
    for i, y in enumerate(values):
        counts = ab.Counts(np.arange(1, N + 1), np.cumsum(y).astype(int))
        sequence = ab.confidence_sequence(counts, method="beta-binomial", tune_at=500)
        assert proportion[i] == first_outside(sequence, 0.2)
        events = ab.Events(np.cumsum(y).astype(int), np.arange(1.0, N + 1))
        sequence = ab.confidence_sequence(events, method="gamma-poisson", tune_at=50)
        outside = np.flatnonzero((sequence.low > 0.2) | (sequence.high < 0.2))
        assert rate[i] == (outside[0] + 1 if outside.size else N + 1)


def test_two_proportions_are_bounded():
    """The evidence against equality never exceeds that against the true pair, here at the last look."""
    values, treated = drawn(COMMON)
    truth, n = 0.3, N
    for y, arm in zip(values, treated, strict=True):
        counts = int(y[~arm].sum()), int((~arm).sum()), int(y[arm].sum()), int(arm.sum())
        effect = two_proportions_effect(*counts, share=SHARE, tune_at=500)
        known = methods.log_evidence(np.array([[counts[0], counts[2], counts[1], counts[3]]]), truth, SHARE, 500)
        assert effect.log_evalue(0.0, "two-sided") <= known[0] + 1e-9
        at_best = (counts[0] + counts[2]) / n
        best = methods.log_evidence(np.array([[counts[0], counts[2], counts[1], counts[3]]]), at_best, SHARE, 500)
        assert effect.log_evalue(0.0, "two-sided") == pytest.approx(best[0], abs=0.05)


def test_events_and_assignments():
    values, treated = drawn(RARE_COUNTS)
    unequal = 0.4
    ends, mismatch = methods.conditional(values, treated, unequal, 30), methods.srm(values, treated, unequal)
    for i, (y, arm) in enumerate(zip(values, treated, strict=True)):
        counts = [(y * side).cumsum().astype(int) for side in (~arm, arm)]
        arms = [
            ab.Counts(np.maximum(total, np.cumsum(side)), total)
            for total, side in zip(counts, (~arm, arm), strict=True)
        ]
        sequence = ab.confidence_sequence(*arms, method="conditional", share=unequal, tune_at=30)
        outside = np.flatnonzero(sequence.log_evalue(0.0) >= -np.log(ALPHA))
        assert ends[i] == (outside[0] + 1 if outside.size else N + 1)
        daily = {"control": (~arm).astype(int), "treatment": arm.astype(int)}
        found = ab.srm_sequence(daily, {"control": 0.6, "treatment": 0.4}, alpha=ALPHA, cumulative=False).first_mismatch
        assert mismatch[i] == (N + 1 if found is None else found + 1)


def test_quantiles():
    """Against a quantile that is not the truth: of streams moved to the right."""
    values, treated = drawn(UNIFORM)
    moved = np.sqrt(values)
    ends = methods.quantile(moved, 0.6, 500)
    for i, y in enumerate(moved):
        assert ends[i] == first_outside(ab.confidence_sequence(y, method="quantile", q=0.6, tune_at=500), 0.6)
    both = methods.two_quantiles(np.where(treated, moved, values), treated, 0.5, 500)
    assert np.all(both <= N)


def test_a_distribution():
    values, _ = drawn(UNIFORM)
    moved = np.sqrt(values[:2, :300])
    ends = methods.cdf_band(moved)
    for i, y in enumerate(moved):
        band = ab.confidence_sequence(y, method="cdf-band")
        x = np.union1d(y, np.nextafter(y, 0))  # where it can be furthest: at a value and just before it
        apart = [np.max(np.abs(np.searchsorted(np.sort(y[:n]), x, side="right") / n - x)) for n in band.n]
        outside = np.flatnonzero(apart > band.radius)
        assert outside.size
        assert ends[i] == outside[0] + 1
