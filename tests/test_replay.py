"""A/A replay: the plan itself, over logs whose variants are drawn anew."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

import abkit as ab
from abkit.adapters._relabel import read_arrivals, read_unlabelled
from abkit.adapters._trajectory import read_trajectory
from abkit.cli import main
from tests.adapters.logs import event_log


def plan(**fields):
    metrics = {"revenue": ab.Mean("revenue"), "bought": ab.Proportion("bought")}
    return ab.Experiment(**{"unit": "user", "variant": "variant", "control": "old", "metrics": metrics} | fields)


def log(users=300, seed=1):
    rng = np.random.default_rng(seed)
    user = rng.integers(0, users, 4 * users)
    return pd.DataFrame({"user": user, "revenue": rng.gamma(2, 5, len(user)), "bought": rng.random(len(user)) < 0.2})


def replay(experiment, rows, seed=3, times=20):
    return ab.aa_replay(experiment, rows, times=times, rng=np.random.default_rng(seed))


def test_the_same_generator_gives_the_same_replays():
    first = replay(plan(), log())
    assert first == replay(plan(), log())
    assert first != replay(plan(), log(), seed=4)


def test_false_alarms_are_as_rare_as_alpha_says():
    result = replay(plan(), log(100), times=200)
    for count in result.rejected.values():
        assert result.rate(count, 0.999).contains(0.05)
    assert result.rate(result.promoted + result.rolled_back, 0.999).low <= 0.05


def test_an_effect_in_the_log_is_not_there_any_more():
    rows = log()
    rows["variant"] = np.where(rows["user"] % 2, "new", "old")
    rows.loc[rows["variant"] == "new", "revenue"] += 100
    assert ab.decide(plan(), rows).verdict == "promote"
    result = replay(plan(), rows)
    assert result.rejected["revenue"] < 6
    assert result.blocked == 0


def test_shares_and_variants_are_those_of_the_plan():
    result = replay(plan(allocation={"old": 8, "a": 1, "b": 1}), log(600), times=10)
    assert result.treatments == 2
    assert result.blocked == 0


def test_rows_as_units_and_rows_without_a_unit():
    rows = log()
    assert replay(plan(unit=ab.ROWS), rows.assign(user=1), times=3).times == 3
    broken = rows.astype({"user": float})
    broken.loc[::2, "user"] = np.nan
    assert replay(plan(metrics={"revenue": ab.Mean("revenue")}), broken[["user", "revenue"]], times=3).blocked == 3


def test_engines_give_the_same_replays():
    import polars as pl

    rows = log()
    assert replay(plan(), rows, times=5) == replay(plan(), pl.DataFrame(rows).lazy(), times=5)


def test_the_rate_is_the_exact_binomial_interval():
    result = ab.Replay(200, 0.05, 1, 3, 0, 200, {"revenue": 11})
    for count in (0, 3, 11, 200):
        expected = binomtest(count, 200).proportion_ci(0.9, method="exact")
        assert list(result.rate(count, 0.9)) == pytest.approx([expected.low, expected.high], rel=1e-12)
    assert "p < 0.05 in revenue" in str(result)
    low, high = result.rate(11)
    assert result.to_dict()["rates"]["rejected"]["revenue"] == {"value": 11 / 200, "low": low, "high": high}
    with pytest.raises(ValueError, match="`count` must be at most 200, the number of replays; got 201"):
        result.rate(201)


@pytest.mark.parametrize(
    ("keywords", "error", "message"),
    [
        ({"times": 0}, ValueError, "`times` must be at least 1; got 0"),
        ({"rng": 7}, TypeError, "`rng` must be a numpy.random.Generator; got 7"),
        ({"every": "1d"}, ab.PlanError, "`time` must name the column of times"),
        ({"window": "1d"}, ab.PlanError, "`time` must name the column of times"),
        ({"time": "ts"}, ab.PlanError, "`every` must say how far looks are apart"),
        ({"time": "when", "every": "1d"}, ab.DataError, "the log has no column `when`"),
    ],
)
def test_what_cannot_be_replayed_is_refused(keywords, error, message):
    with pytest.raises(error, match=message):
        ab.aa_replay(plan(), log(), **{"rng": np.random.default_rng(1)} | keywords)


def test_a_missing_column_is_named():
    with pytest.raises(ab.DataError, match="the log has no column `bought`"):
        replay(plan(), log()[["user", "revenue"]])


def timed_log(users=400, days=10.0, seed=1):
    """Units come evenly, each with one row, so that looks are at shares of information that go with units."""
    rng = np.random.default_rng(seed)
    ts = pd.Timestamp("2024-03-01") + pd.to_timedelta(np.sort(rng.uniform(0, days, users)) * 86_400e6 // 1, unit="us")
    return pd.DataFrame({"user": range(users), "revenue": rng.normal(10, 3, users), "ts": ts})


def through(monitor, rows, times=100, **keywords):
    experiment = plan(metrics={"revenue": ab.Mean("revenue")}, monitor=monitor)
    keywords = {"time": "ts", "every": "1d"} | keywords
    return ab.aa_replay(experiment, rows, times=times, rng=np.random.default_rng(5), **keywords)


def test_peeking_errs_and_monitors_do_not():
    rows = timed_log()
    peeked, watched = through(ab.FixedHorizon(), rows), through(ab.AnytimeValid(), rows)
    planned = through(ab.GroupSequential(looks=5, units=400), rows, times=40, every="2d")
    assert peeked.rate(peeked.rejected["revenue"], 0.99).low > 0.05
    for result in (watched, planned):
        assert result.rejected["revenue"] < peeked.rejected["revenue"]
        assert result.rate(result.rejected["revenue"], 0.999).low <= 0.05
    assert len(peeked.promoted_by) == len(watched.promoted_by) == 10
    assert "100 replays without an effect, 2 variants each, 10 looks at each" in str(peeked)


def test_verdicts_are_counted_at_the_first_look_that_gives_one():
    result = through(ab.FixedHorizon(0.3), timed_log())
    for last, by in ((result.promoted, result.promoted_by), (result.rolled_back, result.rolled_back_by)):
        assert last == by[-1] > by[0]
        assert list(by) == sorted(by)
    assert result.promoted + result.rolled_back <= result.times
    assert result.promoted + result.rolled_back == result.rejected["revenue"]  # one metric and no margin
    once = replay(plan(metrics={"revenue": ab.Mean("revenue")}), log())
    assert (once.promoted_by, once.rolled_back_by) == ((once.promoted,), (once.rolled_back,))


def test_a_schedule_without_units_has_its_looks_where_its_shares_are():
    rows = timed_log()
    result = through(ab.GroupSequential(looks=4), rows)
    assert len(result.promoted_by) == 4
    assert result.rate(result.rejected["revenue"], 0.999).low <= 0.05
    with pytest.raises(ab.PlanError, match="of the 12 planned looks, several come at one end of a period"):
        through(ab.GroupSequential(looks=12), rows, times=1)
    assert len(through(ab.GroupSequential(looks=2, units=400), rows, times=2).promoted_by) == 10


@pytest.mark.parametrize("window", [None, "3d"])
def test_sums_of_units_are_the_trajectory_of_the_log_with_these_variants(window):
    """Of a log with everything: duplicates, rows that contradict others, gaps, rows not exposed, covariates."""
    rows, rng = event_log().drop(columns="variant"), np.random.default_rng(3)
    begin, after = rng.uniform(0, 8, 600), rng.exponential(2.0, rows["event"].max() + 1)
    days = np.minimum(begin[rows["user"].fillna(0).astype(int)] + after[rows["event"]], 12.0)
    rows["ts"] = pd.Timestamp("2024-03-01 07:13") + pd.to_timedelta(days * 86_400e6 // 1, unit="us")
    rows["user"] = rows["user"].astype(float).where(rng.random(len(rows)) > 0.01)
    metrics = {
        "revenue": ab.Mean("revenue", missing="drop"),
        "revenue or nothing": ab.Mean("revenue", missing="zero", covariates="before"),
        "orders per view": ab.Ratio("orders", "views", covariates=[ab.Sum("orders")]),
        "capped": ab.Mean("orders", cap=ab.Cap(value=3)),
        "conversion": ab.Proportion("bought"),
    }
    allocation = {"new": 1, "old": 2, "newer": 1}
    for unit in ("user", ab.ROWS):
        chosen = {"revenue": metrics["revenue"]} if unit == ab.ROWS else metrics
        request = plan(unit=unit, metrics=chosen, exposure="seen", key="event", allocation=allocation).request()
        unlabelled = read_unlabelled(rows, request, ("ts",))
        labels = rng.choice(3, unlabelled.units)
        fast = read_arrivals(unlabelled, request, "ts", "1d", window).labelled(labels)
        slow = read_trajectory(unlabelled.labelled(labels), request, time="ts", every="1d", window=window)
        assert (fast.looks, fast.every, fast.window) == (slow.looks, slow.every, slow.window)
        for mine, theirs in zip(fast.statistics, slow.statistics, strict=True):
            assert mine.audit == theirs.audit
            assert mine.cappings == theirs.cappings
            assert len(mine.groups) == len(theirs.groups)
            groups = {group.variant: group for group in mine.groups}
            for same in theirs.groups:
                group = groups[same.variant]
                assert group.units == same.units
                for name, moments in same.moments.items():
                    assert group.moments[name].n == moments.n
                    np.testing.assert_allclose(group.moments[name].mean, moments.mean, rtol=1e-11)
                    gap, size = np.abs(group.moments[name].m2 - moments.m2), np.trace(moments.m2) + 1e-9
                    assert gap.max() <= 1e-10 * size, name


def test_quantiles_and_files_are_replayed_too(tmp_path):
    rows = timed_log()
    experiment = plan(metrics={"median": ab.Quantile("revenue", 0.5)}, monitor=ab.AnytimeValid())
    rows.to_parquet(tmp_path / "log.parquet")
    found = [
        ab.aa_replay(experiment, source, times=2, rng=np.random.default_rng(1), time="ts", every="3d", window="1d")
        for source in (rows, tmp_path / "log.parquet")
    ]
    assert found[0] == found[1]
    with pytest.raises(ab.PlanError, match="must not be a quantile in a trajectory without a `window`"):
        ab.aa_replay(experiment, rows, times=2, rng=np.random.default_rng(1), time="ts", every="3d")


def test_duplicates_of_a_row_have_its_variant():
    rows = log().assign(event=lambda frame: range(len(frame)))
    twice = pd.concat([rows, rows.assign(event=rows["event"].where(rows["event"] != 7))])
    found = replay(plan(unit=ab.ROWS, key="event"), twice, times=3)
    assert found.blocked == 0


def test_the_command_that_plans_replays_too(tmp_path, capsys):
    rows = timed_log()
    rows.to_parquet(tmp_path / "log.parquet")
    experiment = plan(metrics={"revenue": ab.Mean("revenue", mde=1.0)}, monitor=ab.AnytimeValid())
    (tmp_path / "plan.json").write_text(json.dumps(experiment.to_dict()))
    command = ["plan", str(tmp_path / "plan.json"), "--history", str(tmp_path / "log.parquet")]
    assert main([*command, "--aa", "3"]) == 0
    assert "3 replays without an effect, 2 variants each\n" in capsys.readouterr().out
    assert main([*command, "--aa", "3", "--time", "ts", "--every", "2d", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)["aa"]
    assert (found["times"], len(found["promoted_by"])) == (3, 5)
    for wrong in (["--every", "2d", "--time", "ts"], ["--every", "2d", "--aa", "3"], ["--aa", "0"]):
        assert main([*command, *wrong]) == 64
        assert "must" in capsys.readouterr().err
