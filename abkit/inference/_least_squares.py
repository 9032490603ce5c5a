"""Least squares of an outcome on treatment, covariates and strata, in an orthonormal basis of the regressors."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from abkit._check import Float64Array
from abkit.inference._labels import Groups

COLLINEAR = 1e-10
EPSILON = float(np.finfo(float).eps)
NOT_TOLD_APART = (
    "`treatment` must differ from `control` in more than its covariates and strata; every stratum has one variant "
    "only, or a covariate (where slopes are per variant: within a variant) does not vary enough to tell them apart"
)


@dataclass(frozen=True, slots=True)
class Fit:
    """The adjusted means of both variants as linear functions of the outcomes, and the residuals.

    The control's rows come first. The regressors, less their means within strata, are `basis`: orthonormal rows over
    the units. An adjusted mean is the outcomes' mean plus `loadings` @ basis @ outcomes, so a unit's weight in it
    is 1 / n + loadings @ basis.
    """

    means: Float64Array
    loadings: Float64Array
    basis: Float64Array
    residuals: Float64Array
    n_control: int
    strata: Groups

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.residuals)

    @property
    def rank(self) -> int:
        """Number of free coefficients, those of the strata among them."""
        return len(self.basis) + self.strata.count

    @property
    def variants(self) -> dict[str, slice]:
        """The rows of each variant."""
        return {"control": slice(None, self.n_control), "treatment": slice(self.n_control, None)}

    def weights(self) -> Float64Array:
        """Weight of each row in the adjusted means: control, treatment."""
        weights = self.loadings @ self.basis
        weights += 1 / self.n
        return weights

    def leverages(self) -> Float64Array:
        """How much each row's outcome pulls its own fitted value: the diagonal of the projection."""
        leverages: Float64Array = np.einsum("ij,ij->j", self.basis, self.basis)
        leverages += self.strata.spread(1.0 / self.strata.sizes)
        return leverages

    def room(self, variant: str) -> float:
        """Degrees of freedom that a variant's rows leave to residuals: the sum of 1 - leverage."""
        rows = self.variants[variant]
        basis = self.basis[:, rows]
        if self.strata.count == 1:
            own = basis.shape[1] / self.n
        else:
            own = float((1.0 / self.strata.sizes)[self.strata.codes[rows]].sum())
        return float(basis.shape[1] - own - np.einsum("ij,ij->", basis, basis))


@dataclass(frozen=True, slots=True)
class _Regressors:
    """Treatment and covariates, a row each, their norms before any mean was taken off, and where the variants stand.

    `at` is the point of each adjusted mean, control and treatment, less the regressors' means over all rows.
    """

    columns: Float64Array
    norms: Float64Array
    at: Float64Array


def least_squares(control: Float64Array, treatment: Float64Array, strata: Groups, *, interactions: bool) -> Fit:
    """First column on treatment, the other columns with one slope or a slope per variant, and strata."""
    regressors = (_slopes_each if interactions else _slopes_shared)(control, treatment)
    within(regressors.columns[: 1 if strata.count == 1 else None], strata)
    basis, transform = _orthonormal(regressors)
    loadings = regressors.at @ transform.T
    outcome = np.concatenate([control[:, 0], treatment[:, 0]])
    mean, coefficients, residuals = _fitted(outcome, basis, strata)
    return Fit(mean + loadings @ coefficients, loadings, basis, residuals, len(control), strata)


def within(rows: Float64Array, strata: Groups) -> None:
    """Take off the means of the strata, and then what the rounding of those means left."""
    for _ in range(2):
        if strata.count == 1:
            rows -= rows.mean(axis=1, keepdims=True)
        else:
            for i in range(len(rows)):
                rows[i] -= (strata.sums(rows[i]) / strata.sizes)[strata.codes]


def _slopes_shared(control: Float64Array, treatment: Float64Array) -> _Regressors:
    """Covariates less their means."""
    n_control, n = len(control), len(control) + len(treatment)
    columns = np.zeros((control.shape[1], n))
    columns[0, n_control:] = 1
    columns[1:, :n_control], columns[1:, n_control:] = control[:, 1:].T, treatment[:, 1:].T
    norms = np.sqrt(np.einsum("ij,ij->i", columns, columns))
    _centre(columns[1:])
    at = np.zeros((2, len(columns)))
    at[:, 0] = np.array([-len(treatment), n_control]) / n
    return _Regressors(columns, norms, at)


def _slopes_each(control: Float64Array, treatment: Float64Array) -> _Regressors:
    """A row of each covariate for each variant, less its mean there, and zero in the other."""
    k, n_control, n = control.shape[1] - 1, len(control), len(control) + len(treatment)
    columns, at = np.zeros((1 + 2 * k, n)), np.zeros((2, 1 + 2 * k))
    columns[0, n_control:] = 1
    in_control, in_treatment = columns[1 : 1 + k, :n_control], columns[1 + k :, n_control:]
    in_control[:], in_treatment[:] = control[:, 1:].T, treatment[:, 1:].T
    norms = np.sqrt(np.einsum("ij,ij->i", columns, columns))
    (mean_c, rest_c), (mean_t, rest_t) = _centre(in_control), _centre(in_treatment)
    distance = (mean_t - mean_c) + (rest_t - rest_c)
    at[:, 0] = np.array([-len(treatment), n_control]) / n
    at[0, 1 : 1 + k], at[1, 1 + k :] = -at[0, 0] * distance, -at[1, 0] * distance
    return _Regressors(columns, norms, at)


def _centre(rows: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Take off the mean of each row, in place, and what the rounding of that mean left; both are returned."""
    mean = rows.mean(axis=1)
    rows -= mean[:, None]
    rest = rows.mean(axis=1)
    rows -= rest[:, None]
    return mean, rest


def _orthonormal(regressors: _Regressors) -> tuple[Float64Array, Float64Array]:
    """An orthonormal basis of the regressors, and the map to it; refused where it does not reach both adjusted means.

    By the eigenvectors of the correlations, and then, where their inverse lost digits, by Cholesky's factor.
    """
    columns, at = regressors.columns, regressors.at
    products = columns @ columns.T
    scale = np.sqrt(np.diagonal(products))
    rounding = 4 * EPSILON * regressors.norms
    varies = scale > rounding
    scale = np.where(varies, scale, 1.0)
    values, vectors = np.linalg.eigh(products / np.outer(scale, scale) * np.outer(varies, varies))
    free = values > COLLINEAR
    transform = (vectors[:, free] / np.sqrt(values[free])).T / scale
    constant = np.abs(at[:, ~varies]) > 2 * rounding[~varies] / math.sqrt(columns.shape[1])
    collinear = (at * varies / scale) @ vectors[:, ~free]
    if constant.any() or np.abs(collinear).max(initial=0.0) > 1e-6 * np.abs(at @ transform.T).max(initial=0.0):
        raise ValueError(f"{NOT_TOLD_APART}.")
    basis = transform @ columns
    if values[free][0] < 0.01:
        factor = np.linalg.inv(np.linalg.cholesky(basis @ basis.T))
        transform, basis = factor @ transform, factor @ basis
    return basis, transform


def _fitted(outcome: Float64Array, basis: Float64Array, strata: Groups) -> tuple[float, Float64Array, Float64Array]:
    """Mean of the outcome, its coefficients on the basis, its residuals: zero where only rounding is left."""
    mean = outcome.mean()
    deviations = outcome - mean
    mean += deviations.mean()
    within(deviations[None, :], strata)
    coefficients = basis @ deviations
    residuals = deviations - coefficients @ basis
    left = _norm(residuals)
    if left <= 1e-12 * _norm(deviations) or left <= 4 * EPSILON * _norm(outcome):
        residuals = np.zeros_like(residuals)
    return float(mean), coefficients, residuals


def _norm(values: Float64Array) -> float:
    return float(np.sqrt(values @ values))
