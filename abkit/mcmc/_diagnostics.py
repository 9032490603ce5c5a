"""Whether the chains of a sampled model can be believed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from abkit._check import Float64Array
from abkit._sets import finite_or_none

HIGHEST_RHAT, LOWEST_ESS, LOWEST_BFMI = 1.01, 400.0, 0.3
#: Begins the names of deviates of which parameters are made: these are diagnosed, and nobody reads the deviates.
DEVIATE = "z_"
MORE = "sample with more draws and tuning, or a higher `target_accept`"


@dataclass(frozen=True, slots=True)
class Diagnostics:
    """The worst of each diagnostic over all parameters and chains.

    Parameters
    ----------
    chains, draws : int
        How many chains, and how many draws each.
    rhat : float
        The highest rank-normalised split R-hat, of the parameter named `rhat_of`. Below 1.01 is good.
    ess_bulk, ess_tail : float
        The lowest effective sample size in the bulk and in the tails, of `ess_bulk_of` and `ess_tail_of`. 400 is
        enough.
    divergences : int
        Steps at which the sampler lost its way, after tuning. None is good.
    bfmi : float
        The lowest energy Bayesian fraction of missing information over chains. 0.3 is enough.
    stuck : tuple of str
        Parameters with draws that are not finite, or that never moved.
    """

    chains: int
    draws: int
    rhat: float
    rhat_of: str
    ess_bulk: float
    ess_bulk_of: str
    ess_tail: float
    ess_tail_of: str
    divergences: int
    bfmi: float
    stuck: tuple[str, ...] = ()

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong, a sentence each; empty where the draws can be used."""
        return tuple(self._problems())

    def _problems(self) -> Iterator[str]:
        if self.stuck:
            yield f"draws of {', '.join(self.stuck)} are not finite or never moved: the model does not fit these data."
        if self.divergences:
            yield (
                f"{self.divergences} of {self.chains * self.draws:,} draws diverged, so that a part of the posterior "
                "was not reached: raise `target_accept`, or give the scales a tighter prior."
            )
        if not self.rhat < HIGHEST_RHAT:
            yield f"R-hat of {self.rhat_of} is {self.rhat:.3f}, not below {HIGHEST_RHAT}: the chains disagree; {MORE}."
        for where, size, name in (
            ("bulk", self.ess_bulk, self.ess_bulk_of),
            ("tails", self.ess_tail, self.ess_tail_of),
        ):
            if not size >= LOWEST_ESS:
                yield f"{name} has {size:.0f} effective draws in the {where}, under {LOWEST_ESS:.0f}: {MORE}."
        if not self.bfmi >= LOWEST_BFMI:
            yield (
                f"E-BFMI is {self.bfmi:.2f}, under {LOWEST_BFMI}: the sampler explores the tails too slowly; "
                "write the model in other parameters."
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; what is not finite is None."""
        values = {key: finite_or_none(value) for key, value in asdict(self).items()}
        return {**values, "stuck": list(self.stuck), "problems": list(self.problems)}


def diagnose(data: Any, free: tuple[str, ...]) -> Diagnostics:
    """The diagnostics of ArviZ data; `free` names the parameters that were sampled and so must have moved."""
    posterior, stats = data["posterior"], data["sample_stats"]
    stuck, labels, columns = [], [], []
    for name in map(str, posterior.data_vars):
        draws = np.asarray(posterior[name].values, dtype=np.float64)
        flat = draws.reshape(*draws.shape[:2], -1)
        moved = np.ptp(flat, axis=(0, 1)) > 0  # a quantity made of others may be constant
        if not np.isfinite(flat).all() or (name in free and not moved.all()):
            stuck.append(f"`{name}`")
            continue
        if name.startswith(DEVIATE):
            continue
        columns.append(flat[:, :, moved])
        labels += [_label(name, posterior[name][0, 0], int(at)) for at in np.flatnonzero(moved)]
    energy = np.asarray(stats["energy"].values, dtype=np.float64)
    diverged = int(np.asarray(stats["diverging"].values).sum())
    return Diagnostics(energy.shape[0], energy.shape[1], *_worst(columns, labels), diverged, bfmi(energy), tuple(stuck))


def bfmi(energy: Float64Array) -> float:
    """The lowest energy Bayesian fraction of missing information over chains, of energies (chain, draw)."""
    spread = energy.var(axis=1)
    steps = np.mean(np.diff(energy, axis=1) ** 2, axis=1)
    return float(np.min(np.divide(steps, spread, out=np.zeros_like(spread), where=spread > 0)))


def _worst(columns: list[Float64Array], labels: list[str]) -> tuple[float, str, float, str, float, str]:
    """R-hat and both effective sizes, each where it is worst; an undefined one is worse than any other."""
    import arviz as az
    import xarray as xr

    if not labels:
        return math.nan, "nothing", math.nan, "nothing", math.nan, "nothing"
    every = xr.Dataset({"every": (("chain", "draw", "entry"), np.concatenate(columns, axis=2))})
    rhat = np.asarray(az.rhat(every)["every"].values)
    bulk, tail = (np.asarray(az.ess(every, method=where)["every"].values) for where in ("bulk", "tail"))
    at = (
        int(np.argmax(np.where(np.isnan(rhat), np.inf, rhat))),
        *(int(np.argmin(np.where(np.isnan(size), -np.inf, size))) for size in (bulk, tail)),
    )
    return float(rhat[at[0]]), labels[at[0]], float(bulk[at[1]]), labels[at[1]], float(tail[at[2]]), labels[at[2]]


def _label(name: str, of: Any, at: int) -> str:
    where = np.unravel_index(at, of.shape) if of.ndim else ()
    inside = [str(of[dim].values[i]) if dim in of.coords else str(i) for dim, i in zip(of.dims, where, strict=True)]
    return f"`{name}[{', '.join(inside)}]`" if inside else f"`{name}`"
