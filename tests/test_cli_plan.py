"""`abkit plan`: from a plan file and a summary to a size."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

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
