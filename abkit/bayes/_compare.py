"""Bayesian comparison of variants from their sufficient statistics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np

from abkit import _check
from abkit.bayes._comparison import Comparison
from abkit.bayes._difference import centre, natural_scale, pair_law
from abkit.bayes._law import Law
from abkit.bayes._models import Model, conjugate, normal_estimates, on_scale
from abkit.bayes._prior_law import ContrastLaw, EffectLaw
from abkit.bayes._share import ShareLaw
from abkit.posterior._beta import Beta
from abkit.posterior._gamma import Gamma
from abkit.suffstats import CoMoments, Counts, Events, Moments
from abkit.types import ALTERNATIVES, DIRECTIONS, Alternative, Direction, Null, Relative

Scale = Literal["difference", "relative", "log odds", "log ratio"]
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

    Examples
    --------
    >>> from abkit import Counts
    >>> from abkit.bayes import compare
    >>> result = compare(Counts(1000, 100), Counts(1000, 130))
    >>> round(result.probability_better, 4)
    0.9822
    """
    _check.choice("scale", scale, SCALES)
    _check.choice("direction", direction, DIRECTIONS)
    _check.choice("alternative", alternative, ALTERNATIVES)
    null = null if isinstance(null, Relative) else _check.number("null", null)
    names, variants, alone = _variants(control, treatment)
    if sd is not None and (not isinstance(control, Moments) or hasattr(prior, "posterior")):
        raise ValueError("`sd` is for Moments without a prior of the effect; leave it out.")
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
    shares: dict[str, Law | None] = {"relative": law, "log ratio": ShareLaw(law), "log odds": None}
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
        named = {str(name): value for name, value in treatment.items()}
    elif isinstance(treatment, (list, tuple)):
        named = {f"treatment {k}": value for k, value in enumerate(treatment, 1)}
    else:
        named = {"treatment": treatment}
    if not named:
        raise ValueError("`treatment` must hold at least one variant; got none.")
    if not isinstance(control, CLASSES):
        listed = ", ".join(kind.__name__ for kind in CLASSES)
        raise TypeError(f"`control` must be one of {listed}; got {_check.show(control)}.")
    for name, value in named.items():
        if type(value) is not type(control):
            raise TypeError(f"`{name}` must be {type(control).__name__}, as the control is; got {_check.show(value)}.")
    try:
        np.broadcast_shapes(*(_shape(value) for value in (control, *named.values())))
    except ValueError:
        shapes = ", ".join(str(_shape(value)) for value in named.values())
        raise ValueError(f"`treatment` must have shape {_shape(control)}, as the control has; got {shapes}.") from None
    return ("control", *named), (control, *named.values()), not isinstance(treatment, (Mapping, list, tuple))


def _shape(statistics: Any) -> tuple[int, ...]:
    return np.shape(statistics.events if isinstance(statistics, Events) else statistics.n)
