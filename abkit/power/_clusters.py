"""Two means of rows that come in clusters, which were randomised whole."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, Unpack

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.power._means import deviations, means_model, unit_of_effects
from abkit.power._question import Common, numbers, question, shown
from abkit.power._result import NoSolution, PowerResult
from abkit.power._solve import answer


def clusters(  # noqa: PLR0913
    *,
    n: object = None,
    mde: object = None,
    power: object = None,
    sd: object,
    icc: object,
    cluster_size: object,
    cv: object = 0.0,
    sd_treatment: object = None,
    baseline: object = None,
    test: Literal["t", "z"] = "t",
    **common: Unpack[Common],
) -> PowerResult | NoSolution:
    """How many clusters a test of two means of rows needs, how small a difference it finds, or with what power.

    Answers: with two of the number of clusters, the effect and the power, what is the third, where whole clusters are
    randomised (shops, households, users with several rows) and the mean of a row is compared?

    Parameters
    ----------
    n : float or array, optional
        Clusters of the control, at least 2 of each variant for the t test.
    mde : float, array, or Relative, optional
        The true difference of the means of a row, treatment minus control; with `relative` a share of the baseline.
        For non-inferiority and equivalence, where it is left out together with another, no difference.
    power : float or array, optional
        The chance that the test rejects, between 0 and 1. Two-sided tests reject on both sides.
    sd : float or array
        Standard deviation of a row, above 0: of the control, and of the treatment too unless `sd_treatment`.
    icc : float or array
        Intraclass correlation: that of two rows of a cluster, at least 0 and below 1.
    cluster_size : float or array
        Rows of a cluster on average, at least 1.
    cv : float or array
        Standard deviation of the clusters' sizes over their mean; by default all clusters have one size.
    sd_treatment : float or array, optional
        That of a row of the treatment.
    baseline : float or array, optional
        The control's mean, not 0; needed for relative effects only.
    test : {"t", "z"}
        "t": degrees of freedom by the number of clusters, as `ratio_test` has them. "z": for many clusters.
    relative, alpha, alternative, hypothesis, margin, ratio, monitor, looks
        See `power.Common`; units are clusters.

    Returns
    -------
    PowerResult or NoSolution
        `n_control` and `n_treatment` are clusters; times `cluster_size` they are rows.

    Raises
    ------
    ValueError, TypeError
        An argument outside its domain, or not two of `n`, `mde` and `power`.

    Notes
    -----
    The mean of n clusters of m rows has variance sd^2 D / (n m), where the design effect is [1]_ [2]_

        D = 1 + ((1 + cv^2) m - 1) icc.

    That is the variance of total over total, which `Ratio` and `ratio_test` test from sums per cluster, with degrees of
    freedom by Satterthwaite from n - 1 of each variant. Sizes are taken to be independent of the values. For fewer than
    about 10 clusters a variant the delta method itself is rough: simulate it, or plan `two_means` of clusters' means.

    References
    ----------
    .. [1] Donner and Klar 2000, Design and Analysis of Cluster Randomization Trials, eq. 5.2.
    .. [2] Eldridge, Ashby and Kerry 2006, International Journal of Epidemiology 35(5), 1292-1300.

    Examples
    --------
    >>> import abkit as ab
    >>> shops = ab.power.clusters(mde=0.2, sd=1.0, icc=0.05, cluster_size=20, power=0.8)
    >>> round(shops.n_control, 2)
    39.25
    >>> round(ab.power.clusters(mde=0.2, sd=1.0, icc=0.05, cluster_size=20, cv=0.6, power=0.8).n_control, 2)
    46.31
    """
    _check.choice("test", test, ("t", "z"))
    asked, mde = question(mde, common, clusters)
    control, treatment = deviations(sd, sd_treatment)
    size = numbers("cluster_size", cluster_size, 1, open_low=False)
    effect = design_effect(numbers("icc", icc, 0, 1, open_low=False), size, numbers("cv", cv, 0, open_low=False))
    root = np.sqrt(effect / size)
    unit = unit_of_effects(baseline, relative=asked.relative)
    model = means_model(asked, "welch" if test == "t" else "z", control * root, treatment * root, unit)
    few = test == "t" and asked.monitor is None
    assumed = (
        f"units are clusters of {shown(size)} rows on average, with a design effect of {shown(effect)}",
        "total over total, tested from sums per cluster; " + ("t by clusters" if few else "normal, so many clusters"),
    )
    return answer("clusters", asked, replace(model, assumptions=assumed), n=n, mde=mde, power=power)


def design_effect(icc: Float64Array, size: Float64Array, cv: Float64Array) -> Float64Array:
    """How many times the variance of as many independent rows (Eldridge, Ashby and Kerry 2006)."""
    return np.asarray(1 + ((1 + cv**2) * size - 1) * icc)
