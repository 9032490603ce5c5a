"""What clusters contribute to products of regressors and residuals, by stratum, in stacks of small matrices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from abkit._check import Float64Array
from abkit.inference._labels import Codes, Groups
from abkit.inference._least_squares import Fit

BLOCK = 2_000_000  # numbers in one stack


@dataclass(frozen=True, slots=True)
class Stack:
    """Clusters with equally many strata: W'W, W'e, and the loadings of both adjusted means on W, of each."""

    products: Float64Array
    residuals: Float64Array
    loadings: Float64Array


@dataclass(frozen=True, slots=True)
class Cells:
    """The rows that a cluster and a stratum share are a cell; cells are in the order of their clusters.

    W, the regressors of a cluster, are the indicators of its strata over the root of their sizes, then the basis.
    """

    fit: Fit
    cluster: Codes
    stratum: Codes
    rows: Float64Array
    basis: Float64Array
    residuals: Float64Array
    basis_products: Float64Array
    basis_residuals: Float64Array

    @property
    def roots(self) -> Float64Array:
        """The root of the size of each cell's stratum."""
        return np.sqrt(self.fit.strata.sizes[self.stratum])

    def blocks(self) -> Iterator[tuple[Codes, Codes]]:
        """Clusters, and the cells of each, shape (clusters, strata of each)."""
        counts = np.bincount(self.cluster)
        starts = np.cumsum(counts) - counts
        for strata in np.unique(counts):
            chosen = np.flatnonzero(counts == strata)
            width = max(BLOCK // (int(strata) + len(self.basis)) ** 2, 1)
            for low in range(0, len(chosen), width):
                block = chosen[low : low + width]
                yield block, starts[block][:, None] + np.arange(strata)

    def stack(self, clusters: Codes, slots: Codes) -> Stack:
        """The small matrices of some clusters."""
        strata, regressors = slots.shape[1], slots.shape[1] + len(self.basis)
        roots, upper = self.roots[slots], np.triu_indices(len(self.basis))
        products = np.zeros((len(clusters), regressors, regressors))
        products[:, range(strata), range(strata)] = self.rows[slots] / roots**2
        across = np.moveaxis(self.basis[:, slots], 0, 2) / roots[:, :, None]
        products[:, :strata, strata:], products[:, strata:, :strata] = across, np.swapaxes(across, 1, 2)
        of_basis = self.basis_products[:, clusters].T
        products[:, strata + upper[0], strata + upper[1]] = products[:, strata + upper[1], strata + upper[0]] = of_basis
        residuals = np.concatenate([self.residuals[slots] / roots, self.basis_residuals[:, clusters].T], axis=1)
        of_strata = np.broadcast_to(roots / self.fit.n, (2, *roots.shape))
        of_basis = np.broadcast_to(self.fit.loadings[:, None, :], (2, len(clusters), len(self.basis)))
        return Stack(products, residuals, np.concatenate([of_strata, of_basis], axis=2))

    def squared_products(self, in_basis: Float64Array, in_cells: Float64Array) -> float:
        """Sum of squares of Q'Q, for Q with a row a cluster and a column a regressor, given by its non-zero parts."""
        from scipy.sparse import csr_array

        shape = (len(in_basis), self.fit.strata.count)
        in_strata = csr_array((in_cells, (self.cluster, self.stratum)), shape=shape)
        total = ((in_basis.T @ in_basis) ** 2).sum() + 2 * ((in_strata.T @ in_basis) ** 2).sum()
        return float(total + ((in_strata.T @ in_strata).data ** 2).sum())


def cells_of(fit: Fit, clusters: Groups) -> Cells:
    """Sums of the basis and the residuals, and of their products, in one pass over the rows for each."""
    strata, basis = fit.strata, fit.basis
    if strata.count == 1:
        cells, pairs = clusters, np.arange(clusters.count)
    else:
        pairs, codes = np.unique(clusters.codes * strata.count + strata.codes, return_inverse=True)
        cells = Groups(codes, np.bincount(codes))
    return Cells(
        fit,
        pairs // strata.count,
        pairs % strata.count,
        cells.sizes.astype(np.float64),
        _sums(cells, basis),
        cells.sums(fit.residuals),
        _sums(clusters, (basis[i] * basis[j] for i, j in zip(*np.triu_indices(len(basis)), strict=True))),
        _sums(clusters, (row * fit.residuals for row in basis)),
    )


def _sums(groups: Groups, rows: Iterator[Float64Array] | Float64Array) -> Float64Array:
    return np.stack([groups.sums(row) for row in rows])
