"""Partially pooled effects against published posteriors, exact ones, and known truth."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import abkit as ab
from abkit import DataError
from abkit.bayes import HierarchicalPrior, hierarchical
from tests.mcmc.published import (
    BLOCKERS,
    BLOCKERS_MEAN,
    BLOCKERS_NEW,
    BLOCKERS_SD,
    POINTS,
    SCHOOLS,
    SCHOOLS_QUARTILES,
    Quadrature,
    blockers_log_odds,
    exact_posterior,
)

pytestmark = pytest.mark.bayes
FLAT = HierarchicalPrior(sd=1000, spread=1000)


@pytest.fixture(scope="module")
def schools():
    names, y, s = SCHOOLS
    return hierarchical(y, s, names=names, prior=FLAT, rng=np.random.default_rng(8))


@pytest.fixture(scope="module")
def blockers():
    prior = HierarchicalPrior(sd=100, spread=100)
    return hierarchical(*blockers_log_odds(), prior=prior, rng=np.random.default_rng(22))


def test_eight_schools_match_the_published_table(schools):
    assert schools.ok, schools
    for row, result in zip(SCHOOLS_QUARTILES, schools.effects.values(), strict=True):
        low, high = result.interval(0.5)
        # the table is of 200 draws and rounded to whole points
        assert (low, result.effect.interval(0.5, "two-sided").high) == (low, high)
        assert (low, high) == pytest.approx(row[[0, 2]], abs=2.0)
        assert result.interval(1e-6).low == pytest.approx(row[1], abs=2.0)


def test_eight_schools_match_the_exact_posterior(schools):
    exact = Quadrature(*SCHOOLS[1:], sd=1000, spread=1000, highest=500)
    effects = schools.effects.values()
    assert [r.estimate for r in effects] == pytest.approx(exact.effects, abs=0.5)
    assert [r.stderr for r in effects] == pytest.approx(exact.sds, rel=0.07)
    assert [r.effect.pvalue(0.0, "less") for r in effects] == pytest.approx(exact.positive, abs=0.015)
    assert (schools.overall.estimate, schools.overall.stderr) == pytest.approx(exact.overall, rel=0.08)
    table = schools.table()
    assert np.all(np.abs(table["probability_positive"] - exact.positive) < 5 * table["mc_error"] + 1e-3)
    assert (table["mc_error"] < 0.01).all()
    # what is read from exact tails is what the draws say, less exactly
    draws = schools.draws("effect")
    assert draws.mean(axis=(0, 1)) == pytest.approx(exact.effects, abs=0.7)


def test_the_meta_analysis_of_beta_blockers_matches_the_published_table(blockers):
    assert blockers.ok, blockers
    mean, new = blockers.overall.effect.law, blockers.next_effect.effect.law
    for point, of_mean, of_new in zip(POINTS, BLOCKERS_MEAN, BLOCKERS_NEW, strict=True):
        assert mean.ppf(np.array([point]))[0] == pytest.approx(of_mean, abs=0.02)
        assert new.ppf(np.array([point]))[0] == pytest.approx(of_new, abs=0.04)
    assert np.quantile(blockers.draws("tau"), POINTS) == pytest.approx(BLOCKERS_SD, abs=0.025)
    exact = Quadrature(*blockers_log_odds(), sd=100, spread=100, highest=2)
    assert (blockers.overall.estimate, blockers.overall.stderr) == pytest.approx(exact.overall, abs=0.005)
    assert blockers.overall.pvalue < 0.01
    assert np.quantile(blockers.draws("tau"), POINTS) == pytest.approx(exact.tau_points(POINTS), abs=0.02)


def test_counts_have_their_exact_likelihood(blockers):
    """The same trials by their counts: BUGS examples volume 1, Blocker, has mean -0.25 (sd 0.06) and sd 0.12."""
    k_c, n_c, k_t, n_t = BLOCKERS.T
    prior = HierarchicalPrior(sd=100, spread=1)
    fit = hierarchical(ab.Counts(n_c, k_c), ab.Counts(n_t, k_t), prior=prior, rng=np.random.default_rng(23))
    assert fit.ok, fit
    assert (fit.overall.estimate, fit.overall.stderr) == pytest.approx((-0.25, 0.063), abs=0.015)
    assert fit.draws("tau").mean() == pytest.approx(0.13, abs=0.03)
    alike = np.array([r.estimate for r in blockers.effects.values()])
    assert [r.estimate for r in fit.effects.values()] == pytest.approx(alike, abs=0.05)
    assert fit.effects["14"].scale == "log odds ratio"
    assert set(fit.data["posterior_predictive"].data_vars) == {"estimate", "control", "treatment"}
    assert fit.posterior_check().conflicts == ()
    assert fit.mc_error("1") < 0.02


def test_variants_that_share_a_control_share_its_error():
    control = ab.Moments(100, 10.0, 99 * 100 * 0.5)
    means, n = np.array([10.9, 10.2, 11.4, 11.0, 10.6]), np.array([50, 100, 200, 400, 100])
    treatments = {name: ab.Moments(k, m, (k - 1) * 50.0) for name, k, m in zip("BCDEF", n, means, strict=True)}
    prior = HierarchicalPrior(sd=1, spread=0.5)
    fit = hierarchical(control, treatments, prior=prior, rng=np.random.default_rng(4))
    assert fit.ok, fit
    assert fit.estimates.shared == pytest.approx(0.5)
    y, errors = means - 10, np.diag(50 / n) + 0.5
    mean, sd = exact_posterior(y, errors, 1, 0.5)
    read = [fit.overall, *fit.effects.values()]
    assert [r.estimate for r in read] == pytest.approx(mean, abs=0.02)
    assert [r.stderr for r in read] == pytest.approx(sd, abs=0.02)
    assert [float(fit.draws("mu").mean()), *fit.draws("effect").mean(axis=(0, 1))] == pytest.approx(mean, abs=0.05)
    assert [float(fit.draws("mu").std()), *fit.draws("effect").std(axis=(0, 1))] == pytest.approx(sd, abs=0.05)
    # estimates that were made up to be independent would look surer than they are
    alone = exact_posterior(y, np.diag(50 / n + 0.5), 1, 0.5)
    assert fit.overall.stderr > 1.3 * alone[1][0]
    assert fit.posterior_check().conflicts == ()


def test_rows_with_their_plan_are_pooled_over_segments():
    rng = np.random.default_rng(12)
    n, shops = 6000, [f"s{i}" for i in range(12)]
    log = pd.DataFrame({"user": range(n), "variant": rng.choice(["A", "B"], n), "shop": rng.choice(shops, n)})
    log["bought"] = rng.random(n) < 0.1 + 0.05 * (log["variant"] == "B")
    plan = ab.Experiment(
        unit="user", variant="variant", control="A", segments=["shop"], metrics={"bought": ab.Proportion("bought")}
    )
    fit = hierarchical(plan, log, rng=rng)
    assert fit.ok, fit
    assert set(fit.effects) == set(shops)
    low, high = fit.overall.interval(0.99)
    assert low < 0.05 < high
    report = plan.analyze(log)
    assert all(r.stderr < report.result("bought", "B", f"shop={name}").stderr for name, r in fit.effects.items())


def test_known_truth_is_recovered_and_pooling_pays():
    rng = np.random.default_rng(3)
    truth = rng.normal(0.02, 0.01, 200)
    stderrs = rng.choice([0.005, 0.01, 0.03], 200)
    y = rng.normal(truth, stderrs)
    fit = hierarchical(y, stderrs, rng=rng)
    assert fit.ok, fit
    assert abs(fit.overall.estimate - 0.02) < 3 * fit.overall.stderr
    tau = fit.draws("tau")
    assert abs(tau.mean() - 0.01) < 3 * tau.std()
    table = fit.table(0.9)
    covered = np.mean((table["low"] < truth) & (truth < table["high"]))
    assert 0.84 <= covered <= 0.96
    assert np.mean((table["effect"] - truth) ** 2) < 0.5 * np.mean((y - truth) ** 2)
    assert fit.prior_check().conflicts == ()
    assert fit.posterior_check().conflicts == ()


def test_heavy_tails_leave_the_one_that_lies_far_out_alone():
    y, s = np.array([0.0, 0.1, -0.1, 0.05, -0.05, 0.02, -0.03, 5.0]), np.full(8, 0.3)
    normal = hierarchical(y, s, rng=np.random.default_rng(5))
    heavy = hierarchical(y, s, df=3.0, rng=np.random.default_rng(5), target_accept=0.95)
    assert normal.ok, normal
    assert heavy.ok, heavy
    assert heavy.overall.estimate < normal.overall.estimate
    assert heavy.draws("tau").mean() < normal.draws("tau").mean()
    assert abs(heavy.effects["8"].estimate - 5) < 0.3
    assert heavy.effects["1"].stderr < normal.effects["1"].stderr
    assert heavy.next_effect.stderr > 0


@pytest.mark.parametrize("unit", [1e-8, 1.0, 1e8])
def test_the_unit_does_not_matter(unit):
    y, s = SCHOOLS[1] * unit, SCHOOLS[2] * unit
    one = hierarchical(SCHOOLS[1], SCHOOLS[2], rng=np.random.default_rng(1))
    fit = hierarchical(y, s, rng=np.random.default_rng(1))
    assert [r.estimate / unit for r in fit.effects.values()] == pytest.approx(
        [r.estimate for r in one.effects.values()], abs=0.6
    )
    assert one.diagnostics.divergences == fit.diagnostics.divergences == 0


@pytest.mark.parametrize(
    ("y", "s"),
    [
        ([0.1, 0.1], [0.1, 0.1]),
        ([1e6, 1e6 + 1e-3, 1e6 - 1e-3], [1e-3, 1e-3, 1e-3]),
        ([5.0, -5.0, 4.0], [1e-6, 1e-6, 1e-6]),
        ([0.0, 0.0, 0.0], [1.0, 1000.0, 1e-3]),
    ],
)
def test_awkward_data_are_sampled_or_refused(y, s):
    fit = hierarchical(y, s, rng=np.random.default_rng(2))
    assert np.isfinite(np.asarray(fit.data["posterior"]["effect"].values)).all()
    if fit.ok:
        for result, raw, stderr in zip(fit.effects.values(), y, s, strict=True):
            assert abs(result.estimate - raw) < 4 * stderr + 4 * result.stderr


def test_the_seed_repeats_on_any_number_of_cores(schools):
    again = hierarchical(*SCHOOLS[1:], names=SCHOOLS[0], prior=FLAT, rng=np.random.default_rng(8), cores=1)
    for group in ("posterior", "prior_predictive", "posterior_predictive", "log_likelihood"):
        for name in again.data[group].data_vars:
            assert np.array_equal(again.data[group][name].values, schools.data[group][name].values), name


def test_too_few_draws_give_no_effects():
    fit = hierarchical(*SCHOOLS[1:], rng=np.random.default_rng(1), draws=40, tune=20)
    assert not fit.ok
    for read in (
        lambda: fit.effects,
        lambda: fit.overall,
        lambda: fit.next_effect,
        fit.table,
        fit.plot,
        fit.posterior_check,
        lambda: fit.mc_error("1"),
    ):
        with pytest.raises(DataError, match="effective draws"):
            read()
    assert "PROBLEM" in str(fit)
    assert fit.prior_check().kind == "prior"
    assert fit.data["posterior"]["effect"].shape == (4, 40, 8)
    assert len(fit.summary(var_names=["mu", "tau"])) == 2


def test_the_data_are_read_through_arviz(schools, tmp_path):
    import arviz as az
    import matplotlib as mpl

    mpl.use("Agg")
    groups = {"posterior", "posterior_predictive", "log_likelihood", "prior", "prior_predictive", "observed_data"}
    held = set(schools.data.groups()) if callable(schools.data.groups) else {g.strip("/") for g in schools.data.groups}
    assert groups | {"sample_stats", "constant_data"} <= held
    assert list(schools.data["posterior"]["effect"].coords["name"].values) == SCHOOLS[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # ArviZ's own
        assert len(az.summary(schools.data, var_names=["effect"])) == 8
        az.plot_trace(schools.data, var_names=["mu", "tau"])
        az.plot_forest(schools.data, var_names=["effect"])
        az.loo(schools.data)


def test_the_shrinkage_plot_shows_every_effect(schools, tmp_path):
    axes = schools.plot()
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        SCHOOLS[0][at] for at in np.argsort(SCHOOLS[1], kind="stable")
    ]
    axes.figure.savefig(tmp_path / "schools.png")
