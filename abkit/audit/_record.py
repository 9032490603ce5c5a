"""The lines of an audit file: each names the one before by its digest, and itself by its own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

SCHEMA = "abkit.audit/1"
#: What the first record has for a line before.
NOTHING = "0" * 64
FIELDS = {
    "decision": ("decision", "plan", "log", "state", "now", "look"),
    "override": ("overrides", "verdict", "who", "why"),
}
SHARED = ("schema", "seq", "previous", "kind", "recorded_at")


@dataclass(frozen=True, slots=True)
class Trail:
    """What an audit file holds.

    `records` are those up to the first problem; `head` is the digest of the last line of the file, which kept elsewhere
    tells whether lines were cut off at the end (None: no line); `torn` is how many bytes a killed writer left of a line
    that was never confirmed; `problems` say which lines are not what was recorded.
    """

    records: tuple[dict[str, Any], ...]
    head: str | None
    torn: int
    problems: tuple[str, ...]


def line_of(kind: str, recorded_at: str, content: Mapping[str, Any], before: bytes | None) -> bytes:
    """The line that follows another."""
    seq = 1 if before is None else int(json.loads(before)["seq"]) + 1
    record = {
        "schema": SCHEMA,
        "seq": seq,
        "previous": NOTHING if before is None else digest(before),
        "kind": kind,
        "recorded_at": recorded_at,
        **content,
    }
    return canonical({**record, "digest": digest(canonical(record))})


def digest(line: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(line).hexdigest()


def canonical(record: Any) -> bytes:
    """The one way to write a record: strict JSON in ASCII, on one line."""
    return json.dumps(record, allow_nan=False, separators=(",", ":")).encode()


def trail_of(lines: list[bytes], torn: int) -> Trail:
    """The records, as far as each is what its digest and the next line's say."""
    records, problems = [], []
    previous = NOTHING
    for seq, line in enumerate(lines, 1):
        wrong = problem(line, seq, previous)
        if wrong:
            problems.append(f"line {seq}: {wrong}")
        elif not problems:
            records.append(json.loads(line))
        previous = digest(line)
    return Trail(tuple(records), previous if lines else None, torn, tuple(problems))


def problem(line: bytes, seq: int, previous: str) -> str | None:
    """What is wrong with a line at its place; None: nothing."""
    try:
        record = json.loads(line)
        same = canonical(record) == line
    except (ValueError, RecursionError):
        return "it is not strict JSON"
    return next(_wrong(record, seq, previous, same=same), None)


def _wrong(record: Any, seq: int, previous: str, *, same: bool) -> Iterator[str]:
    if not isinstance(record, dict) or record.get("schema") != SCHEMA or record.get("kind") not in FIELDS:
        yield f"it is no record of {SCHEMA}"
        return
    if not same:
        yield "it is not written as it was recorded"
    if record.get("previous") != previous:
        yield "the line before is not the one that it followed: a line was changed, added or removed"
    if tuple(record) != (*SHARED, *FIELDS[record["kind"]], "digest"):
        yield "its fields are not those of its kind"
    if record.get("digest") != digest(canonical({key: value for key, value in record.items() if key != "digest"})):
        yield "its content is not what its digest says"
    if record.get("seq") != seq:
        yield f"its number must be {seq}; it is {record.get('seq')!r}"
