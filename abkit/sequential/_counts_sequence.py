"""Event counts of variants, compared exactly at any allocation and at any time."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import betainc, betaincc, expit, log_expit

from abkit import _check
from abkit._check import Float64Array
from abkit._sets import finite_or_none
from abkit.sequential._cumulative import in_order
from abkit.sequential._dirichlet import log_dirichlet, log_jeffreys
from abkit.sequential._mixture import tuning
from abkit.sequential._sequence import ConfidenceSequence
from abkit.sequential._srm_sequence import variant_counts
from abkit.suffstats import Counts, Events
from abkit.suffstats._base import IntArray
from abkit.types import ALTERNATIVES, Alternative

#: Weight of the prior about the null; the rest is Jeffreys', which bounds ratios after the first events.
CENTRED = 0.9
#: Events at which a sequence is narrowest, unless it is said otherwise.
TUNE_AT = 30
#: No log rate ratio is searched further from the allocation than this.
FURTHEST = 300.0


def conditional_sequence(
    control: object,
    treatment: object,
    *,
    share: float | None = None,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
    tune_at: float = TUNE_AT,
) -> ConfidenceSequence:
    """Log ratio of two event rates, from which variant each event fell in.

    Answers: how many times as often do events happen under treatment, whatever the split and however rare they are?

    Parameters
    ----------
    control, treatment : Counts or Events
        Cumulative: numbers, or arrays of shape (looks,).
    share : float
        The treatment's PLANNED share of the units, or of the exposure, of both; between 0 and 1, the same throughout,
        and never the observed one. `Events` may leave it out where their exposures stand in one ratio at every look.
    alpha : float
        Probability that the ratio is ever left out.
    alternative : {"two-sided", "greater", "less"}
        "greater" bounds the log ratio from below.
    tune_at : float
        Events of both variants at which the sequence is narrowest; at least 1, and fixed before the data.

    Returns
    -------
    ConfidenceSequence
        Of log(treatment's rate / control's); `n` counts events. An end is infinite while nothing bounds it.

    Raises
    ------
    ValueError
        No share, counts that fall from look to look, or numbers of looks that differ.
    TypeError
        Statistics of another kind, or of two kinds.

    Notes
    -----
    Given that an event happens, it is the treatment's with probability theta = w r / (w r + 1 - w), w the share and r
    the ratio. Against r, with x and c events: E = 0.9 B(k theta + x, k (1 - theta) + c) / B(k theta, k (1 - theta)) /
    (theta^x (1 - theta)^c) + 0.1 (the same with the prior (1/2, 1/2)) [1]_; the set is where E < 1 / alpha. One-sided,
    the priors are cut off at theta. k is chosen by `tune_at` as for the normal mixture [2]_.

    Exact for any numbers of events, and under rates that change with time, as long as their ratio and the share do
    not. Units must be assigned at random with the planned share; a mismatch of the sample ratio is an equal error of
    the rate ratio (`srm_sequence`). Events of one unit must be independent: for users with many events each count users
    with an event.

    References
    ----------
    .. [1] Lindon and Malek 2022, NeurIPS 35; arXiv 2011.03567.
    .. [2] Howard, Ramdas, McAuliffe and Sekhon 2021, Annals of Statistics 49(2), sec. 3.5.
    """
    events, planned = _two_arms(control, treatment, share)
    return _sequence(
        events,
        planned,
        _check.within("alpha", alpha, 0, 1),
        _check.choice("alternative", alternative, ALTERNATIVES),
        _check.at_least("tune_at", tune_at, 1),
    )


@dataclass(frozen=True, eq=False, repr=False)
class CountSequence:
    """Event counts of several variants at every look: whether their rates are equal, and by how much any two differ.

    Parameters
    ----------
    variants : tuple
        Names, or positions; the first is the control.
    events : int array, shape (looks, variants)
        Events up to each look.
    shares : float array, shape (variants,)
        Shares of the exposure; they add up to 1.
    alpha : float
        Error of the test of equality, and of each contrast.
    tune_at : float
        Events at which the sequences are narrowest.
    log_evalue : float array, shape (looks,)
        Log of the e-process against equal rates.
    """

    variants: tuple[Any, ...]
    events: IntArray
    shares: Float64Array
    alpha: float
    tune_at: float
    log_evalue: Float64Array

    def log_pvalue(self, *, running: bool = True) -> Float64Array:
        """Log of the p-value of equal rates at each look; `running`: of the smallest so far."""
        log_p = np.minimum(0.0, -self.log_evalue)
        return np.minimum.accumulate(log_p) if running else log_p

    def pvalue(self, *, running: bool = True) -> float:
        """p-value of equal rates after the last look."""
        return math.exp(float(self.log_pvalue(running=running)[-1]))

    def contrast(
        self, treatment: object, control: object = None, *, alternative: Alternative = "two-sided"
    ) -> ConfidenceSequence:
        """Log ratio of two variants' rates at this alpha, which is not divided among contrasts.

        Parameters
        ----------
        treatment, control : hashable
            Names of variants; the control is the first one by default.
        alternative : {"two-sided", "greater", "less"}
            "greater": the treatment's rate is higher.
        """
        names = self.variants[0] if control is None else control, treatment
        first, second = (self.variants.index(_check.choice("variant", name, self.variants)) for name in names)
        if first == second:
            raise ValueError(f"`treatment` must differ from `control`; got {names[0]!r} twice.")
        pair = self.shares[[first, second]]
        share = float(pair[1] / pair.sum())
        _check.choice("alternative", alternative, ALTERNATIVES)
        return _sequence(self.events[:, [first, second]], share, self.alpha, alternative, self.tune_at)

    def __str__(self) -> str:
        events = ", ".join(f"{name} {n:,}" for name, n in zip(self.variants, self.events[-1], strict=True))
        lines = [f"events: {events}; equal rates: p = {self.pvalue():.3g} at any time"]
        for name in self.variants[1:]:
            ratio = self.contrast(name)
            times, low, high = (_times(end) for end in (float(ratio.estimate[-1]), *ratio.interval()))
            lines.append(f"{name}: {times} times the rate of {self.variants[0]}, [{low}, {high}]")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, with the contrasts against the first variant."""
        return {
            "method": "count-sequence",
            "alpha": self.alpha,
            "variants": list(self.variants),
            "events": self.events.tolist(),
            "shares": self.shares.tolist(),
            "log_evalue": [finite_or_none(value) for value in self.log_evalue.tolist()],
            "running_pvalue": np.exp(self.log_pvalue()).tolist(),
            "contrasts": {str(name): self.contrast(name).to_dict() for name in self.variants[1:]},
        }


def _times(log_ratio: float) -> str:
    return "?" if math.isnan(log_ratio) else f"{math.exp(log_ratio) if log_ratio < 700 else math.inf:.4g}"


def count_sequence(
    events: Mapping[Any, Any] | Sequence[Any] | IntArray,
    shares: Mapping[Any, float] | Sequence[float] | None = None,
    *,
    alpha: float = 0.05,
    cumulative: bool = True,
    tune_at: float = TUNE_AT,
) -> CountSequence:
    """Event rates of two or more variants, compared at any number of looks.

    Answers: do events happen equally often in all variants, and if not, how many times as often in one as in another?

    Parameters
    ----------
    events : mapping of variant to int or int array of shape (looks,), or int array of shape (looks, variants)
        Events of each variant up to each look. The first variant is the control.
    shares : mapping of variant to share, or sequence of float, optional
        PLANNED shares of the units, or of the exposure, in any unit, above 0; equal by default. Not the observed ones.
    alpha : float
        Error of the test of equality, and of each contrast, between 0 and 1.
    cumulative : bool
        False: `events` are those of each look alone.
    tune_at : float
        Events of all variants at which the sequences are narrowest; at least 1, and fixed before the data.

    Returns
    -------
    CountSequence
        `pvalue()` of equal rates; `contrast(treatment)` is a `ConfidenceSequence` of a log rate ratio.

    Raises
    ------
    ValueError
        Fewer than two variants, a share that is not above 0, cumulative counts that fall.
    TypeError
        Events that are not whole numbers.

    Notes
    -----
    Given that an event happens, its variant is i with probability w_i r_i / sum of w_j r_j, w the shares and r the
    rates; equal rates are the shares themselves [1]_. Exact for any numbers of events, at any allocation, and under
    rates that change with time for all variants alike. Under ramp-up, where shares change, begin anew at each change.

    References
    ----------
    .. [1] Lindon and Malek 2022, NeurIPS 35; arXiv 2011.03567.

    Examples
    --------
    Crashes of a canary with one user in twenty, day by day:

    >>> import abkit as ab
    >>> crashes = {"stable": [190, 391, 585], "canary": [19, 37, 59]}
    >>> sequence = ab.count_sequence(crashes, {"stable": 95, "canary": 5})
    >>> ratio = sequence.contrast("canary")
    >>> [round(end, 2) for end in ratio.interval()], round(sequence.pvalue(), 4)
    ([0.14, 1.08], 0.0019)
    """
    variants, totals, planned = variant_counts(events, shares, cumulative=cumulative, name="events")
    if len(variants) < 2:
        raise ValueError(f"`events` must be of at least 2 variants; got {len(variants)}.")
    if not np.all(planned > 0):
        raise ValueError("`shares` must be above 0 for every variant.")
    alpha, tune_at = _check.within("alpha", alpha, 0, 1), _check.at_least("tune_at", tune_at, 1)
    log_evalue = _log_mixed(totals.astype(np.float64), planned, np.log(planned), tuning(tune_at, alpha, 2))
    return CountSequence(variants, totals, planned, alpha, tune_at, log_evalue)


def _log_mixed(
    counts: Float64Array, shares: Float64Array, log_shares: Float64Array, concentration: float
) -> Float64Array:
    """Log E of categorical draws against their probabilities."""
    centred = math.log(CENTRED) + log_dirichlet(counts, shares, concentration)
    return np.asarray(np.logaddexp(centred, math.log1p(-CENTRED) + log_jeffreys(counts, log_shares)))


def _sequence(
    events: IntArray, share: float, alpha: float, alternative: Alternative, tune_at: float
) -> ConfidenceSequence:
    """The sequence of the log rate ratio, from events of (control, treatment) at each look."""
    counts, offset = events.astype(np.float64), math.log(share) - math.log1p(-share)
    concentration = tuning(tune_at, alpha, 2 if alternative == "two-sided" else 1)

    def log_evalue(null: Float64Array | float) -> Float64Array:
        return log_conditional(counts, np.asarray(null) + offset, concentration, alternative)

    with np.errstate(divide="ignore", invalid="ignore"):
        estimate = np.log(counts[:, 1]) - np.log(counts[:, 0]) - offset
    best = np.where(np.isnan(estimate), 0.0, estimate)

    def end(direction: int) -> Float64Array:
        return _end(lambda null: log_evalue(null) + math.log(alpha), best, direction * FURTHEST)

    nowhere = np.full(len(counts), math.inf)
    low = -nowhere if alternative == "less" else end(-1)
    high = nowhere if alternative == "greater" else end(1)
    return ConfidenceSequence(
        "conditional", "exact", alpha, alternative, events.sum(axis=1), estimate, low, high, log_evalue
    )


def log_conditional(
    counts: Float64Array, logit: Float64Array, concentration: float, alternative: Alternative
) -> Float64Array:
    """Log E of events of (control, treatment) against the log odds that an event is the treatment's."""
    logit = np.broadcast_to(logit, counts.shape[:-1])
    if alternative == "less":
        return _log_one_sided(counts[..., ::-1], -logit, concentration)
    if alternative == "greater":
        return _log_one_sided(counts, logit, concentration)
    return _log_mixed(counts, _pair(expit, logit), _pair(log_expit, logit), concentration)


def _log_one_sided(counts: Float64Array, logit: Float64Array, concentration: float) -> Float64Array:
    """Log E for a treatment above the null: both priors are cut off at the null."""
    shares = _pair(expit, logit)
    centred = math.log(CENTRED) + log_dirichlet(counts, shares, concentration)
    wide = math.log1p(-CENTRED) + log_jeffreys(counts, _pair(log_expit, logit))
    prior = concentration * shares
    half = np.full_like(prior, 0.5)
    with np.errstate(divide="ignore"):
        centred = centred + np.log(_above(prior + counts, shares)) - np.log(_above(prior, shares))
        wide = wide + np.log(_above(half + counts, shares)) - np.log(_above(half, shares))
        return np.asarray(np.logaddexp(centred, wide))


def _above(beta: Float64Array, shares: Float64Array) -> Float64Array:
    """Probability that the treatment's share under a beta distribution is above the null's."""
    (b, a), (rest, share) = beta.T, shares.T
    return np.asarray(np.where(share < 0.5, betaincc(a, b, share), betainc(b, a, rest)))


def _pair(function: Callable[[Float64Array], Float64Array], logit: Float64Array) -> Float64Array:
    """A function of the control's and of the treatment's log odds."""
    return np.stack([function(-logit), function(logit)], axis=-1)


def _end(excess: Callable[[Float64Array], Float64Array], best: Float64Array, furthest: float) -> Float64Array:
    """Where, from the estimate outwards, E reaches 1 / alpha; infinite where it does not."""
    outer = np.full_like(best, furthest)
    inner = np.clip(best, -FURTHEST, FURTHEST)
    bounded = excess(outer) >= 0
    while True:
        middle = inner + (outer - inner) / 2
        if np.all((middle == inner) | (middle == outer)):
            return np.where(bounded, middle, math.copysign(math.inf, furthest))
        inside = excess(middle) < 0
        inner, outer = np.where(inside, middle, inner), np.where(inside, outer, middle)


def _two_arms(control: object, treatment: object, share: float | None) -> tuple[IntArray, float]:
    """Events of (control, treatment) at each look, and the planned share of the treatment."""
    both = []
    for name, arm in (("control", control), ("treatment", treatment)):
        if not isinstance(arm, (Counts, Events)):
            raise TypeError(f"`{name}` must be Counts or Events; got {_check.show(arm)}.")
        both.append(in_order(name, arm.successes if isinstance(arm, Counts) else arm.events)[0])
        if isinstance(arm, Counts):
            in_order(name, arm.n)
    if type(control) is not type(treatment):
        raise TypeError("`control` and `treatment` must be both Counts or both Events.")
    if both[0].shape != both[1].shape:
        raise ValueError(f"`treatment` must have as many looks as `control`; got {both[1].size} and {both[0].size}.")
    planned = _check.within("share", share, 0, 1) if share is not None else _fixed_share(control, treatment)
    return np.column_stack(both), planned


def _fixed_share(control: object, treatment: object) -> float:
    """The treatment's share of exposures that stand in one ratio."""
    if isinstance(control, Events) and isinstance(treatment, Events):
        exposure = np.array([np.atleast_1d(control.exposure), np.atleast_1d(treatment.exposure)])
        total = exposure.sum(axis=0)
        shares = exposure[1, total > 0] / total[total > 0]
        if shares.size and 0 < shares[-1] < 1 and np.all(np.abs(shares - shares[-1]) <= 1e-9 * shares[-1]):
            return float(shares[-1])
    raise ValueError(
        "`share` must be the treatment's planned share of the units or of the exposure; got None. It is not the "
        "observed share."
    )
