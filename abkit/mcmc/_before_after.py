"""A series before and after a switch: what happened, against what the past and the controls foretold."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from abkit import _check
from abkit._check import Float64Array
from abkit.bayes._effect import PosteriorEffect
from abkit.evidence import TestResult, tested
from abkit.inference._resample import generator
from abkit.mcmc._before_after_checks import check_changes, findings
from abkit.mcmc._before_after_law import DrawsLaw, share_of
from abkit.mcmc._before_after_model import PRIOR, changes_data, local_level_model, own_scale, straight
from abkit.mcmc._fit import Compiled, Fit, add_groups, compiled, replaced, sample_model
from abkit.mcmc._local_level import Changes, Draws, Forecast, forecast, make_changes, waves

FEWEST_BEFORE, MOST_BEFORE = 20, 5_000
DRAWS, PRIOR_DRAWS = 2_000, 500
#: With less of it, four in ten series whose level hardly drifts beside their noise had divergences; with it, none.
CARE = 0.99
#: Changes below this have squares that vanish, and what is left beside controls is nothing below that share of them.
SMALLEST, SAME = 1e-150, 1e-9
OBSERVATIONAL = "observational: whatever else changed at the switch is in the effect, and controls must not feel it"


@dataclass(frozen=True, repr=False, eq=False)
class BeforeAfterFit(Fit):
    """A fit of the series before the switch: nothing can be read from it where chains or the model's predictions fail.

    Parameters
    ----------
    data, diagnostics
        As of every `Fit`.
    observed : array, shape (buckets,)
        The series in the buckets after the switch that have a value.
    position : array of the same shape
        How many buckets after the switch each lies.
    forecast : Forecast
        The series without a switch, given each draw.
    paths : array, shape (draws, buckets)
        One path of it a draw.
    checks : dict of str to float
        p-values of the posterior predictive checks.
    """

    observed: Float64Array
    position: Float64Array
    forecast: Forecast
    paths: Float64Array
    checks: dict[str, float]

    prior = PRIOR
    assignment = "observational"

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with the chains, and what the model does not have that the past has."""
        return (*self.diagnostics.problems, *(f"{wrong}." for wrong in findings(self.checks)[0]))

    def test(self) -> TestResult:
        """Mean difference after the switch, as the result that rules read, with `relative()` for its share.

        Raises
        ------
        DataError
            The chains or the posterior predictive checks failed.
        """
        self.need_ok()
        law = self._law()
        shared, baseline = share_of(law), float(law.means.mean())
        effect = PosteriorEffect(law, shared, baseline, law.observed)
        caution = "; ".join([OBSERVATIONAL, *findings(self.checks)[1]])
        return tested("local level and controls", effect, "two-sided", 0.0, caution)

    def cumulative(self, level: float = 0.95) -> tuple[float, float, float]:
        """The sum of the differences of all buckets after the switch with a value: mean, and ends of its interval."""
        low, high = self.test().interval(level)  # type: ignore[misc]
        size = self.observed.size
        return self.test().estimate * size, low * size, high * size

    def bands(self, level: float = 0.95, *, cumulative: bool = False) -> Float64Array:
        """Difference of each bucket after the switch, or of all up to it: mean and both ends, shape (3, buckets)."""
        self.need_ok()
        tail = (1 - _check.within("level", level, 0, 1)) / 2
        differences = self.observed - self.paths
        if cumulative:
            differences = differences.cumsum(axis=1)
        ends = np.quantile(differences, [tail, 1 - tail], axis=0)
        return np.vstack([differences.mean(axis=0), ends])

    def _law(self) -> DrawsLaw:
        return DrawsLaw(float(self.observed.mean()), *self.forecast.mean())

    def __str__(self) -> str:
        lines = [f"before and after, {self.observed.size} buckets since the switch", super().__str__()]
        if self.ok:
            test = self.test()
            low, high = test.interval(0.95)  # type: ignore[misc]
            lines.append(
                f"mean {test.treatment:.6g} where {test.control:.6g} was foretold: difference {test.estimate:.6g} "
                f"[{low:.6g}, {high:.6g}], P(higher) = {test.effect.pvalue(0.0, 'less'):.4f}"
            )
            lines.append(str(test.caution))
        return "\n".join(lines)

    __repr__ = __str__


def before_after(
    series: object,
    switch: int,
    *,
    rng: np.random.Generator,
    controls: object = None,
    season: float | None = None,
    **sampling: Any,
) -> BeforeAfterFit:
    """Effect of a switch on a series, against a forecast from its past and from series that the switch cannot touch.

    Answers: by how much did the series lie above what was to be expected without the switch?

    Parameters
    ----------
    series : array_like, shape (buckets,)
        The metric in buckets of equal length, in order; nan where there is none, or where it shall not count.
    switch : int
        The place of the first bucket after the switch; at least 20 with a value, and at most 5,000, lie before it.
    rng : numpy.random.Generator
        Source of all randomness: the same generator gives the same draws.
    controls : array_like, shape (controls, buckets), optional
        Series that the switch cannot touch. They must have a value wherever the series has one.
    season : float, optional
        How many buckets a season has: 24 for hours of a day. Up to six sines and cosines then stand for its shape.
    **sampling
        `draws`, `tune`, `chains`, `cores`, `target_accept` and `progress` of the sampler, by default four chains of
        2,000 draws after 1,000 of tuning with a `target_accept` of 0.99: they are cheap, and a level that hardly moves
        takes many, with care.

    Returns
    -------
    BeforeAfterFit
        `test()` is the mean difference since the switch, `cumulative()` its sum, `bands()` the difference by bucket.
        Where the chains or the posterior predictive checks fail, `problems` says why and these raise.

    Raises
    ------
    ValueError
        Too few buckets, or a series that does not change before the switch.
    MissingDependencyError
        PyMC, ArviZ or nutpie is not installed.

    Notes
    -----
    Before the switch, as in [1]_ without its selection of controls::

        series[t] = level[t] + controls[t] b + noise[t],  level[t + 1] = level[t] + drift[t]

    with normal noise and drift. The level is integrated out: the changes of the series, turned by one
    eigendecomposition, are independent, so that the sampler sees the two standard deviations and b only, and buckets
    that are missing need no imputation. Given a draw the forecast is normal, by Kalman's filter [2]_; the effect is
    what was observed less the forecast, a mixture of normals over draws, whose tails are summed, not counted. It holds
    the noise of the buckets after the switch: it is the effect on what was seen.

    Nothing after the switch teaches the model. The design is observational: what else happened at the switch is in
    the effect, and a control that feels the switch takes a part of the effect away. The interval grows with
    the time since the switch, as a random walk does.

    References
    ----------
    .. [1] Brodersen, Gallusser, Koehler, Remy and Scott 2015, Annals of Applied Statistics 9(1), sec. 2.
    .. [2] Durbin and Koopman 2012, Time Series Analysis by State Space Methods, sec. 2.2.
    """
    source = generator(rng)
    values, explained, place = _checked(series, switch, controls, season)
    times = np.arange(values.size, dtype=np.float64)
    seen = np.isfinite(values)
    past, after = seen & (times < place), seen & (times >= place)
    changes = make_changes(times[past], values[past], explained[past])
    ready = _ready(explained.shape[1]).with_data(**changes_data(changes))
    fit = sample_model(ready, rng=source, **{"draws": DRAWS, "target_accept": CARE, **sampling})
    noise, level, slopes = _flat(fit.data["posterior"], explained.shape[1])
    own = own_scale(changes, noise, level, slopes)
    ahead = forecast((times[past], values[past], explained[past]), times[after], explained[after], own)
    checks = check_changes(changes, noise, level, straight(changes, slopes), source)
    since, paths = times[after] - place, ahead.paths(source)
    data = _with_groups(fit.data, own, paths, since, values[after], changes, source)
    return BeforeAfterFit(data, fit.diagnostics, values[after], since, ahead, paths, checks)


def _with_groups(
    data: Any,
    own: Draws,
    paths: Float64Array,
    since: Float64Array,
    observed: Float64Array,
    changes: Changes,
    rng: np.random.Generator,
) -> Any:
    """ArviZ data with the forecast, what was seen, and the prior with the changes that it predicts.

    Parameters are those of the series itself, changes are in units of their size, as they were sampled.
    """
    import xarray as xr

    def labelled(values: Float64Array, *dims: str) -> Any:
        coords = {dim: since if dim == "bucket" else np.arange(n) for dim, n in zip(dims, values.shape, strict=True)}
        return xr.DataArray(values, dims=dims, coords=coords)

    noise, level = np.abs(rng.standard_normal((2, 1, PRIOR_DRAWS)))
    slopes = rng.standard_normal((1, PRIOR_DRAWS, changes.units.size))
    sds = np.sqrt(level[..., None] ** 2 + noise[..., None] ** 2 * changes.eigenvalues)
    before = slopes @ changes.regressors.T + sds * rng.standard_normal(sds.shape)
    chains = np.asarray(data["posterior"]["noise"].values).shape[0]

    def parameters(own: Draws, chains: int) -> dict[str, Any]:
        found = {name: labelled(getattr(own, name).reshape(chains, -1), "chain", "draw") for name in ("noise", "level")}
        slopes = own.coefficients.reshape(chains, found["noise"].shape[1], -1)
        return found | ({"slopes": labelled(slopes, "chain", "draw", "slope")} if slopes.size else {})

    prior = Draws(noise[0] * changes.unit, level[0] * changes.unit, slopes[0] * changes.unit / changes.units)
    groups = {
        "predictions": {"series": labelled(paths.reshape(chains, -1, since.size), "chain", "draw", "bucket")},
        "predictions_constant_data": {"observed": labelled(observed, "bucket")},
        "prior": parameters(prior, 1),
        "prior_predictive": {"changes": labelled(before, "chain", "draw", "changes_dim_0")},
    }
    return add_groups(replaced(data, "posterior", parameters(own, chains)), groups)


def _checked(
    series: object, switch: int, controls: object, season: float | None
) -> tuple[Float64Array, Float64Array, int]:
    """The series, what explains it as columns, and the place of the switch."""
    values = _with_gaps("series", series)
    place = _check.count("switch", switch, 1)
    before, after = (int(np.isfinite(side).sum()) for side in (values[:place], values[place:]))
    if not after:
        raise ValueError(f"`switch` must leave a bucket with a value after it; got {place} of {values.size} buckets.")
    if not FEWEST_BEFORE <= before <= MOST_BEFORE:
        raise ValueError(
            f"`series` must have {FEWEST_BEFORE} to {MOST_BEFORE:,} buckets with a value before the switch; got "
            f"{before:,}. Choose buckets of another length, or another stretch of the past."
        )
    columns = [np.zeros((values.size, 0))]
    if controls is not None:
        columns.append(_controls(controls, values))
    if season is not None:
        length = _check.at_least("season", season, 2)
        if 2 * length > place:
            raise ValueError(f"`season` must fit twice before the switch; got {length:g}, and {place:,} buckets.")
        columns.append(waves(np.arange(values.size, dtype=np.float64), length))
    explained = np.concatenate(columns, axis=1)
    _refuse_constant(values[:place], explained[:place])
    return values, explained, place


def _with_gaps(name: str, series: object, ndim: int = 1) -> Float64Array:
    """Observations among which nan is allowed."""
    array = np.asarray(series)
    if array.dtype.kind != "f":
        return _check.observations(name, array, ndim)
    values = array.astype(np.float64)
    _check.observations(name, np.where(np.isnan(array), 0.0, array), ndim)
    return values


def _controls(controls: object, values: Float64Array) -> Float64Array:
    others = _with_gaps("controls", controls, 2)
    if others.shape[1] != values.size:
        raise ValueError(f"`controls` must have {values.size} buckets, as the series has; got {others.shape[1]}.")
    lacking = int((np.isnan(others) & np.isfinite(values)).any(axis=0).sum())
    if lacking:
        raise ValueError(
            f"`controls` must have a value wherever the series has one; {lacking} buckets lack one. Set the series to "
            "nan there, or leave that control out."
        )
    return others.T


def _refuse_constant(values: Float64Array, explained: Float64Array) -> None:
    """Refuse what has no changes to learn from, and what has none left beside its controls."""
    seen = np.isfinite(values)
    series, columns = values[seen], explained[seen]
    if np.ptp(series) < SMALLEST:
        raise ValueError(f"`series` must change before the switch; got {series.min():g} to {series.max():g}.")
    still = np.flatnonzero(np.ptp(columns, axis=0) < SMALLEST)
    if still.size:
        raise ValueError(f"`controls` must change before the switch; number {still[0]} (from 0) does not.")
    if 2 * columns.shape[1] > series.size:
        raise ValueError(
            f"`controls` and the waves of `season` must be at most half as many as buckets before the switch; got "
            f"{columns.shape[1]}, and {series.size} buckets."
        )
    change, others = np.diff(series), np.diff(columns, axis=0)
    others = others / np.max(np.abs(others), axis=0)
    slopes = np.linalg.lstsq(others, change / np.max(np.abs(change)))[0]
    if np.max(np.abs(change / np.max(np.abs(change)) - others @ slopes)) < SAME:
        raise ValueError("`controls` must not be the series itself, or add up to it; nothing of it is left to explain.")


@cache
def _ready(regressors: int) -> Compiled:
    """The model with so many regressors, compiled once for all data."""
    some = np.linspace(0.5, 1.5, 3)
    data = {"values": some, "eigenvalues": some}
    if regressors:
        data["regressors"] = np.ones((3, regressors))
    made: Compiled = compiled(lambda: local_level_model(data))
    return made


def _flat(posterior: Any, regressors: int) -> tuple[Float64Array, Float64Array, Float64Array]:
    """Draws of all chains, one after the other."""
    noise, level = (np.asarray(posterior[name], dtype=np.float64).reshape(-1) for name in ("noise", "level"))
    slopes = posterior["slopes"] if regressors else np.zeros((noise.size, 0))
    return noise, level, np.asarray(slopes, dtype=np.float64).reshape(noise.size, regressors)
