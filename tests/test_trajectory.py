"""An experiment through time: every look is a report, under any monitor, and is said to be what it is."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import abkit as ab
from abkit.errors import PlanError
from abkit.sequential import Look

DAYS = 10


def log_of(effect: float, n: int = 3000, seed: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    variant = rng.choice(["control", "new"], n)
    start = pd.Timestamp("2026-03-01")
    return pd.DataFrame(
        {
            "user": np.arange(n),
            "variant": variant,
            "ts": start + pd.to_timedelta(rng.uniform(0, DAYS, n), unit="D"),
            "revenue": rng.normal(10, 3, n) + effect * (variant == "new"),
            "bought": (rng.random(n) < 0.2).astype(int),
        }
    )


PLAN = ab.Experiment(
    unit="user",
    variant="variant",
    control="control",
    allocation={"control": 1, "new": 1},
    metrics={"revenue": ab.Mean("revenue"), "bought": ab.Proportion("bought")},
    monitor=ab.AnytimeValid(tune_at=2000),
)


def looked_at(plan: ab.Experiment = PLAN, effect: float = 0.6, **options: Any) -> ab.Trajectory:
    return plan.trajectory(log_of(effect), time="ts", **{"every": "1d", "window": "1d", **options})


def test_every_look_is_the_report_of_the_units_that_were_complete() -> None:
    log, story = log_of(0.6), looked_at()
    for time, report in zip(story.times, story.reports, strict=True):
        cut = log[log["ts"] + pd.Timedelta(days=1) <= pd.Timestamp(str(time))]
        alone = PLAN.analyze(cut)
        for metric in ("revenue", "bought"):
            ours, theirs = report.result(metric), alone.result(metric)
            assert ours.estimate == pytest.approx(theirs.estimate, rel=1e-12)
            assert list(ours.interval(0.95)) == pytest.approx(list(theirs.interval(0.95)), rel=1e-9)  # type: ignore[arg-type]


def test_running_intervals_never_widen_and_lie_within_the_current_ones() -> None:
    frame = looked_at().to_frame()
    for _, series in frame.groupby(["metric", "variant"]):
        low, high = series["running_low"].fillna(-np.inf), series["running_high"].fillna(np.inf)
        assert (np.diff(low) >= 0).all()
        assert (np.diff(high) <= 0).all()
        assert (low >= series["low"].fillna(-np.inf)).all()
        assert (high <= series["high"].fillna(np.inf)).all()


def test_the_fixed_band_is_that_of_one_look() -> None:
    story = looked_at()
    row = story.to_dicts()[-1]
    fixed = replace(PLAN, monitor=ab.FixedHorizon()).analyze(log_of(0.6)[lambda d: d["ts"] < "2026-03-10"])
    assert [row["fixed_low"], row["fixed_high"]] == pytest.approx(
        list(fixed.result(row["metric"]).interval(0.95)),
        rel=1e-9,  # type: ignore[arg-type]
    )


def test_a_fixed_horizon_is_shown_and_labelled() -> None:
    story = looked_at(replace(PLAN, monitor=ab.FixedHorizon()))
    assert any("right at one look" in note for note in story.notes())
    assert {row["validity"] for row in story.to_dicts()} == {"one look"}
    assert isinstance(story.served.experiment.monitor, ab.AnytimeValid)


def test_open_ended_totals_are_said_to_change_the_question() -> None:
    assert any("open-ended" in note for note in looked_at(window=None).notes())
    assert not any("open-ended" in note for note in looked_at().notes())
    assert not any("open-ended" in note for note in looked_at(replace(PLAN, unit=ab.ROWS), window=None).notes())


def test_a_schedule_with_units_serves_any_number_of_looks() -> None:
    story = looked_at(replace(PLAN, monitor=ab.GroupSequential(looks=5, units=3000)))
    bounds = [row.test.effect.bound.critical(0.025) for row in story.rows("revenue", "new") if row.test]  # type: ignore[attr-defined]
    seen = [sum(report.units.values()) for report in story.reports]
    # what was spent is what the spending function allows at the share of the units that was seen
    share = seen[-1] / 3000
    spending = ab.group_sequential_design(information=[share, 1.0]).alpha_spent[0]
    assert ab.Design.from_bounds(seen, bounds).alpha == pytest.approx(spending, abs=1e-9)


def test_a_schedule_without_units_needs_its_own_number_of_looks() -> None:
    with pytest.raises(PlanError, match=r"`monitor.units` must say how many units are planned"):
        looked_at(replace(PLAN, monitor=ab.GroupSequential(looks=5)))
    story = looked_at(replace(PLAN, monitor=ab.GroupSequential(looks=5)), every="2d")
    assert [report.look.number for report in story.reports] == list(range(1, len(story.reports) + 1))


def test_it_is_strict_json_and_a_table_and_text() -> None:
    story = looked_at()
    read = json.loads(json.dumps(story.to_dict(), allow_nan=False))
    assert read["schema"] == "abkit.trajectory/1"
    assert len(read["looks"]) == len(story.to_frame()) == 2 * len(story.times)
    assert "first shown to differ at" in str(story)
    assert "a fixed test would have said so at" in str(story)
    assert story._repr_html_().startswith("<pre>")


def test_decisions_can_be_made_on_any_report_of_it() -> None:
    story = looked_at(effect=1.5)
    verdicts = [ab.decide(PLAN, report).verdict for report in story.reports]
    assert verdicts[-1] == "promote"
    assert set(verdicts) <= {"continue", "promote"}


def test_plots_show_both_bands_and_the_bounds() -> None:
    story = looked_at()
    axes = story.plot("revenue")
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["anytime, level 0.95", "at one look only, level 0.95", "estimate"]
    scheduled = looked_at(replace(PLAN, monitor=ab.GroupSequential(looks=5, units=3000)))
    assert scheduled.plot_boundary("bought").get_xlabel() == "share of the planned information"
    with pytest.raises(PlanError, match="one look only"):
        looked_at(replace(PLAN, monitor=ab.FixedHorizon())).plot_boundary("revenue")
    with pytest.raises(PlanError, match="`metric` must be one of revenue, bought"):
        story.plot()


def test_days_without_new_units_are_the_look_before_them() -> None:
    monitor = ab.GroupSequential(looks=4, units=3000, futility="ld-obrien-fleming")
    log = log_of(0.3)
    pause = log["ts"] + pd.to_timedelta(np.where(log["ts"] > pd.Timestamp("2026-03-05"), 3, 0), unit="D")
    story = replace(PLAN, monitor=monitor).trajectory(log.assign(ts=pause), time="ts", every="1d", window="1d")
    rows = story.rows("revenue", "new")
    quiet = [k for k in range(1, len(rows)) if rows[k].n_control == rows[k - 1].n_control]
    assert len(quiet) >= 2
    for k in quiet:
        assert rows[k].test is not None
        assert rows[k].test.interval(0.95) == rows[k - 1].test.interval(0.95)  # type: ignore[union-attr]


def test_futility_is_asked_where_the_look_is_not_where_its_number_was_planned() -> None:
    monitor = ab.GroupSequential(looks=2, units=3000, futility="ld-obrien-fleming", sides=1, alpha=0.025)
    story = replace(PLAN, monitor=monitor).trajectory(log_of(0.0), time="ts", every="1d", window="1d")
    bounds = [monitor.futility_bound(look) for look in story.looks]
    known = [bound for bound in bounds if bound is not None]
    assert len(known) >= 9
    assert known == sorted(known)
    planned = monitor.futility_bound(Look(1, (1500,)))
    assert known[1] < -1 < 0 < planned < known[-1]  # type: ignore[operator]
    assert str(story.reports[3]).count("looks: 4, where 2 were planned") == 1
    labels = [line.get_label() for line in story.plot_boundary("revenue").get_lines()]
    assert labels.count("futility") == 1
    assert monitor.futility_bounds(Look(3, (900, 1500, 3100)))[-1] is None
