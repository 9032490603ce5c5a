"""Simulation-based calibration of the conjugate models (Talts et al. 2018): truth from the prior, data from the truth.

If a posterior is right, the truth's place in it is uniform, and so is that of the effect in the posterior of the
effect. All simulations of a model are one call of `compare`. Writes a part of docs/calibration-bayes.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from scipy import stats

from abkit import Counts, Events, Moments
from abkit._check import Float64Array
from abkit.bayes import (
    BetaPrior,
    GammaPrior,
    MeanPrior,
    MixturePrior,
    NormalInverseGammaPrior,
    NormalPrior,
    StudentPrior,
    compare,
)
from tests.calibration.bayes_page import write_section

pytestmark = pytest.mark.calibration
SIMULATIONS, BINS, ALPHA = 10_000, 50, 0.01


@dataclass(frozen=True)
class Simulated:
    """The true values of control and treatment, shape (2, simulations), and what is seen of each."""

    truth: Float64Array
    control: Any
    treatment: Any


def shares(rng: np.random.Generator, prior: BetaPrior) -> Simulated:
    truth, n = rng.beta(prior.a, prior.b, (2, SIMULATIONS)), np.array([[40], [100]])
    seen = rng.binomial(n, truth)
    return Simulated(truth, *(Counts(np.full(SIMULATIONS, k[0]), y) for k, y in zip(n, seen, strict=True)))


def rates(rng: np.random.Generator, prior: GammaPrior) -> Simulated:
    truth, exposure = rng.gamma(prior.shape, 1 / prior.rate, (2, SIMULATIONS)), np.array([[30.0], [70.0]])
    seen = rng.poisson(truth * exposure)
    return Simulated(truth, *(Events(y, np.full(SIMULATIONS, e[0])) for e, y in zip(exposure, seen, strict=True)))


def observed(rng: np.random.Generator, truth: Float64Array, sd: Any, sizes: tuple[int, int]) -> Simulated:
    """Means and sums of squares of normal units."""
    sds = np.broadcast_to(sd, truth.shape)
    seen = [
        Moments(np.full(SIMULATIONS, n), rng.normal(mean, s / np.sqrt(n)), s**2 * rng.chisquare(n - 1, SIMULATIONS))
        for n, mean, s in zip(sizes, truth, sds, strict=True)
    ]
    return Simulated(truth, *seen)


def means(rng: np.random.Generator, prior: NormalInverseGammaPrior) -> Simulated:
    variance = prior.scale / rng.gamma(prior.shape, size=(2, SIMULATIONS))
    return observed(rng, rng.normal(prior.mean, np.sqrt(variance / prior.weight)), np.sqrt(variance), (5, 12))


def known(rng: np.random.Generator, prior: MeanPrior) -> Simulated:
    return observed(rng, rng.normal(prior.mean, prior.sd, (2, SIMULATIONS)), 3.0, (8, 20))


def reference(rng: np.random.Generator, _: None) -> Simulated:
    """No prior to draw from: whatever the truth, its place is uniform over the data."""
    return observed(rng, np.tile([[10.0], [11.0]], SIMULATIONS), [[1.0], [4.0]], (5, 12))


def of_effects(rng: np.random.Generator, prior: Any) -> Simulated:
    """Many units, so that their estimated standard deviation is known; the control is anywhere."""
    if isinstance(prior, StudentPrior):
        effect = prior.mean + prior.scale * rng.standard_t(prior.df, SIMULATIONS)
    elif isinstance(prior, MixturePrior):
        of = rng.choice(len(prior.weights), SIMULATIONS, p=prior.weights)
        effect = rng.normal(np.array(prior.means)[of], np.array(prior.sds)[of])
    else:
        effect = rng.normal(prior.mean, prior.sd, SIMULATIONS)
    control = rng.normal(10, 5, SIMULATIONS)
    return observed(rng, np.stack([control, control + effect]), 20.0, (500_000, 900_000))


NORMAL, STUDENT = NormalPrior(mean=0.01, sd=0.05), StudentPrior(df=3, scale=0.03)
MIXED = MixturePrior(weights=(0.8, 0.2), means=(0, 0.02), sds=(0.01, 0.1))
CASES: dict[str, tuple[Callable[..., Simulated], Any, dict[str, Any]]] = {
    "beta-binomial, beta(1, 1)": (shares, BetaPrior(), {}),
    "beta-binomial, beta(0.5, 9.5)": (shares, BetaPrior(0.5, 9.5), {}),
    "gamma-Poisson, gamma(2, 10)": (rates, GammaPrior(2, 10), {}),
    "normal-inverse-gamma": (means, NormalInverseGammaPrior(mean=10, weight=2, shape=3, scale=8), {}),
    "normal, spread known": (known, MeanPrior(mean=10, sd=2), {"sd": 3.0}),
    "Student (reference prior)": (reference, None, {}),
    "effect, normal prior": (of_effects, NORMAL, {}),
    "effect, Student prior": (of_effects, STUDENT, {}),
    "effect, mixture prior": (of_effects, MIXED, {}),
}


def places(simulated: Simulated, prior: Any, keywords: dict[str, Any]) -> dict[str, Float64Array]:
    """Where the truth lies in its posterior, between 0 and 1: its distribution function there."""
    found = compare(simulated.control, simulated.treatment, prior=prior, **keywords)
    control, treatment = simulated.truth
    at = {"difference": found.law.cdf(treatment - control)}
    if found.share is not None and found.arms is not None:
        at["lift"] = found.share.cdf((treatment - control) / np.abs(control))
    if found.arms is not None:
        at["control"] = np.asarray(found.arms.take(lambda a: np.broadcast_to(a, found.arms.shape)[0]).cdf(control))
    return at


def row(name: str, quantity: str, at: Float64Array) -> tuple[str, float]:
    test = stats.chisquare(np.histogram(at, bins=BINS, range=(0, 1))[0])
    inside = " | ".join(f"{np.mean(np.abs(at - 0.5) < level / 2):.1%}" for level in (0.5, 0.9, 0.99))
    return f"| {name} | {quantity} | {test.statistic:.1f} | {test.pvalue:.3f} | {inside} |", float(test.pvalue)


HEAD = f"""## Conjugate models

Simulation-based calibration: {SIMULATIONS:,} pairs of true values are drawn from the prior and data from these; then
the truth's place in its posterior, P(value <= truth | data), must be uniform: of the difference, of the lift, and of
the control's own value. Chi-square of {BINS} bins, {BINS - 1} degrees of freedom, and the coverage of the equal-tailed
50%, 90% and 99% intervals. The reference prior of a mean cannot be drawn from;
its posterior is exact for each variant whatever the truth, and for the difference covers a little more than it
says (Behrens and Fisher), so that only the former is tested. Nor can the
flat prior of the control beside a prior of the effect: it is anywhere.
`make calibrate` writes this table (tests/calibration/test_sbc.py).

| model | quantity | chi-square | p | in 50% | in 90% | in 99% |
|---|---|---|---|---|---|---|"""


def test_the_truth_has_a_uniform_place() -> None:
    table, pvalues = [], []
    for seed, (name, (simulate, prior, keywords)) in enumerate(CASES.items(), 1):
        for quantity, at in places(simulate(np.random.default_rng(seed), prior), prior, keywords).items():
            line, pvalue = row(name, quantity, at)
            table.append(line)
            if prior is not None or quantity == "control":
                pvalues.append(pvalue)
    write_section("conjugate", "\n".join([HEAD, *table]))
    assert min(pvalues) > ALPHA / len(pvalues), table
