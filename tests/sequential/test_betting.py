"""The hedged capital and the ends of its sets, against the formula as it is printed and by plain bisection."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest

from abkit.sequential._betting import betting_sequence
from abkit.sequential._bounded import empirical_bernstein_sequence
from tests.golden.read import cases

RNG = np.random.default_rng(0)
SIZE = 6_000
LONG = {
    "beta": RNG.beta(2, 6, SIZE),
    "rare": (RNG.random(SIZE) < 0.01).astype(float),
    "even": (RNG.random(SIZE) < 0.5).astype(float),
    "constant": np.full(SIZE, 0.3),
    "zeros": np.zeros(SIZE),
    "narrow": 0.5 + 1e-3 * np.clip(RNG.standard_normal(SIZE), -5, 5),
    "turn": np.repeat([1.0, 0.0], SIZE // 2),
    "drift": np.linspace(0, 1, SIZE),
    "heavy": np.minimum(RNG.lognormal(0, 2, SIZE) / 1e4, 1),
}


@pytest.mark.parametrize("case", cases("bounded"), ids=lambda case: f"{len(case['values'])} values")
def test_the_formula_as_printed(case):
    result = betting_sequence(case["values"], alpha=case["alpha"])
    np.testing.assert_allclose(np.column_stack([result.low, result.high]), case["betting"], rtol=0, atol=1e-13)
    np.testing.assert_allclose(result.log_evalue(0.45), case["log_capital_at_0.45"], rtol=0, atol=1e-12)
    above = betting_sequence(case["values"], alpha=case["alpha"], alternative="greater")
    np.testing.assert_allclose(above.low, case["betting_greater"], rtol=0, atol=1e-13)


@pytest.mark.parametrize("alpha", [0.05, 0.5, 1e-6])
@pytest.mark.parametrize("name", LONG)
def test_every_end_by_plain_bisection(name, alpha):
    x = LONG[name]
    result = betting_sequence(x, alpha=alpha)
    for t in (1, 2, 17, 256, 257, 300, 384, 385, 999, 2_345, 5_999, 6_000):
        low, high = by_bisection(x[:t], alpha)
        assert result.low[t - 1] == pytest.approx(low, abs=1e-12)
        assert result.high[t - 1] == pytest.approx(high, abs=1e-12)


def by_bisection(x, alpha):
    t = np.arange(1, x.size + 1)
    squares = 0.25 + np.cumsum((x - (0.5 + np.cumsum(x)) / (t + 1)) ** 2)
    variance = np.append(0.25, squares[:-1] / (t[:-1] + 1))
    bet = np.sqrt(2 * math.log(2 / alpha) / (variance * t * np.log(t + 1)))

    def end(y):
        low, high = 0.0, 1.0
        if np.log1p(bet * y).sum() < math.log(2 / alpha):
            return 0.0
        for _ in range(55):
            m = (low + high) / 2
            won = math.fsum(np.log1p(np.minimum(bet, 0.5 / m) * (y - m)))
            low, high = (m, high) if won >= math.log(2 / alpha) else (low, m)
        return low

    return end(x), 1 - end(1 - x)


def test_the_running_answer_never_widens():
    low, high = betting_sequence(LONG["beta"]).running
    assert np.all(np.diff(low) >= 0)
    assert np.all(np.diff(high) <= 0)


def test_an_empty_set_is_returned_as_such():
    result = betting_sequence(LONG["turn"])
    low, high = result.running
    assert low[-1] > high[-1]
    assert result.interval().low > result.interval().high


def test_of_many_values_it_needs_little_memory():
    tracemalloc.start()
    result = betting_sequence(np.random.default_rng(1).beta(2, 6, 50_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert result.low[-1] < 0.25 < result.high[-1]
    assert peak < 100e6


def test_with_few_values_it_is_far_narrower_than_empirical_bernstein():
    for name in ("beta", "narrow"):
        bet, closed = betting_sequence(LONG[name], looks=[200]), empirical_bernstein_sequence(LONG[name], looks=[200])
        assert bet.high[0] - bet.low[0] < 0.8 * (closed.high[0] - closed.low[0])
