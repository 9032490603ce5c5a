"""The posterior of two proportions, from counts and uniform priors."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from abkit.bayes._difference import PairLaw
from abkit.bayes._effect import PosteriorEffect
from abkit.bayes._law import Law
from abkit.bayes._share import ShareLaw
from abkit.posterior import Beta
from abkit.types import Null, Relative

if TYPE_CHECKING:
    from abkit.suffstats import Counts


#: With fewer events the uniform prior weighs more than a tenth of them.
FEW = 10


@dataclass(frozen=True, slots=True, eq=False)
class CountsEffect(PosteriorEffect):
    """The posterior of a difference of proportions, what is lost by either verdict, and what the prior adds.

    `fewest` is the smallest number of events, or of units without one, in a variant, and `observed` are both rates.
    """

    fewest: int = FEW
    observed: tuple[float, float] = (math.nan, math.nan)

    @property
    def caution(self) -> str | None:  # type: ignore[override]
        """Where the prior is worth as much as what was seen."""
        few = few_of(self.fewest)
        return few and (
            f"{few}; the uniform prior, which adds one of each kind to each variant, has a share in the posterior, and "
            "in variants of unequal size makes events look more frequent in the smaller one; a verdict therefore also "
            "asks that the rates as they were seen differ its way"
        )

    def observed_beyond(self, null: Null, way: float) -> bool:
        """Whether the rates as they were seen differ this way from a null: else the prior alone has made them."""
        control, treatment = self.observed
        bar = (1 + null.value) * control if isinstance(null, Relative) else control + null
        return way * (treatment - bar) > 0

    def expected_loss(self, null: Null, way: float) -> float:
        """E max(null - D, 0), or E max(D - null, 0) where `way` is -1.

        E[C; D < null] is the mean of C times P(D < null) under the beta with one success more (Johnson, Kotz and
        Balakrishnan 1995, Continuous Univariate Distributions 2, sec. 25.2), and likewise for T.
        """
        both: Any = self.law
        c, t = both.control, both.treatment
        # of the control with one success more, and of the treatment with one
        law = _law(_joined(_more(c), c), _joined(t, _more(t)), relative=isinstance(null, Relative))
        of_c, of_t = law.look(np.full(2, null.value if isinstance(null, Relative) else null))[0 if way > 0 else 1]
        if isinstance(null, Relative):
            gap = (1 + null.value) * self.control * of_c - self.treatment * of_t
        else:
            plain = self.pvalue(null, "greater" if way > 0 else "less")
            gap = self.control * of_c + null * plain - self.treatment * of_t
        return max(float(way * gap), 0.0)

    def _tails(self, null: Null) -> tuple[float, float]:
        return _known_tails(self, null)


@lru_cache(maxsize=64)
def _known_tails(effect: CountsEffect, null: Null) -> tuple[float, float]:
    """Asked for several times in a decision, and an integral each."""
    return PosteriorEffect._tails(effect, null)  # noqa: SLF001


def posterior_of_counts(control: Counts, treatment: Counts) -> CountsEffect:
    """Treatment minus control, each with a uniform prior."""
    both = (control, treatment)
    c, t = (_uniform(counts) for counts in both)
    rate_c, rate_t = (int(counts.successes) / int(counts.n) for counts in both)
    return CountsEffect(
        _law(c, t, relative=False),
        _law(c, t, relative=True),
        control=float(c.mean[0]),
        treatment=float(t.mean[0]),
        fewest=fewest(both),
        observed=(rate_c, rate_t),
    )


def fewest(both: tuple[Counts, Counts]) -> int:
    """The smallest number of units of one kind in a variant."""
    return min(min(int(counts.successes), int(counts.n - counts.successes)) for counts in both)


def few_of(units: int) -> str | None:
    """That there are few units of the rarer kind, where that is so."""
    if units >= FEW:
        return None
    return f"a variant has {units or 'no'} unit{'s' * (units != 1)} of the rarer kind"


def _uniform(counts: Counts) -> Beta:
    successes, n = int(counts.successes), int(counts.n)
    return Beta(np.array([successes + 1.0]), np.array([n - successes + 1.0]))


def _more(posterior: Beta) -> Beta:
    """With one success more."""
    return Beta(posterior.a + 1, posterior.b)


def _joined(one: Beta, other: Beta) -> Beta:
    return Beta(np.concatenate([one.a, other.a]), np.concatenate([one.b, other.b]))


def _law(control: Beta, treatment: Beta, *, relative: bool) -> Law:
    return ShareLaw(PairLaw(control, treatment, "log ratio")) if relative else PairLaw(control, treatment, "difference")
