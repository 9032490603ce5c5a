"""The posterior of two proportions, from counts and uniform priors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from abkit.bayes._difference import PairLaw
from abkit.bayes._effect import PosteriorEffect
from abkit.bayes._share import ShareLaw
from abkit.posterior import Beta
from abkit.types import Null, Relative

if TYPE_CHECKING:
    from abkit.suffstats import Counts


@dataclass(frozen=True, slots=True, eq=False)
class CountsEffect(PosteriorEffect):
    """The posterior of a difference of proportions, and what is lost by either verdict."""

    def expected_loss(self, null: Null, way: float) -> float:
        """E max(null - D, 0), or E max(D - null, 0) where `way` is -1.

        E[C; D < null] is the mean of C times P(D < null) under the beta with one success more (Johnson, Kotz and
        Balakrishnan 1995, Continuous Univariate Distributions 2, sec. 25.2), and likewise for T.
        """
        both: Any = self.law
        c, t = both.control, both.treatment
        pairs = (_effect(c, t), _effect(_more(c), t), _effect(c, _more(t)))
        plain, of_c, of_t = (pair.pvalue(null, "greater" if way > 0 else "less") for pair in pairs)
        if isinstance(null, Relative):
            gap = (1 + null.value) * self.control * of_c - self.treatment * of_t
        else:
            gap = self.control * of_c + null * plain - self.treatment * of_t
        return max(way * gap, 0.0)


def posterior_of_counts(control: Counts, treatment: Counts) -> CountsEffect:
    """Treatment minus control, each with a uniform prior."""
    return _effect(*(_uniform(counts) for counts in (control, treatment)))


def _uniform(counts: Counts) -> Beta:
    successes, n = int(counts.successes), int(counts.n)
    return Beta(np.array([successes + 1.0]), np.array([n - successes + 1.0]))


def _more(posterior: Beta) -> Beta:
    """With one success more."""
    return Beta(posterior.a + 1, posterior.b)


def _effect(control: Beta, treatment: Beta) -> CountsEffect:
    law, share = PairLaw(control, treatment, "difference"), ShareLaw(PairLaw(control, treatment, "log ratio"))
    return CountsEffect(law, share, float(control.mean[0]), float(treatment.mean[0]))
