"""What every strategy decides on releases whose truth is known; writes a part of docs/calibration-strategies.md.

The plans and the releases are those of examples/strategies: a win that should be promoted, a release of which too
little is known (or that does nothing where success is asked), and a harm that should be rolled back.
"""

from __future__ import annotations

import importlib.util
import multiprocessing
import zlib
from collections import Counter
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import abkit as ab
from abkit.strategies import KINDS
from tests.calibration.strategies_page import write_section

EXAMPLES = Path(__file__).parents[2] / "examples" / "strategies"
#: A truth; a strategy has three.
RELEASES = 334
RIGHT = {"win": "promote", "undecided": "continue", "harm": "rollback"}
#: The opposite of what is right, which must be rare: three standard errors above half of alpha.
MOST_WRONG = 0.025 + 3 * (0.025 * 0.975 / RELEASES) ** 0.5


def example(kind: str) -> ModuleType:
    name = kind.replace("-", "_")
    spec = importlib.util.spec_from_file_location(f"release_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def verdicts(of: tuple[str, str]) -> Counter[str]:
    kind, truth = of
    module, plan = example(kind), ab.Experiment.from_file(EXAMPLES / f"{kind.replace('-', '_')}.yaml")
    rng = np.random.default_rng(zlib.crc32(f"{kind} {truth}".encode()))
    decisions = (ab.decide(plan, module.release(truth, rng)) for _ in range(RELEASES))
    return Counter("blocked" if decision.blocked else decision.verdict for decision in decisions)


@pytest.mark.calibration
def test_verdicts_of_every_strategy() -> None:
    jobs = [(kind, truth) for kind in KINDS for truth in RIGHT]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        found = dict(zip(jobs, pool.map(verdicts, jobs, chunksize=1), strict=True))
    lines = [line(kind, truth, found[kind, truth]) for kind, truth in jobs]
    write_section("verdicts", "\n".join([HEAD, *lines]))
    for (kind, truth), count in found.items():
        if truth != "undecided":
            wrong = "rollback" if truth == "win" else "promote"
            assert count[wrong] / RELEASES <= MOST_WRONG, (kind, truth, count)
        assert count[RIGHT[truth]] > RELEASES / 2, (kind, truth, count)


def line(kind: str, truth: str, count: Counter[str]) -> str:
    shares = {verdict: f"{count[verdict] / RELEASES:.1%}" for verdict in (*RIGHT.values(), "blocked")}
    marked = [f"**{share}**" if verdict == RIGHT[truth] else share for verdict, share in shares.items()]
    return f"| {kind} | {truth} | " + " | ".join(marked) + " |"


HEAD = f"""## What each strategy decides

{RELEASES * len(RIGHT):,} simulated releases a strategy, {RELEASES} a line, decided by `decide` on whole logs under the
plans of `examples/strategies`, at one look each. In bold what is right. A share of continue where promote or rollback
is right is power that the plan does not have; promote where rollback is right, and the other way round, is the error
that must be rare.

| strategy | truth | promote | continue | roll back | blocked |
|---|---|---|---|---|---|"""
