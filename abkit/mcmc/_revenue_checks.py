"""Posterior predictive checks of revenue: what the model would have drawn in place of what was seen.

An order statistic of n draws from a distribution with quantile function Q is Q(U), U a beta variate: so the replicated
quantiles and the largest payment of any number of payers cost one draw each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from abkit._check import Float64Array
from abkit.mcmc._revenue_data import Spend, Tail
from abkit.mcmc._revenue_models import VARIANTS, pareto_quantile

QUANTILES = (0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999)
REPLICATES = 20_000
#: The chance that a model which is right fails any of its checks is about this, or less.
ALPHA = 0.01


@dataclass(frozen=True, slots=True)
class Predicted:
    """One number of the data beside what the model predicts of it: its central 95% and a two-sided p-value."""

    what: str
    variant: str
    observed: float
    low: float
    high: float
    pvalue: float

    def __str__(self) -> str:
        return (
            f"{self.what} of the {self.variant} is {self.observed:.6g}, where the model predicts {self.low:.6g} to "
            f"{self.high:.6g} (p = {self.pvalue:.2g})"
        )


Posterior = dict[str, Float64Array]


def lognormal_checks(spends: tuple[Spend, Spend], draws: Posterior, rng: np.random.Generator) -> list[Predicted]:
    """Shares of payers, and quantiles of what payers spend; draws have the shape (draws, 2)."""
    chosen = _replicates(draws, rng)
    found = []
    for i, (variant, spend) in enumerate(zip(VARIANTS, spends, strict=True)):
        log_mean, log_sd = chosen["log_mean"][:, i], chosen["log_sd"][:, i]
        found.append(_share(variant, spend, chosen["share"][:, i], rng))
        for what, observed, upper in _order_statistics(spend.paid, rng):
            predicted = np.exp(log_mean - log_sd * ndtri(upper))
            found.append(_predicted(f"the {what} payment", variant, observed, predicted))
    return found


def pareto_checks(
    spends: tuple[Spend, Spend], tails: tuple[Tail, Tail], draws: Posterior, rng: np.random.Generator
) -> list[Predicted]:
    """Shares of payers, and quantiles of what lies over the threshold: of what lies below no shape is assumed."""
    chosen = _replicates(draws, rng)
    found = []
    for i, (variant, spend, tail) in enumerate(zip(VARIANTS, spends, tails, strict=True)):
        index, scale = chosen["tail_index"][:, i], chosen["tail_scale"][:, i] * tail.threshold
        found.append(_share(variant, spend, chosen["share"][:, i], rng))
        for what, observed, upper in _order_statistics(tail.excess, rng):
            predicted = tail.threshold + pareto_quantile(-np.log(upper), index, scale)
            whole = f"the {what} payment above {tail.threshold:.6g}"
            found.append(_predicted(whole, variant, tail.threshold + observed, predicted))
    return found


def failures(checks: Sequence[Predicted]) -> list[Predicted]:
    """The checks that a right model would hardly fail, the worst first."""
    failed = [check for check in checks if check.pvalue < ALPHA / len(checks)]
    return sorted(failed, key=lambda check: check.pvalue)


def _replicates(draws: Posterior, rng: np.random.Generator) -> Posterior:
    count = next(iter(draws.values())).shape[0]
    rows = rng.integers(count, size=REPLICATES)
    return {name: values[rows] for name, values in draws.items()}


def _share(variant: str, spend: Spend, share: Float64Array, rng: np.random.Generator) -> Predicted:
    zeros = 1 - rng.binomial(spend.units, share) / spend.units
    return _predicted("the share of zeros", variant, 1 - spend.payers / spend.units, zeros)


def _order_statistics(ordered: Float64Array, rng: np.random.Generator) -> Iterator[tuple[str, float, Float64Array]]:
    """Name, value, and draws of the probability above, of the quantiles that so many values have, and the largest."""
    n = ordered.size
    ranks = {int(np.ceil(q * n)): f"{100 * q:g}% quantile" for q in QUANTILES if 1 / n <= q <= 1 - 1 / n}
    for rank, what in {**ranks, n: "largest"}.items():
        yield what, float(ordered[rank - 1]), rng.beta(n - rank + 1, rank, REPLICATES)


def _predicted(what: str, variant: str, observed: float, replicated: Float64Array) -> Predicted:
    low, high = np.quantile(replicated, [0.025, 0.975])
    return Predicted(what, variant, observed, float(low), float(high), two_sided(observed, replicated))


def two_sided(observed: float, replicated: Float64Array) -> float:
    """Twice the smaller share of replicates on either side; those that are equal count for half."""
    above, equal = np.count_nonzero(replicated > observed), np.count_nonzero(replicated == observed)
    upper = (above + 0.5 * equal + 0.5) / (replicated.size + 1)
    return float(2 * min(upper, 1 - upper))
