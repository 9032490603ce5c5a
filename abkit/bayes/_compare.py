"""Bayesian comparison of variants from their sufficient statistics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np

from abkit import _check
from abkit.bayes._comparison import Comparison
from abkit.bayes._difference import centre, natural_scale, pair_law
from abkit.bayes._history import effect_prior
from abkit.bayes._law import Law
from abkit.bayes._models import Model, conjugate, normal_estimates, on_scale
from abkit.bayes._prior_law import ContrastLaw, EffectLaw
from abkit.bayes._share import ShareLaw
from abkit.posterior._beta import Beta
from abkit.posterior._gamma import Gamma
from abkit.suffstats import CoMoments, Counts, Events, Moments
from abkit.types import ALTERNATIVES, DIRECTIONS, Alternative, Direction, Null, Relative

Scale = Literal["difference", "relative", "log odds ratio", "log ratio"]
SCALES: tuple[Scale, ...] = get_args(Scale)
CLASSES = (Counts, Moments, Events, CoMoments)


def compare(  # noqa: PLR0913 - what a comparison depends on
    control: Counts | Moments | Events | CoMoments,
    treatment: Any,
    *,
    prior: Any = None,
    scale: Scale = "difference",
    null: Null = 0.0,
    alternative: Alternative = "two-sided",
    direction: Direction = "increase",
    sd: float | None = None,
) -> Comparison:
    """Posterior of the effect of treatment against control.

    Answers: how probable is it that the treatment is better, by how much, and what does it cost to be wrong?

    Parameters
    ----------
    control : Counts, Moments, Events or CoMoments
        Sufficient statistics of the control, of one experiment or of arrays of them. Their class says the model:
        `Counts` beta-binomial, `Moments` a mean, `Events` gamma-Poisson, `CoMoments` of two columns their ratio.
    treatment : the same class, or a sequence or mapping of them
        One treatment, or several, by name in a mapping.
    prior : BetaPrior, GammaPrior, NormalInverseGammaPrior, MeanPrior, or a prior of the effect
        Of each variant's own value, or of the effect on the `scale` (`NormalPrior`, `StudentPrior`, `MixturePrior`, or
        the `EffectHistory` that says it).
        None: uniform shares, rates worth half an event, the reference prior of means, flat ratios; the result says it.
    scale : {"difference", "relative", "log odds ratio", "log ratio"}
        What the effect is: treatment minus control, that over the control's size, or of shares the difference of the
        log odds, of shares and rates the logarithm of their ratio. Losses are differences whatever the scale.
    null : float or Relative
        The effect that counts as none, in the unit of the scale, or as a share of the control.
    alternative : {"two-sided", "greater", "less"}
        What the p-value of `test()` is against.
    direction : {"increase", "decrease"}
        Which values are better: the larger, or the smaller.
    sd : float
        Of `Moments`: the standard deviation of the units, where it is known.

    Returns
    -------
    Comparison
        Where the data leave a posterior open, numbers are nan and `reason` says why.

    Raises
    ------
    ValueError
        Shapes that do not fit each other, no treatment, or a scale that the model has not.
    TypeError
        Statistics of different classes, or a prior that does not belong to theirs.

    Notes
    -----
    Shares have beta posteriors, rates gamma, means Student's [1]_ (normal with a known `sd`), ratios normal ones.
    Probabilities and losses are closed forms or integrals, never draws: of two shares by a contour integral or
    sums over a line that both densities fall along, of two means by sinc integration [2]_, else by Gauss-Legendre
    panels, which hold ten digits down to 1e-300.

    Units must be independent; means and ratios must be nearly normal. A posterior bounds no error rate under repeated
    looks.

    References
    ----------
    .. [1] Gelman et al. 2013, Bayesian Data Analysis, 3rd ed., eq. 2.16, 2.17, 3.5 and 3.6.
    .. [2] Stenger 1993, Numerical Methods Based on Sinc and Analytic Functions, sec. 3.6.

    Examples
    --------
    >>> from abkit import Counts
    >>> from abkit.bayes import compare
    >>> result = compare(Counts(1000, 100), Counts(1000, 130))
    >>> print(result)
    beta-binomial: difference 0.02994 (95% credible 0.002009 to 0.05798)
    P(treatment better) = 0.9822; expected loss of treatment 9.24e-05, of control 0.03
    prior: uniform on each share, beta(1, 1): worth 2 units of which one succeeds
    >>> low, high = result.relative(0.9)
    >>> round(low, 3), round(high, 3)
    (0.058, 0.596)
    """
    _check.choice("scale", scale, SCALES)
    _check.choice("direction", direction, DIRECTIONS)
    _check.choice("alternative", alternative, ALTERNATIVES)
    null = null if isinstance(null, Relative) else _check.number("null", null)
    names, variants, alone = _variants(control, treatment)
    prior = effect_prior(prior, scale)
    if sd is not None and (not isinstance(control, Moments) or hasattr(prior, "posterior")):
        raise ValueError("`sd` is for Moments without a prior of the effect; leave it out.")
    if isinstance(prior, type):
        raise TypeError(f"`prior` must be a prior, not its class; got {_check.show(prior)}.")
    if hasattr(prior, "posterior"):
        found = of_effects(variants, prior, scale)
    else:
        found = of_variants(conjugate(variants, prior, sd), scale)
    return Comparison(
        **found,
        scale=scale,
        direction=direction,
        null=null,
        alternative=alternative,
        names=names,
        statistics=variants,
        alone=alone,
    )


def of_variants(model: Model, scale: Scale) -> dict[str, Any]:
    """What a comparison holds where each variant's value has a posterior of its own."""
    arms = model.arms
    ratio = "log ratio" if isinstance(arms, (Beta, Gamma)) else "relative"
    if scale not in ("difference", "relative", ratio, natural_scale(arms)):
        raise ValueError(
            f"`scale` must not be {scale!r} for a {model.method} model; choose 'difference' or 'relative'."
        )
    pair = pair_law(arms, ratio)
    share: Law = ShareLaw(pair) if ratio == "log ratio" else pair
    return {
        "method": model.method,
        "prior": model.words,
        "prior_used": model.prior,
        "arms": arms,
        "law": share if scale == "relative" else pair_law(arms, scale),
        "share": share,
        "means": centre(arms),
        "lost": model.undefined,
        "undefined": model.undefined[1:] | model.undefined[:1],
        "why": model.reason,
    }


def of_effects(variants: Sequence[Any], prior: Any, scale: Scale) -> dict[str, Any]:
    """What a comparison holds where the prior is of the effect."""
    value, variance, lost = normal_estimates(variants)
    estimate, spread, undefined = on_scale(type(variants[0]), scale, value, variance, lost)
    undefined = undefined | ~(spread > 0)
    estimate, stderr = np.where(undefined, 0.0, estimate), np.sqrt(np.where(undefined, 1.0, spread))
    posterior = prior.posterior(estimate.ravel(), stderr.ravel())
    law = EffectLaw(posterior, scale)
    shares: dict[str, Law | None] = {"relative": law, "log ratio": ShareLaw(law), "log odds ratio": None}
    if scale == "difference":
        control, of_control = (np.broadcast_to(array[:1], estimate.shape).ravel() for array in (value, variance))
        shares["difference"] = ContrastLaw(posterior, np.where(control == 0, np.nan, control), of_control)
    return {
        "method": "normal estimate",
        "prior": prior.describe(),
        "prior_used": prior,
        "arms": None,
        "law": law,
        "share": shares[scale],
        "means": value,
        "lost": lost,
        "undefined": undefined,
        "why": f"a variant has too few units, or no variance, for an estimate of the {scale} and its standard error",
    }


def _variants(control: Any, treatment: Any) -> tuple[tuple[str, ...], tuple[Any, ...], bool]:
    """Names and statistics of all variants, control first, and whether one treatment was given by itself."""
    if isinstance(treatment, Mapping):
        named = dict(treatment)
    elif isinstance(treatment, (list, tuple)):
        named = {f"treatment {k}": value for k, value in enumerate(treatment, 1)}
    else:
        named = {"treatment": treatment}
    if not named:
        raise ValueError("`treatment` must hold at least one variant; got none.")
    odd = [name for name in named if not isinstance(name, str) or name == "control"]
    if odd:
        raise ValueError(f"`treatment` must have text for names, other than 'control'; got {_check.show(odd[0])}.")
    if not isinstance(control, CLASSES):
        listed = ", ".join(kind.__name__ for kind in CLASSES)
        raise TypeError(f"`control` must be one of {listed}; got {_check.show(control)}.")
    for name, value in named.items():
        if type(value) is not type(control):
            raise TypeError(f"`{name}` must be {type(control).__name__}, as the control is; got {_check.show(value)}.")
    _alike([control, *named.values()])
    return ("control", *named), (control, *named.values()), not isinstance(treatment, (Mapping, list, tuple))


def _alike(variants: Sequence[Any]) -> None:
    """Refuse columns or shapes that do not fit each other."""
    columns = [value.names for value in variants if isinstance(value, CoMoments)]
    if columns and (len(set(columns)) > 1 or len(columns[0]) != len(("numerator", "denominator"))):
        shown = " and ".join(str(names) for names in sorted(set(columns)))
        raise ValueError(f"`control` and `treatment` must have the same two columns for a ratio; got {shown}.")
    try:
        np.broadcast_shapes(*map(_shape, variants))
    except ValueError:
        shapes = ", ".join(str(_shape(value)) for value in variants[1:])
        own = _shape(variants[0])
        raise ValueError(f"`treatment` must have shape {own}, as the control has; got {shapes}.") from None


def _shape(statistics: Any) -> tuple[int, ...]:
    return np.shape(statistics.events if isinstance(statistics, Events) else statistics.n)
