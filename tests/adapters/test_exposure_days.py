"""The effect by days since exposure, against units and days made one by one in pandas."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import abkit as ab
from tests.adapters.engines import ENGINES
from tests.adapters.logs import event_log

START = pd.Timestamp("2024-03-01 07:13:00")
DAY = pd.Timedelta("1D")
METRICS: dict[str, ab.Metric] = {
    "revenue": ab.Mean("revenue", missing="drop"),
    "revenue or nothing": ab.Mean("revenue", missing="zero", covariates="before"),
    "orders per view": ab.Ratio("orders", "views", covariates=[ab.Sum("orders")]),
    "orders": ab.Count("orders"),
    "clock per row": ab.Ratio("clock", ab.ROWS),
    "views per row": ab.Rate("views", ab.ROWS, missing="drop"),
    "conversion": ab.Proportion("bought"),
}
PLAN = ab.Experiment(
    unit="user",
    variant="variant",
    control="control",
    metrics=METRICS,
    allocation={"control": 45, "new": 35, "newer": 17},
    exposure="seen",
    key="event",
    monitor=ab.AnytimeValid(alpha=0.1),
)
OUTCOMES = {
    "revenue": ("revenue",),
    "revenue or nothing": ("revenue",),
    "orders per view": ("orders", "views"),
    "orders": ("orders",),
    "clock per row": ("clock", "ones"),
    "views per row": ("views", "ones"),
    "conversion": ("bought",),
}


@pytest.fixture(scope="module")
def timed() -> pd.DataFrame:
    log, rng = event_log(), np.random.default_rng(5)
    begin, after = rng.uniform(0, 8, 600), rng.exponential(2.0, log["event"].max() + 1)
    days = begin[log["user"]] + after[log["event"]]
    log["ts"] = (START + pd.to_timedelta(np.minimum(days, 12.0) * 86_400e6 // 1, unit="us")).astype("datetime64[us]")
    return log


def by_hand(log: pd.DataFrame, days: int, end: pd.Timestamp) -> dict[int, dict[str, dict[str, np.ndarray]]]:
    """The totals of every followed unit on every day, by metric and variant; zero where it has no row."""
    rows = log[log["user"].notna() & log["variant"].notna() & log["seen"]].drop_duplicates("event")
    rows = rows.assign(ones=1.0, bought=rows["bought"].astype(float), first=rows.groupby("user")["ts"].transform("min"))
    rows = rows[(rows["first"] + days * DAY <= end) & (rows["ts"] < rows["first"] + days * DAY)]
    rows["day"] = (rows["ts"] - rows["first"]) // DAY
    rows = rows[rows.groupby("user")["variant"].transform("nunique") == 1]
    found: dict[int, dict[str, dict[str, np.ndarray]]] = {}
    for day in range(days):
        found[day] = {}
        for name, columns in OUTCOMES.items():
            kept = rows[rows["revenue"].notna()] if name == "revenue" else rows
            units = kept.groupby("user")["variant"].first()
            how = "max" if name == "conversion" else "sum"
            totals = kept[kept["day"] == day].groupby("user")[list(columns)].agg(how).reindex(units.index).fillna(0.0)
            found[day][name] = {v: totals[(units == v).to_numpy()].to_numpy() for v in ("control", "new", "newer")}
    return found


@pytest.mark.parametrize("engine", ENGINES)
def test_every_day_is_made_of_the_totals_of_that_day(
    engine: Callable[[pd.DataFrame, Path], Any], timed: pd.DataFrame, tmp_path: Path
) -> None:
    story = PLAN.exposure_days(engine(timed, tmp_path), time="ts", every="1d", window="4d")
    truth = by_hand(timed, 4, pd.Timestamp("2024-03-14"))
    assert len(story.reports) == len(truth)
    for day, report in enumerate(story.reports):
        groups = {group.variant: group for group in report.statistics.groups}
        for name, values in ((n, truth[day][n]) for n in METRICS):
            for variant, totals in values.items():
                moments = groups[variant].moments[name]
                assert moments.n == len(totals), (day, name)
                assert moments.m2.shape == (totals.shape[1],) * 2, name  # no covariates
                np.testing.assert_allclose(moments.mean, totals.mean(axis=0), rtol=1e-12, err_msg=f"{day} {name}")
                gaps = totals - totals.mean(axis=0)
                scale = np.sqrt(np.outer(*[(gaps**2).sum(axis=0)] * 2))
                np.testing.assert_array_less(
                    np.abs(moments.m2 - gaps.T @ gaps), 1e-12 * scale + 1e-300, f"{day} {name}"
                )


def test_the_units_are_those_of_the_last_look(timed: pd.DataFrame) -> None:
    options: dict[str, Any] = {"time": "ts", "every": "1d", "window": "4d", "until": "2024-03-09"}
    days, looks = PLAN.exposure_days(timed, **options), PLAN.trajectory(timed, **options)
    assert all(report.units == looks.reports[-1].units for report in days.reports)


def test_the_interval_is_that_of_one_look_at_the_level_of_the_plan(timed: pd.DataFrame) -> None:
    story = PLAN.exposure_days(timed, time="ts", every="1d", window="4d", metrics="revenue")
    values = by_hand(timed, 4, pd.Timestamp("2024-03-14"))[2]["revenue"]
    expected = ab.welch_test(values["control"][:, 0], values["new"][:, 0]).interval(0.9)
    row = next(row for row in story.to_dicts() if (row["day"], row["variant"]) == (2, "new"))
    assert (row["low"], row["high"]) == pytest.approx((expected.low, expected.high), rel=1e-9)  # type: ignore[union-attr]
    assert [row["day"] for row in story.to_dicts()] == [0, 1, 2, 3] * 2
    assert list(story.to_frame()["variant"]) == ["new"] * 4 + ["newer"] * 4


def test_days_add_up_to_the_window(timed: pd.DataFrame) -> None:
    options: dict[str, Any] = {"time": "ts", "window": "4d", "until": "2024-03-12"}
    whole = PLAN.trajectory(timed, every="1d", **options).reports[-1]
    days = PLAN.exposure_days(timed, every="1d", metrics=["orders"], **options)
    total = sum(report.result("orders", "new").estimate for report in days.reports)
    assert total == pytest.approx(whole.result("orders", "new").estimate, rel=1e-9)


def test_numbers_as_times_and_days_without_rows() -> None:
    log = pd.DataFrame({"user": [0, 1, 2, 3] * 3, "variant": ["old", "new"] * 6, "x": np.arange(12.0) ** 2})
    log["t"] = [0.1, 0.2, 0.3, 0.4, *([0.7] * 4), *([3.7] * 4)]  # 0.7 - 0.1 is less than 0.6 in floats
    plan = ab.Experiment(unit="user", variant="variant", control="old", metrics={"x": ab.Mean("x")})
    story = plan.exposure_days(log, time="t", every=0.3, window=3, until=4)
    assert len(story.reports) == 10
    empty = story.to_dicts()[5]
    assert (empty["n_control"], empty["n_treatment"], empty["control"], empty["treatment"]) == (2, 2, 0.0, 0.0)
    assert empty["estimate"] is None
    assert empty["reason"]
    assert "day 5: " in str(story)


REFUSED: dict[str, tuple[ab.Metric, str]] = {
    "a quantile": (ab.Quantile("x", 0.5), "must not be a quantile metric"),
    "a trend": (ab.Trend("x", day="day", days=3), "must not be a trend metric"),
    "a cap": (ab.Mean("x", cap=ab.Cap(value=3)), "must not be capped"),
    "a cap of a denominator": (ab.Ratio("x", "y", denominator_cap=ab.Cap(value=3)), "must not be capped"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_value_a_day_is_refused_by_name(name: str) -> None:
    metric, says = REFUSED[name]
    plan = ab.Experiment(unit="u", variant="v", control="a", metrics={"odd one": metric, "rows": ab.Mean(ab.ROWS)})
    with pytest.raises(ab.PlanError, match=f"`metrics.odd one` {says}"):
        plan.exposure_days([], time="t", every=1, window=3)


def test_other_refusals(timed: pd.DataFrame) -> None:
    def refused(says: str, plan: ab.Experiment = PLAN, **changes: Any) -> None:
        with pytest.raises(ValueError, match=says):
            plan.exposure_days(timed, **{"time": "ts", "every": "1d", "window": "4d", **changes})

    refused("`metrics` must be one of", metrics="revenues")
    refused("`metrics` must have at least one", metrics=())
    refused("`window` must be from 1", window="36h")
    refused("`window` must be given", window=None)
    refused("`window` must be from 1", every="4d", window="2d")
    refused("no column `when`", time="when")
    rows = ab.Experiment(unit=ab.ROWS, variant="variant", control="control", metrics={"orders": ab.Mean("orders")})
    refused("`unit` must name a column", rows)
    refused("no unit's `window` is complete", window="30d")


def test_the_plot_has_a_point_and_an_interval_a_day(timed: pd.DataFrame) -> None:
    story = PLAN.exposure_days(timed, time="ts", every="1d", window="4d", metrics=["orders", "conversion"])
    ax = story.plot("orders", "new")
    assert ax.get_xlabel() == "days since exposure"
    assert "orders: new minus control" in ax.get_ylabel()
    with pytest.raises(ab.PlanError, match="`metric` must be one of orders, conversion"):
        story.plot(variant="new")
    assert len(story.plot("orders", "newer", ax).containers) == 2
