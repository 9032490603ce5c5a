"""The audit file: nothing is lost to kills and crowds, nothing changed goes unnoticed, and decisions are made again."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import abkit as ab
from abkit import Moments, audit, cli
from abkit.audit import _file
from abkit.audit._record import canonical, digest

PLAN = {"unit": "user", "variant": "variant", "control": "old", "metrics": {"x": {"kind": "mean", "value": "x"}}}
NOW = "2026-11-01T12:00:00Z"
SUMS = {"old": {"x": Moments(900, 2.0, 8100.0)}, "new": {"x": Moments(900, 2.5, 8300.0)}}


def grown(file: Path, count: int = 4) -> list[dict[str, Any]]:
    """A file with so many decisions, each on other numbers."""
    for i in range(count):
        sums = {**SUMS, "new": {"x": Moments(900, 2.0 + i / 4, 8300.0)}}
        audit.append(file, ab.decide(PLAN, sums), plan=PLAN, log=sums, recorded_at=NOW)
    return list(audit.read(file))


def test_records_hold_all_that_a_decision_was_made_from(tmp_path: Path) -> None:
    state = ab.State(looks=(1800,))
    decision = ab.decide(PLAN, SUMS, state=state, now="2026-11-01")
    record = audit.append(
        tmp_path / "a", decision, plan=PLAN, log=SUMS, state=state, now="2026-11-01", recorded_at="2026-11-01T12:00"
    )
    assert record is not None
    assert (record["schema"], record["seq"], record["previous"]) == ("abkit.audit/1", 1, "0" * 64)
    assert record["recorded_at"] == NOW
    assert record["decision"] == json.loads(decision.to_json())
    assert ab.Experiment.from_dict(record["plan"]).sha256 == decision.plan_sha256
    assert (record["state"]["looks"], record["now"]) == ([1800], "2026-11-01T00:00:00Z")
    assert record["log"]["statistics"]["new"]["x"] == SUMS["new"]["x"].to_dict()
    assert audit.read(tmp_path / "a") == (record,)


def test_each_record_names_the_line_before(tmp_path: Path) -> None:
    records = grown(tmp_path / "a")
    lines = (tmp_path / "a").read_bytes().splitlines()
    assert [record["seq"] for record in records] == [1, 2, 3, 4]
    assert [record["previous"] for record in records[1:]] == [digest(line) for line in lines[:-1]]
    trail = audit.verify(tmp_path / "a")
    assert (trail.head, trail.torn, trail.problems) == (digest(lines[-1]), 0, ())


def test_a_decision_is_recorded_once_where_that_is_asked(tmp_path: Path) -> None:
    decision = ab.decide(PLAN, SUMS)
    asked = {"plan": PLAN, "log": SUMS, "recorded_at": NOW, "once": True}
    assert audit.append(tmp_path / "a", decision, **asked) is not None
    assert audit.append(tmp_path / "a", decision, **asked) is None
    assert len(audit.read(tmp_path / "a")) == 1


def test_any_changed_byte_is_found(tmp_path: Path) -> None:
    file, rng = tmp_path / "a", np.random.default_rng(1)
    grown(file, 3)
    whole = file.read_bytes()
    for place in [*range(160), *rng.integers(0, len(whole), 400)]:
        changed = bytearray(whole)
        changed[place] ^= 1 << int(rng.integers(0, 7))
        file.write_bytes(changed)
        trail = audit.verify(file)
        assert trail.problems or trail.torn, place
        if trail.problems:
            with pytest.raises(ab.DataError, match=r"is damaged: line [1-4]: "):
                audit.read(file)


def test_lines_that_are_removed_added_or_swapped_are_found(tmp_path: Path) -> None:
    file = tmp_path / "a"
    grown(file)
    head = audit.verify(file).head
    one, two, three, four = file.read_bytes().splitlines(keepends=True)
    for lines in ([two, three, four], [one, three, four], [one, two, two, three, four], [two, one, three, four]):
        file.write_bytes(b"".join(lines))
        assert audit.verify(file).problems
    file.write_bytes(one + two + three)  # cut at the end: only a digest kept elsewhere tells
    assert not audit.verify(file).problems
    assert "no line has the digest that was kept" in audit.verify(file, head=head).problems[0]


def test_a_record_whose_own_digest_was_made_anew_breaks_the_next(tmp_path: Path) -> None:
    file = tmp_path / "a"
    records = grown(file, 3)
    forged = {key: value for key, value in records[1].items() if key != "digest"}
    forged["decision"] = {**forged["decision"], "verdict": "rollback"}
    lines = file.read_bytes().splitlines()
    lines[1] = canonical({**forged, "digest": digest(canonical(forged))})
    file.write_bytes(b"\n".join(lines) + b"\n")
    assert [problem[:7] for problem in audit.verify(file).problems] == ["line 3:"]


def test_a_file_cut_anywhere_keeps_what_was_whole_and_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "a"
    grown(file, 2)
    whole = file.read_bytes()
    first = whole.index(b"\n") + 1
    cuts = [0, 1, first - 1, first, first + 1, len(whole) - 1, *range(7, len(whole), 97)]
    for cut in cuts:
        file.write_bytes(whole[:cut])
        (tmp_path / "a.torn").unlink(missing_ok=True)
        kept = 2 if cut == len(whole) else 1 if cut >= first else 0
        trail = audit.verify(file)
        assert (len(trail.records), trail.problems) == (kept, ())
        assert trail.torn == cut - (0, first)[kept]
        record = audit.append(file, ab.decide(PLAN, SUMS), plan=PLAN, log=SUMS, recorded_at=NOW)
        assert record is not None
        assert record["seq"] == kept + 1
        assert (audit.verify(file).problems, len(audit.read(file))) == ((), kept + 1)
        if trail.torn:
            assert (tmp_path / "a.torn").read_bytes() == whole[cut - trail.torn : cut] + b"\n"


def test_a_damaged_last_line_is_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "a"
    grown(file, 2)
    for tail in (
        b"{}\n",
        b"[1]\n",
        b"not json\n",
        b"\xff\xfe\n",
        b'{"schema":"abkit.audit/1","seq":1,"previous":"x"}\n',
    ):
        before = file.read_bytes() + tail
        file.write_bytes(before)
        with pytest.raises(ab.DataError, match=r"the last line of the audit file .* nothing was appended"):
            audit.append(file, ab.decide(PLAN, SUMS), plan=PLAN, log=SUMS, recorded_at=NOW)
        assert file.read_bytes() == before
        file.write_bytes(before[: -len(tail)])


def appending(file: str, who: int, count: int) -> None:
    for i in range(count):
        _file.append_line(Path(file), lambda before, i=i: _line(before, who, i))  # type: ignore[misc]


def _line(before: bytes | None, who: int, i: int) -> bytes:
    from abkit.audit._record import line_of

    content = {"overrides": f"{who}-{i}", "verdict": "promote", "who": str(who), "why": "x" * 500}
    return line_of("override", NOW, content, before)


@pytest.mark.skipif(sys.platform == "win32", reason="fork")
def test_eight_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    file, context = tmp_path / "a", multiprocessing.get_context("fork")
    writers = [context.Process(target=appending, args=(str(file), who, 40)) for who in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0] * 8
    records = audit.read(file)
    assert {record["overrides"] for record in records} == {f"{who}-{i}" for who in range(8) for i in range(40)}
    for who in range(8):  # each in its own order
        assert [r["overrides"] for r in records if r["who"] == str(who)] == [f"{who}-{i}" for i in range(40)]


WRITER = """
import os, sys
from pathlib import Path
from abkit.audit import _file
from tests.audit.test_audit import _line
file, i = Path(sys.argv[1]), 0
slow = _file._write_all
def by_pieces(handle, content):  # so that a kill falls within a line
    for start in range(0, len(content), 64):
        slow(handle, content[start:start + 64])
_file._write_all = by_pieces
while True:
    _file.append_line(file, lambda before: _line(before, os.getpid(), i))
    i += 1
    print(i, flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_kill_9_during_an_append_loses_no_confirmed_record(tmp_path: Path) -> None:
    file, rng, confirmed, torn = tmp_path / "a", np.random.default_rng(4), 0, 0
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(file)], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
        ) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(float(rng.uniform(0, 0.02)))
            os.kill(writer.pid, signal.SIGKILL)
            confirmed += 1 + writer.stdout.read().count(b"\n")
        trail = audit.verify(file)
        torn += trail.torn > 0
        assert trail.problems == ()
        assert len(trail.records) >= confirmed
    assert [record["seq"] for record in trail.records] == list(range(1, len(trail.records) + 1))


def test_a_disk_without_room_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a"
    grown(file, 2)
    before, write, room = file.read_bytes(), os.write, [300]

    def full(handle: int, content: Any) -> int:
        if room[0] <= 0:
            raise OSError(28, "No space left on device")
        written = write(handle, bytes(content)[: room[0]])
        room[0] -= written
        return written

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(ab.DataError, match="cannot be written: No space left on device"):
        audit.append(file, ab.decide(PLAN, SUMS), plan=PLAN, log=SUMS, recorded_at=NOW)
    assert file.read_bytes() == before


def test_overrides_name_who_why_and_the_decision(tmp_path: Path) -> None:
    file = tmp_path / "a"
    records = grown(file)
    wanted = records[0]["decision"]["decision_id"]
    record = audit.override(
        file, wanted[:12], verdict="promote", who="A. Person", why="a known outage", recorded_at=NOW
    )
    assert (record["overrides"], record["verdict"], record["who"], record["seq"]) == (wanted, "promote", "A. Person", 5)
    assert audit.verify(file).problems == ()
    fine = {"verdict": "promote", "who": "A. Person", "why": "a known outage", "recorded_at": NOW}
    for changes, decision_id, says in (
        ({}, "0" * 64, "none of the 4 in the file"),
        ({}, wanted[:7], "at least 8 characters"),
        ({"verdict": "maybe"}, wanted, "`verdict` must be one of"),
        ({"who": " "}, wanted, "`who` must"),
        ({"why": ""}, wanted, "`why` must"),
        ({"recorded_at": "noon"}, wanted, "`recorded_at` must be a time"),
    ):
        with pytest.raises(ab.PlanError, match=says):
            audit.override(file, decision_id, **{**fine, **changes})


@pytest.fixture
def log(tmp_path: Path) -> Path:
    rng = np.random.default_rng(3)
    rows = pd.DataFrame({"user": np.arange(300), "variant": ["old", "new", "new"] * 100, "x": rng.normal(size=300)})
    rows.to_csv(tmp_path / "log.csv", index=False)
    return tmp_path / "log.csv"


def recorded(file: Path, log: Path) -> Path:
    plan = file.with_name("plan.json")
    plan.write_text(json.dumps({**PLAN, "allocation": {"old": 1, "new": 2}, "log": {"path": "log.csv"}}))
    for given in (None, log):
        audit.append(file, ab.decide(plan, given), plan=plan, log=given, recorded_at=NOW)
    return file


def test_decisions_are_made_again_from_the_file_alone(tmp_path: Path, log: Path, monkeypatch: Any) -> None:
    file = recorded(tmp_path / "a", log)
    grown(file)
    (tmp_path / "plan.json").unlink()
    monkeypatch.chdir("/")
    assert [replayed.agrees for replayed in audit.replay(file)] == [True] * 6


def test_a_changed_log_is_told_from_a_changed_result(tmp_path: Path, log: Path) -> None:
    file = recorded(tmp_path / "a", log)
    log.write_text(log.read_text() + "\n")  # other bytes, the same rows
    for replayed in audit.replay(file):
        assert replayed.differences == ("the log has changed since",)
    rows = pd.read_csv(log)
    rows.assign(x=rows["x"] + 9.0 * (rows["variant"] == "new")).to_csv(log, index=False)
    for replayed in audit.replay(file):
        assert (replayed.verdict, replayed.again) == ("continue", "promote")
        assert replayed.differences[0] == "the log has changed since"
        assert replayed.differences[1].endswith(": continue then, promote now")
    log.unlink()
    for replayed in audit.replay(file):
        assert replayed.differences[0].startswith("the decision cannot be made again: `log.path` must name files")
    assert [found.agrees for found in audit.replay(file, rows)] == [True, True]


def test_a_table_in_memory_must_be_given_again(tmp_path: Path) -> None:
    rows = pd.DataFrame({"user": range(40), "variant": ["old", "new"] * 20, "x": np.arange(40.0)})
    audit.append(tmp_path / "a", ab.decide(PLAN, rows), plan=PLAN, log=rows, recorded_at=NOW)
    (alone,), (given,) = audit.replay(tmp_path / "a"), audit.replay(tmp_path / "a", rows)
    assert "the log was a table in memory (DataFrame)" in alone.differences[0]
    assert given.agrees


def test_another_version_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grown(tmp_path / "a", 1)
    monkeypatch.setattr(ab, "__version__", "99.0.0")
    (replayed,) = audit.replay(tmp_path / "a")
    assert replayed.differences[0].endswith("and is 99.0.0")
    assert replayed.differences[1] == "other decision_id, abkit_version; the verdict is promote in both" or (
        "continue in both" in replayed.differences[1]
    )


def run(*arguments: object) -> int:
    return cli.main([str(argument) for argument in arguments])


def test_the_command_line(tmp_path: Path, log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan, file = tmp_path / "plan.json", tmp_path / "audit.jsonl"
    plan.write_text(json.dumps({**PLAN, "allocation": {"old": 1, "new": 2}}))
    assert run("decide", plan, log, "--audit", file, "--state", tmp_path / "state.json") == 75
    assert run("decide", plan, log, "--audit", file, "--state", tmp_path / "state.json") == 75
    assert run("audit", "verify", file) == 0
    head = capsys.readouterr().out.split()[-1]
    assert run("replay", file) == 0
    assert "2 of 2 decisions are the same, to the byte" in capsys.readouterr().out
    wanted = audit.read(file)[0]["decision"]["decision_id"]
    assert run("override", file, wanted[:12], "--verdict", "promote", "--who", "me", "--why", "a\nb") == 0
    capsys.readouterr()
    assert run("audit", "show", file) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[2] for line in lines] == ["decision", "decision", "override"]
    assert run("audit", "verify", file, "--head", head) == 0
    assert run("audit", "verify", file, "--head", "f" * 64) == 65
    log.write_text(log.read_text().replace("old", "new", 3))
    assert run("replay", file) == 65
    file.write_bytes(file.read_bytes().replace(b'"continue"', b'"promote"', 1))
    assert run("audit", "verify", file) == 65
    assert run("replay", file) == 65
    assert run("audit", "verify", tmp_path / "none") == 65
