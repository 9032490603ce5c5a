"""The log of a policy's decisions: every engine, duplicates, order, units, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import abkit as ab
from abkit.adapters._adaptive_log import DecisionRows, read_decided
from tests.adapters.engines import LOCAL, as_postgres
from tests.decision.policy_logs import PLAN, plan_of, table

LOG = table("greedy", [0.0, 0.4], 400, 1).assign(id=np.arange(400), seen=True)
ONE = replace(PLAN, propensity="propensity")
KEYED = replace(PLAN, key="id")


def read(log: object, plan: ab.Experiment = PLAN) -> DecisionRows:
    return read_decided(log, plan.request())


@pytest.mark.parametrize("engine", [*LOCAL, pytest.param(as_postgres, marks=pytest.mark.postgres)])
@pytest.mark.parametrize("plan", [PLAN, KEYED], ids=["rows", "keys"])
def test_every_engine_gives_the_same_decisions(
    engine: Callable[[pd.DataFrame, Path], Any], plan: ab.Experiment, tmp_path: Path
) -> None:
    log = LOG.assign(t=pd.Timestamp("2024-05-01") + pd.to_timedelta(LOG.t, "min"))
    rows = read(engine(log, tmp_path), plan)
    assert rows.arms == ("a", "b")
    assert np.array_equal(rows.arm, LOG.arm == "b")
    assert np.array_equal(rows.batch, LOG.t)
    assert np.array_equal(rows.outcomes["reward"], LOG.reward)
    assert np.array_equal(rows.propensities, LOG[["p_a", "p_b"]].to_numpy().T)


def test_one_column_of_the_chosen_arm_says_as_much_as_two() -> None:
    np.testing.assert_allclose(read(LOG, ONE).propensities, read(LOG).propensities, rtol=0, atol=1e-15)


ORDERS: dict[str, Callable[[pd.Series], Any]] = {
    "whole numbers": lambda t: t,
    "numbers": lambda t: t / 7,
    "times": lambda t: pd.Timestamp("2024-05-01") + pd.to_timedelta(t, "h"),
    "times with a zone": lambda t: pd.Timestamp("2024-05-01", tz="Europe/Berlin") + pd.to_timedelta(t, "h"),
    "dates": lambda t: [(pd.Timestamp("2024-05-01") + pd.Timedelta(days=int(x))).date() for x in t],
}


@pytest.mark.parametrize("name", ORDERS)
def test_decisions_come_in_their_order(name: str) -> None:
    log = LOG.assign(t=ORDERS[name](LOG.t)).sample(frac=1, random_state=1)
    rows = read(log)
    assert np.array_equal(rows.batch, np.arange(400))
    assert np.array_equal(rows.outcomes["reward"], LOG.reward)


def test_decisions_of_one_time_are_a_batch() -> None:
    rows = read(LOG.assign(t=LOG.t // 40))
    assert np.array_equal(np.bincount(rows.batch), np.full(10, 40))


def test_duplicates_are_left_out_and_contradictions_block() -> None:
    twice = pd.concat([LOG, LOG[:30]])
    decision = ab.decide(KEYED, twice)
    assert decision.metrics == ab.decide(KEYED, LOG).metrics
    assert "30 of 430 rows are duplicates of a key: left out" in decision.notes
    other = ab.decide(KEYED, pd.concat([LOG, LOG[:5].assign(reward=9.0)]))
    assert other.blocked
    assert {check.id: check.status for check in other.checks}["duplicates"] == "fail"
    assert read(pd.concat([LOG, LOG[:5].assign(p_b=0.25)]), KEYED).audit.rows_contradictory == 5


def test_rows_that_do_not_count_are_counted() -> None:
    log = LOG.astype({"arm": object}).assign(seen=np.arange(400) >= 20)
    log.loc[30, "arm"] = None
    log.loc[40, "arm"] = "z"
    rows = read(log, replace(PLAN, exposure="seen"))
    audit = rows.audit
    found = (audit.rows, audit.rows_not_exposed, audit.rows_without_variant, audit.units_in_unknown_variants)
    assert found == (400, 20, 1, 1)
    assert len(rows.arm) == 378


def test_a_unit_is_one_decision() -> None:
    plan = replace(PLAN, unit="id")
    assert ab.decide(plan, LOG).metrics == ab.decide(PLAN, LOG).metrics
    with pytest.raises(ab.DataError, match="`id` has 100 values in 400 rows, and of an adaptive plan each row is one"):
        read(LOG.assign(id=LOG.id // 4), plan)
    again = pd.concat([LOG, LOG[:9]])
    assert len(read(again, replace(plan, key=("id", "t"))).arm) == 400


def test_three_variants_need_a_column_each() -> None:
    log = table("greedy", [0.0, 0.1, 0.2], 200, 2)
    with pytest.raises(ab.DataError, match=r"3 variants \(a, b, c\), for which one column of propensities is not"):
        read(log, ONE)
    assert read(log, plan_of(3)).propensities.sum(axis=0) == pytest.approx(1)


def test_values_that_are_missing_are_what_the_plan_says() -> None:
    log = LOG.copy()
    log.loc[::10, "reward"] = np.nan
    with pytest.raises(ab.DataError, match="`reward` of the metric `reward` is null or nan in 40 of 400 rows"):
        read(log)
    dropped, zero = (replace(PLAN, missing=how).analyze(log).result("reward") for how in ("drop", "zero"))
    filled = PLAN.analyze(log.fillna({"reward": 0.0})).result("reward")
    assert zero.estimate == pytest.approx(filled.estimate, rel=1e-12)
    rest = PLAN.analyze(log.dropna()).result("reward")
    assert dropped.estimate == pytest.approx(rest.estimate, rel=1e-12)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"t": "soon"}, "`order` must name a column of times, dates or numbers"),
    ({"p_b": "high"}, "`propensity` must name columns of numbers"),
    ({"p_b": np.inf}, "`p_b` is infinite in 400 of 400 rows"),
    ({"reward": "much"}, "the metric `reward` needs numbers"),
    ({"arm": "b"}, "no units of the control 'a'"),
    ({"p_b": 2.0}, "400 decisions are with a propensity below 0 or above 1"),
]


@pytest.mark.parametrize(("columns", "message"), REFUSED)
def test_a_log_that_cannot_answer_is_refused_in_a_sentence(columns: dict[str, Any], message: str) -> None:
    with pytest.raises(ab.DataError, match=message):
        ab.decide(PLAN, LOG.assign(**columns))


def test_float32_propensities_add_up_within_the_tolerance() -> None:
    log = LOG.astype({"p_a": np.float32, "p_b": np.float32})
    assert ab.decide(PLAN, log).checks[0].status == "pass"


def test_the_command_line_decides(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import yaml

    from abkit.cli import main

    plan, log = tmp_path / "plan.yaml", tmp_path / "log.csv"
    plan.write_text(yaml.safe_dump(PLAN.to_dict()), encoding="utf-8")
    table("greedy", [0.0, 0.8], 2_000, 1).to_csv(log, index=False)
    assert main(["decide", str(plan), str(log)]) == 0
    assert capsys.readouterr().out.startswith("PROMOTE b")
    assert main(["analyze", str(plan), str(log)]) == 0
    assert capsys.readouterr().out.startswith("decisions: a ")
