"""The models of partially pooled effects, in PyMC, in parameters that sample well whatever the data.

Estimates are moved and scaled to a centre of 0 and a size of 1, so that no unit is too large or too small.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from scipy.special import expit, gammaln, log_expit

from abkit._check import Float64Array
from abkit.mcmc._fit import Compiled, compiled
from abkit.mcmc._hierarchical_estimates import Estimates
from abkit.mcmc._hierarchical_prior import HierarchicalPrior
from abkit.mcmc._hierarchical_statistics import log_odds

#: Standard deviation of the prior of each control's and treatment's common log odds, about those of all units.
LEVEL_SD = 5.0


def scaling(data: Estimates) -> tuple[float, float]:
    """The centre and the size of the estimates."""
    weights = data.stderrs.min() ** 2 / data.stderrs**2
    centre = float(np.average(data.raw, weights=weights))
    return centre, float(np.sqrt(np.var(data.raw) + np.median(data.stderrs) ** 2))


def ready(data: Estimates, prior: HierarchicalPrior, df: float) -> Compiled:
    """The compiled model with these data; the same model is compiled once a process."""
    centre, size = scaling(data)
    values: dict[str, Any] = {
        "y": (data.raw - centre) / size,
        "s": data.own / size,
        "prior_mean": (prior.mean - centre) / size,
        "prior_sd": math.hypot(prior.sd, math.sqrt(data.shared)) / size,  # mu, and the error that all share
        "prior_spread": prior.spread / size,
    }
    if math.isfinite(prior.spread_df):
        values["prior_df"] = prior.spread_df
    heavy = math.isfinite(df)
    if heavy:
        values["df"] = df
    sized = len(data.raw) if heavy or data.counts else 0
    if data.counts:
        level, level_sd = levels(data)
        values |= {"centre": centre, "size": size, "level": level, "level_sd": level_sd, "overall": overall(data)}
        values |= _cells(data)
    model = _model(sized, heavy, math.isfinite(prior.spread_df), data.counts is not None)
    return model.with_data(**{name: np.asarray(value, dtype=np.float64) for name, value in values.items()})


@lru_cache(maxsize=16)
def _model(sized: int, heavy: bool, student_spread: bool, binomial: bool) -> Compiled:
    return compiled(lambda: _build(sized, heavy, student_spread, binomial))


def _build(sized: int, heavy: bool, student_spread: bool, binomial: bool) -> Any:
    import pymc as pm

    size = sized or 2
    with pm.Model() as model:
        of = {name: pm.Data(name, np.ones(())) for name in ("prior_mean", "prior_sd", "prior_spread")}
        y, s = pm.Data("y", np.zeros(size)), pm.Data("s", np.ones(size))
        tau = (
            pm.HalfStudentT("tau", nu=pm.Data("prior_df", np.array(3.0)), sigma=of["prior_spread"], initval=0.5)
            if student_spread
            else _half_normal(pm, of["prior_spread"])
        )
        variance: Any = tau**2
        if heavy:
            half = pm.Data("df", np.array(4.0)) / 2
            variance = variance * pm.InverseGamma("weight", half, half, shape=sized, initval=np.ones(sized))
        mu = _mean_of_all(pm, of, variance, y, s)
        if binomial:
            _counted(pm, mu, variance, y, s, size)
        else:
            pm.Normal("estimate", mu, pm.math.sqrt(variance + s**2), observed=y)
    return model


def _half_normal(pm: Any, spread: Any) -> Any:
    """The half-normal tau as the softplus of what is sampled: on its logarithm the upper end would be a cliff."""
    share = pm.math.log1pexp(free := pm.Flat("z_tau", initval=0.0))
    pm.Potential("about_spread", -(share**2) / 2 - pm.math.log1pexp(-free))
    return pm.Deterministic("tau", spread * share)


def _mean_of_all(pm: Any, of: dict[str, Any], variance: Any, y: Any, s: Any) -> Any:
    """The mean of all effects, written as its mean and standard deviation given tau and a deviate from that.

    One precise estimate holds the mean fast while tau is small, and lets it go while tau is large: sampled as it
    is, the mean would lie in a funnel. Given normal estimates this deviate is standard normal, whatever tau is.
    """
    weights, prior = 1 / (variance + s**2), of["prior_sd"] ** -2
    precision = pm.math.sum(weights) + prior
    centre = (pm.math.sum(weights * y) + prior * of["prior_mean"]) / precision
    mu = pm.Deterministic("mu", centre + pm.Flat("z_mu", initval=0.0) / pm.math.sqrt(precision))
    pm.Potential("about_prior_mean", -(prior * (mu - of["prior_mean"]) ** 2 + pm.math.log(precision)) / 2)
    return mu


def _counted(pm: Any, mu: Any, variance: Any, y: Any, s: Any, size: int) -> None:
    """Exact likelihoods of counts.

    Each effect is written as its mean and standard deviation given mu and tau, were its estimate normal, and a deviate
    from that: what is sampled is then close to independent standard normals whether the data are many or few.
    """
    data = {name: pm.Data(name, np.ones(())) for name in ("centre", "size", "overall")}
    data |= {name: pm.Data(name, np.ones(size)) for name in ("level", "level_sd", "k_c", "n_c", "k_t", "n_t")}
    precision = 1 / variance + 1 / s**2
    scaled = (mu / variance + y / s**2) / precision + pm.Flat("z_effect", shape=size) / pm.math.sqrt(precision)
    pm.Potential(
        "about_mu", pm.math.sum(-((scaled - mu) ** 2) / (2 * variance) - pm.math.log(variance * precision) / 2)
    )
    effect = pm.Deterministic("effect", data["centre"] + data["size"] * scaled)
    level = pm.Deterministic("level_drawn", data["level"] + data["level_sd"] * pm.Flat("z_level", shape=size))
    pm.Potential("about_overall", pm.math.sum(-(((level - data["overall"]) / LEVEL_SD) ** 2) / 2))
    for side, sign in (("c", -0.5), ("t", 0.5)):
        logit = level + sign * effect
        k, n = data[f"k_{side}"], data[f"n_{side}"]
        pm.Potential(f"counts_{side}", pm.math.sum(k * logit - n * pm.math.log1pexp(logit)))


def levels(data: Estimates) -> tuple[Float64Array, Float64Array]:
    """Means of the two log odds of each effect, roughly, and their standard errors: where sampling begins."""
    cells = {key: value + 0.5 for key, value in _cells(data).items()}
    odds = [np.log(cells[f"k_{side}"]) - np.log(cells[f"n_{side}"] - cells[f"k_{side}"] + 0.5) for side in "ct"]
    return (odds[0] + odds[1]) / 2, data.stderrs / 2


def overall(data: Estimates) -> float:
    """The log odds of all units."""
    cells = _cells(data)
    k, n = (sum(float(cells[f"{part}_{side}"].sum()) for side in "ct") for part in "kn")
    return math.log(k + 0.5) - math.log(n - k + 0.5)


def _cells(data: Estimates) -> dict[str, Float64Array]:
    sides = dict(zip("ct", data.counts or (), strict=True))
    cells = {f"k_{key}": side.successes for key, side in sides.items()} | {
        f"n_{key}": side.n for key, side in sides.items()
    }
    return {name: np.asarray(value, dtype=np.float64) for name, value in cells.items()}


def conditional(data: Estimates, mu: Float64Array, variance: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Mean and standard deviation of each effect given draws of mu and of its variance about it: (effects, ...).

    With an error that all estimates share, `mu` and the effects are those with this error in them.
    """
    shape = (-1,) + (1,) * mu.ndim
    y, s = data.raw.reshape(shape), data.own.reshape(shape)
    kept = variance / (variance + s**2)
    return mu + (y - mu) * kept, s * np.sqrt(kept)


def shared_error(data: Estimates, prior: HierarchicalPrior, mu: Any) -> tuple[Any, float]:
    """Mean and variance of the error that all estimates share, given mu with this error in it."""
    kept = data.shared / (prior.sd**2 + data.shared)
    return (mu - prior.mean) * kept, prior.sd**2 * kept


def drawn_effects(
    prior: HierarchicalPrior, df: float, size: int, draws: int, rng: np.random.Generator
) -> dict[str, Any]:
    """Draws of the prior: the mean, the spread and the effects, shape (1, draws, size)."""
    mu, tau = prior.sample(rng, draws)
    about = rng.standard_t(df, (draws, size)) if math.isfinite(df) else rng.standard_normal((draws, size))
    return {"mu": mu[None], "tau": tau[None], "effect": (mu[:, None] + tau[:, None] * about)[None]}


def predicted(
    data: Estimates, effect: Float64Array, level: Float64Array | None, rng: np.random.Generator
) -> dict[str, Any]:
    """New estimates of drawn effects, shape (chains, draws, effects), with the counts where there are any."""
    if data.counts is None or level is None:
        common = math.sqrt(data.shared) * rng.standard_normal((*effect.shape[:-1], 1)) if data.shared else 0.0
        return {"estimate": effect + common + data.own * rng.standard_normal(effect.shape)}
    cells = {name: value.astype(np.int64) for name, value in _cells(data).items()}
    k_c = rng.binomial(cells["n_c"], expit(level - effect / 2))
    k_t = rng.binomial(cells["n_t"], expit(level + effect / 2))
    return {"estimate": log_odds(k_c, cells["n_c"], k_t, cells["n_t"])[0], "control": k_c, "treatment": k_t}


def log_likelihood(data: Estimates, effect: Float64Array, level: Float64Array | None) -> dict[str, Any]:
    """The logarithm of each estimate's likelihood, or of its counts', given its effect and the error all share."""
    if data.counts is None or level is None:
        z = (data.raw - effect) / data.own
        return {"estimate": -z * z / 2 - np.log(data.own * math.sqrt(2 * math.pi))}
    cells = _cells(data)
    of = {}
    for name, side, logit in (("control", "c", level - effect / 2), ("treatment", "t", level + effect / 2)):
        k, n = cells[f"k_{side}"], cells[f"n_{side}"]
        ways = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
        of[name] = ways + k * log_expit(logit) + (n - k) * log_expit(-logit)
    return of
