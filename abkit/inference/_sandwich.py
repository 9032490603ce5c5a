"""Covariance matrices of two adjusted means, robust to unequal variances and to clusters."""

from __future__ import annotations

import math

import numpy as np

from abkit._check import Float64Array
from abkit.inference._cells import cells_of
from abkit.inference._labels import Groups
from abkit.inference._least_squares import Fit

LARGEST = 2000  # rows of the largest matrix whose root is taken
FULL = 1e-10  # a leverage nearer to one than this is one: it leaves no residual


def independent(fit: Fit, covariance: str) -> tuple[Float64Array, float]:
    """Covariance matrix for independent units, and degrees of freedom; "classical" is that of one variance.

    HC0 by White (1980), HC1 to HC3 by MacKinnon and White (1985): a residual is divided by a power of the square root
    of what its own leverage leaves of it. A unit with a leverage of one has no residual, and counts for nothing.
    """
    residual_df, weights = fit.n - fit.rank, fit.weights()
    if covariance == "classical":
        return weights @ weights.T * (fit.residuals @ fit.residuals / residual_df), float(residual_df)
    room = 1 - fit.leverages()
    root = np.sqrt(np.where(room > FULL, room, math.inf))
    power = {"HC0": 0, "HC1": 0, "HC2": 1, "HC3": 2}[covariance]
    scores = weights * (fit.residuals / root**power)
    matrix = scores @ scores.T
    if covariance == "HC1":
        matrix *= fit.n / residual_df
    if covariance != "HC2":
        return matrix, float(residual_df)
    return matrix, _df_of_units(fit, ((weights[1] - weights[0]) / root) ** 2, room)


def _df_of_units(fit: Fit, squares: Float64Array, room: Float64Array) -> float:
    """Satterthwaite's degrees of freedom of HC2 where the units have one variance (Bell and McCaffrey 2002).

    With P = diag(p) (I - H) diag(p), p^2 = `squares`: trace(P)^2 / trace(P^2), and the sum over all pairs of
    p_i^2 p_j^2 h_ij^2 from sums of products of the basis, of each stratum and of all.
    """
    strata = fit.strata
    of_basis = (fit.basis * squares) @ fit.basis.T
    in_strata = strata.sums(squares)
    both = np.stack([strata.sums(row * squares) for row in fit.basis])
    pairs = (of_basis**2).sum() + ((in_strata / strata.sizes) ** 2).sum() + 2 * (both**2 / strata.sizes).sum()
    own = (squares * squares * (1 - 2 * (1 - room))).sum()
    return float((squares * room).sum() ** 2 / (own + pairs))


def clustered(fit: Fit, clusters: Groups, covariance: str) -> tuple[Float64Array, float]:
    """Covariance matrix for independent clusters of units, and degrees of freedom.

    CR0 by Liang and Zeger (1986); CR1 with the factor G / (G - 1) (n - 1) / (n - rank); CR2 by Bell and McCaffrey
    (2002), whose working model is one variance and no correlation.
    """
    if covariance == "CR2":
        return _reduced_bias(fit, clusters)
    count = clusters.count
    scores = np.stack([clusters.sums(row * fit.residuals) for row in fit.weights()])
    matrix = scores @ scores.T
    if covariance == "CR1":
        matrix *= count / (count - 1) * (fit.n - 1) / (fit.n - fit.rank)
    return matrix, float(count - 1)


def _reduced_bias(fit: Fit, clusters: Groups) -> tuple[Float64Array, float]:
    """CR2, with Satterthwaite's degrees of freedom.

    The regressors of a cluster, W, are the basis and the indicators of its strata, scaled to be orthonormal over all
    units: its block of the projection is H = W W'. Since W' (I - W W')^(-1/2) = (I - W'W)^(-1/2) W', the score
    l' W' (I - H)^(-1/2) e of a cluster needs W'W and W'e only, and no matrix as large as the cluster. So do
    the degrees of freedom (Pustejovsky and Tipton 2018, J. Business & Economic Statistics 36(4), sec. 3).
    """
    matrix, own, traces = np.zeros((2, 2)), 0.0, 0.0
    cells = cells_of(fit, clusters)
    most = int(np.bincount(cells.cluster).max())
    if most > LARGEST:
        raise ValueError(
            f"`strata` must be at most {LARGEST} in a cluster with `covariance` 'CR2'; got {most}. Use 'CR1'."
        )
    in_basis = np.zeros((clusters.count, len(fit.basis)))
    in_cells = np.zeros(len(cells.stratum))
    for chosen, slots in cells.blocks():
        stack = cells.stack(chosen, slots)
        values, vectors = np.linalg.eigh(stack.products)
        room = 1 - values
        root = np.where(room > FULL, 1 / np.sqrt(np.where(room > FULL, room, 1.0)), 0.0)
        turned = np.einsum("gij,agi->agj", vectors, stack.loadings)
        scores = np.einsum("agj,gj->ag", turned, np.einsum("gij,gi->gj", vectors, stack.residuals) * root)
        matrix += scores @ scores.T
        effect = turned[1] - turned[0]
        size = (values * (effect * root) ** 2).sum(axis=1)
        shared = np.einsum("gij,gj->gi", vectors, values * root * effect)
        squares = (shared**2).sum(axis=1)
        traces += float((size - squares).sum())
        own += float((size * (size - 2 * squares)).sum())
        in_basis[chosen] = shared[:, slots.shape[1] :]
        in_cells[slots] = shared[:, : slots.shape[1]]
    return matrix, traces**2 / (own + cells.squared_products(in_basis, in_cells))
