"""Bayesian comparison of variants from their sufficient statistics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

import numpy as np

from abkit import _check
from abkit.bayes._comparison import Comparison
from abkit.bayes._difference import PairLaw
from abkit.bayes._law import Law
from abkit.bayes._models import Model, conjugate
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
    model = conjugate(variants, prior, sd)
    law, share = _laws(model, scale)
    undefined = model.undefined[1:] | model.undefined[:1]
    return Comparison(
        model.method,
        model.words,
        scale,
        direction,
        null,
        alternative,
        names,
        variants,
        model.prior,
        model.arms,
        law,
        share,
        np.asarray(model.arms.mean),
        undefined[0] if alone else undefined,
        model.reason,
    )


def _laws(model: Model, scale: Scale) -> tuple[Law, Law | None]:
    arms, shape = model.arms, model.undefined[1:].shape
    control = arms.take(lambda a: np.broadcast_to(a[:1], shape).ravel())
    treatment = arms.take(lambda a: np.broadcast_to(a, model.undefined.shape)[1:].ravel())
    of_ratio = isinstance(arms, (Beta, Gamma))
    share: Law = (
        ShareLaw(PairLaw(control, treatment, "log ratio")) if of_ratio else PairLaw(control, treatment, "relative")
    )
    return (share if scale == "relative" else PairLaw(control, treatment, scale)), share


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
    return ("control", *named), (control, *named.values()), not isinstance(treatment, (Mapping, list, tuple))
