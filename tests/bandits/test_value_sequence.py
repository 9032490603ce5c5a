"""Values at any time: the formulas by hand, and how often they are ever wrong."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from abkit.bandits import value_sequence
from abkit.errors import DataError


def drawn(n: int, seed: int) -> dict[str, Any]:
    """A logging policy that changes its mind at every row."""
    rng = np.random.default_rng(seed)
    first = np.where(rng.random(n) < 0.5, 0.9, 0.1)
    a = rng.random(n) < first
    reward = (rng.random(n) < np.where(a, 0.3, 0.6)).astype(float)
    chosen = np.where(a, first, 1 - first)
    return {"arm": np.where(a, "a", "b"), "reward": reward, "propensity": chosen, "pa": first, "pb": 1 - first}


def by_hand(phi: np.ndarray, k: float, alpha: float) -> float:
    """The lower end after all rows, one row at a time."""
    goal = math.log(1 / alpha)
    total = before = 0.0
    spread, variance = 0.25, 0.25
    won = price = bets = 0.0
    for t, value in enumerate(phi, 1):
        xi = value / (k + 1)
        past = min((0.5 / (k + 1) + before) / t, 1 / (k + 1))
        bet = min(0.5, math.sqrt(2 * goal / (variance * t * math.log(1 + t))))
        won += bet * xi
        price += (-math.log(1 - bet) - bet) * (xi - past) ** 2
        bets += bet / (k + 1)
        total += xi
        spread += (xi - (0.5 / (k + 1) + total) / (t + 1)) ** 2
        variance = spread / (t + 1)
        before = total
    return (won - goal - price) / bets


def test_both_ends_by_hand() -> None:
    log = drawn(400, 1)
    target = {"a": 0.25, "b": 0.75}
    found = value_sequence(log, target)
    w = np.where(log["arm"] == "a", 0.25, 0.75) / log["propensity"]
    assert found.low[-1] == pytest.approx(by_hand(w * log["reward"], 0, 0.025), rel=1e-12)
    assert found.high[-1] == pytest.approx(1 - by_hand(w * (1 - log["reward"]), 0, 0.025), rel=1e-12)
    one = value_sequence(log, target, alternative="greater", looks=[400])
    assert one.low[0] == pytest.approx(by_hand(w * log["reward"], 0, 0.05), rel=1e-12)
    assert one.high[0] == math.inf


def test_doubly_robust_by_hand() -> None:
    log = drawn(200, 2)
    share, propensities = np.array([0.25, 0.75]), np.column_stack([log["pa"], log["pb"]])
    place = (log["arm"] == "b").astype(int)
    scores = []
    sums, pulls = np.zeros(2), np.zeros(2)
    for i, r in enumerate(log["reward"]):
        weights = share / propensities[i]
        q = np.minimum((sums + 0.5) / (pulls + 1), 1.0 / weights)
        scores.append(weights[place[i]] * (r - q[place[i]]) + share @ q)
        sums[place[i]] += r
        pulls[place[i]] += 1
    assert min(scores) >= -1
    columns = {"a": "pa", "b": "pb"}
    found = value_sequence(log, {"a": 0.25, "b": 0.75}, method="dr", propensities=columns, looks=[200])
    assert found.low[0] == pytest.approx(by_hand(np.array(scores), 1.0, 0.025), rel=1e-12)
    assert found.estimate[0] == pytest.approx(np.mean(scores), rel=1e-12)


@pytest.mark.parametrize("method", ["ips", "dr"])
def test_seldom_ever_wrong(method: str) -> None:
    columns = {"a": "pa", "b": "pb"} if method == "dr" else None
    truth = 0.25 * 0.3 + 0.75 * 0.6
    wrong = 0
    for seed in range(40):
        found = value_sequence(drawn(500, seed), {"a": 0.25, "b": 0.75}, method=method, propensities=columns, alpha=0.2)
        wrong += bool(np.any((found.low > truth) | (found.high < truth)))
    assert wrong <= 14  # of 40 at 20%: P(more) < 1%


def test_bounds_scale_and_evidence_agrees_with_the_ends() -> None:
    log = drawn(800, 3)
    plain = value_sequence(log, "b", looks=[800])
    scaled = value_sequence({**log, "reward": 10 * log["reward"] - 5}, "b", bounds=(-5, 5), looks=[800])
    assert scaled.low[0] == pytest.approx(10 * plain.low[0] - 5)
    assert scaled.high[0] == pytest.approx(10 * plain.high[0] - 5)
    one = value_sequence(log, "b", looks=[800], alternative="greater")
    assert one.log_evalue(float(one.low[0]))[0] == pytest.approx(math.log(1 / 0.05))
    json.dumps(plain.to_dict(), allow_nan=False)


def test_the_order_column_sorts() -> None:
    log = drawn(300, 4)
    turned = {name: values[::-1] for name, values in log.items()} | {"t": np.arange(300)[::-1]}
    assert value_sequence(turned, "a", order="t").low.tolist() == value_sequence(log, "a").low.tolist()


BAD = [
    ({}, {"bounds": (0, 0.5)}, "declared bounds"),
    ({}, {"method": "dr"}, "`propensities`"),
    ({}, {"k": -1.0, "method": "dr", "propensities": {"a": "pa", "b": "pb"}}, "`k`"),
    ({}, {"method": "dr", "propensities": {"a": "pb", "b": "pa"}}, "they differ"),
    ({}, {"method": "dr", "propensities": {"a": "pa"}}, "lacks"),
    ({"propensity": np.zeros(50)}, {}, "above 0"),
    ({"propensity": np.ones(50)}, {}, "deterministic"),
    ({}, {"alpha": 0.0}, "`alpha`"),
    ({}, {"looks": [60]}, "`looks`"),
    ({}, {"target": {"c": 1.0}}, "no row"),
]


@pytest.mark.parametrize("place", range(len(BAD)))
def test_what_cannot_be_is_refused(place: int) -> None:
    columns, options, words = BAD[place]
    options = dict(options)
    target = options.pop("target", {"a": 0.5, "b": 0.5})
    with pytest.raises((ValueError, DataError), match=words):
        value_sequence({**drawn(50, 5), **columns}, target, **options)
