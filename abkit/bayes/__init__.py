"""Bayesian answers: closed forms and quadrature from sufficient statistics, and hierarchical models in PyMC."""

from typing import TYPE_CHECKING

from abkit._lazy import attach

if TYPE_CHECKING:
    pass

_HOMES: dict[str, tuple[str, ...]] = {}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)  # noqa: PLE0605 - the names are text
__getattr__ = attach(__name__, _HOME_OF)
