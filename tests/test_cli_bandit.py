"""`abkit bandit`: from a plan file, and a log, to text, JSON and a plot; each mistake is one sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from jsonschema import Draft202012Validator

import abkit as ab
from abkit.cli import main

PLAN: dict[str, Any] = {
    "schema": "abkit.bandit/1",
    "policy": {"kind": "epsilon-greedy", "epsilon": 0.2},
    "environment": {"kind": "bernoulli", "means": [0.3, 0.6], "arms": ["old", "new"]},
    "horizon": 50,
    "runs": 20,
    "arm": "headline",
    "reward": "clicked",
    "order": "at",
    "target": {"new": 1.0},
    "method": "snips",
}
EXAMPLE = Path(__file__).parent.parent / "examples" / "bandit_policies.yaml"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with a plan, and a log of 400 headlines drawn at random."""
    rng = np.random.default_rng(7)
    arm = rng.integers(2, size=400)
    clicked = (rng.random(400) < np.array([0.3, 0.6])[arm]).astype(int)
    names = np.array(["old", "new"])[arm]
    frame = pd.DataFrame({"headline": names, "clicked": clicked, "propensity": 0.5, "at": np.arange(400)})
    frame.to_csv(tmp_path / "log.csv", index=False)
    written(tmp_path, {})
    return tmp_path


def written(folder: Path, change: dict[str, Any]) -> str:
    plan = {name: value for name, value in (PLAN | change).items() if value is not None}
    (folder / "plan.yaml").write_text(yaml.safe_dump(plan), encoding="utf-8")
    return str(folder / "plan.yaml")


def command(folder: Path, part: str, *more: str) -> list[str]:
    log = [] if part == "simulate" else [str(folder / "log.csv")]
    return ["bandit", part, str(folder / "plan.yaml"), *log, *more]


def printed(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_simulate_prints_what_the_function_finds(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy, environment = ab.bandits.EpsilonGreedy(0.2), ab.bandits.Bernoulli([0.3, 0.6], ["old", "new"])
    found = ab.bandits.simulate(policy, environment, 50, 20, np.random.default_rng(1))
    assert printed(command(files, "simulate"), capsys) == f"{found}\n"
    assert json.loads(printed(command(files, "simulate", "--format", "json"), capsys)) == found.to_dict()
    more = ab.bandits.simulate(policy, environment, 50, 30, np.random.default_rng(2))
    changed = ["--runs", "30", "--seed", "2", "--format", "json"]
    assert json.loads(printed(command(files, "simulate", *changed), capsys)) == more.to_dict()


def test_several_policies_are_several_results(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(files, {"policy": [{"kind": "ucb1"}, {"kind": "batched", "size": 5, "policy": {"kind": "exp3"}}]})
    found = json.loads(printed(command(files, "simulate", "--format", "json"), capsys))
    assert [one["policy"]["kind"] for one in found] == ["ucb1", "batched"]
    plot = files / "plot.svg"
    assert printed(command(files, "simulate", "--plot", str(plot)), capsys).count("20 runs of 50 decisions") == 2
    assert plot.read_text(encoding="utf-8").startswith("<?xml")
    assert printed(command(files, "replay"), capsys).count("of 400 decisions match") == 2


def test_replay_prints_what_the_function_finds(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    columns = {"arm": "headline", "reward": "clicked", "order": "at"}
    policy = ab.bandits.EpsilonGreedy(0.2)
    found = ab.bandits.replay(str(files / "log.csv"), policy, rng=np.random.default_rng(3), **columns)
    assert printed(command(files, "replay", "--seed", "3"), capsys) == f"{found}\n"
    assert json.loads(printed(command(files, "replay", "--seed", "3", "--format", "json"), capsys)) == found.to_dict()


def test_the_plan_may_name_the_log(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = written(files, {"log": str(files / "log.csv")})
    assert printed(["bandit", "replay", plan], capsys) == printed(command(files, "replay"), capsys)


def test_evaluate_prints_what_the_function_finds(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    columns = {"arm": "headline", "reward": "clicked", "order": "at"}
    for method in ("snips", "ips"):
        found = ab.bandits.evaluate(str(files / "log.csv"), {"new": 1.0}, method=method, **columns)
        more = ["--method", method] if method != PLAN["method"] else []
        assert printed(command(files, "evaluate", *more), capsys) == f"{found}\n"
        assert json.loads(printed(command(files, "evaluate", *more, "--format", "json"), capsys)) == found.to_dict()


def test_the_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(["bandit", "simulate", str(EXAMPLE), "--runs", "5"], capsys)
    assert out.startswith("EpsilonGreedy in Bernoulli: 5 runs of 10,000 decisions cost ")


def test_the_plan_of_the_guide_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    guide = (EXAMPLE.parent.parent / "docs" / "guides" / "bandits.md").read_text(encoding="utf-8")
    plan = tmp_path / "bandit.yaml"
    plan.write_text(guide.split("```yaml\n")[1].split("```")[0], encoding="utf-8")
    log = {"at": range(200), "arm": ["old", "new"] * 100, "reward": [0, 1, 0, 0] * 50, "propensity": [0.5] * 200}
    pd.DataFrame(log).to_parquet(tmp_path / "log.parquet")
    assert "5 runs of 1,500 decisions" in printed(["bandit", "simulate", str(plan), "--runs", "5"], capsys)
    assert "of 200 decisions match" in printed(["bandit", "replay", str(plan), str(tmp_path / "log.parquet")], capsys)
    assert "mean reward is 0.5," in printed(["bandit", "evaluate", str(plan), str(tmp_path / "log.parquet")], capsys)


def test_the_schema_accepts_plans_and_refuses_mistakes(capsys: pytest.CaptureFixture[str]) -> None:
    schema = Draft202012Validator(json.loads(printed(["schema", "bandit"], capsys)))
    Draft202012Validator.check_schema(schema.schema)
    for plan in (PLAN, yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))):
        assert list(schema.iter_errors(plan)) == []
    for change in ({"horizn": 1}, {"policy": {"kind": "ucb"}}, {"policy": {"kind": "ucb1", "x": 1}}, {"horizon": 0}):
        assert list(schema.iter_errors(PLAN | change)), change


@pytest.mark.parametrize(
    ("part", "change", "says"),
    [
        ("simulate", {"horizn": 9}, "`horizn` is not a field of a bandit plan; "),
        ("simulate", {"horizn": 9}, "Did you mean 'horizon'?"),
        ("simulate", {"schema": "abkit.plan/1"}, "`schema` must be 'abkit.bandit/1'; got 'abkit.plan/1'."),
        ("simulate", {"horizon": 0}, "`horizon` must be at least 1; got 0."),
        ("simulate", {"horizon": 1.5}, "`horizon` must be a whole number; got 1.5."),
        ("simulate", {"runs": "many"}, "`runs` must be a whole number; got 'many'."),
        ("simulate", {"seed": -1}, "`seed` must be at least 0; got -1."),
        ("simulate", {"horizon": None}, "`horizon` must be given in the plan: `abkit bandit simulate` needs it."),
        ("simulate", {"policy": None}, "`policy` must be given in the plan"),
        ("simulate", {"policy": []}, "got an empty list"),
        ("simulate", {"policy": {"kind": "ucb-1"}}, "`policy.kind` must be one of"),
        ("simulate", {"policy": {"kind": "ucb-1"}}, "Did you mean 'ucb1'?"),
        ("simulate", {"policy": {"kind": "epsilon-greedy", "epsilom": 1}}, "`policy.epsilom` is not a field"),
        ("simulate", {"policy": {"kind": "epsilon-greedy", "epsilon": 2}}, "in `policy`: `epsilon` must be at most 1"),
        ("simulate", {"policy": [{"kind": "ucb1"}, 3]}, "in `policy[1]`: `policy` must be a mapping with a kind; got"),
        ("simulate", {"policy": {"kind": "with-floor"}}, "policy"),
        ("simulate", {"environment": {"kind": "bernouli", "means": [0.1]}}, "Did you mean 'bernoulli'?"),
        (
            "simulate",
            {"environment": {"kind": "bernoulli", "means": [1.1]}},
            "in `environment`: `means` must be within",
        ),
        ("simulate", {"environment": {"kind": "gaussian", "means": [0, 1]}, "policy": {"kind": "exp3"}}, "bounds"),
        ("replay", {"arm": 3}, "`arm` must be text; got 3."),
        ("replay", {"order": {"a": 1}}, "`order` must be a name or a list of names"),
        ("evaluate", {"target": None}, "`target` must be given in the plan"),
        ("evaluate", {"method": "ipz"}, "Did you mean 'ips'?"),
    ],
)
def test_a_wrong_plan_is_one_sentence(
    files: Path, part: str, change: dict[str, Any], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    written(files, change)
    refused(command(files, part), 64, says, capsys)


@pytest.mark.parametrize(
    ("part", "more", "code", "says"),
    [
        ("simulate", ["--runs", "0"], 64, "`--runs` must be at least 1; got 0."),
        ("simulate", ["--seed", "-1"], 64, "`--seed` must be at least 0; got -1."),
        ("simulate", ["--plot", "plot.gif"], 64, "`--plot` must be a file that ends with .png, .svg or .pdf"),
        ("simulate", ["--plot", "/nowhere/plot.png"], 64, "`--plot` must be a file that can be written"),
        ("evaluate", ["--method", "magic"], 64, "`method` must be one of"),
    ],
)
def test_a_wrong_option_is_one_sentence(
    files: Path, part: str, more: list[str], code: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(command(files, part, *more), code, says, capsys)


@pytest.mark.parametrize("part", ["replay", "evaluate"])
def test_a_wrong_log_is_another_code(files: Path, part: str, capsys: pytest.CaptureFixture[str]) -> None:
    refused(["bandit", part, str(files / "plan.yaml")], 64, "`log` must be given in the plan, or on the", capsys)
    refused(["bandit", part, str(files / "plan.yaml"), "nowhere.csv"], 65, "'nowhere.csv' does not exist", capsys)
    frame = pd.read_csv(files / "log.csv")
    frame.rename(columns={"clicked": "klicked"}).to_csv(files / "log.csv", index=False)
    refused(command(files, part), 65, "no column `clicked`", capsys)
    frame.assign(clicked=np.nan).to_csv(files / "log.csv", index=False)
    refused(command(files, part), 65, "`clicked`", capsys)
    frame.assign(propensity=1.5).to_csv(files / "log.csv", index=False)
    refused(command(files, part), 65, "`propensity` must be", capsys)


def test_a_log_that_was_not_drawn_at_random_is_not_replayed(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.read_csv(files / "log.csv").drop(columns="propensity")
    frame[frame["headline"].eq("new") | (frame.index % 4 == 0)].to_csv(files / "log.csv", index=False)
    refused(command(files, "replay"), 65, "the log's arms were not chosen uniformly", capsys)


def test_a_plan_that_is_no_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for content, says in (("[1]", "must be a mapping of names to values"), ("", "is empty"), ("a: [", "is not YAML")):
        (tmp_path / "plan.yaml").write_text(content, encoding="utf-8")
        refused(["bandit", "simulate", str(tmp_path / "plan.yaml")], 64, says, capsys)
    refused(["bandit", "simulate", str(tmp_path / "other.yaml")], 64, "does not exist", capsys)


def refused(arguments: list[str], code: int, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == code
    out, err = capsys.readouterr()
    assert says in err
    assert out == ""
    assert err.startswith("abkit: ")
    assert err.count("\n") == 1
    assert "internal error" not in err
