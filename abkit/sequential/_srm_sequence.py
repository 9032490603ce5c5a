"""Sample-ratio mismatch that may be looked at as often as one likes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from abkit import _check
from abkit._check import Float64Array
from abkit._sets import finite_or_none
from abkit.sequential._dirichlet import log_dirichlet
from abkit.suffstats._base import IntArray, whole_numbers

#: Of the Dirichlet priors: one for gross mismatches, one for subtle ones.
CONCENTRATIONS = (100.0, 10_000.0)


@dataclass(frozen=True, eq=False, repr=False)
class SrmSequence:
    """What the numbers of units of each variant say, at every look, about the allocation that was meant.

    Parameters
    ----------
    variants : tuple
        Names, or positions, in the order of the columns of `counts`.
    counts : int array, shape (looks, variants)
        Units seen up to each look.
    shares : float array, shape (variants,)
        The allocation; adds up to 1.
    alpha : float
        Probability that a right allocation is ever called a mismatch.
    log_evalue : float array, shape (looks,)
        Log of the Bayes factor against the allocation; infinite once a variant of weight zero has units.
    """

    variants: tuple[Any, ...]
    counts: IntArray
    shares: Float64Array
    alpha: float
    log_evalue: Float64Array

    @property
    def n(self) -> IntArray:
        """Units of all variants up to each look."""
        return np.asarray(self.counts.sum(axis=1))

    def log_pvalue(self, *, running: bool = True) -> Float64Array:
        """Log of the p-value at each look; `running`: of the smallest so far, which is valid too."""
        log_p = np.minimum(0.0, -self.log_evalue)
        return np.minimum.accumulate(log_p) if running else log_p

    def pvalue(self, *, running: bool = True) -> float:
        """The p-value after the last look; `running`: the smallest so far."""
        return math.exp(float(self.log_pvalue(running=running)[-1]))

    def __str__(self) -> str:
        units = ", ".join(
            f"{name} {n:,} (meant {share:.4g})"
            for name, n, share in zip(self.variants, self.counts[-1], self.shares, strict=True)
        )
        first = self.first_mismatch
        looks = len(self.counts)
        found = (
            f"a mismatch since look {first + 1} of {looks}" if first is not None else f"no mismatch at {looks} looks"
        )
        return f"{units}\n{found}, alpha {self.alpha:g}: p = {self.pvalue():.3g} at any time"

    def __repr__(self) -> str:
        return str(self)

    @property
    def first_mismatch(self) -> int | None:
        """The first look, from 0, at which the running p-value is at most `alpha`; None where there is none."""
        found = np.flatnonzero(self.log_pvalue() <= math.log(self.alpha))
        return int(found[0]) if found.size else None

    @property
    def excess(self) -> Float64Array:
        """Share of the units less the share that was meant, shape (looks, variants); 0 before the first unit."""
        n = self.n[:, None]
        return np.asarray(np.where(n > 0, self.counts / np.maximum(n, 1) - self.shares, 0.0))

    @property
    def over(self) -> Any:
        """The variant that, after the last look, has the most units too many in standard deviations, or None."""
        return self._furthest(1)

    @property
    def under(self) -> Any:
        """The variant that has the most units too few, or None."""
        return self._furthest(-1)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; an infinite number is None."""
        return {
            "method": "srm-sequence",
            "alpha": self.alpha,
            "variants": list(self.variants),
            "counts": self.counts.tolist(),
            "shares": self.shares.tolist(),
            "log_evalue": [finite_or_none(value) for value in self.log_evalue.tolist()],
            "pvalue": np.exp(self.log_pvalue(running=False)).tolist(),
            "running_pvalue": np.exp(self.log_pvalue()).tolist(),
            "first_mismatch": self.first_mismatch,
            "over": self.over,
            "under": self.under,
        }

    def _furthest(self, sign: int) -> Any:
        excess = sign * self.excess[-1]
        if not excess.max() > 0:
            return None
        spread = np.sqrt(self.shares * (1 - self.shares))
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.variants[int(np.argmax(np.where(excess > 0, excess / spread, -math.inf)))]


def srm_sequence(
    counts: Mapping[Any, Any] | Sequence[Any] | IntArray,
    weights: Mapping[Any, float] | Sequence[float] | None = None,
    *,
    alpha: float = 0.001,
    cumulative: bool = True,
    concentration: float | Sequence[float] = CONCENTRATIONS,
) -> SrmSequence:
    """Sample-ratio mismatch at any number of looks.

    Answers: are the numbers of units what the allocation promised, however often that is asked?

    Parameters
    ----------
    counts : mapping of variant to int or int array of shape (looks,), or int array of shape (looks, variants)
        Units of each variant up to each look; one row, or plain numbers, for one look. Units are those of the
        assignment, each counted once.
    weights : mapping of variant to weight, or sequence of float, optional
        Intended shares or weights, at least 0, in any unit. Equal by default.
    alpha : float
        Probability that a right allocation is ever called a mismatch, between 0 and 1.
    cumulative : bool
        False: `counts` are the new units of each look, to be added up.
    concentration : float or sequence of float
        Of the Dirichlet priors about the allocation, which are mixed in equal parts: a prior of k is most sensitive
        after some 8 k units. Fixed before the data.

    Returns
    -------
    SrmSequence
        p-values at every look, running and current; which variant has too many units and which too few.

    Raises
    ------
    ValueError
        No variants or no looks, a variant without a weight, negative or all-zero weights, cumulative counts that fall.
    TypeError
        Counts that are not whole numbers.

    Notes
    -----
    With n_i units of N in a variant that was to have the share s_i, against the allocation:
    E = mean over k of Gamma(k) / Gamma(k + N) prod Gamma(k s_i + n_i) / (Gamma(k s_i) s_i^n_i) [1]_, p = min(1, 1/E).
    The order of the units within a look does not matter, nor how they were grouped into looks. A single unit in a
    variant of weight zero is impossible: E is infinite.

    Units must be assigned independently with these shares throughout. A share that was changed on the way is a
    mismatch to this test: begin anew at the change. With sticky or duplicated assignments count first assignments.

    References
    ----------
    .. [1] Lindon and Malek 2022, NeurIPS 35, "Anytime-valid inference for multinomial count data"; arXiv 2011.03567.

    Examples
    --------
    >>> import numpy as np
    >>> import abkit as ab
    >>> daily = {"control": [1010, 984, 1003, 996], "treatment": [985, 911, 888, 869]}
    >>> sequence = ab.srm_sequence(daily, {"control": 1, "treatment": 1}, alpha=0.01, cumulative=False)
    >>> [round(float(p), 4) for p in np.exp(sequence.log_pvalue())]
    [1.0, 1.0, 0.2101, 0.0092]
    >>> sequence.first_mismatch, sequence.under  # looks count from 0
    (3, 'treatment')
    """
    variants, totals, shares = variant_counts(counts, weights, cumulative=cumulative)
    alpha = _check.within("alpha", alpha, 0, 1)
    mixed = np.atleast_1d(_check.sample("concentration", concentration, ndim=(0, 1)))
    if not mixed.size or not np.all(mixed > 0):
        raise ValueError(f"`concentration` must be above 0; got {_check.show(concentration)}.")
    return SrmSequence(variants, totals, shares, alpha, log_evidence(totals, shares, mixed))


def log_evidence(
    counts: IntArray | Float64Array, shares: Float64Array, concentrations: npt.ArrayLike = CONCENTRATIONS
) -> Float64Array:
    """Log of the Bayes factor against these shares, of any number of counts; variants are the last axis."""
    used, mixed = shares > 0, np.asarray(concentrations, dtype=np.float64)
    each = log_dirichlet(counts[..., None, used].astype(np.float64), shares[used], mixed[:, None])
    log_evalue = np.logaddexp.reduce(each, axis=-1) - math.log(mixed.size)
    return np.where(counts[..., ~used].any(axis=-1), math.inf, log_evalue)


def variant_counts(
    counts: object, weights: object, *, cumulative: bool, name: str = "counts"
) -> tuple[tuple[Any, ...], IntArray, Float64Array]:
    """Names of the variants, what each has up to each look, shape (looks, variants), and its share."""
    if isinstance(counts, Mapping):
        variants = tuple(weights) if isinstance(weights, Mapping) else tuple(counts)
        table = _of_mapping(name, counts, variants)
    else:
        table = np.atleast_2d(np.asarray(whole_numbers(name, _listed(name, counts))))
        variants = tuple(range(table.shape[-1]))
    if table.ndim != 2 or table.size == 0:
        raise ValueError(f"`{name}` must have looks as rows and variants as columns; got shape {table.shape}.")
    shares = _shares(weights, variants, mapped=isinstance(counts, Mapping))
    if not cumulative:
        table = np.cumsum(table, axis=0)
    if np.any(np.diff(table, axis=0) < 0):
        raise ValueError(
            f"`{name}` must be cumulative, all up to each look, and may not fall; for those of each look alone "
            "give cumulative=False."
        )
    return variants, table, shares


def _of_mapping(name: str, counts: Mapping[Any, Any], variants: tuple[Any, ...]) -> IntArray:
    for variant in counts:
        if variant not in variants:
            raise ValueError(f"`weights` must have a weight for every variant; got none for {variant!r}.")
    columns = {key: np.atleast_1d(np.asarray(whole_numbers(name, _listed(name, counts[key])))) for key in counts}
    lengths = {column.shape for column in columns.values()}
    if len(lengths) != 1:
        raise ValueError(f"`{name}` must have as many looks for every variant; got {sorted(lengths)}.")
    nothing = np.zeros(lengths.pop(), dtype=np.int64)
    return np.stack([columns.get(variant, nothing) for variant in variants], axis=-1)


def _listed(name: str, value: object) -> object:
    """A number, or an array of whatever else came, pandas' columns among it."""
    if isinstance(value, (int, float, np.generic)):
        return value
    try:
        return np.asarray(value)
    except ValueError:  # NumPy's own sentence does not name the argument
        raise ValueError(f"`{name}` must have rows of one length.") from None


def _shares(weights: object, variants: tuple[Any, ...], *, mapped: bool) -> Float64Array:
    if weights is None:
        weights = dict.fromkeys(variants, 1.0) if mapped else [1.0] * len(variants)
    if isinstance(weights, Mapping) != mapped:
        raise ValueError("`counts` and `weights` must both be mappings, or neither.")
    listed = list(weights.values()) if isinstance(weights, Mapping) else list(np.atleast_1d(np.asarray(weights)))
    if len(listed) != len(variants):
        raise ValueError(f"`weights` must have one weight for each of {len(variants)} variants; got {len(listed)}.")
    checked = np.array([_check.at_least("weights", weight, 0) for weight in listed])
    if not checked.max() > 0:
        raise ValueError("`weights` must have a weight above 0.")
    scaled = checked / checked.max()
    return np.asarray(scaled / math.fsum(scaled))
