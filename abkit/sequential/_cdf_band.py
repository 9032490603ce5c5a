"""A band about the whole distribution function at any time, and what follows from it for two variants."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit._roots import bisect
from abkit.sequential._ordered import Ordered, least_evidence, ordered
from abkit.sequential._sequence import ConfidenceSequence
from abkit.suffstats._base import IntArray
from abkit.types import ALTERNATIVES, Alternative

SCALE = 0.85  # A of the theorem
_GOLDEN = (math.sqrt(5) - 1) / 2
_LARGEST_CONSTANT = 1e4


def cdf_band_sequence(
    data: object,
    treatment: object = None,
    *,
    q: float | None = None,
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
    looks: object = None,
) -> ConfidenceSequence | CdfBand:
    """A band about the whole distribution at any time; of two variants, how far their distributions are apart.

    Answers: what is the distribution of a metric, and do two variants differ anywhere in theirs, however often one
    looks?

    Parameters
    ----------
    data : array_like, shape (n,), or Histogram, or list of Histogram
        One value per unit; with `treatment`, the control's. Histograms hold all that was seen up to each look.
    treatment : like `data`, optional
        The treatment's.
    q : float, optional
        Answer with this quantile, or the treatment's less the control's, between 0 and 1. All quantiles hold together.
    alpha : float
        Probability that the band is ever left anywhere, between 0 and 1. Two variants have half of it each.
    alternative : {"two-sided", "greater", "less"}
        Of two variants without `q`. "greater": the largest excess of the control's distribution function over the
        treatment's, which is above zero where the treatment's values are not smaller. "less" is its mirror image.
    looks : array_like of int, optional
        After how many values to answer; by default after each. With `treatment`, of each variant, shape (looks,) or
        (looks, 2), and by default at the end.

    Returns
    -------
    CdfBand or ConfidenceSequence
        The band of one variant; with `q`, a sequence of the quantile; with `treatment`, of the largest distance of the
        two distribution functions, with which equality is rejected as soon as `low` is above 0.

    Raises
    ------
    ValueError
        `q` or `alpha` is not between 0 and 1, no values, or statistics other than histograms.

    Notes
    -----
    The distribution function is within 0.85 sqrt((log(1 + log n) + C) / n) of the empirical one at all n from 1 on and
    everywhere [1]_. C solves inf over eta of 4 exp(-g C) (1 + 1 / ((g - 1) log eta)) = alpha, with
    g = (2 / eta) (0.85 - sqrt(2 (eta - 1) / C))^2: 8.12 at 5%. Two variants differ where their bands separate [2]_; a
    quantile's band is where the distribution's passes q, and that of a difference is the difference of two.

    The p-value of a null is the alpha at which it would just be left out. There is no martingale behind the band;
    `log_evalue` is p^(-1/2) / 2 of the smallest p so far, which is smaller than 1 / p.

    One side uses the band of both, and its whole alpha. For one quantile use "quantile", which is far narrower.

    References
    ----------
    .. [1] Howard and Ramdas 2022, Bernoulli 28(3), thm 2.
    .. [2] Lindon, Sanden and Shirikian 2022, KDD, sec. 3.

    Examples
    --------
    >>> import numpy as np
    >>> import abkit as ab
    >>> rng = np.random.default_rng(1)
    >>> control, treatment = rng.lognormal(3, 1, 20_000), rng.lognormal(3.1, 1.1, 20_000)
    >>> apart = ab.confidence_sequence(control, treatment, method="cdf-band", alternative="greater")
    >>> round(float(apart.low[-1]), 3), apart.pvalue() < 0.05  # the treatment is slower somewhere
    (0.011, True)
    >>> difference = ab.confidence_sequence(control, treatment, method="cdf-band", q=0.8)
    >>> [round(end, 1) for end in difference.interval()]
    [1.5, 17.2]
    """
    alpha = _check.within("alpha", alpha, 0, 1)
    _check.choice("alternative", alternative, ALTERNATIVES)
    q = None if q is None else _check.within("q", q, 0, 1)
    arms = ordered(data, treatment, looks)
    if alternative != "two-sided" and (q is not None or len(arms) == 1):
        raise ValueError('`alternative` must be "two-sided": a band has two sides. For one, use the method "quantile".')
    if len(arms) == 1:
        band = CdfBand.of(arms[0], alpha)
        return band if q is None else band.quantile(q)
    control, treatment = (CdfBand.of(arm, alpha / 2) for arm in arms)
    if q is None:
        return _distance(control, treatment, alpha, alternative)
    return _difference(control, treatment, q, alpha)


@dataclass(frozen=True, eq=False, repr=False)
class BandSequence(ConfidenceSequence):
    """A sequence whose p-value is the alpha at which a null would just be left out."""

    log_p: Callable[[float], Float64Array] = field(kw_only=True)

    def log_pvalue(self, null: float = 0.0, *, running: bool = True) -> Float64Array:
        """Log of the anytime-valid p-value of a null at every look."""
        log_p = self.log_p(_check.number("null", null))
        return np.minimum.accumulate(log_p) if running else log_p


@dataclass(frozen=True, eq=False, repr=False)
class CdfBand:
    """The empirical distribution at each look and the distance within which the true one lies, everywhere and always.

    Parameters
    ----------
    alpha : float
        Probability that the distribution is ever outside.
    n : int array, shape (looks,)
        Values seen at each look.
    radius : float array, shape (looks,)
        Half of the band's height.
    arm : Ordered
        The values, from which the band about any share or quantile comes.

    Examples
    --------
    >>> import numpy as np
    >>> import abkit as ab
    >>> band = ab.confidence_sequence(np.random.default_rng(1).normal(size=5_000), method="cdf-band", looks=[5_000])
    >>> [round(end, 3) for end in band.at(0.0).interval()], [round(end, 2) for end in band.quantile(0.5).interval()]
    ([0.472, 0.55], [-0.12, 0.06])
    """

    alpha: float
    n: IntArray
    radius: Float64Array
    arm: Ordered
    method = "cdf-band"
    validity = "exact"

    @classmethod
    def of(cls, arm: Ordered, alpha: float) -> CdfBand:
        """The band about one variant."""
        return cls(alpha, arm.n, _radius(arm.n, constant(alpha)), arm)

    def at(self, x: float) -> ConfidenceSequence:
        """The share of values at or below x, at each look; all x hold together."""
        x = _check.number("x", x)
        shares = [self.arm.snapshot(look).shares(np.array([x])) for look in range(self.n.size)]
        sure, may = np.array([(low[0], high[0]) for low, high in shares]).T

        def log_p(null: float) -> Float64Array:
            return _log_p(self._constant(np.maximum(sure - null, null - may)))

        ends = np.maximum(0.0, sure - self.radius), np.minimum(1.0, may + self.radius)
        return _sequence(self.alpha, self.n, sure, ends, log_p)

    def quantile(self, q: float) -> ConfidenceSequence:
        """The q-quantile at each look; all q hold together."""
        q = _check.within("q", q, 0, 1)

        def log_p(null: float) -> Float64Array:
            return _log_p(self.evidence(q, *self.arm.counts(null)))

        return _sequence(self.alpha, self.n, self.arm.quantile(q), self.ends(q), log_p)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON: the band's half-height at each look."""
        sizes = {"n": self.n.tolist(), "radius": self.radius.tolist()}
        return {"method": self.method, "validity": self.validity, "alpha": self.alpha, **sizes}

    def __str__(self) -> str:
        looks = f"{self.n.size:,} look{'s' * (self.n.size != 1)}, the last at {self.n[-1]:,}"
        return (
            f"{self.method}, {self.validity}, level {1 - self.alpha:g}: {looks}\n"
            f"every share of values is within {self.radius[-1]:.4g} of that seen; .at(x) and .quantile(q) say where"
        )

    def __repr__(self) -> str:
        return str(self)

    def ends(self, q: float) -> tuple[Float64Array, Float64Array]:
        """Where the band passes q, at each look."""
        fewest = np.ceil(self.n * (q - self.radius)).astype(np.int64)
        most = np.floor(self.n * (q + self.radius)).astype(np.int64)
        return self.arm.edges(fewest)[0], self.arm.edges(most + 1)[1]

    def evidence(self, q: float, below: IntArray, upto: IntArray, look: int | None = None) -> Float64Array:
        """The C at which the band would just leave out a quantile with these counts about it."""
        n = self.n if look is None else self.n[look]
        return self._constant(np.maximum(q - upto / n, below / n - q), look)

    def _constant(self, excess: Float64Array, look: int | None = None) -> Float64Array:
        """The C at which the radius is as large as an excess; 0 where there is none."""
        n = self.n if look is None else self.n[look]
        return np.where(excess > 0, np.maximum((excess / SCALE) ** 2 * n - _iterated(n), 0.0), 0.0)


def constant(alpha: float) -> float:
    """The C of the theorem at a level."""
    goal = math.log(alpha)
    return bisect(lambda c: float(log_error(np.array([c]))[0]) - goal, 1e-3, _LARGEST_CONSTANT)


def log_error(c: Float64Array) -> Float64Array:
    """Log of the chance of ever leaving the band, which falls in C: the least over eta, by golden section."""
    low, high = np.full(c.shape, 1.0), np.full(c.shape, 2 * SCALE * SCALE)
    for _ in range(80):
        width = _GOLDEN * (high - low)
        left, right = high - width, low + width
        to_left = _bound(c, left) <= _bound(c, right)
        low, high = np.where(to_left, low, left), np.where(to_left, right, high)
    return _bound(c, low + (high - low) / 2)


def _bound(c: Float64Array, eta: Float64Array) -> Float64Array:
    root = np.maximum(SCALE - np.sqrt(2 * (eta - 1) / c), 0.0)
    over = 2 / eta * root * root - 1
    with np.errstate(divide="ignore", over="ignore"):
        sum_of_epochs = np.log1p(1 / (np.maximum(over, 1e-300) * np.log(eta)))
    return np.where(over > 0, math.log(4) - (over + 1) * c + sum_of_epochs, math.inf)


def _log_p(c: Float64Array, variants: int = 1) -> Float64Array:
    return np.where(c > 0, np.minimum(math.log(variants) + log_error(np.maximum(c, 1e-3)), 0.0), 0.0)


def _iterated(n: IntArray) -> Float64Array:
    return np.asarray(np.log1p(np.log(n)))


def _radius(n: IntArray, c: float | Float64Array) -> Float64Array:
    return np.asarray(SCALE * np.sqrt((_iterated(n) + c) / n))


def _sequence(
    alpha: float,
    n: IntArray,
    estimate: Float64Array,
    ends: tuple[Float64Array, Float64Array],
    log_p: Callable[[float], Float64Array],
    alternative: Alternative = "two-sided",
) -> ConfidenceSequence:
    def log_evalue(null: float) -> Float64Array:
        return -math.log(2) - np.minimum.accumulate(log_p(null)) / 2

    return BandSequence("cdf-band", "exact", alpha, alternative, n, estimate, *ends, log_evalue, log_p=log_p)


def _difference(control: CdfBand, treatment: CdfBand, q: float, alpha: float) -> ConfidenceSequence:
    """The treatment's quantile less the control's."""
    (low_c, high_c), (low_t, high_t) = control.ends(q), treatment.ends(q)

    def least(null: float, look: int) -> float:
        return least_evidence(
            control.arm.snapshot(look),
            treatment.arm.snapshot(look),
            null,
            lambda below, upto: control.evidence(q, below, upto, look),
            lambda below, upto: treatment.evidence(q, below, upto, look),
        )

    def log_p(null: float) -> Float64Array:
        return _log_p(np.array([least(null, look) for look in range(control.n.size)]), 2)

    estimate = treatment.arm.quantile(q) - control.arm.quantile(q)
    return _sequence(alpha, control.n + treatment.n, estimate, (low_t - high_c, high_t - low_c), log_p)


def _distance(control: CdfBand, treatment: CdfBand, alpha: float, alternative: Alternative) -> ConfidenceSequence:
    """The largest distance of two distribution functions, or their largest difference in one direction."""
    above, below = _apart(control.arm, treatment.arm), _apart(treatment.arm, control.arm)
    reach, n = control.radius + treatment.radius, control.n + treatment.n
    nowhere = np.full(n.size, math.inf)
    least, most = {"greater": above, "less": below}.get(alternative, np.maximum(above, below))

    def log_p(null: float) -> Float64Array:
        if alternative == "two-sided":
            return _log_p(_joint_constant(control.n, treatment.n, np.maximum(least - null, null - most)), 2)
        return _log_p(_joint_constant(control.n, treatment.n, least - (null if alternative == "greater" else -null)), 2)

    if alternative == "two-sided":
        ends = np.maximum(0.0, least - reach), np.minimum(1.0, most + reach)
        return _sequence(alpha, n, least, ends, log_p)
    if alternative == "greater":
        return _sequence(alpha, n, least, (least - reach, nowhere), log_p, alternative)
    return _sequence(alpha, n, -least, (-nowhere, reach - least), log_p, alternative)


def _apart(upper: Ordered, lower: Ordered) -> Float64Array:
    """The largest excess of one empirical distribution over another: at least, and at most; shape (2, looks)."""
    found = []
    for look in range(upper.n.size):
        one, other = upper.snapshot(look), lower.snapshot(look)
        x = np.concatenate([one.lows, one.highs, other.lows, other.highs])
        (sure_one, may_one), (sure_other, may_other) = one.shares(x), other.shares(x)
        found.append((np.max(sure_one - may_other), np.max(may_one - sure_other)))
    return np.asarray(np.maximum(np.array(found).T, 0.0))


def _joint_constant(n_control: IntArray, n_treatment: IntArray, excess: Float64Array) -> Float64Array:
    """The C at which two radii add up to an excess; 0 where they are larger at any C."""
    low, high = np.zeros(excess.size), (np.maximum(excess, 0.0) / SCALE) ** 2 * np.minimum(n_control, n_treatment)
    for _ in range(60):
        middle = low + (high - low) / 2
        inside = _radius(n_control, middle) + _radius(n_treatment, middle) < excess
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    return low
