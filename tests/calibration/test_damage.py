"""Damage by the thousand: what verdicts become when data break; writes a part of docs/calibration-strategies.md."""

from __future__ import annotations

import multiprocessing
import sys
from collections import Counter

import numpy as np
import pytest

import abkit as ab
from tests.calibration.strategies_page import write_section
from tests.contracts import damaged_logs, damaged_statistics
from tests.contracts.damage import RANK, Found, check_replies, decided, moved

#: Damaged statistics and damaged logs in all.
STATISTICS, LOGS = 100_000, 3_000
#: Damages of one undamaged case.
EACH = 8
BLOCKS = 40
Counts = Counter[tuple[str, str, str]]


def of_statistics(job: tuple[int, int]) -> Counts:
    """So many damaged statistics, from a seed."""
    cases, seed = job
    rng, names = np.random.default_rng([seed, 1]), [*damaged_statistics.DAMAGES]
    found: Counts = Counter()
    for first in range(0, cases, EACH):
        case = damaged_statistics.generated(rng)
        before = decided(case.plan, case.log, now=case.now)
        for i in range(first, min(first + EACH, cases)):
            name = names[i % len(names)]
            damaged = damaged_statistics.DAMAGES[name](case, rng)
            after = decided(damaged.plan, damaged.log, now=damaged.now)
            found["statistics", name, outcome(before, after)] += 1
    return found


def of_logs(job: tuple[int, int]) -> Counts:
    """So many damaged logs, of all strategies in turn."""
    cases, seed = job
    rng, kinds = np.random.default_rng([seed, 2]), [*damaged_logs.KINDS]
    found: Counts = Counter()
    while found.total() < cases:
        case = damaged_logs.generated(str(rng.choice(kinds)), rng)
        before = decided(case.plan, case.log, **case.more)
        for name in rng.permutation([*damaged_logs.DAMAGES])[:EACH]:
            damaged = damaged_logs.DAMAGES[str(name)](case, rng)
            if damaged is not None and found.total() < cases:
                after = decided(damaged.plan, damaged.log, **damaged.more)
                found["rows", str(name), outcome(before, after)] += 1
    return found


def outcome(before: Found, after: Found) -> str:
    """What became of a verdict; an AssertionError for a reply that is not as it must be."""
    check_replies(after)
    if moved(before, after):
        return "towards promote"
    if not isinstance(after, ab.Decision):
        return "refused"
    if after.blocked:
        return "blocked"
    if not isinstance(before, ab.Decision) or RANK[after.verdict] == RANK[before.verdict]:
        return "same"
    return "away from promote" if RANK[after.verdict] < RANK[before.verdict] else "no data, and said so"


def run(statistics: int, logs: int) -> Counts:
    """All of them, on two cores."""
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        rows = pool.map_async(of_logs, [(logs // BLOCKS, seed) for seed in range(BLOCKS)], chunksize=1)
        numbers = pool.map(of_statistics, [(statistics // BLOCKS, seed) for seed in range(BLOCKS)], chunksize=1)
        return sum([*numbers, *rows.get()], Counter())


OUTCOMES = ("refused", "blocked", "same", "away from promote", "no data, and said so", "towards promote")


def table(found: Counts) -> str:
    totals = {of: sum(n for key, n in found.items() if key[0] == of) for of in ("statistics", "rows")}
    lines = [
        f"""## What damage does to verdicts

{totals["statistics"]:,} damaged statistics, of plans with means, proportions, ratios and guardrails, at one look and at
any time, and {totals["rows"]:,} logs of the strategies in `examples/strategies` and of a table, each decided on
and given to every hook. No reply held what is no number, and none said more than its verdict. Refused is an error, no
verdict; blocked is one that a person must look at. Where the very metric that showed harm is gone, to continue is said
together with its having no data. Damage that nothing tells from good data is not in the table: all statistics twice, or
an outcome of another sign.

| of | damage | cases | {" | ".join(OUTCOMES)} |
|---|---|---|{"---|" * len(OUTCOMES)}"""
    ]
    for of, name in dict.fromkeys(sorted((key[0], key[1]) for key in found)):
        counts = [found[of, name, what] for what in OUTCOMES]
        lines.append(f"| {of} | {name} | {sum(counts):,} | " + " | ".join(f"{n:,}" for n in counts) + " |")
    return "\n".join(lines)


@pytest.mark.calibration
def test_no_damage_moves_a_verdict_towards_promote() -> None:
    found = run(STATISTICS, LOGS)
    write_section("damage", table(found))
    assert not {key: n for key, n in found.items() if key[2] == "towards promote"}


if __name__ == "__main__":
    counted = run(*map(int, sys.argv[1:]))
    write_section("damage", table(counted))
    print({key: n for key, n in counted.items() if key[2] == "towards promote"})
