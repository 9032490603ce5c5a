"""Bayesian answers: closed forms and quadrature from sufficient statistics, and hierarchical models in PyMC."""

from typing import TYPE_CHECKING

from abkit._lazy import attach

if TYPE_CHECKING:
    from abkit.bayes._compare import compare as compare
    from abkit.bayes._comparison import Comparison as Comparison
    from abkit.bayes._effect import PosteriorEffect as PosteriorEffect
    from abkit.bayes._effect_posterior import EffectPosterior as EffectPosterior
    from abkit.bayes._effect_priors import MixturePrior as MixturePrior
    from abkit.bayes._effect_priors import NormalPrior as NormalPrior
    from abkit.bayes._effect_priors import StudentPrior as StudentPrior
    from abkit.bayes._history import EffectHistory as EffectHistory
    from abkit.bayes._history import fit_effects as fit_effects
    from abkit.bayes._launched import LaunchedTotal as LaunchedTotal
    from abkit.bayes._launched import launched_total as launched_total
    from abkit.bayes._predictive import predictive_probability as predictive_probability
    from abkit.bayes._priors import BetaPrior as BetaPrior
    from abkit.bayes._priors import GammaPrior as GammaPrior
    from abkit.bayes._priors import MeanPrior as MeanPrior
    from abkit.bayes._priors import NormalInverseGammaPrior as NormalInverseGammaPrior
    from abkit.bayes._shrink import SelectedEffect as SelectedEffect
    from abkit.bayes._shrink import after_selection as after_selection
    from abkit.bayes._shrink import best_of_several as best_of_several
    from abkit.bayes._shrink import shrunk as shrunk
    from abkit.mcmc._before_after import BeforeAfterFit as BeforeAfterFit
    from abkit.mcmc._before_after import before_after as before_after
    from abkit.mcmc._fit import Fit as Fit
    from abkit.mcmc._hierarchical import hierarchical as hierarchical
    from abkit.mcmc._hierarchical_fit import HierarchicalFit as HierarchicalFit
    from abkit.mcmc._hierarchical_prior import HierarchicalPrior as HierarchicalPrior
    from abkit.mcmc._predictive_check import PredictiveCheck as PredictiveCheck
    from abkit.mcmc._revenue import RevenueFit as RevenueFit
    from abkit.mcmc._revenue import revenue as revenue

_HOMES: dict[str, tuple[str, ...]] = {
    "abkit.bayes._compare": ("compare",),
    "abkit.bayes._comparison": ("Comparison",),
    "abkit.bayes._effect": ("PosteriorEffect",),
    "abkit.bayes._effect_posterior": ("EffectPosterior",),
    "abkit.bayes._effect_priors": ("MixturePrior", "NormalPrior", "StudentPrior"),
    "abkit.bayes._history": ("EffectHistory", "fit_effects"),
    "abkit.bayes._predictive": ("predictive_probability",),
    "abkit.bayes._priors": (
        "BetaPrior",
        "GammaPrior",
        "MeanPrior",
        "NormalInverseGammaPrior",
    ),
    "abkit.bayes._launched": ("LaunchedTotal", "launched_total"),
    "abkit.bayes._shrink": ("SelectedEffect", "after_selection", "best_of_several", "shrunk"),
    "abkit.mcmc._before_after": ("BeforeAfterFit", "before_after"),
    "abkit.mcmc._revenue": ("RevenueFit", "revenue"),
    "abkit.mcmc._fit": ("Fit",),
    "abkit.mcmc._hierarchical": ("hierarchical",),
    "abkit.mcmc._hierarchical_fit": ("HierarchicalFit",),
    "abkit.mcmc._hierarchical_prior": ("HierarchicalPrior",),
    "abkit.mcmc._predictive_check": ("PredictiveCheck",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)  # noqa: PLE0605 - the names are text
__getattr__ = attach(__name__, _HOME_OF)


def __dir__() -> list[str]:
    return __all__
