"""Verdicts on arms from the logs of policies whose truth is known; writes docs/calibration-bandit-decisions.md."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import abkit as ab
from tests.decision.policy_logs import PLAN, decisions, played, rates

pytestmark = pytest.mark.calibration

PAGE = Path(__file__).parents[2] / "docs" / "calibration-bandit-decisions.md"
DECISIONS, RUNS, FEWER, LOOKS = 1_500, 600, 300, 5
POLICIES = {"greedy": "epsilon-greedy, 0.2", "thompson": "Thompson, floor 0.05"}
WORLDS: dict[str, tuple[list[float], bool]] = {
    "no difference": ([0.0, 0.0], False),
    "no difference, rates of 0.2": ([0.2, 0.2], True),
    "no difference, rates of 0.02": ([0.02, 0.02], True),
    "better by 0.4": ([0.0, 0.4], False),
    "worse by 0.4": ([0.0, -0.4], False),
}
MONITORS = {
    "anytime-valid": ab.AnytimeValid(tune_at=DECISIONS),
    "group-sequential": ab.GroupSequential(looks=LOOKS, units=DECISIONS),
}
HEAD = f"""# Calibration of decisions from a bandit's log

Made by `make calibrate` with a fixed seed (`tests/calibration/test_bandit_decisions.py`): {DECISIONS:,} decisions
between two arms, whose outcomes are normal with a standard deviation of 1, or rates. The plan has one success metric at
alpha 0.05: where nothing differs, a promotion and a rollback should happen in at most 2.5% of the logs each.

One look, {RUNS} logs a line:

| policy | truth | promote | continue | rollback |
|---|---|---|---|---|
"""
PEEKING = f"""
{LOOKS} looks at equal distances, {FEWER} logs a line in which nothing differs; at any of the looks:

| policy | monitor | promote | rollback |
|---|---|---|---|
"""


def generator(*seed: str) -> np.random.Generator:
    return np.random.default_rng([ord(letter) for letter in "".join(seed)])


def most(rate: float, runs: int) -> float:
    """What a simulation of this true rate hardly ever exceeds."""
    return rate + 3 * math.sqrt(rate * (1 - rate) / runs)


def ever(plan: ab.Experiment, kind: str) -> dict[str, float]:
    """How often an arm is promoted, or dropped, at any look."""
    arms, rewards, propensities = played(kind, [0.0, 0.0], DECISIONS, FEWER, generator(kind))
    seen: list[set[Any]] = [set() for _ in range(FEWER)]
    for look in range(1, LOOKS + 1):
        n = look * DECISIONS // LOOKS
        found = decisions(plan, arms[:n], rewards[:n], propensities[:, :n], look=look)
        for verdicts, decision in zip(seen, found, strict=True):
            verdicts.add(decision.verdict)
    return {verdict: sum(verdict in verdicts for verdicts in seen) / FEWER for verdict in ("promote", "rollback")}


def test_verdicts_and_their_page() -> None:
    lines, peeked = [], []
    for kind, policy in POLICIES.items():
        for world, (means, binary) in WORLDS.items():
            log = played(kind, means, DECISIONS, RUNS, generator(kind, world), binary=binary)
            found = rates(decisions(PLAN, *log))
            shown = " | ".join(f"{found[verdict]:.1%}" for verdict in ("promote", "continue", "rollback"))
            lines.append(f"| {policy} | {world} | {shown} |")
            right = {"better by 0.4": "promote", "worse by 0.4": "rollback"}.get(world, "continue")
            wrong = {"promote", "rollback"} - {right}
            assert all(found[verdict] <= most(0.025, RUNS) for verdict in wrong), (kind, world, found)
            assert found[right] > 0.8, (kind, world, found)
        for name, monitor in MONITORS.items():
            found = ever(replace(PLAN, monitor=monitor), kind)
            peeked.append(f"| {policy} | {name} | {found['promote']:.1%} | {found['rollback']:.1%} |")
            assert max(found.values()) <= most(0.025, FEWER), (kind, name, found)
    PAGE.write_text(HEAD + "\n".join(lines) + "\n" + PEEKING + "\n".join(peeked) + "\n", encoding="utf-8")
