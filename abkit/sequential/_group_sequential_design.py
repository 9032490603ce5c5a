"""A group-sequential design from what is asked of it."""

from __future__ import annotations

from collections.abc import Sequence

from abkit import _check
from abkit.sequential._arguments import (
    lower_alpha,
    named_or_given,
    own_shape,
    rising_clock,
    skipped_looks,
    stopping_bounds,
    where,
)
from abkit.sequential._design import Design, make
from abkit.sequential._plan import Plan


def group_sequential_design(  # noqa: PLR0913 - the choices of a design
    *,
    alpha: float = 0.05,
    sides: int = 2,
    looks: int | None = None,
    information: Sequence[float] | None = None,
    boundary: object = "ld-obrien-fleming",
    shape: float | None = None,
    power: float = 0.8,
    futility: object = None,
    futility_shape: float | None = None,
    binding: bool = False,
    harm: object = None,
    harm_shape: float | None = None,
    harm_alpha: float | None = None,
    spending_time: Sequence[float] | None = None,
    skip: Sequence[int] = (),
    alpha_lower: float | None = None,
    boundary_lower: object = None,
    shape_lower: float | None = None,
) -> Design:
    """A test with several planned looks, any of which may reject.

    Answers: what must z exceed at each look, so that all looks together err with probability alpha; and what does that
    cost and save?

    Parameters
    ----------
    alpha : float
        Type I error of all looks, and of both sides, together. One side has at most 0.5 of it.
    sides : {2, 1}
        Two: either way, each side with half of alpha. One: upwards only.
    looks : int, optional
        How many, at equal steps of information up to 1. Either this or `information`.
    information : sequence of float, shape (looks,), optional
        At each look, rising: shares that end with 1, or 1 / stderr^2.
    boundary : str, sequence of float, or callable
        Of fixed form: "obrien-fleming", "pocock", "wang-tsiatis" (`shape`: Delta, the power of information plus 1/2),
        "haybittle-peto" (`shape`: the value at all looks but the last, by default 3). Spending functions:
        "ld-obrien-fleming", "ld-pocock", "kim-demets" (`shape`: the power, above 0), "hwang-shih-decani" (`shape`:
        gamma, any number). Or alpha spent up to each look, or a function of the time that says it: of alpha in all, or
        shares of it if they end with 1.
    shape : float, optional
        The family's parameter.
    power : float
        1 minus the error that `futility` spends, and the power for which `inflation` is worked out. Above alpha.
    futility : str, callable, or sequence of (float or None), optional
        A spending function of 1 - power [6]_, with `futility_shape`; or the bounds themselves, one a look, None where
        there is none. With two sides they bound |z|.
    futility_shape : float, optional
        The parameter of that family.
    binding : bool
        Whether the critical values may count on stopping for futility. If they do, and a test goes on nonetheless,
        alpha is exceeded.
    harm : str, callable, or sequence of (float or None), optional
        With one side: a spending function, with `harm_shape`, of the probability `harm_alpha` of concluding harm
        where there is no effect; or the bounds.
    harm_shape, harm_alpha : float, optional
        Its parameter, and that probability; by default alpha.
    spending_time : sequence of float, shape (looks,), optional
        Alpha's clock, in place of the share of information: the calendar, say. From above 0 to 1, not falling. A look
        at which it stands still spends nothing, and its critical value is infinite.
    skip : sequence of int
        Looks, the first being 1, that reject nothing; what they would have spent is left to the next.
    alpha_lower : float, optional
        With two sides, what the lower one has of alpha; by default half.
    boundary_lower : str, sequence of float, or callable, optional
        The lower side's boundary; by default that of the upper, mirrored.
    shape_lower : float, optional
        The parameter of that family.

    Returns
    -------
    Design

    Raises
    ------
    ValueError
        An argument outside its domain, or one that the family does not have.

    Notes
    -----
    Z_k ~ N(effect sqrt(I_k), 1) with Cov(Z_j, Z_k) = sqrt(I_j / I_k) [1]_, by numerical integration from look to look,
    with an error below 1e-10 in every critical value. Any estimate whose stderr^2 is 1 / I_k and whose increments are
    independent has this distribution in large samples.

    Not for looks whose times depend on the results seen so far, nor for estimates with few or heavily skewed units.

    References
    ----------
    .. [1] Jennison and Turnbull 2000, Group Sequential Methods, ch. 2, 3, 7 and 19.
    .. [2] Pocock 1977, Biometrika 64(2); O'Brien and Fleming 1979, Biometrics 35(3).
    .. [3] Wang and Tsiatis 1987, Biometrics 43(1).
    .. [4] Lan and DeMets 1983, Biometrika 70(3); Kim and DeMets 1987, Biometrika 74(1).
    .. [5] Hwang, Shih and De Cani 1990, Statistics in Medicine 9(12).
    .. [6] Pampallona, Tsiatis and Kim 2001, Drug Information Journal 35(4).

    Examples
    --------
    >>> import abkit as ab
    >>> design = ab.group_sequential_design(alpha=0.05, looks=5)
    >>> [round(c, 3) for c in design.critical_values]
    [4.877, 3.357, 2.68, 2.29, 2.031]
    >>> round(design.inflation, 4)  # the price of looking: 2.5% more units at most
    1.0247
    """
    sides = _check.choice("sides", sides, (1, 2))
    alpha = _check.within("alpha", alpha, 0, 1)
    at = where(looks, information)
    below = lower_alpha(alpha, sides, alpha_lower, boundary_lower, shape_lower)
    if max(alpha - below, below) > 0.5:
        raise ValueError(f"`alpha` must leave each side at most 0.5; got {alpha:g}.")
    power = _check.within("power", power, 0, 1)
    if not power > alpha and futility is not None:
        raise ValueError(f"`power` must exceed alpha ({alpha:g}); got {power:g}.")
    if harm is not None and sides == 2:
        raise ValueError("`harm` must be left out where `sides` is 2: the lower side is a bound for harm.")
    if futility is not None and (below not in (0.0, alpha / 2) or boundary_lower is not None):
        raise ValueError("`futility` must be left out where the two sides differ.")
    clock = tuple(i / at[-1] for i in at) if spending_time is None else rising_clock(spending_time, len(at))
    return make(
        Plan(
            alpha=alpha,
            alpha_lower=below,
            sides=sides,
            information=at,
            clock=clock,
            calendar=spending_time is not None,
            boundary=named_or_given("boundary", boundary),
            shape=None if shape is None else _check.number("shape", shape),
            boundary_lower=named_or_given("boundary", boundary if boundary_lower is None else boundary_lower),
            shape_lower=shape if boundary_lower is None else shape_lower,
            power=power,
            futility=stopping_bounds("futility", futility, len(at)),
            futility_shape=own_shape("futility", futility, futility_shape),
            binding=bool(binding) and futility is not None,
            harm=stopping_bounds("harm", harm, len(at)),
            harm_shape=own_shape("harm", harm, harm_shape),
            harm_alpha=alpha if harm_alpha is None else _check.within("harm_alpha", harm_alpha, 0, 1),
            skip=skipped_looks(skip, len(at)),
        )
    )
