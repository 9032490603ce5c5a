"""Regret at the literature's problems, beside the lower bound; writes a part of docs/calibration-bandits.md."""

from __future__ import annotations

import functools
import re
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

import abkit as ab

pytestmark = pytest.mark.calibration

PAGE = Path(__file__).parents[2] / "docs" / "calibration-bandits.md"
START, END = "<!-- regret -->", "<!-- end of regret -->"
PROBLEMS = {
    "0.9, 0.8": [0.9, 0.8],
    "0.1, 3 x 0.05, 3 x 0.02, 3 x 0.01": [0.1, *[0.05] * 3, *[0.02] * 3, *[0.01] * 3],
}
TWO, TEN = PROBLEMS
POLICIES = ("UCB1", "KLUCB", "IMED", "Thompson")
SHORT, LONG = 10_000, 100_000
RUNS = 1000
#: Mean regret and its standard error at the short horizon by other programs: SMPyBandits 0.9.7 (klUCB); 120 runs of
#: River 0.26.1 (ThompsonSampling with proba.Beta, seeds 0 to 119).
OTHERS = {
    (TEN, "KLUCB"): (111.5, 1.6),
    (TWO, "Thompson"): (9.20, 0.69),
    (TEN, "Thompson"): (81.40, 2.53),
}

Row = tuple[str, str, int, float, float, float, float, float, float, float]


def course(problem: str, policy: str, horizon: int) -> list[Row]:
    """Regret, its error and band, and slope with its error, at the horizon and a tenth of it."""
    environment = ab.bandits.Bernoulli(PROBLEMS[problem])
    seed = np.random.default_rng([6, list(PROBLEMS).index(problem), POLICIES.index(policy)])
    times = np.unique(np.geomspace(100, horizon, 61).round().astype(int))
    found = ab.bandits.simulate(
        getattr(ab.bandits, policy)(), environment, horizon, RUNS, seed, checkpoints=[*times, horizon // 10]
    )
    rows = []
    for end in sorted({min(SHORT, horizon), horizon}):
        last = (found.times >= end // 10) & (found.times <= end)
        x = np.log(found.times[last])
        slopes = (x - x.mean()) @ found.regrets[last] / np.sum((x - x.mean()) ** 2)
        at, regret = int(np.searchsorted(found.times, end)), found.regret
        band = (regret.mean[at], regret.stderr[at], regret.low[at], regret.high[at])
        error = slopes.std(ddof=1) / RUNS**0.5
        rows.append((problem, policy, end, *map(float, (*band, slopes.mean(), error, environment.lai_robbins))))
    return rows


@functools.cache
def table(horizon: int = LONG) -> dict[tuple[str, str, int], Row]:
    cases = [(problem, policy, horizon) for problem in PROBLEMS for policy in POLICIES]
    with get_context("spawn").Pool(2) as pool:
        return {row[:3]: row for rows in pool.starmap(course, cases, chunksize=1) for row in rows}


def regret(problem: str, policy: str, horizon: int) -> tuple[float, float]:
    return table()[problem, policy, horizon][3:5]


def test_regret_is_that_of_other_programs():
    for (problem, policy), (mean, error) in OTHERS.items():
        ours, own = regret(problem, policy, SHORT)
        assert abs(ours - mean) < 3.5 * np.hypot(error, own), (problem, policy, ours)


def test_ucb1_is_within_its_theorem():
    """Auer, Cesa-Bianchi and Fischer 2002, theorem 1: what mean regret is at most, at any horizon."""
    for problem, means in PROBLEMS.items():
        gaps = max(means) - np.array(means)
        gaps = gaps[gaps > 0]
        for horizon in (SHORT, LONG):
            limit = 8 * np.sum(np.log(horizon) / gaps) + (1 + np.pi**2 / 3) * gaps.sum()
            assert regret(problem, "UCB1", horizon)[0] < limit


def test_the_order_of_the_literature():
    """Garivier and Cappe 2011, fig. 2; Kaufmann, Korda and Munos 2012, fig. 3; Honda and Takemura 2015, fig. 1."""
    for problem in PROBLEMS:
        for horizon in (SHORT, LONG):
            best = {policy: regret(problem, policy, horizon)[0] for policy in POLICIES}
            assert best["KLUCB"] < best["UCB1"] / 2
            assert best["IMED"] < 1.1 * best["KLUCB"]
            assert best["Thompson"] < 1.1 * best["KLUCB"]


def test_the_slope_is_near_the_lower_bound():
    for (problem, policy, horizon), row in table().items():
        slope, error, constant = row[7:10]
        if horizon == LONG and policy != "UCB1":
            assert 0.6 * constant - 3.5 * error < slope < 2 * constant + 3.5 * error, (problem, policy, slope)


def test_the_page_is_written():
    write(table())


def write(rows: dict[tuple[str, str, int], Row]) -> None:
    lines = [
        "| arms | policy | decisions | regret | standard error | 90% of runs | slope | Lai-Robbins | slope / bound |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for problem, policy, horizon, mean, error, low, high, slope, spread, constant in sorted(rows.values(), key=_order):
        lines.append(
            f"| {problem} | {policy} | {horizon:,} | {mean:.1f} | {error:.1f} | {low:.1f} to {high:.1f} "
            f"| {slope:.2f} +- {spread:.2f} | {constant:.2f} | {slope / constant:.2f} |"
        )
    part = "\n".join([START, HEAD, *lines, "", END])
    page = PAGE.read_text(encoding="utf-8") if PAGE.exists() else "# Calibration of bandits\n\n"
    pattern = re.compile(re.escape(START) + ".*?" + re.escape(END), re.DOTALL)
    page = pattern.sub(lambda _: part, page) if pattern.search(page) else f"{page.rstrip()}\n\n{part}\n"
    PAGE.write_text(page, encoding="utf-8")


def _order(row: Row) -> tuple[int, int, int]:
    return list(PROBLEMS).index(row[0]), row[2], POLICIES.index(row[1])


HEAD = f"""## Regret

Mean pseudo-regret of {RUNS:,} runs at two problems of the literature with rewards of 0 and 1
(`tests/calibration/test_regret.py`). The slope is how regret grows with ln t over the last tenfold of decisions, by
least squares; Lai and Robbins' constant is what no good policy's slope stays below in the end. It is a limit: at these
horizons regret itself lies below C ln t where arms are many and rates low, and the slope is still on its way, from
either side. UCB1 does not know that rewards are 0 or 1, and pays for it.
"""
