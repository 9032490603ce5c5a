"""Results say on a few lines what they are: no arrays, no functions."""

from __future__ import annotations

import numpy as np
import pytest

import abkit as ab

X = np.random.default_rng(0).exponential(3, 2000)


def test_a_sequence_is_its_last_look() -> None:
    sequence = ab.confidence_sequence(X, method="normal-mixture", variance=9.0)
    assert repr(sequence) == str(sequence)
    assert str(sequence).splitlines() == [
        "normal-mixture, exact, level 0.95, two-sided: 2,000 looks, the last at 2,000",
        "estimate 3.036, interval [2.812, 3.261]",
        "of all looks so far [2.855, 3.257]",
    ]


@pytest.mark.filterwarnings("ignore::abkit.AccuracyWarning")
def test_a_caution_is_printed() -> None:
    sequence = ab.confidence_sequence(ab.Moments(20, 0.0, 20.0), method="asymptotic")
    assert "\ncaution: " in str(sequence)
    band = ab.confidence_sequence(X[:10], X[:30], method="cdf-band")
    assert repr(band).startswith("cdf-band, exact, level 0.95, two-sided: 1 look, the last at 40\n")


def test_counts_and_shares_are_named() -> None:
    shares = {"stable": 95, "canary": 5}
    assert str(ab.count_sequence({"stable": [391, 585], "canary": [37, 59]}, shares)).splitlines() == [
        "events: stable 585, canary 59; equal rates: p = 0.00193 at any time",
        "canary: 1.916 times the rate of stable, [1.146, 2.956]",
    ]
    none = ab.count_sequence({"stable": [0], "canary": [0]}, shares)
    assert repr(none).endswith("canary: ? times the rate of stable, [0, inf]")
    mismatch = ab.srm_sequence({"stable": [95, 950], "canary": [5, 250]}, shares, alpha=0.01)
    assert str(mismatch).startswith("stable 950 (meant 0.95), canary 250 (meant 0.05)\na mismatch since look 2 of 2, ")
    assert repr(ab.srm_sequence([10, 10])).endswith("no mismatch at 1 looks, alpha 0.001: p = 1 at any time")


def test_what_stopped_an_experiment_is_said() -> None:
    design = ab.group_sequential_design(alpha=0.025, sides=1, looks=4, power=0.8, futility="ld-obrien-fleming")
    result = design.stopped([1.2, 3.2])
    assert repr(result) == str(result)
    assert str(result).splitlines() == [
        "look 2, z = 3.2: crossed the efficacy bound",
        "p = 0.000691, estimate 4.525 (naive 4.525), [1.752, 7.297] at level 0.95",
    ]
    assert "crossed the futility bound" in str(design.stopped([-1.5]))
    assert "crossed no bound" in str(design.stopped([1.0, 1.2]))
