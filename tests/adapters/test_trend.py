"""Trends over days: through every engine what `novelty_test` says of the units' daily totals, made by plain loops."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import abkit as ab
from tests.adapters import brute
from tests.adapters.engines import ENGINES

VARIANTS = ["control", "new", "newer"]
DAY = "profit"  # a column of the engines' common log, which holds days here
METRICS: dict[str, ab.Trend] = {
    "revenue": ab.Trend("revenue", day=DAY, days=7, missing="drop"),
    "revenue or nothing": ab.Trend("revenue", day=DAY, days=7, missing="zero"),
    "orders": ab.Trend("orders", day=DAY, days=2, missing="zero"),
    "whole days": ab.Trend("orders", day="views", days=5),
    "bought": ab.Trend("bought", day="views", days=14),
    "rows": ab.Trend(ab.ROWS, day=DAY, days=5, missing="drop"),
    "clock": ab.Trend("clock", day="views", days=6),
    "adjusted": ab.Trend("revenue", day=DAY, days=7, missing="drop", covariates="before"),
}


def plan(metrics: dict[str, Any], **fields: Any) -> ab.Experiment:
    shares = {"control": 45, "new": 35, "newer": 17}
    given_ = {"unit": "user", "variant": "variant", "control": "control", "allocation": shares, "metrics": metrics}
    return ab.Experiment(**{**given_, "segments": "country", "exposure": "seen", "key": "event", **fields})


@pytest.fixture(scope="module")
def dated(log: pd.DataFrame) -> pd.DataFrame:
    """The log with days from before the exposure until after the last, some missing, and a copy that contradicts."""
    rng, events = np.random.default_rng(6), log["event"].max() + 1
    days = np.where(rng.random(events) < 0.3, rng.integers(-2, 10, events), np.round(rng.uniform(-2, 10, events), 3))
    days[rng.choice(events, 30, replace=False)] = np.nan
    found = log.assign(**{DAY: days[log["event"]]})
    found.loc[found.index[-1], "orders"] += 1
    return found


@pytest.fixture(scope="module")
def units(dated: pd.DataFrame) -> dict[Any, brute.Unit]:
    return brute.kept(dated, "country", "event", "seen")


def daily(unit: brute.Unit, metric: ab.Trend) -> list[float] | None:
    """The unit's total of each day; None where it has no row that counts."""
    totals, counted = [[] for _ in range(metric.days)], False
    for row in unit.rows:
        value, day = 1.0 if metric.value == "ROWS" else row[metric.value], row[metric.day]
        if metric.missing == "drop" and (value is None or day is None):
            continue
        counted = True
        if day is not None and value is not None and 0 <= day < metric.days:
            totals[math.floor(day)].append(float(value))
    return [math.fsum(day) for day in totals] if counted else None


def table(units: dict[Any, brute.Unit], variant: str, metric: ab.Trend, segment: str | None = None) -> np.ndarray:
    mine = (unit for unit in units.values() if unit.variants == {variant} and segment in (None, unit.segment))
    return np.array([days for unit in mine if (days := daily(unit, metric)) is not None])


def adjusted(units: dict[Any, brute.Unit], variant: str, metric: ab.Trend) -> ab.TestResult:
    """The mean of least-squares slopes with the covariate, a row a unit."""
    rows = []
    for unit in units.values():
        days = daily(unit, metric)
        if unit.variants in ({"control"}, {variant}) and days is not None:
            slope = np.polynomial.Polynomial.fit(range(metric.days), days, 1, domain=[-1, 1]).coef[1]
            rows.append({"variant": min(unit.variants), "slope": slope, "before": unit.rows[0]["before"]})
    metrics = {"slope": ab.Mean("slope", covariates="before")}
    log = pd.DataFrame(rows)
    return (
        ab.Experiment(unit=ab.ROWS, variant="variant", control="control", metrics=metrics).analyze(log).result("slope")
    )


def agree(found: ab.TestResult, truth: ab.TestResult, what: object) -> None:
    assert found.estimate == pytest.approx(truth.estimate, rel=1e-9, abs=1e-9 * truth.stderr), what
    assert found.stderr == pytest.approx(truth.stderr, rel=1e-9), what
    assert found.df == pytest.approx(truth.df, rel=1e-9), what


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_gives_the_trend_of_the_daily_totals(
    engine: Callable[[pd.DataFrame, Path], Any],
    dated: pd.DataFrame,
    units: dict[Any, brute.Unit],
    tmp_path: Path,
) -> None:
    report = plan(METRICS).analyze(engine(dated, tmp_path))
    assert report.statistics.audit.rows_contradictory == 1
    for name, metric in METRICS.items():
        for variant in VARIANTS[1:]:
            found = report.result(name, variant)
            if metric.covariates:
                agree(found, adjusted(units, variant, metric), (name, variant))
                continue
            c, t = (table(units, v, metric) for v in ("control", variant))
            agree(found, ab.novelty_test(c, t), (name, variant))
            row = next(row for row in report.results if (row.metric, row.variant) == (name, variant))
            assert (row.n_control, row.n_treatment) == (len(c), len(t))
        c, t = (table(units, v, metric, "FR") for v in ("control", "new"))
        if not metric.covariates:
            agree(report.result(name, "new", "country=FR"), ab.novelty_test(c, t), (name, "FR"))


def log_of(totals: np.ndarray, treated: np.ndarray) -> pd.DataFrame:
    """One row a unit and day."""
    units, days = totals.shape
    return pd.DataFrame(
        {
            "user": np.repeat(np.arange(units), days),
            "variant": np.repeat(np.where(treated, "b", "a"), days),
            "age": np.tile(np.arange(days), units),
            "x": totals.ravel(),
        }
    )


def trend(log: pd.DataFrame, value: str = "x", **fields: Any) -> Any:
    metrics = {"trend": ab.Trend(value, day="age", **fields)}
    return ab.Experiment(unit="user", variant="variant", control="a", metrics=metrics).analyze(log).results[0]


@pytest.mark.parametrize("offset", [0.0, 1e6, 1e9])
def test_daily_totals_far_from_zero_keep_their_digits(offset: float) -> None:
    rng = np.random.default_rng(2)
    treated, noise = np.arange(200) % 2 == 1, np.round(rng.normal(size=(200, 14)) * 64) / 64
    log, truth = log_of(offset + noise, treated), ab.novelty_test(noise[~treated], noise[treated])
    found = trend(log, days=14).test
    assert found.estimate == pytest.approx(truth.estimate, rel=1e-9 if offset < 1e9 else 1e-6)
    assert found.stderr == pytest.approx(truth.stderr, rel=1e-9 if offset < 1e9 else 1e-6)


@pytest.mark.parametrize("days", [2, 3, 4, 7, 8, 14, 20, 30])
@pytest.mark.parametrize("level", [1.0, 0.1, 1 / 3, 1e9 + 0.1])
def test_rounding_is_no_trend(days: int, level: float) -> None:
    """Rows in any order, whose days differ in nothing."""
    log = log_of(np.full((80, days), level), np.arange(80) % 2 == 1).sample(frac=1, random_state=days)
    for value in ("x", ab.ROWS):
        row = trend(log, value, days=days)
        assert row.test is None
        assert "the variance is zero" in row.reason
    assert (row.control, row.treatment) == (0.0, 0.0)
    levels = log_of(np.outer(np.arange(1, 81) * level, np.ones(days)), np.arange(80) % 2 == 1)
    assert "the variance is zero" in trend(levels.sample(frac=1, random_state=1), days=days).reason


@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 5),
            st.sampled_from([0.0, 1.5, -3.25, 100.0, None]),
            st.integers(-4, 24).map(lambda quarter: quarter / 4) | st.none(),
        ),
        max_size=40,
    ),
    st.sampled_from(["drop", "zero"]),
    st.integers(2, 5),
)
def test_any_log_gives_the_trend_of_its_daily_totals(rows: list[Any], missing: Any, days: int) -> None:
    clean = [(user, float(user), 0.5 * (user % 3)) for user in range(6)]
    log = pd.DataFrame([*clean, *rows], columns=["user", "x", "age"]).astype({"x": float, "age": float})
    log = log.assign(variant=np.where(log["user"] % 2, "b", "a"))
    metric = ab.Trend("x", day="age", days=days, missing=missing)
    units = brute.kept(log, None, None, None)
    truth = ab.novelty_test(*(table(units, variant, metric) for variant in ("a", "b")))
    row = trend(log, days=days, missing=missing)
    if row.test is None:
        assert truth.stderr == pytest.approx(0, abs=1e-12)
    else:
        agree(row.test, truth, rows)
