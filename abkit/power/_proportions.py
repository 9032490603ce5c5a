"""Two proportions: the score test, Wald's, and the exact ones."""

from __future__ import annotations

from typing import Literal, Unpack, get_args

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.inference._restricted import difference_variance, ratio_variance
from abkit.power import _exact
from abkit.power._allocation import fewest_units
from abkit.power._exact_looks import compared_exactly
from abkit.power._question import Common, Question, numbers, question
from abkit.power._result import NoSolution, PowerResult
from abkit.power._solve import answer
from abkit.power._statistic import Statistic
from abkit.power._task import Model

Test = Literal["score", "miettinen-nurminen", "wald", "fisher", "boschloo", "barnard"]


def two_proportions(
    *,
    n: object = None,
    mde: object = None,
    power: object = None,
    baseline: object,
    test: Test = "score",
    **common: Unpack[Common],
) -> PowerResult | NoSolution:
    """How many units a test of two proportions needs, how small a difference it finds, or with what power.

    Answers: with two of the size, the effect and the power, what is the third?

    Parameters
    ----------
    n : float or array, optional
        Units of the control; for an exact test a whole number.
    mde : float, array, or Relative, optional
        The true difference, treatment minus control (0.01 is one percentage point), or with `relative` a share of the
        baseline. The treatment's proportion must be above 0 and below 1. For non-inferiority and equivalence, where it
        is left out together with another, no difference.
    power : float or array, optional
        The chance that the test rejects, between 0 and 1. Two-sided tests reject on both sides.
    baseline : float or array
        The control's proportion, above 0 and below 1.
    test : {"score", "miettinen-nurminen", "wald", "fisher", "boschloo", "barnard"}
        The first three as `proportion_test` has them, the others as `exact_test`.
    relative, alpha, alternative, hypothesis, margin, ratio, monitor, looks
        See `power.Common`. Exact tests are of superiority without a margin, at one look, and need a number as ratio.

    Returns
    -------
    PowerResult or NoSolution

    Raises
    ------
    ValueError, TypeError
        An argument outside its domain, not two of `n`, `mde` and `power`, or an exact test of too many units.

    Notes
    -----
    With the variances v_1 of the estimate in truth and v_0 at the proportions that have the highest likelihood under
    the null, given those that are expected, the score test rejects upwards with the chance [1]_ [2]_

        Phi((mde - null - z sqrt(v_0)) / sqrt(v_1)).

    Without a margin v_0 is that of the pooled proportion; with a margin Farrington and Manning's method 3; for relative
    margins that of the ratio, and v_1 counts the baseline's noise. "miettinen-nurminen" has v_0 N / (N - 1), "wald"
    has v_1 for both. `ratio="best"` makes the units of both as few as can be for this test, error rate and power, and
    not those with the least variance [3]_: for the score test often the variant with the smaller variance gets more.

    Exact tests: the probabilities of all tables that the test rejects are added up. Their power is a sawtooth in n;
    the `n` that is found is the smallest from which on the power is enough, for each `n` up to 20 + 3 sqrt(n) more, and
    `power` is the exact one there. The treatment's units are `n` times the ratio, rounded.

    Not for fewer than about 5 expected successes or failures in a variant: use an exact test.

    References
    ----------
    .. [1] Fleiss, Levin and Paik 2003, Statistical Methods for Rates and Proportions, eq. 4.14.
    .. [2] Farrington and Manning 1990, Statistics in Medicine 9(12), eq. 4 and 8.
    .. [3] Brittain and Schlesselman 1982, Biometrics 38(4), 1003-1009.

    Examples
    --------
    >>> import abkit as ab
    >>> result = ab.power.two_proportions(baseline=0.10, mde=0.01, alpha=0.05, power=0.8)
    >>> round(result.n_control, 2)
    14750.75
    >>> round(ab.power.two_proportions(baseline=0.10, n=50_000, power=0.8).mde, 5)
    0.00538
    >>> may_lose = ab.relative(0.05)
    >>> loss = ab.power.two_proportions(baseline=0.10, hypothesis="non-inferiority", margin=may_lose, power=0.9)
    >>> round(loss.n_control)
    58611
    >>> ab.power.two_proportions(baseline=0.1, mde=0.3, power=0.8, alternative="greater", test="fisher").n_control
    30.0
    """
    _check.choice("test", test, get_args(Test))
    asked, mde = question(mde, common, two_proportions)
    _check_margin(asked)
    share = numbers("baseline", numbers("baseline", baseline, 0, 1), 1e-100)

    def errors(
        n_c: Float64Array, n_t: Float64Array, mde: Float64Array, null: Float64Array, share: Float64Array
    ) -> tuple[Float64Array, Float64Array]:
        moved = mde * share if asked.relative else mde
        control, treatment = (n_c, share, 1 - share), (n_t, share + moved, (1 - share) - moved)
        weight = 1 + null if asked.relative else 1.0
        true = treatment[1] * treatment[2] / n_t + weight * weight * (share * control[2] / n_c)
        if test == "wald":
            return np.sqrt(true), np.sqrt(true)
        restricted = ratio_variance if asked.relative else difference_variance
        return np.sqrt(restricted(control, treatment, null)), np.sqrt(true)

    def at(
        n_c: Float64Array,
        n_t: Float64Array,
        mde: Float64Array,
        null: Float64Array,
        share: Float64Array,
        _: Float64Array,
    ) -> Statistic:
        under_null, true = errors(n_c, n_t, mde, null, share)
        scale = under_null / true
        if test == "miettinen-nurminen":
            scale = scale * np.sqrt((n_c + n_t) / (n_c + n_t - 1))
        here = Statistic(_gap(asked, mde, null, share) / true, scale)
        return compared_exactly(asked, here, share, share + (mde * share if asked.relative else mde), null)

    def best_ratio(
        n: Float64Array, mde: Float64Array, null: Float64Array, share: Float64Array, tail: Float64Array
    ) -> Float64Array:
        return fewest_units(errors, n, _gap(asked, mde, null, share), tail, mde, null, share)

    unit = share if asked.relative else 1.0
    model = Model(
        at,
        (share, asked.tail),
        best_ratio,
        (_ASSUMED.get(test, _ASSUMED["score"]),),
        fewest=float(test == "miettinen-nurminen"),
        lowest=-share / unit,
        highest=(1 - share) / unit,
    )
    found = answer("two_proportions", asked, model, n=n, mde=mde, power=power)
    return _exact.enumerated(asked, test, share, found) if test in _exact.MOST else found


def _gap(asked: Question, mde: Float64Array, null: Float64Array, share: Float64Array) -> Float64Array:
    return (mde - null) * (share if asked.relative else 1.0)


def _check_margin(asked: Question) -> None:
    """A null that two proportions can have."""
    below = asked.between or np.any(asked.null < 0)
    if (below or not asked.relative) and not np.all(asked.margin < 1):
        rule = "a share of the baseline" if asked.relative else "a difference of proportions"
        raise ValueError(f"`margin` must be below 1, as {rule}; got {asked.margin.max():g}.")


_ASSUMED = {
    "score": "the score test of independent units (at a null of zero Pearson's chi-square); normal, so many units",
    "miettinen-nurminen": "the score test of Miettinen and Nurminen, of independent units; normal, so many units",
    "wald": "Wald's test of independent units, each proportion with its own variance; normal, so many units",
}
