"""Bets on pairs: a fair game by enumeration, sets that invert it, and an error that holds at any time."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import abkit as ab
from abkit._sets import NoInterval
from abkit.sequential._pair_bets import STAKES, PairBetsEffect
from abkit.types import Relative

COUNTS = st.integers(0, 60)
CELLS = st.tuples(COUNTS, COUNTS, COUNTS, COUNTS).filter(lambda cells: sum(cells) > 0)


def effect(cells: tuple[int, int, int, int]) -> PairBetsEffect:
    return PairBetsEffect(*cells)


@pytest.mark.parametrize("shares", [(0.1, 0.2, 0.3, 0.4), (0.0, 0.01, 0.03, 0.96), (0.3, 0.0, 0.0, 0.7)])
@pytest.mark.parametrize("side", ["greater", "less"])
@pytest.mark.parametrize("ratio", [False, True])
def test_the_game_is_fair(shares: tuple[float, ...], side: str, ratio: bool) -> None:
    """Over all sequences of four pairs, a capital of 1 stays 1 on average where the null is the truth."""
    both, control, treatment, _ = shares
    null = Relative((treatment - control) / (both + control)) if ratio else treatment - control
    total = 0.0
    for outcomes in product(range(4), repeat=4):
        cells = np.bincount(outcomes, minlength=4)
        chance = math.prod(shares[outcome] for outcome in outcomes)
        if chance:
            total += chance * math.exp(effect(tuple(cells)).log_evalue(null, side))
    assert total == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("side", ["greater", "less"])
def test_the_game_on_a_share_is_fair(side: str) -> None:
    share = 0.03
    games = ((k, math.comb(30, k) * share**k * (1 - share) ** (30 - k)) for k in range(31))
    total = sum(p * math.exp(PairBetsEffect(0, 0, k, 30 - k, only_more=True).log_evalue(share, side)) for k, p in games)
    assert total == pytest.approx(1.0, abs=1e-12)


def test_the_capital_is_the_mean_over_the_stakes() -> None:
    """By loops over the pairs and the stakes."""
    cells, null = (3, 2, 7, 40), 0.01
    for side in ("greater", "less"):
        games = []
        for stake in STAKES:
            bet = stake / (1 + null) if side == "greater" else -stake / (1 - null)
            values = [0.0] * 3 + [-1.0] * 2 + [1.0] * 7 + [0.0] * 40
            games.append(math.prod(1 + bet * (value - null) for value in values))
        assert effect(cells).log_evalue(null, side) == pytest.approx(math.log(np.mean(games)), rel=1e-12)


@given(CELLS, st.floats(-0.95, 0.95), st.sampled_from([0.5, 0.95, 1 - 1e-9]), st.booleans())
@settings(max_examples=60, deadline=None)
def test_sets_and_p_values_agree(cells: tuple[int, int, int, int], null: float, level: float, ratio: bool) -> None:
    found = effect(cells)
    at = Relative(null) if ratio else null
    held = found.relative(level, "two-sided", None) if ratio else found.interval(level, "two-sided")
    pvalue = found.pvalue(at, "two-sided")
    if abs(pvalue / (1 - level) - 1) > 1e-6:
        assert held.contains(null) == (pvalue > 1 - level)


@given(CELLS, st.floats(-0.9, 0.9))
@settings(max_examples=60, deadline=None)
def test_swapped_sides_answer_the_other_way(cells: tuple[int, int, int, int], null: float) -> None:
    found = effect(cells)
    assert found.swapped.estimate == -found.estimate
    for side, other in (("greater", "less"), ("less", "greater"), ("two-sided", "two-sided")):
        assert found.pvalue(null, side) == pytest.approx(found.swapped.pvalue(-null, other), rel=1e-9)


@given(CELLS)
@settings(max_examples=40, deadline=None)
def test_evidence_only_rises_away_from_the_estimate(cells: tuple[int, int, int, int]) -> None:
    found = effect(cells)
    for side in ("greater", "less"):
        levels = [found.log_evalue(null, side) for null in np.linspace(-0.99, 0.99, 67)]
        steps = np.diff(levels) * (-1 if side == "greater" else 1)
        assert np.all(steps >= -1e-9)


def test_ends_of_the_line() -> None:
    share = PairBetsEffect(0, 0, 0, 5000, only_more=True)
    assert share.interval(0.95, "two-sided").low == 0.0
    assert 0 < share.interval(0.95, "two-sided").high < 0.0015
    assert share.pvalue(0.0, "greater") == 1.0
    one = PairBetsEffect(0, 0, 1, 5000, only_more=True)
    assert one.pvalue(0.0, "greater") == 0.0  # a share of zero has no answer that differs
    assert isinstance(one.relative(0.95, "two-sided", None), NoInterval)
    everything = PairBetsEffect(0, 0, 400, 0)
    assert everything.interval(0.95, "two-sided").high == 1.0
    assert everything.relative(0.95, "two-sided", None).high == math.inf
    assert effect((1, 0, 0, 0)).pvalue(0.5, "two-sided") <= 1.0
    for n in (10**6, 10**9):
        found = effect((n // 100, n // 1000, n // 900, n - n // 100 - n // 1000 - n // 900))
        low, high = found.interval(0.95, "two-sided").low, found.interval(0.95, "two-sided").high  # type: ignore[union-attr]
        assert low < found.estimate < high


def test_no_pair_differs_and_yet_much_is_known() -> None:
    """No errors are data: 5,000 pairs without any bound the difference from both sides."""
    held = effect((0, 0, 0, 5000)).interval(0.95, "two-sided")
    assert held.low == -held.high  # type: ignore[union-attr]
    assert held.high < 0.0015  # type: ignore[union-attr]


@pytest.mark.parametrize("rate", [0.002, 0.2])
def test_a_difference_at_the_margin_is_hardly_ever_passed_over(rate: float) -> None:
    """At twenty looks; the whole simulation is among the calibrations."""
    rng, margin, runs = np.random.default_rng(6), 0.004, 200
    shares = [rate / 2, rate / 2, rate / 2 + margin, 1 - 1.5 * rate - margin]
    cells = np.cumsum(rng.multinomial(500, shares, size=(runs, 20)), axis=1)
    passed = sum(any(effect(tuple(c)).pvalue(margin, "less") < 0.025 for c in run.tolist()) for run in cells)
    assert passed <= 14  # P(more | 2.5%) < 0.1%


def test_it_is_what_a_plan_asks() -> None:
    assert ab.PairedProportion("x").sample(*[moments()] * 2).anytime == PairBetsEffect(2, 1, 3, 94)


def moments() -> ab.CoMoments:
    values = np.repeat([[1.0, 1.0], [1.0, 0.0], [0.0, 1.0], [0.0, 0.0]], [2, 1, 3, 94], axis=0)
    return ab.CoMoments.from_sample(values, ["c", "t"])
