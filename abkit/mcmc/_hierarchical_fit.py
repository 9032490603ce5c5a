"""Partially pooled effects, as sampled."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.bayes._effect import PosteriorEffect
from abkit.evidence import Effect, TestResult, tested
from abkit.mcmc._drawn_law import DrawnLaw
from abkit.mcmc._draws import DrawsEffect
from abkit.mcmc._fit import Fit
from abkit.mcmc._hierarchical_estimates import Estimates
from abkit.mcmc._hierarchical_models import conditional, scaling, shared_error
from abkit.mcmc._hierarchical_prior import HierarchicalPrior
from abkit.mcmc._predictive_check import PredictiveCheck, predictive_check

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

METHOD = "hierarchical"


@dataclass(frozen=True, repr=False, eq=False)
class HierarchicalFit(Fit):
    """Effects that are drawn towards each other by as much as the data say that they are alike.

    Parameters
    ----------
    estimates : Estimates
        What the model was given: `names`, `raw`, `stderrs`, `scale` and `shared`, the variance of their one control.
    prior : HierarchicalPrior
        Of the mean of all effects and of their standard deviation.
    df : float
        Degrees of freedom of the effects about their mean; infinite where they are normal.
    """

    estimates: Estimates
    prior: HierarchicalPrior
    df: float

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the effects."""
        return self.estimates.names

    @cached_property
    def effects(self) -> dict[str, TestResult]:
        """Each effect as the result that rules read: `pvalue` is the posterior probability of the null's side.

        Raises
        ------
        DataError
            The fit failed.
        """
        self.need_ok()
        return {name: tested(METHOD, self._effect(at), "two-sided", 0.0, None) for at, name in enumerate(self.names)}

    @cached_property
    def overall(self) -> TestResult:
        """The mean of all effects."""
        self.need_ok()
        given, prior = self.estimates, self.prior
        if given.counts is not None:
            return self._of_draws(self.draws("mu"))
        weights = 1 / (self._variance + given.own.reshape(-1, 1, 1) ** 2)
        prior_var = prior.sd**2 + given.shared
        precision = weights.sum(axis=0) + 1 / prior_var
        centre = scaling(given)[0]  # differences from it keep their digits
        shifted = (weights * (given.raw - centre).reshape(-1, 1, 1)).sum(axis=0) + (prior.mean - centre) / prior_var
        shifted = centre + shifted / precision
        error, about = shared_error(given, prior, shifted)
        own = prior.sd**2 / prior_var  # the share of a change of both that is of the mean itself
        return self._of_law(DrawnLaw((shifted - error)[None], np.sqrt(own**2 / precision + about)[None], given.scale))

    @cached_property
    def next_effect(self) -> TestResult:
        """The effect of one more segment, variant, metric or experiment that is like these."""
        self.need_ok()
        mu, tau = self.draws("mu"), self.draws("tau")
        if math.isfinite(self.df):
            return self._of_draws(np.asarray(self.data["posterior"]["new_effect"].values))
        return self._of_law(DrawnLaw(mu[None], tau[None], self.estimates.scale))

    def mc_error(self, name: str, null: float = 0.0) -> float:
        """Monte Carlo standard error of the probability that an effect exceeds a null."""
        at = self.names.index(_check.choice("name", name, self.names))
        if self.estimates.counts is not None:
            return self._draws_effect(at).mc_error(null)
        return float(self._law.rows([at]).mc_error(null)[0])

    def table(self, level: float = 0.95) -> pd.DataFrame:
        """Each effect before and after pooling.

        Parameters
        ----------
        level : float
            Probability of the credible intervals.

        Returns
        -------
        pandas.DataFrame
            One row an effect: `estimate` and `stderr` as given, `effect` and `sd` of the posterior, the credible
            interval from `low` to `high`, `pooled`, the weight of the mean of all in the effect, from 0 to 1,
            `probability_positive`, and `mc_error`, the Monte Carlo standard error of that probability.

        Raises
        ------
        DataError
            The fit failed.
        """
        from abkit.mcmc._tables import effects_table

        return effects_table(self, _check.within("level", level, 0, 1))

    def plot(self, ax: Axes | None = None, level: float = 0.95) -> Axes:
        """Each estimate and its pooled effect, with intervals, by Matplotlib."""
        from abkit.mcmc._plots import plot_shrinkage

        return plot_shrinkage(self, ax, _check.within("level", level, 0, 1))

    def prior_check(self) -> PredictiveCheck:
        """Whether the prior could have made estimates like these, whether the fit is good or not."""
        return predictive_check("prior", self._group("prior_predictive"), self._observed)

    def posterior_check(self) -> PredictiveCheck:
        """Whether the fitted model makes estimates like these.

        Raises
        ------
        DataError
            The fit failed.
        """
        self.need_ok()
        return predictive_check("posterior", self._group("posterior_predictive"), self._observed)

    @property
    def _observed(self) -> Float64Array:
        return self.estimates.raw

    def _group(self, name: str) -> Float64Array:
        draws = np.asarray(self.data[name]["estimate"].values, dtype=np.float64)
        return draws.reshape(-1, draws.shape[-1])

    @cached_property
    def _variance(self) -> Float64Array:
        """The variance of the effects about mu, (1 or effects, chains, draws)."""
        tau = self.draws("tau")[None]
        if not math.isfinite(self.df):
            return tau**2
        result: Float64Array = tau**2 * np.moveaxis(self.draws("weight"), -1, 0)
        return result

    @property
    def pooled(self) -> Float64Array:
        """The weight of the mean of all in each effect: 0 leaves it alone, 1 makes all the same."""
        var = self.estimates.own.reshape(-1, 1, 1) ** 2
        result: Float64Array = (var / (var + self._variance)).mean(axis=(1, 2))
        return result

    @cached_property
    def _law(self) -> DrawnLaw:
        given, mu = self.estimates, self.draws("mu")
        if not given.shared:
            return DrawnLaw(*conditional(given, mu, self._variance), given.scale)
        mu = mu + self.draws("control_error")
        centres, spreads = conditional(given, mu, self._variance)
        error, about = shared_error(given, self.prior, mu)
        return DrawnLaw(centres - error, np.sqrt(spreads**2 + about), given.scale)

    def _effect(self, at: int) -> Effect:
        if self.estimates.counts is not None:
            return self._draws_effect(at)
        return PosteriorEffect(self._law.rows([at]), None, math.nan, math.nan, self.estimates.scale)

    def _draws_effect(self, at: int) -> DrawsEffect:
        return DrawsEffect(self.draws("effect")[..., at], scale=self.estimates.scale)

    def _of_draws(self, draws: Float64Array) -> TestResult:
        return tested(METHOD, DrawsEffect(draws, scale=self.estimates.scale), "two-sided", 0.0, None)

    def _of_law(self, law: DrawnLaw) -> TestResult:
        effect = PosteriorEffect(law, None, math.nan, math.nan, self.estimates.scale)
        return tested(METHOD, effect, "two-sided", 0.0, None)

    def __str__(self) -> str:
        head = f"{len(self.names)} effects ({self.estimates.scale}), partially pooled: {super().__str__()}"
        if not self.ok:
            return head
        tau = self.draws("tau")
        low, high = np.quantile(tau, (0.025, 0.975))
        mean = self.overall
        ends = mean.interval(0.95)
        return (
            f"{head}\nmean of all {mean.estimate:.4g} [{ends.low:.4g}, {ends.high:.4g}], "  # type: ignore[union-attr]
            f"their sd {tau.mean():.4g} [{low:.4g}, {high:.4g}] (95%)"
        )

    __repr__ = __str__
