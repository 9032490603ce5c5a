"""Many hypotheses: adjusted p-values, and the intervals that go with them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from abkit import _check
from abkit._check import Float64Array
from abkit._sets import ConfidenceSet, NoInterval
from abkit.evidence import TestResult
from abkit.inference._dunnett import dunnett
from abkit.inference._equivalence import EquivalenceResult
from abkit.inference._stepwise import PROCEDURES, IntArray

AdjustMethod = Literal["bonferroni", "holm", "hochberg", "hommel", "sidak", "bh", "by", "dunnett"]

#: What the intervals of a method promise together, each at one minus its level.
COVERAGE: dict[str, str] = {
    "bonferroni": "simultaneous",
    "sidak": "simultaneous, for independent or positively dependent tests",
    "dunnett": "simultaneous",
    "holm": "each agrees with its decision; together they are not simultaneous",
    "hochberg": "none",
    "hommel": "none",
    "bh": "false coverage rate of those selected, for independent or positively dependent tests",
    "by": "false coverage rate of those selected",
}
_GATED = "each agrees with its decision; over the families they are not simultaneous"


@dataclass(frozen=True, slots=True, eq=False)
class Adjusted:
    """Hypotheses judged together, in the order given.

    Parameters
    ----------
    method : str
        The procedure.
    alpha : float
        The error rate of each family, or of all of them where they are ordered.
    pvalues : float array, shape (m,)
        Adjusted: a hypothesis is rejected when its own is below alpha.
    rejected : bool array, shape (m,)
    levels : float array, shape (m,)
        The share of alpha by which each was judged: it is rejected exactly when its unadjusted p-value is below it.
        0 behind a gate that is closed.
    coverage : str
        What the intervals promise together.
    results : tuple of TestResult
        What was tested; Student's tests with the variance of all groups after "dunnett". Empty for bare p-values.

    Examples
    --------
    >>> from abkit import adjust
    >>> adjusted = adjust([0.01, 0.04, 0.03, 0.005], "holm")
    >>> adjusted.pvalues.round(3).tolist(), adjusted.rejected.tolist()
    ([0.03, 0.06, 0.06, 0.02], [True, False, False, True])
    """

    method: str
    alpha: float
    pvalues: Float64Array
    rejected: npt.NDArray[np.bool_]
    levels: Float64Array
    coverage: str
    results: tuple[TestResult, ...] = ()

    @property
    def intervals(self) -> tuple[ConfidenceSet, ...]:
        """For each hypothesis its interval at one minus its level, or a `NoInterval` that says why there is none.

        For an equivalence test the level is that of each side, so that the interval is at one minus twice the level.
        """
        return tuple(self._interval(i) for i in range(self.pvalues.size))

    def _interval(self, i: int) -> ConfidenceSet:
        reason = self._missing(i)
        if reason:
            return NoInterval(1 - self.alpha, reason)
        sides = 2 if isinstance(self.results[i], EquivalenceResult) else 1
        return self.results[i].interval(1 - sides * float(self.levels[i]))

    def _missing(self, i: int) -> str | None:
        """Why a hypothesis has no interval."""
        if not self.results:
            return "a p-value alone has no interval: adjust the results of the tests"
        if self.method in ("hochberg", "hommel"):
            return f"the regions known for {self.method} say no more of what is rejected; use 'holm' or 'bonferroni'"
        if self.method in ("bh", "by") and not self.rejected[i]:
            return "not selected: a false coverage rate is of the intervals of rejected hypotheses"
        return None if self.levels[i] > 0 else "not tested: a hypothesis of an earlier family was not rejected"


def adjust(
    results_or_pvalues: object,
    method: AdjustMethod = "holm",
    *,
    alpha: float = 0.05,
    families: Iterable[Hashable] | None = None,
    order: Iterable[Hashable] | None = None,
) -> Adjusted:
    """Adjust the p-values of many hypotheses, with the intervals that go with the decisions.

    Answers: which of these effects are shown, when so many were looked at?

    Parameters
    ----------
    results_or_pvalues : sequence of TestResult, or array_like, shape (m,)
        Results of tests, or their p-values, between 0 and 1. nan, an undefined test, counts as 1 and keeps its place.
    method : {"holm", "bonferroni", "hochberg", "hommel", "sidak", "bh", "by", "dunnett"}
        The first six in the table of the notes hold the family-wise error rate, "bh" and "by" the false discovery
        rate. "dunnett" needs results of several treatments against one control.
    alpha : float
        The error rate, between 0 and 1.
    families : iterable of m labels, optional
        Hypotheses of one label are a family, and each family has all of alpha: the variants of a metric, the success
        metrics, ... By default all are one family.
    order : iterable of labels, optional
        The families from first to last: each is tested only if every hypothesis of those before it was rejected
        (serial gatekeeping), and alpha is then the family-wise error rate over all of them. Not for "bh" and "by".

    Returns
    -------
    Adjusted

    Raises
    ------
    ValueError
        A p-value outside [0, 1], another number of labels than of hypotheses, an order that does not have each family
        once, or results that "dunnett" cannot compare.
    TypeError
        Things that are neither numbers nor results, or both mixed.

    Notes
    -----
    ==============  ===============================  =============================================================
    method          valid for                        intervals
    ==============  ===============================  =============================================================
    "bonferroni"    any tests                        simultaneous [1]_
    "holm"          any tests                        each at the level it was judged at; not simultaneous [2]_
    "sidak"         positive orthant dependence      simultaneous [3]_
    "hochberg"      positive dependence (Simes)      none [4]_
    "hommel"        positive dependence (Simes)      none [5]_
    "dunnett"       one control, equal variances     simultaneous [6]_
    "bh"            positive regression dependence   of those rejected, with a false coverage rate of alpha [7]_ [8]_
    "by"            any tests                        of those rejected, with a false coverage rate of alpha [8]_ [9]_
    ==============  ===============================  =============================================================

    An interval leaves out its null exactly when the hypothesis is rejected. Behind a closed gate there is none. In
    serial gatekeeping the adjusted p-values are at least the largest of the families before [10]_.

    "dunnett" is exact for `student_test`: the variance of all groups is pooled, whatever their sizes. Other tests of
    two means or proportions enter by their own p-values, with the correlation of a normal limit.

    References
    ----------
    .. [1] Dunn 1961, JASA 56(293), 52-64.
    .. [2] Holm 1979, Scandinavian Journal of Statistics 6(2), sec. 3.
    .. [3] Sidak 1967, JASA 62(318), corollary 1.
    .. [4] Hochberg 1988, Biometrika 75(4), 800-802.
    .. [5] Hommel 1988, Biometrika 75(2), 383-386.
    .. [6] Dunnett 1955, JASA 50(272), 1096-1121.
    .. [7] Benjamini and Hochberg 1995, JRSS B 57(1), eq. 1.
    .. [8] Benjamini and Yekutieli 2005, JASA 100(469), definition 1 and sec. 3.
    .. [9] Benjamini and Yekutieli 2001, Annals of Statistics 29(4), theorem 1.3.
    .. [10] Westfall and Krishen 2001, J. Statistical Planning and Inference 99(1), 25-40.

    Examples
    --------
    >>> from abkit import Moments, adjust, student_test
    >>> control = Moments(n=20, mean=10.0, m2=80.0)
    >>> results = [student_test(control, Moments(n=20, mean=mean, m2=80.0)) for mean in (10.4, 11.1, 11.9)]
    >>> adjusted = adjust(results, "dunnett")
    >>> adjusted.pvalues.round(4).tolist()
    [0.8713, 0.2226, 0.0125]
    >>> [round(end, 2) for end in adjusted.intervals[2]]
    [0.34, 3.46]
    """
    method = _check.choice("method", method, get_args(AdjustMethod))
    alpha = _check.within("alpha", alpha, 0, 1)
    results, values = _hypotheses(results_or_pvalues)
    if method == "dunnett" and values.size and not results:
        raise ValueError("`results_or_pvalues` must hold results of tests for 'dunnett'; got p-values alone.")
    if order is not None and method in ("bh", "by"):
        raise ValueError(f"`order` must be left out for {method!r}: a gate needs a family-wise error rate.")
    pvalues, levels, judged, floor = np.empty_like(values), np.empty_like(values), list(results), 0.0
    for where in _families(families, order, values.size):
        if method == "dunnett":
            places = np.arange(values.size)[where].tolist()
            adjusted, level, pooled = dunnett([results[i] for i in places], alpha)
            for i, result in zip(places, pooled, strict=True):
                judged[i] = result
        else:
            adjusted, level = PROCEDURES[method](values[where], alpha)
        pvalues[where] = np.maximum(adjusted, floor) if floor else adjusted
        levels[where] = level if floor < alpha else 0.0
        floor = max(floor, float(np.max(adjusted, initial=0.0))) if order is not None else 0.0
    rejected = pvalues < alpha
    for array in (pvalues, rejected, levels):
        array.flags.writeable = False
    coverage = _GATED if order is not None and COVERAGE[method] != "none" else COVERAGE[method]
    return Adjusted(method, alpha, pvalues, rejected, levels, coverage, tuple(judged))


def _hypotheses(given: object) -> tuple[tuple[TestResult, ...], Float64Array]:
    """The results, where there are any, and their p-values with 1 for nan."""
    listed = tuple(given) if isinstance(given, Iterable) and not hasattr(given, "__array__") else given
    results = tuple(item for item in listed if isinstance(item, TestResult)) if isinstance(listed, tuple) else ()
    if isinstance(listed, tuple) and 0 < len(results) < len(listed):
        raise TypeError(
            "`results_or_pvalues` must hold results of tests or p-values, not both; "
            f"got {len(results)} results among {len(listed)}."
        )
    pvalues = [result.pvalue for result in results] if results else listed
    array = pvalues if isinstance(pvalues, np.ma.MaskedArray) else np.asarray(pvalues)
    if array.dtype == np.float64 and not isinstance(array, np.ma.MaskedArray) and np.isnan(array).any():
        array = np.where(np.isnan(array), 1.0, array)
    values = _check.sample("results_or_pvalues", array)
    if values.size and not (values.min() >= 0 and values.max() <= 1):
        outside = np.flatnonzero((values < 0) | (values > 1))
        raise ValueError(
            f"`results_or_pvalues` must be between 0 and 1; got {_check.show(values[outside[0]])} at position "
            f"{outside[0]} ({outside.size} of {values.size} are outside)."
        )
    return results, values


def _families(
    families: Iterable[Hashable] | None, order: Iterable[Hashable] | None, size: int
) -> list[IntArray] | list[slice]:
    """The places of each family's hypotheses, families in order."""
    if families is None:
        if order is not None:
            raise ValueError("`families` must be given where `order` is: it orders them.")
        return [slice(None)]
    labels = _labels("families", families)
    if len(labels) != size:
        raise ValueError(f"`families` must have one label for each of {size} hypotheses; got {len(labels)}.")
    if any(label != label for label in labels):  # noqa: PLR0124 - nan alone is not itself
        raise ValueError("`families` must hold labels; got nan.")
    found = dict.fromkeys(labels)
    ordered = list(found) if order is None else _labels("order", order)
    if len(ordered) != len(found) or set(ordered) != set(found):
        raise ValueError(
            f"`order` must have each family once; got {_check.show(ordered)} for families {_check.show(list(found))}."
        )
    number = {label: i for i, label in enumerate(ordered)}
    codes = np.array([number[label] for label in labels], dtype=np.intp)
    by_family = np.argsort(codes, kind="stable")
    return np.split(by_family, np.cumsum(np.bincount(codes, minlength=len(ordered)))[:-1])


def _labels(name: str, given: object) -> list[Hashable]:
    labels = list(given) if isinstance(given, Iterable) else None
    if labels is None or not all(isinstance(label, Hashable) for label in labels):
        raise TypeError(f"`{name}` must be a list of labels; got {_check.show(given)}.")
    return labels
