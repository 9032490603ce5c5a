"""`abkit decide`: formats, exit policies, stages, and the state between looks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import abkit as ab
from abkit.cli import main
from tests.hooks import consumers
from tests.hooks.decisions import EFFECTS, RAMP, log_of, write

CODES = {"promote": 0, "continue": 75, "rollback": 10, "blocked": 76}


def decided(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    code = main(["decide", *map(str, arguments)])
    out, err = capsys.readouterr()
    assert err == ""
    return code, out


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """A plan with three stages, whose log has rows of the first."""
    return write(tmp_path, "checkout", "promote", strategy=RAMP)


@pytest.mark.parametrize("outcome", EFFECTS)
def test_the_log_is_the_one_that_the_plan_names(
    outcome: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = write(tmp_path, "checkout", outcome)
    code, out = decided(capsys, plan, "--format", "json")
    assert (code, out) == (CODES[outcome], ab.decide(plan).to_json() + "\n")
    assert decided(capsys, plan, tmp_path / "checkout.parquet", "--format", "json") == (code, out)


def test_without_any_log_the_command_line_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = write(tmp_path, "checkout", "promote")
    content = json.loads(plan.read_text())
    plan.write_text(json.dumps({name: value for name, value in content.items() if name != "log"}))
    assert main(["decide", str(plan)]) == 64
    assert "`log` must be given" in capsys.readouterr().err


@pytest.mark.parametrize("outcome", EFFECTS)
@pytest.mark.parametrize("policy", ["promote-only", "not-rollback"])
def test_exit_policies_know_success_and_failure_only(
    policy: str, outcome: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = write(tmp_path, "checkout", outcome)
    code, _ = decided(capsys, plan, "--exit-policy", policy)
    succeeds = outcome == "promote" if policy == "promote-only" else outcome != "rollback"
    assert code == (0 if succeeds else 10)
    (tmp_path / "checkout.parquet").unlink()
    assert main(["decide", str(plan), "--exit-policy", policy]) == 65


@pytest.mark.parametrize("outcome", EFFECTS)
def test_formats_of_deployers(outcome: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = write(tmp_path, "checkout", outcome)
    decision = ab.decide(plan)
    said = {form: decided(capsys, plan, "--format", form)[1] for form in ("argo", "spinnaker", "gitlab", "codedeploy")}
    assert said["argo"] == ab.hooks.argo(decision).to_json() + "\n"
    assert said["spinnaker"] == ab.hooks.spinnaker(decision).to_json() + "\n"
    assert consumers.dotenv(said["gitlab"])["ABKIT_OUTCOME"] == outcome
    assert said["codedeploy"].strip() == (ab.hooks.codedeploy(decision) or "")


def test_github_gets_outputs_and_a_summary_in_the_files_that_it_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = write(tmp_path, "checkout", "rollback")
    for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"):
        (tmp_path / name).write_text("before=1\n")
        monkeypatch.setenv(name, str(tmp_path / name))
    code, out = decided(capsys, plan, "--format", "github")
    assert (code, [command for command, _ in consumers.workflow_commands(out)]) == (10, ["error"])
    outputs = consumers.github_outputs((tmp_path / "GITHUB_OUTPUT").read_text())
    assert (outputs["before"], outputs["verdict"]) == ("1", "rollback")
    assert "| revenue |" in (tmp_path / "GITHUB_STEP_SUMMARY").read_text()
    monkeypatch.delenv("GITHUB_OUTPUT")
    assert "\nverdict=rollback\n" in decided(capsys, plan, "--format", "github")[1]
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "absent" / "file"))
    assert main(["decide", str(plan), "--format", "github"]) == 64


def test_a_state_takes_a_release_from_stage_to_stage(canary: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = canary.parent / "state.json"
    log = canary.with_suffix(".parquet")

    def look() -> dict[str, Any]:
        code, out = decided(capsys, canary, "--state", state, "--format", "json")
        assert code == 0
        return dict(json.loads(out))

    first = look()
    assert (first["stage"]["index"], first["state"]["stage"]) == (1, 2)
    assert ab.State.of(json.loads(state.read_text())).stage == 2
    assert look() == first, "a retry on the same log must not take the release further"
    log_of("promote").assign(stage=2).to_parquet(log)
    second = look()
    assert (second["stage"]["index"], second["state"]["stage"], second["final"]) == (2, 3, False)
    assert look() == second
    log_of("promote").assign(stage=3).to_parquet(log)
    assert look()["final"] is True


def test_a_state_may_be_the_decision_of_the_look_before(canary: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = canary.parent / "state.json"
    state.write_text(ab.decide(canary).to_json())
    log_of("rollback").assign(stage=2).to_parquet(canary.with_suffix(".parquet"))
    code, out = decided(capsys, canary, "--state", state, "--format", "json")
    assert (code, json.loads(out)["stage"]["index"]) == (10, 2)


def test_a_state_of_another_plan_is_refused(canary: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = canary.parent / "state.json"
    held = json.dumps({**ab.decide(canary).to_dict(), "plan_sha256": "0" * 64})
    state.write_text(held)
    assert main(["decide", str(canary), "--state", str(state)]) == 64
    assert "must be of this plan" in capsys.readouterr().err
    assert state.read_text() == held


def test_a_stage_may_be_named(canary: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log_of("promote").assign(stage=2).to_parquet(canary.with_suffix(".parquet"))
    _, out = decided(capsys, canary, "--stage", 2, "--format", "json")
    assert json.loads(out)["stage"] == {"index": 2, "count": 3, "weight": 25.0, "next_weight": 50.0}
    for wrong in (0, 4):
        assert main(["decide", str(canary), "--stage", str(wrong)]) == 64
        assert "`state.stage` must be" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "holds none"),
        ('{"verdict": "promote"}', "`state` must be"),
    ],
)
def test_a_state_that_is_none_is_refused_and_kept(
    content: str, says: str, canary: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = canary.parent / "state.json"
    state.write_text(content)
    assert main(["decide", str(canary), "--state", str(state)]) == 64
    assert says in capsys.readouterr().err
    assert state.read_text() == content


def test_a_state_that_cannot_be_kept_is_no_verdict(canary: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["decide", str(canary), "--state", str(canary.parent / "absent" / "state.json")]) == 64
    out, err = capsys.readouterr()
    assert (out, "`--state` must be a file that can be written" in err) == ("", True)
    assert [file.name for file in canary.parent.iterdir() if file.name.startswith(".")] == []


def test_the_time_of_a_look_may_be_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = write(tmp_path, "checkout", "continue", timing={"start": "2026-01-01", "deadline": "14d"})
    assert decided(capsys, plan, "--now", "2026-01-14")[0] == 75
    code, out = decided(capsys, plan, "--now", "2026-01-16T00:00:00Z")
    assert (code, "DEADLINE_PASSED" in out) == (76, True)
    assert main(["decide", str(plan), "--now", "soon"]) == 64
