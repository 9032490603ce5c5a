"""Units and power of simple plans, beside R's own functions of power."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import abkit as ab
from tests.golden.read import cases

#: The checks of the data cost nothing.
SURE = ab.Quality(alpha=1e-15)


def plan(metric: ab.Metric, alpha: float = 0.05, **more: Any) -> ab.Experiment:
    more = {"monitor": ab.FixedHorizon(alpha), **more}
    return ab.Experiment(unit="u", variant="v", control="c", metrics={"m": metric}, quality=SURE, **more)


def of_kind(kind: str) -> list[dict[str, Any]]:
    return [case for case in cases("planning") if case["kind"] == kind]


@pytest.mark.parametrize("case", of_kind("mean"))
def test_a_mean_is_power_t_test(case: dict[str, Any]) -> None:
    experiment = plan(ab.Mean("m"), case["alpha"])
    row = experiment.plan({"m": {"mean": 3.0, "sd": case["sd"]}}, mde=case["mde"], power=case["power"]).metric("m")
    assert (row.n_control, row.n_treatment) == (case["n_whole"], case["n_whole"])
    assert row.power == pytest.approx(case["power_whole"], abs=1e-9)


@pytest.mark.parametrize("case", of_kind("unequal"))
def test_unequal_shares_are_the_noncentral_t_of_welch(case: dict[str, Any]) -> None:
    experiment = plan(ab.Mean("m"), allocation={"c": 0.9, "t": 0.1})
    weeks = {"weeks": 1, "units_per_week": case["n_control"] + case["n_treatment"]}
    row = experiment.plan({"m": {"mean": 3.0, "sd": case["sd"]}}, mde=case["mde"], **weeks).metric("m")
    assert (row.n_control, row.n_treatment) == (case["n_control"], case["n_treatment"])
    assert row.power == pytest.approx(case["power_whole"], abs=1e-9)
    assert row.solved == "power"


@pytest.mark.parametrize("case", of_kind("relative margin"))
def test_a_relative_margin_counts_the_noise_of_the_control(case: dict[str, Any]) -> None:
    experiment = plan(ab.Mean("m", role="guardrail", margin=ab.relative(case["margin"])))
    weeks = {"weeks": 1, "units_per_week": 2 * case["n"]}
    row = experiment.plan({"m": {"mean": case["mean"], "sd": case["sd"]}}, **weeks).metric("m")
    assert row.power == pytest.approx(case["power_whole"], abs=1e-9)


@pytest.mark.parametrize("case", of_kind("proportion"))
def test_a_proportion_is_power_prop_test(case: dict[str, Any]) -> None:
    experiment = plan(ab.Proportion("m"), case["alpha"])
    row = experiment.plan({"m": {"rate": case["rate"]}}, mde=case["mde"], power=case["power"]).metric("m")
    assert row.n_control == case["n_whole"]
    assert row.power == pytest.approx(case["power_whole"], abs=1e-9)


@pytest.mark.parametrize("case", of_kind("looks"))
def test_looks_on_a_schedule_are_those_of_rpact(case: dict[str, Any]) -> None:
    monitor = ab.GroupSequential(case["alpha"], looks=case["looks"], boundary=case["boundary"])
    found = plan(ab.Mean("m"), monitor=monitor).plan({"m": {"mean": 0, "sd": case["sd"]}}, mde=case["mde"])
    assert found.rule.units == pytest.approx(case["units"], abs=2.5)  # whole numbers of both variants
    assert found.rule.units_expected == pytest.approx(case["expected"], abs=2.5)


@pytest.mark.parametrize("kept", [0.05, 0.36, 1.0])
def test_covariates_leave_their_share_of_the_units(kept: float) -> None:
    plain, adjusted = (
        plan(ab.Mean("m", covariates=covariates)).plan(
            {"m": {"mean": 10, "sd": 4, "variance_kept": share}}, mde=ab.relative(0.005)
        )
        for covariates, share in (((), 1.0), (("before",), kept))
    )
    assert adjusted.metric("m").variance_kept == pytest.approx(kept, rel=1e-5)
    assert adjusted.rule.units / plain.rule.units == pytest.approx(
        kept, rel=1e-3
    )  # each slope costs a degree of freedom


def test_the_gain_of_a_covariate_is_its_correlation_squared() -> None:
    rng = np.random.default_rng(3)
    before = rng.normal(size=4000)
    sample = np.column_stack([10 + 0.8 * before + 0.6 * rng.normal(size=4000), before])
    statistics = ab.CoMoments.from_sample(sample, ["m", "before"])
    rho = float(np.corrcoef(sample.T)[0, 1])
    found = plan(ab.Mean("m", covariates="before")).plan({"m": statistics}, mde=0.02)
    plain = plan(ab.Mean("m")).plan({"m": statistics.moments("m")}, mde=0.02)
    assert found.rule.units / plain.rule.units == pytest.approx(1 - rho**2, rel=1e-3)


def test_the_best_shares_of_nine_to_one_cost_what_they_cost() -> None:
    even, uneven = (
        plan(ab.Mean("m"), allocation=shares).plan({"m": {"mean": 1, "sd": 1}}, mde=0.01).rule.units
        for shares in ({"c": 1, "t": 1}, {"c": 9, "t": 1})
    )
    assert uneven / even == pytest.approx((1 + 9) ** 2 / (4 * 9), rel=1e-4)


@pytest.mark.parametrize("monitor", [ab.FixedHorizon(), ab.GroupSequential(looks=4), ab.AnytimeValid(tune_at=20_000)])
def test_power_at_the_detectable_effect_is_what_was_asked(monitor: Any) -> None:
    experiment = plan(ab.Mean("m"), monitor=monitor)
    summary = {"m": {"mean": 10, "sd": 5}}
    at = {"weeks": 2, "units_per_week": 9000}
    found = experiment.plan(summary, **at)
    assert found.metric("m").solved == "mde"
    again = experiment.plan(summary, mde=found.metric("m").mde, **at)
    assert again.rule.power == pytest.approx(0.8, abs=1e-10)
    assert math.isclose(again.metric("m").detectable or 0, found.metric("m").mde or 1, rel_tol=1e-10)


def test_looks_at_any_time_are_those_of_the_power_functions() -> None:
    """Whose bounds are worked out by other code: of means by the mixture, of proportions by the exact sequence."""
    monitor, summary = ab.AnytimeValid(tune_at=3000), {"m": {"mean": 10.0, "sd": 5.0}}
    mean = ab.power.two_means(sd=5.0, mde=0.5, power=0.8, monitor=monitor, looks=5)
    found = plan(ab.Mean("m"), monitor=monitor).plan(summary, mde=0.5, looks=5)
    assert found.metric("m").n_control == math.ceil(mean.n_control)
    assert found.rule.units_expected == pytest.approx(mean.n_expected, rel=1e-3)
    rate = ab.power.two_proportions(baseline=0.1, mde=0.03, power=0.8, monitor=monitor, looks=4)
    found = plan(ab.Proportion("m"), monitor=monitor).plan({"m": {"rate": 0.1}}, mde=0.03, looks=4)
    assert found.metric("m").n_control == math.ceil(rate.n_control)
