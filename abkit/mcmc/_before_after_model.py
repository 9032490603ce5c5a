"""PyMC model of a series before a switch: local level, regression on controls and on a season."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from abkit._check import Float64Array
from abkit.mcmc._local_level import Changes, Draws

PRIOR = (
    "noise of a bucket, and drift of the level from bucket to bucket: half-normal, of the scale of the series' own "
    "changes before the switch; coefficients: normal around zero, at one sd the changes that a control explains are as "
    "large as the series' own; first level: flat"
)


def changes_data(changes: Changes) -> dict[str, Float64Array]:
    """What the model observes, its regressors turned so that they are uncorrelated."""
    data = {"values": changes.values, "eigenvalues": changes.eigenvalues}
    return data | {"regressors": _turned(changes)[0]} if changes.units.size else data


def local_level_model(data: Mapping[str, Float64Array]) -> Any:
    """The level integrated out: a regression whose errors have two variances between them."""
    import pymc as pm

    with pm.Model() as model:
        given = {name: pm.Data(name, value) for name, value in data.items()}
        noise = pm.HalfNormal("noise", 1.0)
        level = pm.HalfNormal("level", 1.0)
        mean: Any = 0.0
        if "regressors" in data:  # a prior that is the same in all directions stays so when they are turned
            slopes = pm.Normal("slopes", 0.0, 1.0, shape=data["regressors"].shape[1])
            mean = (given["regressors"] * slopes).sum(axis=1)
        pm.Normal("changes", mean, pm.math.sqrt(level**2 + noise**2 * given["eigenvalues"]), observed=given["values"])
    return model


def own_scale(changes: Changes, noise: Float64Array, level: Float64Array, slopes: Float64Array) -> Draws:
    """Draws of the model, shapes (draws,) and (draws, k), as parameters of the series itself."""
    return Draws(noise * changes.unit, level * changes.unit, straight(changes, slopes) * changes.unit / changes.units)


def straight(changes: Changes, slopes: Float64Array) -> Float64Array:
    """Coefficients of the regressors of the changes, from those of the turned ones."""
    _, turn = _turned(changes)
    return slopes @ turn.T


def _turned(changes: Changes) -> tuple[Float64Array, Float64Array]:
    _, turn = np.linalg.eigh(changes.regressors.T @ changes.regressors)
    return changes.regressors @ turn, turn
