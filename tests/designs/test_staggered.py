"""Rolling updates from a plan and a log: batches, instances that misbehave, and rows that are missing."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import abkit as ab
from abkit.decision import Decision
from abkit.strategies import Rolling

EXAMPLES = Path(__file__).parents[2] / "examples" / "strategies"
_spec = importlib.util.spec_from_file_location("rolling_example", EXAMPLES / "rolling.py")
assert _spec is not None
assert _spec.loader is not None
example = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(example)

PLAN = ab.Experiment.from_file(EXAMPLES / "rolling.yaml")
STARTS = [example.FIRST + example.APART * batch for batch in range(6)]


def log_of(truth: str, seed: int = 1) -> pd.DataFrame:
    return example.release(truth, np.random.default_rng(seed))  # type: ignore[no-any-return]


def until(log: pd.DataFrame, bucket: int) -> pd.DataFrame:
    return log[log["at"] < log["at"].min() + pd.Timedelta(minutes=5 * bucket)]


def check(decision: Decision, name: str) -> str:
    return next(c.status for c in decision.checks if c.id == name)


def updated_at(log: pd.DataFrame, bucket: int) -> str:
    """An instance that is updated in a bucket."""
    firsts = log[log.version == "v2"].groupby("instance")["at"].min()
    return str(firsts[firsts == log["at"].min() + pd.Timedelta(minutes=5 * bucket)].index[0])


@pytest.mark.parametrize(("truth", "verdict"), [("win", "promote"), ("undecided", "continue"), ("harm", "rollback")])
def test_the_example(truth: str, verdict: str) -> None:
    decision = ab.decide(PLAN, log_of(truth))
    assert (decision.verdict, decision.blocked) == (verdict, False)
    assert decision.risk.guarantee == "at scheduled looks"
    assert (decision.stage.index, decision.stage.count) == (6, 6)


def test_a_harmless_update_goes_on_batch_by_batch() -> None:
    log, state, stages = log_of("win"), None, []
    for start in STARTS:
        early = ab.decide(PLAN, until(log, start + 3), state=state)
        assert early.verdict == "continue"  # not yet watched
        decision = ab.decide(PLAN, until(log, start + 6), state=state)
        stages.append((decision.verdict, decision.stage.index, round(decision.stage.next_weight or 0), decision.final))
        again = ab.decide(PLAN, until(log, start + 6), state=decision)
        assert again.verdict == ("promote" if decision.final else "continue")  # the next batch is still to come
        state = None if decision.final else decision.state
    assert stages == [("promote", k, min(100, round(100 * min(k + 1, 6) / 6)), k == 6) for k in range(1, 7)]


def test_asking_more_often_changes_nothing() -> None:
    log = log_of("harm", 2)
    looks = [PLAN.analyze(until(log, bucket)).result("errors") for bucket in range(STARTS[1] + 5, STARTS[2] + 5)]
    assert len({look.pvalue for look in looks}) == 1
    assert len({look.estimate for look in looks}) == 1


def test_an_earlier_look_is_what_it_was() -> None:
    log = log_of("undecided")
    then, now = PLAN.analyze(until(log, STARTS[2] + 6)), PLAN.analyze(log, look=3)
    assert then.result("latency").to_dict() == now.result("latency").to_dict()
    with pytest.raises(ab.PlanError, match="`look` must be one of the 6 batches"):
        PLAN.analyze(log, look=7)


def test_rows_and_engines_do_not_matter() -> None:
    log = log_of("win")
    plain = ab.decide(PLAN, log).to_json()
    assert ab.decide(PLAN, log.sample(frac=1, random_state=1)).to_json() == plain
    assert ab.decide(PLAN, pl.from_pandas(log)).to_json() == plain


def test_several_rows_a_cell_are_added_up() -> None:
    log = log_of("win")
    halves = pd.concat([log.assign(requests=log.requests - 7, orders=log.orders - 3), log.assign(requests=7, orders=3)])
    plan = ab.Experiment.from_dict({**PLAN.to_dict(), "metrics": {"c": PLAN.to_dict()["metrics"]["conversion"]}})
    assert plan.analyze(halves).result("c").pvalue == plan.analyze(log).result("c").pvalue


def _crash(log: pd.DataFrame) -> pd.DataFrame:
    name = updated_at(log, STARTS[1])
    return log[(log.instance != name) | (log["at"] < log["at"].min() + pd.Timedelta(minutes=5 * (STARTS[1] + 2)))]


def _back(log: pd.DataFrame) -> pd.DataFrame:
    gone = (log.instance == updated_at(log, STARTS[0])) & (log["at"] >= log["at"].max() - pd.Timedelta(minutes=60))
    return log.assign(version=log.version.mask(gone, "v1"))


def _down(log: pd.DataFrame) -> pd.DataFrame:
    off = (log.version == "v2") & (log["at"].dt.minute == 30)
    return log[~off]


def _unread(log: pd.DataFrame) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    return log.assign(latency_ms=log.latency_ms.mask((log.version == "v2") & (rng.random(len(log)) < 0.3)))


@pytest.mark.parametrize(
    ("damage", "name"),
    [(_crash, "survivors"), (_back, "instances"), (_down, "gaps"), (_unread, "missing:latency")],
)
def test_damage_is_told_and_never_promotes(damage: Callable[[pd.DataFrame], pd.DataFrame], name: str) -> None:
    plan = ab.Experiment.from_dict({**PLAN.to_dict(), "missing": "drop"})
    decision = ab.decide(plan, damage(log_of("win")))
    assert check(decision, name) == "fail"
    assert decision.verdict == "continue"
    assert decision.blocked


def test_instances_that_come_later_are_counted_and_left_out() -> None:
    log = log_of("win")
    late = (log.instance == "web-03") & (log["at"] < log["at"].min() + pd.Timedelta(minutes=10))
    decision = ab.decide(PLAN, log[~late])
    assert next(c.message for c in decision.checks if c.id == "instances").endswith("1 that came later")
    assert decision.verdict == "promote"


def test_rows_without_a_time_are_told() -> None:
    log = log_of("win")
    log["at"] = log["at"].mask(np.arange(len(log)) % 20 == 0)
    decision = ab.decide(ab.Experiment.from_dict({**PLAN.to_dict(), "missing": "drop"}), log)
    assert check(decision, "identity") == "fail"
    assert decision.verdict != "promote"


def test_duplicates_are_left_out() -> None:
    plan = ab.Experiment.from_dict({**PLAN.to_dict(), "key": ["instance", "at"]})
    log = log_of("win")
    decision = ab.decide(plan, pd.concat([log, log.iloc[:100]]))
    assert decision.verdict == "promote"
    assert any("100" in note for note in decision.notes)


def test_those_updated_early_that_moved_before_are_told() -> None:
    log = log_of("win")
    firsts = log[log.version == "v2"].groupby("instance")["at"].min()
    early = log.instance.map(firsts) <= firsts.median() - pd.Timedelta(minutes=1)
    grown = early & (log["at"] >= log["at"].min() + pd.Timedelta(minutes=25))
    decision = ab.decide(PLAN, log.assign(latency_ms=log.latency_ms * np.where(grown, 1.5, 1.0)))
    assert check(decision, "before:latency") == "fail"


def test_an_order_of_the_operator_is_observational() -> None:
    plan = ab.Experiment.from_dict({**PLAN.to_dict(), "strategy": {"kind": "rolling", "batches": 6}})
    decision = ab.decide(plan, log_of("win"))
    assert decision.risk.guarantee == "observational"
    assert "chosen by the operator" in str(decision)


def test_few_instances_can_show_nothing_and_it_is_said() -> None:
    log = log_of("harm")
    few = log[log.instance.isin(log.instance.unique()[:3])]
    decision = ab.decide(PLAN, few)
    assert decision.verdict == "continue"
    assert any("harm cannot be shown yet" in note for note in decision.notes)


def test_before_the_first_batch_nothing_is_known() -> None:
    for bucket in (STARTS[0] - 4, STARTS[0] + 2):
        decision = ab.decide(PLAN, until(log_of("win"), bucket))
        assert decision.verdict == "continue"
        assert [m.status for m in decision.metrics] == ["no_data"] * 3


def test_all_at_once_compares_nothing() -> None:
    log = log_of("win")
    log["version"] = np.where(log["at"] < log["at"].min() + pd.Timedelta(minutes=60), "v1", "v2")
    decision = ab.decide(PLAN, log)
    assert decision.verdict == "continue"
    assert all(m.status == "no_data" for m in decision.metrics)


def test_times_may_be_numbers() -> None:
    log = log_of("harm")
    log["at"] = (log["at"] - log["at"].min()).dt.total_seconds() / 60
    strategy = {"kind": "rolling", "batches": 6, "bucket": 5, "order": "random"}
    decision = ab.decide(ab.Experiment.from_dict({**PLAN.to_dict(), "strategy": strategy}), log)
    assert decision.verdict == "rollback"


def test_logs_that_are_not_of_a_rolling_update() -> None:
    log = log_of("win")
    third = pd.concat([log, log.iloc[:3].assign(version="v3")])
    with pytest.raises(ab.DataError, match="3 versions"):
        ab.decide(ab.Experiment.from_dict({**PLAN.to_dict(), "allocation": None}), third)
    assert PLAN.analyze(third).statistics.audit.units_in_unknown_variants == 1
    pods = log.assign(instance=log.instance + log.version)
    with pytest.raises(ab.DataError, match="is the unit what stays through its update"):
        ab.decide(PLAN, pods)


BASE: dict[str, Any] = {
    "unit": "instance",
    "variant": "version",
    "control": "v1",
    "time": "at",
    "metrics": {"m": {"kind": "mean", "value": "x"}},
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"time": None}, "`time` must be given"),
        ({"unit": "ROWS"}, "`unit` must be the column of the instance"),
        ({"monitor": {"kind": "anytime-valid"}}, "`monitor` must be fixed-horizon"),
        ({"segments": ["zone"]}, "`segments` must be left out"),
        ({"metrics": {"m": {"kind": "quantile", "value": "x", "q": 0.5}}}, "must be one of mean"),
        ({"metrics": {"m": {"kind": "mean", "value": "x", "covariates": ["y"]}}}, "covariates` must be left out"),
        ({"strategy": {"kind": "rolling", "bucket": "soon"}}, "bucket"),
        ({"strategy": {"kind": "rolling", "batches": 3, "stages": [50, 100]}}, "as many as the stages"),
        ({"strategy": {"kind": "rolling", "settle": 0}}, "settle"),
        ({"strategy": {"kind": "rolling", "order": "alphabet"}}, "order"),
        ({"strategy": {"kind": "rolling", "stage": "s", "stages": [50, 100]}}, "the batch follows from the log"),
    ],
)
def test_plans_that_it_refuses(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ab.PlanError, match=message):
        ab.Experiment.from_dict({"strategy": "rolling", **BASE, **change})


def test_stages_of_its_own() -> None:
    plan = ab.Experiment.from_dict({**BASE, "strategy": {"kind": "rolling", "stages": [10, 50, 100]}})
    assert isinstance(plan.strategy, Rolling)
    assert plan.strategy.batches == 3
    assert [stage.advance for stage in plan.strategy.stages] == ["no-harm", "no-harm", "evidence"]
    assert ab.Experiment.from_dict(plan.to_dict()) == plan
