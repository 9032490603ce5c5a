"""Operating characteristics from the joint distribution: time, memory, and agreement with the exact recursion.

    python benchmarks/operating_characteristics.py [runs]

First a canary plan: 5% of the units treated, one success metric, four guardrails, 50 looks; two scenarios, and the
whole default table, some scenarios of which take fewer runs. Then one metric alone,
whose chance of stopping at each look, either way, a recursion gives to twelve digits. Last, what peeking does: 20 looks
at one success metric and three guardrails of a release that does not change the first, and changes the others by
nothing, or by as much as their margins just tolerate. Rolling it back is an error either way.
"""

import math
import resource
import sys
import time

import numpy as np

import abkit as ab
from abkit.simulate import Scenario
from abkit.simulate._canonical import simulate_canonical
from abkit.simulate._drift import Drift

RUNS, UNITS, SEED = 20_000, 200_000, 5
SECONDS, MEGABYTES, ERRORS = 10.0, 1000.0, 5.0
GUARDRAIL = {"role": "guardrail", "margin": 0.01}


def plan_of(monitor, guardrails, treated=0.5):
    """One success metric and some guardrails."""
    metrics = {"gain": ab.Mean("gain")}
    metrics |= {f"guardrail {i}": ab.Mean(f"g{i}", role="guardrail", margin=1.0) for i in range(guardrails)}
    allocation = {"control": 1 - treated, "treatment": treated}
    return ab.Experiment("user", "variant", "control", metrics, monitor, allocation)


def simulate(plan, looks, runs, size=3.24, **scenario):
    """Effects of 1 have this z at the last look; 3.24 is shown with power 0.9 by a test at one look."""
    drifts = {name: Drift(size, size if metric.margin else 0.0) for name, metric in plan.metrics.items()}
    at = UNITS * np.arange(1, looks + 1) / looks
    rng = np.random.default_rng(SEED)
    return simulate_canonical(plan, Scenario("benchmark", **scenario), looks=at, drifts=drifts, runs=runs, rng=rng)


def peak():
    """The most memory that this process has held, in megabytes; Linux counts in kilobytes, macOS in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def canary(runs):
    """Time of each scenario by the clock and of the processor."""
    print(f"canary plan, {runs:,} runs x 50 looks x 5 metrics; numpy and abkit alone hold {peak():.0f} MB")
    slowest = 0.0
    for name, monitor in (
        ("anytime-valid", ab.AnytimeValid(tune_at=UNITS)),
        ("group-sequential", ab.GroupSequential(looks=50, units=UNITS)),
        ("fixed, peeked at", ab.FixedHorizon()),
    ):
        for what, effects in (("no effect", {}), ("planned gain", {"gain": 1.0})):
            start = np.array([time.perf_counter(), time.process_time()])
            found = simulate(plan_of(monitor, 4, 0.05), 50, runs, effects=effects, correlation=0.3)
            clock, own = np.array([time.perf_counter(), time.process_time()]) - start
            shares = [np.mean(found.verdict == verdict) for verdict in (1, 0, -1)]
            print(
                f"  {name:17} {what:13} {clock:5.2f} s ({own:5.2f} s of the processor)   promote {shares[0]:6.2%}  "
                f"continue {shares[1]:6.2%}  roll back {shares[2]:6.2%}"
            )
            slowest = max(slowest, own)
    print(f"  memory, at most {peak():.0f} MB\n")
    return slowest


def whole_table(runs):
    """Time of all default scenarios, of means and proportions, by the clock and of the processor."""
    print(f"the whole default table of such plans; {SECONDS:.0f} s and {MEGABYTES:,.0f} MB are promised")
    metrics = {"gain": ab.Proportion("gain")} | {f"mean {i}": ab.Mean(f"m{i}", **GUARDRAIL) for i in range(2)}
    metrics |= {f"rate {i}": ab.Proportion(f"r{i}", **GUARDRAIL) for i in range(2)}
    slowest = 0.0
    for name, monitor in (
        ("anytime-valid", ab.AnytimeValid(tune_at=UNITS)),
        ("group-sequential", ab.GroupSequential(looks=50, units=UNITS)),
        ("fixed, peeked at", ab.FixedHorizon()),
    ):
        plan = ab.Experiment("user", "variant", "control", metrics, monitor, {"control": 0.95, "treatment": 0.05})
        looks = None if isinstance(monitor, ab.GroupSequential) else 50
        rng, start = np.random.default_rng(SEED), np.array([time.perf_counter(), time.process_time()])
        found = ab.simulate.operating_characteristics(plan, runs=runs, looks=looks, rng=rng)
        clock, own = np.array([time.perf_counter(), time.process_time()]) - start
        print(
            f"  {name:17} {len(found.rows)} scenarios {clock:5.2f} s ({own:5.2f} s of the processor), "
            f"at most {peak():.0f} MB"
        )
        slowest = max(slowest, own)
    print()
    return slowest


def agreement(runs):
    """The largest distance of a count from what the recursion says, in Monte-Carlo standard errors."""
    print(f"one metric, 50 looks, {runs:,} runs, beside the exact recursion")
    worst, looks = 0.0, 50
    at = UNITS * np.arange(1, looks + 1) / looks
    for name, monitor in (
        ("anytime-valid", ab.AnytimeValid(tune_at=UNITS)),
        ("group-sequential", ab.GroupSequential(looks=looks)),
        ("fixed, peeked at", ab.FixedHorizon()),
    ):
        planned = isinstance(monitor, ab.GroupSequential)
        design = monitor.design() if planned else monitor.design(at)
        for effect in (0.0, 1.0):
            found = simulate(plan_of(monitor, 0), looks, runs, effects={"gain": effect})
            stops = design.stopping(3.24 * effect / (1 if planned else math.sqrt(UNITS)))
            exact = np.stack([stops.up, stops.down])
            counted = np.stack(
                [np.bincount(found.look[found.verdict == way], minlength=looks + 1)[1:] for way in (1, -1)]
            )
            each = (np.abs(counted - runs * exact) / np.sqrt(runs * np.maximum(exact * (1 - exact), 1 / runs))).max()
            whole = abs(counted.sum() - runs * exact.sum()) / math.sqrt(runs * exact.sum() * (1 - exact.sum()))
            print(
                f"  {name:17} effect {effect:g}: any verdict {counted.sum() / runs:7.3%}, exactly {exact.sum():7.3%}; "
                f"{whole:.1f} standard errors off, at single looks {each:.1f} at most"
            )
            worst = max(worst, whole, each)
    print()
    return worst


def peeking(runs):
    """How often a harmless release is rolled back."""
    print("20 looks, one success metric, three guardrails: how often a harmless release is rolled back")
    print(f"  {'':34} {'no effect':>10} {'at margins':>11}")
    at_margins = {f"guardrail {i}": -1.0 for i in range(3)}
    kept = True
    for name, monitor in (
        ("fixed horizon", ab.FixedHorizon()),
        ("group-sequential", ab.GroupSequential(looks=20, units=UNITS)),
        ("anytime-valid", ab.AnytimeValid(tune_at=UNITS)),
    ):
        for correlation in (0.0, 0.5, 0.8):
            plan = plan_of(monitor, 3)
            found = [simulate(plan, 20, runs, effects=e, correlation=correlation) for e in ({}, at_margins)]
            shares = [float(np.mean(each.verdict == -1)) for each in found]
            print(f"  {name:17} correlation {correlation:.1f} {shares[0]:>12.1%} {shares[1]:>11.1%}")
            stated = 4 * plan.monitor.total / 2
            kept = kept and (name == "fixed horizon" or shares[1] < stated + 4 * math.sqrt(stated / runs))
    print("  the monitors' plans state at most 10.0%: half of alpha for each of four metrics")
    return kept


def main(runs: int = RUNS) -> None:
    """All three, and an error where a promise is broken."""
    seconds = max(canary(runs), whole_table(runs))
    errors = agreement(10 * runs)
    kept = peeking(runs)
    if seconds > SECONDS or peak() > MEGABYTES or errors > ERRORS or not kept:
        raise SystemExit("slower, larger or further off than promised")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
