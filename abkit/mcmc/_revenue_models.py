"""PyMC models of revenue: a share of payers, times what a payer spends, in each of two variants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from abkit._check import Float64Array
from abkit.mcmc._revenue_data import Spend, Tail

#: No log of spend has a standard deviation beyond this: with none, the mean of a lognormal has no posterior mean.
LARGEST_SPREAD = 4.0
#: The tail index lies between these: from one on a tail has no mean.
TAIL_INDEX = (-0.25, 1.0)
VARIANTS = ("control", "treatment")

LOGNORMAL_PRIOR = (
    "share of payers: uniform; mean log of spend: normal around that of all payers, sd 2 (a factor of 7); sd of the "
    "log of spend: half-normal of scale 2, cut at 4, without which the mean would have no posterior mean"
)
PARETO_PRIOR = (
    "shares of payers and of large payments: uniform; mean of the others: uniform up to the threshold; scale of the "
    "excess over the threshold: lognormal around the mean excess, log sd 1; tail index: -0.25 + 1.25 Beta(2, 3), mean "
    "0.25 and below 1, from where on a tail has no mean"
)


def lognormal_data(spends: tuple[Spend, Spend]) -> dict[str, Any]:
    """What the model observes: counts, and two moments of the logs of spend."""
    payers = np.array([spend.payers for spend in spends])
    means = np.array([spend.log_mean for spend in spends])
    return {
        "units": np.array([spend.units for spend in spends]),
        "observed_payers": payers,
        "observed_mean": means,
        "observed_m2": np.array([spend.log_m2 for spend in spends]),
        "centre": float(payers @ means / payers.sum()),
    }


def lognormal_model(data: Mapping[str, Any]) -> Any:
    """Zeros, and lognormal spend, from sufficient statistics: its cost does not depend on the number of rows."""
    import pymc as pm

    with pm.Model(coords={"variant": VARIANTS}) as model:
        given = {name: pm.Data(name, value) for name, value in data.items()}
        share = _share(pm, given)
        payers = given["observed_payers"]
        location = pm.Normal("log_mean", given["centre"], 2.0, dims="variant")
        spread = pm.TruncatedNormal("log_sd", mu=0.0, sigma=2.0, lower=0.0, upper=LARGEST_SPREAD, dims="variant")
        pm.Normal("mean_of_logs", location, spread / payers**0.5, observed=given["observed_mean"], dims="variant")
        half = (payers - 1) / 2
        pm.Gamma("m2_of_logs", alpha=half, beta=0.5 / spread**2, observed=given["observed_m2"], dims="variant")
        _effects(pm, share, pm.math.exp(location + spread**2 / 2))
    return model


def pareto_data(spends: tuple[Spend, Spend], tails: tuple[Tail, Tail]) -> dict[str, Any]:
    """What the model observes, in units of each threshold: counts, the mean below it, each excess over it."""
    threshold = np.array([tail.threshold for tail in tails])
    excess = [tail.excess / tail.threshold for tail in tails]
    return {
        "units": np.array([spend.units for spend in spends]),
        "observed_payers": np.array([spend.payers for spend in spends]),
        "observed_large": np.array([tail.excess.size for tail in tails]),
        "observed_mean": np.array([tail.below_mean for tail in tails]) / threshold,
        "stderr": np.array([tail.below_stderr for tail in tails]) / threshold,
        "excess": np.concatenate(excess),
        "of": np.repeat([0, 1], [values.size for values in excess]),
        "largest": np.array([values.max() for values in excess]),
        "centre": float(np.concatenate(excess).mean()),
        "threshold": threshold,
    }


def pareto_model(data: Mapping[str, Any]) -> Any:
    """Zeros, spend of any shape below a threshold, and a generalised Pareto tail above it."""
    import pymc as pm

    low, high = TAIL_INDEX
    with pm.Model(coords={"variant": VARIANTS}) as model:
        given = {name: pm.Data(name, value) for name, value in data.items()}
        share = _share(pm, given)
        large = pm.Beta("large_share", 1.0, 1.0, dims="variant")
        pm.Binomial("large", given["observed_payers"], large, observed=given["observed_large"], dims="variant")
        below = pm.Uniform("mean_below", 0.0, 1.0, dims="variant")
        pm.Normal("below", below, given["stderr"], observed=given["observed_mean"], dims="variant")
        unit_index = pm.Beta("unit_index", 2.0, 3.0, dims="variant")
        index = pm.Deterministic("tail_index", low + (high - low) * unit_index, dims="variant")
        # a tail of negative index ends, and not before the largest excess: no sampler should walk into that wall
        room = pm.HalfFlat("room", dims="variant")
        scale = pm.Deterministic("tail_scale", room + pm.math.maximum(-index, 0.0) * given["largest"], dims="variant")
        log_scale = pm.math.log(scale)
        pm.Potential("scale_prior", -((log_scale - pm.math.log(given["centre"])) ** 2) / 2 - log_scale)
        of = given["of"]
        pm.CustomDist("tail", index[of], scale[of], logp=pareto_logp, random=pareto_random, observed=given["excess"])
        above = 1 + scale / (1 - index)
        _effects(pm, share, given["threshold"] * ((1 - large) * below + large * above))
    return model


def pareto_logp(value: Any, index: Any, scale: Any) -> Any:
    """Log density of a generalised Pareto, minus infinity beyond its end."""
    import pymc as pm

    inside = 1 + index * value / scale
    tall = pm.math.log(pm.math.switch(inside > 0, inside, 1.0))
    return pm.math.switch(inside > 0, -pm.math.log(scale) - tall - tall / index, -np.inf)


def pareto_random(index: Float64Array, scale: Float64Array, rng: Any = None, size: Any = None) -> Float64Array:
    """Draws of a generalised Pareto, by its quantile function."""
    return pareto_quantile(-np.log1p(-rng.uniform(size=size)), index, scale)


def pareto_quantile(exponential: Float64Array, index: Float64Array, scale: Float64Array) -> Float64Array:
    """The value of a generalised Pareto that minus the log of its survival is `exponential` at."""
    return np.asarray(scale * np.expm1(index * exponential) / index, dtype=np.float64)


def prior_draws(data: Mapping[str, Any], count: int, rng: np.random.Generator) -> dict[str, Float64Array]:
    """Draws of the prior of what both models speak of, and the payers that it predicts, shape (1, count, 2)."""
    shape = (1, count, 2)
    share = rng.uniform(size=shape)
    if "threshold" in data:
        low, high = TAIL_INDEX
        large, below = rng.uniform(size=shape), rng.uniform(size=shape)
        index = low + (high - low) * rng.beta(2, 3, shape)
        scale = data["centre"] * rng.lognormal(size=shape)
        spend = data["threshold"] * ((1 - large) * below + large * (1 + scale / (1 - index)))
    else:  # a half-normal, cut: the quantile function at uniform probabilities below that of the cut
        spread = 2 * ndtri((1 + rng.uniform(size=shape) * (2 * ndtr(LARGEST_SPREAD / 2) - 1)) / 2)
        spend = np.exp(rng.normal(data["centre"], 2.0, shape) + spread**2 / 2)
    payers = rng.binomial(data["units"], share).astype(np.float64)
    return {"share": share, "spend": spend, "mean": share * spend, "payers": payers}


def _share(pm: Any, given: Mapping[str, Any]) -> Any:
    share = pm.Beta("share", 1.0, 1.0, dims="variant")
    pm.Binomial("payers", given["units"], share, observed=given["observed_payers"], dims="variant")
    return share


def _effects(pm: Any, share: Any, spend: Any) -> None:
    """Mean revenue of a unit, its difference and lift, and those of both its parts."""
    pm.Deterministic("spend", spend, dims="variant")
    mean = pm.Deterministic("mean", share * spend, dims="variant")
    pm.Deterministic("difference", mean[1] - mean[0])
    pm.Deterministic("lift", mean[1] / mean[0] - 1)
