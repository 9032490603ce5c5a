"""The least that any policy must lose."""

from __future__ import annotations

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.bandits._divergence import checked_family, kl


def lai_robbins(means: object, family: str = "bernoulli", sd: float = 1.0) -> float:
    """The constant C of Lai and Robbins: no good policy has a regret that grows slower than C ln t.

    Answers: how hard is a problem, and how near the limit is a policy?

    Parameters
    ----------
    means : float array, shape (arms,)
        The true mean reward of each arm.
    family : {"bernoulli", "gaussian", "poisson", "exponential"}
        The distribution of rewards.
    sd : float
        The standard deviation of gaussian rewards, above 0; other families do not read it.

    Returns
    -------
    float
        0 where all means are equal, or where the best arm gives rewards that another arm cannot give.

    Raises
    ------
    ValueError
        A mean that the family cannot have, or an unknown family.

    Notes
    -----
    C is the sum of gap / kl(mean, best mean) over the arms that are not best [1]_. It is a limit of the slope for
    large t and for policies that do well on every problem: at 10,000 rewards a regret below C ln t is common, so
    compare the slope between two late times, not the regret.

    References
    ----------
    .. [1] Lai and Robbins 1985, Advances in Applied Mathematics 6, thm 1.

    Examples
    --------
    >>> import abkit as ab
    >>> round(ab.bandits.lai_robbins([0.9, 0.8]), 4)
    2.2521
    """
    known = _checked_means(means, checked_family(family))
    best = known.max()
    worse = known[known < best]
    with np.errstate(divide="ignore", over="ignore"):
        return float(np.sum((best - worse) / kl(family, worse, best, _check.within("sd", sd, 0, np.inf))))


def _checked_means(means: object, family: str) -> Float64Array:
    known = _check.observations("means", means)
    if not known.size:
        raise ValueError("`means` must have at least one arm; got none.")
    low, high = float(known.min()), float(known.max())
    if family == "bernoulli" and not (low >= 0 and high <= 1):
        raise ValueError(f"`means` must be from 0 to 1 in the family bernoulli; got {low if low < 0 else high:g}.")
    if family == "poisson" and not low >= 0:
        raise ValueError(f"`means` must be at least 0 in the family poisson; got {low:g}.")
    if family == "exponential" and not low > 0:
        raise ValueError(f"`means` must be above 0 in the family exponential; got {low:g}.")
    return known
