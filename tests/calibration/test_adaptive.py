"""Coverage of intervals from the logs of bandits, by simulation; writes a part of docs/calibration-bandits.md."""

from __future__ import annotations

import functools
import math
import re
from pathlib import Path

import numpy as np
import pytest
from scipy.special import betainc, betaln, stdtrit

import abkit as ab
from abkit.bandits._adaptive import estimates, moments_of, score, stable_weights

pytestmark = pytest.mark.calibration

PAGE = Path(__file__).parents[2] / "docs" / "calibration-bandits.md"
START, END = "<!-- adaptive -->", "<!-- end of adaptive -->"
RUNS, DECISIONS, BLOCK, BATCH = 10_000, 1_000, 500, 20
SEQUENCES, LOOKS = 300, np.unique(np.geomspace(10, DECISIONS, 30).astype(int))
POLICIES = {
    "epsilon-greedy, 0.1": (0.05, False),
    "epsilon-greedy, 0.2": (0.1, False),
    "Thompson, floor 0.05": (0.05, True),
    "Thompson, floor 0.1": (0.1, True),
    "Thompson, no floor": (0.0, True),
}
MEANS = [(0.5, 0.5), (0.3, 0.4), (0.1, 0.1)]
NODES, MASSES = np.polynomial.legendre.leggauss(48)


def probability_best(wins: np.ndarray, losses: np.ndarray) -> np.ndarray:
    """That the second of two arms with uniform priors is the better, by quadrature over seven standard deviations."""
    (a, c), (b, d) = 1 + wins, 1 + losses
    mean, spread = c / (c + d), np.sqrt(c * d / (c + d) ** 2 / (c + d + 1))
    low, high = np.clip(mean - 7 * spread, 0, 1), np.clip(mean + 7 * spread, 0, 1)
    x = low + (high - low) * (NODES[:, None] + 1) / 2
    density = np.exp((c - 1) * np.log(x) + (d - 1) * np.log1p(-x) - betaln(c, d))
    return np.clip(MASSES @ (density * betainc(a, b, x)) * (high - low) / 2, 0, 1)


def logs(policy: str, means: tuple[float, float], runs: int, rng: np.random.Generator):
    """Arms, rewards and the second arm's propensities, of shape (decisions, runs)."""
    floor, thompson = POLICIES[policy]
    pulls, wins = np.zeros((2, runs)), np.zeros((2, runs))
    arm, reward, propensity = (np.empty((DECISIONS, runs)) for _ in range(3))
    for t in range(DECISIONS):
        if thompson and t % BATCH == 0:
            share = floor + (1 - 2 * floor) * probability_best(wins, pulls - wins)
        elif not thompson:
            rate = wins / np.maximum(pulls, 1)
            share = floor + (1 - 2 * floor) * (np.sign(rate[1] - rate[0]) + 1) / 2
        chosen = rng.random(runs) < share
        won = rng.random(runs) < np.where(chosen, means[1], means[0])
        arm[t], reward[t], propensity[t] = chosen, won, share
        for k, mine in enumerate((~chosen, chosen)):
            pulls[k] += mine
            wins[k] += mine & won
    return arm, reward, propensity


def held(estimate, stderr, df, truth):
    """Which 90% and 95% intervals hold the truth."""
    off = np.abs(estimate - truth)
    finite = np.minimum(df, 1e6)
    return np.stack([off <= stdtrit(finite, (1 + level) / 2) * stderr for level in (0.9, 0.95)])


def block(policy: str, means: tuple[float, float], rng: np.random.Generator) -> dict[str, np.ndarray]:
    arm, reward, second = logs(policy, means, BLOCK, rng)
    propensity, chosen = np.stack([1 - second, second]), np.stack([arm == 0, arm == 1])
    pulls = chosen.sum(axis=1)
    rate = np.sum(chosen * reward, axis=1) / np.maximum(pulls, 1)
    variance = rate * (1 - rate) / np.maximum(pulls - 1, 1)
    difference = means[1] - means[0]
    found = {"naive": held(rate[1] - rate[0], np.sqrt(variance.sum(axis=0)), np.inf, difference)}
    found["bias"] = np.stack([rate[1] - rate[0] - difference] * 2)
    for name, weight in (("stable", stable_weights(propensity)), ("constant", np.sqrt(propensity))):
        moments = moments_of(score(chosen, reward, propensity, weight))
        values, covariance, df = estimates(moments)
        variance = covariance[:, 0, 0] + covariance[:, 1, 1] - 2 * covariance[:, 0, 1]
        found[name] = held(values[:, 1] - values[:, 0], np.sqrt(variance), df, difference)
        if name == "constant":
            own = estimates(moments, 0)
            found["value"] = held(own[0][:, 0], np.sqrt(own[1][:, 0, 0]), own[2], means[0])
            found["naive value"] = held(
                rate[0], np.sqrt(rate[0] * (1 - rate[0]) / np.maximum(pulls[0] - 1, 1)), np.inf, means[0]
            )
    return found


def ever_missed(policy: str, means: tuple[float, float], rng: np.random.Generator) -> float:
    """The share of sequences that at some look leave the difference out."""
    arm, reward, second = logs(policy, means, SEQUENCES, rng)
    missed = 0
    for run in range(SEQUENCES):
        chosen, share = arm[:, run].astype(int), second[:, run]
        log = {"arm": chosen, "reward": reward[:, run], "propensity": np.where(chosen == 1, share, 1 - share)}
        sequence = ab.bandits.adaptive_test(log, control=0, treatment=1, method="anytime", looks=LOOKS)
        low, high = sequence.running
        missed += not low[-1] <= means[1] - means[0] <= high[-1]
    return missed / SEQUENCES


@functools.cache
def table() -> dict[tuple[str, tuple[float, float]], dict[str, np.ndarray]]:
    found = {}
    for i, policy in enumerate(POLICIES):
        for j, means in enumerate(MEANS):
            rng = np.random.default_rng([i, j])
            blocks = [block(policy, means, rng) for _ in range(RUNS // BLOCK)]
            row = {name: np.mean([b[name].mean(axis=1) for b in blocks], axis=0) for name in blocks[0]}
            found[policy, means] = row | {"ever": np.array([ever_missed(policy, means, rng)] * 2)}
    return found


def error(level: float, runs: int = RUNS) -> float:
    return math.sqrt(level * (1 - level) / runs)


def test_intervals_are_nominal_where_arms_have_a_floor_and_naive_ones_are_not():
    for (policy, means), row in table().items():
        if means == (0.1, 0.1) or policy == "Thompson, no floor":
            continue
        for share, level in zip(row["stable"], (0.9, 0.95), strict=True):
            assert -3 * error(level) <= share - level <= 0.015, (policy, means, share)
    assert table()["Thompson, no floor", (0.5, 0.5)]["naive"][1] < 0.9


def test_sequences_hold_at_every_look_whatever_the_policy():
    for row in table().values():
        assert row["ever"][0] <= 0.05 + 3 * error(0.05, SEQUENCES)


def test_the_page_is_written():
    lines = [
        "| policy | means | naive | stable | constant | naive, first arm | its value | naive bias | sequences missed |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for (policy, means), row in table().items():
        names = ("naive", "stable", "constant", "naive value", "value")
        cells = " | ".join(f"{100 * row[name][1]:.1f}, {100 * row[name][0]:.1f}" for name in names)
        ever = 100 * row["ever"][0]
        lines.append(f"| {policy} | {means[0]}, {means[1]} | {cells} | {row['bias'][0]:+.4f} | {ever:.1f}% |")
    part = "\n".join([START, HEAD, *lines, "", END])
    page = PAGE.read_text(encoding="utf-8") if PAGE.exists() else "# Calibration of bandits\n\n"
    pattern = re.compile(re.escape(START) + ".*?" + re.escape(END), re.DOTALL)
    page = pattern.sub(lambda _: part, page) if pattern.search(page) else f"{page.rstrip()}\n\n{part}\n"
    PAGE.write_text(page, encoding="utf-8")


HEAD = f"""## Intervals after a bandit

How many of 100 intervals of level 95, and of level 90, hold the truth: {RUNS:,} logs of {DECISIONS:,} decisions with
rewards of 0 and 1 (`tests/calibration/test_adaptive.py`; standard errors {100 * error(0.95):.1f} and
{100 * error(0.9):.1f}). "naive" compares sample means as if units had been randomised; "stable" and "constant" are
weights of `adaptive_test`, of which "stable" is the default; "its value" is `arm_value` of the first arm. Thompson
learns every {BATCH} decisions. "naive bias" is that of the difference. The last column is of `method="anytime"`, at
most 5% by theory, with {len(LOOKS)} looks in {SEQUENCES} logs.

Where each arm keeps a floor and has some thirty rewards of either kind, intervals are nominal. At rates of 0.1 a
thousand decisions hold too few events of the arm that is tried less, and intervals fall short; where few rewards carry
most of the estimate a caution says so. Sequences hold.
"""
