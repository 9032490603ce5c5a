"""Estimates that were chosen for their size, and priors fitted to few experiments: bias and coverage.

Writes parts of docs/calibration-bayes.md.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from scipy.special import ndtri

from abkit.bayes import NormalPrior, after_selection, best_of_several, fit_effects, launched_total
from abkit.errors import AccuracyWarning
from tests.calibration.bayes_page import write_section

pytestmark = pytest.mark.calibration

RUNS = 1000
CUT = 1.959963984540054
#: Five standard errors of a coverage of 95% in so many runs.
ROOM = 5 * float(np.sqrt(0.95 * 0.05 / RUNS))


def selected(effect: float, rng: np.random.Generator) -> Any:
    """Estimates in standard errors, of those that are significant on either side."""
    draws = effect + rng.standard_normal(2_000_000 if effect < 1 else 200_000)
    return draws[np.abs(draws) > CUT][:RUNS]


def test_significant_estimates() -> None:
    rng = np.random.default_rng(11)
    rows = []
    for effect in (0.0, 1.0, 2.0, 3.0, 4.0):
        z = selected(effect, rng)
        found = [after_selection(float(value), 1.0) for value in z]
        ends = np.array([list(each.interval(0.95)) for each in found])
        covered = float(np.mean((ends[:, 0] <= effect) & (effect <= ends[:, 1])))
        naive = float(np.mean(np.abs(z - effect) <= CUT))
        above = float(np.mean([each.estimate > effect for each in found]))
        mle = float(np.mean([each.mle for each in found]))
        width = float(np.median(ends[:, 1] - ends[:, 0]) / (2 * CUT))
        assert abs(covered - 0.95) < ROOM
        assert abs(above - 0.5) < 5 * 0.5 / np.sqrt(RUNS)
        rows.append(
            f"| {effect:g} | {z.mean():.2f} | {mle:.2f} | {np.median(z):.2f} | "
            f"{np.median([each.estimate for each in found]):.2f} | {naive:.1%} | {covered:.1%} | {width:.2f} |"
        )
    write_section(
        "winner's curse, significant",
        "\n".join(
            [
                "## Estimates that are reported when significant",
                "",
                f"`after_selection`, of {RUNS:,} estimates each that were significant at 5%, two-sided, in standard",
                "errors. What is reported of small effects is far too large, and its interval seldom holds the effect;",
                "the corrected interval does in 95%, at the price of its width (a median, in widths of the usual one).",
                "",
                "| effect | mean | mean `mle` | median | median `estimate` | covers | corrected | width |",
                "|---|---|---|---|---|---|---|---|",
                *rows,
            ]
        ),
    )


def test_the_best_of_several() -> None:
    rng = np.random.default_rng(12)
    rows = []
    share = 0.5 * (np.eye(5) + np.ones((5, 5)))  # one control: the variances are 1
    for words, effects in {
        "all 0": np.zeros(5),
        "0, 0, 0, 0, 2": np.array([0, 0, 0, 0, 2.0]),
        "0, 1, 2, 3, 4": np.arange(5.0),
    }.items():
        draws = rng.multivariate_normal(effects, share, RUNS)
        truth = effects[draws.argmax(axis=1)]
        found = [best_of_several(row, share) for row in draws]
        ends = np.array([list(each.interval(0.95)) for each in found])
        covered = float(np.mean((ends[:, 0] <= truth) & (truth <= ends[:, 1])))
        top = draws.max(axis=1)
        above = float(np.mean([each.estimate for each in found] > truth))
        assert abs(covered - 0.95) < ROOM
        assert abs(above - 0.5) < 5 * 0.5 / np.sqrt(RUNS)
        rows.append(
            f"| {words} | {np.mean(top - truth):+.2f} | {np.mean(top > truth):.0%} | {above:.0%} | "
            f"{np.mean(np.abs(top - truth) <= CUT):.1%} | {covered:.1%} |"
        )
    write_section(
        "winner's curse, best of several",
        "\n".join(
            [
                "## The best of five variants against one control",
                "",
                f"`best_of_several`, {RUNS:,} runs each, in standard errors.",
                "",
                "| effects | bias of the largest | it is too large | `estimate` is too large | covers | corrected |",
                "|---|---|---|---|---|---|",
                *rows,
            ]
        ),
    )


def test_the_total_of_what_was_launched() -> None:
    rng = np.random.default_rng(13)
    rows = []
    for spread in (0.0, 0.5, 1.0, 2.0):
        sums = []
        for _ in range(300):
            effects = spread * rng.standard_normal(100)
            y = effects + rng.standard_normal(100)
            total = launched_total(y, np.ones(100))
            launched = list(total.launched)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", AccuracyWarning)
                history = fit_effects((y, np.ones(100)), kind="normal", mean=0.0)
            truth = effects[launched].sum()
            low, high = total.interval(0.95)
            means = history.effects.mean[launched].sum()
            sums.append((truth, total.naive, total.estimate, means, low <= truth <= high))
        truth, naive, corrected, means, covered = np.mean(sums, axis=0)
        assert abs(corrected - truth) < (0.3 if spread >= 1 else 1) * abs(naive - truth)
        assert abs(means - truth) < 0.3 * abs(naive - truth)
        rows.append(f"| {spread:g} | {truth:.2f} | {naive:.2f} | {corrected:.2f} | {means:.2f} | {covered:.0%} |")
    write_section(
        "winner's curse, total",
        "\n".join(
            [
                "## All that was launched",
                "",
                "100 experiments with effects from N(0, spread), those significant at 5% on the upper side launched;",
                "the mean over 300 runs of the sum of their effects, in standard errors of one experiment, and three",
                "estimates of it: the sum of the estimates, `launched_total`, and the sum of posterior means with the",
                "prior that `fit_effects` makes of the same 100 experiments. The last column is how often the interval",
                "of `launched_total` holds the sum of the effects. It takes off too much where effects are far smaller",
                "than their standard errors; posterior means do not.",
                "",
                "| spread | effects | estimates | `launched_total` | posterior means | covers |",
                "|---|---|---|---|---|---|",
                *rows,
            ]
        ),
    )


def test_priors_fitted_to_few_experiments() -> None:
    rng = np.random.default_rng(14)
    truth, runs = NormalPrior(sd=1.0), 1000
    rows = []
    for experiments in (5, 10, 30, 100):
        known: list[bool] = []
        for _ in range(runs):
            y = truth.sample(rng, experiments) + rng.standard_normal(experiments)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", AccuracyWarning)
                prior = fit_effects((y, np.ones(experiments)), kind="normal").prior
            effect = float(truth.sample(rng, 1)[0])
            low, high = prior.posterior(effect + rng.standard_normal(), 1.0).interval(0.95)
            known.append(low <= effect <= high)
        covered = float(np.mean(known))
        assert covered > {5: 0.8, 10: 0.87, 30: 0.91, 100: 0.92}[experiments]
        rows.append(f"| {experiments} | {covered:.1%} |")
    half = -float(ndtri(0.025)) * float(np.sqrt(0.95 * 0.05 / runs))
    write_section(
        "fitted priors",
        "\n".join(
            [
                "## Priors fitted to few experiments",
                "",
                "Effects are N(0, 1) and so are the errors of their estimates. A normal prior is fitted to so many",
                "past experiments by `fit_effects`, and used for the next one: how often its 95% interval holds the",
                f"effect, ±{half:.1%} ({runs:,} runs). The prior is used as if it were known, which costs coverage",
                "where experiments are few.",
                "",
                "| past experiments | covers |",
                "|---|---|",
                *rows,
            ]
        ),
    )
