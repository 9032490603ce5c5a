"""What must work with nothing but the required packages; also run in an environment that has no others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import abkit as ab
from abkit.cli import main

pytestmark = pytest.mark.minimal

PLAN = """
unit: user
variant: variant
control: a
metrics:
  revenue: {kind: mean, value: revenue}
  bought: {kind: proportion, value: bought, role: guardrail, margin: 0.2}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [f"{i},{'ab'[i % 2]},{i % 5 + (i % 2)},{int(i % 7 == 0)}" for i in range(2_000)]
    (tmp_path / "log.csv").write_text("user,variant,revenue,bought\n" + "\n".join(rows), encoding="utf-8")
    (tmp_path / "plan.yaml").write_text(PLAN, encoding="utf-8")
    return tmp_path


def test_a_file_is_decided_from_the_shell(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["decide", str(folder / "plan.yaml"), str(folder / "log.csv"), "--format", "json"])
    decision = json.loads(capsys.readouterr().out)
    assert code == 0
    assert decision["verdict"] == "promote"
    assert decision["variant"] == "b"


def test_a_parquet_file_and_a_duckdb_table_give_the_same_decision(folder: Path) -> None:
    import duckdb

    with duckdb.connect() as connection:
        table = connection.read_csv(str(folder / "log.csv"))
        table.write_parquet(str(folder / "log.parquet"))
        plan = ab.Experiment.from_file(folder / "plan.yaml")
        decisions = {ab.decide(plan, log).to_json() for log in (table, folder / "log.parquet", folder / "log.csv")}
    assert len(decisions) == 1


def test_a_pandas_table_becomes_a_frame(folder: Path) -> None:
    import pandas as pd

    report = ab.Experiment.from_file(folder / "plan.yaml").analyze(pd.read_csv(folder / "log.csv"))
    frame = report.to_frame()
    assert list(frame["metric"]) == ["revenue", "bought"]
    assert report.result("revenue").estimate == pytest.approx(1.0)


def test_the_demo_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo"]) == 0
    printed = capsys.readouterr().out
    assert "PROMOTE new checkout" in printed
    assert "sample_ratio" in printed
