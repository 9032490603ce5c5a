"""Effects of segments, variants, metrics or experiments as one model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from abkit import _check
from abkit.inference._resample import generator
from abkit.mcmc._fit import Fit, add_groups, need_pymc, replaced, sample_model
from abkit.mcmc._hierarchical_data import read
from abkit.mcmc._hierarchical_estimates import Asked, Estimates
from abkit.mcmc._hierarchical_fit import HierarchicalFit
from abkit.mcmc._hierarchical_models import (
    LEVEL_SD,
    conditional,
    drawn_effects,
    log_likelihood,
    overall,
    predicted,
    ready,
    scaling,
    shared_error,
)
from abkit.mcmc._hierarchical_prior import HierarchicalPrior, default_prior

PRIOR_DRAWS = 1000


def hierarchical(  # noqa: PLR0913 - what is pooled, how, and how it is sampled: one plain word each
    source: object,
    second: object = None,
    *,
    rng: np.random.Generator,
    names: Sequence[str] | None = None,
    over: str | None = "segment",
    metric: str | None = None,
    variant: str | None = None,
    column: str | None = None,
    scale: str | None = None,
    prior: HierarchicalPrior | None = None,
    df: float = math.inf,
    draws: int = 1000,
    tune: int = 1000,
    chains: int = 4,
    cores: int | None = None,
    target_accept: float = 0.9,
    progress: bool = True,
) -> HierarchicalFit:
    """Effects that are partially pooled: each is drawn towards the mean of all, by as much as they are alike.

    Answers: what is each effect, seen that it is one of several like it, and how much do such effects differ?

    Parameters
    ----------
    source : Report, Experiment, mapping or sequence of results, statistics, frame or array_like
        - A report, or an `Experiment` with its rows as `second`: `over` says what of it is pooled.
        - A mapping from names, or a sequence, of reports of several experiments, of `TestResult` or of anything else
          with an `estimate` and a `stderr`.
        - A mapping from names to pairs (control, treatment) of `Counts`, `Moments` or `Events`; or the control's:
          arrays with a value for each effect, or a single one that all treatments share.
        - A frame or mapping with the columns `estimate` and `stderr`, and perhaps `name`; or the estimates, in any one
          unit.
    second : statistics, mapping, sequence, array_like or rows, optional
        The treatment's statistics, where `source` is the control's: arrays, or a mapping or sequence of single ones.
        Standard errors, where `source` is the estimates. The rows, where it is a plan.
    rng : numpy.random.Generator
        The source of all randomness.
    names : sequence of str, optional
        Of the effects, where `source` has none.
    over : {"segment", "variant", "metric"}
        What of a report is pooled. Variants share their control, and so the error of its mean: also those of a mapping
        of results with "variant".
    metric, variant, column : str, optional
        Which metric, treatment and segment column of a report, or of each of several; may be left out where there is
        one only.
    scale : {"difference", "relative", "log odds ratio"}, optional
        Of the effects of a report, of results or of `Moments`. By default "relative" over metrics, else "difference".
        Only proportions have a "log odds ratio", which is that of `Counts`; `Events` have the "log rate ratio". Of
        estimates it is what they are called.
    prior : HierarchicalPrior, optional
        By default weakly informative in the unit of the data; see Notes.
    df : float
        Degrees of freedom of the effects about their mean. Infinite, they are normal; 4, say, lets single ones lie far
        out without being drawn in.
    draws, tune, chains, cores, target_accept, progress
        Draws kept and draws for tuning of each chain; chains, and how many run at once, by default as many as there are
        processors; the sampler's care, nearer 1 for fewer divergences; and whether a terminal or a notebook shows how
        far each chain is.

    Returns
    -------
    HierarchicalFit
        With ArviZ data: prior, prior predictive, posterior, posterior predictive, log likelihood and observed data.

    Raises
    ------
    MissingDependencyError
        PyMC, ArviZ or nutpie is not installed.
    DataError
        Fewer than two effects, or one without an estimate.
    ValueError
        Standard errors that are not above 0.

    Notes
    -----
    estimate_i ~ N(theta_i, stderr_i^2), theta_i ~ N(mu, tau^2) [1]_; with `df`, theta_i ~ mu + tau Student(df).
    `Counts` have their exact binomial likelihoods in place of the first, with log odds level_i -+ theta_i/2, and the
    levels are normal about the log odds of all units with sd 5. By default mu ~ N(0, (5u)^2) and
    tau ~ half-normal(u), where u is the root of the mean of estimate^2 + stderr^2: the mean of all is left to the data,
    and effects are not thought to differ by much more than all estimates together show.

    The effects of a normal likelihood are integrated out and only mu and tau are sampled, so that there is no funnel;
    given these each effect is normal, and its tail probabilities and intervals are means of exact ones over the draws.
    Those of counts are shares of draws.

    Where all estimates share a control, the error of its mean is one more unknown, normal with its standard error, and
    is integrated out with the effects.

    Standard errors are taken as known: with under some fifty units in a segment use `Counts`, or larger segments.
    Estimates of segments and experiments must come from different units. Metrics share their units; their errors are
    taken as independent, so that intervals over metrics that move together are too narrow. Results under a monitor are
    read as plain estimates, without its bound or prior; pooling does not make repeated looks harmless.

    References
    ----------
    .. [1] Gelman, Carlin, Stern, Dunson, Vehtari and Rubin 2013, Bayesian Data Analysis, 3rd ed., sec. 5.4.
    """
    need_pymc()
    rng = generator(rng)
    if df != math.inf:
        df = _check.at_least("df", df, 1)
    data = read(source, second, names, Asked(over, metric, variant, column, scale))
    if prior is None:
        prior = default_prior(data.raw, data.stderrs)
    elif not isinstance(prior, HierarchicalPrior):
        raise TypeError(f"`prior` must be a HierarchicalPrior; got {_check.show(prior)}.")
    fit = sample_model(
        partial(ready, data, prior, df),
        rng=rng,
        draws=draws,
        tune=tune,
        chains=chains,
        cores=cores,
        target_accept=target_accept,
        progress=progress,
    )
    return HierarchicalFit(_with_groups(fit, data, prior, df, rng), fit.diagnostics, data, prior, df)


def _with_groups(fit: Fit, data: Estimates, prior: HierarchicalPrior, df: float, rng: np.random.Generator) -> Any:
    """The draws in the unit of the data, and what the model makes before and after it sees them."""
    sampled, (centre, size) = fit.data["posterior"], scaling(data)
    shifted = centre + size * np.asarray(sampled["mu"].values)
    tau = size * np.asarray(sampled["tau"].values)
    error: Any = np.zeros_like(shifted)
    if data.shared:
        mean, about = shared_error(data, prior, shifted)
        error = mean + math.sqrt(about) * rng.standard_normal(shifted.shape)
    mu = shifted - error
    posterior: dict[str, Any] = {"mu": mu, "tau": tau} | ({"control_error": error} if data.shared else {})
    variance = tau[None] ** 2
    if math.isfinite(df):
        posterior["weight"] = np.asarray(sampled["weight"].values)
        variance = variance * np.moveaxis(posterior["weight"], -1, 0)
        posterior["new_effect"] = mu + tau * rng.standard_t(df, mu.shape)
    before = drawn_effects(prior, df, len(data.raw), PRIOR_DRAWS, rng)
    if data.counts is None:
        centres, spreads = conditional(data, shifted, variance)
        posterior["effect"] = np.moveaxis(centres - error + spreads * rng.standard_normal(centres.shape), 0, -1)
    else:
        posterior |= {
            "effect": np.asarray(sampled["effect"].values),
            "level": np.asarray(sampled["level_drawn"].values),
        }
        before["level"] = rng.normal(overall(data), LEVEL_SD, before["effect"].shape)
    groups = {
        "posterior": posterior,
        "posterior_predictive": predicted(data, posterior["effect"], posterior.get("level"), rng),
        "log_likelihood": log_likelihood(data, posterior["effect"] + error[..., None], posterior.get("level")),
        "prior": before,
        "prior_predictive": predicted(data, before["effect"], before.get("level"), rng),
    }
    of = {name: {key: _labelled(value, data.names) for key, value in group.items()} for name, group in groups.items()}
    return add_groups(replaced(fit.data, "posterior", of.pop("posterior")), of | _given(data))


def _labelled(values: Any, names: tuple[str, ...]) -> Any:
    import xarray as xr

    dims = ("chain", "draw", "name")[: values.ndim]
    coords = {"chain": np.arange(values.shape[0]), "draw": np.arange(values.shape[1]), "name": list(names)}
    return xr.DataArray(values, dims=dims, coords={dim: coords[dim] for dim in dims})


def _given(data: Estimates) -> dict[str, Any]:
    import xarray as xr

    def one(values: Any) -> Any:
        return xr.DataArray(np.asarray(values), dims=("name",), coords={"name": list(data.names)})

    observed, constant = {"estimate": one(data.raw)}, {"stderr": one(data.stderrs)}
    if data.counts:
        observed |= {key: one(side.successes) for key, side in zip(("control", "treatment"), data.counts, strict=True)}
        constant |= {f"n_{key}": one(side.n) for key, side in zip(("control", "treatment"), data.counts, strict=True)}
    return {"observed_data": observed, "constant_data": constant}
