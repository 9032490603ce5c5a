"""Two rates of events."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.evidence import Effect, TestResult, run_test
from abkit.inference._linear import linear_effect, ratio_arm
from abkit.inference._mean_effect import MeanEffect
from abkit.inference._negative_binomial import negative_binomial_effect
from abkit.inference._randomised import need_randomised
from abkit.inference._rate_effect import ExactRateEffect, ScoreRateEffect
from abkit.suffstats import CoMoments, Events, count_rows
from abkit.types import Alternative, Assignment, Null

Method = Literal["exact", "score", "quasi", "negative-binomial"]


#: Below, the dispersion found by likelihood is too small by more than a point of a 5% test's error (calibration).
FEWEST = 500
FEW = f"a variant has fewer than {FEWEST} units, and the dispersion found in them is too small; use method 'quasi'"


def rate_test(
    control: object,
    treatment: object,
    *,
    alternative: Alternative = "two-sided",
    null: Null = 0.0,
    method: Method = "exact",
    assignment: Assignment = "randomised",
) -> TestResult:
    """Two rates: events per unit, or per unit of exposure.

    Answers: do events happen more often under treatment than under control, and by how much?

    Parameters
    ----------
    control, treatment : Events, CoMoments, or array_like of shape (n,) or (n, 2)
        Per variant. "exact" and "score": the events and the exposure as `Events`. "quasi": the co-moments of the
        units' events and exposures. Every method takes rows: (events, exposure) of each unit, or its events alone for
        an exposure of 1; "negative-binomial" takes nothing else. Events are whole numbers, exposures above 0.
    alternative : {"two-sided", "greater", "less"}
        "greater": the treatment's effect is larger than `null`.
    null : float or Relative
        Effect under the null hypothesis: a difference of rates for "score" and "quasi", a log rate ratio for the
        others, or for any of them a share of the control's rate.
    method : {"exact", "score", "quasi", "negative-binomial"}
        exact, score: events are independent and come at one rate (Poisson). quasi: units are independent, and their
        own counts vary as they will. negative-binomial: variance m + a m^2 at a mean m, one a for both variants.
    assignment : {"randomised", "adaptive"}
        How units came to their variants. "adaptive", by earlier outcomes as in a bandit, is refused.

    Returns
    -------
    TestResult
        "exact" and "negative-binomial" have the scale "log rate ratio", the others "difference". `relative` is the
        rate ratio less one for all.

    Raises
    ------
    ValueError
        Negative or fractional events, no exposure, or a null out of range.
    TypeError
        Data that the method cannot work from.

    Notes
    -----
    exact: given all events x, the treatment's are binomial with the odds (rate ratio) x (exposure ratio) [1]_;
    p-values are central, twice the smaller tail. score: (r_t - r_c - null) / sqrt(m_t / e_t + m_c / e_c), m the
    maximum-likelihood rates under the null; for the ratio likewise [2]_. quasi: the variance is that of the units'
    counts, by the delta method, with t and Fieller as in `ratio_test`; for an exposure of 1 it is `welch_test`
    [3]_. negative-binomial: Wald on the log rate ratio, dispersion by maximum likelihood [4]_. Users differ: for
    several events of one user the Poisson methods reject far too often, and "quasi" is the one to use.

    References
    ----------
    .. [1] Przyborowski and Wilenski 1940, Biometrika 31(3-4).
    .. [2] Gu, Ng, Tang and Schucany 2008, Biometrical Journal 50(2), W4.
    .. [3] McCullagh and Nelder 1989, Generalized Linear Models, sec. 6.2; Liang and Zeger 1986, Biometrika 73(1).
    .. [4] Lawless 1987, Canadian Journal of Statistics 15(3), sec. 2.

    Examples
    --------
    >>> from abkit import Events, rate_test
    >>> result = rate_test(Events(events=11, exposure=800.0), Events(events=23, exposure=803.0))
    >>> round(result.pvalue, 4), [round(end, 3) for end in result.relative(0.95)]
    (0.0591, [-0.024, 3.733])
    """
    need_randomised("rate_test", assignment)
    _check.choice("method", method, get_args(Method))
    effect = _effect(method, control, treatment)
    few = method == "negative-binomial" and min(len(np.asarray(rows)) for rows in (control, treatment)) < FEWEST
    return run_test(method, effect, alternative, null, FEW if few else None)


def _effect(method: Method, control: object, treatment: object) -> Effect:
    if method == "quasi":
        return quasi_effect(_comoments("control", control), _comoments("treatment", treatment))
    if method == "negative-binomial":
        return negative_binomial_effect(_rows("control", control), _rows("treatment", treatment))
    c, t = _events("control", control), _events("treatment", treatment)
    kind = ExactRateEffect if method == "exact" else ScoreRateEffect
    return kind(int(c.events), float(c.exposure), int(t.events), float(t.exposure))


def quasi_effect(control: CoMoments, treatment: CoMoments) -> MeanEffect:
    """Difference of two rates from co-moments of (events, exposure), covariates after them."""
    return linear_effect(ratio_arm(control), ratio_arm(treatment))


def _events(name: str, data: object) -> Events:
    if isinstance(data, CoMoments):
        raise TypeError(f"`{name}` must be Events, or rows of events and exposure; co-moments are for 'quasi'.")
    events = data if isinstance(data, Events) else Events.from_sample(_rows(name, data))
    if np.ndim(events.events):
        raise ValueError(f"`{name}` must describe one group; got statistics of many.")
    if not events.exposure > 0:
        raise ValueError(f"`{name}` must have an exposure above 0; got {events.exposure:g}.")
    return events


def _comoments(name: str, data: object) -> CoMoments:
    if not isinstance(data, CoMoments):
        data = CoMoments.from_sample(_rows(name, data), ["events", "exposure"], name)
    if np.ndim(data.n) or len(data.names) != 2:
        raise ValueError(f"`{name}` must be one group's co-moments of events and exposure; got {data.names}.")
    if data.n < 2:
        raise ValueError(f"`{name}` must have at least 2 units; got {data.n}.")
    if not (data.mean[0] >= 0 and data.mean[1] > 0):
        raise ValueError(
            f"`{name}` must have events of at least 0 and an exposure above 0; "
            f"their means are {data.mean[0]:g} and {data.mean[1]:g}."
        )
    return data


def _rows(name: str, data: object) -> Float64Array:
    if isinstance(data, (Events, CoMoments)):
        raise TypeError(f"`{name}` must be rows, one a unit; got {type(data).__name__}, which has no row of a unit.")
    rows = count_rows(name, data)
    if not len(rows):
        raise ValueError(f"`{name}` must have at least 1 unit; got 0.")
    return rows
