"""Shrinkage of an estimate, and estimates that were chosen for their size."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import abkit as ab
from abkit import Counts, Moments
from abkit.bayes import (
    NormalPrior,
    after_selection,
    best_of_several,
    compare,
    fit_effects,
    launched_total,
    shrunk,
)
from abkit.bayes._launched import _spread

GOLDEN = Path(__file__).parents[1] / "golden" / "effect_history.json"
CASES = [c for c in json.loads(GOLDEN.read_text(encoding="utf-8"))["cases"] if c["kind"] == "selected"]
RESULT = ab.welch_test(Moments(10_000, 5.0, 40_000.0), Moments(10_000, 5.07, 40_000.0))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"z {case['z']}")
def test_the_truncated_normal_is_that_of_r(case: dict[str, float]) -> None:
    side = "two-sided" if case["two"] else "greater"
    effect = after_selection(0.1 * case["z"], 0.1, alpha=case["alpha"], alternative=side)  # type: ignore[arg-type]
    low, high = effect.interval(0.95)
    found = (effect.estimate, effect.mle, low, high)
    assert [10 * value for value in found] == pytest.approx(
        [case["estimate"], case["mle"], case["low"], case["high"]], rel=1e-9, abs=1e-10
    )


def test_sides_mirror() -> None:
    up = after_selection(0.03, 0.01, alternative="greater")
    down = after_selection(-0.03, 0.01, alternative="less")
    assert down.estimate == pytest.approx(-up.estimate, rel=1e-12)
    assert list(down.interval(0.9)) == pytest.approx([-end for end in up.interval(0.9)][::-1], rel=1e-12)


def test_far_from_the_threshold_nothing_changes_and_at_it_all_is_open() -> None:
    far = after_selection(1.0, 0.01)
    assert far.estimate == pytest.approx(1.0, rel=1e-12)
    assert far.mle == pytest.approx(1.0, rel=1e-12)
    assert list(far.interval(0.95)) == pytest.approx([1 - 0.01959963984540054, 1 + 0.01959963984540054], rel=1e-10)
    cut = 1.6448536269514722
    near = after_selection(cut + 1e-9, 1.0, alternative="greater")
    assert near.estimate == -math.inf
    assert near.interval(0.95).low == -math.inf
    close = after_selection(cut + 0.05, 1.0, alternative="greater")
    # far below the threshold the excess over it is exponential: its rate is the distance
    low = close.interval(0.95).low
    assert math.exp(-0.05 * (cut - low) - 0.05**2 / 2) == pytest.approx(0.025, rel=0.02)


def test_the_winner_of_several() -> None:
    # two independent estimates: the difference from the runner-up, truncated at it
    two = best_of_several([0.02, 0.03], [0.01, 0.01])
    assert two.chosen == ((0.02, math.inf),)
    shared = 1e-4 * np.array([[2, 1, 1], [1, 2, 1], [1, 1, 2]])
    effect = best_of_several([0.01, 0.02, 0.03], shared)
    # c = 1/2: Z / (1 - c) = 2 (0.02 - 0.015)
    assert effect.chosen[0][0] == pytest.approx(0.01, rel=1e-12)
    assert effect.estimate < 0.03
    apart = best_of_several([0.02, 0.5], [0.01, 0.01])
    assert apart.estimate == pytest.approx(0.5, rel=1e-12)
    noisy = np.array([[1e-4, 1.5e-4], [1.5e-4, 4e-4]])
    assert best_of_several([0.03, 0.02], noisy).chosen[0][1] == pytest.approx(0.05, rel=1e-12)


def test_the_bias_and_spread_of_the_total_are_the_integrals() -> None:
    from scipy.integrate import quad

    for t in (-5.0, -1.0, 0.0, 0.7, 3.0):

        def moment(power: int, t: float = t) -> float:
            def of(z: float) -> float:
                value = (z if z > t else 0.0) - math.exp(-((t - z) ** 2) / 2) / math.sqrt(2 * math.pi)
                return float(value**power * math.exp(-z * z / 2) / math.sqrt(2 * math.pi))

            return sum(quad(of, a, b, epsabs=1e-13, epsrel=1e-12)[0] for a, b in ((-12, t), (t, 12)))

        assert _spread(np.array([t]))[0] == pytest.approx(moment(2) - moment(1) ** 2, rel=1e-9, abs=1e-12)
    total = launched_total([1.0, 1.0], [0.01, 0.01])
    assert (total.estimate, total.bias) == pytest.approx((2.0, 0.0), abs=1e-12)
    assert total.stderr == pytest.approx(0.01 * math.sqrt(2), rel=1e-9)
    assert launched_total([], []).estimate == 0


def test_shrunk_takes_results_histories_and_numbers() -> None:
    prior = NormalPrior(sd=0.03)
    expected = prior.posterior(RESULT.estimate, RESULT.stderr).mean
    assert shrunk(RESULT, prior).mean == expected
    assert shrunk([0.1, 0.2], prior, stderr=0.1).mean.shape == (2,)
    pair = Counts(5000, 500), Counts(5000, 560)
    assert shrunk(compare(*pair), prior).mean == pytest.approx(shrunk(ab.proportion_test(*pair), prior).mean, rel=0.01)
    rng = np.random.default_rng(4)
    history = fit_effects(
        [ab.welch_test(Moments(50, 5.0, 50.0), Moments(50, 5 + x, 50.0)) for x in rng.normal(0, 1, 12)], kind="normal"
    )
    assert shrunk(RESULT, history).mean == history.prior.posterior(RESULT.estimate, RESULT.stderr).mean
    with pytest.raises(ValueError, match="on the scale of the effect"):
        shrunk(ab.exact_test(*pair), history)
    means = Moments(50, 5.0, 50.0), Moments(50, 5.4, 50.0)
    assert compare(*means, prior=history).estimate == compare(*means, prior=history.prior).estimate
    with pytest.raises(ValueError, match="on the scale of the effect, relative; got difference"):
        compare(*means, prior=history, scale="relative")
    with pytest.raises(ValueError, match="drawn together already"):
        shrunk(compare(*pair, prior=prior), prior)


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (
            lambda: after_selection(0.01, 0.01),
            ValueError,
            "must be significant at 0.05 to have been chosen for it; got z = 1",
        ),
        (lambda: after_selection(-0.05, 0.01, alternative="greater"), ValueError, "must be significant"),
        (lambda: after_selection(0.05), TypeError, "`stderr` must be given"),
        (lambda: after_selection(RESULT, 0.01), TypeError, "`stderr` must be left out"),
        (lambda: after_selection(0.05, 0.0), ValueError, "`stderr` must be greater than 0"),
        (lambda: after_selection(0.05, 0.01, alpha=1), ValueError, "`alpha` must be between 0 and 1"),
        (lambda: best_of_several([1.0], [1.0]), ValueError, "2 or more"),
        (lambda: best_of_several([1.0, 2.0], [1.0, 0.0]), ValueError, "variances greater than 0"),
        (lambda: best_of_several([1.0, 2.0], [1.0, 1.0, 1.0]), ValueError, "a row for each of 2"),
        (lambda: best_of_several([1.0, 2.0], [[1.0, 0.5], [0.4, 1.0]]), ValueError, "symmetric"),
        (lambda: launched_total([1.0], [1.0, 2.0]), ValueError, "one value for each of 1"),
        (lambda: launched_total([1.0], [0.0]), ValueError, "greater than 0"),
        (lambda: shrunk(RESULT, 0.3), TypeError, "`prior` must be a prior of effects or a history"),  # type: ignore[arg-type]
        (
            lambda: shrunk(ab.welch_test(Moments(9, 5.0, 0.0), Moments(9, 5.0, 0.0)), NormalPrior(sd=1)),
            ValueError,
            "must have an estimate with a standard error",
        ),
    ],
)
def test_what_cannot_be_corrected_is_refused(call: Any, error: type[Exception], sentence: str) -> None:
    with pytest.raises(error) as caught:
        call()
    assert sentence in str(caught.value)
