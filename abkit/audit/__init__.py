"""What was decided, on what, and who decided otherwise: a file that only grows, in which each record names the last."""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from abkit import _check, _times
from abkit.adapters._fingerprint import logged, reopened
from abkit.audit._file import append_line, holds, read_lines
from abkit.audit._record import Trail as Trail
from abkit.audit._record import canonical, digest, line_of, problem, trail_of
from abkit.decision import Decision, State, decide
from abkit.errors import AbkitError, DataError, PlanError
from abkit.experiment import Experiment, as_experiment

#: How much of a decision's id names it.
SHORTEST = 8
Target = str | os.PathLike[str]


def append(  # noqa: PLR0913 - what `decide` was given, and where to
    file: Target,
    decision: Decision,
    *,
    plan: object,
    recorded_at: str | dt.datetime,
    log: object = None,
    state: object = None,
    now: object = None,
    look: int | None = None,
    once: bool = False,
) -> dict[str, Any] | None:
    """Record a decision with all that it was made from.

    Answers: what was decided, when, and on what, so that anyone can make the decision again?

    Parameters
    ----------
    file : path
        A file of records, one a line, of any name; made if it is not there. Several processes may append at once.
    decision : Decision
        What was decided.
    plan, log, state, now, look
        What `decide` was given. Of a log it is recorded where it lies, with a digest of its bytes; statistics whole.
    recorded_at : datetime or str
        When; without a zone, in UTC.
    once : bool
        Do nothing, and return None, where the file holds this decision already.

    Returns
    -------
    dict, or None
        The record, durable on disk.

    Raises
    ------
    DataError
        The file cannot be written, or its last line is no record of this schema: it is left as it is.

    Notes
    -----
    The record is one line, written and synced under an exclusive lock. A process that is killed meanwhile may leave
    a part of it, which was never confirmed: the next one moves it to a file beside, `.torn`. Each record has the digest
    of the line before, so that nobody can change, add or remove one but the last without a trace; the digest of the
    last, `Trail.head`, kept elsewhere, protects that too. This is no signature: who can write the file can write all
    of it anew.

    Examples
    --------
    >>> import abkit as ab, tempfile, pathlib
    >>> plan = ab.Experiment(unit="user", variant="variant", control="old", metrics={"spend": ab.Mean("spend")})
    >>> sums = {"old": {"spend": ab.Moments(900, 2.0, 8100.0)}, "new": {"spend": ab.Moments(900, 2.5, 8300.0)}}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder) / "audit.jsonl"
    ...     decision = ab.decide(plan, sums)
    ...     record = ab.audit.append(file, decision, plan=plan, log=sums, recorded_at="2026-11-01T12:00Z")
    ...     agrees = [replayed.agrees for replayed in ab.audit.replay(file)]
    >>> record["seq"], record["decision"]["verdict"], agrees
    (1, 'promote', [True])
    """
    experiment = as_experiment(plan)
    content = {
        "decision": decision.to_dict(),
        "plan": experiment.to_dict(),
        "log": logged(experiment, log),
        "state": None if state is None else State.of(state).to_dict(),
        "now": None if now is None else _moment("now", now),
        "look": look,
    }
    return _appended(file, "decision", recorded_at, content, decision.decision_id if once else None)


def override(
    file: Target, decision_id: str, *, verdict: str, who: str, why: str, recorded_at: str | dt.datetime
) -> dict[str, Any]:
    """Record that a person decided otherwise.

    Answers: who overruled which decision, to what, and why?

    Parameters
    ----------
    file : path
        The file that holds the decision.
    decision_id : str
        Its id, or so much of its beginning, at least 8 characters, that no other one has it.
    verdict : {"promote", "continue", "rollback"}
        What was done instead.
    who, why : str
        Not empty.
    recorded_at : datetime or str
        When; without a zone, in UTC.

    Returns
    -------
    dict
        The record.

    Raises
    ------
    PlanError
        No such decision in the file, or several; or an argument that says nothing.
    DataError
        The file cannot be written, or is damaged.
    """
    try:
        _check.choice("verdict", verdict, ("promote", "continue", "rollback"))
        names = {name: _check.text(name, _stripped(value)) for name, value in (("who", who), ("why", why))}
    except (TypeError, ValueError) as error:
        raise PlanError(str(error)) from error
    content = {"overrides": _known(file, decision_id), "verdict": verdict, **names}
    record = _appended(file, "override", recorded_at, content, None)
    assert record is not None  # noqa: S101 - only `once` appends nothing
    return record


def read(file: Target) -> tuple[dict[str, Any], ...]:
    """The records of a file, in order; a torn last line is none.

    Raises
    ------
    DataError
        The file cannot be read, or a line is not what was recorded; the message says which.
    """
    trail = verify(file)
    if trail.problems:
        raise DataError(f"the audit file {os.fspath(file)!r} is damaged: {trail.problems[0]}.")
    return trail.records


def verify(file: Target, *, head: str | None = None) -> Trail:
    """Whether every line is what was recorded, and follows the one before; `head` is that of an earlier `Trail`.

    Raises
    ------
    DataError
        The file cannot be read.
    """
    lines, torn = read_lines(Path(file))
    trail = trail_of(lines, torn)
    if head is not None and head not in map(digest, lines):
        lost = "no line has the digest that was kept: lines were removed or changed"
        return Trail(trail.records, trail.head, torn, (*trail.problems, lost))
    return trail


@dataclass(frozen=True, slots=True)
class Replayed:
    """A recorded decision, made again: what differs, as sentences, none where it is the same to the byte."""

    seq: int
    decision_id: str
    verdict: str
    again: str | None
    differences: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        """Whether nothing differs."""
        return not self.differences


def replay(file: Target, log: object = None) -> tuple[Replayed, ...]:
    """Make every recorded decision again, and compare.

    Answers: does this file's history follow from its plans and logs?

    Parameters
    ----------
    file : path
        The records.
    log : as for `decide`, optional
        A log to read in place of the recorded ones.

    Returns
    -------
    tuple of Replayed
        One a decision, in order.

    Raises
    ------
    DataError
        The file cannot be read, or is damaged.
    """
    return tuple(_again(record, log) for record in read(file) if record["kind"] == "decision")


def _again(record: Mapping[str, Any], log: object) -> Replayed:
    recorded, seen = record["decision"], record["log"]
    about = (record["seq"], recorded["decision_id"], recorded["verdict"])
    try:
        plan = Experiment.from_dict(record["plan"])
        with nullcontext((log, None)) if log is not None else reopened(seen) as (found, changed):
            decision = decide(plan, found, state=record["state"], now=record["now"], look=record["look"])
    except AbkitError as error:
        return Replayed(*about, None, (f"the decision cannot be made again: {error}",))
    again = json.loads(decision.to_json())
    differences = [] if changed is None else [changed]
    if again["abkit_version"] != recorded["abkit_version"]:
        differences.append(f"abkit was {recorded['abkit_version']}, and is {again['abkit_version']}")
    if canonical(again) != canonical(recorded):
        named = [name for name in again if again[name] != recorded.get(name)]
        differences.append(f"other {', '.join(named) or 'fields'}{_verdicts(recorded, again)}")
    return Replayed(*about, decision.verdict, tuple(differences))


def _verdicts(recorded: Mapping[str, Any], again: Mapping[str, Any]) -> str:
    before, after = recorded["verdict"], again["verdict"]
    return f"; the verdict is {after} in both" if before == after else f": {before} then, {after} now"


def _appended(
    file: Target, kind: str, recorded_at: object, content: Mapping[str, Any], once: str | None
) -> dict[str, Any] | None:
    path, at = Path(file), _moment("recorded_at", recorded_at)

    def following(before: bytes | None) -> bytes | None:
        if before is not None:
            _require_record(path, before)
            if once is not None and holds(path, canonical({"decision_id": once})[1:-1]):
                return None
        return line_of(kind, at, content, before)

    line = append_line(path, following)
    return None if line is None else dict(json.loads(line))


def _require_record(path: Path, line: bytes) -> None:
    """The line must be a record that is what its own digest says."""
    try:
        held = json.loads(line)
        wrong = problem(line, held["seq"], held["previous"])
    except (ValueError, TypeError, KeyError, RecursionError):
        wrong = "it is no record"
    if wrong:
        raise DataError(f"the last line of the audit file {str(path)!r} is damaged: {wrong}; nothing was appended.")


def _stripped(value: object) -> object:
    return value.strip() if isinstance(value, str) else value


def _known(file: Target, decision_id: object) -> str:
    if not isinstance(decision_id, str) or len(decision_id) < SHORTEST:
        raise PlanError(f"`decision_id` must have at least {SHORTEST} characters; got {_check.show(decision_id)}.")
    held = [record["decision"]["decision_id"] for record in read(file) if record["kind"] == "decision"]
    found = {known for known in held if known.startswith(decision_id)}
    if len(found) != 1:
        many = f"{len(found)} begin so" if found else f"it is none of the {len(held)} in the file"
        raise PlanError(f"`decision_id` must name a recorded decision; got {decision_id!r}: {many}.")
    return str(found.pop())


def _moment(name: str, value: object) -> str:
    try:
        return _times.moment_text(name, value)
    except (TypeError, ValueError) as error:
        raise PlanError(str(error)) from error
