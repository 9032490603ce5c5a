"""What looking often costs: the sample for 80% power and the expected one, in units of the fixed test's sample."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from scipy.special import ndtri

from abkit._roots import bisect
from abkit.sequential import _mixture, group_sequential_design
from abkit.sequential._betting import Wager
from abkit.sequential._bounded import Bernstein
from abkit.sequential._canonical import log_crossings, walk
from tests.calibration import sequential_methods as methods
from tests.calibration.sequential_designs import ALPHA, NORMAL, Array, Data, bernoulli, streams

POWER = 0.8
#: The effect times the root of the information at which the fixed two-sided test has that power.
FIXED = float(ndtri(1 - ALPHA / 2) + ndtri(POWER))


def planned(critical: Sequence[float]) -> tuple[float, float]:
    """Largest and expected sample of a two-sided test with these critical values at equal distances: exact."""
    information = np.arange(1, len(critical) + 1) / len(critical)
    below = [-c for c in critical]
    looks = walk(information.tolist(), below, critical, (0.0, 2 * FIXED))

    def stops(drift: float) -> Array:
        return np.exp(log_crossings(looks, below, critical, drift)).sum(axis=0)

    drift = bisect(lambda size: float(POWER - stops(size).sum()), FIXED / 2, 2 * FIXED)
    inflation, at = (drift / FIXED) ** 2, stops(drift)
    return inflation, inflation * float(at @ information + (1 - at.sum()))


def sequence_at(looks: int, tuned_at: float = 1.0) -> list[float]:
    """Critical values of the normal mixture at equally distant looks, narrowest at a share of the last."""
    x = np.arange(1, looks + 1) / looks / _mixture.tuning(tuned_at, ALPHA, 2)
    return [float(c) for c in _mixture.multiplier(x, ALPHA)]


@dataclass(frozen=True)
class Cost:
    """A line of the table: samples for 80% power, and on average, in units of the fixed test's."""

    method: str
    looks: str
    data: str
    largest: float
    expected: float


def exact() -> Iterator[Cost]:
    """Plans with a number of looks: what a schedule costs, and what a sequence does that is only looked at then."""
    for looks in (5, 14, 100):
        for boundary in ("ld-obrien-fleming", "ld-pocock"):
            design = group_sequential_design(alpha=ALPHA, sides=2, looks=looks, boundary=boundary)
            yield Cost(f"group-sequential, {boundary}", f"{looks}", "any, exact", *planned(design.critical_values))
        for tuned, words in ((1.0, "at the largest sample"), (0.25, "at a quarter of it")):
            found = planned(sequence_at(looks, tuned))
            yield Cost(f"asymptotic, narrowest {words}", f"{looks}", "any, exact", *found)


UNITS, HORIZON, POWER_RUNS = 4_000, 24_000, 2_000
DIFFERENCE = FIXED * 2 / UNITS**0.5
#: One of a pair of proportions, the other so that the fixed test needs as many units.
BASE, RAISED = 0.1, 0.1 + 2 * FIXED * (0.1 * 0.9 / UNITS) ** 0.5


def at_every_unit() -> Iterator[Cost]:
    """Sequences that are looked at after every unit, at 50:50: simulated."""
    mean = {"tune_at": UNITS}
    shifted = replace(NORMAL, draw=lambda rng, shape: rng.standard_normal(shape) + DIFFERENCE)
    for method, ends in (
        ("normal-mixture, known variance", partial(methods.normal_mixture, **mean)),
        ("msprt_test, known variance, tau the true difference", partial(methods.msprt, tau=DIFFERENCE)),
        ("asymptotic, with its burn-in", lambda v, a: methods.guarded(v, a, data=NORMAL, **mean)["two-sided"]),
    ):
        yield _simulated(method, NORMAL, shifted, UNITS, ends)
    control, treatment = bernoulli(BASE, "Bernoulli 10%"), bernoulli(RAISED, "raised")
    spread = BASE * (1 - BASE), RAISED * (1 - RAISED)
    fixed = fixed_units(RAISED - BASE, spread, 0.5)
    for method, ends in (
        ("asymptotic, with its burn-in", lambda v, a: methods.guarded(v, a, data=control, **mean)["two-sided"]),
        ("beta-binomial, two variants", partial(methods.two_proportions_at_pooled, share=0.5, every=20, **mean)),
        ("conditional", partial(methods.conditional, share=0.5, tune_at=int(UNITS * BASE))),
        ("betting", partial(methods.bounded, capital=Wager, share=0.5)),
        ("empirical-bernstein", partial(methods.bounded, capital=Bernstein, share=0.5)),
    ):
        yield _simulated(method, control, treatment, fixed, ends)


def _simulated(method: str, control: Data, treatment: Data, fixed: float, ends: Callable[..., Array]) -> Cost:
    """From where streams end: that many units have the power that share of the streams has by then."""
    rng = np.random.default_rng([20260103, zlib.crc32(f"{method}, {control.name}".encode())])
    units = np.concatenate(
        [ends(*block) for block in streams(rng, control, 0.5, POWER_RUNS, HORIZON, treatment=treatment)]
    )
    largest = float(np.quantile(units, POWER, method="higher"))
    assert largest <= HORIZON
    return Cost(method, "every unit", control.name, largest / fixed, float(np.minimum(units, largest).mean()) / fixed)


def fixed_units(difference: float, variances: tuple[float, float], share: float) -> float:
    """Units of both variants that the fixed test of two means needs."""
    return (FIXED / difference) ** 2 * (variances[0] / (1 - share) + variances[1] / share)
