"""Simulation-based calibration of the PyMC models (Talts et al. 2018): truth from the prior, data from the truth.

If the model, its sampler and what is read off its draws are right, the rank of the truth among the draws is uniform.
Each model is compiled once, and gets the data of each simulation in place of the last.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from abkit._check import Float64Array
from tests.calibration.bayes_page import write_section

pytestmark = pytest.mark.calibration
SIMULATIONS, CHAINS, TUNE, DRAWS, THIN = 1000, 2, 300, 300, 6
BINS, ALPHA = 20, 0.01

Truth = dict[str, Float64Array]
Posterior = dict[str, Float64Array]


@dataclass(frozen=True)
class Simulated:
    """What the model observes, and how the numbers that are ranked come from truth and from draws.

    `ranked` gives pairs of the true number and its draws; what has a distribution in closed form given the draws gives
    the truth's place in it instead, between 0 and 1.
    """

    data: dict[str, Any]
    ranked: Callable[[Posterior], dict[str, tuple[float, Float64Array] | float]]


def simulate_series(rng: np.random.Generator) -> Simulated:
    """Eighty buckets of which some are missing, two controls, and the mean of twelve more buckets."""
    from abkit.mcmc._before_after_law import DrawsLaw
    from abkit.mcmc._before_after_model import changes_data, own_scale, straight
    from abkit.mcmc._local_level import forecast, make_changes

    times = np.arange(92.0)
    seen = np.sort(np.r_[rng.choice(80, 70, replace=False), np.arange(80, 92)])
    before = seen[seen < 80]
    controls = rng.normal(size=(92, 2)).cumsum(axis=0) + rng.normal(size=(92, 2))
    noise, level = np.abs(rng.standard_normal(2))
    scale = make_changes(times[before], np.arange(before.size) ** 2.0, controls[before])
    slopes = rng.standard_normal(2) / scale.units
    series = level * rng.standard_normal(92).cumsum() + noise * rng.standard_normal(92) + controls @ slopes
    made = make_changes(times[before], series[before], controls[before])
    changes = replace(made, values=made.values * made.unit, unit=1.0)  # the prior's scale is that of the truth

    def ranked(draws: Posterior) -> dict[str, tuple[float, Float64Array] | float]:
        own = own_scale(changes, draws["noise"], draws["level"], draws["slopes"])
        past = times[before], series[before], controls[before]
        means, sds = forecast(past, times[80:], controls[80:], own).mean()
        return {
            "noise": (noise, own.noise),
            "level": (level, own.level),
            "first coefficient": (slopes[0], own.coefficients[:, 0]),
            "mean after the switch": float(DrawsLaw(float(series[80:].mean()), means, sds).cdf(np.zeros(1))[0]),
        }

    assert straight(changes, np.zeros((1, 2))).shape == (1, 2)
    return Simulated(changes_data(changes), ranked)


def simulate_lognormal(rng: np.random.Generator) -> Simulated:
    """Two variants of 300 units whose payers spend lognormal sums."""
    share, log_mean = rng.random(2), rng.normal(0, 2, 2)
    log_sd = stats.truncnorm(0, 2, scale=2).rvs(2, random_state=rng)
    payers = rng.binomial(300, share)
    if payers.min() < 5:  # such data are refused, whatever the truth
        return simulate_lognormal(rng)
    logs = [rng.normal(m, s, k) for m, s, k in zip(log_mean, log_sd, payers, strict=True)]
    data = {
        "units": np.array([300, 300]),
        "observed_payers": payers,
        "observed_mean": np.array([x.mean() for x in logs]),
        "observed_m2": np.array([np.square(x - x.mean()).sum() for x in logs]),
        "centre": 0.0,
    }
    mean = share * np.exp(log_mean + log_sd**2 / 2)
    return Simulated(data, lambda draws: _pairs(draws, share=share, log_mean=log_mean, log_sd=log_sd, mean=mean))


def simulate_pareto(rng: np.random.Generator) -> Simulated:
    """Two variants of 300 units whose payers spend what they will up to 1, and generalised Pareto sums above."""
    from abkit.mcmc._revenue_models import pareto_quantile

    share, large_share, below = rng.random(2), rng.random(2), rng.random(2)
    index, scale = -0.25 + 1.25 * rng.beta(2, 3, 2), rng.lognormal(0, 1, 2)
    payers = rng.binomial(300, share)
    large = rng.binomial(payers, large_share)
    if large.min() < 10:
        return simulate_pareto(rng)
    excess = [pareto_quantile(rng.exponential(size=k), i, s) for k, i, s in zip(large, index, scale, strict=True)]
    data = {
        "units": np.array([300, 300]),
        "observed_payers": payers,
        "observed_large": large,
        "observed_mean": rng.normal(below, 0.05),
        "stderr": np.array([0.05, 0.05]),
        "excess": np.concatenate(excess),
        "of": np.repeat([0, 1], large),
        "largest": np.array([values.max() for values in excess]),
        "centre": 1.0,
        "threshold": np.ones(2),
    }
    mean = share * ((1 - large_share) * below + large_share * (1 + scale / (1 - index)))
    truth = {"large_share": large_share, "tail_index": index, "tail_scale": scale, "mean": mean}
    return Simulated(data, lambda draws: _pairs(draws, **truth))


def _pairs(draws: Posterior, **truth: Float64Array) -> dict[str, tuple[float, Float64Array] | float]:
    """The control's parameters, and the difference of the two means."""
    pairs: dict[str, tuple[float, Float64Array] | float] = {
        name.replace("_", " "): (float(value[0]), draws[name][:, 0]) for name, value in truth.items() if name != "mean"
    }
    difference = float(truth["mean"][1] - truth["mean"][0])
    return pairs | {"difference": (difference, draws["mean"][:, 1] - draws["mean"][:, 0])}


def models() -> dict[str, tuple[Callable[[Any], Any], Callable[[np.random.Generator], Simulated]]]:
    from abkit.mcmc._before_after_model import local_level_model
    from abkit.mcmc._revenue_models import lognormal_model, pareto_model

    return {
        "local level and two controls": (local_level_model, simulate_series),
        "zeros and lognormal spend": (lognormal_model, simulate_lognormal),
        "zeros, any spend, Pareto tail": (pareto_model, simulate_pareto),
    }


def hierarchical_ranks(df: float, simulations: int, seed: int) -> tuple[dict[str, list[float]], int]:
    """The same of `hierarchical` as it is called: eight effects, of which one is ranked."""
    import abkit as ab

    rng = np.random.default_rng(seed)
    prior = ab.bayes.HierarchicalPrior(mean=0.1, sd=1.0, spread=0.5)
    found: dict[str, list[float]] = {"mean": [], "sd of effects": [], "first effect": []}
    diverged = 0
    for _ in range(simulations):
        mu, tau = (float(value[0]) for value in prior.sample(rng, 1))
        about = rng.standard_normal(8) if np.isinf(df) else rng.standard_t(df, 8)
        effects, stderrs = mu + tau * about, rng.uniform(0.1, 1.0, 8)
        estimates = rng.normal(effects, stderrs)
        fit = ab.bayes.hierarchical(
            estimates, stderrs, rng=rng, prior=prior, df=df, draws=DRAWS, tune=TUNE, chains=CHAINS, progress=False
        )
        diverged += fit.diagnostics.divergences > 0
        draws = _draws(fit.data["posterior"])
        pairs = {"mean": (mu, draws["mu"]), "sd of effects": (tau, draws["tau"])}
        for key, pair in (pairs | {"first effect": (float(effects[0]), draws["effect"][:, 0])}).items():
            found[key].append(_place(pair, rng))
    return found, diverged


def ranks_of(name: str, simulations: int, seed: int) -> tuple[dict[str, list[float]], int]:
    """The truth's place among its draws, between 0 and 1, in each simulation, and how often a chain diverged."""
    from abkit.mcmc._fit import compiled, sample_model

    make, simulate = models()[name]
    rng = np.random.default_rng(seed)
    first = simulate(rng).data
    ready = compiled(lambda: make(first))
    found: dict[str, list[float]] = {}
    diverged = 0
    for _ in range(simulations):
        simulated = simulate(rng)
        model = ready.with_data(**simulated.data)
        fit = sample_model(model, rng=rng, draws=DRAWS, tune=TUNE, chains=CHAINS, cores=1, progress=False)
        diverged += fit.diagnostics.divergences > 0
        for key, pair in simulated.ranked(_draws(fit.data["posterior"])).items():
            found.setdefault(key, []).append(_place(pair, rng))
    return found, diverged


def _draws(posterior: Any) -> Posterior:
    """Some draws of each parameter, one after the other."""
    values = {str(name): np.asarray(value)[:, ::THIN] for name, value in posterior.data_vars.items()}
    return {name: value.reshape(-1, *value.shape[2:]) for name, value in values.items()}


def _place(pair: tuple[float, Float64Array] | float, rng: np.random.Generator) -> float:
    """A rank as a number between 0 and 1, uniform if the ranks are."""
    if isinstance(pair, float):
        return pair
    truth, draws = pair
    return float((np.count_nonzero(draws < truth) + rng.random()) / (draws.size + 1))


def uniformity(places: list[float]) -> tuple[float, float]:
    """Pearson's chi-square of the rank histogram, and its p-value."""
    counts = np.histogram(places, bins=BINS, range=(0, 1))[0]
    test = stats.chisquare(counts)
    return float(test.statistic), float(test.pvalue)


def rows(name: str, found: dict[str, list[float]], diverged: int) -> list[str]:
    lines = []
    for what, places in found.items():
        statistic, p = uniformity(places)
        inside = [float(np.mean(np.abs(np.array(places) - 0.5) < level / 2)) for level in (0.5, 0.9)]
        shown = f"{statistic:.1f} | {p:.3f} | {inside[0]:.1%} | {inside[1]:.1%} | {diverged}"
        lines.append(f"| {name} | {what} | {len(places)} | {shown} |")
    return lines


HEAD = f"""## PyMC models

Simulation-based calibration: parameters from the prior, data from the parameters, two chains of {DRAWS} draws, of
which every {THIN}th counts, and the rank of the truth among these. If all is right the ranks are uniform: chi-square of
{BINS} bins, {BINS - 1} degrees of freedom. The last columns are the coverage of the 50% and the 90% intervals, and the
number of simulations in which a chain had a divergence, which would be refused and are counted here all the same.
`make calibrate` writes this table (tests/calibration/test_sbc_mcmc.py).

| model | quantity | simulations | chi-square | p | in 50% | in 90% | diverged |
|---|---|---|---|---|---|---|---|"""


def test_the_truth_has_a_uniform_rank() -> None:
    table, pvalues = [], []
    runs = {name: ranks_of(name, SIMULATIONS, 1_000_000 * seed) for seed, name in enumerate(models(), 1)}
    runs["hierarchical, normal effects"] = hierarchical_ranks(np.inf, SIMULATIONS // 2, 4)
    runs["hierarchical, Student effects"] = hierarchical_ranks(4.0, SIMULATIONS // 2, 5)
    for name, (found, diverged) in runs.items():
        table += rows(name, found, diverged)
        pvalues += [uniformity(places)[1] for places in found.values()]
    write_section("mcmc", "\n".join([HEAD, *table]))
    assert min(pvalues) > ALPHA / len(pvalues), table
