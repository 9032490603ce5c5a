"""Conjugate posteriors, and which of several is largest: what Bayesian tests and Thompson sampling share."""

from typing import TYPE_CHECKING

from abkit._lazy import attach

if TYPE_CHECKING:
    from abkit.posterior._best import expected_loss as expected_loss
    from abkit.posterior._best import probability_best as probability_best
    from abkit.posterior._best import probability_within as probability_within
    from abkit.posterior._best import value_remaining as value_remaining
    from abkit.posterior._beta import Beta as Beta
    from abkit.posterior._gamma import Gamma as Gamma
    from abkit.posterior._normal import Normal as Normal
    from abkit.posterior._normal import NormalInverseGamma as NormalInverseGamma
    from abkit.posterior._normal import Student as Student
    from abkit.posterior._posterior import Posterior as Posterior

_HOMES = {
    "abkit.posterior._best": ("expected_loss", "probability_best", "probability_within", "value_remaining"),
    "abkit.posterior._beta": ("Beta",),
    "abkit.posterior._gamma": ("Gamma",),
    "abkit.posterior._normal": ("Normal", "NormalInverseGamma", "Student"),
    "abkit.posterior._posterior": ("Posterior",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)  # noqa: PLE0605 - the names are text
__getattr__ = attach(__name__, _HOME_OF)
