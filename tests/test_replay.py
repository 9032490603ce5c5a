"""A/A replay: the plan itself, over logs whose variants are drawn anew."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

import abkit as ab


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


@pytest.mark.parametrize(
    ("keywords", "error", "message"),
    [
        ({"times": 0}, ValueError, "`times` must be at least 1; got 0"),
        ({"rng": 7}, TypeError, "`rng` must be a numpy.random.Generator; got 7"),
    ],
)
def test_what_cannot_be_replayed_is_refused(keywords, error, message):
    with pytest.raises(error, match=message):
        ab.aa_replay(plan(), log(), **{"rng": np.random.default_rng(1)} | keywords)


def test_a_missing_column_is_named():
    with pytest.raises(ab.DataError, match="the log has no column `bought`"):
        replay(plan(), log()[["user", "revenue"]])
