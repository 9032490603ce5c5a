"""Logs of small policies whose truth is known, many at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtr

import abkit as ab
from abkit.adapters._adaptive_log import DecisionRows
from abkit.bandits._decided import adaptive_statistics
from abkit.decision import decide_report
from abkit.logs import Audit
from abkit.report import make_report

Array = npt.NDArray[Any]
ARMS = "abcdefgh"
PLAN = ab.Experiment(
    unit=ab.ROWS,
    variant="arm",
    control="a",
    metrics={"reward": ab.Mean("reward")},
    assignment="adaptive",
    propensity={"a": "p_a", "b": "p_b"},
    order="t",
)


def greedy(sums: Array, counts: Array, epsilon: float) -> Array:
    """Epsilon-greedy, ties shared; arms along the first axis, runs along the second."""
    means = np.where(counts > 0, sums / np.maximum(counts, 1), np.inf)
    best = means == means.max(axis=0)
    return epsilon / len(sums) + (1 - epsilon) * best / best.sum(axis=0)


def normal_thompson(sums: Array, counts: Array, floor: float) -> Array:
    """Thompson sampling of two normal means with a floor, its probabilities exact."""
    mean, deviation = sums / (counts + 1), 1 / np.sqrt(counts + 1)
    first = ndtr((mean[0] - mean[1]) / np.hypot(*deviation))
    return floor + (1 - 2 * floor) * np.stack([first, 1 - first])


def policy(kind: str, sums: Array, counts: Array) -> Array:
    return greedy(sums, counts, 0.2) if kind == "greedy" else normal_thompson(sums, counts, 0.05)


def played(
    kind: str, means: list[float], horizon: int, runs: int, rng: np.random.Generator, *, binary: bool = False
) -> tuple[Array, Array, Array]:
    """Arms and rewards of shape (horizon, runs), and propensities of shape (arms, horizon, runs)."""
    truth, k, lanes = np.array(means), len(means), np.arange(runs)
    sums, counts = np.zeros((k, runs)), np.zeros((k, runs))
    arms, rewards = np.zeros((horizon, runs), dtype=np.int64), np.zeros((horizon, runs))
    propensities = np.zeros((k, horizon, runs))
    for t in range(horizon):
        p = policy(kind, sums, counts)
        arm = np.minimum((rng.random(runs) > np.cumsum(p, axis=0)).sum(axis=0), k - 1)
        reward = (rng.random(runs) < truth[arm]).astype(float) if binary else rng.normal(truth[arm])
        sums[arm, lanes] += reward
        counts[arm, lanes] += 1
        arms[t], rewards[t], propensities[:, t] = arm, reward, p
    return arms, rewards, propensities


def table(kind: str, means: list[float], horizon: int, seed: int, *, binary: bool = False) -> pd.DataFrame:
    """The log of one run."""
    arms, rewards, propensities = played(kind, means, horizon, 1, np.random.default_rng(seed), binary=binary)
    names = np.array(list(ARMS))[arms[:, 0]]
    columns = {f"p_{ARMS[k]}": propensities[k, :, 0] for k in range(len(means))}
    chosen = propensities[arms[:, 0], np.arange(horizon), 0]
    more = {"t": np.arange(horizon), "arm": names, "reward": rewards[:, 0], "propensity": chosen}
    return pd.DataFrame(more | columns)


def plan_of(arms: int, **changes: Any) -> ab.Experiment:
    return replace(PLAN, **{"propensity": {ARMS[k]: f"p_{ARMS[k]}" for k in range(arms)}, **changes})


def decisions(
    plan: ab.Experiment, arms: Array, rewards: Array, propensities: Array, look: int | None = None
) -> list[ab.Decision]:
    """The decision on each run, without reading a table."""
    horizon, runs = arms.shape
    names = tuple(ARMS[: len(propensities)])
    found = []
    for run in range(runs):
        audit = Audit(rows=horizon, units=horizon)
        outcomes = {"reward": rewards[:, run]}
        rows = DecisionRows(names, arms[:, run], np.arange(horizon), propensities[:, :, run], outcomes, audit)
        statistics = adaptive_statistics(rows, plan.request(), {"reward": False})
        found.append(decide_report(make_report(plan, statistics, look)))
    return found


def rates(found: list[ab.Decision], arm: str = "b") -> dict[str, float]:
    verdicts = [decision.variants[arm] for decision in found]
    return {verdict: verdicts.count(verdict) / len(verdicts) for verdict in ("promote", "continue", "rollback")}
