"""`abkit strategies`: the comparison, one strategy in full, and plans that are plans."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import abkit as ab
from abkit._strategies_cli import CHOICE, EVIDENCE, PLANS, WIDTH, comparison, in_full, template
from abkit.cli import main
from abkit.strategies import KINDS


def test_every_strategy_is_compared_and_may_be_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["strategies"]) == 0
    printed = capsys.readouterr().out
    assert printed == comparison() + "\n"
    assert set(CHOICE) == set(KINDS) == set(PLANS)
    assert {strategy.design for strategy in KINDS.values()} <= set(EVIDENCE)
    assert all(len(line) <= WIDTH for line in printed.splitlines())
    for kind, strategy in KINDS.items():
        assert printed.count(f"\n{kind:<15}") == 2
        assert " ".join(strategy.words.choose.split()) in " ".join(printed.split())


@pytest.mark.parametrize("kind", KINDS)
def test_one_in_full_has_a_plan_that_can_be_read(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["strategies", kind]) == 0
    whole = capsys.readouterr().out
    assert whole == in_full(kind)
    assert KINDS[kind].words.title == whole.splitlines()[0]
    assert main(["strategies", kind, "--plan"]) == 0
    plan = capsys.readouterr().out
    assert plan == template(kind)
    assert whole.endswith(plan)
    file = tmp_path / "plan.yaml"
    file.write_text(plan)
    assert ab.Experiment.from_file(file).strategy.kind == kind
    assert max(len(line) for line in plan.splitlines()) <= 120


def test_json_has_all_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["strategies", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [strategy["kind"] for strategy in found] == list(KINDS)
    assert {"traffic", "downtime", "rollback", "cost", "concludes", "cannot", "choose", "guarantee"} <= set(found[0])


def test_designs_without_chance_are_called_observational() -> None:
    for kind, strategy in KINDS.items():
        said = "observational" in in_full(kind)
        assert said == (strategy.design in ("staggered", "before-after"))


def test_an_unknown_strategy_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["strategies", "big-bang"])
    assert stop.value.code == 64
    assert "big-bang" in capsys.readouterr().err


def test_the_guide_shows_what_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    guide = (Path(__file__).parents[1] / "docs" / "guides" / "strategies.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```console\n\$ abkit (strategies.*?)\n(.*?)\n```", guide, re.DOTALL)
    assert len(blocks) == 2
    for command, shown in blocks:
        assert main(command.split()) == 0
        assert capsys.readouterr().out.rstrip("\n") == shown
