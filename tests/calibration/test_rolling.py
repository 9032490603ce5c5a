"""Rolling updates: how often a harmless one is rolled back, and a useless one promoted, over all batches.

Runs are arrays: an order's statistic is a product of the scores of a run with what each order gives each instance. It
is the one of `update_order_effect`, as is checked here on some of the runs.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from abkit._check import Float64Array
from abkit._sets import binomial_interval
from abkit.designs._staggered import SPENT
from abkit.inference._resample import IntArray
from abkit.inference._update_order import ORDERS, _orders, count_orders, order_weights, update_order_effect
from tests.calibration.strategies_page import write_section

RUNS, ALPHA, BUCKETS, FIRST, APART, SETTLE, WATCH = 20_000, 0.05, 48, 10, 6, 1, 3
BLOCK = 1_000
#: Instances, and how many of them a batch updates.
FLEETS = {"24 instances, 4 a batch": (24, 4), "12 instances, 2 a batch": (12, 2), "6 instances, 1 a batch": (6, 1)}
NOISES = ("independent", "AR(1) 0.8, shocks for all", "random walks", "own trends", "heavy tails")


def noise(kind: str, rng: np.random.Generator, shape: tuple[int, int, int]) -> Float64Array:
    """Values without any effect, shape (runs, instances, buckets)."""
    values = rng.standard_t(2, size=shape) if kind == "heavy tails" else rng.normal(size=shape)
    if kind.startswith("AR(1)"):
        for t in range(1, shape[2]):
            values[:, :, t] = 0.8 * values[:, :, t - 1] + 0.6 * values[:, :, t]
        values += 3 * rng.normal(size=(shape[0], 1, shape[2]))
    if kind == "random walks":
        values = values.cumsum(axis=2)
    if kind == "own trends":
        values += 0.1 * rng.normal(size=(shape[0], shape[1], 1)) * np.arange(shape[2])
    return np.asarray(values)


def updates(instances: int, batch: int) -> IntArray:
    """When each is updated; noises are alike for all instances, so that any order is a random one."""
    return FIRST + APART * (np.arange(instances) // batch)


def tails(values: Float64Array, updated: IntArray) -> tuple[Float64Array, Float64Array, int]:
    """One-sided p-values of no effect upwards and downwards, of each run, and how many orders there are."""
    buckets = values.shape[2]
    times, cohort = np.unique(np.minimum(updated, buckets), return_inverse=True)
    sizes = np.bincount(cohort)
    weights = order_weights(times, sizes, buckets, SETTLE)
    orders, exact = _orders(tuple(int(size) for size in sizes))
    scores = values @ weights.T
    seen = np.take_along_axis(scores, cohort[None, :, None], axis=2).sum(axis=(1, 2))
    given = (orders[:, None, :] == np.arange(len(times))[None, :, None]).reshape(-1, orders.shape[1])
    drawn = scores.reshape(len(values), -1) @ given.astype(np.float64)
    drawn -= seen[:, None]
    slack = 1e-9 * np.abs(scores).max(axis=(1, 2))[:, None]
    above = np.count_nonzero(drawn >= -slack, axis=1) + (not exact)
    below = np.count_nonzero(drawn <= slack, axis=1) + (not exact)
    total = orders.shape[1] + (not exact)
    return above / total, below / total, count_orders(sizes)


def verdicts(values: Float64Array, updated: IntArray, batches: int) -> tuple[Float64Array, Float64Array]:
    """Of each run whether harm (a rise) was shown after any batch, and whether gain (a fall) was after the last."""
    harmed, share, spent = np.zeros(len(values), dtype=bool), 0.0, True
    gained = harmed
    for start in np.unique(updated):
        end = min(int(start) + SETTLE + WATCH, BUCKETS)
        above, below, orders = tails(values[:, :, :end], updated)
        share = 1 / batches + (0.0 if spent else share)
        spent = 1 / min(orders, ORDERS) <= ALPHA / 2 * share
        harmed |= 2 * above / share < ALPHA
        gained = 2 * below / SPENT < ALPHA
    return harmed, gained


def line(fleet: str, kind: str) -> str:
    """A line of the table, whose rates are held to what is stated."""
    instances, batch = FLEETS[fleet]
    rng, rollbacks, promotions = np.random.default_rng(7), 0, 0
    for _ in range(RUNS // BLOCK):
        values = noise(kind, rng, (BLOCK, instances, BUCKETS))
        harmed, gained = verdicts(values, updates(instances, batch), instances // batch)
        rollbacks += int(harmed.sum())
        promotions += int(gained.sum())
    ends = [binomial_interval(count, RUNS, 0.98).high for count in (rollbacks, promotions)]
    assert max(ends) <= ALPHA / 2 + 0.002, (fleet, kind, rollbacks, promotions)
    cells = (f"{count / RUNS:.2%} (to {end:.2%})" for count, end in zip((rollbacks, promotions), ends, strict=True))
    return f"| {fleet} | {kind} | {' | '.join(cells)} |"


def page(lines: list[str]) -> str:
    """The section of the page."""
    return "\n".join(
        [
            "## Rolling updates over all batches",
            "",
            f"{RUNS:,} harmless and useless updates each, of batches in a random order, asked after every one. For one",
            "metric the stated errors are 2.5% false rollbacks over all batches together, and 2.5% false promotions at",
            "the last. In brackets the upper end of the one-sided 99% interval.",
            "",
            "| instances | noise of an instance | false rollback | false promote |",
            "|---|---|---|---|",
            *lines,
        ]
    )


@pytest.mark.calibration
def test_errors_over_all_batches() -> None:
    write_section("rolling", page([line(fleet, kind) for fleet in FLEETS for kind in NOISES]))


def test_arrays_are_what_one_release_has() -> None:
    rng, updated = np.random.default_rng(1), updates(12, 2)
    values = noise("AR(1) 0.8, shocks for all", rng, (20, 12, BUCKETS))[:, :, :30]
    above, below, _ = tails(values, updated)
    exposed = (np.arange(30) >= updated[:, None]).astype(float)
    for run, single in enumerate(values):
        effect = update_order_effect(single, exposed, updated, SETTLE)
        assert math.isclose(effect.pvalue(0.0, "greater"), above[run], abs_tol=1e-12)
        assert math.isclose(effect.pvalue(0.0, "less"), below[run], abs_tol=1e-12)
