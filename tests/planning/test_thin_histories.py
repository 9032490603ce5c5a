"""Histories that hold too little to plan from: one sentence, and what is known is used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import abkit as ab
from abkit.cli import main
from abkit.errors import DataError

S = {"mean": 1.0, "sd": 2.0}


def plan(**metrics: Any) -> ab.Experiment:
    return ab.Experiment(unit="u", variant="v", control="c", metrics=metrics)


def test_one_unit_has_no_variance() -> None:
    log = pd.DataFrame({"u": ["a"], "m": [1.0]})
    with pytest.raises(DataError, match=r"the history has 1 unit of `m`; at least 2 are needed"):
        plan(m=ab.Mean("m", mde=1.0)).plan(log)


def test_a_metric_without_values_has_nothing_to_plan_from() -> None:
    log = pd.DataFrame({"u": ["a", "b", "c"], "m": [None, None, None], "k": [1.0, 2.0, 4.0]}).astype({"m": float})
    with pytest.raises(DataError, match=r"the history has 0 units of `m`"):
        plan(k=ab.Mean("k", mde=1.0), m=ab.Mean("m", mde=1.0, missing="drop")).plan(log)


def test_a_first_period_of_one_unit_is_planned_with_the_whole_history() -> None:
    days = pd.to_datetime(["2025-01-06", *["2025-01-13"] * 20, "2025-01-19"])
    log = pd.DataFrame({"u": range(22), "when": days, "m": [float(k % 5) for k in range(22)]})
    found = plan(m=ab.Mean("m", mde=1.0)).plan(log)
    assert found.sizer.source.units[0] == 1
    assert found.rule.units == plan(m=ab.Mean("m", mde=1.0)).plan(log.drop(columns="when")).rule.units


@pytest.mark.parametrize(
    "metric", [ab.Mean("m", mde=ab.relative(0.1)), ab.Mean("m", role="guardrail", margin=ab.relative(0.1))]
)
def test_shares_of_zero_by_week_have_a_reason(metric: ab.Mean) -> None:
    days = pd.date_range("2025-01-06", periods=40, freq="12h")
    found = plan(m=metric).plan(pd.DataFrame({"u": range(40), "when": days, "m": 0.0}))
    assert found.rule.units is None
    assert all(row["reason"] for row in found.mde_by_week())
    assert "zero" in str(found)


def test_a_column_that_is_missing_is_not_listed() -> None:
    log = pd.DataFrame({"u": ["a", "b"]})
    with pytest.raises(DataError, match=r"no column `m`; it has u\.$"):
        plan(m=ab.Mean("m", mde=1.0)).plan(log)


@pytest.mark.parametrize("command", ["plan", "simulate"])
def test_a_log_that_is_wrong_exits_alike(tmp_path: Path, command: str) -> None:
    (tmp_path / "plan.json").write_text(json.dumps(plan(m=ab.Mean("m", mde=1.0)).to_dict()))
    (tmp_path / "log.csv").write_text("u,m\n")
    assert main([command, str(tmp_path / "plan.json"), "--history", str(tmp_path / "log.csv")]) == 65


def test_a_tiny_baseline_keeps_its_row_short() -> None:
    found = plan(m=ab.Mean("m", mde=0.5)).plan({"m": {"mean": 1e-300, "sd": 1.0}})
    assert max(map(len, str(found).splitlines()[:6])) < 200


def test_the_harm_that_is_watched_is_on_its_own_side() -> None:
    """A share of 99.5% can fall by a point, and not rise by one."""
    watched = ab.Proportion("m", role="deterioration", mde=0.01)
    experiment = plan(k=ab.Mean("k", mde=1.0), m=watched)
    history = {"k": {"mean": 1.0, "sd": 2.0}, "m": {"rate": 0.995}}
    found = ab.simulate.operating_characteristics(
        experiment, [ab.simulate.Scenario("x")], 10, np.random.default_rng(1), history=history, units=20_000
    )
    pooled = 0.99
    z = 0.01 / np.sqrt(2 * pooled * (1 - pooled) / 10_000)
    assert found.drifts["m"] == pytest.approx(z, rel=0.1)


def test_units_without_a_value_are_needed_too() -> None:
    """Of every second unit nothing is known of m: twice the units must come for as many values."""
    rng = np.random.default_rng(1)
    values = rng.normal(10, 4, 400)
    some = np.full(800, np.nan)
    some[::2] = values
    metric = ab.Mean("m", mde=1.0, missing="drop")
    all_known = plan(m=metric).plan(pd.DataFrame({"u": range(400), "m": values}))
    days = pd.date_range("2025-01-06", periods=800, freq="50min")
    half = plan(m=metric).plan(pd.DataFrame({"u": range(800), "m": some, "when": days}))
    assert all_known.rule.units is not None
    assert half.rule.units is not None
    assert abs(half.rule.units - 2 * all_known.rule.units) <= 4
    log = pd.DataFrame({"u": range(800), "m": some})
    alone = plan(m=metric).plan({"m": ab.Moments.from_sample(values)}, weeks=1, units_per_week=400)
    found = plan(m=metric).plan(log, weeks=1, units_per_week=800).metric("m")
    assert found.power == pytest.approx(alone.metric("m").power, rel=1e-3)


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_a_long_history_tells_quantiles_better_than_its_buckets(seed: int) -> None:
    """Exponential values: the variance of a quantile is q / (1 - q) / n, whatever the rounding of the history."""
    values = 100 * np.random.default_rng(seed).exponential(1.0, 400_000)
    metric = ab.Quantile("m", 0.9, mde=10.0)
    found = plan(m=metric).plan(pd.DataFrame({"u": range(values.size), "m": values}))
    needed = 2 * 2 * (1.959964 + 0.841621) ** 2 * 100**2 * 9 / 10**2
    assert found.rule.units == pytest.approx(needed, rel=0.08)


def test_a_summary_whose_traffic_is_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("{units_per_week: many, metrics: {m: {mean: 1, sd: 2}}}")
    with pytest.raises(ab.errors.PlanError, match="`units_per_week` must be a number; got 'many'"):
        plan(m=ab.Mean("m", mde=1.0)).plan(str(tmp_path / "s.yaml"))


@pytest.mark.parametrize(
    ("weeks", "units_per_week", "named"), [(1.0, 1e300, "units_per_week"), (1e300, 1.0, "weeks"), (1e12, 1e6, "weeks")]
)
def test_more_units_than_can_be_counted_are_refused(weeks: float, units_per_week: float, named: str) -> None:
    with pytest.raises(ab.errors.PlanError, match=f"`{named}` must be"):
        plan(m=ab.Mean("m", mde=1.0)).plan({"m": S}, weeks=weeks, units_per_week=units_per_week)
