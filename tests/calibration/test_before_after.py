"""Blue-green and recreate under autocorrelation and a daily cycle; writes its part of docs/calibration-strategies.md.

A series with nothing but its own moves, or a guardrail exactly at its margin, is looked at after every bucket of a bake
of two hours. The estimate is linear in the series, so that one run serves both: what is counted is how often the bound
of a plan, at the level that its rule has for a metric, is ever crossed upwards (false rollback) and downwards (false
promote).
"""

from __future__ import annotations

import multiprocessing

import numpy as np
import pytest
from scipy.special import betaincinv, ndtri, stdtr

from abkit._check import Float64Array
from abkit.inference import interrupted_series
from abkit.sequential import AnytimeValid, _mixture
from abkit.strategies import BlueGreen, Recreate
from tests.calibration.strategies_page import write_section

RUNS, DAY, BEFORE, AFTER = 20_000, 288, 7 * 288, 24
CHUNKS = 40
METRICS = 2
#: Buckets that do not count, before and after the switch: what settles, and an outage with its warm-up.
LEFT_OUT = {"blue-green": (0, 1), "recreate": (4, 2)}
NOISE = {"independent": 0.0, "AR(1) 0.5": 0.5, "AR(1) 0.8": 0.8}
PRESETS = {"blue-green": BlueGreen().preset(), "recreate": Recreate().preset()}


def autocorrelated(rng: np.random.Generator, runs: int, n: int, phi: float) -> Float64Array:
    """Series of variance 1, one a row."""
    values = rng.normal(size=(n, runs))
    for t in range(1, n):
        values[t] = phi * values[t - 1] + np.sqrt(1 - phi * phi) * values[t]
    return np.ascontiguousarray(values.T)


def crossings(job: tuple[str, str, int]) -> tuple[int, int]:
    """Runs of one chunk in which the bound of rollback, and that of promotion, is ever crossed."""
    kind, noise, chunk = job
    monitor: AnytimeValid = PRESETS[kind]["monitor"]
    upwards, downwards = PRESETS[kind]["rule"].alpha_rollback / METRICS, monitor.alpha / 2
    gone_before, gone_after = LEFT_OUT[kind]
    n = BEFORE + gone_before + gone_after + AFTER
    switch = BEFORE + gone_before
    rng = np.random.default_rng([chunk, list(NOISE).index(noise), list(LEFT_OUT).index(kind)])
    cycle = 100 + 3 * np.sin(2 * np.pi * np.arange(n) / DAY)
    runs = RUNS // CHUNKS
    found = np.zeros(2, dtype=int)
    for series in cycle + autocorrelated(rng, runs, n, NOISE[noise]):
        series[switch - gone_before : switch + gone_after] = np.nan
        fit = interrupted_series(series, switch, season=DAY)
        z = fit.estimate / fit.stderr
        x = monitor.at(1) * fit.clock(monitor.tune_at)
        shares = np.maximum(*((maxima >= np.abs(z)).mean(axis=0) for maxima in fit.placebos))
        for i, (sign, tail) in enumerate(((1, upwards), (-1, downwards))):
            deviate = -ndtri(np.maximum(stdtr(fit.df, -sign * z), 1e-300))
            found[i] += bool(np.any((deviate > _mixture.multiplier(x, 2 * tail)) & (shares <= tail)))
    return int(found[0]), int(found[1])


def upper(events: int, runs: int) -> float:
    """Clopper and Pearson's one-sided upper bound at 99%."""
    return float(betaincinv(events + 1, runs - events, 0.99))


@pytest.mark.calibration
def test_a_bake_that_is_watched_keeps_its_error_rates() -> None:
    jobs = [(kind, noise, chunk) for kind in LEFT_OUT for noise in NOISE for chunk in range(CHUNKS)]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        found = dict(zip(jobs, pool.map(crossings, jobs, chunksize=4), strict=True))
    lines, missed = [HEAD], []
    for kind in LEFT_OUT:
        rollback, promote = PRESETS[kind]["rule"].alpha_rollback / METRICS, PRESETS[kind]["monitor"].alpha / 2
        for noise in NOISE:
            up, down = np.sum([found[kind, noise, chunk] for chunk in range(CHUNKS)], axis=0)
            cells = [
                f"{events / RUNS:.2%} (at most {upper(int(events), RUNS):.2%}; nominal {nominal:.1%})"
                for events, nominal in ((up, rollback), (down, promote))
            ]
            lines.append(f"| {kind} | {noise} | {cells[0]} | {cells[1]} |")
            missed += [
                (kind, noise, int(events))
                for events, nominal in ((up, rollback), (down, promote))
                if upper(int(events), RUNS) > nominal + 0.002
            ]
    write_section("before-after", "\n".join(lines))
    assert not missed


HEAD = f"""## Blue-green and recreate: a bake that is watched

{RUNS:,} series a line, with a daily cycle: {BEFORE:,} five-minute buckets before the switch and {AFTER} after it,
looked at after every one of them, under the presets of the strategies with {METRICS} guardrails. The series has nothing
but its own moves, and the guardrail is exactly at its margin; shown is how often a metric is ever shown to be beyond it
(false rollback, a metric's share) or within it (false promote), with a 99% upper bound. Promotions are counted by the
noise of the past alone; plans also ask that of the time since the switch, so that they promote less often.

| strategy | noise | false rollback | false promote |
|---|---|---|---|"""
