"""The posterior of an effect that is near enough to normal, under a prior on the difference."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from abkit import _tails
from abkit.bayes._effect_posterior import EffectPosterior
from abkit.bayes._effect_priors import MixturePrior, NormalPrior, StudentPrior
from abkit.evidence import Effect
from abkit.sequential._mixed_effect import MixedEffect
from abkit.sequential._monitored import MonitoredEffect

if TYPE_CHECKING:
    from abkit.suffstats import Counts

Prior = NormalPrior | StudentPrior | MixturePrior
#: In the place of when an error rate holds: the likelihood is taken to be normal, or Student's t.
NORMAL_POSTERIOR = "posterior of a normal estimate"


@dataclass(frozen=True, slots=True)
class Credible:
    """The tails of the posterior as they are; `reason` is a caution."""

    reason: str | None = None
    validity: str = NORMAL_POSTERIOR

    def tail(self, deviate: float) -> float:
        """What lies beyond a deviate."""
        return _tails.survival(deviate, math.inf)

    def critical(self, tail: float) -> float:
        """The deviate beyond which this much lies."""
        return _tails.critical(tail, math.inf) if tail > 0 else math.inf


@dataclass(frozen=True, slots=True)
class Believed(MonitoredEffect):
    """A posterior, with the effect that the data alone showed."""

    likelihood: Effect

    @property
    def df(self) -> float:
        """Infinite under a prior; under a flat one those of the effect."""
        return self.effect.df


def updated(effect: Any, prior: Prior, *, relative: bool) -> Any:
    """The posterior of two means with a flat prior on the control and this one on the difference.

    `relative`: the prior's numbers are shares of the size of the control's mean, for which its estimate stands.
    """
    if not hasattr(effect, "var_control"):
        raise ValueError(f"`prior` must be left out: this metric's {effect.scale} is not one of two means")
    unit = abs(effect.control) if relative else 1.0
    if not unit > 0:
        raise ValueError("`prior` must be in the metric's unit: it is a share of the control's mean, which is 0")
    if not effect.variance > 0:
        return effect  # undefined, and says so
    if isinstance(prior, NormalPrior):
        return moved(effect, prior.mean * unit, prior.sd * unit)
    return _mixed(effect, prior.posterior(effect.estimate / unit, effect.stderr / unit), unit)


def _mixed(effect: Any, parts: EffectPosterior, unit: float) -> MixedEffect:
    """A component each of the prior, weighted by how well it predicted the estimate."""
    spread = np.hypot(parts.sds, parts.stderr)
    log = parts.log_weights - 0.5 * ((parts.estimate - parts.means) / spread) ** 2 - np.log(spread)
    weights = np.exp(log - log.max())
    kinds = list(zip((parts.means * unit).tolist(), (parts.sds * unit).tolist(), strict=True))
    return MixedEffect(
        tuple(moved(effect, mean, sd) for mean, sd in kinds),
        tuple((weights / weights.sum()).tolist()),
        tuple(None if sd else mean for mean, sd in kinds),
    )


def moved(effect: Any, mean: float, sd: float) -> Any:
    """The same under the normal prior N(mean, sd^2) on the difference: normal again.

    Control and treatment move along with the difference by what each tells of it, their covariance with it over its
    variance.
    """
    error = effect.variance
    lost = error / (sd * sd + error)
    lead_c, lead_t = (
        (effect.covariance - effect.var_control) / error,
        (effect.var_treatment - effect.covariance) / error,
    )
    step = lost * (mean - effect.estimate)
    return replace(
        effect,
        control=effect.control + lead_c * step,
        treatment=effect.treatment + lead_t * step,
        var_control=max(effect.var_control - lead_c * lead_c * lost * error, 0.0),
        var_treatment=max(effect.var_treatment - lead_t * lead_t * lost * error, 0.0),
        covariance=effect.covariance - lead_c * lead_t * lost * error,
        df=math.inf,
    )


def near_normal(effect: Any, counts: tuple[Counts, Counts]) -> Any:
    """Two counts as two means: those of their posteriors under uniform priors, with the variances of these.

    None of them is zero, however rare the event.
    """
    (c, var_c), (t, var_t) = (_uniform(int(one.successes), int(one.n)) for one in counts)
    return replace(effect.unpooled, control=c, treatment=t, var_control=var_c, var_treatment=var_t)


def _uniform(successes: int, n: int) -> tuple[float, float]:
    share, rest = (successes + 1) / (n + 2), (n - successes + 1) / (n + 2)
    return share, share * rest / (n + 3)
