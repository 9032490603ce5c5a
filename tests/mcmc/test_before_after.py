"""Before and after: the likelihood and forecast of another library, known truth, nothing at all, and wrong models."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.tsa.statespace.structural import UnobservedComponentsResults

from abkit._check import Float64Array
from abkit.errors import DataError
from abkit.mcmc._before_after import _checked
from abkit.mcmc._before_after_checks import check_changes, findings
from abkit.mcmc._before_after_law import DrawsLaw, share_of
from abkit.mcmc._local_level import Changes, Draws, Forecast, forecast, make_changes, waves

QUIET = {"progress": False}
NOISE, LEVEL, SLOPE = 0.9, 0.4, 0.6


def made(seed: int = 1, n: int = 60) -> tuple[Float64Array, Float64Array, Float64Array]:
    """Times with gaps, a series and one control."""
    rng = np.random.default_rng(seed)
    control = rng.normal(size=n).cumsum()
    series = 0.5 * rng.normal(size=n).cumsum() + rng.normal(size=n) + 0.7 * control
    return np.delete(np.arange(n, dtype=np.float64), [5, 6, 20, 33]), series, control


def statsmodels_fit(times: Float64Array, series: Float64Array, control: Float64Array) -> UnobservedComponentsResults:
    seen = np.full(series.size, np.nan)
    seen[times.astype(int)] = (series - SLOPE * control)[times.astype(int)]
    model = sm.tsa.UnobservedComponents(seen, "llevel")
    model.ssm.initialize_diffuse()
    model.loglikelihood_burn = 0
    return model.smooth([NOISE**2, LEVEL**2])


def log_likelihood(changes: Changes, gaps: Float64Array) -> float:
    sds = np.sqrt(LEVEL**2 + NOISE**2 * changes.eigenvalues)
    values, columns = changes.values * changes.unit, changes.regressors * changes.units
    return float(stats.norm.logpdf(values, columns[:, 0] * SLOPE, sds).sum() - np.log(gaps).sum() / 2)


def test_the_likelihood_of_changes_is_the_exact_diffuse_one_of_statsmodels() -> None:
    times, series, control = made()
    keep = times.astype(int)
    changes = make_changes(times, series[keep], control[keep, None])
    theirs = statsmodels_fit(times, series, control).llf
    # the first value, all of whose variance is diffuse, counts a constant there
    assert log_likelihood(changes, np.diff(times)) == pytest.approx(theirs + np.log(2 * np.pi) / 2, rel=1e-9)
    back = changes.unit * changes.roots * changes.back(changes.values)
    np.testing.assert_allclose(back, np.diff(series[keep]), rtol=1e-10)


def ahead(draws: int = 1) -> Forecast:
    times, series, control = made()
    keep = times.astype(int)
    own = Draws(np.full(draws, NOISE), np.full(draws, LEVEL), np.full((draws, 1), SLOPE))
    later = np.array([60.0, 61, 64, 65])
    return forecast((times, series[keep], control[keep, None]), later, np.zeros((4, 1)), own)


def test_the_forecast_is_that_of_statsmodels() -> None:
    theirs = statsmodels_fit(*made()).get_forecast(6)
    ours = ahead()
    np.testing.assert_allclose(ours.means[0], theirs.predicted_mean[[0, 1, 4, 5]], rtol=1e-9)
    variances = ours.spread + LEVEL**2 * ours.ahead + NOISE**2
    np.testing.assert_allclose(variances, theirs.var_pred_mean[[0, 1, 4, 5]], rtol=1e-9)


def test_paths_have_the_moments_of_the_forecast() -> None:
    drawn = ahead(40_000)
    paths = drawn.paths(np.random.default_rng(3))
    mean, sd = drawn.mean()
    assert paths.mean(axis=1).mean() == pytest.approx(mean[0], abs=0.02)
    assert paths.mean(axis=1).std() == pytest.approx(sd[0], rel=0.02)
    np.testing.assert_allclose(paths.var(axis=0), drawn.spread[0] + LEVEL**2 * drawn.ahead + NOISE**2, rtol=0.03)


def test_the_law_of_an_effect_is_a_mixture_with_all_its_tail() -> None:
    law = DrawsLaw(12.0, np.array([10.0, 11.0]), np.array([0.5, 1.0]))
    grid = np.linspace(-4, 8, 7)
    want = (stats.norm.cdf(grid, 2, 0.5) + stats.norm.cdf(grid, 1, 1)) / 2
    np.testing.assert_allclose([float(law.cdf([x])[0]) for x in grid], want, rtol=1e-12)
    assert float(law.sf([30.0])[0]) == pytest.approx(stats.norm.sf(29) / 2, rel=1e-9)
    low, high = (float(end[0]) for end in law.ends(0.025))
    assert law.cdf([low])[0] == pytest.approx(0.025, rel=1e-9)
    assert law.sf([high])[0] == pytest.approx(0.025, rel=1e-9)
    rng = np.random.default_rng(0)
    forecasts = np.concatenate([rng.normal(10, 0.5, 200_000), rng.normal(11, 1.0, 200_000)])
    share = share_of(law)
    assert share is not None
    drawn = 12 / forecasts - 1
    assert float(share.mean[0]) == pytest.approx(drawn.mean(), abs=3e-4)
    assert float(share.sd[0]) == pytest.approx(drawn.std(), rel=0.01)
    assert float(share.cdf([0.1])[0]) == pytest.approx(np.mean(drawn <= 0.1), abs=0.005)
    assert float(share.cdf([-1.5])[0]) == 0
    assert share_of(DrawsLaw(1.0, np.array([0.1]), np.array([1.0]))) is None
    near = share_of(DrawsLaw(12.0, np.array([10.0]), np.array([1.8])))
    assert near is not None
    drawn = 12 / rng.normal(10, 1.8, 400_000) - 1
    assert float(near.mean[0]) == pytest.approx(drawn.mean(), abs=2e-3)
    assert near.ends(1e-9)[1] == np.inf


def test_a_season_is_a_few_waves() -> None:
    assert waves(np.arange(96.0), 24).shape == (96, 12)
    assert waves(np.arange(96.0), 2).shape == (96, 1)
    np.testing.assert_allclose(waves(np.arange(96.0), 24)[:24], waves(np.arange(96.0), 24)[24:48], atol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.arange(30.0), 30, None, None), "must leave a bucket with a value after it; got 30 of 30"),
        ((np.arange(30.0), 5, None, None), "20 to 5,000 buckets with a value before the switch; got 5"),
        ((np.ones(40), 30, None, None), "`series` must change before the switch; got 1 to 1"),
        ((np.arange(40.0) * 1e-200, 30, None, None), "`series` must change before the switch; got 0 to 2.9e-199"),
        ((np.arange(40.0) ** 2, 30, np.arange(40.0)[None] ** 2, None), "`controls` must not be the series itself"),
        ((np.arange(40.0) ** 2, 30, np.eye(40)[:16], None), "at most half as many .* got 16, and 30 buckets"),
        ((np.arange(40.0), 30, np.ones((1, 40)), None), "`controls` must change before the switch; number 0"),
        ((np.arange(40.0), 30, np.ones((1, 39)), None), "must have 40 buckets, as the series has; got 39"),
        ((np.arange(40.0), 30, np.full((1, 40), np.nan), None), "40 buckets lack one"),
        ((np.arange(40.0), 30, None, 24), "`season` must fit twice before the switch; got 24, and 30"),
        ((np.r_[np.arange(39.0), np.inf], 30, None, None), "`series` must be finite"),
    ],
)
def test_what_cannot_be_answered_is_refused(arguments: tuple[Float64Array, int, None, None], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _checked(*arguments)


def checks_of(series: Float64Array, noise: float, level: float) -> dict[str, float]:
    changes = make_changes(np.arange(series.size, dtype=np.float64), series, np.zeros((series.size, 0)))
    sizes = [np.full(300, size / changes.unit) for size in (noise, level)]
    return check_changes(changes, *sizes, np.zeros((300, 0)), np.random.default_rng(0))


def test_predictive_checks_find_waves_slow_moves_and_jumps() -> None:
    rng = np.random.default_rng(4)
    calm = 0.1 * rng.normal(size=300).cumsum() + rng.normal(size=300)
    assert findings(checks_of(calm, 1.0, 0.1)) == ([], [])
    wavy = checks_of(calm + 2 * np.sin(np.arange(300) / 3), 1.5, 0.3)
    assert "has a wave" in findings(wavy)[0][0]
    trend = checks_of(calm + 0.3 * np.arange(300), 1.0, 0.1)
    assert any("slow moves" in said for said in findings(trend)[0])
    calm[150] += 15
    assert "larger jumps" in findings(checks_of(calm, 1.3, 0.1))[1][0]


def series_with(effect: float, seed: int) -> tuple[Float64Array, Float64Array]:
    rng = np.random.default_rng(seed)
    controls = 0.3 * rng.normal(size=(2, 240)).cumsum(axis=1) + 0.5 * rng.normal(size=(2, 240))
    series = 100 + 0.05 * rng.normal(size=240).cumsum() + rng.normal(size=240) + np.array([1.0, -0.5]) @ controls
    series[200:] += effect
    series[[7, 8, 210]] = np.nan
    return series, controls


@pytest.mark.bayes
def test_a_known_effect_is_recovered_and_none_is_none() -> None:
    import abkit as ab

    covered = []
    for effect, seed in ((3.0, 1), (0.0, 2), (-3.0, 3), (0.0, 4)):
        series, controls = series_with(effect, seed)
        fit = ab.bayes.before_after(series, 200, controls=controls, rng=np.random.default_rng(seed), **QUIET)
        assert fit.ok, fit.problems
        result = fit.test()
        covered.append(result.interval(0.95).contains(effect))
        assert (result.pvalue < 0.001) == (effect != 0)
        assert abs(result.estimate - effect) < 1.5
        np.testing.assert_allclose(fit.forecast.draws.coefficients.mean(axis=0), [1, -0.5], atol=0.35)
        assert fit.forecast.draws.noise.mean() == pytest.approx(1, abs=0.2)
    assert sum(covered) >= 3
    total, low, high = fit.cumulative()
    assert total == pytest.approx(39 * result.estimate)
    assert low < total < high
    bands = fit.bands(0.9)
    assert bands.shape == (3, 39)
    assert fit.data["predictions"]["series"].shape == (4, 2000, 39)
    assert fit.data["prior_predictive"]["changes"].shape[2] == 197
    np.testing.assert_array_equal(  # parameters of the series itself, one slope a control, and not of what is sampled
        np.reshape(fit.data["posterior"]["slopes"].values, (-1, 2)), fit.forecast.draws.coefficients
    )
    assert fit.data["prior"]["slopes"].shape == (1, 500, 2)
    assert bands[0].mean() == pytest.approx(result.estimate, abs=0.1)
    last = fit.bands(0.95, cumulative=True)[:, -1]
    np.testing.assert_allclose(last, [total, low, high], atol=6)
    assert result.caution is not None
    assert "observational" in result.caution
    assert result.validity == "posterior"
    assert "was foretold" in str(fit)


@pytest.mark.bayes
def test_an_unknown_season_yields_nothing_and_a_known_one_is_taken_off() -> None:
    import abkit as ab

    rng = np.random.default_rng(9)  # three buckets of eight hours a day: as many waves as there are controls above
    shifts = np.arange(264)
    series = 50 + 4 * np.sin(2 * np.pi * shifts / 3) + rng.normal(size=264)
    series[250:] += 2.0
    blind = ab.bayes.before_after(series, 250, controls=rng.normal(size=(2, 264)), rng=rng, **QUIET)
    assert blind.diagnostics.problems == ()
    assert not blind.ok
    with pytest.raises(DataError, match="has a wave"):
        blind.test()
    fit = ab.bayes.before_after(series, 250, season=3, rng=rng, **QUIET)
    assert fit.ok, fit.problems
    assert fit.test().interval(0.99).contains(2.0)
    assert fit.test().pvalue < 0.05
