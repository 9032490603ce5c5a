"""What a planning answers: traffic, wishes that cannot be, running experiments, words and plain values."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import abkit as ab
from abkit.cli import main
from abkit.errors import PlanError
from abkit.logs import History
from abkit.planning import Planning
from tests.planning.test_golden import plan

S = {"mean": 10.0, "sd": 5.0}
MEAN = ab.Mean("m")
GUARDRAIL = ab.Mean("g", role="guardrail", margin=ab.relative(0.02))


def both(**more: Any) -> ab.Experiment:
    metrics = {"m": ab.Mean("m", mde=0.5), "g": GUARDRAIL}
    return ab.Experiment(unit="u", variant="v", control="c", metrics=metrics, **more)


@pytest.fixture(scope="module")
def log() -> pd.DataFrame:
    """Five weeks of rows of 3,000 units that come back, with a covariate and a rate."""
    rng = np.random.default_rng(1)
    user = rng.integers(0, 3000, 9000)
    before = rng.gamma(2, 5, 3000)[user]
    when = pd.Timestamp("2025-01-06") + pd.to_timedelta(rng.uniform(0, 35, user.size), unit="D")
    revenue = rng.gamma(1, 4, user.size) + 0.3 * before
    bought = rng.random(user.size) < 0.1
    return pd.DataFrame({"u": user, "when": when, "revenue": revenue, "before": before, "bought": bought})


LOGGED = {
    "revenue": ab.Mean("revenue", covariates="before", mde=ab.relative(0.1)),
    "bought": ab.Proportion("bought", role="guardrail", margin=ab.relative(0.2)),
}


def logged(**more: Any) -> ab.Experiment:
    return ab.Experiment(unit="u", variant="v", control="c", metrics=LOGGED, **more)


def test_a_history_gives_duration_and_covariates(log: pd.DataFrame) -> None:
    found = logged().plan(log)
    assert 0.3 < found.metric("revenue").variance_kept < 0.99
    assert found.rule.units is not None
    assert found.rule.weeks is not None
    assert found.rule.days == pytest.approx(7 * found.rule.weeks)
    assert found.rule.units >= max(row.units or 0 for row in found.metrics)
    assert found.rule.power >= 0.8
    table = found.mde_by_week(7)
    assert [row["extrapolated"] for row in table[::2]] == [False] * 5 + [True] * 2
    units = [row["units"] for row in table[::2]]
    assert units == sorted(units)
    assert units[4] == log["u"].nunique()
    assert any("extrapolated" in sentence for sentence in found.assumptions) == (found.rule.weeks > 5)


def test_an_effect_by_week_is_what_the_plan_finds_by_then(log: pd.DataFrame) -> None:
    for row in logged().plan(log).mde_by_week(4):
        if row["metric"] == "revenue":
            again = logged().plan(log, weeks=row["week"], mde={"revenue": ab.relative(row["relative"])})
            wanted = again.sizer.demands["revenue"].target
            assert again.metric("revenue").power == pytest.approx(wanted, abs=1e-9)


def test_the_history_answers_at_the_first_period_that_is_long_enough() -> None:
    """Units become more alike from week to week here, so the weeks that were long enough decide."""
    spread = (10.0, 4.0, 2.0)
    units = (1000, 1500, 1800)
    statistics = tuple(
        {"m": ab.CoMoments(n, np.array([5.0]), np.array([[(n - 1) * sd**2]]), ("m",))}
        for n, sd in zip(units, spread, strict=True)
    )
    history = History(units, statistics, 7.0)
    found = plan(MEAN).plan(history, mde=0.5)
    alone = [plan(MEAN).plan({"m": {"mean": 5.0, "sd": sd}}, mde=0.5).rule.units for sd in spread]
    assert alone[1] > 1500
    assert alone[0] > 1000
    assert found.rule.units == alone[2]
    assert 2 <= (found.rule.weeks or 0) <= 3


def test_numbers_are_no_times(log: pd.DataFrame) -> None:
    with pytest.raises(PlanError, match="a column of dates or times"):
        logged().plan(log.assign(day=3), time="day")


@pytest.mark.parametrize("engine", ["polars", "lazy", "file"])
def test_every_engine_has_the_same_answer(engine: str, log: pd.DataFrame, tmp_path: Path) -> None:
    import polars as pl

    frame = pl.from_pandas(log)
    log.to_parquet(tmp_path / "log.parquet")
    given = {"polars": frame, "lazy": frame.lazy(), "file": str(tmp_path / "log.parquet")}[engine]
    found, wanted = logged().plan(given).rule, logged().plan(log).rule
    assert (found.units, found.allocation, found.weeks) == (wanted.units, wanted.allocation, wanted.weeks)


def test_units_per_week_are_counted_from_the_first_day() -> None:
    found = plan(MEAN).plan({"m": S}, mde=0.5, units_per_week=1000)
    assert found.rule.weeks == pytest.approx(found.rule.units / 1000)
    assert plan(MEAN).plan({"m": S}, mde=0.5).rule.weeks is None
    assert "for a duration give `units_per_week`" in str(plan(MEAN).plan({"m": S}, mde=0.5))


@pytest.mark.parametrize(
    ("metric", "wish", "why"),
    [
        (MEAN, {"mde": -0.5}, "on the wrong side"),
        (MEAN, {"mde": 0}, "never shown"),
        (MEAN, {"mde": 1e-9}, "more units than can be counted"),
        (MEAN, {"mde": 0.5, "units_per_week": 0}, "no units come"),
        (MEAN, {"mde": 0.5, "power": 1 - 1e-16}, "out of reach"),
        (ab.Mean("m", margin=ab.relative(0.1)), {"mde": 0.5}, "does not exceed the smallest gain"),
        (ab.Mean("m", role="guardrail", margin=0), {}, "never shown"),
        (ab.Mean("m", role="deterioration", mde=1), {}, "never promotes"),
        (MEAN, {"weeks": 1, "units_per_week": 2}, "at least 2 for a test"),
    ],
)
def test_what_cannot_be_has_a_reason(metric: ab.Metric, wish: dict[str, Any], why: str) -> None:
    found = plan(metric).plan({"m": S}, **wish)
    assert why in (found.rule.reason or "")
    assert "cannot promote" in str(found).splitlines()[0]
    json.dumps(found.to_dict(), allow_nan=False)


@pytest.mark.parametrize(
    ("metric", "about", "wish", "why"),
    [
        (MEAN, {"mean": 1, "sd": 0}, {"mde": 1}, "the variance is zero"),
        (MEAN, {"mean": 0, "sd": 1}, {"mde": ab.relative(0.1)}, "value is zero"),
        (ab.Mean("m", role="guardrail", margin=ab.relative(0.1)), {"mean": 0, "sd": 1}, {}, "mean is zero"),
        (ab.Proportion("m"), {"rate": 0.9}, {"mde": 0.2}, "it would be 1.1"),
    ],
)
def test_what_the_history_forbids_has_a_reason(
    metric: ab.Metric, about: dict[str, float], wish: dict[str, Any], why: str
) -> None:
    assert why in (plan(metric).plan({"m": about}, **wish).rule.reason or "")


def test_a_fault_of_ours_is_no_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise ValueError("a fault")

    monkeypatch.setattr("abkit.planning._tests.Regions.stopping", fails)
    with pytest.raises(ValueError, match="a fault"):
        plan(MEAN, monitor=ab.GroupSequential(looks=3)).plan({"m": S}, mde=0.5)


def test_a_history_to_which_nobody_new_comes_says_what_to_do() -> None:
    days = [pd.Timestamp("2025-01-06") + pd.Timedelta(days=day) for day in range(21)]
    rows = pd.DataFrame({"u": list(range(50)) * 21, "when": np.repeat(days, 50), "m": np.tile(np.arange(50.0), 21)})
    found = plan(MEAN).plan(rows, mde=1.0)
    assert found.rule.reason == (
        "no units came in the history's last period, so it takes for ever: give `units_per_week`"
    )
    assert plan(MEAN).plan(rows, mde=1.0, units_per_week=1_000).rule.weeks


@pytest.mark.parametrize("kind", [ab.Mean, ab.Count, ab.Proportion])
def test_a_huge_effect_needs_few_units_under_any_monitor(kind: Any) -> None:
    metric, about = (ab.Proportion("m"), {"rate": 1e-6}) if kind is ab.Proportion else (kind("m"), S)
    for monitor in (ab.FixedHorizon(), ab.GroupSequential(looks=5), ab.AnytimeValid(tune_at=1_000)):
        found = plan(metric, monitor=monitor).plan({"m": about}, mde=0.999 if kind is ab.Proportion else 1e9)
        assert found.rule.units < 1_000, found.rule.reason


def test_the_treatment_that_nobody_named_is_not_the_control() -> None:
    plans = [ab.Experiment(unit="u", variant="v", control=name, metrics={"m": MEAN}) for name in ("c", "treatment")]
    named, found = (one.plan({"m": S}, mde=0.5).rule.allocation for one in plans)
    assert list(found.items()) == [("treatment", named["c"]), ("new", named["treatment"])]


def test_no_effect_is_so_large_that_ten_units_show_it() -> None:
    row = plan(ab.Proportion("m")).plan({"m": {"rate": 0.99}}, weeks=1, units_per_week=10).metric("m")
    assert row.mde is None
    assert "no effect that there can be" in (row.reason or "")


def test_a_guardrail_needs_its_control_to_differ_from_zero() -> None:
    """Of a mean near zero a share has no interval: far more units than the margin alone would need."""
    metric = ab.Mean("m", role="guardrail", margin=ab.relative(5))
    found = plan(metric).plan({"m": {"mean": 0.001, "sd": 1}})
    needed = 2 * (1 / 0.001) ** 2 * (1.96 + 0.84) ** 2
    assert found.rule.units > 0.99 * needed


@pytest.mark.parametrize(
    ("history", "wish", "says"),
    [
        ({"m": S}, {}, "`mde` must be given"),
        ({"m": S}, {"weeks": 2}, "`weeks` needs a traffic"),
        ({"m": S}, {"mde": {"n": 1}}, "`mde` must name metrics of the plan; got 'n'"),
        ({"m": S}, {"mde": 1, "looks": 3}, "`looks` must be left out"),
        ({"m": S}, {"mde": 1, "time": "t"}, "`time` must be left out"),
        ({"n": S}, {"mde": 1}, "no metric of the plan"),
        ({}, {"mde": 1}, "m is missing"),
        ({"m": {"mean": 1}}, {"mde": 1}, "a rate, or a mean and an sd"),
        ({"m": {"rate": 0.5, "mean": 1, "sd": 1}}, {"mde": 1}, "a rate, or a mean and an sd"),
        ({"m": 3}, {"mde": 1}, "must be Moments, Counts or CoMoments"),
        ({"m": ab.Moments(1, 2.0, 0.0)}, {"mde": 1}, "at least 2 units"),
        ("none.yaml", {"mde": 1}, "the summary 'none.yaml' does not exist"),
    ],
)
def test_what_is_wrong_is_said(history: Any, wish: dict[str, Any], says: str) -> None:
    with pytest.raises(PlanError, match=says.replace("(", r"\(")):
        plan(MEAN).plan(history, **wish)


@pytest.mark.parametrize("bad", [{"power": 1.0}, {"weeks": math.inf}, {"units_per_week": -1}, {"mde": math.nan}])
def test_numbers_outside_their_domain_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        plan(MEAN).plan({"m": S}, **{"mde": 1.0, **bad})


def running(units: int, **more: Any) -> tuple[ab.Experiment, Any]:
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"u": range(units), "v": ["c", "t"] * (units // 2)})
    frame["m"], frame["g"] = rng.normal(10, 5, units), rng.normal(10, 5, units)
    experiment = both(**more)
    look = 1 if isinstance(experiment.monitor, ab.GroupSequential) else None
    return experiment, experiment.analyze(frame, look=look)


@pytest.mark.parametrize(
    "monitor", [ab.FixedHorizon(), ab.GroupSequential(looks=3), ab.AnytimeValid(tune_at=2000)], ids=lambda m: m.kind
)
def test_a_running_report_says_how_many_units_more(monitor: Any) -> None:
    experiment, report = running(1000, monitor=monitor)
    found = experiment.plan(report, units_per_week=500)
    more = {row.metric: row for row in found.more}
    assert more["m"].seen == 1000
    assert more["m"].wanted == 0.5
    assert more["g"].relative
    for row in more.values():
        assert row.more == row.units - 1000
        assert row.weeks == pytest.approx(row.more / 500)
    cautious = any("caution" in sentence for sentence in found.assumptions)
    assert cautious == (not isinstance(monitor, ab.AnytimeValid))
    assert "units so far" in str(found)
    assert "1,000" in str(found)


def test_as_many_units_more_make_the_interval_as_narrow_as_wanted() -> None:
    experiment, report = running(1000)
    more = experiment.plan(report).more[0]
    _, later = running(more.units)
    low, high = later.result("m").interval(later.level)
    assert (high - low) / 2 == pytest.approx(0.5, rel=0.06)  # another sample's variance


def test_a_report_of_another_plan_is_refused() -> None:
    _, report = running(100)
    with pytest.raises(PlanError, match="another plan"):
        both(monitor=ab.FixedHorizon(0.1)).plan(report)


def test_weeks_ask_for_power_and_the_detectable_effect() -> None:
    found = both().plan({"m": S, "g": S}, weeks=4, units_per_week=2000)
    assert found.rule.units == 8000
    row = found.metric("m")
    assert row.solved == "power"
    assert row.power is not None
    assert row.detectable is not None
    g = found.metric("g")
    assert g.margin_relative == 0.02
    assert g.detectable_relative is not None
    missed = (1 - row.power) + (1 - (g.power or 0))
    assert found.rule.power == pytest.approx(max(1 - missed - found.sizer.rule.false, 0))


def test_tests_that_may_miss_by_turns_leave_what_the_weakest_has() -> None:
    found = both().plan({"m": S, "g": S}, weeks=1, units_per_week=200)
    weakest = min(row.power for row in found.metrics)
    assert found.rule.power == 0
    assert f"promotes with at most {100 * weakest:.2f}% power" in " ".join(str(found).split())


def test_the_power_curve_passes_through_the_plan() -> None:
    found = both().plan({"m": S, "g": S})
    curve = {row["metric"]: row["power"] for row in found.power_curve([1.0])}
    for name, power in curve.items():
        demand = found.sizer.demands[name]
        assert power == pytest.approx(found.sizer.power_of(demand, found.rule.allocation, demand.size or 0))
        assert power >= found.rule.each - 1e-9
    at_zero = [row for row in found.power_curve([0.0]) if row["metric"] == "m"]
    assert at_zero[0]["power"] == pytest.approx(0.025, abs=1e-6)


def test_several_metrics_have_their_own_effects() -> None:
    experiment = ab.Experiment(
        unit="u", variant="v", control="c", metrics={"m": MEAN, "n": ab.Mean("n", mde=ab.relative(0.1))}
    )
    found = experiment.plan({"m": S, "n": S}, mde={"m": 0.2})
    assert (found.metric("m").mde, found.metric("n").mde_relative) == (0.2, 0.1)
    assert found.rule.decisive == "m"
    assert experiment.plan({"m": S, "n": S}, mde=ab.relative(0.03)).metric("n").mde_relative == 0.03


def test_pairs_are_units_of_every_variant() -> None:
    found = plan(ab.Paired("m")).plan({"m": {**S, "correlation": 0.8}}, mde=0.1)
    row = found.metric("m")
    assert row.n_control == row.n_treatment == row.units
    assert row.sd == pytest.approx(5 * math.sqrt(2 * 0.2), rel=1e-5)
    assert row.units == pytest.approx(((1.96 + 0.8416) * row.sd / 0.1) ** 2, rel=1e-3)


def test_a_burn_in_is_waited_for() -> None:
    found = plan(MEAN, monitor=ab.AnytimeValid()).plan({"m": S}, mde=50)
    assert found.rule.units == 200


def test_plain_values_are_strict_json_and_the_sentence_comes_first(log: pd.DataFrame) -> None:
    found = logged().plan(log, units_per_week=1500)
    text = json.dumps(found.to_dict(), allow_nan=False)
    assert json.loads(text)["schema"] == "abkit.planning/1"
    first = str(found).splitlines()[0]
    assert first.startswith(f"The plan needs {found.rule.units:,} units (")
    assert "at 1,500 a week) to promote with at least 80% power" in first
    assert repr(found) == str(found)


@pytest.mark.parametrize("wish", [{}, {"weeks": 3}, {"units_per_week": 500}], ids=str)
def test_plots_are_drawn(log: pd.DataFrame, wish: dict[str, Any], tmp_path: Path) -> None:
    found = logged().plan(log, **wish)
    found.figure().savefig(tmp_path / "plan.png")
    assert found.plot().get_xlabel().startswith("weeks")
    assert "power" in found.plot_power().get_ylabel()
    assert "effect" in plan(MEAN).plan({"m": S}, mde=0.5).plot().get_xlabel()


def command(folder: Path, *more: str) -> int:
    (folder / "plan.json").write_text(json.dumps(logged().to_dict()), encoding="utf-8")
    return main(["plan", str(folder / "plan.json"), *more])


def test_the_command_reads_a_log(log: pd.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log.to_parquet(tmp_path / "log.parquet")
    plot = tmp_path / "plan.svg"
    history = ["--history", str(tmp_path / "log.parquet"), "--time", "when"]
    assert command(tmp_path, *history, "--mde", "revenue=8%", "--plot", str(plot), "--format", "json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["metrics"][0]["mde_relative"] == 0.08
    assert plot.exists()
    assert command(tmp_path, *history, "--weeks", "4", "--power", "0.9") == 0
    assert capsys.readouterr().out.startswith("With ")


def test_the_command_reads_a_summary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    summary = tmp_path / "summary.yaml"
    summary.write_text(
        "units_per_week: 2000\nmetrics:\n  revenue: {mean: 9, sd: 6, variance_kept: 0.8}\n  bought: {rate: 0.1}\n",
        encoding="utf-8",
    )
    assert command(tmp_path, "--history", str(summary), "--mde", "1.0") == 0
    out = capsys.readouterr().out
    assert "at 2,000 a week" in out
    assert command(tmp_path, "--history", str(summary), "--units-per-week", "500", "--format", "json") == 0
    assert json.loads(capsys.readouterr().out)["metrics"][0]["variance_kept"] == pytest.approx(0.8, rel=1e-5)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--mde", "x%"], "a number, or a share such as 2%"),
        (["--mde", "1", "--mde", "revenue=2"], "one size for all success metrics"),
        (["--plot", "plan.txt"], "ends with .png, .svg or .pdf"),
        (["--looks", "3"], "`looks` must be left out"),
    ],
)
def test_the_command_says_what_is_wrong(
    more: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "s.json").write_text('{"revenue": {"mean": 9, "sd": 6}, "bought": {"rate": 0.1}}', encoding="utf-8")
    assert command(tmp_path, "--history", str(tmp_path / "s.json"), *more) == 64
    assert says in capsys.readouterr().err


def test_an_exact_answer_is_frozen() -> None:
    found = plan(MEAN).plan({"m": S}, mde=0.5)
    assert isinstance(found, Planning)
    with pytest.raises(AttributeError):
        found.rule = None  # type: ignore[misc]
