"""`abkit plan`: from a plan file and a summary to a size."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import abkit as ab
from abkit.cli import main

PLAN = """\
unit: user
variant: variant
control: old
allocation: {old: 1, new: 1}
metrics:
  revenue: {kind: mean, value: revenue, mde: {relative: 0.02}}
  errors: {kind: proportion, value: error, role: guardrail, direction: decrease, margin: 0.01}
"""
SUMMARY = "{units_per_week: 9000, metrics: {revenue: {mean: 10, sd: 30}, errors: {rate: 0.03}}}"


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    (tmp_path / "plan.yaml").write_text(PLAN, encoding="utf-8")
    (tmp_path / "summary.yaml").write_text(SUMMARY, encoding="utf-8")
    return ["plan", str(tmp_path / "plan.yaml"), "--history", str(tmp_path / "summary.yaml")]


def test_text_and_json_say_the_same(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command) == 0
    text = capsys.readouterr().out
    assert main([*command, "--format", "json"]) == 0
    units = json.loads(capsys.readouterr().out)["rule"]["units"]
    assert text.startswith(f"The plan needs {units:,} units (")
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize(
    "option",
    [
        "--power=80",
        "--power=0",
        "--weeks=-1",
        "--weeks=nan",
        "--units-per-week=-5",
        "--mde=nan",
        "--looks=0",
    ],
)
def test_a_value_that_cannot_be_is_the_command_lines_fault(
    option: str, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, option]) == 64
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"abkit: `{option.partition('=')[0].strip('-').replace('-', '_')}` must be ")


def test_long_names_leave_room(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = "share of users who come back within a week of the first visit, by region"
    metrics = {f"{name} {i}": {"kind": "mean", "value": "x", "mde": 0.1} for i in range(8)}
    plan = {"unit": "u", "variant": "v", "control": "c", "allocation": {"c": 1, "t": 1}, "metrics": metrics}
    (tmp_path / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    summary = {"metrics": {metric: {"mean": 1, "sd": 2} for metric in metrics}, "units_per_week": 900}
    (tmp_path / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    files = [str(tmp_path / "plan.json"), "--history", str(tmp_path / "summary.json")]
    assert main(["plan", *files, "--plot", str(tmp_path / "plan.svg")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100
    assert {line.split()[0] for line in lines if line.startswith("     ")} <= {f"{week}" for week in range(1, 27)}


def test_a_share_is_no_text() -> None:
    plan = ab.Experiment(unit="u", variant="v", control="c", metrics={"m": ab.Mean("m")})
    with pytest.raises(TypeError, match=r"relative\(0.02\) for a share of the baseline; got '2%'"):
        plan.plan({"m": {"mean": 1.0, "sd": 1.0}}, mde="2%")


@pytest.mark.parametrize(("pace", "says"), [("1e9", "(<0.01 weeks at"), ("9000", "(1"), ("90", " weeks at 90 a week)")])
def test_weeks_have_few_digits(pace: str, says: str, command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command, "--units-per-week", pace]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert says in first
    assert "e+" not in first
