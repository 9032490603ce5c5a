"""How often a canary's plan errs over a whole ramp, looked at a hundred times; writes docs/calibration-strategies.md.

The plan is examples/strategies/canary.yaml. Both releases get worse from stage to stage, as the split changes.
Statistics are drawn in place of rows: binomial counts, normal means, and chi-square sums of squares.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import abkit as ab
from abkit._check import Float64Array
from abkit._sets import binomial_interval
from abkit.designs._stage_tests import share_of
from abkit.inference._by_stage import stage_weights
from abkit.sequential._dirichlet import jeffreys_at_best
from abkit.sequential._guard import FEWEST_UNITS
from abkit.sequential._stage_proportions import StageCounts, _Joint
from abkit.strategies import Canary
from tests.calibration.strategies_page import write_section

PLAN = ab.Experiment.from_file(Path(__file__).parents[2] / "examples" / "strategies" / "canary.yaml")
RUNS, LOOKS, REQUESTS, CHUNK = 20_000, 25, 480, 4_000
assert isinstance(PLAN.strategy, Canary)
SHARES = [share_of(PLAN.strategy, n) for n in range(1, 1 + len(PLAN.strategy.stages))]
ERRORS, LATENCY, CRASHES = (0.005, 0.008, 0.012, 0.016), (100.0, 110.0, 125.0, 140.0), (0.0005,) * 4
assert isinstance(PLAN.monitor, ab.AnytimeValid)
ALPHA, TUNE_AT = PLAN.monitor.alpha, PLAN.monitor.tune_at

Verdicts = dict[str, tuple[float, float]]


@pytest.mark.calibration
def test_a_ramp_with_a_hundred_looks() -> None:
    found: dict[str, Verdicts] = {}
    rng = np.random.default_rng(20_261_123)
    chunks = [simulate(rng, CHUNK) for _ in range(RUNS // CHUNK)]
    for name in chunks[0]:
        better, worse = np.mean([chunk[name] for chunk in chunks], axis=0)
        found[name] = better, worse
    write_section("canary ramp", "\n".join([HEAD, *(line(name, *rates) for name, rates in found.items())]))
    for name, rates in found.items():
        if not name.startswith("raw"):
            for rate in rates:
                assert bound(rate) <= ALPHA / 2 + 0.002, (name, rate)
    together = 1 - np.prod([1 - found[name][1] for name in found if not name.startswith("raw")])
    assert bound(float(together)) <= 3 * ALPHA / 2 + 0.002


def bound(rate: float) -> float:
    """Upper end of the one-sided 99% interval (Clopper-Pearson)."""
    return binomial_interval(round(rate * RUNS), RUNS, 0.98).high


def simulate(rng: np.random.Generator, runs: int) -> Verdicts:
    """Shares of runs in which a metric was ever called within its margin, and ever beyond it, being just there."""
    errors = counts(rng, runs, ERRORS, 0.01)
    crashes = counts(rng, runs, CRASHES, 0.0)
    staged, raw = latency(rng, runs)
    return {
        "`errors`, 1 point worse (its margin)": errors,
        "`latency`, 10% worse (its margin)": staged,
        "`crashes`, the same": crashes,
        "raw means over stages: `latency`, 10% worse": raw,
    }


def latency(rng: np.random.Generator, runs: int) -> tuple[tuple[float, float], tuple[float, float]]:
    """A mean with a relative margin of a tenth: by stages, and as if there were none."""
    n, sums, squares = (np.zeros((2, 4, runs)) for _ in range(3))
    ever = np.zeros((4, runs), dtype=bool)
    for stage, (share, level) in enumerate(zip(SHARES, LATENCY, strict=True)):
        for _ in range(LOOKS):
            treated = rng.binomial(REQUESTS, share, runs)
            for arm, new in enumerate((REQUESTS - treated, treated)):
                mean = level * (1.1 if arm else 1.0)
                around = rng.normal(0.0, 1.0, runs) * 0.5 * mean / np.sqrt(np.maximum(new, 1)) * (new > 0)
                within = (0.5 * mean) ** 2 * 2 * rng.standard_gamma(np.maximum(new - 1, 0) / 2)
                n[arm, stage] += new
                sums[arm, stage] += new * (mean + around)
                squares[arm, stage] += within + new * (mean + around) ** 2
            z, clock, waits = staged_deviate(n, sums, squares)
            beyond = np.where(waits, 0.0, z)
            ever[0] |= beyond < -critical(clock)
            ever[1] |= beyond > critical(clock)
            plain = deviate(n.sum(axis=1)[:, None], sums.sum(axis=1)[:, None], squares.sum(axis=1)[:, None])
            units = float(n.sum(axis=(0, 1))[0])
            ever[2] |= np.where(waits, 0.0, plain) < -critical(units)
            ever[3] |= np.where(waits, 0.0, plain) > critical(units)
    rates = ever.mean(axis=1)
    return (float(rates[0]), float(rates[1])), (float(rates[2]), float(rates[3]))


def critical(units: float) -> float:
    assert isinstance(PLAN.monitor, ab.AnytimeValid)
    return PLAN.monitor.multiplier(units)


def staged_deviate(
    n: Float64Array, sums: Float64Array, squares: Float64Array
) -> tuple[Float64Array, float, Float64Array]:
    """The statistic of the margin over the stages, the clock, and whether the burn-in is not over."""
    units = n.sum(axis=0).mean(axis=-1)
    clock = sum(u * s * (1 - s) for u, s in zip(units, SHARES, strict=True)) / (SHARES[0] * (1 - SHARES[0]))
    return deviate(n, sums, squares), round(clock), n.sum(axis=1).min(axis=0) < FEWEST_UNITS


def deviate(n: Float64Array, sums: Float64Array, squares: Float64Array) -> Float64Array:
    """T - 1.1 C over its standard error, with the stages' weights."""
    usable = n.min(axis=0) >= 2
    size = np.where(usable, n, 2.0)
    weights = np.where(usable, size[0] * size[1] / size.sum(axis=0), 0.0)
    weights /= np.maximum(weights.sum(axis=0), 1e-300)
    mean = sums / size
    variance = (squares / size - mean * mean) / (size - 1)
    gap = (weights * (mean[1] - 1.1 * mean[0])).sum(axis=0)
    spread = (weights**2 * (variance[1] + 1.21 * variance[0])).sum(axis=0)
    return np.asarray(gap / np.sqrt(np.where(spread > 0, spread, np.inf)))


def counts(rng: np.random.Generator, runs: int, rates: tuple[float, ...], null: float) -> tuple[float, float]:
    """The e-process at the true proportions; the plan's own test takes its least along the null, which is no more."""
    shares = [StageCounts(0, 1, 0, 1, share) for share in SHARES]
    joint = _Joint(tuple(shares), TUNE_AT, 2, "two-sided")
    odds = np.log1p(joint.factors)
    true = np.array([[rate, rate + null] for rate in rates])
    logs = np.tile(joint.start + joint.lean * true[0].sum(), (runs, 1))
    x, n = np.zeros((4, 2, runs)), np.zeros((4, 2, runs))
    ever = np.zeros((2, runs), dtype=bool)
    for stage, share in enumerate(SHARES):
        lost = np.log1p(true[stage][:, None] * joint.factors[stage])
        for _ in range(LOOKS):
            treated = rng.binomial(REQUESTS, share, runs)
            for arm, new in enumerate((REQUESTS - treated, treated)):
                hits = rng.binomial(new, true[stage, arm])
                x[stage, arm] += hits
                n[stage, arm] += new
                logs += np.outer(hits, odds[stage, arm]) - np.outer(new, lost[arm])
            log_e = np.logaddexp(logsumexp(logs), np.log(0.1) + marginal(x, n, true))
            size = np.maximum(n, 1)
            known = np.where(n.min(axis=1) > 0, n[:, 0] * n[:, 1] / size.sum(axis=1), 0.0)
            gap = (known * ((x / size)[:, 1] - (x / size)[:, 0] - null)).sum(axis=0)
            ever[0] |= (log_e >= -np.log(ALPHA)) & (gap < 0)
            ever[1] |= (log_e >= -np.log(ALPHA)) & (gap > 0)
    return float(ever[0].mean()), float(ever[1].mean())


def logsumexp(values: Float64Array) -> Float64Array:
    top = values.max(axis=1)
    return np.asarray(top + np.log(np.exp(values - top[:, None]).sum(axis=1)))


def marginal(x: Float64Array, n: Float64Array, true: Float64Array) -> Float64Array:
    """Log of Jeffreys' marginal likelihood over the likelihood at the true proportions."""
    best = jeffreys_at_best(np.stack([x, n - x], axis=-1)).sum(axis=(0, 1))
    share, p = x / np.maximum(n, 1), true[:, :, None]
    hits = np.where(x > 0, x * np.log(np.where(x > 0, share, 1.0) / p), 0.0)
    misses = np.where(n > x, (n - x) * np.log(np.where(n > x, 1 - share, 1.0) / (1 - p)), 0.0)
    return np.asarray(best + (hits + misses).sum(axis=(0, 1)))


def line(name: str, better: float, worse: float) -> str:
    return f"| {name} | {better:.2%} (up to {bound(better):.2%}) | {worse:.2%} (up to {bound(worse):.2%}) |"


def test_the_weights_are_those_of_the_analysis() -> None:
    n = np.array([[[99.0], [500.0], [0.0], [0.0]], [[10.0], [500.0], [0.0], [0.0]]])
    flat = deviate(n, n * 1.0, n * 2.0)
    w = stage_weights([99, 500], [10, 500])
    spread = sum(x * x * (1 / (t - 1) + 1.21 / (c - 1)) for x, c, t in zip(w, (99, 500), (10, 500), strict=True))
    assert flat[0] == pytest.approx(-0.1 / spread**0.5)


HEAD = f"""## A canary's ramp

{RUNS:,} ramps of the plan of `examples/strategies/canary.yaml`, 1, 5, 25 and 50%, with {LOOKS} looks in each stage of
{LOOKS * REQUESTS:,} requests, and errors and latency that rise from stage to stage for both releases. Each metric is
where it may just not be promoted, and just not be rolled back: how often it is at any of the {4 * LOOKS} looks called
within its margin (a false promote), or beyond it (a false rollback). The plan states {ALPHA / 2:.1%} for each, and its
three metrics together {3 * ALPHA / 2:.1%} of false rollbacks. Of proportions the evidence is taken at the true ones,
which is at least what the plan takes. In brackets the upper end of the one-sided 99% interval. The last line is what
stages are for.

| metric | called within its margin | called beyond it |
|---|---|---|"""
