"""The effect of treatment in a linear regression on covariates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.evidence import TestResult, run_test
from abkit.inference._caution import mean_caution
from abkit.inference._labels import Groups, grouped, one_group
from abkit.inference._least_squares import Fit, least_squares
from abkit.inference._mean_effect import MeanEffect
from abkit.inference._randomised import need_randomised
from abkit.inference._regression_moments import effect_of_comoments
from abkit.inference._sandwich import clustered, independent
from abkit.suffstats import CoMoments, Moments
from abkit.types import Alternative, Assignment, Null

INDEPENDENT = ("HC0", "HC1", "HC2", "HC3", "classical", "linearised")
CLUSTERED = ("CR0", "CR1", "CR2")
Covariance = Literal["HC0", "HC1", "HC2", "HC3", "classical", "linearised", "CR0", "CR1", "CR2"]


def regression_test(  # noqa: PLR0913 - the choices of a regression
    control: object,
    treatment: object,
    *,
    alternative: Alternative = "two-sided",
    null: Null = 0.0,
    interactions: bool = True,
    covariance: Covariance | None = None,
    clusters: object = None,
    strata: object = None,
    assignment: Assignment = "randomised",
) -> TestResult:
    """Difference of two means adjusted by least squares for covariates and strata, with robust standard errors.

    Answers: how far apart would the variants' means be if their covariates had the same means, with rows that may be
    dependent within clusters?

    Parameters
    ----------
    control, treatment : array_like, shape (n,) or (n, 1 + k), or Moments or CoMoments
        The outcome first, then k covariates, measured before treatment. Rows are units, or rows of clusters.
        Each needs n >= 2. Co-moments serve what needs no unit's own residual: see `covariance`.
    alternative : {"two-sided", "greater", "less"}
        "greater": the treatment's adjusted mean exceeds the control's by more than `null`.
    null : float or Relative
        Difference under the null hypothesis, in the outcome's unit, or as a share of the control's adjusted mean.
    interactions : bool
        True: slopes per variant [1]_. False: one slope for both variants.
    covariance : {"HC0", "HC1", "HC2", "HC3", "classical", "linearised", "CR0", "CR1", "CR2"}, optional
        "HC0" to "HC3": units are independent, each with its own variance. "CR0" to "CR2": `clusters` are independent.
        "classical": one variance for all units. "linearised": what the metrics of a plan use, to first order in
        means, with the pooled mean of the covariates random and not given; it needs `interactions`. Co-moments of
        covariates give the last two only. By default CR2 with clusters, "linearised" for co-moments with
        covariates and slopes per variant, and otherwise HC2.
    clusters : (control labels, treatment labels), optional
        Each row's cluster. A label in both variants is one cluster. Each variant needs two.
    strata : (control labels, treatment labels), optional
        Each row's stratum; every stratum has an intercept of its own, the same for both variants.
    assignment : {"randomised", "adaptive"}
        How units came to their variants. "adaptive", by earlier outcomes as in a bandit, is refused.

    Returns
    -------
    TestResult
        `control` and `treatment` are the adjusted means: at the covariates' means over all rows, and at the strata's
        shares of all rows. `relative` is Fieller's set of those.

    Raises
    ------
    ValueError
        Fewer than two rows or clusters in a variant, no more rows than coefficients, a covariate or strata that
        determine the variant, slopes per variant with a covariate that does not vary within one, a covariance that
        does not fit what was given, or values not finite.
    TypeError
        Observations that are not 64-bit numbers, or labels that are missing.

    Notes
    -----
    With covariates x less their mean over all rows, y = a + tau T + b'x (+ T c'x) (+ an intercept a stratum); tau is
    the effect, and a unit with weight w_i in it and residual e_i has a share w_i^2 e_i^2 of the variance in HC0.
    HC1 multiplies by n / (n - p), HC2 divides by 1 - h_i and HC3 by its square, h_i the leverage [2]_. In CR0 the
    sum of w_i e_i over a cluster stands in the place of w_i e_i; CR1 multiplies by G/(G - 1) (n - 1)/(n - p), CR2
    multiplies the residuals of a cluster by (I - H_g)^(-1/2) [3]_ [4]_. p counts the strata. References: t with
    Satterthwaite's degrees of freedom [3]_ [4]_ for HC2 and CR2 (under one variance and no correlation), n - p for
    the other HC and for "classical", G - 1 for CR0 and CR1.

    The means of the covariates and the shares of the strata are taken as given: the answer is about these units.
    For a population that they were drawn from, "linearised" adds the error of those means, which matters where the
    slopes of the variants differ. Without covariates HC2 has the standard error of `welch_test`.
    A covariate that is constant or a combination of others changes nothing. A stratum with one variant says
    nothing of the effect, and helps to estimate the slopes. A row that a covariate or stratum has to itself leaves no
    residual, and adds nothing to the variance. The covariates must not be changed by the treatment.

    References
    ----------
    .. [1] Lin 2013, Annals of Applied Statistics 7(1), sec. 4.
    .. [2] MacKinnon and White 1985, Journal of Econometrics 29(3).
    .. [3] Bell and McCaffrey 2002, Survey Methodology 28(2).
    .. [4] Pustejovsky and Tipton 2018, Journal of Business & Economic Statistics 36(4), sec. 2 and 3.

    Examples
    --------
    >>> import abkit as ab
    >>> control = [[12.0, 5.0], [9.0, 3.0], [15.0, 8.0], [11.0, 4.0]]    # revenue, and revenue before
    >>> treatment = [[14.0, 4.0], [13.0, 5.0], [18.0, 9.0], [12.0, 3.0]]
    >>> result = ab.regression_test(control, treatment)
    >>> round(result.estimate, 2), round(result.stderr, 2), round(result.df, 1)
    (2.24, 0.51, 3.8)
    """
    need_randomised("regression_test", assignment)
    if not isinstance(interactions, (bool, np.bool_)):
        raise TypeError(f"`interactions` must be True or False; got {_check.show(interactions)}.")
    arms = _arm("control", control), _arm("treatment", treatment)
    if arms[0].names != arms[1].names:
        raise ValueError(f"`treatment` must hold the variables of `control`, {arms[0].names}; got {arms[1].names}.")
    chosen = _chosen(covariance, arms, interactions=bool(interactions), clusters=clusters, strata=strata)
    caution = None if clusters is not None else _outcome_caution(arms)
    if chosen == "linearised" or (clusters is None and strata is None and chosen in arms[0].served):
        effect = effect_of_comoments(arms[0].comoments(), arms[1].comoments(), chosen, interactions=bool(interactions))
    else:
        fit = _fit(arms, strata, interactions=bool(interactions))
        effect, few = _effect(fit, chosen, None if clusters is None else grouped("clusters", clusters, _sizes(arms)))
        caution = few or caution
    return run_test(f"regression, {chosen}", effect, alternative, null, caution)


@dataclass(frozen=True, slots=True)
class _Arm:
    """One variant: its rows, or their co-moments only."""

    data: Float64Array | CoMoments
    names: tuple[str, ...]
    n: int

    @property
    def served(self) -> tuple[str, ...]:
        """The covariances that co-moments of these variables give."""
        return ("HC0", "HC1", "HC2", "HC3", "classical") if len(self.names) == 1 else ("classical",)

    def comoments(self) -> CoMoments:
        return (
            self.data
            if isinstance(self.data, CoMoments)
            else CoMoments.from_sample(self.data, self.names, "control` and `treatment")
        )


def _arm(name: str, data: object) -> _Arm:
    if isinstance(data, Moments):
        data = CoMoments(data.n, np.asarray(data.mean)[..., None], np.asarray(data.m2)[..., None, None], ("outcome",))
    if not isinstance(data, CoMoments):
        rows = _check.observations(name, data, ndim=(1, 2))
        rows = rows.reshape(len(rows), -1) if rows.size else rows.reshape(0, 1)
        names = ("outcome", *(f"covariate {i}" for i in range(1, rows.shape[1])))
        arm = _Arm(rows, names, len(rows))
    elif np.ndim(data.n):
        raise ValueError(f"`{name}` must describe one group; got statistics of many.")
    else:
        arm = _Arm(data, data.names, int(data.n))
    if arm.n < 2:
        raise ValueError(f"`{name}` must have at least 2 units; got {arm.n}.")
    return arm


def _chosen(
    covariance: object, arms: tuple[_Arm, _Arm], *, interactions: bool, clusters: object, strata: object
) -> str:
    """The covariance that was asked for, or the default; refused where it does not fit what was given."""
    rows = all(isinstance(arm.data, np.ndarray) for arm in arms)
    options = CLUSTERED if clusters is not None else INDEPENDENT
    if covariance is None:
        covers = len(arms[0].names) == 1 or rows
        chosen = "CR2" if clusters is not None else "HC2" if covers or not interactions else "linearised"
    elif covariance in CLUSTERED and clusters is None:
        raise ValueError(f"`clusters` must be given with `covariance` {covariance!r}.")
    else:
        chosen = _check.choice("covariance" if clusters is None else "covariance` with `clusters", covariance, options)
    for name, labels in (("clusters", clusters), ("strata", strata)):
        if labels is not None and not rows:
            raise ValueError(f"`{name}` must label rows; got co-moments, which have none.")
    if not rows and chosen not in (*arms[0].served, "linearised"):
        raise ValueError(
            "`covariance` must be 'classical', or 'linearised' with slopes per variant, where co-moments with "
            f"covariates are given: {chosen} needs the residual of every unit."
        )
    if chosen == "linearised" and not interactions:
        raise ValueError("`interactions` must be True with `covariance` 'linearised'.")
    if chosen == "linearised" and strata is not None:
        raise ValueError("`covariance` must be another than 'linearised' with `strata`.")
    return chosen


def _sizes(arms: tuple[_Arm, _Arm]) -> tuple[int, int]:
    return arms[0].n, arms[1].n


def _fit(arms: tuple[_Arm, _Arm], strata: object, *, interactions: bool) -> Fit:
    control, treatment = (np.asarray(arm.data) for arm in arms)
    groups = one_group(arms[0].n + arms[1].n) if strata is None else grouped("strata", strata, _sizes(arms))
    fit = least_squares(control, treatment, groups, interactions=interactions)
    if fit.n <= fit.rank:
        raise ValueError(
            "`control` and `treatment` must have more rows than the regression has coefficients, "
            f"{fit.rank}; got {fit.n}."
        )
    for arm, name in zip(arms, fit.variants, strict=True):
        if fit.room(name) < 1e-6:
            raise ValueError(f"`{name}` must have more rows than coefficients of its own; got {arm.n}.")
    return fit


def _effect(fit: Fit, covariance: str, clusters: Groups | None) -> tuple[MeanEffect, str | None]:
    if clusters is None:
        matrix, df = independent(fit, covariance)
        caution = None
    else:
        counts = {name: np.count_nonzero(np.bincount(clusters.codes[rows])) for name, rows in fit.variants.items()}
        fewest = min(counts, key=counts.__getitem__)
        if counts[fewest] < 2:
            raise ValueError(f"`clusters` must be at least 2 in each variant; got {counts[fewest]} in the {fewest}.")
        matrix, df = clustered(fit, clusters, covariance)
        if not df > 0:
            raise ValueError("`clusters` must leave residuals: the covariates and strata fit every cluster exactly.")
        caution = _caution(covariance, clusters.count, int(counts[fewest]), df)
    effect = MeanEffect(
        float(fit.means[0]), float(fit.means[1]), float(matrix[0, 0]), float(matrix[1, 1]), float(matrix[0, 1]), df
    )
    return effect, caution


def _outcome_caution(arms: tuple[_Arm, _Arm]) -> str | None:
    c, t = (arm.data if isinstance(arm.data, CoMoments) else np.asarray(arm.data)[:, 0] for arm in arms)
    return mean_caution(c, t, "use permutation_test")


def _caution(covariance: str, clusters: int, fewest: int, df: float) -> str | None:
    if covariance != "CR2" and (clusters < 40 or fewest < 20):
        return (
            f"{covariance} with {clusters} clusters, {fewest} in the smaller variant, rejects too often; "
            "with fewer than 40, or than 20 in a variant, use covariance='CR2'."
        )
    if df < 5:
        return (
            f"the clusters give {df:.1f} degrees of freedom: they are few, or very unequal. The level is then "
            "approximate; compare with permutation_test of whole clusters."
        )
    return None
