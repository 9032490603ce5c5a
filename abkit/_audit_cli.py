"""`abkit audit`, `abkit override` and `abkit replay`: what was decided, by whom, and whether it would be again."""

from __future__ import annotations

import argparse
import datetime as dt
from collections.abc import Mapping
from typing import Any

from abkit.hooks._ci import DATA, PROMOTE, USAGE

FINE = PROMOTE
EXIT_CODES = f"exit codes: {FINE} nothing is wrong   {DATA} {{what}}   {USAGE} the command line is wrong"


def add_audit(commands: argparse._SubParsersAction[Any]) -> None:
    """The commands and their options."""
    audit = commands.add_parser("audit", help="whether a file of recorded decisions is whole, and what it holds")
    inner = audit.add_subparsers(dest="what", required=True, parser_class=type(audit))
    verify = inner.add_parser(
        "verify",
        help="check that every record is what was recorded, and follows the one before",
        epilog=EXIT_CODES.format(what="a record was changed, added or removed"),
    )
    verify.add_argument("file", help="what `abkit decide --audit` wrote")
    verify.add_argument("--head", help="the digest that an earlier check printed: were records cut off since?")
    verify.set_defaults(run=_verify)
    show = inner.add_parser("show", help="one line a record")
    show.add_argument("file", help="what `abkit decide --audit` wrote")
    show.set_defaults(run=_show)

    override = commands.add_parser("override", help="record that a person decided otherwise")
    override.add_argument("file", help="what `abkit decide --audit` wrote")
    override.add_argument("decision_id", help="the decision, or the first 8 characters or more of its id")
    override.add_argument("--verdict", required=True, choices=("promote", "continue", "rollback"))
    override.add_argument("--who", required=True)
    override.add_argument("--why", required=True)
    override.set_defaults(run=_override)

    replay = commands.add_parser(
        "replay",
        help="make every recorded decision again, and compare",
        epilog=EXIT_CODES.format(what="a decision differs, or the file is damaged"),
    )
    replay.add_argument("file", help="what `abkit decide --audit` wrote")
    replay.add_argument("--log", help="a log to read in place of the recorded ones")
    replay.set_defaults(run=_replay)


def now() -> dt.datetime:
    """The clock, which only the command line reads."""
    return dt.datetime.now(dt.UTC).replace(microsecond=0)


def _verify(parsed: argparse.Namespace) -> int:
    from abkit import audit

    trail = audit.verify(parsed.file, head=parsed.head)
    for problem in trail.problems:
        print(problem)
    if trail.torn:
        print(f"{trail.torn:,} bytes follow of a record that was never confirmed: its writer was killed")
    print(f"{len(trail.records):,} records are whole{f'; head {trail.head}' * (trail.head is not None)}")
    return DATA if trail.problems else FINE


def _show(parsed: argparse.Namespace) -> int:
    from abkit import audit

    for record in audit.read(parsed.file):
        print(f"{record['seq']:>4}  {record['recorded_at']}  {_line(record)}")
    return FINE


def _line(record: Mapping[str, Any]) -> str:
    if record["kind"] == "override":
        who, why = (record[name].replace("\n", " ") for name in ("who", "why"))
        return f"override  {record['verdict']:<8}  of {record['overrides'][:12]} by {who}: {why}"
    decision = record["decision"]
    codes = ", ".join(dict.fromkeys(reason["code"] for reason in decision["reasons"]))
    blocked = " (blocked)" if decision["blocked"] else ""
    return f"decision  {decision['verdict']:<8}  {decision['decision_id'][:12]}{blocked} {codes}"


def _override(parsed: argparse.Namespace) -> int:
    from abkit import audit

    record = audit.override(
        parsed.file, parsed.decision_id, verdict=parsed.verdict, who=parsed.who, why=parsed.why, recorded_at=now()
    )
    print(f"{record['seq']:>4}  {record['recorded_at']}  {_line(record)}")
    return FINE


def _replay(parsed: argparse.Namespace) -> int:
    from abkit import audit

    found = audit.replay(parsed.file, parsed.log)
    for replayed in found:
        for difference in replayed.differences:
            print(f"{replayed.seq:>4}  {replayed.decision_id[:12]}  {difference}")
    same = sum(replayed.agrees for replayed in found)
    print(f"{same:,} of {len(found):,} decisions are the same, to the byte")
    return FINE if same == len(found) else DATA
