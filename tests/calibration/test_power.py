"""How often planned tests reject, beside the power that was planned; writes docs/calibration-power.md."""

from __future__ import annotations

import functools
import zlib
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from tests.calibration import power_counts, power_means, power_others
from tests.calibration.power_designs import CHANCE, Case

pytestmark = pytest.mark.calibration

PAGE = Path(__file__).parents[2] / "docs" / "calibration-power.md"
RUNS = 20_000
CASES = [*power_counts.cases(), *power_means.cases(), *power_others.cases()]


def simulated(place: int) -> float:
    """The share of rejections; its seed is made of its names."""
    case = CASES[place]
    rng = np.random.default_rng([20260105, zlib.crc32(f"{case.method}, {case.setting}".encode())])
    return case.rejections(rng, RUNS) / RUNS


@functools.cache
def table() -> tuple[tuple[Case, float], ...]:
    with get_context("spawn").Pool(2) as pool:
        return tuple(zip(CASES, pool.map(simulated, range(len(CASES)), chunksize=1), strict=True))


def test_the_power_is_what_was_planned():
    wrong = [
        f"{case.method}, {case.setting}: {share:.4f}, planned {case.power:.4f}"
        for case, share in table()
        if abs(share - case.power) > case.bound(RUNS)
    ]
    assert not wrong, "\n".join(wrong)


def test_the_page_is_written():
    lines = ["| method | setting | planned | rejected | may differ by |", "|---|---|---|---|---|"]
    lines += [
        f"| {case.method} | {case.setting} | {case.power:.2%} | {share:.2%} | {case.bound(RUNS):.2%} |"
        for case, share in table()
    ]
    PAGE.write_text("\n".join([HEAD, *lines, ""]), encoding="utf-8")


HEAD = f"""# Calibration of planned power

How often the very test that was planned rejects, in {RUNS:,} simulated experiments of the planned size with the planned
effect, beside the power that `abkit.power` computed. Made by `make calibrate` with fixed seeds
(`tests/calibration/test_power.py`), which also holds every line to its bound: {CHANCE:g} standard errors of the
simulation, and where a plan is approximate, how far off it is known to be.
"""
