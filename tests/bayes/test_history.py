"""Priors fitted to past experiments: against metafor, direct maximisation in R, and the ASOS experiments."""

from __future__ import annotations

import json
import math
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import abkit as ab
from abkit import Counts, Moments
from abkit.bayes import MixturePrior, NormalPrior, StudentPrior, compare, fit_effects
from abkit.bayes._effect_kinds import KINDS, Fit
from abkit.errors import AccuracyWarning, DataError

CASES = json.loads((Path(__file__).parents[1] / "golden" / "effect_history.json").read_text(encoding="utf-8"))["cases"]
NORMAL, STUDENT, MIXTURE = (next(case for case in CASES if case["kind"] == kind) for kind in KINDS)
ASOS = Path(__file__).parents[3] / "shared" / "data" / "asos_digital_experiments.parquet"
SCHOOLS = ([28, 8, -3, 7, -1, 1, 18, 12], [15, 10, 16, 11, 9, 11, 10, 18])  # Rubin 1981


def test_the_normal_kind_is_metafors_maximum_likelihood() -> None:
    history = fit_effects((NORMAL["estimates"], NORMAL["stderrs"]), kind="normal", method="ml")
    assert round(history.prior.sd**2, 4) == 0.2800  # as published
    assert history.prior.mean == pytest.approx(NORMAL["mean"], rel=1e-9)
    assert history.prior.sd == pytest.approx(NORMAL["sd"], rel=1e-9)
    assert history.log_likelihood == pytest.approx(NORMAL["loglik"], rel=1e-12)
    assert (history.aic, history.bic) == pytest.approx((NORMAL["aic"], NORMAL["bic"]), rel=1e-12)
    assert list(history.interval("sd")) == pytest.approx(NORMAL["ends"], rel=1e-8)


@pytest.mark.parametrize(
    ("case", "values"), [(STUDENT, (0.01, 0.02, 3.0)), (MIXTURE, (0.01, 0.02, 1 / (1 + math.exp(-0.5))))]
)
def test_other_kinds_are_as_likely_as_r_says(case: dict[str, float], values: tuple[float, ...]) -> None:
    y, s = np.array(case["estimates"]), np.array(case["stderrs"])
    kind = KINDS[str(case["kind"])]
    assert kind.make(*values).posterior(y, s).log_marginal.sum() == pytest.approx(case["at"], rel=1e-11)
    history = fit_effects((y, s), kind=case["kind"], method="ml")  # type: ignore[arg-type]
    assert history.log_likelihood == pytest.approx(case["loglik"], rel=1e-10)
    for name, value in history.parameters.items():
        assert value == pytest.approx(case[name], rel=2e-5)  # as many digits as a flat top gives R's optim


@pytest.mark.parametrize("name", KINDS)
def test_gradients_are_those_of_the_objective(name: str) -> None:
    rng = np.random.default_rng(3)
    fit = Fit(KINDS[name], rng.normal(0.3, 2, 12), rng.uniform(0.5, 2, 12), None, True)
    at = np.array([0.2, 0.3, 0.7])[: len(fit.names)]
    steps = 1e-5 * np.eye(at.size)
    slopes = [(fit.objective(at + step)[0] - fit.objective(at - step)[0]) / 2e-5 for step in steps]
    assert fit.objective(at)[1] == pytest.approx(slopes, rel=1e-7, abs=1e-7)


def test_a_spread_of_zero_is_never_returned() -> None:
    with pytest.warns(AccuracyWarning, match="no more than their standard errors explain"):
        history = fit_effects(SCHOOLS)
    assert history.kind == "normal"
    assert 5 < history.prior.sd < 8
    assert history.interval("sd").low == 0
    with pytest.raises(DataError, match="the most likely spread of the effects of these 8 experiments is 0"):
        fit_effects(SCHOOLS, method="ml")
    # the penalised estimate is about a standard error from the boundary: Chung et al. 2013
    with pytest.warns(AccuracyWarning):
        same = fit_effects(([1.0] * 8, [1.0] * 8))
    assert 0.3 < same.prior.sd < 1.0


def test_truth_is_recovered() -> None:
    rng = np.random.default_rng(8)
    s = rng.uniform(0.3, 1.5, 500)
    truths = {
        "normal": NormalPrior(mean=0.2, sd=1.0),
        "student": StudentPrior(df=3, mean=0.2, scale=1.0),
        "mixture": MixturePrior(weights=[0.7, 0.3], means=[0, 0.5], sds=[0, 2.0]),
    }
    for kind, truth in truths.items():
        y = truth.sample(rng, s.size) + s * rng.standard_normal(s.size)
        history = fit_effects((y, s), kind="best" if kind == "mixture" else kind)  # type: ignore[arg-type]
        assert history.kind == kind
        expected = {"mean": 0.5 if kind == "mixture" else 0.2, "sd": 2 if kind == "mixture" else 1}
        expected |= {"scale": 1, "df": 3, "share": 0.3}
        for name, value in history.parameters.items():
            assert abs(value - expected[name]) < 3.5 * history.stderrs[name]


def test_every_form_of_a_history_is_read() -> None:
    rng = np.random.default_rng(1)
    counts = [(Counts(5000, int(500 + c)), Counts(5000, int(500 + t))) for c, t in rng.normal(0, 60, (12, 2))]
    tests = [ab.proportion_test(*pair) for pair in counts]
    y, s = [t.estimate for t in tests], [t.stderr for t in tests]
    expected = fit_effects((y, s), kind="normal").prior
    assert fit_effects(np.column_stack([y, s]), kind="normal").prior == expected
    assert fit_effects(y, s, kind="normal").prior == expected
    assert fit_effects({"estimate": y, "stderr": s}, kind="normal").prior == expected
    of_tests = fit_effects(tests, kind="normal")
    assert of_tests.prior == expected
    assert of_tests.scale == "difference"
    of_comparisons = fit_effects([compare(*pair) for pair in counts], kind="normal").prior
    assert of_comparisons.sd == pytest.approx(expected.sd, rel=0.01)


def test_results_without_an_answer_are_skipped() -> None:
    rng = np.random.default_rng(2)
    shifts = rng.normal(0, 0.4, 12)
    results = [ab.welch_test(Moments(50, 5.0, 50.0), Moments(50, 5 + shift, 50.0)) for shift in shifts]
    results.insert(3, ab.welch_test(Moments(50, 5.0, 0.0), Moments(50, 5.0, 0.0)))
    history = fit_effects(results, kind="normal")
    assert history.skipped == (3,)
    assert history.experiments == 12


def test_histories_that_cannot_be_read_are_refused() -> None:
    difference = ab.proportion_test(Counts(100, 10), Counts(100, 20))
    odds = ab.exact_test(Counts(100, 10), Counts(100, 20))
    prior = NormalPrior(sd=0.1)
    with pytest.raises(ValueError, match="one scale"):
        fit_effects([difference, odds, difference, difference])
    with pytest.raises(DataError, match="at least 4 experiments"):
        fit_effects([difference] * 3)
    with pytest.raises(DataError, match="at least 10 experiments"):
        fit_effects([difference] * 9, kind="student")
    with pytest.raises(ValueError, match="has not drawn together"):
        fit_effects([compare(Counts(100, 10), Counts(100, 20), prior=prior)] * 4)
    with pytest.raises(ValueError, match="`stderr` must be greater than 0"):
        fit_effects(([1, 2, 3, 4], [1, 1, 0, 1]))
    with pytest.raises(ValueError, match="for every estimate"):
        fit_effects(([1, 2, 3, 4], [1, 1, 1]))
    with pytest.raises(ValueError, match="columns 'estimate' and 'stderr'"):
        fit_effects({"lift": [1], "se": [2]})
    with pytest.raises(ValueError, match="two columns"):
        fit_effects(np.ones((5, 3)))
    with pytest.raises(TypeError, match="`history` must hold results"):
        fit_effects([1.0, 2.0, 3.0, 4.0])
    with pytest.raises(TypeError, match="`history` must be results"):
        fit_effects(3)


def test_an_outlier_and_few_experiments_are_said() -> None:
    y = [0.1, -0.2, 0.3, 0.0, -0.1, 0.2, -0.3, 0.1, 0.0, -0.1, 0.2, -0.2, 0.1, 0.0, -0.1, 0.1] * 3 + [30.0]
    with pytest.warns(AccuracyWarning, match="experiment 48 lies"):
        fit_effects((y, [0.1] * len(y)), kind="normal")
    with pytest.warns(AccuracyWarning, match="5 experiments show little"):
        fit_effects(([1, -3, 5, 9, -4], [1] * 5))


def test_a_giant_among_equals_has_a_finite_prior() -> None:
    rng = np.random.default_rng(6)
    y = np.append(rng.normal(0, 1, 30), 1e6)
    for kind in KINDS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AccuracyWarning)
            history = fit_effects((y, np.ones(31)), kind=kind)  # type: ignore[call-overload]
        assert history.parameters.get("sd", 0.0) < 2e6
    with pytest.warns(AccuracyWarning):
        nothing = fit_effects(([0.0] * 20, [1e-6] * 20), kind="mixture")
    assert nothing.parameters["sd"] < 1e-6
    with pytest.raises(ValueError, match="within a factor of 1e\\+09 of the median standard error"):
        fit_effects(([1e150, -1e150, 2, 3], [1] * 4))


def test_many_experiments_are_fitted_as_a_few_are() -> None:
    y, s = np.random.default_rng(7).normal(0, 2, (2, 2100))[0], np.ones(2100)
    history = fit_effects((y, s), kind="normal", method="ml")
    assert history.prior.mean == pytest.approx(y.mean(), rel=1e-8)
    assert history.prior.sd == pytest.approx(math.sqrt(y.var() - 1), rel=1e-8)


def test_units_do_not_matter() -> None:
    y, s = np.array(MIXTURE["estimates"]), np.array(MIXTURE["stderrs"])
    for unit in (1e-9, 1e9):
        for kind in KINDS:
            small, large = fit_effects((y, s), kind=kind), fit_effects((unit * y, unit * s), kind=kind)  # type: ignore[call-overload, arg-type]
            assert large.parameters["mean"] == pytest.approx(unit * small.parameters["mean"], rel=1e-6)
    fixed = fit_effects((y, s), kind="student", mean=0.0)
    assert fixed.prior.mean == 0
    assert set(fixed.stderrs) == {"scale", "df"}


def test_words_and_plain_values() -> None:
    history = fit_effects((MIXTURE["estimates"], MIXTURE["stderrs"]))
    assert "Fitted to 16 experiments" in str(history)
    assert json.loads(json.dumps(history.to_dict(), allow_nan=False))["experiments"] == 16
    assert set(history.compared) == set(KINDS)
    assert history.effects.mean.shape == (16,)
    with pytest.raises(ValueError, match="`parameter` must be one of"):
        history.interval("tau")


def test_the_effects_of_asos_have_fat_tails() -> None:
    log = pd.read_parquet(ASOS).query("metric_id == 1 and count_c > 0 and count_t > 0").sort_values("time_since_start")
    last = log.groupby(["experiment_id", "variant_id"]).tail(1)
    lift = last.mean_t / last.mean_c - 1
    variance = last.variance_t / last.count_t + last.variance_c / last.count_c * (1 + lift) ** 2
    table = {"estimate": lift.to_numpy(), "stderr": (np.sqrt(variance) / last.mean_c).to_numpy()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AccuracyWarning)
        fits = {kind: fit_effects(table, kind=kind) for kind in KINDS}  # type: ignore[call-overload]
    assert fits["normal"].experiments == 99
    # as Azevedo et al. 2020 found of Bing's experiments, tails are far heavier than normal
    assert fits["student"].parameters["df"] < 2
    assert min(fits["student"].bic, fits["mixture"].bic) < fits["normal"].bic - 50
    assert 0.15 < fits["mixture"].parameters["share"] < 0.45
