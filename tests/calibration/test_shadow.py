"""How often a shadow's guardrails err where the truth is their margin; a part of docs/calibration-strategies.md."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
from scipy.special import betaincinv

from abkit.evidence import Effect
from abkit.inference._paired_effect import PairedScoreEffect
from abkit.inference._share_effect import ShareEffect
from abkit.sequential._pair_bets import STAKES, PairBetsEffect
from tests.calibration.strategies_page import write_section

RUNS, LOOKS, LEVEL = 20_000, 20, 0.025
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Truth:
    """Shares of pairs with an outcome on both sides, the control's, the treatment's and none; and the margin."""

    name: str
    shares: tuple[float, float, float]
    margin: float
    each: int
    only_more: bool = False

    @property
    def gap(self) -> float:
        return self.shares[2] - self.shares[1]


MARGIN, SAFE = "margin", "harmless"
TRUTHS = [
    Truth(f"answers differ: 1%, {MARGIN} 1%", (0, 0, 0.01), 0.01, 1000, only_more=True),
    Truth(f"answers differ: 0.1%, {MARGIN} 0.1%", (0, 0, 0.001), 0.001, 5000, only_more=True),
    Truth(f"errors 0.2% and 0.4% on others, {MARGIN} 0.2%", (0, 0.002, 0.004), 0.002, 2000),
    Truth(f"errors 0.2% and 0.4% mostly on the same, {MARGIN} 0.2%", (0.0018, 0.0002, 0.0022), 0.002, 2000),
    Truth(f"right 80% and 79%, {MARGIN} 1%", (0.10, 0.10, 0.11), 0.01, 1000),
    Truth(f"answers differ: 0.3%, {SAFE}", (0, 0, 0.003), 0.01, 1000, only_more=True),
    Truth(f"errors 0.2% on both, mostly on the same, {SAFE}", (0.0018, 0.0002, 0.0002), 0.002, 2000),
]


def counts(truth: Truth, rng: np.random.Generator) -> Ints:
    """Runs x looks x (both, control only, treatment only, neither), added up."""
    shares = [*truth.shares, 1 - sum(truth.shares)]
    return np.cumsum(rng.multinomial(truth.each, shares, size=(RUNS, LOOKS)), axis=1)


def pvalues(cells: Ints, make: Callable[[list[int]], Effect], margin: float) -> npt.NDArray[np.float64]:
    """Towards less and towards more; each different table is tested once."""
    plain = cells.copy()
    plain[:, 3] += plain[:, 0]  # which of the pairs that do not differ have the outcome does not matter
    plain[:, 0] = 0
    different, which = np.unique(plain, axis=0, return_inverse=True)
    effects = [make(row) for row in different.tolist()]
    found = np.array([[effect.pvalue(margin, side) for side in ("less", "greater")] for effect in effects])
    return np.asarray(found[which.ravel()])


def log_evalues(truth: Truth, cells: Ints, side: str) -> npt.NDArray[np.float64]:
    """As `PairBetsEffect` has them, for all tables of a look at once."""
    gaps = np.array([-1.0, 1.0, 0.0]) - truth.margin
    above = side == "greater"
    worst = (truth.margin if truth.only_more else 1 + truth.margin) if above else 1 - truth.margin
    with np.errstate(divide="ignore"):
        logs = np.log1p(np.maximum(np.multiply.outer(STAKES, gaps if above else -gaps) / worst, -1.0))
    tables = np.column_stack([cells[:, 1], cells[:, 2], cells[:, 0] + cells[:, 3]])
    games = np.maximum(logs, -1e300) @ tables.T.astype(np.float64)
    top = games.max(axis=0)
    found = top + np.log(np.exp(games - top).mean(axis=0))
    for row in range(0, len(cells), len(cells) // 4):
        effect = PairBetsEffect(*cells[row].tolist(), only_more=truth.only_more)
        assert found[row] == pytest.approx(effect.log_evalue(truth.margin, side), abs=1e-9)  # type: ignore[arg-type]
    return np.asarray(found)


def at_any_time(truth: Truth, cells: Ints) -> tuple[float, float]:
    """Whether a promotion, and a rollback, was ever shown."""
    shown = [
        np.array([log_evalues(truth, cells[:, look], side) > -np.log(LEVEL) for look in range(LOOKS)]).any(axis=0)
        for side in ("less", "greater")
    ]
    return float(shown[0].mean()), float(shown[1].mean())


def at_one_look(truth: Truth, cells: Ints) -> tuple[float, float]:
    def make(row: list[int]) -> Effect:
        return ShareEffect(row[2], row[2] + row[3]) if truth.only_more else PairedScoreEffect(*row)

    shown = (pvalues(cells[:, -1], make, truth.margin) < LEVEL).mean(axis=0)
    return float(shown[0]), float(shown[1])


def upper(rate: float) -> float:
    """Upper end of the one-sided 99% interval (Clopper-Pearson)."""
    events = round(rate * RUNS)
    return float(betaincinv(events + 1, RUNS - events, 0.99)) if events < RUNS else 1.0


@pytest.mark.calibration
def test_errors_of_a_shadow() -> None:
    lines = []
    for number, truth in enumerate(TRUTHS):
        cells = counts(truth, np.random.default_rng([11, number]))
        ever, once = at_any_time(truth, cells), at_one_look(truth, cells)
        pairs = f"{truth.each * LOOKS:,}"
        lines.append(f"| {truth.name} | {pairs} | " + " | ".join(f"{rate:.2%}" for rate in (*ever, *once)) + " |")
        at_margin = truth.gap >= truth.margin - 1e-12
        for rate in ever[0 if at_margin else 1 :]:
            assert upper(rate) <= LEVEL + 0.002, (truth.name, ever)
        if truth.only_more:
            for rate in once[0 if at_margin else 1 :]:
                assert upper(rate) <= LEVEL + 0.002, (truth.name, once)
    write_section("shadow", "\n".join([HEAD, *lines, "", TAIL]))


HEAD = f"""## Shadow: answers and errors

{RUNS:,} runs a line, {LOOKS} looks at equal distances; two-sided at alpha 0.05, so that each direction may
err in 2.5%. At the margin both directions are errors: a promotion, and a rollback. Where the release is harmless, a
promotion is right.

| truth | requests | ever promoted | ever rolled back | promoted at one look | rolled back at one look |
|---|---|---|---|---|---|"""
TAIL = """At any time answers and errors are held by bets on pairs, exactly. One look, the last: answers by the exact
binomial test, errors by Tango's score test, which is asymptotic and may exceed its level where few requests fail."""
