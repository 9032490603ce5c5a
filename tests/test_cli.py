"""The command line: what it prints, where, and with which exit code."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import abkit as ab
from abkit import cli
from abkit.cli import main, run

N = 200
TREATED = np.arange(N) % 2
PLAN: dict[str, Any] = {
    "unit": "user",
    "variant": "variant",
    "control": "control",
    "metrics": {"revenue": {"kind": "mean", "value": "revenue"}},
}
# what the treatment adds to revenue, what the plan changes, the verdict, and the exit code
VERDICTS: list[tuple[str, float, dict[str, Any], str, int]] = [
    ("promote", 2.0, {}, "PROMOTE treatment", 0),
    ("rollback", -2.0, {}, "ROLL BACK", 10),
    ("continue", 0.0, {}, "CONTINUE", 75),
    ("blocked", 2.0, {"allocation": {"control": 9, "treatment": 1}}, "CONTINUE (BLOCKED: a person must look", 76),
    ("harm on broken data", -2.0, {"allocation": {"control": 9, "treatment": 1}}, "ROLL BACK (BLOCKED", 10),
]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with a plan, and a log that promotes."""
    return written(tmp_path, 2.0, {})


def written(folder: Path, effect: float, plan: dict[str, Any]) -> Path:
    (folder / "plan.json").write_text(json.dumps({**PLAN, **plan}), encoding="utf-8")
    variant = np.where(TREATED, "treatment", "control")
    revenue = 10 + effect * TREATED + np.arange(N) % 5
    frame = pd.DataFrame({"user": np.arange(N), "variant": variant, "revenue": revenue})
    frame.to_parquet(folder / "log.parquet")
    return folder


def command(name: str, folder: Path, *more: str) -> list[str]:
    return [name, str(folder / "plan.json"), str(folder / "log.parquet"), *more]


def program(*arguments: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """`python -m abkit`, with every warning an error."""
    line = [sys.executable, "-W", "error", "-m", "abkit", *arguments]
    return subprocess.run(line, capture_output=True, check=False, **options)


@pytest.mark.parametrize(
    ("effect", "plan", "says", "code"), [row[1:] for row in VERDICTS], ids=[v[0] for v in VERDICTS]
)
def test_every_verdict_has_its_exit_code(
    effect: float, plan: dict[str, Any], says: str, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command("decide", written(tmp_path, effect, plan))) == code
    out, err = capsys.readouterr()
    assert out.startswith(says)
    assert err == ""


@pytest.mark.parametrize(
    ("effect", "plan", "says", "code"), [row[1:] for row in VERDICTS], ids=[v[0] for v in VERDICTS]
)
def test_json_says_what_text_and_exit_code_say(
    effect: float, plan: dict[str, Any], says: str, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command("decide", written(tmp_path, effect, plan), "--format", "json")) == code
    out, err = capsys.readouterr()
    decision = strict(out)
    assert says.partition(" (")[0].lower().replace(" ", "").startswith(decision["verdict"])
    assert decision["blocked"] == ("BLOCKED" in says)
    assert decision["final"] == (decision["verdict"] != "continue")
    assert (out.count("\n"), err) == (1, "")
    assert out == ab.decide(tmp_path / "plan.json", tmp_path / "log.parquet").to_json() + "\n"


def strict(text: str) -> Any:
    """JSON that holds no NaN and no infinity."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refuse)


def test_analyze_prints_a_scorecard(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command("analyze", files)) == 0
    out, err = capsys.readouterr()
    assert out.startswith("units: control 100, treatment 100   (control: control)\n")
    assert "95% interval" in out
    assert out.endswith("\n")
    assert err == ""


def test_analyze_prints_strict_json(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command("analyze", files, "--format", "json")) == 0
    out, _ = capsys.readouterr()
    report = strict(out)
    assert report["schema"] == "abkit.report/1"
    assert report["units"] == {"control": 100, "treatment": 100}
    assert report["results"][0]["estimate"] == pytest.approx(2.0)
    assert out.count("\n") == 1


def test_analyze_prints_html_whose_tags_close(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command("analyze", files, "--format", "html")) == 0
    out, _ = capsys.readouterr()
    tags = re.findall(r"<(/?)(\w+)[^>]*>", out)
    opened = sorted(tag for slash, tag in tags if not slash)
    assert opened == sorted(tag for slash, tag in tags if slash)
    assert "<td" in out
    assert out.endswith("\n")


def test_html_escapes_what_a_log_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evil = "<script>alert(1)</script>"
    written(tmp_path, 2.0, {"metrics": {evil: {"kind": "mean", "value": "revenue"}}})
    log = pd.read_parquet(tmp_path / "log.parquet").replace({"variant": {"treatment": f"{evil}&"}})
    log.to_parquet(tmp_path / "log.parquet")
    assert main(command("analyze", tmp_path, "--format", "html")) == 0
    out, _ = capsys.readouterr()
    assert "<script>" not in out
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&amp;" in out


@pytest.mark.parametrize("of", ["plan", "decision"])
def test_schema_prints_a_schema(of: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", of]) == 0
    out, err = capsys.readouterr()
    assert strict(out)["title"] == f"abkit.{of}/1"
    assert out.endswith("}\n")
    assert err == ""


def test_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"abkit {ab.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], ["analyze", "decide", "schema", "demo"]),
        (["analyze"], ["plan", "log", "--format", "text,json,html"]),
        (["decide"], ["plan", "log", "--format", "text,json,github", "exit codes of decide"]),
        (["schema"], ["plan,decision"]),
        (["demo"], ["usage: abkit demo"]),
    ],
)
def test_help_names_what_a_command_takes(
    arguments: list[str], says: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main([*arguments, "--help"])
    assert stop.value.code == 0
    out, err = capsys.readouterr()
    assert all(part in out for part in says)
    assert err == ""


def test_help_lists_every_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["decide", "--help"])
    listed = re.findall(
        r"(?<!\d)(\d+) (?:promote|roll back|continue|the plan|the log|a fault)", capsys.readouterr().out
    )
    assert sorted(map(int, listed)) == [0, 10, 64, 65, 70, 75, 76]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "command"),
        (["decied"], "'decied'"),
        (["decide"], "plan"),
        (["analyze", "plan.json"], "log"),
        (["decide", "plan.json", "log.csv", "--exit-policy", "never"], "'never'"),
        (["decide", "plan.json", "log.csv", "more.csv"], "more.csv"),
        (["decide", "plan.json", "log.csv", "--format", "html"], "'html'"),
        (["analyze", "plan.json", "log.csv", "--format", "xml"], "'xml'"),
        (["analyze", "plan.json", "log.csv", "--quick"], "--quick"),
        (["schema"], "of"),
        (["schema", "report"], "'report'"),
        (["demo", "loud"], "loud"),
    ],
)
def test_a_wrong_command_line_is_one_sentence_and_64(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 64
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("abkit: ")
    assert err.count("\n") == 1
    assert says in err
    assert "--help`." in err


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (ab.PlanError("the plan\nis wrong."), 64, "abkit: the plan is wrong.\n"),
        (ab.DataError("the log is wrong."), 65, "abkit: the log is wrong.\n"),
        (ab.MissingDependencyError("install it."), 64, "abkit: install it.\n"),
        (ValueError("secret"), 70, "abkit: internal error, please report it: ValueError: secret\n"),
        (ZeroDivisionError("x"), 70, "abkit: internal error, please report it: ZeroDivisionError: x\n"),
        (MemoryError(), 70, "abkit: internal error, please report it: MemoryError:\n"),
        (RecursionError("deep"), 70, "abkit: internal error, please report it: RecursionError: deep\n"),
        (RuntimeWarning("overflow"), 70, "abkit: internal error, please report it: RuntimeWarning: overflow\n"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_error_has_its_exit_code_and_one_line(
    error: Exception,
    code: int,
    says: str,
    files: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("abkit.designs._concurrent.read_statistics", fail)
    for name in ("decide", "analyze"):
        assert main(command(name, files)) == code
        assert capsys.readouterr() == ("", says)


@pytest.fixture
def timed(tmp_path: Path) -> Path:
    """A folder with a plan, and a log of ten days with times of several types."""
    folder = written(tmp_path, 0.0, {"monitor": {"kind": "anytime-valid"}})
    log = pd.read_parquet(folder / "log.parquet")
    times = pd.Timestamp("2024-05-01") + pd.to_timedelta(np.arange(N) * 1.2, unit="h")
    log.assign(ts=times, hour=np.arange(N) * 1.2, text=times.astype(str)).to_parquet(folder / "log.parquet")
    return folder


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--time", "ts", "--every", "2q"], 64, "`every` must be a length of time"),
        (["--time", "ts", "--every", "3"], 64, "`every` must be a length of time"),
        (["--time", "ts", "--every=-1d"], 64, "`every` must be a length of time"),
        (["--time", "ts", "--every", "0d"], 64, "`every` must be above 0"),
        (["--time", "ts", "--every", "9" * 30 + "w"], 64, "`every` must be above 0"),
        (["--time", "ts", "--every", "1d", "--window", "0"], 64, "`window` must be a length of time"),
        (["--time", "ts", "--every", "1d", "--until", "soon"], 64, "`until` must be a time"),
        (["--time", "ts", "--every", "1d", "--until", "3"], 64, "`until` must be a time"),
        (["--time", "hour", "--every", "1d"], 64, "`every` must be a number"),
        (["--time", "hour", "--every", "0"], 64, "`every` must be above 0"),
        (["--time", "hour", "--every=-24"], 64, "`every` must be above 0"),
        (["--time", "hour", "--every", "nan"], 64, "`every` must be finite"),
        (["--time", "hour", "--every", "24", "--window", "2d"], 64, "`window` must be a number"),
        (["--time", "hour", "--every", "24", "--until", "inf"], 64, "`until` must be finite"),
        (
            ["--time", "hour", "--every", "24", "--metric", "revenue"],
            64,
            "`--metric` and `--variant` say what `--plot`",
        ),
        (["--time", "hour", "--every", "24", "--plot", "x.gif"], 64, "`--plot` must be a file that ends with"),
        (["--time", "hour", "--every", "24", "--plot", "absent/x.png"], 64, "`--plot` must be a file that can be"),
        (["--time", "hours", "--every", "24"], 65, "no column `hours`"),
        (["--time", "", "--every", "24"], 65, "no column ``"),
        (["--time", "text", "--every", "1d"], 65, "`text` holds"),
        (["--time", "ts", "--every", "1us"], 65, "`every` must make from 1 to 10,000 looks"),
        (["--time", "hour", "--every", "1e-9"], 65, "`every` must make from 1 to 10,000 looks"),
        (["--time", "ts", "--every", "1d", "--window", "60d"], 65, "choose a shorter `window`"),
        (["--time", "ts", "--every", "1d", "--until", "2020-01-01"], 65, "it makes none"),
    ],
)
def test_what_a_trajectory_cannot_be_is_one_sentence(
    arguments: list[str], code: int, says: str, timed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command("trajectory", timed, *arguments)) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert says in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("look", ["0", "-1"])
@pytest.mark.parametrize("monitor", ["fixed-horizon", "anytime-valid", "group-sequential"])
def test_a_look_that_is_none_is_the_plans_fault(
    look: str, monitor: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    schedule = {"looks": 3} if monitor == "group-sequential" else {}
    folder = written(tmp_path, 0.0, {"monitor": {"kind": monitor, **schedule}})
    assert main(command("decide", folder, f"--look={look}")) == 64
    assert "`look` must be" in capsys.readouterr().err


def test_a_verdict_that_nobody_reads_is_none(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: str) -> int:
        raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", SimpleNamespace(write=refuse, flush=lambda: None))
    assert main(command("decide", files)) == 70


@pytest.mark.parametrize(
    ("outcome", "code"), [(0, 0), (76, 76), (SystemExit(64), 64), (SystemExit("text"), 64), (KeyboardInterrupt(), 130)]
)
def test_the_program_leaves_with_the_code_of_its_command(
    outcome: int | BaseException, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def leave(status: int) -> None:
        raise SystemExit(status)

    def answer() -> int:
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    monkeypatch.setattr(os, "_exit", leave)
    monkeypatch.setattr(cli, "main", answer)
    with pytest.raises(SystemExit) as stop:
        run()
    assert stop.value.code == code


def test_the_program_decides_without_a_warning(files: Path) -> None:
    done = program(*command("decide", files, "--format", "json"))
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.endswith(b"}\n")
    assert strict(done.stdout.decode())["verdict"] == "promote"


def test_output_is_utf_8_whatever_the_terminal_is(tmp_path: Path) -> None:
    written(tmp_path, 2.0, {"metrics": {"größe 用户": {"kind": "mean", "value": "revenue"}}})
    done = program(*command("decide", tmp_path, "--format", "json"), env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, b"")
    assert strict(done.stdout.decode("utf-8"))["reasons"][0]["metric"] == "größe 用户"


@pytest.mark.parametrize("arguments", [["schema", "plan"], ["decide", "--help"]])
def test_a_reader_that_has_gone_is_no_traceback(arguments: list[str]) -> None:
    line = [sys.executable, "-m", "abkit", *arguments]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(line, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert done.stderr == b""
    assert done.returncode == (70 if arguments[0] == "schema" else 0)
