"""Least squares of an outcome on treatment, covariates and strata, in an orthonormal basis of the regressors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from abkit._check import Float64Array
from abkit.inference._labels import Groups, one_group

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


def least_squares(control: Float64Array, treatment: Float64Array, strata: Groups, *, interactions: bool) -> Fit:
    """First column on treatment, the other columns less their mean, their products with treatment, and strata."""
    outcome = np.concatenate([control[:, 0], treatment[:, 0]])
    columns, raw = _columns(control, treatment, interactions=interactions)
    means = columns.mean(axis=1)
    within(columns if strata.count > 1 else columns[:1], strata)
    if strata.count == 1:
        within(columns[control.shape[1] :], strata)
    basis, transform, unseen = _orthonormal(columns, 4 * EPSILON * raw)
    effect = np.eye(1, len(columns))[0]
    if any(_norm(unseen @ wanted) > 1e-6 * _norm(transform @ wanted) for wanted in (effect, means)):
        raise ValueError(f"{NOT_TOLD_APART}.")
    at_control = -(transform @ means)
    loadings = np.stack([at_control, at_control + transform @ effect])
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


def _columns(
    control: Float64Array, treatment: Float64Array, *, interactions: bool
) -> tuple[Float64Array, Float64Array]:
    """Treatment, covariates less their means, and where asked for the products of the two; and the norms of all."""
    k, n_control, n = control.shape[1] - 1, len(control), len(control) + len(treatment)
    columns = np.zeros((1 + k * (1 + interactions), n))
    columns[0, n_control:] = 1
    covariates = columns[1 : 1 + k]
    covariates[:, :n_control], covariates[:, n_control:] = control[:, 1:].T, treatment[:, 1:].T
    norms = np.sqrt(np.einsum("ij,ij->i", covariates, covariates))
    if not np.all(np.isfinite(norms)):
        raise ValueError("`control` and `treatment` must hold covariates whose squares can be added up in 64 bits.")
    within(covariates, one_group(n))
    if interactions:
        columns[1 + k :, n_control:] = covariates[:, n_control:]
    return columns, np.concatenate([[1.0], *[norms] * (1 + interactions)])


def _orthonormal(columns: Float64Array, rounding: Float64Array) -> tuple[Float64Array, Float64Array, Float64Array]:
    """An orthonormal basis of the rows, the map to it, and the directions of coefficients that it does not see.

    By the eigenvectors of the correlations, and then, where their inverse lost digits, by Cholesky's factor.
    """
    products = columns @ columns.T
    scale = np.sqrt(np.diagonal(products))
    varies = scale > rounding
    scale = np.where(varies, scale, 1.0)
    values, vectors = np.linalg.eigh(products / np.outer(scale, scale) * np.outer(varies, varies))
    free = values > COLLINEAR
    transform = (vectors[:, free] / np.sqrt(values[free])).T / scale
    basis = transform @ columns
    if free.any() and values[free][0] < 0.01:
        factor = np.linalg.inv(np.linalg.cholesky(basis @ basis.T))
        transform = factor @ transform
        basis = factor @ basis
    return basis, transform, vectors[:, ~free].T / scale


def _fitted(outcome: Float64Array, basis: Float64Array, strata: Groups) -> tuple[float, Float64Array, Float64Array]:
    """Mean of the outcome, its coefficients on the basis, its residuals: zero where only rounding is left."""
    mean = outcome.mean()
    deviations = outcome - mean
    mean += deviations.mean()
    within(deviations[None, :], strata)
    coefficients = basis @ deviations
    residuals = deviations - coefficients @ basis
    left = _norm(residuals)
    if not np.isfinite(left):
        raise ValueError("`control` and `treatment` must hold outcomes whose squares can be added up in 64 bits.")
    if left <= 1e-12 * _norm(deviations) or left <= 4 * EPSILON * _norm(outcome):
        residuals = np.zeros_like(residuals)
    return float(mean), coefficients, residuals


def _norm(values: Float64Array) -> float:
    return float(np.sqrt(values @ values))
