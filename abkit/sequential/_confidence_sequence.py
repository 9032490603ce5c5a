"""The one face of all confidence sequences: which values are left, however often one looks."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module

from abkit import _check
from abkit.sequential._sequence import ConfidenceSequence
from abkit.types import ALTERNATIVES, Alternative

#: Where each method stands: its module and function.
METHODS = {
    "normal-mixture": ("_normal_sequences", "normal_mixture_sequence"),
    "asymptotic": ("_normal_sequences", "asymptotic_means"),
    "empirical-bernstein": ("_bounded", "empirical_bernstein_sequence"),
    "betting": ("_betting", "betting_sequence"),
    "beta-binomial": ("_conjugate_sequences", "beta_binomial_sequence"),
    "gamma-poisson": ("_conjugate_sequences", "gamma_poisson_sequence"),
    "conditional": ("_counts_sequence", "conditional_sequence"),
    "quantile": ("_quantile_sequence", "quantile_sequence"),
    "cdf-band": ("_cdf_band", "cdf_band_sequence"),
}


def confidence_sequence(  # noqa: PLR0913 - every method's options in one place
    data: object,
    treatment: object = None,
    *,
    method: str = "normal-mixture",
    alpha: float = 0.05,
    alternative: Alternative = "two-sided",
    tune_at: float | None = None,
    looks: object = None,
    variance: object = None,
    prior: object = None,
    bounds: object = None,
    q: float | None = None,
    assigned: object = None,
    share: float | None = None,
) -> ConfidenceSequence:
    """Confidence sequence: intervals at every look that are all right together, whenever one stops.

    Answers: which values of a mean, a rate, a quantile, or of the difference of two variants, do the data allow at each
    look, however often one looks?

    Parameters
    ----------
    data : Moments, Counts, Events or array_like, shape (n,)
        One variant's, or the control's. An array is in order of arrival, and is answered at every observation.
        Statistics are cumulative: arrays of shape (looks,) say what had been seen up to each look.
    treatment : like `data`, optional
        The treatment's; the answer is then of treatment minus control. Arrays are answered once, at the end, unless
        `looks` says where.
    method : str
        "normal-mixture" (means, known variance), "asymptotic" (means, large samples), "beta-binomial" (a proportion,
        or two, exact), "gamma-poisson" (an event rate, exact), "conditional" (event counts of two variants, exact),
        "empirical-bernstein" and "betting" (bounded values, exact; their order matters), "quantile", "cdf-band".
    alpha : float
        Probability that the parameter is ever left out, between 0 and 1.
    alternative : {"two-sided", "greater", "less"}
        "greater" bounds the parameter from below, "less" from above, each by a one-sided martingale at `alpha`.
    tune_at : float, optional
        Where the sequence is narrowest, as the method counts: observations of all variants together (10,000 unless
        given), or events (30). Any value is valid that does not come from the same data.
    looks : array of int, optional
        For arrays: numbers of observations at which to look. With `treatment`, of each variant: shape (looks,), or
        (looks, 2) for (control, treatment).
    variance : float or pair of float, optional
        "normal-mixture": the known variance of one unit, or the control's and the treatment's.
    prior : optional
        Of a conjugate method: "beta-binomial" takes (a, b) of a beta distribution in place of the tuned one.
    bounds : pair of float, optional
        Bounded methods: the smallest and largest value that can occur.
    q : float, optional
        "quantile": which quantile, between 0 and 1.
    assigned : array_like, shape (n,), optional
        `data` holds the rows of both variants in order of arrival: 0 for control, 1 for treatment.
    share : float, optional
        Probability with which a unit is assigned to the treatment, between 0 and 1. "beta-binomial" takes a half
        unless given, and is exact whatever the allocation; there it steers power only.

    Returns
    -------
    ConfidenceSequence
        `interval()` after the last look, `low` and `high` at each, `pvalue(null)`; `validity` says whether `alpha`
        holds exactly or asymptotically, and `caution` why it may not. For "cdf-band" a band of intervals.

    Raises
    ------
    ValueError
        An unknown method, an option that the method has no use for, or data that do not fit it.
    TypeError
        Data of another type than the method needs.

    Notes
    -----
    Each method's formula, source and limits are on its page in the documentation. A sequence is a family of tests, one
    a null, each of a martingale that exceeds 1 / alpha with probability alpha at most (Ville 1939): looking more often
    costs nothing, and every interval is about half as wide again as one that is looked at once [1]_. With a schedule of
    looks a group-sequential test needs fewer units.

    "normal-mixture" without a `variance` takes the sample's, and is then asymptotic.

    References
    ----------
    .. [1] Howard, Ramdas, McAuliffe and Sekhon 2021, Annals of Statistics 49(2), sec. 3.

    Examples
    --------
    Two daily looks at sums of revenue per unit, all that came in so far:

    >>> import abkit as ab
    >>> control = ab.Moments([2_000, 4_000], [5.02, 5.01], [7_990.0, 16_020.0])
    >>> treatment = ab.Moments([2_000, 4_000], [5.11, 5.16], [8_020.0, 16_090.0])
    >>> sequence = ab.confidence_sequence(control, treatment, method="asymptotic", tune_at=8_000)
    >>> [round(end, 3) for end in sequence.interval()]
    [0.014, 0.285]
    >>> round(sequence.pvalue(0), 4), sequence.validity
    (0.0205, 'asymptotic')
    """
    function = _method(method)
    alpha = _check.within("alpha", alpha, 0, 1)
    _check.choice("alternative", alternative, ALTERNATIVES)
    options = {
        "treatment": treatment,
        "tune_at": tune_at,
        "looks": looks,
        "variance": variance,
        "prior": prior,
        "bounds": bounds,
        "q": q,
        "assigned": assigned,
        "share": share,
    }
    given = {name: value for name, value in options.items() if value is not None}
    takes = inspect.signature(function).parameters
    for name in given:
        if name not in takes:
            use = ", ".join(f"`{option}`" for option in options if option in takes)
            hint = ' To compare the events of two variants use "conditional".' if name == "treatment" else ""
            raise ValueError(
                f"`{name}` must be left out: the method {method!r} has no use for it. It takes {use}.{hint}"
            )
    for name, parameter in list(takes.items())[1:]:
        if parameter.default is parameter.empty and name not in {*given, "alpha", "alternative"}:
            raise ValueError(f"`{name}` must be given: the method {method!r} needs it.")
    return function(data, alpha=alpha, alternative=alternative, **given)


def _method(method: str) -> Callable[..., ConfidenceSequence]:
    module, function = METHODS[_check.choice("method", method, METHODS)]
    found: Callable[..., ConfidenceSequence] = getattr(import_module(f"abkit.sequential.{module}"), function)
    return found
